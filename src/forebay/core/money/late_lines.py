"""Late delivery settles itself at the close of a period: a discount on fees, or damages, month of lateness by month.

Every close works out each month again, and bills the difference to what it settled before: each GPU-microsecond of
lateness is settled once, and a fact that comes late is a correction. A discount is taken off fees of its tranche:
what they do not cover waits for later ones. Damages are owed at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from forebay.core import claims, supply, timeline, usage
from forebay.core.claims import prices
from forebay.core.claims.remedies import Remedy
from forebay.core.ids import TrancheId
from forebay.core.money.invoices import Line
from forebay.core.money.late_delivery import LateMonth, LateStretch, forgotten, late_months
from forebay.core.money.rating import Books
from forebay.core.money.remedies_given import Given
from forebay.core.placements.downtimes import KEPT_US, Downtimes
from forebay.core.placements.gang import Tier
from forebay.core.timeline import Interval
from forebay.core.units import DAY_US, HOUR_US, MICROS, decimal_text, divide_half_even, micros_to_minor

#: Kind of line of each remedy for lateness, and where its clause stands.
LATE_KINDS = {
    Remedy.FEE_DISCOUNT: ("late_discount", "discount_per_day"),
    Remedy.DAMAGES: ("late_damages", "damages_per_gpu_day"),
}
#: The kinds of line themselves.
LATE_LINES = frozenset(kind for kind, _ in LATE_KINDS.values())
#: (Start of a month, remedy) -> what was settled for it, micro-units.
_Settled = dict[tuple[int, Remedy], int]


class LateDue(NamedTuple):
    """What a close settles of one month of lateness."""

    late: LateMonth
    #: What is owed in all under every cap, what was settled before, and what is settled now; less than the difference
    #: where fees do not cover it.
    owed_micros: int
    before_micros: int
    micros: int
    #: Whether the caps of the contract cut it.
    capped: bool


def late_lines(
    books: Books,
    closed: usage.PeriodClosed,
    fees: Mapping[TrancheId, int],
    given: Given,
    *,
    before_credits: bool,
) -> Iterator[tuple[claims.ContractPlan, Line]]:
    """The lines of remedies for lateness that come before service credits, or of those that come after them. `fees`
    is what this close bills for each tranche.
    """
    settled: dict[TrancheId, _Settled] = {}
    for (name, month_at, remedy), micros in books.money.late.items():
        settled.setdefault(name, {})[month_at, remedy] = micros
    for name in sorted(books.claims.tranches):
        tranche = books.claims.tranches[name]
        if not _may_be_late(tranche, closed.end):
            continue
        room = max(0, fees.get(name, 0) - given.credited.get(name, 0))
        for due in _due(books, closed, tranche, settled.get(name, {}), given, room, before_credits):
            contract = _contract(books, tranche, due.late.month, closed)
            given.add(contract.id, due.late.month.start, due.micros)
            if due.micros:
                yield contract, _late_line(contract, tranche.plan, closed, due)


def _may_be_late(tranche: claims.Tranche, until_at: int) -> bool:
    """Whether anything may be settled: there are terms, and news may still reach it."""
    if tranche.plan.late is None and all(each.late is None for each in tranche.earlier):
        return False
    return tranche.plan.start_at < until_at and not 0 < tranche.ended_at < until_at - KEPT_US


def _contract(
    books: Books, tranche: claims.Tranche, month: Interval, closed: usage.PeriodClosed
) -> claims.ContractPlan:
    return claims.contract_at(books.claims, tranche.contract, min(month.end, closed.end) - 1)


def _due(
    books: Books, closed: usage.PeriodClosed, tranche: claims.Tranche, settled: _Settled, given: Given, room: int,
    before_credits: bool,
) -> Iterator[LateDue]:  # fmt: skip
    """Month by month, the earliest first; what is taken back in full, what is given as far as fees cover it."""
    found = late_months(books.claims, books.supply, books.usage.downtimes, tranche, closed.end)
    months = {(each.month.start, each.remedy): each for each in found}
    for month_at, remedy in sorted({*months, *settled}):
        nothing = LateMonth(Interval(month_at, timeline.month_end(month_at)), remedy, 0, False, ())
        late = months.get((month_at, remedy), nothing)
        contract = _contract(books, tranche, late.month, closed)
        if forgotten(tranche, late.month, closed.end) or _is_before(contract, remedy) is not before_credits:
            continue
        before = settled.get((month_at, remedy), 0)
        owed = given.capped(contract, month_at, remedy, late.micros, before)
        more = owed - before
        if remedy is Remedy.FEE_DISCOUNT and more > 0:
            more = min(more, room)
            room -= more
        yield LateDue(late, owed, before, more, owed < late.micros)


def _is_before(contract: claims.ContractPlan, remedy: Remedy) -> bool:
    """Whether a remedy comes before the credit of a service level; where nothing is said it does."""
    order = contract.remedies.order if contract.remedies is not None else ()
    return Remedy.CREDIT not in order or remedy in order[: order.index(Remedy.CREDIT)]


def _late_line(
    contract: claims.ContractPlan, plan: claims.TranchePlan, closed: usage.PeriodClosed, due: LateDue
) -> Line:
    kind, clause = LATE_KINDS[due.late.remedy]
    month, stretches = due.late.month, due.late.stretches
    start = min((each.start_at for each in stretches), default=month.start)
    end = max((each.end_at for each in stretches), default=month.end)
    return Line(
        kind, contract.id, contract.version, f"tranches[{plan.id}].late.{clause}", plan.id, Tier.DEDICATED, plan.sku,
        plan.site, 0, start, end, amount_micros=-due.micros,
        amount_minor=micros_to_minor(-due.micros, contract.currency), text=_text(plan, closed, due),
    )  # fmt: skip


def _text(plan: claims.TranchePlan, closed: usage.PeriodClosed, due: LateDue) -> str:
    """How an amount came about, in words."""
    late = due.late
    name = timeline.text(late.month.start)[:7]
    text = f"late delivery in {name}: "
    if late.month.end <= closed.start:
        text = f"correction of {name}: late delivery, " if due.before_micros else f"late delivery in {name}, "
    text += late_sum(plan, late) if late.stretches else "nothing was late after its grace"
    if late.capped:
        text += f", capped at {decimal_text(late.micros)} by the tranche"
    if due.capped:
        text += f", capped at {decimal_text(due.owed_micros)} by the remedies of the contract"
    if due.before_micros:
        text += f"; settled before: {decimal_text(due.before_micros)}"
    left = due.owed_micros - due.before_micros - due.micros
    return f"{text}; {decimal_text(left)} is left for later fees" if left else text


def late_sum(plan: claims.TranchePlan, late: LateMonth) -> str:
    """GPU-days after grace, and what they come to."""
    most, days = max(each.gpus for each in late.stretches), _days(late.gpu_us)
    text = f"up to {most} GPUs after their grace, {days} GPU-days"
    if late.remedy is Remedy.DAMAGES:
        rates = {each.terms.damages_micros_per_gpu_day for each in late.stretches}
        by = " and ".join(decimal_text(each) for each in sorted(rates))
        uncapped = sum(each.gpu_us * each.terms.damages_micros_per_gpu_day for each in late.stretches)
        return f"{text} x {by} = {decimal_text(divide_half_even(uncapped, DAY_US))}"
    shares = {each.terms.discount_ppm_per_day for each in late.stretches}
    by = " and ".join(f"{decimal_text(each * 100)} %" for each in sorted(shares))
    each_fee = [each.gpus * prices.exact_cost(plan, each.start_at, each.end_at) for each in late.stretches]
    uncapped = sum(
        fee * each.terms.discount_ppm_per_day for fee, each in zip(each_fee, late.stretches, strict=True)
    )
    fees = decimal_text(divide_half_even(sum(each_fee), HOUR_US))
    return f"{text}, {by} of their fees of {fees} = {decimal_text(divide_half_even(uncapped, HOUR_US * claims.PPM))}"


def _days(gpu_us: int) -> str:
    return decimal_text(divide_half_even(gpu_us * MICROS, DAY_US))


def late_facts(claimed: claims.State, supplied: supply.State, line: Line, until_at: int) -> list[str]:
    """What a line about lateness rests on, by what was known at its close: dates, relief, what was accepted, and each
    stretch that counts.
    """
    tranche = claimed.tranches[line.claim]
    facts = []
    for date in claims.lateness.dates_of(tranche):
        moved = f", moved to {timeline.text(date.moved_to)} by relief" if date.moved_to != date.at else ""
        facts.append(f"{date.quantity} {tranche.plan.unit.value}s due at {timeline.text(date.at)}{moved}")
    facts += [
        f"relief: {each.kind.value} from {timeline.text(each.start_at)} until {timeline.text(each.granted_until_at)}"
        f" ({each.reason})"
        for each in tranche.reliefs
    ]
    facts += [
        f"{each.quantity} {tranche.plan.unit.value}s accepted at {timeline.text(each.answered_at)}"
        f"{' by silence' if each.deemed else ''} (ready notice {each.notice})"
        for each in tranche.parts
        if each.life is claims.acceptance.PartLife.ACCEPTED
    ]
    found = late_months(claimed, supplied, Downtimes(), tranche, until_at)
    own = (each for each in found if (each.month.start, LATE_KINDS[each.remedy][0]) == _mark(line))
    return [*facts, *(told for month in own for told in _each(month.stretches))]


def _mark(line: Line) -> tuple[int, str]:
    return timeline.month_start(line.start), line.kind


def _each(stretches: Sequence[LateStretch]) -> Iterator[str]:
    for each in stretches:
        grace = f"{_days(each.terms.grace_s * 1_000_000)} days of grace" if each.terms.grace_s else "no grace"
        yield (
            f"{each.gpus} GPUs missing since {timeline.text(each.missing_at)}, {grace}: late from "
            f"{timeline.text(each.start_at)} until {timeline.text(each.end_at)}, {_days(each.gpu_us)} GPU-days"
        )
