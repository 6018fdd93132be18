"""Bodies of what customers owe, and of the money that came."""

from __future__ import annotations

from typing import TypedDict

import msgspec

from forebay.server.bodies import Money


class AgedInvoice(TypedDict):
    """An invoice that is not paid, or not whole."""

    account: str
    #: Its number; `CONTRACT/NUMBER` for one of before a cutover, "" for what names none.
    invoice: str
    #: None for what is no invoice.
    due_at: str | None
    #: Days begun since it was due.
    days_late: int
    #: "not_due", "1_30", "31_60", "61_90" or "over_90".
    bucket: str
    open: Money
    #: What of it may be kept back in a dispute: it is not late, whatever the bucket says of the rest.
    disputed: Money


class AgedAccount(TypedDict):
    """What an account owes in one currency, by age."""

    account: str
    not_due: Money
    late_1_30: Money
    late_31_60: Money
    late_61_90: Money
    late_over_90: Money
    #: What may be kept back in disputes, and is in no bucket.
    disputed: Money
    #: All that is open; the balance of `receivable:ACCOUNT`.
    open: Money
    #: Money that came and is not allocated; the balance of `on_account:ACCOUNT`, as a positive amount.
    on_account: Money
    #: What is left to come.
    net: Money


class ReceivablesBody(TypedDict):
    """Open invoices by age."""

    #: Ages are counted until then, and what took effect before it is counted.
    at: str
    #: What was recorded before this is counted; None for all.
    known: str | None
    accounts: list[AgedAccount]
    invoices: list[AgedInvoice]


class AllocatedAmount(TypedDict):
    """What a receipt pays of an invoice."""

    invoice: str
    amount: Money


class ReceiptBody(TypedDict):
    """Money that came."""

    id: str
    account: str
    reference: str
    received_at: str
    amount: Money
    on_account: Money
    allocations: list[AllocatedAmount]
    #: When it was found to be wrong; None while it stands.
    reversed_at: str | None
    reason: str


class ReceiptPage(TypedDict):
    """A page of receipts."""

    items: list[ReceiptBody]
    next_cursor: str | None


class ReceiptAnswer(TypedDict):
    """What became of a receipt."""

    receipt: str
    #: What of it lies on account now.
    on_account: Money
    changed: bool


class PostedReceiptPart(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """So much of a receipt is for this invoice."""

    invoice: str
    amount: str


class PostedReceipt(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Money that came from a customer; `received` is RFC 3339, or a date in UTC."""

    account: str
    currency: str
    amount: str
    received: str
    reference: str
    allocate: list[PostedReceiptPart] = []


class PostedReceiptParts(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Which invoices are paid by what lies on account of a receipt."""

    allocate: list[PostedReceiptPart]
