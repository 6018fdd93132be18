"""How does time move in the twin? From one thing that happens to the next, through the same loop as everywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from forebay.core import ids
from forebay.core.world import World
from forebay.loop import ports
from forebay.loop.loop import Loop, Watch
from forebay.loop.replay import Replay
from forebay.twin.clock import VirtualClock


class Happenings(Protocol):
    """What befalls the plant while work goes on, such as failures."""

    def next_at(self) -> int | None:
        """When the next thing happens; None when nothing will."""
        ...

    def due(self, at: int) -> Sequence[ids.Asked]:
        """What happens up to `at`, as reports; each is given once."""
        ...


class Twin:
    """A World under a virtual clock. `engine` knows when its next report is due (a simulated one does).

    `replay` says how records are made; `watch` is told what happened, and `passing` that time moves on, before
    anything happens; `beside` happens meanwhile.
    """

    def __init__(
        self,
        clock: VirtualClock,
        engine: ports.Edge,
        journal: ports.Journal,
        *,
        replay: Replay[World] | None = None,
        watch: Watch | None = None,
        passing: Callable[[int], None] | None = None,
        beside: Happenings | None = None,
    ) -> None:
        self.passing = passing
        self.clock = clock
        self.engine = engine
        self.journal = journal
        self.beside = beside
        self.loop: Loop[World] = Loop(replay or Replay(World), clock, journal, engine, watch=watch)

    @property
    def world(self) -> World:
        """The World as it is now."""
        return self.loop.world

    def ask(self, by: ids.Principal, *commands: ids.Command) -> list[ids.Answer | ids.Refusal]:
        """These commands, now. Raises `LoopError` when they cannot be recorded."""
        return self.step(*(ids.Asked(command, by) for command in commands))

    def step(self, *asked: ids.Asked) -> list[ids.Answer | ids.Refusal]:
        """One turn of the loop, now: what is due, what the engine saw, what is asked. Raises `LoopError`."""
        answers: list[ids.Answer | ids.Refusal] = []
        for result in self.loop.step(asked):
            if isinstance(result, Exception):
                raise result
            answers.append(result)
        return answers

    def run_until(self, at: int | None, patient: Callable[[int], bool] | None = None) -> None:
        """Let everything happen that comes before `at`; with None, until no work is left. `patient` is then asked
        whether to wait for what comes at an instant, though nothing runs."""
        if at is not None and self.beside is None:
            self._run_on(at)
            return
        while (due := self.next_due(at, patient)) is not None and (at is None or due < at):
            if self.passing is not None:
                self.passing(due)
            self.clock.advance_to(due)
            self.step(*(() if self.beside is None else self.beside.due(due)))

    def _run_on(self, at: int) -> None:
        """The same up to an instant, where nothing befalls the plant: most of what a replay does."""
        loop, clock, passing = self.loop, self.clock, self.passing
        step, next_report = loop.step, self.engine.next_report
        while True:
            due, woken = next_report(), loop.world.next_wake()
            if due is None or (woken is not None and woken < due):
                due = woken
            if due is None or due >= at:
                return
            if passing is not None:
                passing(due)
            clock.advance_to(due)
            step()

    def next_due(self, at: int | None = None, patient: Callable[[int], bool] | None = None) -> int | None:
        """When something happens by itself. Without an end, timers count only while work goes on, or somebody is
        patient: the calendar alone would go on for ever."""
        reported = self.engine.next_report()
        if at is None and reported is None and patient is None:
            return None
        woken = self.world.next_wake()
        due = reported if woken is None or (reported is not None and reported < woken) else woken
        if self.beside is not None:
            happens = self.beside.next_at()
            if happens is not None and (due is None or happens < due):
                due = happens
        if at is None and reported is None and (due is None or patient is None or not patient(due)):
            return None
        return due
