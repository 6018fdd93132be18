"""Fees draw on what is prepaid: which line takes how much, at the close of a period?

Tranches draw in the order that the contract states, each up to its own fees of the period, all of them up to what is
paid and not drawn yet, and never more than is payable: a credit is not paid out by way of a prepayment.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from forebay.core import claims, usage
from forebay.core.ids import ContractId, TrancheId
from forebay.core.money.invoices import Line
from forebay.core.money.prepaid import DRAWN, Advance, left_micros
from forebay.core.money.rating import Books
from forebay.core.units import decimal_text, micros_to_minor

#: Lines that draw: fees of tranches, and use without one.
_DRAWING = ("dedicated", "correction", "on_demand", "spot")


def drawn_lines(books: Books, closed: usage.PeriodClosed, lines: Sequence[Line]) -> Iterator[Line]:
    """What the lines of one invoice draw, contract by contract; each line is negative."""
    pools = books.money.ahead.pools
    if not pools:
        return
    payables: dict[ContractId, int] = {}
    fees: dict[tuple[ContractId, TrancheId], int] = {}
    for line in lines:
        payables[line.contract] = payables.get(line.contract, 0) + line.amount_micros
        if line.kind in _DRAWING:
            mark = (line.contract, line.claim)
            fees[mark] = fees.get(mark, 0) + line.amount_micros
    for name, payable in sorted(payables.items()):
        pool = pools.get((name, Advance.PREPAYMENT))
        left = 0 if pool is None else left_micros(books.money.receivables, pool)
        contract = claims.contract_at(books.claims, name, closed.end - 1)
        for tranche in drawing_tranches(books.claims, contract) if left else ():
            fee = fees.get((name, tranche), 0)
            take = min(fee, left, payable)
            if take > 0:
                left, payable = left - take, payable - take
                yield _line(contract, closed, tranche, fee, take, left)


def _line(
    contract: claims.ContractPlan,
    closed: usage.PeriodClosed,
    tranche: TrancheId,
    fee: int,
    take: int,
    left: int,
) -> Line:
    agreed = contract.payments
    place = f"[{agreed.drawdown.index(tranche)}]" if agreed is not None and agreed.drawdown else ""
    return Line(
        DRAWN, contract.id, contract.version, f"payments.drawdown{place}", tranche, None, "", "", 0,
        closed.start, closed.end, amount_micros=-take, amount_minor=micros_to_minor(-take, contract.currency),
        text=f"drawn from what is prepaid, for {tranche or 'use without a tranche'}: {decimal_text(take)} of "
        f"{decimal_text(fee)}; {decimal_text(left)} is left",
    )  # fmt: skip


def drawing_tranches(claimed: claims.State, contract: claims.ContractPlan) -> tuple[TrancheId, ...]:
    """Which tranches draw, in their order: those that the contract names; or all that there are under it, and then
    ("") what is used without a tranche.
    """
    agreed = contract.payments
    if agreed is not None and agreed.drawdown:
        return agreed.drawdown
    own = (name for name, each in claimed.tranches.items() if each.contract == contract.id)
    return (*own, TrancheId(""))


def has_run_out(books: Books, name: ContractId) -> bool:
    """Whether nothing more can draw: each tranche has ended, and what it was due is billed."""
    held = [each for each in books.claims.tranches.values() if each.contract == name]
    return all(
        each.standing is claims.Standing.ENDED and each.ended_at <= books.usage.period_start for each in held
    )
