"""What was delivered of what was entitled, as an answer holds it."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from forebay.core import money, timeline, units
from forebay.core.ids import NodeIndex, Principal, RackId
from forebay.core.money import LossKind
from forebay.core.supply.plant import node_name, node_named
from forebay.core.world import World
from forebay.server import amounts, availability_bodies, sight


def availabilities(
    world: World, principal: Principal, tranche: str, month: str, at: int
) -> availability_bodies.AvailabilitiesBody | None:
    """Every tranche that a principal sees, or the one that is named, in a month ("" for the one that runs); None for
    one that is not there.
    """
    state = world.state
    books = money.Books(state.money, state.usage, state.claims, state.supply)
    names = [
        name
        for name, held in sorted(state.claims.tranches.items())
        if sight.owns(principal, held.tenant) and tranche in ("", name)
    ]
    if tranche and not names:
        return None
    start = month_begins(month) if month else timeline.month_start(at)
    told = money.months_delivered(books, names, start, at)
    return {"month": timeline.text(start)[:7], "items": [_body(world, each) for each in told]}


def month_begins(month: str) -> int:
    """The first instant of a month as people write it (2026-11)."""
    moment = datetime.datetime.strptime(month, "%Y-%m").replace(tzinfo=datetime.UTC)
    return timeline.instant(moment)


def _body(world: World, known: money.MonthDelivered) -> availability_bodies.AvailabilityBody:
    found, due = known.delivered, known.due
    tranche = world.state.claims.tranches[found.tranche]
    currency = world.state.claims.contracts[tranche.contract].currency
    up = found.availability
    causes = sorted({each.cause for each in found.losses if each.counted is LossKind.DOWN})
    return {
        "tranche": found.tranche,
        "contract": tranche.contract,
        "tenant": tranche.tenant,
        "month": timeline.text(found.month.start)[:7],
        "until": amounts.when(found.until_at),
        "unit": found.level.unit.value,
        "due": _lost("due", found.due_us),
        "available": _lost("available", up.up_us),
        "excluded": [
            _lost(kind.value, found.lost_us(kind))
            for kind in LossKind
            if kind is not LossKind.DOWN and found.lost_us(kind)
        ],
        "missed": [_lost(cause, _down_us(found.losses, cause)) for cause in causes],
        "missed_us": found.lost_us(LossKind.DOWN),
        "percent": money.percent(up),
        "base": amounts.exact(due.base_micros, currency),
        "clause": f"tranches[{found.tranche}].service.ladder[{due.rung}]" if due.rung >= 0 else "",
        "credit_percent": units.decimal_text(due.credit.share_ppm * 100),
        "credit": amounts.exact(due.credit.micros, currency),
        "credited": known.given,
        "given": amounts.exact(known.posted_micros, currency),
        "open": amounts.exact(known.open_micros, currency),
        "claim_until": amounts.when(known.claim_until_at) if known.claim_until_at else None,
        "incidents": [_incident(world, each) for each in found.losses],
    }


def _down_us(losses: Sequence[money.Loss], cause: str) -> int:
    return sum(
        each.end_at - each.start_at
        for each in losses
        if each.cause == cause and each.counted is LossKind.DOWN
    )


def _lost(name: str, unit_us: int) -> availability_bodies.LostBody:
    return {"name": name, "unit_us": unit_us, "unit_hours": amounts.gpu_hour_text(unit_us)}


def _incident(world: World, loss: money.Loss) -> availability_bodies.IncidentBody:
    return {
        "start": amounts.when(loss.start_at),
        "end": amounts.when(loss.end_at),
        "unit": node_name(world.state.supply, NodeIndex(loss.unit)),
        "cause": loss.cause,
        "reason": loss.reason,
        "counted": loss.counted.value,
        "decided": loss.decided,
    }


def exclusions(world: World, principal: Principal) -> list[tuple[str, availability_bodies.ExclusionBody]]:
    """Loss that was called a tenant's own, in the order in which it was decided; a tenant sees its own."""
    tranches = world.state.claims.tranches
    return [
        (each.id, _exclusion(world, each))
        for each in world.state.money.exclusions.known.values()
        if sight.owns(principal, tranches[each.tranche].tenant)
    ]


def _exclusion(world: World, each: money.Exclusion) -> availability_bodies.ExclusionBody:
    numbers = (number for first, count in each.nodes for number in range(first, first + count))
    return {
        "id": each.id,
        "tranche": each.tranche,
        "start": amounts.when(each.start_at),
        "end": amounts.when(each.end_at),
        "nodes": [node_name(world.state.supply, NodeIndex(number)) for number in numbers],
        "reason": each.reason,
        "evidence": each.evidence,
        "decided_by": each.decided_by,
        "decided_at": amounts.when(each.decided_at),
        "withdrawn_at": amounts.when(each.withdrawn_at) if each.withdrawn_at else None,
        "withdrawn_for": each.withdrawn_for,
        "withdrawn_by": each.withdrawn_by,
    }


def runs_named(world: World, names: Sequence[str]) -> tuple[tuple[int, int], ...] | str:
    """The nodes of these names of nodes and racks, as runs; the name that there is not."""
    found = []
    for name in names:
        rack = world.state.supply.racks.get(RackId(name))
        node = node_named(world.state.supply, name)
        if rack is not None:
            found.append((rack.first_node, rack.nodes))
        elif node is not None:
            found.append((int(node), 1))
        else:
            return name
    return tuple(found)
