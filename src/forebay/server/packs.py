"""What finance takes over when a month is closed: entries, balances, revenue by contract, what is to come.

Entries and revenue are read from the journal; what is still to come is what is signed now. Never call `pack_table`
from the loop.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterator
from typing import NamedTuple

from forebay.core import claims, money, units
from forebay.core.ids import InvoiceId
from forebay.core.money.prepaid import AHEAD_KINDS
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
    "expected": (
        "Contract",
        "Tenant",
        "Tranche",
        "Currency",
        "Month",
        "GpuHours",
        "Fees",
        "LeastFees",
    ),
    "balances": ("Account", "Currency", "Opening", "Debit", "Credit", "Closing"),
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
    journal: ports.Journal, known: codec.Codec, name: str, period: str, left: list[LeftOf], now: int,
    void: Collection[InvoiceId] = (),
) -> bytes:  # fmt: skip
    """One table as CSV (RFC 4180, UTF-8); `void` are invoices that became void. Raises `ports.JournalError`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(HEADERS[name])
    match name:
        case "entries":
            writer.writerows(_entries(journal, known, period))
        case "revenue":
            writer.writerows(_revenue(journal, known, period, void))
        case "balances":
            writer.writerows(_balances(journal, known, period))
        case "expected":
            writer.writerows(_expected(left, now))
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


_REVENUE = frozenset(
    kind.__name__ for kind in (money.InvoiceIssued, money.CreditNoteIssued, money.InvoiceVoided)
)


def _revenue(
    journal: ports.Journal, known: codec.Codec, period: str, void: Collection[InvoiceId]
) -> Iterator[Cells]:
    """Lines of the invoices of a month, less what was credited in it and what became void, summed by contract, kind,
    class, site and SKU. An invoice in the place of another counts where that became void.
    """
    sums: dict[Cells, list[int]] = {}
    became: dict[InvoiceId, money.InvoiceIssued] = {}

    def add(issued: money.InvoiceIssued, sign: int) -> None:
        for line in issued.lines:
            if line.kind in AHEAD_KINDS:
                # Owed to the customer, or paid by what was: no revenue.
                continue
            own = sums.setdefault(_mark(issued, line, line.kind), [0, 0, 0])
            own[0] += sign * line.gpu_us
            own[1] += sign * line.amount_micros
            own[2] += sign * units.minor_to_micros(line.amount_minor, issued.currency)

    for stored in journal.read():
        envelope = codec.envelope(stored)
        if envelope.kind not in _REVENUE:
            continue
        event = known.decode(envelope)
        if isinstance(event, money.InvoiceIssued):
            if event.invoice in void:
                became[event.invoice] = event
            if period in ("", month_of(envelope.at if event.replaces else event.start)):
                add(event, 1)
        elif period not in ("", month_of(envelope.at)):
            continue
        elif isinstance(event, money.InvoiceVoided):
            add(became[event.invoice], -1)
        else:
            assert isinstance(event, money.CreditNoteIssued), "its kind says so"
            for line in event.lines:
                if line.kind in AHEAD_KINDS:
                    continue
                credited = units.minor_to_micros(line.amount_minor, event.currency)
                own = sums.setdefault(_mark(event, line, "credit_note"), [0, 0, 0])
                own[1] -= credited
                own[2] -= credited
    for mark, (gpu_us, exact, billed) in sorted(sums.items()):
        hours = units.divide_half_even(gpu_us * 10**6, units.HOUR_US)
        yield (*mark, decimal(hours, 6), micros(exact), micros(billed))


def _mark(
    event: money.InvoiceIssued | money.CreditNoteIssued, line: money.Line | money.CreditedLine, kind: str
) -> Cells:
    return line.contract, event.tenant, kind, str(line.tier or ""), line.site, line.sku, event.currency


def _obligations(left: list[LeftOf], now: int) -> Iterator[Cells]:
    for tranche, currency, gpus in left:
        for year in obligations.years_left(tranche.plan, gpus, now):
            hours = units.divide_half_even(year.gpu_us * 10**6, units.HOUR_US)
            yield (
                tranche.contract, tranche.tenant, tranche.plan.id, currency, str(year.year), decimal(hours, 6),
                micros(year.fee_micros), micros(year.least_micros),
            )  # fmt: skip


def _expected(left: list[LeftOf], now: int) -> Iterator[Cells]:
    for tranche, currency, gpus in left:
        for month in obligations.months_left(tranche.plan, gpus, now):
            hours = units.divide_half_even(month.gpu_us * 10**6, units.HOUR_US)
            yield (
                tranche.contract, tranche.tenant, tranche.plan.id, currency, month_of(month.start),
                decimal(hours, 6), micros(month.fee_micros), micros(month.least_micros),
            )  # fmt: skip


def _balances(journal: ports.Journal, known: codec.Codec, period: str) -> Iterator[Cells]:
    """Each account over a month, as known now: opening + debits - credits = closing, which is the trial balance at
    the end of the month. Debits are positive. Without a month, from the first posting to the last.
    """
    sums: dict[tuple[str, str], list[int]] = {}
    for _, _, posted in ledgers.postings(journal, known):
        month = month_of(posted.effective_at)
        # Months of one form compare as text.
        if period and month > period:
            continue
        for entry in posted.entries:
            own = sums.setdefault((entry.account, posted.currency), [0, 0, 0])
            if period and month < period:
                own[0] += entry.amount_micros
            elif entry.amount_micros > 0:
                own[1] += entry.amount_micros
            else:
                own[2] -= entry.amount_micros
    for (account, currency), (opening, debit, credit) in sorted(sums.items()):
        closing = opening + debit - credit
        yield account, currency, micros(opening), micros(debit), micros(credit), micros(closing)
