"""What if nobody wants the journal? The same loop, with records that are counted and never written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from forebay.core import ids
from forebay.loop import codec, ports


class Unrecorded(codec.Codec):
    """Makes empty records: for what-if runs of which only the outcome counts."""

    def encode(
        self,
        seq: int,
        digest: bytes,
        at: int,
        command_id: str,
        by: ids.Principal,
        cause: int,
        events: Sequence[ids.Event],
    ) -> list[ports.Stored]:
        """A record for each event, with nothing in it."""
        return [ports.Stored(seq + place, b"", digest) for place in range(1, len(events) + 1)]


class NoJournal:
    """Counts records. A World behind it cannot be folded again."""

    def __init__(self) -> None:
        self._seq = 0

    def head(self) -> tuple[int, bytes]:
        """How many records there were; never a digest."""
        return self._seq, codec.GENESIS

    def append(self, expected_seq: int, records: Sequence[ports.Stored]) -> None:
        """Count these records."""
        if self._seq != expected_seq:
            raise ports.Fenced(f"the journal ends at record {self._seq}, not {expected_seq}")
        self._seq += len(records)

    def read(self, after: int = 0, limit: int | None = None) -> Iterator[ports.Stored]:
        """Only what an empty journal has; raises `ports.JournalError` once there were records."""
        if self._seq > after:
            raise ports.JournalError("no record was kept: this journal only counts them")
        return iter(())

    def close(self) -> None:
        """Nothing is held."""
