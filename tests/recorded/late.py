"""The part of the story in which news comes late: of a node, and of a gang that was over before its start."""

from __future__ import annotations

from forebay.core import ids
from forebay.core.placements import gang as gangs
from forebay.core.units import SECOND_US
from tests.core.plant import EDGE, Driver


def hear(driver: Driver) -> None:
    """A repair before its failure, and an end before its start."""
    driver.submit("late-news", 1)
    node = driver.nodes("late-news")[0]
    driver.later(300)
    driver.end("late-news", ago_s=60)
    report = gangs.ReportGangStarted(ids.GangId("late-news"), 1, driver.at - 200 * SECOND_US, "sim")
    driver.ask(report, EDGE)
    driver.recover(node, ago_s=10)
    driver.fail(node, ago_s=20)
