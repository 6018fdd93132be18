"""A copy is run on: limits of time are durations, and nothing reaches the World it was made from."""

from __future__ import annotations

from forebay.core.ids import Asked, GangId
from forebay.core.placements.gang import SubmitGang, Tier
from forebay.core.units import DAY_US, SECOND_US
from forebay.twin import ahead
from tests.core import plant
from tests.core.plant import OPERATOR, spec

G = GangId


def test_who_waits_starts_when_what_runs_has_had_its_time() -> None:
    driver = plant.plant()
    driver.run("long", 32, walltime_s=7200)
    driver.submit("placed", 32, walltime_s=600)
    for name in ("first", "second"):
        driver.submit(name, 64, walltime_s=3600)
    copy = driver.world.fork()
    then = ahead.run_on(copy, (), [G("first"), G("second")], driver.at, driver.at + DAY_US)
    assert then.settled
    waits_s = {name: (at - driver.at) // SECOND_US for name, at in then.placed.items()}
    assert waits_s == {"first": 7230, "second": 7230 + 3630}
    assert then.where[G("first")][0] == "north"
    assert driver.phases("long", "first") == ["running", "pending"]


def test_a_horizon_and_a_gang_that_is_withdrawn() -> None:
    driver = plant.plant()
    driver.run("long", 64, walltime_s=7200)
    driver.submit("waits", 64)
    then = ahead.run_on(driver.world.fork(), (), [G("waits")], driver.at, driver.at + 3600 * SECOND_US)
    assert (then.settled, then.placed) == (False, {})
    driver = plant.plant(plant.contract("c1", "acme", plant.tranche("t1", end_at=plant.T0 + DAY_US)))
    driver.run("long", 32, tranche="t1", walltime_s=2 * 86_400)
    driver.submit("never", 32, tranche="t1")
    then = ahead.run_on(driver.world.fork(), (), [G("never")], driver.at, driver.at + 3 * DAY_US)
    assert (then.settled, then.placed) == (True, {})
    assert then.stopped[G("long")] == (plant.T0 + DAY_US, "claim_ended")


def test_what_was_just_tried_counts() -> None:
    driver = plant.plant(plant.contract("c1", "acme", plant.tranche("t1", 2, lending=plant.LENT)))
    driver.run("guest", 64, tier=Tier.SPOT, walltime_s=600)
    driver.submit("leaves", 8, tier=Tier.SPOT, walltime_s=600)
    copy = driver.world.fork()
    events = copy.handle(Asked(SubmitGang(spec("own", 64, tranche="t1")), OPERATOR), driver.at).events
    then = ahead.run_on(copy, events, [G("own"), G("leaves")], driver.at, driver.at + DAY_US)
    assert then.settled
    assert then.stopped == {G("guest"): (driver.at, "reclaim")}
    assert then.placed[G("own")] == driver.at + 30 * SECOND_US
    assert then.placed[G("guest")] >= then.placed[G("own")] + 3630 * SECOND_US


def test_turns_are_bounded() -> None:
    driver = plant.plant()
    driver.run("long", 64, walltime_s=7200)
    driver.submit("waits", 64)
    most, ahead.TURNS_MAX = ahead.TURNS_MAX, 1
    try:
        then = ahead.run_on(driver.world.fork(), (), [G("waits")], driver.at, driver.at + DAY_US)
    finally:
        ahead.TURNS_MAX = most
    assert not then.settled
