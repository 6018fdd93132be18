"""What do customers owe, invoice by invoice, and since when is it late?

What is open of an invoice is what was posted about it to its tenant's receivable account: there is no second count
that could differ from the ledger. Money that came and is not allocated lies on account until it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from forebay.core.ids import TenantId
from forebay.core.money.due_dates import NET_DEFAULT_US
from forebay.core.money.invoices import InvoiceIssued
from forebay.core.money.ledger import BalancesOpened, TransactionPosted, opened_item
from forebay.core.units import DAY_US

_OWED = "receivable:"
_ON_ACCOUNT = "on_account:"
#: Buckets of age by days late, the last without an end.
BUCKETS = ("not_due", "1_30", "31_60", "61_90", "over_90")
_BUCKET_DAYS = (30, 60, 90)


class Item(NamedTuple):
    """Something that is open: an invoice, or what was posted to a receivable account and names none ("")."""

    account: TenantId
    currency: str
    invoice: str


class Owed(NamedTuple):
    """An invoice that is to be paid: ours, or one of before a cutover."""

    currency: str
    #: From when on it is owed.
    since: int
    due_at: int


class Allocated(NamedTuple):
    """So much of a receipt pays an invoice."""

    invoice: str
    amount_micros: int


class Receipt(NamedTuple):
    """Money that came."""

    account: TenantId
    currency: str
    amount_micros: int
    received_at: int
    reference: str
    #: What was allocated when it was recorded.
    at_once: tuple[Allocated, ...] = ()
    #: All that was allocated since, the first included.
    allocated: tuple[Allocated, ...] = ()
    reversed_at: int = 0
    reason: str = ""

    @property
    def unallocated_micros(self) -> int:
        """What of it lies on account."""
        if self.reversed_at:
            return 0
        return self.amount_micros - sum(each.amount_micros for each in self.allocated)


@dataclass(slots=True)
class Receivables:
    """Open items, when they are due, and receipts."""

    #: What is open of each, never zero: a debit is positive.
    open: dict[Item, int] = field(default_factory=dict)
    #: (Account, invoice) -> when it is due.
    billed: dict[tuple[TenantId, str], Owed] = field(default_factory=dict)
    receipts: dict[str, Receipt] = field(default_factory=dict)
    #: (Account, reference) -> the receipt that stands under it.
    references: dict[tuple[TenantId, str], str] = field(default_factory=dict)

    def fork(self) -> Receivables:
        """A copy whose containers are its own."""
        return Receivables(self.open.copy(), self.billed.copy(), self.receipts.copy(), self.references.copy())


def post_items(opened: dict[Item, int], posted: TransactionPosted) -> None:
    """What a transaction does to open items."""
    for entry in posted.entries:
        if entry.account.startswith(_OWED):
            account = TenantId(entry.account.removeprefix(_OWED))
            item = Item(account, posted.currency, entry.item or posted.invoice)
            left = opened.get(item, 0) + entry.amount_micros
            if left:
                opened[item] = left
            else:
                opened.pop(item, None)


def bill(state: Receivables, event: InvoiceIssued | BalancesOpened, at: int) -> None:
    """Learn when an invoice is due; one that is in the place of another is owed since it was issued."""
    if isinstance(event, InvoiceIssued):
        due_at = event.due_at or event.end + NET_DEFAULT_US
        state.billed[event.tenant, event.invoice] = Owed(
            event.currency, at if event.replaces else event.end - 1, due_at
        )
        return
    for each in event.balances:
        if each.account.startswith(_OWED):
            due_at = each.due_at or each.at + NET_DEFAULT_US
            state.billed[event.tenant, opened_item(each)] = Owed(event.currency, each.at, due_at)


def days_late(due_at: int, at: int) -> int:
    """Days begun since it was due; 0 until then."""
    return max(0, -(-(at - due_at) // DAY_US))


def bucket(due_at: int, at: int) -> str:
    """How old a debt is."""
    late = days_late(due_at, at)
    if not late:
        return BUCKETS[0]
    return BUCKETS[1 + sum(late > days for days in _BUCKET_DAYS)]


def check_receivables(state: Receivables, balances: Mapping[tuple[str, str], int]) -> Iterator[str]:
    """Open items are what the ledger's receivable accounts say, and what is not allocated is what lies on account."""
    sums: dict[tuple[str, str], int] = {}
    for item, micros in state.open.items():
        mark = (f"{_OWED}{item.account}", item.currency)
        sums[mark] = sums.get(mark, 0) + micros
    for receipt in state.receipts.values():
        mark = (f"{_ON_ACCOUNT}{receipt.account}", receipt.currency)
        sums[mark] = sums.get(mark, 0) - receipt.unallocated_micros
    kept = {mark: micros for mark, micros in balances.items() if mark[0].startswith((_OWED, _ON_ACCOUNT))}
    for mark in sorted(sums.keys() | kept.keys()):
        if sums.get(mark, 0) != kept.get(mark, 0):
            yield f"open items of {mark[0]} in {mark[1]} sum to {sums.get(mark, 0)}, not {kept.get(mark, 0)}"
