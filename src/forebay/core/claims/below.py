"""What is there, bound and still to be promised in a part of a site: a hall, a row, a feed or a cooling loop?

Promises are made on a stock, the nodes of one SKU at one site, and are of no hall before racks are bound to them. So
of a subtree three things are sure: the nodes that it has (`supply.subtrees`), those that are bound to tranches, and
what remains. How much of that may be promised there has an upper bound:

    promisable there = the least of (supply there - bound there), what the site has promisable, and for a feed the
                       nodes that its power suffices for

at every instant: what is promised and not bound may be bound elsewhere, but the site as a whole must have it. Holds,
rights and spares are of no hall either; they are in what the site has promisable.

For a feed, the watts that tranches bound below it are promised are held against what it carries, and against what all
above it carry: the feeds above, and the site, whose stages of power come and go with time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from forebay.core import supply, timeline
from forebay.core.claims import contracts
from forebay.core.claims.calendar import NOTHING, Calendar, Stock
from forebay.core.claims.contracts import Standing, State
from forebay.core.ids import ContractId, FeedId, SkuId, TenantId, TrancheId
from forebay.core.supply import PowerLevel, subtrees
from forebay.core.supply.blocks import Confidence
from forebay.core.supply.subtrees import Branch, Inside, Lies, Subtree
from forebay.core.timeline import Interval, Steps


class BoundBelow(NamedTuple):
    """Nodes below that a tranche has, or will have from the start of its term on."""

    tranche: TrancheId
    contract: ContractId
    tenant: TenantId
    nodes: int
    start_at: int
    end_at: int


class MonthBelow(NamedTuple):
    """One kind of rack below in one month, in nodes: `bound` at its highest instant, all else at its lowest."""

    start_at: int
    end_at: int
    supply_p50: int
    supply_p90: int
    bound: int
    #: Supply less what is bound, at the confidence of the policy; below 0 where more is bound than has power.
    unbound: int
    #: No more than this may be promised there.
    promisable: int
    #: What the site has promisable, and keeps as spares, in whichever place.
    site_promisable: int
    site_spares: int
    #: What the site has of which it is not told yet whether it will be here.
    open_p50: int
    open_p90: int
    #: Nodes that the power of the feed suffices for, beside those that are bound; None where no feed is asked about.
    powered: int | None


@dataclass(slots=True)
class StockBelow:
    """One kind of rack below, over time."""

    stock: Stock
    months: list[MonthBelow]
    bound: list[BoundBelow]


class PowerMonth(NamedTuple):
    """A feed in one month, in watts: promises at their highest instant, all else at its lowest."""

    start_at: int
    end_at: int
    limit_w: int
    #: What the stages of the site have for all its racks; None where the site tells of no stage.
    site_w: int | None
    #: What it carries when no work runs.
    base_w: int
    promised_w: int
    left_w: int
    #: What leaves no more: the feed, one above it, or the site.
    tightest: PowerLevel


@dataclass(slots=True)
class TableBelow:
    """What can be said of a subtree."""

    subtree: Subtree
    stocks: list[StockBelow]
    #: Empty where no feed is asked about.
    power: list[PowerMonth]


def table_below(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    subtree: Subtree,
    windows: list[Interval],
    sku: str = "",
) -> TableBelow:
    """Month by month: of each kind of rack that the subtree has or may have, or of the one that is named."""
    outlook = calendar.outlook(subtree.site)
    there = {each: subtrees.nodes_by_place(supplied, subtree, outlook, each) for each in Confidence}
    inside = Inside(supplied, subtree)
    power = None
    if subtree.branch is Branch.FEED:
        power = _Power(supplied, calendar, FeedId(subtree.name), state.policy.confidence)
    known = {name for steps in there.values() for lies, name in steps if lies is not Lies.OUTSIDE}
    found = []
    for name in sorted({SkuId(sku)} if sku else known):
        bound = _bound(state, calendar, Stock(subtree.site, name), inside)
        stock = _Stock(state, supplied, calendar, Stock(subtree.site, name), there, bound, inside, power)
        found.append(StockBelow(stock.name, [stock.month(month) for month in windows], bound))
    return TableBelow(subtree, found, [power.month(month) for month in windows] if power else [])


def _bound(state: State, calendar: Calendar, stock: Stock, inside: Inside) -> list[BoundBelow]:
    """Tranches with nodes below that have not ended, in order of start and then of signing."""
    found = []
    for name in calendar.tranches(stock):
        tranche = state.tranches[name]
        nodes = inside.nodes(tranche.runs) if tranche.standing is not Standing.ENDED else 0
        if nodes:
            term = contracts.term(tranche.plan)
            tenant = state.contracts[tranche.contract].tenant
            found.append(BoundBelow(name, tranche.contract, tenant, nodes, term.start, term.end))
    return sorted(found, key=lambda each: each.start_at)


class _Stock:
    """One kind of rack below as step functions."""

    def __init__(
        self,
        state: State,
        supplied: supply.State,
        calendar: Calendar,
        stock: Stock,
        there: dict[Confidence, dict[tuple[Lies, SkuId], Steps]],
        bound: list[BoundBelow],
        inside: Inside,
        power: _Power | None,
    ) -> None:
        sure = state.policy.confidence
        self.name = stock
        self.supply = {each: there[each].get((Lies.INSIDE, stock.sku), NOTHING) for each in Confidence}
        self.open = {each: there[each].get((Lies.OPEN, stock.sku), NOTHING) for each in Confidence}
        self.bound = timeline.summed(
            change for each in bound for change in ((each.start_at, each.nodes), (each.end_at, -each.nodes))
        )
        self.unbound = self.supply[sure].minus(self.bound)
        self.available = calendar.available(stock, sure)
        self.spares = calendar.spares(stock, sure)
        self._sku = supplied.skus[stock.sku]
        self._standing = sum(
            rack.nodes for rack in calendar.holdings.racks(*stock) if inside.rack(rack) is Lies.INSIDE
        )
        self.promisable = _lesser(self.unbound, self.available)
        self.powered: Steps | None = None
        if power is not None:
            self.powered = _joined(power.left_w, self.bound, self._nodes_powered)
            self.promisable = _lesser(self.promisable, self.powered)

    def month(self, month: Interval) -> MonthBelow:
        """Its figures in one month."""
        p50, p90 = Confidence.P50, Confidence.P90
        return MonthBelow(
            month.start, month.end, self.supply[p50].least(month), self.supply[p90].least(month),
            self.bound.most(month), self.unbound.least(month), self.promisable.least(month),
            self.available.least(month), self.spares.most(month), self.open[p50].least(month),
            self.open[p90].least(month), None if self.powered is None else self.powered.least(month),
        )  # fmt: skip

    def _nodes_powered(self, left_w: int, bound: int) -> int:
        """Nodes with all GPUs at work that so many watts suffice for: first those that stand and are not bound, whose
        base load is carried already, then those of new racks.
        """
        sku = self._sku
        node_w = sku.gpus_per_node * sku.gpu_w
        standing = max(0, self._standing - bound)
        nodes = min(standing, max(0, left_w) // node_w)
        if nodes < standing:
            return nodes
        rest_w = max(0, left_w - nodes * node_w)
        racks, rest_w = divmod(rest_w, sku.rack_base_w + sku.nodes_per_rack * node_w)
        return nodes + racks * sku.nodes_per_rack + max(0, rest_w - sku.rack_base_w) // node_w


class _Power:
    """Watts of a feed over time, and of all above it."""

    def __init__(
        self, supplied: supply.State, calendar: Calendar, feed: FeedId, confidence: Confidence
    ) -> None:
        self._holdings = calendar.holdings
        path = supply.feed_path(supplied, feed)
        self._limit_w = path[0].limit_w
        self._base_w = self._base_of(path[0])
        self._promised = self._promised_on(path[0])
        #: What each level has left, nearest first: the feed, those above it, and the stages of the site.
        self._left = {
            PowerLevel("feed", each.id): Steps((0,), (each.limit_w - self._base_of(each),)).minus(
                self._promised_on(each)
            )
            for each in path
        }
        site = path[0].site
        outlook = calendar.outlook(site)
        self._site = outlook.it_power(confidence) if outlook else None
        if self._site is not None:
            left = self._site
            for top in (each for each in supplied.feeds.values() if each.site == site and not each.parent):
                left = left.minus(Steps((0,), (self._base_of(top),)), self._promised_on(top))
            self._left[PowerLevel("site", site)] = left
        first, *others = self._left.values()
        #: What all of them have left.
        self.left_w = first
        for other in others:
            self.left_w = _lesser(self.left_w, other)

    def _base_of(self, feed: supply.Feed) -> int:
        return feed.limit_w - self._holdings.room_w(PowerLevel("feed", feed.id))

    def _promised_on(self, feed: supply.Feed) -> Steps:
        """Watts that tranches with nodes below a feed are promised there."""
        return timeline.summed(
            change
            for tranche, watts in self._holdings.loads(PowerLevel("feed", feed.id))
            for change in ((tranche.plan.start_at, watts), (tranche.plan.end_at, -watts))
        )

    def month(self, month: Interval) -> PowerMonth:
        """Its figures in one month."""
        left = {level: steps.least(month) for level, steps in self._left.items()}
        tightest = min(left, key=left.__getitem__)
        return PowerMonth(
            month.start, month.end, self._limit_w, None if self._site is None else self._site.least(month),
            self._base_w, self._promised.most(month), left[tightest], tightest,
        )  # fmt: skip


def _lesser(one: Steps, other: Steps) -> Steps:
    """The lesser of two at every instant."""
    return _joined(one, other, min)


def _joined(one: Steps, other: Steps, of: Callable[[int, int], int]) -> Steps:
    """What follows from the values of two, at every instant."""
    starts = sorted({*one.starts, *other.starts})
    return Steps(starts, [of(one.at(start), other.at(start)) for start in starts])
