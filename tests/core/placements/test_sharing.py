"""Priorities, fair share and caps: start times equal, job by job, those of a slow and plain program; and by hand."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.core import ids
from forebay.core.placements import sharing
from forebay.core.placements.gang import Ending, Order
from forebay.core.placements.projects import (
    ApplyProjects,
    Budget,
    Node,
    PriorityClass,
    Project,
    ProjectsPlan,
    Spent,
    UserShare,
)
from forebay.core.units import SECOND_US
from tests.core import plant
from tests.core.placements.reference import GRACE_S, Job
from tests.core.placements.shared_reference import Part, Shared, SharedReserving, half
from tests.core.placements.test_ordering import COUNTS_ONLY, STREAMS, TOPOLOGY, built, starts, trace
from tests.core.plant import T0, Driver

PARTS = {
    "lab": Part(shares=3, cap=12),
    "lab.vision": Part("lab", shares=2, users=(("ann", 1), ("bob", 2))),
    "lab.text": Part("lab", user_cap=6),
    "shop": Part(shares=1),
}
BEHIND_S = {"urgent": 0, "normal": 90, "idle": 400}
TERMS: dict[str, Any] = {"half_life_s": 300, "weigh_s": 60, "age_s": 30}


def plan(version: int = 1, parts: dict[str, Part] | None = None, **terms: Any) -> ProjectsPlan:
    """The projects of acme as the reference has them."""
    projects = tuple(
        Project(
            ids.ProjectId(name), ids.ProjectId(part.parent), part.shares,
            tuple(UserShare(ids.UserId(user), shares) for user, shares in part.users), part.cap, part.user_cap,
        )
        for name, part in (PARTS if parts is None else parts).items()
    )  # fmt: skip
    classes = tuple(PriorityClass(name, behind) for name, behind in BEHIND_S.items())
    plain = ProjectsPlan(ids.TenantId("acme"), version, projects, classes, "normal")
    return replace(plain, **terms)


def of(project: str, user: str = "") -> Node:
    """A project of acme, or a user in it."""
    return Node(ids.TenantId("acme"), ids.ProjectId(project), ids.UserId(user))


def divided(driver: Driver, *projects: Project, **terms: Any) -> Driver:
    """With these projects, or those of the reference, in force."""
    shaped = replace(plan(), projects=projects) if projects else plan()
    driver.ask(ApplyProjects(replace(shaped, **terms)))
    return driver


def of_projects(jobs: list[Job], seed: int) -> list[Job]:
    """The same jobs, each of a project, a user and a class."""
    dice = random.Random(seed)
    made = []
    for job in jobs:
        name = dice.choice(list(PARTS))
        users = [user for user, _ in PARTS[name].users] or ["", "ann", "cid"]
        priority = dice.choice(["", "urgent", "normal", "idle"])
        most = min(12, job.gpus) if name.startswith("lab") else job.gpus
        user = dice.choice(users)
        most = min(most, 6) if name == "lab.text" and user else most
        made.append(job._replace(gpus=most, project=name, user=user, priority=priority))
    return made


def both(
    jobs: list[Job], order: Order, shape: tuple[int, int], terms: dict[str, Any]
) -> list[dict[str, int]]:
    driver = built(*shape, order, 200, 3)
    driver.policy(**terms)
    said = starts(divided(driver), jobs)
    behind_s = BEHIND_S | {"": BEHIND_S["normal"]}
    kind = SharedReserving if order is Order.CONSERVATIVE else Shared
    plain = kind(2 * shape[1], *shape, order.value, 200, 3, parts=PARTS, behind_s=behind_s, **terms)
    return [said, plain.run(jobs)]


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize("shape", [COUNTS_ONLY, TOPOLOGY])
@pytest.mark.parametrize("seed", [1, 2])
def test_start_times_equal_the_references(order: Order, shape: tuple[int, int], seed: int) -> None:
    gpus = 2 * shape[0] * shape[1]
    jobs = of_projects(trace(seed, 60, gpus, 20 if gpus > 16 else 120), seed)
    said, plain = both(jobs, order, shape, TERMS)
    assert said == plain
    assert len(said) == len(jobs)


@given(
    st.lists(
        st.tuples(st.integers(0, 90), st.integers(1, 16), st.integers(0, 60), st.integers(1, 60)), max_size=10
    ),
    st.sampled_from([Order.FIFO, Order.EASY, Order.CONSERVATIVE]),
    st.sampled_from([COUNTS_ONLY, (4, 2)]),
    st.integers(0, 1000),
    st.sampled_from([TERMS, TERMS | {"half_life_s": 0}, TERMS | {"half_life_s": 60, "age_s": 5}]),
)
def test_whatever_comes(
    rows: list[tuple[int, int, int, int]],
    order: Order,
    shape: tuple[int, int],
    seed: int,
    terms: dict[str, int],
) -> None:
    rows.sort()
    jobs = [Job(f"j{n:02d}", at, gpus, run + more, run) for n, (at, gpus, more, run) in enumerate(rows)]
    said, plain = both(of_projects(jobs, seed), order, shape, terms)
    assert said == plain


def test_halves_are_the_largest_numbers_that_are_not_more() -> None:
    for of in (1, 2, 5, 168):
        for parts in {0, 1, of // 2, of - 1}:
            assert sharing.half_of(parts, of) == half(parts, of)
    # Half of it is gone after a half-life, whatever the number of instants in between.
    assert sharing.decayed(1000, 5, 5) == 500
    assert sharing.decayed(1000, 12, 5) == (250 * half(2, 5)) >> 32


def test_who_had_less_goes_first_and_later_both_stand_alike() -> None:
    """Two projects of equal shares on 64 GPUs, one of which had all for an hour."""
    driver = divided(plant.plant(), Project(ids.ProjectId("a")), Project(ids.ProjectId("b")))
    driver.policy(order=Order.FIFO, half_life_s=3600, weigh_s=600, age_s=600)
    driver.run("a1", 64, project="a", walltime_s=7200)
    driver.submit("a2", 64, project="a")
    driver.later(1)
    driver.submit("b1", 64, project="b")
    driver.later(3599)
    assert driver.world.state.placements.sharing.steps == {of("a"): 16}
    driver.end("a1")
    assert driver.phases("a2", "b1") == ["pending", "placed"]
    assert "step 16 of 16" in " ".join(driver.world.explain(ids.GangId("a2"), plant.OPERATOR)["facts"])  # type: ignore[index]
    # While b has all of it, what it uses grows beside what a used, which is forgotten by halves.
    driver.later(hours=1)
    assert driver.world.state.placements.sharing.steps == {of("a"): 5, of("b"): 10}
    # Without fair share all stand alike again.
    driver.policy(half_life_s=0)
    assert not driver.world.state.placements.sharing.steps
    driver.policy(half_life_s=3600)
    driver.later(hours=1)
    assert driver.world.state.placements.sharing.steps


def test_nothing_is_weighed_while_nobody_waits_or_runs() -> None:
    driver = divided(plant.plant(), Project(ids.ProjectId("a")))
    driver.policy(half_life_s=3600, weigh_s=600)
    driver.run("a1", 8, project="a")
    driver.later(300)
    driver.end("a1")
    driver.later(days=1)
    assert driver.count(sharing.SharesWeighed) == 0
    driver.submit("a2", 8, project="a")
    driver.later(600)
    assert driver.count(sharing.SharesWeighed) == 1
    driver.cancel("a2")
    driver.submit("a3", 64, project="a")
    driver.submit("a4", 64, project="a")
    driver.cancel("a4")
    assert driver.world.state.placements.sharing.live == 2


def budgeted(then: Spent) -> Driver:
    """A budget of 8 GPU-hours a day."""
    lab = Project(ids.ProjectId("lab"), budget=Budget(8 * 3600, 86_400, T0, then))
    return divided(plant.plant(), lab, Project(ids.ProjectId("sub"), ids.ProjectId("lab")))


def test_when_a_budget_is_spent_nothing_more_starts_before_the_next_period() -> None:
    driver = budgeted(Spent.WAIT)
    driver.run("a", 8, project="sub")
    driver.later(1800)
    driver.run("b", 1, project="lab")
    driver.later(1599)
    driver.run("c", 1, project="lab")
    # 8 for an hour, and one beside them: at 3,400 s all is spent.
    driver.later(1)
    driver.submit("d", 1, project="sub")
    assert driver.phases("a", "b", "c", "d") == ["running", "running", "running", "pending"]
    assert driver.last(sharing.BudgetSpent).spent_at == T0 + 3_399_900_000
    told: Any = driver.world.explain(ids.GangId("d"), plant.tenant("acme"))
    assert told["constraint"]["code"] == "budget"
    assert told["summary"] == (
        "Budget: project lab has used the 8 GPU-hours of its period; the next begins at 2026-01-02T00:00:00Z."
    )
    assert told["expected_start"] == T0 + 86_400 * SECOND_US
    driver.until(T0 + 86_400 * SECOND_US)
    assert driver.phase("d") == "placed"


def test_when_a_budget_is_spent_what_runs_may_be_stopped() -> None:
    driver = budgeted(Spent.STOP)
    driver.run("a", 8, project="sub")
    driver.run("b", 8, project="lab")
    driver.later(1799)
    assert driver.phases("a", "b") == ["running", "running"]
    driver.later(1)
    assert driver.phases("a", "b") == ["stopping", "stopping"]
    driver.end("a", Ending.STOPPED)
    driver.end("b", Ending.STOPPED)
    assert driver.phases("a", "b") == ["pending", "pending"]
    driver.until(T0 + 86_400 * SECOND_US)
    assert driver.phases("a", "b") == ["placed", "placed"]
    driver.start("a")
    driver.start("b")
    driver.later(1800)
    assert driver.phases("a", "b") == ["stopping", "stopping"]
    assert driver.gang("a").reason == "budget"


def test_a_budget_may_last_over_the_end_of_a_period_and_be_spent_in_the_next() -> None:
    lab = Project(ids.ProjectId("lab"), budget=Budget(4 * 3600, 3600, T0, Spent.WAIT))
    driver = divided(plant.plant(), lab)
    driver.later(2700)
    driver.run("a", 8, project="lab", walltime_s=1800)
    # 2 of 4 GPU-hours by the end of the hour; of the next one 4 by its half.
    driver.later(1799)
    driver.end("a")
    driver.run("then", 8, project="lab", walltime_s=1800)
    driver.later(900)
    driver.submit("b", 1, project="lab")
    assert driver.phase("b") == "placed"
    driver.cancel("b")
    driver.end("b", Ending.STOPPED)
    driver.later(2)
    assert driver.count(sharing.BudgetSpent) == 1
    driver.submit("c", 1, project="lab")
    assert driver.phase("c") == "pending"


def test_another_document_looks_at_budgets_anew() -> None:
    driver = budgeted(Spent.WAIT)
    driver.run("a", 8, project="sub")
    driver.later(3700)
    assert driver.world.state.placements.sharing.spent
    driver.submit("b", 8, project="lab")
    assert driver.phase("b") == "pending"
    lab = Project(ids.ProjectId("lab"), budget=Budget(80 * 3600, 86_400, T0))
    sub = Project(ids.ProjectId("sub"), ids.ProjectId("lab"))
    driver.ask(ApplyProjects(replace(plan(2), projects=(lab, sub))))
    assert driver.phase("b") == "placed"
    driver.end("a")
    driver.cancel("b")
    driver.end("b", Ending.STOPPED)
    driver.later(days=30)
    # A project that is gone is forgotten; what its parent used is not.
    driver.ask(ApplyProjects(replace(plan(3), projects=(lab,))))
    names = {node.project for node in driver.world.state.placements.sharing.accounts}
    assert names == {"", "lab"}


def test_a_budget_lowered_below_what_was_used_is_spent_at_once() -> None:
    driver = budgeted(Spent.WAIT)
    driver.run("a", 8, project="lab")
    driver.later(1800)
    assert not driver.world.state.placements.sharing.spent
    lab = Project(ids.ProjectId("lab"), budget=Budget(2 * 3600, 86_400, T0))
    sub = Project(ids.ProjectId("sub"), ids.ProjectId("lab"))
    driver.ask(ApplyProjects(replace(plan(2), projects=(lab, sub))))
    lowered_at = driver.at
    driver.submit("b", 1, project="sub")
    assert driver.last(sharing.BudgetSpent).spent_at == lowered_at
    assert driver.phases("a", "b") == ["running", "pending"]
    told: Any = driver.world.explain(ids.GangId("b"), plant.tenant("acme"))
    assert told["constraint"]["code"] == "budget"
    assert told["expected_start"] == T0 + 86_400 * SECOND_US


def test_no_large_gang_starves_beside_projects_that_had_less() -> None:
    """The bound of the page: nobody who comes so much later than the last step and the last class make up for goes
    before it. Small gangs of a project that had nothing, of the first class, against a large one of a project that
    had all, of the last class."""
    for order in (Order.FIFO, Order.EASY, Order.OVERTAKE):
        driver = built(*COUNTS_ONLY, order, 100)
        driver.policy(**TERMS)
        divided(driver)
        hog = [Job(f"h{n}", 0, 8, 200, 200, "lab.text", "", "urgent") for n in range(1)]
        large = Job("large", 1, 12, 50, 50, "lab.text", "", "idle")
        small = [Job(f"s{n:03d}", 2 + 10 * n, 6, 100, 100, "shop", "", "urgent") for n in range(400)]
        found = starts(driver, [*hog, large, *small])
        longest_s = 200 + GRACE_S
        behind_s = BEHIND_S["idle"] + sharing.STEPS * TERMS["age_s"]
        # At most as many come before it as are submitted by then, two at once.
        before = 1 + behind_s // 10
        bound_s = behind_s + longest_s * (before + 1) // 2 + longest_s + 100
        assert found["large"] <= bound_s, order
        # It is the order that holds it: those who were submitted later than that all start after it.
        assert all(found[job.name] >= found["large"] for job in small if job.submit_s > 1 + behind_s), order


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("order", list(Order))
def test_no_stream_keeps_a_large_gang_out_of_its_cap(stream: Callable[[int], Job], order: Order) -> None:
    """Twelve of sixteen GPUs are all that a project may hold, and a gang wants these. What of it holds some at that
    moment is gone in time, and nobody behind takes what it waits for, whatever there is room for beside the cap.
    """
    driver = divided(built(*COUNTS_ONLY, order, 100, 2), Project(ids.ProjectId("lab"), gpus_max=12))
    small = [job for job in map(stream, range(200)) if job.submit_s < 700]
    jobs = [Job("a", 0, 8, 200, 200), Job("large", 1, 12, 50, 50), *small]
    found = starts(driver, [job._replace(project="lab") for job in jobs])
    assert found["large"] - 1 <= 200 + GRACE_S + (100 if order is Order.OVERTAKE else 0)
    assert len(found) == len(jobs)
