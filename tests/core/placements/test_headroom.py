"""How much is left at each level, and what of it nobody can use."""

from __future__ import annotations

from forebay.core import ids, supply
from forebay.core.placements import headroom
from forebay.core.placements.headroom import Headroom
from tests.core import plant
from tests.core.plant import Driver, feed, hall, rack, site


def rooms(driver: Driver) -> dict[str, Headroom]:
    found = headroom.headrooms(driver.world.placed.index, driver.world.state.supply, ids.SiteId("north"))
    return {each.level.told(): each for each in found}


def stranded(room: Headroom) -> tuple[int, int, int, int, int]:
    assert room.headroom_w == room.usable_w + room.stranded_w
    return room.headroom_w, room.usable_w, room.nodes_w, room.below_w, room.above_w


def test_each_watt_is_usable_or_stranded_for_one_reason() -> None:
    # Two racks of 32 GPUs of 1 kW, 1 kW a rack without work; the one on the right has power for 8 GPUs.
    feeds = [feed("main", 100_000), feed("left", 60_000, "main"), feed("right", 9_000, "main")]
    halls = [hall("h1", rack("r1", on="left"), rack("r2", on="right"))]
    driver = plant.plant(sites=[site(feeds=feeds, halls=halls)])
    assert {name: stranded(room) for name, room in rooms(driver).items()} == {
        # 64 GPUs are free, and limits below let 40 kW of them by.
        "feed main": (98_000, 40_000, 34_000, 24_000, 0),
        "feed left": (59_000, 32_000, 27_000, 0, 0),
        "feed right": (8_000, 8_000, 0, 0, 0),
    }
    assert next(iter(rooms(driver))) == "feed main"
    # A level above binds what the left could draw.
    driver.curtail("heat", "main", 12_000)
    assert stranded(rooms(driver)["feed left"]) == (59_000, 10_000, 27_000, 0, 22_000)
    driver.fail(0)
    assert rooms(driver)["feed left"].nodes_w == 35_000


def test_a_loop_is_told_in_heat() -> None:
    halls = [hall("h1", rack("r1", on="f1", loop="cdu"), rack("r2", on="f1"))]
    loops = [supply.LoopPlan(ids.LoopId("cdu"), 18_750, 9_000)]
    driver = plant.plant(
        sites=[site(feeds=[feed("f1", 66_000)], halls=halls, loops=loops)],
        skus=[plant.sku(liquid_ppm=750_000)],
    )
    driver.submit("g1", 8)
    found = rooms(driver)
    on_loop = driver.nodes("g1") == [0]
    used = 8 * 750 if on_loop else 0
    liquid, air = found["loop cdu (liquid)"], found["loop cdu (air)"]
    assert (liquid.base_w, liquid.load_w, air.base_w) == (750, 750 + used, 250)
    assert stranded(liquid) == (18_000 - used, 18_000 - used, 0, 0, 0)
    assert stranded(air)[2:] == (750, 0, 0)


def test_a_level_that_carries_too_much_has_no_headroom() -> None:
    driver = plant.plant(sites=[site(feeds=[feed("f1", 66_000)])])
    driver.run("g1", 32)
    driver.curtail("heat", "f1", 5_000)
    room = rooms(driver)["feed f1"]
    assert (room.limit_w, room.effective_w, room.load_w) == (66_000, 5_000, 34_000)
    assert stranded(room) == (0, 0, 0, 0, 0)
