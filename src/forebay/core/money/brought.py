"""A command brings the invoice that it is about, for its lines are not kept: is it the one that was issued?"""

from __future__ import annotations

from forebay.core.ids import Refusal
from forebay.core.money.invoices import InvoiceIssued, head_of
from forebay.core.money.state import State


def refuse_brought(state: State, issued: InvoiceIssued, reason: str) -> Refusal | None:
    """Refuses: unknown_invoice, invoice_differs, invoice_void, no_reason."""
    head = state.invoices.get(issued.invoice)
    if head is None:
        return Refusal("unknown_invoice", f"there is no invoice {issued.invoice}", "invoice")
    if head_of(issued, head.seq) != head:
        return Refusal("invoice_differs", f"invoice {issued.invoice} was issued otherwise", "invoice")
    void = state.credits.voided.get(issued.invoice)
    if void is not None:
        return Refusal("invoice_void", f"invoice {issued.invoice} is void: {void.reason}", "invoice")
    if not reason.strip():
        return Refusal("no_reason", "say why", "reason")
    return None
