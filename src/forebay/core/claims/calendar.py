"""How much is there, promised, spoken for and left, at every instant to come? One step function for each.

A *stock* is the nodes of one SKU at one site. For each stock, in nodes:

    promisable = supply at a confidence - committed - encumbered - spares

*Supply* is what stands and what is to come, as far as it has power (`supply.blocks`); at P90 it is the sum of what
each block has at its own P90, which is careful: not all are that late at once. *Committed* is what tranches promise.
*Encumbered* is what holds and rights may still take.

Derived from supply and claims and never stored: made when first asked for, and kept up site by site.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from forebay.core import supply, timeline
from forebay.core.claims import (
    acceptance,
    contracts,
    deliveries,
    parties,
    ranking,
    rented,
    rights,
    spares,
    versions,
    workdays,
)
from forebay.core.claims.contracts import Standing
from forebay.core.claims.holdings import Holdings
from forebay.core.claims.rights import Life, RightKind, RightPlan
from forebay.core.claims.terms import ContractPlan, Spares, TranchePlan, Unit
from forebay.core.ids import ContractId, Event, HoldId, MilestoneId, RightId, SiteId, SkuId, TrancheId
from forebay.core.supply import blocks, schedule
from forebay.core.supply.blocks import Confidence, Outlook
from forebay.core.timeline import INSTANT_MAX, Interval, Steps
from forebay.core.units import SECOND_US

NOTHING = Steps()
ALWAYS = Interval(0, INSTANT_MAX)


class Stock(NamedTuple):
    """The nodes of one SKU at one site."""

    site: SiteId
    sku: SkuId


class Encumbrance(NamedTuple):
    """Nodes that something may still take of a stock."""

    window: Interval
    nodes: int
    #: "hold", or the kind of a right; and its id.
    kind: str
    id: str


class Part(NamedTuple):
    """So many nodes from `offset` after the start on, in addition to those before."""

    offset: int
    nodes: int


class Calendar:
    """The step functions of every stock."""

    def __init__(self, supplied: supply.State, claimed: contracts.State) -> None:
        self._supplied = supplied
        self._claimed = claimed
        # Where to look: what stands at each site, and what is claimed of each stock, in order of signing.
        self._stands = supply.standing(supplied)
        self._tranches: dict[Stock, list[TrancheId]] = {}
        self._promised_at: dict[SiteId, set[Stock]] = {}
        self._holds: dict[Stock, dict[HoldId, None]] = {}
        self._rights: dict[Stock, list[RightId]] = {}
        # Refusals by the site and SKU that they name, if any; backstops by their stock.
        self._refusals: dict[tuple[str, str], list[RightId]] = {}
        self._backstops: dict[Stock, list[RightId]] = {}
        # What was asked for, and is not out of date.
        self._outlooks: dict[SiteId, Outlook] = {}
        self._supply: dict[tuple[SiteId, Confidence], dict[SkuId, Steps]] = {}
        self._committed: dict[Stock, Steps] = {}
        self._uncommitted: dict[SiteId, dict[tuple[Stock, Confidence], Steps]] = {}
        self._encumbered: dict[Stock, Steps] = {}
        self._available: dict[SiteId, dict[tuple[Stock, Confidence], Steps]] = {}
        # What is expected next at each site, and of all; and sites where that is to be looked up again.
        self._next_at: dict[SiteId, tuple[int, SiteId, MilestoneId]] = {}
        self._next: tuple[int, SiteId, MilestoneId] | None = None
        self._moved = set(supplied.schedules)
        self._holdings: Holdings | None = None
        #: Stocks of which more or less is there or promised since somebody last looked whether promises still hold.
        self.touched: set[Stock] = set()
        #: Stocks of which one tranche more is promised, and from when to when: at other times all stays as it was.
        self.signed: dict[Stock, Interval] = {}
        #: Contracts that say, in some version, who goes short before whom.
        self.speaking: set[ContractId] = set()
        for known in claimed.versions.values():
            for version in known:
                self._heed(version.plan)
        for tranche in claimed.tranches.values():
            self._list_tranche(tranche.plan)
        for hold in claimed.holds.values():
            self._list_hold(hold)
        for right in claimed.rights.values():
            self._list_right(right.plan)

    def _heed(self, plan: ContractPlan) -> None:
        if ranking.said_once([plan]):
            self.speaking.add(plan.id)

    def _list_tranche(self, plan: TranchePlan) -> None:
        stock = stock_of(plan)
        self._promised_at.setdefault(stock.site, set()).add(stock)
        self._tranches.setdefault(stock, []).append(plan.id)

    def _list_hold(self, hold: contracts.Hold) -> None:
        self._holds.setdefault(Stock(hold.site, hold.sku), {})[hold.id] = None

    def _list_right(self, plan: RightPlan) -> None:
        stock = _encumbered_by(plan, self._claimed)
        if stock is not None:
            self._rights.setdefault(stock, []).append(plan.id)
        elif plan.kind is RightKind.REFUSAL:
            self._refusals.setdefault((plan.site, plan.sku), []).append(plan.id)
        elif plan.kind is RightKind.BACKSTOP:
            self._backstops.setdefault(Stock(plan.site, plan.sku), []).append(plan.id)

    # What is there.

    def outlook(self, site: SiteId) -> Outlook | None:
        """When what is to come at a site comes; None where nothing is planned."""
        if site not in self._outlooks:
            planned = self._supplied.schedules.get(site)
            if planned is None:
                return None
            self._outlooks[site] = Outlook(planned)
        return self._outlooks[site]

    def stocks(self) -> list[Stock]:
        """Every stock that has, will have, owes or keeps anything, or ever did, in order."""
        known = {*self._tranches, *self._rights, *(stock for stock, held in self._holds.items() if held)}
        for site in self._supplied.sites:
            known |= {Stock(site, sku) for sku in self._site(site, Confidence.P50)}
        return sorted(known)

    def supply(self, stock: Stock, confidence: Confidence) -> Steps:
        """Nodes that a stock has."""
        return self._site(stock.site, confidence).get(stock.sku, NOTHING)

    def _site(self, site: SiteId, confidence: Confidence) -> dict[SkuId, Steps]:
        known = self._supply.get((site, confidence))
        if known is None:
            outlook = self.outlook(site)
            stands = self._stands.get(site, supply.Stands())
            arrivals = schedule.arrivals(self._supplied, stands, outlook, confidence)
            known = blocks.powered(arrivals, outlook.it_power(confidence) if outlook else None)
            known |= self._rented(site, confidence)
            self._supply[site, confidence] = known
        return known

    def _rented(self, site: SiteId, confidence: Confidence) -> dict[SkuId, Steps]:
        claimed = self._claimed
        return rented.nodes_rented(
            claimed.rented, claimed.deliveries, claimed.overlays, self._supplied, site, confidence
        )

    # What is promised and spoken for.

    def tranches(self, stock: Stock) -> list[TrancheId]:
        """Tranches that promise nodes of a stock, in order of signing."""
        return self._tranches.get(stock, [])

    def committed(self, stock: Stock) -> Steps:
        """Nodes that tranches promise."""
        if stock not in self._committed:
            self._committed[stock] = timeline.summed(
                change
                for name in self.tranches(stock)
                for change in contracts.commitment(self._claimed.tranches[name], self._supplied)
            )
        return self._committed[stock]

    def uncommitted(self, stock: Stock, confidence: Confidence) -> Steps:
        """Nodes that no tranche is promised; below 0 where more is promised than there will be."""
        known = self._uncommitted.setdefault(stock.site, {})
        if (stock, confidence) not in known:
            known[stock, confidence] = self.supply(stock, confidence).minus(self.committed(stock))
        return known[stock, confidence]

    def encumbrances(self, stock: Stock) -> Iterator[Encumbrance]:
        """What holds, calls and extensions may still take of a stock."""
        for hold in self._holds.get(stock, ()):
            yield _taken_by_hold(self._claimed.holds[hold])
        for right in self._rights.get(stock, ()):
            yield from taken_by_right(self._claimed.rights[right], self._claimed, self._supplied)

    def refusals(self, stock: Stock) -> Iterator[rights.Right]:
        """Rights of first refusal whose scope holds a stock, in whichever state they are."""
        for scope in ((stock.site, stock.sku), (stock.site, ""), ("", stock.sku), ("", "")):
            for name in self._refusals.get(scope, ()):
                yield self._claimed.rights[name]

    def backstops(self, stock: Stock) -> Iterator[rights.Right]:
        """Backstops over a stock, in whichever state they are."""
        return (self._claimed.rights[name] for name in self._backstops.get(stock, ()))

    def encumbered(self, stock: Stock) -> Steps:
        """Nodes that holds and rights may still take."""
        if stock not in self._encumbered:
            self._encumbered[stock] = timeline.summed(
                change
                for taken in self.encumbrances(stock)
                for change in ((taken.window.start, taken.nodes), (taken.window.end, -taken.nodes))
            )
        return self._encumbered[stock]

    def available(self, stock: Stock, confidence: Confidence) -> Steps:
        """Nodes that may still be promised; below 0 where more is promised than there will be."""
        known = self._available.setdefault(stock.site, {})
        if (stock, confidence) not in known:
            known[stock, confidence] = self.uncommitted(stock, confidence).minus(
                self.encumbered(stock), self.spares(stock, confidence)
            )
        return known[stock, confidence]

    def spares(self, stock: Stock, confidence: Confidence) -> Steps:
        """Nodes that the policy keeps to make a loss good, as far as there are so many; none of what is rented, for
        that is its seller's to make good.
        """
        kind = self._claimed.policy.spares
        if kind is Spares.NONE or stock.site in self._claimed.rented.sites:
            return NOTHING
        per_rack = self._supplied.skus[stock.sku].nodes_per_rack
        nodes = spares.nodes_needed(self.holdings.racks(*stock), kind, per_rack)
        there = self.supply(stock, confidence)
        return Steps(there.starts, [min(nodes, most) for most in there.values])

    @property
    def holdings(self) -> Holdings:
        """Who has which racks, and their power."""
        if self._holdings is None:
            self._holdings = Holdings(self._supplied, self._claimed)
        return self._holdings.fresh()

    # What changes it.

    def follow(self, event: Event) -> None:
        """What an event, just applied, changes here."""
        if self._holdings is not None:
            self._holdings.follow(event)
        match event:
            case supply.RackAdded():
                rack = self._supplied.racks[event.rack]
                self._stands.setdefault(rack.site, supply.Stands()).add(rack)
                self._supply_changed(rack.site)
            case blocks.SchedulePlanned():
                self._dates_changed(event.plan.site)
            case blocks.MilestoneForecast() | blocks.MilestoneReached() | blocks.ForecastRecorded():
                self._dates_changed(event.site)
            case contracts.ContractSigned():
                self._heed(event.plan)
                for plan in event.plan.tranches:
                    self._promised(self._claimed.tranches[plan.id].plan)
                for right in event.plan.rights:
                    self._list_right(right)
                    self._right_changed(right)
            case contracts.ContractOpened():
                for stated in event.opening.rights:
                    self._right_changed(self._claimed.rights[stated.right].plan)
            case contracts.TrancheAdded():
                self._promised(event.plan)
            case versions.ContractAmended():
                self._heed(event.plan)
                self._amended(event)
            case versions.AmendmentTookEffect():
                for known in self._claimed.rights.values():
                    if known.contract == event.contract and known.earlier:
                        self._right_changed(known.plan)
                self._ranked_anew(event.contract)
            case contracts.TrancheNominated():
                self._nominated(event)
            case contracts.TrancheStarted() | contracts.TrancheRebound():
                # It may have what others miss, or give it up.
                self.touched.add(stock_of(self._claimed.tranches[event.tranche].plan))
            case contracts.TrancheEnded():
                self._ended(self._claimed.tranches[event.tranche])
            case rights.RightExercised() | rights.RightWaived() | rights.RightLapsed():
                self._right_changed(self._claimed.rights[event.right].plan)
            case contracts.CapacityHeld():
                self._list_hold(event.hold)
                self._keeps_changed(Stock(event.hold.site, event.hold.sku))
            case contracts.HoldReleased():
                stock = Stock(event.site, event.sku)
                del self._holds[stock][event.hold]
                self._keeps_changed(stock)
            case workdays.BusinessCalendarApplied():
                for stock in self._rights:
                    self._keeps_changed(stock)
            case contracts.PromisePolicyApplied():
                self._available.clear()
                self.touched |= set(self._tranches)
            case parties.OverlayApplied():
                # It may say who goes short first, and how sure rented supply is to be.
                self.touched |= set(self._tranches)
                self._rented_changed()
            case (
                rented.CapacityRented()
                | rented.RentedRightUsed()
                | rented.RentalAmended()
                | deliveries.DeliveryNotified()
                | deliveries.DeliveryMade()
                | deliveries.DeliveryForecast()
                | deliveries.DeliveryOverdue()
            ):
                self._rented_changed()
            case acceptance.DeliveryAccepted() if event.tranche in self._claimed.rented.tranches:
                self._rented_changed()

    def _ranked_anew(self, contract: ContractId) -> None:
        """Another version holds: it may say otherwise who is served first."""
        if ranking.said_once(each.plan for each in self._claimed.versions[contract]):
            own = (each for each in self._claimed.tranches.values() if each.contract == contract)
            self.touched |= {stock_of(each.plan) for each in own}

    def _rented_changed(self) -> None:
        for site in self._claimed.rented.sites:
            self._supply_changed(site)

    def _dates_changed(self, site: SiteId) -> None:
        self._outlooks.pop(site, None)
        self._moved.add(site)
        self._supply_changed(site)

    def _supply_changed(self, site: SiteId) -> None:
        for confidence in Confidence:
            self._supply.pop((site, confidence), None)
        self._uncommitted.pop(site, None)
        self._available.pop(site, None)
        self.touched |= self._promised_at.get(site, set())

    def _promised(self, plan: TranchePlan) -> None:
        """One tranche more: taken off what is known already, so that signing costs the same from first to last."""
        stock = stock_of(plan)
        self._list_tranche(plan)
        before = self.signed.get(stock, contracts.term(plan))
        self.signed[stock] = Interval(min(before.start, plan.start_at), max(before.end, plan.end_at))
        taken = timeline.summed(contracts.commitment(self._claimed.tranches[plan.id], self._supplied))
        if stock in self._committed:
            self._committed[stock] = self._committed[stock].plus(taken)
        for left in (self._uncommitted.get(stock.site, {}), self._available.get(stock.site, {})):
            for key in ((stock, confidence) for confidence in Confidence):
                if key in left:
                    left[key] = left[key].minus(taken)

    def changed(self) -> list[tuple[Stock, Interval]]:
        """Stocks of which more or less is there or promised since somebody last asked, and when."""
        found = self.signed | dict.fromkeys(self.touched, ALWAYS)
        self.touched, self.signed = set(), {}
        return sorted(found.items())

    def _amended(self, event: versions.ContractAmended) -> None:
        """Tranches promise otherwise, perhaps from another stock: lists are in order of signing, as if made anew."""
        names = {plan.id for plan in event.tranches}
        stocks = {stock_of(plan) for plan in event.tranches}
        stocks |= {stock for stock, listed in self._tranches.items() if not names.isdisjoint(listed)}
        for stock in stocks:
            self._tranches.pop(stock, None)
            self._promised_at.get(stock.site, set()).discard(stock)
        for tranche in self._claimed.tranches.values() if stocks else ():
            if stock_of(tranche.plan) in stocks:
                self._list_tranche(tranche.plan)
        self._rights, self._refusals, self._backstops = {}, {}, {}
        for right in self._claimed.rights.values():
            self._list_right(right.plan)
        for right_plan in (*event.rights, *event.regranted):
            self._right_changed(right_plan)
        for stock in stocks:
            self.touched.add(stock)
            self._committed.pop(stock, None)
            for confidence in Confidence:
                self._uncommitted.get(stock.site, {}).pop((stock, confidence), None)
            self._keeps_changed(stock)

    def _nominated(self, event: contracts.TrancheNominated) -> None:
        """A tranche goes from one stock to another, and with it the rights to go on. All lists stay in order of
        signing.
        """
        old, new = Stock(event.from_site, event.from_sku), Stock(event.site, event.sku)
        self._tranches[old].remove(event.tranche)
        if not self._tranches[old]:
            del self._tranches[old]
            self._promised_at[old.site].remove(old)
        self._committed.pop(old, None)
        for confidence in Confidence:
            self._uncommitted.get(old.site, {}).pop((old, confidence), None)
        self._promised(self._claimed.tranches[event.tranche].plan)
        here = set(self._tranches[new])
        self._tranches[new] = [name for name in self._claimed.tranches if name in here]
        rights_there = {*self._rights.pop(old, ()), *self._rights.pop(new, ())}
        for name in (name for name in self._claimed.rights if name in rights_there):
            self._list_right(self._claimed.rights[name].plan)
        self.touched.add(old)
        for stock in (old, new):
            self._keeps_changed(stock)

    def _ended(self, tranche: contracts.Tranche) -> None:
        # Its racks are free: others may miss some.
        stock = stock_of(tranche.plan)
        self.touched.add(stock)
        if tranche.ended_at < tranche.plan.end_at:
            self._committed.pop(stock, None)
            for confidence in Confidence:
                self._uncommitted.get(stock.site, {}).pop((stock, confidence), None)
        # A right to go on is gone with it.
        self._keeps_changed(stock)

    def _right_changed(self, plan: RightPlan) -> None:
        stock = _encumbered_by(plan, self._claimed)
        if stock is not None:
            self._keeps_changed(stock)

    def _keeps_changed(self, stock: Stock) -> None:
        self._encumbered.pop(stock, None)
        for confidence in Confidence:
            self._available.get(stock.site, {}).pop((stock, confidence), None)

    # When something is expected next, and did not come.

    def next_expected(self) -> tuple[int, SiteId, MilestoneId] | None:
        """The earliest date of a milestone that is not reached though all that it waits for is."""
        for site in sorted(self._moved):
            self._next_at.pop(site, None)
            outlook = self.outlook(site)
            if outlook is not None and outlook.expected:
                when, milestone = outlook.expected[0]
                self._next_at[site] = when, site, milestone
        if self._moved:
            self._moved = set()
            self._next = min(self._next_at.values(), default=None)
        return self._next


def _encumbered_by(plan: RightPlan, state: contracts.State) -> Stock | None:
    """The stock that a right keeps something of; None for one that keeps nothing."""
    if plan.kind is RightKind.CALL:
        return Stock(plan.site, plan.sku)
    if plan.kind is RightKind.EXTENSION:
        return stock_of(state.tranches[plan.tranche].plan)
    return None


def _taken_by_hold(hold: contracts.Hold) -> Encumbrance:
    return Encumbrance(Interval(hold.start_at, hold.end_at), hold.nodes, "hold", hold.id)


def taken_by_right(
    right: rights.Right, state: contracts.State, supplied: supply.State
) -> Iterator[Encumbrance]:
    """What a call or an extension may still take; nothing for any other right, and for one that is over. Beside its
    terms, what those that are to come let it take more.
    """
    if right.life not in (Life.DORMANT, Life.OFFERED):
        return
    now = _taken_by(right, right.plan, state, supplied)
    if now is None:
        return
    yield now
    kept = _steps(now) if right.to_come else NOTHING
    for later in right.to_come:
        taken = _taken_by(right, later.plan, state, supplied)
        more = (_steps(taken) if taken else NOTHING).minus(kept)
        for window, nodes in timeline.positive(more):
            extra = now._replace(window=window, nodes=nodes)
            kept = kept.plus(_steps(extra))
            yield extra


def _steps(taken: Encumbrance) -> Steps:
    return timeline.summed([(taken.window.start, taken.nodes), (taken.window.end, -taken.nodes)])


def _taken_by(
    right: rights.Right, plan: RightPlan, state: contracts.State, supplied: supply.State
) -> Encumbrance | None:
    """What a right may take under these terms."""
    if plan.kind is RightKind.CALL:
        nodes = (plan.racks_max - right.racks) * supplied.skus[plan.sku].nodes_per_rack
        start_at = min(rights.notice_ends(plan, state.calendars, plan.opens_at), INSTANT_MAX)
        last_at = rights.notice_ends(plan, state.calendars, plan.expires_at)
        end_at = min(last_at + plan.term_s * SECOND_US, INSTANT_MAX)
    elif plan.kind is RightKind.EXTENSION:
        tranche = state.tranches[plan.tranche]
        if tranche.standing is Standing.ENDED:
            return None
        nodes = contracts.nodes_promised(tranche.plan, supplied)
        start_at = tranche.plan.end_at
        end_at = min(start_at + plan.term_s * SECOND_US, INSTANT_MAX)
    else:
        return None
    return Encumbrance(Interval(start_at, end_at), nodes, plan.kind.value, plan.id)


def stock_of(plan: TranchePlan) -> Stock:
    """The stock that a tranche is promised from."""
    return Stock(plan.site, plan.sku)


def parts(plan: TranchePlan, nodes_per_rack: int) -> tuple[Part, ...]:
    """What a tranche takes, from its start on: all at once, or delivery by delivery."""
    each = nodes_per_rack if plan.unit is Unit.RACK else 1
    if not plan.deliveries:
        return (Part(0, plan.count * each),)
    return tuple(Part(delivery.at - plan.start_at, delivery.count * each) for delivery in plan.deliveries)


class _Need(NamedTuple):
    """So many nodes from one offset to another."""

    start: int
    end: int
    nodes: int


def _needs(wanted: Iterable[Part], term_us: int) -> list[_Need]:
    """What all parts of a term need together, one after the other."""
    ordered = sorted(wanted)
    offsets = [min(part.offset, term_us) for part in ordered] + [term_us]
    taken = itertools.accumulate(part.nodes for part in ordered)
    found = map(_Need, offsets, offsets[1:], taken)
    return [need for need in found if need.start < need.end]


def shortest(available: Steps, wanted: Iterable[Part], start_at: int, end_at: int) -> int:
    """The fewest nodes that are left at any instant of a term once all parts are taken; negative: it does not fit."""
    return min(
        (
            available.least(Interval(start_at + need.start, start_at + need.end)) - need.nodes
            for need in _needs(wanted, end_at - start_at)
        ),
        default=INSTANT_MAX,
    )


def earliest(available: Steps, wanted: Iterable[Part], term_us: int, not_before: int) -> int | None:
    """The first instant, not before `not_before`, at which all parts fit for their whole term; None for never, also
    where the term would not be over at the end of time.

    The start only moves forward, to the end of a stretch that is too low, and no stretch is looked at again that was
    good: each step is looked at once a part.
    """
    needs = _needs(wanted, term_us)
    good_until = [not_before] * len(needs)
    start_at = not_before
    while start_at + term_us <= INSTANT_MAX:
        moved_to = start_at
        for place, need in enumerate(needs):
            window = Interval(max(start_at + need.start, good_until[place]), start_at + need.end)
            low = available.below(need.nodes, window)
            if low is not None:
                moved_to = low.end - need.start
                break
            good_until[place] = max(good_until[place], window.end)
        if moved_to == start_at:
            return start_at
        start_at = moved_to
    return None
