"""Money comes in: what a receipt is, and what becomes of it. `collecting` decides."""

from __future__ import annotations

from dataclasses import dataclass

from forebay.core.ids import Command, Event, TenantId
from forebay.core.money.receivables import Allocated, Receipt, Receivables


@dataclass(slots=True)
class Allocation:
    """So much of a receipt is for this invoice."""

    invoice: str
    amount_micros: int


@dataclass(slots=True)
class RecordReceipt(Command):
    """Money came from a customer; what is not allocated lies on account."""

    account: TenantId
    currency: str
    amount_micros: int
    received_at: int
    #: What the bank calls it: one receipt stands under one reference of a customer.
    reference: str
    allocations: tuple[Allocation, ...] = ()


@dataclass(slots=True)
class AllocateReceipt(Command):
    """What lies on account of a receipt pays these invoices."""

    receipt: str
    allocations: tuple[Allocation, ...]


@dataclass(slots=True)
class ReverseReceipt(Command):
    """A receipt was wrong: what it paid is open again."""

    receipt: str
    reason: str


@dataclass(slots=True)
class ReceiptRecorded(Event):
    """Money came from a customer."""

    receipt: str
    account: TenantId
    currency: str
    amount_micros: int
    received_at: int
    reference: str
    allocations: tuple[Allocation, ...] = ()


@dataclass(slots=True)
class ReceiptAllocated(Event):
    """More of a receipt pays invoices."""

    receipt: str
    allocations: tuple[Allocation, ...]


@dataclass(slots=True)
class ReceiptReversed(Event):
    """A receipt was wrong, and is as if it had not come."""

    receipt: str
    reason: str


ReceiptCommand = RecordReceipt | AllocateReceipt | ReverseReceipt
ReceiptEvent = ReceiptRecorded | ReceiptAllocated | ReceiptReversed
RECEIPT_EVENTS: tuple[type[Event], ...] = (ReceiptRecorded, ReceiptAllocated, ReceiptReversed)


def plain_allocations(allocations: tuple[Allocation | Allocated, ...]) -> tuple[Allocated, ...]:
    """As they are kept."""
    return tuple(Allocated(each.invoice, each.amount_micros) for each in allocations)


def apply_receipt(own: Receivables, event: ReceiptEvent, at: int) -> None:
    """Record what became of a receipt."""
    if isinstance(event, ReceiptRecorded):
        allocated = plain_allocations(event.allocations)
        own.receipts[event.receipt] = Receipt(
            event.account, event.currency, event.amount_micros, event.received_at, event.reference, allocated,
            allocated,
        )  # fmt: skip
        own.references[event.account, event.reference] = event.receipt
        return
    known = own.receipts[event.receipt]
    if isinstance(event, ReceiptAllocated):
        own.receipts[event.receipt] = known._replace(
            allocated=(*known.allocated, *plain_allocations(event.allocations))
        )
        return
    own.receipts[event.receipt] = known._replace(reversed_at=at, reason=event.reason)
    # What was recorded wrongly may be recorded again under the bank's own reference.
    del own.references[known.account, known.reference]
