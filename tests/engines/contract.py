"""What every engine promises, whatever it runs work on: one class of tests, inherited by the tests of each.

An engine is tested on a `Bench`, which knows how to make a gang behave (`Story`) and how to wait.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import Protocol

import pytest

from forebay.core import ids
from forebay.core.placements import gang
from forebay.loop import ports

CAUSE = 41


class Story(Enum):
    """How a gang of two ranks behaves."""

    COMPLETES = auto()
    #: Rank 1 exits with status 3 at once; rank 0 would run on.
    FAILS = auto()
    UNSTARTABLE = auto()
    #: Until it is stopped, which it does when asked.
    RUNS = auto()
    #: Until it is killed: it ignores the request.
    STUBBORN = auto()
    #: Ends by itself a little later than a test takes to take the engine down.
    COMPLETES_LATER = auto()


class Bench(Protocol):
    """An engine, and how to tell stories with it."""

    engine: ports.Edge

    def run(
        self, name: str, generation: int, story: Story, grace_s: int = 20, first: int = 0
    ) -> gang.RunGang:
        """An effect that starts `story`, for a gang whose first generation was `first`."""
        ...

    def now(self) -> int: ...

    def until(self, condition: Callable[[], object]) -> None:
        """Wait for it; fail after a while."""
        ...

    def settle(self) -> None:
        """Wait until all that was released has been acted on."""
        ...

    def wait_ready(self, name: str) -> None:
        """Wait until the ranks do what their story says."""
        ...

    def starts(self, name: str) -> list[tuple[int, int]]:
        """(generation, rank) of every start of a rank, sorted."""
        ...

    def alive(self, name: str) -> bool:
        """Whether any rank lives."""
        ...

    def go_down(self) -> None:
        """The engine goes without a word; work goes on."""
        ...

    def come_up(self) -> None:
        """It is back, and knows what it finds."""
        ...


def stop(name: str, generation: int, grace_s: int = 20, reason: str = "cancelled") -> gang.StopGang:
    return gang.StopGang(ids.GangId(name), generation, grace_s, reason, CAUSE)


def started(asked: ids.Asked) -> bool:
    return isinstance(asked.command, gang.ReportGangStarted)


class Contract:
    """Inherited by the tests of each engine, which give the fixture `bench`."""

    @pytest.fixture
    def bench(self) -> Bench:
        raise NotImplementedError

    def facts(self, bench: Bench) -> list[tuple[str, int, str]]:
        """What is reported: gang, generation and "started" or the ending, in order."""
        found = []
        for asked in bench.engine.reports(bench.now()):
            report = asked.command
            if isinstance(report, gang.ReportGangEnded):
                found.append((str(report.gang), report.generation, report.ending.value))
            elif isinstance(report, gang.ReportGangStarted):
                found.append((str(report.gang), report.generation, "started"))
        return found

    def expect(self, bench: Bench, *facts: tuple[str, int, str]) -> list[ids.Asked]:
        """Wait for exactly these, and acknowledge them."""
        bench.until(lambda: len(self.facts(bench)) >= len(facts))
        assert self.facts(bench) == list(facts)
        reports = bench.engine.reports(bench.now())
        bench.engine.acknowledge(reports)
        return reports

    def ended(self, asked: ids.Asked) -> gang.ReportGangEnded:
        assert isinstance(asked.command, gang.ReportGangEnded)
        return asked.command

    # Ways to end

    def test_a_gang_starts_and_completes(self, bench: Bench) -> None:
        bench.engine.release([bench.run("a", 0, Story.COMPLETES)])
        start, end = self.expect(bench, ("a", 0, "started"), ("a", 0, "completed"))
        assert isinstance(start.command, gang.ReportGangStarted)
        assert start.command.effective_at <= self.ended(end).effective_at
        for asked in (start, end):
            assert asked.by.role is ids.Role.EDGE
            assert asked.cause == CAUSE
        assert (self.ended(end).rank, self.ended(end).exit_status) == (-1, 0)
        assert bench.starts("a") == [(0, 0), (0, 1)]

    def test_a_failing_rank_takes_the_others_with_it(self, bench: Bench) -> None:
        bench.engine.release([bench.run("a", 0, Story.FAILS)])
        _, end = self.expect(bench, ("a", 0, "started"), ("a", 0, "failed"))
        assert (self.ended(end).rank, self.ended(end).exit_status) == (1, 3)
        assert "rank 1" in self.ended(end).evidence
        assert not bench.alive("a")

    def test_what_cannot_start_never_started(self, bench: Bench) -> None:
        bench.engine.release([bench.run("a", 0, Story.UNSTARTABLE)])
        (end,) = self.expect(bench, ("a", 0, "unstartable"))
        assert self.ended(end).evidence
        assert not bench.alive("a")

    def test_it_stops_when_asked(self, bench: Bench) -> None:
        bench.engine.release([bench.run("a", 0, Story.RUNS)])
        self.expect(bench, ("a", 0, "started"))
        asked_at = bench.now()
        bench.engine.release([stop("a", 0)])
        (end,) = self.expect(bench, ("a", 0, "stopped"))
        assert asked_at <= self.ended(end).effective_at < asked_at + 15_000_000
        assert "cancelled" in self.ended(end).evidence
        assert not bench.alive("a")

    def test_it_is_killed_when_its_grace_is_over(self, bench: Bench) -> None:
        bench.engine.release([bench.run("a", 0, Story.STUBBORN)])
        self.expect(bench, ("a", 0, "started"))
        bench.wait_ready("a")
        asked_at = bench.now()
        bench.engine.release([stop("a", 0, grace_s=1)])
        (end,) = self.expect(bench, ("a", 0, "stopped"))
        assert asked_at + 990_000 <= self.ended(end).effective_at < asked_at + 15_000_000
        assert not bench.alive("a")

    def test_a_name_can_be_used_again(self, bench: Bench) -> None:
        bench.engine.release([bench.run("a", 0, Story.COMPLETES)])
        self.expect(bench, ("a", 0, "started"), ("a", 0, "completed"))
        bench.engine.release([bench.run("a", 1, Story.FAILS, first=1)])
        self.expect(bench, ("a", 1, "started"), ("a", 1, "failed"))
        bench.engine.release([bench.run("a", 2, Story.COMPLETES, first=1)])
        self.expect(bench, ("a", 2, "started"), ("a", 2, "completed"))
        assert {generation for generation, _ in bench.starts("a")} == {0, 1, 2}

    # Reports

    def test_reports_are_repeated_until_they_are_acknowledged(self, bench: Bench) -> None:
        bench.engine.release([bench.run("a", 0, Story.COMPLETES)])
        bench.until(lambda: len(self.facts(bench)) == 2)
        first, second = bench.engine.reports(bench.now())
        assert bench.engine.reports(bench.now()) == [first, second]
        bench.engine.acknowledge([first])
        assert bench.engine.reports(bench.now()) == [second]
        bench.engine.acknowledge([first, second])
        assert bench.engine.reports(bench.now()) == []

    def test_reports_of_others_are_passed_over(self, bench: Bench) -> None:
        report = gang.ReportGangStarted(ids.GangId("z"), 0, 0, "somebody")
        bench.engine.acknowledge([ids.Asked(report, ids.CLOCK), ids.Asked(ids.Command(), ids.CLOCK)])
        assert self.facts(bench) == []

    # Effects come late, twice, never, and in any order

    def test_an_effect_that_comes_twice_starts_once(self, bench: Bench) -> None:
        effect = bench.run("a", 0, Story.RUNS)
        bench.engine.release([effect, effect])
        bench.engine.release([effect])
        self.expect(bench, ("a", 0, "started"))
        bench.engine.release([effect])
        bench.engine.release([stop("a", 0), stop("a", 0)])
        self.expect(bench, ("a", 0, "stopped"))
        bench.engine.release([effect, stop("a", 0)])
        bench.settle()
        assert self.facts(bench) == []
        assert bench.starts("a") == [(0, 0), (0, 1)]

    def test_a_late_effect_of_an_older_generation_does_nothing(self, bench: Bench) -> None:
        bench.engine.release([bench.run("a", 3, Story.RUNS)])
        self.expect(bench, ("a", 3, "started"))
        bench.engine.release([bench.run("a", 2, Story.RUNS)])
        bench.settle()
        assert self.facts(bench) == []
        assert bench.alive("a")
        assert bench.starts("a") == [(3, 0), (3, 1)]

    def test_stopping_an_older_generation_leaves_the_newer_one_alone(self, bench: Bench) -> None:
        bench.engine.release([bench.run("a", 1, Story.COMPLETES)])
        self.expect(bench, ("a", 1, "started"), ("a", 1, "completed"))
        bench.engine.release([bench.run("a", 2, Story.RUNS)])
        self.expect(bench, ("a", 2, "started"))
        bench.engine.release([stop("a", 1)])
        bench.settle()
        assert self.facts(bench) == []
        assert bench.alive("a")

    def test_a_stop_that_overtakes_its_start_is_answered_and_forbids_it(self, bench: Bench) -> None:
        bench.engine.release([stop("a", 0)])
        self.expect(bench, ("a", 0, "stopped"))
        bench.engine.release([bench.run("a", 0, Story.RUNS), stop("a", 0)])
        bench.settle()
        assert self.facts(bench) == []
        assert bench.starts("a") == []

    def test_the_next_generation_waits_until_the_one_before_it_is_dead(self, bench: Bench) -> None:
        bench.engine.release([bench.run("a", 0, Story.STUBBORN, grace_s=1)])
        self.expect(bench, ("a", 0, "started"))
        bench.wait_ready("a")
        bench.engine.release([bench.run("a", 1, Story.RUNS)])
        bench.until(lambda: len(self.facts(bench)) == 2)
        end, start = bench.engine.reports(bench.now())
        self.expect(bench, ("a", 0, "stopped"), ("a", 1, "started"))
        assert isinstance(start.command, gang.ReportGangStarted)
        assert self.ended(end).effective_at <= start.command.effective_at

    def test_only_the_newest_of_the_generations_that_wait_starts(self, bench: Bench) -> None:
        bench.engine.release([bench.run("a", 0, Story.STUBBORN, grace_s=1)])
        self.expect(bench, ("a", 0, "started"))
        bench.wait_ready("a")
        bench.engine.release([bench.run("a", 1, Story.RUNS), bench.run("a", 2, Story.RUNS)])
        self.expect(bench, ("a", 0, "stopped"), ("a", 2, "started"))
        assert {generation for generation, _ in bench.starts("a")} == {0, 2}

    def test_a_generation_that_waits_can_be_stopped(self, bench: Bench) -> None:
        bench.engine.release([bench.run("a", 0, Story.STUBBORN, grace_s=1)])
        self.expect(bench, ("a", 0, "started"))
        bench.wait_ready("a")
        bench.engine.release([bench.run("a", 1, Story.RUNS), stop("a", 1)])
        self.expect(bench, ("a", 1, "stopped"), ("a", 0, "stopped"))
        assert {generation for generation, _ in bench.starts("a")} == {0}

    def test_effects_for_other_edges_are_passed_over(self, bench: Bench) -> None:
        bench.engine.release([ids.Effect(), bench.run("a", 0, Story.COMPLETES)])
        bench.engine.resync([ids.Effect(), bench.run("a", 0, Story.COMPLETES)])
        bench.until(lambda: ("a", 0, "completed") in self.facts(bench))

    # The whole desired state

    def test_a_resync_starts_what_was_lost(self, bench: Bench) -> None:
        bench.engine.resync([bench.run("a", 0, Story.RUNS)])
        self.expect(bench, ("a", 0, "started"))

    def test_a_resync_stops_what_is_not_wanted(self, bench: Bench) -> None:
        keep = bench.run("keep", 0, Story.RUNS)
        bench.engine.release([keep])
        self.expect(bench, ("keep", 0, "started"))
        bench.engine.release([bench.run("drop", 0, Story.RUNS)])
        self.expect(bench, ("drop", 0, "started"))
        bench.engine.resync([keep])
        bench.until(lambda: ("drop", 0, "stopped") in self.facts(bench))
        assert bench.alive("keep")
        assert bench.starts("keep") == [(0, 0), (0, 1)]

    def test_a_resync_reports_again_what_is_known(self, bench: Bench) -> None:
        effect = bench.run("a", 0, Story.RUNS)
        bench.engine.release([effect])
        self.expect(bench, ("a", 0, "started"))
        bench.engine.resync([effect])
        self.expect(bench, ("a", 0, "started"))
        bench.engine.resync([stop("a", 0)])
        bench.until(lambda: ("a", 0, "stopped") in self.facts(bench))

    def test_a_resync_to_an_older_generation_gets_an_answer(self, bench: Bench) -> None:
        bench.engine.release([bench.run("a", 2, Story.RUNS)])
        self.expect(bench, ("a", 2, "started"))
        bench.engine.resync([bench.run("a", 1, Story.RUNS)])
        bench.until(lambda: len(self.facts(bench)) == 2)
        assert sorted(self.facts(bench)) == [("a", 1, "lost"), ("a", 2, "stopped")]

    # While we were down

    def test_work_goes_on_while_the_engine_is_down(self, bench: Bench) -> None:
        effect = bench.run("a", 0, Story.RUNS)
        bench.engine.release([effect])
        self.expect(bench, ("a", 0, "started"))
        bench.settle()
        bench.go_down()
        assert bench.alive("a")
        bench.come_up()
        assert self.facts(bench) == []
        bench.engine.release([effect])
        bench.settle()
        assert bench.starts("a") == [(0, 0), (0, 1)]
        bench.engine.release([stop("a", 0)])
        self.expect(bench, ("a", 0, "stopped"))

    def test_what_ended_while_the_engine_was_down_is_reported_once(self, bench: Bench) -> None:
        bench.engine.release([bench.run("a", 0, Story.COMPLETES_LATER)])
        self.expect(bench, ("a", 0, "started"))
        bench.settle()
        bench.go_down()
        bench.until(lambda: not bench.alive("a"))
        bench.come_up()
        self.expect(bench, ("a", 0, "completed"))
        bench.settle()
        bench.go_down()
        bench.come_up()
        bench.settle()
        assert self.facts(bench) == []

    def test_what_was_not_acknowledged_is_reported_by_the_next_engine(self, bench: Bench) -> None:
        bench.engine.release([bench.run("a", 0, Story.COMPLETES)])
        bench.until(lambda: len(self.facts(bench)) == 2)
        bench.go_down()
        bench.come_up()
        self.expect(bench, ("a", 0, "started"), ("a", 0, "completed"))
