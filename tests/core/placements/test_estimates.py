"""What is learned of run times: start times equal those of a slow and plain reference, and every rule by itself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from forebay.core import ids
from forebay.core.placements import estimates
from forebay.core.placements.estimates import Estimates, GangOverran, Learned, RunKind, RunTimes
from forebay.core.placements.gang import Ending, Order, Policy, SubmitGang
from forebay.core.placements.projects import ApplyProjects, Project, ProjectsPlan
from forebay.core.units import SECOND_US
from tests.core import plant
from tests.core.estimated_machine import EstimatedMachine
from tests.core.placements.learned_reference import YEAR_S, learning
from tests.core.placements.reference import Job
from tests.core.placements.test_ordering import COUNTS_ONLY, TOPOLOGY, built, starts, trace
from tests.core.plant import Driver

LEARNS: dict[str, Any] = {"estimates": Estimates.LEARNED, "estimates_wait_s": 300}


def test_anything_of_estimates_in_any_order() -> None:
    run_state_machine_as_test(
        EstimatedMachine,
        settings=settings(
            max_examples=15, stateful_step_count=30, derandomize=True, database=None, deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


def without_limits(jobs: list[Job], every: int) -> list[Job]:
    """The same jobs, of which only one in so many asks for a limit; each is one of two users'."""
    return [
        job._replace(walltime_s=job.walltime_s if place % every == 0 else 0, user=("", "u1", "u2")[place % 3])
        for place, job in enumerate(jobs)
    ]


def learning_driver(per_node: int, per_rack: int, order: Order, depth: int = 3) -> Driver:
    driver = built(per_node, per_rack, order, 200, depth)
    driver.policy(**LEARNS)
    return driver


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize(("per_node", "per_rack"), [COUNTS_ONLY, TOPOLOGY])
@pytest.mark.parametrize("seed", [1, 2])
def test_start_times_equal_the_references(order: Order, per_node: int, per_rack: int, seed: int) -> None:
    gpus = 2 * per_node * per_rack
    gap_s = 20 if gpus > 16 else 120
    # Those that come later run longer now and then than anybody could have learned.
    later = [
        Job(
            f"l{job.name}",
            job.submit_s + 20_000,
            job.gpus,
            4 * job.walltime_s,
            job.duration_s * (1 + 3 * (n % 5 == 0)),
        )
        for n, job in enumerate(trace(seed + 9, 60, gpus, gap_s))
    ]
    jobs = without_limits(trace(seed, 30, gpus, gap_s) + later, 4)
    driver = learning_driver(per_node, per_rack, order)
    said = starts(driver, jobs)
    plain = learning(order.value)(2 * per_rack, per_node, per_rack, order.value, 200, 3, 300)
    assert said == plain.run(jobs)
    assert len(said) == len(jobs)
    assert driver.count(GangOverran) > 0


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 30), st.integers(1, 16), st.sampled_from([0, 0, 0, 9, 70]), st.integers(1, 60)
        ),
        max_size=24,
    ),
    st.sampled_from(list(Order)),
    st.sampled_from([0, 40, 10**6]),
)
def test_whatever_comes(rows: list[tuple[int, int, int, int]], order: Order, patience_s: int) -> None:
    rows.sort()
    jobs = [
        Job(f"j{n:02d}", at, gpus, limit and max(limit, run), run)
        for n, (at, gpus, limit, run) in enumerate(rows)
    ]
    driver = learning_driver(*COUNTS_ONLY, order, 1)
    driver.policy(estimates_wait_s=patience_s)
    plain = learning(order.value)(16, *COUNTS_ONLY, order.value, 200, 1, patience_s)
    assert starts(driver, jobs) == plain.run(jobs)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 7), st.integers(1, 390)), min_size=10, max_size=40),
    st.integers(10, 16),
    st.sampled_from([Order.EASY, Order.EASY_DEPTH, Order.CONSERVATIVE]),
)
def test_no_large_gang_starves_behind_wrong_estimates(
    rows: list[tuple[int, int, int]], large: int, order: Order
) -> None:
    """A stream of small gangs that first teach to expect little, against a large one: see `estimates_wait`."""
    taught = [Job(f"t{n}", n, 1, 0, 4) for n in range(12)]
    stream = [
        Job(f"s{n:02d}", 28 if n < 2 else 30 + 8 * n + at, gpus, 0, run)
        for n, (at, gpus, run) in enumerate(rows)
    ]
    jobs = [*taught, *stream, Job("large", 29, large, 0, 10)]
    jobs.sort(key=lambda job: job.submit_s)
    driver = learning_driver(*COUNTS_ONLY, order, 100)
    driver.policy(walltime_s_max=400, estimates_wait_s=200)
    # What runs when nobody goes by any more is gone at its limit and its grace.
    assert starts(driver, jobs)["large"] <= 29 + 200 + 430


# Buckets, by themselves.


def test_buckets_are_a_quarter_wide_and_leave_no_gap() -> None:
    last = -1
    for ran_s in [*range(4, 5000), 10**6, YEAR_S - 1, YEAR_S]:
        bucket = estimates.bucket_of(ran_s)
        assert bucket in (last, last + 1) or ran_s > 5000
        assert ran_s < estimates.bound_s(bucket) <= ran_s + max(1, ran_s // 4)
        last = bucket
    assert [estimates.bucket_of(ran_s) for ran_s in (-5, 0, 1, 3, 4)] == [0] * 5
    assert estimates.bucket_of(10**12) == estimates.bucket_of(YEAR_S) == last


def book(*ran_s: int) -> RunTimes:
    counts = [0] * len(book_of_none())
    for each in ran_s:
        counts[estimates.bucket_of(each)] += 1
    return RunTimes(len(ran_s), tuple(counts))


def book_of_none() -> tuple[int, ...]:
    learned = Learned()
    driver = plant.plant(policy=None)
    gang = driver.run("one", 1)
    estimates.learn(learned, gang, "completed", gang.started_at)
    return next(iter(learned.books.values())).counts


def test_quantiles_are_nearest_ranks_of_those_that_ran_so_long() -> None:
    ten = book(4, 4, 4, 4, 4, 40, 40, 40, 40, 400)
    told = [estimates.quantile_s(ten, percent) for percent in (1, 50, 51, 90, 91, 100)]
    assert told == [5, 5, 48, 48, 448, 448]
    assert [estimates.quantile_s(ten, 50, estimates.bucket_of(ran)) for ran in (5, 39, 48, 447, 448)] == [
        48, 48, 448, 448, None,
    ]  # fmt: skip


# What a gang gets.


def ran(driver: Driver, name: str, seconds: int, ending: Ending = Ending.COMPLETED, **terms: Any) -> None:
    driver.run(name, **({"gpus": 1, "walltime_s": 0} | terms))
    driver.later(seconds).end(name, ending)


def learned_of(driver: Driver) -> Learned:
    return driver.world.state.placements.learned


def test_nothing_is_told_of_a_tenant_before_ten_ended() -> None:
    driver = learning_driver(*TOPOLOGY, Order.EASY)
    for number in range(9):
        ran(driver, f"g{number}", 100)
    spec = driver.submit("tenth", 1, walltime_s=0).spec
    assert (spec.walltime_s, spec.estimate_s) == (YEAR_S, YEAR_S)
    driver.start("tenth")
    driver.later(100).end("tenth")
    # Of other sizes, all that its tenant runs tells; of another tenant nothing does.
    for name, gpus in (("same", 1), ("large", 8)):
        spec = driver.submit(name, gpus, walltime_s=0).spec
        assert (spec.walltime_s, spec.estimate_s) == (YEAR_S, 112)
    assert {kind.tenant for kind in learned_of(driver).books} == {"acme"}


def test_a_limit_that_is_asked_for_counts_and_teaches() -> None:
    driver = learning_driver(*TOPOLOGY, Order.EASY)
    for number in range(10):
        ran(driver, f"g{number}", 100, walltime_s=3600)
    assert driver.submit("limited", 1, walltime_s=50).spec.estimate_s == 0
    assert driver.submit("open", 1, walltime_s=0).spec.estimate_s == 112


def test_an_estimate_is_no_longer_than_the_limit_and_what_is_asked_for_is_filled_in_by_the_world_only() -> (
    None
):
    driver = learning_driver(*TOPOLOGY, Order.EASY)
    driver.policy(walltime_s_default=60, walltime_s_max=120)
    for number in range(10):
        ran(driver, f"g{number}", 50)
    spec = driver.submit("open", 1, walltime_s=0, estimate_s=7).spec
    assert (spec.walltime_s, spec.estimate_s) == (60, 56)
    assert driver.submit("limited", 1, walltime_s=10, estimate_s=7).spec.estimate_s == 0
    assert driver.refused(SubmitGang(plant.spec("long", 1, walltime_s=121))).code == "gang_too_long"
    driver.policy(walltime_s_default=0)
    assert driver.submit("longest", 1, walltime_s=0).spec.walltime_s == 120


def test_without_learning_a_limit_has_to_be_asked_for_unless_the_policy_has_one() -> None:
    driver = plant.plant(policy=None)
    no = driver.refused(SubmitGang(plant.spec("open", 1, walltime_s=0)))
    assert (no.code, no.field) == ("bad_quantity", "walltime_s")
    driver.policy(walltime_s_default=600)
    spec = driver.submit("open", 1, walltime_s=0).spec
    assert (spec.walltime_s, spec.estimate_s) == (600, 0)
    # The same asked again is the same, whatever it got.
    driver.ask(SubmitGang(plant.spec("open", 1, walltime_s=0), again=True))
    assert driver.refused(SubmitGang(plant.spec("open", 2, walltime_s=0), again=True)).code == "duplicate_id"
    assert not learned_of(driver).books


def test_a_project_that_bounds_the_time_bounds_it_also_where_none_is_asked_for() -> None:
    driver = learning_driver(*TOPOLOGY, Order.EASY)
    lab = Project(ids.ProjectId("lab"), walltime_s_max=7200)
    text = Project(ids.ProjectId("text"), lab.id)
    driver.ask(ApplyProjects(ProjectsPlan(ids.TenantId("acme"), 1, (lab, text))))
    assert driver.submit("open", 1, walltime_s=0, project="text").spec.walltime_s == 7200
    no = driver.refused(SubmitGang(plant.spec("lost", 1, walltime_s=0, project="unknown")))
    assert no.code == "unknown_project"


def test_a_date_to_finish_by_goes_by_the_estimate() -> None:
    driver = learning_driver(*TOPOLOGY, Order.EASY)
    for number in range(10):
        ran(driver, f"g{number}", 100)
    driver.run("long", 64)
    by = driver.at + 200 * SECOND_US
    driver.submit("open", 1, walltime_s=0, finish_by=by)
    no = driver.refused(SubmitGang(plant.spec("late", 1, walltime_s=0, finish_by=by - 100 * SECOND_US)))
    assert no.code == "deadline_passed"
    assert "taken to run for 112 s" in no.detail
    driver.later(87)
    assert driver.phase("open") == "pending"
    driver.later(1)
    assert driver.gang("open").reason == "deadline_passed"


# Running past it.


def test_who_runs_past_its_estimate_is_taken_to_run_twice_as_long_up_to_its_limit() -> None:
    driver = learning_driver(*TOPOLOGY, Order.EASY)
    driver.policy(walltime_s_max=400)
    for number in range(10):
        ran(driver, f"g{number}", 100)
    driver.run("late", 1, walltime_s=0)
    told = []
    for span in (111, 1, 112, 176):
        driver.later(span)
        told.append(driver.gang("late").spec.estimate_s)
    assert told == [112, 224, 400, 400]
    assert [event.estimate_s for _, event in driver.events if isinstance(event, GangOverran)] == [224, 400]
    assert learned_of(driver).late == {"late": 112}
    assert driver.phase("late") == "stopping"
    driver.end("late", Ending.STOPPED)
    error = learned_of(driver).errors[ids.TenantId("acme")]
    assert (error.judged, error.over, error.over_s, error.spare_s) == (1, 1, 288, 0)
    assert not learned_of(driver).late
    ran(driver, "short", 12)
    error = learned_of(driver).errors[ids.TenantId("acme")]
    assert (error.judged, error.over, error.over_s) == (2, 1, 288)
    assert error.spare_s > 0


def test_what_was_not_its_own_doing_teaches_nothing() -> None:
    driver = learning_driver(*TOPOLOGY, Order.EASY)
    ran(driver, "lost", 100, Ending.LOST)
    driver.submit("never", 1, walltime_s=0)
    driver.cancel("never")
    driver.end("never", Ending.STOPPED)
    assert not learned_of(driver).books
    driver.run("stopped", 1, walltime_s=0)
    driver.later(40).cancel("stopped")
    driver.end("stopped", Ending.STOPPED)
    assert learned_of(driver).books[RunKind(ids.TenantId("acme"), ids.UserId(""), 0)].ends == 1


def test_who_waits_again_and_is_withdrawn_is_late_no_more() -> None:
    driver = learning_driver(*TOPOLOGY, Order.EASY)
    for number in range(10):
        ran(driver, f"g{number}", 100)
    driver.run("late", 1, walltime_s=0)
    driver.later(200)
    driver.cordon(int(driver.nodes("late")[0]), drain=True)
    driver.end("late", Ending.STOPPED)
    assert "late" in learned_of(driver).late
    driver.cancel("late")
    if driver.phase("late") == "stopping":
        driver.end("late", Ending.STOPPED)
    assert not learned_of(driver).late


# Books are bounded.


def test_a_full_book_forgets_by_halves_and_only_so_many_are_kept() -> None:
    learned, driver = Learned(), plant.plant(policy=None)
    gang = driver.run("one", 1)
    for number in range(estimates.ENDS_MOST + 1):
        ran_us = (100 if number < 300 else 1000) * 10**6
        estimates.learn(learned, gang, "completed", gang.started_at + ran_us)
    mine = learned.books[RunKind(gang.spec.tenant, ids.UserId(""), 0)]
    assert (mine.ends, sum(mine.counts)) == (257, 257)
    assert sorted(mine.counts)[-2:] == [107, 150]
    for number in range(estimates.BOOKS_MAX):
        spec = replace(gang.spec, user=ids.UserId(f"u{number}"))
        estimates.learn(learned, gang._replace(spec=spec), "completed", gang.started_at + 10**6)
    assert len(learned.books) == estimates.BOOKS_MAX
    assert RunKind(gang.spec.tenant, ids.UserId("u1"), 1) not in learned.books
    assert RunKind(gang.spec.tenant, ids.UserId(""), 0) in learned.books


@pytest.mark.parametrize(
    "terms",
    [
        {"walltime_s_default": -1},
        {"walltime_s_max": YEAR_S + 1},
        {"estimates_wait_s": -1},
        {"walltime_s_default": 600, "walltime_s_max": 599},
    ],
)
def test_terms_that_make_no_sense(terms: dict[str, Any]) -> None:
    no = estimates.refuse_terms(Policy(2, **terms))
    assert no is not None
    assert (no.code, no.field) == ("bad_quantity", f"policy.{next(iter(terms))}")
