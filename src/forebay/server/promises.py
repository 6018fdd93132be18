"""What may be promised, what is to come and who goes short: `(world, principal) -> what the answer holds`.

As in `views` the default is no. The total of a site, what is planned there, holds and the policy are the seller's:
tenants see their own rights and shortfalls, and nothing by which to guess at the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from forebay.core import claims, supply, units
from forebay.core.claims import exercise, refusals, rights
from forebay.core.claims import quotes as quoting
from forebay.core.ids import BlockId, Principal, Role, SiteId, TenantId
from forebay.core.supply import blocks, schedule
from forebay.core.supply.blocks import Confidence, MilestonePlan, Outlook
from forebay.core.timeline import INSTANT_MAX
from forebay.core.world import World
from forebay.server import amounts, promise_bodies, sight

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
    return {"policy": policy_body(world), "stocks": _stocks(world, rows)}


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


def _stocks(world: World, rows: Iterable[quoting.Row]) -> list[promise_bodies.CapacityStock]:
    found: dict[tuple[str, str], promise_bodies.CapacityStock] = {}
    for row in rows:
        sku = world.state.supply.skus[row.sku]
        stock = found.setdefault(
            (row.site, row.sku),
            {
                "site": row.site, "sku": row.sku, "nodes_per_rack": sku.nodes_per_rack,
                "gpus_per_node": sku.gpus_per_node, "provisional": row.provisional, "months": [],
            },
        )  # fmt: skip
        stock["months"].append(_month(row))
    return list(found.values())


def _month(row: quoting.Row) -> promise_bodies.CapacityMonth:
    return {
        "month": amounts.when(row.start_at)[:7], "start": amounts.when(row.start_at), "end": amounts.when(row.end_at),
        "supply_p50": row.supply_p50, "supply_p90": row.supply_p90, "committed": row.committed, "held": row.held,
        "calls": row.calls, "extensions": row.extensions, "refusals": row.refusals, "backstop": row.backstop,
        "promisable": row.promisable, "short": row.short,
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


def shortfalls(world: World, principal: Principal) -> promise_bodies.ShortfallsBody:
    """Who goes short, as far as the principal may see it."""
    found = [risk for risk in risks_of(world) if sight.owns(principal, risk.tenant)]
    body: promise_bodies.ShortfallsBody = {
        "items": [risk_body(world, risk) for risk in found],
        "totals": risk_totals(found),
    }
    if principal.role in SELLERS:
        body["policy"] = policy_body(world)
    return body


def risks_of(world: World) -> list[quoting.Risk]:
    """Every tranche that goes short."""
    return quoting.risks(world.state.claims, world.state.supply)


def risk_body(world: World, risk: quoting.Risk) -> promise_bodies.RiskBody:
    """One tranche that goes short. The World is the one that the risk was found in."""
    claimed, sku = world.state.claims, world.state.supply.skus[risk.sku]
    late = claimed.tranches[risk.tranche].plan.late
    shorts = [short for short in claimed.shorts[risk.site, risk.sku] if short.tranche == risk.tranche]
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
            for short in shorts
        ],
        "terms": risk.terms,
        "late": None if late is None else _late(late, risk.currency),
        "fees": amounts.exact(risk.cost.fees_micros, risk.currency),
        "damages": amounts.exact(risk.cost.damages_micros, risk.currency),
        "capped": risk.cost.capped,
        "longstop": known_date(risk.cost.longstop_at),
    }


def _late(late: claims.Late, currency: str) -> promise_bodies.LateBody:
    return {
        "grace_s": late.grace_s,
        "damages_per_gpu_day": amounts.exact(late.damages_micros_per_gpu_day, currency),
        "cap": amounts.exact(late.cap_micros, currency) if late.cap_micros else None,
        "longstop_s": late.longstop_s,
    }


def risk_totals(found: Iterable[quoting.Risk]) -> list[promise_bodies.RiskTotal]:
    """What shortfalls cost, currency by currency."""
    sums: dict[str, tuple[int, int]] = {}
    for risk in found:
        fees, damages = sums.get(risk.currency, (0, 0))
        sums[risk.currency] = (fees + risk.cost.fees_micros, damages + risk.cost.damages_micros)
    return [
        {
            "currency": currency,
            "fees": amounts.exact(fees, currency),
            "damages": amounts.exact(damages, currency),
            "total": amounts.exact(fees + damages, currency),
        }
        for currency, (fees, damages) in sorted(sums.items())
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
        "nodes_per_rack": world.state.supply.skus[offer.sku].nodes_per_rack,
        "cost": amounts.exact(offer.cost_micros, currency) if currency else None,
        "obstacles": [
            {"kind": each.kind, "id": each.id, "until": known_date(each.until)} for each in offer.obstacles
        ],
    }


def offers_instead(
    world: World, plan: claims.TranchePlan, tenant: str, at: int
) -> list[promise_bodies.OfferBody]:
    """Where and from when on a tranche that does not fit would: at any site, not before its start."""
    request = quoting.Request(
        (plan.sku,), plan.count, plan.end_at - plan.start_at, max(plan.start_at, at), plan.unit,
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
        "offered_to": offered_to,
    }


# Rights.


def rights_seen(world: World, principal: Principal) -> list[tuple[str, promise_bodies.RightBody]]:
    """Rights by name, of the contracts that the principal may see."""
    longstops = {risk.tranche: risk.cost.longstop_at for risk in risks_of(world)}
    return [
        (name, _right(world, principal, right, longstops.get(right.plan.tranche, 0)))
        for name, right in sorted(world.state.claims.rights.items())
        if sight.owns(principal, right.tenant)
    ]


def _right(
    world: World, principal: Principal, right: rights.Right, longstop_at: int
) -> promise_bodies.RightBody:
    state, plan = world.state.claims, right.plan
    currency = state.contracts[right.contract].currency
    cap_left = exercise.cap_left_micros(state, right)
    site, sku = _scope(world, right)
    opens_at, expires_at = _window(right, longstop_at)
    living = right.life in (rights.Life.DORMANT, rights.Life.OFFERED)
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
        "term_s": plan.term_s,
        "price_per_gpu_hour": amounts.exact(plan.price_micros_per_gpu_hour, currency)
        if plan.price_micros_per_gpu_hour
        else None,
        "racks_min": plan.racks_min,
        "racks_taken": right.racks,
        "racks_left": _racks_left(world, right) if living else 0,
        "cap": plan.cap,
        "cap_left": None if cap_left is None else amounts.exact(cap_left, currency),
        "offer": _on_offer(world, principal, right, currency),
    }


def _scope(world: World, right: rights.Right) -> tuple[str, str]:
    if right.plan.tranche:
        plan = world.state.claims.tranches[right.plan.tranche].plan
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


def _racks_left(world: World, right: rights.Right) -> int | None:
    """Racks that may still be taken; None where there is no limit of its own."""
    if right.plan.kind not in (rights.RightKind.CALL, rights.RightKind.BACKSTOP):
        return None
    return quoting.racks_open(world.state.claims, world.state.supply, right)


def _on_offer(
    world: World, principal: Principal, right: rights.Right, currency: str
) -> promise_bodies.SaleOnOffer | None:
    if right.life is not rights.Life.OFFERED:
        return None
    hold = world.state.claims.holds[right.hold]
    price = refusals.price_offered(right, hold)
    body: promise_bodies.SaleOnOffer = {
        "site": hold.site,
        "sku": hold.sku,
        "nodes": hold.nodes,
        "gpus": hold.nodes * world.state.supply.skus[hold.sku].gpus_per_node,
        "start": amounts.when(hold.start_at),
        "end": amounts.when(hold.end_at),
        "price_per_gpu_hour": amounts.exact(price, currency),
    }
    if principal.role in SELLERS:
        body["hold"] = hold.id
    return body
