"""What is handed over, and accepted; and what moves a committed date, over HTTP."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from forebay.core import claims, ids
from forebay.core.claims import acceptance, lateness, relief
from forebay.feeds import quantities
from forebay.server import amounts, deliveries, delivery_bodies, zoned
from forebay.server.calls import EVERYBODY, LIMIT_DEFAULT, OPERATOR, WORK, Call, Caller, address
from forebay.server.posted import Rows, refuse_long, wrong

router = APIRouter()


@address(router, "GET", "/v1/deliveries", EVERYBODY, delivery_bodies.DeliveryPage)
async def list_deliveries(call: Caller, limit: Rows = LIMIT_DEFAULT, cursor: str = "") -> Response:
    """How far each tranche is handed over: what is ready, accepted and billed, and by which dates it was due."""
    found = await call.read(lambda world: deliveries.deliveries_seen(world, call.principal))
    return call.named_page(found, limit, str, "")


@address(router, "GET", "/v1/deliveries/{tranche}", EVERYBODY, delivery_bodies.DeliveryBody)
async def show_delivery(call: Caller, tranche: str) -> Response:
    """How far one tranche is handed over."""
    return call.tagged(await _delivery(call, tranche))


async def _delivery(call: Call, tranche: str) -> delivery_bodies.DeliveryBody:
    found = dict(await call.read(lambda world: deliveries.deliveries_seen(world, call.principal)))
    if tranche not in found:
        raise call.missing("tranche", tranche)
    return found[tranche]


@address(
    router, "POST", "/v1/deliveries/{tranche}/ready", OPERATOR, delivery_bodies.ReadyAnswer,
    takes=delivery_bodies.PostedReady,
)  # fmt: skip
async def give_ready_notice(call: Caller, tranche: str) -> Response:
    """A part of a tranche is ready, with the results of its tests. If-Match is honoured."""
    posted = await call.posted(delivery_bodies.PostedReady)
    call.unchanged(await _delivery(call, tranche))
    dates = await _dates(call, tranche)
    results = tuple(
        acceptance.Result(name, _measured(value, f"results/{name}")) for name, value in posted.results.items()
    )
    command = acceptance.GiveReadyNotice(
        ids.TrancheId(tranche), posted.count, results, dates.received(posted.received_at)
    )
    answer = await call.decided(command)
    told: delivery_bodies.ReadyAnswer = {
        "tranche": tranche,
        "notice": int(answer["notice"]),
        "count": int(answer["count"]),
        "ready": amounts.when(int(answer["ready_at"])),
        "deemed_by": amounts.when_or_none(int(answer["deemed_at"])),
        "zone": dates.zone,
    }
    return call.answer(told)


@address(
    router, "POST", "/v1/deliveries/{tranche}/accept", WORK, delivery_bodies.AcceptedAnswer,
    takes=delivery_bodies.PostedAcceptance,
)  # fmt: skip
async def accept_delivery(call: Caller, tranche: str) -> Response:
    """The customer accepts what a ready notice was about. If-Match is honoured."""
    posted = await call.posted(delivery_bodies.PostedAcceptance)
    call.unchanged(await _delivery(call, tranche))
    dates = await _dates(call, tranche)
    command = acceptance.AcceptDelivery(
        ids.TrancheId(tranche), posted.notice, dates.received(posted.received_at)
    )
    answer = await call.decided(command)
    told: delivery_bodies.AcceptedAnswer = {
        "tranche": tranche,
        "notice": int(answer["notice"]),
        "count": int(answer["count"]),
        "ready": amounts.when(int(answer["ready_at"])),
        "accepted": amounts.when(int(answer["accepted_at"])),
        "billing": amounts.when(int(answer["billing_at"])),
        "zone": dates.zone,
    }
    return call.answer(told)


@address(
    router, "POST", "/v1/deliveries/{tranche}/reject", WORK, delivery_bodies.RejectedAnswer,
    takes=delivery_bodies.PostedRejection,
)  # fmt: skip
async def reject_delivery(call: Caller, tranche: str) -> Response:
    """The customer does not accept what a ready notice was about, and says why. If-Match is honoured."""
    posted = await call.posted(delivery_bodies.PostedRejection)
    call.unchanged(await _delivery(call, tranche))
    refuse_long(posted.reason, "reason")
    dates = await _dates(call, tranche)
    command = acceptance.RejectDelivery(
        ids.TrancheId(tranche), posted.reason, posted.notice, dates.received(posted.received_at)
    )
    answer = await call.decided(command)
    told: delivery_bodies.RejectedAnswer = {
        "tranche": tranche,
        "notice": int(answer["notice"]),
        "count": int(answer["count"]),
        "rejected": amounts.when(int(answer["rejected_at"])),
        "zone": dates.zone,
    }
    return call.answer(told)


@address(
    router, "POST", "/v1/deliveries/{tranche}/relief", OPERATOR, delivery_bodies.ReliefAnswer,
    takes=delivery_bodies.PostedRelief,
)  # fmt: skip
async def move_dates(call: Caller, tranche: str) -> Response:
    """Something that the contract gives relief for held up a tranche: which dates move. If-Match is honoured."""
    posted = await call.posted(delivery_bodies.PostedRelief)
    call.unchanged(await _delivery(call, tranche))
    refuse_long(posted.reason, "reason")
    kinds = [kind.value for kind in claims.ReliefKind]
    if posted.kind not in kinds:
        raise wrong("kind", f"one of {', '.join(kinds)} is meant")
    dates = await _dates(call, tranche)
    command = relief.ReportRelief(
        ids.TrancheId(tranche), claims.ReliefKind(posted.kind), dates.instant(posted.start, "start"),
        dates.instant(posted.end, "end"), posted.reason, dates.received(posted.received_at),
    )  # fmt: skip
    answer = await call.decided(command)
    moved = [lateness.CommittedDate(*each) for each in answer["moved"]]
    told: delivery_bodies.ReliefAnswer = {
        "tranche": tranche,
        "granted_until": amounts.when(int(answer["granted_until_at"])),
        "capped": int(answer["granted_until_at"]) < command.end_at,
        "moved": deliveries.dates_moved(moved),
        "zone": dates.zone,
    }
    return call.answer(told)


async def _dates(call: Call, tranche: str) -> zoned.SaidDates:
    return zoned.SaidDates(await call.glance(lambda world: zoned.of_tranche(world, tranche)))


def _measured(text: str, field: str) -> int:
    try:
        return quantities.measure_micros(text)
    except quantities.Malformed as error:
        raise wrong(field, str(error)) from None
