"""What is kept to make a loss good: of which size, and what that means for what may be promised."""

from __future__ import annotations

import pytest

from forebay.core import claims, supply
from forebay.core.claims import Spares, spares
from forebay.core.ids import SiteId, SkuId
from forebay.core.timeline import INSTANT_MAX
from tests.core import machine, plant
from tests.core.claims import market
from tests.core.claims.market import available, policy, promise, sign
from tests.core.plant import Driver, contract, feed, hall, site

STOCK = SiteId("north"), SkuId("hgx")
#: Hall, feed and row of each rack.
PLACES = (
    ("h1", "f0", "a"),
    ("h1", "f0", "a"),
    ("h1", "f1", "a"),
    ("h2", "f1", "a"),
    ("h2", "f1", "a"),
    ("h2", "f1", "b"),
)


def driver_of(kind: Spares = Spares.NONE, loops: tuple[str, ...] = ("l0", "l0", "l1", "", "", "")) -> Driver:
    racks = [
        (where, plant.rack(f"r{n}", on=on, row=row, loop=loop))
        for n, ((where, on, row), loop) in enumerate(zip(PLACES, loops, strict=True))
    ]
    halls = [hall(name, *(rack for where, rack in racks if where == name)) for name in ("h1", "h2")]
    known = site(feeds=[feed("f0", 10**7), feed("f1", 10**7)], halls=halls)
    made = plant.plant(contract("c0", "acme"), sites=(known,))
    policy(made, spares=kind)
    return made


@pytest.mark.parametrize(
    ("kind", "nodes"),
    [(Spares.NONE, 0), (Spares.RACK, 4), (Spares.ROW, 12), (Spares.FEED, 16), (Spares.LOOP, 8)],
)
def test_the_largest_domain_of_its_kind_is_kept(kind: Spares, nodes: int) -> None:
    driver = driver_of(kind)
    known = driver.world.calendar.holdings.racks(*STOCK)
    assert spares.nodes_needed(known, kind, 4) == nodes
    assert available(driver, 0) == (24 - nodes) / 4
    whole = contract("c1", "acme", promise("t1", 6))
    if nodes:
        assert market.code(driver, sign(whole)) == "oversold"
        # Spares are not what somebody is promised: nobody goes short of them.
        driver.ask(sign(whole, override="spares are used up"))
        assert (available(driver, 0), market.shorts(driver)) == (-nodes / 4, [])
    else:
        driver.ask(sign(whole))
    driver.world.check()


def test_what_has_no_loop_is_lost_with_nobody() -> None:
    driver = driver_of(Spares.LOOP, loops=("",) * 6)
    # A rack at least.
    assert available(driver, 0) == 5


def test_a_policy_that_changes_counts_at_once() -> None:
    driver = driver_of()
    assert available(driver, 0) == 6
    policy(driver, spares=Spares.FEED)
    assert available(driver, 0) == 2
    machine.same_when_restored(driver.world)
    driver.ask(supply.ApplySite(site(feeds=[feed("f0", 10**7), feed("f1", 10**7)], halls=[
        hall("h3", *(plant.rack(f"x{n}", on="f1", row="c") for n in range(4)))
    ])))  # fmt: skip
    assert available(driver, 0) == 10 - 8


def test_what_is_to_come_counts_as_a_rack_until_it_stands() -> None:
    driver = market.market(stands=0, comes=3, on=30)
    policy(driver, spares=Spares.ROW)
    assert [available(driver, on) for on in (0, 29, 30)] == [0, 0, 2]
    kept = driver.world.calendar.spares(market.STOCK, driver.world.state.claims.policy.confidence)
    assert list(kept) == [(0, 0), (market.day(30), 4)]
    rows = claims.quotes.capacity_table(
        driver.world.state.claims, driver.world.state.supply, driver.world.calendar, driver.at, 2
    )
    assert [(row.promisable, row.spares) for row in rows] == [(0, 4), (8, 4)]
    assert kept.at(INSTANT_MAX - 1) == 4


def test_the_example_of_the_documentation() -> None:
    """A site of 10 racks whose largest row has 4."""
    racks = [plant.rack(f"r{n}", on="f1", row="aaaabbbccc"[n]) for n in range(10)]
    driver = plant.plant(contract("c0", "acme"), sites=(site(halls=[hall("h1", *racks)]),))
    policy(driver, spares=Spares.ROW)
    assert (available(driver, 0), available(driver, 0) * market.GPUS) == (6, 192)
