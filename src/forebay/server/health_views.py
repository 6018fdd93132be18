"""Which nodes and parts of the plant are out? For operators; anybody else is told of none."""

from __future__ import annotations

from forebay.core import supply
from forebay.core.ids import NodeIndex, Principal, Role, TrancheId
from forebay.core.placements.gang import Phase
from forebay.core.supply import health
from forebay.core.units import SECOND_US
from forebay.core.world import World
from forebay.server import amounts, health_bodies, sight


def domains_out(world: World, principal: Principal) -> list[health_bodies.DomainBody]:
    """Parts of the plant that are out."""
    if principal.role is not Role.OPERATOR:
        return []
    known = world.state.supply
    return [
        {
            "kind": domain.kind.value,
            "name": domain.name,
            "reason": reason,
            "since": amounts.when(known.health.domain_since[domain]),
            "nodes": sum(1 for _ in supply.nodes_under(known, domain)),
        }
        for domain, reason in known.health.out.items()
    ]


def nodes_out(
    world: World, principal: Principal, *, after: int, limit: int
) -> tuple[list[health_bodies.OutNodeBody], int | None]:
    """Nodes that may have no new work, from a place on, and the place to go on from."""
    if principal.role is not Role.OPERATOR:
        return [], None
    known = world.state.supply
    found = sorted(node for node in {*known.failed, *known.cordoned} if node >= after)
    items = [out_body(world, node) for node in found[:limit]]
    return items, found[limit] if len(found) > limit else None


def stuck(world: World, principal: Principal) -> list[health_bodies.StuckBody]:
    """Gangs that are stuck, as far as the principal may see them."""
    placed = world.state.placements
    flagged = [(placed.gangs[name], last) for name, last in placed.progress.items() if last.stuck]
    shown = [each for each in flagged if each[1].generation == each[0].generation]
    return [
        {"gang": gang.spec.id, "tenant": gang.spec.tenant, "mark": last.mark, "since": amounts.when(last.at)}
        for gang, last in sorted(shown, key=lambda each: each[0].order)
        if gang.phase is Phase.RUNNING and sight.owns(principal, gang.spec.tenant)
    ]


def out_body(world: World, node: NodeIndex) -> health_bodies.OutNodeBody:
    """How a node is, and what is done about it."""
    known = world.state.supply
    condition, why = supply.condition_of(known, node)
    since_at = health.out_since(known, node) if node in known.failed else 0
    ticket = known.health.tickets.get(node, supply.RepairTicket("", "", "", 0, 0))
    owner = world.placed.index.owner[node]
    return {
        "name": supply.node_name(known, node),
        "condition": condition.value,
        "cordoned": node in known.health.cordoned,
        "reason": why or known.cordoned.get(node, ""),
        "since": amounts.when_or_none(since_at),
        "missing_checks": list(known.health.missing.get(node, ())),
        "failures": len(known.health.failures.get(node, ())),
        "ticket": ticket.ticket,
        "cause": ticket.cause,
        "part": ticket.part,
        "expected_at": amounts.when_or_none(ticket.expected_at),
        "tranche": owner,
        "replace_by": amounts.when_or_none(_replace_by(world, owner, since_at)),
    }


def _replace_by(world: World, owner: str, since_at: int) -> int:
    """When the contract's time to replace what failed is over; 0 where it says nothing of it."""
    tranche = world.state.claims.tranches.get(TrancheId(owner))
    level = None if tranche is None else tranche.plan.service
    if level is None or not level.replacement_s or not since_at:
        return 0
    return since_at + level.replacement_s * SECOND_US
