"""What money keeps, and how each event changes it. The only mutators of this stage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from forebay.core import timeline, usage
from forebay.core.ids import Event, InvoiceId, TenantId, TrancheId
from forebay.core.money.invoices import InvoiceIssued
from forebay.core.money.ledger import BalancesOpened, BroughtForward, TransactionPosted
from forebay.core.money.price_lists import PriceList, PriceListApplied
from forebay.core.money.receipts import (
    RECEIPT_EVENTS,
    ReceiptAllocated,
    ReceiptRecorded,
    ReceiptReversed,
    apply_receipt,
)
from forebay.core.money.receivables import Receivables, bill, check_receivables, post_items
from forebay.core.timeline import Due, Dues

#: Kinds of lines that are about a month of a tranche.
_BY_MONTH = ("dedicated", "correction", "service_credit")


@dataclass(slots=True)
class State:
    """Price lists, issued invoices and account balances."""

    price_lists: dict[int, PriceList] = field(default_factory=dict)
    #: Price lists that hold or held, with the instant from which they did; segment 0 is before the first.
    held_since: dict[int, int] = field(default_factory=dict)
    invoices: dict[InvoiceId, InvoiceIssued] = field(default_factory=dict)
    #: Seller -> number of its last invoice.
    numbers: dict[str, int] = field(default_factory=dict)
    #: (account, currency) -> balance in micro-units, debit positive.
    balances: dict[tuple[str, str], int] = field(default_factory=dict)
    transactions: int = 0
    #: When the open period ends by the calendar.
    period_end: int = 0
    #: (Seller, tenant, currency) -> balances that the next invoice shows as brought forward.
    forward: dict[tuple[str, TenantId, str], tuple[BroughtForward, ...]] = field(default_factory=dict)
    receivables: Receivables = field(default_factory=Receivables)
    #: (Tranche, start of a month) -> what its dedicated hours were billed, and what was credited for it; micro-units.
    fees: dict[tuple[TrancheId, int], int] = field(default_factory=dict)
    credited: dict[tuple[TrancheId, int], int] = field(default_factory=dict)

    def fork(self) -> State:
        """A copy whose containers are its own."""
        return State(
            self.price_lists.copy(), self.held_since.copy(), self.invoices.copy(), self.numbers.copy(),
            self.balances.copy(), self.transactions, self.period_end, self.forward.copy(), self.receivables.fork(),
            self.fees.copy(), self.credited.copy(),
        )  # fmt: skip


def dues(state: State) -> Dues:
    """When the period ends by the calendar, and when known price lists begin to hold."""
    heap = Dues()
    for prices in state.price_lists.values():
        if prices.version not in state.held_since:
            heap.push(_price_due(prices))
    if state.period_end:
        heap.push(Due(state.period_end, "period", "", 0))
    return heap


def meant(state: State, due: Due) -> bool:
    """Whether a due time still means something."""
    if due.what == "period":
        return state.period_end == due.at
    return due.stamp not in state.held_since


def apply(state: State, heap: Dues, event: Event, at: int) -> None:
    """Apply one event of this stage, or of usage where it sets a price segment or a period."""
    match event:
        case PriceListApplied():
            state.price_lists[event.prices.version] = event.prices
            heap.push(_price_due(event.prices))
        case usage.PriceSegmentStarted():
            state.held_since[event.segment] = at
        case usage.PeriodClosed():
            start_period(state, heap, event.end)
        case BalancesOpened():
            mark = (event.seller, event.tenant, event.currency)
            state.forward[mark] = (*state.forward.get(mark, ()), *event.balances)
            bill(state.receivables, event)
        case InvoiceIssued():
            state.forward.pop((event.seller, event.tenant, event.currency), None)
            state.invoices[event.invoice] = event
            state.numbers[event.seller] = event.number
            _file_months(state, event)
            bill(state.receivables, event)
        case TransactionPosted():
            state.transactions += 1
            for entry in event.entries:
                account = (entry.account, event.currency)
                state.balances[account] = state.balances.get(account, 0) + entry.amount_micros
            post_items(state.receivables.open, event)
        case ReceiptRecorded() | ReceiptAllocated() | ReceiptReversed():
            apply_receipt(state.receivables, event, at)


def _file_months(state: State, issued: InvoiceIssued) -> None:
    """What an invoice bills, and credits, of the months of each tranche."""
    for line in issued.lines:
        if not line.claim or line.kind not in _BY_MONTH:
            continue
        told = state.credited if line.kind == "service_credit" else state.fees
        mark = (line.claim, timeline.month_start(line.start))
        sign = -1 if line.kind == "service_credit" else 1
        told[mark] = told.get(mark, 0) + sign * line.amount_micros


def start_period(state: State, heap: Dues, start: int) -> None:
    """The open period ends with the UTC calendar month that holds its start, unless it is closed before."""
    state.period_end = timeline.month_end(start)
    heap.push(Due(state.period_end, "period", "", 0))


def _price_due(prices: PriceList) -> Due:
    """Of two lists with one date the higher version comes last, and holds."""
    return Due(prices.effective_at, "prices", "", prices.version)


EVENTS: tuple[type[Event], ...] = (
    PriceListApplied,
    BalancesOpened,
    InvoiceIssued,
    TransactionPosted,
    *RECEIPT_EVENTS,
)


def check(state: State) -> Iterator[str]:
    """Invariant 7: the ledger sums to zero, and an invoice is its charges less its credits."""
    sums: dict[str, int] = {}
    for (_, currency), micros in state.balances.items():
        sums[currency] = sums.get(currency, 0) + micros
    for currency, total in sums.items():
        if total:
            yield f"the ledger in {currency} sums to {total}"
    for number, invoice in state.invoices.items():
        if invoice.total_minor != invoice.charges_minor - invoice.credits_minor:
            yield f"invoice {number} is not its charges less its credits"
        if invoice.total_minor != sum(line.amount_minor for line in invoice.lines):
            yield f"invoice {number} is not the sum of its lines"
    yield from check_receivables(state.receivables, state.balances)
