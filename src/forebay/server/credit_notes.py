"""Credit notes: who may see which. As `bills`: what a principal may not see is as if it did not exist."""

from __future__ import annotations

from forebay.core import money
from forebay.core.ids import Principal
from forebay.core.money.receivables import Item
from forebay.core.world import World
from forebay.exports import canonical
from forebay.loop import codec, ports
from forebay.server import amounts, sight
from forebay.server.crediting_bodies import CreditedLineBody, CreditNoteBody, CreditNoteSummary


def notes_seen(world: World, principal: Principal) -> list[tuple[str, CreditNoteSummary]]:
    """Credit notes in order of issue."""
    found = world.state.money.credits.notes
    return [
        (name, _summary(world, note)) for name, note in found.items() if sight.owns(principal, note.tenant)
    ]


def note_seen(
    world: World, principal: Principal, name: str
) -> tuple[money.CreditNoteHead, CreditNoteSummary] | None:
    """One of them."""
    note = world.state.money.credits.notes.get(name)
    return None if note is None or not sight.owns(principal, note.tenant) else (note, _summary(world, note))


def _summary(world: World, note: money.CreditNoteHead) -> CreditNoteSummary:
    left = -world.state.money.receivables.open.get(Item(note.tenant, note.currency, note.note), 0)
    return {
        "id": note.note,
        "number": note.number,
        "seller": note.seller,
        "tenant": note.tenant,
        "invoice": note.invoice,
        "issued": amounts.when(note.at),
        "lines": note.lines,
        "total": amounts.minor(note.total_minor, note.currency),
        "left": amounts.exact(left, note.currency),
        "reason": note.reason,
    }


def note_body(
    journal: ports.Journal, known: codec.Codec, note: money.CreditNoteHead, summary: CreditNoteSummary
) -> CreditNoteBody:
    """A credit note as its record has it. Raises `ports.JournalError`. Never call it from the loop."""
    event = note_issued(journal, known, note)
    return {
        **summary,
        "credited": [_line(line, event.currency) for line in event.lines],
        "digest": canonical.invoice_digest(event),
    }


def note_issued(
    journal: ports.Journal, known: codec.Codec, note: money.CreditNoteHead
) -> money.CreditNoteIssued:
    """The record that issued a credit note. Raises `ports.JournalError`. Never call it from the loop."""
    stored = next(journal.read(note.seq - 1, 1), None)
    event = None if stored is None else known.decode(codec.envelope(stored))
    if not isinstance(event, money.CreditNoteIssued):
        raise ports.JournalError(f"record {note.seq} issued a credit note, and does not read as one")
    return event


def _line(line: money.CreditedLine, currency: str) -> CreditedLineBody:
    return {
        "line": line.n,
        "kind": line.kind,
        "contract": line.contract,
        "contract_version": line.contract_version,
        "clause": line.clause,
        "claim": line.claim,
        "sku": line.sku,
        "site": line.site,
        "start": amounts.when(line.start),
        "end": amounts.when(line.end),
        "amount": amounts.minor(line.amount_minor, currency),
        "text": line.text,
    }
