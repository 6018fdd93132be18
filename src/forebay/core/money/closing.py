"""A period is closed: its lines become invoices, and each invoice is posted."""

from __future__ import annotations

from dataclasses import dataclass

from forebay.core import claims, supply, usage
from forebay.core.ids import Answer, Command, InvoiceId, Refusal, TenantId, TrancheId
from forebay.core.money.credits import credit_lines
from forebay.core.money.due_dates import due_date
from forebay.core.money.invoices import RATING, InvoiceIssued, Line
from forebay.core.money.ledger import (
    BalancesOpened,
    BroughtForward,
    Entry,
    TransactionPosted,
    opened_item,
)
from forebay.core.money.rating import Books, rated_lines
from forebay.core.money.state import State
from forebay.core.units import decimal_text, micros_to_minor, minor_to_micros

#: Where lines of a kind are posted; all others are revenue of their tier.
_ACCOUNTS = {"lending_share": "expense:lending_share", "service_credit": "revenue:service_credits"}


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
    for contract, line in (*rated, *credit_lines(books, closed, [line for _, line in rated])):
        bills.setdefault((contract.seller, contract.tenant, contract.currency), []).append(line)
    issued = [
        _issue(books.money, closed, bill, bills[bill], due_date(books.claims, bills[bill], at), emit)
        for bill in sorted(bills)
    ]
    return {"start": closed.start, "end": closed.end, "invoices": issued}


def _issue(
    state: State,
    closed: usage.PeriodClosed,
    bill: tuple[str, TenantId, str],
    lines: list[Line],
    due_at: int,
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
            tuple(lines), charges, credit, charges - credit, RATING, state.forward.get(bill, ()), due_at,
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
    entries = [
        Entry(each.account, each.amount_micros, opened_item(each) if each.number else "") for each in told
    ]
    equity = Entry("equity:opening", -sum(entry.amount_micros for entry in entries))
    posted = tuple(entry for entry in (*entries, equity) if entry.amount_micros)
    transaction = f"T{state.transactions + 1:06d}"
    emit(TransactionPosted(transaction, plan.currency, opening.at, posted, f"opening of contract {plan.id}"))


def _entries(tenant: TenantId, currency: str, lines: list[Line], total_minor: int) -> tuple[Entry, ...]:
    """Receivable against revenue by tier, exact; what rounding the total made or lost goes to its own account."""
    total_micros = minor_to_micros(total_minor, currency)
    accounts: dict[str, int] = {f"receivable:{tenant}": total_micros}
    for line in lines:
        account = _ACCOUNTS.get(line.kind) or f"revenue:{line.tier}"
        accounts[account] = accounts.get(account, 0) - line.amount_micros
    accounts["rounding"] = -sum(accounts.values())
    return tuple(Entry(account, micros) for account, micros in accounts.items() if micros)
