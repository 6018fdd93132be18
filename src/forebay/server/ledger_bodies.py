"""Bodies of what the books say: the trial balance, and the statement of an account."""

from __future__ import annotations

from typing import TypedDict

from forebay.server.bodies import Money


class AccountBody(TypedDict):
    """A balance: debit positive."""

    account: str
    balance: Money


class LedgerBody(TypedDict):
    """The trial balance: every currency sums to zero."""

    #: What took effect before this is counted; None for all.
    at: str | None
    #: What was recorded before this is counted; None for all.
    known: str | None
    accounts: list[AccountBody]
    totals: list[Money]
    balanced: bool
    transactions: int


class StatementEntry(TypedDict):
    """One side of a transaction, on one account; the first of a statement may be what was there before."""

    #: Record that posted it; 0 for the balance brought forward.
    seq: int
    transaction: str
    #: When it took effect; None for the balance brought forward.
    effective_at: str | None
    recorded_at: str | None
    #: A debit is positive.
    amount: Money
    #: Of the account in that currency, after this.
    balance: Money
    text: str
    #: The invoice that it posts; "" for none.
    invoice: str


class StatementPage(TypedDict):
    """Entries of an account by currency, then as they took effect."""

    items: list[StatementEntry]
    next_cursor: str | None
