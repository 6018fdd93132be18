"""A customer contests lines of an invoice: what is a dispute, and what becomes of it? `disputing` decides.

While a dispute is open, what the contract lets the customer keep back of it is not overdue, and bears no interest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from forebay.core.ids import Command, Event, InvoiceId, TenantId
from forebay.core.money.invoices import InvoiceIssued
from forebay.core.timeline import INSTANT_MAX


@dataclass(slots=True)
class Contested:
    """So much of a line (counted from 1) is contested, in micro-units."""

    n: int
    amount_micros: int


@dataclass(slots=True)
class OpenDispute(Command):
    """Lines of an invoice are contested."""

    #: The invoice as its record has it: its lines are not kept in the live state.
    issued: InvoiceIssued
    lines: tuple[Contested, ...]
    reason: str


@dataclass(slots=True)
class SettleDispute(Command):
    """Both sides agree: for the seller, or for the customer, who gets a credit note or so much."""

    dispute: str
    for_customer: bool
    reason: str
    #: The credit note that it was settled with; "" where an amount is named.
    note: str = ""
    amount_micros: int = 0


@dataclass(slots=True)
class WithdrawDispute(Command):
    """The customer contests it no more."""

    dispute: str
    reason: str


@dataclass(slots=True)
class DisputeOpened(Event):
    """Lines of an invoice are contested from now on."""

    dispute: str
    invoice: InvoiceId
    tenant: TenantId
    currency: str
    lines: tuple[Contested, ...]
    disputed_micros: int
    #: What of it may be kept back, by the contracts of the lines.
    withheld_micros: int
    reason: str


@dataclass(slots=True)
class DisputeSettled(Event):
    """Both sides agree."""

    dispute: str
    for_customer: bool
    note: str
    amount_micros: int
    reason: str


@dataclass(slots=True)
class DisputeWithdrawn(Event):
    """It is contested no more."""

    dispute: str
    reason: str


DisputeCommand = OpenDispute | SettleDispute | WithdrawDispute
DisputeEvent = DisputeOpened | DisputeSettled | DisputeWithdrawn
DISPUTE_EVENTS: tuple[type[Event], ...] = (DisputeOpened, DisputeSettled, DisputeWithdrawn)


class Dispute(NamedTuple):
    """Lines of an invoice that were contested."""

    invoice: InvoiceId
    tenant: TenantId
    currency: str
    lines: tuple[Contested, ...]
    disputed_micros: int
    withheld_micros: int
    opened_at: int
    reason: str
    closed_at: int = INSTANT_MAX
    #: "open", "for_customer", "for_seller" or "withdrawn".
    outcome: str = "open"
    note: str = ""
    agreed_micros: int = 0
    answer: str = ""


@dataclass(slots=True)
class Disputes:
    """Every dispute."""

    known: dict[str, Dispute] = field(default_factory=dict)
    #: Invoice -> its disputes, in order.
    of: dict[InvoiceId, tuple[str, ...]] = field(default_factory=dict)

    def fork(self) -> Disputes:
        """A copy whose containers are its own."""
        return Disputes(self.known.copy(), self.of.copy())


def disputes_of(own: Disputes, invoice: str) -> Iterator[Dispute]:
    """Disputes of an invoice, open or not."""
    for name in own.of.get(InvoiceId(invoice), ()):
        yield own.known[name]


def withheld_at(own: Disputes, invoice: str, at: int, known_at: int = INSTANT_MAX) -> int:
    """What of an invoice may be kept back at an instant, as it was known at another."""
    return sum(
        each.withheld_micros
        for each in disputes_of(own, invoice)
        if each.opened_at <= at
        and each.opened_at < known_at
        and (at < each.closed_at or each.closed_at >= known_at)
    )


def apply_dispute(own: Disputes, event: DisputeEvent, at: int) -> None:
    """Record what became of a dispute."""
    if isinstance(event, DisputeOpened):
        own.known[event.dispute] = Dispute(
            event.invoice, event.tenant, event.currency, event.lines, event.disputed_micros,
            event.withheld_micros, at, event.reason,
        )  # fmt: skip
        own.of[event.invoice] = (*own.of.get(event.invoice, ()), event.dispute)
        return
    closed = own.known[event.dispute]._replace(closed_at=at, answer=event.reason)
    if isinstance(event, DisputeSettled):
        outcome = "for_customer" if event.for_customer else "for_seller"
        own.known[event.dispute] = closed._replace(
            outcome=outcome, note=event.note, agreed_micros=event.amount_micros
        )
    else:
        own.known[event.dispute] = closed._replace(outcome="withdrawn")
