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

from forebay.core.money.closing import CloseBillingPeriod, close, open_books
from forebay.core.money.collecting import decide_receipt
from forebay.core.money.credits import CreditDue, MonthDelivered, months_delivered, percent
from forebay.core.money.delivered import Delivered, Loss, LossKind
from forebay.core.money.invoices import RATING, InvoiceIssued, Line
from forebay.core.money.ledger import BalancesOpened, BroughtForward, Entry, TransactionPosted
from forebay.core.money.price_lists import ApplyPriceList, Price, PriceList, PriceListApplied
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
from forebay.core.money.state import EVENTS, State, apply, check, dues, meant, start_period

__all__ = [
    "EVENTS",
    "RATING",
    "AllocateReceipt",
    "Allocation",
    "ApplyPriceList",
    "BalancesOpened",
    "Books",
    "BroughtForward",
    "CloseBillingPeriod",
    "CreditDue",
    "Delivered",
    "Entry",
    "InvoiceIssued",
    "Line",
    "Loss",
    "LossKind",
    "MonthDelivered",
    "Price",
    "PriceList",
    "PriceListApplied",
    "Rate",
    "ReceiptAllocated",
    "ReceiptRecorded",
    "ReceiptReversed",
    "RecordReceipt",
    "ReverseReceipt",
    "State",
    "TransactionPosted",
    "apply",
    "apply_prices",
    "check",
    "close",
    "decide_receipt",
    "dues",
    "hours",
    "hours_of",
    "meant",
    "months_delivered",
    "open_books",
    "percent",
    "price",
    "refuse_unpriced",
    "start_period",
    "tranche_rate",
    "unused_paid",
]
