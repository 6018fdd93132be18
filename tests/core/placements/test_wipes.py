"""Between two tenants a node is wiped: whoever does it says how that went, and what failed goes to nobody."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.core.ids import NodeIndex, Role
from forebay.core.placements import gang as gangs
from forebay.core.placements import wipes
from forebay.core.placements.gang import Ending
from forebay.core.supply import health
from forebay.core.world import MAY
from tests.core.placements.test_reclaiming import SPOT, lending
from tests.core.plant import EDGE, Driver


def wiping(**policy: Any) -> Driver:
    """A borrower has left two of the owner's nodes (0 and 1): they are wiped for 180 s."""
    driver = lending(1, turnover_s=180, **policy)
    driver.run("b1", 16, **SPOT)
    driver.run("b2", 16, **SPOT)
    driver.submit("own", 16, tranche="t1")
    left = next(gang.spec.id for gang in driver.live() if gang.phase is gangs.Phase.STOPPING)
    driver.end(left, Ending.STOPPED)
    assert driver.phase("own") == "pending"
    return driver


def nodes(driver: Driver) -> list[int]:
    held, known = driver.world.placed.held, driver.world.state.placements.gangs
    return sorted(node for name in held.wiped for node in wipes.nodes_of_gang(known[name]))


def report(driver: Driver, node: int, passed: bool = True, evidence: str = "") -> dict[str, Any]:
    return driver.ask(wipes.ReportWipe(NodeIndex(node), passed, evidence), EDGE)


def test_nodes_return_before_their_time_once_all_are_reported() -> None:
    driver = wiping()
    one, two = nodes(driver)
    assert report(driver, one) == {"node": one, "changed": True}
    assert report(driver, one) == {"node": one, "changed": False}
    assert driver.phase("own") == "pending"
    driver.later(10)
    report(driver, two)
    assert driver.phase("own") == "placed"
    assert driver.count(gangs.NodesReturned) == 1
    assert driver.world.state.placements.lending.wiped == {}
    driver.later(600)
    assert driver.count(gangs.NodesReturned) == 1
    driver.world.check()


def test_one_that_fails_its_wipe_is_not_returned_and_another_is_called_back() -> None:
    driver = wiping()
    one, two = nodes(driver)
    report(driver, two, False, "disk 3 does not answer")
    assert driver.last(health.NodeQuarantined).reason == "wipe failed: disk 3 does not answer"
    # The owner has two nodes less one: the other borrower is called back in its place.
    assert sum(gang.phase is gangs.Phase.STOPPING for gang in driver.live()) == 1
    report(driver, one)
    left = next(gang.spec.id for gang in driver.live() if gang.phase is gangs.Phase.STOPPING)
    driver.end(left, Ending.STOPPED)
    driver.later(180)
    assert driver.phase("own") == "placed"
    assert two not in driver.nodes("own")
    driver.world.check()


@pytest.mark.parametrize(("asked", "out"), [(False, 0), (True, 1)])
def test_what_nobody_reports_in_time_counts_as_failed_where_the_policy_says_so(asked: bool, out: int) -> None:
    driver = wiping(wipe_reported=asked)
    one, two = nodes(driver)
    report(driver, one)
    driver.later(180)
    assert driver.count(health.NodeQuarantined) == out
    assert driver.count(gangs.NodesReturned) == 1
    assert (two in driver.world.state.supply.health.quarantined) is asked
    assert driver.phase("own") == ("pending" if asked else "placed")
    driver.world.check()


def test_a_node_that_is_out_anyway_is_not_waited_for() -> None:
    driver = wiping(wipe_reported=True)
    one, two = nodes(driver)
    driver.fail(NodeIndex(one))
    report(driver, two)
    assert driver.count(gangs.NodesReturned) == 1
    assert driver.count(health.NodeQuarantined) == 0
    assert report_refused(driver, two) == "not_being_wiped"


def report_refused(driver: Driver, node: int) -> str:
    return driver.refused(wipes.ReportWipe(NodeIndex(node), True), EDGE).code


def test_who_may_say_so_and_of_what() -> None:
    driver = lending(1, turnover_s=180)
    driver.run("b1", 16, **SPOT)
    assert report_refused(driver, 0) == "not_being_wiped"
    assert report_refused(driver, 10**6) == "not_being_wiped"
    assert MAY[wipes.ReportWipe] == {Role.OPERATOR, Role.EDGE}
