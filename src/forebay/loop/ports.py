"""What the loop needs from outside, as three Protocols: a clock, a journal, an edge. And what it runs.

The live server and the twin run the same loop with other ports.

    JournalError
    |-- Locked        somebody else has it open for writing
    |-- Fenced        somebody else took it over
    |-- Full          no space, no quota, read-only
    |-- Damaged       does not read back as written
    `-- Unsupported   newer than we are, or not ours
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol, Self

from forebay.core import ids


class Clock(Protocol):
    """Where `at` comes from. It may be set back: the loop never lets time decrease."""

    def now(self) -> int:
        """Microseconds since the Unix epoch, UTC."""
        ...


class Stored(NamedTuple):
    """One record as it lies in the journal: its bytes are hashed as stored and never encoded again."""

    seq: int
    #: One JSON array, UTF-8: `[seq, at, kind, version, command_id, index, count, actor, role, tenant, cause, body]`.
    data: bytes
    #: SHA-256 chain up to and including this record (32 bytes).
    digest: bytes


class JournalError(Exception):
    """The journal said no. `may_have_landed` is True where the batch could be durable all the same."""

    def __init__(self, message: str, may_have_landed: bool = False) -> None:
        super().__init__(message)
        self.may_have_landed = may_have_landed


class Locked(JournalError):
    """Another process has it open for writing; the message names it."""


class Fenced(JournalError):
    """Another writer has appended or taken the journal over; this one must stop writing at once."""


class Full(JournalError):
    """No space, no quota, or a read-only file; nothing of the batch was written."""


class Damaged(JournalError):
    """The journal does not read back as written; the message names the last good record."""

    def __init__(self, message: str, last_good_seq: int) -> None:
        super().__init__(message)
        self.last_good_seq = last_good_seq


class Unsupported(JournalError):
    """Written by a newer forebay than this one, or not a forebay journal at all."""


class Journal(Protocol):
    """An append-only table of records with one writer at a time."""

    def head(self) -> tuple[int, bytes]:
        """Sequence and digest of the last record; `(0, codec.GENESIS)` when empty.

        The first call after an append that may have landed settles whether it did, or raises.
        """
        ...

    def append(self, expected_seq: int, records: Sequence[Stored]) -> None:
        """Make all records durable, or none. Raises `Fenced` when the last sequence is not `expected_seq`.

        Any `JournalError` leaves the journal usable: the same call may work later, except after `Fenced`.
        """
        ...

    def read(self, after: int = 0, limit: int | None = None) -> Iterator[Stored]:
        """Records with a sequence above `after`, in order, as stored (not verified). Any thread may read."""
        ...

    def close(self) -> None:
        """Let go of files and locks. Closing twice is allowed."""
        ...


class Edge(Protocol):
    """Where things really happen. Told what is wanted; reports what is seen; reconciles on its own."""

    def release(self, effects: Sequence[ids.Effect]) -> None:
        """Desired state that has just become durable. Returns at once; may be called again with the same."""
        ...

    def resync(self, desired: Sequence[ids.Effect]) -> None:
        """The whole desired state, after a start or a refold: whatever is not in it must stop."""
        ...

    def reports(self, at: int) -> list[ids.Asked]:
        """Facts seen up to `at`, in order, each given again until it is acknowledged. Returns at once."""
        ...

    def acknowledge(self, reports: Sequence[ids.Asked]) -> None:
        """These facts are durable, or were refused as stale: they need not be reported again."""
        ...

    def next_report(self) -> int | None:
        """When the next fact will be there, for edges that know (simulated ones); None for the rest."""
        ...


class Machine(Protocol):
    """The pure state machine that decides: `forebay.core.world.World`, or another one under the same loop."""

    #: Every kind of event it knows; a kind is called like its class.
    EVENTS: tuple[type[ids.Event], ...]
    #: Type of `state`, a dataclass.
    STATE: Any

    def __init__(self) -> None: ...

    @property
    def now(self) -> int:
        """Time of the last record applied (microseconds), 0 at first."""
        ...

    @property
    def seq(self) -> int:
        """Sequence of the last event applied."""
        ...

    @property
    def state(self) -> Any:
        """All that a snapshot must hold, as a tree of dataclasses."""
        ...

    @classmethod
    def restore(cls, state: Any) -> Self:
        """The World that had this state; every derived index is built again."""
        ...

    def handle(self, asked: ids.Asked, at: int) -> ids.Outcome:
        """Decide; events are applied when it returns."""
        ...

    def wake(self, at: int, seen_at: int = 0) -> ids.Outcome:
        """Do what is due at `at`; `seen_at` is what the clock shows, when it is later."""
        ...

    def next_wake(self) -> int | None:
        """When something falls due; may lie before `now`."""
        ...

    def apply(self, event: ids.Event, at: int) -> None:
        """The only mutator, live and on replay; adds one to `seq`."""
        ...

    def check(self) -> None:
        """AssertionError when an invariant does not hold."""
        ...

    def desired(self) -> list[ids.Effect]:
        """The whole desired state, for edges that reconcile."""
        ...
