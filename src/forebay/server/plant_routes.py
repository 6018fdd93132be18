"""Status, names, the engine and nodes over HTTP."""

from __future__ import annotations

import dataclasses
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from forebay.core import ids, supply
from forebay.feeds import quantities
from forebay.server import bodies, problems, views
from forebay.server.calls import EVERYBODY, LIMIT_DEFAULT, LIMIT_MAX, OPERATOR, Call, Caller, address

router = APIRouter()


@address(router, "GET", "/v1/status", EVERYBODY, bodies.StatusBody)
async def show_status(call: Caller) -> Response:
    """All at a glance: the plant, tranches, gangs by phase, and what the open period holds so far."""
    at = call.forebay.clock.now()
    return call.answer(await call.read(lambda world: views.status(world, call.principal, at)))


@address(router, "GET", "/v1/names/{name}", EVERYBODY, bodies.NameBody)
async def show_name(call: Caller, name: str) -> Response:
    """Of which kinds the things are that are called so."""
    kinds = await call.glance(lambda world: views.named(world, call.principal, name))
    if not kinds:
        raise call.missing("thing called", name)
    told: bodies.NameBody = {"name": name, "kinds": kinds}
    return call.answer(told)


@address(router, "GET", "/v1/engine", OPERATOR, bodies.EngineBody)
async def show_engine(call: Caller) -> Response:
    """What holds gangs to their CPU and memory limits."""
    offered = call.forebay.limits_offered()
    return call.answer({"limits": None if offered is None else dataclasses.asdict(offered)})


@address(router, "GET", "/v1/nodes", OPERATOR, bodies.NodePage)
async def list_nodes(
    call: Caller, limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT, cursor: str = ""
) -> Response:
    """Nodes in the order in which they were added."""
    after = call.after(int, 0)
    items, going_on = await call.read(
        lambda world: views.node_page(world, call.principal, after=after, limit=limit)
    )
    return call.page(items, going_on)


@address(
    router, "POST", "/v1/nodes/{name}/cordon", OPERATOR, bodies.NodeAnswer, takes=bodies.PostedNodeReason
)
async def cordon_node(call: Caller, name: str) -> Response:
    """No new work on this node."""
    node, posted = await posted_about_node(call, name)
    return await decide_about_node(call, name, supply.CordonNode(node, posted.reason))


@address(router, "POST", "/v1/nodes/{name}/drain", OPERATOR, bodies.NodeAnswer, takes=bodies.PostedNodeReason)
async def drain_node(call: Caller, name: str) -> Response:
    """No new work on this node, and what runs there is moved away."""
    node, posted = await posted_about_node(call, name)
    return await decide_about_node(call, name, supply.CordonNode(node, posted.reason, drain=True))


@address(
    router, "POST", "/v1/nodes/{name}/uncordon", OPERATOR, bodies.NodeAnswer, takes=bodies.PostedNodeReason
)
async def uncordon_node(call: Caller, name: str) -> Response:
    """The node may have work again."""
    node, _ = await posted_about_node(call, name)
    return await decide_about_node(call, name, supply.UncordonNode(node))


@address(router, "POST", "/v1/nodes/{name}/fail", OPERATOR, bodies.NodeAnswer, takes=bodies.PostedNodeReason)
async def fail_node(call: Caller, name: str) -> Response:
    """The node has failed, since `effective_at`."""
    return await _report(call, name, healthy=False)


@address(
    router, "POST", "/v1/nodes/{name}/restore", OPERATOR, bodies.NodeAnswer, takes=bodies.PostedNodeReason
)
async def restore_node(call: Caller, name: str) -> Response:
    """The node is well again, since `effective_at`."""
    return await _report(call, name, healthy=True)


async def posted_about_node(call: Call, name: str) -> tuple[ids.NodeIndex, bodies.PostedNodeReason]:
    """The node that a request is about, and why."""
    posted = await call.posted(bodies.PostedNodeReason)
    if len(posted.reason) > 500:
        raise problems.Failure("bad_body", "a reason has at most 500 characters")
    node = await call.glance(lambda world: supply.node_named(world.state.supply, name))
    if node is None:
        raise call.missing("node", name)
    return node, posted


async def _report(call: Call, name: str, *, healthy: bool) -> Response:
    node, posted = await posted_about_node(call, name)
    # Without a time it is seen to be so now, and no fact of the past where it was known.
    since = 0
    if posted.effective_at:
        try:
            since = quantities.instant_us(posted.effective_at)
        except quantities.Malformed as error:
            errors: list[problems.ProblemError] = [{"pointer": "/effective_at", "detail": str(error)}]
            raise problems.Failure("bad_body", str(error), errors=errors) from None
    return await decide_about_node(call, name, supply.ReportNodeHealth(node, healthy, posted.reason, since))


async def decide_about_node(call: Call, name: str, command: ids.Command) -> Response:
    """Have it decided."""
    answer = await call.submit(command)
    if isinstance(answer, ids.Refusal):
        raise problems.refused(answer, call.principal)
    told: bodies.NodeAnswer = {"node": name, "changed": bool(answer["changed"])}
    return call.answer(told)
