"""A gang that reported progress and gets nowhere is flagged in time, and started again where the policy says so."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.core.ids import GangId
from forebay.core.placements import gang as gangs
from forebay.core.placements.failing import Failing
from forebay.core.placements.gang import Ending
from tests.core import plant
from tests.core.plant import EDGE, OPERATOR, Driver


def judged(**terms: Any) -> Driver:
    driver = plant.plant()
    driver.policy(failing=Failing(stuck_s=600, **terms))
    driver.run("g1", walltime_s=86_400)
    return driver


def report(driver: Driver, mark: int, generation: int = 0, effective_at: int = 0) -> bool:
    told = gangs.ReportGangProgress(GangId("g1"), mark, generation, effective_at)
    return bool(driver.ask(told, EDGE)["changed"])


def facts(driver: Driver) -> str:
    told = driver.world.explain(GangId("g1"), OPERATOR)
    assert isinstance(told, dict)
    return " ".join(told["facts"])


def test_a_gang_is_stuck_when_its_marks_do_not_grow_for_so_long() -> None:
    driver = judged()
    assert report(driver, 10)
    driver.later(599)
    assert not report(driver, 10)
    assert "The last progress was reported 2026-01-01T00:00:00Z (mark 10)." in facts(driver)
    assert not driver.count(gangs.GangStuck)
    driver.later(1)
    assert driver.last(gangs.GangStuck) == gangs.GangStuck(GangId("g1"), 1, 10, plant.T0)
    assert "It is stuck: no progress was reported since 2026-01-01T00:00:00Z (mark 10)." in facts(driver)
    assert driver.phase("g1") == "running"
    # It is told once, and again after it got somewhere.
    driver.later(6000)
    assert driver.count(gangs.GangStuck) == 1
    assert report(driver, 11)
    driver.later(600)
    assert driver.count(gangs.GangStuck) == 2


def test_who_never_reports_is_not_judged_and_neither_is_anybody_without_a_policy() -> None:
    driver = judged()
    driver.later(60_000)
    driver.policy(failing=Failing())
    report(driver, 1)
    driver.later(6000)
    assert not driver.count(gangs.GangStuck)
    # A policy that comes later judges what runs.
    driver.policy(failing=Failing(stuck_s=600))
    driver.later(1)
    assert driver.count(gangs.GangStuck) == 1


def test_a_stuck_gang_is_started_again_where_the_policy_says_so_and_judged_from_its_start() -> None:
    driver = judged(stuck_restarts=True)
    report(driver, 5)
    driver.later(600)
    assert (driver.phase("g1"), driver.gang("g1").reason) == ("stopping", "stuck")
    driver.end("g1", Ending.STOPPED)
    assert (driver.phase("g1"), driver.gang("g1").interruptions) == ("placed", 1)
    driver.later(500).start("g1")
    driver.later(599)
    assert driver.phase("g1") == "running"
    driver.later(1)
    assert driver.phase("g1") == "stopping"
    driver.end("g1", Ending.COMPLETED)
    assert not driver.world.state.placements.progress


def test_a_gang_that_leaves_the_queue_leaves_its_marks() -> None:
    driver = judged()
    report(driver, 5, generation=1, effective_at=plant.T0 - 5)
    assert driver.last(gangs.GangProgressed).effective_at == plant.T0
    driver.submit("all", 64)
    driver.end("g1", Ending.FAILED)
    driver.start("g1")
    driver.end("g1", Ending.FAILED)
    assert driver.phase("g1") == "pending"
    driver.cancel("g1")
    assert not driver.world.state.placements.progress


@pytest.mark.parametrize(
    ("name", "mark", "generation", "code"),
    [("g2", 1, 1, "unknown_gang"), ("g1", -1, 1, "bad_quantity"), ("waits", 1, 0, "not_running"),
     ("g1", 1, 2, "stale_generation")],
)  # fmt: skip
def test_reports_that_are_refused(name: str, mark: int, generation: int, code: str) -> None:
    driver = judged()
    driver.submit("waits", 64)
    refusal = driver.refused(gangs.ReportGangProgress(GangId(name), mark, generation), EDGE)
    assert refusal.code == code
