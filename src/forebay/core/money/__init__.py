"""What it is worth: price lists, period close, invoices whose lines explain themselves, and a double-entry ledger.

What money depends on is recorded, not derived: closing a period emits the invoices and postings as events that hold
results, and replay never rates again. Every amount is a Python integer in micro-units of its currency. A line is an
exact quantity times a price, rounded once, half-even, to micro-units; the invoice rounds each line once to the
currency's minor unit and shows the difference on a line of its own.

`price_lists` is what use without a claim costs, and `rates` which price holds; `rating` makes the lines of a period,
`closing` the invoices of them and what is posted; `delivered` says what a tranche was delivered in a month, and
`credits` what follows; `invoices` and `ledger` are the records of both, and `state` is
what is kept.
"""

from __future__ import annotations

from forebay.core.money.advances import note_demands
from forebay.core.money.arrears import LateInterestCharged
from forebay.core.money.closing import CloseBillingPeriod, close, open_books
from forebay.core.money.credit_notes import (
    AllocateCreditNote,
    CreditedLine,
    CreditNoteAllocated,
    CreditNoteHead,
    CreditNoteIssued,
    InvoiceVoided,
    IssueCreditNote,
    LineCredit,
    VoidInvoice,
)
from forebay.core.money.credits import CreditDue, MonthDelivered, months_delivered, percent
from forebay.core.money.deciding import DECIDED_MONEY, dues_of_books, meant_by_books, wake_books
from forebay.core.money.delivered import Delivered, Loss, LossKind
from forebay.core.money.disputes import Contested, OpenDispute, SettleDispute, WithdrawDispute
from forebay.core.money.exclusions import (
    ClaimCredit,
    CreditClaimed,
    ExcludeLoss,
    Exclusion,
    ExclusionWithdrawn,
    LossExcluded,
    WithdrawExclusion,
)
from forebay.core.money.invoices import RATING, InvoiceHead, InvoiceIssued, Line
from forebay.core.money.late_lines import LATE_LINES, late_facts
from forebay.core.money.ledger import BalancesOpened, BroughtForward, Entry, TransactionPosted
from forebay.core.money.payables import PayableLine, payable_lines
from forebay.core.money.prepaid import (
    Advance,
    AdvancePool,
    AheadRequested,
    AheadReturned,
    PaidAhead,
    ReturnAhead,
)
from forebay.core.money.price_lists import ApplyPriceList, Price, PriceList, PriceListApplied
from forebay.core.money.proposals import ApproveEntry, ProposeEntry, RejectEntry
from forebay.core.money.rates import Rate, apply_prices, price, refuse_unpriced
from forebay.core.money.rating import Books, hours, hours_of, tranche_rate, unused_paid
from forebay.core.money.receipts import (
    AllocateReceipt,
    Allocation,
    ReceiptAllocated,
    ReceiptRecorded,
    ReceiptReversed,
    RecordReceipt,
    ReverseReceipt,
)
from forebay.core.money.state import EVENTS, State, apply, check, start_period
from forebay.core.money.taxes import ApplyTaxes, TaxesApplied, TaxRate, rates_at

__all__ = [
    "DECIDED_MONEY",
    "EVENTS",
    "LATE_LINES",
    "RATING",
    "Advance",
    "AdvancePool",
    "AheadRequested",
    "AheadReturned",
    "AllocateCreditNote",
    "AllocateReceipt",
    "Allocation",
    "ApplyPriceList",
    "ApplyTaxes",
    "ApproveEntry",
    "BalancesOpened",
    "Books",
    "BroughtForward",
    "ClaimCredit",
    "CloseBillingPeriod",
    "Contested",
    "CreditClaimed",
    "CreditDue",
    "CreditNoteAllocated",
    "CreditNoteHead",
    "CreditNoteIssued",
    "CreditedLine",
    "Delivered",
    "Entry",
    "ExcludeLoss",
    "Exclusion",
    "ExclusionWithdrawn",
    "InvoiceHead",
    "InvoiceIssued",
    "InvoiceVoided",
    "IssueCreditNote",
    "LateInterestCharged",
    "Line",
    "LineCredit",
    "Loss",
    "LossExcluded",
    "LossKind",
    "MonthDelivered",
    "OpenDispute",
    "PaidAhead",
    "PayableLine",
    "Price",
    "PriceList",
    "PriceListApplied",
    "ProposeEntry",
    "Rate",
    "ReceiptAllocated",
    "ReceiptRecorded",
    "ReceiptReversed",
    "RecordReceipt",
    "RejectEntry",
    "ReturnAhead",
    "ReverseReceipt",
    "SettleDispute",
    "State",
    "TaxRate",
    "TaxesApplied",
    "TransactionPosted",
    "VoidInvoice",
    "WithdrawDispute",
    "WithdrawExclusion",
    "apply",
    "apply_prices",
    "check",
    "close",
    "dues_of_books",
    "hours",
    "hours_of",
    "late_facts",
    "meant_by_books",
    "months_delivered",
    "note_demands",
    "open_books",
    "payable_lines",
    "percent",
    "price",
    "rates_at",
    "refuse_unpriced",
    "start_period",
    "tranche_rate",
    "unused_paid",
    "wake_books",
]
