"""Money comes in: it is recorded, allocated to invoices, and, where that was wrong, reversed.

A receipt is posted as cash against `on_account:TENANT`; an allocation moves it from there to `receivable:TENANT`.
What is recorded takes effect when the money came, also where that month is closed: a bank's date is a fact. An
allocation that is made later, and a reversal, take effect when they are made.
"""

from __future__ import annotations

from forebay.core import claims, supply
from forebay.core.ids import Answer, Principal, Refusal, TenantId
from forebay.core.money.ledger import Entry
from forebay.core.money.posting import post
from forebay.core.money.rating import Books
from forebay.core.money.receipts import (
    AllocateReceipt,
    Allocation,
    ReceiptAllocated,
    ReceiptCommand,
    ReceiptRecorded,
    ReceiptReversed,
    RecordReceipt,
    ReverseReceipt,
    plain_allocations,
)
from forebay.core.money.receivables import Item, Receipt, Receivables
from forebay.core.money.state import State
from forebay.core.units import MINOR_DIGITS, decimal_text, micros_to_minor, minor_to_micros

#: The account that money comes to.
CASH = "cash"
#: A million million: keeps a slip of the pen out of the books.
RECEIPT_MICROS_MAX = 10**18


def decide_receipt(
    books: Books, command: ReceiptCommand, by: Principal, at: int, emit: supply.Emit
) -> Answer | Refusal:
    """Decide about one of the commands of this module."""
    state, claimed = books.money, books.claims
    if isinstance(command, RecordReceipt):
        return _record(state, claimed, command, at, emit)
    if isinstance(command, AllocateReceipt):
        return _allocate(state, command, at, emit)
    return _reverse(state, command, at, emit)


def _record(
    state: State, claimed: claims.State, command: RecordReceipt, at: int, emit: supply.Emit
) -> Answer | Refusal:
    """Refuses: unknown_account, unknown_currency, bad_amount, empty_reference, future_receipt, reference_used, and
    what `refuse_allocations` does. The same receipt once more changes nothing.
    """
    own, account, currency = state.receivables, command.account, command.currency
    refusal = _refuse_receipt(claimed, command, at)
    if refusal is not None:
        return refusal
    known = own.references.get((account, command.reference))
    if known is not None:
        told = own.receipts[known]
        again = told._replace(allocated=(), at_once=plain_allocations(told.at_once)) == Receipt(
            account, currency, command.amount_micros, command.received_at, command.reference,
            plain_allocations(command.allocations),
        )  # fmt: skip
        if again:
            return _answer(own, known, changed=False)
        return Refusal(
            "reference_used",
            f"reference {command.reference} of {account} is {known}, another receipt: reverse that if it is wrong",
            "reference",
        )
    refusal = refuse_allocations(own, account, currency, command.amount_micros, command.allocations)
    if refusal is not None:
        return refusal
    receipt = f"RCT-{len(own.receipts) + 1:06d}"
    amount_micros, received_at = command.amount_micros, command.received_at
    emit(
        ReceiptRecorded(
            receipt, account, currency, amount_micros, received_at, command.reference, command.allocations
        )
    )
    entries = (Entry(CASH, amount_micros), Entry(f"on_account:{account}", -amount_micros))
    post(state, currency, received_at, entries, f"receipt {receipt}, reference {command.reference}", emit)
    _post_allocations(state, receipt, command.allocations, received_at, emit)
    return _answer(own, receipt, changed=True)


def _refuse_receipt(claimed: claims.State, command: RecordReceipt, at: int) -> Refusal | None:
    if all(plan.tenant != command.account for plan in claimed.contracts.values()):
        return Refusal("unknown_account", f"nothing is signed with {command.account}", "account")
    if command.currency not in MINOR_DIGITS:
        known = ", ".join(MINOR_DIGITS)
        return Refusal("unknown_currency", f"currency {command.currency} is not one of {known}", "currency")
    wrong = _bad_amount(command.amount_micros, command.currency)
    if wrong:
        return Refusal("bad_amount", wrong, "amount")
    if not command.reference.strip():
        return Refusal("empty_reference", "a receipt has a reference: what the bank calls it", "reference")
    if command.received_at > at:
        return Refusal("future_receipt", "money that is still to come is not recorded", "received")
    return None


def _allocate(state: State, command: AllocateReceipt, at: int, emit: supply.Emit) -> Answer | Refusal:
    """Refuses: unknown_receipt, receipt_reversed, nothing_allocated, and what `refuse_allocations` does."""
    own = state.receivables
    refusal = _refuse_unknown(own, command.receipt)
    if refusal is not None:
        return refusal
    if not command.allocations:
        return Refusal("nothing_allocated", "name at least one invoice and an amount", "allocate")
    receipt = own.receipts[command.receipt]
    left_micros = receipt.unallocated_micros
    refusal = refuse_allocations(own, receipt.account, receipt.currency, left_micros, command.allocations)
    if refusal is not None:
        return refusal
    emit(ReceiptAllocated(command.receipt, command.allocations))
    _post_allocations(state, command.receipt, command.allocations, at, emit)
    return _answer(own, command.receipt, changed=True)


def _reverse(state: State, command: ReverseReceipt, at: int, emit: supply.Emit) -> Answer | Refusal:
    """Refuses: unknown_receipt, receipt_reversed, no_reason."""
    own = state.receivables
    refusal = _refuse_unknown(own, command.receipt)
    if refusal is not None:
        return refusal
    if not command.reason.strip():
        return Refusal("no_reason", "say why the receipt was wrong", "reason")
    receipt = own.receipts[command.receipt]
    back = [
        Entry(f"receivable:{receipt.account}", each.amount_micros, each.invoice) for each in receipt.allocated
    ]
    left_micros = receipt.unallocated_micros
    if left_micros:
        back.append(Entry(f"on_account:{receipt.account}", left_micros))
    emit(ReceiptReversed(command.receipt, command.reason))
    entries = (Entry(CASH, -receipt.amount_micros), *back)
    text = f"receipt {command.receipt} reversed: {command.reason}"
    post(state, receipt.currency, at, entries, text, emit)
    return _answer(own, command.receipt, changed=True)


def _refuse_unknown(own: Receivables, name: str) -> Refusal | None:
    receipt = own.receipts.get(name)
    if receipt is None:
        return Refusal("unknown_receipt", f"there is no receipt {name}", "receipt")
    if receipt.reversed_at:
        return Refusal("receipt_reversed", f"receipt {name} was reversed: {receipt.reason}", "receipt")
    return None


def refuse_allocations(
    own: Receivables, account: TenantId, currency: str, left_micros: int, asked: tuple[Allocation, ...],
    source: str = "receipt",
) -> Refusal | None:  # fmt: skip
    """Refuses for each in order: unknown_invoice, other_currency, bad_amount, over_allocated (more than is open of
    the invoice, or more than is left of the receipt).
    """
    taken: dict[str, int] = {}
    for place, each in enumerate(asked):
        where = f"allocate[{place}]"
        billed = own.billed.get((account, each.invoice))
        if billed is None:
            return Refusal("unknown_invoice", f"{account} has no invoice {each.invoice}", where)
        if billed.currency != currency:
            told = f"invoice {each.invoice} is in {billed.currency}, the {source} in {currency}"
            return Refusal("other_currency", told, where)
        wrong = _bad_amount(each.amount_micros, currency)
        if wrong:
            return Refusal("bad_amount", wrong, where)
        taken[each.invoice] = taken.get(each.invoice, 0) + each.amount_micros
        open_micros = own.open.get(Item(account, currency, each.invoice), 0)
        if taken[each.invoice] > open_micros:
            told = f"of invoice {each.invoice} {decimal_text(open_micros)} {currency} is open"
            return Refusal("over_allocated", told, where)
        if sum(taken.values()) > left_micros:
            told = f"of the {source} {decimal_text(left_micros)} {currency} is not allocated"
            return Refusal("over_allocated", told, where)
    return None


def _bad_amount(micros: int, currency: str) -> str:
    """What is wrong with an amount of money that came; "" for nothing."""
    if not 0 < micros <= RECEIPT_MICROS_MAX:
        return f"an amount is above 0 and at most {decimal_text(RECEIPT_MICROS_MAX)}"
    if minor_to_micros(micros_to_minor(micros, currency), currency) != micros:
        return f"{decimal_text(micros)} is finer than {currency} is paid in"
    return ""


def _post_allocations(
    state: State, receipt: str, asked: tuple[Allocation, ...], at: int, emit: supply.Emit
) -> None:
    """Each takes effect at `at`, and never before its invoice was owed."""
    own = state.receivables
    known = own.receipts[receipt]
    for each in asked:
        since = own.billed[known.account, each.invoice].since
        entries = (
            Entry(f"on_account:{known.account}", each.amount_micros),
            Entry(f"receivable:{known.account}", -each.amount_micros, each.invoice),
        )
        text = f"receipt {receipt} pays {each.invoice}"
        post(state, known.currency, max(at, since), entries, text, emit)


def _answer(own: Receivables, name: str, changed: bool) -> Answer:
    receipt = own.receipts[name]
    return {
        "receipt": name,
        "currency": receipt.currency,
        "on_account_micros": receipt.unallocated_micros,
        "changed": changed,
    }
