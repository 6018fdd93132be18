"""What was learned of run times, and how wrong estimates were, over HTTP."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from forebay.core import ids
from forebay.core.placements import estimates
from forebay.core.world import World
from forebay.server import estimate_bodies, sight
from forebay.server.calls import WORK, Caller, address

router = APIRouter()


@address(router, "GET", "/v1/estimates", WORK, estimate_bodies.EstimatesBody)
async def show_estimates(call: Caller, tenant: str = "") -> Response:
    """How long work ran, as far as it was learned, and how wrong estimates were, by tenant; a tenant sees its own."""
    return call.answer(await call.read(lambda world: estimates_seen(world, call.principal, tenant)))


def estimates_seen(world: World, by: ids.Principal, tenant: str = "") -> estimate_bodies.EstimatesBody:
    """What was learned that a principal may see, of one tenant where that is asked."""
    placed = world.state.placements
    learned = placed.learned
    names = {*learned.errors, *(kind.tenant for kind in learned.books)}
    seen = [name for name in sorted(names) if sight.owns(by, name) and tenant in ("", name)]
    return {
        "learned": placed.policy.estimates is estimates.Estimates.LEARNED,
        "ends_least": estimates.ENDS_LEAST,
        "items": [_tenant(learned, name) for name in seen],
    }


def _tenant(learned: estimates.Learned, name: ids.TenantId) -> estimate_bodies.TenantEstimates:
    error = learned.errors.get(name, estimates.EstimateError())
    books = sorted(
        (kind.size, kind.user, book)
        for kind, book in learned.books.items()
        if kind.tenant == name and book.ends
    )
    return {
        "tenant": name,
        "run_times": [_run_times(size, user, book) for size, user, book in books],
        "error": {
            "judged": error.judged,
            "longer": error.over,
            "longer_s": error.over_s,
            "sooner_s": error.spare_s,
        },
    }


def _run_times(size: int, user: str, book: estimates.RunTimes) -> estimate_bodies.RunTimesBody:
    return {
        "user": user,
        "gpus_from": 1 << size - 1 if size else 0,
        "gpus_to": (1 << size) - 1 if size else 0,
        "ends": book.ends,
        "p50_s": estimates.quantile_s(book, 50) or 0,
        "p90_s": estimates.quantile_s(book, estimates.PERCENT) or 0,
        "tells": book.ends >= estimates.ENDS_LEAST,
    }
