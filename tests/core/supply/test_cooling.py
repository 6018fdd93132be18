"""Loops are listed, racks hang on them, and what does not agree is refused."""

from __future__ import annotations

import pytest

from forebay.core import ids, supply
from forebay.core.supply import ApplySite, LoopPlan
from tests.core import plant
from tests.core.plant import Driver, feed, hall, rack, site

BASE = plant.sku(liquid_ppm=750_000)


def planned(*loops: LoopPlan, hung: str = "cdu", name: str = "north", racks: int = 1) -> supply.SitePlan:
    halls = [hall(f"{name}-h", *(rack(f"{name}-r{n}", on=f"{name}-f", loop=hung) for n in range(racks)))]
    return site(name, feeds=[feed(f"{name}-f", 200_000)], halls=halls, loops=loops)


def loop(name: str = "cdu", liquid_w: int = 30_000, air_w: int = 9_000) -> LoopPlan:
    return LoopPlan(ids.LoopId(name), liquid_w, air_w)


def empty() -> Driver:
    driver = plant.opened()
    driver.ask(supply.ApplyCatalogue((BASE,)))
    return driver


@pytest.mark.parametrize(
    ("loops", "code", "field"),
    [
        ((loop("a b"),), "bad_id", "loops[0].id"),
        ((loop(liquid_w=-1),), "bad_quantity", "loops[0]"),
        ((loop(), loop()), "duplicate_id", "loops[1].id"),
        ((loop(liquid_w=749),), "over_limit", "loops"),
        ((loop(air_w=249),), "over_limit", "loops"),
    ],
)
def test_loops_that_cannot_be_are_refused(loops: tuple[LoopPlan, ...], code: str, field: str) -> None:
    refusal = empty().refused(ApplySite(planned(*loops)))
    assert (refusal.code, refusal.field) == (code, field)


def test_a_loop_that_is_recorded_stays_as_it_is() -> None:
    driver = empty()
    driver.ask(ApplySite(planned(loop())))
    assert driver.ask(ApplySite(planned(loop())))["added"] == 0
    assert driver.refused(ApplySite(planned(loop(air_w=9_001)))).code == "site_differs"
    assert driver.refused(ApplySite(planned(loop(), hung="other"))).code == "site_differs"
    assert driver.refused(ApplySite(planned(loop(), hung=""))).code == "site_differs"
    assert driver.refused(ApplySite(planned(loop(), name="south"))).code == "site_differs"


def test_racks_are_hung_on_a_loop_later_and_count_what_they_give() -> None:
    driver = empty()
    driver.ask(ApplySite(planned(loop(), hung="", racks=2)))
    # Two racks give 1,500 W into liquid with no work on them.
    refusal = driver.refused(ApplySite(planned(loop("small", 1_499), hung="small", racks=2)))
    assert refusal.code == "over_limit"
    assert driver.ask(ApplySite(planned(loop(), racks=2)))["added"] == 2
    index = driver.world.placed.index
    liquid = index.level_of(supply.CurtailedLevel(supply.Carrier.LIQUID, "cdu"))
    assert index.load_w[liquid] == 1_500
    assert driver.ask(ApplySite(planned(loop(), racks=3)))["added"] == 1
    assert index.load_w[liquid] == 2_250


def test_a_kind_of_rack_learns_its_share_once() -> None:
    driver = plant.opened()
    driver.ask(supply.ApplyCatalogue((plant.sku(),)))
    driver.ask(ApplySite(planned(loop(air_w=90_000))))
    index = driver.world.placed.index
    liquid = index.level_of(supply.CurtailedLevel(supply.Carrier.LIQUID, "cdu"))
    assert (index.load_w[liquid], index.load_w[liquid + 1]) == (0, 1_000)
    assert driver.ask(supply.ApplyCatalogue((BASE,))) == {"added": ["hgx"]}
    assert (index.load_w[liquid], index.load_w[liquid + 1]) == (750, 250)
    assert driver.ask(supply.ApplyCatalogue((plant.sku(),))) == {"added": []}
    assert driver.refused(supply.ApplyCatalogue((plant.sku(liquid_ppm=1),))).code == "sku_differs"
    assert driver.refused(supply.ApplyCatalogue((plant.sku("x", liquid_ppm=-1),))).code == "bad_quantity"
