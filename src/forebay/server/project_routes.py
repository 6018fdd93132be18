"""Projects and the queue, over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from forebay.core.world import World
from forebay.server import project_bodies, project_views
from forebay.server.calls import EVERYBODY, LIMIT_DEFAULT, LIMIT_MAX, WORK, Caller, address

router = APIRouter()

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX)]


@address(router, "GET", "/v1/projects", EVERYBODY, project_bodies.ProjectsPage)
async def list_projects(call: Caller, limit: Limit = LIMIT_DEFAULT, cursor: str = "") -> Response:
    """How tenants divide what they may use, and who has had how much. A tenant sees its own."""
    now = call.forebay.clock.now()
    found = await call.read(lambda world: project_views.projects_seen(world, call.principal, now))
    return call.named_page(found, limit, str, "")


@address(router, "GET", "/v1/projects/{tenant}", EVERYBODY, project_bodies.ProjectsBody)
async def show_projects(call: Caller, tenant: str) -> Response:
    """The projects of one tenant."""
    now = call.forebay.clock.now()
    found = dict(await call.read(lambda world: project_views.projects_seen(world, call.principal, now)))
    if tenant not in found:
        raise call.missing("tenant with projects", tenant)
    return call.answer(found[tenant])


@address(router, "GET", "/v1/queue", WORK, project_bodies.QueuePage)
async def show_queue(
    call: Caller, tenant: str = "", limit: Limit = LIMIT_DEFAULT, cursor: str = ""
) -> Response:
    """Who waits, in the order in which they are tried, and why in this order. A tenant sees its own gangs."""
    after = call.after(int, 0)

    def page(world: World) -> tuple[list[project_bodies.QueuedBody], int]:
        found = project_views.queue_seen(world, call.principal, tenant)
        shown = found[after : after + limit]
        items = [project_views.queued_body(world, call.principal, gang, place) for gang, place in shown]
        return items, len(found)

    items, total = await call.read(page)
    return call.page(items, after + limit if total > after + limit else None)
