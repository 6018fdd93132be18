"""An invoice is put right: credited, line by line, or void. What each of these is; `crediting` decides.

An issued invoice is never changed. A credit note is a document of its own, with numbers of its own; what is void
keeps its number, and what it billed may be issued again under another.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from forebay.core.ids import Command, ContractId, Event, InvoiceId, TenantId, TrancheId
from forebay.core.money.invoices import InvoiceHead, InvoiceIssued
from forebay.core.money.receipts import Allocation
from forebay.core.placements.gang import Tier


@dataclass(slots=True)
class LineCredit:
    """So much of a line of an invoice (counted from 1) is taken back, in minor units; of a credit less than 0."""

    n: int
    amount_minor: int


@dataclass(slots=True)
class IssueCreditNote(Command):
    """Credit lines of an invoice, or all that is left of it."""

    #: The invoice as its record has it: its lines are not kept in the live state.
    issued: InvoiceIssued
    lines: tuple[LineCredit, ...]
    reason: str


@dataclass(slots=True)
class AllocateCreditNote(Command):
    """What is left of a credit note, because its invoice was paid already, pays other invoices."""

    note: str
    allocations: tuple[Allocation, ...]


@dataclass(slots=True)
class VoidInvoice(Command):
    """An invoice should never have been issued; with `reissue` its lines are billed by another one at once."""

    issued: InvoiceIssued
    reason: str
    reissue: bool = False


@dataclass(slots=True)
class CreditedLine:
    """What is credited of a line, and what it was for."""

    n: int
    kind: str
    contract: ContractId
    contract_version: int
    clause: str
    claim: TrancheId
    tier: Tier | None
    sku: str
    site: str
    start: int
    end: int
    #: What is taken back: below 0 of a line that was a credit.
    amount_minor: int
    text: str = ""


@dataclass(slots=True)
class CreditNoteIssued(Event):
    """A credit note as it was issued, whole."""

    note: str
    seller: str
    #: Counts each seller's credit notes from 1, without a gap.
    number: int
    tenant: TenantId
    currency: str
    invoice: InvoiceId
    lines: tuple[CreditedLine, ...]
    total_minor: int
    #: Of it, so much lowers what is open of the invoice; the rest was paid already, and is open in its favour.
    open_minor: int
    reason: str


@dataclass(slots=True)
class CreditNoteAllocated(Event):
    """More of a credit note pays invoices."""

    note: str
    allocations: tuple[Allocation, ...]


@dataclass(slots=True)
class Filed:
    """What an invoice billed that later closes reckon from, in micro-units."""

    #: Which of the books of `money.State`: "fees", "credited", "late", "eligible", "trued_up" or "right_fees".
    book: str
    #: The tranche, or the contract.
    about: str
    #: The month, or the end of a period; 0 for neither.
    at: int
    #: The remedy, or the clause; "" for neither.
    what: str
    amount_micros: int


@dataclass(slots=True)
class InvoiceVoided(Event):
    """An invoice is void: nothing of it is owed."""

    invoice: InvoiceId
    reason: str
    #: What it billed that counts no more.
    filed: tuple[Filed, ...] = ()


CreditingCommand = IssueCreditNote | AllocateCreditNote | VoidInvoice
CreditingEvent = CreditNoteIssued | CreditNoteAllocated | InvoiceVoided
CREDITING_EVENTS: tuple[type[Event], ...] = (CreditNoteIssued, CreditNoteAllocated, InvoiceVoided)


class CreditNoteHead(NamedTuple):
    """What of a credit note stays in the live state: its lines are read from the record that issued it."""

    note: str
    seller: str
    number: int
    tenant: TenantId
    currency: str
    invoice: InvoiceId
    lines: int
    total_minor: int
    reason: str
    #: Sequence and time of the record that issued it.
    seq: int
    at: int


class Voided(NamedTuple):
    """When an invoice became void, and why."""

    at: int
    reason: str


@dataclass(slots=True)
class Credits:
    """Credit notes, and invoices that are void."""

    notes: dict[str, CreditNoteHead] = field(default_factory=dict)
    #: Seller -> number of its last credit note.
    numbers: dict[str, int] = field(default_factory=dict)
    #: (Invoice, line) -> what is credited of it, minor units.
    lines: dict[tuple[InvoiceId, int], int] = field(default_factory=dict)
    #: Invoice -> what is credited of all its lines.
    invoices: dict[InvoiceId, int] = field(default_factory=dict)
    voided: dict[InvoiceId, Voided] = field(default_factory=dict)

    def fork(self) -> Credits:
        """A copy whose containers are its own."""
        return Credits(
            self.notes.copy(),
            self.numbers.copy(),
            self.lines.copy(),
            self.invoices.copy(),
            self.voided.copy(),
        )


def apply_crediting(own: Credits, event: CreditingEvent, at: int, seq: int) -> None:
    """Record what became of an invoice."""
    if isinstance(event, InvoiceVoided):
        own.voided[event.invoice] = Voided(at, event.reason)
    elif isinstance(event, CreditNoteIssued):
        own.notes[event.note] = CreditNoteHead(
            event.note, event.seller, event.number, event.tenant, event.currency, event.invoice, len(event.lines),
            event.total_minor, event.reason, seq, at,
        )  # fmt: skip
        own.numbers[event.seller] = event.number
        own.invoices[event.invoice] = own.invoices.get(event.invoice, 0) + event.total_minor
        for line in event.lines:
            mark = (event.invoice, line.n)
            own.lines[mark] = own.lines.get(mark, 0) + line.amount_minor


def check_numbers(own: Credits, invoices: Sequence[InvoiceHead]) -> Iterator[str]:
    """Numbers have no gaps, and nothing is credited beyond its invoice, or of one that is void."""
    series: tuple[tuple[str, list[tuple[str, int]]], ...] = (
        ("invoices", [(each.seller, each.number) for each in invoices]),
        ("credit notes", [(each.seller, each.number) for each in own.notes.values()]),
    )
    for kind, found in series:
        last: dict[str, int] = {}
        for seller, number in found:
            if number != last.get(seller, 0) + 1:
                yield f"{kind} of {seller}: number {number} follows {last.get(seller, 0)}"
            last[seller] = number
    for head in invoices:
        credited = own.invoices.get(head.invoice, 0)
        if credited > head.charges_minor:
            yield f"of invoice {head.invoice} {credited} is credited, more than it charged"
        if credited and head.invoice in own.voided:
            yield f"invoice {head.invoice} is void, and credited"
