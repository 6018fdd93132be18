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
from forebay.core.claims import deliveries, rights
from forebay.core.claims.deliveries import Dates, DeliveryEvent
from forebay.core.claims.parties import Overlay
from forebay.core.claims.rights import Life, Right
from forebay.core.claims.terms import ContractPlan, TranchePlan, Unit
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
    """A right of a contract in which we are the customer was given up."""

    right: RightId
    effective_at: int


RentedEvent = CapacityRented | RentedRightUsed | RentedRightWaived

# State


class RentedTranche(NamedTuple):
    """A tranche of a contract in which we are the customer."""

    plan: TranchePlan
    contract: ContractId
    #: When it was ended before its time; 0 where it was not.
    ended_at: int = 0


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

    def fork(self) -> Rented:
        """A copy whose containers are its own."""
        return Rented(
            self.contracts.copy(),
            self.tranches.copy(),
            self.rights.copy(),
            self.drawn.copy(),
            self.sites.copy(),
        )


def sites_named(plan: ContractPlan) -> list[SiteId]:
    """Sites that a contract names, in order."""
    named = [
        *(tranche.site for tranche in plan.tranches),
        *(right.site for right in plan.rights if right.site),
    ]
    return list(dict.fromkeys(named))


def record(rented: Rented, dates: Dates, calendars: Calendars, heap: Dues, event: Event) -> None:
    """Apply one event about what we rented, or about a delivery on whichever side; all others change nothing."""
    about: list[TrancheId] = []
    if isinstance(event, DeliveryEvent):
        part = (event.tranche, event.delivery)
        dates[part] = deliveries.advance(dates.get(part, deliveries.UNKNOWN), event)
        about = [event.tranche] if event.tranche in rented.tranches else []
    elif isinstance(event, RentedEvent):
        _take(rented, calendars, event)
        about = _tranches_of(event)
    # When what we rented is counted on, and may not have come.
    for name in about:
        for entry in still_due(rented.tranches[name], dates):
            heap.push(entry)


def _take(rented: Rented, calendars: Calendars, event: RentedEvent) -> None:
    match event:
        case CapacityRented():
            plan = event.plan
            rented.contracts[plan.id] = plan
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
            rented.rights[event.right] = rights.advanced(
                was,
                rights.RightExercised(event.right, event.effective_at, made, event.racks, event.drawn_micros),
            )
            if was.plan.cap:
                cap = (was.contract, was.plan.cap)
                rented.drawn[cap] = rented.drawn.get(cap, 0) + event.drawn_micros
            if event.made is not None:
                rented.tranches[event.made.id] = RentedTranche(event.made, was.contract)
            for name in event.ended:
                rented.tranches[name] = rented.tranches[name]._replace(ended_at=event.effective_at)
            for other in event.lapsed:
                lapsed = rights.RightLapsed(other, HoldId(""), 0)
                rented.rights[other] = rights.advanced(rented.rights[other], lapsed)
        case _:
            assert isinstance(event, RentedRightWaived)
            rented.rights[event.right] = rented.rights[event.right]._replace(life=Life.WAIVED)


def _tranches_of(event: RentedEvent) -> list[TrancheId]:
    """Tranches that an event brings."""
    match event:
        case CapacityRented():
            return [tranche.id for tranche in event.plan.tranches]
        case RentedRightUsed() if event.made is not None:
            return [event.made.id]
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
    for number, delivery in enumerate(deliveries.committed(plan), 1):
        known = dates.get((plan.id, number), deliveries.UNKNOWN)
        when = deliveries.counted_on(known, delivery.at, confidence)
        if when < end_at:
            yield when, delivery.count * each
            yield end_at, -delivery.count * each


# What falls due: a delivery that does not come.


def still_due(tranche: RentedTranche, dates: Dates) -> Iterator[Due]:
    """When each delivery that was not delivered is counted on first, at any confidence."""
    for number, delivery in enumerate(deliveries.committed(tranche.plan), 1):
        known = dates.get((tranche.plan.id, number), deliveries.UNKNOWN)
        first_at = min(deliveries.counted_on(known, delivery.at, each) for each in Confidence)
        if not (known.delivered_at or tranche.ended_at) and first_at < min(tranche.plan.end_at, INSTANT_MAX):
            yield Due(first_at, "rented_delivery", tranche.plan.id, number)


def all_still_due(rented: Rented, dates: Dates) -> list[Due]:
    """All of these."""
    return [due for tranche in rented.tranches.values() for due in still_due(tranche, dates)]
