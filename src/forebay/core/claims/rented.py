"""What did we rent, and when is it there? Contracts in which we are the customer: supply at somebody else's site.

Of a rented site there is a name, perhaps a region and a jurisdiction, and no rack: what is there follows from the
deliveries of the contract (`deliveries`). What we may still ask for, and what its seller may put to us, are rights as
in any contract; they keep nothing of ours free.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from forebay.core import supply, timeline
from forebay.core.claims import acceptance, coming, deliveries, offers, regrants, relief, rights
from forebay.core.claims.acceptance import AcceptanceEvent, DeliveredPart
from forebay.core.claims.deliveries import Dates, DeliveryEvent
from forebay.core.claims.offers import OfferEvent, Offers
from forebay.core.claims.parties import Overlay
from forebay.core.claims.relief import Relief
from forebay.core.claims.rights import DatedRight, Life, Right, RightPlan
from forebay.core.claims.terms import ContractPlan, TranchePlan, Unit
from forebay.core.claims.versions import Earlier, Version, with_terms
from forebay.core.claims.workdays import Calendars
from forebay.core.ids import CapId, ContractId, Event, HoldId, RightId, SiteId, SkuId, TrancheId
from forebay.core.supply.blocks import Confidence
from forebay.core.timeline import INSTANT_MAX, Due, Dues, Steps

# Events


@dataclass(slots=True)
class CapacityRented(Event):
    """A contract binds from here on in which we are the customer."""

    plan: ContractPlan


@dataclass(slots=True)
class RentedRightUsed(Event):
    """A right of a contract in which we are the customer was used, by us or by its seller."""

    right: RightId
    effective_at: int
    racks: int
    drawn_micros: int
    #: What it made; None where it ended something.
    made: TranchePlan | None = None
    #: Tranches that it ended, and rights that ended with them.
    ended: tuple[TrancheId, ...] = ()
    lapsed: tuple[RightId, ...] = ()


@dataclass(slots=True)
class RentedRightWaived(Event):
    """A right of a contract in which we are the customer was given up; or an offer by it was let pass."""

    right: RightId
    effective_at: int
    #: Until when the sale that was on offer may be sold to somebody else; 0 where none was.
    until_at: int = 0


@dataclass(slots=True)
class RentalAmended(Event):
    """Both sides signed a new version of a contract in which we are the customer; it holds from `effective_at` on."""

    plan: ContractPlan
    effective_at: int
    #: Tranches that it changes or adds, as they stand now: with what holds before that date.
    tranches: tuple[TranchePlan, ...]
    #: Rights that it adds; none opens before that date.
    rights: tuple[RightPlan, ...]
    #: Rights that it grants on other terms, from that date on, or from its signature where that is later.
    regranted: tuple[RightPlan, ...] = ()
    #: Rights that it grants no more from then on.
    withdrawn: tuple[RightId, ...] = ()


@dataclass(slots=True)
class RentalTermsChanged(Event):
    """From `effective_at` on this version is the contract."""

    contract: ContractId
    version: int
    effective_at: int


RentedEvent = CapacityRented | RentedRightUsed | RentedRightWaived | RentalAmended | RentalTermsChanged

# State


class RentedTranche(NamedTuple):
    """A tranche of a contract in which we are the customer."""

    plan: TranchePlan
    contract: ContractId
    #: When it was ended before its time; 0 where it was not.
    ended_at: int = 0
    #: What ready notices were about, in order of their numbers, and what moved its committed dates.
    parts: tuple[DeliveredPart, ...] = ()
    reliefs: tuple[Relief, ...] = ()
    #: Terms that held before amendments took effect, in order.
    earlier: tuple[Earlier, ...] = ()


@dataclass(slots=True)
class Rented:
    """All that we rented."""

    contracts: dict[ContractId, ContractPlan] = field(default_factory=dict)
    tranches: dict[TrancheId, RentedTranche] = field(default_factory=dict)
    rights: dict[RightId, Right] = field(default_factory=dict)
    #: Micro-units that rights drew on each cap of a contract.
    drawn: dict[tuple[ContractId, CapId], int] = field(default_factory=dict)
    #: Sites of others, and who sells there.
    sites: dict[SiteId, str] = field(default_factory=dict)
    #: Every version of each contract that was signed, in order; `contracts` holds the one in force.
    versions: dict[ContractId, tuple[Version, ...]] = field(default_factory=dict)
    #: What is offered to us by our rights of first refusal.
    offers: Offers = field(default_factory=Offers)

    def fork(self) -> Rented:
        """A copy whose containers are its own."""
        return Rented(
            self.contracts.copy(),
            self.tranches.copy(),
            self.rights.copy(),
            self.drawn.copy(),
            self.sites.copy(),
            self.versions.copy(),
            self.offers.fork(),
        )


def sites_named(plan: ContractPlan) -> list[SiteId]:
    """Sites that a contract names, in order."""
    named = [
        *(tranche.site for tranche in plan.tranches),
        *(right.site for right in plan.rights if right.site),
    ]
    return list(dict.fromkeys(named))


def record(
    rented: Rented, dates: Dates, calendars: Calendars, grace_s: int, heap: Dues, event: Event, at: int
) -> bool:
    """Apply one event about what we rented, or about a delivery on whichever side, and tell whether it was one; all
    others change nothing.
    """
    about: list[TrancheId] = []
    ours = isinstance(event, DeliveryEvent | RentedEvent | OfferEvent)
    if isinstance(event, DeliveryEvent):
        part = (event.tranche, event.delivery)
        dates[part] = deliveries.advance(dates.get(part, deliveries.UNKNOWN), event)
        about = [event.tranche] if event.tranche in rented.tranches else []
    elif isinstance(event, RentedEvent):
        _take(rented, dates, calendars, event, at)
        about = _tranches_of(event)
    elif isinstance(event, AcceptanceEvent | relief.ReliefGranted) and event.tranche in rented.tranches:
        rented.tranches[event.tranche] = _handed(rented.tranches[event.tranche], event)
        about, ours = [event.tranche], True
    elif isinstance(event, OfferEvent):
        _hear(rented, calendars, event, at)
        entry = offers.answer_due(rented.rights[event.right], grace_s)
        if entry is not None:
            heap.push(entry)
    # When what we rented is counted on, and may not have come; and when we are deemed to accept it.
    for name in about:
        for entry in (*still_due(rented.tranches[name], dates), *silences(rented.tranches[name], grace_s)):
            heap.push(entry)
    if isinstance(event, RentalAmended):
        for entry in amendments_to_come(rented, event.plan.id):
            heap.push(entry)
    return ours


def _hear(rented: Rented, calendars: Calendars, event: OfferEvent, at: int) -> None:
    was = rented.rights[event.right]
    if isinstance(event, offers.OfferReceived):
        rented.sites[event.sale.site] = rented.contracts[was.contract].seller
    _settle(rented, calendars, offers.heard(rented.offers, was, event, at), at)


def _settle(rented: Rented, calendars: Calendars, right: Right, at: int) -> None:
    """Record a right, with the terms that hold for it now."""
    rented.rights[right.plan.id] = regrants.on_present_terms(right, at, _term_end(rented, right), calendars)


def _handed(was: RentedTranche, event: AcceptanceEvent | relief.ReliefGranted) -> RentedTranche:
    if isinstance(event, relief.ReliefGranted):
        return was._replace(reliefs=(*was.reliefs, relief.as_granted(event)))
    return was._replace(parts=acceptance.advanced_parts(was.parts, event))


def _take(rented: Rented, dates: Dates, calendars: Calendars, event: RentedEvent, at: int) -> None:
    match event:
        case CapacityRented():
            plan = event.plan
            rented.contracts[plan.id] = plan
            rented.versions[plan.id] = (Version(plan, at, at),)
            rented.sites |= dict.fromkeys(sites_named(plan), plan.seller)
            ends = {tranche.id: tranche.end_at for tranche in plan.tranches}
            for stated in plan.rights:
                closes_at = rights.closing(stated, ends.get(stated.tranche, 0), calendars)
                rented.rights[stated.id] = Right(stated, plan.id, plan.tenant, closes_at=closes_at)
            for tranche in plan.tranches:
                rented.tranches[tranche.id] = RentedTranche(tranche, plan.id)
        case RentedRightUsed():
            was = rented.rights[event.right]
            made = event.made.id if event.made else was.plan.tranche
            used = rights.RightExercised(
                event.right, event.effective_at, made, event.racks, event.drawn_micros
            )
            rented.offers.open.pop(event.right, None)
            _settle(rented, calendars, rights.advanced(was, used), at)
            if was.plan.cap:
                cap = (was.contract, was.plan.cap)
                rented.drawn[cap] = rented.drawn.get(cap, 0) + event.drawn_micros
            if event.made is not None:
                rented.tranches[event.made.id] = RentedTranche(event.made, was.contract)
            for name in event.ended:
                rented.tranches[name] = rented.tranches[name]._replace(ended_at=event.effective_at)
            for other in event.lapsed:
                rented.offers.open.pop(other, None)
                lapsed = rights.RightLapsed(other, HoldId(""), 0)
                rented.rights[other] = rights.advanced(rented.rights[other], lapsed)
        case RentalAmended():
            _amend(rented, dates, calendars, event, at)
        case RentalTermsChanged():
            _change_terms(rented, calendars, event)
        case _:
            assert isinstance(event, RentedRightWaived)
            was = rented.rights[event.right]
            if was.life is Life.OFFERED:
                _settle(rented, calendars, offers.passed_on(rented.offers, was, event.until_at, at), at)
            else:
                rented.rights[event.right] = was._replace(life=Life.WAIVED)


def _amend(rented: Rented, dates: Dates, calendars: Calendars, event: RentalAmended, at: int) -> None:
    """What a new version promises is counted on from its signature on."""
    plan = event.plan
    rented.versions[plan.id] = (*rented.versions[plan.id], Version(plan, event.effective_at, at))
    rented.sites |= dict.fromkeys(sites_named(plan), plan.seller)
    for tranche in event.tranches:
        was = rented.tranches.get(tranche.id) or RentedTranche(tranche, plan.id)
        rented.tranches[tranche.id] = was._replace(plan=tranche)
        before = deliveries.committed(was.plan)
        for number, part in enumerate(deliveries.committed(tranche), 1):
            told = dates.get((tranche.id, number), deliveries.UNKNOWN)
            if told.not_before and part not in before[number - 1 : number]:
                # Another date was agreed: that an older one passed means nothing now.
                dates[tranche.id, number] = told._replace(not_before=0)
    for stated in event.rights:
        rented.rights[stated.id] = Right(stated, plan.id, plan.tenant)
    since = max(event.effective_at, at)
    for stated in event.regranted:
        known = rented.rights[stated.id]
        rented.rights[stated.id] = known._replace(to_come=(*known.to_come, DatedRight(since, stated)))
    for name in event.withdrawn:
        rented.rights[name] = rented.rights[name]._replace(withdrawn_at=since)
    changed = {tranche.id for tranche in event.tranches}
    for name, known in rented.rights.items():
        if known.plan.tranche in changed or known.plan in event.rights or name in event.withdrawn:
            rented.rights[name] = regrants.reclosed(known, _term_end(rented, known), calendars)


def _term_end(rented: Rented, right: Right) -> int:
    """When the term ends that a right is about; 0 where it is about none."""
    return rented.tranches[right.plan.tranche].plan.end_at if right.plan.tranche else 0


def _change_terms(rented: Rented, calendars: Calendars, event: RentalTermsChanged) -> None:
    """From now on a version is the contract, and its terms are those of its tranches."""
    known = next(each for each in rented.versions[event.contract] if each.plan.version == event.version)
    rented.contracts[event.contract] = known.plan
    for stated in known.plan.tranches:
        was = rented.tranches[stated.id]
        plan, earlier = with_terms(was.plan, was.earlier, stated, event.effective_at)
        rented.tranches[stated.id] = was._replace(plan=plan, earlier=earlier)
    for name, right in rented.rights.items():
        if right.contract == event.contract and right.to_come:
            end_at = _term_end(rented, right)
            rented.rights[name] = regrants.on_present_terms(right, event.effective_at, end_at, calendars)


def _tranches_of(event: RentedEvent) -> list[TrancheId]:
    """Tranches that an event brings."""
    match event:
        case CapacityRented():
            return [tranche.id for tranche in event.plan.tranches]
        case RentedRightUsed() if event.made is not None:
            return [event.made.id]
        case RentalAmended():
            return [tranche.id for tranche in event.tranches]
    return []


# What is there.


def nodes_rented(
    rented: Rented,
    dates: Dates,
    overlays: Mapping[ContractId, Overlay],
    supplied: supply.State,
    site: SiteId,
    confidence: Confidence,
) -> dict[SkuId, Steps]:
    """Nodes that we have at somebody else's site over time, by SKU; nothing at a site of our own."""
    if site not in rented.sites:
        return {}
    changes: dict[SkuId, list[tuple[int, int]]] = {}
    for tranche in rented.tranches.values():
        if tranche.plan.site == site:
            overlay = overlays.get(tranche.contract)
            asked = (overlay.confidence if overlay else None) or confidence
            changes.setdefault(tranche.plan.sku, []).extend(_changes(tranche, dates, supplied, asked))
    return {sku: timeline.summed(found) for sku, found in changes.items()}


def _changes(
    tranche: RentedTranche, dates: Dates, supplied: supply.State, confidence: Confidence
) -> Iterator[tuple[int, int]]:
    plan = tranche.plan
    each = supplied.skus[plan.sku].nodes_per_rack if plan.unit is Unit.RACK else 1
    end_at = min(plan.end_at, tranche.ended_at or plan.end_at)
    due = deliveries.committed(plan)
    for number, found in enumerate(coming.served(due, coming.accepted_units(tranche.parts)), 1):
        known = dates.get((plan.id, number), deliveries.UNKNOWN)
        when = deliveries.counted_on(known, due[number - 1].at, confidence)
        # What was accepted is there since then, whatever was said of the rest.
        for from_at, units in (*found.accepted, (when, found.rest)):
            if from_at < end_at:
                yield from_at, units * each
                yield end_at, -units * each


# What falls due: a delivery that does not come.


def still_due(tranche: RentedTranche, dates: Dates) -> Iterator[Due]:
    """When each delivery that was not delivered is counted on first, at any confidence."""
    parts = deliveries.committed(tranche.plan)
    for number, found in enumerate(coming.served(parts, coming.accepted_units(tranche.parts)), 1):
        known = dates.get((tranche.plan.id, number), deliveries.UNKNOWN)
        first_at = min(deliveries.counted_on(known, parts[number - 1].at, each) for each in Confidence)
        came = known.delivered_at or not found.rest
        if not (came or tranche.ended_at) and first_at < min(tranche.plan.end_at, INSTANT_MAX):
            yield Due(first_at, "rented_delivery", tranche.plan.id, number)


def silences(tranche: RentedTranche, grace_s: int) -> Iterator[Due]:
    """When it is recorded that we stayed silent about what is ready, within the term."""
    for part in tranche.parts:
        entry = acceptance.silence(tranche.plan.id, part, grace_s)
        if entry is not None and entry.at <= tranche.plan.end_at and not tranche.ended_at:
            yield entry._replace(what="rented_silence")


def amendments_to_come(rented: Rented, contract: ContractId) -> Iterator[Due]:
    """When versions of a contract that are signed take effect."""
    in_force = rented.contracts[contract].version
    for each in rented.versions[contract]:
        if each.plan.version > in_force:
            yield Due(each.effective_at, "rented_amendment", contract, each.plan.version)


def all_still_due(rented: Rented, dates: Dates, grace_s: int) -> list[Due]:
    """All of these."""
    found = [due for name in rented.contracts for due in amendments_to_come(rented, name)]
    for tranche in rented.tranches.values():
        found += (*still_due(tranche, dates), *silences(tranche, grace_s))
    answers = (offers.answer_due(rented.rights[name], grace_s) for name in rented.offers.open)
    return found + [entry for entry in answers if entry is not None]


def still_meant(rented: Rented, dates: Dates, grace_s: int, entry: Due) -> bool:
    """Whether one of these still means something."""
    if entry.what == "rented_amendment":
        return rented.contracts[ContractId(entry.about)].version < entry.stamp
    if entry.what == "rented_offer":
        return entry == offers.answer_due(rented.rights[RightId(entry.about)], grace_s)
    tranche = rented.tranches[TrancheId(entry.about)]
    return entry in (*still_due(tranche, dates), *silences(tranche, grace_s))
