"""What has a customer paid ahead, and what became of it? Each contract has a pool of prepayments, and its deposit.

A pool is billed in requests, each an invoice of its own. What of them is *paid* is what was posted about them: there
is no second count. Fees draw on what is paid of prepayments; a deposit is never drawn. Both are liabilities, in
`prepayments:TENANT` and `deposits:TENANT`, until they are drawn or returned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from forebay.core.ids import Command, ContractId, Event, InvoiceId, TenantId
from forebay.core.money.credit_notes import CreditNoteIssued, InvoiceVoided
from forebay.core.money.invoices import InvoiceIssued
from forebay.core.money.ledger import BalancesOpened
from forebay.core.money.receivables import Item, Receivables
from forebay.core.units import minor_to_micros

#: Kinds of lines that are neither revenue nor a cost: what is paid ahead, and what of it pays for fees.
DEPOSITED = "deposit"
PREPAID = "prepayment"
DRAWN = "prepayment_drawn"
AHEAD_KINDS = (PREPAID, DRAWN, DEPOSITED)


class Advance(StrEnum):
    """What is paid ahead of any fee."""

    PREPAYMENT = "prepayment"
    DEPOSIT = "deposit"


#: The account of each, before the name of the tenant.
LIABILITIES = {Advance.PREPAYMENT: "prepayments:", Advance.DEPOSIT: "deposits:"}
_OPENED = {"prepayments": Advance.PREPAYMENT, "deposits": Advance.DEPOSIT}


@dataclass(slots=True)
class ReturnAhead(Command):
    """Money that was paid ahead goes back: what is left of prepayments of a contract that is over, or its deposit."""

    contract: ContractId
    what: Advance
    #: What the bank calls the payment.
    reference: str


@dataclass(slots=True)
class AheadRequested(Event):
    """A deposit or a prepayment falls due: the invoice that follows asks for it."""

    contract: ContractId
    what: Advance
    #: Which one of the contract: the same is never asked for twice.
    mark: str
    invoice: InvoiceId
    tenant: TenantId
    currency: str
    amount_micros: int


@dataclass(slots=True)
class AheadReturned(Event):
    """What was left of a pool goes back to the customer."""

    contract: ContractId
    what: Advance
    returned_micros: int
    #: What the contract lets the seller keep.
    kept_micros: int
    reference: str


AheadEvent = AheadRequested | AheadReturned
AHEAD_EVENTS: tuple[type[Event], ...] = (AheadRequested, AheadReturned)


class Requested(NamedTuple):
    """A part of a pool, and the invoice that asks for it."""

    mark: str
    invoice: InvoiceId
    amount_micros: int


class AdvancePool(NamedTuple):
    """What a contract has paid ahead, or is to pay, in micro-units of its currency."""

    tenant: TenantId
    currency: str
    requested: tuple[Requested, ...] = ()
    #: Paid before a cutover, and not drawn by then.
    opened_micros: int = 0
    drawn_micros: int = 0
    returned_micros: int = 0
    kept_micros: int = 0
    #: Taken back of what was asked for, by credit notes.
    credited_micros: int = 0

    @property
    def requested_micros(self) -> int:
        """All that was asked for."""
        return sum(each.amount_micros for each in self.requested)

    @property
    def liability_micros(self) -> int:
        """What the books owe for it, paid or not."""
        gone_micros = self.drawn_micros + self.returned_micros + self.kept_micros + self.credited_micros
        return self.opened_micros + self.requested_micros - gone_micros


#: Pools by contract, and by what they are for.
Pools = dict[tuple[ContractId, Advance], AdvancePool]


@dataclass(slots=True)
class PaidAhead:
    """Every pool."""

    pools: Pools = field(default_factory=dict)
    #: Invoice -> what its lines drew on the pool of each contract, in micro-units.
    drawn: dict[InvoiceId, tuple[tuple[ContractId, int], ...]] = field(default_factory=dict)

    def fork(self) -> PaidAhead:
        """A copy whose containers are its own."""
        return PaidAhead(self.pools.copy(), self.drawn.copy())


def unpaid_micros(own: Receivables, pool: AdvancePool) -> int:
    """What of its requests is still open."""
    return sum(request_open_micros(own, pool, each) for each in pool.requested)


def request_open_micros(own: Receivables, pool: AdvancePool, request: Requested) -> int:
    """What of one request is still open."""
    # With taxes more may be open than was asked for.
    return min(own.open.get(Item(pool.tenant, pool.currency, request.invoice), 0), request.amount_micros)


def left_micros(own: Receivables, pool: AdvancePool) -> int:
    """What is paid and neither drawn nor returned; never below zero, though a receipt may have been reversed."""
    return max(0, pool.liability_micros - unpaid_micros(own, pool))


def apply_ahead(pools: Pools, event: AheadEvent) -> None:
    """Record a request, or what was returned."""
    mark = (event.contract, event.what)
    if isinstance(event, AheadRequested):
        pool = pools.get(mark) or AdvancePool(event.tenant, event.currency)
        requested = Requested(event.mark, event.invoice, event.amount_micros)
        pools[mark] = pool._replace(requested=(*pool.requested, requested))
    else:
        pool = pools[mark]
        pools[mark] = pool._replace(
            returned_micros=pool.returned_micros + event.returned_micros,
            kept_micros=pool.kept_micros + event.kept_micros,
        )


def open_pools(pools: Pools, event: BalancesOpened) -> None:
    """What a contract that ran already brings along."""
    for each in event.balances:
        what = _OPENED.get(each.account.partition(":")[0])
        if what is not None:
            mark = (each.contract, what)
            pool = pools.get(mark) or AdvancePool(event.tenant, event.currency)
            pools[mark] = pool._replace(opened_micros=pool.opened_micros - each.amount_micros)


def bill_pools(own: PaidAhead, event: InvoiceIssued) -> None:
    """What the fees on an invoice took; and whether it asks anew for what a void one asked for."""
    drawn: list[tuple[ContractId, int]] = []
    for line in event.lines:
        mark = (line.contract, Advance.PREPAYMENT)
        if line.kind == DRAWN:
            drawn.append((line.contract, -line.amount_micros))
            pool = own.pools[mark]
            own.pools[mark] = pool._replace(drawn_micros=pool.drawn_micros - line.amount_micros)
    if drawn:
        own.drawn[event.invoice] = tuple(drawn)
    elif event.replaces:
        _asked(own, event.replaces, event.invoice, event.lines[0].amount_micros)


def credit_pools(own: PaidAhead, event: CreditNoteIssued | InvoiceVoided) -> None:
    """What was credited, or became void, of what was asked for or drawn."""
    if isinstance(event, InvoiceVoided):
        for contract, micros in own.drawn.pop(event.invoice, ()):
            mark = (contract, Advance.PREPAYMENT)
            own.pools[mark] = own.pools[mark]._replace(drawn_micros=own.pools[mark].drawn_micros - micros)
        _asked(own, event.invoice, event.invoice, 0)
        return
    for line in event.lines:
        if line.kind not in AHEAD_KINDS:
            continue
        micros = minor_to_micros(line.amount_minor, event.currency)
        mark = (line.contract, Advance.DEPOSIT if line.kind == DEPOSITED else Advance.PREPAYMENT)
        pool = own.pools[mark]
        if line.kind == DRAWN:
            own.pools[mark] = pool._replace(drawn_micros=pool.drawn_micros + micros)
        else:
            own.pools[mark] = pool._replace(credited_micros=pool.credited_micros + micros)


def _asked(own: PaidAhead, invoice: InvoiceId, by: InvoiceId, micros: int) -> None:
    """What one invoice asked for is asked for by another, or not at all."""
    for mark, pool in own.pools.items():
        if any(each.invoice == invoice for each in pool.requested):
            asked = (
                each._replace(invoice=by, amount_micros=micros) if each.invoice == invoice else each
                for each in pool.requested
            )  # fmt: skip
            own.pools[mark] = pool._replace(requested=tuple(asked))
            return


def check_ahead(pools: Pools, balances: Mapping[tuple[str, str], int]) -> Iterator[str]:
    """What is owed for all pools is what the ledger's liability accounts say."""
    sums: dict[tuple[str, str], int] = {}
    for (_, what), pool in pools.items():
        mark = (f"{LIABILITIES[what]}{pool.tenant}", pool.currency)
        sums[mark] = sums.get(mark, 0) - pool.liability_micros
    for mark, micros in sums.items():
        if balances.get(mark, 0) != micros:
            yield f"pools of {mark[0]} in {mark[1]} sum to {micros}, not {balances.get(mark, 0)}"
