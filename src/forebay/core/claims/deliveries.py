"""When does a part of a tranche come? What was committed, what the seller notified, what came, and what we expect.

Each delivery of a tranche has a date by contract. Its seller may *notify* another; that is a fact between the two
parties, and both record it: the customer as received, the seller as served. At last it is *delivered*. Beside these
a customer keeps a *forecast* of its own, at even odds and in nine cases of ten, and counts on it:

    date = delivered, or our own forecast, or else the date last notified, or else the committed one

A notice that arrives after a forecast makes it stale: until there is a new one, the later of the two counts. A date
that passes without the delivery counts no more: the next that is known takes its place, and then none does, until
somebody is told something.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from forebay.core.claims.terms import Delivery, TranchePlan
from forebay.core.ids import Command, Event, TrancheId
from forebay.core.supply.blocks import Confidence

# Commands


@dataclass(slots=True)
class NotifyDelivery(Command):
    """The seller told the customer: this delivery is expected then. Received at `effective_at`; 0 for when it is
    entered.
    """

    tranche: TrancheId
    #: Which delivery of it, from 1 on.
    delivery: int
    expected_at: int
    effective_at: int = 0
    reason: str = ""


@dataclass(slots=True)
class ReportDelivered(Command):
    """A delivery came at `effective_at`: seller and customer agree."""

    tranche: TrancheId
    delivery: int
    effective_at: int
    evidence: str = ""


@dataclass(slots=True)
class ForecastDelivery(Command):
    """We, the customer, expect a delivery then: at even odds, and in nine cases of ten."""

    tranche: TrancheId
    delivery: int
    p50_at: int
    p90_at: int
    source: str = ""


# Events


@dataclass(slots=True)
class DeliveryNotified(Event):
    """The seller expects a delivery at another date, and told the customer so at `effective_at`."""

    tranche: TrancheId
    delivery: int
    expected_at: int
    effective_at: int
    reason: str


@dataclass(slots=True)
class DeliveryMade(Event):
    """A delivery came at `effective_at`: seller and customer agree."""

    tranche: TrancheId
    delivery: int
    effective_at: int
    evidence: str


@dataclass(slots=True)
class DeliveryForecast(Event):
    """How sure we, the customer, are of a delivery."""

    tranche: TrancheId
    delivery: int
    p50_at: int
    p90_at: int
    source: str


@dataclass(slots=True)
class DeliveryOverdue(Event):
    """The date passed by which we counted on a rented delivery: before `expected_at` it is counted on no more."""

    tranche: TrancheId
    delivery: int
    expected_at: int


DeliveryEvent = DeliveryNotified | DeliveryMade | DeliveryForecast | DeliveryOverdue

# State


class DeliveryDates(NamedTuple):
    """What is known of a delivery beside its committed date; 0 for what nobody told."""

    notified_at: int = 0
    #: When the notice was received that counts: the latest.
    heard_at: int = 0
    delivered_at: int = 0
    p50_at: int = 0
    p90_at: int = 0
    #: Whether a notice came after the forecast.
    stale: bool = False
    #: A date before this has passed, and it did not come.
    not_before: int = 0


#: What is known by tranche and number of the delivery, from 1 on.
Dates = dict[tuple[TrancheId, int], DeliveryDates]
UNKNOWN = DeliveryDates()


def committed(plan: TranchePlan) -> Sequence[Delivery]:
    """The deliveries of a tranche: all at once where its contract names none."""
    return plan.deliveries or (Delivery(plan.start_at, plan.count),)


def told(known: DeliveryDates, committed_at: int) -> int:
    """The date that both parties know: delivered, or else notified, or else committed."""
    return known.delivered_at or known.notified_at or committed_at


def counted_on(known: DeliveryDates, committed_at: int, confidence: Confidence) -> int:
    """The date from which on a customer counts on a delivery, at a confidence (see the top of this file)."""
    date = told(known, committed_at)
    if known.delivered_at:
        return date
    own = known.p90_at if confidence is Confidence.P90 else known.p50_at
    if own:
        date = max(own, date) if known.stale else own
    return max(date, known.not_before)


def advance(known: DeliveryDates, event: DeliveryEvent) -> DeliveryDates:
    """What is known of a delivery after an event about it."""
    match event:
        case DeliveryNotified():
            return known._replace(
                notified_at=event.expected_at,
                heard_at=event.effective_at,
                stale=bool(known.p50_at),
                not_before=0,
            )
        case DeliveryMade():
            return known._replace(delivered_at=event.effective_at)
        case DeliveryForecast():
            return known._replace(p50_at=event.p50_at, p90_at=event.p90_at, stale=False, not_before=0)
        case _:
            assert isinstance(event, DeliveryOverdue)
            return known._replace(not_before=event.expected_at)
