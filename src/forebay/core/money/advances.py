"""Deposits and prepayments fall due: they are billed by themselves, on their date or once their milestone is reached.

Each is an invoice of its own, to be paid on its date; for a milestone, so long after as fees are. It is posted as
receivable against a liability: nothing of it is revenue. What ran already when it was taken in brought along what it
had paid: what fell due before the cutover is not asked for again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from forebay.core import claims, supply, usage
from forebay.core.claims import falling_due, payments
from forebay.core.ids import Answer, ContractId, Event, Principal, Refusal, TenantId, TrancheId
from forebay.core.money.closing import issue_bill, next_invoice
from forebay.core.money.collecting import CASH
from forebay.core.money.drawing import has_run_out
from forebay.core.money.invoices import Line
from forebay.core.money.ledger import Entry
from forebay.core.money.posting import post
from forebay.core.money.prepaid import (
    DEPOSITED,
    LIABILITIES,
    PREPAID,
    Advance,
    AdvancePool,
    AheadRequested,
    AheadReturned,
    ReturnAhead,
    left_micros,
)
from forebay.core.money.rating import Books
from forebay.core.supply import blocks
from forebay.core.timeline import Due, Dues
from forebay.core.units import SECOND_US, decimal_text, micros_to_minor, minor_to_micros

#: What a due time of this module is called.
AHEAD = "ahead"


class Demand(NamedTuple):
    """A deposit or a prepayment of a contract that is not asked for yet."""

    what: Advance
    mark: str
    clause: str
    #: When it is to be asked for; for a milestone, since when it is reached.
    at: int
    #: So long after that it is to be paid.
    net_us: int
    micros: int
    text: str


def demands(books: Books, contract: ContractId, at: int) -> list[Demand]:
    """What a contract is to be asked for, by the version that holds at an instant, the earliest first. A milestone
    that is not reached has no date, and is not among them.
    """
    plan = claims.contract_at(books.claims, contract, at)
    if plan.payments is None:
        return []
    known = {
        (what, each.mark)
        for what in Advance
        for each in (books.money.ahead.pools.get((contract, what)) or _NO_POOL).requested
    }
    opening = books.claims.openings.get(contract)
    since = 0 if opening is None else opening.at
    found = [
        each
        for each in (*_dated(plan.payments), *_reached(books, plan, plan.payments))
        if (each.what, each.mark) not in known and (not since or each.at > since)
    ]
    return sorted(found, key=lambda each: each.at)


_NO_POOL = AdvancePool(TenantId(""), "")


def _dated(agreed: payments.PaymentTerms) -> Iterator[Demand]:
    if agreed.deposit_micros:
        yield Demand(
            Advance.DEPOSIT, "deposit", "payments.deposit", agreed.deposit_at, 0, agreed.deposit_micros,
            "deposit, kept as a security",
        )  # fmt: skip
    same: dict[int, int] = {}
    for place, each in enumerate(agreed.prepayments):
        same[each.due_at] = count = same.get(each.due_at, 0) + 1
        yield Demand(
            Advance.PREPAYMENT, f"{each.due_at}/{count}", f"payments.prepayments[{place}]", each.due_at, 0,
            each.micros, "prepayment, to be drawn down by fees",
        )  # fmt: skip


def _reached(books: Books, plan: claims.ContractPlan, agreed: payments.PaymentTerms) -> Iterator[Demand]:
    for place, each in enumerate(agreed.milestones):
        schedule = books.supply.schedules.get(each.site)
        reached_at = None if schedule is None else schedule.reached.get(each.milestone)
        if reached_at is None:
            continue
        signed = books.claims.versions[plan.id][0].plan
        fees = falling_due.fees_micros(signed.tranches, books.supply) if each.share_ppm else 0
        yield Demand(
            Advance.PREPAYMENT, f"{each.site}/{each.milestone}", f"payments.milestones[{place}]", reached_at,
            agreed.net_s * SECOND_US, falling_due.milestone_micros(each, fees),
            f"prepayment: {each.milestone} of {each.site} is reached",
        )  # fmt: skip


def request_ahead(books: Books, contract: ContractId, at: int, emit: supply.Emit) -> None:
    """Ask for all that fell due: an invoice for each."""
    plan = claims.contract_at(books.claims, contract, at)
    for each in [demand for demand in demands(books, contract, at) if demand.at <= at]:
        total_micros = minor_to_micros(micros_to_minor(each.micros, plan.currency), plan.currency)
        invoice = next_invoice(books.money)
        emit(
            AheadRequested(contract, each.what, each.mark, invoice, plan.tenant, plan.currency, total_micros)
        )
        kind = DEPOSITED if each.what is Advance.DEPOSIT else PREPAID
        line = Line(
            kind, contract, plan.version, each.clause, TrancheId(""), None, "", "", 0, at, at + 1,
            amount_micros=total_micros, amount_minor=micros_to_minor(total_micros, plan.currency), text=each.text,
        )  # fmt: skip
        bill = (plan.seller, plan.tenant, plan.currency)
        # Of no period: it is asked for at one instant.
        moment = usage.PeriodClosed(at, at + 1, (), ())
        issue_bill(books.money, moment, bill, [line], max(each.at, at) + each.net_us, emit)


# When they fall due.


def ahead_dues(books: Books) -> Iterator[Due]:
    """When contracts that are known are to be asked for something."""
    for name, versions in books.claims.versions.items():
        if any(each.plan.payments is not None for each in versions):
            yield from _contract_dues(books, name)


def _contract_dues(books: Books, name: ContractId) -> Iterator[Due]:
    """By every version of a contract: which one holds then is seen then."""
    for version in books.claims.versions[name]:
        since = max(version.effective_at, version.signed_at)
        if version.plan.payments is not None:
            for each in demands(books, name, since):
                yield Due(max(each.at, since), AHEAD, name, 0)


def is_demanded(books: Books, due: Due) -> bool:
    """Whether a due time still means something."""
    return any(each.at <= due.at for each in demands(books, ContractId(due.about), due.at))


_OF_CONTRACTS = (claims.ContractSigned, claims.versions.ContractAmended)


def note_demands(books: Books, heap: Dues, event: Event) -> None:
    """An event of claims or of supply may say when something is to be asked for."""
    if isinstance(event, _OF_CONTRACTS):
        if event.plan.payments is not None and event.plan.id in books.claims.versions:
            for due in _contract_dues(books, event.plan.id):
                heap.push(due)
    elif isinstance(event, blocks.MilestoneReached):
        for due in ahead_dues(books):
            heap.push(due)


# What is left goes back.


def return_ahead(
    books: Books, command: ReturnAhead, by: Principal, at: int, emit: supply.Emit
) -> Answer | Refusal:
    """Money goes back, and leaves the books as cash. Refuses: unknown_contract, empty_reference, not_over (tranches
    of the contract may still draw on it, or are not billed yet), nothing_ahead.

    Of prepayments, as much as the contract says of what is not drawn; the rest is the seller's. A deposit goes back
    whole, once the contract is over.
    """
    name = command.contract
    if name not in books.claims.contracts:
        return Refusal("unknown_contract", f"there is no contract {name}", "contract")
    if not command.reference.strip():
        return Refusal("empty_reference", "a payment has a reference: what the bank calls it", "reference")
    if not has_run_out(books, name):
        told = (
            f"contract {name} is not over, or not billed to its end: what it paid ahead may still be needed"
        )
        return Refusal("not_over", told, "contract")
    pool = books.money.ahead.pools.get((name, command.what))
    left = 0 if pool is None else left_micros(books.money.receivables, pool)
    if pool is None or not left:
        return Refusal("nothing_ahead", f"nothing is left of what {name} paid ahead", "contract")
    agreed = claims.contract_at(books.claims, name, at).payments
    back = left
    if command.what is Advance.PREPAYMENT and agreed is not None:
        refund = payments.refund_micros(agreed, left, 0)
        back = minor_to_micros(micros_to_minor(refund, pool.currency), pool.currency)
        # Never more than is left, though rounded to what money is paid in.
        back = min(back, left)
    kept = left - back
    emit(AheadReturned(name, command.what, back, kept, command.reference))
    entries = (
        Entry(f"{LIABILITIES[command.what]}{pool.tenant}", left),
        Entry(CASH, -back),
        Entry("revenue:prepayments_kept", -kept),
    )
    posted = tuple(entry for entry in entries if entry.amount_micros)
    text = f"{command.what.value} of contract {name} returned: {decimal_text(back)}, {command.reference}"
    post(books.money, pool.currency, at, posted, text, emit)
    return {"contract": name, "currency": pool.currency, "returned_micros": back, "kept_micros": kept}
