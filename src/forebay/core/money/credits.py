"""The credit of a service level applies itself: at the close of the month, on what the month is billed.

What was undeliverable is not billed, so that the base holds none of it: one GPU-second has one remedy. The base is
what dedicated hours of the tranche in that month were billed at, on this invoice and on earlier ones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from forebay.core import claims, timeline, usage
from forebay.core.claims import service_levels
from forebay.core.claims.remedies import Remedy
from forebay.core.claims.service_levels import Availability, Credit
from forebay.core.ids import TrancheId
from forebay.core.money.delivered import Delivered, LossKind, measured
from forebay.core.money.exclusions import revised_since
from forebay.core.money.invoices import Line
from forebay.core.money.rating import Books, rated_lines
from forebay.core.money.remedies_given import Given
from forebay.core.money.state import State
from forebay.core.placements.gang import Tier
from forebay.core.timeline import Interval
from forebay.core.units import MICROS, SECOND_US, decimal_text, micros_to_minor

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


def given_of(state: State, claimed: claims.State) -> Given:
    """What all remedies of each contract came to so far."""
    given = Given()
    for (name, month_at), micros in state.credited.items():
        given.add(claimed.tranches[name].contract, month_at, micros)
        given.before.setdefault(name, []).append((month_at, micros))
    for (name, month_at, _), micros in state.late.items():
        given.add(claimed.tranches[name].contract, month_at, micros)
    return given


def credit_due(books: Books, month: Delivered, base_micros: int, given: Given) -> CreditDue:
    """The credit for a month on this base; `given` is what all remedies came to already, this close included."""
    level, name = month.level, month.tranche
    earlier = (micros for start, micros in given.before.get(name, ()) if start < month.month.start)
    before = given.credited.get(name, 0) + sum(earlier)
    owed = service_levels.credit(level, month.availability, base_micros, before)
    steps = [place for place, rung in enumerate(level.ladder) if month.availability.is_below(rung.below_ppm)]
    rung = max(steps, key=lambda place: level.ladder[place].credit_ppm, default=-1)
    own = books.money.credited.get((name, month.month.start), 0)
    left = given.capped(_contract(books, month), month.month.start, Remedy.CREDIT, owed.micros, own)
    owed = owed._replace(micros=left, capped=owed.capped or left < owed.micros)
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
    books: Books, closed: usage.PeriodClosed, lines: Iterable[Line], given: Given
) -> Iterator[tuple[claims.ContractPlan, Line]]:
    """The credits of the month that ends with a period, where their service levels give them by themselves or they
    were claimed; and what has become known since of the months before. A period that ends within a month gives none:
    its month is not over.
    """
    if timeline.month_start(closed.end) != closed.end:
        return
    lines = list(lines)
    for month in _looked_at(books, closed.end):
        yield from _credits_of(books, month, fees(lines, month), given, closed.end)


def _looked_at(books: Books, closed_at: int) -> Iterator[Interval]:
    """The month that ends, and before it those that were closed and whose credits are revised, the oldest first."""
    start = revised_since(closed_at - 1)
    while start < closed_at:
        end = timeline.month_end(start)
        if end == closed_at or any(
            at == start for _, at in (*books.money.fees, *books.money.exclusions.claimed)
        ):
            yield Interval(start, end)
        start = end


def _credits_of(
    books: Books, month: Interval, billed: dict[TrancheId, int], given: Given, closed_at: int
) -> Iterator[tuple[claims.ContractPlan, Line]]:
    """The credits of one month, or what is to be corrected of them."""
    downtimes = books.usage.downtimes
    for name in sorted(downtimes.served):
        tranche = books.claims.tranches[name]
        if tranche.plan.service is None:
            continue
        found = measured_now(books, name, month, closed_at)
        base = books.money.fees.get((name, month.start), 0) + billed.get(name, 0)
        due = credit_due(books, found, base, given)
        micros = due.credit.micros if _is_given(books, found) else 0
        posted = books.money.credited.get((name, month.start), 0)
        if micros != posted:
            contract = _contract(books, found)
            given.credited[name] = given.credited.get(name, 0) + micros - posted
            given.add(contract.id, month.start, micros - posted)
            yield contract, _line(contract, tranche.plan, found, due, micros, posted, closed_at)


def _is_given(books: Books, found: Delivered) -> bool:
    """Whether the credit of a month comes by itself, or was claimed."""
    claimed_at = books.money.exclusions.claimed.get((found.tranche, found.month.start), 0)
    return service_levels.is_granted(found.level, found.month.end, claimed_at)


def measured_now(books: Books, name: TrancheId, month: Interval, at: int) -> Delivered:
    """What was delivered to a tranche in a month, by all that is known."""
    excluded = books.money.exclusions.of(name)
    return measured(books.usage.downtimes, books.claims, books.supply, name, month, at, excluded)


def _line(
    contract: claims.ContractPlan, plan: claims.TranchePlan, month: Delivered, due: CreditDue, micros: int,
    posted: int, closed_at: int,
) -> Line:  # fmt: skip
    """What is credited, or corrected: `micros` is owed for the month, `posted` was given for it before."""
    up = month.availability
    name = timeline.text(month.month.start)[:7]
    text = (
        f"service credit for {name}: {percent(up)} % available ({up.up_us} of {up.due_us} {month.level.unit.value}-"
        "microseconds)"
    )
    if due.rung >= 0:
        rung = month.level.ladder[due.rung]
        text += f", below {_share(rung.below_ppm)} %: {_share(rung.credit_ppm)} % of {decimal_text(due.base_micros)}"
    else:
        text += ", below no step of the ladder"
    if due.credit.capped:
        text += f", capped at {decimal_text(due.credit.micros)}"
    excluded = [
        f"{each.value} {month.lost_us(each)}"
        for each in LossKind
        if each is not LossKind.DOWN and month.lost_us(each)
    ]
    if excluded:
        text += f"; not counted: {', '.join(excluded)}"
    if month.month.end != closed_at:
        text += f"; as is known by now {decimal_text(micros)} are due, {decimal_text(posted)} were given"
    clause = f"tranches[{plan.id}].service" + (f".ladder[{due.rung}]" if due.rung >= 0 else "")
    return Line(
        "service_credit", contract.id, contract.version, clause,
        plan.id, Tier.DEDICATED, plan.sku, plan.site, 0, month.month.start, month.month.end,
        amount_micros=posted - micros, amount_minor=micros_to_minor(posted - micros, contract.currency), text=text,
    )  # fmt: skip


def _share(ppm: int) -> str:
    return decimal_text(ppm * 100)


class MonthDelivered(NamedTuple):
    """A month of a tranche as it is known, and what it costs its seller."""

    delivered: Delivered
    #: As it is due by what is known now; of a month that runs, as if it ended now.
    due: CreditDue
    #: Whether the credit stands on an invoice.
    given: bool
    #: What was credited so far, micro-units.
    posted_micros: int = 0
    #: What the next close of a month credits, or takes back where it is below zero: news that came after its close.
    open_micros: int = 0
    #: Until when the credit can be claimed; 0 where it comes by itself, or was claimed.
    claim_until_at: int = 0


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
    given = given_of(books.money, books.claims)
    for name in names:
        found = measured_now(books, name, month, at)
        if not found.due_us:
            continue
        base = books.money.fees.get((name, start), 0) + pending.get(name, 0)
        due = credit_due(books, found, base, given)
        posted = books.money.credited.get((name, start), 0)
        owed = due.credit.micros if _is_given(books, found) else 0
        over = month.end <= books.usage.period_start
        revised = over and start >= revised_since(books.usage.period_start)
        later = owed - posted if revised else 0
        told.append(MonthDelivered(found, due, bool(posted), posted, later, _claim_until(books, found)))
    return told


def _claim_until(books: Books, found: Delivered) -> int:
    level = found.level
    if level.crediting is service_levels.Crediting.AUTOMATIC or _is_given(books, found):
        return 0
    return found.month.end + level.claim_s * SECOND_US
