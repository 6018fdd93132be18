"""Delivered against entitled, over HTTP."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from forebay.server import availability, availability_bodies, focusing
from forebay.server.calls import EVERYBODY, Caller, address

router = APIRouter()


@address(router, "GET", "/v1/availability", EVERYBODY, availability_bodies.AvailabilitiesBody)
async def show_availability(call: Caller, tranche: str = "", month: str = "") -> Response:
    """What each `tranche` was entitled to in a `month` (2026-11; the one that runs when left out), what it got, what
    is excluded and why, and the credit that is due.
    """
    focusing.check_month(month, "month")
    now = call.forebay.clock.now()
    body = await call.read(
        lambda world: availability.availabilities(world, call.principal, tranche, month, now)
    )
    if body is None:
        raise call.missing("tranche", tranche)
    return call.answer(body)
