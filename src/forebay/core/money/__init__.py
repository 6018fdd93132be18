"""What it is worth: price lists, period close, invoices whose lines explain themselves, and a double-entry ledger.

What money depends on is recorded, not derived: closing a period emits the invoices and postings as events that hold
results, and replay never rates again. Every amount is a Python integer in micro-units of its currency. A line is an
exact quantity times a price, rounded once, half-even, to micro-units; the invoice rounds each line once to the
currency's minor unit and shows the difference on a line of its own.

`price_lists` is what use without a claim costs, and `rates` which price holds; `rating` makes the lines of a period,
`closing` the invoices of them and what is posted; `invoices` and `ledger` are the records of both, and `state` is
what is kept.
"""

from __future__ import annotations

from forebay.core.money.closing import CloseBillingPeriod, close, open_books
from forebay.core.money.invoices import RATING, InvoiceIssued, Line
from forebay.core.money.ledger import BalancesOpened, BroughtForward, Entry, TransactionPosted
from forebay.core.money.price_lists import ApplyPriceList, Price, PriceList, PriceListApplied
from forebay.core.money.rates import Rate, apply_prices, price, refuse_unpriced
from forebay.core.money.rating import Books, hours, hours_of, tranche_rate, unused_paid
from forebay.core.money.state import EVENTS, State, apply, check, dues, meant, start_period

__all__ = [
    "EVENTS",
    "RATING",
    "ApplyPriceList",
    "BalancesOpened",
    "Books",
    "BroughtForward",
    "CloseBillingPeriod",
    "Entry",
    "InvoiceIssued",
    "Line",
    "Price",
    "PriceList",
    "PriceListApplied",
    "Rate",
    "State",
    "TransactionPosted",
    "apply",
    "apply_prices",
    "check",
    "close",
    "dues",
    "hours",
    "hours_of",
    "meant",
    "open_books",
    "price",
    "refuse_unpriced",
    "start_period",
    "tranche_rate",
    "unused_paid",
]
