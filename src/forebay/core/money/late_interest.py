"""Interest on what is late, invoice by invoice and microsecond by microsecond, on the next invoice.

An invoice bears interest from its due date on what of it is open and is neither interest itself nor kept back in a
dispute. What is paid counts towards the rest first, and towards its interest last. The rate is that of its contract
on the due date, of several the lowest; a year has 365 days. At each close the interest is reckoned from the due date,
rounded once (half to even), and what was charged before is taken off: no microsecond is charged twice, and what
turns out to have been paid earlier is given back by a line of its own. An invoice that is void was never owed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from forebay.core import claims, supply, timeline, usage
from forebay.core.ids import ContractId, TrancheId
from forebay.core.money.arrears import LATE_INTEREST, Arrears, LateInterestCharged
from forebay.core.money.disputes import disputes_of
from forebay.core.money.invoices import Line
from forebay.core.money.rating import Books
from forebay.core.money.receivables import Item
from forebay.core.units import DAY_US, decimal_text, divide_half_even, micros_to_minor

_YEAR_US = 365 * DAY_US
_PPM = 1_000_000


class LateTime(NamedTuple):
    """So much was late, without a change."""

    from_at: int
    until_at: int
    micros: int


def interest_lines(
    books: Books, closed: usage.PeriodClosed, emit: supply.Emit
) -> Iterator[tuple[claims.ContractPlan, Line]]:
    """Lines of interest until the end of a period, each with the contract that it is charged under."""
    own = books.money.lateness
    for item, known in sorted(own.open.items()):
        contracts = own.origins[item].contracts
        due_at = books.money.receivables.billed[item.account, item.invoice].due_at
        rate = interest_rate(books, contracts, due_at)
        if not rate or (due_at >= closed.end and not known.charged_micros):
            continue
        before = _rounded(late_times(books, item, known, due_at, known.charged_until), rate)
        times = late_times(books, item, known, due_at, closed.end)
        new = _rounded(times, rate) - before
        contract = claims.contract_at(books.claims, contracts[0], closed.end - 1)
        correction = before - known.charged_micros
        if correction:
            text = (
                f"correction of late interest on {item.invoice} until {timeline.text(known.charged_until)}: "
            )
            text += f"{decimal_text(before)} instead of {decimal_text(known.charged_micros)}"
            yield contract, _line(contract, due_at, known.charged_until, correction, text)
        if new:
            since = max(due_at, known.charged_until)
            chain = "; ".join(
                f"{decimal_text(each.micros)} from {timeline.text(max(each.from_at, since))} until "
                f"{timeline.text(each.until_at)}"
                for each in times
                if each.until_at > since
            )
            text = f"late interest on {item.invoice} at {decimal_text(rate * 100)} % a year: {chain}"
            yield contract, _line(contract, since, closed.end, new, text)
        if correction or new:
            emit(LateInterestCharged(item.invoice, item.account, item.currency, closed.end, correction + new))


def interest_rate(books: Books, contracts: tuple[ContractId, ...], due_at: int) -> int:
    """What an invoice bears a year, parts per million: of several contracts the lowest holds."""
    agreed = [claims.contract_at(books.claims, name, due_at).payments for name in contracts]
    return min((0 if terms is None else terms.interest_ppm for terms in agreed), default=0)


def late_times(books: Books, item: Item, known: Arrears, due_at: int, until_at: int) -> list[LateTime]:
    """What of an invoice was late until an instant, time by time; nothing of one that is void."""
    if item.invoice in books.money.credits.voided:
        return []
    changes: dict[int, int] = {due_at: 0}
    for at, micros in known.posted:
        changes[max(at, due_at)] = changes.get(max(at, due_at), 0) + micros
    for dispute in disputes_of(books.money.disputes, item.invoice):
        for at, sign in ((dispute.opened_at, -1), (dispute.closed_at, 1)):
            changes[max(at, due_at)] = changes.get(max(at, due_at), 0) + sign * dispute.withheld_micros
    found: list[LateTime] = []
    owed = -books.money.lateness.origins[item].interest_micros
    starts = sorted(at for at in changes if at < until_at)
    for start, end in zip(starts, [*starts[1:], until_at], strict=False):
        owed += changes[start]
        if owed > 0:
            found.append(LateTime(start, end, owed))
    return found


def _rounded(times: list[LateTime], rate_ppm: int) -> int:
    exact = sum(each.micros * (each.until_at - each.from_at) for each in times)
    return divide_half_even(exact * rate_ppm, _PPM * _YEAR_US)


def _line(contract: claims.ContractPlan, start: int, end: int, micros: int, text: str) -> Line:
    return Line(
        LATE_INTEREST, contract.id, contract.version, "payments.interest", TrancheId(""), None, "", "", 0, start,
        end, amount_micros=micros, amount_minor=micros_to_minor(micros, contract.currency), text=text,
    )  # fmt: skip
