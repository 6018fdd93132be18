"""Our side of contracts over HTTP: who we are, suppliers, private terms, deliveries, and what both sides know."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from forebay.core import ids
from forebay.core.claims import deliveries
from forebay.core.world import World
from forebay.server import promises, side_bodies, sides, zoned
from forebay.server.calls import BOOKS, EVERYBODY, LIMIT_DEFAULT, LIMIT_MAX, OPERATOR, Call, Caller, address
from forebay.server.posted import instant_of, refuse_long
from forebay.server.promise_routes import MONTHS_DEFAULT, MONTHS_MAX
from forebay.server.promises import known_date

router = APIRouter()

PART = "/v1/tranches/{tranche}/deliveries/{number}"


@address(router, "GET", "/v1/estate", BOOKS, side_bodies.EstateBody)
async def show_estate(call: Caller) -> Response:
    """Who we are."""
    return call.tagged(await call.read(lambda world: sides.estate_body(world, call.principal)))


@address(router, "GET", "/v1/suppliers", BOOKS, side_bodies.SuppliersBody)
async def show_suppliers(
    call: Caller,
    start: Annotated[str, Query(alias="from")] = "",
    months: Annotated[int, Query(ge=1, le=MONTHS_MAX)] = MONTHS_DEFAULT,
) -> Response:
    """From whom our capacity is, month by month, and how much hangs on one. `from` is a date, now without."""
    from_at = instant_of(start, "from", "bad_parameter") or call.forebay.clock.now()
    return call.tagged(
        await call.read(lambda world: sides.suppliers_body(world, call.principal, from_at, months))
    )


@address(router, "GET", "/v1/overlays", BOOKS, side_bodies.OverlayPage)
async def list_overlays(
    call: Caller, limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT, cursor: str = ""
) -> Response:
    """What we alone know of contracts."""
    found = await call.read(lambda world: sides.overlays_seen(world, call.principal))
    return call.named_page(found, limit, str, "")


@address(router, "GET", "/v1/contracts/{name}/entitlements", EVERYBODY, side_bodies.EntitlementsBody)
async def show_entitlements(call: Caller, name: str) -> Response:
    """What follows from a contract and what passed between its parties: both of them compute the same."""
    at = call.forebay.clock.now()
    body = await call.read(lambda world: sides.entitlements_body(world, call.principal, name, at))
    if body is None:
        raise call.missing("contract", name)
    return call.tagged(body)


# Deliveries.


@address(router, "POST", f"{PART}/notice", BOOKS, side_bodies.DeliveryReport, takes=side_bodies.PostedNotice)
async def notify_delivery(call: Caller, tranche: str, number: int) -> Response:
    """The seller told the customer another date: which of the two we are, our estate says."""
    posted = await call.posted(side_bodies.PostedNotice)
    refuse_long(posted.reason, "reason")
    dates = await _dates(call, tranche)
    command = deliveries.NotifyDelivery(
        ids.TrancheId(tranche), number, dates.instant(posted.expected_at, "expected_at"),
        dates.received(posted.received_at), posted.reason,
    )  # fmt: skip
    return await _report(call, command, dates)


@address(
    router, "POST", f"{PART}/delivered", BOOKS, side_bodies.DeliveryReport, takes=side_bodies.PostedDelivered
)  # fmt: skip
async def report_delivery(call: Caller, tranche: str, number: int) -> Response:
    """A delivery came."""
    posted = await call.posted(side_bodies.PostedDelivered)
    refuse_long(posted.evidence, "evidence")
    dates = await _dates(call, tranche)
    since = dates.instant(posted.at, "at") if posted.at else call.forebay.clock.now()
    return await _report(
        call, deliveries.ReportDelivered(ids.TrancheId(tranche), number, since, posted.evidence), dates
    )


@address(
    router, "POST", f"{PART}/forecast", OPERATOR, side_bodies.DeliveryReport, takes=side_bodies.PostedExpectation
)  # fmt: skip
async def forecast_rented(call: Caller, tranche: str, number: int) -> Response:
    """We, the customer, expect a delivery then, whatever its seller says."""
    posted = await call.posted(side_bodies.PostedExpectation)
    refuse_long(posted.source, "source")
    dates = await _dates(call, tranche)
    p50_at = dates.instant(posted.p50, "p50")
    p90_at = dates.instant(posted.p90, "p90") if posted.p90 else p50_at
    return await _report(
        call,
        deliveries.ForecastDelivery(ids.TrancheId(tranche), number, p50_at, p90_at, posted.source),
        dates,
    )


async def _dates(call: Call, tranche: str) -> zoned.SaidDates:
    return zoned.SaidDates(await call.glance(lambda world: zoned.of_tranche(world, tranche)))


async def _report(
    call: Call,
    command: deliveries.NotifyDelivery | deliveries.ReportDelivered | deliveries.ForecastDelivery,
    dates: zoned.SaidDates,
) -> Response:
    now = call.forebay.clock.now()
    before = await call.read(lambda world: promises.shortfalls(world, call.principal, now))
    answer = await call.decided(command)

    def look(world: World) -> side_bodies.DeliveryReport:
        after = promises.shortfalls(world, call.principal, now)
        return {
            "tranche": command.tranche,
            "delivery": command.delivery,
            "changed": bool(answer["changed"]),
            "before": known_date(int(answer.get("from", 0))),
            "after": known_date(int(answer.get("to", 0))),
            "counted_on": known_date(sides.date_counted_on(world, command.tranche, command.delivery)),
            "confidence": world.state.claims.policy.confidence.value,
            "risks": promises.risk_changes(before, after),
            "totals": after["totals"],
            "zone": dates.zone,
        }

    return call.answer(await call.read(look))
