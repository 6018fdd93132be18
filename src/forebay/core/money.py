"""What it is worth: price lists, period close, invoices whose lines explain themselves, and a double-entry ledger.

What money depends on is recorded, not derived: closing a period emits the invoices and postings as events that hold
results, and replay never rates again. Every amount is a Python integer in micro-units of its currency. A line is an
exact quantity times a price, rounded once, half-even, to micro-units; the invoice rounds each line once to the
currency's minor unit and shows the difference on a line of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from forebay.core import claims, supply, timeline, usage
from forebay.core.books import TrancheBook
from forebay.core.claims import prices as pricing
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


@dataclass(slots=True)
class Line:
    """One line of an invoice: an exact quantity times a price, and why."""

    #: "dedicated", "on_demand", "spot", "lending_share", "correction" or "rounding".
    kind: str
    contract: ContractId
    contract_version: int
    #: Where the price stands ("tranches[t1].price_per_gpu_hour", "price list 1: spot gb300").
    clause: str
    claim: TrancheId
    #: None for a rounding.
    tier: Tier | None
    sku: str
    site: str
    #: Price list that it is billed at; 0 for a contract's own price.
    price_version: int
    #: When the use was; a correction's is before the invoice's period.
    start: int
    end: int
    #: Places in `PeriodClosed.lines` and `.tranches` of what it was made from; -1 for none.
    source_line: int = -1
    source_tranche: int = -1
    #: GPU-microseconds billed; a share or a rounding has none.
    gpu_us: int = 0
    #: Energy behind it in microjoules, from the SKU's profile; not billed.
    energy_uj: int = 0
    price_micros_per_gpu_hour: int = 0
    #: Rounded once, half-even, to micro-units.
    amount_micros: int = 0
    #: Rounded once to the minor unit of the currency.
    amount_minor: int = 0
    #: The sum in words.
    text: str = ""


@dataclass(slots=True)
class BroughtForward:
    """A balance of a contract at its cutover; a debit is positive, a credit negative."""

    contract: ContractId
    at: int
    account: str
    amount_micros: int
    #: The invoice of before that it is of; "" for none.
    number: str = ""
    #: By when it is to be paid; 0 where that is not said.
    due_at: int = 0


@dataclass(slots=True)
class BalancesOpened(Event):
    """The books of a contract that ran already begin with these balances; its tenant's next invoice shows them."""

    seller: str
    tenant: TenantId
    currency: str
    balances: tuple[BroughtForward, ...]


@dataclass(slots=True)
class InvoiceIssued(Event):
    """An invoice as it was issued, whole: this is the invoice, and it is never made again."""

    invoice: InvoiceId
    seller: str
    #: Counts each seller's invoices from 1, without a gap.
    number: int
    tenant: TenantId
    currency: str
    start: int
    end: int
    lines: tuple[Line, ...]
    charges_minor: int
    credits_minor: int
    total_minor: int
    rating: int
    #: What was brought forward since the last invoice; no part of the total.
    brought_forward: tuple[BroughtForward, ...] = ()


@dataclass(slots=True)
class Entry:
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
    #: The invoice it posts; "" for none.
    invoice: InvoiceId = InvoiceId("")


# State


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

    def fork(self) -> State:
        """A copy whose containers are its own."""
        return State(
            self.price_lists.copy(), self.held_since.copy(), self.invoices.copy(), self.numbers.copy(),
            self.balances.copy(), self.transactions, self.period_end, self.forward.copy(),
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
    # A list without a date, or with one that is past, holds from now on.
    emit(PriceListApplied(replace(prices, effective_at=max(at, prices.effective_at))))
    if prices.effective_at <= at:
        emit(usage.PriceSegmentStarted(prices.version))
    return {"version": prices.version, "changed": True}


def _same(known: PriceList, other: PriceList) -> bool:
    """The same list; one that took effect at once has no date of its own to compare."""
    return (known.currency, known.prices) == (other.currency, other.prices) and (
        known.effective_at == other.effective_at or other.effective_at == 0
    )


class Rate(NamedTuple):
    """A price per GPU-hour in micro-units, and the price list that it stands in."""

    version: int
    micros: int


def price(state: State, segment: int, tier: Tier, sku: SkuId, currency: str) -> Rate | None:
    """What holds in a price segment: the price of the last list, up to it, that has such a one in that currency."""
    held = list(state.held_since)
    for version in reversed(held[: held.index(segment) + 1] if segment in held else []):
        prices = state.price_lists[version]
        for entry in prices.prices if prices.currency == currency else ():
            if entry.tier is tier and entry.sku == sku:
                return Rate(version, entry.price_micros_per_gpu_hour)
    return None


def refuse_unpriced(
    state: State, used: usage.State, contract: claims.ContractPlan, tier: Tier, sku: SkuId
) -> Refusal | None:
    """Work that could not be billed is not taken in."""
    if price(state, used.spans[-1].segment, tier, sku, contract.currency) is None:
        return Refusal(
            "no_price", f"no price list in force has a price for {sku} {tier} in {contract.currency}", "sku"
        )
    return None


def close(books: Books, reason: str, at: int, emit: supply.Emit) -> Answer | Refusal:
    """Close the open period at `at`: meters, an invoice for each seller, tenant and currency, and its posting.

    Refuses: empty_period.
    """
    if at <= books.usage.period_start:
        return Refusal("empty_period", "the period that is open has only just begun")
    closed = usage.close_period(books.usage, books.supply, reason, at, emit)
    bills: dict[tuple[str, TenantId, str], list[Line]] = {}
    for contract, line in _lines(books, closed):
        bills.setdefault((contract.seller, contract.tenant, contract.currency), []).append(line)
    issued = [_issue(books.money, closed, bill, bills[bill], emit) for bill in sorted(bills)]
    return {"start": closed.start, "end": closed.end, "invoices": issued}


def _lines(books: Books, closed: usage.PeriodClosed) -> Iterator[tuple[claims.ContractPlan, Line]]:
    """Every line of the period with the contract it is billed under."""
    unused = unused_paid(books.claims, books.usage, closed.tranches, told=True)
    for place, tranche in enumerate(closed.tranches):
        if tranche.entitled_gpu_us or tranche.undeliverable_gpu_us or unused[place]:
            yield _tranche_line(books, closed, place, tranche, unused[place])
    for place, metered in enumerate(closed.lines):
        if metered.tier is Tier.DEDICATED:
            continue
        yield _use_line(books, closed, place, metered)
        if metered.lender:
            yield _share_line(books, closed, place, metered)


def unused_paid(
    claimed: claims.State, used: usage.State, lines: Sequence[usage.TrancheLine], *, told: bool
) -> list[int]:
    """GPU-microseconds that are paid though nobody used them, of each line of a tranche: of its whole period, and for
    a correction how many more, or fewer, than before. `told`: the books have these lines in them.
    """
    found = [0] * len(lines)
    periods: dict[tuple[TrancheId, int], list[int]] = {}
    for place, line in enumerate(lines):
        periods.setdefault((line.tranche, line.period_start), []).append(place)
    for places in periods.values():
        own = [lines[place] for place in places]
        before = pricing.unused_due(_piece(claimed, used, line, -1 if told else 0) for line in own)
        after = pricing.unused_due(_piece(claimed, used, line, 0 if told else 1) for line in own)
        for place, less, more in zip(places, before, after, strict=True):
            found[place] = more - less
    return found


def _piece(claimed: claims.State, used: usage.State, line: usage.TrancheLine, sign: int) -> pricing.Stretch:
    """All that the books know of what a line is about, with the line (1), without it (-1), or as they are (0)."""
    known = used.closed.get((line.tranche, line.since or line.period_start), TrancheBook(0, 0))
    deliverable = known.entitled_gpu_us - known.undeliverable_gpu_us
    deliverable += sign * (line.entitled_gpu_us - line.undeliverable_gpu_us)
    share_ppm = _stated(claimed, line).take_or_pay_ppm
    return pricing.Stretch(deliverable, known.used_gpu_us + sign * line.used_gpu_us, share_ppm)


def tranche_rate(claimed: claims.State, line: usage.TrancheLine) -> pricing.HourPrice:
    """What a GPU-hour of a line of a tranche costs, and why."""
    return pricing.rate(claimed.tranches[line.tranche].plan, _began(claimed, line), claimed.indices)


def _energy_uj(closed: usage.PeriodClosed, line: usage.TrancheLine) -> int:
    """Energy behind a line of a tranche: that of its period, shared by use where its price changed within."""
    own = (used for used in closed.lines if used.tier is Tier.DEDICATED and used.claim == line.tranche)
    energy_uj = sum(used.energy_uj for used in own if used.period_start == line.period_start)
    pieces = [
        each
        for each in closed.tranches
        if (each.tranche, each.period_start) == (line.tranche, line.period_start)
    ]
    used_us = sum(each.used_gpu_us for each in pieces) or 1
    shares = [energy_uj * each.used_gpu_us // used_us for each in pieces[:-1]]
    return (*shares, energy_uj - sum(shares))[pieces.index(line)]


def _began(claimed: claims.State, line: usage.TrancheLine) -> int:
    """From when on a line of a tranche is billed at its price."""
    tranche = claimed.tranches[line.tranche]
    # What ran already is billed from its cutover on, which may lie before the period that it was taken in in.
    taken_in = bool(tranche.opened_at) and tranche.started_at >= line.period_start
    since = line.since or (tranche.opened_at if taken_in else line.period_start)
    return max(since, tranche.opened_at or tranche.started_at)


def _stated(claimed: claims.State, line: usage.TrancheLine) -> claims.PriceStep:
    return pricing.price_at(claimed.tranches[line.tranche].plan, _began(claimed, line))


def _tranche_line(
    books: Books, closed: usage.PeriodClosed, place: int, line: usage.TrancheLine, unused_us: int
) -> tuple[claims.ContractPlan, Line]:
    """Take-or-pay: what was deliverable is paid, used or not, up to its share; what was not deliverable is not."""
    tranche, began_at = books.claims.tranches[line.tranche], _began(books.claims, line)
    contract = claims.contract_at(books.claims, tranche.contract, began_at)
    rate, reason = tranche_rate(books.claims, line)
    late = line.period_start != closed.start
    billed_us = line.used_gpu_us + unused_us
    share_ppm = _stated(books.claims, line).take_or_pay_ppm
    text = _tranche_text(_gpus_served(books, tranche), line, billed_us, unused_us, share_ppm, late)
    chip = tranche.plan.superchip_gpus
    if chip:
        much = f"{hours_of(abs(billed_us), chip)} superchip-h of {chip} GPUs"
        text = f"{text.removesuffix(',')} = {much} x {decimal_text(rate * chip)}"
    else:
        text += f" x {decimal_text(rate)}"
    text += f" ({reason})" if reason else ""
    if not late:
        text += f"; used {hours(line.used_gpu_us)}, lent {hours(line.lent_gpu_us)}, idle {hours(line.idle_gpu_us)}"
    start, end = _service(closed, line.period_start)
    if not late:
        # A tranche that was signed after its term began is entitled from then on, one that ran already when it was
        # taken in from the cutover on, one that is accepted from the start of billing on, one that was ended until
        # then.
        cuts = (
            each.since for each in closed.tranches if each.tranche == line.tranche and each.since > began_at
        )
        end = min(closed.end, tranche.ended_at or closed.end, *cuts)
        start = began_at
        billed_at = min((at for _, _, at in tranche.billed), default=tranche.started_at)
        if billed_at > tranche.started_at:
            start = max(start, billed_at)
    energy_uj = _energy_uj(closed, line)
    amount_micros = gpu_time_cost_micros(billed_us, rate)
    return contract, Line(
        "correction" if late else "dedicated", contract.id, contract.version,
        f"tranches[{line.tranche}].price_per_gpu_hour", line.tranche, Tier.DEDICATED, tranche.plan.sku,
        tranche.plan.site, 0, start, end, source_tranche=place, gpu_us=billed_us, energy_uj=energy_uj,
        price_micros_per_gpu_hour=rate, amount_micros=amount_micros,
        amount_minor=micros_to_minor(amount_micros, contract.currency),
        text=_corrected(closed, line.period_start, text),
    )  # fmt: skip


def _gpus_served(books: Books, tranche: claims.Tranche) -> str:
    """How many GPUs a tranche pays for: all that it has, or those that it accepted."""
    if tranche.plan.acceptance is None:
        return str(tranche.gpus)
    nodes = sum(count for _, count in claims.billed_runs(tranche))
    return f"{nodes * books.supply.skus[tranche.plan.sku].gpus_per_node} of {tranche.gpus}"


def _tranche_text(
    gpus: str, line: usage.TrancheLine, billed_us: int, unused_us: int, share_ppm: int, late: bool
) -> str:
    """How the hours of a tranche's line came about."""
    share = "" if share_ppm == claims.PPM else f" (take-or-pay {decimal_text(share_ppm * 100)} %)"
    if late:
        word = "undeliverable, and paid" if billed_us < 0 else "deliverable after all"
        return f"{hours(abs(billed_us))} GPU-h were {word}{share},"
    told = (
        f"{gpus} GPUs dedicated: {hours(line.entitled_gpu_us)} GPU-h entitled - "
        f"{hours(line.undeliverable_gpu_us)} undeliverable = "
    )
    if share_ppm == claims.PPM:
        return f"{told}{hours(billed_us)} GPU-h"
    return (
        f"{told}{hours(line.entitled_gpu_us - line.undeliverable_gpu_us)} GPU-h; {hours(line.used_gpu_us)} used + "
        f"{hours(unused_us)} unused{share} = {hours(billed_us)} GPU-h"
    )


def _use_line(
    books: Books, closed: usage.PeriodClosed, place: int, line: usage.UsageLine
) -> tuple[claims.ContractPlan, Line]:
    """Use on demand or on spot, at the list that was in force."""
    contract, version, rate = _rate(books, line)
    tier = "spot" if line.tier is Tier.SPOT else "on demand"
    starts = f"{line.starts} start{'s' if line.starts != 1 else ''}"
    text = f"{tier}: {hours(line.gpu_us)} GPU-h x {decimal_text(rate)} ({starts})"
    start, end = _service(closed, line.period_start)
    amount_micros = gpu_time_cost_micros(line.gpu_us, rate)
    # Whose idle capacity it ran on is another tenant's affair: the line does not say.
    return contract, Line(
        line.tier.value if line.period_start == closed.start else "correction", contract.id, contract.version,
        f"price list {version}: {line.tier} {line.sku}", TrancheId(""), line.tier, line.sku, line.site, version,
        start, end, source_line=place, gpu_us=line.gpu_us, energy_uj=line.energy_uj, price_micros_per_gpu_hour=rate,
        amount_micros=amount_micros, amount_minor=micros_to_minor(amount_micros, contract.currency),
        text=_corrected(closed, line.period_start, text),
    )  # fmt: skip


def _share_line(
    books: Books, closed: usage.PeriodClosed, place: int, line: usage.UsageLine
) -> tuple[claims.ContractPlan, Line]:
    """The owner's share of what a borrower of its idle capacity pays; a credit."""
    tranche = books.claims.tranches[line.lender]
    since = line.since or line.period_start
    contract = claims.contract_at(books.claims, tranche.contract, since)
    lending = claims.lending_at(tranche, since)
    assert lending is not None, "a tranche that does not lend has no borrowers"
    _, version, rate = _rate(books, line)
    share_micros = divide_half_even(line.gpu_us * rate * lending.owner_share_ppm, HOUR_US * claims.PPM)
    percent = decimal_text(lending.owner_share_ppm * 100)
    text = f"share of lending: {hours(line.gpu_us)} GPU-h lent x {decimal_text(rate)} x {percent} %"
    start, end = _service(closed, line.period_start)
    return contract, Line(
        "lending_share", contract.id, contract.version, f"tranches[{line.lender}].lending.owner_share",
        line.lender, Tier.SPOT, line.sku, line.site, version, start, end, source_line=place,
        price_micros_per_gpu_hour=rate, amount_micros=-share_micros,
        amount_minor=micros_to_minor(-share_micros, contract.currency),
        text=_corrected(closed, line.period_start, text),
    )  # fmt: skip


def _service(closed: usage.PeriodClosed, period_start: int) -> tuple[int, int]:
    """When a line's use was: in the period that is closed, or, for a correction, before it."""
    return (closed.start, closed.end) if period_start == closed.start else (period_start, closed.start)


def _corrected(closed: usage.PeriodClosed, period_start: int, text: str) -> str:
    return (
        text
        if period_start == closed.start
        else f"correction of the period from {timeline.text(period_start)}: {text}"
    )


def _rate(books: Books, line: usage.UsageLine) -> tuple[claims.ContractPlan, int, int]:
    """The contract, the price list and the price that a line is billed at."""
    since = line.since or line.period_start
    contract = claims.contract_of_use(books.claims, line.tenant, since, spot=line.tier is Tier.SPOT)
    assert contract is not None, "use without a contract is never taken in"
    found = price(books.money, line.segment, line.tier, line.sku, contract.currency)
    assert found is not None, "use without a price is never taken in"
    return contract, *found


def _issue(
    state: State,
    closed: usage.PeriodClosed,
    bill: tuple[str, TenantId, str],
    lines: list[Line],
    emit: supply.Emit,
) -> InvoiceId:
    """Number the invoice, add the rounding line, issue it and post it."""
    seller, tenant, currency = bill
    invoice = InvoiceId(f"INV-{len(state.invoices) + 1:06d}")
    exact_micros = sum(line.amount_micros for line in lines)
    total_minor = micros_to_minor(exact_micros, currency)
    difference = total_minor - sum(line.amount_minor for line in lines)
    if difference:
        first = lines[0]
        rounding = Line(
            "rounding", first.contract, first.contract_version, "rounding", TrancheId(""), None, "", "", 0,
            closed.start, closed.end, amount_minor=difference,
            text=f"lines are rounded one by one; exactly they sum to {decimal_text(exact_micros)}",
        )  # fmt: skip
        lines = [*lines, rounding]
    charges = sum(line.amount_minor for line in lines if line.amount_minor > 0)
    credit = -sum(line.amount_minor for line in lines if line.amount_minor < 0)
    emit(
        InvoiceIssued(
            invoice, seller, state.numbers.get(seller, 0) + 1, tenant, currency, closed.start, closed.end,
            tuple(lines), charges, credit, charges - credit, RATING, state.forward.get(bill, ()),
        )
    )  # fmt: skip
    entries = _entries(tenant, currency, lines, total_minor)
    if entries:
        transaction = f"T{state.transactions + 1:06d}"
        # The last instant of the period: intervals are half-open, its end is the next one's beginning.
        emit(TransactionPosted(transaction, currency, closed.end - 1, entries, f"invoice {invoice}", invoice))
    return invoice


def open_books(state: State, plan: claims.ContractPlan, opening: claims.Opening, emit: supply.Emit) -> None:
    """The balances of a contract that ran already, in one transaction against the equity that they come from."""
    balances = claims.opening.balances(opening, plan.tenant)
    owed = {f"receivable:{plan.tenant}": opening.invoices}
    told = []
    for account, micros in balances:
        invoices = owed.get(account, ())
        told += [
            BroughtForward(plan.id, opening.at, account, each.open_micros, each.number, each.due_at)
            for each in invoices
        ] or [BroughtForward(plan.id, opening.at, account, micros)]
    if not told:
        return
    emit(BalancesOpened(plan.seller, plan.tenant, plan.currency, tuple(told)))
    entries = [Entry(account, micros) for account, micros in balances]
    equity = Entry("equity:opening", -sum(entry.amount_micros for entry in entries))
    posted = tuple(entry for entry in (*entries, equity) if entry.amount_micros)
    transaction = f"T{state.transactions + 1:06d}"
    emit(TransactionPosted(transaction, plan.currency, opening.at, posted, f"opening of contract {plan.id}"))


def _entries(tenant: TenantId, currency: str, lines: list[Line], total_minor: int) -> tuple[Entry, ...]:
    """Receivable against revenue by tier, exact; what rounding the total made or lost goes to its own account."""
    total_micros = minor_to_micros(total_minor, currency)
    accounts: dict[str, int] = {f"receivable:{tenant}": total_micros}
    for line in lines:
        account = "expense:lending_share" if line.kind == "lending_share" else f"revenue:{line.tier}"
        accounts[account] = accounts.get(account, 0) - line.amount_micros
    accounts["rounding"] = -sum(accounts.values())
    return tuple(Entry(account, micros) for account, micros in accounts.items() if micros)


def hours(gpu_us: int) -> str:
    """GPU-microseconds as GPU-hours with six places, for people."""
    return hours_of(gpu_us, 1)


def hours_of(gpu_us: int, gpus: int) -> str:
    """The same as hours of something that has so many GPUs."""
    return decimal_text(divide_half_even(gpu_us * 1_000_000, HOUR_US * gpus))


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
        case BalancesOpened():
            bill = (event.seller, event.tenant, event.currency)
            state.forward[bill] = (*state.forward.get(bill, ()), *event.balances)
        case InvoiceIssued():
            state.forward.pop((event.seller, event.tenant, event.currency), None)
            state.invoices[event.invoice] = event
            state.numbers[event.seller] = event.number
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


EVENTS: tuple[type[Event], ...] = (PriceListApplied, BalancesOpened, InvoiceIssued, TransactionPosted)


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
