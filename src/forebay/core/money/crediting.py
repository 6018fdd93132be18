"""An invoice is put right: what may be credited, what may be void, and how both are posted.

A credit note is posted as its invoice was, the other way round, when it is issued: never into a closed period. It
lowers what is open of its invoice; what was paid already is open in the customer's favour under the number of the
note, until it pays another invoice.
"""

from __future__ import annotations

from forebay.core import supply
from forebay.core.ids import Answer, InvoiceId, Principal, Refusal
from forebay.core.money.brought import refuse_brought
from forebay.core.money.closing import account_of, entries_of, reissue
from forebay.core.money.collecting import refuse_allocations
from forebay.core.money.credit_notes import (
    AllocateCreditNote,
    CreditedLine,
    CreditingCommand,
    CreditNoteAllocated,
    CreditNoteIssued,
    InvoiceVoided,
    IssueCreditNote,
    LineCredit,
    VoidInvoice,
)
from forebay.core.money.invoices import InvoiceIssued
from forebay.core.money.ledger import Entry
from forebay.core.money.posting import post
from forebay.core.money.rating import Books
from forebay.core.money.receivables import Item
from forebay.core.money.state import State, filed_of
from forebay.core.units import decimal_text, micros_to_minor, minor_to_micros


def decide_crediting(
    books: Books, command: CreditingCommand, by: Principal, at: int, emit: supply.Emit
) -> Answer | Refusal:
    """Decide about one of the commands of this module."""
    if isinstance(command, IssueCreditNote):
        return _credit(books.money, command, at, emit)
    if isinstance(command, AllocateCreditNote):
        return _allocate(books.money, command, at, emit)
    return _void(books, command, at, emit)


def _credit(state: State, command: IssueCreditNote, at: int, emit: supply.Emit) -> Answer | Refusal:
    """Refuses: unknown_invoice, invoice_differs, invoice_void, no_reason, unknown_line, bad_amount (nothing, of the
    other sign, or a line named twice), over_credited (more than is left of the line), nothing_credited (or less).
    """
    issued = command.issued
    no = refuse_brought(state, issued, command.reason)
    if no is not None:
        return no
    numbers = range(1, len(issued.lines) + 1)
    asked = command.lines or tuple(
        LineCredit(n, left) for n in numbers if (left := _left_of(state, issued, n))
    )
    no = _refuse_lines(state, issued, asked)
    if no is not None:
        return no
    credited = tuple(_credited(issued, each) for each in asked)
    total_minor = sum(line.amount_minor for line in credited)
    if total_minor <= 0:
        told = f"of invoice {issued.invoice} that is nothing, or less than nothing"
        return Refusal("nothing_credited", told, "lines")
    note = f"CN-{len(state.credits.notes) + 1:06d}"
    open_micros = state.receivables.open.get(Item(issued.tenant, issued.currency, issued.invoice), 0)
    open_minor = min(total_minor, micros_to_minor(max(0, open_micros), issued.currency))
    emit(
        CreditNoteIssued(
            note, issued.seller, state.credits.numbers.get(issued.seller, 0) + 1, issued.tenant, issued.currency,
            issued.invoice, credited, total_minor, open_minor, command.reason,
        )
    )  # fmt: skip
    entries = _entries(issued, note, credited, open_minor, total_minor)
    post(
        state, issued.currency, at, entries, f"credit note {note} on {issued.invoice}: {command.reason}", emit
    )
    return {
        "note": note, "invoice": issued.invoice, "currency": issued.currency, "total_minor": total_minor,
        "left_minor": total_minor - open_minor,
    }  # fmt: skip


def _entries(
    issued: InvoiceIssued, note: str, credited: tuple[CreditedLine, ...], open_minor: int, total_minor: int
) -> tuple[Entry, ...]:
    """As the invoice was posted, the other way round."""
    accounts: dict[str, int] = {}
    for line in credited:
        account = account_of(line, issued.tenant)
        accounts[account] = accounts.get(account, 0) + minor_to_micros(line.amount_minor, issued.currency)
    owed, parts = (
        f"receivable:{issued.tenant}",
        ((open_minor, issued.invoice), (total_minor - open_minor, note)),
    )
    return (
        *(Entry(account, micros) for account, micros in accounts.items() if micros),
        *(Entry(owed, -minor_to_micros(minor, issued.currency), of) for minor, of in parts if minor),
    )


def _left_of(state: State, issued: InvoiceIssued, n: int) -> int:
    """What of a line may still be taken back, minor units."""
    return issued.lines[n - 1].amount_minor - state.credits.lines.get((issued.invoice, n), 0)


def _credited(issued: InvoiceIssued, asked: LineCredit) -> CreditedLine:
    line = issued.lines[asked.n - 1]
    return CreditedLine(
        asked.n, line.kind, line.contract, line.contract_version, line.clause, line.claim, line.tier, line.sku,
        line.site, line.start, line.end, asked.amount_minor, line.text,
    )  # fmt: skip


def _refuse_lines(state: State, issued: InvoiceIssued, asked: tuple[LineCredit, ...]) -> Refusal | None:
    seen: set[int] = set()
    for place, each in enumerate(asked):
        where = f"lines[{place}]"
        if not 1 <= each.n <= len(issued.lines):
            told = f"invoice {issued.invoice} has lines 1 to {len(issued.lines)}"
            return Refusal("unknown_line", told, f"{where}.line")
        if each.n in seen:
            return Refusal("bad_amount", f"line {each.n} is named twice", f"{where}.line")
        seen.add(each.n)
        sign = -1 if issued.lines[each.n - 1].amount_minor < 0 else 1
        if each.amount_minor * sign <= 0:
            told = f"line {each.n}: an amount {'below' if sign < 0 else 'above'} 0 is meant"
            return Refusal("bad_amount", told, f"{where}.amount")
        left = _left_of(state, issued, each.n)
        if each.amount_minor * sign > left * sign:
            amount = decimal_text(minor_to_micros(left, issued.currency))
            told = f"of line {each.n} of {issued.invoice} {amount} {issued.currency} is left to credit"
            return Refusal("over_credited", told, f"{where}.amount")
    return None


def _allocate(state: State, command: AllocateCreditNote, at: int, emit: supply.Emit) -> Answer | Refusal:
    """Refuses: unknown_credit_note, nothing_allocated, and what `refuse_allocations` does."""
    note = state.credits.notes.get(command.note)
    if note is None:
        return Refusal("unknown_credit_note", f"there is no credit note {command.note}", "note")
    if not command.allocations:
        return Refusal("nothing_allocated", "name at least one invoice and an amount", "allocate")
    left_micros = -state.receivables.open.get(Item(note.tenant, note.currency, note.note), 0)
    own = state.receivables
    no = refuse_allocations(own, note.tenant, note.currency, left_micros, command.allocations, "credit note")
    if no is not None:
        return no
    emit(CreditNoteAllocated(command.note, command.allocations))
    owed = f"receivable:{note.tenant}"
    for each in command.allocations:
        entries = (Entry(owed, each.amount_micros, note.note), Entry(owed, -each.amount_micros, each.invoice))
        since = own.billed[note.tenant, each.invoice].since
        text = f"credit note {note.note} pays {each.invoice}"
        post(state, note.currency, max(at, since), entries, text, emit)
        left_micros -= each.amount_micros
    return {"note": note.note, "currency": note.currency, "left_micros": left_micros}


def _void(books: Books, command: VoidInvoice, at: int, emit: supply.Emit) -> Answer | Refusal:
    """Refuses: unknown_invoice, invoice_differs, invoice_void, no_reason, has_credit_notes, invoice_paid."""
    state, issued = books.money, command.issued
    no = refuse_brought(state, issued, command.reason)
    if no is not None:
        return no
    name = issued.invoice
    if name in state.credits.invoices:
        told = f"invoice {name} has credit notes: credit what is left of it"
        return Refusal("has_credit_notes", told, "invoice")
    owed_micros = minor_to_micros(issued.total_minor, issued.currency)
    if state.receivables.open.get(Item(issued.tenant, issued.currency, name), 0) != owed_micros:
        told = f"invoice {name} is paid, or paid in part: reverse what paid it, or issue a credit note"
        return Refusal("invoice_paid", told, "invoice")
    emit(InvoiceVoided(name, command.reason, filed_of(issued)))
    entries = entries_of(issued.tenant, issued.currency, issued.lines, issued.total_minor)
    back = tuple(Entry(entry.account, -entry.amount_micros, entry.item) for entry in entries)
    if back:
        post(state, issued.currency, at, back, f"invoice {name} is void: {command.reason}", emit, name)
    again = reissue(books, issued, at, emit) if command.reissue else InvoiceId("")
    return {"invoice": name, "reissued": again}
