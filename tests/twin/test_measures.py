"""Every figure of a report follows from the events: checked on replays so small that it can be done by hand."""

from __future__ import annotations

import pytest

from forebay.core import ids
from forebay.core.placements.gang import Policy
from forebay.core.units import HOUR_US, SECOND_US
from forebay.twin import measures, plants, replay
from forebay.twin.faults import FailureRate, Faults, Rates
from forebay.twin.mapping import JobMap
from forebay.twin.report import ReplayReport
from forebay.twin.trace import Job

H = 3600 * SECOND_US
NEVER = Rates(FailureRate(0, 0), FailureRate(0, 0), FailureRate(0, 0), restart_s=600)


def job(name: str, submit_us: int, duration_us: int, gpus: int = 8, tenant: str = "t") -> Job:
    return Job(name, tenant, submit_us, duration_us, gpus, 0)


def run(
    jobs: list[Job], gpus: int = 8, seed: int | None = None, rates: Rates = NEVER, checkpoint_s: int = 0
) -> ReplayReport:
    setup = replay.Setup(
        plants.of_gpus(gpus, policy=Policy()), "overtake", JobMap(checkpoint_s=checkpoint_s), seed, rates
    )
    return replay.run_jobs(jobs, len(jobs), jobs[-1].submit_us, ["t", "u"], setup)


def test_waits_slowdowns_and_what_was_held() -> None:
    told = run([job("a", 0, 2 * H), job("b", H, H, 4, "u"), job("c", H, SECOND_US, 4)]).as_json()
    assert told["wait_s_by_gpus"]["5-8"]["max"] == 0
    assert told["wait_s_by_gpus"]["3-4"] == {
        "mean": 3600,
        "p50": 3600,
        "p90": 3600,
        "p99": 3600,
        "max": 3600,
        "count": 2,
    }
    assert list(told["wait_s_by_tenant"]) == ["t", "u"]
    # Of u: two hours for one. Of c: 3,601 s over 10 s, which is the bound.
    assert told["slowdown_milli_by_tenant"]["u"]["max"] == 2000
    assert told["slowdown_milli_by_gpus"]["3-4"]["max"] == 360_100
    assert told["ends"] == [{"reason": "completed", "jobs": 3}]
    assert told["reliability"]["ettr_ppm"] == 1_000_000
    assert told["span_s"] == 3 * 3600
    series = told["series"]
    assert series["slice_s"] == 60
    assert series["gpus_held"][0] == 8
    assert series["gpus_held"][150] == 4
    assert series["jobs_waiting"][90] == 2
    assert series["gpus_waiting"][90] == 8
    assert series["watts"][0] == 10_000 + 8 * 700
    # From the third hour on four of the node's eight GPUs are free: no whole node is.
    assert (series["gpus_free"][150], series["fragmentation_ppm"][150]) == (4, 1_000_000)


def test_sizes_have_classes() -> None:
    assert [measures.size_class(gpus) for gpus in (1, 2, 3, 8, 64, 65)] == [
        "1",
        "2",
        "3-4",
        "5-8",
        "33-64",
        "65-",
    ]


def test_tenants_beyond_a_number_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "TENANTS_MAX", 1)
    assert list(run([job("a", 0, H), job("b", 0, H, 8, "u")]).as_json()["wait_s_by_tenant"]) == [
        "(others)",
        "t",
    ]


def failing(monkeypatch: pytest.MonkeyPatch, at: int, out_us: int) -> None:
    """The first node fails once, at `at`, for so long."""
    failures = [plants.EPOCH_US + at]

    def fail(faults: Faults, place: int, since: int) -> None:
        if place == 0 and failures:
            faults._push(failures.pop(), place, -1)

    def broken(faults: Faults, place: int, when: int) -> list[ids.Asked]:
        faults._push(when + out_us, place, 0)
        return faults._report(place, 0, False, when)

    monkeypatch.setattr(Faults, "_break", broken)
    monkeypatch.setattr(Faults, "_next_failure", fail)


@pytest.mark.parametrize(
    ("checkpoint_s", "lost_s", "again_s"),
    [(0, 5400, 4 * 3600), (3600, 1800, 3 * 3600), (1800, 0, 4 * 3600 - 5400)],
)
def test_a_failure_costs_what_was_done_since_the_last_checkpoint_and_a_restart(
    monkeypatch: pytest.MonkeyPatch, checkpoint_s: int, lost_s: int, again_s: int
) -> None:
    """Eight GPUs work for four hours; after one and a half their node fails, for half an hour."""
    failing(monkeypatch, 5400 * SECOND_US, 1800 * SECOND_US)
    report = run([job("a", 0, 4 * H)], seed=1, checkpoint_s=checkpoint_s)
    told, seen = report.as_json()["reliability"], report.seen
    assert seen is not None
    assert seen.stops == {"node_failed": [1, lost_s * SECOND_US * 8]}
    span_s = 5400 + 1800 + 600 + again_s
    assert report.span_us == span_s * SECOND_US
    assert (told["restarts"], told["jobs_stopped"]) == (1, 1)
    assert told["ettr_ppm"] == told["ettr_ppm_of_stopped"] == 4 * 3600 * 1_000_000 // span_s
    assert told["goodput_ppm"] == 4 * 3600 * 1_000_000 // span_s
    assert max(seen.series.means(measures.DOWN)) == 8


def test_who_waits_for_ever_is_told() -> None:
    """The only node fails and is not repaired within the patience of a replay."""
    rates = Rates(FailureRate(3600, 10**10), FailureRate(0, 0), FailureRate(0, 0))
    report = run([job("a", 0, 4 * H)], seed=1, rates=rates)
    assert report.refusals["never_started"] == (1, "it still waited when nothing ran any more")
    assert report.as_json()["ends"] == []


def test_a_name_that_stands_twice_has_the_first() -> None:
    report = run([job("a", 0, 4 * H), job("a", H, H)])
    assert report.refusals["duplicate_id"][0] == report.refused == 1


def test_a_limit_of_time_ends_a_job() -> None:
    report = run([Job("a", "t", 0, 4 * H, 8, 3600)])
    assert report.as_json()["ends"] == [{"reason": "walltime", "jobs": 1}]
    assert report.gpu_us == 8 * HOUR_US
    assert report.slowdowns.count == 0
