"""From whom capacity is, and how much hangs on one."""

from __future__ import annotations

from forebay.core.claims import suppliers
from forebay.core.claims.suppliers import Share
from forebay.core.ids import SiteId
from forebay.core.supply.blocks import Confidence
from tests.core.claims import market
from tests.core.claims.market import day, promise
from tests.core.claims.sides import customer, expect, rental
from tests.core.plant import Driver, opened


def months(driver: Driver, count: int) -> list[suppliers.SupplyMonth]:
    world = driver.world
    return suppliers.supply_by_supplier(
        world.state.claims, world.state.supply, world.calendar, driver.at, count
    )


def test_two_suppliers_and_ourselves() -> None:
    """2 racks at home, 4 from one provider from day 31 on, 2 from another; a rack has 32 GPUs."""
    other = rental(promise("t2", 2, start=40, site=SiteId("south")), name="more", seller="them")
    driver = customer(rental(promise("t1", 4, start=31)), other)
    driver.ask(expect(45, 75, "t2"))
    january, february, march, april = months(driver, 4)
    assert (january.start_at, january.end_at) == (day(0), day(31))
    assert january.shares == (Share("", 64, 64, 1_000_000), Share("them", 0, 0, 0), Share("us", 0, 0, 0))
    assert january.concentration == 10_000
    assert february.shares == (
        Share("", 64, 64, 333_333),
        Share("them", 0, 0, 0),
        Share("us", 128, 128, 666_667),
    )
    # A third and two thirds: 1111.1 + 4444.4.
    assert february.concentration == 5_556
    assert march.shares[1] == Share("them", 64, 0, 0)
    assert [share.share_ppm for share in april.shares] == [250_000, 250_000, 500_000]
    assert april.concentration == 625 + 625 + 2_500
    market.policy(driver, confidence=Confidence.P50)
    assert months(driver, 3)[2].shares[1].share_ppm == 250_000


def test_nothing_at_all_is_from_nobody() -> None:
    (month,) = months(opened(), 1)
    assert month.shares == (Share("", 0, 0, 0),)
    assert month.concentration == 0


def test_a_site_is_ours_or_a_suppliers() -> None:
    state = customer(rental(promise())).world.state.claims
    assert suppliers.supplier_of(state, SiteId("home")) == ""
    assert suppliers.supplier_of(state, market.NORTH) == "us"
