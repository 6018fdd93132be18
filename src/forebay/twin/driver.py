"""How does time move in the twin? From one thing that happens to the next, through the same loop as everywhere."""

from __future__ import annotations

from forebay.core import ids
from forebay.core.world import World
from forebay.loop import ports
from forebay.loop.loop import Loop
from forebay.loop.replay import Replay
from forebay.twin.clock import VirtualClock


class Twin:
    """A World under a virtual clock. `engine` knows when its next report is due (a simulated one does)."""

    def __init__(self, clock: VirtualClock, engine: ports.Edge, journal: ports.Journal) -> None:
        self.clock = clock
        self.engine = engine
        self.journal = journal
        self.loop: Loop[World] = Loop(Replay(World), clock, journal, engine)

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

    def run_until(self, at: int | None) -> None:
        """Let everything happen that comes before `at`; with None, until no work is left."""
        while (due := self.next_due(at)) is not None and (at is None or due < at):
            self.clock.advance_to(due)
            self.loop.step()

    def next_due(self, at: int | None = None) -> int | None:
        """When something happens by itself. Without an end, timers count only while work goes on: the calendar alone
        would go on for ever."""
        reported = self.engine.next_report()
        if at is None and reported is None:
            return None
        woken = self.world.next_wake()
        if woken is None or (reported is not None and reported < woken):
            return reported
        return woken
