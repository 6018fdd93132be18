"""Who waits, in which order: lanes of gangs by tier and tranche, shapes within a lane, arrival within a shape.

Two gangs of one shape are interchangeable to the index, so a pass looks only at the first of each shape: what does
not fit for the first does not fit for the rest. Entries are not removed when a gang leaves the queue; they are
skipped when their stamp is no longer the gang's.

Gangs of a tenant's projects have rows of their own for each project, user and class: all in one count alike, from so
long after their submission, and to the same caps. So a row is in order of submission whatever the order of rows, and
a cap is asked about once for a row.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from forebay.core.ids import DatasetId, GangId, PoolId, SiteId, SkuId, TrancheId
from forebay.core.placements.caps import Barred, Caps
from forebay.core.placements.gang import Gang, Level, Phase, Spec, Tier
from forebay.core.placements.projects import Whose, whose_of
from forebay.core.placements.sharing import Turns
from forebay.core.placements.shortest import Shortest
from forebay.core.placements.substitutes import RackChoice

#: Whose turn comes first in a pass.
TIER_RANK = {Tier.DEDICATED: 0, Tier.ON_DEMAND: 1, Tier.SPOT: 2}


class Lane(NamedTuple):
    """Gangs that compete for the same capacity by the same right."""

    tier: Tier
    tranche: TrancheId


class Shape(NamedTuple):
    """What the index can tell apart, and what caps can."""

    sku: SkuId
    gpus: int
    within: Level
    sites: tuple[SiteId, ...]
    near: Level = Level.SITE
    slice_gpus: int = 0
    skus: tuple[RackChoice, ...] = ()
    whose: Whose | None = None
    datasets: tuple[DatasetId, ...] = ()
    store: PoolId = PoolId("")


class Ticket(NamedTuple):
    """A place in the queue; lower comes first."""

    #: 0 for those that failed and stand in front, 1 for the rest; where tenants have projects, for the rest one more
    #: than the instant that they count from.
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
    whose = whose_of(spec) if spec.project else None
    asked = spec.sku, spec.gpus, spec.within, spec.sites, spec.near, spec.slice_gpus, spec.skus, whose
    if spec.datasets or spec.checkpoint_store:
        return Shape(*asked, spec.datasets, spec.checkpoint_store)
    return Shape(*asked)


def away_s(spec: Spec) -> int:
    """How long after its start a gang is taken to be gone at the latest, apart from any wiping."""
    return (spec.estimate_s or spec.walltime_s) + spec.grace_s


class QueueRow:
    """Those of one shape that wait in a lane. There is one for each lane and shape, for good: it may be a mark."""

    __slots__ = ("front", "lane", "rest", "shape", "shortest")
    #: Whether caps may hold them back: then one that is placed may hold back others, or let others by.
    bound = False

    def __init__(self, lane: Lane, shape: Shape) -> None:
        self.lane = lane
        self.shape = shape
        #: Gangs that failed and go first: few, so a sorted list serves.
        self.front: list[Ticket] = []
        self.rest: deque[Ticket] = deque()
        #: Of the rest, who is away soonest: made when it is first asked, and kept up from then on.
        self.shortest: Shortest[Ticket] | None = None

    def first(self, gangs: Mapping[GangId, Gang]) -> Ticket | None:
        """Who still waits and comes first; entries that lost their meaning are dropped on the way."""
        while self.front:
            if _waits(self.front[0], gangs):
                return self.front[0]
            self.front.pop(0)
        rest = self.rest
        while rest:
            entry = rest[0]
            if _waits(entry, gangs):
                return entry
            rest.popleft()
        return None

    def first_within(self, most_s: int, gangs: Mapping[GangId, Gang]) -> Ticket | None:
        """The first, apart from those in front, that is away within `most_s` of its start."""
        shortest = self.shortest
        if shortest is None:
            waiting = [entry for entry in self.rest if _waits(entry, gangs)]
            shortest = Shortest([(entry, away_s(gangs[entry.gang].spec)) for entry in waiting])
            self.shortest = shortest
        while (found := shortest.first(most_s)) is not None:
            place, entry = found
            if _waits(entry, gangs):
                return entry
            shortest.drop(place)
        return None

    def next_in_front(self, after: Ticket, gangs: Mapping[GangId, Gang]) -> Ticket | None:
        """Of those that stand in front, the first that comes after one."""
        return next((entry for entry in self.front if entry > after and _waits(entry, gangs)), None)

    def all(self, gangs: Mapping[GangId, Gang]) -> Iterator[Ticket]:
        """Everybody who waits, in order."""
        self.first(gangs)
        for entries in (self.front, self.rest):
            yield from (entry for entry in entries if _waits(entry, gangs))


#: A gang's place among all that wait, over all lanes.
Place = tuple[int, TrancheId, int, int]


def most_gpus(asked: Shape | Spec) -> int:
    """The most GPUs that one who asks so may come to hold, whichever kind of rack it gets: what a cap looks at."""
    return max([asked.gpus, *(choice.gpus for choice in asked.skus)])


class CappedRow(QueueRow):
    """The same where a cap, or a budget, may hold them back: who is held back does not wait, as far as others see."""

    __slots__ = ("_caps",)
    bound = True

    def __init__(self, lane: Lane, shape: Shape, caps: Caps[CappedRow]) -> None:
        super().__init__(lane, shape)
        self._caps = caps

    def barred(self, entry: Ticket, gangs: Mapping[GangId, Gang]) -> Barred | None:
        """What holds somebody of this row back."""
        found = self._caps.found.get(self)
        if found is not None and found[0] is entry:
            return found[1]

        def head(row: CappedRow) -> Place | None:
            first = QueueRow.first(row, gangs)
            return None if first is None else row._place(first)

        assert self.shape.whose is not None, "it counts to something"
        barred = self._caps.barred(self.shape.whose, most_gpus(self.shape), self._place(entry), head)
        self._caps.found[self] = (entry, barred)
        return barred

    def _place(self, entry: Ticket) -> Place:
        return TIER_RANK[self.lane.tier], self.lane.tranche, entry.rank, entry.order

    def _unless_barred(self, entry: Ticket | None, gangs: Mapping[GangId, Gang]) -> Ticket | None:
        return entry if entry is not None and self.barred(entry, gangs) is None else None

    def first(self, gangs: Mapping[GangId, Gang]) -> Ticket | None:
        """The first, if it may start."""
        return self._unless_barred(super().first(gangs), gangs)

    def first_within(self, most_s: int, gangs: Mapping[GangId, Gang]) -> Ticket | None:
        """The first that is away in time, if it may start: who comes later may not either."""
        return self._unless_barred(super().first_within(most_s, gangs), gangs)

    def next_in_front(self, after: Ticket, gangs: Mapping[GangId, Gang]) -> Ticket | None:
        """The next of those in front, if it may start."""
        return self._unless_barred(super().next_in_front(after, gangs), gangs)

    def all(self, gangs: Mapping[GangId, Gang]) -> Iterator[Ticket]:
        """Everybody who waits and may start."""
        for entry in super().all(gangs):
            if self.barred(entry, gangs) is not None:
                return
            yield entry


class Queue:
    """Pending gangs. Derived: made again from the gangs, in the same order."""

    __slots__ = ("_last", "_live", "_ordered", "_rows", "caps", "turns")

    def __init__(self, turns: Turns | None = None) -> None:
        #: Where tenants have projects: from when each gang counts, and whom caps hold back.
        self.turns = turns
        self.caps: Caps[CappedRow] | None = None if turns is None else Caps(turns)
        self._rows: dict[tuple[Lane, Shape], QueueRow] = {}
        #: Rows that somebody may wait in, by lane; a lane stays that ever had a gang.
        self._live: dict[Lane, dict[QueueRow, None]] = {}
        #: The lanes in order; None once there is a new one.
        self._ordered: list[Lane] | None = None
        #: What was asked for last: whoever came is looked for at once.
        self._last: tuple[Spec, QueueRow] | None = None

    def row(self, spec: Spec) -> QueueRow:
        """The row that a gang waits in."""
        last = self._last
        if last is not None and last[0] is spec:
            return last[1]
        shape = shape_of(spec)
        if self.turns is not None and not spec.project and self.turns.by_tenant(spec.tier):
            shape = shape._replace(whose=Whose(spec.tenant, spec.project, spec.user, ""))
        mark = (lane_of(spec), shape)
        row = self._rows.get(mark)
        if row is None:
            whose, caps = mark[1].whose, self.caps
            capped = whose is not None and caps is not None and caps.turns.capped(whose)
            row = self._rows[mark] = (
                CappedRow(*mark, caps) if capped and caps is not None else QueueRow(*mark)
            )
        self._last = (spec, row)
        return row

    def add(self, gang: Gang) -> None:
        """A gang waits from here on."""
        spec = gang.spec
        row = self.row(spec)
        live = self._live.get(row.lane)
        if live is None:
            live = self._live[row.lane] = {}
            self._ordered = None
        live[row] = None
        if isinstance(row, CappedRow):
            assert self.caps is not None
            assert row.shape.whose is not None
            self.caps.enter(row, row.shape.whose, most_gpus(row.shape))
        if gang.front:
            row.front.append(Ticket(0, gang.order, spec.id, gang.generation))
            row.front.sort()
            return
        entry = Ticket(
            1 if self.turns is None else self.turns.rank(gang), gang.order, spec.id, gang.generation
        )
        waiting = row.rest
        if waiting and waiting[-1] > entry:
            # An evicted gang comes back to its old place among those that came after it.
            ordered = sorted([*waiting, entry])
            waiting.clear()
            waiting.extend(ordered)
            row.shortest = None
            return
        waiting.append(entry)
        if row.shortest is not None and not row.shortest.append(entry, away_s(spec)):
            row.shortest = None

    def everybody(self, gangs: Mapping[GangId, Gang]) -> list[GangId]:
        """All who wait, whether a cap holds them back or not, in no order."""
        rows = self._rows.values()
        entries = (entry for row in rows for entries in (row.front, row.rest) for entry in entries)
        return [entry.gang for entry in entries if _waits(entry, gangs)]

    def rank(self, gang: Gang) -> int:
        """Its rank in a lane: `Ticket.rank`."""
        return 0 if gang.front else 1 if self.turns is None else self.turns.rank(gang)

    def place(self, gang: Gang) -> Place:
        """Its place among all that wait, over all lanes."""
        return TIER_RANK[gang.spec.tier], gang.spec.tranche, self.rank(gang), gang.order

    def barred(self, gang: Gang, gangs: Mapping[GangId, Gang]) -> Barred | None:
        """What but capacity holds a gang back that waits; None where nothing does."""
        row = self.row(gang.spec)
        entry = Ticket(self.rank(gang), gang.order, gang.spec.id, gang.generation)
        return row.barred(entry, gangs) if isinstance(row, CappedRow) else None

    def lanes(self) -> list[Lane]:
        """Every lane that ever had a gang, by tier and tranche."""
        if self._ordered is None:
            self._ordered = sorted(self._live, key=lambda lane: (TIER_RANK[lane.tier], lane.tranche))
        return self._ordered

    def shapes(self, lane: Lane) -> list[Shape]:
        """Shapes that somebody may wait in of a lane."""
        return [row.shape for row in self._live.get(lane, ())]

    def head(self, lane: Lane, shape: Shape, gangs: Mapping[GangId, Gang]) -> Ticket | None:
        """The first of a shape that still waits."""
        row = self._rows.get((lane, shape))
        return None if row is None else row.first(gangs)

    def standing(self, lane: Lane, gangs: Mapping[GangId, Gang]) -> list[tuple[Ticket, QueueRow]]:
        """The first of each row of a lane that somebody waits in."""
        found = []
        empty = []
        live = self._live.get(lane, {})
        for row in live:
            entry = row.first(gangs)
            if entry is not None:
                found.append((entry, row))
            elif not (row.rest or row.front):
                empty.append(row)
        for row in empty:
            del live[row]
            row.shortest = None
        return found

    def heads(self, lane: Lane, gangs: Mapping[GangId, Gang]) -> list[tuple[Ticket, Shape]]:
        """The first of each shape of a lane."""
        return [(entry, row.shape) for entry, row in self.standing(lane, gangs)]

    def of_shape(self, lane: Lane, shape: Shape, gangs: Mapping[GangId, Gang]) -> Iterator[Ticket]:
        """Everybody of a shape who waits in a lane, in order. Not to be gone on with once the queue was added to."""
        row = self._rows.get((lane, shape))
        if row is not None:
            yield from row.all(gangs)

    def waiting(self, lane: Lane, gangs: Mapping[GangId, Gang]) -> Iterator[Ticket]:
        """Everybody who waits in a lane, shape by shape."""
        for shape in self.shapes(lane):
            yield from self.of_shape(lane, shape, gangs)


_PENDING = Phase.PENDING


def _waits(entry: Ticket, gangs: Mapping[GangId, Gang]) -> bool:
    rank, order, name, generation = entry
    gang = gangs.get(name)
    return (
        gang is not None
        and gang.phase is _PENDING
        and gang.order == order
        and gang.generation == generation
        and gang.front is (rank == 0)
    )
