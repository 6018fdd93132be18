"""A gang that lost a node starts again on its own hosts and a spare, whoever else waits; for so long as agreed."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.core import claims, supply
from forebay.core.claims.terms import SpareScope
from forebay.core.ids import GangId, NodeIndex
from forebay.core.placements import gang as gangs
from forebay.core.placements import hosts
from forebay.core.placements.failing import Failing
from forebay.core.placements.gang import Ending, Level, Tier
from forebay.core.units import DAY_US
from tests.core import plant
from tests.core.plant import OPERATOR, Driver, feed, hall, rack, site, tranche


def held(hold_s: int = 600, **terms: Any) -> Driver:
    """Two rows of two racks of four nodes, in one hall; a policy that keeps hosts."""
    racks = [rack(f"r{number}", row=f"row{1 + (number > 2)}") for number in range(1, 5)]
    driver = plant.plant(sites=(site("north", (feed("f1"),), (hall("h1", *racks),)),), **terms)
    driver.policy(failing=Failing(hold_s=hold_s))
    return driver


def kept(driver: Driver, name: str = "g1") -> tuple[list[int], list[int]]:
    hold = driver.world.state.placements.holds[GangId(name)]
    own, spare = (
        [node for first, count in runs for node in range(first, first + count)]
        for runs in (hold.hosts, hold.spares)
    )
    return own, spare


def test_a_gang_starts_again_on_its_own_hosts_and_the_nearest_spare() -> None:
    driver = held()
    driver.run("g1", 24)
    assert driver.nodes("g1") == [0, 1, 2]
    driver.fail(1)
    assert kept(driver) == ([0, 2], [3])
    # Others that wait, or come, do not get them, while it stops and after.
    driver.submit("other", 8 * 13)
    driver.end("g1", Ending.STOPPED)
    assert driver.nodes("g1") == [0, 2, 3]
    assert driver.phases("g1", "other") == ["placed", "pending"]
    assert not driver.world.state.placements.holds
    assert driver.last(gangs.HostsReleased).reason == "over"


def test_nobody_takes_what_is_kept_while_the_gang_waits_for_a_spare() -> None:
    driver = held()
    driver.run("fills", 8 * 13)
    driver.run("g1", 24)
    driver.fail(driver.nodes("g1")[0])
    own, spare = kept(driver)
    assert (len(own), spare) == (2, [])
    driver.end("g1", Ending.STOPPED)
    for number in range(3):
        driver.submit(f"small{number}", 8)
    assert driver.phases("g1", "small0", "small1", "small2") == ["pending"] * 4
    told = driver.world.explain(GangId("g1"), OPERATOR)
    assert isinstance(told, dict)
    assert told["facts"][-1] == "Kept for it until 2026-01-01T00:10:00Z: 2 of its own nodes, and 0 spare."
    # The first that comes free is its.
    driver.end("fills")
    assert set(own) < set(driver.nodes("g1"))
    driver.world.check()


def test_what_is_kept_is_let_go_in_time() -> None:
    driver = held(hold_s=600)
    driver.run("fills", 8 * 13)
    driver.run("g1", 24)
    driver.fail(driver.nodes("g1")[0])
    driver.end("g1", Ending.STOPPED)
    driver.submit("small", 8)
    driver.later(599)
    assert driver.phase("small") == "pending"
    driver.later(2)
    assert driver.last(gangs.HostsReleased).reason == "timeout"
    assert driver.phases("g1", "small") == ["pending", "placed"]


def test_another_failure_keeps_what_is_left_for_the_time_that_is_left() -> None:
    driver = held()
    driver.run("g1", 24)
    driver.fail(1)
    until_at = driver.world.state.placements.holds[GangId("g1")].until_at
    driver.later(60).fail(3)
    own, spare = kept(driver)
    assert (own, spare) == ([0, 2], [4])
    assert driver.world.state.placements.holds[GangId("g1")].until_at == until_at
    driver.end("g1", Ending.STOPPED)
    assert driver.nodes("g1") == [0, 2, 4]


def test_after_another_failure_while_it_pauses_its_hosts_are_kept_too() -> None:
    driver = held()
    driver.policy(backoff_s=60)
    driver.run("g1", 24)
    driver.end("g1", Ending.FAILED)
    driver.start("g1")
    driver.end("g1", Ending.FAILED)
    assert driver.gang("g1").not_before
    driver.fail(1)
    assert kept(driver) == ([0, 2], [3])
    driver.submit("other", 8 * 13)
    assert driver.phase("other") == "pending"
    driver.later(61)
    assert driver.nodes("g1") == [0, 2, 3]


@pytest.mark.parametrize(
    ("spare", "within", "found"),
    [
        (SpareScope.NONE, Level.SITE, []),
        (SpareScope.RACK, Level.SITE, []),
        (SpareScope.ROW, Level.SITE, [4]),
        (SpareScope.HALL, Level.SITE, [4]),
        (SpareScope.SITE, Level.RACK, []),
        (SpareScope.SITE, Level.ROW, [4]),
        (SpareScope.SITE, Level.HALL, [4]),
    ],
)
def test_a_spare_comes_from_where_the_policy_and_the_gang_allow(
    spare: SpareScope, within: Level, found: list[int]
) -> None:
    driver = held()
    driver.policy(failing=Failing(hold_s=600, spare=spare))
    driver.run("g1", 32, within=within)
    driver.fail(0)
    assert kept(driver) == ([1, 2, 3], found)


def test_the_row_is_left_when_it_is_full_and_the_policy_allows() -> None:
    driver = held()
    driver.run("g1", 64)
    driver.fail(0)
    assert kept(driver)[1] == [8]


def test_a_tranche_says_from_how_far_its_spares_come_and_keeps_to_its_own_nodes() -> None:
    own = tranche("t1", 2, spare=SpareScope.RACK, lending=plant.LENT)
    driver = plant.plant(
        plant.contract("c1", "acme", own),
        sites=(site("north", (feed("f1"),), (hall("h1", *(rack(f"r{n}") for n in range(1, 5))),)),),
    )
    driver.policy(failing=Failing(hold_s=600))
    driver.run("mine", 32, tier=Tier.DEDICATED, tranche="t1")
    driver.run("beside", 16, tier=Tier.DEDICATED, tranche="t1")
    driver.fail(driver.nodes("mine")[0])
    assert kept(driver, "mine")[1] == []
    driver.fail(driver.nodes("beside")[0])
    assert len(kept(driver, "beside")[1]) == 1
    driver.world.check()


def test_what_is_lent_or_shared_is_not_kept() -> None:
    driver = held()
    driver.run("part", 4)
    driver.fail(driver.nodes("part")[0])
    assert not driver.world.state.placements.holds
    lends = plant.plant(
        plant.contract("c1", "acme", tranche("t1", 2, lending=plant.LENT)), plant.contract("c2", "bravo")
    )
    lends.policy(failing=Failing(hold_s=600))
    lends.run("borrows", 24, tenant="bravo", tier=Tier.SPOT)
    assert lends.gang("borrows").lender
    lends.fail(lends.nodes("borrows")[0])
    assert not lends.world.state.placements.holds


def test_what_is_kept_passes_to_a_tranche_whose_term_begins() -> None:
    driver = held()
    driver.run("fills", 8 * 13)
    driver.run("g1", 24)
    driver.fail(driver.nodes("g1")[0])
    driver.end("g1", Ending.STOPPED)
    begins = tranche("t9", 15, unit=claims.Unit.NODE, start_at=driver.at, end_at=driver.at + DAY_US)
    driver.ask(claims.SignContract(plant.contract("c9", "bravo", begins)))
    assert driver.last(gangs.HostsReleased).reason == "claim_started"
    driver.world.check()
    assert driver.phase("g1") == "pending"


@pytest.mark.parametrize("ending", ["cancel", "drain"])
def test_a_hold_ends_with_its_gang_or_when_its_nodes_are_drained(ending: str) -> None:
    driver = held()
    driver.run("g1", 24)
    driver.fail(1)
    if ending == "cancel":
        driver.cancel("g1")
    else:
        driver.ask(supply.CordonNode(NodeIndex(3), "maintenance", drain=True))
    assert not driver.world.state.placements.holds
    driver.world.check()


def test_damaged_holds_are_found() -> None:
    driver = held()
    driver.run("g1", 24)
    driver.fail(1)
    driver.run("g2", 8)
    world = driver.world
    damaged = world.fork()
    hold = damaged.state.placements.holds[GangId("g1")]
    damaged.state.placements.holds[GangId("gone")] = hold._replace(hosts=((driver.nodes("g2")[0], 1),))
    found = "\n".join(hosts.check_holds(damaged.state.placements, world.placed))
    assert "which there is not" in found
    assert "is kept twice" in found
    assert "searches see it" in found
    assert "another holds it" in found
    assert "differ from the holds" in found
