"""May these racks be bound to these tranches? The door for plans that were made outside the loop.

Signing binds at once and greedily. A planner takes its time, and proposes for one stock which nodes its tranches are
to have in the place of those they have. A plan names the version of the stock that it was made for. It is taken
whole, or refused and to be made again:

- everything that it rests on is as it was: who is bound to what, whose terms run, which racks stand;
- shapes hold, nothing is bound twice at one instant, nobody has fewer nodes than before, nor more than it is owed;
- all power that is promised then is there;
- of tranches whose term runs no more nodes with work on them are given up than the plan says, and none are taken that
  are out of service or run work on demand: that is somebody else's, and stays. (Work on spot is moved, as ever.)

A tranche whose term has not begun has no work yet: its nodes may change freely.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator, Mapping
from typing import NamedTuple

from forebay.core import supply
from forebay.core.claims import binding, calendar, contracts
from forebay.core.claims.binding import Runs
from forebay.core.claims.calendar import Stock
from forebay.core.claims.contracts import Standing, State, Tranche
from forebay.core.claims.noderuns import nodes_in, runs_less
from forebay.core.claims.promised_power import promised_w
from forebay.core.claims.terms import TranchePlan, Unit
from forebay.core.ids import Answer, NodeIndex, Refusal, TrancheId
from forebay.core.timeline import INSTANT_MAX, Interval


class Work(NamedTuple):
    """Where work is to run on: asked node by node."""

    #: Any work at all.
    nodes: Container[int]
    #: Work that was taken in on demand, and so is nobody's to move.
    on_demand: Container[int]


class _Change(NamedTuple):
    tranche: Tranche
    runs: Runs
    gave: Runs
    took: Runs


def bindable(state: State, stock: Stock) -> list[Tranche]:
    """Tranches of a stock that have not ended, in order of signing."""
    return [
        tranche
        for tranche in state.tranches.values()
        if tranche.standing is not Standing.ENDED and calendar.stock_of(tranche.plan) == stock
    ]


def version(state: State, supplied: supply.State, stock: Stock) -> str:
    """What a binding of a stock rests on, as a digest: its racks, its tranches with all that they have, and who goes
    short.

    Racks are only added, and never change; so their number names them.
    """
    racks = sum(rack.sku == stock.sku and rack.site == stock.site for rack in supplied.racks.values())
    told = [f"{stock.site} {stock.sku} {racks}"]
    for tranche in bindable(state, stock):
        plan = tranche.plan
        told.append(
            f"{plan.id} {tranche.standing.value} {plan.start_at} {plan.end_at} {plan.unit.value} {plan.count}"
        )
        told.append(f"{tranche.runs}")
    told += [
        f"{short.tranche} {short.nodes} {short.start_at} {short.end_at}"
        for short in state.shorts.get(stock, ())
    ]
    return f"1:{hashlib.sha256(chr(10).join(told).encode()).hexdigest()[:32]}"


def rebind(
    state: State,
    supplied: supply.State,
    command: contracts.ProposeBinding,
    work: Work,
    at: int,
    emit: supply.Emit,
) -> Answer | Refusal:
    """Take a plan. Refuses, in this order: unknown_tranche; stale_plan (the version); for each tranche in turn
    bad_binding (twice in the plan, not runs in order, nodes of another stock, not whole racks, more nodes than
    promised, fewer than it has, more than it is owed by now); bad_binding (two tranches on one node at one instant;
    more power promised than there is); for each tranche in turn whose term runs stale_plan (a node that it would take
    is out of service), bad_binding (work on demand runs there); stale_plan (work runs by now on more nodes than were
    to be given up).
    """
    stock = Stock(command.site, command.sku)
    held = {tranche.plan.id: tranche for tranche in bindable(state, stock)}
    for place, wanted in enumerate(command.bindings):
        if wanted.tranche not in held:
            told = f"{command.sku} at {command.site} has no tranche {wanted.tranche} that has not ended"
            return Refusal("unknown_tranche", told, f"bindings[{place}].tranche")
    if command.version != version(state, supplied, stock):
        told = f"{command.sku} at {command.site} has changed since the plan was made: make it again"
        return Refusal("stale_plan", told, "version")
    for place, wanted in enumerate(command.bindings):
        wrong = _wrong(state, supplied, held[wanted.tranche], wanted.runs, at)
        if any(other.tranche == wanted.tranche for other in command.bindings[:place]):
            wrong = "stands in the plan twice"
        if wrong:
            return Refusal("bad_binding", f"tranche {wanted.tranche} {wrong}", f"bindings[{place}].runs")
    planned = {wanted.tranche: wanted.runs for wanted in command.bindings}
    twice = next(shared([(t.plan, planned.get(name, t.runs)) for name, t in held.items()]), None)
    if twice is not None:
        told = f"tranches {twice.one} and {twice.other} would both have node {twice.node} at one instant"
        return Refusal("bad_binding", told, "bindings")
    overdrawn = beyond_power(state, supplied, planned)
    if overdrawn:
        return Refusal("bad_binding", overdrawn, "bindings")
    changes = [_change(held[wanted.tranche], wanted.runs) for wanted in command.bindings]
    changes = [change for change in changes if change.gave or change.took]
    moved = _refuse_moves(supplied, changes, command.moves, work)
    if isinstance(moved, Refusal):
        return moved
    for change in changes:
        plan = change.tranche.plan
        emit(
            contracts.TrancheRebound(
                plan.id, change.tranche.contract, change.gave, change.took, command.version
            )
        )
    rebound = {change.tranche.plan.id: [list(run) for run in change.runs] for change in changes}
    return {"site": command.site, "sku": command.sku, "rebound": rebound, "moves": moved}


def _change(tranche: Tranche, runs: Runs) -> _Change:
    return _Change(tranche, runs, runs_less(tranche.runs, runs), runs_less(runs, tranche.runs))


def _wrong(state: State, supplied: supply.State, tranche: Tranche, runs: Runs, at: int) -> str:
    """What is wrong with these nodes for a tranche that has some already, in words; "" when nothing is."""
    wrong = misshapen(supplied, tranche.plan, runs)
    if wrong:
        return wrong
    had, has = contracts.nodes_bound(tranche), nodes_in(runs)
    if has < had:
        return f"would have {has} nodes, fewer than the {had} that it has"
    owed = max(had, binding.nodes_owed(state, supplied, tranche, at))
    return f"is owed {owed} nodes by now, not {has}" if has > owed else ""


def beyond_power(state: State, supplied: supply.State, planned: Mapping[TrancheId, Runs]) -> str:
    """Where more power would be promised than there is if these tranches had these nodes, in words; "" if nowhere.
    Feeds are those of one site: only tranches there count.
    """
    sites = {state.tranches[name].plan.site for name in planned}
    held = [
        (tranche.plan, planned.get(name, tranche.runs))
        for name, tranche in state.tranches.items()
        if tranche.plan.site in sites and tranche.standing is not Standing.ENDED
    ]
    room_w = supply.room_w(supplied)
    for level, watts in promised_w(held, supplied, Interval(0, INSTANT_MAX)).items():
        if watts > room_w[level]:
            there = f"{level.kind} {level.name}, which has room for {room_w[level]} W of work"
            return f"{watts} W would be promised on {there}"
    return ""


def misshapen(supplied: supply.State, plan: TranchePlan, runs: Runs) -> str:
    """What is wrong with these nodes for a tranche, in words; "" when nothing is."""
    free_from = -1
    for first, count in runs:
        if first <= free_from or count < 1 or first + count > supplied.nodes:
            return "has runs that are not in order, or of nodes that are not there"
        free_from = first + count
    whole = plan.unit is Unit.RACK
    per_rack = supplied.skus[plan.sku].nodes_per_rack
    for first, count in runs:
        node = first
        while node < first + count:
            rack = supply.rack_of(supplied, node)
            if (rack.site, rack.sku) != (plan.site, plan.sku):
                return f"would have nodes of rack {rack.id}: {rack.sku} at {rack.site}"
            rack_end = rack.first_node + rack.nodes
            if whole and not (
                rack.nodes == per_rack and node == rack.first_node and rack_end <= first + count
            ):
                return f"would have a part of rack {rack.id}, and is promised whole racks"
            node = rack_end
    promised = contracts.nodes_promised(plan, supplied)
    return f"is promised {promised} nodes, not {nodes_in(runs)}" if nodes_in(runs) > promised else ""


class Shared(NamedTuple):
    """A node that two tranches have at one instant."""

    node: int
    one: TrancheId
    other: TrancheId


def shared(bound: list[tuple[TranchePlan, Runs]]) -> Iterator[Shared]:
    """Nodes that are bound to two tranches whose terms overlap, the first of each two runs."""
    starts = sorted(
        (first, first + count, place) for place, (_, runs) in enumerate(bound) for first, count in runs
    )
    open_: list[tuple[int, int]] = []
    for first, end, place in starts:
        open_ = [(other_end, other) for other_end, other in open_ if other_end > first]
        for _, other in open_:
            one, two = bound[other][0], bound[place][0]
            if contracts.term(one).overlaps(contracts.term(two)):
                yield Shared(first, one.id, two.id)
        open_.append((end, place))


def _refuse_moves(supplied: supply.State, changes: list[_Change], moves: int, work: Work) -> int | Refusal:
    """How many nodes with work on them are given up, if no more than `moves`."""
    moved = 0
    for change in changes:
        if change.tranche.standing is not Standing.LIVE:
            continue
        moved += sum(node in work.nodes for node in _each(change.gave))
        for node in _each(change.took):
            out = not supply.usable(supplied, NodeIndex(node))
            if out or node in work.on_demand:
                why = "which is out of service: make the plan again" if out else "where work on demand runs"
                told = (
                    f"tranche {change.tranche.plan.id} would take {supply.node_name(supplied, node)}, {why}"
                )
                return Refusal("stale_plan" if out else "bad_binding", told, "bindings")
    if moved > moves:
        told = f"work runs on {moved} nodes that would be given up, and the plan says {moves}: make it again"
        return Refusal("stale_plan", told, "moves")
    return moved


def _each(runs: Runs) -> Iterator[int]:
    for first, count in runs:
        yield from range(first, first + count)


def check_bound(state: State, supplied: supply.State) -> Iterator[str]:
    """What is wrong with the shapes of what tranches have that have not ended, in words."""
    for tranche in state.tranches.values():
        wrong = misshapen(supplied, tranche.plan, tranche.runs)
        if wrong and tranche.standing is not Standing.ENDED:
            yield f"tranche {tranche.plan.id} {wrong}"
