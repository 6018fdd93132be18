"""What finance takes over when a month is closed: journal entries, revenue by contract, and what is still to come.

Entries and revenue are read from the journal; what is still to come is what is signed now. Never call `pack_table`
from the loop.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import NamedTuple

from forebay.core import claims, money, units
from forebay.core.world import World
from forebay.exports import obligations
from forebay.exports.focus import decimal, micros, written_time
from forebay.loop import codec, ports
from forebay.server import ledgers
from forebay.server.focusing import month_of

#: The tables of a pack, with their columns.
HEADERS = {
    "entries": (
        "Transaction",
        "EffectiveAt",
        "RecordedAt",
        "Account",
        "Debit",
        "Credit",
        "Currency",
        "Invoice",
        "Text",
    ),
    "revenue": (
        "Contract",
        "Tenant",
        "Kind",
        "Class",
        "Site",
        "Sku",
        "Currency",
        "GpuHours",
        "Exact",
        "Billed",
    ),
    "obligations": ("Contract", "Tenant", "Tranche", "Currency", "Year", "GpuHours", "Fees", "LeastFees"),
}
Cells = tuple[str, ...]


class LeftOf(NamedTuple):
    """What is left of a tranche."""

    tranche: claims.Tranche
    currency: str
    gpus_per_unit: int


def signed_now(world: World) -> list[LeftOf]:
    """Tranches that are not over; what a pack needs of the World."""
    state = world.state
    found = []
    for tranche in state.claims.tranches.values():
        if tranche.standing is not claims.Standing.ENDED:
            sku = state.supply.skus[tranche.plan.sku]
            each = sku.gpus_per_node * (sku.nodes_per_rack if tranche.plan.unit is claims.Unit.RACK else 1)
            found.append(LeftOf(tranche, state.claims.contracts[tranche.contract].currency, each))
    return sorted(found, key=lambda left: (left.tranche.contract, left.tranche.plan.id))


def pack_table(
    journal: ports.Journal, known: codec.Codec, name: str, period: str, left: list[LeftOf], now: int
) -> bytes:
    """One table as CSV (RFC 4180, UTF-8). Raises `ports.JournalError`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADERS[name])
    match name:
        case "entries":
            writer.writerows(_entries(journal, known, period))
        case "revenue":
            writer.writerows(_revenue(journal, known, period))
        case _:
            writer.writerows(_obligations(left, now))
    return text.getvalue().encode()


def _entries(journal: ports.Journal, known: codec.Codec, period: str) -> Iterator[Cells]:
    """What took effect in a month, in order of record: debits and credits of a transaction are the same sum."""
    for _, recorded_at, posted in ledgers.postings(journal, known):
        if period not in ("", month_of(posted.effective_at)):
            continue
        for entry in posted.entries:
            debit, credit = (entry.amount_micros, 0) if entry.amount_micros > 0 else (0, -entry.amount_micros)
            yield (
                posted.transaction, written_time(posted.effective_at), written_time(recorded_at), entry.account,
                micros(debit), micros(credit), posted.currency, posted.invoice, posted.text,
            )  # fmt: skip


def _revenue(journal: ports.Journal, known: codec.Codec, period: str) -> Iterator[Cells]:
    """Lines of the invoices of a month, summed by contract, kind, class, site and SKU."""
    sums: dict[Cells, list[int]] = {}
    for stored in journal.read():
        envelope = codec.envelope(stored)
        if envelope.kind != money.InvoiceIssued.__name__:
            continue
        issued = known.decode(envelope)
        assert isinstance(issued, money.InvoiceIssued), "its kind says so"
        if period not in ("", month_of(issued.start)):
            continue
        for line in issued.lines:
            mark: Cells = (
                line.contract, issued.tenant, line.kind, str(line.tier or ""), line.site, line.sku, issued.currency,
            )  # fmt: skip
            own = sums.setdefault(mark, [0, 0, 0])
            own[0] += line.gpu_us
            own[1] += line.amount_micros
            own[2] += units.minor_to_micros(line.amount_minor, issued.currency)
    for mark, (gpu_us, exact, billed) in sorted(sums.items()):
        hours = units.divide_half_even(gpu_us * 10**6, units.HOUR_US)
        yield (*mark, decimal(hours, 6), micros(exact), micros(billed))


def _obligations(left: list[LeftOf], now: int) -> Iterator[Cells]:
    for tranche, currency, gpus in left:
        for year in obligations.years_left(tranche.plan, gpus, now):
            hours = units.divide_half_even(year.gpu_us * 10**6, units.HOUR_US)
            yield (
                tranche.contract, tranche.tenant, tranche.plan.id, currency, str(year.year), decimal(hours, 6),
                micros(year.fee_micros), micros(year.least_micros),
            )  # fmt: skip
