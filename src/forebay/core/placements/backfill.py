"""Who goes by without delaying whoever waits first? EASY backfill, exactly as docs/reference/policies.md says.

The first in order that may start is placed, again and again until there is none. What does not fit for one of a shape
fits for none. What fits, but would delay somebody who is promised an instant, starts only where it is gone by then:
of such a shape the first that is short enough is looked for, however many wait before it.
"""

from __future__ import annotations

import enum
import heapq
import itertools
from typing import NamedTuple

from forebay.core.ids import GangId, SkuId, TrancheId
from forebay.core.placements import estimates, promises, substitutes
from forebay.core.placements.gang import Gang, Order, Spec, Tier
from forebay.core.placements.index import PoolKey, Vacancy
from forebay.core.placements.queue import Lane, QueueRow, Shape, Ticket, away_s, shape_of
from forebay.core.placements.schedule import Desk, Fit, find, place
from forebay.core.placements.shortest import GONE
from forebay.core.placements.state import Promised
from forebay.core.placements.turnover import wiped_for_s
from forebay.core.units import SECOND_US

#: So much may have happened to gangs before the ends are brought up to date though nobody needs them.
BEHIND_MAX = 4096


def let_by(desk: Desk, arrivals: list[GangId], *, stirred: bool) -> None:
    """One pass: over everybody where capacity was freed, else over those who arrived."""
    # Where nobody is promised anything, and nobody is to be, no end has to be known.
    derived = desk.derived
    ends = derived.ends
    ends.current = False
    if len(ends.touched) > BEHIND_MAX or (not stirred and any(derived.promised.values())):
        promises.bring_up_to_date(desk)
    if stirred or desk.state.policy.order is _EASY_DEPTH or promises.any_moved(desk):
        _over_all(desk)
    else:
        _over_arrivals(desk, arrivals)


_EASY_DEPTH = Order.EASY_DEPTH


def _over_all(desk: Desk) -> None:
    """Everybody is tried; whoever was promised an instant is promised one anew."""
    desk.derived.promised.clear()
    _sweep_all(desk, None)


def _over_arrivals(desk: Desk, arrivals: list[GangId]) -> None:
    """Nothing was freed: whoever waited still does not fit, or would delay somebody as before. Only the new ones are
    tried, unless one comes before somebody who was promised an instant: then that promise is no more.
    """
    known, queue = desk.state.gangs, desk.derived.queue
    ordered = [known[name] for name in arrivals]
    if len(ordered) > 1:
        ordered.sort(key=queue.place)
    promised = [first for first in desk.derived.promised.values() if first is not None]
    if promised:
        foremost = queue.place(ordered[0])
        if any(foremost < queue.place(first.gang) for first in promised):
            _over_all(desk)
            return
    elif len(ordered) == 1:
        # Nobody can be delayed, and nobody waits who would be tried again.
        gang = ordered[0]
        fit = find(desk, gang)
        if isinstance(fit, Fit):
            place(desk, gang, fit)
            promises.started(desk, known[gang.spec.id])
        else:
            _Turn(desk).promise(gang)
        return
    turn = _Turn(desk)
    placed = False
    for gang in ordered:
        placed |= turn.tries(queue.row(gang.spec), gang) is _PLACED
    # Those who were held back would now go elsewhere, perhaps where they delay nobody.
    if placed and promised:
        _sweep_all(desk, turn)


def _sweep_all(desk: Desk, turn: _Turn | None) -> None:
    """Where one was placed that counts to a cap, all begins anew."""
    while _sweep(desk, turn):
        desk.derived.promised.clear()
        turn = None


def _sweep(desk: Desk, turn: _Turn | None) -> bool:
    """Whether one was placed that counts to a cap: then who waits is another question, and all begins anew."""
    limited = desk.state.policy.order is _EASY_DEPTH
    queue, known = desk.derived.queue, desk.state.gangs
    for lane in queue.lanes():
        if limited:
            turn = turn or _Turn(desk)
            while (placed := _places_one(desk, lane, turn)) is not None:
                if placed.bound:
                    return True
            continue
        heads = queue.standing(lane, known)
        if heads:
            turn = turn or _Turn(desk)
            if _sweep_lane(desk, heads, turn):
                return True
    return False


def _places_one(desk: Desk, lane: Lane, turn: _Turn) -> QueueRow | None:
    """With a limit of depth: the first of a lane that may start is placed, of so many behind the first that may not.

    Whoever does not fit counts as well, so everybody is gone through, up to there.
    """
    queue, known = desk.derived.queue, desk.state.gangs
    of_shapes = (queue.of_shape(lane, shape, known) for shape in queue.shapes(lane))
    deepest = desk.state.policy.depth + 1
    unfit: set[Shape] = set()
    for entry in itertools.islice(heapq.merge(*of_shapes), deepest):
        spec = known[entry.gang].spec
        shape = shape_of(spec)
        if shape not in unfit:
            row = queue.row(spec)
            tried = turn.tries(row, known[entry.gang])
            if tried is _PLACED:
                return row
            if tried is _UNFIT:
                unfit.add(shape)
    return None


def _sweep_lane(desk: Desk, heads: list[tuple[Ticket, QueueRow]], turn: _Turn) -> bool:
    known = desk.state.gangs
    nexts = turn.worth_a_try(heads)
    heapq.heapify(nexts)
    #: Who is next of each shape that may still fit.
    next_of: dict[QueueRow, Ticket | None] = {row: entry for entry, row in nexts}
    #: Shapes of which somebody was held back.
    held_back: dict[QueueRow, None] = {}
    while nexts:
        entry, row = heapq.heappop(nexts)
        if next_of.get(row) is not entry:
            continue
        gang = known[entry.gang]
        tried = turn.tries(row, gang)
        if tried is _UNFIT:
            del next_of[row]
            held_back.pop(row, None)
            continue
        held_back[row] = None
        if tried is _HELD_BACK:
            following = row.next_in_front(entry, known) if gang.front else None
            following = next_of[row] = following or row.first_within(turn.most_s(row), known)
            if following is not None:
                heapq.heappush(nexts, (following, row))
        elif row.bound:
            return True
        else:
            # Those before it would now go elsewhere, perhaps where they delay nobody.
            for each in held_back:
                following = next_of[each] = each.first(known)
                if following is not None:
                    heapq.heappush(nexts, (following, each))
            held_back.clear()
    return False


class _Tried(enum.Enum):
    """What came of a gang's turn: it does not fit (nor does any other of its shape), or it would delay somebody."""

    PLACED = enum.auto()
    UNFIT = enum.auto()
    HELD_BACK = enum.auto()


_PLACED, _UNFIT, _HELD_BACK = _Tried
_SPOT, _LEARNED = Tier.SPOT, estimates.Estimates.LEARNED


class _Found(NamedTuple):
    """Where one of a shape would go, and how soon it has to be gone there to delay nobody."""

    #: None where it was not looked for yet: numbers told enough.
    fit: Fit | None
    most_s: int


class _Turn:
    """Gangs are tried one after the other, against those who are promised an instant."""

    __slots__ = ("_desk", "_found", "_learned", "_most", "_pools", "_promised", "_rooms_then")

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._promised = desk.derived.promised
        self._learned = desk.state.policy.estimates is _LEARNED
        # Until something is placed, or promised.
        self._found: dict[QueueRow, _Found] = {}
        self._most: dict[PoolKey, int] = {}
        self._rooms_then: dict[tuple[TrancheId, SkuId], tuple[list[PoolKey], Vacancy]] = {}
        self._pools = desk.derived.ends.pools

    def most_s(self, row: QueueRow) -> int:
        """How soon one of a shape has to be gone to delay nobody, as far as anybody knows yet."""
        found = self._found.get(row)
        return GONE - 1 if found is None else found.most_s

    def worth_a_try(self, heads: list[tuple[Ticket, QueueRow]]) -> list[tuple[Ticket, QueueRow]]:
        """Without those of which numbers say that they do not fit now; but for the first, which may be promised an
        instant. Nothing is freed while they are tried, so none of them fits later on.
        """
        found: list[tuple[Ticket, QueueRow]] = []
        unfit: dict[tuple[TrancheId, SkuId], tuple[Ticket, QueueRow]] = {}
        known = self._desk.state.gangs
        for head in heads:
            entry, row = head
            if self._may_fit(row, known[entry.gang].spec):
                found.append(head)
            else:
                capacity = (row.lane.tranche, row.shape.sku)
                if capacity not in self._promised and (capacity not in unfit or entry < unfit[capacity][0]):
                    unfit[capacity] = head
        return [*found, *unfit.values()] if unfit else found

    def _pools_of(self, row: QueueRow, spec: Spec) -> list[PoolKey]:
        pools = self._pools.get(row)
        if pools is None:
            pools = self._pools[row] = promises.pools_of(self._desk, spec)
        return pools

    def _may_fit(self, row: QueueRow, spec: Spec) -> bool:
        if spec.skus:
            return True
        known, gpus = self._most, spec.gpus
        for pool in self._pools.get(row) or self._pools_of(row, spec):
            most = known.get(pool)
            if most is None:
                most = known[pool] = self._desk.derived.index.most(pool)
            if gpus <= most:
                return True
        return spec.tier is _SPOT

    def tries(self, row: QueueRow, gang: Gang) -> _Tried:
        """Place a gang if it fits and delays nobody."""
        if self._learned and self._may_not_go_by(gang):
            return _UNFIT
        found = None if gang.front else self._found.get(row)
        if found is None:
            found = self._judged(row, gang)
            if found is None:
                self.promise(gang)
                return _UNFIT
            if not gang.front:
                self._found[row] = found
        if away_s(gang.spec) > found.most_s:
            return _HELD_BACK
        fit = found.fit or find(self._desk, gang)
        if not isinstance(fit, Fit):
            self.promise(gang)
            return _UNFIT
        self._place(gang, fit)
        return _PLACED

    def _may_not_go_by(self, gang: Gang) -> bool:
        """Whether somebody comes before a gang who has waited so long for the same that estimates count no more."""
        desk, place = self._desk, self._desk.derived.queue.place
        for capacity in substitutes.capacities(gang.spec):
            first = self._promised.get(capacity)
            if (
                first is not None
                and estimates.waited_enough(desk.state.policy, first.gang, desk.at)
                and place(first.gang) < place(gang)
            ):
                return True
        return False

    def _judged(self, row: QueueRow, gang: Gang) -> _Found | None:
        """Where a gang would go, and how soon it has to be gone; None where it does not fit."""
        if not self._may_fit(row, gang.spec):
            return None
        promised = self._promised
        if promised:
            by_s = self._takes_too_much(row, gang)
            if by_s is not None:
                return _Found(None, by_s)
        fit = find(self._desk, gang)
        if not isinstance(fit, Fit):
            return None
        return _Found(fit, self._most_s(gang, fit) if promised else GONE - 1)

    def _takes_too_much(self, row: QueueRow, gang: Gang) -> int | None:
        """How soon a gang of whole nodes has to be gone, where it would delay somebody wherever it went: a node that
        is wholly free now is so when the first is to start, and that needs more than this one would leave.
        """
        spec = gang.spec
        capacity = (spec.tranche, spec.sku)
        first = self._promised.get(capacity)
        if first is None or first.apart or spec.tier is _SPOT or gang.front or spec.skus:
            return None
        known = self._rooms_then.get(capacity)
        if known is None:
            its_pools = promises.pools_of(self._desk, first.gang.spec)
            if len(its_pools) > 1 or first.gang.spec.tier is _SPOT or first.gang.spec.skus:
                return None
            known = self._rooms_then[capacity] = (its_pools, first.then.room(*its_pools[0]))
        pools, (gpus_per_node, whole_then, partial_then) = known
        whole = spec.gpus // gpus_per_node
        left = whole_then - whole if whole_then > whole else 0
        if not whole or first.gang.spec.gpus <= left * gpus_per_node + partial_then:
            return None
        if self._pools_of(row, spec) != pools:
            return None
        left_s = self._left_s(first)
        others = (each for each in self._promised.values() if each is not None)
        return left_s if all(self._left_s(each) >= left_s for each in others) else None

    def _place(self, gang: Gang, fit: Fit) -> None:
        desk = self._desk
        place(desk, gang, fit)
        promises.started(desk, desk.state.gangs[gang.spec.id])
        self._found.clear()
        self._most.clear()
        self._rooms_then.clear()

    def promise(self, gang: Gang) -> None:
        """The first that does not fit is promised an instant, where there is one."""
        capacity = (gang.spec.tranche, gang.spec.sku)
        if capacity not in self._promised:
            self._promised[capacity] = promises.promise_kept(self._desk, gang)
            self._found.clear()

    def _left_s(self, first: Promised) -> int:
        return (first.at - self._desk.at) // SECOND_US

    def _most_s(self, gang: Gang, fit: Fit) -> int:
        """How soon a gang has to be gone, its grace included, to delay nobody who is promised an instant."""
        wiping_s = wiped_for_s(self._desk.state.policy, gang.spec, fit.lender)
        most_s = GONE - 1
        for first in self._promised.values():
            if first is not None:
                left_s = self._left_s(first) - wiping_s
                if left_s < most_s and not self._fits_beside(first, gang, fit):
                    most_s = left_s
        return most_s

    def _fits_beside(self, first: Promised, gang: Gang, fit: Fit) -> bool:
        """Whether the first fits when it is promised to though this gang is in its place."""
        got = substitutes.as_choice(gang.spec, fit.choice)
        gpu_w = self._desk.supplied.skus[got.sku].gpu_w
        first.then.take(fit.runs, gpu_w)
        if self._desk.state.campaigns:
            # Nodes whose wave comes are open, or not, as of then: numbers do not tell.
            fits = isinstance(find(self._desk, first.gang, index=first.then, at=first.at), Fit)
        else:
            fits = promises.fits(self._desk, first.gang, first.then)
        first.then.release(fit.runs, gpu_w)
        return fits
