"""What is there, bound and left in a part of a site: `(world, principal) -> what the answer holds`.

As in `views` the default is no: what a hall holds, and for whom, is the seller's.
"""

from __future__ import annotations

from forebay.core import ids, timeline
from forebay.core.claims import below
from forebay.core.supply import subtrees
from forebay.core.world import World
from forebay.server import amounts, below_bodies, problems, promise_bodies, promises
from forebay.server.promises import SELLERS


def capacity_below(
    world: World,
    principal: ids.Principal,
    *,
    under: str,
    site: str,
    sku: str,
    from_at: int,
    months: int,
) -> promise_bodies.CapacityBody | None:
    """The capacity table of a site, with that of a part of it. Raises LookupError, and `problems.Failure` for a part
    that is not known.
    """
    if principal.role not in SELLERS:
        return None
    state = world.state
    tree = subtrees.subtree_named(state.supply, under)
    if isinstance(tree, ids.Refusal):
        raise problems.refused(tree, principal)
    if site and site != tree.site:
        raise LookupError(f"{tree.path()} is a part of site {tree.site}, not of {site}")
    body = promises.capacity(world, principal, site=tree.site, sku=sku, from_at=from_at, months=months)
    assert body is not None, "sellers are told"
    windows = timeline.months_from(from_at, months)
    table = below.table_below(state.claims, state.supply, world.calendar, tree, windows, sku)
    provisional = {stock["sku"]: stock["provisional"] for stock in body["stocks"]}
    body["under"] = {
        "path": tree.path(),
        "site": tree.site,
        "kind": tree.branch.value,
        "name": tree.name,
        "row": tree.row,
        "stocks": [_stock(world, stock, provisional.get(stock.stock.sku, False)) for stock in table.stocks],
        "power": [_power(month) for month in table.power],
    }
    return body


def _stock(world: World, found: below.StockBelow, provisional: bool) -> below_bodies.StockBelowBody:
    sku = world.state.supply.skus[found.stock.sku]
    return {
        "sku": sku.id,
        "nodes_per_rack": sku.nodes_per_rack,
        "gpus_per_node": sku.gpus_per_node,
        "provisional": provisional,
        "gpus_unplaced": max(month.open_p50 for month in found.months) * sku.gpus_per_node,
        "months": [_month(month) for month in found.months],
        "bound": [
            {
                "tranche": each.tranche, "contract": each.contract, "tenant": each.tenant, "nodes": each.nodes,
                "gpus": each.nodes * sku.gpus_per_node, "start": amounts.when(each.start_at),
                "end": amounts.when(each.end_at),
            }
            for each in found.bound
        ],
    }  # fmt: skip


def _month(month: below.MonthBelow) -> below_bodies.MonthBelowBody:
    return {
        "month": amounts.when(month.start_at)[:7], "start": amounts.when(month.start_at),
        "end": amounts.when(month.end_at), "supply_p50": month.supply_p50, "supply_p90": month.supply_p90,
        "bound": month.bound, "unbound": month.unbound, "promisable": month.promisable,
        "site_promisable": month.site_promisable, "site_spares": month.site_spares,
        "unplaced_p50": month.open_p50, "unplaced_p90": month.open_p90, "powered": month.powered,
    }  # fmt: skip


def _power(month: below.PowerMonth) -> below_bodies.PowerMonthBody:
    return {
        "month": amounts.when(month.start_at)[:7], "start": amounts.when(month.start_at),
        "end": amounts.when(month.end_at), "limit_w": month.limit_w, "site_w": month.site_w, "base_w": month.base_w,
        "promised_w": month.promised_w, "left_w": month.left_w, "tightest_kind": month.tightest.kind,
        "tightest": month.tightest.name,
    }  # fmt: skip
