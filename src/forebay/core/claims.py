"""Who may use how much of what exists, and when: contracts, their tranches, and what binds them to racks.

A contract is a versioned document that holds what both sides signed. A tranche promises a shape (racks or nodes of a
SKU at a site) from an instant to another, at a price per GPU-hour. Signing checks it against supply and refuses to
oversell, then binds it greedily to whole racks or nodes; at its start the nodes pass from the pool to the tranche, at
its end they pass back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from forebay.core import supply, timeline
from forebay.core.ids import (
    Answer,
    Command,
    ContractId,
    Event,
    Refusal,
    SiteId,
    SkuId,
    TenantId,
    TrancheId,
    refuse_name,
)
from forebay.core.supply import PowerLevel
from forebay.core.timeline import INSTANT_MAX, Due, Dues, Interval
from forebay.core.units import MINOR_DIGITS

#: A billion dollars for one GPU-hour: keeps a slip of the pen out of the books.
PRICE_MICROS_MAX = 10**15
PPM = 1_000_000
#: A month: a loan that comes back later than that is no loan.
RECLAIM_S_MAX = 31 * 24 * 3600


class Unit(StrEnum):
    """What a tranche counts: whole racks (NVLink domains), or nodes anywhere at the site."""

    RACK = "rack"
    NODE = "node"


class Coverage(StrEnum):
    """What forebay does about a clause that is not part of the model."""

    MODELLED = "modelled"
    WATCHED = "watched"
    NOT_HANDLED = "not_handled"


@dataclass(slots=True)
class Lending:
    """Under which terms idle capacity of a tranche may be lent out."""

    #: From the owner's need to the return of the capacity: grace, tenant scrub and checks included.
    reclaim_deadline_s: int
    #: The owner's share of what the borrower pays, parts per million.
    owner_share_ppm: int


@dataclass(slots=True)
class TranchePlan:
    """A tranche as a contract states it."""

    id: TrancheId
    site: SiteId
    sku: SkuId
    unit: Unit
    count: int
    start_at: int
    end_at: int
    price_micros_per_gpu_hour: int
    #: None where lending is not allowed.
    lending: Lending | None = None


@dataclass(slots=True)
class Clause:
    """A clause outside the model, and what is done about it."""

    title: str
    coverage: Coverage


@dataclass(slots=True)
class ContractPlan:
    """A contract as its file states it."""

    id: ContractId
    version: int
    seller: str
    tenant: TenantId
    #: ISO 4217.
    currency: str
    tranches: tuple[TranchePlan, ...] = ()
    #: Whether the tenant may also run on demand, and on spot, at the price list in force.
    on_demand: bool = False
    spot: bool = False
    clauses: tuple[Clause, ...] = ()


# Commands


@dataclass(slots=True)
class SignContract(Command):
    """Both sides signed this document."""

    plan: ContractPlan


# Events


@dataclass(slots=True)
class ContractSigned(Event):
    """A contract binds from here on."""

    plan: ContractPlan


@dataclass(slots=True)
class TrancheBound(Event):
    """These runs of nodes (first, count) are promised to the tranche for its term."""

    tranche: TrancheId
    contract: ContractId
    runs: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class TrancheStarted(Event):
    """The term began: the bound nodes pass from the pool to the tranche."""

    tranche: TrancheId


@dataclass(slots=True)
class TrancheEnded(Event):
    """The term is over: the nodes pass back to the pool."""

    tranche: TrancheId


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
    runs: tuple[tuple[int, int], ...]
    gpus: int
    #: When its nodes passed to it, and back; 0 before.
    started_at: int = 0
    ended_at: int = 0


@dataclass(slots=True)
class State:
    """Every contract and tranche."""

    contracts: dict[ContractId, ContractPlan] = field(default_factory=dict)
    tranches: dict[TrancheId, Tranche] = field(default_factory=dict)

    def fork(self) -> State:
        """A copy whose containers are its own."""
        return State(self.contracts.copy(), self.tranches.copy())


def term(plan: TranchePlan) -> Interval:
    """From when to when a tranche may use its capacity."""
    return Interval(plan.start_at, plan.end_at)


def nodes_promised(plan: TranchePlan, supplied: supply.State) -> int:
    """Nodes that a tranche promises."""
    return plan.count * (supplied.skus[plan.sku].nodes_per_rack if plan.unit is Unit.RACK else 1)


def committed(state: State, supplied: supply.State, sku: SkuId, site: SiteId, window: Interval) -> int:
    """The most nodes of a SKU at a site that are promised at any instant of `window`."""
    loads = [
        (term(tranche.plan), nodes_promised(tranche.plan, supplied))
        for tranche in state.tranches.values()
        if tranche.plan.sku == sku and tranche.plan.site == site
    ]
    return timeline.peak(loads, window)


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


# Decisions


def sign(
    state: State, supplied: supply.State, command: SignContract, at: int, emit: supply.Emit
) -> Answer | Refusal:
    """Sign and bind. Refuses, in this order: contract_differs, bad_id (contract, seller, tenant), bad_quantity
    (version), unknown_currency; for each tranche in turn bad_id, duplicate_id, unknown_site, unknown_sku,
    bad_quantity (count), bad_term, bad_price, bad_lending; then for each in turn oversold, no_whole_racks, no_power.
    Signing what is already signed, word for word, changes nothing.
    """
    plan = command.plan
    known = state.contracts.get(plan.id)
    if known is not None and known == plan:
        return {"contract": plan.id, "signed": False, "tranches": {}}
    if known is not None:
        return Refusal(
            "contract_differs",
            f"contract {plan.id} is signed with other terms; an amendment is not this command",
        )
    no = (
        refuse_name(plan.id, "id") or refuse_name(plan.seller, "seller") or refuse_name(plan.tenant, "tenant")
    )
    if no is None and "." in plan.tenant:
        # Gangs are called TENANT.NAME: two tenants must not be able to mean the same one.
        no = Refusal("bad_id", f"tenant {plan.tenant}: the name of a tenant has no dot", "tenant")
    if no is not None:
        return no
    if plan.version != 1:
        return Refusal(
            "bad_quantity", f"contract {plan.id}: the first version is 1, not {plan.version}", "version"
        )
    if plan.currency not in MINOR_DIGITS:
        return Refusal(
            "unknown_currency",
            f"currency {plan.currency} is not one of {', '.join(MINOR_DIGITS)}",
            "currency",
        )
    taken = set(state.tranches)
    for place, tranche in enumerate(plan.tranches):
        where = f"tranches[{place}]"
        no = refuse_name(tranche.id, f"{where}.id")
        if no is None and tranche.id in taken:
            no = Refusal("duplicate_id", f"tranche {tranche.id} exists already", f"{where}.id")
        taken.add(tranche.id)
        no = no or _refuse_tranche(supplied, tranche, at, where)
        if no is not None:
            return no
    bound: dict[TrancheId, tuple[tuple[int, int], ...]] = {}
    for place, tranche in enumerate(plan.tranches):
        binding = _bind(state, supplied, tranche, plan.tranches[:place], bound, f"tranches[{place}]")
        if isinstance(binding, Refusal):
            return binding
        bound[tranche.id] = binding
    emit(ContractSigned(plan))
    for tranche_id, runs in bound.items():
        emit(TrancheBound(tranche_id, plan.id, runs))
    for tranche in plan.tranches:
        if tranche.start_at <= at:
            emit(TrancheStarted(tranche.id))
    return {
        "contract": plan.id,
        "signed": True,
        "tranches": {tranche: [list(run) for run in runs] for tranche, runs in bound.items()},
    }


def _refuse_tranche(supplied: supply.State, plan: TranchePlan, at: int, where: str) -> Refusal | None:
    if plan.site not in supplied.sites:
        known = ", ".join(sorted(supplied.sites)) or "none"
        return Refusal(
            "unknown_site",
            f"tranche {plan.id}: there is no site {plan.site} (known: {known})",
            f"{where}.site",
        )
    if plan.sku not in supplied.skus:
        return Refusal(
            "unknown_sku", f"tranche {plan.id}: SKU {plan.sku} is not in the catalogue", f"{where}.sku"
        )
    if plan.count < 1:
        return Refusal(
            "bad_quantity", f"tranche {plan.id}: count is {plan.count}, at least 1 is meant", f"{where}.count"
        )
    if not max(plan.start_at, at) < plan.end_at <= INSTANT_MAX:
        return Refusal("bad_term", f"tranche {plan.id} is over before it starts", f"{where}.end")
    if not 0 <= plan.price_micros_per_gpu_hour <= PRICE_MICROS_MAX:
        return Refusal("bad_price", f"tranche {plan.id}: price out of range", f"{where}.price")
    lending = plan.lending
    if lending is not None and not (
        0 < lending.reclaim_deadline_s <= RECLAIM_S_MAX and 0 <= lending.owner_share_ppm <= PPM
    ):
        return Refusal(
            "bad_lending", f"tranche {plan.id}: reclaim deadline or share out of range", f"{where}.lending"
        )
    return None


def _bind(
    state: State,
    supplied: supply.State,
    plan: TranchePlan,
    siblings: tuple[TranchePlan, ...],
    bound: dict[TrancheId, tuple[tuple[int, int], ...]],
    where: str,
) -> tuple[tuple[int, int], ...] | Refusal:
    """First fit over racks in order: whole racks, or the rest of racks that others have begun; with power for all of
    their GPUs that is promised to nobody else. All nodes draw the same and the limits form a tree: this finds as many
    as there can be.
    """
    taken: set[int] = set()
    others = [(t.plan, t.runs) for t in state.tranches.values()] + [(p, bound[p.id]) for p in siblings]
    for other, runs in others:
        if term(other).overlaps(term(plan)):
            for first, count in runs:
                taken.update(range(first, first + count))
    racks = [supplied.racks[r] for r in supplied.rack_order]
    racks = [rack for rack in racks if rack.sku == plan.sku and rack.site == plan.site]
    sku = supplied.skus[plan.sku]
    wanted = nodes_promised(plan, supplied)
    free = {
        rack.id: [n for n in range(rack.first_node, rack.first_node + rack.nodes) if n not in taken]
        for rack in racks
    }
    left = sum(map(len, free.values()))
    if left < wanted:
        return Refusal(
            "oversold",
            f"tranche {plan.id} promises {wanted} nodes of {plan.sku} at {plan.site}; "
            f"{left} of {sum(rack.nodes for rack in racks)} are not committed over its term",
            f"{where}.count",
        )
    picked: list[int] = []
    if plan.unit is Unit.RACK:
        whole = [rack for rack in racks if len(free[rack.id]) == rack.nodes == sku.nodes_per_rack]
        if len(whole) < plan.count:
            return Refusal(
                "no_whole_racks",
                f"tranche {plan.id} promises {plan.count} whole racks; {len(whole)} are wholly free over its term",
                f"{where}.count",
            )
        racks, at_once = whole, sku.nodes_per_rack
    else:
        # Fill racks that are already broken into first, so that whole racks stay whole.
        racks, at_once = sorted(racks, key=lambda rack: len(free[rack.id]) == rack.nodes), 1
    room_w = supply.room_w(supplied)
    for level, watts in promised_w(others, supplied, term(plan)).items():
        room_w[level] -= watts
    node_w = sku.gpus_per_node * sku.gpu_w
    short: PowerLevel | None = None
    for rack in racks:
        levels = supply.levels_of(supplied, rack)
        tightest = min(levels, key=lambda level: room_w[level])
        most = room_w[tightest] // node_w // at_once * at_once
        nodes = free[rack.id][: wanted - len(picked)]
        if most < len(nodes):
            short, nodes = short or tightest, nodes[: max(0, most)]
        picked += nodes
        for level in levels:
            room_w[level] -= len(nodes) * node_w
    if len(picked) < wanted:
        assert short is not None, "what is short is power: there were nodes enough"
        return Refusal(
            "no_power",
            f"tranche {plan.id} promises {wanted} nodes of {plan.sku}, {node_w} W each; of those that are free over "
            f"its term {len(picked)} have power that nobody else is promised: {short.kind} {short.name} has no more",
            f"{where}.count",
        )
    return runs_of(picked)


def runs_of(nodes: list[int]) -> tuple[tuple[int, int], ...]:
    """Node indexes as runs (first, count) of neighbours, in order."""
    runs: list[tuple[int, int]] = []
    for node in sorted(nodes):
        if runs and sum(runs[-1]) == node:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((node, 1))
    return tuple(runs)


def wake(due: Due, emit: supply.Emit) -> None:
    """A term begins or ends."""
    change = TrancheStarted if due.what == "tranche_start" else TrancheEnded
    emit(change(TrancheId(due.about)))


def due(tranche: Tranche) -> Due | None:
    """When a tranche next changes by itself."""
    if tranche.standing is Standing.SIGNED:
        return Due(tranche.plan.start_at, "tranche_start", tranche.plan.id, 0)
    if tranche.standing is Standing.LIVE:
        return Due(tranche.plan.end_at, "tranche_end", tranche.plan.id, 0)
    return None


def meant(state: State, entry: Due) -> bool:
    """Whether a due time still means something."""
    return due(state.tranches[TrancheId(entry.about)]) == entry


def dues(state: State) -> Dues:
    """The heap of due times, made again from the state."""
    return Dues(entry for entry in map(due, state.tranches.values()) if entry is not None)


def apply(state: State, supplied: supply.State, heap: Dues, event: Event, at: int) -> None:
    """Apply one event of this stage."""
    match event:
        case ContractSigned():
            state.contracts[event.plan.id] = event.plan
        case TrancheBound():
            contract = state.contracts[event.contract]
            plan = next(plan for plan in contract.tranches if plan.id == event.tranche)
            nodes = sum(count for _, count in event.runs)
            gpus = nodes * supplied.skus[plan.sku].gpus_per_node
            made = Tranche(plan, contract.id, contract.tenant, Standing.SIGNED, event.runs, gpus)
            state.tranches[event.tranche] = made
            _push(heap, made)
        case TrancheStarted():
            was = state.tranches[event.tranche]
            state.tranches[event.tranche] = was._replace(standing=Standing.LIVE, started_at=at)
            _push(heap, state.tranches[event.tranche])
        case TrancheEnded():
            was = state.tranches[event.tranche]
            state.tranches[event.tranche] = was._replace(standing=Standing.ENDED, ended_at=at)


def _push(heap: Dues, tranche: Tranche) -> None:
    entry = due(tranche)
    assert entry is not None, "what was bound or began has an end"
    heap.push(entry)


EVENTS: tuple[type[Event], ...] = (ContractSigned, TrancheBound, TrancheStarted, TrancheEnded)


def check(state: State, supplied: supply.State) -> Iterator[str]:
    """Invariant 4: no node is promised twice at one instant, and no more is promised than stands there."""
    held = list(state.tranches.values())
    for place, one in enumerate(held):
        for other in held[place + 1 :]:
            if not term(one.plan).overlaps(term(other.plan)):
                continue
            for a, m in one.runs:
                for b, n in other.runs:
                    if a < b + n and b < a + m:
                        yield f"tranches {one.plan.id} and {other.plan.id} are bound to the same nodes"
    for tranche in held:
        promised = committed(state, supplied, tranche.plan.sku, tranche.plan.site, term(tranche.plan))
        stands = supply.gpus_at(supplied, tranche.plan.sku, tranche.plan.site)
        if promised * supplied.skus[tranche.plan.sku].gpus_per_node > stands:
            yield f"{promised} nodes of {tranche.plan.sku} are promised at {tranche.plan.site}: more than stand there"
    room_w = supply.room_w(supplied)
    plans = [(tranche.plan, tranche.runs) for tranche in held]
    for level, watts in promised_w(plans, supplied, Interval(0, INSTANT_MAX)).items():
        if watts > room_w[level]:
            yield f"{watts} W are promised on {level.kind} {level.name}, which has room for {room_w[level]} W of work"
