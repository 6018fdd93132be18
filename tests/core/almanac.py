"""A second, naive model of the calendar: every figure again from plain documents and reports, instant by instant.

It knows nothing of outlooks, steps or what is kept up: it walks the graph back from its end, feeds rack after rack
while there are watts, and asks each tranche, hold and right what it takes at that instant.
"""

from __future__ import annotations

from collections.abc import Callable

from forebay.core import claims
from forebay.core.claims.calendar import Stock
from forebay.core.claims.rights import Life, RightKind
from forebay.core.ids import BlockId, MilestoneId, SiteId, SkuId
from forebay.core.supply.blocks import Arrival, Confidence, Schedule, SchedulePlan
from forebay.core.timeline import INSTANT_MAX
from forebay.core.units import SECOND_US
from forebay.core.world import World


def date(
    plan: SchedulePlan, reported: dict[MilestoneId, int], reached: dict[MilestoneId, int], name: MilestoneId
) -> int:
    """By its definition, from the end back."""
    if name in reached:
        return reached[name]
    own = next(each for each in plan.milestones if each.id == name)
    done = [date(plan, reported, reached, each) + own.duration_p50_s * SECOND_US for each in own.after]
    return min(INSTANT_MAX, max([reported.get(name, own.planned_at), *done]))


def sure_date(known: Schedule, name: MilestoneId, confidence: Confidence) -> int:
    """The date of a milestone at a confidence."""
    if name in known.reached:
        return known.reached[name]
    own = next(each for each in known.plan.milestones if each.id == name)
    today = date(known.plan, known.reported, known.reached, name)
    forecast = known.forecast
    alone = today
    if forecast is not None and name in forecast.milestones:
        alone = forecast.milestones[name].at(confidence)
        if forecast.graph != known.graph:
            alone = max(alone, today)
    return max([alone, *(sure_date(known, before, confidence) for before in own.after)])


def block_date(known: Schedule, name: BlockId, confidence: Confidence) -> int:
    """The date of a block at a confidence."""
    own = next(each for each in known.plan.blocks if each.id == name)
    found = max(sure_date(known, each, confidence) for each in own.after)
    forecast = known.forecast
    if forecast is None or name not in forecast.blocks or set(own.after) <= set(known.reached):
        return found
    recorded = forecast.blocks[name].at(confidence)
    if forecast.graph != known.graph:
        today = max(date(known.plan, known.reported, known.reached, each) for each in own.after)
        recorded = max(recorded, today)
    return max(found, recorded)


def watts(known: Schedule, confidence: Confidence, instant: int) -> int | None:
    """What the stages give to the racks; None where there is none."""
    if not known.plan.stages:
        return None
    power = {
        each.id: min(each.contracted_w, each.connected_w) * 1_000_000 // known.plan.pue_ppm
        for each in known.plan.stages
    }
    total = 0
    follows: dict[str, int] = {}
    for each in known.plan.stages:
        follows[each.start] = follows.get(each.start, 0) + power[each.id]
    for each in known.plan.stages:
        begun = sure_date(known, each.start, confidence) <= instant
        if not each.end:
            total += power[each.id] * begun
            continue
        # What another stage takes over stays until that has come for sure; the rest goes as early as it may.
        handed = min(power[each.id], follows.get(each.end, 0))
        follows[each.end] = follows.get(each.end, 0) - handed
        if begun and instant < sure_date(known, each.end, confidence):
            total += handed
        if begun and instant < sure_date(known, each.end, Confidence.P50):
            total += power[each.id] - handed
    return total


def fed(arrivals: list[Arrival], power_w: int | None, instant: int) -> dict[SkuId, int]:
    """Nodes that are there and have power: in order of arrival, unit by unit, while there are watts."""
    left_w = 10**30 if power_w is None else power_w
    found = dict.fromkeys((arrival.sku for arrival in arrivals), 0)
    for arrival in sorted(arrivals):
        taken, unit_w = 0, arrival.step * arrival.node_w
        while arrival.at <= instant and taken + arrival.step <= arrival.nodes and unit_w <= left_w:
            taken += arrival.step
            left_w -= unit_w
        found[arrival.sku] += taken
    return found


def supplied(world: World, site: SiteId, confidence: Confidence) -> Callable[[int], dict[SkuId, int]]:
    """What a site has at an instant, by SKU."""
    state = world.state.supply
    racks = [rack for rack in state.racks.values() if rack.site == site]
    node_w = {sku.id: -(-sku.rack_w // sku.nodes_per_rack) for sku in state.skus.values()}
    arrivals = [
        Arrival(
            0, BlockId(""), sku, sum(rack.nodes for rack in racks if rack.sku == sku), 1, node_w[sku]
        )
        for sku in {rack.sku for rack in racks}
    ]  # fmt: skip
    known = state.schedules.get(site)
    if known is None:
        return lambda instant: fed(arrivals, None, instant)
    for block in known.plan.blocks:
        missing = block.racks - sum(rack.block == block.id for rack in racks)
        per_rack = state.skus[block.sku].nodes_per_rack
        if missing:
            when = block_date(known, block.id, confidence)
            arrivals.append(
                Arrival(when, block.id, block.sku, missing * per_rack, per_rack, node_w[block.sku])
            )
    return lambda instant: fed(arrivals, watts(known, confidence, instant), instant)


def committed(world: World, stock: Stock, instant: int) -> int:
    """Nodes that tranches promise at an instant."""
    nodes = 0
    per_rack = world.state.supply.skus[stock.sku].nodes_per_rack
    for tranche in world.state.claims.tranches.values():
        plan = tranche.plan
        end_at = min(plan.end_at, tranche.ended_at) if tranche.ended_at else plan.end_at
        if (plan.site, plan.sku) != stock or instant >= end_at:
            continue
        each = per_rack if plan.unit is claims.Unit.RACK else 1
        due = plan.deliveries or (claims.Delivery(plan.start_at, plan.count),)
        nodes += sum(delivery.count * each for delivery in due if delivery.at <= instant)
    return nodes


def encumbered(world: World, stock: Stock, instant: int) -> int:
    """Nodes that holds, calls and extensions may still take at an instant."""
    state = world.state.claims
    per_rack = world.state.supply.skus[stock.sku].nodes_per_rack
    nodes = sum(
        hold.nodes
        for hold in state.holds.values()
        if (hold.site, hold.sku) == stock and hold.start_at <= instant < hold.end_at
    )
    for right in state.rights.values():
        plan = right.plan
        if right.life not in (Life.DORMANT, Life.OFFERED):
            continue
        if plan.kind is RightKind.CALL and (plan.site, plan.sku) == stock:
            first = plan.opens_at + plan.notice_s * SECOND_US
            last = plan.expires_at + (plan.notice_s + plan.term_s) * SECOND_US
            nodes += (plan.racks_max - right.racks) * per_rack * (first <= instant < last)
        elif plan.kind is RightKind.EXTENSION:
            tranche = state.tranches[plan.tranche]
            own = tranche.plan
            if (own.site, own.sku) == stock and tranche.standing is not claims.Standing.ENDED:
                each = per_rack if own.unit is claims.Unit.RACK else 1
                going_on = own.end_at <= instant < own.end_at + plan.term_s * SECOND_US
                nodes += own.count * each * going_on
    return nodes
