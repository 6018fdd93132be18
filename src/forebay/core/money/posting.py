"""Anything is posted here: a transaction that sums to zero gets its number."""

from __future__ import annotations

from forebay.core import supply
from forebay.core.ids import InvoiceId
from forebay.core.money.ledger import Entry, TransactionPosted
from forebay.core.money.state import State

#: A transaction that is about no invoice.
NO_INVOICE = InvoiceId("")


def post(
    state: State,
    currency: str,
    effective_at: int,
    entries: tuple[Entry, ...],
    text: str,
    emit: supply.Emit,
    invoice: InvoiceId = NO_INVOICE,
) -> None:
    """Emit a transaction that takes effect at `effective_at`; `invoice` is what it is about, "" for none."""
    emit(TransactionPosted(f"T{state.transactions + 1:06d}", currency, effective_at, entries, text, invoice))
