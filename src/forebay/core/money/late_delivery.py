"""How much does lateness cost in each month? GPUs that were late after their grace, to the microsecond.

What is late is told by `claims.lateness`: by the committed dates as relief moved them, until it is accepted. A month
is worked out again at every close, from what is known by then, so that a fact which comes late changes it. The cap of
a tranche is used up month by month, the earliest first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from forebay.core import claims, supply, timeline
from forebay.core.claims import contracts, inforce, lateness, prices, shortfall
from forebay.core.claims.remedies import Remedy
from forebay.core.claims.shorts import Short
from forebay.core.placements.downtimes import KEPT_US, Downtimes
from forebay.core.timeline import INSTANT_MAX, Interval
from forebay.core.units import DAY_US, HOUR_US, SECOND_US, divide_half_even


class LateStretch(NamedTuple):
    """GPUs that were late through a stretch of one month, after their grace."""

    start_at: int
    end_at: int
    gpus: int
    #: Since when they were missing; their grace began then.
    missing_at: int
    terms: claims.Late

    @property
    def gpu_us(self) -> int:
        """GPU-microseconds."""
        return self.gpus * (self.end_at - self.start_at)


class LateMonth(NamedTuple):
    """What lateness of one tranche in one month comes to by one remedy."""

    month: Interval
    remedy: Remedy
    #: Under the cap of the tranche; that of its contract is another matter.
    micros: int
    #: Whether the cap of the tranche cut it.
    capped: bool
    stretches: tuple[LateStretch, ...]

    @property
    def gpu_us(self) -> int:
        """GPU-microseconds of lateness."""
        return sum(each.gpu_us for each in self.stretches)


def late_months(
    claimed: claims.State, supplied: supply.State, known: Downtimes, tranche: claims.Tranche, until_at: int
) -> list[LateMonth]:
    """What lateness of a tranche comes to, as known at an instant and until then, by month and remedy. What ran
    already when it was taken in was settled until then by others.
    """
    found = lateness.lateness(claimed, supplied, tranche, until_at)
    months: dict[tuple[int, Remedy], list[LateStretch]] = {}
    for stretch in _stretches(tranche, supplied, _unserved(found.late, tranche, supplied, known), until_at):
        remedy = Remedy.DAMAGES if stretch.terms.damages_micros_per_gpu_day else Remedy.FEE_DISCOUNT
        months.setdefault((timeline.month_start(stretch.start_at), remedy), []).append(stretch)
    told: list[LateMonth] = []
    for (start, remedy), stretches in sorted(months.items()):
        micros = _micros(tranche.plan, remedy, stretches)
        cap = inforce.late_at(tranche, min(until_at, timeline.month_end(start)) - 1)
        room = micros
        if cap is not None and cap.cap_micros:
            room = max(0, cap.cap_micros - sum(each.micros for each in told))
        month = Interval(start, timeline.month_end(start))
        told.append(LateMonth(month, remedy, min(micros, room), room < micros, tuple(stretches)))
    return told


def forgotten(tranche: claims.Tranche, month: Interval, until_at: int) -> bool:
    """Whether it is no longer known what a tranche had in service in a month: what was settled then stays so."""
    return tranche.plan.acceptance is None and month.start < until_at - KEPT_US


def _micros(plan: claims.TranchePlan, remedy: Remedy, stretches: Sequence[LateStretch]) -> int:
    """Exact until here, and rounded once."""
    if remedy is Remedy.DAMAGES:
        damages = sum(each.gpu_us * each.terms.damages_micros_per_gpu_day for each in stretches)
        return divide_half_even(damages, DAY_US)
    discount = sum(
        each.gpus * prices.exact_cost(plan, each.start_at, each.end_at) * each.terms.discount_ppm_per_day
        for each in stretches
    )
    return divide_half_even(discount, HOUR_US * claims.PPM)


def _stretches(
    tranche: claims.Tranche, supplied: supply.State, shorts: tuple[Short, ...], until_at: int
) -> Iterator[LateStretch]:
    """Each layer of what was missing, after its grace, cut at months; what served longest is first."""
    gpus_per_node = supplied.skus[tranche.plan.sku].gpus_per_node
    for start_at, end_at, nodes in shortfall.late_layers(shorts):
        terms = inforce.late_at(tranche, start_at)
        if terms is None or not (terms.damages_micros_per_gpu_day or terms.discount_ppm_per_day):
            continue
        from_at = max(start_at + terms.grace_s * SECOND_US, tranche.opened_at)
        last_at = min(end_at, until_at, tranche.ended_at or until_at)
        while from_at < last_at:
            to_at = min(last_at, timeline.month_end(from_at))
            yield LateStretch(from_at, to_at, nodes * gpus_per_node, start_at, terms)
            from_at = to_at


def _unserved(
    shorts: tuple[Short, ...], tranche: claims.Tranche, supplied: supply.State, known: Downtimes
) -> tuple[Short, ...]:
    """What is late, less what is in service all the same: one GPU-second has one remedy, and what is in service has
    that of the service level. What is accepted is not late by itself.
    """
    if tranche.plan.acceptance is not None or not shorts:
        return shorts
    stints = known.served.get(tranche.plan.id, ())
    served = [
        change for each in stints for change in ((each.start_at, each.nodes), (each.end_at, -each.nodes))
    ]
    promised = timeline.summed(contracts.commitment(tranche, supplied))
    missing = promised.minus(timeline.summed(served))
    found: list[Short] = []
    for short in shorts:
        ends = [*missing.starts[1:], INSTANT_MAX]
        for (start, most), end in zip(missing, ends, strict=True):
            from_at, to_at = max(start, short.start_at), min(end, short.end_at)
            nodes = min(short.nodes, most)
            if from_at < to_at and nodes > 0:
                found.append(Short(short.tranche, nodes, from_at, to_at))
    return tuple(found)
