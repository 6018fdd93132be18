"""What shape has each answer about the terms of a contract? As `bodies`. Shares are parts per million.

Annotations are not postponed in this file: what may be missing is known at run time (`__required_keys__`).
"""

from typing import TypedDict

import msgspec

from forebay.server.bodies import LendingBody, Money
from forebay.server.delivery_bodies import AcceptanceBody
from forebay.server.promise_bodies import LateBody


class RungBody(TypedDict):
    """A step of a ladder, with what it would come to for 30 days' fee of the whole tranche, by all its caps."""

    below_ppm: int
    credit_ppm: int
    of_30_days: Money


class ChronicBody(TypedDict):
    """When failure is chronic: so many of so many months in a row below an availability."""

    months: int
    of_months: int
    below_ppm: int


class ServiceBody(TypedDict):
    """What is promised about availability. No cap is no limit."""

    unit: str
    #: Of the nodes of a unit, those that have to be healthy for it to be available.
    healthy_nodes: int
    nodes: int
    #: A unit that failed is down only after so many seconds; 0 for at once.
    replacement_s: int
    ladder: list[RungBody]
    credits: str
    claim_s: int
    cap_month_ppm: int
    cap_total: Money | None
    sole_remedy: bool
    damages_per_gpu_day: Money | None
    chronic: ChronicBody | None


class WindowBody(TypedDict):
    """A weekly window, as the clocks of its zone show, and when it is next; null where it is not in the term."""

    day: str
    start: str
    length_s: int
    next_start: str | None
    next_end: str | None


class MaintenanceBody(TypedDict):
    """How much maintenance is agreed; all else is downtime. No window is any time."""

    allowed_s: int
    notice_s: int
    zone: str
    windows: list[WindowBody]
    #: Whether the customer has to consent to each.
    consent: bool


class StepBody(TypedDict):
    """A price of a GPU-hour that holds from a date on."""

    at: str
    price_per_gpu_hour: Money


class FollowedBody(TypedDict):
    """An index, how much of the price follows it from which base on, and within which bounds."""

    index: str
    base: str
    share_ppm: int
    floor: Money | None
    cap: Money | None


class PriceTermsBody(TypedDict):
    """What a tranche costs."""

    price_per_gpu_hour: Money
    steps: list[StepBody]
    index: FollowedBody | None
    #: The least that is paid of what was deliverable, used or not.
    take_or_pay_ppm: int


class ReliefTermsBody(TypedDict):
    """By what a kind of event may move committed dates: notice within so long, and so far at most."""

    kind: str
    notice_s: int
    cap_s: int


class ShortfallTermsBody(TypedDict):
    """The place of a tranche when there is too little."""

    #: "first", "last" or "ratably", beside all other customers; null where only names are said.
    served: str | None
    #: Contracts and customers that are served after it, and before it.
    before: list[str]
    after: list[str]


class TrancheTerms(TypedDict):
    """The terms of a tranche. What is null is not agreed."""

    tranche: str
    site: str
    sku: str
    #: Where else, and of what else, it may be before its term begins: "SKU at SITE" each, its own first.
    choices: list[str]
    #: "managed" or "handed_over": who schedules its work.
    operation: str
    lending: LendingBody | None
    late: LateBody | None
    service: ServiceBody | None
    maintenance: MaintenanceBody | None
    price: PriceTermsBody
    acceptance: AcceptanceBody | None
    relief: list[ReliefTermsBody]
    shortfall: ShortfallTermsBody | None


class RemediesBody(TypedDict):
    """How the remedies of a contract stand to each other. No cap is no limit."""

    order: list[str]
    settlement: str
    cap_month: Money | None
    cap_total: Money | None


class PaymentTermsBody(TypedDict):
    """What a contract says of payment; what is null is not agreed."""

    #: Whether fees are billed at the start ("advance") or at the end ("arrears") of their month.
    billing: str
    net_s: int
    deposit: Money | None
    #: Which tranches draw down what is prepaid, in this order; empty for all, in the order of the contract.
    drawdown: list[str]
    #: Who stands in for the customer, "" for nobody; up to what, and until when.
    guarantee_issuer: str
    guarantee: Money | None
    guarantee_expires: str | None
    interest_ppm: int
    withholding_ppm: int
    refund_ppm: int


class DueBody(TypedDict):
    """An amount, and when it is to be paid; null where nobody knows, or may tell."""

    #: "deposit", "prepayment", "milestone" or "fee".
    kind: str
    #: The tranche of a fee, "SITE/MILESTONE", or "".
    about: str
    #: Of a fee: the time that it is for.
    start: str | None
    end: str | None
    due_p50: str | None
    due_p90: str | None
    amount: Money
    #: Of a fee: what is taken from what was prepaid, by the dates in even odds; and what is left to pay.
    drawn: Money
    to_pay: Money


class OpenInvoice(TypedDict):
    """An invoice of before the cutover that was open then, as if nothing was paid of it since."""

    number: str
    open: Money
    issued: str | None
    #: As the opening says, or else so long after it was issued as the contract says; null where nobody knows.
    due: str | None
    #: By now, if it is late; and what of it may be kept back if it is disputed. Neither is posted.
    interest: Money
    may_be_withheld: Money


class PaymentsBody(TypedDict):
    """What falls due under a contract, the earliest first. Fees are as promised, whatever comes late."""

    contract: str
    tenant: str
    currency: str
    terms: PaymentTermsBody | None
    items: list[DueBody]
    #: Of all that falls due: fees, what is prepaid, what fees draw on it, and what stays prepaid and not drawn.
    fees: Money
    prepaid: Money
    drawn: Money
    undrawn: Money
    #: Of a contract that was opened: what of it was open at the cutover; and what would have been paid back of
    #: what was prepaid and not drawn, had it ended then (null where nothing was prepaid).
    open_invoices: list[OpenInvoice]
    refund: Money | None


class CommitmentBody(TypedDict):
    """The least that is paid for use in each period of so many calendar months (UTC)."""

    amount: Money
    months: int
    #: When the first begins, and how many there are.
    start: str
    periods: int


class EnergyBody(TypedDict):
    """Energy of what is used, billed as it is metered."""

    price_per_mwh: Money
    #: So much is billed for what the racks draw, parts per million.
    pue_ppm: int
    #: The index that the price follows, and the value at which it is as stated; "" for a fixed tariff.
    index: str
    base: str


class TermsBody(TypedDict):
    """The terms of a contract, by the version that holds at an instant."""

    contract: str
    version: int
    at: str
    tenant: str
    currency: str
    tranches: list[TrancheTerms]
    remedies: RemediesBody | None
    commitment: CommitmentBody | None
    energy: EnergyBody | None


# Where a tranche is.


class PostedNomination(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Where, and of what, a tranche is to be; "" for what stays as it is."""

    site: str = ""
    sku: str = ""


class NominationBody(TypedDict):
    """Where, and of what, a tranche is now, and whether that is new."""

    tranche: str
    site: str
    sku: str
    changed: bool
