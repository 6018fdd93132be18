"""Goodput over HTTP."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from forebay.server import goodput_bodies, goodputs, ledger_routes
from forebay.server.calls import WORK, Caller, address

router = APIRouter()


@address(router, "GET", "/v1/goodput", WORK, goodput_bodies.GoodputsBody)
async def show_goodput(call: Caller, gang: str = "", tranche: str = "") -> Response:
    """What became of the GPU-time that a `gang` held, or all gangs of a `tranche`; of every tranche when neither is
    named. Read from the journal. A tenant sees its own.
    """
    now = call.forebay.clock.now()
    body = await ledger_routes.told_by_journal(
        call,
        lambda: goodputs.goodputs(
            call.forebay.journal, call.forebay.replay.codec, call.principal, gang, tranche, now
        ),
    )
    if body is None:
        raise call.missing("gang" if gang else "tranche", gang or tranche)
    return call.answer(body)
