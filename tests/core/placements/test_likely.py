"""When does a gang start if all goes as usual? By hand, and as an index says that all ends are gone through with."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forebay.core.ids import Principal
from forebay.core.placements import likely, schedule, turnover
from forebay.core.placements.estimates import Estimates
from forebay.core.placements.gang import Ending, Order, Phase, SubmitGang
from forebay.core.placements.search import Misfit
from forebay.core.units import SECOND_US
from tests.core import plant
from tests.core.placements.test_foreseen import _crowded, works
from tests.core.plant import OPERATOR, Driver, tenant


def taught(*ran_s: int) -> Driver:
    """Two racks; gangs of eight GPUs have run for so long."""
    driver = plant.plant(policy=None)
    driver.policy(order=Order.EASY, estimates=Estimates.LEARNED)
    for number, seconds in enumerate(ran_s):
        driver.run(f"t{number}", 8, walltime_s=0)
        driver.later(seconds).end(f"t{number}")
    return driver


def told(driver: Driver, name: str, by: Principal = OPERATOR) -> dict[str, Any]:
    found = driver.world.explain(driver.gang(name).spec.id, by)
    assert isinstance(found, dict)
    return found


def after_s(driver: Driver, at: int) -> int:
    return (at - driver.at) // SECOND_US


TEN = (100, 100, 100, 100, 100, 100, 1000, 1000, 1000, 5000)


def test_what_runs_is_gone_when_those_like_it_were_that_had_run_as_long() -> None:
    driver = taught(*TEN)
    for number in range(8):
        driver.run(f"r{number}", 8, walltime_s=86_400)
    driver.submit("waits", 8)
    soon = told(driver, "waits")["expected"]
    assert (soon["by"], after_s(driver, soon["p50"]), after_s(driver, soon["p90"])) == ("learned", 112, 1024)
    # None of those that ran on after 100 s ended before 1,000 s.
    driver.later(200).submit("beside", 8)
    soon = told(driver, "waits")["expected"]
    assert (after_s(driver, soon["p50"]), after_s(driver, soon["p90"])) == (1024 - 200, 5120 - 200)
    # Longer than anything that was seen: only its limit is left.
    driver.later(6000).submit("later", 8)
    assert told(driver, "waits")["expected"] == {"by": "limits", "p50": None, "p90": None}
    assert "limits of time do: at the latest" in told(driver, "waits")["facts"][-1]


def test_nodes_that_are_wiped_come_back_later_by_that() -> None:
    driver = taught(*TEN)
    driver.policy(order=Order.EASY, estimates=Estimates.LEARNED, scrub_pool=True, scrub_s=20)
    for number in range(8):
        driver.run(f"r{number}", 8, walltime_s=86_400)
    driver.submit("waits", 8)
    soon = told(driver, "waits")["expected"]
    wiped_s = turnover.wipe_s(driver.world.state.placements.policy)
    assert wiped_s >= 20
    assert (after_s(driver, soon["p50"]), after_s(driver, soon["p90"])) == (112 + wiped_s, 1024 + wiped_s)


def test_a_limit_comes_first_and_who_stops_is_gone_by_its_grace() -> None:
    driver = taught(*TEN)
    driver.run("short", 8, walltime_s=50)
    driver.run("stops", 32, walltime_s=86_400)
    driver.run("other", 24, walltime_s=86_400)
    driver.cancel("stops")
    driver.submit("waits", 40)
    soon = told(driver, "waits")["expected"]
    assert (after_s(driver, soon["p50"]), after_s(driver, soon["p90"])) == (80, 80)
    assert told(driver, "waits")["facts"][-1].startswith(
        "By how long such work ran so far, it starts by 2026-"
    )


def test_it_is_told_where_it_waits_for_room_only_and_where_run_times_are_learned() -> None:
    driver = taught(*TEN)
    driver.run("full", 64, walltime_s=3600)
    driver.submit("waits", 8)
    usually = told(driver, "waits")["facts"][-1]
    assert "as things usually go" in usually
    assert "and by" in usually
    # A tenant reads the same.
    assert told(driver, "waits", tenant("acme"))["expected"]["by"] == "learned"
    driver.end("full", Ending.FAILED)
    driver.later(1)
    driver.policy(estimates=Estimates.REQUESTED)
    driver.submit("more", 64)
    assert "expected" not in told(driver, "more")


def test_who_waits_its_turn_is_told_as_well() -> None:
    driver = taught(*TEN)
    driver.policy(order=Order.FIFO)
    driver.run("long", 32, walltime_s=86_400)
    driver.submit("large", 64)
    driver.submit("small", 8)
    found = told(driver, "small")
    assert (found["constraint"]["code"], found["expected"]["by"]) == ("queue", "learned")
    # Nothing ends that would make room.
    driver.fail(0)
    assert told(driver, "large")["expected"]["by"] == "limits"


@settings(
    max_examples=40, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(
    limits=st.sampled_from([(10**6, 10**6), (90_000, 60_000), (60_000, 40_000)]),
    lent=st.booleans(),
    asked=works,
    ran_s=st.lists(st.sampled_from([5, 60, 3000]), min_size=10, max_size=14),
    percent=st.sampled_from([50, 90]),
)
def test_numbers_say_what_an_index_says(
    limits: tuple[int, int], lent: bool, asked: list[dict[str, Any]], ran_s: list[int], percent: int
) -> None:
    driver = _crowded(limits, lent, [], [])
    driver.policy(estimates=Estimates.LEARNED)
    for number, seconds in enumerate(ran_s):
        driver.submit(f"t{number}", 1 + number % 2 * 7, walltime_s=0)
        driver.start(f"t{number}")
        driver.later(seconds).end(f"t{number}")
    for number, work in enumerate(asked):
        terms = work | ({"tranche": "t1"} if work["tier"] == "dedicated" else {})
        driver.handle(SubmitGang(plant.spec(f"g{number}", **terms)))
    for place, gang in enumerate(driver.live()):
        if gang.phase is Phase.PLACED and place % 2:
            driver.start(gang.spec.id)
            driver.later(20)
    desk = driver.world._desk(driver.at)
    all_of_them = likely.Likely(desk, percent)
    ends = [(end.at, end.gang) for end in all_of_them.ends()]
    assert ends == sorted((all_of_them.free(gang), gang.spec.id) for gang in schedule.holding(desk))
    for gang in driver.live():
        if gang.phase is Phase.PENDING and isinstance(schedule.find(desk, gang), Misfit):
            soon = likely.Likely(desk, percent)
            assert soon.start(gang) == schedule.expected_start(desk, gang, soon.free)


@pytest.mark.parametrize("percent", [50, 90])
def test_nothing_is_kept_from_one_question_to_the_next(percent: int) -> None:
    driver = taught(*TEN)
    driver.run("full", 64, walltime_s=0)
    driver.submit("waits", 8)
    desk = driver.world._desk(driver.at)
    waits = driver.gang("waits")
    first = likely.Likely(desk, percent).start(waits)
    assert likely.Likely(desk, percent).start(waits) == first
