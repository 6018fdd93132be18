"""Entries that are proposed by hand, and what became of them. `manual_entries` decides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from forebay.core.ids import Command, Event
from forebay.core.money.ledger import Entry


@dataclass(slots=True)
class ProposeEntry(Command):
    """This is to be posted, once somebody else approves it."""

    currency: str
    entries: tuple[Entry, ...]
    text: str
    effective_at: int


@dataclass(slots=True)
class ApproveEntry(Command):
    """A second person agrees: it is posted."""

    entry: str


@dataclass(slots=True)
class RejectEntry(Command):
    """It is not posted; who proposed it may take it back."""

    entry: str
    reason: str


@dataclass(slots=True)
class EntryProposed(Event):
    """Somebody asks for a posting."""

    entry: str
    currency: str
    entries: tuple[Entry, ...]
    text: str
    effective_at: int
    by: str


@dataclass(slots=True)
class EntryApproved(Event):
    """A second person agreed: the transaction follows."""

    entry: str
    by: str


@dataclass(slots=True)
class EntryRejected(Event):
    """It is not posted."""

    entry: str
    by: str
    reason: str


EntryCommand = ProposeEntry | ApproveEntry | RejectEntry
EntryEvent = EntryProposed | EntryApproved | EntryRejected
ENTRY_EVENTS: tuple[type[Event], ...] = (EntryProposed, EntryApproved, EntryRejected)


class ProposedEntry(NamedTuple):
    """An entry that was proposed."""

    currency: str
    entries: tuple[Entry, ...]
    text: str
    effective_at: int
    proposed_by: str
    proposed_at: int
    #: "proposed", "posted" or "rejected".
    standing: str = "proposed"
    decided_by: str = ""
    reason: str = ""


def apply_entry(own: dict[str, ProposedEntry], event: EntryEvent, at: int) -> None:
    """Record what became of an entry."""
    if isinstance(event, EntryProposed):
        own[event.entry] = ProposedEntry(
            event.currency, event.entries, event.text, event.effective_at, event.by, at
        )
    elif isinstance(event, EntryApproved):
        own[event.entry] = own[event.entry]._replace(standing="posted", decided_by=event.by)
    else:
        own[event.entry] = own[event.entry]._replace(
            standing="rejected", decided_by=event.by, reason=event.reason
        )
