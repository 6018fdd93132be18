"""Bodies of drafts, what the open period would bill, and of invoices as they are recorded."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from forebay.server.bodies import BroughtForwardBody, InvoiceLine, Money


class DraftInvoice(TypedDict):
    """What would be issued. It has no number: numbers are given when an invoice is issued."""

    seller: str
    tenant: str
    start: str
    end: str
    charges: Money
    credits: Money
    total: Money
    #: Version of the rules by which its lines were made.
    rating: int
    lines: list[InvoiceLine]
    brought_forward: list[BroughtForwardBody]
    #: By when it would have to be paid.
    due_at: str


class DraftsBody(TypedDict):
    """The open period, and what it would bill if it were closed `at` this instant. Nothing is recorded."""

    at: str
    start: str
    #: When it ends by the calendar.
    ends: str
    items: list[DraftInvoice]


class CanonicalInvoice(TypedDict):
    """An invoice as the event that issued it holds it. What holds its default is left out."""

    invoice: str
    seller: str
    number: int
    tenant: str
    currency: str
    #: Microseconds since the Unix epoch.
    start: int
    end: int
    #: Fields of a line by name, as in the reference of events.
    lines: list[dict[str, Any]]
    charges_minor: int
    credits_minor: int
    total_minor: int
    rating: int
    brought_forward: NotRequired[list[dict[str, Any]]]
    due_at: NotRequired[int]
