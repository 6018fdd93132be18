"""Failures over HTTP: parts of the plant, quarantine, checks after a repair, tickets."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from forebay.core import ids, supply
from forebay.core.placements import gang, wipes
from forebay.core.world import World, key_scope
from forebay.server import bodies, health_bodies, health_views, problems, views
from forebay.server.calls import LIMIT_DEFAULT, LIMIT_MAX, OPERATOR, WORK, Call, Caller, address
from forebay.server.plant_routes import decide_about_node, posted_about_node
from forebay.server.posted import instant_of, refuse_long

router = APIRouter()


@address(router, "GET", "/v1/domains/out", OPERATOR, health_bodies.DomainList)
async def list_domains_out(call: Caller) -> Response:
    """Parts of the plant that are out: racks, switches, cooling loops, feeds, halls, sites."""
    return call.answer(
        {"items": await call.read(lambda world: health_views.domains_out(world, call.principal))}
    )


@address(
    router, "POST", "/v1/domains/{kind}/{name}/fail", OPERATOR, health_bodies.DomainAnswer,
    takes=bodies.PostedNodeReason,
)  # fmt: skip
async def fail_domain(call: Caller, kind: supply.DomainKind, name: str) -> Response:
    """A part of the plant failed with all that hangs on it, since `effective_at`."""
    return await _report(call, kind, name, healthy=False)


@address(
    router, "POST", "/v1/domains/{kind}/{name}/restore", OPERATOR, health_bodies.DomainAnswer,
    takes=bodies.PostedNodeReason,
)  # fmt: skip
async def restore_domain(call: Caller, kind: supply.DomainKind, name: str) -> Response:
    """A part of the plant is well again, since `effective_at`."""
    return await _report(call, kind, name, healthy=True)


async def _report(call: Call, kind: supply.DomainKind, name: str, *, healthy: bool) -> Response:
    posted = await call.posted(bodies.PostedNodeReason)
    refuse_long(posted.reason, "reason")
    now = call.forebay.clock.now()
    since = instant_of(posted.effective_at, "effective_at") if posted.effective_at else now
    known = await call.glance(
        lambda world: supply.health.known(world.state.supply, supply.FaultDomain(kind, name))
    )
    if not known:
        raise call.missing(kind.value, name)
    answer = await call.submit(supply.ReportDomainHealth(kind, name, healthy, posted.reason, since))
    if isinstance(answer, ids.Refusal) and answer.code == "key_reused" and not posted.effective_at:
        # "Now" was another instant when this key was first used; it is the same request all the same.
        answer = await call.glance(lambda world: _answered(world, call, kind, name)) or answer
    if isinstance(answer, ids.Refusal):
        raise problems.refused(answer, call.principal)
    return call.answer(answer)


def _answered(world: World, call: Call, kind: str, name: str) -> ids.Answer | None:
    """What this key answered before, if that was about the same part of the plant."""
    known = world.state.keys.get((key_scope(call.principal), call.key()))
    same = known is not None and (known.answer.get("kind"), known.answer.get("name")) == (kind, name)
    return known.answer if same and known is not None else None


@address(router, "GET", "/v1/nodes/out", OPERATOR, health_bodies.OutNodePage)
async def list_nodes_out(
    call: Caller, limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT, cursor: str = ""
) -> Response:
    """Nodes that may have no new work: why, since when, and what is being done about it."""
    after = call.after(int, 0)
    items, going_on = await call.read(
        lambda world: health_views.nodes_out(world, call.principal, after=after, limit=limit)
    )
    return call.page(items, going_on)


@address(router, "GET", "/v1/stuck", WORK, health_bodies.StuckList)
async def list_stuck(call: Caller) -> Response:
    """Gangs that run and have got nowhere for as long as the policy allows."""
    return call.answer({"items": await call.read(lambda world: health_views.stuck(world, call.principal))})


@address(
    router, "POST", "/v1/gangs/{name}/progress", WORK, health_bodies.ProgressAnswer,
    takes=health_bodies.PostedProgress,
)  # fmt: skip
async def report_gang_progress(call: Caller, name: str) -> Response:
    """A gang got so far: a step, a checkpoint."""
    posted = await call.posted(health_bodies.PostedProgress)
    if await call.glance(lambda world: views.gang(world, call.principal, name)) is None:
        raise call.missing("gang", name)
    command = gang.ReportGangProgress(
        ids.GangId(name), posted.mark, posted.generation, 0, call.principal.actor
    )
    return call.answer(await call.decided(command))


@address(
    router, "POST", "/v1/nodes/{name}/quarantine", OPERATOR, bodies.NodeAnswer, takes=bodies.PostedNodeReason
)
async def quarantine_node(call: Caller, name: str) -> Response:
    """The node is out until it is released; its work moves away."""
    node, posted = await posted_about_node(call, name)
    return await decide_about_node(call, name, supply.QuarantineNode(node, posted.reason))


@address(
    router, "POST", "/v1/nodes/{name}/release", OPERATOR, bodies.NodeAnswer, takes=bodies.PostedNodeReason
)
async def end_quarantine(call: Caller, name: str) -> Response:
    """The node is quarantined no more."""
    node, posted = await posted_about_node(call, name)
    return await decide_about_node(call, name, supply.ReleaseNode(node, posted.reason))


@address(
    router, "POST", "/v1/nodes/{name}/degrade", OPERATOR, bodies.NodeAnswer, takes=bodies.PostedNodeReason
)
async def degrade_node(call: Caller, name: str) -> Response:
    """The node goes on with what it runs, and has nothing new."""
    node, posted = await posted_about_node(call, name)
    return await decide_about_node(call, name, supply.ReportNodeDegraded(node, True, posted.reason))


@address(router, "POST", "/v1/nodes/{name}/mend", OPERATOR, bodies.NodeAnswer, takes=bodies.PostedNodeReason)
async def mend_node(call: Caller, name: str) -> Response:
    """The node is degraded no more."""
    node, posted = await posted_about_node(call, name)
    return await decide_about_node(call, name, supply.ReportNodeDegraded(node, False, posted.reason))


@address(
    router,
    "POST",
    "/v1/nodes/{name}/check",
    OPERATOR,
    health_bodies.CheckAnswer,
    takes=health_bodies.PostedCheck,
)
async def check_node(call: Caller, name: str) -> Response:
    """A repaired node passed a check that it has to pass, or did not."""
    posted = await call.posted(health_bodies.PostedCheck)
    refuse_long(posted.evidence, "evidence")
    command = supply.ReportNodeCheck(await _node(call, name), posted.check, posted.passed, posted.evidence)
    answer = await call.decided(command)
    return call.answer({"node": name, "changed": answer["changed"], "missing": answer["missing"]})


@address(
    router, "POST", "/v1/nodes/{name}/wiped", OPERATOR, bodies.NodeAnswer, takes=health_bodies.PostedWipe
)
async def report_node_wiped(call: Caller, name: str) -> Response:
    """A node that a gang left is clean and checked, or is not: then it is quarantined."""
    posted = await call.posted(health_bodies.PostedWipe)
    refuse_long(posted.evidence, "evidence")
    command = wipes.ReportWipe(await _node(call, name), posted.passed, posted.evidence)
    return await decide_about_node(call, name, command)


@address(
    router, "POST", "/v1/nodes/{name}/ticket", OPERATOR, bodies.NodeAnswer, takes=health_bodies.PostedTicket
)
async def ticket_node(call: Caller, name: str) -> Response:
    """What is being done about a node that is out."""
    posted = await call.posted(health_bodies.PostedTicket)
    for field in ("ticket", "cause", "part"):
        refuse_long(getattr(posted, field), field)
    expected_at = instant_of(posted.expected_at, "expected_at") if posted.expected_at else 0
    command = supply.TicketNode(
        await _node(call, name), posted.ticket, posted.cause, posted.part, expected_at
    )
    return await decide_about_node(call, name, command)


async def _node(call: Call, name: str) -> ids.NodeIndex:
    node = await call.glance(lambda world: supply.node_named(world.state.supply, name))
    if node is None:
        raise call.missing("node", name)
    return node
