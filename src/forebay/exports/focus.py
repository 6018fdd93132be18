"""What is an issued invoice in FOCUS 1.4? Rows of Cost and Usage, Invoice Detail and Billing Period.

Pure: from events to rows of texts, one invoice at a time. Every number is an integer until it is written; "" is null.

A line for a tranche becomes up to three rows: a Purchase that bills it, and the use that bears its cost, what was
used and what was paid unused. So the sum of BilledCost over an invoice is its total, and that of EffectiveCost too,
save what is paid ahead and drawn: that is billed, and its cost is borne by the fees that draw on it.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Collection, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from forebay.core import claims, money, supply, units, usage
from forebay.core.ids import ContractId, Event, InvoiceId, SiteId, SkuId
from forebay.core.money.prepaid import AHEAD_KINDS
from forebay.core.placements.gang import Tier
from forebay.exports.focus_columns import COLUMNS, PLACES, FocusDataset, Type

#: One row: the text of each column in its order; "" for null.
Row = list[str]

#: Charge category of each kind of line. What is not named is an Adjustment, or a Credit where it is negative.
CATEGORIES = {
    "dedicated": "Purchase",
    "on_demand": "Usage",
    "spot": "Usage",
    "lending_share": "Credit",
    "service_credit": "Credit",
    "rounding": "Adjustment",
    "prepayment": "Adjustment",
    "deposit": "Adjustment",
    "prepayment_drawn": "Credit",
    "tax": "Tax",
}
_EPOCH = datetime.datetime(1970, 1, 1)  # noqa: DTZ001 - UTC throughout, and written with a Z
_QUANTITY = 10 ** PLACES[Type.QUANTITY]
_HOURS = "GPU-Hours"


class Lookups(NamedTuple):
    """What rows say besides the invoice: a copy, so that rows can be made while the World goes on."""

    sites: dict[SiteId, supply.Site]
    skus: dict[SkuId, supply.Sku]
    versions: dict[ContractId, tuple[claims.versions.Version, ...]]
    price_lists: dict[int, money.PriceList]
    held_since: dict[int, int]


class Billed(NamedTuple):
    """An invoice, when it was issued, and the close that it rests on."""

    invoice: money.InvoiceIssued
    issued_at: int
    closed: usage.PeriodClosed


class Credited(NamedTuple):
    """A credit note, and when it was issued."""

    note: money.CreditNoteIssued
    issued_at: int


def billed(
    events: Iterable[tuple[int, Event]], replaced: Collection[InvoiceId] = ()
) -> Iterator[Billed | Credited]:
    """Invoices and credit notes in the order of their issue, from events with their times of record. `replaced` are
    void invoices in whose place there are others: those rest on the same close.
    """
    closed: usage.PeriodClosed | None = None
    closes: dict[InvoiceId, usage.PeriodClosed] = {}
    for at, event in events:
        if isinstance(event, usage.PeriodClosed):
            closed = event
        elif isinstance(event, money.CreditNoteIssued):
            yield Credited(event, at)
        elif isinstance(event, money.InvoiceIssued):
            # What is paid ahead is asked for within a period.
            own = closed or usage.PeriodClosed(event.start, event.end, (), ())
            known = closes.get(event.replaces, own)
            if event.invoice in replaced:
                closes[event.invoice] = known
            yield Billed(event, at, known)


def decimal(value: int, places: int) -> str:
    """`value` units of ten to the minus `places`, exactly, without zeros at the end."""
    whole, rest = divmod(abs(value), 10**places)
    digits = f"{rest:0{places}d}".rstrip("0") if rest else ""
    return f"{'-' if value < 0 else ''}{whole}{'.' + digits if digits else ''}"


@lru_cache(4096)
def written_time(at: int) -> str:
    """An instant as FOCUS writes it: UTC, whole seconds."""
    return (_EPOCH + datetime.timedelta(seconds=at // units.SECOND_US)).isoformat() + "Z"


def micros(value: int) -> str:
    """Micro-units of money, or of a GPU-hour's price."""
    return decimal(value, 6)


def billed_hours(gpu_us: int) -> int:
    """GPU-hours in units of `PLACES[QUANTITY]`, rounded once, half-even."""
    return units.divide_half_even(gpu_us * _QUANTITY, units.HOUR_US)


def category(line: money.Line) -> str:
    """The charge category of a line; a correction has that of what it corrects."""
    kind = line.kind
    if kind == "correction":
        kind = "dedicated" if line.tier is Tier.DEDICATED else "on_demand"
    return CATEGORIES.get(kind) or ("Credit" if line.amount_minor < 0 else "Adjustment")


def detail_id(invoice: money.InvoiceIssued, place: int) -> str:
    """The id of a line's row in Invoice Detail; `place` counts from 1."""
    return f"{invoice.invoice}-{place}"


# Cost and Usage

BLANK_COST = {column.name: "" for column in COLUMNS[FocusDataset.COST_AND_USAGE]}


def cost_and_usage(bill: Billed, known: Lookups) -> Iterator[Row]:
    """Rows of one invoice, line by line."""
    invoice = bill.invoice
    frame = BLANK_COST | {
        "BilledCost": "0",
        "BillingAccountId": invoice.tenant,
        "BillingAccountName": invoice.tenant,
        "BillingAccountType": "Tenant",
        "BillingCurrency": invoice.currency,
        "BillingPeriodEnd": written_time(invoice.end),
        "BillingPeriodStart": written_time(invoice.start),
        "HostProviderName": invoice.seller,
        "InvoiceId": invoice.invoice,
        "InvoiceIssuerName": invoice.seller,
        "ServiceCategory": "Compute",
        "ServiceName": "GPU capacity",
        "ServiceProviderName": invoice.seller,
        "ServiceSubcategory": "Other (Compute)",
    }
    listed = _Lists(known, invoice.currency)
    places = _Places(known)
    for place, line in enumerate(invoice.lines, 1):
        shared = frame | places.of(line) | {
            "ChargeClass": "Correction" if _corrects(bill, line) else "",
            "ChargeDescription": line.text,
            "ChargePeriodEnd": written_time(line.end),
            "ChargePeriodStart": written_time(line.start),
            "x_ClaimId": line.claim,
            "x_Clause": line.clause,
            "x_ContractId": line.contract,
            "x_ContractVersion": str(line.contract_version),
            "x_EnergySource": line.energy_source.value,
            "x_InvoiceLine": str(place),
            "x_Kind": line.kind,
            "x_PriceList": str(line.price_version or ""),
        }  # fmt: skip
        amount = micros(units.minor_to_micros(line.amount_minor, invoice.currency))
        first = {
            "BilledCost": amount,
            "EffectiveCost": amount,
            "InvoiceDetailId": detail_id(invoice, place),
            "x_EnergyKwh": decimal(units.divide_half_even(line.energy_uj * 10**6, 1000 * units.HOUR_US), 6),
        }
        kind = category(line)
        if kind == "Purchase":
            for row in _tranche(bill, line, listed):
                yield list((shared | (first if row["ChargeCategory"] == kind else {}) | row).values())
        elif kind == "Usage":
            used = _priced(line, line.gpu_us, line.price_micros_per_gpu_hour) | {
                "ChargeCategory": kind, "ChargeFrequency": "Usage-Based",
                "PricingCategory": "Dynamic" if line.tier is Tier.SPOT else "Standard",
            }  # fmt: skip
            yield list((shared | first | used | _consumed(used)).values())
        else:
            rest = {
                "ChargeCategory": kind,
                "ChargeFrequency": "One-Time",
                "ContractedCost": amount,
                "ListCost": amount,
            }
            if line.kind in AHEAD_KINDS:
                # The fees that draw on it bear the cost.
                rest |= {"EffectiveCost": "0"}
            yield list((shared | first | rest | {"x_EnergyKwh": ""}).values())


def _corrects(bill: Billed, line: money.Line) -> bool:
    """Whether a line is about an earlier period than its invoice."""
    if line.source_tranche >= 0:
        return bill.closed.tranches[line.source_tranche].period_start != bill.closed.start
    if line.kind in money.LATE_LINES:
        return line.end <= bill.invoice.start
    return line.source_line >= 0 and bill.closed.lines[line.source_line].period_start != bill.closed.start


def _tranche(bill: Billed, line: money.Line, listed: _Lists) -> Iterator[dict[str, str]]:
    """What is billed for a tranche, and the use that bears it."""
    used_us = bill.closed.tranches[line.source_tranche].used_gpu_us
    rate = line.price_micros_per_gpu_hour
    price = listed.on_demand(line) or rate
    standard = {"CapacityReservationId": line.claim, "PricingCategory": "Standard"}
    yield (
        _priced(line, line.gpu_us, price)
        | standard
        | {
            "ChargeCategory": "Purchase",
            "ChargeFrequency": "Recurring",
            "EffectiveCost": "0",
        }
    )
    total = units.minor_to_micros(line.amount_minor, bill.invoice.currency)
    unused_us = line.gpu_us - used_us
    # To the last micro-unit what is billed: what was paid unused takes the rest, or what was used where nothing was.
    bears = units.gpu_time_cost_micros(used_us, rate) if unused_us else total
    for status, gpu_us, cost in (("Used", used_us, bears), ("Unused", unused_us, total - bears)):
        if not gpu_us:
            continue
        use = _priced(line, gpu_us, price) | standard | {
            "CapacityReservationStatus": status,
            "ChargeCategory": "Usage",
            "ChargeFrequency": "Usage-Based",
            "EffectiveCost": micros(cost),
        }  # fmt: skip
        use["ContractApplied"] = (
            f'{{"Elements":[{{"ContractId":{json.dumps(line.contract)},"ContractCommitmentId":{json.dumps(line.claim)},'
            f'"ContractCommitmentAppliedQuantity":{use["PricingQuantity"]},'
            f'"ContractCommitmentAppliedUnit":"{_HOURS}"}}]}}'
        )
        yield use | (_consumed(use) if status == "Used" else {})


def _consumed(use: dict[str, str]) -> dict[str, str]:
    return {"ConsumedQuantity": use["PricingQuantity"], "ConsumedUnit": _HOURS}


def _priced(line: money.Line, gpu_us: int, list_price: int) -> dict[str, str]:
    """Quantity, prices and costs: each cost is exactly its price times the quantity that is written."""
    quantity, rate = billed_hours(gpu_us), line.price_micros_per_gpu_hour
    places = PLACES[Type.COST]
    return {
        "ContractedCost": decimal(rate * quantity, places),
        "ContractedUnitPrice": micros(rate),
        "ListCost": decimal(list_price * quantity, places),
        "ListUnitPrice": micros(list_price),
        "PricingQuantity": decimal(quantity, PLACES[Type.QUANTITY]),
        "PricingUnit": _HOURS,
        "SkuMeter": "GPU time",
        "SkuPriceId": f"{line.contract}/{line.contract_version}/{line.clause}"
        if not line.price_version
        else line.clause,
    }


class _Lists:
    """Prices on demand in one currency, by the list in force."""

    def __init__(self, known: Lookups, currency: str) -> None:
        self._known = known
        self._currency = currency
        self._found: dict[tuple[str, int], int] = {}

    def on_demand(self, line: money.Line) -> int:
        """The price on demand of a line's SKU when it began, micro-units; 0 where no list had one."""
        mark = (line.sku, line.start)
        if mark not in self._found:
            self._found[mark] = self._look(line)
        return self._found[mark]

    def _look(self, line: money.Line) -> int:
        for version, since in reversed(list(self._known.held_since.items())):
            listed = self._known.price_lists[version]
            for price in listed.prices if since <= line.start and listed.currency == self._currency else ():
                if price.tier is Tier.ON_DEMAND and price.sku == line.sku:
                    return price.price_micros_per_gpu_hour
        return 0


class _Places:
    """Where a line's capacity is and what it is, each pair worked out once."""

    def __init__(self, known: Lookups) -> None:
        self._known = known
        self._found: dict[tuple[str, str, bool], dict[str, str]] = {}

    def of(self, line: money.Line) -> dict[str, str]:
        """The columns of a line's site and SKU; a line without a quantity has no SKU of its own."""
        sold = category(line) in ("Purchase", "Usage")
        mark = (line.site, line.sku, sold)
        if mark not in self._found:
            site = self._known.sites.get(SiteId(line.site))
            sku = self._known.skus.get(SkuId(line.sku)) if sold else None
            region = site.region if site is not None else ""
            self._found[mark] = {
                "AvailabilityZone": line.site,
                "RegionId": region,
                "RegionName": region,
                "SkuId": line.sku if sold else "",
                "SkuPriceDetails": json.dumps({"x_GpusPerNode": sku.gpus_per_node})
                if sku is not None
                else "",
            }
        return self._found[mark]


# Invoice Detail


def invoice_detail(bill: Billed, known: Lookups) -> Iterator[Row]:
    """One row for each line of an invoice."""
    invoice = bill.invoice
    issued = written_time(bill.issued_at)
    for place, line in enumerate(invoice.lines, 1):
        payments = _payments(known, line)
        grain = {
            "ContractId": line.contract,
            "SkuId": line.sku,
            "x_Claim": line.claim,
            "x_Kind": line.kind,
            "x_Site": line.site,
        }
        days = payments.net_s // 86_400 if payments is not None else 0
        yield list(
            {
                "BilledCost": micros(units.minor_to_micros(line.amount_minor, invoice.currency)),
                "BillingAccountId": invoice.tenant,
                "BillingCurrency": invoice.currency,
                "BillingPeriodEnd": written_time(invoice.end),
                "BillingPeriodStart": written_time(invoice.start),
                "ChargeCategory": category(line),
                "InvoiceDetailCreated": issued,
                "InvoiceDetailDescription": line.text,
                "InvoiceDetailGrain": json.dumps({name: value for name, value in grain.items() if value}),
                "InvoiceDetailId": detail_id(invoice, place),
                "InvoiceDetailLastUpdated": issued,
                "InvoiceId": invoice.invoice,
                "InvoiceIssueDate": issued,
                "InvoiceIssueStatus": "Issued",
                "InvoiceIssuerName": invoice.seller,
                "PaymentDueDate": ""
                if payments is None
                else written_time(bill.issued_at + payments.net_s * units.SECOND_US),
                "PaymentTerms": f"Net {days}" if payments is not None else "Not stated",
                "ReferenceInvoiceId": invoice.invoice,
                "x_ContractId": line.contract,
                "x_Kind": line.kind,
            }.values()
        )


def _payments(known: Lookups, line: money.Line) -> claims.payments.PaymentTerms | None:
    """What the version of the contract says of payment that the line was billed under."""
    versions = known.versions.get(line.contract, ())
    plan = next((each.plan for each in versions if each.plan.version == line.contract_version), None)
    return plan.payments if plan is not None else None


# Billing Period


def billing_period(seller: str, start: int, end: int, updated_at: int, *, is_open: bool) -> Row:
    """The row of a period of one seller."""
    return [
        written_time(start),
        written_time(end),
        written_time(updated_at),
        written_time(start),
        "Open" if is_open else "Closed",
        seller,
    ]
