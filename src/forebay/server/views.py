"""Who may see what of the World? One function a body: `(world, principal) -> what the answer holds`.

The default is no: a function shows what its principal may see, and what it may not see is as if it did not exist.
What a tenant asks for that belongs to another is None, exactly as what nobody has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from forebay.core import claims, supply
from forebay.core.books import TrancheBook
from forebay.core.ids import (
    ContractId,
    GangId,
    InvoiceId,
    NodeIndex,
    Principal,
    Refusal,
    RightId,
    Role,
    TrancheId,
)
from forebay.core.placements import gang as gangs
from forebay.core.placements.index import each_node
from forebay.core.world import World
from forebay.server import amounts, bills, bodies, sight, waiting

T = TypeVar("T")
#: A question to the World.
Ask = Callable[[World], T]

#: Names of nodes in one body; a gang of thousands names its first ones.
NODES_MAX = 1024


def gang(world: World, principal: Principal, name: str) -> bodies.GangBody | None:
    """One gang."""
    found = world.state.placements.gangs.get(GangId(name))
    if found is None or not sight.owns(principal, found.spec.tenant):
        return None
    return gang_body(world, principal, found)


def gang_page(
    world: World,
    principal: Principal,
    *,
    phase: str,
    tenant: str,
    after: int,
    limit: int,
    array: str | None = None,
) -> tuple[list[bodies.GangBody], int | None]:
    """Gangs after a place in the order of submission, and the place to go on from: of one array, or of none (""), if
    `array` is given.
    """
    found = [
        each
        for each in world.state.placements.gangs.values()
        if each.order > after
        and sight.owns(principal, each.spec.tenant)
        and (not phase or each.phase == phase)
        and (not tenant or each.spec.tenant == tenant)
        and (array is None or (each.spec.part.array if each.spec.part else "") == array)
    ]
    found.sort(key=lambda each: each.order)
    page = found[:limit]
    items = [gang_body(world, principal, each) for each in page]
    for each, body in zip(page, items, strict=True):
        if each.phase is gangs.Phase.PENDING:
            body["waits_for"] = waiting.constraint(world, principal, each)
    return items, page[-1].order if len(found) > limit else None


def gang_body(world: World, principal: Principal, found: gangs.Gang) -> bodies.GangBody:
    """A gang that the principal may see."""
    spec = found.spec
    body: bodies.GangBody = {
        "id": spec.id,
        "tenant": spec.tenant,
        "tier": spec.tier.value,
        "tranche": spec.tranche,
        "sku": spec.sku,
        "gpus": spec.gpus,
        "skus": [{"sku": each.sku, "gpus": each.gpus} for each in spec.skus],
        "start_by": amounts.when_or_none(spec.start_by),
        "finish_by": amounts.when_or_none(spec.finish_by),
        "within": spec.within.value,
        "near": spec.near.value,
        "slice_gpus": spec.slice_gpus,
        "after": [{"gang": each.gang, "when": each.when.value} for each in spec.after],
        "array": spec.part.array if spec.part is not None else "",
        "array_index": spec.part.index if spec.part is not None else 0,
        "project": spec.project,
        "user": spec.user,
        "priority": spec.priority,
        "sites": list(spec.sites),
        "walltime_s": spec.walltime_s,
        "estimate_s": spec.estimate_s,
        "checkpoint_s": spec.checkpoint_s,
        "grace_s": spec.grace_s,
        "restarts_max": spec.restarts_max,
        "title": spec.title,
        "program": None
        if spec.program is None
        else {"argv": list(spec.program.argv), "folder": spec.program.folder},
        "phase": found.phase.value,
        "reason": found.reason,
        "generation": found.generation,
        "failures": found.failures,
        "interruptions": found.interruptions,
        "nodes": node_names(world, found.runs),
        "borrowed": bool(found.lender),
        "submitted_at": amounts.when(found.submitted_at),
        "placed_at": amounts.when_or_none(found.placed_at),
        "started_at": amounts.when_or_none(found.started_at),
        "ended_at": amounts.when_or_none(found.ended_at),
    }
    if principal.role is Role.OPERATOR:
        body["lender"] = found.lender
    return body


def node_names(world: World, runs: tuple[gangs.Run, ...]) -> list[str]:
    """Names of the nodes of a placement, the first `NODES_MAX`."""
    names: list[str] = []
    for node, _ in each_node(runs):
        if len(names) == NODES_MAX:
            break
        names.append(supply.node_name(world.state.supply, node))
    return names


def gang_explanation(world: World, principal: Principal, name: str) -> bodies.GangExplanation | None:
    """Why a gang waits, runs or is over."""
    told = world.explain(GangId(name), principal)
    if isinstance(told, Refusal):
        return None
    if told.get("expected_start") is not None:
        told = told | {"expected_start": amounts.when(told["expected_start"])}
    if "expected" in told:
        soon = told["expected"]
        both = {name: amounts.when_or_none(soon[name]) for name in ("p50", "p90")}
        told = told | {"expected": soon | both}
    if "why_there" in told:
        there = told["why_there"]
        told = told | {"why_there": there | {"as_of": amounts.when(there["as_of"])}}
    made: Any = told
    explained: bodies.GangExplanation = made
    return explained


def named(world: World, principal: Principal, name: str) -> list[str]:
    """Which kinds of thing that the principal may see are called so."""
    state = world.state
    gang_named, tranche = state.placements.gangs.get(GangId(name)), state.claims.tranches.get(TrancheId(name))
    contract, invoice = (
        state.claims.contracts.get(ContractId(name)),
        state.money.invoices.get(InvoiceId(name)),
    )
    whose = {
        "gang": gang_named.spec.tenant if gang_named and principal.role is not Role.FINANCE else "",
        "tranche": tranche.tenant if tranche else "",
        "contract": contract.tenant if contract else "",
        "invoice": invoice.tenant if invoice else "",
        "tenant": name if any(each.tenant == name for each in state.claims.contracts.values()) else "",
        "right": state.claims.rights[RightId(name)].tenant if name in state.claims.rights else "",
    }
    kinds = [kind for kind, tenant in whose.items() if tenant and sight.owns(principal, tenant)]
    if principal.role in (Role.OPERATOR, Role.FINANCE):
        planned = [known.plan for known in state.supply.schedules.values()]
        to_come = {
            "hold": name in state.claims.holds,
            "milestone": any(name == each.id for plan in planned for each in plan.milestones),
            "block": any(name == each.id for plan in planned for each in plan.blocks),
        }
        kinds += [kind for kind, there in to_come.items() if there]
    if principal.role is Role.OPERATOR:
        plant = {
            "site": name in state.supply.sites,
            "rack": name in state.supply.racks,
            "node": supply.node_named(state.supply, name) is not None,
        }
        kinds += [kind for kind, there in plant.items() if there]
    return kinds


# The plant: operators only.


def node_page(
    world: World, principal: Principal, *, after: int, limit: int
) -> tuple[list[bodies.NodeBody], int | None]:
    """Nodes from a place on, and the place to go on from."""
    if principal.role is not Role.OPERATOR:
        return [], None
    nodes = range(after, min(after + limit, world.state.supply.nodes))
    more = after + limit < world.state.supply.nodes
    return [_node(world, NodeIndex(node)) for node in nodes], after + limit if more else None


def _node(world: World, node: NodeIndex) -> bodies.NodeBody:
    supplied, placed = world.state.supply, world.placed
    rack = supply.rack_of(supplied, node)
    holders = placed.held.on_node.get(node, ())
    used = sum(
        mask.bit_count()
        for name in holders
        for each, mask in each_node(world.state.placements.gangs[name].runs)
        if each == node
    )
    return {
        "name": supply.node_name(supplied, node),
        "rack": rack.id,
        "hall": rack.hall,
        "site": rack.site,
        "sku": rack.sku,
        "gpus": supplied.skus[rack.sku].gpus_per_node,
        "gpus_used": used,
        "healthy": node not in supplied.failed,
        "cordoned": node in supplied.health.cordoned,
        "reason": supplied.failed.get(node) or supplied.cordoned.get(node, ""),
        "tranche": placed.index.owner[node],
        "gangs": sorted(holders),
        "condition": supply.condition_of(supplied, node)[0].value,
    }


def sites(world: World) -> list[bodies.SiteStatus]:
    """Every site in numbers."""
    supplied, placed = world.state.supply, world.placed
    made: dict[str, bodies.SiteStatus] = {
        site.id: {
            "id": site.id, "title": site.title, "region": site.region, "jurisdiction": site.jurisdiction,
            "zone": site.zone, "racks": 0, "nodes": 0, "gpus": 0, "gpus_healthy": 0, "gpus_used": 0, "feeds": [],
        }
        for site in supplied.sites.values()
    }  # fmt: skip
    for rack in supplied.racks.values():
        body, per_node = made[rack.site], supplied.skus[rack.sku].gpus_per_node
        body["racks"] += 1
        body["nodes"] += rack.nodes
        body["gpus"] += rack.nodes * per_node
        body["gpus_healthy"] += rack.nodes * per_node
    for node in supplied.failed:
        rack = supply.rack_of(supplied, node)
        made[rack.site]["gpus_healthy"] -= supplied.skus[rack.sku].gpus_per_node
    for found in world.state.placements.gangs.values():
        if found.phase in gangs.HOLDING:
            made[supply.rack_of(supplied, found.runs[0].first).site]["gpus_used"] += found.spec.gpus
    for feed in supplied.feeds.values():
        level = placed.index.plant.level_of_feed[feed.id]
        made[feed.site]["feeds"].append(
            {
                "id": feed.id,
                "parent": feed.parent,
                "limit_w": feed.limit_w,
                "load_w": placed.index.load_w[level],
                "headroom_w": placed.index.headroom_w(level),
                "reserved_w": placed.index.reserved_w[level],
            }
        )
    return [made[name] for name in sorted(made)]


# Claims.


def tranche_status(world: World, principal: Principal) -> list[bodies.TrancheStatus]:
    """What the GPUs of each tranche do now, by id."""
    made: list[bodies.TrancheStatus] = []
    for name, held in sorted(world.state.claims.tranches.items()):
        if not sight.owns(principal, held.tenant):
            continue
        book = world.state.usage.books.get(name) or TrancheBook(0, 0)
        made.append(
            {
                "tranche": name,
                "contract": held.contract,
                "tenant": held.tenant,
                "site": held.plan.site,
                "sku": held.plan.sku,
                "standing": held.standing.value,
                "start": amounts.when(held.plan.start_at),
                "end": amounts.when(held.plan.end_at),
                "gpus": held.gpus,
                "used": book.used,
                "lent": book.lent,
                "idle": book.gpus - book.used - book.lent - book.undeliverable,
                "undeliverable": book.undeliverable,
            }
        )
    return made


def contracts(world: World, principal: Principal) -> list[tuple[str, bodies.ContractBody]]:
    """Contracts by id."""
    return [
        (name, contract_body(plan, world.state.claims.openings.get(name)))
        for name, plan in sorted(world.state.claims.contracts.items())
        if sight.owns(principal, plan.tenant)
    ]


def contract_body(plan: claims.ContractPlan, opening: claims.Opening | None = None) -> bodies.ContractBody:
    """A contract as signed."""
    return {
        "id": plan.id,
        "version": plan.version,
        "seller": plan.seller,
        "tenant": plan.tenant,
        "currency": plan.currency,
        "on_demand": plan.on_demand,
        "spot": plan.spot,
        "tranches": [tranche.id for tranche in plan.tranches],
        "clauses": [
            {
                "title": each.title,
                "coverage": each.coverage.value,
                "date": amounts.when_or_none(each.watch_at),
            }
            for each in plan.clauses
        ],
        "opened_at": None if opening is None else amounts.when(opening.at),
    }


def tranches(world: World, principal: Principal) -> list[tuple[str, bodies.TrancheBody]]:
    """Tranches by id."""
    return [
        (name, _tranche(world, held))
        for name, held in sorted(world.state.claims.tranches.items())
        if sight.owns(principal, held.tenant)
    ]


def _tranche(world: World, held: claims.Tranche) -> bodies.TrancheBody:
    plan, supplied = held.plan, world.state.supply
    price = claims.prices.price_at(plan, world.now)
    currency = world.state.claims.contracts[held.contract].currency
    return {
        "id": plan.id,
        "contract": held.contract,
        "tenant": held.tenant,
        "site": plan.site,
        "sku": plan.sku,
        "choices": choices_left(plan, supplied),
        "unit": plan.unit.value,
        "count": plan.count,
        "gpus": held.gpus,
        "start": amounts.when(plan.start_at),
        "end": amounts.when(plan.end_at),
        "price_per_gpu_hour": amounts.exact(price.price_micros_per_gpu_hour, currency),
        "lending": lending_body(plan.lending),
        "operation": plan.operation.value,
        "standing": held.standing.value,
        "nodes": [
            [supply.node_name(supplied, first), supply.node_name(supplied, first + count - 1)]
            for first, count in held.runs
        ],
    }


def choices_left(plan: claims.TranchePlan, supplied: supply.State) -> list[str]:
    """Where, and of what, a tranche may be: where it is first."""
    stocks = claims.nomination.choices(plan, supplied)
    told = [f"{stock.sku} at {stock.site}" for stock in stocks]
    return sorted(told, key=lambda each: each != f"{plan.sku} at {plan.site}")


def lending_body(lending: claims.Lending | None) -> bodies.LendingBody | None:
    """Under which terms idle capacity may be lent; None where it may not."""
    if lending is None:
        return None
    return {"reclaim_deadline_s": lending.reclaim_deadline_s, "owner_share_ppm": lending.owner_share_ppm}


def status(world: World, principal: Principal, at: int) -> bodies.StatusBody:
    """All at a glance, with accruals carried to `at`."""
    body: bodies.StatusBody = {
        "world": world.state.name,
        "now": amounts.when(max(at, world.now)),
        "seq": world.seq,
        "tranches": tranche_status(world, principal),
        "period": bills.open_period(world, principal, max(at, world.now)),
    }
    if principal.role is Role.OPERATOR:
        body["sites"] = sites(world)
    if principal.role in (Role.OPERATOR, Role.TENANT):
        phases = {phase.value: 0 for phase in gangs.Phase}
        for found in world.state.placements.gangs.values():
            if sight.owns(principal, found.spec.tenant):
                phases[found.phase.value] += 1
        body["gangs"] = phases
    return body
