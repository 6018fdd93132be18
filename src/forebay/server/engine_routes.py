"""Engines over HTTP: which are there, which are silent, and that nothing of one runs any more."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from forebay.core import ids
from forebay.core.placements import heartbeats
from forebay.core.placements.gang import HOLDING
from forebay.core.world import World
from forebay.server import amounts, engine_bodies
from forebay.server.calls import OPERATOR, Caller, address
from forebay.server.posted import refuse_long

router = APIRouter()


@address(router, "GET", "/v1/engines", OPERATOR, engine_bodies.EngineList)
async def list_engines(call: Caller) -> Response:
    """Engines, when they were last heard of, and which are silent."""
    return call.answer({"items": await call.read(lambda world: engines_seen(world, call.principal))})


@address(
    router, "POST", "/v1/engines/{name}/fence", OPERATOR, engine_bodies.FenceAnswer,
    takes=engine_bodies.PostedFence,
)  # fmt: skip
async def fence_engine(call: Caller, name: str) -> Response:
    """Nothing of a silent engine runs any more: what it had goes back to the queue."""
    posted = await call.posted(engine_bodies.PostedFence)
    refuse_long(posted.reason, "reason")
    if await call.glance(lambda world: name not in world.state.placements.engines.known):
        raise call.missing("engine", name)
    return call.answer(await call.decided(heartbeats.FenceEngine(name, posted.reason)))


def engines_seen(world: World, principal: ids.Principal) -> list[engine_bodies.EngineHeardBody]:
    """Every engine, for operators."""
    if principal.role is not ids.Role.OPERATOR:
        return []
    placed = world.state.placements
    found: list[engine_bodies.EngineHeardBody] = []
    for name, engine in placed.engines.known.items():
        held = [
            gang
            for gang in placed.gangs.values()
            if gang.phase in HOLDING and (not engine.sites or gang.site in engine.sites)
        ]
        leases = placed.engines.leases
        leased = sum(1 for gang in held if heartbeats.lease_at(leases, gang.placed_seq))
        found.append(
            {
                "engine": name,
                "sites": [*engine.sites],
                "state": "fenced" if engine.fenced_at else "silent" if engine.silent_at else "heard",
                "heard_at": amounts.when(engine.heard_at),
                "silent_since": amounts.when_or_none(engine.silent_at),
                "fence_at": amounts.when_or_none(engine.fence_at),
                "gangs": len(held),
                "leased": leased,
            }
        )
    return found
