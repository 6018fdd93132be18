"""Business calendars, over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from forebay.server import business_day_bodies, business_days
from forebay.server.calls import EVERYBODY, LIMIT_DEFAULT, LIMIT_MAX, Caller, address

router = APIRouter()


@address(router, "GET", "/v1/calendars", EVERYBODY, business_day_bodies.BusinessCalendarPage)
async def list_calendars(
    call: Caller, limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT, cursor: str = ""
) -> Response:
    """By which days notices are counted. A tenant sees the calendars of its own rights."""
    now = call.forebay.clock.now()
    found = await call.read(lambda world: business_days.calendars_seen(world, call.principal, now))
    return call.named_page(found, limit, str, "")


@address(router, "GET", "/v1/calendars/{name}", EVERYBODY, business_day_bodies.BusinessCalendarBody)
async def show_calendar(call: Caller, name: str) -> Response:
    """One of them."""
    now = call.forebay.clock.now()
    found = dict(await call.read(lambda world: business_days.calendars_seen(world, call.principal, now)))
    if name not in found:
        raise call.missing("business calendar", name)
    return call.answer(found[name])
