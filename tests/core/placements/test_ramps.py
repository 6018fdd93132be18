"""How fast the load of a feed may rise."""

from __future__ import annotations

from forebay.core import ids
from forebay.core.placements import ramps
from forebay.core.placements.gang import Ending, GangPlaced, Order
from forebay.core.units import MINUTE_US, SECOND_US
from tests.core import plant
from tests.core.plant import OPERATOR, T0, Driver, feed, site


def ramped(rate: int = 12_000, **policy: object) -> Driver:
    driver = plant.plant(sites=[site(feeds=[feed("f1", 66_000)])])
    driver.policy(ramp_w_per_minute=rate, **policy)
    return driver


def starts(driver: Driver) -> list[tuple[str, int]]:
    """Who was placed, and how many seconds after the start of the tests."""
    return [(e.gang, (at - T0) // SECOND_US) for at, e in driver.events if isinstance(e, GangPlaced)]


def test_starts_are_staggered_by_the_ramp() -> None:
    driver = ramped()
    for name in ("g1", "g2", "g3", "g4"):
        driver.submit(name, 8)
    driver.later(300)
    # 12 kW at once: one gang of 8 kW, and the next when 4 kW of it are paid off.
    assert starts(driver) == [("g1", 0), ("g2", 20), ("g3", 60), ("g4", 100)]


def test_a_gang_of_more_than_a_minutes_worth_starts_alone_and_is_paid_off() -> None:
    driver = ramped()
    driver.submit("large", 32)
    driver.submit("small", 4)
    driver.later(300)
    # 32 kW take 160 s, and the small one may start when it fits into what is left of a minute.
    assert starts(driver) == [("large", 0), ("small", 120)]


def test_who_is_held_up_is_not_overtaken() -> None:
    driver = ramped()
    driver.submit("first", 8)
    driver.submit("large", 32)
    driver.submit("small", 1)
    driver.later(600)
    assert [name for name, _ in starts(driver)] == ["first", "large", "small"]


def test_what_was_shed_comes_back_at_the_ramp() -> None:
    driver = ramped(16_000)
    for name in ("g1", "g2", "g3", "g4"):
        driver.submit(name, 8)
    driver.later(300)
    for name in ("g1", "g2", "g3", "g4"):
        driver.start(name)
    driver.curtail("heat", "f1", 2_500)
    for name in ("g1", "g2", "g3", "g4"):
        driver.end(name, Ending.STOPPED)
    driver.later(600)
    driver.submit("new", 1)
    driver.lift("heat")
    placed_from = len(starts(driver))
    first = starts(driver)[-2:]
    driver.later(300)
    assert [name for name, _ in first] == ["g1", "g2"]
    assert [name for name, _ in starts(driver)[placed_from:]] == ["g3", "g4", "new"]
    assert not driver.world.state.placements.shed


def test_explain_tells_of_the_ramp_and_when() -> None:
    driver = ramped()
    driver.submit("g1", 12)
    driver.submit("g2", 8)
    told = driver.world.explain(ids.GangId("g2"), OPERATOR)
    assert isinstance(told, dict)
    assert told["constraint"] == {"code": "power", "level": "feed f1", "have": 0, "need": 8_000}
    assert told["expected_start"] == T0 + 40 * SECOND_US
    assert told["facts"][0] == (
        "Feed f1 takes on no more than 12000 W a minute: what it took on is paid off at 2026-01-01T00:01:00Z."
    )
    driver.submit("g3", 1)
    behind = driver.world.explain(ids.GangId("g3"), plant.tenant("acme"))
    assert isinstance(behind, dict)
    assert behind["facts"][0].endswith(", and other work comes first.")


def test_the_ramp_holds_under_every_order() -> None:
    for order in Order:
        driver = ramped(order=order)
        for name in ("g1", "g2", "g3"):
            driver.submit(name, 8)
        driver.later(300)
        assert starts(driver) == [("g1", 0), ("g2", 20), ("g3", 60)], order


def test_when_it_may_start_and_when_it_is_looked_at_again() -> None:
    assert ramps.may_start_at(MINUTE_US, 12_000, 12_000) == MINUTE_US
    assert ramps.may_start_at(MINUTE_US, 6_000, 12_000) == MINUTE_US // 2
    known = {ids.FeedId("f1"): 25 * SECOND_US}
    assert ramps.next_look(known, 0) == 10 * SECOND_US
    assert ramps.next_look(known, 20 * SECOND_US) == 25 * SECOND_US
    assert ramps.next_look(known, 25 * SECOND_US) is None
    assert ramps.next_look({}, 0) is None
