"""Who goes by without delaying whoever waits first? EASY backfill, exactly as docs/reference/policies.md says.

The first in order that may start is placed, again and again until there is none. What does not fit for one of a shape
fits for none. What fits, but would delay somebody who is promised an instant, starts only where it is gone by then:
of such a shape the first that is short enough is looked for, however many wait before it.
"""

from __future__ import annotations

import enum
import heapq
import itertools
from collections.abc import Mapping
from typing import NamedTuple

from forebay.core.ids import GangId, SkuId, TrancheId
from forebay.core.placements import promises
from forebay.core.placements.gang import Gang, Order, Spec, Tier
from forebay.core.placements.index import PoolKey, Vacancy
from forebay.core.placements.queue import TIER_RANK, Lane, Shape, Ticket, away_s, lane_of, shape_of
from forebay.core.placements.schedule import Desk, Fit, find, place
from forebay.core.placements.shortest import GONE
from forebay.core.placements.state import Promised
from forebay.core.units import SECOND_US

#: So much may have happened to gangs before the ends are brought up to date though nobody needs them.
BEHIND_MAX = 4096


def let_by(desk: Desk, arrivals: list[GangId], *, stirred: bool) -> None:
    """One pass: over everybody where capacity was freed, else over those who arrived."""
    # Where nobody is promised anything, and nobody is to be, no end has to be known.
    ends = desk.derived.ends
    ends.current = False
    if (not stirred and any(desk.derived.promised.values())) or len(ends.touched) > BEHIND_MAX:
        promises.bring_up_to_date(desk)
    if stirred or promises.any_moved(desk) or desk.state.policy.order is Order.EASY_DEPTH:
        _over_all(desk)
    else:
        _over_arrivals(desk, arrivals)


def _over_all(desk: Desk) -> None:
    """Everybody is tried; whoever was promised an instant is promised one anew."""
    desk.derived.promised.clear()
    _sweep(desk, _Turn(desk))


def _over_arrivals(desk: Desk, arrivals: list[GangId]) -> None:
    """Nothing was freed: whoever waited still does not fit, or would delay somebody as before. Only the new ones are
    tried, unless one comes before somebody who was promised an instant: then that promise is no more.
    """
    ordered = sorted((desk.state.gangs[name] for name in arrivals), key=turn_of)
    promised = [first for first in desk.derived.promised.values() if first is not None]
    if any(turn_of(ordered[0]) < turn_of(first.gang) for first in promised):
        _over_all(desk)
        return
    turn = _Turn(desk)
    placed = False
    for gang in ordered:
        placed |= turn.tries((lane_of(gang.spec), shape_of(gang.spec)), gang) is _Tried.PLACED
    if placed and promised:
        # Those who were held back would now go elsewhere, perhaps where they delay nobody.
        _sweep(desk, turn)


def _sweep(desk: Desk, turn: _Turn) -> None:
    limited = desk.state.policy.order is Order.EASY_DEPTH
    for lane in desk.derived.queue.lanes():
        if limited:
            while _places_one(desk, lane, turn):
                pass
        else:
            _sweep_lane(desk, lane, turn)


def _places_one(desk: Desk, lane: Lane, turn: _Turn) -> bool:
    """With a limit of depth: the first of a lane that may start is placed, of so many behind the first that may not.

    Whoever does not fit counts as well, so everybody is gone through, up to there.
    """
    queue, known = desk.derived.queue, desk.state.gangs
    of_shapes = (queue.of_shape(lane, shape, known) for shape in queue.shapes(lane))
    deepest = desk.state.policy.depth + 1
    unfit: set[Shape] = set()
    for entry in itertools.islice(heapq.merge(*of_shapes), deepest):
        shape = shape_of(known[entry.gang].spec)
        if shape not in unfit:
            tried = turn.tries((lane, shape), known[entry.gang])
            if tried is _Tried.PLACED:
                return True
            if tried is _Tried.UNFIT:
                unfit.add(shape)
    return False


def _sweep_lane(desk: Desk, lane: Lane, turn: _Turn) -> None:
    queue, known = desk.derived.queue, desk.state.gangs
    nexts = turn.worth_a_try(lane, queue.heads(lane, known), known)
    heapq.heapify(nexts)
    #: Who is next of each shape that may still fit.
    next_of: dict[Shape, Ticket | None] = {shape: entry for entry, shape in nexts}
    #: Shapes of which somebody was held back.
    held_back: dict[Shape, None] = {}
    while nexts:
        entry, shape = heapq.heappop(nexts)
        if next_of.get(shape) is not entry:
            continue
        gang = known[entry.gang]
        tried = turn.tries((lane, shape), gang)
        if tried is _Tried.UNFIT:
            del next_of[shape]
            held_back.pop(shape, None)
            continue
        if tried is _Tried.HELD_BACK:
            held_back[shape] = None
            following = queue.next_in_front(lane, shape, entry, known) if gang.front else None
            again = [(following or queue.first_within(lane, shape, turn.most_s(lane, shape), known), shape)]
        else:
            # Those before it would now go elsewhere, perhaps where they delay nobody.
            held_back[shape] = None
            again = [(queue.head(lane, shape, known), shape) for shape in held_back]
            held_back.clear()
        for following, shape in again:
            next_of[shape] = following
            if following is not None:
                heapq.heappush(nexts, (following, shape))


def turn_of(gang: Gang) -> tuple[int, TrancheId, bool, int]:
    """Its place among all that wait, over all lanes."""
    return TIER_RANK[gang.spec.tier], gang.spec.tranche, not gang.front, gang.order


class _Tried(enum.Enum):
    """What came of a gang's turn: it does not fit (nor does any other of its shape), or it would delay somebody."""

    PLACED = enum.auto()
    UNFIT = enum.auto()
    HELD_BACK = enum.auto()


class _Found(NamedTuple):
    """Where one of a shape would go, and how soon it has to be gone there to delay nobody."""

    #: None where it was not looked for yet: numbers told enough.
    fit: Fit | None
    most_s: int


class _Turn:
    """Gangs are tried one after the other, against those who are promised an instant."""

    __slots__ = ("_desk", "_found", "_pools", "_promised", "_rooms", "_rooms_then")

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._promised = desk.derived.promised
        # Until something is placed, or promised.
        self._found: dict[tuple[Lane, Shape], _Found] = {}
        self._rooms: dict[PoolKey, Vacancy] = {}
        self._rooms_then: dict[tuple[TrancheId, SkuId], Vacancy] = {}
        self._pools = desk.derived.ends.pools

    def most_s(self, lane: Lane, shape: Shape) -> int:
        """How soon one of a shape has to be gone to delay nobody, as far as anybody knows yet."""
        found = self._found.get((lane, shape))
        return GONE - 1 if found is None else found.most_s

    def worth_a_try(
        self, lane: Lane, heads: list[tuple[Ticket, Shape]], known: Mapping[GangId, Gang]
    ) -> list[tuple[Ticket, Shape]]:
        """Without those of which numbers say that they do not fit now; but for the first, which may be promised an
        instant. Nothing is freed while they are tried, so none of them fits later on.
        """
        found: list[tuple[Ticket, Shape]] = []
        unfit: dict[SkuId, tuple[Ticket, Shape]] = {}
        for head in heads:
            entry, shape = head
            if self._may_fit((lane, shape), known[entry.gang].spec):
                found.append(head)
            elif shape.sku not in unfit or entry < unfit[shape.sku][0]:
                unfit[shape.sku] = head
        found += [head for sku, head in unfit.items() if (lane.tranche, sku) not in self._promised]
        return found

    def _pools_of(self, mark: tuple[Lane, Shape], spec: Spec) -> list[PoolKey]:
        pools = self._pools.get(mark)
        if pools is None:
            pools = self._pools[mark] = promises.pools_of(self._desk, spec)
        return pools

    def _may_fit(self, mark: tuple[Lane, Shape], spec: Spec) -> bool:
        for pool in self._pools_of(mark, spec):
            room = self._rooms.get(pool)
            if room is None:
                room = self._rooms[pool] = self._desk.derived.index.room(*pool)
            if room.may_hold(spec.gpus):
                return True
        return spec.tier is Tier.SPOT

    def tries(self, mark: tuple[Lane, Shape], gang: Gang) -> _Tried:
        """PoolKey a gang if it fits and delays nobody."""
        found = None if gang.front else self._found.get(mark)
        if found is None:
            found = self._judged(mark, gang)
            if found is None:
                self._promise(gang)
                return _Tried.UNFIT
            if not gang.front:
                self._found[mark] = found
        if away_s(gang.spec) > found.most_s:
            return _Tried.HELD_BACK
        fit = found.fit or find(self._desk, gang)
        if not isinstance(fit, Fit):
            self._promise(gang)
            return _Tried.UNFIT
        self._place(gang, fit)
        return _Tried.PLACED

    def _judged(self, mark: tuple[Lane, Shape], gang: Gang) -> _Found | None:
        """Where a gang would go, and how soon it has to be gone; None where it does not fit."""
        if not self._may_fit(mark, gang.spec):
            return None
        by_s = self._takes_too_much(mark, gang)
        if by_s is not None:
            return _Found(None, by_s)
        fit = find(self._desk, gang)
        return _Found(fit, self._most_s(gang, fit)) if isinstance(fit, Fit) else None

    def _takes_too_much(self, mark: tuple[Lane, Shape], gang: Gang) -> int | None:
        """How soon a gang of whole nodes has to be gone, where it would delay somebody wherever it went: a node that
        is wholly free now is so when the first is to start, and that needs more than this one would leave.
        """
        spec = gang.spec
        capacity = (spec.tranche, spec.sku)
        first = self._promised.get(capacity)
        if first is None or first.apart or spec.tier is Tier.SPOT or gang.front:
            return None
        then = self._rooms_then.get(capacity)
        if then is None:
            pools = promises.pools_of(self._desk, first.gang.spec)
            if len(pools) > 1 or first.gang.spec.tier is Tier.SPOT:
                return None
            then = self._rooms_then[capacity] = first.then.room(*pools[0])
        whole = spec.gpus // then.gpus_per_node
        if not whole or then._replace(whole=max(0, then.whole - whole)).may_hold(first.gang.spec.gpus):
            return None
        if self._pools_of(mark, spec) != promises.pools_of(self._desk, first.gang.spec):
            return None
        left_s = self._left_s(first)
        others = (each for each in self._promised.values() if each is not None)
        return left_s if all(self._left_s(each) >= left_s for each in others) else None

    def _place(self, gang: Gang, fit: Fit) -> None:
        desk = self._desk
        place(desk, gang, fit)
        promises.started(desk, desk.state.gangs[gang.spec.id])
        self._found.clear()
        self._rooms.clear()
        self._rooms_then.clear()

    def _promise(self, gang: Gang) -> None:
        """The first that does not fit is promised an instant, where there is one."""
        capacity = (gang.spec.tranche, gang.spec.sku)
        if capacity not in self._promised:
            self._promised[capacity] = promises.promise_kept(self._desk, gang)
            self._found.clear()

    def _left_s(self, first: Promised) -> int:
        return (first.at - self._desk.at) // SECOND_US

    def _most_s(self, gang: Gang, fit: Fit) -> int:
        """How soon a gang has to be gone, its grace included, to delay nobody who is promised an instant."""
        wiping_s = self._desk.state.policy.turnover_s if fit.lender else 0
        most_s = GONE - 1
        for first in self._promised.values():
            if first is not None:
                left_s = self._left_s(first) - wiping_s
                if left_s < most_s and not self._fits_beside(first, gang, fit):
                    most_s = left_s
        return most_s

    def _fits_beside(self, first: Promised, gang: Gang, fit: Fit) -> bool:
        """Whether the first fits when it is promised to though this gang is in its place."""
        gpu_w = self._desk.supplied.skus[gang.spec.sku].gpu_w
        first.then.take(fit.runs, gpu_w)
        fits = promises.fits(self._desk, first.gang, first.then)
        first.then.release(fit.runs, gpu_w)
        return fits
