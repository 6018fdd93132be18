"""Which columns do our FOCUS 1.4 datasets have, of which type, and where does each value come from?

Names, types and order follow FOCUS 1.4 (FinOps Open Cost and Usage Specification, FinOps Foundation, CC-BY-4.0).
Conditional columns for what forebay does not do (split costs, commitment discounts, prices in another currency than
the bill's) are left out, as FOCUS asks; ours begin with `x_` and come last.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

#: The version of the specification.
FOCUS_VERSION = "1.4"


class FocusDataset(StrEnum):
    """The datasets of FOCUS 1.4."""

    COST_AND_USAGE = "cost_and_usage"
    CONTRACT_COMMITMENT = "contract_commitment"
    BILLING_PERIOD = "billing_period"
    INVOICE_DETAIL = "invoice_detail"


class Type(StrEnum):
    """What a column holds; Parquet has these as VARCHAR, DECIMAL(38, n), TIMESTAMP in UTC and VARCHAR."""

    TEXT = "text"
    #: Money: never a float. A unit price times a quantity fits exactly.
    COST = "cost"
    PRICE = "price"
    QUANTITY = "quantity"
    TIME = "time"
    JSON = "json"


#: Digits after the point of each type of number.
PLACES = {Type.COST: 17, Type.PRICE: 6, Type.QUANTITY: 11}


class FocusColumn(NamedTuple):
    """One column of a dataset."""

    name: str
    type: Type
    #: Whether it may be null.
    nulls: bool
    #: Where its value comes from, in words.
    source: str


def _table(text: str) -> tuple[FocusColumn, ...]:
    columns = []
    for line in text.strip().splitlines():
        name, kind, source = line.split(maxsplit=2)
        columns.append(FocusColumn(name, Type(kind.rstrip("?")), kind.endswith("?"), source))
    return tuple(columns)


#: Columns in order, as `NAME TYPE SOURCE`; a type with a `?` may be null.
COLUMNS: dict[FocusDataset, tuple[FocusColumn, ...]] = {
    FocusDataset.COST_AND_USAGE: _table("""
AvailabilityZone text? the line's site
BilledCost cost the line's amount in minor units; 0 for use that a Purchase row bills
BillingAccountId text the invoice's tenant
BillingAccountName text? the invoice's tenant
BillingAccountType text always `Tenant`
BillingCurrency text the invoice's currency
BillingPeriodEnd time end of the invoice's period, exclusive
BillingPeriodStart time start of the invoice's period
CapacityReservationId text? the tranche, of dedicated capacity
CapacityReservationStatus text? `Used` or `Unused` for use of a tranche, else null
ChargeCategory text by the kind of the line, see above
ChargeClass text? `Correction` where the line corrects an earlier period
ChargeDescription text? the line in words
ChargeFrequency text `Recurring` for a Purchase, `Usage-Based` for use, `One-Time` for the rest
ChargePeriodEnd time end of the line, exclusive
ChargePeriodStart time start of the line
ConsumedQuantity quantity? GPU-hours used; null where nothing was
ConsumedUnit text? `GPU-Hours`
ContractApplied json? for use of a tranche: the contract, the tranche, and the GPU-hours it takes of it
ContractedCost cost ContractedUnitPrice times PricingQuantity; without a quantity the amount
ContractedUnitPrice price? the line's price per GPU-hour
EffectiveCost cost what the period bears: 0 for a Purchase, whose use bears it
HostProviderName text? the seller
InvoiceDetailId text? the row of Invoice Detail that bills it; null for use that a Purchase bills
InvoiceId text? the invoice's number
InvoiceIssuerName text the seller
ListCost cost ListUnitPrice times PricingQuantity; without a quantity the amount
ListUnitPrice price? price on demand in the price list in force, for dedicated; the line's price for other use
PricingCategory text? `Standard`; `Dynamic` for spot
PricingQuantity quantity? GPU-hours, to eleven places
PricingUnit text? `GPU-Hours`
RegionId text? the region of the site
RegionName text? the region of the site
ServiceCategory text always `Compute`
ServiceName text always `GPU capacity`
ServiceProviderName text the seller
ServiceSubcategory text always `Other (Compute)`
SkuId text? the SKU
SkuMeter text? `GPU time`
SkuPriceDetails json? GPUs of a node
SkuPriceId text? the clause or price list and the SKU that set the price
x_ClaimId text? the tranche that the line is about
x_Clause text? where the price stands
x_ContractId text? the contract
x_ContractVersion text? its version
x_EnergyKwh quantity? energy behind the line, on its first row
x_EnergySource text where the energy is known from: profile, metered or mixed
x_InvoiceLine text place of the line in its invoice, from 1
x_Kind text kind of the line
x_PriceList text? version of the price list; null for a contract's own price
"""),
    FocusDataset.CONTRACT_COMMITMENT: _table("""
BillingCurrency text? the contract's currency
ContractCommitmentApplicability json the site and the SKU; global for a right that names neither
ContractCommitmentBenefitCategory text always `Availability`
ContractCommitmentCategory text `Usage`; `Spend` for a right that draws on a cap
ContractCommitmentCost cost? a tranche's least fee over its term at the stated prices; a right's cap
ContractCommitmentCreated time the signature of the contract
ContractCommitmentDescription text? in words
ContractCommitmentDiscountPercentage cost? null: what is promised is capacity, no discount
ContractCommitmentDurationType text the term, in the largest unit that fits
ContractCommitmentFulfillmentInterval text `Monthly` for a tranche, `Full Period` for a right
ContractCommitmentId text the tranche or the right
ContractCommitmentLastUpdated time the signature of its latest version
ContractCommitmentLifecycleStatus text from the life of the tranche or the right, see above
ContractCommitmentModel text `Continuous` for a tranche, `Discontinuous` for a right
ContractCommitmentOfferCategory text always `Negotiated`
ContractCommitmentPaymentInterval text `Monthly` for a tranche, `Custom` for a right
ContractCommitmentPaymentModel text from the contract's prepayments
ContractCommitmentPaymentUpfrontPercentage cost what is prepaid of the contract's least fees, 0 to 1
ContractCommitmentPeriodEnd time end of the term; until when a right may be used
ContractCommitmentPeriodStart time start of the term; from when on a right may be used
ContractCommitmentQuantity quantity? GPU-hours over the term
ContractCommitmentType text `Dedicated Tranche`, `Right of First Refusal`, `Call Option`, `Backstop` ...
ContractCommitmentUnit text? `GPU-Hours`
ContractId text the contract
ContractPeriodEnd time the last end of its tranches and rights
ContractPeriodStart time the first start of its tranches, or its signature
InvoiceIssuerName text the seller
ServiceProviderName text the seller
x_BillingAccountId text the tenant
x_BackstopRemaining cost? what a backstop may still draw of its cap
x_ExerciseBy time? by when a right is to be used, exclusive
x_NoticeDays quantity? notice of a right, days
x_RacksMax text? racks that a right may take in all
x_RacksTaken text? racks that it has taken
x_RightHolder text? `customer` or `seller`
x_RightType text? kind of the right
x_StrikePrice price? what a GPU-hour costs that a right takes
x_TakeOrPayShare cost? the least that is paid of a tranche, used or not, 0 to 1
"""),
    FocusDataset.BILLING_PERIOD: _table("""
BillingPeriodCreated time start of the period
BillingPeriodEnd time its end, exclusive
BillingPeriodLastUpdated time its close; now for the open period
BillingPeriodStart time its start
BillingPeriodStatus text `Closed`, or `Open`
InvoiceIssuerName text the seller
"""),
    FocusDataset.INVOICE_DETAIL: _table("""
BilledCost cost the line's amount in minor units
BillingAccountId text the invoice's tenant
BillingCurrency text the invoice's currency
BillingPeriodEnd time end of the invoice's period, exclusive
BillingPeriodStart time start of the invoice's period
ChargeCategory text by the kind of the line, see above
InvoiceDetailCreated time when the invoice was issued
InvoiceDetailDescription text? the line in words
InvoiceDetailGrain json? what the line is told apart by
InvoiceDetailId text the invoice and the place of the line in it, from 1
InvoiceDetailLastUpdated time when the invoice was issued
InvoiceId text the invoice's number
InvoiceIssueDate time? when it was issued
InvoiceIssueStatus text always `Issued`
InvoiceIssuerName text the seller
PaymentDueDate time? so long after as the contract says; null where it says nothing
PaymentTerms text `Net N` days as the contract says, else `Not stated`
ReferenceInvoiceId text the invoice itself: forebay corrects on the next invoice
x_ContractId text? the contract of the line
x_Kind text kind of the line
"""),
}
