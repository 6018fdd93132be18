"""Who may use how much of what exists, and when: contracts, their tranches, and what binds them to racks.

A contract is a versioned document that holds what both sides signed. A tranche promises a shape (racks or nodes of a
SKU at a site) from an instant to another, at a price per GPU-hour, all at once or delivery by delivery. Signing
checks it against supply and refuses to oversell, then binds it greedily to the whole racks or nodes that stand; the
rest follows as racks come and deliveries fall due. At its start the nodes that are bound pass from the pool to the
tranche, later ones as they are bound; at its end all pass back. Before its start it may be bound anew.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, get_args

from forebay.core import supply, timeline
from forebay.core.claims import rights
from forebay.core.claims.rights import Life, Right, RightEvent
from forebay.core.claims.terms import ContractPlan, PromisePolicy, TranchePlan, Unit
from forebay.core.ids import (
    CapId,
    Command,
    ContractId,
    Event,
    HoldId,
    RightId,
    SiteId,
    SkuId,
    TenantId,
    TrancheId,
)
from forebay.core.supply import PowerLevel
from forebay.core.supply.blocks import Confidence
from forebay.core.timeline import INSTANT_MAX, Due, Dues, Interval


@dataclass(slots=True)
class Hold:
    """Capacity kept for a customer for a while, so that an offer can be thought over."""

    id: HoldId
    tenant: TenantId
    site: SiteId
    sku: SkuId
    nodes: int
    start_at: int
    end_at: int
    #: Until when it is kept.
    expires_at: int
    price_micros_per_gpu_hour: int = 0


# Commands


@dataclass(slots=True)
class SignContract(Command):
    """Both sides signed this document."""

    plan: ContractPlan
    #: Why it is signed although more is promised than there will be; "" where that is not meant.
    override: str = ""
    #: The hold that it uses up; "" for none.
    hold: HoldId = HoldId("")


@dataclass(slots=True)
class HoldCapacity(Command):
    """Keep this for a customer."""

    hold: Hold


@dataclass(slots=True)
class ReleaseHold(Command):
    """It is kept no longer."""

    hold: HoldId


@dataclass(slots=True)
class ApplyPromisePolicy(Command):
    """This policy is to be in force. Versions only grow; the same document twice changes nothing."""

    policy: PromisePolicy


@dataclass(slots=True)
class Short:
    """From `start_at` to `end_at`, a tranche gets so many nodes less than it was promised."""

    tranche: TrancheId
    nodes: int
    start_at: int
    end_at: int


@dataclass(slots=True)
class AllocateShortfall(Command):
    """These go short of a stock from now on, whatever the policy says, until there is more or less to share."""

    site: SiteId
    sku: SkuId
    shorts: tuple[Short, ...]
    reason: str


@dataclass(slots=True)
class Rebinding:
    """All nodes that a tranche is to have, as runs (first, count): in order, neighbours as one."""

    tranche: TrancheId
    runs: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class ProposeBinding(Command):
    """A plan that was made elsewhere: these tranches of one stock are to have these nodes; the others stay."""

    site: SiteId
    sku: SkuId
    #: What it was made for: `rebinding.version` of the stock then.
    version: str
    bindings: tuple[Rebinding, ...]
    #: Nodes that tranches whose term runs would give up although work runs there: more than that is refused.
    moves: int = 0


# Events


@dataclass(slots=True)
class ContractSigned(Event):
    """A contract binds from here on."""

    plan: ContractPlan
    #: What it was checked under: the version of the policy, and how sure supply had to be.
    policy: int = 0
    confidence: Confidence = Confidence.P90
    #: Why it was signed although it did not fit; "" where it did.
    override: str = ""


@dataclass(slots=True)
class TrancheBound(Event):
    """These runs of nodes (first, count) are promised to the tranche for its term, beside those before: where its
    term runs already, they pass to it at once.
    """

    tranche: TrancheId
    contract: ContractId
    runs: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class TrancheUnbound(Event):
    """A tranche whose term is yet to begin gives up its nodes to one that begins before, and is bound anew."""

    tranche: TrancheId


@dataclass(slots=True)
class TrancheRebound(Event):
    """The tranche gave up the first runs of nodes, and has the second in their place; the rest stayed."""

    tranche: TrancheId
    contract: ContractId
    gave: tuple[tuple[int, int], ...]
    took: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class TrancheStarted(Event):
    """The term began: the bound nodes pass from the pool to the tranche."""

    tranche: TrancheId


@dataclass(slots=True)
class TrancheEnded(Event):
    """The term is over: the nodes pass back to the pool."""

    tranche: TrancheId


@dataclass(slots=True)
class TrancheAdded(Event):
    """A contract promises one more tranche, by a right that was exercised."""

    contract: ContractId
    plan: TranchePlan


@dataclass(slots=True)
class CapacityHeld(Event):
    """Capacity is kept for a customer."""

    hold: Hold


@dataclass(slots=True)
class HoldReleased(Event):
    """A hold is over: used, given up, or expired."""

    hold: HoldId
    site: SiteId
    sku: SkuId
    reason: str


@dataclass(slots=True)
class PromisePolicyApplied(Event):
    """What may be promised, and who goes short, from here on."""

    policy: PromisePolicy


@dataclass(slots=True)
class ShortfallAssessed(Event):
    """Who goes short of this stock, and when: all of it, in the place of what was known. Empty when nobody does.

    What lies before the time of record is history: who went short then.
    """

    site: SiteId
    sku: SkuId
    policy: int
    confidence: Confidence
    shorts: tuple[Short, ...]
    #: Why it was shared out by hand; "" where by the policy.
    reason: str = ""


# State


class Standing(StrEnum):
    """Where a tranche is in its life."""

    SIGNED = "signed"
    LIVE = "live"
    ENDED = "ended"


class Tranche(NamedTuple):
    """A tranche as recorded."""

    plan: TranchePlan
    contract: ContractId
    tenant: TenantId
    standing: Standing
    #: Nodes that are bound to it so far, and their GPUs.
    runs: tuple[tuple[int, int], ...] = ()
    gpus: int = 0
    #: When its nodes passed to it, and back; 0 before.
    started_at: int = 0
    ended_at: int = 0
    #: Runs (first, count, when) that passed to it after its term began.
    later: tuple[tuple[int, int, int], ...] = ()


@dataclass(slots=True)
class State:
    """Every contract and tranche."""

    contracts: dict[ContractId, ContractPlan] = field(default_factory=dict)
    tranches: dict[TrancheId, Tranche] = field(default_factory=dict)
    #: Before the first is applied: the defaults, as version 0.
    policy: PromisePolicy = field(default_factory=lambda: PromisePolicy(version=0))
    holds: dict[HoldId, Hold] = field(default_factory=dict)
    rights: dict[RightId, Right] = field(default_factory=dict)
    #: Micro-units that rights drew on each cap of a contract.
    drawn: dict[tuple[ContractId, CapId], int] = field(default_factory=dict)
    #: Who goes short of which stock.
    shorts: dict[tuple[SiteId, SkuId], tuple[Short, ...]] = field(default_factory=dict)
    #: Stocks that are shared out by hand, with the reason.
    by_hand: dict[tuple[SiteId, SkuId], str] = field(default_factory=dict)

    def fork(self) -> State:
        """A copy whose containers are its own."""
        return State(
            self.contracts.copy(), self.tranches.copy(), self.policy, self.holds.copy(), self.rights.copy(),
            self.drawn.copy(), self.shorts.copy(), self.by_hand.copy(),
        )  # fmt: skip


def term(plan: TranchePlan) -> Interval:
    """From when to when a tranche may use its capacity."""
    return Interval(plan.start_at, plan.end_at)


def nodes_each(plan: TranchePlan, supplied: supply.State) -> int:
    """Nodes of one unit of a tranche."""
    return supplied.skus[plan.sku].nodes_per_rack if plan.unit is Unit.RACK else 1


def nodes_promised(plan: TranchePlan, supplied: supply.State) -> int:
    """Nodes that a tranche promises in all."""
    return plan.count * nodes_each(plan, supplied)


def nodes_due(plan: TranchePlan, supplied: supply.State, at: int) -> int:
    """Nodes that a tranche is to have at an instant of its term; before that, those of its start."""
    if not plan.deliveries:
        return nodes_promised(plan, supplied)
    until = max(at, plan.start_at)
    count = sum(delivery.count for delivery in plan.deliveries if delivery.at <= until)
    return count * nodes_each(plan, supplied)


def nodes_bound(tranche: Tranche) -> int:
    """Nodes that are bound to a tranche so far."""
    return sum(count for _, count in tranche.runs)


def held_since(tranche: Tranche, node: int) -> int:
    """Since when a node that is bound to a tranche whose term began is its own."""
    for first, count, at in tranche.later:
        if first <= node < first + count:
            return at
    return tranche.started_at


def commitment(tranche: Tranche, supplied: supply.State) -> list[tuple[int, int]]:
    """What a tranche promises over time, as changes (when, nodes)."""
    plan = tranche.plan
    each = nodes_each(plan, supplied)
    due = [(delivery.at, delivery.count * each) for delivery in plan.deliveries]
    due = due or [(plan.start_at, plan.count * each)]
    end_at = min(plan.end_at, tranche.ended_at or plan.end_at)
    changes = [(when, nodes) for when, nodes in due if when < end_at]
    return [*changes, (end_at, -sum(nodes for _, nodes in changes))]


def owner_of(state: State, node: int) -> TrancheId:
    """The tranche whose term runs that holds a node; "" for none."""
    for name, tranche in state.tranches.items():
        if tranche.standing is Standing.LIVE and any(
            first <= node < first + count for first, count in tranche.runs
        ):
            return name
    return TrancheId("")


def power_of(
    plan: TranchePlan, runs: tuple[tuple[int, int], ...], supplied: supply.State
) -> dict[PowerLevel, int]:
    """Watts of a tranche's nodes with all GPUs at work, on each level above them."""
    sku = supplied.skus[plan.sku]
    found: dict[PowerLevel, int] = {}
    for first, count in runs:
        node, end = first, first + count
        while node < end:
            rack = supply.rack_of(supplied, node)
            nodes = min(end, rack.first_node + rack.nodes) - node
            for level in supply.levels_of(supplied, rack):
                found[level] = found.get(level, 0) + nodes * sku.gpus_per_node * sku.gpu_w
            node += nodes
    return found


def promised_w(
    held: list[tuple[TranchePlan, tuple[tuple[int, int], ...]]], supplied: supply.State, window: Interval
) -> dict[PowerLevel, int]:
    """The most watts that are promised on each level at any instant of `window`; levels without any are left out."""
    loads: dict[PowerLevel, list[tuple[Interval, int]]] = {}
    for plan, runs in held:
        if term(plan).overlaps(window):
            for level, watts in power_of(plan, runs, supplied).items():
                loads.setdefault(level, []).append((term(plan), watts))
    return {level: timeline.peak(entries, window) for level, entries in loads.items()}


def contract_for(state: State, tenant: TenantId, *, spot: bool) -> ContractPlan | None:
    """The tenant's first contract that allows spot, or on demand, in order of signing: later ones change nothing."""
    for plan in state.contracts.values():
        if plan.tenant == tenant and (plan.spot if spot else plan.on_demand):
            return plan
    return None


def offer_on(state: State, hold: HoldId) -> Right | None:
    """The right whose holder may still take what is held; None where it is on offer to nobody."""
    open_ = (right for right in state.rights.values() if right.life is Life.OFFERED and right.hold == hold)
    return next(open_, None)


def held_until(hold: Hold, until_at: int) -> Hold:
    """A hold that is kept for longer."""
    return Hold(
        hold.id, hold.tenant, hold.site, hold.sku, hold.nodes, hold.start_at, hold.end_at,
        max(until_at, hold.expires_at), hold.price_micros_per_gpu_hour,
    )  # fmt: skip


def wake(state: State, due: Due, emit: supply.Emit) -> None:
    """A term begins or ends, or a hold expires."""
    if due.what == "hold":
        hold = state.holds[HoldId(due.about)]
        offered = offer_on(state, hold.id)
        lapse = rights.lapse(offered, state.policy.notice_grace_s) if offered else None
        if lapse is not None:
            # The clock of the offer was stopped, or its grace grew: what is on offer is kept for as long.
            emit(CapacityHeld(held_until(hold, lapse.at)))
        else:
            emit(HoldReleased(hold.id, hold.site, hold.sku, "expired"))
        return
    change = TrancheStarted if due.what == "tranche_start" else TrancheEnded
    emit(change(TrancheId(due.about)))


def due(tranche: Tranche) -> Due | None:
    """When a tranche next begins or ends by itself."""
    if tranche.standing is Standing.SIGNED:
        return Due(tranche.plan.start_at, "tranche_start", tranche.plan.id, 0)
    if tranche.standing is Standing.LIVE:
        return Due(tranche.plan.end_at, "tranche_end", tranche.plan.id, 0)
    return None


def deliveries_due(tranche: Tranche) -> list[Due]:
    """When a tranche whose term runs is to have more. It does no harm to look at one twice."""
    plan = tranche.plan
    later = plan.deliveries[1:] if tranche.standing is Standing.LIVE else ()
    return [Due(delivery.at, "tranche_delivery", plan.id, 0) for delivery in later]


def meant(state: State, entry: Due) -> bool:
    """Whether a due time still means something."""
    if entry.what == "hold":
        hold = state.holds.get(HoldId(entry.about))
        return hold is not None and hold.expires_at == entry.at
    if entry.what in ("deadline", "measure"):
        return entry in _right_dues(state, state.rights[RightId(entry.about)])
    tranche = state.tranches[TrancheId(entry.about)]
    return due(tranche) == entry or entry in deliveries_due(tranche)


def _right_dues(state: State, right: Right) -> list[Due]:
    found = (rights.lapse(right, state.policy.notice_grace_s), rights.measuring(right))
    return [entry for entry in found if entry is not None]


def dues(state: State) -> Dues:
    """The heap of due times, made again from the state."""
    found = [entry for entry in map(due, state.tranches.values()) if entry is not None]
    found += [entry for tranche in state.tranches.values() for entry in deliveries_due(tranche)]
    found += [entry for right in state.rights.values() for entry in _right_dues(state, right)]
    return Dues(found + [Due(hold.expires_at, "hold", hold.id, 0) for hold in state.holds.values()])


def apply(state: State, supplied: supply.State, heap: Dues, event: Event, at: int) -> None:
    """Apply one event of this stage."""
    match event:
        case ContractSigned():
            state.contracts[event.plan.id] = event.plan
            ends = {plan.id: plan.end_at for plan in event.plan.tranches}
            for stated in event.plan.rights:
                closes_at = rights.closing(stated, ends.get(stated.tranche, 0))
                right = Right(stated, event.plan.id, event.plan.tenant, closes_at=closes_at)
                _keep_right(state, heap, right)
            for plan in event.plan.tranches:
                made = Tranche(plan, event.plan.id, event.plan.tenant, Standing.SIGNED)
                state.tranches[plan.id] = made
                _push(heap, made)
        case TrancheBound():
            was = state.tranches[event.tranche]
            nodes = sum(count for _, count in event.runs)
            gpus = nodes * supplied.skus[was.plan.sku].gpus_per_node
            runs = joined_runs(*was.runs, *event.runs)
            later = was.later
            if was.standing is Standing.LIVE and at > was.started_at:
                later = (*later, *((first, count, at) for first, count in event.runs))
            state.tranches[event.tranche] = was._replace(runs=runs, gpus=was.gpus + gpus, later=later)
        case TrancheUnbound():
            was = state.tranches[event.tranche]
            state.tranches[event.tranche] = was._replace(runs=(), gpus=0)
        case TrancheRebound():
            state.tranches[event.tranche] = _rebound(state.tranches[event.tranche], event, supplied, at)
        case TrancheStarted():
            was = state.tranches[event.tranche]
            live = was._replace(standing=Standing.LIVE, started_at=at)
            state.tranches[event.tranche] = live
            _push(heap, live)
            for entry in deliveries_due(live):
                heap.push(entry)
        case TrancheEnded():
            was = state.tranches[event.tranche]
            state.tranches[event.tranche] = was._replace(standing=Standing.ENDED, ended_at=at)
        case TrancheAdded():
            tranche = Tranche(
                event.plan, event.contract, state.contracts[event.contract].tenant, Standing.SIGNED
            )
            state.tranches[event.plan.id] = tranche
            _push(heap, tranche)
        case rights.RightExercised():
            was_right = state.rights[event.right]
            _keep_right(state, heap, rights.advanced(was_right, event))
            cap = (was_right.contract, was_right.plan.cap)
            if was_right.plan.cap:
                state.drawn[cap] = state.drawn.get(cap, 0) + event.drawn_micros
        case (
            rights.SaleOffered()
            | rights.RightWaived()
            | rights.RightLapsed()
            | rights.BackstopMeasured()
            | rights.ClockResumed()
        ):
            _keep_right(state, heap, rights.advanced(state.rights[event.right], event))
        case CapacityHeld():
            state.holds[event.hold.id] = event.hold
            heap.push(Due(event.hold.expires_at, "hold", event.hold.id, 0))
        case HoldReleased():
            del state.holds[event.hold]
            for right in state.rights.values():
                if any(hold == event.hold for hold, _ in right.passed):
                    state.rights[right.plan.id] = rights.forget_sale(right, event.hold)
        case PromisePolicyApplied():
            state.policy = event.policy
            for right in state.rights.values():
                _keep_right(state, heap, right)
        case ShortfallAssessed():
            stock = (event.site, event.sku)
            state.shorts.pop(stock, None)
            state.by_hand.pop(stock, None)
            if event.shorts:
                state.shorts[stock] = event.shorts
            if event.reason:
                state.by_hand[stock] = event.reason


def _rebound(was: Tranche, event: TrancheRebound, supplied: supply.State, at: int) -> Tranche:
    """A tranche with other nodes; where its term runs, what it took is its own from now on."""
    runs = joined_runs(*runs_less(was.runs, event.gave), *event.took)
    gpus = sum(count for _, count in runs) * supplied.skus[was.plan.sku].gpus_per_node
    later = tuple(
        (first, count, since)
        for start, nodes, since in was.later
        for first, count in runs_less(((start, nodes),), event.gave)
    )
    if was.standing is Standing.LIVE and at > was.started_at:
        later = (*later, *((first, count, at) for first, count in event.took))
    return was._replace(runs=runs, gpus=gpus, later=later)


def _keep_right(state: State, heap: Dues, right: Right) -> None:
    """Record a right, and when it changes by itself."""
    state.rights[right.plan.id] = right
    for entry in _right_dues(state, right):
        heap.push(entry)


def _push(heap: Dues, tranche: Tranche) -> None:
    entry = due(tranche)
    assert entry is not None, "what was bound or began has an end"
    heap.push(entry)


def joined_runs(*runs: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """Runs (first, count) that do not overlap, in order, neighbours as one."""
    joined: list[tuple[int, int]] = []
    for first, count in sorted(runs):
        if joined and sum(joined[-1]) == first:
            joined[-1] = (joined[-1][0], joined[-1][1] + count)
        else:
            joined.append((first, count))
    return tuple(joined)


def runs_less(
    runs: tuple[tuple[int, int], ...], others: tuple[tuple[int, int], ...]
) -> tuple[tuple[int, int], ...]:
    """What is left of runs without the nodes of others, in order."""
    left: list[tuple[int, int]] = []
    taken = sorted(others)
    for first, count in sorted(runs):
        end = first + count
        for start, size in taken[max(0, bisect.bisect_right(taken, (first,)) - 1) :]:
            if start >= end:
                break
            if start > first:
                left.append((first, start - first))
            first = max(first, start + size)
        if first < end:
            left.append((first, end - first))
    return tuple(left)


EVENTS: tuple[type[Event], ...] = (
    ContractSigned, TrancheAdded, TrancheBound, TrancheUnbound, TrancheRebound, TrancheStarted, TrancheEnded,
    CapacityHeld, HoldReleased, PromisePolicyApplied, ShortfallAssessed, *get_args(RightEvent),
)  # fmt: skip


def check(state: State, supplied: supply.State) -> Iterator[str]:
    """Invariant 4, of nodes and their power: none is promised twice at one instant; and what rights and holds say
    agrees.
    """
    held = [tranche for tranche in state.tranches.values() if tranche.standing is not Standing.ENDED]
    for place, one in enumerate(held):
        for other in held[place + 1 :]:
            if not term(one.plan).overlaps(term(other.plan)):
                continue
            for a, m in one.runs:
                for b, n in other.runs:
                    if a < b + n and b < a + m:
                        yield f"tranches {one.plan.id} and {other.plan.id} are bound to the same nodes"
    room_w = supply.room_w(supplied)
    plans = [(tranche.plan, tranche.runs) for tranche in held]
    for level, watts in promised_w(plans, supplied, Interval(0, INSTANT_MAX)).items():
        if watts > room_w[level]:
            yield f"{watts} W are promised on {level.kind} {level.name}, which has room for {room_w[level]} W of work"
    for name, right in state.rights.items():
        open_ = [right.hold] if right.life is Life.OFFERED else []
        for hold in [*open_, *(passed for passed, _ in right.passed)]:
            if hold not in state.holds:
                yield f"right {name}: the sale that it is about, {hold}, is not held"
    for contract in state.contracts.values():
        for cap in contract.caps:
            if state.drawn.get((contract.id, cap.id), 0) > cap.micros:
                yield f"contract {contract.id}: more is drawn on cap {cap.id} than it has"
