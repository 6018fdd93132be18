"""Who may start where everybody who waits has a reservation? Conservative backfill, as in docs/reference/policies.md.

At each pass everybody who waits is given a time and a place, in order: the earliest at which it is free for as long
as the gang may take, beside all that holds GPUs and all who come before it. Whose time is now is placed. Nothing is
kept from one pass to the next: after an end that came early everybody moves up, in order, and after a restart the
plan is the same.

It costs about n squared for n that wait, times the instants at which something ends: it is slow, for queues of tens.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from typing import NamedTuple

from forebay.core.ids import GangId, SkuId, TrancheId
from forebay.core.placements import estimates, limits, substitutes
from forebay.core.placements.ends import free_at
from forebay.core.placements.gang import Gang, Run
from forebay.core.placements.index import Index, each_node, gpus_of
from forebay.core.placements.queue import away_s
from forebay.core.placements.schedule import Desk, Fit, find, holding, place, turns_of
from forebay.core.placements.turnover import wiped_for_s
from forebay.core.units import SECOND_US


class Reservation(NamedTuple):
    """A gang holds these GPUs, or is to, within [start, end)."""

    start: int
    end: int
    gang: GangId
    sku: SkuId
    runs: tuple[Run, ...]


def plan_all(desk: Desk) -> list[Reservation]:
    """Passes over everybody who waits, until one places nobody behind somebody who is given a later time; who waits
    on has the reservation that is returned, in order. Who was placed behind another stands where that one might have
    been reserved a place, who then has it elsewhere: somebody may start now who would have been in that one's way.
    Where all who were placed come before all who wait on, another pass would find the same."""
    while (plan := _Plan(desk)).reserve_all():
        pass
    return plan.reserved


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

    def most(self, start: int, end: int) -> int:
        """The most that are in use at one instant within [start, end)."""
        return max(self._used[bisect_right(self._at, start) - 1 : bisect_left(self._at, end)])


class _Plan:
    """Who is where, and when, as far as the plan is made."""

    __slots__ = ("_desk", "_ends", "_limits", "_steps", "_taken", "_turns", "_vacant", "reserved")

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._turns = turns_of(desk)
        self._vacant: Index = desk.derived.index.copy()
        self._taken: list[Reservation] = []
        self._steps: dict[SkuId, _Steps] = {}
        #: Instants at which something ends, or passes to another owner: nobody fits sooner who does not fit before.
        self._ends = {turn.at for turn in self._turns}
        #: Changes of what levels may carry.
        self._limits = limits.limit_changes(self._vacant, desk.supplied.curtailments, desk.at)
        self._ends |= {step.at for step in self._limits}
        self.reserved: list[Reservation] = []
        for gang in holding(desk):
            self._vacant.release(gang.runs, desk.supplied.skus[gang.spec.sku].gpu_w)
            # Who overstays may be gone at any moment.
            end = max(free_at(gang, desk.state.policy), desk.at + 1)
            self._take(Reservation(desk.at, end, gang.spec.id, gang.spec.sku, gang.runs))

    def _take(self, held: Reservation) -> None:
        self._taken.append(held)
        self._ends.add(held.end)
        self._steps.setdefault(held.sku, _Steps()).add(held.start, held.end, gpus_of(held.runs))

    def reserve_all(self) -> bool:
        """Over everybody who waits, in order. Whether another pass may find otherwise: somebody was placed behind one
        who waits on.

        Told at once where one counts to a cap: then who waits is another question.
        """
        again = False
        #: Capacities that somebody has waited for so long that nobody behind goes by.
        awaited: set[tuple[TrancheId, SkuId]] = set()
        queue, known = self._desk.derived.queue, self._desk.state.gangs
        for lane in queue.lanes():
            for entry in heapq.merge(*(queue.of_shape(lane, shape, known) for shape in queue.shapes(lane))):
                gang = known[entry.gang]
                held_back = bool(awaited) and not awaited.isdisjoint(substitutes.capacities(gang.spec))
                if self.reserve(gang, held_back=held_back):
                    if queue.row(gang.spec).bound:
                        return True
                    again = again or bool(self.reserved)
                elif estimates.waited_enough(self._desk.state.policy, gang, self._desk.at) and self._waits_on(
                    gang
                ):
                    awaited.add((gang.spec.tranche, gang.spec.sku))
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
        found = [
            (held.start, choice, held, fit)
            for choice, each in enumerate(several)
            if (first := self._earliest(each)) is not None
            for held, fit in [first]
        ]
        if not found:
            return False
        at, choice, held, fit = min(found, key=lambda each: each[:2])
        self._take(held)
        if at == desk.at and not held_back:
            place(desk, gang, fit._replace(choice=choice))
            return True
        self.reserved.append(held)
        return False

    def _earliest(self, gang: Gang) -> tuple[Reservation, Fit] | None:
        """The earliest time and place of a gang."""
        desk, spec = self._desk, gang.spec
        most = self._gpus(spec.sku) - spec.gpus
        steps = self._steps.setdefault(spec.sku, _Steps())
        away_us = away_s(spec) * SECOND_US
        vacant, turns = self._vacant, self._turns
        for at in sorted({desk.at, *(end for end in self._ends if end > desk.at)}):
            if turns and turns[0].at <= at:
                vacant = vacant.copy()
                for turn in turns:
                    if turn.at <= at:
                        vacant.set_owner(turn.runs, turn.owner)
                turns = [turn for turn in turns if turn.at > at]
            if steps.most(at, at + away_us) > most:
                continue
            fit = self._found(gang, vacant, at, at + away_us)
            if fit is not None:
                wiping_us = wiped_for_s(desk.state.policy, spec, fit.lender) * SECOND_US
                return Reservation(at, at + away_us + wiping_us, spec.id, spec.sku, fit.runs), fit
        return None

    def _gpus(self, sku: SkuId) -> int:
        extents = self._desk.derived.index.plant.extents
        return sum(extent.site for (of, _), extent in extents.items() if of == sku)

    def _found(self, gang: Gang, vacant: Index, start: int, end: int) -> Fit | None:
        """Where a gang fits beside all that is there at any instant within [start, end), as if all were at once."""
        taken: dict[int, int] = {}
        gpu_w: dict[int, int] = {}
        for held in self._taken:
            if held.start < end and held.end > start:
                watts = self._desk.supplied.skus[held.sku].gpu_w
                for node, mask in each_node(held.runs):
                    taken[node] = taken.get(node, 0) | mask
                    gpu_w[node] = watts
        for node, mask in taken.items():
            vacant.take((Run(node, 1, mask),), gpu_w[node])
        full_w = vacant.limit_w
        if self._limits:
            vacant.limit_w = limits.limits_at(full_w, self._limits, start)
            vacant.short.clear()
        fit = find(self._desk, gang, index=vacant, at=start)
        if self._limits:
            vacant.limit_w = full_w
            vacant.short.clear()
        for node, mask in taken.items():
            vacant.release((Run(node, 1, mask),), gpu_w[node])
        return fit if isinstance(fit, Fit) else None
