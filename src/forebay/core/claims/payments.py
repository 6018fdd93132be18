"""When is what is owed to be paid, and what if it is not? What a contract says of payment.

What is prepaid, by date or by milestone, is drawn down by the fees of tranches; until then it is the customer's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from forebay.core.ids import MilestoneId, SiteId, TrancheId
from forebay.core.units import DAY_US, divide_half_even

_PPM = 1_000_000


class BillingTime(StrEnum):
    """When the fees of a month are billed: at its start, or at its end."""

    ADVANCE = "advance"
    ARREARS = "arrears"


@dataclass(slots=True)
class Prepayment:
    """Money that is paid on a date, ahead of the fees that draw it down."""

    due_at: int
    micros: int


@dataclass(slots=True)
class MilestonePayment:
    """Money that is paid once a milestone of a site is reached, ahead of the fees that draw it down: a share of the
    fees of all tranches as signed, or an amount.
    """

    site: SiteId
    milestone: MilestoneId
    share_ppm: int = 0
    micros: int = 0


@dataclass(slots=True)
class Guarantee:
    """Who stands in for the customer, up to what, and until when."""

    issuer: str
    micros: int
    expires_at: int


@dataclass(slots=True)
class PaymentTerms:
    """What a contract says of payment."""

    billing: BillingTime
    #: Fees, and what a milestone makes due, are to be paid so long after, seconds.
    net_s: int
    #: Kept as a security, never drawn down; 0 for none. And when it is due.
    deposit_micros: int = 0
    deposit_at: int = 0
    prepayments: tuple[Prepayment, ...] = ()
    milestones: tuple[MilestonePayment, ...] = ()
    #: Which tranches draw down what is prepaid, in this order; empty for all, in the order of the contract.
    drawdown: tuple[TrancheId, ...] = ()
    guarantee: Guarantee | None = None
    #: On what is paid late, parts per million a year of 365 days.
    interest_ppm: int = 0
    #: Of an invoice in dispute, so much may be kept back, parts per million of what is disputed.
    withholding_ppm: int = 0
    #: Of what is prepaid and not drawn, so much is paid back when the contract is terminated, parts per million.
    refund_ppm: int = _PPM


def interest_micros(terms: PaymentTerms, owed_micros: int, late_us: int) -> int:
    """Interest on an amount that is late for so long: by the microsecond, a year of 365 days, without interest on
    interest; rounded once to micro-units (half to even).
    """
    return divide_half_even(owed_micros * terms.interest_ppm * late_us, _PPM * 365 * DAY_US)


def withheld_micros(terms: PaymentTerms, disputed_micros: int) -> int:
    """What may be kept back of a disputed amount, rounded once (half to even)."""
    return divide_half_even(disputed_micros * terms.withholding_ppm, _PPM)


def refund_micros(terms: PaymentTerms, prepaid_micros: int, drawn_micros: int) -> int:
    """What is paid back at a termination of what was prepaid and not drawn, rounded once (half to even)."""
    return divide_half_even((prepaid_micros - drawn_micros) * terms.refund_ppm, _PPM)
