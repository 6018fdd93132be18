"""What is expected back counts in the expected start of who waits, and in no decision."""

from __future__ import annotations

from forebay.core import supply
from forebay.core.ids import GangId, NodeIndex
from forebay.core.units import HOUR_US
from tests.core import plant
from tests.core.plant import OPERATOR, Driver


def expected(driver: Driver, name: str) -> int | None:
    told = driver.world.explain(GangId(name), OPERATOR)
    assert isinstance(told, dict)
    start: int | None = told["expected_start"]
    return start


def test_who_waits_for_a_broken_node_is_told_when_it_is_expected_back() -> None:
    driver = plant.plant()
    node = NodeIndex(2)
    driver.fail(node)
    driver.submit("all", 64)
    assert expected(driver, "all") is None
    back_at = driver.at + HOUR_US
    driver.ask(supply.TicketNode(node, "T-17", "", "", back_at))
    assert expected(driver, "all") == back_at
    driver.domain("rack", "r1", False)
    assert expected(driver, "all") is None
    driver.domain("rack", "r1", True)
    driver.later(hours=2).submit("tiny", 1)
    assert expected(driver, "all") is None
    driver.recover(node)
    assert driver.phase("all") == "placed"
