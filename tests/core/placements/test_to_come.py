"""What nothing that stands could hold may fit once more is delivered: it is refused with the block and its dates."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from forebay.core import ids, money
from forebay.core.placements.gang import Level, SubmitGang, Tier
from forebay.core.placements.substitutes import RackChoice
from forebay.core.supply.blocks import ApplySchedule, BlockPlan, ReportForecast
from forebay.core.timeline import INSTANT_MAX
from tests.core import plant
from tests.core.plant import Driver, block, contract, milestone, schedule, spec


def placed(made: BlockPlan, hall: str, row: str = "") -> BlockPlan:
    return replace(made, hall=ids.HallId(hall), row=row)


def building(*parts: Any) -> Driver:
    """Two racks of four nodes of 8 GPUs in hall h1; and what is to come."""
    driver = plant.plant(contract("c1", "acme"))
    driver.ask(ApplySchedule(schedule(milestone("m1", on=100), milestone("m2", on=200), *parts)))
    return driver


def refusal(driver: Driver, gpus: int, **terms: Any) -> ids.Refusal:
    return driver.refused(SubmitGang(spec("g", gpus, **terms)))


def test_it_says_the_block_how_much_there_is_then_and_when() -> None:
    driver = building(block("b1", "m1", racks=2), block("b2", "m2", racks=4))
    have = len(driver.world.state.supply.racks) * 32
    no = refusal(driver, have + 64 + 1)
    assert (no.code, no.field) == ("fits_later", "gpus")
    assert no.detail == (
        f"{have + 65} GPUs of hgx are asked for; the largest site has {have}. "
        f"Once block b2 has come to north there will be {have + 192}: "
        "2026-07-20T00:00:00Z in even odds, nine times in ten by 2026-07-20T00:00:00Z"
    )
    assert no.tenant_detail.endswith(" GPUs of hgx within one site; more is to come")
    assert "Once block b1" in refusal(driver, have + 64).detail
    assert refusal(driver, have + 193).code == "never_fits"


def test_only_what_is_near_enough_counts() -> None:
    row = plant.hall("h1", plant.rack("r1", row="a"), plant.rack("r2", row="b"))
    driver = plant.plant(contract("c1", "acme"), sites=(plant.site(halls=(row,)),))
    coming = (
        block("b1", "m1", racks=2),
        placed(block("b2", "m2", racks=1), "h1", "a"),
        placed(block("b3", "m3", racks=1), "h1"),
    )
    dates = (milestone("m1", on=100), milestone("m2", on=200), milestone("m3", on=300))
    driver.ask(ApplySchedule(schedule(*dates, *coming)))
    # In the hall there are two racks; then one more, in row a; then another one.
    no = refusal(driver, 96, within=Level.HALL)
    assert "Once block b2 has come to north there will be 96 within one hall: 2026-07-20" in no.detail
    assert "Once block b3" in refusal(driver, 128, within=Level.HALL).detail
    # Of two racks that have no place yet nobody knows whether they come to one row, only that a block is one thing.
    assert "Once block b1" in refusal(driver, 64, within=Level.ROW).detail
    assert refusal(driver, 65, within=Level.ROW).code == "never_fits"
    assert refusal(driver, 33, within=Level.RACK).code == "never_fits"
    assert refusal(driver, 9, within=Level.NODE).code == "never_fits"


def test_slices_are_counted_rack_by_rack() -> None:
    driver = plant.plant(contract("c1", "acme"), sites=(plant.site(racks=4),))
    coming = (block("b1", "m1", racks=1), block("b2", "m1", racks=1))
    driver.ask(ApplySchedule(schedule(milestone("m1", on=100), *coming)))
    no = refusal(driver, 5 * 24, slice_gpus=24)
    assert (no.code, no.field) == ("fits_later", "slice_gpus")
    assert "Once block b1 has come to north there will be 120: " in no.detail
    assert refusal(driver, 6 * 24, slice_gpus=24).field == "gpus"
    assert refusal(driver, 7 * 24, slice_gpus=24).code == "never_fits"


def test_a_block_without_a_date_is_not_waited_for() -> None:
    driver = building(block("b1", "m1", racks=1), block("b2", "m2", racks=9))
    driver.ask(ReportForecast(ids.SiteId("north"), ids.MilestoneId("m2"), INSTANT_MAX, "stopped"))
    assert refusal(driver, 96).code == "fits_later"
    assert refusal(driver, 97).code == "never_fits"


def test_another_kind_that_has_room_is_taken_and_one_that_has_not_is_not() -> None:
    old = plant.sku("old", gpus_per_node=4)
    halls = (plant.hall("h1", plant.rack("r1"), plant.rack("o1", of="old", nodes=2)),)
    driver = plant.plant(
        contract("c1", "acme"), sites=(plant.site(halls=halls),), skus=(plant.sku(), old), priced=False
    )
    kinds = (ids.SkuId("hgx"), ids.SkuId("old"))
    listed = tuple(money.Price(Tier.ON_DEMAND, kind, 1) for kind in kinds)
    driver.ask(money.ApplyPriceList(money.PriceList(1, "USD", 0, listed)))
    driver.ask(ApplySchedule(schedule(milestone("m1", on=100), block("b1", "m1", racks=1, of="old"))))
    both = (RackChoice(kinds[0], 64), RackChoice(kinds[1], 8))
    driver.submit("g1", 64, skus=both)
    assert driver.phase("g1") == "placed"
    both = (RackChoice(kinds[0], 64), RackChoice(kinds[1], 9))
    assert refusal(driver, 64, skus=both).code == "never_fits"
    both = (RackChoice(kinds[0], 32), RackChoice(kinds[1], 9))
    driver.submit("g2", 32, skus=both)
    assert refusal(driver, 9, sku="old").code == "fits_later"
    assert refusal(driver, 9, sku="old", sites=("north",)).code == "fits_later"


def test_where_nothing_is_planned_and_in_a_tranche_it_never_fits() -> None:
    south = plant.hall("south-h1", plant.rack("s1", on="f2"))
    sites = (plant.site(), plant.site("south", (plant.feed("f2"),), (south,)))
    driver = plant.plant(contract("c1", "acme"), sites=sites)
    assert refusal(driver, 1000).code == "never_fits"
    driver.ask(ApplySchedule(schedule(milestone("m1", on=100), block("b1", "m1", racks=90))))
    assert refusal(driver, 1000).code == "fits_later"
    assert refusal(driver, 1000, sites=("south",)).code == "never_fits"
