"""Who has which racks, and plans of it on demand, over HTTP."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from starlette.responses import Response

from forebay.core import ids
from forebay.core.claims.calendar import Stock
from forebay.core.world import World
from forebay.loop.follower import Stopped
from forebay.loop.inbox import LoopError
from forebay.server import binder, binding_bodies, bindings, problems
from forebay.server.calls import OPERATOR, Caller, address
from forebay.server.posted import wrong

router = APIRouter()

SECONDS_MAX = 600


@address(router, "GET", "/v1/bindings", OPERATOR, binding_bodies.BindingsBody)
async def show_bindings(call: Caller, site: str = "", sku: str = "") -> Response:
    """Racks, rows, feeds and cooling loops of each tranche, and the newest plan of each stock with its reasons."""
    plans = call.forebay.binder.newest()
    body = await call.read(lambda world: bindings.bindings(world, call.principal, plans, site=site, sku=sku))
    return call.tagged(body)


@address(
    router, "POST", "/v1/bindings/{site}/{sku}/solve", OPERATOR, binding_bodies.PlanBody,
    takes=binding_bodies.PostedSolve,
)  # fmt: skip
async def solve_binding(call: Caller, site: str, sku: str) -> Response:
    """Plan who has which racks of a stock, and hand the plan in; where nothing is to be gained nothing changes."""
    posted = await call.posted(binding_bodies.PostedSolve)
    if not 0 <= posted.seconds <= SECONDS_MAX:
        raise wrong("seconds", f"from 0 to {SECONDS_MAX} seconds are meant")
    if not 0 <= posted.gap_ppm <= bindings.PPM:
        raise wrong("gap_ppm", f"from 0 to {bindings.PPM} parts per million are meant")
    stock = Stock(ids.SiteId(site), ids.SkuId(sku))
    if not await call.glance(lambda world: _known(world, stock)):
        raise call.missing("stock", f"of {sku} at {site}")
    wish = binder.Wish(posted.seconds, posted.gap_ppm / bindings.PPM, posted.moves, posted.dry_run)
    try:
        planned = await asyncio.to_thread(call.forebay.binder.plan, stock, wish, call.principal)
    except LoopError as error:
        raise problems.undecided(error) from None
    except (Stopped, TimeoutError) as error:
        raise problems.Failure("unavailable", str(error)) from None
    return call.answer(bindings.plan_body(planned))


def _known(world: World, stock: Stock) -> bool:
    return stock.site in world.state.supply.sites and stock.sku in world.state.supply.skus
