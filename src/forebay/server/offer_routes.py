"""Offers that we receive as the customer, over HTTP: what our seller would sell to somebody else."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from forebay.core import ids
from forebay.core.claims import offers
from forebay.core.world import World
from forebay.feeds import quantities
from forebay.server import amounts, offer_bodies, sides, zoned
from forebay.server.calls import BOOKS, Caller, address
from forebay.server.posted import wrong

router = APIRouter()


@address(
    router, "POST", "/v1/rights/{name}/offered", BOOKS, offer_bodies.ReceivedOffer,
    takes=offer_bodies.PostedReceivedOffer,
)  # fmt: skip
async def record_offer(call: Caller, name: str) -> Response:
    """Record what our seller offers us by our right of first refusal. If-Match is honoured."""
    posted = await call.posted(offer_bodies.PostedReceivedOffer)
    at = call.forebay.clock.now()
    known = dict(await call.read(lambda world: sides.rights_of_both_sides(world, call.principal, at)))
    if name not in known:
        raise call.missing("right", name)
    call.unchanged(known[name])
    site, sku = posted.site or known[name]["site"], posted.sku or known[name]["sku"]
    for field, value in (("site", site), ("sku", sku)):
        if not value:
            raise wrong(field, f"right {name} is about any {field}: say which is offered")
    if bool(posted.racks) == bool(posted.nodes):
        raise wrong("racks", "an offer is of so many racks, or of so many nodes")
    contract = known[name]["contract"]
    dates = zoned.SaidDates(await call.glance(lambda world: zoned.of_contract(world, contract, site)))
    nodes = posted.nodes or posted.racks * await call.glance(lambda world: _nodes_per_rack(world, sku))
    start, end = dates.instant(posted.start, "start"), dates.instant(posted.end, "end")
    price = _price(posted.price_per_gpu_hour)
    sale = offers.OfferedSale(ids.SiteId(site), ids.SkuId(sku), nodes, start, end, price)
    command = offers.ReceiveOffer(ids.RightId(name), sale, dates.received(posted.received_at), posted.anew)
    answer = await call.decided(command)
    told: offer_bodies.ReceivedOffer = {
        "right": name,
        "offer": str(answer["offer"]),
        "until": amounts.when(int(answer["until_at"])),
        "changed": bool(answer["changed"]),
        "zone": dates.zone,
    }
    return call.answer(told)


def _nodes_per_rack(world: World, sku: str) -> int:
    known = world.state.supply.skus.get(ids.SkuId(sku))
    return known.nodes_per_rack if known else 1


def _price(text: str) -> int:
    try:
        return quantities.price_micros(text)
    except quantities.Malformed as error:
        raise wrong("price_per_gpu_hour", str(error)) from None
