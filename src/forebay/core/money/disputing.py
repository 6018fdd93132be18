"""Which lines may be contested, by whom, and how does a dispute end?"""

from __future__ import annotations

from forebay.core import claims, supply
from forebay.core.claims import payments
from forebay.core.ids import Answer, Principal, Refusal, Role
from forebay.core.money.brought import refuse_brought
from forebay.core.money.disputes import (
    Contested,
    Dispute,
    DisputeCommand,
    DisputeOpened,
    DisputeSettled,
    DisputeWithdrawn,
    OpenDispute,
    SettleDispute,
    disputes_of,
)
from forebay.core.money.invoices import InvoiceIssued
from forebay.core.money.rating import Books
from forebay.core.units import decimal_text, minor_to_micros


def decide_dispute(
    books: Books, command: DisputeCommand, by: Principal, at: int, emit: supply.Emit
) -> Answer | Refusal:
    """Decide about one of the commands of this module."""
    if isinstance(command, OpenDispute):
        return _open(books, command, by, at, emit)
    dispute = books.money.disputes.known.get(command.dispute)
    if dispute is None or not _is_own(by, dispute.tenant):
        return Refusal("unknown_dispute", f"there is no dispute {command.dispute}", "dispute")
    if dispute.outcome != "open":
        return Refusal("dispute_closed", f"dispute {command.dispute} is over: {dispute.outcome}", "dispute")
    if not command.reason.strip():
        return Refusal("no_reason", "say why it ends", "reason")
    if isinstance(command, SettleDispute):
        return _settle(books, command, dispute, emit)
    emit(DisputeWithdrawn(command.dispute, command.reason))
    return _answer(books, command.dispute)


def _is_own(by: Principal, tenant: str) -> bool:
    """A tenant contests what it was billed itself: of others it is told that there is nothing."""
    return by.role is not Role.TENANT or by.tenant == tenant


def _open(books: Books, command: OpenDispute, by: Principal, at: int, emit: supply.Emit) -> Answer | Refusal:
    """Refuses: unknown_invoice, invoice_differs, invoice_void, no_reason, nothing_disputed, and for each line
    unknown_line, bad_amount (nothing, or more than the line), disputed_already (as much is contested already).
    """
    issued, state = command.issued, books.money
    head = state.invoices.get(issued.invoice)
    if head is not None and not _is_own(by, head.tenant):
        return Refusal("unknown_invoice", f"there is no invoice {issued.invoice}", "invoice")
    no = refuse_brought(state, issued, command.reason)
    if no is not None:
        return no
    if not command.lines:
        return Refusal("nothing_disputed", "name at least one line and an amount", "lines")
    no = _refuse_contested(books, issued, command.lines)
    if no is not None:
        return no
    withheld = 0
    for each in command.lines:
        contract = claims.contract_at(books.claims, issued.lines[each.n - 1].contract, at)
        if contract.payments is not None:
            withheld += payments.withheld_micros(contract.payments, each.amount_micros)
    name = f"DSP-{len(state.disputes.known) + 1:06d}"
    disputed = sum(each.amount_micros for each in command.lines)
    emit(
        DisputeOpened(
            name,
            issued.invoice,
            issued.tenant,
            issued.currency,
            command.lines,
            disputed,
            withheld,
            command.reason,
        )
    )
    return _answer(books, name)


def _refuse_contested(books: Books, issued: InvoiceIssued, asked: tuple[Contested, ...]) -> Refusal | None:
    known: dict[int, int] = {}
    for dispute in disputes_of(books.money.disputes, issued.invoice):
        for line in dispute.lines if dispute.outcome == "open" else ():
            known[line.n] = known.get(line.n, 0) + line.amount_micros
    for place, each in enumerate(asked):
        where = f"lines[{place}]"
        if not 1 <= each.n <= len(issued.lines):
            told = f"invoice {issued.invoice} has lines 1 to {len(issued.lines)}"
            return Refusal("unknown_line", told, f"{where}.line")
        most = minor_to_micros(issued.lines[each.n - 1].amount_minor, issued.currency)
        if not 0 < each.amount_micros <= most:
            told = f"of line {each.n} more than 0 and at most {decimal_text(max(0, most))} is contested"
            return Refusal("bad_amount", told, f"{where}.amount")
        before = known.get(each.n, 0)
        known[each.n] = before + each.amount_micros
        if known[each.n] > most:
            told = f"of line {each.n} {decimal_text(before)} of {decimal_text(most)} is contested already"
            return Refusal("disputed_already", told, f"{where}.amount")
    return None


def _settle(books: Books, command: SettleDispute, dispute: Dispute, emit: supply.Emit) -> Answer | Refusal:
    """Refuses: nothing_settled (for the customer without a credit note or an amount, or for the seller with one),
    unknown_credit_note (or one on another invoice), bad_amount (below 0, or more than is contested).
    """
    if command.for_customer is not bool(command.note or command.amount_micros):
        told = "for the customer it names a credit note or an amount, for the seller neither"
        return Refusal("nothing_settled", told, "note")
    note = books.money.credits.notes.get(command.note)
    if command.note and (note is None or note.invoice != dispute.invoice):
        told = f"there is no credit note {command.note} on {dispute.invoice}"
        return Refusal("unknown_credit_note", told, "note")
    if not 0 <= command.amount_micros <= dispute.disputed_micros:
        told = f"{decimal_text(dispute.disputed_micros)} {dispute.currency} is contested"
        return Refusal("bad_amount", told, "amount")
    emit(
        DisputeSettled(
            command.dispute, command.for_customer, command.note, command.amount_micros, command.reason
        )
    )
    return _answer(books, command.dispute)


def _answer(books: Books, name: str) -> Answer:
    dispute = books.money.disputes.known[name]
    return {
        "dispute": name, "invoice": dispute.invoice, "currency": dispute.currency, "outcome": dispute.outcome,
        "disputed_micros": dispute.disputed_micros, "withheld_micros": dispute.withheld_micros,
    }  # fmt: skip
