"""Who we are, from whom our capacity is, and what both sides of a contract know: `(world, principal) -> the answer`.

As in `views` the default is no. An overlay is for operators and finance alone, and stands in no answer but its own;
entitlements are what both parties know, so the customer of a contract may see them.
"""

from __future__ import annotations

from forebay.core import claims
from forebay.core.claims import deliveries, entitlements, offers, renting, rights, suppliers
from forebay.core.ids import ContractId, Principal, SiteId, TrancheId
from forebay.core.supply import schedule
from forebay.core.timeline import INSTANT_MAX
from forebay.core.units import decimal_text
from forebay.core.world import World
from forebay.server import amounts, bodies, promise_bodies, promises, side_bodies, sight, views
from forebay.server.promises import SELLERS, known_date


def estate_body(world: World, principal: Principal) -> side_bodies.EstateBody:
    """Who we are."""
    known = world.state.claims.estate if principal.role in SELLERS else None
    if known is None:
        return {"party": "", "title": "", "also": [], "version": 0}
    return {"party": known.party, "title": known.title, "also": list(known.also), "version": known.version}


# From whom.


def suppliers_body(
    world: World, principal: Principal, from_at: int, months: int
) -> side_bodies.SuppliersBody | None:
    """Month by month, who has how much for us."""
    if principal.role not in SELLERS:
        return None
    claimed = world.state.claims
    found = suppliers.supply_by_supplier(claimed, world.state.supply, world.calendar, from_at, months)
    return {
        "party": estate_body(world, principal)["party"],
        "confidence": claimed.policy.confidence.value,
        "months": [_month(month) for month in found],
    }


def _month(month: suppliers.SupplyMonth) -> promise_bodies.SupplierMonth:
    return {
        "month": amounts.when(month.start_at)[:7],
        "start": amounts.when(month.start_at),
        "end": amounts.when(month.end_at),
        "suppliers": [
            {
                "supplier": each.supplier, "gpus_p50": each.gpus_p50, "gpus_p90": each.gpus_p90,
                "share_ppm": each.share_ppm,
            }
            for each in month.shares
        ],
        "concentration": month.concentration,
    }  # fmt: skip


def with_suppliers(
    world: World, principal: Principal, body: promise_bodies.CapacityBody | None, from_at: int, months: int
) -> promise_bodies.CapacityBody | None:
    """The capacity table, and where anything is rented, whose each stock is and the share of each supplier."""
    state = world.state.claims
    found = suppliers_body(world, principal, from_at, months) if body and state.rented.contracts else None
    if body is not None and found is not None:
        for stock in body["stocks"]:
            stock["supplier"] = suppliers.supplier_of(state, SiteId(stock["site"]))
        body["suppliers"] = found["months"]
    return body


# Private terms.


def overlays_seen(world: World, principal: Principal) -> list[tuple[str, side_bodies.OverlayBody]]:
    """Overlays by contract, for ourselves only."""
    if principal.role not in SELLERS:
        return []
    return [(name, _overlay(world, each)) for name, each in sorted(world.state.claims.overlays.items())]


def _overlay(world: World, overlay: claims.parties.Overlay) -> side_bodies.OverlayBody:
    floor = overlay.floor_micros_per_gpu_hour
    signed = claims.overlays.contract_named(world.state.claims, overlay.contract)
    return {
        "contract": overlay.contract,
        "version": overlay.version,
        "party": overlay.party,
        "signed": signed is not None,
        "floor_price": decimal_text(floor) if floor else None,
        "margin_ppm": overlay.margin_ppm,
        "priority": overlay.priority,
        "confidence": overlay.confidence.value if overlay.confidence else None,
        "behind": [_behind(world, each) for each in overlay.behind],
        "notes": overlay.notes,
    }


def _behind(world: World, behind: claims.parties.Behind) -> side_bodies.BehindBody:
    outlook = world.calendar.outlook(behind.site)
    expected_at = 0
    if outlook is not None and behind.milestone in outlook.dates:
        expected_at = outlook.milestone(behind.milestone, world.state.claims.policy.confidence)
    tranche = world.state.claims.tranches.get(behind.tranche)
    parts = deliveries.committed(tranche.plan) if tranche else ()
    committed_at = parts[behind.delivery - 1].at if 0 < behind.delivery <= len(parts) else 0
    dated = committed_at and 0 < expected_at < INSTANT_MAX
    return {
        "tranche": behind.tranche,
        "delivery": behind.delivery,
        "site": behind.site,
        "milestone": behind.milestone,
        "committed": known_date(committed_at),
        "expected": known_date(expected_at),
        "days_left": schedule.slip_days(expected_at, committed_at) if dated else None,
    }


# What both sides know.


def entitlements_body(
    world: World, principal: Principal, name: str, at: int
) -> side_bodies.EntitlementsBody | None:
    """What follows from a contract; None where there is none that the principal may see."""
    book = entitlements.book_of(world.state.claims, ContractId(name))
    if book is None or not sight.owns(principal, book.plan.tenant):
        return None
    found = entitlements.entitlements(book, world.state.supply, at)
    return {
        "contract": found.contract,
        "version": found.version,
        "seller": found.seller,
        "tenant": found.tenant,
        "at": amounts.when(at),
        "deliveries": [_entitled(each) for each in found.deliveries],
        "late": [
            {
                "tranche": each.tranche,
                "fees": amounts.exact(each.cost.fees_micros, found.currency),
                "damages": amounts.exact(each.cost.damages_micros, found.currency),
                "discount": amounts.exact(each.cost.discount_micros, found.currency),
                "capped": each.cost.capped,
                "longstop": known_date(each.cost.longstop_at),
            }
            for each in found.late
        ],
        "rights": [
            {
                "right": each.right, "kind": each.kind.value, "holder": each.holder.value, "life": each.life.value,
                "racks": each.racks, "deadline": known_date(each.deadline_at),
                "offer": None if each.offer is None else _offered(world, each.offer, found.currency),
            }
            for each in found.rights
        ],
        "caps": [
            {
                "cap": each.cap,
                "amount": amounts.exact(each.micros, found.currency),
                "drawn": amounts.exact(each.drawn_micros, found.currency),
            }
            for each in found.caps
        ],
    }  # fmt: skip


def _offered(world: World, sale: offers.OfferedSale, currency: str) -> promise_bodies.SaleOnOffer:
    return {
        "site": sale.site,
        "sku": sale.sku,
        "nodes": sale.nodes,
        "gpus": sale.nodes * world.state.supply.skus[sale.sku].gpus_per_node,
        "start": amounts.when(sale.start_at),
        "end": amounts.when(sale.end_at),
        "price_per_gpu_hour": amounts.exact(sale.price_micros_per_gpu_hour, currency),
    }


def _entitled(each: entitlements.Entitled) -> side_bodies.EntitledBody:
    return {
        "tranche": each.tranche,
        "delivery": each.delivery,
        "site": each.site,
        "sku": each.sku,
        "gpus": each.gpus,
        "committed": amounts.when(each.committed_at),
        "moved_to": amounts.when(each.moved_to),
        "end": amounts.when(each.end_at),
        "comes": known_date(each.comes_at),
        "state": "delivered" if each.delivered else "overdue" if each.overdue else "expected",
    }


def contracts_of_both_sides(world: World, principal: Principal) -> list[tuple[str, bodies.ContractBody]]:
    """Contracts by name, as signed; ourselves are told on which side we are, once we said who we are."""
    found = dict(views.contracts(world, principal))
    if principal.role in SELLERS and world.state.claims.estate is not None:
        for body in found.values():
            body["side"] = "seller"
        for name, plan in world.state.claims.rented.contracts.items():
            found[name] = views.contract_body(plan)
            found[name]["side"] = "customer"
    return sorted(found.items())


def rights_of_both_sides(
    world: World, principal: Principal, at: int
) -> list[tuple[str, promise_bodies.RightBody]]:
    """Rights by name; where we said who we are, we are told which are ours to use and which are against us."""
    found = dict(promises.rights_seen(world, principal))
    state = world.state.claims
    if principal.role not in SELLERS or state.estate is None:
        return sorted(found.items())
    for body in found.values():
        body["ours"] = body["holder"] == "seller"
    for name, right in state.rented.rights.items():
        mirror = renting.mirror(state, world.state.supply, right.contract, at)
        # An offer whose deadline has passed is open as long as an answer to it may still be entered.
        life = right.life if right.life is rights.Life.OFFERED else entitlements.life_at(right, at)
        now = right._replace(life=life, plan=mirror.rights[name].plan)
        body = promises.right_body(mirror, world.state.supply, principal, now, 0)
        body["ours"] = body["holder"] == "customer"
        if body["offer"] is not None:
            del body["offer"]["hold"]
        if right.plan.kind is rights.RightKind.REFUSAL:
            body["let_pass"] = _let_pass(world, right, at)
        found[name] = body
    return sorted(found.items())


def _let_pass(world: World, right: rights.Right, at: int) -> list[promise_bodies.SaleLetPass]:
    state, supplied = world.state.claims.rented, world.state.supply
    currency = state.contracts[right.contract].currency
    return [
        {
            "site": each.sale.site,
            "sku": each.sale.sku,
            "nodes": each.sale.nodes,
            "gpus": each.sale.nodes * supplied.skus[each.sale.sku].gpus_per_node,
            "start": amounts.when(each.sale.start_at),
            "end": amounts.when(each.sale.end_at),
            "price_per_gpu_hour": amounts.exact(each.sale.price_micros_per_gpu_hour, currency),
            "until": amounts.when(each.until_at),
            "again": known_date(each.again_at),
        }
        for each in state.offers.let_pass.get(right.plan.id, ())
        if at < each.until_at
    ]


def offers_to_answer(world: World) -> list[tuple[int, claims.ContractPlan, str]]:
    """What our sellers offer us first, and by when each is to be answered."""
    state = world.state.claims.rented
    held = [state.rights[name] for name in state.offers.open]
    return [
        (right.deadline_at, state.contracts[right.contract], f"answer the offer by {right.plan.id}")
        for right in held
    ]


def date_counted_on(world: World, tranche: str, number: int) -> int:
    """The date by which we count on a delivery that we rent; 0 for any other."""
    state = world.state.claims
    known = state.rented.tranches.get(TrancheId(tranche))
    if known is None:
        return 0
    overlay = state.overlays.get(known.contract)
    sure = (overlay.confidence if overlay else None) or state.policy.confidence
    dates = state.deliveries.get((known.plan.id, number), deliveries.UNKNOWN)
    return deliveries.counted_on(dates, deliveries.committed(known.plan)[number - 1].at, sure)
