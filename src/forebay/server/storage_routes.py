"""Where data lies, over HTTP."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from forebay.core.ids import Principal, Role
from forebay.core.supply import storage
from forebay.core.world import World
from forebay.server import amounts, storage_bodies
from forebay.server.calls import WORK, Caller, address

router = APIRouter()


@address(router, "GET", "/v1/storage", WORK, storage_bodies.StorageBody)
async def show_storage(call: Caller) -> Response:
    """Datasets with the sites that hold them; for operators also pools, links and copies on their way."""
    return call.answer(await call.read(lambda world: _body(world, call.principal)))


def _body(world: World, principal: Principal) -> storage_bodies.StorageBody:
    book = world.state.supply.storage
    plan, own = book.plan, principal.role is Role.OPERATOR
    seen = [each for each in book.datasets.values() if own or each.tenant in ("", principal.tenant)]
    datasets: list[storage_bodies.DatasetBody] = [
        {
            "id": each.id,
            "size_bytes": each.size_bytes,
            "tenant": each.tenant,
            "residency": list(each.residency),
            "sites": sorted(storage.sites_with(book, each.id)),
            "pools": list(book.copies[each.id]) if own else [],
        }
        for each in sorted(seen, key=lambda each: each.id)
    ]
    if plan is None or not own:
        return {
            "version": plan.version if plan is not None else 0,
            "datasets": datasets,
            "pools": [],
            "links": [],
            "copies": [],
        }
    return {
        "version": plan.version,
        "datasets": datasets,
        "pools": [
            {
                "id": pool.id,
                "site": pool.site,
                "kind": pool.kind,
                "capacity_bytes": pool.capacity_bytes,
                "used_bytes": storage.used_bytes(book, pool.id),
            }
            for pool in sorted(book.pools.values(), key=lambda pool: (pool.site, pool.id))
        ],
        "links": [
            {
                "source": link.source,
                "target": link.target,
                "bytes_per_s": link.bytes_per_s,
                "price_per_gb": amounts.exact(link.price_micros_per_gb, plan.currency),
            }
            for link in plan.links
        ],
        "copies": [
            {
                "dataset": each.dataset,
                "source": each.source,
                "target": each.target,
                "size_bytes": each.size_bytes,
                "start": amounts.when(each.start_at),
                "end": amounts.when(each.end_at),
                "price": amounts.exact(each.price_micros, each.currency),
                "gang": each.gang,
            }
            for each in sorted(book.copying.values(), key=lambda each: (each.end_at, each.dataset))
        ],
    }
