"""What money keeps, and how each event changes it. The only mutators of this stage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from forebay.core import timeline, usage
from forebay.core.claims.remedies import Remedy
from forebay.core.ids import ContractId, Event, InvoiceId, TenantId, TrancheId
from forebay.core.money.arrears import (
    LateInterestCharged,
    OpenArrears,
    bill_arrears,
    charge_arrears,
    forget_settled,
    post_arrears,
)
from forebay.core.money.credit_notes import (
    CREDITING_EVENTS,
    CreditNoteAllocated,
    CreditNoteIssued,
    Credits,
    Filed,
    InvoiceVoided,
    apply_crediting,
    check_numbers,
)
from forebay.core.money.disputes import (
    DISPUTE_EVENTS,
    DisputeOpened,
    Disputes,
    DisputeSettled,
    DisputeWithdrawn,
    apply_dispute,
)
from forebay.core.money.exclusions import (
    EXCLUSION_EVENTS,
    CreditClaimed,
    Exclusions,
    ExclusionWithdrawn,
    LossExcluded,
    apply_exclusion,
)
from forebay.core.money.invoices import RIGHT_FEES, TRUE_UP, InvoiceHead, InvoiceIssued, eligible, head_of
from forebay.core.money.ledger import BalancesOpened, BroughtForward, TransactionPosted
from forebay.core.money.prepaid import (
    AHEAD_EVENTS,
    AheadRequested,
    AheadReturned,
    PaidAhead,
    apply_ahead,
    bill_pools,
    check_ahead,
    credit_pools,
    open_pools,
)
from forebay.core.money.price_lists import PriceList, PriceListApplied
from forebay.core.money.proposals import (
    ENTRY_EVENTS,
    EntryApproved,
    EntryProposed,
    EntryRejected,
    ProposedEntry,
    apply_entry,
)
from forebay.core.money.receipts import (
    RECEIPT_EVENTS,
    ReceiptAllocated,
    ReceiptRecorded,
    ReceiptReversed,
    apply_receipt,
)
from forebay.core.money.receivables import Receivables, bill, check_receivables, post_items
from forebay.core.money.taxes import TaxesApplied, TaxRate
from forebay.core.timeline import Due, Dues

#: Kinds of lines that are about a month of a tranche.
_BY_MONTH = ("dedicated", "correction", "service_credit")
#: Kinds of lines that settle lateness of a month.
_LATE = {"late_discount": Remedy.FEE_DISCOUNT, "late_damages": Remedy.DAMAGES}


@dataclass(slots=True)
class State:
    """Price lists, issued invoices and account balances."""

    price_lists: dict[int, PriceList] = field(default_factory=dict)
    #: Price lists that hold or held, with the instant from which they did; segment 0 is before the first.
    held_since: dict[int, int] = field(default_factory=dict)
    invoices: dict[InvoiceId, InvoiceHead] = field(default_factory=dict)
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
    credits: Credits = field(default_factory=Credits)
    #: (Tranche, start of a month, remedy) -> what was settled for lateness in it, micro-units.
    late: dict[tuple[TrancheId, int, Remedy], int] = field(default_factory=dict)
    #: (Contract, start of a month) -> what was billed towards a minimum commitment; (contract, end of a period of it)
    #: -> what was billed as missing; micro-units.
    eligible: dict[tuple[ContractId, int], int] = field(default_factory=dict)
    trued_up: dict[tuple[ContractId, int], int] = field(default_factory=dict)
    #: (Contract, clause) -> what was billed for having a right, and for using it: below zero where the seller pays.
    right_fees: dict[tuple[ContractId, str], int] = field(default_factory=dict)
    #: Account -> the rates that stand on its invoices.
    taxes: dict[TenantId, tuple[TaxRate, ...]] = field(default_factory=dict)
    exclusions: Exclusions = field(default_factory=Exclusions)
    ahead: PaidAhead = field(default_factory=PaidAhead)
    disputes: Disputes = field(default_factory=Disputes)
    lateness: OpenArrears = field(default_factory=OpenArrears)
    entries: dict[str, ProposedEntry] = field(default_factory=dict)

    def fork(self) -> State:
        """A copy whose containers are its own."""
        return State(
            self.price_lists.copy(), self.held_since.copy(), self.invoices.copy(), self.numbers.copy(),
            self.balances.copy(), self.transactions, self.period_end, self.forward.copy(), self.receivables.fork(),
            self.fees.copy(), self.credited.copy(), self.credits.fork(), self.late.copy(), self.eligible.copy(),
            self.trued_up.copy(), self.right_fees.copy(), self.taxes.copy(), self.exclusions.fork(),
            self.ahead.fork(), self.disputes.fork(), self.lateness.fork(), self.entries.copy(),
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


def apply(state: State, heap: Dues, event: Event, at: int, seq: int) -> None:
    """Apply one event of this stage, or of usage where it sets a price segment or a period; `seq` is its record's."""
    match event:
        case PriceListApplied():
            state.price_lists[event.prices.version] = event.prices
            heap.push(_price_due(event.prices))
        case TaxesApplied():
            state.taxes[event.account] = event.rates
        case usage.PriceSegmentStarted():
            state.held_since[event.segment] = at
        case usage.PeriodClosed():
            start_period(state, heap, event.end)
            forget_settled(state.lateness)
        case BalancesOpened():
            mark = (event.seller, event.tenant, event.currency)
            state.forward[mark] = (*state.forward.get(mark, ()), *event.balances)
            bill(state.receivables, event, at)
            open_pools(state.ahead.pools, event)
            bill_arrears(state.lateness, event)
        case InvoiceIssued():
            # What is in the place of a void invoice brings nothing forward: the next of a close does.
            if not event.replaces:
                state.forward.pop((event.seller, event.tenant, event.currency), None)
            state.invoices[event.invoice] = head_of(event, seq)
            state.numbers[event.seller] = event.number
            for filed in filed_of(event):
                _file(state, filed, 1)
            bill(state.receivables, event, at)
            bill_arrears(state.lateness, event)
            if state.ahead.pools:
                bill_pools(state.ahead, event)
        case TransactionPosted():
            state.transactions += 1
            for entry in event.entries:
                account = (entry.account, event.currency)
                state.balances[account] = state.balances.get(account, 0) + entry.amount_micros
            post_items(state.receivables.open, event)
            post_arrears(state.lateness, event)
        case ReceiptRecorded() | ReceiptAllocated() | ReceiptReversed():
            apply_receipt(state.receivables, event, at)
        case AheadRequested() | AheadReturned():
            apply_ahead(state.ahead.pools, event)
        case DisputeOpened() | DisputeSettled() | DisputeWithdrawn():
            apply_dispute(state.disputes, event, at)
        case EntryProposed() | EntryApproved() | EntryRejected():
            apply_entry(state.entries, event, at)
        case LateInterestCharged():
            charge_arrears(state.lateness, event)
        case LossExcluded() | ExclusionWithdrawn() | CreditClaimed():
            apply_exclusion(state.exclusions, event, at)
        case CreditNoteIssued() | CreditNoteAllocated() | InvoiceVoided():
            if isinstance(event, InvoiceVoided):
                for filed in event.filed:
                    _file(state, filed, -1)
            apply_crediting(state.credits, event, at, seq)
            if state.ahead.pools and not isinstance(event, CreditNoteAllocated):
                credit_pools(state.ahead, event)


def filed_of(issued: InvoiceIssued) -> tuple[Filed, ...]:
    """What an invoice bills, and credits, of months of tranches and contracts: later closes reckon from it."""
    found: dict[tuple[str, str, int, str], int] = {}

    def note(book: str, about: str, at: int, what: str, micros: int) -> None:
        mark = (book, about, at, what)
        found[mark] = found.get(mark, 0) + micros

    for (contract, at), micros in eligible(issued.lines).items():
        note("eligible", contract, at, "", micros)
    for line in issued.lines:
        if line.kind == TRUE_UP:
            note("trued_up", line.contract, line.end, "", line.amount_micros)
        if line.kind in RIGHT_FEES:
            note("right_fees", line.contract, 0, line.clause, line.amount_micros)
        if line.kind in _LATE:
            note("late", line.claim, timeline.month_start(line.start), _LATE[line.kind], -line.amount_micros)
        if line.claim and line.kind in _BY_MONTH:
            month = timeline.month_start(line.start)
            if line.kind == "service_credit":
                note("credited", line.claim, month, "", -line.amount_micros)
            else:
                note("fees", line.claim, month, "", line.amount_micros)
    return tuple(Filed(*mark, micros) for mark, micros in found.items())


def _file(state: State, filed: Filed, sign: int) -> None:
    """Count what an invoice billed, or count it no more."""
    about, at, micros = filed.about, filed.at, sign * filed.amount_micros
    match filed.book:
        case "fees" | "credited":
            months = state.fees if filed.book == "fees" else state.credited
            month = (TrancheId(about), at)
            months[month] = months.get(month, 0) + micros
        case "eligible" | "trued_up":
            periods = state.eligible if filed.book == "eligible" else state.trued_up
            period = (ContractId(about), at)
            periods[period] = periods.get(period, 0) + micros
        case "right_fees":
            clause = (ContractId(about), filed.what)
            state.right_fees[clause] = state.right_fees.get(clause, 0) + micros
        case _:
            late = (TrancheId(about), at, Remedy(filed.what))
            state.late[late] = state.late.get(late, 0) + micros


def start_period(state: State, heap: Dues, start: int) -> None:
    """The open period ends with the UTC calendar month that holds its start, unless it is closed before."""
    state.period_end = timeline.month_end(start)
    heap.push(Due(state.period_end, "period", "", 0))


def _price_due(prices: PriceList) -> Due:
    """Of two lists with one date the higher version comes last, and holds."""
    return Due(prices.effective_at, "prices", "", prices.version)


EVENTS: tuple[type[Event], ...] = (
    PriceListApplied,
    TaxesApplied,
    BalancesOpened,
    InvoiceIssued,
    TransactionPosted,
    *RECEIPT_EVENTS,
    *AHEAD_EVENTS,
    *DISPUTE_EVENTS,
    *ENTRY_EVENTS,
    LateInterestCharged,
    *EXCLUSION_EVENTS,
    *CREDITING_EVENTS,
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
        if invoice.total_minor != invoice.lines_minor:
            yield f"invoice {number} is not the sum of its lines"
    yield from check_numbers(state.credits, list(state.invoices.values()))
    yield from check_receivables(state.receivables, state.balances)
    yield from check_ahead(state.ahead.pools, state.balances)
