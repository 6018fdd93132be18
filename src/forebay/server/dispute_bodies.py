"""Bodies of disputes about invoices."""

from __future__ import annotations

from typing import TypedDict

import msgspec

from forebay.server.bodies import Money


class ContestedBody(TypedDict):
    """So much of a line is contested."""

    line: int
    amount: Money


class DisputeBody(TypedDict):
    """Lines of an invoice that are contested, or were."""

    id: str
    invoice: str
    account: str
    lines: list[ContestedBody]
    disputed: Money
    #: What of it may be kept back while it is open.
    withheld: Money
    opened_at: str
    reason: str
    #: None while it is open.
    closed_at: str | None
    #: "open", "for_customer", "for_seller" or "withdrawn".
    outcome: str
    #: The credit note that it was settled with; "" for none.
    note: str
    agreed: Money
    #: Why it ended so.
    answer: str


class DisputePage(TypedDict):
    """A page of disputes."""

    items: list[DisputeBody]
    next_cursor: str | None


class DisputeAnswer(TypedDict):
    """What became of a dispute."""

    dispute: str
    invoice: str
    outcome: str
    disputed: Money
    withheld: Money


class PostedContested(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """So much of a line (counted from 1) is contested."""

    line: int
    amount: str


class PostedDispute(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Lines of an invoice are contested."""

    lines: list[PostedContested]
    reason: str


class PostedSettlement(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """How a dispute ends: for "customer", with a credit note or an amount, or for "seller"."""

    outcome: str
    reason: str
    note: str = ""
    amount: str = ""
