"""Which racks does a tranche get? First fit over those that stand: whole racks, or what others have left of theirs.

A tranche takes what is due to it and not recorded as short, as soon as it stands. What is bound to a tranche that is
yet to begin may be taken by one that begins before it; that one is then bound anew. What has passed to a tranche
stays with it until its end, also where it goes short afterwards: to take it back is for a plan to propose.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator

from forebay.core import supply, timeline
from forebay.core.claims import contracts, shortfall
from forebay.core.claims.calendar import Calendar, Stock
from forebay.core.claims.contracts import Standing, State, Tranche, TrancheBound, TrancheUnbound
from forebay.core.claims.noderuns import joined_runs
from forebay.core.claims.promised_power import power_of
from forebay.core.claims.terms import TranchePlan, Unit
from forebay.core.claims.vacancy import Free
from forebay.core.ids import TrancheId

Runs = tuple[tuple[int, int], ...]


class Room:
    """Watts that nobody else is promised within the term of a tranche, level by level as it is asked."""

    def __init__(
        self,
        calendar: Calendar,
        tranche: Tranche,
        passed_over: Callable[[Tranche], bool],
        siblings: Iterable[tuple[Tranche, Runs]],
        supplied: supply.State,
    ) -> None:
        self._holdings = calendar.holdings
        self._plan = tranche.plan
        self._passed_over = passed_over
        self._siblings = [
            (contracts.term(other.plan), power_of(other.plan, runs, supplied))
            for other, runs in siblings
            if not passed_over(other)
        ]

    def left_w(self, level: supply.PowerLevel) -> int:
        """Watts that a level has left."""
        held = [
            (contracts.term(other.plan), watts)
            for other, watts in self._holdings.loads(level)
            if not self._passed_over(other)
        ]
        held += [(term, power[level]) for term, power in self._siblings if level in power]
        return self._holdings.room_w(level) - timeline.peak(held, contracts.term(self._plan))


def free_racks(
    state: State,
    calendar: Calendar,
    tranche: Tranche,
    siblings: Iterable[tuple[Tranche, Runs]] = (),
    *,
    before_later: bool = False,
) -> Free:
    """Racks of a tranche's stock with the nodes that nobody else has within its term; `before_later`: nobody else
    but those that begin later.
    """
    plan = tranche.plan
    start_at, end_at = plan.start_at, plan.end_at
    taken: list[tuple[int, int]] = []
    signed = (state.tranches[name] for name in calendar.tranches(Stock(plan.site, plan.sku)))
    for other, runs in itertools.chain(((other, other.runs) for other in signed), siblings):
        if not runs or other.standing is Standing.ENDED:
            continue
        if other.plan.start_at >= end_at or other.plan.end_at <= start_at:
            continue
        if not (before_later and _begins_later(other, tranche)):
            taken += runs
    holdings = calendar.holdings
    return Free(holdings.racks(plan.site, plan.sku), holdings.starts(plan.site, plan.sku), taken)


def _begins_later(other: Tranche, tranche: Tranche) -> bool:
    return other.standing is Standing.SIGNED and other.plan.start_at > tranche.plan.start_at


def _in_the_way(other: Tranche, tranche: Tranche, nodes: set[int]) -> bool:
    """Whether one that begins later has any of these nodes within the term of a tranche."""
    return (
        _begins_later(other, tranche)
        and contracts.term(other.plan).overlaps(contracts.term(tranche.plan))
        and any(not nodes.isdisjoint(range(first, first + count)) for first, count in other.runs)
    )


def that_make_room(
    state: State, supplied: supply.State, calendar: Calendar, tranche: Tranche, runs: Runs
) -> list[TrancheId]:
    """Who begins later and gives up what it has, so that a tranche may have these nodes and their power: whoever has
    one of the nodes, and as many as it takes of those on a level that is short, the last to begin first. One that was
    changed asks so for what it has.
    """
    nodes = {node for first, count in runs for node in range(first, first + count)}
    # Nodes are those of a stock: nobody else has any of them.
    here = (state.tranches[name] for name in calendar.tranches(Stock(tranche.plan.site, tranche.plan.sku)))
    leave = [other.plan.id for other in here if _in_the_way(other, tranche, nodes)]
    # What it has of these nodes already is not in its own way.
    own = [tranche.plan.id] if tranche.runs == runs else []
    room = Room(calendar, tranche, lambda other: other.plan.id in {*leave, *own}, (), supplied)
    wanted_w = power_of(tranche.plan, runs, supplied)
    short = {level for level, watts in wanted_w.items() if watts > room.left_w(level)}
    for other in calendar.holdings.last_first(short):
        if not short:
            break
        begins_later = other.plan.id not in leave and _begins_later(other, tranche)
        if begins_later and short & set(power_of(other.plan, other.runs, supplied)):
            leave.append(other.plan.id)
            short = {level for level in short if wanted_w[level] > room.left_w(level)}
    return leave


def spare_w(
    supplied: supply.State,
    calendar: Calendar,
    tranche: Tranche,
    siblings: Iterable[tuple[Tranche, Runs]] = (),
    *,
    before_later: bool = False,
) -> Room:
    """Watts on each level that nobody else is promised within a tranche's term; `before_later` as for racks."""

    def passed_over(other: Tranche) -> bool:
        return before_later and _begins_later(other, tranche)

    return Room(calendar, tranche, passed_over, siblings, supplied)


def fit(free: Free, room: Room, supplied: supply.State, plan: TranchePlan, wanted: int) -> Runs:
    """Nodes for a tranche, as many of those wanted as there are, with power for all of their GPUs that nobody else is
    promised.
    """
    picked, _ = _pick(free, room, supplied, plan, wanted)
    return joined_runs(*((node, 1) for node in picked))


def short_of_power(
    free: Free, room: Room, supplied: supply.State, plan: TranchePlan, wanted: int
) -> tuple[int, supply.PowerLevel] | None:
    """How many of the wanted nodes have power, and the first level that has too little; None where all have."""
    picked, short = _pick(free, room, supplied, plan, wanted)
    return None if short is None or len(picked) == wanted else (len(picked), short)


def _pick(
    free: Free, room: Room, supplied: supply.State, plan: TranchePlan, wanted: int
) -> tuple[list[int], supply.PowerLevel | None]:
    """Rack by rack. All nodes draw the same and the limits form a tree: this finds as many as there can be."""
    sku = supplied.skus[plan.sku]
    at_once: int = sku.nodes_per_rack
    racks: Iterable[supply.Rack] = free.whole(at_once)
    if plan.unit is not Unit.RACK:
        # Fill racks that are already broken into first, so that whole racks stay whole.
        at_once, racks = 1, itertools.chain(free.begun(sku.nodes_per_rack), racks)
    node_w = sku.gpus_per_node * sku.gpu_w
    left_w: dict[supply.PowerLevel, int] = {}
    picked: list[int] = []
    short: supply.PowerLevel | None = None
    for rack in racks:
        if len(picked) + at_once > wanted:
            break
        nodes = free.nodes(rack)
        most = min(len(nodes), wanted - len(picked)) // at_once * at_once
        levels = supply.levels_of(supplied, rack)
        for level in levels:
            if level not in left_w:
                left_w[level] = room.left_w(level)
        tightest = min(levels, key=left_w.__getitem__)
        powered = max(0, left_w[tightest] // node_w) // at_once * at_once
        if powered < most:
            short = short or tightest
        taken = nodes[: min(most, powered)]
        picked += taken
        for level in levels:
            left_w[level] -= len(taken) * node_w
    return picked, short


def bind_more(
    state: State, supplied: supply.State, calendar: Calendar, stocks: Iterable[Stock], at: int
) -> Iterator[TrancheBound | TrancheUnbound]:
    """Tranches of these stocks take what they miss, in order of their start and then of signing. Each event is to be
    applied before the next is asked for.
    """
    for stock in stocks:
        go_short = {short.tranche for short in state.shorts.get(stock, ())}
        for name in [each for each in calendar.tranches(stock) if each in go_short]:
            tranche = state.tranches[name]
            bound = contracts.nodes_bound(tranche)
            # It is to go short of some of this at its start: it is bound anew, without what others get.
            if tranche.standing is Standing.SIGNED and bound > nodes_owed(state, supplied, tranche, at):
                yield TrancheUnbound(name)
        waiting = calendar.holdings.lacking(stock)
        while waiting:
            turn = waiting.pop()
            freed = calendar.holdings.freed
            yield from _bind_one(state, supplied, calendar, turn.tranche, at)
            if calendar.holdings.freed != freed:
                # Who gave something up begins later, and looks for something else in its own turn.
                waiting = [each for each in calendar.holdings.lacking(stock) if each > turn]


def nodes_owed(state: State, supplied: supply.State, tranche: Tranche, at: int) -> int:
    """Nodes that a tranche is to have now, or at its start, as far as it is not recorded to go short of them."""
    when = max(at, tranche.plan.start_at)
    short = shortfall.nodes_short(state, tranche, when)
    return contracts.nodes_due(tranche.plan, supplied, when) - short


def _bind_one(
    state: State, supplied: supply.State, calendar: Calendar, name: TrancheId, at: int
) -> Iterator[TrancheBound | TrancheUnbound]:
    for before_later in (False, True):
        tranche = state.tranches[name]
        wanted = nodes_owed(state, supplied, tranche, at) - contracts.nodes_bound(tranche)
        if wanted <= 0:
            return
        free = free_racks(state, calendar, tranche, before_later=before_later)
        room = spare_w(supplied, calendar, tranche, before_later=before_later)
        runs = fit(free, room, supplied, tranche.plan, wanted)
        if before_later and runs:
            for other in that_make_room(state, supplied, calendar, tranche, runs):
                yield TrancheUnbound(other)
        if runs:
            yield TrancheBound(name, tranche.contract, runs)
    tranche = state.tranches[name]
    if nodes_owed(state, supplied, tranche, at) > contracts.nodes_bound(tranche):
        calendar.holdings.in_vain(name)
