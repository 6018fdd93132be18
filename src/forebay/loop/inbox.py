"""What waits for the loop: commands, reads, a nudge, the wish to stop. Many threads put, one takes."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from forebay.core import ids
from forebay.loop import ports


class LoopError(Exception):
    """The command was not decided, or it is not known whether its events are durable.

    With `may_have_landed` ask again with the same idempotency key: that settles it. Without, nothing happened.
    """

    def __init__(self, message: str, may_have_landed: bool = False) -> None:
        super().__init__(message)
        self.may_have_landed = may_have_landed


@dataclass(slots=True)
class Submission:
    """A command that waits, and where its answer goes."""

    asked: ids.Asked
    future: Future[ids.Answer | ids.Refusal] = field(default_factory=Future)


@dataclass(slots=True)
class Read:
    """A function of the World that waits to be called between two batches."""

    function: Callable[[Any], Any]
    future: Future[Any] = field(default_factory=Future)

    def serve(self, world: ports.Machine) -> None:
        """Call it, unless its reader has gone."""
        if not self.future.set_running_or_notify_cancel():
            return
        try:
            self.future.set_result(self.function(world))
        except Exception as error:
            self.future.set_exception(error)


class Inbox:
    """A bounded queue that can be closed for good: nothing that was put stays without an answer."""

    def __init__(self, waiting_max: int = 10_000) -> None:
        self._waiting_max = waiting_max
        self._items: queue.SimpleQueue[Submission | Read | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed_because = ""
        #: Set by `ask_to_stop`: what was put before is still served.
        self.stopping = threading.Event()

    def put(self, item: Submission | Read) -> None:
        """Let it wait; answers at once with `LoopError` when too many do or nobody takes any more."""
        with self._lock:
            reason = self._closed_because
            if not reason and self._items.qsize() < self._waiting_max:
                self._items.put(item)
                return
        item.future.set_exception(LoopError(reason or f"too many commands are waiting ({self._waiting_max})"))

    def nudge(self) -> None:
        """Let `take` return at once."""
        self._items.put(None)

    def ask_to_stop(self) -> None:
        """Refuse what comes from now on, let `take` return."""
        with self._lock:
            self._closed_because = self._closed_because or "forebay is stopping"
            self.stopping.set()
        self.nudge()

    def take(self, timeout_s: float, most: int) -> tuple[list[Submission], list[Read]]:
        """What waits, in order: at most `most` items, and at least one unless time or a nudge came first."""
        asked: list[Submission] = []
        reads: list[Read] = []
        try:
            item = self._items.get(timeout_s > 0, timeout_s)
            while True:
                if isinstance(item, Read):
                    reads.append(item)
                elif item is not None and item.future.set_running_or_notify_cancel():
                    asked.append(item)
                if len(asked) + len(reads) >= most:
                    break
                item = self._items.get_nowait()
        except queue.Empty:
            pass
        return asked, reads

    def close(self, reason: str) -> None:
        """Answer all that still waits, and all that comes, with this reason."""
        with self._lock:
            self._closed_because = reason
        while True:
            try:
                item = self._items.get_nowait()
            except queue.Empty:
                return
            if item is not None and item.future.set_running_or_notify_cancel():
                item.future.set_exception(LoopError(reason))
