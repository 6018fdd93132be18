"""The credit of a service level applies itself: at the close of the month, on what the month is billed.

What was undeliverable is not billed, so that the base holds none of it: one GPU-second has one remedy. The base is
what dedicated hours of the tranche in that month were billed at, on this invoice and on earlier ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from forebay.core import claims, timeline, usage
from forebay.core.claims import remedies, service_levels
from forebay.core.claims.service_levels import Availability, Credit
from forebay.core.ids import TrancheId
from forebay.core.money.delivered import Delivered, LossKind, measured
from forebay.core.money.invoices import Line
from forebay.core.money.rating import Books, rated_lines
from forebay.core.placements.gang import Tier
from forebay.core.timeline import Interval
from forebay.core.units import MICROS, decimal_text, micros_to_minor

#: Lines that are the fee of a month.
FEES = ("dedicated", "correction")


class CreditDue(NamedTuple):
    """What a month costs its seller, and how it comes about."""

    base_micros: int
    credit: Credit
    #: Place in the ladder; -1 where no step was reached.
    rung: int


def percent(month: Availability) -> str:
    """An availability in percent, with six places: cut, never rounded, so that what is below a step reads so."""
    return decimal_text(month.up_us * 100 * MICROS // month.due_us) if month.due_us else "100.00"


def credit_due(books: Books, month: Delivered, base_micros: int, given: dict[TrancheId, int]) -> CreditDue:
    """The credit for a month on this base; `given` is what this close gave already, tranche by tranche."""
    level, name = month.level, month.tranche
    before = sum(
        micros
        for (each, start), micros in books.money.credited.items()
        if each == name and start < month.month.start
    )
    owed = service_levels.credit(level, month.availability, base_micros, before)
    steps = [place for place, rung in enumerate(level.ladder) if month.availability.is_below(rung.below_ppm)]
    rung = max(steps, key=lambda place: level.ladder[place].credit_ppm, default=-1)
    terms = _contract(books, month).remedies
    if terms is not None and owed.micros > 0:
        of_contract = books.claims.tranches[name].contract
        same = {each for each, known in books.claims.tranches.items() if known.contract == of_contract}
        now = sum(micros for each, micros in given.items() if each in same)
        ever = sum(micros for (each, _), micros in books.money.credited.items() if each in same)
        left = remedies.within_caps(terms, {remedies.Remedy.CREDIT: owed.micros}, now, now + ever)
        micros = left.get(remedies.Remedy.CREDIT, 0)
        owed = owed._replace(micros=micros, capped=owed.capped or micros < owed.micros)
    return CreditDue(base_micros, owed, rung)


def _contract(books: Books, month: Delivered) -> claims.ContractPlan:
    tranche = books.claims.tranches[month.tranche]
    return claims.contract_at(books.claims, tranche.contract, month.month.end - 1)


def fees(lines: Iterable[Line], month: Interval) -> dict[TrancheId, int]:
    """What these lines bill for a month, tranche by tranche."""
    found: dict[TrancheId, int] = {}
    for line in lines:
        if line.kind in FEES and line.claim and month.start <= line.start < month.end:
            found[line.claim] = found.get(line.claim, 0) + line.amount_micros
    return found


def credit_lines(
    books: Books, closed: usage.PeriodClosed, lines: Iterable[Line]
) -> Iterator[tuple[claims.ContractPlan, Line]]:
    """The credits of the month that ends with a period, where their service levels give them by themselves. A period
    that ends within a month gives none: its month is not over.
    """
    if timeline.month_start(closed.end) != closed.end:
        return
    month = Interval(timeline.month_start(closed.end - 1), closed.end)
    downtimes = books.usage.downtimes
    billed = fees(lines, month)
    given: dict[TrancheId, int] = {}
    for name in sorted(downtimes.served):
        tranche = books.claims.tranches[name]
        if tranche.plan.service is None:
            continue
        found = measured(downtimes, books.claims, books.supply, name, month, closed.end)
        if not service_levels.is_granted(found.level, month.end, 0):
            continue
        base = books.money.fees.get((name, month.start), 0) + billed.get(name, 0)
        due = credit_due(books, found, base, given)
        if due.credit.micros > 0:
            given[name] = due.credit.micros
            contract = _contract(books, found)
            yield contract, _line(contract, tranche.plan, found, due)


def _line(contract: claims.ContractPlan, plan: claims.TranchePlan, month: Delivered, due: CreditDue) -> Line:
    rung = month.level.ladder[due.rung]
    up = month.availability
    name = timeline.text(month.month.start)[:7]
    text = (
        f"service credit for {name}: {percent(up)} % available ({up.up_us} of {up.due_us} {month.level.unit.value}-"
        f"microseconds), below {_share(rung.below_ppm)} %: {_share(rung.credit_ppm)} % of "
        f"{decimal_text(due.base_micros)}"
    )
    if due.credit.capped:
        text += f", capped at {decimal_text(due.credit.micros)}"
    excluded = [
        f"{each.value} {month.lost_us(each)}"
        for each in LossKind
        if each is not LossKind.DOWN and month.lost_us(each)
    ]
    if excluded:
        text += f"; not counted: {', '.join(excluded)}"
    return Line(
        "service_credit", contract.id, contract.version, f"tranches[{plan.id}].service.ladder[{due.rung}]",
        plan.id, Tier.DEDICATED, plan.sku, plan.site, 0, month.month.start, month.month.end,
        amount_micros=-due.credit.micros, amount_minor=micros_to_minor(-due.credit.micros, contract.currency),
        text=text,
    )  # fmt: skip


def _share(ppm: int) -> str:
    return decimal_text(ppm * 100)


class MonthDelivered(NamedTuple):
    """A month of a tranche as it is known, and what it costs its seller."""

    delivered: Delivered
    #: As it was given with an invoice, or as it would be if the month ended now.
    due: CreditDue
    #: Whether the credit stands on an invoice.
    given: bool


def months_delivered(books: Books, names: Iterable[TrancheId], start: int, at: int) -> list[MonthDelivered]:
    """What tranches were delivered in the month that begins at `start`, as known `at` an instant."""
    month = Interval(start, timeline.month_end(start))
    pending: dict[TrancheId, int] = {}
    if books.usage.period_start < min(month.end, at):
        state = books.usage.fork()
        open_ = usage.PeriodClosed(
            state.period_start, at, usage.lines(state, books.supply, at), usage.tranche_lines(state, at)
        )
        usage.apply(state, open_, at)
        pending = fees((line for _, line in rated_lines(books._replace(usage=state), open_)), month)
    told = []
    for name in names:
        found = measured(books.usage.downtimes, books.claims, books.supply, name, month, at)
        if not found.due_us:
            continue
        base = books.money.fees.get((name, start), 0) + pending.get(name, 0)
        due = credit_due(books, found, base, {})
        posted = books.money.credited.get((name, start), 0)
        if posted:
            due = due._replace(credit=due.credit._replace(micros=posted))
        told.append(MonthDelivered(found, due, bool(posted)))
    return told
