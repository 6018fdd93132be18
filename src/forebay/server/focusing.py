"""Which invoices and contracts does an export in FOCUS hold? What a principal may see, of a month or of all time.

What there is to tell is asked of the World; the invoices themselves are read from the journal, one after the other,
so that an export takes no more memory as history grows. Never call `rows` from the loop.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from typing import NamedTuple

from forebay.core import money, units
from forebay.core.ids import ContractId, Event, InvoiceId, Principal
from forebay.core.world import World
from forebay.exports import focus, focus_contracts, focus_credits
from forebay.exports.focus_columns import FocusDataset
from forebay.loop import codec, ports
from forebay.server import problems, sight

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_KINDS = frozenset({"PeriodClosed", "InvoiceIssued", "CreditNoteIssued"})


class Selection(NamedTuple):
    """What an export holds."""

    dataset: FocusDataset
    known: focus.Lookups
    #: Invoices that it is made from.
    invoices: frozenset[InvoiceId]
    #: Rows of the datasets that are made at once, from what the World says now.
    ready: list[focus.Row]
    notes: frozenset[str] = frozenset()
    #: Void invoices in whose place there are others.
    replaced: frozenset[InvoiceId] = frozenset()


def select(world: World, principal: Principal, dataset: FocusDataset, period: str, tenant: str) -> Selection:
    """What there is to export. Raises `problems.Failure`: bad_parameter, not_found."""
    check_month(period)
    state = world.state
    contracts = {
        name
        for name, plan in state.claims.contracts.items()
        if sight.owns(principal, plan.tenant) and tenant in ("", plan.tenant)
    }
    if tenant and not contracts:
        raise problems.Failure("not_found", f"there is no contract with a tenant {tenant}")
    found = [
        issued
        for issued in state.money.invoices.values()
        if sight.owns(principal, issued.tenant)
        and tenant in ("", issued.tenant)
        and period in ("", month_of(issued.start))
        and issued.invoice not in state.money.credits.voided
    ]
    notes = frozenset(
        note.note
        for note in state.money.credits.notes.values()
        if sight.owns(principal, note.tenant)
        and tenant in ("", note.tenant)
        and period in ("", month_of(note.at))
    )
    ready: list[focus.Row] = []
    if dataset is FocusDataset.CONTRACT_COMMITMENT:
        ready = list(focus_contracts.contract_commitments(state.claims, state.supply, contracts))
    elif dataset is FocusDataset.BILLING_PERIOD:
        ready = _periods(world, found, contracts, period)
    elif not found and not notes:
        told = (
            f"no invoice is issued for a period that began in {period}"
            if period
            else "no invoice is issued yet"
        )
        whom = f" to {tenant}" if tenant else ""
        raise problems.Failure("not_found", told + whom)
    if period and dataset is FocusDataset.BILLING_PERIOD and not ready:
        raise problems.Failure("not_found", f"no billing period began in {period}")
    known = focus.Lookups(
        dict(state.supply.sites), dict(state.supply.skus), dict(state.claims.versions),
        dict(state.money.price_lists), dict(state.money.held_since),
    )  # fmt: skip
    replaced = frozenset(head.replaces for head in state.money.invoices.values() if head.replaces)
    invoices = frozenset(issued.invoice for issued in found)
    return Selection(dataset, known, invoices, ready, notes, replaced)


def check_month(period: str, field: str = "period") -> None:
    """Whether it is a month, or "" for all. Raises `problems.Failure`: bad_parameter."""
    if period and not _MONTH.fullmatch(period):
        raise _wrong(field, f"{period!r} is not a month like 2026-11")


def month_of(at: int) -> str:
    """The month of an instant in UTC, like 2026-11."""
    moment = datetime.datetime.fromtimestamp(at // units.SECOND_US, datetime.UTC)
    return f"{moment.year:04}-{moment.month:02}"


def _periods(
    world: World, found: list[money.InvoiceHead], contracts: set[ContractId], period: str
) -> list[focus.Row]:
    """Closed periods that were billed, and the open one, of each seller."""
    state = world.state
    closed = sorted({(each.start, each.end, each.seller) for each in found})
    rows = [focus.billing_period(seller, start, end, end, is_open=False) for start, end, seller in closed]
    start = state.usage.period_start
    if period in ("", month_of(start)):
        sellers = sorted({state.claims.contracts[name].seller for name in contracts})
        rows += [
            focus.billing_period(seller, start, state.money.period_end, world.now, is_open=True)
            for seller in sellers
        ]
    return rows


def rows(journal: ports.Journal, known: codec.Codec, chosen: Selection) -> Iterator[focus.Row]:
    """The rows of an export. Raises `ports.JournalError`."""
    yield from chosen.ready
    if chosen.dataset not in (FocusDataset.COST_AND_USAGE, FocusDataset.INVOICE_DETAIL):
        return
    left: set[str] = {*chosen.invoices, *chosen.notes}
    costs = chosen.dataset is FocusDataset.COST_AND_USAGE
    for bill in focus.billed(_events(journal, known), chosen.replaced):
        if not left:
            return
        if isinstance(bill, focus.Credited):
            if bill.note.note in left:
                left.discard(bill.note.note)
                yield from (
                    focus_credits.cost_rows(bill, chosen.known) if costs else focus_credits.detail_rows(bill)
                )
        elif bill.invoice.invoice in left:
            left.discard(bill.invoice.invoice)
            yield from (focus.cost_and_usage if costs else focus.invoice_detail)(bill, chosen.known)
    if left:
        raise ports.JournalError(f"{min(left)} is not in the journal")


def _events(journal: ports.Journal, known: codec.Codec) -> Iterator[tuple[int, Event]]:
    """Closes and invoices with their times of record, in order."""
    for stored in journal.read():
        envelope = codec.envelope(stored)
        if envelope.kind in _KINDS:
            yield envelope.at, known.decode(envelope)


def _wrong(name: str, detail: str) -> problems.Failure:
    return problems.Failure(
        "bad_parameter", f"{name}: {detail}", errors=[{"pointer": f"/{name}", "detail": detail}]
    )
