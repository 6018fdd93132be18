"""What it is worth: price lists, period close, invoices whose lines explain themselves, and a double-entry ledger.

What money depends on is recorded, not derived: closing a period emits the invoices and postings as events that hold
results, and replay never rates again. Every amount is a Python integer in micro-units of its currency. A line is an
exact quantity times a price, rounded once, half-even, to micro-units; the invoice rounds each line once to the
currency's minor unit and shows the difference on a line of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from forebay.core import claims, supply, timeline, usage
from forebay.core.ids import (
    Answer,
    Command,
    ContractId,
    Event,
    InvoiceId,
    Refusal,
    SkuId,
    TenantId,
    TrancheId,
)
from forebay.core.placements.gang import Tier
from forebay.core.timeline import Due, Dues
from forebay.core.units import (
    HOUR_US,
    MINOR_DIGITS,
    decimal_text,
    divide_half_even,
    gpu_time_cost_micros,
    micros_to_minor,
    minor_to_micros,
)

#: Version of the rules by which lines are made; recorded with every invoice.
RATING = 1


@dataclass(slots=True)
class Price:
    """A price for use without a claim, micro-units per GPU-hour."""

    tier: Tier
    sku: SkuId
    price_micros_per_gpu_hour: int


@dataclass(slots=True)
class PriceList:
    """What use on demand and on spot costs from `effective_at` on."""

    version: int
    currency: str
    effective_at: int
    prices: tuple[Price, ...]


# Commands


@dataclass(slots=True)
class ApplyPriceList(Command):
    """These prices are to hold from their date on; a list with a date in the past holds from now on."""

    prices: PriceList


@dataclass(slots=True)
class CloseBillingPeriod(Command):
    """Close the open period now and issue its invoices."""

    reason: str


# Events


@dataclass(slots=True)
class PriceListApplied(Event):
    """A price list is known; it holds from its date on."""

    prices: PriceList


class Line(NamedTuple):
    """One line of an invoice: an exact quantity times a price, and why."""

    #: "dedicated", "on_demand", "spot", "lending_share", "correction" or "rounding".
    kind: str
    contract: ContractId
    contract_version: int
    #: Where the price stands ("tranches[t1].price", "price list 1: spot gb300").
    clause: str
    claim: TrancheId
    sku: str
    site: str
    segment: int
    start: int
    end: int
    #: GPU-microseconds billed; a share or a rounding has none.
    gpu_us: int
    #: Energy behind it, watt-microseconds, from the SKU's profile; not billed.
    watt_us: int
    price_micros_per_gpu_hour: int
    #: Rounded once, half-even, to micro-units.
    amount_micros: int
    #: Rounded once to the minor unit of the currency.
    amount_minor: int
    #: The sum in words.
    text: str


@dataclass(slots=True)
class InvoiceIssued(Event):
    """An invoice as it was issued, whole: this is the invoice, and it is never made again."""

    invoice: InvoiceId
    tenant: TenantId
    currency: str
    start: int
    end: int
    lines: tuple[Line, ...]
    charges_minor: int
    credits_minor: int
    total_minor: int
    rating: int


class Entry(NamedTuple):
    """One side of a transaction: a debit is positive, a credit negative."""

    account: str
    amount_micros: int


@dataclass(slots=True)
class TransactionPosted(Event):
    """A double entry that sums to zero."""

    transaction: str
    currency: str
    effective_at: int
    entries: tuple[Entry, ...]
    text: str


# State


@dataclass(slots=True)
class State:
    """Price lists, issued invoices and account balances."""

    price_lists: dict[int, PriceList] = field(default_factory=dict)
    #: Price lists that hold or held, with the instant from which they did; segment 0 is before the first.
    held_since: dict[int, int] = field(default_factory=dict)
    invoices: dict[InvoiceId, InvoiceIssued] = field(default_factory=dict)
    #: (account, currency) -> balance in micro-units, debit positive.
    balances: dict[tuple[str, str], int] = field(default_factory=dict)
    transactions: int = 0
    #: When the open period ends by the calendar.
    period_end: int = 0

    def fork(self) -> State:
        """A copy whose containers are its own."""
        return State(
            self.price_lists.copy(), self.held_since.copy(), self.invoices.copy(), self.balances.copy(),
            self.transactions, self.period_end,
        )  # fmt: skip


class Books(NamedTuple):
    """What rating reads: the stages below, at the close."""

    money: State
    usage: usage.State
    claims: claims.State
    supply: supply.State


# Decisions


def apply_prices(state: State, command: ApplyPriceList, at: int, emit: supply.Emit) -> Answer | Refusal:
    """Learn a price list. Refuses: prices_differ, price_version, unknown_currency, bad_price, duplicate_price."""
    prices = command.prices
    known = state.price_lists.get(prices.version)
    if known is not None and _same(known, prices):
        return {"version": prices.version, "changed": False}
    if known is not None:
        return Refusal(
            "prices_differ",
            f"price list {prices.version} is known with other prices; give it a new version",
            "version",
        )
    newest = max(state.price_lists, default=0)
    if prices.version <= newest:
        return Refusal(
            "price_version", f"versions only grow: above {newest} is meant, not {prices.version}", "version"
        )
    if prices.currency not in MINOR_DIGITS:
        return Refusal(
            "unknown_currency",
            f"currency {prices.currency} is not one of {', '.join(MINOR_DIGITS)}",
            "currency",
        )
    seen: set[tuple[Tier, SkuId]] = set()
    for place, price in enumerate(prices.prices):
        if (
            not 0 <= price.price_micros_per_gpu_hour <= claims.PRICE_MICROS_MAX
            or price.tier is Tier.DEDICATED
        ):
            return Refusal("bad_price", "prices are for on_demand and spot, from 0 up", f"prices[{place}]")
        if (price.tier, price.sku) in seen:
            return Refusal("duplicate_price", f"{price.tier} {price.sku} has two prices", f"prices[{place}]")
        seen.add((price.tier, price.sku))
    emit(PriceListApplied(prices))
    if prices.effective_at <= at:
        emit(usage.PriceSegmentStarted(prices.version))
    return {"version": prices.version, "changed": True}


def _same(known: PriceList, other: PriceList) -> bool:
    """The same list; one that took effect at once has no date of its own to compare."""
    return (known.currency, known.prices) == (other.currency, other.prices) and (
        known.effective_at == other.effective_at or other.effective_at == 0
    )


def price(state: State, segment: int, tier: Tier, sku: SkuId, currency: str) -> int | None:
    """Micro-units per GPU-hour in a price segment; None where the list has no such price in that currency."""
    prices = state.price_lists.get(segment)
    if prices is None or prices.currency != currency:
        return None
    for entry in prices.prices:
        if entry.tier is tier and entry.sku == sku:
            return entry.price_micros_per_gpu_hour
    return None


def refuse_unpriced(
    state: State, used: usage.State, contract: claims.ContractPlan, tier: Tier, sku: SkuId
) -> Refusal | None:
    """Work that could not be billed is not taken in."""
    if price(state, used.spans[-1].segment, tier, sku, contract.currency) is None:
        return Refusal(
            "no_price", f"the price list in force has no {tier} price for {sku} in {contract.currency}", "sku"
        )
    return None


def close(books: Books, at: int, emit: supply.Emit) -> Answer | Refusal:
    """Close the open period at `at`: meters, one invoice a tenant, postings. Refuses: empty_period."""
    if at <= books.usage.period_start:
        return Refusal("empty_period", "the period that is open has only just begun")
    closed = usage.close_period(books.usage, books.supply, at, emit)
    by_tenant: dict[TenantId, list[Line]] = {}
    for tranche in closed.tranches:
        line = _tranche_line(books, closed, tranche)
        by_tenant.setdefault(books.claims.tranches[tranche.tranche].tenant, []).append(line)
    for metered in closed.lines:
        if metered.key.tier is Tier.DEDICATED:
            continue
        by_tenant.setdefault(metered.key.tenant, []).append(_use_line(books, closed, metered))
        if metered.key.lender:
            share = _share_line(books, closed, metered)
            by_tenant.setdefault(books.claims.tranches[metered.key.lender].tenant, []).append(share)
    issued = []
    for tenant in sorted(by_tenant):
        for currency in sorted({_currency(books, line) for line in by_tenant[tenant]}):
            lines = [line for line in by_tenant[tenant] if _currency(books, line) == currency]
            issued.append(_issue(books, closed, tenant, currency, lines, emit))
    return {"start": closed.start, "end": closed.end, "invoices": issued}


def _currency(books: Books, line: Line) -> str:
    return books.claims.contracts[line.contract].currency


def _tranche_line(books: Books, closed: usage.PeriodClosed, line: usage.TrancheLine) -> Line:
    """Take-or-pay: what was deliverable is paid, used or not; what was not deliverable is not."""
    tranche = books.claims.tranches[line.tranche]
    contract = books.claims.contracts[tranche.contract]
    billed_us = line.entitled_us - line.undeliverable_us
    rate = tranche.plan.price_micros_per_gpu_hour
    text = (
        f"{tranche.gpus} GPUs dedicated: {hours(line.entitled_us)} GPU-h entitled - {hours(line.undeliverable_us)} "
        f"undeliverable = {hours(billed_us)} GPU-h x {decimal_text(rate)}; used {hours(line.used_us)}, "
        f"lent {hours(line.lent_us)}, idle {hours(line.idle_us)}"
    )
    # A tranche that was signed after its term began is entitled from then on.
    end = min(closed.end, tranche.plan.end_at)
    start = end - line.entitled_us // tranche.gpus
    watt_us = sum(
        used.watt_us
        for used in closed.lines
        if used.key.tier is Tier.DEDICATED and used.key.claim == line.tranche
    )
    return _line(
        "dedicated", contract, f"tranches[{line.tranche}].price_per_gpu_hour", line.tranche, tranche.plan.sku,
        tranche.plan.site, 0, start, end, billed_us, watt_us, rate, gpu_time_cost_micros(billed_us, rate), text,
    )  # fmt: skip


def _rate(books: Books, line: usage.UsageLine) -> tuple[claims.ContractPlan, int, int]:
    """The contract, the price list and the price of a line: the list in force, or if that has no such price any more,
    the last before it that had; the work was taken in by one of them.
    """
    key = line.key
    contract = claims.contract_for(books.claims, key.tenant, spot=key.tier is Tier.SPOT)
    assert contract is not None, "use without a contract is never taken in"
    held = list(books.money.held_since)
    for version in reversed(held[: held.index(line.segment) + 1]):
        rate = price(books.money, version, key.tier, key.sku, contract.currency)
        if rate is not None:
            return contract, version, rate
    raise AssertionError(f"use without a price is never taken in: {key}")


def _use_line(books: Books, closed: usage.PeriodClosed, line: usage.UsageLine) -> Line:
    """Use on demand or on spot, at the list that was in force."""
    contract, version, rate = _rate(books, line)
    late = line.period_start != closed.start
    tier = "spot" if line.key.tier is Tier.SPOT else "on demand"
    starts = f"{line.starts} start{'s' if line.starts != 1 else ''}"
    text = f"{tier}: {hours(line.gpu_us)} GPU-h x {decimal_text(rate)} ({starts})"
    if late:
        text = f"correction of the period from {timeline.text(line.period_start)}: {text}"
    clause = f"price list {version}: {line.key.tier} {line.key.sku}"
    # Whose idle capacity it ran on is another tenant's affair: the line does not say.
    return _line(
        "correction" if late else line.key.tier.value, contract, clause, TrancheId(""), line.key.sku, line.key.site,
        line.segment, closed.start, closed.end, line.gpu_us, line.watt_us, rate,
        gpu_time_cost_micros(line.gpu_us, rate), text,
    )  # fmt: skip


def _share_line(books: Books, closed: usage.PeriodClosed, line: usage.UsageLine) -> Line:
    """The owner's share of what a borrower of its idle capacity pays; a credit."""
    tranche = books.claims.tranches[line.key.lender]
    contract = books.claims.contracts[tranche.contract]
    lending = tranche.plan.lending
    assert lending is not None, "a tranche that does not lend has no borrowers"
    _, _, rate = _rate(books, line)
    share_micros = divide_half_even(line.gpu_us * rate * lending.owner_share_ppm, HOUR_US * claims.PPM)
    percent = decimal_text(lending.owner_share_ppm * 100)
    text = f"share of lending: {hours(line.gpu_us)} GPU-h lent x {decimal_text(rate)} x {percent} %"
    return _line(
        "lending_share", contract, f"tranches[{line.key.lender}].lending.owner_share", line.key.lender, line.key.sku,
        line.key.site, line.segment, closed.start, closed.end, 0, 0, rate, -share_micros, text,
    )  # fmt: skip


def _line(
    kind: str, contract: claims.ContractPlan, clause: str, claim: TrancheId, sku: str, site: str, segment: int,
    start: int, end: int, gpu_us: int, watt_us: int, rate: int, amount_micros: int, text: str,
) -> Line:  # fmt: skip
    minor = micros_to_minor(amount_micros, contract.currency)
    return Line(
        kind, contract.id, contract.version, clause, claim, sku, site, segment, start, end, gpu_us, watt_us, rate,
        amount_micros, minor, text,
    )  # fmt: skip


def _issue(
    books: Books,
    closed: usage.PeriodClosed,
    tenant: TenantId,
    currency: str,
    lines: list[Line],
    emit: supply.Emit,
) -> InvoiceId:
    """Number the invoice, add the rounding line, issue it and post it."""
    number = InvoiceId(f"INV-{len(books.money.invoices) + 1:06d}")
    exact_micros = sum(line.amount_micros for line in lines)
    total_minor = micros_to_minor(exact_micros, currency)
    difference = total_minor - sum(line.amount_minor for line in lines)
    if difference:
        first = lines[0]
        text = f"lines are rounded one by one; exactly they sum to {decimal_text(exact_micros)}"
        lines = [
            *lines,
            Line("rounding", first.contract, first.contract_version, "rounding", TrancheId(""), "", "", 0,
                 closed.start, closed.end, 0, 0, 0, 0, difference, text),
        ]  # fmt: skip
    charges = sum(line.amount_minor for line in lines if line.amount_minor > 0)
    credit = -sum(line.amount_minor for line in lines if line.amount_minor < 0)
    start = min(line.start for line in lines)
    emit(
        InvoiceIssued(
            number,
            tenant,
            currency,
            start,
            closed.end,
            tuple(lines),
            charges,
            credit,
            charges - credit,
            RATING,
        )
    )
    entries = _entries(tenant, currency, lines, total_minor)
    if entries:
        transaction = f"T{books.money.transactions + 1:06d}"
        emit(TransactionPosted(transaction, currency, closed.end, entries, f"invoice {number}"))
    return number


def _entries(tenant: TenantId, currency: str, lines: list[Line], total_minor: int) -> tuple[Entry, ...]:
    """Receivable against revenue by kind, exact; what rounding the total made or lost goes to its own account."""
    total_micros = minor_to_micros(total_minor, currency)
    accounts: dict[str, int] = {f"receivable:{tenant}": total_micros}
    for line in lines:
        account = "expense:lending_share" if line.kind == "lending_share" else f"revenue:{line.kind}"
        accounts[account] = accounts.get(account, 0) - line.amount_micros
    accounts["rounding"] = -sum(accounts.values())
    return tuple(Entry(account, micros) for account, micros in accounts.items() if micros)


def hours(gpu_us: int) -> str:
    """GPU-microseconds as GPU-hours with six places, for people."""
    return decimal_text(divide_half_even(gpu_us * 1_000_000, HOUR_US))


# Time


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
        case InvoiceIssued():
            state.invoices[event.invoice] = event
        case TransactionPosted():
            state.transactions += 1
            for entry in event.entries:
                mark = (entry.account, event.currency)
                state.balances[mark] = state.balances.get(mark, 0) + entry.amount_micros


def start_period(state: State, heap: Dues, start: int) -> None:
    """The open period ends with the UTC calendar month that holds its start, unless it is closed before."""
    state.period_end = timeline.month_end(start)
    heap.push(Due(state.period_end, "period", "", 0))


def _price_due(prices: PriceList) -> Due:
    """Of two lists with one date the higher version comes last, and holds."""
    return Due(prices.effective_at, "prices", "", prices.version)


EVENTS: tuple[type[Event], ...] = (PriceListApplied, InvoiceIssued, TransactionPosted)


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
