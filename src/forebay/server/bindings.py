"""Which racks does each tranche have, and why: `(world, principal, plans) -> what the answer holds`.

The racks of a site are the operator's: nobody else is told.
"""

from __future__ import annotations

from collections.abc import Mapping

from forebay.core import claims, supply
from forebay.core.claims import Spares, spares
from forebay.core.claims.calendar import Stock
from forebay.core.ids import Principal, Role
from forebay.core.world import World
from forebay.server import amounts, binding_bodies
from forebay.server.binder import Planned

PPM = 1_000_000


def bindings(
    world: World, principal: Principal, plans: Mapping[Stock, Planned], *, site: str, sku: str
) -> binding_bodies.BindingsBody:
    """Every stock of which something is promised, of one site or SKU where they are named."""
    found: binding_bodies.BindingsBody = {"stocks": []}
    if principal.role is not Role.OPERATOR:
        return found
    held: dict[Stock, list[claims.Tranche]] = {}
    for tranche in world.state.claims.tranches.values():
        stock = Stock(tranche.plan.site, tranche.plan.sku)
        if (
            tranche.standing is not claims.Standing.ENDED
            and site in ("", stock.site)
            and sku in ("", stock.sku)
        ):
            held.setdefault(stock, []).append(tranche)
    for stock in sorted(held):
        plan = plans.get(stock)
        found["stocks"].append(
            {
                "site": stock.site,
                "sku": stock.sku,
                "nodes_per_rack": world.state.supply.skus[stock.sku].nodes_per_rack,
                "version": claims.rebinding.version(world.state.claims, world.state.supply, stock),
                "tranches": [_tranche(world, tranche) for tranche in held[stock]],
                "plan": None if plan is None else plan_body(plan),
            }
        )
    return found


def _tranche(world: World, tranche: claims.Tranche) -> binding_bodies.BoundTranche:
    claimed, supplied, plan = world.state.claims, world.state.supply, tranche.plan
    places: dict[Spares, dict[str, int]] = {kind: {} for kind in Spares}
    for first, count in tranche.runs:
        node = first
        while node < first + count:
            rack = supply.rack_of(supplied, node)
            nodes = min(first + count, rack.first_node + rack.nodes) - node
            for kind, known in places.items():
                name = _name(rack, kind)
                if name:
                    known[name] = known.get(name, 0) + nodes
            node += nodes
    return {
        "tranche": plan.id,
        "contract": tranche.contract,
        "tenant": tranche.tenant,
        "standing": tranche.standing.value,
        "start": amounts.when(plan.start_at),
        "end": amounts.when(plan.end_at),
        "promised": claims.nodes_promised(plan, supplied),
        "owed": claims.binding.nodes_owed(claimed, supplied, tranche, world.now),
        "bound": claims.nodes_bound(tranche),
        "racks": _most_first(places[Spares.RACK]),
        "rows": _most_first(places[Spares.ROW]),
        "feeds": _most_first(places[Spares.FEED]),
        "loops": _most_first(places[Spares.LOOP]),
    }


def _name(rack: supply.Rack, kind: Spares) -> str:
    """What people call a failure domain; "" where there is none."""
    if kind is Spares.ROW:
        return f"{rack.hall}/{rack.row}" if rack.row else rack.hall
    domain = spares.domain_of(rack, kind)
    return "" if domain is None else str(domain)


def _most_first(nodes: Mapping[str, int]) -> list[binding_bodies.BoundPlace]:
    ordered = sorted(nodes.items(), key=lambda each: (-each[1], each[0]))
    return [{"name": name, "nodes": count} for name, count in ordered]


def plan_body(plan: Planned) -> binding_bodies.PlanBody:
    """A plan, with the reasons for it."""
    report = plan.report

    def merits(of: str) -> binding_bodies.BindingMerits:
        known = getattr(report, of)
        return {
            "short": known.short, "worst_feed": known.worst_feed, "worst_row": known.worst_row,
            "worst_loop": known.worst_loop, "broken_racks": known.broken, "stranded": known.stranded,
            "spare_racks": known.spares, "spare_nodes": known.spare_nodes,
        }  # fmt: skip

    return {
        "site": plan.stock.site,
        "sku": plan.stock.sku,
        "version": report.version,
        "made": amounts.when(plan.at),
        "after_seq": plan.seq,
        "outcome": plan.outcome,
        "detail": plan.detail,
        "tranches": list(plan.tranches),
        "how": report.how,
        "status": report.status,
        "took_ms": round(report.seconds * 1000),
        "times_made": plan.made,
        "cost": f"{report.cost:.2f}",
        "bound": f"{report.bound:.2f}",
        "gap_ppm": round(report.gap * PPM),
        "before": merits("before"),
        "after": merits("after"),
        "moved": report.moved,
        "work_moved": report.work_moved,
        "changed": report.changed,
        "domains": [
            {"kind": kind, "racks": domain.racks, "covered": domain.covered}
            for kind, domain in report.domains.items()
        ],
        "spares": report.spares_for,
        "spares_needed": report.spares_needed,
        "spares_missing": report.spares_missing,
    }
