"""Who goes by, and who is held back? By hand; against a slow and plain program in `test_ordering`."""

from __future__ import annotations

from forebay.core import ids
from forebay.core.placements.gang import Level, Order, Policy, Tier
from tests.core import plant
from tests.core.placements.test_ordering import COUNTS_ONLY, TOPOLOGY, built
from tests.core.plant import feed, hall, rack


def test_of_a_shape_the_first_that_is_short_enough_goes_by() -> None:
    """Sixteen GPUs one by one, twelve are taken until 1,030 s, then all are promised: of many alike only one is gone
    in time, the last but one."""
    driver = built(*COUNTS_ONLY, Order.EASY)
    driver.run("long", 12, walltime_s=1000)
    driver.submit("first", 16, walltime_s=100)
    for number in range(40):
        driver.submit(f"late{number:02d}", 4, walltime_s=5000 - number)
    driver.submit("short", 4, walltime_s=900)
    driver.submit("behind", 4, walltime_s=900)
    assert driver.phases("first", "late00", "late39", "short", "behind") == [
        "pending", "pending", "pending", "placed", "pending",
    ]  # fmt: skip
    # Later nobody who may go by is left, until somebody comes.
    driver.later(10)
    driver.end("short")
    assert driver.phases("late00", "late39", "behind") == ["pending", "pending", "placed"]


def test_who_is_evicted_comes_back_among_those_alike() -> None:
    """The tree of who is soonest away is made again when somebody comes back to an old place."""
    driver = built(*COUNTS_ONLY, Order.EASY)
    driver.run("old", 4, walltime_s=900)
    driver.run("long", 8, walltime_s=1000)
    driver.submit("first", 16, walltime_s=100)
    driver.submit("late", 4, walltime_s=5000)
    driver.run("short", 4, walltime_s=900)
    driver.submit("next", 4, walltime_s=880)
    driver.cordon(int(driver.nodes("old")[0]), drain=True)
    assert driver.phases("late", "next", "old") == ["pending", "pending", "stopping"]
    driver.uncordon(int(driver.nodes("old")[0]))
    driver.end("old")
    assert [driver.phase(name) for name in ("late", "old", "next")].count("placed") == 1


def test_a_tranche_has_a_promise_of_its_own() -> None:
    """What is promised to the pool holds back nobody on a tranche, and numbers are told of each pool."""
    own = plant.tranche(count=1)
    driver = plant.plant(plant.contract("c1", "acme", own), policy=None)
    driver.policy(order=Order.EASY)
    driver.run("mine", 24, walltime_s=1000, tranche="t1")
    driver.run("pool", 24, walltime_s=1000)
    driver.submit("large", 32, walltime_s=100, tranche="t1")
    driver.submit("wide", 32, walltime_s=100)
    driver.submit("small", 8, walltime_s=900, tranche="t1")
    driver.submit("quick", 8, walltime_s=900)
    driver.submit("spot", 8, walltime_s=10**5, tier=Tier.SPOT)
    assert driver.phases("large", "wide", "small", "quick", "spot") == [
        "pending", "pending", "placed", "placed", "pending",
    ]  # fmt: skip


def test_spot_that_is_promised_an_instant_and_spot_behind_it() -> None:
    driver = built(*COUNTS_ONLY, Order.EASY)
    driver.run("long", 10, walltime_s=1000)
    driver.submit("first", 14, walltime_s=100, tier=Tier.SPOT)
    driver.submit("large", 5, walltime_s=9000, tier=Tier.SPOT)
    driver.submit("demand", 3, walltime_s=9000)
    driver.submit("quick", 2, walltime_s=100, tier=Tier.SPOT)
    assert driver.phases("first", "large", "demand", "quick") == ["pending", "pending", "placed", "placed"]
    # From a pool and a tranche that are not there yet nothing is free.
    site = ids.SiteId("nowhere")
    assert driver.world.placed.index.room("", ids.SkuId("hgx"), site)[1:] == (0, 0)


def test_who_is_quick_enough_may_still_not_fit() -> None:
    """Two nodes of each rack are free: enough for three by number, too few in one rack."""
    driver = built(*TOPOLOGY, Order.EASY)
    driver.run("left", 16, walltime_s=1000, within=Level.RACK)
    driver.run("space", 16, walltime_s=1000, within=Level.RACK)
    driver.run("right", 16, walltime_s=1000, within=Level.RACK)
    driver.end("space")
    driver.submit("first", 64, walltime_s=100)
    driver.submit("near", 24, walltime_s=100, within=Level.RACK)
    driver.submit("far", 24, walltime_s=100)
    assert driver.phases("first", "near", "far") == ["pending", "pending", "placed"]


def test_at_another_site_nobody_is_delayed() -> None:
    sites = (plant.site("north"), plant.site("south", (feed("f2"),), (hall("h2", rack("s1", on="f2")),)))
    driver = plant.plant(sites=sites, policy=Policy(order=Order.EASY))
    driver.run("long", 8, walltime_s=1000, sites=("north",))
    driver.submit("first", 64, walltime_s=100, sites=("north",))
    driver.submit("other", 16, walltime_s=10**6, sites=("south",))
    driver.submit("same", 16, walltime_s=10**6, sites=("north",))
    assert driver.phases("first", "other", "same") == ["pending", "placed", "pending"]


def test_with_a_depth_nobody_farther_back_is_tried() -> None:
    driver = built(*TOPOLOGY, Order.EASY_DEPTH, depth=2)
    driver.run("long", 40, walltime_s=1000)
    for name, gpus in (("first", 64), ("second", 48), ("third", 56), ("fourth", 8)):
        driver.submit(name, gpus, walltime_s=100)
    assert driver.phases("first", "second", "third", "fourth") == ["pending"] * 4
    driver.cancel("second")
    assert driver.phases("first", "third", "fourth") == ["pending", "pending", "placed"]


def test_who_cannot_be_promised_anything_holds_nobody_back() -> None:
    driver = built(*COUNTS_ONLY, Order.EASY)
    driver.cordon(15)
    driver.run("long", 10, walltime_s=1000)
    driver.run("short", 5, walltime_s=500)
    driver.submit("first", 16, walltime_s=100)
    driver.submit("small", 4, walltime_s=9000)
    assert driver.phases("first", "small") == ["pending", "pending"]
    driver.end("short")
    assert driver.phases("first", "small") == ["pending", "placed"]


def test_who_may_start_at_two_sites_is_delayed_at_neither() -> None:
    south = plant.site(
        "south",
        (plant.feed("f9"),),
        (plant.hall("s1", plant.rack("s-r1", on="f9"), plant.rack("s-r2", on="f9")),),
    )
    driver = plant.plant(sites=(plant.site(), south))
    driver.policy(order=Order.EASY)
    driver.run("a", 48, walltime_s=1000)
    driver.run("b", 48, walltime_s=2000)
    assert (driver.gang("a").site, driver.gang("b").site) == ("north", "south")
    driver.submit("first", 32, walltime_s=1000)
    driver.submit("short", 8, walltime_s=500)
    driver.submit("long", 16, walltime_s=5000)
    assert driver.phases("first", "short", "long") == ["pending", "placed", "placed"]
    assert driver.gang("long").site == "south"
