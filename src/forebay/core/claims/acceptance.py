"""Has the customer accepted what was delivered? Ready notices, and what came of each.

A tranche with terms for acceptance is handed over part by part. The provider gives notice that a part is ready, with
the results of the tests that the contract names; the customer accepts it, or rejects it with a reason; who stays
silent is deemed to accept when its time is over.

    ready -> accepted (by the customer, or deemed)
    ready -> rejected; then the provider may give notice of it again

Three dates are told of each part: it was ready, it was accepted, its billing starts. As with rights a notice counts
from when it was received, and may be entered a while later; the clock has a grace, which runs anew when forebay was
down as it ended.

A part is a number of units of its tranche, not certain racks: what stands for it may change until it is paid for.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from forebay.core.ids import Command, Event, TrancheId
from forebay.core.timeline import Due
from forebay.core.units import SECOND_US


@dataclass(slots=True)
class Result:
    """What a test gave, in millionths of whatever it is measured in."""

    test: str
    value_micros: int


# Commands


@dataclass(slots=True)
class GiveReadyNotice(Command):
    """So many units of a tranche are ready. The customer received the notice at `effective_at`; 0 for when it is
    entered.
    """

    tranche: TrancheId
    count: int
    results: tuple[Result, ...] = ()
    effective_at: int = 0


@dataclass(slots=True)
class AcceptDelivery(Command):
    """The customer accepts what a notice was about; 0 for the only one that is open. `effective_at` as above."""

    tranche: TrancheId
    notice: int = 0
    effective_at: int = 0


@dataclass(slots=True)
class RejectDelivery(Command):
    """The customer does not accept it, and says why. `notice` and `effective_at` as above."""

    tranche: TrancheId
    reason: str
    notice: int = 0
    effective_at: int = 0


# Events


@dataclass(slots=True)
class ReadyNoticeGiven(Event):
    """Units of a tranche are ready since `effective_at`: its notice of that number, from 1 on."""

    tranche: TrancheId
    notice: int
    count: int
    effective_at: int
    #: When the customer is deemed to accept, exclusive; 0 for never.
    deemed_at: int
    results: tuple[Result, ...] = ()


@dataclass(slots=True)
class DeliveryAccepted(Event):
    """What a notice was about is accepted since `effective_at`."""

    tranche: TrancheId
    notice: int
    effective_at: int
    #: Whether the customer stayed silent.
    deemed: bool
    #: From when on it is paid for.
    billing_at: int


@dataclass(slots=True)
class DeliveryRejected(Event):
    """What a notice was about is not accepted, and as late as if there had been no notice."""

    tranche: TrancheId
    notice: int
    effective_at: int
    reason: str


@dataclass(slots=True)
class AcceptanceResumed(Event):
    """The time to answer a notice ended while forebay was down: answers may be entered until `grace_until_at`."""

    tranche: TrancheId
    notice: int
    grace_until_at: int


@dataclass(slots=True)
class BillingStarted(Event):
    """What a notice was about is paid for from now on."""

    tranche: TrancheId
    notice: int


AcceptanceEvent = ReadyNoticeGiven | DeliveryAccepted | DeliveryRejected | AcceptanceResumed | BillingStarted


# State


class PartLife(StrEnum):
    """What came of a ready notice."""

    READY = "ready"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


class DeliveredPart(NamedTuple):
    """Units of a tranche that a ready notice was about."""

    notice: int
    quantity: int
    ready_at: int
    #: When the customer is deemed to accept, exclusive; 0 for never.
    deemed_at: int
    results: tuple[Result, ...]
    life: PartLife = PartLife.READY
    #: When it was accepted or rejected; 0 before.
    answered_at: int = 0
    #: Whether the customer stayed silent.
    deemed: bool = False
    #: Why it was rejected.
    reason: str = ""
    #: From when on it is paid for; 0 before that is known.
    billing_at: int = 0
    #: Whether it is paid for by now.
    billed: bool = False
    #: Until when answers may be entered; 0 where the policy's grace holds.
    grace_until_at: int = 0


def silence(tranche: TrancheId, part: DeliveredPart, grace_s: int) -> Due | None:
    """When it is recorded that the customer stayed silent: at its deadline and the grace after it."""
    if part.life is not PartLife.READY or not part.deemed_at:
        return None
    until_at = part.grace_until_at or part.deemed_at + grace_s * SECOND_US
    return Due(until_at, "acceptance", tranche, part.notice)


def billing(tranche: TrancheId, part: DeliveredPart) -> Due | None:
    """When billing starts by itself."""
    if part.life is not PartLife.ACCEPTED or part.billed:
        return None
    return Due(part.billing_at, "billing", tranche, part.notice)


def advanced_parts(parts: tuple[DeliveredPart, ...], event: AcceptanceEvent) -> tuple[DeliveredPart, ...]:
    """The parts of a tranche after an event about one of them."""
    if isinstance(event, ReadyNoticeGiven):
        made = DeliveredPart(event.notice, event.count, event.effective_at, event.deemed_at, event.results)
        return (*parts, made)
    place = event.notice - 1
    return (*parts[:place], _after(parts[place], event), *parts[place + 1 :])


def _after(part: DeliveredPart, event: AcceptanceEvent) -> DeliveredPart:
    match event:
        case DeliveryAccepted():
            return part._replace(
                life=PartLife.ACCEPTED, answered_at=event.effective_at, deemed=event.deemed,
                billing_at=event.billing_at,
            )  # fmt: skip
        case DeliveryRejected():
            return part._replace(life=PartLife.REJECTED, answered_at=event.effective_at, reason=event.reason)
        case AcceptanceResumed():
            return part._replace(grace_until_at=event.grace_until_at)
        case _:
            return part._replace(billed=True)
