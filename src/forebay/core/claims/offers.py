"""What did our seller offer us first, before it sells it to somebody else? Records of offers that we received.

By a right of first refusal of ours a sale is offered by its seller's notice. Its clock is the seller's own: it begins
when the notice was received, and ends by the right's notice. We take the sale whole, let it pass, or do not answer.

What we let pass covers the sale for a while. An offer on no better terms meanwhile is recorded as what it is, the
same sale once more, and starts no clock; one that is better, or that the seller says is another sale, does.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from forebay.core.claims import rights
from forebay.core.claims.rights import Life, Right
from forebay.core.ids import Command, Event, HoldId, RightId, SiteId, SkuId
from forebay.core.timeline import Due


@dataclass(slots=True)
class OfferedSale:
    """What would be sold to somebody else: so many nodes from `start_at` until `end_at`."""

    site: SiteId
    sku: SkuId
    nodes: int
    start_at: int
    end_at: int
    price_micros_per_gpu_hour: int


# Commands


@dataclass(slots=True)
class ReceiveOffer(Command):
    """Our seller offers us a sale. The notice was received at `effective_at`; 0 for when it is entered."""

    right: RightId
    sale: OfferedSale
    effective_at: int = 0
    #: Whether the seller says that it is another sale, and not one that we let pass.
    anew: bool = False


# Events


@dataclass(slots=True)
class OfferReceived(Event):
    """We may take this sale ourselves, until `deadline_at`."""

    right: RightId
    sale: OfferedSale
    received_at: int
    deadline_at: int
    #: Until when an answer may be entered that was given before the deadline; 0 where the policy's grace holds.
    grace_until_at: int = 0


@dataclass(slots=True)
class CoveredOfferReceived(Event):
    """A sale that we let pass until `until_at` was offered to us once more, on no better terms."""

    right: RightId
    sale: OfferedSale
    received_at: int
    until_at: int


@dataclass(slots=True)
class ReceivedOfferLapsed(Event):
    """We did not answer in time: as if we had let it pass until `until_at`."""

    right: RightId
    until_at: int


@dataclass(slots=True)
class AnswerGraceExtended(Event):
    """The deadline passed while forebay was down: answers given meanwhile may be entered until `grace_until_at`."""

    right: RightId
    grace_until_at: int


OfferEvent = OfferReceived | CoveredOfferReceived | ReceivedOfferLapsed | AnswerGraceExtended


# State


class OpenOffer(NamedTuple):
    """A sale that we may take."""

    sale: OfferedSale
    received_at: int


class LetPass(NamedTuple):
    """A sale that we let pass, and until when it may be sold on no better terms."""

    sale: OfferedSale
    until_at: int
    #: When we were last told of it once more; 0 for never.
    again_at: int = 0


@dataclass(slots=True)
class Offers:
    """What was offered to us, by right."""

    open: dict[RightId, OpenOffer] = field(default_factory=dict)
    let_pass: dict[RightId, tuple[LetPass, ...]] = field(default_factory=dict)

    def fork(self) -> Offers:
        """A copy whose containers are its own."""
        return Offers(self.open.copy(), self.let_pass.copy())


def heard(offers: Offers, right: Right, event: OfferEvent, at: int) -> Right:
    """Record what was offered, and give the right after it."""
    name = right.plan.id
    match event:
        case OfferReceived():
            offers.open[name] = OpenOffer(event.sale, event.received_at)
            # The seller's name of what it holds we are not told: the right has one offer at a time.
            made = rights.SaleOffered(name, HoldId(name), event.deadline_at, event.received_at)
            return rights.advanced(right, made)._replace(grace_until_at=event.grace_until_at)
        case CoveredOfferReceived():
            offers.let_pass[name] = tuple(
                each._replace(again_at=event.received_at) if each.until_at == event.until_at else each
                for each in offers.let_pass[name]
            )
            return right
        case ReceivedOfferLapsed():
            return passed_on(offers, right, event.until_at, at)
        case _:
            assert isinstance(event, AnswerGraceExtended)
            return right._replace(grace_until_at=event.grace_until_at)


def passed_on(offers: Offers, right: Right, until_at: int, at: int) -> Right:
    """The right after its offer was let pass until an instant; what may pass no more is forgotten."""
    name = right.plan.id
    kept = [each for each in offers.let_pass.get(name, ()) if each.until_at > at]
    offers.let_pass[name] = (*kept, LetPass(offers.open.pop(name).sale, until_at))
    return right._replace(life=Life.DORMANT, hold=HoldId(""), deadline_at=0, grace_until_at=0)


def answer_due(right: Right, grace_s: int) -> Due | None:
    """When an offer that we received lapses: at its deadline and the grace after it."""
    found = rights.lapse(right, grace_s) if right.life is Life.OFFERED else None
    return None if found is None else found._replace(what="rented_offer")
