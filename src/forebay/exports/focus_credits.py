"""What is a credit note in FOCUS 1.4? A row of Cost and Usage, and of Invoice Detail, for each line that is credited.

Its rows name the note as their invoice, belong to the month that it was issued in, and correct the time that the line
was about.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from forebay.core import money, timeline, units
from forebay.core.ids import SiteId
from forebay.exports.focus import BLANK_COST, Credited, Lookups, Row, micros, written_time


def cost_rows(bill: Credited, known: Lookups) -> Iterator[Row]:
    """Rows of Cost and Usage: costs below 0, of the charge class Correction."""
    note = bill.note
    for place, line in enumerate(note.lines, 1):
        amount = _amount(note, line)
        site = known.sites.get(SiteId(line.site))
        region = site.region if site is not None else ""
        row = BLANK_COST | {
            "AvailabilityZone": line.site,
            "BilledCost": amount,
            "BillingAccountId": note.tenant,
            "BillingAccountName": note.tenant,
            "BillingAccountType": "Tenant",
            "BillingCurrency": note.currency,
            "BillingPeriodEnd": written_time(timeline.month_end(bill.issued_at)),
            "BillingPeriodStart": written_time(timeline.month_start(bill.issued_at)),
            "ChargeCategory": "Credit",
            "ChargeClass": "Correction",
            "ChargeDescription": _told(note, line),
            "ChargeFrequency": "One-Time",
            "ChargePeriodEnd": written_time(line.end),
            "ChargePeriodStart": written_time(line.start),
            "ContractedCost": amount,
            "EffectiveCost": amount,
            "HostProviderName": note.seller,
            "InvoiceDetailId": f"{note.note}-{place}",
            "InvoiceId": note.note,
            "InvoiceIssuerName": note.seller,
            "ListCost": amount,
            "RegionId": region,
            "RegionName": region,
            "ServiceCategory": "Compute",
            "ServiceName": "GPU capacity",
            "ServiceProviderName": note.seller,
            "ServiceSubcategory": "Other (Compute)",
            "x_ClaimId": line.claim,
            "x_Clause": line.clause,
            "x_ContractId": line.contract,
            "x_ContractVersion": str(line.contract_version),
            "x_InvoiceLine": str(place),
            "x_Kind": "credit_note",
        }
        yield list(row.values())


def detail_rows(bill: Credited) -> Iterator[Row]:
    """Rows of Invoice Detail; the invoice that is credited is their reference."""
    note, issued = bill.note, written_time(bill.issued_at)
    for place, line in enumerate(note.lines, 1):
        grain = {
            "ContractId": line.contract,
            "x_Claim": line.claim,
            "x_Kind": "credit_note",
            "x_Site": line.site,
        }
        yield list(
            {
                "BilledCost": _amount(note, line),
                "BillingAccountId": note.tenant,
                "BillingCurrency": note.currency,
                "BillingPeriodEnd": written_time(timeline.month_end(bill.issued_at)),
                "BillingPeriodStart": written_time(timeline.month_start(bill.issued_at)),
                "ChargeCategory": "Credit",
                "InvoiceDetailCreated": issued,
                "InvoiceDetailDescription": _told(note, line),
                "InvoiceDetailGrain": json.dumps({name: value for name, value in grain.items() if value}),
                "InvoiceDetailId": f"{note.note}-{place}",
                "InvoiceDetailLastUpdated": issued,
                "InvoiceId": note.note,
                "InvoiceIssueDate": issued,
                "InvoiceIssueStatus": "Issued",
                "InvoiceIssuerName": note.seller,
                "PaymentDueDate": "",
                "PaymentTerms": "Not stated",
                "ReferenceInvoiceId": note.invoice,
                "x_ContractId": line.contract,
                "x_Kind": "credit_note",
            }.values()
        )


def _amount(note: money.CreditNoteIssued, line: money.CreditedLine) -> str:
    return micros(-units.minor_to_micros(line.amount_minor, note.currency))


def _told(note: money.CreditNoteIssued, line: money.CreditedLine) -> str:
    return f"credit on line {line.n} of {note.invoice}: {note.reason}"
