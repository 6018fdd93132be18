"""Ports that remember and fail on demand, and short ways to make a loop over the toy World."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from forebay.core import ids
from forebay.journals.memory import MemoryJournal
from forebay.loop import codec, ports
from forebay.loop.loop import Loop
from forebay.loop.replay import Replay
from forebay.twin.clock import VirtualClock
from tests.loop import toy

OPERATOR = ids.Principal("op-1", ids.Role.OPERATOR)
#: Long enough for any machine; nothing waits for it when things go well.
PATIENCE_S = 60.0


def ask(command: ids.Command, by: ids.Principal = OPERATOR, cause: int = 0) -> ids.Asked:
    return ids.Asked(command, by, cause=cause)


def pay(account: str = "a", amount: int = 1) -> ids.Asked:
    return ask(toy.Pay(toy.AccountId(account), amount))


def spend(account: str = "a", amount: int = 1, parts: int = 1) -> ids.Asked:
    return ask(toy.Spend(toy.AccountId(account), amount, parts))


def remind(due: int, account: str = "a", again_us: int = 0, times: int = 0) -> ids.Asked:
    return ask(toy.Remind(toy.AccountId(account), due, again_us, times))


class Edge:
    """An edge that writes down what it is told, in `heard`, and reports what it is given in `facts`."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []
        self.facts: list[ids.Asked] = []
        self.next_at: int | None = None
        self.broken = False

    def release(self, effects: Sequence[ids.Effect]) -> None:
        if self.broken:
            raise RuntimeError("no route to host")
        self.heard.append(("release", list(effects)))

    def resync(self, desired: Sequence[ids.Effect]) -> None:
        self.heard.append(("resync", list(desired)))

    def reports(self, at: int) -> list[ids.Asked]:
        return list(self.facts)

    def acknowledge(self, reports: Sequence[ids.Asked]) -> None:
        self.heard.append(("acknowledge", list(reports)))
        self.facts = [fact for fact in self.facts if fact not in reports]

    def next_report(self) -> int | None:
        return self.next_at

    def said(self) -> list[str]:
        return [word for word, _ in self.heard]


@dataclass
class Fault:
    """One append that goes wrong: `error` is raised `after` the records have landed, or before."""

    error: Exception
    after: bool = False


class FaultyJournal(MemoryJournal):
    """A journal in memory whose next appends fail as planned (None: works), and that can hold them up."""

    def __init__(self) -> None:
        super().__init__()
        self.plan: list[Fault | None] = []
        self.appends: list[int] = []
        self.log: list[str] = []
        self.head_error: Exception | None = None
        #: Cleared: an append waits.
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Semaphore(0)

    def append(self, expected_seq: int, records: Sequence[ports.Stored]) -> None:
        self.entered.release()
        assert self.open.wait(PATIENCE_S)
        fault = self.plan.pop(0) if self.plan else None
        if fault is None or fault.after:
            super().append(expected_seq, records)
            self.appends.append(len(records))
            self.log.append("append")
        if fault is not None:
            raise fault.error

    def head(self) -> tuple[int, bytes]:
        if self.head_error is not None:
            raise self.head_error
        return super().head()


@dataclass
class Rig:
    """A loop over the toy with all its ports at hand."""

    journal: FaultyJournal = field(default_factory=FaultyJournal)
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(1000))
    edge: Edge = field(default_factory=Edge)
    snapshots: Path | None = None

    def __post_init__(self) -> None:
        self.published: list[Sequence[ports.Stored]] = []
        self.loop = self.begin()

    def begin(self) -> Loop[toy.World]:
        replay = Replay(toy.World, self.snapshots)
        return Loop(replay, self.clock, self.journal, self.edge, [self.published.append], pause_s=0.01)

    @contextmanager
    def running(self) -> Iterator[Loop[toy.World]]:
        thread = threading.Thread(target=self.loop.run)
        thread.start()
        try:
            yield self.loop
        finally:
            self.journal.open.set()
            self.loop.stop()
            thread.join(PATIENCE_S)
            assert not thread.is_alive()

    def kinds(self) -> list[tuple[int, str]]:
        """Time and kind of each record."""
        return [(each.at, each.kind) for each in map(envelope, self.journal.read())]


def answer(future: Future[Any]) -> Any:
    return future.result(PATIENCE_S)


def envelope(record: ports.Stored) -> codec.Envelope:
    return codec.envelope(record)
