"""What can still be promised, where, from when, how surely, for how much, and what stands in the way? Only questions.

A *quote* searches the calendar of every stock that may serve; nothing is kept by it. *Signing* checks again. The
*capacity table* tells each stock month by month, at its lowest instant of the month.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from forebay.core import supply, timeline, units
from forebay.core.claims import calendar as calendars
from forebay.core.claims import contracts, exercise, lateness, overdrawn, refusals, shortfall
from forebay.core.claims.calendar import Calendar, Part, Stock
from forebay.core.claims.contracts import State
from forebay.core.claims.rights import Life, Right, RightKind
from forebay.core.claims.shorts import Short
from forebay.core.claims.terms import Unit
from forebay.core.ids import HoldId, SiteId, SkuId, TenantId, TrancheId
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
    """
    found: list[tuple[int, Stock, Confidence]] = []
    for stock in _stocks(supplied, request):
        before = request.not_after or INSTANT_MAX
        for confidence in dict.fromkeys((state.policy.confidence, Confidence.P50)):
            start_at = _start(supplied, calendar, request, stock, confidence)
            if start_at is not None and start_at < before:
                found.append((start_at, stock, confidence))
                before = start_at
    # What stands in the way is looked for only where it may tell who is among the first.
    last_at = sorted(start_at for start_at, _, _ in found)[:most][-1:]
    offers = [
        _offer(state, supplied, calendar, request, stock, confidence, start_at)
        for start_at, stock, confidence in found
        if [start_at] <= last_at
    ]
    return ranked(offers)[:most]


def nominee(supplied: supply.State, calendar: Calendar, request: Request, sure: Confidence) -> Stock | None:
    """Where a tranche with this choice would be if it began at `not_before`: the first that fits, the SKUs in their
    order and for each the sites in theirs, else by name. None where it fits nowhere from then on.
    """
    places = {site: place for place, site in enumerate(request.sites)}
    skus = {sku: place for place, sku in enumerate(request.skus)}
    ordered = sorted(_stocks(supplied, request), key=lambda s: (skus[s.sku], places.get(s.site, 0), s.site))
    for stock in ordered:
        sku = supplied.skus[stock.sku]
        nodes = request.count * (sku.nodes_per_rack if request.unit is Unit.RACK else 1)
        term = Interval(request.not_before, min(request.not_before + request.term_us, INSTANT_MAX))
        if calendar.available(stock, sure).least(term) >= nodes:
            return stock
    return None


def ranked(found: Iterable[Offer]) -> list[Offer]:
    """The earliest first; then with the least in the way, the cheapest, and by site and SKU."""
    return sorted(found, key=lambda o: (o.start_at, len(o.obstacles), o.cost_micros, o.site, o.sku))


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
    supplied: supply.State, calendar: Calendar, request: Request, stock: Stock, confidence: Confidence
) -> int | None:
    """From when on a request fits a stock; None for never."""
    available = calendar.available(stock, confidence)
    wanted = (Part(0, _nodes(supplied, request, stock)),)
    return calendars.earliest(available, wanted, request.term_us, request.not_before)


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
    #: Floors under what stays unsold: racks that a backstop could put to its customer then, as nodes.
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
    ends = [timeline.month_end(from_at)]
    while len(ends) < months:
        ends.append(timeline.month_end(ends[-1]))
    windows = [Interval(start, end) for start, end in zip([from_at, *ends[:-1]], ends, strict=True)]
    rows = []
    for stock in calendar.stocks() if stocks is None else stocks:
        taken = _taken_by_kind(state, calendar, stock)
        provisional = _is_provisional(calendar, stock)
        short = timeline.summed(
            change
            for each in state.shorts.get(stock, ())
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
                    min(max(0, promisable), _backstop(state, supplied, calendar, stock, month)),
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
    """Nodes that backstops over this stock could still put to their customers by then; those that share a cap count
    once, for what the first takes the second cannot.
    """
    floors: dict[tuple[str, str], int] = {}
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
    return sum(floors.values())


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
