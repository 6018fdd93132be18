"""Who may start where everybody who waits has a reservation? Conservative backfill, as in docs/reference/policies.md.

At each pass everybody who waits is given a time and a place, in order: the earliest at which it is free for as long
as the gang may take, beside all that holds GPUs and all who come before it. Whose time is now is placed. Nothing is
kept from one pass to the next: after an end that came early everybody moves up, in order, and after a restart the
plan is the same.

It costs about n squared for n that wait, times the instants at which enough may be free: it is slow, for queues of
tens.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import NamedTuple

from forebay.core.ids import GangId, NodeIndex, SkuId, TenantId, TrancheId
from forebay.core.placements import estimates, limits, promises, substitutes, upcoming
from forebay.core.placements.ends import free_at
from forebay.core.placements.gang import Gang, Run, Tier
from forebay.core.placements.index import Index, gpus_of
from forebay.core.placements.queue import Lane, QueueRow, Shape, away_s
from forebay.core.placements.schedule import Desk, Fit, find, holding, place, turns_of
from forebay.core.placements.turnover import wiped_for_s
from forebay.core.timeline import INSTANT_MAX
from forebay.core.units import SECOND_US


class Reservation(NamedTuple):
    """A gang holds these GPUs, or is to, within [start, end)."""

    start: int
    end: int
    gang: GangId
    sku: SkuId
    runs: tuple[Run, ...]


def plan_all(desk: Desk) -> list[Reservation]:
    """What everybody who waits on is given, in order, once whoever may start has started."""
    plan = _Plan(desk)
    plan.reserve_all()
    return plan.reserved


def start_all(desk: Desk) -> None:
    """Passes over everybody who waits, until one places nobody behind somebody who is given a later time. Who was
    placed behind another stands where that one might have been reserved a place, who then has it elsewhere: somebody
    may start now who would have been in that one's way. A plan is made only as far as somebody fits now behind one
    who does not: who does not fit beside what is there now does not beside what is planned either."""
    while (last := _last_that_fits(desk)) is not None:
        plan = _Plan(desk)
        plan.reserve_all(last)
        if not plan.placed:
            return


def _last_that_fits(desk: Desk) -> GangId | None:
    """Place who fits now, until somebody does not; of those behind, the last that fits now."""
    state, index = desk.state, desk.derived.index
    if state.ramps or index.plant.rack_heat:
        # Who is asked counts, or what fits beside more may not beside less: everybody is planned for.
        return next((gang.spec.id for gang in reversed([*_in_order(desk)])), None)
    alike = not (state.holds or state.campaigns or desk.supplied.curtailments)
    while (found := _walk(desk, alike=alike)) is _AGAIN:
        # Who was placed counts to a cap: then who waits is another question.
        pass
    return found


def _walk(desk: Desk, *, alike: bool) -> GangId | None:
    queue = desk.derived.queue
    #: Shapes that do not fit, by tenant: where data may lie depends on whose it is. What spot may be lent depends on
    #: more.
    passed: set[tuple[QueueRow, TenantId]] = set()
    last, waits = None, False
    for gang in _in_order(desk):
        row = queue.row(gang.spec)
        if (row, gang.spec.tenant) in passed:
            continue
        fit = find(desk, gang)
        if not isinstance(fit, Fit):
            waits = True
            if alike and gang.spec.tier is not Tier.SPOT:
                passed.add((row, gang.spec.tenant))
        elif waits or gang.spec.skus:
            last, waits = gang.spec.id, True
        else:
            place(desk, gang, fit)
            if row.bound:
                return _AGAIN
    return last


#: Another walk may find otherwise.
_AGAIN = GangId("")


def _in_order(desk: Desk) -> Iterator[Gang]:
    """Everybody who waits and may start."""
    queue, known = desk.derived.queue, desk.state.gangs
    for lane in queue.lanes():
        for entry in heapq.merge(*(queue.of_shape(lane, shape, known) for shape in queue.shapes(lane))):
            yield known[entry.gang]


class _Steps:
    """GPUs of one SKU in use over time, by number: where there are too few, nobody has to look for a place."""

    __slots__ = ("_at", "_used")

    def __init__(self) -> None:
        self._at = [0]
        self._used = [0]

    def add(self, start: int, end: int, gpus: int) -> None:
        first, last = self._split(start), self._split(end)
        for step in range(first, last):
            self._used[step] += gpus

    def _split(self, at: int) -> int:
        step = bisect_left(self._at, at)
        if step == len(self._at) or self._at[step] != at:
            self._at.insert(step, at)
            self._used.insert(step, self._used[step - 1])
        return step

    def clear_from(self, start: int, length: int, most: int) -> int:
        """The first instant, `start` or the end of a use, from which on at most `most` are in use for so long."""
        while True:
            first = bisect_right(self._at, start) - 1
            step = bisect_left(self._at, start + length) - 1
            while step >= first and self._used[step] <= most:
                step -= 1
            if step < first:
                return start
            # In the end nothing is in use.
            start = self._at[step + 1]


class _Window:
    """An index in which all is taken that is held at any instant of `[start, end)`, as if all were at once. It moves:
    what comes into it is taken, what falls out of it is free, and nothing else is touched.
    """

    __slots__ = ("_begun", "_ends", "_gone", "_held", "_starts", "_watts", "end", "index", "start")

    def __init__(self, index: Index, watts: dict[SkuId, int], start: int, end: int) -> None:
        """`index` has nothing taken but what is going to be found so."""
        self.index = index
        self.start, self.end = start, end
        self._watts = watts
        #: Node -> what is held of it, one mask for each that holds.
        self._held: dict[int, list[int]] = {}
        #: All that was entered, by when it begins, and by when it ends; how many of them begin before the window's
        #: end, and end by its start.
        self._starts: list[tuple[int, int, Reservation]] = []
        self._ends: list[tuple[int, int, Reservation]] = []
        self._begun = self._gone = 0

    def copy(self) -> _Window:
        """One that moves by itself."""
        twin = _Window(self.index.copy(), self._watts, self.start, self.end)
        twin._held = {node: masks.copy() for node, masks in self._held.items()}
        twin._starts, twin._ends = self._starts, self._ends
        twin._begun, twin._gone = self._begun, self._gone
        return twin

    def find_taken(self, held: Reservation) -> None:
        """Something is held now, and taken in the index already; nobody else holds any of it."""
        number = len(self._starts)
        insort(self._starts, (held.start, number, held))
        insort(self._ends, (held.end, number, held))
        self._begun += 1
        for first, count, mask in held.runs:
            for node in range(first, first + count):
                self._held.setdefault(node, []).append(mask)

    def enter(self, held: Reservation) -> None:
        """Something is held."""
        number = len(self._starts)
        insort(self._starts, (held.start, number, held))
        insort(self._ends, (held.end, number, held))
        begun, gone = held.start < self.end, held.end <= self.start
        self._begun += begun
        self._gone += gone
        if begun and not gone:
            self._take(held)

    def move(self, start: int, end: int) -> None:
        """Be `[start, end)`. What is in neither the one nor the other is not touched, though it is passed."""
        starts, ends, from_, until = self._starts, self._ends, self.start, self.end
        while self._begun < len(starts) and starts[self._begun][0] < end:
            held = starts[self._begun][2]
            if held.end > start:
                self._take(held)
            self._begun += 1
        while self._gone < len(ends) and ends[self._gone][0] <= start:
            held = ends[self._gone][2]
            if held.start < until:
                self._release(held)
            self._gone += 1
        while self._gone and ends[self._gone - 1][0] > start:
            self._gone -= 1
            held = ends[self._gone][2]
            if held.start < end:
                self._take(held)
        while self._begun and starts[self._begun - 1][0] >= end:
            self._begun -= 1
            held = starts[self._begun][2]
            if held.end > from_:
                self._release(held)
        self.start, self.end = start, end

    def after(self, nodes: int) -> int | None:
        """The first instant after the start by which so many nodes more may be wholly free, or for 0 any GPU; None
        where they never are. Whatever comes into the window meanwhile only takes.
        """
        known, left = self._held, dict[int, int]()
        for number in range(self._gone, len(self._ends)):
            at, _, held = self._ends[number]
            if held.start >= self.end:
                continue
            if not nodes:
                return at
            for first, count, _ in held.runs:
                for node in range(first, first + count):
                    others = left[node] = (left.get(node) or len(known[node])) - 1
                    if not others:
                        nodes -= 1
            if nodes <= 0:
                return at
        return None

    def _take(self, held: Reservation) -> None:
        known, watts = self._held, self._watts[held.sku]
        for run in held.runs:
            first, count, mask = run
            if count == 1 and first not in known:
                known[first] = [mask]
                self.index.take((run,), watts)
                continue
            if known.keys().isdisjoint(range(first, first + count)):
                for node in range(first, first + count):
                    known[node] = [mask]
                self.index.take((run,), watts)
                continue
            for node in range(first, first + count):
                masks = known.setdefault(node, [])
                # Most hold whole nodes: what one holds, others hold as well.
                fresh = 0 if mask in masks else mask & ~_all_of(masks)
                masks.append(mask)
                if fresh:
                    self.index.take((Run(node, 1, fresh),), watts)

    def _release(self, held: Reservation) -> None:
        known, watts = self._held, self._watts[held.sku]
        for run in held.runs:
            first, count, mask = run
            if count == 1 and len(known[first]) == 1:
                del known[first]
                self.index.release((run,), watts)
                continue
            if all(len(known[node]) == 1 for node in range(first, first + count)):
                for node in range(first, first + count):
                    del known[node]
                self.index.release((run,), watts)
                continue
            for node in range(first, first + count):
                masks = known[node]
                masks.remove(mask)
                left = 0 if mask in masks else mask & ~_all_of(masks)
                if not masks:
                    del known[node]
                if left:
                    self.index.release((Run(node, 1, left),), watts)


def _all_of(masks: list[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found


class _Wish(NamedTuple):
    """What two gangs have in common that fit at the same places."""

    lane: Lane
    shape: Shape
    tenant: TenantId
    #: What may be lent to whom depends on it.
    grace_s: int


class _Plan:
    """Who is where, and when, as far as the plan is made."""

    __slots__ = (
        "_back",
        "_desk",
        "_ends",
        "_limits",
        "_sooner",
        "_steps",
        "_turns",
        "_window",
        "placed",
        "reserved",
    )

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._steps: dict[SkuId, _Steps] = {}
        #: Changes of what levels may carry.
        self._limits = limits.limit_changes(desk.derived.index, desk.supplied.curtailments, desk.at)
        self.reserved: list[Reservation] = []
        #: Whether somebody was placed.
        self.placed = False
        #: Who asks for what -> how long those before took at most, and the earliest that was found for them: whoever
        #: asks for the same, for as long or longer, beside them as well, does not fit sooner.
        self._sooner: dict[_Wish, list[tuple[int, int]]] = {}
        #: Stays where somebody last looked for a place: the next is mostly near. None while nobody has to wait: who
        #: fits then is found as under any other order.
        self._window: _Window | None = None

    def _prepare(self) -> _Window:
        """From here on who looks for a place looks ahead."""
        desk = self._desk
        self._turns = turns_of(desk)
        #: Instants after this one at which something ends, or passes to another owner, in order: nobody fits sooner
        #: who does not fit before.
        instants = {turn.at for turn in self._turns} | {step.at for step in self._limits}
        #: Nodes that are out for maintenance, and when they are expected back.
        self._back: list[tuple[int, NodeIndex]] = []
        if campaigns := desk.state.campaigns.values():
            self._back = upcoming.back_at(campaigns, desk.supplied, desk.at)
            instants.update((at for at, _ in self._back), upcoming.over_at(campaigns, desk.at))
        self._ends = sorted(at for at in instants if at > desk.at)
        there = holding(desk)
        watts = {name: sku.gpu_w for name, sku in desk.supplied.skus.items()}
        window = _Window(desk.derived.index.scratch(), watts, desk.at, desk.at + 1)
        for gang in there:
            # Who overstays may be gone at any moment.
            end = max(free_at(gang, desk.state.policy), desk.at + 1)
            held = Reservation(desk.at, end, gang.spec.id, gang.spec.sku, gang.runs)
            window.find_taken(held)
            self._count(held)
        return window

    def _count(self, held: Reservation) -> None:
        place = bisect_left(self._ends, held.end)
        if place == len(self._ends) or self._ends[place] != held.end:
            self._ends.insert(place, held.end)
        self._steps.setdefault(held.sku, _Steps()).add(held.start, held.end, gpus_of(held.runs))

    def reserve_all(self, last: GangId | None = None) -> bool:
        """Over everybody who waits, in order, or as far as one. Whether another pass may find otherwise: somebody was
        placed behind one who waits on.

        Told at once where one counts to a cap: then who waits is another question.
        """
        again = False
        #: Capacities that somebody has waited for so long that nobody behind goes by.
        awaited: set[tuple[TrancheId, SkuId]] = set()
        queue, policy = self._desk.derived.queue, self._desk.state.policy
        for gang in _in_order(self._desk):
            held_back = bool(awaited) and not awaited.isdisjoint(substitutes.capacities(gang.spec))
            if self.reserve(gang, held_back=held_back):
                if queue.row(gang.spec).bound:
                    return True
                again = again or bool(self.reserved)
            elif estimates.waited_enough(policy, gang, self._desk.at) and self._waits_on(gang):
                awaited.add((gang.spec.tranche, gang.spec.sku))
            if gang.spec.id == last:
                break
        return again

    def _waits_on(self, gang: Gang) -> bool:
        """Whether there is an instant at which a gang that was not placed is to start."""
        return bool(self.reserved) and self.reserved[-1].gang == gang.spec.id

    def reserve(self, gang: Gang, *, held_back: bool = False) -> bool:
        """Give a gang the earliest time and place, and place it where that is now: then this is true. One that is
        held back keeps it, and does not start.

        Of several kinds of rack it gets the one where it starts soonest, of those the one that it likes best.
        """
        desk, spec = self._desk, gang.spec
        several = [gang._replace(spec=each) for each in substitutes.variants(spec)] or [gang]
        window = self._window
        if window is None:
            if not self._limits and self._fits_now(gang, several):
                return True
            window = self._window = self._prepare()
        found = [
            (held.start, choice, held, fit)
            for choice, each in enumerate(several)
            if (first := self._earliest(each, window)) is not None
            for held, fit in [first]
        ]
        if not found:
            return False
        at, choice, held, fit = min(found, key=lambda each: each[:2])
        window.enter(held)
        self._count(held)
        if at == desk.at and not held_back:
            place(desk, gang, fit._replace(choice=choice))
            self.placed = True
            return True
        self.reserved.append(held)
        return False

    def _fits_now(self, gang: Gang, several: list[Gang]) -> bool:
        """Place a gang where nobody before it waits, if it fits; of several kinds, as the first that does."""
        desk = self._desk
        for choice, each in enumerate(several):
            fit = find(desk, each)
            if isinstance(fit, Fit):
                place(desk, gang, fit._replace(choice=choice))
                self.placed = True
                return True
        return False

    def _earliest(self, gang: Gang, window: _Window) -> tuple[Reservation, Fit] | None:
        """The earliest time and place of a gang."""
        desk, spec = self._desk, gang.spec
        row, away_us = desk.derived.queue.row(spec), away_s(spec) * SECOND_US
        known = self._sooner.setdefault(_Wish(row.lane, row.shape, spec.tenant, spec.grace_s), [])
        # Who failed has hosts of its own.
        since = 0 if gang.front else max((at for away, at in known if away <= away_us), default=0)
        found = self._look(gang, window, max(since, desk.at)) if since < INSTANT_MAX else None
        if not gang.front:
            known.append((away_us, INSTANT_MAX if found is None else found[0].start))
        return found

    def _look(self, gang: Gang, window: _Window, since: int) -> tuple[Reservation, Fit] | None:
        desk, spec, ends = self._desk, gang.spec, self._ends
        most = self._gpus(spec.sku) - spec.gpus
        steps = self._steps.setdefault(spec.sku, _Steps())
        away_us = away_s(spec) * SECOND_US
        turns, back = self._turns, self._back
        #: Where nothing but ends changes what is free: how many wholly free nodes it takes, and of which pools.
        plain = not (turns or back or self._limits or desk.state.campaigns or desk.state.holds)
        whole = spec.gpus // desk.supplied.skus[spec.sku].gpus_per_node if spec.tier is not Tier.SPOT else 0
        pools = promises.pools_of(desk, spec) if whole and plain else []
        at = since
        while True:
            # Where that is later, something ends then.
            at = steps.clear_from(at, away_us, most)
            if (turns and turns[0].at <= at) or (back and back[0][0] <= at):
                window = window.copy()
                for turn in turns:
                    if turn.at <= at:
                        window.index.set_owner(turn.runs, turn.owner)
                returned = [node for back_at, node in back if back_at <= at]
                for node in returned:
                    window.index.set_usable(node, True)
                turns = [turn for turn in turns if turn.at > at]
                back = back[len(returned) :]
            window.move(at, at + away_us)
            lacks = whole - max((window.index.whole(pool) for pool in pools), default=whole)
            fit = self._found(gang, window.index, at) if lacks <= 0 else None
            if fit is not None:
                wiping_us = wiped_for_s(desk.state.policy, spec, fit.lender) * SECOND_US
                return Reservation(at, at + away_us + wiping_us, spec.id, spec.sku, fit.runs), fit
            if plain:
                following = window.after(max(lacks, 0))
                if following is None:
                    return None
                at = following
                continue
            place = bisect_right(ends, at)
            if place == len(ends):
                return None
            at = ends[place]

    def _gpus(self, sku: SkuId) -> int:
        extents = self._desk.derived.index.plant.extents
        return sum(extent.site for (of, _), extent in extents.items() if of == sku)

    def _found(self, gang: Gang, index: Index, at: int) -> Fit | None:
        """Where a gang fits that starts at an instant."""
        if not self._limits:
            fit = find(self._desk, gang, index=index, at=at)
            return fit if isinstance(fit, Fit) else None
        full_w = index.limit_w
        index.limit_w = limits.limits_at(full_w, self._limits, at)
        index.short.clear()
        fit = find(self._desk, gang, index=index, at=at)
        index.limit_w = full_w
        index.short.clear()
        return fit if isinstance(fit, Fit) else None
