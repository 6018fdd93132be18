"""What may one side of a contract still ask for? Rights are settings of one record, not types of their own.

A *refusal* puts a step before a sale: what somebody else is to be sold in its scope is offered to its holder first. A
*call* lets the customer take more. A *backstop* lets the seller put to the customer what it did not sell. An
*extension* lets a term go on. A *termination* lets the customer end a tranche that is too late.

    dormant -> offered -> exercised | waived | lapsed -> dormant       a refusal, offer by offer
    dormant -> exercised (as often as its count and cap allow) -> lapsed             every other right

A right is exercised within its window, expiry exclusive. A notice counts from when it was received, or by a calendar
of business days is deemed to be (`workdays`), and may be entered a while later: each clock has a grace, which runs
anew when forebay was down as it ended. A customer that enters its own notice is heard when it is entered, and not
before.

A refusal that was waived, or not answered, lets that one sale pass for a while, on no better terms than were offered:
the same stock, no more of it, within the same term, at no lower price. Any other sale is to be offered anew.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from forebay.core.claims import workdays
from forebay.core.claims.workdays import Calendars, DayNotice
from forebay.core.ids import (
    CapId,
    Command,
    ContractId,
    Event,
    HoldId,
    RightId,
    SiteId,
    SkuId,
    TenantId,
    TrancheId,
)
from forebay.core.timeline import Due
from forebay.core.units import SECOND_US

#: Processed later than this after it fell due, forebay was down meanwhile.
DOWN_US = 60 * SECOND_US


class RightKind(StrEnum):
    """Which settings a right has."""

    REFUSAL = "refusal"
    CALL = "call"
    BACKSTOP = "backstop"
    EXTENSION = "extension"
    TERMINATION = "termination"


class Unsold(StrEnum):
    """What of a backstop's scope counts as unsold."""

    #: What is not under a signed tranche, and which no hold, call or extension may take.
    AVAILABLE = "available"
    #: Whatever is not under a signed tranche.
    NOT_SOLD = "not_sold"


class Side(StrEnum):
    """Who holds a right."""

    CUSTOMER = "customer"
    SELLER = "seller"


@dataclass(slots=True)
class Cap:
    """Money that rights may draw on together."""

    id: CapId
    micros: int


@dataclass(slots=True)
class RightPlan:
    """A right as a contract states it."""

    id: RightId
    kind: RightKind
    #: What it is about; an empty site means each, an empty SKU any. An extension or a termination names its tranche.
    site: SiteId = SiteId("")
    sku: SkuId = SkuId("")
    tranche: TrancheId = TrancheId("")
    #: Racks that may be taken in all; 0 for no limit but the cap.
    racks_max: int = 0
    #: The fewest racks that may be taken at once.
    racks_min: int = 1
    #: What it draws on; "" for nothing.
    cap: CapId = CapId("")
    #: Between rights of one scope: the lowest goes first.
    priority: int = 0
    #: What a GPU-hour costs; 0 for the price of what is offered, or of the tranche that goes on.
    price_micros_per_gpu_hour: int = 0
    #: To answer an offer; or between the notice and the start of what is taken, or goes on, seconds.
    notice_s: int = 0
    #: When it may be exercised, and from when on no more; 0 for at once, and for as long as the contract lasts.
    opens_at: int = 0
    expires_at: int = 0
    #: How long what is taken lasts, seconds.
    term_s: int = 0
    #: How long a waived offer may be sold to somebody else on no better terms, seconds.
    waiver_s: int = 0
    #: When it is measured what of a backstop's scope stayed unsold.
    measure_at: int = 0
    #: A termination: whether it ends the whole order, with all its tranches and rights, or its own tranche only.
    ends_order: bool = False
    #: The notice in days of a calendar, in the place of `notice_s`; None where that holds.
    notice: DayNotice | None = None
    #: A termination: whether the contract's first tranche ends with it all of which nothing was accepted, if they
    #: have not begun or are to be accepted; and a later one itself only.
    first_ends_rest: bool = False
    #: A backstop: what counts as unsold, when it is measured and when it is put.
    unsold: Unsold = Unsold.AVAILABLE
    #: What its holder pays for having it, and each time that it is used.
    premium_micros: int = 0
    exercise_fee_micros: int = 0


# Commands


@dataclass(slots=True)
class OfferSale(Command):
    """Offer what is held for somebody else to the holder of a refusal; who that is, the offer does not say."""

    right: RightId
    hold: HoldId


@dataclass(slots=True)
class ExerciseRight(Command):
    """The holder uses its right. The notice was received at `effective_at`; 0 for when it is entered."""

    right: RightId
    effective_at: int = 0
    #: Of the tranche that it makes.
    tranche: TrancheId = TrancheId("")
    #: Racks to take, and from when on; 0 where the right says it.
    racks: int = 0
    start_at: int = 0


@dataclass(slots=True)
class WaiveRight(Command):
    """The holder lets an offer pass, or a right go. The notice was received at `effective_at`; 0 as above."""

    right: RightId
    effective_at: int = 0


# Events


@dataclass(slots=True)
class SaleOffered(Event):
    """The holder of a refusal may take this sale itself, until `deadline_at`."""

    right: RightId
    hold: HoldId
    deadline_at: int
    #: When it was offered; 0 where that follows from the length of the notice.
    offered_at: int = 0


@dataclass(slots=True)
class RightExercised(Event):
    """A right was used: `racks` of it, for `drawn_micros` of its cap, by the tranche that follows."""

    right: RightId
    effective_at: int
    tranche: TrancheId
    racks: int
    drawn_micros: int


@dataclass(slots=True)
class RightWaived(Event):
    """An offer was let pass: its sale may be signed until `until_at`. Without an offer: the right is given up."""

    right: RightId
    effective_at: int
    hold: HoldId
    until_at: int


@dataclass(slots=True)
class RightLapsed(Event):
    """Nobody answered in time: as if waived."""

    right: RightId
    hold: HoldId
    until_at: int


@dataclass(slots=True)
class BackstopMeasured(Event):
    """So many racks of a backstop's scope stayed unsold: no more than these may be put to the customer."""

    right: RightId
    racks: int


@dataclass(slots=True)
class ClockResumed(Event):
    """A deadline passed while forebay was down: notices served meanwhile may be entered until `grace_until_at`."""

    right: RightId
    grace_until_at: int


RightEvent = SaleOffered | RightExercised | RightWaived | RightLapsed | BackstopMeasured | ClockResumed


# State


class Life(StrEnum):
    """Where a right is in its life."""

    DORMANT = "dormant"
    OFFERED = "offered"
    EXERCISED = "exercised"
    WAIVED = "waived"
    LAPSED = "lapsed"


class DatedRight(NamedTuple):
    """Terms of a right that hold from an instant on, or held until it."""

    at: int
    plan: RightPlan
    #: By when it was to be used; 0 for never, and for terms that are to come.
    closes_at: int = 0


class Right(NamedTuple):
    """A right as recorded."""

    plan: RightPlan
    contract: ContractId
    #: The customer of its contract.
    tenant: TenantId
    life: Life = Life.DORMANT
    #: Racks taken so far.
    racks: int = 0
    #: By when it is to be used, by its contract, exclusive; 0 for never.
    closes_at: int = 0
    #: The sale on offer, and by when to answer it.
    hold: HoldId = HoldId("")
    deadline_at: int = 0
    #: Until when notices may be entered that were served before the deadline; 0 where the policy's grace holds.
    grace_until_at: int = 0
    #: Sales that were let pass, and until when each may be signed.
    passed: tuple[tuple[HoldId, int], ...] = ()
    #: Racks of a backstop's scope that stayed unsold; -1 before that is measured.
    unsold: int = -1
    #: When the sale on offer was offered; 0 where that follows from the length of the notice.
    offered_at: int = 0
    #: When the notice by which it was last used was received; 0 before.
    used_at: int = 0
    #: Terms that held before amendments, and those that are signed and hold later, in order.
    earlier: tuple[DatedRight, ...] = ()
    to_come: tuple[DatedRight, ...] = ()
    #: From when on an amendment grants it no more; 0 for never.
    withdrawn_at: int = 0
    #: What all uses of it cost its holder by its fee.
    fees_micros: int = 0


def holder(right: Right) -> Side:
    """Who may use it: the seller a backstop, the customer every other."""
    return Side.SELLER if right.plan.kind is RightKind.BACKSTOP else Side.CUSTOMER


def notice_ends(plan: RightPlan, calendars: Calendars, received_at: int) -> int:
    """When the notice of a right ends that comes in at an instant."""
    if plan.notice is None:
        return received_at + plan.notice_s * SECOND_US
    return workdays.ends_at(calendars[plan.notice.calendar], plan.notice, received_at)


def received(plan: RightPlan, calendars: Calendars, at: int) -> int:
    """When a notice counts as received that comes in at an instant: by the calendar of the right, if it has one."""
    return at if plan.notice is None else workdays.deemed_at(calendars[plan.notice.calendar], at)


def closing(plan: RightPlan, term_ends_at: int, calendars: Calendars) -> int:
    """By when a right is to be used, exclusive; 0 for never. An extension before its notice would reach over the end
    of the term that it extends; `term_ends_at` is that end.
    """
    if plan.kind is not RightKind.EXTENSION:
        return plan.expires_at
    if plan.notice is None:
        notice_at = term_ends_at - plan.notice_s * SECOND_US
    else:
        notice_at = workdays.latest_at(calendars[plan.notice.calendar], plan.notice, term_ends_at)
    return min(notice_at, plan.expires_at or notice_at)


def deadline(right: Right) -> int:
    """By when it, or the offer that is open, must be answered, exclusive; 0 for never."""
    return right.deadline_at if right.life is Life.OFFERED else right.closes_at


def opening(right: Right) -> int:
    """From when on a notice may be received: an answer not before its offer was made."""
    if right.life is Life.OFFERED:
        return right.offered_at or right.deadline_at - right.plan.notice_s * SECOND_US
    return right.plan.opens_at


def lapse(right: Right, grace_s: int) -> Due | None:
    """When a right lapses by itself: at its deadline and the grace after it."""
    ends_at = deadline(right)
    if right.life not in (Life.DORMANT, Life.OFFERED) or not ends_at:
        return None
    return Due(right.grace_until_at or ends_at + grace_s * SECOND_US, "deadline", right.plan.id, ends_at)


def measuring(right: Right) -> Due | None:
    """When it is measured what stayed unsold of a backstop's scope."""
    if right.plan.kind is not RightKind.BACKSTOP or right.life is not Life.DORMANT or right.unsold >= 0:
        return None
    return Due(right.plan.measure_at, "measure", right.plan.id, 0)


def advanced(right: Right, event: RightEvent) -> Right:
    """The right after an event about it."""
    match event:
        case SaleOffered():
            return forget_sale(right, event.hold)._replace(
                life=Life.OFFERED,
                hold=event.hold,
                deadline_at=event.deadline_at,
                grace_until_at=0,
                offered_at=event.offered_at,
            )
        case RightExercised():
            racks = right.racks + event.racks
            again = right.plan.kind is RightKind.REFUSAL or (
                right.plan.kind is RightKind.CALL and racks < right.plan.racks_max
            )
            life = Life.DORMANT if again else Life.EXERCISED
            return right._replace(
                life=life,
                racks=racks,
                hold=HoldId(""),
                deadline_at=0,
                grace_until_at=0,
                used_at=event.effective_at,
                fees_micros=right.fees_micros + right.plan.exercise_fee_micros,
            )
        case RightWaived() | RightLapsed() if event.hold:
            # A refusal stands again before the next sale; this one may pass for a while.
            return right._replace(
                life=Life.DORMANT, hold=HoldId(""), deadline_at=0, grace_until_at=0,
                passed=(*right.passed, (event.hold, event.until_at)),
            )  # fmt: skip
        case RightWaived():
            return right._replace(life=Life.WAIVED)
        case RightLapsed():
            return right._replace(life=Life.LAPSED)
        case BackstopMeasured():
            return right._replace(unsold=event.racks)
        case _:
            assert isinstance(event, ClockResumed)
            return right._replace(grace_until_at=event.grace_until_at)


def forget_sale(right: Right, hold: HoldId) -> Right:
    """The right without leave for a sale: it is over, or is offered anew."""
    return right._replace(passed=tuple(each for each in right.passed if each[0] != hold))
