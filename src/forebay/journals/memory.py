"""A journal that lives as long as its process: for the twin, for tests, and for trying things out."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from forebay.loop import codec, ports


@dataclass(slots=True)
class Shelf:
    """Where the records are; several journals may share one, as processes share a file."""

    records: list[ports.Stored] = field(default_factory=list)
    epoch: int = 0
    locked: bool = False


class MemoryJournal:
    """A writer on a shelf (its own, unless one is given). Raises `ports.Locked` when the shelf has one already."""

    def __init__(self, shelf: Shelf | None = None, *, takeover: bool = False) -> None:
        self._shelf = shelf or Shelf()
        if self._shelf.locked and not takeover:
            raise ports.Locked("this journal is open for writing already")
        self._shelf.locked = True
        self._shelf.epoch += 1
        self._epoch = self._shelf.epoch
        self._closed = False

    def head(self) -> tuple[int, bytes]:
        """Sequence and digest of the last record."""
        self._assert_open()
        records = self._shelf.records
        return (records[-1].seq, records[-1].digest) if records else (0, codec.GENESIS)

    def append(self, expected_seq: int, records: Sequence[ports.Stored]) -> None:
        """Keep all records."""
        self._assert_open()
        if self._shelf.epoch != self._epoch:
            raise ports.Fenced("another writer has taken this journal over")
        last = len(self._shelf.records)
        if last != expected_seq:
            raise ports.Fenced(
                f"the journal ends at record {last}, not {expected_seq}: another writer has appended"
            )
        assert [record.seq for record in records] == list(range(last + 1, last + 1 + len(records)))
        self._shelf.records.extend(records)

    def read(self, after: int = 0, limit: int | None = None) -> Iterator[ports.Stored]:
        """Records with a sequence above `after`, in order."""
        self._assert_open()
        return itertools.islice(
            self._shelf.records, max(after, 0), None if limit is None else max(after, 0) + limit
        )

    def close(self) -> None:
        """Let another writer in."""
        if not self._closed and self._shelf.epoch == self._epoch:
            self._shelf.locked = False
        self._closed = True

    def _assert_open(self) -> None:
        if self._closed:
            raise ports.JournalError("this journal is closed")
