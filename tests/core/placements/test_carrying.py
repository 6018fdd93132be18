"""What no feed or cooling loop could ever carry is refused at submission, with the level and the number."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.core import ids, supply
from forebay.core.placements import search
from forebay.core.placements.gang import Level, SubmitGang
from forebay.core.placements.search import Misfit, Want
from forebay.core.supply import blocks
from tests.core import plant
from tests.core.plant import Driver, contract, feed, hall, rack, site, sku, tranche

#: Of 1 kW a GPU, and of a rack without work, 800 W go to the liquid.
WET = sku(liquid_ppm=800_000)


def cooled(*loops: tuple[str, int, int], **terms: Any) -> Driver:
    """Two halls: r1 and r2 on `warm`, in one row, r3 on `cold`; r4 in the other on `cold` too."""
    racks = (rack("r1", loop="warm", row="a"), rack("r2", loop="warm", row="a"), rack("r3", loop="cold"))
    halls = (hall("h1", *racks), hall("h2", rack("r4", loop="cold")))
    plans = [supply.LoopPlan(ids.LoopId(name), liquid, air) for name, liquid, air in loops]
    own = terms.pop("own", contract("c1", "acme"))
    return plant.plant(own, sites=(site(halls=halls, loops=plans),), skus=(WET,))


#: Loops; gangs that fit, and one that never does: GPUs, level, what the operator is told.
TIGHT = (("warm", 9_600, 10**6), ("cold", 10_800, 10**6))
AIR = (("warm", 10**6, 2_000), ("cold", 10**6, 1_000))
LARGE = (("warm", 10**6, 10**6), ("cold", 10**6, 10**6))
ROWS = [
    (LARGE, Level.SITE, 128, 129, "129 GPUs of hgx are asked for; the largest site has 128"),
    (TIGHT, Level.NODE, 8, 9, "9 GPUs of hgx are asked for; a node has 8"),
    # 9,600 W less 1,600 W that two racks give without work; 10,800 W less as much.
    (TIGHT, Level.RACK, 11, 12, "one rack carries at the most 11: loop cold (liquid) has room for 9200 W of heat"),
    (TIGHT, Level.ROW, 11, 12, "one row carries at the most 11: loop cold (liquid) has room for 9200 W of heat"),
    (TIGHT, Level.HALL, 18, 22, "hall carries at the most 21: loop warm (liquid), loop cold (liquid) have room"),
    (TIGHT, Level.SITE, 18, 22, "site carries at the most 21: loop warm (liquid), loop cold (liquid) have room"),
    (AIR, Level.RACK, 8, 9, "one rack carries at the most 8: loop warm (air) has room for 1600 W of heat"),
    ((("warm", 10**6, 10**6), ("cold", 1_600, 10**6)), Level.SITE, 64, 65,
     "one site carries at the most 64: loop cold (liquid) has room for 0 W of heat"),
]  # fmt: skip


@pytest.mark.parametrize(("loops", "within", "fits", "never", "told"), ROWS)
def test_it_is_refused_with_the_loop_and_the_number(
    loops: tuple[tuple[str, int, int], ...], within: Level, fits: int, never: int, told: str
) -> None:
    driver = cooled(*loops)
    no = driver.refused(SubmitGang(plant.spec("never", never, within=within)))
    assert (no.code, no.field) == ("never_fits", "gpus")
    assert told in no.detail
    assert "loop" not in no.told_to(plant.tenant("acme"))
    driver.submit("fits", fits, within=within)
    assert driver.phase("fits") == "placed"


def test_work_of_a_claim_is_refused_too_and_its_tenant_reads_of_no_loop() -> None:
    driver = cooled(*TIGHT, own=contract("c1", "acme", tranche("t1", 2)))
    no = driver.refused(SubmitGang(plant.spec("never", 22, tranche="t1")))
    assert "loop warm (liquid), loop cold (liquid) have room for 17200 W of heat" in no.detail
    assert "loop" not in no.told_to(plant.tenant("acme"))
    driver.refused(SubmitGang(plant.spec("again", 23, tranche="t1")))


def test_racks_on_no_loop_give_their_heat_elsewhere() -> None:
    loops = (supply.LoopPlan(ids.LoopId("warm"), 4_000, 10**6),)
    halls = (hall("h1", rack("r1", loop="warm"), rack("r2")),)
    driver = plant.plant(sites=(site(halls=halls, loops=loops),), skus=(WET,))
    assert "carries at the most 36: loop warm" in driver.refused(SubmitGang(plant.spec("never", 37))).detail
    driver.submit("rack", 32, within=Level.RACK)
    assert driver.phase("rack") == "placed"


def test_racks_of_another_kind_count_for_themselves() -> None:
    loops = (supply.LoopPlan(ids.LoopId("warm"), 6_000, 10**6),)
    halls = (hall("h1", rack("r1", loop="warm"), rack("r2", "gb", loop="warm")),)
    driver = plant.plant(sites=(site(halls=halls, loops=loops),), skus=(WET, sku("gb")))
    # 6,000 W less 800 W of r1; what r2 gives goes to the air.
    assert "carries at the most 6: loop warm" in driver.refused(SubmitGang(plant.spec("never", 7))).detail


def test_what_is_to_come_counts_without_what_cannot_be_cooled() -> None:
    driver = cooled(*TIGHT)
    steps = plant.schedule(plant.milestone("grid", on=30), plant.block("b1", "grid", racks=3))
    driver.ask(blocks.ApplySchedule(steps))
    later = driver.refused(SubmitGang(plant.spec("hot", 96)))
    assert later.code == "fits_later"
    assert "17200 W of heat. Once block b1 has come to north there will be 96: 2026-01-31" in later.detail
    assert "loop" not in later.told_to(plant.tenant("acme"))
    assert driver.refused(SubmitGang(plant.spec("hotter", 97))).code == "never_fits"
    # Too large for what stands here too: told of that, as anywhere.
    assert "there will be 224" in driver.refused(SubmitGang(plant.spec("large", 200))).detail


@pytest.mark.parametrize("within", list(Level))
@pytest.mark.parametrize("loops", [TIGHT, AIR])
def test_whatever_the_search_finds_in_an_empty_plant_is_not_refused(
    within: Level, loops: tuple[tuple[str, int, int], ...]
) -> None:
    driver = cooled(*loops)
    index = driver.world.placed.index
    for gpus in range(1, 40):
        want = Want("", ids.SkuId("hgx"), ids.SiteId("north"), gpus, within, 1_000)
        if not isinstance(search.locate(index, want), Misfit):
            driver.submit(f"g{gpus}", gpus, within=within)
            driver.cancel(f"g{gpus}")
            driver.end(f"g{gpus}")


def fed(*feeds: supply.FeedPlan) -> Driver:
    """Two racks on `f2`, one on `f3`; r1 itself bears 10 kW beside the 1 kW that it draws without work."""
    racks = (rack("r1", on="f2", limit_w=11_000), rack("r2", on="f2"), rack("r3", on="f3"))
    return plant.plant(sites=(site(feeds=feeds, halls=(hall("h1", *racks),)),))


def test_every_level_of_the_electrical_tree_counts() -> None:
    tree = (feed("f1", 10**6), feed("f2", 30_000, "f1"), feed("f3", 25_000, "f1"))
    driver = fed(*tree)
    # f2: 30 kW less two racks' 1 kW; f3: 25 kW less one's; r1 by itself 10.
    no = driver.refused(SubmitGang(plant.spec("rack", 29, within=Level.RACK)))
    assert no.detail.endswith("one rack carries at the most 28: feed f2 has room for 28000 W of work")
    no = driver.refused(SubmitGang(plant.spec("site", 53)))
    assert no.detail.endswith(
        "one site carries at the most 52: rack r1, feed f2, feed f3 have room for 62000 W of work"
    )
    assert "feed" not in no.told_to(plant.tenant("acme"))
    driver.submit("fits", 24, within=Level.RACK)
    assert driver.phase("fits") == "placed"
    assert fed(*tree[:1], feed("f2"), feed("f3")).submit("wide", 74).phase.value == "placed"


def test_of_many_levels_a_few_are_named() -> None:
    racks = [rack(f"r{n}", limit_w=2_000) for n in range(1, 7)]
    driver = plant.plant(sites=(site(halls=(hall("h1", *racks),)),))
    no = driver.refused(SubmitGang(plant.spec("never", 7)))
    assert no.detail.endswith(
        "at the most 6: rack r1, rack r2, rack r3, rack r4 and 2 more have room for 6000 W of work"
    )
