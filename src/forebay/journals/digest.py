"""A journal that keeps nothing but its head: for replays whose digest counts and whose records do not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from forebay.loop import codec, ports


class DigestJournal:
    """Counts and chains records, and forgets them. A World behind it cannot be folded again."""

    def __init__(self) -> None:
        self._head: tuple[int, bytes] = (0, codec.GENESIS)

    def head(self) -> tuple[int, bytes]:
        """Sequence and digest of the last record."""
        return self._head

    def append(self, expected_seq: int, records: Sequence[ports.Stored]) -> None:
        """Keep the head of these records."""
        if self._head[0] != expected_seq:
            raise ports.Fenced(f"the journal ends at record {self._head[0]}, not {expected_seq}")
        last = records[-1]
        self._head = (last.seq, last.digest)

    def read(self, after: int = 0, limit: int | None = None) -> Iterator[ports.Stored]:
        """Only what an empty journal has; raises `ports.JournalError` once records were forgotten."""
        if self._head[0] > after:
            raise ports.JournalError("this journal keeps its digest only; its records cannot be read back")
        return iter(())

    def close(self) -> None:
        """Nothing is held."""
