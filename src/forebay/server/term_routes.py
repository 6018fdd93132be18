"""What a contract says, what falls due under it, and where its tranches are, over HTTP."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from forebay.core import claims
from forebay.core.ids import ContractId, SiteId, SkuId, TrancheId
from forebay.core.world import World
from forebay.server import payments, posted, sight, term_bodies, terms, zoned
from forebay.server.calls import BOOKS, EVERYBODY, Call, Caller, address

router = APIRouter()


@address(router, "GET", "/v1/contracts/{name}/terms", EVERYBODY, term_bodies.TermsBody)
async def show_terms(call: Caller, name: str, at: str = "") -> Response:
    """What a contract says of prices, lateness, availability, maintenance and remedies, by the version that holds now
    or, with `at`, held or will hold then.
    """
    zone = await call.glance(lambda world: zoned.of_contract(world, name))
    now = posted.instant_of(at, "at", "bad_parameter", zone) or call.forebay.clock.now()

    def look(world: World) -> term_bodies.TermsBody:
        return terms.terms_body(world, _contract(world, call, name), now)

    return call.answer(await call.read(look))


@address(router, "GET", "/v1/contracts/{name}/payments", EVERYBODY, term_bodies.PaymentsBody)
async def show_payments(call: Caller, name: str) -> Response:
    """What falls due under a contract, and when: by dates, and by milestones at P50 and P90 (for its seller)."""

    now = call.forebay.clock.now()

    def look(world: World) -> term_bodies.PaymentsBody:
        return payments.payments_body(world, _contract(world, call, name), call.principal, now)

    return call.answer(await call.read(look))


@address(
    router, "POST", "/v1/tranches/{name}/nomination", BOOKS, term_bodies.NominationBody,
    takes=term_bodies.PostedNomination,
)  # fmt: skip
async def put_elsewhere(call: Caller, name: str) -> Response:
    """Put a tranche that leaves a choice elsewhere, before its term begins; what is left out stays as it is."""
    posted = await call.posted(term_bodies.PostedNomination)
    held = await call.glance(lambda world: world.state.claims.tranches.get(TrancheId(name)))
    if held is None:
        raise call.missing("tranche", name)
    site, sku = SiteId(posted.site or held.plan.site), SkuId(posted.sku or held.plan.sku)
    answer = await call.decided(claims.NominateTranche(TrancheId(name), site, sku))
    return call.answer(answer)


def _contract(world: World, call: Call, name: str) -> claims.ContractPlan:
    plan = claims.overlays.contract_named(world.state.claims, ContractId(name))
    if plan is None or not sight.owns(call.principal, plan.tenant):
        raise call.missing("contract", name)
    return plan
