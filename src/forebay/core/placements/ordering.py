"""Who goes first: one pass over everybody that waits, by the order of the policy in force.

Lanes are served in order: each tranche's own gangs on its own nodes, then on demand and then spot on the pool (spot
also on what tranches lend). Within a lane the oldest goes first, those that failed before the rest. What happens when
the first does not fit is the policy's `order`:

- **overtake**: what fits goes by, until the first has waited `overtake_s`; then nothing younger that wants the same
  SKU from the pool is placed before it.
- **fifo**: nobody goes by who wants the same SKU from the same capacity.
- **easy**: EASY backfill. The first that does not fit is promised the earliest instant at which it fits if
  everything runs to its limit of time. Behind it everybody is tried in order, without a limit of depth: what fits now
  starts if it is gone by then, or if with it in its place the first still fits then.

A pass over everybody runs only when capacity was freed; else only new arrivals are tested. If the first of a tranche
does not fit because capacity is lent, the fewest loans that make room are reclaimed, the latest placed first.
"""

from __future__ import annotations

import enum
import heapq
import itertools

from forebay.core.ids import GangId, SkuId, TrancheId
from forebay.core.placements import state as states
from forebay.core.placements.gang import Gang, Order, Tier
from forebay.core.placements.queue import TIER_RANK, Lane, Shape, Ticket, lane_of, shape_of
from forebay.core.placements.schedule import Desk, Fit, find, place, promise, reclaim
from forebay.core.placements.state import Promised
from forebay.core.units import SECOND_US


def run_pass(desk: Desk) -> None:
    """Place whatever can be placed now (see the top of this file)."""
    states.end_backoff(desk.state, desk.derived, desk.at)
    arrivals, desk.derived.arrivals = desk.derived.arrivals, []
    stirred, desk.derived.stirred = desk.derived.stirred, False
    if not stirred and not arrivals:
        return
    if desk.state.policy.order is Order.EASY:
        if stirred:
            _backfill(desk)
        else:
            _backfill_arrivals(desk, arrivals)
    elif stirred:
        barred: set[SkuId] = set()
        for lane in desk.derived.queue.lanes():
            _run_lane(desk, lane, barred)
    else:
        _place_arrivals(desk, arrivals)
    reclaim(desk)
    # Everybody was looked at, and a pass frees nothing: what it calls back returns later.
    desk.derived.arrivals.clear()
    desk.derived.stirred = False


# Bounded overtaking, and first come, first served: that is overtaking which is over at once.


def _run_lane(desk: Desk, lane: Lane, barred: set[SkuId]) -> None:
    queue, known = desk.derived.queue, desk.state.gangs
    heads = queue.heads(lane, known)
    heapq.heapify(heads)
    while heads:
        entry, shape = heapq.heappop(heads)
        gang = known[entry.gang]
        fit = find(desk, gang, pool_barred=shape.sku in barred)
        if isinstance(fit, Fit):
            place(desk, gang, fit)
            following = queue.head(lane, shape, known)
            if following is not None:
                heapq.heappush(heads, (following, shape))
            continue
        if _overtaken_enough(desk, gang):
            if lane.tier is Tier.DEDICATED:
                break
            barred.add(shape.sku)


def _place_arrivals(desk: Desk, arrivals: list[GangId]) -> None:
    """Nothing was freed: whoever waited still does not fit, so only the new ones are tested, in order."""
    queue, known = desk.derived.queue, desk.state.gangs
    ordered = sorted(
        (known[name] for name in arrivals),
        key=lambda gang: (TIER_RANK[gang.spec.tier], not gang.front, gang.order),
    )
    blocked: set[tuple[Lane, Shape]] = set()
    for gang in ordered:
        lane, shape = lane_of(gang.spec), shape_of(gang.spec)
        head = queue.head(lane, shape, known)
        assert head is not None, "who arrived waits"
        if (lane, shape) in blocked or head.gang != gang.spec.id:
            continue
        barred = _is_barred(desk, head, lane, shape.sku)
        fit = None if barred and lane.tier is Tier.DEDICATED else find(desk, gang, pool_barred=barred)
        if isinstance(fit, Fit):
            place(desk, gang, fit)
        else:
            blocked.add((lane, shape))


def _overtaken_enough(desk: Desk, gang: Gang) -> bool:
    """Whether a gang that does not fit has waited so long that nobody younger goes before it."""
    policy = desk.state.policy
    bound_s = 0 if policy.order is Order.FIFO else policy.overtake_s
    return desk.at - gang.submitted_at >= bound_s * SECOND_US


def _is_barred(desk: Desk, mine: Ticket, lane: Lane, sku: SkuId) -> bool:
    """Whether somebody who comes first has waited so long for this SKU that nobody may overtake."""
    queue, known = desk.derived.queue, desk.state.gangs
    first = [entry for entry, shape in queue.heads(lane, known) if shape.sku == sku and entry < mine]
    if lane.tier is Tier.SPOT:
        on_demand = queue.heads(Lane(Tier.ON_DEMAND, TrancheId("")), known)
        first += [entry for entry, shape in on_demand if shape.sku == sku]
    return any(_overtaken_enough(desk, known[entry.gang]) for entry in first)


# EASY backfill: the first in order that may go by is placed, again and again until there is none.


def _backfill(desk: Desk) -> None:
    """Everybody is tried; whoever was promised an instant is promised one anew."""
    desk.derived.promised.clear()
    _sweep(desk, _Turn(desk))


def _backfill_arrivals(desk: Desk, arrivals: list[GangId]) -> None:
    """Nothing was freed: whoever waited still does not fit, or would delay somebody as before. Only the new ones are
    tried, unless one comes before somebody who was promised an instant: then that promise is no more.
    """
    ordered = sorted((desk.state.gangs[name] for name in arrivals), key=_turn_of)
    promised = [first for first in desk.derived.promised.values() if first is not None]
    if any(_turn_of(ordered[0]) < _turn_of(first.gang) for first in promised):
        _backfill(desk)
        return
    turn = _Turn(desk)
    placed = False
    for gang in ordered:
        placed |= turn.tries(gang) is _Tried.PLACED
    if placed and promised:
        # Those who were held back would now go elsewhere, perhaps where they delay nobody.
        _sweep(desk, turn)


def _sweep(desk: Desk, turn: _Turn) -> None:
    queue, known = desk.derived.queue, desk.state.gangs
    for lane in queue.lanes():
        # The next of each shape: what does not fit for one of a shape fits for none.
        others = {shape: queue.of_shape(lane, shape, known) for shape in queue.shapes(lane)}
        nexts = [(entry, shape) for shape, rest in others.items() for entry in itertools.islice(rest, 1)]
        heapq.heapify(nexts)
        held_back: list[tuple[Ticket, Shape]] = []
        newest: dict[Shape, Ticket] = {}
        while nexts:
            entry, shape = heapq.heappop(nexts)
            if shape not in others:
                continue
            tried = turn.tries(known[entry.gang])
            if tried is _Tried.UNFIT:
                del others[shape]
                continue
            if tried is _Tried.HELD_BACK:
                held_back.append((entry, shape))
            else:
                # Those before it would now go elsewhere, perhaps where they delay nobody.
                nexts += held_back
                held_back.clear()
                heapq.heapify(nexts)
            if shape not in newest or entry > newest[shape]:
                newest[shape] = entry
                for following in itertools.islice(others[shape], 1):
                    heapq.heappush(nexts, (following, shape))


def _turn_of(gang: Gang) -> tuple[int, TrancheId, bool, int]:
    """Its place among all that wait, over all lanes."""
    return TIER_RANK[gang.spec.tier], gang.spec.tranche, not gang.front, gang.order


class _Tried(enum.Enum):
    """What came of a gang's turn: it does not fit (nor does any other of its shape), or it would delay somebody."""

    PLACED = enum.auto()
    UNFIT = enum.auto()
    HELD_BACK = enum.auto()


class _Turn:
    """Gangs are tried one after the other, against those who are promised an instant."""

    __slots__ = ("_desk", "_found", "_promised")

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._promised = desk.derived.promised
        #: Where one of a shape would go, and whom it would delay if it stayed; until something is placed.
        self._found: dict[tuple[Lane, Shape], tuple[Fit, list[Promised]]] = {}

    def tries(self, gang: Gang) -> _Tried:
        """Place a gang if it fits and delays nobody."""
        mark = (lane_of(gang.spec), shape_of(gang.spec))
        found = None if gang.front else self._found.get(mark)
        if found is None:
            fit = find(self._desk, gang)
            if not isinstance(fit, Fit):
                self._promise(gang)
                return _Tried.UNFIT
            found = fit, [first for first in self._firsts() if not self._fits_beside(first, gang, fit)]
        fit, delayed = found
        if not all(self._is_gone(first, gang, fit) for first in delayed):
            if not gang.front:
                self._found[mark] = found
            return _Tried.HELD_BACK
        place(self._desk, gang, fit)
        for first in self._firsts():
            if not self._is_gone(first, gang, fit):
                first.then.take(fit.runs, self._gpu_w(gang))
        self._found.clear()
        return _Tried.PLACED

    def _firsts(self) -> list[Promised]:
        return [first for first in self._promised.values() if first is not None]

    def _promise(self, gang: Gang) -> None:
        """The first that does not fit is promised an instant, where there is one."""
        capacity = (gang.spec.tranche, gang.spec.sku)
        if capacity not in self._promised:
            self._promised[capacity] = promise(self._desk, gang)

    def _is_gone(self, first: Promised, gang: Gang, fit: Fit) -> bool:
        """Whether a gang that starts now is gone at the latest when the first is promised its start."""
        spec = gang.spec
        away_s = spec.walltime_s + spec.grace_s + (self._desk.state.policy.turnover_s if fit.lender else 0)
        return self._desk.at + away_s * SECOND_US <= first.at

    def _fits_beside(self, first: Promised, gang: Gang, fit: Fit) -> bool:
        """Whether the first fits when it is promised to though this gang is in its place."""
        gpu_w = self._gpu_w(gang)
        first.then.take(fit.runs, gpu_w)
        fits = isinstance(find(self._desk, first.gang, index=first.then), Fit)
        first.then.release(fit.runs, gpu_w)
        return fits

    def _gpu_w(self, gang: Gang) -> int:
        return self._desk.supplied.skus[gang.spec.sku].gpu_w
