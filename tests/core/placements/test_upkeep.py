"""What happens to work when nodes go out: Invariant 1 holds whatever fails, and whatever comes back."""

from __future__ import annotations

import pytest

from forebay.core import supply
from forebay.core.ids import NodeIndex
from forebay.core.placements import gang as gangs
from forebay.core.placements.failing import Failing
from tests.core import plant
from tests.core.plant import Driver


def busy() -> Driver:
    """Two racks of four nodes: a gang over both, one in the second."""
    driver = plant.plant()
    driver.run("wide", 40)
    driver.run("small", 8)
    return driver


def test_invariant_1_no_gang_stays_or_is_placed_on_a_rack_that_is_out() -> None:
    driver = busy()
    driver.domain("rack", "r1", False)
    driver.world.check()
    assert driver.phases("wide", "small") == ["stopping", "running"]
    assert driver.gang("wide").reason == "node_failed"
    driver.end("wide", gangs.Ending.STOPPED)
    assert driver.phase("wide") == "pending"
    driver.submit("next", 24)
    assert driver.nodes("next") == [4, 6, 7]
    driver.domain("rack", "r1", True)
    driver.end("next")
    assert driver.phase("wide") == "placed"


def test_invariant_1_holds_through_every_part_of_the_plant() -> None:
    driver = busy()
    for kind, name in (("rack", "r2"), ("feed", "f1"), ("hall", "north-h1"), ("site", "north")):
        driver.domain(kind, name, False)
        driver.world.check()
        for gang in driver.live():
            if gang.phase is gangs.Phase.STOPPING:
                driver.end(gang.spec.id, gangs.Ending.STOPPED)
    assert driver.phases("wide", "small") == ["pending", "pending"]
    for kind, name in (("site", "north"), ("rack", "r2"), ("hall", "north-h1")):
        driver.domain(kind, name, True)
        assert driver.phases("wide", "small") == ["pending", "pending"]
    driver.domain("feed", "f1", True)
    assert driver.phases("wide", "small") == ["placed", "placed"]


def test_a_quarantined_node_is_left_and_a_degraded_one_is_not() -> None:
    driver = busy()
    (node,) = driver.nodes("small")
    driver.ask(supply.ReportNodeDegraded(NodeIndex(node), True, "ecc"))
    assert driver.phase("small") == "running"
    driver.ask(supply.QuarantineNode(NodeIndex(node), "suspect"))
    assert (driver.phase("small"), driver.gang("small").reason) == ("stopping", "quarantine")
    driver.end("small", gangs.Ending.STOPPED)
    assert node not in driver.nodes("small")


@pytest.mark.parametrize(
    "failing",
    [
        Failing(lemon_failures=-1),
        Failing(lemon_failures=33),
        Failing(lemon_window_s=0),
        Failing(engine_silent_s=19),
        Failing(engine_silent_s=60, engine_fence_s=19),
        Failing(engine_fence_s=60),
        Failing(hold_s=-1),
        Failing(stuck_s=-1),
        Failing(checks=("a", "a")),
        Failing(checks=("",)),
        Failing(checks=tuple(f"c{number}" for number in range(33))),
    ],
)
def test_what_no_policy_may_say_of_failures(failing: Failing) -> None:
    refusal = plant.plant().refused(gangs.ApplyPolicy(gangs.Policy(9, failing=failing)))
    assert (refusal.code, refusal.field) == ("bad_quantity", "policy.failing")
