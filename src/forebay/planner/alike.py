"""Racks that are alike, and who wants how many of them: a stock made small enough to plan.

Racks of one row, feed and cooling loop, with the same tranches on them and as much work, are interchangeable: a
*group*. A plan says how many of each group a tranche gets; which ones follows at the end (`racks_of`). That loses
nothing. Terms are intervals of time, so if at no instant more racks of a group are wanted than it has, then going
through the tranches by their start and taking any rack that is free by then never runs out (colouring of an interval
graph). It is enough to ask this at the last start before each end: what runs at any other instant runs at one of
these as well.

Nodes of a tranche that takes parts of racks are taken apart first:

1. What a tranche whose term runs has of a rack that is not wholly its own stays where it is.
2. Of what is left to bind, whole racks are wanted as racks. A *rest* smaller than a rack goes to the rack that is
   begun already and has the least room that is enough.
3. Rests that find no such place share racks among each other, the largest first: each such rack is a want of its own,
   for as long as any of them is there.

Power is part of it (`power`): a group whose levels carry less than stands there has a ceiling above it.

Where racks are so few that this cannot serve everybody, the parts of all tranches stay (`settled`); then what is
bound now is one of the plans.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from forebay.core import claims, supply
from forebay.core.claims import binding, rebinding
from forebay.core.claims.calendar import Stock
from forebay.core.ids import NodeIndex, RackId, TrancheId
from forebay.core.timeline import Interval
from forebay.planner import power

Runs = tuple[tuple[int, int], ...]
#: Racks that each want gets of each group: one row for each want.
Counts = NDArray[np.int64]


class Rest(NamedTuple):
    """Nodes that a tranche wants beside whole racks."""

    tranche: TrancheId
    nodes: int


class Need(NamedTuple):
    """Racks that are wanted for a term: by one tranche, or for some rests together."""

    tranche: TrancheId
    racks: int
    term: Interval
    #: Whether the term runs: then its nodes must be in service.
    live: bool
    #: Whether nodes of several racks would do as well.
    parts: bool = False
    rests: tuple[Rest, ...] = ()


class Kind(NamedTuple):
    """What racks of a group have in common."""

    feed: str
    row: tuple[str, str]
    #: Wants that have all of the rack now.
    holders: tuple[int, ...]
    #: When parts of the rack are taken.
    blocked: tuple[Interval, ...]
    #: Whether some node is out of service or runs work on demand.
    barred: bool
    #: Nodes on which work runs.
    busy: int
    #: "" where it is not known.
    loop: str = ""
    #: Whether its own limit is too low for the work of all of its nodes.
    weak: bool = False


@dataclass(slots=True)
class Case:
    """A stock, its racks by group, and what is wanted of them."""

    stock: Stock
    per_rack: int
    wants: list[Need]
    kinds: list[Kind]
    #: Racks of each group, in order.
    groups: list[list[supply.Rack]]
    #: Nodes that stay or were placed already, by tranche.
    placed: dict[TrancheId, list[tuple[int, int]]]
    #: Instants at which it is asked whether there are enough racks.
    instants: list[int]
    #: For each want the first and the last but one of these at which it is there.
    spans: list[tuple[int, int]] = field(default_factory=list)
    #: Where there is less power than racks.
    ceilings: list[power.Ceiling] = field(default_factory=list)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Racks of each group."""
        return np.array([len(group) for group in self.groups], dtype=np.int64)

    def had(self) -> Counts:
        """Racks that each want has now."""
        counts = np.zeros((len(self.wants), len(self.groups)), dtype=np.int64)
        for place, kind in enumerate(self.kinds):
            for holder in kind.holders:
                counts[holder, place] = len(self.groups[place])
        return counts

    def allowed(self) -> NDArray[np.bool_]:
        """Whether a want may have racks of a group."""
        allowed = np.ones((len(self.wants), len(self.groups)), dtype=np.bool_)
        for place, kind in enumerate(self.kinds):
            some = kind.barred or kind.blocked or kind.weak
            for number, want in enumerate(self.wants if some else ()):
                closed = kind.weak or (kind.barred and want.live and number not in kind.holders)
                if closed or any(want.term.overlaps(taken) for taken in kind.blocked):
                    allowed[number, place] = False
        return allowed


def racks_at(supplied: supply.State, stock: Stock) -> list[supply.Rack]:
    """The racks of a stock, in order."""
    racks = map(supplied.racks.__getitem__, supplied.rack_order)
    return [rack for rack in racks if rack.sku == stock.sku and rack.site == stock.site]


def out(supplied: supply.State, work: rebinding.Work, node: int) -> bool:
    """Whether a tranche whose term runs may not take a node."""
    return node in work.on_demand or not supply.usable(supplied, NodeIndex(node))


def wanted(
    state: claims.State, supplied: supply.State, tranches: Mapping[TrancheId, claims.Tranche], at: int
) -> dict[TrancheId, int]:
    """Nodes that tranches are to have in a plan: what they are owed by now, and no less than they have."""
    return {
        name: max(claims.nodes_bound(tranche), binding.nodes_owed(state, supplied, tranche, at))
        for name, tranche in tranches.items()
    }


def pose(
    state: claims.State,
    supplied: supply.State,
    stock: Stock,
    work: rebinding.Work,
    at: int,
    *,
    settled: bool = False,
) -> Case:
    """What there is of a stock at an instant, and what is wanted of it; `settled` where all parts of racks stay as
    they are.
    """
    table = _Table(state, supplied, stock, work, at, settled)
    wants, rests = table.take_apart()
    shared = table.place(rests)
    wants += table.pack(shared)
    kinds: dict[Kind, list[supply.Rack]] = {}
    holders = table.holders(wants)
    for rack in table.racks:
        if rack.nodes == table.per_rack:
            kinds.setdefault(table.kind(rack, holders.get(rack.id, ())), []).append(rack)
    instants = instants_of([want.term for want in wants])
    spans = [
        (bisect.bisect_left(instants, want.term.start), bisect.bisect_left(instants, want.term.end))
        for want in wants
    ]
    groups, when = list(kinds.values()), power.windows([want.term for want in wants], instants)
    ceilings = table.ledger.ceilings(groups, when, table.per_rack)
    return Case(stock, table.per_rack, wants, list(kinds), groups, table.placed, instants, spans, ceilings)


def instants_of(terms: Iterable[Interval]) -> list[int]:
    """The last start before each end: what runs at any instant runs at one of these as well."""
    starts = sorted({term.start for term in terms})
    ends = sorted({term.end for term in terms})
    return sorted({starts[bisect.bisect_left(starts, end) - 1] for end in ends})


class _Table:
    """The nodes of a stock while they are taken apart."""

    def __init__(
        self, state: claims.State, supplied: supply.State, stock: Stock, work: rebinding.Work, at: int,
        settled: bool,
    ) -> None:  # fmt: skip
        self.settled = settled
        self.ledger = power.Ledger(state, supplied, stock)
        self.supplied = supplied
        self.work = work
        self.per_rack = supplied.skus[stock.sku].nodes_per_rack
        self.racks = racks_at(supplied, stock)
        self.tranches = {tranche.plan.id: tranche for tranche in rebinding.bindable(state, stock)}
        self.wanted = wanted(state, supplied, self.tranches, at)
        #: Nodes that stay, or were placed already.
        self.placed: dict[TrancheId, list[tuple[int, int]]] = {}
        #: Nodes of a rack that are taken one by one: (node, when).
        self.parts: dict[RackId, list[tuple[int, Interval]]] = {}
        #: Racks that a tranche has wholly.
        self.whole: dict[RackId, list[TrancheId]] = {}

    def take_apart(self) -> tuple[list[Need], list[Rest]]:
        """What stays is kept; what is wanted in whole racks, and what is left of it."""
        wants, rests = [], []
        for name, tranche in self.tranches.items():
            live = tranche.standing is claims.Standing.LIVE
            for rack, run in self._by_rack(tranche.runs):
                if run == (rack.first_node, self.per_rack):
                    self.whole.setdefault(rack.id, []).append(name)
                elif live or self.settled:
                    self._take(name, rack, range(run[0], sum(run)))
            kept = sum(count for _, count in self.placed.get(name, ()))
            racks, rest = divmod(self.wanted[name] - kept, self.per_rack)
            parts = tranche.plan.unit is claims.Unit.NODE
            wants.append(Need(name, racks, claims.term(tranche.plan), live, parts))
            if rest:
                rests.append(Rest(name, rest))
        return wants, sorted(rests, key=lambda rest: -rest.nodes)

    def _by_rack(self, runs: Runs) -> list[tuple[supply.Rack, tuple[int, int]]]:
        found = []
        for first, count in runs:
            node = first
            while node < first + count:
                rack = supply.rack_of(self.supplied, node)
                end = min(first + count, rack.first_node + rack.nodes)
                found.append((rack, (node, end - node)))
                node = end
        return found

    def _take(self, name: TrancheId, rack: supply.Rack, nodes: Iterable[int]) -> None:
        when = claims.term(self.tranches[name].plan)
        taken = list(nodes)
        self.ledger.add(rack, len(taken), when)
        for node in taken:
            self.parts.setdefault(rack.id, []).append((node, when))
            self.placed.setdefault(name, []).append((node, 1))

    def free(self, name: TrancheId, rack: supply.Rack) -> list[int]:
        """Nodes of a rack that a tranche may take one by one."""
        tranche = self.tranches[name]
        term, live = claims.term(tranche.plan), tranche.standing is claims.Standing.LIVE
        holders = [claims.term(self.tranches[holder].plan) for holder in self.whole.get(rack.id, ())]
        if self.settled and any(term.overlaps(when) for when in holders):
            return []
        taken = {node for node, when in self.parts.get(rack.id, ()) if when.overlaps(term)}
        return [
            node
            for node in range(rack.first_node, rack.first_node + rack.nodes)
            if node not in taken and not (live and out(self.supplied, self.work, node))
        ]

    def place(self, rests: list[Rest]) -> list[Rest]:
        """Put rests on racks that are begun, the least room that is enough first; those that find none are left."""
        begun = [rack for rack in self.racks if rack.id in self.parts or rack.nodes < self.per_rack]
        left = []
        for rest in rests:
            rooms = [(self.free(rest.tranche, rack), rack) for rack in begun]
            term = claims.term(self.tranches[rest.tranche].plan)
            rooms = [
                (free, rack)
                for free, rack in rooms
                if len(free) >= rest.nodes and self.ledger.carries(rack, rest.nodes, term)
            ]
            if rooms:
                free, rack = min(rooms, key=lambda room: (len(room[0]), room[1].first_node))
                self._take(rest.tranche, rack, free[: rest.nodes])
            else:
                left.append(rest)
        return left

    def pack(self, rests: list[Rest]) -> list[Need]:
        """Racks that rests share, first fit: a want each."""
        bins: list[list[Rest]] = []
        for rest in rests:
            fits = (each for each in bins if sum(r.nodes for r in each) + rest.nodes <= self.per_rack)
            found = next(fits, None)
            if found is None:
                bins.append(found := [])
            found.append(rest)
        wants = []
        for each in bins:
            members = [self.tranches[rest.tranche] for rest in each]
            term = Interval(
                min(member.plan.start_at for member in members), max(member.plan.end_at for member in members)
            )
            live = any(member.standing is claims.Standing.LIVE for member in members)
            wants.append(Need(TrancheId(""), 1, term, live, True, tuple(each)))
        return wants

    def holders(self, wants: list[Need]) -> dict[RackId, tuple[int, ...]]:
        """Wants that have a rack wholly, by rack."""
        numbers = {want.tranche: number for number, want in enumerate(wants) if want.tranche}
        return {rack: tuple(numbers[name] for name in names) for rack, names in self.whole.items()}

    def kind(self, rack: supply.Rack, holders: tuple[int, ...]) -> Kind:
        nodes = range(rack.first_node, rack.first_node + rack.nodes)
        blocked = tuple(sorted({when for _, when in self.parts.get(rack.id, ())}))
        barred = any(out(self.supplied, self.work, node) for node in nodes)
        busy = sum(node in self.work.nodes for node in nodes)
        weak = self.ledger.weak(rack)
        return Kind(rack.feed, (rack.hall, rack.row), holders, blocked, barred, busy, rack.loop, weak)


def racks_of(posed: Case, counts: Counts) -> list[list[supply.Rack]]:
    """Which racks each want gets, given how many of each group."""
    found: list[list[supply.Rack]] = [[] for _ in posed.wants]
    for place, group in enumerate(posed.groups):
        free_from = [0] * len(group)
        here = [int(number) for number in np.flatnonzero(counts[:, place])]
        for number in sorted(here, key=lambda number: (posed.wants[number].term, number)):
            left = int(counts[number, place])
            term = posed.wants[number].term
            for rack in range(len(group)):
                if left and free_from[rack] <= term.start:
                    free_from[rack] = term.end
                    found[number].append(group[rack])
                    left -= 1
            assert not left, "at no instant are more racks wanted than there are"
    return found
