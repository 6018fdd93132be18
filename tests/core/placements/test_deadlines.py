"""Gangs that have to start, or finish, by a date."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.core.ids import GangId
from forebay.core.placements import chains
from forebay.core.placements import gang as gangs
from forebay.core.placements.gang import Ending
from forebay.core.timeline import INSTANT_MAX
from forebay.core.units import SECOND_US
from tests.core import plant
from tests.core.plant import T0, Driver, spec


def at(seconds: int) -> int:
    return T0 + seconds * SECOND_US


def full(**terms: Any) -> Driver:
    driver = plant.plant()
    driver.run("all", 64, walltime_s=3600, **terms)
    return driver


#: deadline of a gang of one hour, and the second before which it has to start
DEADLINES: list[tuple[dict[str, Any], int]] = [
    ({"start_by": at(100)}, 100),
    ({"finish_by": at(3700)}, 100),
    ({"start_by": at(100), "finish_by": at(4000)}, 100),
    ({"start_by": at(200), "finish_by": at(3700)}, 100),
]


@pytest.mark.parametrize(("dates", "before"), DEADLINES)
def test_who_has_not_started_by_then_is_withdrawn(dates: dict[str, Any], before: int) -> None:
    driver = full()
    driver.submit("late", 8, **dates)
    driver.later(before - 1)
    assert driver.phase("late") == "pending"
    told = driver.world.explain(GangId("late"), plant.OPERATOR)
    # The one that runs is gone after an hour and its grace at the latest.
    assert told["slack_s"] == before - 3630  # type: ignore[index]
    assert "3530 s before its expected start" in told["facts"][-1]  # type: ignore[index]
    driver.later(1)
    assert driver.gang("late").reason == "deadline_passed"
    told = driver.world.explain(GangId("late"), plant.OPERATOR)
    assert told["summary"] == "It is over: it could not start in time."  # type: ignore[index]


def test_one_that_starts_in_time_is_left_alone() -> None:
    driver = full()
    driver.submit("soon", 8, start_by=at(4000))
    told = driver.world.explain(GangId("soon"), plant.OPERATOR)
    assert "370 s after its expected start" in told["facts"][-1]  # type: ignore[index]
    driver.later(60).end("all")
    driver.start("soon")
    driver.later(hours=3)
    assert driver.phase("soon") == "stopping"
    assert driver.gang("soon").reason == "walltime"


def test_one_that_has_run_waits_until_it_would_have_to_be_over() -> None:
    driver = plant.plant()
    driver.run("again", 64, start_by=at(100), finish_by=at(7200), restarts_max=9)
    driver.later(300).end("again", Ending.FAILED)
    driver.start("again")
    driver.fail(0)
    driver.later(60).end("again", Ending.STOPPED)
    assert driver.phase("again") == "pending"
    told = driver.world.explain(GangId("again"), plant.OPERATOR)
    assert "no start is known" in told["facts"][-1]  # type: ignore[index]
    assert told["slack_s"] is None  # type: ignore[index]
    driver.until(at(7199))
    assert driver.phase("again") == "pending"
    driver.until(at(7200))
    assert driver.gang("again").reason == "deadline_passed"


def test_one_that_waits_for_others_is_withdrawn_too() -> None:
    driver = full()
    after = (chains.After(GangId("all")),)
    driver.submit("next", 8, after=after, start_by=at(100))
    driver.later(100)
    assert driver.gang("next").reason == "deadline_passed"
    driver.end("all")


def test_refused() -> None:
    driver = plant.plant()
    rows = [
        ({"start_by": -1}, "bad_quantity"),
        ({"finish_by": INSTANT_MAX + 1}, "bad_quantity"),
        ({"start_by": driver.at}, "deadline_passed"),
        ({"finish_by": driver.at + 3600 * SECOND_US}, "deadline_passed"),
    ]
    for dates, code in rows:
        no = driver.refused(gangs.SubmitGang(spec("g", **dates)))
        assert (no.code, no.field) == (code, next(iter(dates)))
