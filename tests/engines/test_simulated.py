import random
from collections.abc import Callable, Iterator

import pytest

from forebay.core import ids
from forebay.core.placements import gang
from forebay.engines import simulated
from forebay.twin.clock import VirtualClock
from tests.engines import contract
from tests.engines.contract import CAUSE, Story

SECOND = 1_000_000
STEP = SECOND // 100
#: The bench takes its engine down in these windows, one after the other.
OUTAGES = tuple((hour * 3600 * SECOND, (hour * 3600 + 60) * SECOND) for hour in (1, 2, 3))
FATES = {
    Story.COMPLETES: simulated.Fate(SECOND),
    Story.FAILS: simulated.Fate(0, gang.Ending.FAILED, 1, 3, "rank 1 exited with status 3"),
    Story.UNSTARTABLE: simulated.Fate(0, gang.Ending.UNSTARTABLE, evidence="rank 0: no such program"),
    Story.RUNS: simulated.Fate(None),
    Story.STUBBORN: simulated.Fate(None, stop_us=3600 * SECOND),
    Story.COMPLETES_LATER: simulated.Fate(3600 * SECOND + 30 * SECOND),
}


class Clock:
    at = 0

    def now(self) -> int:
        return self.at


def run_gang(name: str, generation: int = 0, grace_s: int = 20, first: int = 0) -> gang.RunGang:
    runs, starts_before = (gang.Run(0, 1, 0b11),), generation - first
    tenant = ids.TenantId("t")
    return gang.RunGang(ids.GangId(name), generation, tenant, runs, grace_s, starts_before, None, CAUSE)


class SimulatedBench:
    def __init__(self, start_us: int) -> None:
        self.clock = Clock()
        self.stories: dict[tuple[str, int], Story] = {}
        self.started: list[tuple[str, int]] = []
        faults = simulated.EngineFaults(outages=OUTAGES)
        self.engine = simulated.SimulatedEngine(self.clock, self._fate, start_us=start_us, faults=faults)

    def _fate(self, effect: gang.RunGang) -> simulated.Fate:
        self.started.append((effect.gang, effect.generation))
        return FATES[self.stories[effect.gang, effect.generation]]

    def run(
        self, name: str, generation: int, story: Story, grace_s: int = 20, first: int = 0
    ) -> gang.RunGang:
        self.stories[name, generation] = story
        return run_gang(name, generation, grace_s, first)

    def now(self) -> int:
        return self.clock.at

    def until(self, condition: Callable[[], object]) -> None:
        for _ in range(100_000):
            if condition():
                return
            self.clock.at += STEP
        raise AssertionError("waited in vain")

    def settle(self) -> None:
        self.clock.at += SECOND

    def wait_ready(self, name: str) -> None:
        self.clock.at += SECOND

    def starts(self, name: str) -> list[tuple[int, int]]:
        return sorted(
            (generation, rank) for gang_id, generation in self.started if gang_id == name for rank in (0, 1)
        )

    def alive(self, name: str) -> bool:
        self.engine.reports(self.clock.at)
        return name in self.engine._live

    def go_down(self) -> None:
        self.clock.at = next(start for start, _ in OUTAGES if start > self.clock.at)

    def come_up(self) -> None:
        self.clock.at = next(end for _, end in OUTAGES if end > self.clock.at)


class TestContract(contract.Contract):
    @pytest.fixture(params=[0, 5 * SECOND], ids=["at once", "5 s to come up"])
    def bench(self, request: pytest.FixtureRequest) -> SimulatedBench:
        return SimulatedBench(request.param)


def make(
    fates: simulated.Fate | dict[str, tuple[int, gang.Ending]],
    start_us: int = 0,
    faults: simulated.EngineFaults | None = None,
) -> tuple[Clock, simulated.SimulatedEngine]:
    clock = Clock()
    what = fates if isinstance(fates, dict) else lambda _: fates
    return clock, simulated.SimulatedEngine(clock, what, start_us=start_us, faults=faults)


def drain(clock: Clock, engine: simulated.SimulatedEngine) -> Iterator[tuple[int, ids.Command]]:
    """Go from report to report as a loop would: when it was seen, and what."""
    while (at := engine.next_report()) is not None:
        assert at >= clock.at
        clock.at = at
        reports = engine.reports(at)
        for asked in reports:
            yield at, asked.command
        engine.acknowledge(reports)


# Instants


def test_a_table_is_enough() -> None:
    clock, engine = make({"a": (7, gang.Ending.COMPLETED), "b": (3, gang.Ending.FAILED)})
    engine.release([run_gang("a"), run_gang("b")])
    ends = [(at, what.gang) for at, what in drain(clock, engine) if isinstance(what, gang.ReportGangEnded)]
    assert ends == [(3, "b"), (7, "a")]


def test_it_tells_when_the_next_report_is_there() -> None:
    clock, engine = make(simulated.Fate(100), start_us=10)
    assert engine.next_report() is None
    engine.release([run_gang("a")])
    assert engine.next_report() == 10
    assert engine.reports(9) == []
    clock.at = 10
    (start,) = engine.reports(10)
    assert engine.next_report() == 10
    engine.acknowledge([start])
    assert engine.next_report() == 110


def test_an_end_that_a_stop_made_out_of_date_is_not_waited_for() -> None:
    clock, engine = make(simulated.Fate(100))
    engine.release([run_gang("a")])
    engine.release([contract.stop("a", 0)])
    assert [type(what).__name__ for _, what in drain(clock, engine)] == [
        "ReportGangStarted",
        "ReportGangEnded",
    ]
    assert clock.at == 0


def test_a_gang_that_ends_within_its_grace_does_not_take_longer() -> None:
    clock, engine = make(simulated.Fate(SECOND, stop_us=5 * SECOND))
    engine.release([run_gang("a")])
    engine.release([contract.stop("a", 0)])
    (*_, (at, end)) = drain(clock, engine)
    assert isinstance(end, gang.ReportGangEnded)
    assert (at, end.ending) == (SECOND, gang.Ending.STOPPED)


# Faults, one at a time


def count(what: str, faults: simulated.EngineFaults, gangs: int = 200) -> int:
    clock, engine = make(simulated.Fate(SECOND), faults=faults)
    engine.release([run_gang(f"g{number}") for number in range(gangs)])
    return sum(type(report).__name__ == what for _, report in drain(clock, engine))


def test_effects_are_lost_until_they_are_given_again() -> None:
    clock, engine = make(simulated.Fate(SECOND), faults=simulated.EngineFaults(lost_effects=500))
    effects = [run_gang(f"g{number}") for number in range(200)]
    engine.release(effects)
    seen = len(list(drain(clock, engine)))
    assert 0 < seen < 400
    engine.resync(effects)
    started = {what.gang for _, what in drain(clock, engine) if isinstance(what, gang.ReportGangStarted)}
    assert len(started) == 200 - seen // 2


def test_repeated_effects_start_nothing_twice() -> None:
    assert count("ReportGangStarted", simulated.EngineFaults(repeated_effects=1000)) == 200


def test_reports_come_late_with_their_true_instants() -> None:
    clock, engine = make(simulated.Fate(SECOND), faults=simulated.EngineFaults(late_reports=1000))
    engine.release([run_gang("a")])
    for at, what in drain(clock, engine):
        assert isinstance(what, gang.ReportGangStarted | gang.ReportGangEnded)
        assert what.effective_at in (0, SECOND)
        assert at > what.effective_at


def test_reports_are_repeated() -> None:
    assert 210 < count("ReportGangEnded", simulated.EngineFaults(repeated_reports=300)) < 400


def test_the_end_before_is_reported_again_as_the_next_generation_starts() -> None:
    clock, engine = make(simulated.Fate(SECOND), faults=simulated.EngineFaults(stale_reports=1000))
    engine.release([run_gang("a", 0)])
    list(drain(clock, engine))
    engine.release([run_gang("a", 1)])
    reports = [(what.generation, type(what).__name__) for _, what in drain(clock, engine)]  # type: ignore[attr-defined]
    assert sorted(reports) == [(0, "ReportGangEnded"), (1, "ReportGangEnded"), (1, "ReportGangStarted")]


def test_a_start_that_fails_halfway_never_started() -> None:
    faults = simulated.EngineFaults(halfway_starts=1000)
    assert count("ReportGangStarted", faults) == 0
    assert count("ReportGangEnded", faults) == 200


def test_in_an_outage_effects_are_lost_and_reports_wait() -> None:
    outage = (10 * SECOND, 20 * SECOND)
    clock, engine = make(simulated.Fate(15 * SECOND), faults=simulated.EngineFaults(outages=(outage,)))
    engine.release([run_gang("a")])
    engine.acknowledge(engine.reports(0))
    clock.at = 12 * SECOND
    engine.release([run_gang("b")])
    assert engine.next_report() == 15 * SECOND
    clock.at = 16 * SECOND
    assert engine.reports(clock.at) == []
    assert engine.next_report() == 20 * SECOND
    ((at, end),) = drain(clock, engine)
    assert isinstance(end, gang.ReportGangEnded)
    assert (at, end.gang, end.effective_at) == (20 * SECOND, "a", 15 * SECOND)


# All faults at once, against a naive model of the other side

EVERYTHING = {
    "lost_effects": 100,
    "repeated_effects": 100,
    "late_reports": 100,
    "repeated_reports": 100,
    "stale_reports": 300,
    "halfway_starts": 100,
}


def play(seed: int) -> list[tuple[int, str]]:
    """Get 60 gangs to complete, whatever happens: failed ones again, lost effects by resync."""
    dice = random.Random(seed)
    faults = simulated.EngineFaults(
        seed, **EVERYTHING, delay_us_max=90 * SECOND, outages=((300 * SECOND, 360 * SECOND),)
    )
    clock = Clock()
    engine = simulated.SimulatedEngine(
        clock,
        lambda _: simulated.Fate(
            dice.randrange(1, 200 * SECOND), dice.choice([gang.Ending.COMPLETED, gang.Ending.FAILED])
        ),
        start_us=SECOND,
        faults=faults,
    )
    wanted = {f"g{number}": 0 for number in range(60)}
    engine.release([run_gang(name) for name in wanted])
    history = []
    while wanted:
        assert clock.at < 24 * 3600 * SECOND, f"never done: {sorted(wanted)}"
        clock.at += 10 * SECOND
        reports = engine.reports(clock.at)
        for asked in reports:
            report = asked.command
            history.append((clock.at, repr(report)))
            assert isinstance(report, gang.ReportGangStarted | gang.ReportGangEnded)
            assert report.effective_at <= clock.at
            if isinstance(report, gang.ReportGangStarted) or wanted.get(report.gang) != report.generation:
                continue
            if report.ending is gang.Ending.COMPLETED:
                del wanted[report.gang]
            else:
                wanted[report.gang] += 1
                engine.release([run_gang(report.gang, wanted[report.gang])])
        engine.acknowledge(reports)
        if clock.at % (120 * SECOND) == 0:
            engine.resync([run_gang(name, generation) for name, generation in sorted(wanted.items())])
    return history


@pytest.mark.parametrize("seed", range(5))
def test_everything_gets_done_under_all_faults(seed: int) -> None:
    history = play(seed)
    assert history == play(seed)


def test_another_seed_is_another_history() -> None:
    assert play(1) != play(2)


def test_what_was_over_long_ago_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else an engine that runs ten million gangs would need room for all of them."""
    monkeypatch.setattr(simulated, "KNOWN_MAX", 2)
    clock = VirtualClock()
    engine = simulated.SimulatedEngine(
        clock, {f"g{n}": (10**9 if n == 0 else 1, gang.Ending.COMPLETED) for n in range(9)}
    )
    for number in range(9):
        effect = gang.RunGang(
            ids.GangId(f"g{number}"), 1, ids.TenantId("t"), (gang.Run(0, 1, 1),), 30, 0, None, 1
        )
        engine.release([effect])
        clock.set(clock.now() + 10)
        engine.acknowledge(engine.reports(clock.now()))
    assert "g0" in engine._known  # it runs still
    assert len(engine._known) <= 5
