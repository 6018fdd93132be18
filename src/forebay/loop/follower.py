"""Who answers the heavy reads and writes the snapshots? A World of its own, folded behind the loop.

The loop publishes what has become durable and never waits. When a follower falls behind, what was published is
dropped and read from the journal instead.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from forebay.loop import ports, snapshot
from forebay.loop.replay import Folded, Replay, W

T = TypeVar("T")

#: Published records that wait at most; beyond, they are dropped and read from the journal.
WAITING_MAX = 20_000
#: Events between two snapshots.
SNAPSHOT_EVERY = 100_000

_log = logging.getLogger(__name__)


class Stopped(Exception):
    """The follower does not follow any more; the message says why."""


@dataclass(slots=True)
class _Read:
    function: Callable[[Any], Any]
    seq_min: int
    future: Future[tuple[Any, int]] = field(default_factory=Future)


class Follower(Generic[W]):
    """Folds the journal behind the loop, on a thread of its own between `start` and `stop`.

    `journal` must be readable from that thread beside its writer. Snapshots go to `replay.snapshots`, if any.
    """

    def __init__(
        self,
        replay: Replay[W],
        journal: ports.Journal,
        *,
        snapshot_every: int = SNAPSHOT_EVERY,
        waiting_max: int = WAITING_MAX,
    ) -> None:
        self._replay = replay
        self._journal = journal
        self._snapshot_every = snapshot_every
        self._waiting_max = waiting_max
        self._changed = threading.Condition()
        self._published: deque[Sequence[ports.Stored]] = deque()
        self._waiting = 0
        #: Something is in the journal that was not published to us, or was dropped.
        self._behind = True
        self._reads: list[_Read] = []
        self._stopping = False
        #: Not "" when it does not follow (any more).
        self.stopped_because = ""
        self._thread = threading.Thread(target=self._run, name="follower", daemon=True)

    def start(self) -> None:
        """Begin to follow, from the newest snapshot or from the first record."""
        self._thread.start()

    def stop(self) -> None:
        """Follow to the end of what was published, write a snapshot, end."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join()

    def publish(self, records: Sequence[ports.Stored]) -> None:
        """These have become durable. Never blocks."""
        with self._changed:
            self._published.append(records)
            self._waiting += len(records)
            if self._waiting > self._waiting_max:
                self._published.clear()
                self._waiting = 0
                self._behind = True
            self._changed.notify()

    def read(
        self, function: Callable[[W], T], seq_min: int = 0, timeout_s: float | None = None
    ) -> tuple[T, int]:
        """What `function` makes of the World, and the World's sequence then. Waits until it has record `seq_min`.

        The function runs on the follower's thread and must not change the World nor keep it. Raises `TimeoutError`,
        `Stopped`, and whatever the function raises.
        """
        read = _Read(function, seq_min)
        with self._changed:
            if self.stopped_because:
                raise Stopped(self.stopped_because)
            self._reads.append(read)
            self._changed.notify()
        try:
            return read.future.result(timeout_s)
        except TimeoutError:
            if read.future.cancel():
                raise TimeoutError(
                    f"the follower has not reached record {seq_min} in {timeout_s} s"
                ) from None
            raise

    def _run(self) -> None:
        reason = "the follower has stopped"
        try:
            self._follow()
        except Exception as error:
            _log.exception("the follower has stopped")
            reason = f"the follower has stopped: {error}"
        with self._changed:
            self.stopped_because = reason
            reads, self._reads = self._reads, []
        for read in reads:
            if read.future.set_running_or_notify_cancel():
                read.future.set_exception(Stopped(reason))

    def _follow(self) -> None:
        folded = self._replay.begin(self._journal)
        stored = folded.world.seq
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._wanted(folded.world.seq))
                published, self._published, self._waiting = self._published, deque(), 0
                behind, self._behind = self._behind, False
                stopping = self._stopping
            self._catch_up(folded, published, behind)
            with self._changed:
                reads, self._reads = self._reads, []
            waiting = [read for read in reads if not _serve(read, folded.world)]
            with self._changed:
                self._reads += waiting
            if folded.world.seq - stored >= (1 if stopping else self._snapshot_every):
                stored = folded.world.seq
                self._store(folded)
            if stopping:
                return

    def _wanted(self, seq: int) -> bool:
        due = any(read.seq_min <= seq or read.future.cancelled() for read in self._reads)
        return bool(self._published or due) or self._behind or self._stopping

    def _catch_up(self, folded: Folded[W], published: Sequence[Sequence[ports.Stored]], behind: bool) -> None:
        for records in published:
            if records[0].seq == folded.world.seq + 1:
                self._replay.apply(records, folded)
            elif records[0].seq > folded.world.seq:
                behind = True
        if behind:
            self._replay.follow(self._journal, folded)

    def _store(self, folded: Folded[W]) -> None:
        if self._replay.snapshots is None:
            return
        try:
            snapshot.write(self._replay.snapshots, folded.world, folded.digest)
        except OSError as error:  # a full disk: the next one may fit
            _log.error("no snapshot at record %d: %s", folded.world.seq, error)


def _serve(read: _Read, world: ports.Machine) -> bool:
    """Answer the read; False when it has to wait for later records."""
    if read.future.cancelled():
        return True
    if read.seq_min > world.seq:
        return False
    if read.future.set_running_or_notify_cancel():
        try:
            read.future.set_result((read.function(world), world.seq))
        except Exception as error:
            read.future.set_exception(error)
    return True
