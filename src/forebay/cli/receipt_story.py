"""What events of money that came, and of taxes on what is billed, say in sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from forebay.cli import paper
from forebay.core import timeline, units

Body = dict[str, Any]


def _recorded(body: Body) -> list[str]:
    amount = f"{units.decimal_text(body['amount_micros'])} {body['currency']}"
    day = timeline.text(body["received_at"])[:10]
    return [f"{body['account']} paid {amount} on {day} ({body['receipt']}, {body['reference']})"]


def _allocated(body: Body) -> list[str]:
    paid = ", ".join(each["invoice"] for each in body["allocations"])
    return [f"receipt {body['receipt']} pays {paid}"]


def _reversed(body: Body) -> list[str]:
    return [f"receipt {body['receipt']} was wrong: {body['reason']}"]


def _taxes(body: Body) -> list[str]:
    rates = [
        f"{rate['jurisdiction']} {units.decimal_text(rate['rate_ppm'] * 100)} %"
        f"{' (reverse charge)' if rate.get('reverse_charge') else ''}"
        for rate in body["rates"]
    ]
    return [f"taxes on invoices to {body['account']}: {', '.join(rates) or 'none'}"]


def _excluded(body: Body) -> list[str]:
    span = f"{timeline.text(body['start_at'])} to {timeline.text(body['end_at'])}"
    told = f"{body['reason']}, decided by {body['decided_by']}"
    return [f"loss of {body['tranche']} from {span} is its tenant's own ({body['exclusion']}: {told})"]


def _withdrawn(body: Body) -> list[str]:
    return [f"{body['exclusion']} is withdrawn by {body['decided_by']}: {body['reason']}"]


def _claimed(body: Body) -> list[str]:
    return [f"the credit of {body['tranche']} for {timeline.text(body['month_at'])[:7]} is claimed"]


def _credited(body: Body) -> list[str]:
    amount = paper.amount(body["total_minor"], body["currency"])
    return [f"{body['tenant']} is credited {amount} of {body['invoice']} ({body['note']}): {body['reason']}"]


def _paid_by_note(body: Body) -> list[str]:
    paid = ", ".join(each["invoice"] for each in body["allocations"])
    return [f"credit note {body['note']} pays {paid}"]


def _voided(body: Body) -> list[str]:
    return [f"invoice {body['invoice']} is void: {body['reason']}"]


RECEIPT_SENTENCES: dict[str, Callable[[Body], list[str]]] = {
    "ReceiptRecorded": _recorded,
    "ReceiptAllocated": _allocated,
    "ReceiptReversed": _reversed,
    "TaxesApplied": _taxes,
    "LossExcluded": _excluded,
    "ExclusionWithdrawn": _withdrawn,
    "CreditClaimed": _claimed,
    "CreditNoteIssued": _credited,
    "CreditNoteAllocated": _paid_by_note,
    "InvoiceVoided": _voided,
}
