"""A period is closed: its lines become invoices, and each invoice is posted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from forebay.core import claims, supply, usage
from forebay.core.ids import Answer, Command, InvoiceId, Refusal, TenantId, TrancheId
from forebay.core.money.credit_notes import CreditedLine
from forebay.core.money.credits import credit_lines, fees, given_of
from forebay.core.money.drawing import drawn_lines
from forebay.core.money.due_dates import due_date
from forebay.core.money.energy_lines import energy_lines
from forebay.core.money.invoices import RATING, TAX, InvoiceIssued, Line
from forebay.core.money.late_interest import interest_lines
from forebay.core.money.late_lines import late_lines
from forebay.core.money.ledger import (
    BalancesOpened,
    BroughtForward,
    Entry,
    opened_item,
)
from forebay.core.money.posting import post
from forebay.core.money.prepaid import DEPOSITED, DRAWN, LIABILITIES, PREPAID, Advance
from forebay.core.money.rating import Books, rated_lines
from forebay.core.money.right_fees import right_lines
from forebay.core.money.state import State
from forebay.core.money.taxing import tax_lines
from forebay.core.money.true_ups import true_up_lines
from forebay.core.timeline import Interval
from forebay.core.units import decimal_text, micros_to_minor, minor_to_micros

#: A security and interest are no supply: nothing is taxed of them.
_UNTAXED = (DEPOSITED, "late_interest")
#: Lines of what is paid ahead are posted to a liability to the tenant.
_AHEAD = {PREPAID: Advance.PREPAYMENT, DRAWN: Advance.PREPAYMENT, DEPOSITED: Advance.DEPOSIT}
#: Where lines of a kind are posted; all others are revenue of their tier.
_ACCOUNTS = {
    "late_interest": "revenue:late_interest",
    "lending_share": "expense:lending_share",
    "rounding": "rounding",
    "service_credit": "revenue:service_credits",
    "late_discount": "revenue:late_discounts",
    "late_damages": "expense:late_damages",
    "commitment_true_up": "revenue:commitments",
    "energy": "revenue:energy",
    "right_premium": "revenue:rights",
    "right_exercise": "revenue:rights",
}


@dataclass(slots=True)
class CloseBillingPeriod(Command):
    """Close the open period now and issue its invoices."""

    reason: str


def close(books: Books, reason: str, at: int, emit: supply.Emit) -> Answer | Refusal:
    """Close the open period at `at`: meters, an invoice for each seller, tenant and currency, and its posting.

    Refuses: empty_period.
    """
    if at <= books.usage.period_start:
        return Refusal("empty_period", "the period that is open has only just begun")
    closed = usage.close_period(books.usage, books.supply, reason, at, emit)
    bills: dict[tuple[str, TenantId, str], list[Line]] = {}
    rated = list(rated_lines(books, closed))
    lines = [line for _, line in rated]
    more = (*energy_lines(books, rated), *_remedies(books, closed, lines), *_agreed(books, closed, lines))
    # Last: what is charged for lateness changes what is known of it.
    for contract, line in (*rated, *more, *list(interest_lines(books, closed, emit))):
        bills.setdefault((contract.seller, contract.tenant, contract.currency), []).append(line)
    for own in bills.values():
        own.extend(list(drawn_lines(books, closed, own)))
    issued = [
        issue_bill(books.money, closed, bill, bills[bill], due_date(books.claims, bills[bill], at), emit)
        for bill in sorted(bills)
    ]
    return {"start": closed.start, "end": closed.end, "invoices": issued}


def _remedies(
    books: Books, closed: usage.PeriodClosed, lines: list[Line]
) -> Iterator[tuple[claims.ContractPlan, Line]]:
    """What the customer has for what it did not get, in the order of its contract."""
    given = given_of(books.money, books.claims)
    billed = fees(lines, Interval(0, closed.end))
    yield from late_lines(books, closed, billed, given, before_credits=True)
    yield from credit_lines(books, closed, lines, given)
    yield from late_lines(books, closed, billed, given, before_credits=False)


def _agreed(
    books: Books, closed: usage.PeriodClosed, lines: list[Line]
) -> Iterator[tuple[claims.ContractPlan, Line]]:
    """What is owed beside use and remedies."""
    yield from right_lines(books, closed)
    yield from true_up_lines(books, closed, lines)


def next_invoice(state: State) -> InvoiceId:
    """What the next invoice is called."""
    return InvoiceId(f"INV-{len(state.invoices) + 1:06d}")


def issue_bill(
    state: State,
    closed: usage.PeriodClosed,
    bill: tuple[str, TenantId, str],
    lines: list[Line],
    due_at: int,
    emit: supply.Emit,
) -> InvoiceId:
    """Number the invoice, add the rounding line and taxes, issue it and post it."""
    seller, tenant, currency = bill
    invoice = next_invoice(state)
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
    taxes = state.taxes.get(tenant, ())
    net_minor = total_minor - sum(line.amount_minor for line in lines if line.kind in _UNTAXED)
    lines = [*lines, *tax_lines(taxes, tenant, currency, net_minor, lines, closed.end)]
    total_minor = sum(line.amount_minor for line in lines)
    charges = sum(line.amount_minor for line in lines if line.amount_minor > 0)
    credit = -sum(line.amount_minor for line in lines if line.amount_minor < 0)
    emit(
        InvoiceIssued(
            invoice, seller, state.numbers.get(seller, 0) + 1, tenant, currency, closed.start, closed.end,
            tuple(lines), charges, credit, charges - credit, RATING, state.forward.get(bill, ()), due_at,
        )
    )  # fmt: skip
    entries = entries_of(tenant, currency, lines, total_minor)
    if entries:
        # The last instant of the period: intervals are half-open, its end is the next one's beginning.
        post(state, currency, closed.end - 1, entries, f"invoice {invoice}", emit, invoice)
    return invoice


def reissue(books: Books, void: InvoiceIssued, at: int, emit: supply.Emit) -> InvoiceId:
    """The lines of an invoice that became void, under a new number and due from now: posted now, for its period is
    closed.
    """
    state = books.money
    invoice = next_invoice(state)
    emit(
        replace(
            void, invoice=invoice, number=state.numbers.get(void.seller, 0) + 1, brought_forward=(),
            due_at=due_date(books.claims, void.lines, at), replaces=void.invoice,
        )
    )  # fmt: skip
    entries = entries_of(void.tenant, void.currency, void.lines, void.total_minor)
    if entries:
        text = f"invoice {invoice}, in the place of {void.invoice}"
        post(state, void.currency, at, entries, text, emit, invoice)
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
    entries = [
        Entry(each.account, each.amount_micros, opened_item(each) if each.number else "") for each in told
    ]
    equity = Entry("equity:opening", -sum(entry.amount_micros for entry in entries))
    posted = tuple(entry for entry in (*entries, equity) if entry.amount_micros)
    post(state, plan.currency, opening.at, posted, f"opening of contract {plan.id}", emit)


def account_of(line: Line | CreditedLine, tenant: TenantId) -> str:
    """Where a line of an invoice to a tenant is posted."""
    if line.kind in _AHEAD:
        return f"{LIABILITIES[_AHEAD[line.kind]]}{tenant}"
    if line.kind == TAX:
        return f"tax:{line.clause.removeprefix('taxes[').removesuffix(']')}"
    return _ACCOUNTS.get(line.kind) or f"revenue:{line.tier}"


def entries_of(tenant: TenantId, currency: str, lines: Sequence[Line], total_minor: int) -> tuple[Entry, ...]:
    """Receivable against revenue by tier, exact; what rounding the total made or lost goes to its own account."""
    total_micros = minor_to_micros(total_minor, currency)
    accounts: dict[str, int] = {f"receivable:{tenant}": total_micros}
    for line in lines:
        account = account_of(line, tenant)
        accounts[account] = accounts.get(account, 0) - line.amount_micros
    accounts["rounding"] = accounts.get("rounding", 0) - sum(accounts.values())
    return tuple(Entry(account, micros) for account, micros in accounts.items() if micros)
