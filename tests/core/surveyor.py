"""A second, naive model of halls, rows, feeds and loops: rack by rack and instant by instant, from plain records.

It shares nothing with `subtrees` and `below`: it feeds one rack after the other, follows each feed up to its root,
and asks each tranche for each of its nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from forebay.core import claims, supply
from forebay.core.ids import FeedId, SiteId, SkuId
from forebay.core.supply import subtrees
from forebay.core.supply.blocks import Confidence
from forebay.core.supply.subtrees import Branch, Subtree
from forebay.core.world import World
from tests.core import almanac

#: Where, as seen from a subtree; as `Lies` says it.
INSIDE, OUTSIDE, OPEN = "inside", "outside", "open"


class Unit(NamedTuple):
    """Nodes that get power together or not at all, and where they hang."""

    at: int
    block: str
    sku: SkuId
    place: int
    nodes: int
    hall: str
    row: str
    feed: str
    loop: str


def units(world: World, site: SiteId, confidence: Confidence) -> list[Unit]:
    """Each node that stands, and each rack that is to come, in the order in which they are fed."""
    state = world.state.supply
    racks = [state.racks[name] for name in state.rack_order if state.racks[name].site == site]
    found = [
        Unit(0, "", rack.sku, node, 1, rack.hall, rack.row, rack.feed, rack.loop)
        for rack in racks
        for node in range(rack.first_node, rack.first_node + rack.nodes)
    ]
    known = state.schedules.get(site)
    for each in known.plan.blocks if known else ():
        assert known is not None
        when = almanac.block_date(known, each.id, confidence)
        nodes = state.skus[each.sku].nodes_per_rack
        missing = each.racks - sum(rack.block == each.id for rack in racks)
        found += [
            Unit(when, each.id, each.sku, place, nodes, each.hall, each.row, each.feed, each.loop)
            for place in range(missing)
        ]
    return sorted(found)


def above(world: World, feed: str) -> list[str]:
    """A feed and those above it."""
    found = []
    while feed:
        found.append(feed)
        feed = world.state.supply.feeds[FeedId(feed)].parent
    return found


def lies(world: World, unit: Unit, tree: Subtree) -> str:
    """Where a unit is, as seen from a subtree."""
    told: list[tuple[str, str]] = {
        Branch.HALL: [(unit.hall, tree.name)],
        Branch.ROW: [(unit.hall, tree.name), (unit.row, tree.row)],
        Branch.LOOP: [(unit.loop, tree.name)],
        Branch.FEED: [],
    }[tree.branch]
    if tree.branch is Branch.FEED:
        if tree.name in above(world, unit.feed):
            return INSIDE
        may_move = unit.block and unit.feed in ("", *above(world, tree.name))
        return OPEN if may_move else OUTSIDE
    for known, asked in told:
        if known != asked:
            return OUTSIDE if known else OPEN
    return INSIDE


def nodes(
    world: World, tree: Subtree, confidence: Confidence
) -> Callable[[int], dict[tuple[str, SkuId], int]]:
    """Nodes inside, outside and of which it is not told, that are there at an instant and have power."""
    state = world.state.supply
    schedule = state.schedules.get(tree.site)
    queue = []
    for unit in units(world, tree.site, confidence):
        sku = state.skus[unit.sku]
        queue.append((unit, unit.nodes * -(-sku.rack_w // sku.nodes_per_rack), lies(world, unit, tree)))

    def found(instant: int) -> dict[tuple[str, SkuId], int]:
        power_w = almanac.watts(schedule, confidence, instant) if schedule else None
        left_w = 10**30 if power_w is None else power_w
        counted: dict[tuple[str, SkuId], int] = {}
        # Who does not fit leaves the rest to those behind.
        for unit, need_w, where in queue:
            counted.setdefault((where, unit.sku), 0)
            if unit.at <= instant and need_w <= left_w:
                left_w -= need_w
                counted[where, unit.sku] += unit.nodes
        return counted

    return found


def inside_racks(world: World, tree: Subtree) -> list[supply.Rack]:
    """Racks inside that stand."""
    found = []
    for rack in world.state.supply.racks.values():
        own = Unit(0, "", rack.sku, 0, 1, rack.hall, rack.row, rack.feed, rack.loop)
        if rack.site == tree.site and lies(world, own, tree) == INSIDE:
            found.append(rack)
    return found


def bound(world: World, tree: Subtree, sku: SkuId, instant: int) -> int:
    """Nodes inside that tranches have at an instant."""
    running = [
        (first, first + count)
        for tranche in world.state.claims.tranches.values()
        if tranche.standing is not claims.Standing.ENDED
        and tranche.plan.start_at <= instant < tranche.plan.end_at
        for first, count in tranche.runs
    ]
    return sum(
        first <= node < end
        for rack in (inside_racks(world, tree) if running else ())
        if rack.sku == sku
        for node in range(rack.first_node, rack.first_node + rack.nodes)
        for first, end in running
    )


def left_w(world: World, tree: Subtree, instant: int) -> int:
    """Watts that a feed and everything above it have left at an instant."""
    state = world.state.supply
    found = []
    for name in above(world, tree.name):
        level = Subtree(tree.site, Branch.FEED, name)
        found.append(state.feeds[FeedId(name)].limit_w - carried_w(world, level, instant))
    known = state.schedules.get(tree.site)
    power_w = almanac.watts(known, world.state.claims.policy.confidence, instant) if known else None
    if power_w is not None:
        tops = [feed.id for feed in state.feeds.values() if feed.site == tree.site and not feed.parent]
        found.append(
            power_w - sum(carried_w(world, Subtree(tree.site, Branch.FEED, top), instant) for top in tops)
        )
    return min(found)


def carried_w(world: World, tree: Subtree, instant: int) -> int:
    """Watts of all below a feed: base loads, and what tranches are promised at an instant."""
    state = world.state.supply
    base_w = sum(feed.base_w for feed in state.feeds.values() if tree.name in above(world, feed.id))
    base_w += sum(rack.base_w for rack in inside_racks(world, tree))
    return base_w + sum(
        bound(world, tree, sku.id, instant) * sku.gpus_per_node * sku.gpu_w for sku in state.skus.values()
    )


def powered(world: World, tree: Subtree, sku_id: SkuId, instant: int) -> int:
    """Nodes that so many watts suffice for, one after the other: those that stand first."""
    sku = world.state.supply.skus[sku_id]
    left, work_w = left_w(world, tree, instant), sku.gpus_per_node * sku.gpu_w
    standing = sum(rack.nodes for rack in inside_racks(world, tree) if rack.sku == sku_id)
    standing -= bound(world, tree, sku_id, instant)
    found = 0
    while found < standing and left >= work_w:
        found, left = found + 1, left - work_w
    while found >= standing:
        # The first node of each further rack brings the base load of the rack.
        base_w = 0 if (found - standing) % sku.nodes_per_rack else sku.rack_base_w
        if left < base_w + work_w:
            break
        found, left = found + 1, left - base_w - work_w
    return found


def halls_make_the_site(world: World, instants: list[int]) -> None:
    """All halls of a site, and what is in none yet, are the site: at every instant."""
    calendar, state = world.calendar, world.state.supply
    for site in state.sites:
        outlook = calendar.outlook(site)
        for confidence in Confidence:
            found = [
                subtrees.nodes_by_place(state, Subtree(site, Branch.HALL, hall.id), outlook, confidence)
                for hall in state.halls.values()
                if hall.site == site
            ]
            for stock in calendar.stocks() if found else ():
                if stock.site != site:
                    continue
                parts = [each.get((subtrees.Lies.INSIDE, stock.sku)) for each in found]
                parts.append(found[0].get((subtrees.Lies.OPEN, stock.sku)))
                whole = calendar.supply(stock, confidence)
                for instant in [*instants, *whole.starts]:
                    assert whole.at(instant) == sum(part.at(instant) for part in parts if part is not None)
