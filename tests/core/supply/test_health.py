"""Which nodes are out: every reason is kept apart, and what is over takes away only itself."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from forebay.core import ids, supply
from forebay.core.ids import NodeIndex
from forebay.core.placements.failing import Failing
from forebay.core.supply import CordonNode, DomainKind, ReportNodeHealth, UncordonNode, health
from forebay.core.units import SECOND_US
from tests.core import plant
from tests.core.plant import EDGE, Driver, feed, hall, rack, site

NODE = NodeIndex(2)


def spread() -> Driver:
    """Two sites; at the first, two halls, a tree of feeds, a loop and a switch over halls. Four nodes a rack."""
    feeds = (feed("f1"), feed("f2", 400_000, "f1"), feed("g1"))
    halls = (
        hall("h1", rack("r1", on="f2", loop="l1"), rack("r2", on="f1", loop="l2")),
        hall("h2", rack("r3", on="f2", loop="l1"), rack("r4", on="g1")),
    )
    switches = (supply.SwitchPlan(ids.SwitchId("s1"), (ids.RackId("r2"), ids.RackId("r4"))),)
    north = replace(site("north", feeds, halls), switches=switches)
    south = site("south", (feed("s-f"),), (hall("s-h", rack("s-r", on="s-f")),))
    return plant.plant(sites=(north, south))


def failed(driver: Driver) -> list[int]:
    return sorted(driver.world.state.supply.failed)


def how(driver: Driver, node: int = NODE) -> tuple[str, str]:
    condition, why = supply.condition_of(driver.world.state.supply, NodeIndex(node))
    return condition.value, why


def racks(*numbers: int) -> list[int]:
    return [4 * (number - 1) + place for number in numbers for place in range(4)]


# Nodes


def test_health_is_kept_for_the_exceptions() -> None:
    driver = plant.plant()
    driver.fail(2)
    driver.fail(2)
    assert driver.world.state.supply.failed == {2: "xid 79"}
    assert not supply.usable(driver.world.state.supply, NodeIndex(2))
    driver.recover(2)
    driver.recover(2)
    assert not driver.world.state.supply.failed
    assert driver.count(supply.NodeHealthChanged) == 2


def test_older_news_changes_nothing() -> None:
    driver = plant.plant()
    driver.later(1000).fail(2, ago_s=100)
    older = ReportNodeHealth(NodeIndex(2), True, "well", driver.at - 101 * SECOND_US)
    assert driver.ask(older, EDGE) == {"node": 2, "changed": False}
    driver.recover(2, ago_s=100)
    assert driver.last(supply.NodeHealthChanged).effective_at == driver.at - 100 * SECOND_US


def test_cordons_and_failures_together() -> None:
    driver = plant.plant()
    driver.cordon(2)
    driver.cordon(2)
    driver.fail(2)
    driver.uncordon(2)
    driver.uncordon(2)
    assert not supply.usable(driver.world.state.supply, NodeIndex(2))
    driver.cordon(2)
    driver.recover(2)
    assert not supply.usable(driver.world.state.supply, NodeIndex(2))
    driver.uncordon(2)
    assert supply.usable(driver.world.state.supply, NodeIndex(2))
    assert driver.count(supply.NodeCordoned) == 2


@pytest.mark.parametrize(
    ("command", "code", "field"),
    [
        (ReportNodeHealth(NodeIndex(8), False, "", plant.T0 + 1), "unknown_node", "node"),
        (ReportNodeHealth(NodeIndex(-1), False, "", plant.T0), "unknown_node", "node"),
        (ReportNodeHealth(NodeIndex(7), True, "", plant.T0 + 1), "future_fact", "effective_at"),
        (CordonNode(NodeIndex(8), ""), "unknown_node", "node"),
        (CordonNode(NodeIndex(-1), "", drain=True), "unknown_node", "node"),
        (UncordonNode(NodeIndex(8)), "unknown_node", "node"),
    ],
)
def test_reports_that_are_refused(command: ids.Command, code: str, field: str) -> None:
    by = EDGE if isinstance(command, ReportNodeHealth) else plant.OPERATOR
    refusal = plant.plant().refused(command, by)
    assert (refusal.code, refusal.field) == (code, field)


# What nodes hang on


@pytest.mark.parametrize(
    ("kind", "name", "hit"),
    [
        ("rack", "r2", racks(2)),
        ("switch", "s1", racks(2, 4)),
        ("loop", "l1", racks(1, 3)),
        ("feed", "f2", racks(1, 3)),
        ("feed", "f1", racks(1, 2, 3)),
        ("hall", "h2", racks(3, 4)),
        ("site", "north", racks(1, 2, 3, 4)),
    ],
)
def test_a_part_of_the_plant_takes_what_hangs_on_it_out_and_brings_it_back(
    kind: str, name: str, hit: list[int]
) -> None:
    driver = spread()
    assert driver.domain(kind, name, False)["nodes"] == len(hit)
    assert failed(driver) == hit
    assert how(driver, hit[0]) == ("failed", f"{kind} {name} is out: tripped")
    assert driver.domain(kind, name, False)["changed"] is False
    assert driver.domain(kind, name, True)["nodes"] == len(hit)
    assert failed(driver) == []
    assert driver.count(supply.DomainHealthChanged) == 2


def test_a_node_that_failed_by_itself_stays_out_when_its_rack_is_back() -> None:
    driver = spread()
    driver.domain("rack", "r1", False)
    driver.fail(NODE)
    assert how(driver) == ("failed", "xid 79")
    driver.domain("rack", "r1", True)
    assert failed(driver) == [NODE]
    driver.recover(NODE)
    assert failed(driver) == []


def test_a_node_is_out_until_the_last_of_what_it_hangs_on_is_back() -> None:
    driver = spread()
    for kind, name in (("loop", "l1"), ("site", "north"), ("rack", "r1")):
        driver.domain(kind, name, False)
    assert how(driver)[1] == "rack r1 is out: tripped"
    driver.domain("rack", "r1", True)
    assert how(driver)[1] == "loop l1 is out: tripped"
    driver.domain("site", "north", True)
    assert failed(driver) == racks(1, 3)
    driver.domain("loop", "l1", True)
    assert failed(driver) == []


def test_a_rack_that_comes_to_a_hall_that_is_out_is_out() -> None:
    driver = spread()
    driver.domain("hall", "s-h", False)
    more = site("south", (feed("s-f"),), (hall("s-h", rack("s-r", on="s-f"), rack("s-r2", on="s-f")),))
    driver.ask(supply.ApplySite(more))
    assert failed(driver) == list(range(16, 24))
    driver.domain("hall", "s-h", True)
    assert failed(driver) == []


def test_older_news_of_a_part_changes_nothing() -> None:
    driver = spread()
    driver.later(1000)
    driver.domain("rack", "r1", False, ago_s=100)
    assert driver.domain("rack", "r1", True, ago_s=101)["changed"] is False
    assert failed(driver) == racks(1)


def test_a_site_of_ten_thousand_nodes_fails_at_once() -> None:
    halls = (hall("h1", *(rack(f"r{number}", on="f1") for number in range(2500))),)
    driver = plant.plant(sites=(site("north", (feed("f1", 10**9),), halls),))
    before = time.perf_counter()
    assert driver.domain("site", "north", False)["nodes"] == 10_000
    assert time.perf_counter() - before < 5


# Degraded, quarantined, in acceptance


def test_a_degraded_node_takes_nothing_new_until_it_is_well_or_repaired() -> None:
    driver = plant.plant()
    report = supply.ReportNodeDegraded(NODE, True, "ecc")
    assert driver.ask(report, EDGE)["changed"] is True
    assert driver.ask(report, EDGE)["changed"] is False
    assert how(driver) == ("degraded", "ecc")
    driver.cordon(NODE)
    driver.uncordon(NODE)
    assert not supply.usable(driver.world.state.supply, NODE)
    driver.ask(supply.ReportNodeDegraded(NODE, False, ""), EDGE)
    assert how(driver) == ("healthy", "")
    driver.ask(report, EDGE)
    driver.fail(NODE)
    driver.recover(NODE)
    assert supply.usable(driver.world.state.supply, NODE)


def accepting(**terms: Any) -> Driver:
    driver = plant.plant()
    driver.policy(failing=Failing(**terms))
    return driver


def check(driver: Driver, name: str, passed: bool = True, evidence: str = "") -> dict[str, Any]:
    return driver.ask(supply.ReportNodeCheck(NODE, name, passed, evidence), EDGE)


def test_a_repaired_node_has_work_again_once_it_passed_its_checks() -> None:
    driver = accepting(checks=("burn-in", "nccl"))
    driver.fail(NODE)
    driver.recover(NODE)
    assert how(driver) == ("in_acceptance", "in acceptance: burn-in, nccl to be passed")
    assert check(driver, "burn-in")["missing"] == ["nccl"]
    assert failed(driver) == [NODE]
    driver.domain("rack", "r1", False)
    assert how(driver) == ("failed", "rack r1 is out: tripped")
    driver.domain("rack", "r1", True)
    assert check(driver, "nccl")["missing"] == []
    assert how(driver) == ("healthy", "")


def test_a_node_that_fails_its_check_is_not_returned_until_it_is_repaired_again() -> None:
    driver = accepting(checks=("nccl",))
    driver.fail(NODE)
    driver.recover(NODE)
    check(driver, "nccl", False, "41 GB/s")
    assert how(driver) == ("failed", "nccl failed: 41 GB/s")
    refusal = driver.refused(supply.ReportNodeCheck(NODE, "nccl", True), EDGE)
    assert refusal.code == "not_in_acceptance"
    driver.recover(NODE)
    assert how(driver)[0] == "in_acceptance"
    driver.fail(NODE)
    assert how(driver)[0] == "failed"


def test_a_node_that_fails_again_and_again_is_quarantined_until_somebody_releases_it() -> None:
    driver = accepting(lemon_failures=3, lemon_window_s=1000)
    for _ in range(2):
        driver.later(400).fail(NODE)
        driver.recover(NODE)
    # The first lies just outside of the window now.
    driver.later(600).fail(NODE)
    assert how(driver) == ("failed", "xid 79")
    driver.recover(NODE)
    driver.later(399).fail(NODE)
    assert how(driver) == ("quarantined", "it failed 3 times within 1000 seconds")
    assert len(driver.last(supply.NodeQuarantined).failures) == 3
    driver.recover(NODE)
    assert failed(driver) == [NODE]
    release = supply.ReleaseNode(NODE, "board replaced")
    assert driver.ask(release)["changed"] is True
    assert driver.ask(release)["changed"] is False
    assert failed(driver) == []
    driver.fail(NODE)
    assert how(driver) == ("failed", "xid 79")


def test_quarantine_by_command_and_late_news_do_not_count_time_twice() -> None:
    driver = plant.plant()
    driver.later(1000)
    ask = supply.QuarantineNode(NODE, "suspect")
    assert driver.ask(ask)["changed"] is True
    assert driver.ask(ask)["changed"] is False
    driver.later(100).ask(supply.ReleaseNode(NODE, ""))
    driver.later(100).fail(NODE, ago_s=500)
    world = driver.world
    world.check()
    assert how(driver) == ("failed", "xid 79")


# Tickets


def test_a_node_that_is_out_carries_its_ticket_until_it_is_back() -> None:
    driver = plant.plant()
    told = supply.TicketNode(NODE, "T-17", "dead fan", "fan 3", driver.at + SECOND_US)
    assert driver.refused(told).code == "node_in_service"
    driver.fail(NODE)
    assert driver.ask(told)["changed"] is True
    assert driver.ask(told)["changed"] is False
    ticket = driver.world.state.supply.health.tickets[NODE]
    assert (ticket.ticket, ticket.cause, ticket.part, ticket.opened_at) == (
        "T-17",
        "dead fan",
        "fan 3",
        driver.at,
    )
    assert health.out_alone(driver.world.state.supply, NODE)
    driver.domain("rack", "r1", False)
    assert not health.out_alone(driver.world.state.supply, NODE)
    driver.domain("rack", "r1", True)
    driver.recover(NODE)
    assert not driver.world.state.supply.health.tickets


def test_since_when_a_node_is_out_is_when_the_first_of_its_reasons_began() -> None:
    driver = accepting(checks=("nccl",))
    state = driver.world.state.supply
    failed_at = driver.at
    driver.fail(NODE)
    driver.later(60).domain("rack", "r1", False)
    assert health.out_since(state, NODE) == failed_at
    assert health.out_since(state, NodeIndex(0)) == driver.at
    driver.later(60).recover(NODE)
    driver.domain("rack", "r1", True)
    # It is not back before it has passed its checks.
    assert health.out_since(state, NODE) == failed_at
    driver.ask(supply.QuarantineNode(NodeIndex(0), "suspect"))
    assert health.out_since(state, NodeIndex(0)) == driver.at


# What is refused


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (supply.ReportNodeDegraded(NodeIndex(8), True, ""), "unknown_node"),
        (supply.ReportNodeCheck(NodeIndex(8), "nccl", True), "unknown_node"),
        (supply.ReportNodeCheck(NodeIndex(7), "nccl", True), "not_in_acceptance"),
        (supply.QuarantineNode(NodeIndex(8), ""), "unknown_node"),
        (supply.ReleaseNode(NodeIndex(8), ""), "unknown_node"),
        (supply.TicketNode(NodeIndex(8), "T-1"), "unknown_node"),
        *(
            (supply.ReportDomainHealth(kind, "?", False, "", plant.T0 + 1), "unknown_domain")
            for kind in DomainKind
        ),
        (supply.ReportDomainHealth(DomainKind.LOOP, "", False, "", plant.T0), "unknown_domain"),
        (supply.ReportDomainHealth(DomainKind.RACK, "r1", False, "", plant.T0 + 1), "future_fact"),
    ],
)
def test_what_is_refused_about_health(command: ids.Command, code: str) -> None:
    assert plant.plant().refused(command).code == code


def test_damaged_health_is_found() -> None:
    state = plant.plant().world.state.supply.fork()
    state.health.own[NodeIndex(3)] = "lost"
    state.health.degraded[NodeIndex(4)] = "lost"
    assert list(supply.check(state)) == [
        "nodes [3] are out without a reason, or not with one",
        "nodes that take no new work differ from those that are cordoned or degraded",
    ]
