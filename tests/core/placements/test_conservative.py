"""Has everybody a reservation, in order, that nobody who comes later delays?"""

from __future__ import annotations

from forebay.core.placements import conservative
from forebay.core.placements.gang import Order, Policy, Tier
from forebay.core.units import SECOND_US
from tests.core import plant
from tests.core.placements.test_ordering import COUNTS_ONLY, built
from tests.core.plant import T0, Driver


def reserved(driver: Driver) -> dict[str, int]:
    """When each that waits is to start, seconds from the first instant."""
    found = conservative.plan_all(driver.world._desk(driver.at))
    return {each.gang: (each.start - T0) // SECOND_US for each in found}


def test_everybody_has_a_reservation() -> None:
    """By hand: sixteen GPUs one by one; twelve are taken until 1,030 s."""
    driver = built(*COUNTS_ONLY, Order.CONSERVATIVE)
    driver.run("long", 12, walltime_s=1000)
    driver.submit("first", 14, walltime_s=100)  # 1,030 s to 1,160 s
    driver.submit("second", 4, walltime_s=1000)  # would do in time: now, until 1,030 s
    driver.submit("third", 3, walltime_s=970)  # only two are left beside the first: after it
    driver.submit("fourth", 2, walltime_s=2000)  # beside the first; from 1,030 s, when the second is gone
    assert driver.phases("first", "second", "third", "fourth") == ["pending", "placed", "pending", "pending"]
    assert reserved(driver) == {"first": 1030, "third": 1160, "fourth": 1030}
    # The third and the fourth leave eleven.
    driver.submit("fifth", 12, walltime_s=5)
    assert reserved(driver)["fifth"] == 2160


def test_an_early_end_moves_everybody_up_in_order() -> None:
    driver = built(*COUNTS_ONLY, Order.CONSERVATIVE)
    driver.run("long", 12, walltime_s=1000)
    for name, gpus in (("first", 14), ("second", 10), ("third", 5)):
        driver.submit(name, gpus, walltime_s=100)
    assert reserved(driver) == {"first": 1030, "second": 1160, "third": 1160}
    driver.later(500)
    driver.end("long")
    assert driver.phases("first", "second", "third") == ["placed", "pending", "pending"]
    assert reserved(driver) == {"second": 630, "third": 630}


def test_who_overstays_may_be_gone_at_any_moment() -> None:
    driver = built(*COUNTS_ONLY, Order.CONSERVATIVE)
    driver.run("long", 16, walltime_s=100)
    driver.submit("first", 16, walltime_s=100)
    driver.later(200)
    assert driver.phases("long", "first") == ["stopping", "pending"]
    found = conservative.plan_all(driver.world._desk(driver.at))
    assert [(each.gang, each.start) for each in found] == [("first", driver.at + 1)]
    driver.end("long")
    assert driver.phase("first") == "placed"


def test_what_is_signed_counts() -> None:
    """A tranche takes the plant for ten days: nobody else starts meanwhile, and its own does when it begins."""
    day = 86_400 * SECOND_US
    own = plant.tranche(count=1, start_at=T0 + day, end_at=T0 + 11 * day)
    driver = plant.plant(plant.contract("c1", "acme", own), plant.contract("c2", "bravo"),
                         policy=Policy(order=Order.CONSERVATIVE))  # fmt: skip
    gpus = driver.world.placed.index.plant.extents
    most = next(iter(gpus.values())).rack
    driver.submit("own", most, tranche="t1", tier=Tier.DEDICATED)
    assert driver.phase("own") == "pending"
    assert reserved(driver) == {"own": 86_400}


def test_what_waits_for_a_repair_has_none() -> None:
    driver = built(*COUNTS_ONLY, Order.CONSERVATIVE)
    driver.fail(0)
    driver.submit("all", 16)
    driver.submit("long", 8, walltime_s=10**6)
    assert driver.phases("all", "long") == ["pending", "placed"]
    assert reserved(driver) == {}
