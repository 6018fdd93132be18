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
does not fit because capacity is lent, loans are called back (`reclaiming`).
"""

from __future__ import annotations

import heapq
from collections.abc import Container

from forebay.core.ids import GangId, SkuId, TrancheId
from forebay.core.placements import arrays, backfill, conservative, datasets, hosts, reclaiming, shedding
from forebay.core.placements import state as states
from forebay.core.placements.gang import Gang, Order, Phase, Tier
from forebay.core.placements.preemption import preempt
from forebay.core.placements.queue import TIER_RANK, Lane, QueueRow, Ticket
from forebay.core.placements.schedule import Desk, Fit, find, floor_of, place
from forebay.core.units import SECOND_US


def run_pass(desk: Desk) -> None:
    """Place whatever can be placed now (see the top of this file)."""
    derived = desk.derived
    if derived.backoff:
        states.end_backoff(desk.state, derived, desk.at)
    if derived.awaiting:
        datasets.let_in_ready(desk)
    if desk.supplied.curtailments or desk.state.sheddings or derived.bounds.suspect:
        shedding.review(desk)
    if derived.kept:
        _place_kept(desk)
    if derived.held.settled:
        arrays.settle(desk)
    stirred = derived.stirred or bool(desk.state.ramps)
    if not stirred and not derived.arrivals:
        return
    arrivals, derived.arrivals = derived.arrivals, []
    if derived.queue.caps is not None:
        # Whoever counts to a cap may hold others back that nobody could pass, or stand before them.
        stirred = stirred or any(derived.queue.row(desk.state.gangs[name].spec).bound for name in arrivals)
    derived.stirred = False
    derived.bounds.held = {}
    if desk.state.shed and shedding.restore(desk):
        stirred = True
    order = desk.state.policy.order
    if order is _EASY or order is _EASY_DEPTH:
        backfill.let_by(desk, arrivals, stirred=stirred)
    elif order is _CONSERVATIVE:
        conservative.start_all(desk)
    elif stirred:
        _run_lanes(desk, _TIERS)
    else:
        _place_arrivals(desk, arrivals)
    if derived.lent:
        while reclaiming.reclaim(desk) and derived.held_back:
            # With more leaving, who was held back may be in nobody's way.
            derived.held_back = False
            _run_lanes(desk, (Tier.DEDICATED,))
        derived.held_back = False
    if desk.state.sharing.plans:
        preempt(desk)
    if desk.supplied.curtailments:
        shedding.call_off(desk)
    # Everybody was looked at, and a pass frees nothing: what it calls back returns later. But that is gone before
    # what is to come, and then others may stay.
    derived.arrivals.clear()
    again, derived.stirred = derived.stirred and bool(desk.supplied.curtailments), False
    if again:
        derived.stirred = True
        run_pass(desk)


_TIERS = tuple(Tier)
#: By names of their own: to read a member of an enum takes ten times as long.
_EASY, _EASY_DEPTH, _CONSERVATIVE = Order.EASY, Order.EASY_DEPTH, Order.CONSERVATIVE


def _place_kept(desk: Desk) -> None:
    """Gangs for which nodes are kept come before everybody, in the order of their submission."""
    queue = desk.derived.queue
    hosts.tend(floor_of(desk))
    waiting = (desk.state.gangs[name] for name in desk.state.holds if name not in desk.derived.backoff)
    for gang in sorted(waiting, key=lambda gang: gang.order):
        if gang.phase is Phase.PENDING and not gang.returns_at and not queue.barred(gang, desk.state.gangs):
            fit = find(desk, gang)
            if isinstance(fit, Fit):
                place(desk, gang, fit)
    hosts.tend(floor_of(desk))


# Bounded overtaking, and first come, first served: that is overtaking which is over at once.


def _run_lanes(desk: Desk, tiers: Container[Tier]) -> None:
    """Lane by lane. Where one was placed that counts to a cap, who waits is another question: all begins anew."""
    lanes = [lane for lane in desk.derived.queue.lanes() if lane.tier in tiers]
    barred: set[SkuId] = set()
    while any(_run_lane(desk, lane, barred) for lane in lanes):
        barred = set()


def _run_lane(desk: Desk, lane: Lane, barred: set[SkuId]) -> bool:
    """Whether one was placed that counts to a cap."""
    queue, known = desk.derived.queue, desk.state.gangs
    heads = queue.standing(lane, known)
    heapq.heapify(heads)
    while heads:
        entry, row = heapq.heappop(heads)
        gang, sku = known[entry.gang], row.shape.sku
        fit = find(desk, gang, pool_barred=sku in barred, barred=barred)
        if isinstance(fit, Fit):
            if _spoils(desk, gang, fit):
                continue
            place(desk, gang, fit)
            if row.bound:
                return True
            following = row.first(known)
            if following is not None:
                heapq.heappush(heads, (following, row))
            continue
        if _overtaken_enough(desk, gang):
            if lane.tier is Tier.DEDICATED:
                break
            barred.add(sku)
    return False


def _place_arrivals(desk: Desk, arrivals: list[GangId]) -> None:
    """Nothing was freed: whoever waited still does not fit, so only the new ones are tested, in order."""
    queue, known = desk.derived.queue, desk.state.gangs
    ordered = [known[name] for name in arrivals]
    if len(ordered) > 1:
        ordered.sort(key=lambda gang: (TIER_RANK[gang.spec.tier], queue.rank(gang), gang.order))
    blocked: set[QueueRow] = set()
    for gang in ordered:
        row = queue.row(gang.spec)
        head = row.first(known)
        assert head is not None, "who arrived waits"
        if row in blocked or head.gang != gang.spec.id:
            continue
        barred = _is_barred(desk, head, row.lane, row.shape.sku)
        kinds = [each.sku for each in gang.spec.skus if _is_barred(desk, head, row.lane, each.sku)]
        fit = None
        if not barred or row.lane.tier is not Tier.DEDICATED:
            fit = find(desk, gang, pool_barred=barred, barred=kinds)
        if isinstance(fit, Fit) and not _spoils(desk, gang, fit):
            place(desk, gang, fit)
        else:
            blocked.add(row)


def _spoils(desk: Desk, gang: Gang, fit: Fit) -> bool:
    called = desk.state.lending.called_for
    if not called or gang.spec.tier is not Tier.DEDICATED or not reclaiming.spoils(desk, gang, fit):
        return False
    desk.derived.held_back = True
    return True


def _overtaken_enough(desk: Desk, gang: Gang) -> bool:
    """Whether a gang that does not fit has waited so long that nobody younger goes before it."""
    policy = desk.state.policy
    bound_s = 0 if policy.order is Order.FIFO else policy.overtake_s
    return desk.at - gang.submitted_at >= bound_s * SECOND_US


def _is_barred(desk: Desk, mine: Ticket, lane: Lane, sku: SkuId) -> bool:
    """Whether somebody who comes first has waited so long for this SKU that nobody may overtake."""
    queue, known = desk.derived.queue, desk.state.gangs
    first = [entry for entry, row in queue.standing(lane, known) if entry < mine and row.shape.sku == sku]
    if lane.tier is Tier.SPOT:
        on_demand = queue.standing(Lane(Tier.ON_DEMAND, TrancheId("")), known)
        first += [entry for entry, row in on_demand if row.shape.sku == sku]
    return any(_overtaken_enough(desk, known[entry.gang]) for entry in first)
