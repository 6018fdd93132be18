"""Who waits, in which order: lanes of gangs by tier and tranche, shapes within a lane, arrival within a shape.

Two gangs of one shape are interchangeable to the index, so a pass looks only at the first of each shape: what does
not fit for the first does not fit for the rest. Entries are not removed when a gang leaves the queue; they are
skipped when their stamp is no longer the gang's.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from forebay.core.ids import GangId, SiteId, SkuId, TrancheId
from forebay.core.placements.gang import Gang, Level, Phase, Spec, Tier
from forebay.core.placements.shortest import Shortest

#: Whose turn comes first in a pass.
TIER_RANK = {Tier.DEDICATED: 0, Tier.ON_DEMAND: 1, Tier.SPOT: 2}


class Lane(NamedTuple):
    """Gangs that compete for the same capacity by the same right."""

    tier: Tier
    tranche: TrancheId


class Shape(NamedTuple):
    """What the index can tell apart."""

    sku: SkuId
    gpus: int
    within: Level
    sites: tuple[SiteId, ...]
    near: Level = Level.SITE
    slice_gpus: int = 0


class Ticket(NamedTuple):
    """A place in the queue; lower comes first."""

    #: 0 for those that failed and stand in front, 1 for the rest.
    rank: int
    order: int
    gang: GangId
    #: The gang's generation when it entered.
    generation: int


def lane_of(spec: Spec) -> Lane:
    """The lane a gang waits in."""
    return Lane(spec.tier, spec.tranche)


def shape_of(spec: Spec) -> Shape:
    """The shape a gang has."""
    return Shape(spec.sku, spec.gpus, spec.within, spec.sites, spec.near, spec.slice_gpus)


def away_s(spec: Spec) -> int:
    """How long after its start a gang is gone at the latest, apart from any wiping."""
    return spec.walltime_s + spec.grace_s


class Queue:
    """Pending gangs. Derived: made again from the gangs, in the same order."""

    __slots__ = ("_front", "_lanes", "_shortest")

    def __init__(self) -> None:
        self._lanes: dict[Lane, dict[Shape, deque[Ticket]]] = {}
        #: Gangs that failed and go first: few, so a sorted list serves.
        self._front: dict[Lane, dict[Shape, list[Ticket]]] = {}
        #: Of the rest, who is away soonest: made when it is first asked, and kept up from then on.
        self._shortest: dict[tuple[Lane, Shape], Shortest[Ticket]] = {}

    def add(self, gang: Gang) -> None:
        """A gang waits from here on."""
        lane, shape = lane_of(gang.spec), shape_of(gang.spec)
        entry = Ticket(0 if gang.front else 1, gang.order, gang.spec.id, gang.generation)
        if gang.front:
            entries = self._front.setdefault(lane, {}).setdefault(shape, [])
            entries.append(entry)
            entries.sort()
            return
        waiting = self._lanes.setdefault(lane, {}).setdefault(shape, deque())
        if waiting and waiting[-1] > entry:
            # An evicted gang comes back to its old place among those that came after it.
            ordered = sorted([*waiting, entry])
            waiting.clear()
            waiting.extend(ordered)
            self._shortest.pop((lane, shape), None)
        else:
            waiting.append(entry)
            shortest = self._shortest.get((lane, shape))
            if shortest is not None and not shortest.append(entry, away_s(gang.spec)):
                del self._shortest[lane, shape]

    def lanes(self) -> list[Lane]:
        """Every lane that ever had a gang, by tier and tranche."""
        return sorted({*self._lanes, *self._front}, key=lambda lane: (TIER_RANK[lane.tier], lane.tranche))

    def shapes(self, lane: Lane) -> list[Shape]:
        """Shapes that ever waited in a lane, in order of first arrival."""
        return list(dict.fromkeys([*self._front.get(lane, ()), *self._lanes.get(lane, ())]))

    def head(self, lane: Lane, shape: Shape, gangs: Mapping[GangId, Gang]) -> Ticket | None:
        """The first of a shape that still waits; entries that lost their meaning are dropped on the way."""
        front = self._front.get(lane, {}).get(shape)
        while front:
            if _waits(front[0], gangs):
                return front[0]
            front.pop(0)
        waiting = self._lanes.get(lane, {}).get(shape)
        while waiting:
            if _waits(waiting[0], gangs):
                return waiting[0]
            waiting.popleft()
        return None

    def heads(self, lane: Lane, gangs: Mapping[GangId, Gang]) -> list[tuple[Ticket, Shape]]:
        """The first of each shape of a lane."""
        found = ((self.head(lane, shape, gangs), shape) for shape in self.shapes(lane))
        return [(entry, shape) for entry, shape in found if entry is not None]

    def of_shape(self, lane: Lane, shape: Shape, gangs: Mapping[GangId, Gang]) -> Iterator[Ticket]:
        """Everybody of a shape who waits in a lane, in order. Not to be gone on with once the queue was added to."""
        self.head(lane, shape, gangs)
        for entries in (self._front.get(lane, {}).get(shape, ()), self._lanes.get(lane, {}).get(shape, ())):
            yield from (entry for entry in entries if _waits(entry, gangs))

    def first_within(
        self, lane: Lane, shape: Shape, most_s: int, gangs: Mapping[GangId, Gang]
    ) -> Ticket | None:
        """The first of a shape, apart from those in front, that is away within `most_s` of its start."""
        mark = (lane, shape)
        shortest = self._shortest.get(mark)
        if shortest is None:
            waiting = [entry for entry in self._lanes.get(lane, {}).get(shape, ()) if _waits(entry, gangs)]
            shortest = Shortest([(entry, away_s(gangs[entry.gang].spec)) for entry in waiting])
            self._shortest[mark] = shortest
        while (found := shortest.first(most_s)) is not None:
            place, entry = found
            if _waits(entry, gangs):
                return entry
            shortest.drop(place)
        return None

    def next_in_front(
        self, lane: Lane, shape: Shape, after: Ticket, gangs: Mapping[GangId, Gang]
    ) -> Ticket | None:
        """Of those of a shape that stand in front, the first that comes after one."""
        front = self._front.get(lane, {}).get(shape, ())
        return next((entry for entry in front if entry > after and _waits(entry, gangs)), None)

    def waiting(self, lane: Lane, gangs: Mapping[GangId, Gang]) -> Iterator[Ticket]:
        """Everybody who waits in a lane, shape by shape."""
        for shape in self.shapes(lane):
            yield from self.of_shape(lane, shape, gangs)


def _waits(entry: Ticket, gangs: Mapping[GangId, Gang]) -> bool:
    gang = gangs.get(entry.gang)
    return (
        gang is not None
        and gang.phase is Phase.PENDING
        and (gang.order, gang.generation) == (entry.order, entry.generation)
        and gang.front is (entry.rank == 0)
    )
