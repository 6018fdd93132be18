"""What may be promised, what is to come, who goes short, and what one side may still ask for, over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.responses import Response

from forebay.core import claims, ids, timeline
from forebay.core.claims import quotes, rights
from forebay.core.claims.calendar import Stock
from forebay.core.supply import blocks
from forebay.core.timeline import INSTANT_MAX
from forebay.core.units import MINOR_DIGITS, SECOND_US
from forebay.core.world import World, key_scope
from forebay.feeds import quantities
from forebay.server import (
    allocating,
    amounts,
    applying,
    below,
    bodies,
    forecasting,
    problems,
    promise_bodies,
    promises,
    shortfall_bodies,
    sides,
    zoned,
)
from forebay.server.calls import BOOKS, EVERYBODY, LIMIT_DEFAULT, OPERATOR, Call, Caller, address
from forebay.server.posted import Rows, instant_of, refuse_long, wrong
from forebay.server.promises import known_date

router = APIRouter()

MONTHS_DEFAULT, MONTHS_MAX = 18, 240


# What is there, promised and left.


@address(router, "GET", "/v1/capacity", BOOKS, promise_bodies.CapacityBody)
async def show_capacity(
    call: Caller,
    site: str = "",
    sku: str = "",
    start: Annotated[str, Query(alias="from")] = "",
    months: Annotated[int, Query(ge=1, le=MONTHS_MAX)] = MONTHS_DEFAULT,
    under: str = "",
) -> Response:
    """Site by SKU by month, in nodes: supply, committed, encumbered, promisable. `from` is a date, now without; what
    is past of this month is left out, and a month before it is refused. `under` asks about a part of a site as well:
    `SITE/HALL`, `SITE/HALL/ROW`, `SITE/FEED` or `SITE/LOOP`.
    """
    now = call.forebay.clock.now()
    from_at = instant_of(start, "from", "bad_parameter") or now
    if timeline.month_end(from_at) <= now:
        # Since when a rack stands is not kept: what stands now would be told as if it always had.
        told = f"{start} lies before this month: what can be promised is told from now on"
        raise wrong("from", told, "bad_parameter")
    from_at = max(from_at, now)

    def find(world: World) -> promise_bodies.CapacityBody | None:
        asked: dict[str, Any] = {"site": site, "sku": sku, "from_at": from_at, "months": months}
        if under:
            return below.capacity_below(world, call.principal, under=under, **asked)
        body = promises.capacity(world, call.principal, **asked)
        return sides.with_suppliers(world, call.principal, body, from_at, months)

    try:
        body = await call.read(find)
    except LookupError as error:
        raise problems.Failure("bad_parameter", str(error.args[0])) from None
    return call.tagged(body)


@address(router, "GET", "/v1/schedules", BOOKS, promise_bodies.SchedulePage)
async def list_schedules(call: Caller, limit: Rows = LIMIT_DEFAULT, cursor: str = "") -> Response:
    """What is to come at each site: milestones, blocks and stages of power, with their dates."""
    found = await call.read(lambda world: promises.schedules(world, call.principal))
    return call.named_page(found, limit, str, "")


@address(router, "GET", "/v1/schedules/{site}", BOOKS, promise_bodies.ScheduleBody)
async def show_schedule(call: Caller, site: str) -> Response:
    """What is to come at one site."""
    return call.tagged(await _schedule(call, site))


async def _schedule(call: Call, site: str) -> promise_bodies.ScheduleBody:
    found = dict(await call.read(lambda world: promises.schedules(world, call.principal)))
    if site not in found:
        raise call.missing("schedule of a site", site)
    return found[site]


# Reports about milestones.


@address(
    router, "POST", "/v1/schedules/{site}/milestones/{milestone}/forecast", OPERATOR,
    promise_bodies.MilestoneReport, takes=promise_bodies.PostedForecast,
)  # fmt: skip
async def slip_milestone(call: Caller, site: str, milestone: str) -> Response:
    """A milestone is expected at another date: what moves, and who goes short by it. If-Match is honoured."""
    posted = await call.posted(promise_bodies.PostedForecast)
    dates = await _dates(call, site)
    forecast_at = dates.instant(posted.forecast_at, "forecast_at")
    refuse_long(posted.reason, "reason")
    command = blocks.ReportForecast(
        ids.SiteId(site), ids.MilestoneId(milestone), forecast_at, posted.reason
    )  # fmt: skip
    return await _report(call, command, dates, dry_run=posted.dry_run, now_meant=False)


@address(
    router, "POST", "/v1/schedules/{site}/milestones/{milestone}/reached", OPERATOR,
    promise_bodies.MilestoneReport, takes=promise_bodies.PostedReached,
)  # fmt: skip
async def reach_milestone(call: Caller, site: str, milestone: str) -> Response:
    """A milestone is done: what moves, and who goes short, or no more, by it. If-Match is honoured."""
    posted = await call.posted(promise_bodies.PostedReached)
    dates = await _dates(call, site)
    reached_at = (
        dates.instant(posted.reached_at, "reached_at") if posted.reached_at else call.forebay.clock.now()
    )
    refuse_long(posted.evidence, "evidence")
    command = blocks.ReportReached(
        ids.SiteId(site), ids.MilestoneId(milestone), reached_at, posted.evidence
    )  # fmt: skip
    return await _report(call, command, dates, dry_run=posted.dry_run, now_meant=not posted.reached_at)


async def _dates(call: Call, site: str) -> zoned.SaidDates:
    return zoned.SaidDates(await call.glance(lambda world: zoned.of_site(world, site)))


async def _report(
    call: Call,
    command: blocks.ReportForecast | blocks.ReportReached,
    dates: zoned.SaidDates,
    *,
    dry_run: bool,
    now_meant: bool,
) -> Response:
    site, milestone = command.site, command.milestone
    body = await _schedule(call, site)
    names = [each["id"] for each in body["milestones"]]
    if milestone not in names:
        known = f" (there are: {', '.join(names)})"
        raise problems.Failure("not_found", f"there is no milestone {milestone} at {site}{known}")
    call.unchanged(body)
    repeated = False
    if dry_run:
        before, after, answer = await _tried(call, lambda copy, at: _asked(call, copy, command, at), site)
    else:
        now = call.forebay.clock.now()
        repeated = await call.glance(
            lambda world: _answered(world, call, {"milestone": milestone}) is not None
        )
        settle = call.forebay.forecaster.settle
        await asyncio.to_thread(settle)
        before = await call.read(lambda world: _Look(world, call.principal, now, site))
        answer = await _decided(call, command, now_meant=now_meant, about={"milestone": milestone})
        # Who goes short depends on how sure the new dates are.
        await asyncio.to_thread(settle)
        after = await call.read(lambda world: _Look(world, call.principal, now, site))
    told: promise_bodies.MilestoneReport = {
        "site": site,
        "milestone": milestone,
        "before": None if repeated else known_date(before.dates[milestone]),
        "after": known_date(after.dates[milestone]),
        "changed": bool(answer["changed"]),
        "repeated": repeated,
        "dry_run": dry_run,
        "confidence": after.confidence,
        "provisional": after.provisional,
        "moved": await call.read(
            lambda world: promises.moved_blocks(
                world, site, *(_told(answer["moved"]) if repeated else (before.blocks, after.blocks))
            )
        ),
        "risks": promises.risk_changes(before.shorts, after.shorts),
        "totals": after.shorts["totals"],
        "overdrawn": promises.overdraft_changes(before.overdrawn, after.overdrawn),
        "zone": dates.zone,
    }
    return call.answer(told)


def _told(moved: dict[str, dict[str, int]]) -> tuple[dict[ids.BlockId, promises.BlockDate], ...]:
    """What was answered earlier of the dates by which we reckon; how sure they were then, nobody recalls."""
    return tuple(
        {ids.BlockId(name): promises.BlockDate(dates[side], INSTANT_MAX) for name, dates in moved.items()}
        for side in ("from", "to")
    )


class _Look:
    """What is kept of the World to tell a difference: values, and nothing that the World still changes."""

    def __init__(self, world: World, principal: ids.Principal, at: int, site: str = "") -> None:
        outlook = world.calendar.outlook(ids.SiteId(site)) if site else None
        self.dates: dict[str, int] = {}
        if outlook is not None:
            self.dates = {str(name): date for name, date in outlook.dates.items()}
        self.provisional = outlook is not None and outlook.provisional
        self.confidence = world.state.claims.policy.confidence.value
        self.blocks = promises.block_dates(world, ids.SiteId(site)) if site else {}
        self.shorts = promises.shortfalls(world, principal, at)
        self.overdrawn = promises.overdrafts_seen(world, principal)


# What if.


@address(
    router, "POST", "/v1/what-if/slip", BOOKS, promise_bodies.WhatIfBody, takes=promise_bodies.PostedSlip
)
async def try_slip(call: Caller) -> Response:
    """What if a milestone came at another date: what would move, who would go short, what could be promised."""
    posted = await call.posted(promise_bodies.PostedSlip)
    dates = await _dates(call, posted.site)
    forecast_at = dates.instant(posted.forecast_at, "forecast_at")
    command = blocks.ReportForecast(ids.SiteId(posted.site), ids.MilestoneId(posted.milestone), forecast_at)

    def act(copy: World, at: int) -> list[bodies.Applied]:
        # Whoever may look may try: it is decided as the operator would.
        _asked(call, copy, command, at, as_operator=True)
        return []

    what = f"{posted.site}: milestone {posted.milestone} at {amounts.when(forecast_at)}"
    what += f" ({posted.forecast_at} in {dates.zone})" if dates.zone else ""
    return call.answer(await _what_if(call, what, act, posted.months, posted.site))


@address(
    router, "POST", "/v1/what-if/sign", BOOKS, promise_bodies.WhatIfBody, takes=promise_bodies.PostedSigning
)
async def try_signing(call: Caller) -> Response:
    """What if these contracts were signed: who would go short, and what could be promised then."""
    posted = await call.posted(promise_bodies.PostedSigning)
    wanted = await applying.contracts_to_sign(
        call, posted.documents, posted.hold, posted.override, posted.policy
    )
    what = f"signing {', '.join(one.want.about for one in wanted)}"

    def act(copy: World, at: int) -> list[bodies.Applied]:
        return applying.try_on(copy, call, wanted, at)

    async with _offers_instead(call):
        return call.answer(await _what_if(call, what, act, posted.months))


async def _what_if(
    call: Call, what: str, act: Callable[[World, int], list[bodies.Applied]], months: int, site: str = ""
) -> promise_bodies.WhatIfBody:
    if not 1 <= months <= MONTHS_MAX:
        raise wrong("months", f"from 1 to {MONTHS_MAX} months are meant")
    at = call.forebay.clock.now()

    def run(world: World) -> promise_bodies.WhatIfBody:
        copy = _copied(world, at)
        rows = promises.capacity_rows(copy, max(at, copy.now), months)
        before = _Look(copy, call.principal, at, site)
        applied = act(copy, max(at, copy.now))
        forecasting.settle_copy(copy, max(at, copy.now))
        after = _Look(copy, call.principal, at, site)
        return {
            "what": what,
            "confidence": after.confidence,
            "provisional": after.provisional,
            "moved": promises.moved_blocks(copy, ids.SiteId(site), before.blocks, after.blocks)
            if site
            else [],
            "applied": applied,
            "risks": promises.risk_changes(before.shorts, after.shorts),
            "totals_before": before.shorts["totals"],
            "totals_after": after.shorts["totals"],
            "capacity": promises.capacity_changes(
                copy, rows, promises.capacity_rows(copy, max(at, copy.now), months)
            ),
            "overdrawn": promises.overdraft_changes(before.overdrawn, after.overdrawn),
        }

    return await call.read(run)


async def _tried(call: Call, act: Callable[[World, int], Any], site: str = "") -> tuple[_Look, _Look, Any]:
    """Do it on a copy of the World: how it was, how it would be, and what was answered."""
    at = call.forebay.clock.now()

    def run(world: World) -> tuple[_Look, _Look, Any]:
        copy = _copied(world, at)
        before = _Look(copy, call.principal, at, site)
        answer = act(copy, max(at, copy.now))
        forecasting.settle_copy(copy, max(at, copy.now))
        return before, _Look(copy, call.principal, at, site), answer

    return await call.read(run)


def _copied(world: World, at: int) -> World:
    """A copy at this instant, with all dates estimated: what differs afterwards comes from what is tried."""
    copy = world.fork()
    copy.wake(max(at, copy.now))
    forecasting.settle_copy(copy, max(at, copy.now))
    return copy


def _asked(
    call: Call, copy: World, command: ids.Command, at: int, *, as_operator: bool = False
) -> ids.Answer:
    by = ids.Principal("what-if", ids.Role.OPERATOR) if as_operator else call.principal
    answer = copy.handle(ids.Asked(command, by), at).answer
    if isinstance(answer, ids.Refusal):
        raise problems.refused(answer, call.principal)
    return answer


# Quotes, holds and signing.


@address(router, "POST", "/v1/quotes", BOOKS, promise_bodies.QuoteBody, takes=promise_bodies.PostedQuote)
async def ask_quote(call: Caller) -> Response:
    """Where and from when on a shape fits, how surely, for how much, and what stands in the way. Nothing is kept."""
    posted = await call.posted(promise_bodies.PostedQuote)
    now = call.forebay.clock.now()
    term_s = _length(posted.term, "term")
    not_before = max(now, instant_of(posted.not_before, "not_before") if posted.not_before else now)
    not_after = instant_of(posted.not_after, "not_after") if posted.not_after else 0
    price = _price(posted.price_per_gpu_hour)
    if posted.currency not in MINOR_DIGITS:
        raise wrong("currency", f"{posted.currency} is not one of {', '.join(MINOR_DIGITS)}")
    named = {name: count for name in ("racks", "nodes", "gpus") if (count := getattr(posted, name))}
    if len(named) != 1 or min(named.values()) < 1 or not posted.skus:
        raise wrong(
            "racks", "one or more SKUs, and a number (at least 1) of one of racks, nodes and gpus, are meant"
        )
    ((unit, count),) = named.items()

    def find(world: World) -> promise_bodies.QuoteBody:
        supplied = world.state.supply
        for sku in posted.skus:
            promises.refuse_unknown("SKU", sku, supplied.skus)
        for site in posted.sites:
            promises.refuse_unknown("site", site, supplied.sites)
        for region in posted.regions:
            promises.refuse_unknown("region", region, {each.region for each in supplied.sites.values()})
        for country in posted.jurisdictions:
            promises.refuse_unknown(
                "jurisdiction", country, {each.jurisdiction for each in supplied.sites.values()}
            )
        requests = []
        for sku in dict.fromkeys(map(ids.SkuId, posted.skus)):
            # GPUs come in whole nodes.
            whole = -(-count // supplied.skus[sku].gpus_per_node) if unit == "gpus" else count
            requests.append(
                quotes.Request(
                    (sku,), whole, term_s * SECOND_US, not_before,
                    claims.Unit.RACK if unit == "racks" else claims.Unit.NODE,
                    tuple(map(ids.SiteId, posted.sites)), tuple(posted.regions), tuple(posted.jurisdictions),
                    ids.TenantId(posted.tenant), price, not_after, now,
                )
            )  # fmt: skip
        return {
            "now": amounts.when(now),
            "policy": promises.policy_body(world),
            "not_before": amounts.when(not_before),
            "term_s": term_s,
            "items": promises.quotes(world, requests, posted.currency if price else ""),
            "nominee": promises.nominee_of(world, requests),
        }

    try:
        return call.answer(await call.read(find))
    except LookupError as error:
        raise problems.Failure("bad_body", str(error.args[0])) from None


@address(router, "GET", "/v1/holds", BOOKS, promise_bodies.HoldPage)
async def list_holds(call: Caller, limit: Rows = LIMIT_DEFAULT, cursor: str = "") -> Response:
    """What is kept for customers, and until when."""
    found = await call.read(lambda world: promises.holds_seen(world, call.principal))
    return call.named_page(found, limit, str, "")


@address(
    router, "POST", "/v1/holds", BOOKS, promise_bodies.HoldAnswer, status=201, takes=promise_bodies.PostedHold
)
async def keep_capacity(call: Caller) -> Response:
    """Keep capacity for a customer for a while."""
    posted = await call.posted(promise_bodies.PostedHold)
    price = _price(posted.price_per_gpu_hour)
    dates = await _dates(call, posted.site)
    hold = claims.Hold(
        ids.HoldId(posted.id), ids.TenantId(posted.tenant), ids.SiteId(posted.site), ids.SkuId(posted.sku),
        posted.nodes, dates.instant(posted.start, "start"), dates.instant(posted.end, "end"),
        dates.instant(posted.expires, "expires"), price, posted.currency if price else "",
    )  # fmt: skip
    answer = await call.decided(claims.HoldCapacity(hold))
    return call.answer(answer | {"zone": dates.zone}, 201)


@address(
    router, "POST", "/v1/holds/{name}/release", BOOKS, promise_bodies.HoldAnswer, takes=bodies.PostedReason
)
async def give_hold_back(call: Caller, name: str) -> Response:
    """Keep it no longer."""
    await call.posted(bodies.PostedReason)
    answer = await call.submit(claims.ReleaseHold(ids.HoldId(name)))
    if isinstance(answer, ids.Refusal):
        raise (
            call.missing("hold", name)
            if answer.code == "unknown_hold"
            else problems.refused(answer, call.principal)
        )
    return call.answer(answer)


@address(
    router, "POST", "/v1/contracts", BOOKS, promise_bodies.SigningBody, takes=promise_bodies.PostedSigning
)
async def sign_contracts(call: Caller) -> Response:
    """Sign the contracts of files. What does not fit is refused, with where and from when on it would (`offers`)."""
    posted = await call.posted(promise_bodies.PostedSigning)
    refuse_long(posted.override, "override")
    wanted = await applying.contracts_to_sign(
        call, posted.documents, posted.hold, posted.override, posted.policy
    )
    async with _offers_instead(call):
        if posted.dry_run:
            before, after, applied = await _tried(
                call, lambda copy, at: applying.try_on(copy, call, wanted, at)
            )
        else:
            now = call.forebay.clock.now()
            before = await call.read(lambda world: _Look(world, call.principal, now))
            applied = await applying.decide_all(call, wanted)
            after = await call.read(lambda world: _Look(world, call.principal, now))
    told: promise_bodies.SigningBody = {
        "applied": applied,
        "dry_run": posted.dry_run,
        "risks": promises.risk_changes(before.shorts, after.shorts),
        "totals": after.shorts["totals"],
        "overdrawn": promises.overdraft_changes(before.overdrawn, after.overdrawn),
    }
    return call.answer(told)


@contextlib.asynccontextmanager
async def _offers_instead(call: Call) -> AsyncIterator[None]:
    """Where a tranche does not fit, the refusal says where it would (`offers`). A right names its own site."""
    try:
        yield
    except applying.Refused as failure:
        place = failure.errors[0]["pointer"].split("/")[1:] if failure.errors else []
        refused = failure.command
        if failure.code == "oversold" and place[0] == "tranches" and len(place) > 1:
            assert isinstance(refused, claims.SignContract)
            tenant, now = refused.plan.tenant, call.forebay.clock.now()
            plan = refused.plan.tranches[int(place[1])]
            failure.more["offers"] = await call.read(
                lambda world: promises.offers_instead(world, plan, tenant, now)
            )
        raise


# Who goes short.


@address(router, "GET", "/v1/shortfalls", EVERYBODY, promise_bodies.ShortfallsBody)
async def list_shortfalls(call: Caller) -> Response:
    """Who goes short: of how many, from when to when, under which terms, and what it costs."""
    now = call.forebay.clock.now()
    return call.tagged(await call.read(lambda world: promises.shortfalls(world, call.principal, now)))


@address(
    router, "POST", "/v1/shortfalls/{site}/{sku}", OPERATOR, promise_bodies.AllocationBody,
    takes=shortfall_bodies.PostedAllocation,
)  # fmt: skip
async def share_shortfall(call: Caller, site: str, sku: str) -> Response:
    """Share out by hand, from now on, what a stock is short of. It stands until there is more or less to share."""
    posted = await call.posted(shortfall_bodies.PostedAllocation)
    refuse_long(posted.reason, "reason")
    stock, about = Stock(ids.SiteId(site), ids.SkuId(sku)), {"site": site, "sku": sku}
    shorts = await call.read(lambda world: allocating.shorts_meant(world, stock, posted.shares, instant_of))
    command = claims.AllocateShortfall(*stock, shorts, posted.reason)
    if posted.dry_run:
        before, after, answer = await _tried(call, lambda copy, at: _asked(call, copy, command, at))
    else:
        # Who gives no dates means what is to be shared now: under the same key it is the same request all the same.
        undated = not any(share.start or share.end for share in posted.shares)
        now = call.forebay.clock.now()
        before = await call.read(lambda world: _Look(world, call.principal, now))
        answer = await _decided(call, command, now_meant=undated, about=about)
        after = await call.read(lambda world: _Look(world, call.principal, now))
    told: promise_bodies.AllocationBody = {
        "site": site,
        "sku": sku,
        "reason": posted.reason,
        "changed": bool(answer["changed"]),
        "dry_run": posted.dry_run,
        "risks": promises.risk_changes(before.shorts, after.shorts),
        "totals": after.shorts["totals"],
    }
    return call.answer(told)


# Rights.


@address(router, "GET", "/v1/rights", EVERYBODY, promise_bodies.RightPage)
async def list_rights(call: Caller, limit: Rows = LIMIT_DEFAULT, cursor: str = "") -> Response:
    """What one side of each contract may still ask for."""
    at = call.forebay.clock.now()
    found = await call.read(lambda world: sides.rights_of_both_sides(world, call.principal, at))
    return call.named_page(found, limit, str, "")


@address(router, "GET", "/v1/rights/{name}", EVERYBODY, promise_bodies.RightBody)
async def show_right(call: Caller, name: str) -> Response:
    """One right."""
    return call.tagged(await _right(call, name))


async def _right(call: Call, name: str) -> promise_bodies.RightBody:
    at = call.forebay.clock.now()
    found = dict(await call.read(lambda world: sides.rights_of_both_sides(world, call.principal, at)))
    if name not in found:
        raise call.missing("right", name)
    return found[name]


@address(
    router, "POST", "/v1/rights/{name}/offer", BOOKS, promise_bodies.SaleOffer,
    takes=promise_bodies.PostedSaleOffer,
)  # fmt: skip
async def offer_to_holder(call: Caller, name: str) -> Response:
    """Offer what is held for somebody else to the holder of a refusal. If-Match is honoured."""
    posted = await call.posted(promise_bodies.PostedSaleOffer)
    call.unchanged(await _right(call, name))
    answer = await call.decided(rights.OfferSale(ids.RightId(name), ids.HoldId(posted.hold)))
    told: promise_bodies.SaleOffer = {
        "right": name,
        "hold": answer["hold"],
        "deadline": amounts.when(answer["deadline_at"]),
    }
    return call.answer(told)


@address(
    router, "POST", "/v1/rights/{name}/exercise", EVERYBODY, promise_bodies.RightUsed,
    takes=promise_bodies.PostedExercise,
)  # fmt: skip
async def exercise_right(call: Caller, name: str) -> Response:
    """Use a right. If-Match is honoured."""
    posted = await call.posted(promise_bodies.PostedExercise)
    body = await _right(call, name)
    call.unchanged(body)
    dates = await _right_dates(call, body)
    known = await call.glance(lambda world: _answered(world, call, {"right": name}))
    made = posted.tranche or await call.glance(lambda world: _free_name(world, name))
    if not posted.tranche and known is not None:
        made = str(known["tranche"])
    command = rights.ExerciseRight(
        ids.RightId(name), dates.received(posted.received_at), ids.TrancheId(made), posted.racks,
        dates.instant(posted.start, "start") if posted.start else 0,
    )  # fmt: skip
    answer = await call.decided(command)
    price = body["cap_left"]
    currency = price["currency"] if price else await call.glance(lambda w: _currency(w, body["contract"]))
    drawn = int(answer.get("drawn_micros", 0))
    told: promise_bodies.RightUsed = {
        "right": name,
        "tranche": str(answer["tranche"]),
        "ended": list(answer.get("ended", [])),
        "count": int(answer.get("count", 0)),
        "drawn": amounts.exact(drawn, currency) if "drawn_micros" in answer else None,
        "zone": dates.zone,
    }
    return call.answer(told)


async def _right_dates(call: Call, right: promise_bodies.RightBody) -> zoned.SaidDates:
    contract, site = right["contract"], right["site"]
    return zoned.SaidDates(await call.glance(lambda world: zoned.of_contract(world, contract, site)))


def _free_name(world: World, right: str) -> str:
    """A name for the tranche of a right: the right's own, with the first number that is free."""
    number = 1
    claimed = world.state.claims
    while ids.TrancheId(f"{right}-{number}") in {**claimed.tranches, **claimed.rented.tranches}:
        number += 1
    return f"{right}-{number}"


def _currency(world: World, contract: str) -> str:
    plan = claims.overlays.contract_named(world.state.claims, ids.ContractId(contract))
    assert plan is not None, "a right is one of a contract"
    return plan.currency


@address(
    router, "POST", "/v1/rights/{name}/waive", EVERYBODY, promise_bodies.RightPassed,
    takes=promise_bodies.PostedWaiver,
)  # fmt: skip
async def waive_right(call: Caller, name: str) -> Response:
    """Let an offer pass, or give a right up. If-Match is honoured."""
    posted = await call.posted(promise_bodies.PostedWaiver)
    body = await _right(call, name)
    call.unchanged(body)
    dates = await _right_dates(call, body)
    command = rights.WaiveRight(ids.RightId(name), dates.received(posted.received_at))
    answer = await call.decided(command)
    told: promise_bodies.RightPassed = {
        "right": name,
        "until": known_date(int(answer["until_at"])),
        "zone": dates.zone,
    }
    return call.answer(told)


# What every command here needs.


async def _decided(call: Call, command: ids.Command, *, now_meant: bool, about: dict[str, str]) -> ids.Answer:
    """Have it decided. "Now" was another instant when a key was first used; it is the same request all the same."""
    answer = await call.submit(command)
    if isinstance(answer, ids.Refusal) and answer.code == "key_reused" and now_meant:
        answer = await call.glance(lambda world: _answered(world, call, about)) or answer
    if isinstance(answer, ids.Refusal):
        raise problems.refused(answer, call.principal)
    return answer


def _answered(world: World, call: Call, about: dict[str, str]) -> ids.Answer | None:
    """What this request's key answered before, if that was about the same thing."""
    known = world.state.keys.get((key_scope(call.principal), call.key())) if call.key() else None
    if known is None or any(known.answer.get(name) != value for name, value in about.items()):
        return None
    return known.answer


def _length(text: str, field: str) -> int:
    try:
        length_s = quantities.seconds(text)
    except quantities.Malformed as error:
        raise wrong(field, str(error)) from None
    if not 0 < length_s <= INSTANT_MAX // SECOND_US:
        raise wrong(field, "a term lasts for something, and ends before the year 10000")
    return length_s


def _price(text: str) -> int:
    try:
        return quantities.price_micros(text) if text else 0
    except quantities.Malformed as error:
        raise wrong("price_per_gpu_hour", str(error)) from None
