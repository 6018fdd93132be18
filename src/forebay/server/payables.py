"""What are we to pay? Contracts in which we are the customer, a month at a time, by what both sides know."""

from __future__ import annotations

from forebay.core import money, timeline, units
from forebay.core.claims import entitlements
from forebay.core.ids import ContractId
from forebay.core.timeline import Interval
from forebay.core.world import World
from forebay.server import amounts, availability, focusing, problems
from forebay.server.payable_bodies import PayableBody, PayablesBody


def payables(world: World, name: str, month: str, at: int) -> PayablesBody:
    """A month of a contract that we rent by; "" for the one that `at` lies in.

    Raises `problems.Failure`: bad_parameter, not_found.
    """
    focusing.check_month(month)
    claimed = world.state.claims
    if ContractId(name) not in claimed.rented.contracts:
        sold = " (we are its seller: see its invoices)" if ContractId(name) in claimed.contracts else ""
        raise problems.Failure("not_found", f"there is no contract {name} in which we are the customer{sold}")
    since = availability.month_begins(month) if month else at
    period = Interval(timeline.month_start(since), timeline.month_end(since))
    told = Interval(period.start, max(period.start, min(period.end, at)))
    book = entitlements.book_of(claimed, ContractId(name))
    assert book is not None, "what is rented has a book"
    lines = money.payable_lines(book, world.state.supply, claimed.indices, told, at)
    currency = book.plan.currency
    total = sum(units.micros_to_minor(line.amount_micros, currency) for line in lines)
    return {
        "contract": name,
        "version": book.plan.version,
        "seller": book.plan.seller,
        "tenant": book.plan.tenant,
        "currency": currency,
        "start": amounts.when(period.start),
        "end": amounts.when(period.end),
        "over": period.end <= at,
        "lines": [_line(line, currency) for line in lines],
        "total": amounts.minor(total, currency),
    }


def _line(line: money.PayableLine, currency: str) -> PayableBody:
    return {
        "tranche": line.tranche,
        "clause": line.clause,
        "sku": line.sku,
        "site": line.site,
        "start": amounts.when(line.start),
        "end": amounts.when(line.end),
        "gpu_us": line.gpu_us,
        "gpu_hours": amounts.gpu_hour_text(line.gpu_us),
        "price_per_gpu_hour": amounts.exact(line.price_micros_per_gpu_hour, currency),
        "reason": line.reason,
        "take_or_pay": f"{units.decimal_text(line.take_or_pay_ppm * 100)} %",
        "exact": amounts.exact(line.amount_micros, currency),
        "amount": amounts.minor(units.micros_to_minor(line.amount_micros, currency), currency),
    }
