"""What may a contract say of service levels, maintenance and remedies, and of how it stood when it was taken in?"""

from __future__ import annotations

import msgspec

from forebay.core import claims, ids
from forebay.core.claims import (
    commitments,
    maintenance,
    payments,
    remedies,
    service_levels,
    serving,
    workdays,
)
from forebay.feeds import forms


class TermPart(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A part of a contract."""


class RungEntry(TermPart, kw_only=True, frozen=True):
    """A step of a ladder of credits."""

    #: It counts for a month whose availability is below.
    below: forms.Share
    #: The credit, as a share of the month's fee.
    credit: forms.Share


class ChronicEntry(TermPart, kw_only=True, frozen=True):
    """When failure is chronic, so that the customer may end the tranche."""

    #: So many months,
    months: forms.Few
    #: of so many in a row,
    of_months: forms.Few
    #: with an availability below.
    below: forms.Share


class ServiceEntry(TermPart, kw_only=True, frozen=True):
    """What is promised about the availability of a tranche, and what follows where it is not kept."""

    #: What is available or not: each node, each rack, or the tranche as a whole.
    unit: service_levels.ServiceUnit
    #: Nodes of a unit that have to be healthy for it to be available; left out for the number of the kind of rack,
    #: and for all of a node or tranche.
    healthy_nodes: forms.ManyOrNone = 0
    #: For how long a unit may be missing until another stands in for it: it is down only after that; left out where
    #: it is down at once.
    replacement: forms.Seconds = 0
    #: What a month costs the seller, by falling availability and rising credit. The lowest step counts alone.
    ladder: list[RungEntry] = []
    #: Whether credits come by themselves, or on claim.
    credits: service_levels.Crediting = service_levels.Crediting.AUTOMATIC
    #: How long after its month a credit may be claimed.
    claim: forms.Seconds = 0
    #: The most for one month, as a share of its fee; left out for no cap.
    cap_month: forms.Share = 0
    #: The most in all; left out for no cap.
    cap_total: forms.Amount = 0
    #: Whether nothing but the credit is owed for what was not available.
    sole_remedy: bool = False
    #: For each GPU and day that it is not available.
    damages_per_gpu_day: forms.Price = 0
    #: When failure is chronic; left out where it gives no right to end the tranche.
    chronic: ChronicEntry | None = None


class WindowEntry(TermPart, kw_only=True, frozen=True):
    """When work may be done, week by week."""

    #: The day of the week on which it begins.
    day: workdays.Weekday
    #: At which time, as the clocks of the zone show.
    start: forms.Clock
    #: For how long.
    length: forms.Seconds


class MaintenanceEntry(TermPart, kw_only=True, frozen=True):
    """How much maintenance is agreed. All else counts as downtime."""

    #: How much of a calendar month.
    allowed: forms.Seconds
    #: How long before it has to be told.
    notice: forms.Seconds = 0
    #: When it may be done; left out for any time.
    windows: list[WindowEntry] = []
    #: In which the windows are meant; left out for the zone of the contract.
    zone: forms.Zone | None = None
    #: Whether the customer has to consent to each.
    consent: bool = False


class RemediesEntry(TermPart, kw_only=True, frozen=True):
    """How the remedies of a contract stand to each other. One GPU-second has one remedy."""

    #: Which one counts, and is paid, first: each that the contract grants.
    order: list[remedies.Remedy]
    #: Whether they are taken off what the customer owes, or paid out.
    settlement: remedies.Settlement
    #: The most that all come to in a calendar month; left out for no cap.
    cap_month: forms.Amount = 0
    #: The most that all come to; left out for no cap.
    cap_total: forms.Amount = 0


class CommitmentEntry(TermPart, kw_only=True, frozen=True):
    """The least that is paid for use in each period of so many calendar months (UTC). Nothing rolls over."""

    #: How much in each period.
    amount: forms.Amount
    #: How many months a period has.
    months: forms.Few
    #: The first instant of the first month, in UTC.
    start: forms.When
    #: How many periods there are.
    periods: forms.Few = 1


class EnergyEntry(TermPart, kw_only=True, frozen=True):
    """Energy of what is used, billed as it is metered."""

    #: What a megawatt-hour costs.
    price_per_mwh: forms.Price
    #: Power usage effectiveness of the site: so much is billed for what the racks draw.
    pue: forms.Measure = 1_000_000
    #: The index that the price follows; left out for a fixed tariff.
    index: forms.Name = ""
    #: The value of the index at which the price is as stated.
    base: forms.Measure = 0


class ShortfallEntry(TermPart, kw_only=True, frozen=True):
    """The place of a tranche when there is too little. Whom it names comes before what it says of all others."""

    #: Before all other customers, after them, or with them by the same share; left out where only names are said.
    served: serving.Serving | None = None
    #: Contracts, or customers with all of theirs, that are served after it.
    before: list[forms.Name] = []
    #: Those that are served before it.
    after: list[forms.Name] = []


class PrepaymentEntry(TermPart, kw_only=True, frozen=True):
    """Money that is paid on a date, ahead of the fees that draw it down."""

    #: When it is due.
    at: forms.When
    #: How much.
    amount: forms.Amount


class MilestonePaymentEntry(TermPart, kw_only=True, frozen=True):
    """Money that is paid once a milestone is reached, ahead of the fees that draw it down: one of `share` and
    `amount` stands here.
    """

    #: The site whose schedule it is.
    site: forms.Name
    #: The milestone.
    milestone: forms.Name
    #: A share of the fees of all tranches as signed.
    share: forms.Share = 0
    #: Or an amount.
    amount: forms.Amount = 0


class GuaranteeEntry(TermPart, kw_only=True, frozen=True):
    """Who stands in for the customer."""

    #: Who it is: a bank, a parent company.
    issuer: forms.Words
    #: Up to what.
    amount: forms.Amount
    #: Until when; left out where it lasts with the contract.
    expires: forms.When | None = None


class PaymentsEntry(TermPart, kw_only=True, frozen=True):
    """When what is owed is to be paid."""

    #: Whether the fees of a calendar month are billed at its start or at its end.
    billing: payments.BillingTime
    #: How long after that they are to be paid; so is what a milestone makes due.
    net: forms.Seconds
    #: A security that is never drawn down; left out for none.
    deposit: forms.Amount = 0
    #: When it is due.
    deposit_due: forms.When | None = None
    #: What is prepaid on dates.
    prepayments: list[PrepaymentEntry] = []
    #: What is prepaid by milestones.
    milestones: list[MilestonePaymentEntry] = []
    #: Tranches that draw down what is prepaid, in this order; left out for all in the order of the contract.
    drawdown: list[forms.Name] = []
    #: Who stands in for the customer; left out for nobody.
    guarantee: GuaranteeEntry | None = None
    #: Interest on what is late, for a year of 365 days.
    interest: forms.Share = 0
    #: How much of what is disputed may be kept back.
    withholding: forms.Share = 0
    #: How much of what is prepaid and not drawn is paid back at a termination.
    refund: forms.Share = 1_000_000


class OpenedInvoiceEntry(TermPart, kw_only=True, frozen=True):
    """An invoice of before that is not paid yet, or not whole."""

    #: Its number.
    number: forms.Words
    #: What is still to be paid of it.
    open: forms.Amount
    #: When it was issued.
    issued: forms.When | None = None
    #: By when it is to be paid.
    due: forms.When | None = None


class OpenedTrancheEntry(TermPart, kw_only=True, frozen=True):
    """What of a tranche had passed to the customer by the cutover."""

    #: The tranche.
    tranche: forms.Name
    #: How much was delivered and accepted, in the units of the tranche.
    delivered: forms.ManyOrNone
    #: When the last of it was accepted.
    accepted: forms.When | None = None
    #: Which racks they are, also as ranges such as `r[01-08]`; left out where any will do.
    racks: list[forms.Words] = []


class OpenedCapEntry(TermPart, kw_only=True, frozen=True):
    """What rights had drawn on a cap by the cutover."""

    #: The cap.
    cap: forms.Name
    #: How much.
    drawn: forms.Amount


class OpenedOfferEntry(TermPart, kw_only=True, frozen=True):
    """A sale to somebody else that is on offer to the holder of a refusal."""

    #: The hold that keeps it.
    hold: forms.Name
    #: For whom it is held.
    tenant: forms.Tenant
    #: Where it is.
    site: forms.Name
    #: Which kind of rack.
    sku: forms.Name
    #: How many nodes.
    nodes: forms.Many
    #: First instant of its term.
    start: forms.When
    #: First instant after its term.
    end: forms.When
    #: What a GPU-hour costs.
    price_per_gpu_hour: forms.Price
    #: By when it is to be answered.
    answer_by: forms.When


class OpenedRightEntry(TermPart, kw_only=True, frozen=True):
    """Where a right stood at the cutover."""

    #: The right.
    right: forms.Name
    #: Its life: a call of which racks are left is dormant, one that took all is exercised.
    state: claims.rights.Life
    #: Racks that were taken by it, all in all.
    racks: forms.ManyOrNone = 0
    #: Racks that stayed unsold, of a backstop that was measured.
    unsold: forms.ManyOrNone | None = None
    #: What is on offer, for a refusal that is offered a sale.
    offer: OpenedOfferEntry | None = None


class OpeningEntry(TermPart, kw_only=True, frozen=True):
    """How a contract that runs already stood at its cutover. What came before is not metered or billed again."""

    #: The cutover: everything here is as of this instant.
    at: forms.When
    #: Of all amounts here; left out for that of the contract.
    currency: forms.Currency = ""
    #: All invoices so far, paid or not.
    billed: forms.Amount = 0
    #: What of it is for time after the cutover.
    deferred: forms.Amount = 0
    #: What the customer paid ahead and was not drawn down yet.
    prepaid: forms.Amount = 0
    #: What was drawn down of what it paid ahead.
    prepaid_drawn: forms.Amount = 0
    #: What is kept as security.
    deposit: forms.Amount = 0
    #: Credits given so far.
    credited: forms.Amount = 0
    #: What of them is still to be set off or paid out.
    credit_open: forms.Amount = 0
    #: Invoices that are not paid yet.
    invoices: list[OpenedInvoiceEntry] = []
    #: What was delivered of each tranche that had begun.
    tranches: list[OpenedTrancheEntry] = []
    #: What was drawn on caps.
    caps: list[OpenedCapEntry] = []
    #: Where rights stood; one that is left out is dormant, and unused.
    rights: list[OpenedRightEntry] = []


def service_level(entry: ServiceEntry | None) -> service_levels.ServiceLevel | None:
    """What is promised about availability."""
    if entry is None:
        return None
    chronic = entry.chronic
    return service_levels.ServiceLevel(
        entry.unit, tuple(service_levels.Rung(rung.below, rung.credit) for rung in entry.ladder),
        entry.healthy_nodes, entry.replacement, entry.credits, entry.claim, entry.cap_month, entry.cap_total,
        entry.sole_remedy, entry.damages_per_gpu_day,
        None if chronic is None
        else service_levels.Chronic(chronic.months, chronic.of_months, chronic.below),
    )  # fmt: skip


def agreed_maintenance(entry: MaintenanceEntry | None, zone: str | None) -> maintenance.Maintenance | None:
    """The maintenance that is agreed; `zone` is the contract's."""
    if entry is None:
        return None
    windows = tuple(maintenance.WeeklyWindow(each.day, each.start, each.length) for each in entry.windows)
    return maintenance.Maintenance(
        entry.allowed, entry.notice, windows, entry.zone or zone or "UTC", entry.consent
    )


def agreed_place(entry: ShortfallEntry | None) -> serving.ShortfallTerms | None:
    """The place when there is too little."""
    if entry is None:
        return None
    return serving.ShortfallTerms(entry.served, tuple(entry.before), tuple(entry.after))


def agreed_minimum(entry: CommitmentEntry | None, start_at: int) -> commitments.Commitment | None:
    """The least that is paid."""
    if entry is None:
        return None
    return commitments.Commitment(entry.amount, entry.months, start_at, entry.periods)


def agreed_energy(entry: EnergyEntry | None) -> claims.energy_terms.EnergyTerms | None:
    """How energy is billed."""
    if entry is None:
        return None
    return claims.energy_terms.EnergyTerms(
        entry.price_per_mwh, entry.pue, ids.IndexId(entry.index), entry.base
    )


def agreed_remedies(entry: RemediesEntry | None) -> remedies.Remedies | None:
    """How remedies stand to each other."""
    if entry is None:
        return None
    return remedies.Remedies(tuple(entry.order), entry.settlement, entry.cap_month, entry.cap_total)
