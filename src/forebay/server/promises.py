"""What may be promised, what is to come and who goes short: `(world, principal) -> what the answer holds`.

As in `views` the default is no. The total of a site, what is planned there, holds and the policy are the seller's:
tenants see their own rights and shortfalls, and nothing by which to guess at the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from forebay.core import claims, supply, units
from forebay.core.claims import exercise, lateness, overdrawn, refusals, rights, workdays
from forebay.core.claims import quotes as quoting
from forebay.core.claims.calendar import Stock
from forebay.core.ids import BlockId, HoldId, Principal, RightId, Role, SiteId, TenantId
from forebay.core.supply import blocks, schedule
from forebay.core.supply.blocks import Confidence, MilestonePlan, Outlook
from forebay.core.timeline import INSTANT_MAX
from forebay.core.world import World
from forebay.server import allocating, amounts, deliveries, promise_bodies, sight

#: Who sees what is the seller's own.
SELLERS = (Role.OPERATOR, Role.FINANCE)


def known_date(at: int) -> str | None:
    """An instant; None where nobody knows one, or there is none."""
    return amounts.when(at) if 0 < at < INSTANT_MAX else None


def policy_body(world: World) -> promise_bodies.PromisePolicyBody:
    """The policy in force."""
    policy = world.state.claims.policy
    return {
        "version": policy.version,
        "confidence": policy.confidence.value,
        "shorting": policy.shorting.value,
        "protected": list(policy.protected),
        "notice_grace_s": policy.notice_grace_s,
        "spares": policy.spares.value,
    }


# What is there, promised and left.


def capacity(
    world: World, principal: Principal, *, site: str, sku: str, from_at: int, months: int
) -> promise_bodies.CapacityBody | None:
    """The capacity table. Raises LookupError, whose message names what is known."""
    if principal.role not in SELLERS:
        return None
    supplied = world.state.supply
    refuse_unknown("site", site, supplied.sites)
    refuse_unknown("SKU", sku, supplied.skus)
    rows = capacity_rows(world, from_at, months, site, sku)
    return {"policy": policy_body(world), "stocks": _stocks(world, rows, from_at)}


def refuse_unknown(what: str, name: str, known: Iterable[str]) -> None:
    """Raises LookupError unless the name is known, or not given."""
    names = sorted(known)
    if name and name not in names:
        raise LookupError(f"there is no {what} {name}; known: {', '.join(names) or 'none'}")


def capacity_rows(
    world: World, from_at: int, months: int, site: str = "", sku: str = ""
) -> list[quoting.Row]:
    """Rows of the capacity table, of one site or SKU where they are named."""
    calendar = world.calendar
    stocks = [
        stock
        for stock in calendar.stocks()
        if (not site or stock.site == site) and (not sku or stock.sku == sku)
    ]
    return quoting.capacity_table(
        world.state.claims, world.state.supply, calendar, from_at, months, stocks
    )  # fmt: skip


def _stocks(world: World, rows: Iterable[quoting.Row], from_at: int) -> list[promise_bodies.CapacityStock]:
    found: dict[tuple[str, str], promise_bodies.CapacityStock] = {}
    for row in rows:
        sku = world.state.supply.skus[row.sku]
        stock = found.setdefault(
            (row.site, row.sku),
            {
                "site": row.site, "sku": row.sku, "nodes_per_rack": sku.nodes_per_rack,
                "gpus_per_node": sku.gpus_per_node, "provisional": row.provisional, "months": [], "overdrawn": [],
            },
        )  # fmt: skip
        if not stock["months"]:
            stock["overdrawn"] = overdrafts_of(world, Stock(row.site, row.sku), from_at)
        stock["months"].append(_month(row))
    return list(found.values())


def _month(row: quoting.Row) -> promise_bodies.CapacityMonth:
    return {
        "month": amounts.when(row.start_at)[:7], "start": amounts.when(row.start_at), "end": amounts.when(row.end_at),
        "supply_p50": row.supply_p50, "supply_p90": row.supply_p90, "committed": row.committed, "held": row.held,
        "calls": row.calls, "extensions": row.extensions, "refusals": row.refusals, "backstop": row.backstop,
        "promisable": row.promisable, "short": row.short, "overdrawn": row.overdrawn, "spares": row.spares,
    }  # fmt: skip


def capacity_changes(
    world: World, before: list[quoting.Row], after: list[quoting.Row]
) -> list[promise_bodies.CapacityChange]:
    """Months whose figures differ; a stock that is new had nothing."""
    was = {(row.site, row.sku, row.start_at): row for row in before}
    found: list[promise_bodies.CapacityChange] = []
    for row in after:
        nothing = quoting.Row(
            row.site, row.sku, row.start_at, row.end_at, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, row.provisional
        )
        old = was.get((row.site, row.sku, row.start_at), nothing)
        if old._replace(provisional=row.provisional) != row:
            sku = world.state.supply.skus[row.sku]
            found.append(
                {
                    "site": row.site, "sku": row.sku, "nodes_per_rack": sku.nodes_per_rack,
                    "gpus_per_node": sku.gpus_per_node, "before": _month(old), "after": _month(row),
                }
            )  # fmt: skip
    return found


# What is to come.


def schedules(world: World, principal: Principal) -> list[tuple[str, promise_bodies.ScheduleBody]]:
    """Schedules by site."""
    if principal.role not in SELLERS:
        return []
    stands = supply.standing(world.state.supply)
    return [
        (site, schedule_body(world, site, stands.get(site, supply.Stands())))
        for site in sorted(world.state.supply.schedules)
    ]


def schedule_body(world: World, site: SiteId, stands: supply.Stands) -> promise_bodies.ScheduleBody:
    """What is to come at a site that has a schedule."""
    supplied = world.state.supply
    outlook = world.calendar.outlook(site)
    assert outlook is not None, "a site without a schedule is not asked for"
    known = outlook.schedule
    forecast = known.forecast
    return {
        "site": site,
        "title": supplied.sites[site].title,
        "zone": supplied.sites[site].zone,
        "graph": known.graph,
        "forecast": None
        if forecast is None
        else {
            "source": forecast.source,
            "graph": forecast.graph,
            "scenarios": forecast.scenarios,
            "current": not outlook.provisional,
        },
        "provisional": outlook.provisional,
        "milestones": [_milestone(outlook, milestone) for milestone in known.plan.milestones],
        "blocks": [
            _block(supplied, outlook, block, stands.blocks.get(block.id, 0)) for block in known.plan.blocks
        ],
        "power": [_stage(outlook, stage) for stage in known.plan.stages],
    }


def _milestone(outlook: Outlook, milestone: MilestonePlan) -> promise_bodies.MilestoneBody:
    known, name = outlook.schedule, milestone.id
    return {
        "id": name,
        "kind": milestone.kind,
        "after": list(milestone.after),
        "waits_for": [before for before in milestone.after if before not in known.reached]
        if name not in known.reached
        else [],
        "planned": known_date(milestone.planned_at),
        "reported": known_date(known.reported.get(name, 0)),
        "reached": known_date(known.reached.get(name, 0)),
        "date": known_date(outlook.dates[name]),
        "p50": known_date(outlook.milestone(name, Confidence.P50)),
        "p90": known_date(outlook.milestone(name, Confidence.P90)),
    }


def _block(
    supplied: supply.State, outlook: Outlook, block: blocks.BlockPlan, stands: int
) -> promise_bodies.BlockBody:
    return {
        "id": block.id,
        "sku": block.sku,
        "racks": block.racks,
        "gpus": _gpus(supplied, block),
        "racks_standing": stands,
        "after": list(block.after),
        "hall": block.hall,
        "row": block.row,
        "feed": block.feed,
        "loop": block.loop,
        "date": known_date(outlook.block_date(block)),
        "p50": known_date(outlook.block(block, Confidence.P50)),
        "p90": known_date(outlook.block(block, Confidence.P90)),
    }


def _gpus(supplied: supply.State, block: blocks.BlockPlan) -> int:
    sku = supplied.skus[block.sku]
    return block.racks * sku.nodes_per_rack * sku.gpus_per_node


def _stage(outlook: Outlook, stage: blocks.PowerStage) -> promise_bodies.PowerStageBody:
    facility = blocks.facility_power(stage)
    return {
        "id": stage.id,
        "kind": stage.kind.value,
        "contracted_w": blocks.contracted_power(stage).watts,
        "connected_w": blocks.connected_power(stage).watts,
        "facility_w": facility.watts,
        "it_w": units.it_power(facility, outlook.schedule.plan.pue_ppm).watts,
        "start": stage.start,
        "start_p50": known_date(outlook.milestone(stage.start, Confidence.P50)),
        "start_p90": known_date(outlook.milestone(stage.start, Confidence.P90)),
        "end": stage.end,
        "end_date": known_date(min(outlook.milestone(stage.end, each) for each in Confidence))
        if stage.end
        else None,
    }


class BlockDate(NamedTuple):
    """When a block comes: by which we reckon, and by which promises are measured."""

    date: int
    sure: int


def block_dates(world: World, site: SiteId) -> dict[BlockId, BlockDate]:
    """The dates of all blocks of a site; none where nothing is planned."""
    outlook, confidence = world.calendar.outlook(site), world.state.claims.policy.confidence
    if outlook is None:
        return {}
    return {
        block.id: BlockDate(outlook.block_date(block), outlook.block(block, confidence))
        for block in outlook.schedule.plan.blocks
    }


def moved_blocks(
    world: World, site: SiteId, before: dict[BlockId, BlockDate], after: dict[BlockId, BlockDate]
) -> list[promise_bodies.MovedBlock]:
    """Blocks whose dates differ."""
    planned = {block.id: block for block in world.state.supply.schedules[site].plan.blocks}
    found: list[promise_bodies.MovedBlock] = []
    for name, now in after.items():
        was, block = before.get(name, BlockDate(INSTANT_MAX, INSTANT_MAX)), planned[name]
        if was == now:
            continue
        found.append(
            {
                "block": block.id,
                "sku": block.sku,
                "racks": block.racks,
                "gpus": _gpus(world.state.supply, block),
                "before": known_date(was.date),
                "after": known_date(now.date),
                "days": _days(was.date, now.date),
                "sure_before": known_date(was.sure),
                "sure_after": known_date(now.sure),
                "sure_days": _days(was.sure, now.sure),
            }
        )
    return found


def _days(was: int, now: int) -> int | None:
    return schedule.slip_days(was, now) if max(was, now) < INSTANT_MAX else None


# Who is at risk.


def shortfalls(world: World, principal: Principal, at: int) -> promise_bodies.ShortfallsBody:
    """Who goes short as far as it is known at an instant, and the principal may see it."""
    found = [risk for risk in risks_of(world, at) if sight.owns(principal, risk.tenant)]
    body: promise_bodies.ShortfallsBody = {
        "items": [risk_body(world, risk, principal) for risk in found],
        "totals": risk_totals(found),
    }
    if principal.role in SELLERS:
        body["policy"] = policy_body(world)
        body["stocks"] = allocating.stocks_short(world)
    return body


def risks_of(world: World, at: int) -> list[quoting.Risk]:
    """Every tranche that goes short."""
    return quoting.risks(world.state.claims, world.state.supply, at)


def risk_body(world: World, risk: quoting.Risk, principal: Principal) -> promise_bodies.RiskBody:
    """One tranche that goes short. The World is the one that the risk was found in."""
    claimed, sku = world.state.claims, world.state.supply.skus[risk.sku]
    late = claimed.tranches[risk.tranche].plan.late
    return {
        "tranche": risk.tranche,
        "contract": risk.contract,
        "tenant": risk.tenant,
        "site": risk.site,
        "sku": risk.sku,
        "start": amounts.when(risk.start_at),
        "end": known_date(risk.end_at),
        "nodes": risk.gpus_most // sku.gpus_per_node,
        "gpus": risk.gpus_most,
        "nodes_per_rack": sku.nodes_per_rack,
        "gpu_hours": risk.gpu_hours,
        "parts": [
            {
                "start": amounts.when(short.start_at),
                "end": known_date(short.end_at),
                "nodes": short.nodes,
                "gpus": short.nodes * sku.gpus_per_node,
            }
            for short in risk.parts
        ],
        "terms": risk.terms,
        "late": None if late is None else late_body(late, risk.currency),
        "fees": amounts.exact(risk.cost.fees_micros, risk.currency),
        "damages": amounts.exact(risk.cost.damages_micros, risk.currency),
        "discount": amounts.exact(risk.cost.discount_micros, risk.currency),
        "capped": risk.cost.capped,
        "longstop": known_date(risk.cost.longstop_at),
        "until_accepted": risk.until_accepted,
        "moved": deliveries.dates_moved(risk.moved),
        "reliefs": deliveries.reliefs_told(claimed.tranches[risk.tranche]),
        "decided_by": allocating.decided_by(world, risk, principal),
    }


def late_body(late: claims.Late, currency: str) -> promise_bodies.LateBody:
    """What follows when a part of a tranche is late."""
    return {
        "grace_s": late.grace_s,
        "damages_per_gpu_day": amounts.exact(late.damages_micros_per_gpu_day, currency),
        "cap": amounts.exact(late.cap_micros, currency) if late.cap_micros else None,
        "longstop_s": late.longstop_s,
        "discount_ppm_per_day": late.discount_ppm_per_day,
    }


def risk_totals(found: Iterable[quoting.Risk]) -> list[promise_bodies.RiskTotal]:
    """What shortfalls cost, currency by currency."""
    sums: dict[str, tuple[int, int, int]] = {}
    for risk in found:
        fees, damages, discount = sums.get(risk.currency, (0, 0, 0))
        cost = risk.cost
        sums[risk.currency] = (
            fees + cost.fees_micros,
            damages + cost.damages_micros,
            discount + cost.discount_micros,
        )
    return [
        {
            "currency": currency,
            "fees": amounts.exact(fees, currency),
            "damages": amounts.exact(damages, currency),
            "discount": amounts.exact(discount, currency),
            "total": amounts.exact(fees + damages + discount, currency),
        }
        for currency, (fees, damages, discount) in sorted(sums.items())
    ]


def risk_changes(
    before: promise_bodies.ShortfallsBody, after: promise_bodies.ShortfallsBody
) -> list[promise_bodies.RiskChange]:
    """Tranches that go short in another way, by name."""
    old = {risk["tranche"]: risk for risk in before["items"]}
    new = {risk["tranche"]: risk for risk in after["items"]}
    return [
        {"before": old.get(name), "after": new.get(name)}
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]


# What may be asked for and will not be there.


def overdrafts_seen(world: World, principal: Principal) -> list[promise_bodies.OverdraftBody]:
    """Every hold and right that may take more than there will be, from now on."""
    if principal.role not in SELLERS:
        return []
    return [
        each for stock in world.calendar.stocks() for each in overdrafts_of(world, stock, world.state.now)
    ]


def overdrafts_of(world: World, stock: Stock, since: int) -> list[promise_bodies.OverdraftBody]:
    """Of one stock."""
    claimed, sku = world.state.claims, world.state.supply.skus[stock.sku]
    found: dict[tuple[str, str], promise_bodies.OverdraftBody] = {}
    for each in overdrawn.overdrafts(claimed, world.calendar, stock, since):
        is_hold = each.kind == "hold"
        tenant = claimed.holds[HoldId(each.id)].tenant if is_hold else claimed.rights[RightId(each.id)].tenant
        body = found.setdefault(
            (each.kind, each.id),
            {
                "kind": each.kind, "id": each.id, "tenant": tenant, "site": stock.site, "sku": stock.sku,
                "nodes_per_rack": sku.nodes_per_rack, "parts": [],
            },
        )  # fmt: skip
        body["parts"].append(
            {
                "start": amounts.when(each.window.start), "end": known_date(each.window.end), "nodes": each.nodes,
                "gpus": each.nodes * sku.gpus_per_node,
            }
        )  # fmt: skip
    return list(found.values())


def overdraft_changes(
    before: list[promise_bodies.OverdraftBody], after: list[promise_bodies.OverdraftBody]
) -> list[promise_bodies.OverdraftChange]:
    """Holds and rights that are overdrawn in another way, by kind and name."""
    old = {(each["kind"], each["id"]): each for each in before}
    new = {(each["kind"], each["id"]): each for each in after}
    return [
        {"before": old.get(name), "after": new.get(name)}
        for name in sorted({*old, *new})
        if old.get(name) != new.get(name)
    ]


# Quotes and holds.


def quotes(
    world: World, requests: Iterable[quoting.Request], currency: str
) -> list[promise_bodies.OfferBody]:
    """Offers for each of several requests, ranked together."""
    claimed, supplied = world.state.claims, world.state.supply
    found = [
        offer for request in requests for offer in quoting.quote(claimed, supplied, world.calendar, request)
    ]
    return [_offer(world, offer, currency) for offer in quoting.ranked(found)]


def _superchips(sku: supply.Sku, gpus: int) -> int:
    """Superchips of so many GPUs; 0 where the kind of rack does not count them."""
    return gpus // sku.gpus_per_superchip if sku.counts is supply.Counted.SUPERCHIP else 0


def nominee_of(world: World, requests: Iterable[quoting.Request]) -> promise_bodies.NomineeBody | None:
    """Where a tranche with this choice would be, by the order of its requests; None where it fits nowhere."""
    claimed, supplied = world.state.claims, world.state.supply
    sure = claimed.policy.confidence
    found = (quoting.nominee(claimed, supplied, world.calendar, request, sure) for request in requests)
    stock = next((each for each in found if each is not None), None)
    return None if stock is None else {"site": stock.site, "sku": stock.sku}


def _offer(world: World, offer: quoting.Offer, currency: str) -> promise_bodies.OfferBody:
    return {
        "site": offer.site,
        "sku": offer.sku,
        "start": amounts.when(offer.start_at),
        "end": amounts.when(offer.end_at),
        "confidence": offer.confidence.value,
        "signable": offer.confidence in (Confidence.P90, world.state.claims.policy.confidence),
        "nodes": offer.nodes,
        "gpus": offer.gpus,
        "superchips": _superchips(world.state.supply.skus[offer.sku], offer.gpus),
        "nodes_per_rack": world.state.supply.skus[offer.sku].nodes_per_rack,
        "cost": amounts.exact(offer.cost_micros, currency) if currency else None,
        "obstacles": [
            {"kind": each.kind, "id": each.id, "until": known_date(each.until)} for each in offer.obstacles
        ],
    }


def offers_instead(
    world: World, plan: claims.TranchePlan, tenant: str, at: int
) -> list[promise_bodies.OfferBody]:
    """Where and from when on a tranche that does not fit would, not before its start: within the choice that it
    leaves, else at any site.
    """
    nomination = claims.nomination
    sites = nomination.sites_of(plan, world.state.supply) if nomination.has_choice(plan) else ()
    request = quoting.Request(
        nomination.skus_of(plan), plan.count, plan.end_at - plan.start_at, max(plan.start_at, at), plan.unit, sites,
        tenant=TenantId(tenant), signed_at=at,
    )  # fmt: skip
    return quotes(world, [request], "")


def holds_seen(world: World, principal: Principal) -> list[tuple[str, promise_bodies.HoldBody]]:
    """Holds by name."""
    if principal.role not in SELLERS:
        return []
    claimed = world.state.claims
    offered = {
        right.hold: right.plan.id for right in claimed.rights.values() if right.life is rights.Life.OFFERED
    }
    return [(name, _hold(world, hold, offered.get(name, ""))) for name, hold in sorted(claimed.holds.items())]


def _hold(world: World, hold: claims.Hold, offered_to: str) -> promise_bodies.HoldBody:
    sku = world.state.supply.skus[hold.sku]
    return {
        "id": hold.id,
        "tenant": hold.tenant,
        "site": hold.site,
        "sku": hold.sku,
        "nodes": hold.nodes,
        "gpus": hold.nodes * sku.gpus_per_node,
        "nodes_per_rack": sku.nodes_per_rack,
        "start": amounts.when(hold.start_at),
        "end": amounts.when(hold.end_at),
        "expires": amounts.when(hold.expires_at),
        "price_per_gpu_hour": units.decimal_text(hold.price_micros_per_gpu_hour),
        "currency": hold.currency,
        "offered_to": offered_to,
    }


# Rights.


def rights_seen(world: World, principal: Principal) -> list[tuple[str, promise_bodies.RightBody]]:
    """Rights by name, of the contracts that the principal may see."""
    longstops = {risk.tranche: risk.cost.longstop_at for risk in risks_of(world, world.now)}
    over = {(each["kind"], each["id"]): each["parts"] for each in overdrafts_seen(world, principal)}
    claimed, supplied = world.state.claims, world.state.supply

    def told(right: rights.Right) -> promise_bodies.RightBody:
        body = right_body(claimed, supplied, principal, right, longstops.get(right.plan.tranche, 0))
        if principal.role in SELLERS:
            body["overdrawn"] = over.get((right.plan.kind.value, right.plan.id), [])
        return body

    return [
        (name, told(right))
        for name, right in sorted(claimed.rights.items())
        if sight.owns(principal, right.tenant)
    ]


def right_body(
    state: claims.State, supplied: supply.State, principal: Principal, right: rights.Right, longstop_at: int
) -> promise_bodies.RightBody:
    """One right, of a contract in this state."""
    plan = right.plan
    currency = state.contracts[right.contract].currency
    cap_left = exercise.cap_left_micros(state, right)
    site, sku = _scope(state, right)
    opens_at, expires_at = _window(right, longstop_at)
    living = right.life in (rights.Life.DORMANT, rights.Life.OFFERED)
    moved = _moved_for(state, right)
    return {
        "id": plan.id,
        "kind": plan.kind.value,
        "contract": right.contract,
        "tenant": right.tenant,
        "holder": rights.holder(right).value,
        "life": right.life.value,
        "site": site,
        "sku": sku,
        "tranche": plan.tranche,
        "opens": known_date(opens_at),
        "expires": known_date(expires_at),
        "deadline": known_date(rights.deadline(right)) if living else None,
        "notice_s": plan.notice_s,
        "notice": None if plan.notice is None else _day_notice(state, plan.notice),
        "term_s": plan.term_s,
        "price_per_gpu_hour": amounts.exact(plan.price_micros_per_gpu_hour, currency)
        if plan.price_micros_per_gpu_hour
        else None,
        "racks_min": plan.racks_min,
        "racks_taken": right.racks,
        "racks_left": _racks_left(state, supplied, right) if living else 0,
        "unsold": plan.unsold.value if plan.kind is rights.RightKind.BACKSTOP else None,
        "withdrawn": known_date(right.withdrawn_at),
        "to_come": [_terms_to_come(each, currency) for each in right.to_come] if living else [],
        "cap": plan.cap,
        "cap_left": None if cap_left is None else amounts.exact(cap_left, currency),
        "offer": _on_offer(state, supplied, principal, right, currency),
        "moved": moved["moved"],
        "reliefs": moved["reliefs"],
    }


def _terms_to_come(terms: rights.DatedRight, currency: str) -> promise_bodies.RightTermsBody:
    plan = terms.plan
    return {
        "since": amounts.when(terms.at),
        "racks_max": plan.racks_max,
        "racks_min": plan.racks_min,
        "unsold": plan.unsold.value if plan.kind is rights.RightKind.BACKSTOP else None,
        "opens": known_date(plan.opens_at),
        "expires": known_date(plan.expires_at),
        "notice_s": plan.notice_s,
        "notice_days": None if plan.notice is None else plan.notice.days,
        "term_s": plan.term_s,
        "price_per_gpu_hour": amounts.exact(plan.price_micros_per_gpu_hour, currency)
        if plan.price_micros_per_gpu_hour
        else None,
    }


def _day_notice(state: claims.State, notice: workdays.DayNotice) -> promise_bodies.DayNoticeBody:
    calendar = state.calendars[notice.calendar]
    hours, minutes = divmod(calendar.closes_s // 60, 60)
    return {
        "days": notice.days,
        "business": notice.business,
        "calendar": calendar.id,
        "version": calendar.version,
        "zone": calendar.zone,
        "closes": f"{hours:02}:{minutes:02}",
    }


def _moved_for(state: claims.State, right: rights.Right) -> promise_bodies.DatesBody:
    if right.plan.kind is not rights.RightKind.TERMINATION:
        return {"moved": [], "reliefs": []}
    tranche = state.tranches[right.plan.tranche]
    moved = [date for date in lateness.dates_of(tranche) if date.moved_to != date.at]
    return {"moved": deliveries.dates_moved(moved), "reliefs": deliveries.reliefs_told(tranche)}


def _scope(state: claims.State, right: rights.Right) -> tuple[str, str]:
    if right.plan.tranche:
        plan = state.tranches[right.plan.tranche].plan
        return plan.site, plan.sku
    return right.plan.site, right.plan.sku


def _window(right: rights.Right, longstop_at: int) -> tuple[int, int]:
    """From when on a right may be used, and from when on no more; 0 for at once, and for no end."""
    plan = right.plan
    if plan.kind is rights.RightKind.BACKSTOP:
        return max(plan.opens_at, plan.measure_at), right.closes_at
    if plan.kind is rights.RightKind.TERMINATION:
        return max(plan.opens_at, longstop_at), right.closes_at
    return plan.opens_at, right.closes_at


def _racks_left(state: claims.State, supplied: supply.State, right: rights.Right) -> int | None:
    """Racks that may still be taken; None where there is no limit of its own."""
    if right.plan.kind not in (rights.RightKind.CALL, rights.RightKind.BACKSTOP):
        return None
    return quoting.racks_open(state, supplied, right)


def _on_offer(
    state: claims.State, supplied: supply.State, principal: Principal, right: rights.Right, currency: str
) -> promise_bodies.SaleOnOffer | None:
    if right.life is not rights.Life.OFFERED:
        return None
    hold = state.holds[right.hold]
    price = refusals.price_offered(right, hold)
    body: promise_bodies.SaleOnOffer = {
        "site": hold.site,
        "sku": hold.sku,
        "nodes": hold.nodes,
        "gpus": hold.nodes * supplied.skus[hold.sku].gpus_per_node,
        "start": amounts.when(hold.start_at),
        "end": amounts.when(hold.end_at),
        "price_per_gpu_hour": amounts.exact(price, currency),
    }
    if principal.role in SELLERS:
        body["hold"] = hold.id
    return body
