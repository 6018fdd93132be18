"""What is missing to a minimum commitment? Billed at the close of each of its periods, and corrected afterwards.

What counts is what lines of the contract bill for use in the period: dedicated, on demand and spot, with corrections,
before credits and discounts. A correction that comes later changes what was missing: the difference is billed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from forebay.core import claims, timeline, usage
from forebay.core.claims import commitments
from forebay.core.claims.commitments import Commitment
from forebay.core.ids import ContractId, TrancheId
from forebay.core.money.invoices import TRUE_UP, Line, eligible
from forebay.core.money.rating import Books
from forebay.core.timeline import Interval
from forebay.core.units import decimal_text, micros_to_minor


def true_up_lines(
    books: Books, closed: usage.PeriodClosed, lines: Iterable[Line]
) -> Iterator[tuple[claims.ContractPlan, Line]]:
    """The lines of all commitments whose periods are over, where they change; `lines` are those of this close."""
    committed = [name for name in sorted(books.claims.versions) if _ever(books, name)]
    if not committed:
        return
    now = eligible(lines)
    for name in committed:
        for plan, agreed, period in _over(books, name, closed.end):
            billed = sum(
                told.get((name, month_at), 0)
                for month_at in _months(period)
                for told in (books.money.eligible, now)
            )
            missing = max(0, agreed.micros - billed)
            before = books.money.trued_up.get((name, period.end), 0)
            if missing != before:
                yield plan, _true_up(plan, agreed, period, billed, before, closed)


def _months(period: Interval) -> Iterator[int]:
    """The months that begin within a period."""
    month_at = timeline.month_start(period.end - 1)
    while month_at >= period.start:
        yield month_at
        month_at = timeline.month_start(month_at - 1)


def _ever(books: Books, name: ContractId) -> bool:
    return any(each.plan.commitment is not None for each in books.claims.versions[name])


def _over(
    books: Books, name: ContractId, until_at: int
) -> Iterator[tuple[claims.ContractPlan, Commitment, Interval]]:
    """Periods of a contract that are over, by the version that held as each ended. What was over when it was signed
    is nobody's, and what began before a cutover was billed by others too.
    """
    versions = books.claims.versions[name]
    opening = books.claims.openings.get(name)
    for version in versions:
        agreed = version.plan.commitment
        if agreed is None:
            continue
        for period in commitments.commitment_periods(agreed):
            plan = claims.contract_at(books.claims, name, period.end - 1)
            known = period.end > versions[0].signed_at and (opening is None or period.start >= opening.at)
            if period.end <= until_at and plan.version == version.plan.version and known:
                yield plan, agreed, period


def _true_up(
    plan: claims.ContractPlan, agreed: Commitment, period: Interval, billed: int, before: int,
    closed: usage.PeriodClosed,
) -> Line:  # fmt: skip
    """What is missing, less what was billed for it before."""
    missing = max(0, agreed.micros - billed)
    first, last = timeline.text(period.start)[:7], timeline.text(period.end - 1)[:7]
    told = first if first == last else f"{first} to {last}"
    text = (
        f"minimum commitment of {told}: {decimal_text(agreed.micros)} less {decimal_text(billed)} billed for use = "
        f"{decimal_text(missing)}"
    )
    if before:
        text += f"; billed before: {decimal_text(before)}"
    if period.end <= closed.start:
        text = f"correction of the {text}"
    amount = missing - before
    return Line(
        TRUE_UP, plan.id, plan.version, "commitment.amount", TrancheId(""), None, "", "", 0, period.start, period.end,
        amount_micros=amount, amount_minor=micros_to_minor(amount, plan.currency), text=text,
    )  # fmt: skip
