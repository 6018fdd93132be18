"""Who waits for the next record? Readers of the end of the journal, told as soon as it grows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from forebay.loop import ports


class Tail:
    """Sequence of the last durable record, and who wants to know when it grows."""

    def __init__(self, seq: int) -> None:
        self._lock = threading.Lock()
        self._listeners: dict[int, Callable[[], None]] = {}
        self._next = 0
        self.seq = seq

    def publish(self, records: Sequence[ports.Stored]) -> None:
        """These have become durable. Called by the loop; never blocks."""
        with self._lock:
            self.seq = records[-1].seq
        self.wake()

    def wake(self) -> None:
        """Let everybody who waits look again."""
        with self._lock:
            listeners = list(self._listeners.values())
        for listener in listeners:
            listener()

    def listen(self, listener: Callable[[], None]) -> int:
        """Call `listener`, from any thread, whenever it grows; the number is for `leave`."""
        with self._lock:
            self._next += 1
            self._listeners[self._next] = listener
            return self._next

    def leave(self, number: int) -> None:
        """Do not call it any more."""
        with self._lock:
            self._listeners.pop(number, None)
