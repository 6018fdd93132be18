"""What is so far behind a contract that runs already? Its opening: how it stood at one instant, the *cutover*.

What came before the cutover is history: it is not metered again, and not billed again. What comes after it is
forebay's to tell. An opening says, as of the cutover, what of each tranche was delivered and accepted, what rights
did and where their clocks stand, what was drawn on caps, and the balances of the contract in the books of before.

Amounts are micro-units of the contract's currency. Plain records: `cutover` decides whether an opening is taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from forebay.core.claims.rights import Life, Right, RightKind
from forebay.core.ids import CapId, HoldId, RackId, RightId, SiteId, SkuId, TenantId, TrancheId


@dataclass(slots=True)
class OpenedTranche:
    """What of a tranche had passed to the customer."""

    tranche: TrancheId
    #: Units of its shape that were delivered and accepted.
    delivered: int
    #: Since when the last of them; 0 where that is not said.
    accepted_at: int = 0
    #: Which racks they are; empty where that does not matter, and any will do.
    racks: tuple[RackId, ...] = ()


@dataclass(slots=True)
class OpenedCap:
    """What rights had drawn on a cap."""

    cap: CapId
    drawn_micros: int


@dataclass(slots=True)
class OpenedOffer:
    """A sale to somebody else that is on offer to the holder of a refusal."""

    hold: HoldId
    tenant: TenantId
    site: SiteId
    sku: SkuId
    nodes: int
    start_at: int
    end_at: int
    price_micros_per_gpu_hour: int
    #: By when it is to be answered.
    deadline_at: int


@dataclass(slots=True)
class OpenedRight:
    """Where a right was in its life."""

    right: RightId
    life: Life
    #: Racks that were taken by it, all in all.
    racks: int = 0
    #: Racks of a backstop's scope that stayed unsold when that was measured; -1 before.
    unsold: int = -1
    #: What is on offer; None where nothing is.
    offer: OpenedOffer | None = None


@dataclass(slots=True)
class OpenedInvoice:
    """An invoice of before that is not paid yet, or not whole."""

    number: str
    #: What is still to be paid of it.
    open_micros: int
    issued_at: int = 0
    due_at: int = 0


@dataclass(slots=True)
class Opening:
    """How a contract stood at the cutover."""

    #: The cutover: all that is said here is as of this instant.
    at: int
    #: ISO 4217; "" for the contract's.
    currency: str = ""
    #: All invoices so far, paid or not.
    billed_micros: int = 0
    #: Of what was billed, what is for time after the cutover.
    deferred_micros: int = 0
    #: What the customer paid ahead and was not drawn down yet, and what was drawn down of it.
    prepaid_micros: int = 0
    prepaid_drawn_micros: int = 0
    #: What is kept as security.
    deposit_micros: int = 0
    #: Credits given so far, and what of them is still to be set off or paid out.
    credited_micros: int = 0
    credit_open_micros: int = 0
    invoices: tuple[OpenedInvoice, ...] = ()
    tranches: tuple[OpenedTranche, ...] = ()
    caps: tuple[OpenedCap, ...] = ()
    #: Those that are not named here are dormant, and unused.
    rights: tuple[OpenedRight, ...] = ()


class Balance(NamedTuple):
    """A balance that is brought forward; a debit is positive, a credit negative."""

    account: str
    amount_micros: int


def balances(opening: Opening, tenant: TenantId) -> tuple[Balance, ...]:
    """What stands in the books at the cutover, without what is zero: what the customer owes, and what it is owed."""
    found = (
        Balance(f"receivable:{tenant}", sum(each.open_micros for each in opening.invoices)),
        Balance(f"deferred_revenue:{tenant}", -opening.deferred_micros),
        Balance(f"prepayments:{tenant}", -opening.prepaid_micros),
        Balance(f"deposits:{tenant}", -opening.deposit_micros),
        Balance(f"credits:{tenant}", -opening.credit_open_micros),
    )
    return tuple(each for each in found if each.amount_micros)


#: What may be used again after it was used, as long as something is left: `rights.advanced`.
_AGAIN = (RightKind.REFUSAL, RightKind.CALL)
_FINAL = (Life.EXERCISED, Life.WAIVED, Life.LAPSED)


def is_over(stated: OpenedRight) -> bool:
    """Whether nothing can come of a right any more."""
    return stated.life in _FINAL


def opened(right: Right, stated: OpenedRight) -> Right:
    """A right that was just signed, as the opening states it."""
    offer = stated.offer
    return right._replace(
        life=stated.life,
        racks=stated.racks,
        unsold=stated.unsold,
        hold=offer.hold if offer else HoldId(""),
        deadline_at=offer.deadline_at if offer else 0,
    )


def impossible(right: Right, stated: OpenedRight, cutover_at: int) -> str:
    """Why a right cannot stand as stated at the cutover, in words; "" where it can."""
    plan = right.plan
    kind, life = plan.kind, stated.life
    if stated.racks < 0 or stated.unsold < -1:
        return "has a negative number of racks"
    if plan.racks_max and stated.racks > plan.racks_max:
        return f"took {stated.racks} racks of {plan.racks_max} that it grants"
    if (life is Life.OFFERED) != (stated.offer is not None):
        return "is offered where a sale is on offer, and only there"
    if life is Life.OFFERED and kind is not RightKind.REFUSAL:
        return f"is a {kind.value}: only a refusal is offered a sale"
    if life is Life.EXERCISED:
        if kind is RightKind.TERMINATION:
            return "has ended its tranche: neither stands in a contract that runs"
        if kind in _AGAIN and stated.racks != plan.racks_max:
            return "is not used up: it is dormant, with the racks that it took"
        if kind is not RightKind.EXTENSION and not stated.racks:
            return "was used and took no racks"
    elif stated.racks and kind not in _AGAIN:
        return f"took racks, and is {life.value}"
    elif kind is RightKind.CALL and stated.racks == plan.racks_max and life is Life.DORMANT:
        return "took all the racks that it grants: it is exercised"
    if stated.unsold >= 0 and (kind is not RightKind.BACKSTOP or plan.measure_at > cutover_at):
        return "was not measured yet"
    if kind is RightKind.BACKSTOP and plan.measure_at <= cutover_at and stated.unsold < 0:
        return "was measured: the opening says how many racks stayed unsold"
    ends_at = right.closes_at
    if life is Life.DORMANT and ends_at and ends_at <= cutover_at:
        return "was to be used before the cutover: it is exercised, waived or lapsed"
    if life is Life.LAPSED and (not ends_at or ends_at > cutover_at):
        return "may still be used: it is not lapsed"
    return ""
