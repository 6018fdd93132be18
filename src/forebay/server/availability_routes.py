"""Delivered against entitled, over HTTP."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from forebay.core import ids, money
from forebay.server import availability, availability_bodies, bodies, focusing, posted
from forebay.server.calls import BOOKS, EVERYBODY, LIMIT_DEFAULT, Caller, address

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


@address(router, "GET", "/v1/exclusions", EVERYBODY, availability_bodies.ExclusionPage)
async def list_exclusions(call: Caller, limit: posted.Rows = LIMIT_DEFAULT, cursor: str = "") -> Response:
    """Loss that tenants caused themselves, in the order in which it was decided. A tenant sees its own."""
    found = await call.read(lambda world: availability.exclusions(world, call.principal))
    return call.named_page(found, limit, str, "")


@address(
    router, "POST", "/v1/exclusions", BOOKS, availability_bodies.ExclusionAnswer,
    takes=availability_bodies.PostedExclusion,
)  # fmt: skip
async def post_exclusion(call: Caller) -> Response:
    """What was missing was caused by the tenant: it is not missed."""
    given = await call.posted(availability_bodies.PostedExclusion)
    for text, field in ((given.reason, "reason"), (given.evidence, "evidence")):
        posted.refuse_long(text, field)
    nodes = await call.glance(lambda world: availability.runs_named(world, given.nodes))
    if isinstance(nodes, str):
        raise posted.wrong("nodes", f"there is no node or rack {nodes}")
    command = money.ExcludeLoss(
        ids.TrancheId(given.tranche), posted.instant_of(given.start, "start"), posted.instant_of(given.end, "end"),
        nodes, given.reason.strip(), given.evidence.strip(),
    )  # fmt: skip
    return call.answer(await call.decided(command))


@address(
    router, "POST", "/v1/exclusions/{exclusion}/withdraw", BOOKS, availability_bodies.ExclusionAnswer,
    takes=bodies.PostedReason,
)  # fmt: skip
async def post_withdrawal(call: Caller, exclusion: str) -> Response:
    """It was not the tenant after all."""
    given = await call.posted(bodies.PostedReason)
    posted.refuse_long(given.reason, "reason")
    return call.answer(await call.decided(money.WithdrawExclusion(exclusion, given.reason.strip())))


@address(
    router, "POST", "/v1/availability/claim", EVERYBODY, availability_bodies.ClaimAnswer,
    takes=availability_bodies.PostedClaim,
)  # fmt: skip
async def post_claim(call: Caller) -> Response:
    """Claim the service credit of a month whose contract gives it on claim."""
    given = await call.posted(availability_bodies.PostedClaim)
    focusing.check_month(given.month, "month")
    command = money.ClaimCredit(ids.TrancheId(given.tranche), availability.month_begins(given.month))
    return call.answer(await call.decided(command))
