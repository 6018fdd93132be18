"""A double-entry ledger: what is posted, and the balances that a contract brings along.

Every amount is an integer in micro-units of its currency; a debit is positive, a credit negative; each transaction
sums to zero."""

from __future__ import annotations

from dataclasses import dataclass

from forebay.core.ids import ContractId, Event, InvoiceId, TenantId


@dataclass(slots=True)
class BroughtForward:
    """A balance of a contract at its cutover; a debit is positive, a credit negative."""

    contract: ContractId
    at: int
    account: str
    amount_micros: int
    #: The invoice of before that it is of; "" for none.
    number: str = ""
    #: By when it is to be paid; 0 where that is not said.
    due_at: int = 0


@dataclass(slots=True)
class BalancesOpened(Event):
    """The books of a contract that ran already begin with these balances; its tenant's next invoice shows them."""

    seller: str
    tenant: TenantId
    currency: str
    balances: tuple[BroughtForward, ...]


@dataclass(slots=True)
class Entry:
    """One side of a transaction: a debit is positive, a credit negative."""

    account: str
    amount_micros: int
    #: Of a receivable account, the invoice that it is about; "" for that of the transaction.
    item: str = ""


@dataclass(slots=True)
class TransactionPosted(Event):
    """A double entry that sums to zero."""

    transaction: str
    currency: str
    effective_at: int
    entries: tuple[Entry, ...]
    text: str
    #: The invoice it posts; "" for none.
    invoice: InvoiceId = InvoiceId("")


def opened_item(balance: BroughtForward) -> str:
    """What an invoice of before a cutover is called: two contracts may have the same numbers."""
    return f"{balance.contract}/{balance.number}"
