"""What does a month of a contract come to, by what both of its sides know? What its customer will be asked to pay.

Rated by the code that rates an invoice, from the contract, its versions, and what passed between the parties: what
came and was accepted, dates, ended terms. What only the seller sees (a node that was out, how much was used of what
is not take-or-pay) is not known here: every delivered hour counts, and the share that is paid unused stands beside.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from forebay.core import claims, supply
from forebay.core.claims import coming, contracts, entitlements
from forebay.core.claims import prices as pricing
from forebay.core.claims.acceptance import PartLife
from forebay.core.claims.prices import Indices
from forebay.core.ids import ContractId, SiteId, SkuId, TrancheId
from forebay.core.timeline import Interval
from forebay.core.units import gpu_time_cost_micros


class PayableLine(NamedTuple):
    """A tranche, at one price, within a period."""

    contract: ContractId
    tranche: TrancheId
    clause: str
    sku: SkuId
    site: SiteId
    #: From when until when anything of it was there.
    start: int
    end: int
    gpu_us: int
    price_micros_per_gpu_hour: int
    #: Why the price is not the one that the contract states; "" where it is.
    reason: str
    #: So much of what was not used is paid, parts per million.
    take_or_pay_ppm: int
    #: Of all hours: rounded once, half-even.
    amount_micros: int


def payable_lines(
    book: entitlements.Book, supplied: supply.State, indices: Indices, period: Interval, at: int
) -> list[PayableLine]:
    """Lines of a contract for a period, in order of its tranches and prices, as far as is known `at`."""
    found: list[PayableLine] = []
    for tranche in book.tranches:
        each = contracts.nodes_each(tranche, supplied) * supplied.skus[tranche.sku].gpus_per_node
        there = list(_there(book, tranche, at))
        ends = min(entitlements.entitled_until(book, tranche), period.end)
        starts = [max(since, tranche.start_at, period.start) for since, _ in there]
        begin = min(starts, default=ends)
        cuts = [step.at for step in tranche.price_steps if begin < step.at < ends]
        for start, end in zip([begin, *cuts], [*cuts, ends], strict=True):
            gpu_us = sum(
                units * each * max(0, end - max(since, start))
                for since, (_, units) in zip(starts, there, strict=True)
            )
            if gpu_us <= 0:
                continue
            price = pricing.rate(tranche, start, indices)
            found.append(
                PayableLine(
                    book.plan.id, tranche.id, f"tranches[{tranche.id}].price_per_gpu_hour", tranche.sku,
                    tranche.site, start, end, gpu_us, price.micros, price.reason,
                    pricing.price_at(tranche, start).take_or_pay_ppm, gpu_time_cost_micros(gpu_us, price.micros),
                )
            )  # fmt: skip
    return found


def _there(book: entitlements.Book, tranche: claims.TranchePlan, at: int) -> Iterator[tuple[int, int]]:
    """Since when so many units are billed: from the start of billing where they are accepted, else as they came."""
    parts, reliefs, _ = book.handed[tranche.id]
    if tranche.acceptance is not None:
        for part in parts:
            if part.life is PartLife.ACCEPTED and part.billing_at and part.billing_at <= at:
                yield part.billing_at, part.quantity
        return
    for piece in coming.coming(tranche, book.dates, parts, reliefs, at):
        if piece.delivered and piece.comes_at <= at:
            yield piece.comes_at, piece.quantity
