"""How free capacity lies, over HTTP."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from forebay.core.placements import fragmentation
from forebay.core.world import World
from forebay.server import fragmentation_bodies
from forebay.server.calls import OPERATOR, Caller, address

router = APIRouter()


@address(router, "GET", "/v1/fragmentation", OPERATOR, fragmentation_bodies.FragmentationBody)
async def show_fragmentation(call: Caller) -> Response:
    """What is free, by site, kind of rack and owner, and how much of it whole nodes and whole racks can use."""
    return call.answer(await call.read(_body))


def _body(world: World) -> fragmentation_bodies.FragmentationBody:
    items: list[fragmentation_bodies.FragmentsBody] = [
        {
            "tranche": each.owner,
            "sku": each.sku,
            "site": each.site,
            "free_gpus": each.gpus,
            "whole_nodes": each.whole_nodes,
            "whole_racks": each.whole_racks,
            "largest": {level.value: gpus for level, gpus in each.largest.items()},
            "node_ppm": each.node_ppm,
            "rack_ppm": each.rack_ppm,
        }
        for each in fragmentation.fragments(world.placed.index)
    ]
    return {"items": items}
