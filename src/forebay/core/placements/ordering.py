"""Who goes first: one pass over everybody that waits, by the order of the policy in force.

Lanes are served in order: each tranche's own gangs on its own nodes, then on demand and then spot on the pool (spot
also on what tranches lend). Within a lane the oldest goes first, those that failed before the rest. What happens when
the first does not fit is the policy's `order`:

- **overtake**: what fits goes by, until the first has waited `overtake_s`; then nothing younger that wants the same
  SKU from the pool is placed before it.
- **fifo**: nobody goes by who wants the same SKU from the same capacity.
- **easy**: EASY backfill. The first that does not fit is promised the earliest instant at which it fits if
  everything runs to its limit of time. Behind it everybody is tried in order, without a limit of depth: what fits now
  starts if it is gone by then, or if with it in its place the first still fits then.
- **easy_depth**: the same, but of each lane only so many are tried behind the first that does not start.
- **conservative**: everybody has a reservation, in order, and nobody starts who would delay one that comes before.

A pass over everybody runs only when capacity was freed; else only new arrivals are tested. If the first of a tranche
does not fit because capacity is lent, the fewest loans that make room are reclaimed, the latest placed first.
"""

from __future__ import annotations

import heapq

from forebay.core.ids import GangId, SkuId, TrancheId
from forebay.core.placements import backfill, conservative
from forebay.core.placements import state as states
from forebay.core.placements.gang import Gang, Order, Tier
from forebay.core.placements.queue import TIER_RANK, Lane, Shape, Ticket, lane_of, shape_of
from forebay.core.placements.schedule import Desk, Fit, find, place, reclaim
from forebay.core.units import SECOND_US


def run_pass(desk: Desk) -> None:
    """Place whatever can be placed now (see the top of this file)."""
    states.end_backoff(desk.state, desk.derived, desk.at)
    arrivals, desk.derived.arrivals = desk.derived.arrivals, []
    stirred, desk.derived.stirred = desk.derived.stirred, False
    if not stirred and not arrivals:
        return
    order = desk.state.policy.order
    if order in (Order.EASY, Order.EASY_DEPTH):
        backfill.let_by(desk, arrivals, stirred=stirred)
    elif order is Order.CONSERVATIVE:
        conservative.plan_all(desk)
    elif stirred:
        barred: set[SkuId] = set()
        for lane in desk.derived.queue.lanes():
            _run_lane(desk, lane, barred)
    else:
        _place_arrivals(desk, arrivals)
    reclaim(desk)
    # Everybody was looked at, and a pass frees nothing: what it calls back returns later.
    desk.derived.arrivals.clear()
    desk.derived.stirred = False


# Bounded overtaking, and first come, first served: that is overtaking which is over at once.


def _run_lane(desk: Desk, lane: Lane, barred: set[SkuId]) -> None:
    queue, known = desk.derived.queue, desk.state.gangs
    heads = queue.heads(lane, known)
    heapq.heapify(heads)
    while heads:
        entry, shape = heapq.heappop(heads)
        gang = known[entry.gang]
        fit = find(desk, gang, pool_barred=shape.sku in barred)
        if isinstance(fit, Fit):
            place(desk, gang, fit)
            following = queue.head(lane, shape, known)
            if following is not None:
                heapq.heappush(heads, (following, shape))
            continue
        if _overtaken_enough(desk, gang):
            if lane.tier is Tier.DEDICATED:
                break
            barred.add(shape.sku)


def _place_arrivals(desk: Desk, arrivals: list[GangId]) -> None:
    """Nothing was freed: whoever waited still does not fit, so only the new ones are tested, in order."""
    queue, known = desk.derived.queue, desk.state.gangs
    ordered = sorted(
        (known[name] for name in arrivals),
        key=lambda gang: (TIER_RANK[gang.spec.tier], not gang.front, gang.order),
    )
    blocked: set[tuple[Lane, Shape]] = set()
    for gang in ordered:
        lane, shape = lane_of(gang.spec), shape_of(gang.spec)
        head = queue.head(lane, shape, known)
        assert head is not None, "who arrived waits"
        if (lane, shape) in blocked or head.gang != gang.spec.id:
            continue
        barred = _is_barred(desk, head, lane, shape.sku)
        fit = None if barred and lane.tier is Tier.DEDICATED else find(desk, gang, pool_barred=barred)
        if isinstance(fit, Fit):
            place(desk, gang, fit)
        else:
            blocked.add((lane, shape))


def _overtaken_enough(desk: Desk, gang: Gang) -> bool:
    """Whether a gang that does not fit has waited so long that nobody younger goes before it."""
    policy = desk.state.policy
    bound_s = 0 if policy.order is Order.FIFO else policy.overtake_s
    return desk.at - gang.submitted_at >= bound_s * SECOND_US


def _is_barred(desk: Desk, mine: Ticket, lane: Lane, sku: SkuId) -> bool:
    """Whether somebody who comes first has waited so long for this SKU that nobody may overtake."""
    queue, known = desk.derived.queue, desk.state.gangs
    first = [entry for entry, shape in queue.heads(lane, known) if shape.sku == sku and entry < mine]
    if lane.tier is Tier.SPOT:
        on_demand = queue.heads(Lane(Tier.ON_DEMAND, TrancheId("")), known)
        first += [entry for entry, shape in on_demand if shape.sku == sku]
    return any(_overtaken_enough(desk, known[entry.gang]) for entry in first)
