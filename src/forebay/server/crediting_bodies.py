"""Bodies of credit notes, and of invoices that become void."""

from __future__ import annotations

from typing import TypedDict

import msgspec

from forebay.server.bodies import LineExplanation, Money
from forebay.server.receivable_bodies import PostedReceiptPart


class CreditNoteSummary(TypedDict):
    """A credit note without its lines."""

    id: str
    #: Counts each seller's credit notes from 1.
    number: int
    seller: str
    tenant: str
    invoice: str
    issued: str
    lines: int
    total: Money
    #: What is left of it, because its invoice was paid already.
    left: Money
    reason: str


class CreditedLineBody(TypedDict):
    """What is credited of a line of its invoice."""

    #: The line of the invoice.
    line: int
    kind: str
    contract: str
    contract_version: int
    clause: str
    claim: str
    sku: str
    site: str
    start: str
    end: str
    amount: Money
    text: str


class CreditNoteBody(CreditNoteSummary):
    """A credit note as it was issued."""

    credited: list[CreditedLineBody]
    #: SHA-256 of its canonical bytes.
    digest: str


class CreditExplanation(TypedDict):
    """Why something is credited, and what the line of the invoice rests on."""

    note: str
    reason: str
    credited: CreditedLineBody
    #: As it was billed; nothing that is credited is taken off.
    billed: LineExplanation


class CreditNotePage(TypedDict):
    """Credit notes in order of issue."""

    items: list[CreditNoteSummary]
    next_cursor: str | None


class CreditNoteAnswer(TypedDict):
    """What became of a credit."""

    note: str
    invoice: str
    total: Money
    left: Money


class CreditNoteLeft(TypedDict):
    """What is left of a credit note."""

    note: str
    left: Money


class VoidAnswer(TypedDict):
    """What became of an invoice."""

    invoice: str
    #: The invoice in its place; "" for none.
    reissued: str


class PostedCreditLine(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """So much of a line is credited."""

    line: int
    amount: str


class PostedCreditNote(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Lines to credit; none for all that is left."""

    reason: str
    lines: list[PostedCreditLine] = []


class PostedCreditParts(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a credit note pays."""

    allocate: list[PostedReceiptPart]


class PostedVoid(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Why an invoice is void, and whether its lines are billed again at once."""

    reason: str
    reissue: bool = False
