"""Contracts one by one over HTTP: their versions, clauses that are watched, and indices that prices follow."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from forebay.server import contract_bodies, contract_views
from forebay.server.calls import EVERYBODY, LIMIT_DEFAULT, Caller, address
from forebay.server.money_routes import PageLimit

router = APIRouter()


@address(router, "GET", "/v1/contracts/{name}", EVERYBODY, contract_bodies.ContractStory)
async def show_contract(call: Caller, name: str) -> Response:
    """A contract as it holds now, and what each of its versions changed."""
    found = await call.read(lambda world: contract_views.contract_story(world, name, call.principal))
    if found is None:
        raise call.missing("contract", name)
    return call.tagged(found)


@address(router, "GET", "/v1/clauses/watched", EVERYBODY, contract_bodies.WatchPage)
async def list_watched(call: Caller, limit: PageLimit = LIMIT_DEFAULT, cursor: str = "") -> Response:
    """Clauses that are watched by their dates: what falls due next comes first."""
    now = call.forebay.clock.now()
    found = await call.read(lambda world: contract_views.watched(world, call.principal, now))
    return call.named_page(found, limit, str, "")


@address(router, "GET", "/v1/indices", EVERYBODY, contract_bodies.IndexPage)
async def list_indices(call: Caller, limit: PageLimit = LIMIT_DEFAULT, cursor: str = "") -> Response:
    """Indices that prices follow, with what was published."""
    found = await call.read(contract_views.indices)
    return call.named_page(found, limit, str, "")
