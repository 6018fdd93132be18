"""What can still be promised, where, from when, how surely, for how much, and what stands in the way? Only questions.

A *quote* searches the calendar of every stock that may serve; nothing is kept by it. *Signing* checks again. The
*capacity table* tells each stock month by month, at its lowest instant of the month.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from forebay.core import supply, timeline, units
from forebay.core.claims import calendar as calendars
from forebay.core.claims import (
    choosing,
    contracts,
    exercise,
    fitting,
    lateness,
    overdrawn,
    refusals,
    shortfall,
    unsold,
)
from forebay.core.claims.calendar import Calendar, Part, Stock
from forebay.core.claims.contracts import State
from forebay.core.claims.rights import Life, Right, RightKind, RightPlan, Unsold
from forebay.core.claims.shorts import Short
from forebay.core.claims.terms import ContractPlan, TranchePlan, Unit
from forebay.core.ids import ContractId, HoldId, SiteId, SkuId, TenantId, TrancheId
from forebay.core.supply.blocks import Confidence
from forebay.core.timeline import INSTANT_MAX, Interval, Steps

#: Stands for no limit of racks: more than there are.
RACKS_MAX = 10**6


@dataclass(slots=True)
class Request:
    """What somebody would like: a shape, where, for how long, from when on at the earliest."""

    skus: tuple[SkuId, ...]
    count: int
    term_us: int
    not_before: int
    unit: Unit = Unit.RACK
    #: Where it may be; empty for anywhere.
    sites: tuple[SiteId, ...] = ()
    regions: tuple[str, ...] = ()
    jurisdictions: tuple[str, ...] = ()
    #: For whom; "" for nobody that rights would know.
    tenant: TenantId = TenantId("")
    #: What it would cost; 0 where only dates are asked for.
    price_micros_per_gpu_hour: int = 0
    #: From when on it is too late; 0 for never.
    not_after: int = 0
    #: When it would be signed: refusals that stand then stand in the way. 0 for `not_before`.
    signed_at: int = 0


@dataclass(slots=True)
class Obstacle:
    """What stands in the way of an offer, or made it later than it could be."""

    #: "refusal" (a right comes before the sale); "hold", "call", "extension" (it would fit earlier but for what these
    #: may take); "tranche" (it ends as the offer begins); "waits_for" (the milestone that sets the date);
    #: "provisional" (the dates behind it are being estimated again).
    kind: str
    id: str
    until: int = 0


@dataclass(slots=True)
class Offer:
    """Where and from when on a request fits."""

    site: SiteId
    sku: SkuId
    start_at: int
    end_at: int
    confidence: Confidence
    nodes: int
    gpus: int
    #: For the whole term; 0 where no price was named.
    cost_micros: int
    obstacles: tuple[Obstacle, ...]


def quote(
    state: State, supplied: supply.State, calendar: Calendar, request: Request, most: int = 10
) -> list[Offer]:
    """Offers, the earliest first; each stock once at the confidence of the policy, and where even odds are earlier,
    once at P50, which may not be signed under a policy of P90. Empty when nothing fits before the end of all dates.
    What is offered has racks and power by the rules of signing, as far as they stand.
    """
    sure = state.policy.confidence
    before = dict.fromkeys(_stocks(supplied, request), request.not_after or INSTANT_MAX)
    # By date; at one date first what the policy asks for. Racks and power are looked at only where it may tell.
    waiting: list[_Try] = []
    for number, stock in enumerate(before):
        for rank, confidence in enumerate(dict.fromkeys((sure, Confidence.P50))):
            start_at = _start(supplied, calendar, request, stock, confidence, request.not_before)
            if start_at is not None:
                heapq.heappush(waiting, _Try(start_at, rank, number, stock, confidence))
    found: list[Offer] = []
    while waiting and (len(found) < most or waiting[0].start_at == found[-1].start_at):
        at_once: dict[Stock, list[_Try]] = {}
        first_at = waiting[0].start_at
        while waiting and waiting[0].start_at == first_at:
            each = heapq.heappop(waiting)
            if first_at < before[each.stock]:
                at_once.setdefault(each.stock, []).append(each)
        offers = [
            (_offer(state, supplied, calendar, request, stock, tries[0].confidence, first_at), tries)
            for stock, tries in at_once.items()
        ]
        enough = len(found) + most
        for offer, (each, *even) in sorted(offers, key=lambda made: _rank(made[0])):
            if len(found) == enough:
                break
            if _has_racks(state, supplied, calendar, request, each):
                found.append(offer)
                if each.confidence is sure:
                    before[each.stock] = first_at
                continue
            # Even odds are looked at by themselves then.
            for other in even:
                heapq.heappush(waiting, other)
            since = _next_change(state, supplied, calendar, each)
            later = None if since is None else _start(supplied, calendar, request, *each[3:], since)
            if later is not None:
                heapq.heappush(waiting, each._replace(start_at=later))
    return ranked(found)[:most]


class _Try(NamedTuple):
    """From when on a request may fit a stock."""

    start_at: int
    rank: int
    number: int
    stock: Stock
    confidence: Confidence


def _shape(request: Request, stock: Stock, start_at: int) -> TranchePlan:
    """What would be signed for a request."""
    end_at = min(start_at + request.term_us, INSTANT_MAX)
    return TranchePlan(
        TrancheId(""),
        *stock,
        request.unit,
        request.count,
        start_at,
        end_at,
        request.price_micros_per_gpu_hour,
    )


def _asked(request: Request, tranche: TranchePlan) -> ContractPlan:
    return ContractPlan(ContractId(""), 1, "", request.tenant, "", (tranche,))


def _has_racks(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    request: Request,
    wanted: _Try,
) -> bool:
    """Whether there are whole racks, and power, by the rules of signing."""
    at = request.signed_at or request.not_before
    racks = fitting.Racks(state, supplied, calendar, wanted.confidence, at)
    made = _shape(request, wanted.stock, wanted.start_at)
    return racks.refuse(made, _asked(request, made), "") is None


def _next_change(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    wanted: _Try,
) -> int | None:
    """When there may be more racks, or power, than for a term that begins when it was tried: somebody there ends, or
    more comes. None for never.
    """
    stock, after = wanted.stock, wanted.start_at
    named = (name for sku in supplied.skus for name in calendar.tranches(Stock(stock.site, sku)))
    ends = (tranche.plan.end_at for tranche in map(state.tranches.__getitem__, named) if tranche.runs)
    coming = calendar.supply(stock, wanted.confidence).starts
    return min((when for when in (*ends, *coming) if when > after), default=None)


def nominee(
    state: State, supplied: supply.State, calendar: Calendar, request: Request, sure: Confidence
) -> Stock | None:
    """Where a tranche with this choice would be if it began at `not_before`: the first that fits, the SKUs in their
    order and for each the sites in theirs, else by name, as signing would choose. None where it fits nowhere from
    then on.
    """
    places = {site: place for place, site in enumerate(request.sites)}
    skus = {sku: place for place, sku in enumerate(request.skus)}
    ordered = sorted(_stocks(supplied, request), key=lambda s: (skus[s.sku], places.get(s.site, 0), s.site))
    at = request.signed_at or request.not_before
    places_left = choosing.Places(state, supplied, calendar, sure, None, at)
    for stock in ordered:
        made = _shape(request, stock, request.not_before)
        if places_left.refuse(_asked(request, made), 0, made) is None:
            return stock
    return None


def ranked(found: Iterable[Offer]) -> list[Offer]:
    """The earliest first; then with the least in the way, the cheapest, and by site and SKU."""
    return sorted(found, key=_rank)


def _rank(offer: Offer) -> tuple[int, int, int, str, str]:
    return (offer.start_at, len(offer.obstacles), offer.cost_micros, offer.site, offer.sku)


def _stocks(supplied: supply.State, request: Request) -> list[Stock]:
    found = []
    for site in supplied.sites.values():
        if request.sites and site.id not in request.sites:
            continue
        if request.regions and site.region not in request.regions:
            continue
        if request.jurisdictions and site.jurisdiction not in request.jurisdictions:
            continue
        found += [Stock(site.id, sku) for sku in request.skus if sku in supplied.skus]
    return found


def _nodes(supplied: supply.State, request: Request, stock: Stock) -> int:
    return request.count * (supplied.skus[stock.sku].nodes_per_rack if request.unit is Unit.RACK else 1)


def _start(
    supplied: supply.State,
    calendar: Calendar,
    request: Request,
    stock: Stock,
    confidence: Confidence,
    not_before: int,
) -> int | None:
    """From when on, not before, there are nodes enough of a stock for a request; None for never."""
    available = calendar.available(stock, confidence)
    wanted = (Part(0, _nodes(supplied, request, stock)),)
    return calendars.earliest(available, wanted, request.term_us, not_before)


def _offer(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    request: Request,
    stock: Stock,
    confidence: Confidence,
    start_at: int,
) -> Offer:
    sku = supplied.skus[stock.sku]
    nodes = _nodes(supplied, request, stock)
    end_at = min(start_at + request.term_us, INSTANT_MAX)
    gpus = nodes * sku.gpus_per_node
    cost = units.gpu_time_cost_micros(gpus * (end_at - start_at), request.price_micros_per_gpu_hour)
    obstacles = tuple(
        _obstacles(state, supplied, calendar, request, stock, confidence, Interval(start_at, end_at))
    )
    return Offer(stock.site, stock.sku, start_at, end_at, confidence, nodes, gpus, cost, obstacles)


def _obstacles(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    request: Request,
    stock: Stock,
    confidence: Confidence,
    term: Interval,
) -> Iterable[Obstacle]:
    for right in sorted(calendar.refusals(stock), key=lambda right: (right.plan.priority, right.plan.id)):
        signed_at = request.signed_at or request.not_before
        if right.tenant != request.tenant and refusals.in_scope(right, stock, signed_at):
            yield Obstacle(RightKind.REFUSAL.value, right.plan.id, right.plan.expires_at)
    waited = _waited(supplied, calendar, request, stock, confidence, term.start)
    for taken in calendar.encumbrances(stock):
        if any(taken.window.overlaps(low) for low in waited):
            yield Obstacle(taken.kind, taken.id, taken.window.end)
    for name in calendar.tranches(stock):
        if state.tranches[name].plan.end_at == term.start and term.start > request.not_before:
            yield Obstacle("tranche", name, term.start)
    outlook = calendar.outlook(stock.site)
    if outlook is None:
        return
    for block in outlook.schedule.plan.blocks:
        done = all(milestone in outlook.schedule.reached for milestone in block.after)
        if block.sku == stock.sku and not done and outlook.block(block, confidence) == term.start:
            last = max(block.after, key=lambda milestone: (outlook.dates[milestone], milestone))
            yield Obstacle("waits_for", f"{block.id}/{last}", term.start)
    if _is_provisional(calendar, stock) and any(
        block.sku == stock.sku for block in outlook.schedule.plan.blocks
    ):
        yield Obstacle("provisional", stock.site)


def _waited(
    supplied: supply.State,
    calendar: Calendar,
    request: Request,
    stock: Stock,
    confidence: Confidence,
    start_at: int,
) -> list[Interval]:
    """Stretches that are too low only because something is held or may be asked for: without that, the request would
    fit before `start_at`. Empty where it would not.
    """
    wanted = (Part(0, _nodes(supplied, request, stock)),)
    left = calendar.uncommitted(stock, confidence)
    without = calendars.earliest(left, wanted, request.term_us, request.not_before)
    found: list[Interval] = []
    at = start_at if without is None else without
    available = calendar.available(stock, confidence)
    while at < start_at and (low := available.below(wanted[0].nodes, Interval(at, start_at))) is not None:
        found.append(low)
        at = low.end
    return found


# The capacity table.


class Row(NamedTuple):
    """One stock in one month, in nodes at the lowest instant of the month."""

    site: SiteId
    sku: SkuId
    #: The month, or what of the first one is asked for: its first instant, and the first one after it.
    start_at: int
    end_at: int
    supply_p50: int
    supply_p90: int
    #: The most that tranches promise at any instant of the month.
    committed: int
    #: The most that is held for customers, without what is on offer to the holder of a refusal.
    held: int
    #: The most that calls and extensions may still take.
    calls: int
    extensions: int
    #: The most that is kept for sales on offer to the holder of a refusal.
    refusals: int
    #: Floors under what stays unsold, as each backstop counts that: racks that could be put to customers, as nodes.
    backstop: int
    #: Below 0 where more is promised, or may be asked for by a right, than there will be.
    promisable: int
    #: The most by which tranches go short together.
    short: int
    #: Whether the dates behind it are not those of a forecast of today's graph.
    provisional: bool
    #: The most by which holds and rights may take more than there will be, beside what tranches go short of.
    overdrawn: int = 0
    #: Nodes that are kept to make a loss good.
    spares: int = 0


def capacity_table(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    from_at: int,
    months: int,
    stocks: Iterable[Stock] | None = None,
) -> list[Row]:
    """Stock by stock and month by month (calendar months in UTC): the first is what is left of the month that holds
    `from_at`. Every stock, unless `stocks` says which.
    """
    windows = timeline.months_from(from_at, months)
    rows = []
    for stock in calendar.stocks() if stocks is None else stocks:
        taken = _taken_by_kind(state, calendar, stock)
        provisional = _is_provisional(calendar, stock)
        short = timeline.summed(
            change
            for each in shortfall.recorded(state, stock)
            for change in ((each.start_at, each.nodes), (each.end_at, -each.nodes))
        )
        available = calendar.available(stock, state.policy.confidence)
        over = overdrawn.overdrawn(overdrawn.overdrafts(state, calendar, stock, from_at))
        kept = calendar.spares(stock, state.policy.confidence)
        for month in windows:
            promisable = available.least(month)
            rows.append(
                Row(
                    stock.site, stock.sku, month.start, month.end,
                    calendar.supply(stock, Confidence.P50).least(month),
                    calendar.supply(stock, Confidence.P90).least(month),
                    calendar.committed(stock).most(month),
                    taken["hold"].most(month),
                    taken[RightKind.CALL.value].most(month),
                    taken[RightKind.EXTENSION.value].most(month),
                    taken[RightKind.REFUSAL.value].most(month),
                    _backstop(state, supplied, calendar, stock, month),
                    promisable,
                    short.most(month),
                    provisional,
                    over.most(month),
                    kept.most(month),
                )
            )  # fmt: skip
    return rows


def _taken_by_kind(state: State, calendar: Calendar, stock: Stock) -> dict[str, Steps]:
    """What may still be taken of a stock over time; a hold that is on offer counts as the refusal's."""
    kinds = ("hold", RightKind.CALL.value, RightKind.EXTENSION.value, RightKind.REFUSAL.value)
    changes: dict[str, list[tuple[int, int]]] = {kind: [] for kind in kinds}
    for taken in calendar.encumbrances(stock):
        offered = taken.kind == "hold" and contracts.offer_on(state, HoldId(taken.id)) is not None
        kind = RightKind.REFUSAL.value if offered else taken.kind
        changes[kind] += [(taken.window.start, taken.nodes), (taken.window.end, -taken.nodes)]
    return {kind: timeline.summed(found) for kind, found in changes.items()}


def _is_provisional(calendar: Calendar, stock: Stock) -> bool:
    outlook = calendar.outlook(stock.site)
    if outlook is None or not outlook.provisional:
        return False
    return any(milestone not in outlook.schedule.reached for milestone in outlook.dates)


def _backstop(state: State, supplied: supply.State, calendar: Calendar, stock: Stock, month: Interval) -> int:
    """Nodes that backstops over this stock could still put to their customers by then, no more than stay unsold as
    each counts that; those that share a cap count once, for what the first takes the second cannot.
    """
    floors: dict[tuple[str, str], int] = {}
    widest: dict[tuple[str, str], RightPlan] = {}
    for right in calendar.backstops(stock):
        plan = right.plan
        if right.life is not Life.DORMANT or month.end <= plan.measure_at:
            continue
        if plan.expires_at and plan.expires_at <= month.start:
            continue
        racks = racks_open(state, supplied, right)
        nodes = (RACKS_MAX if racks is None else racks) * supplied.skus[plan.sku].nodes_per_rack
        key = (right.contract, plan.cap) if plan.cap else ("", plan.id)
        floors[key] = max(floors.get(key, 0), nodes)
        if key not in widest or plan.unsold is Unsold.NOT_SOLD:
            widest[key] = plan
    # What is available is not sold either: whoever may put only that comes first.
    floor = 0
    for counts in Unsold:
        own = [key for key, plan in widest.items() if plan.unsold is counts]
        if own:
            left = unsold.nodes_unsold(calendar, widest[own[0]], state.policy.confidence).least(month)
            floor = min(max(0, left), floor + sum(floors[key] for key in own))
    return floor


def racks_open(state: State, supplied: supply.State, right: Right) -> int | None:
    """Racks that a call or a backstop may still take, by its number and its cap; None where it has neither."""
    plan = right.plan
    left = [plan.racks_max - right.racks] if plan.racks_max else []
    # What stayed unsold of a backstop's scope, once that is measured.
    left += [right.unsold] if right.unsold >= 0 else []
    left_micros = exercise.cap_left_micros(state, right)
    if left_micros is not None:
        sku = supplied.skus[plan.sku]
        gpu_us = sku.nodes_per_rack * sku.gpus_per_node * plan.term_s * units.SECOND_US
        one_micros = units.gpu_time_cost_micros(gpu_us, plan.price_micros_per_gpu_hour)
        left += [left_micros // one_micros] if one_micros else []
    return min(left, default=None)


# Who is at risk.


class Risk(NamedTuple):
    """One tranche that goes short: since and until when, of how many GPUs at most, and what that costs."""

    tranche: TrancheId
    contract: str
    tenant: TenantId
    site: SiteId
    sku: SkuId
    start_at: int
    end_at: int
    gpus_most: int
    #: GPU-hours that are missing, rounded up.
    gpu_hours: int
    #: The terms that apply: "late" before a part was ever delivered, "none" where the contract is silent.
    terms: str
    currency: str
    cost: shortfall.Cost
    #: What is missing, and when: not there, or not accepted.
    parts: tuple[Short, ...]
    #: Whether it counts until it is accepted.
    until_accepted: bool
    #: Dates that relief moved.
    moved: tuple[lateness.CommittedDate, ...]


def risks(state: State, supplied: supply.State, at: int) -> list[Risk]:
    """Every tranche of which something is missing, as far as is known at an instant; by stock, then tranche."""
    named = {(*stock, short.tranche) for stock, shorts in state.shorts.items() for short in shorts}
    named |= {
        (tranche.plan.site, tranche.plan.sku, name)
        for name, tranche in state.tranches.items()
        if tranche.plan.acceptance is not None
    }
    found = []
    for site, sku, name in sorted(named):
        tranche = state.tranches[name]
        late = lateness.lateness(state, supplied, tranche, at)
        own = late.missing
        if own:
            per_node = supplied.skus[sku].gpus_per_node
            missing_us = sum(short.nodes * per_node * (short.end_at - short.start_at) for short in own)
            found.append(
                Risk(
                    name, tranche.contract, tranche.tenant, site, sku, min(short.start_at for short in own),
                    max(short.end_at for short in own), max(short.nodes for short in own) * per_node,
                    -(-missing_us // units.HOUR_US), "late" if tranche.plan.late else "none",
                    state.contracts[tranche.contract].currency, lateness.cost_of(supplied, tranche, late),
                    own, tranche.plan.acceptance is not None,
                    tuple(date for date in lateness.dates_of(tranche) if date.moved_to != date.at),
                )
            )  # fmt: skip
    return found
