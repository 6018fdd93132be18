"""Bodies of entries that are made by hand."""

from __future__ import annotations

from typing import TypedDict

import msgspec

from forebay.server.bodies import Money


class EntrySide(TypedDict):
    """One side of an entry: a debit is positive, a credit negative."""

    account: str
    #: Of a receivable account, the invoice that it is about.
    item: str
    amount: Money


class ManualEntryBody(TypedDict):
    """An entry that was proposed."""

    id: str
    text: str
    effective_at: str
    sides: list[EntrySide]
    #: "proposed", "posted" or "rejected".
    standing: str
    proposed_by: str
    proposed_at: str
    #: Who approved or rejected it; "" while nobody did.
    decided_by: str
    reason: str


class ManualEntryPage(TypedDict):
    """A page of entries."""

    items: list[ManualEntryBody]
    next_cursor: str | None


class ManualEntryAnswer(TypedDict):
    """What became of an entry."""

    entry: str
    standing: str


class PostedSide(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One side: of the two amounts one is given."""

    account: str
    debit: str = ""
    credit: str = ""
    item: str = ""


class PostedManualEntry(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """An entry to be approved by another person; `effective` is RFC 3339, or a date in UTC."""

    currency: str
    sides: list[PostedSide]
    text: str
    effective: str


class PostedApproval(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Yes."""
