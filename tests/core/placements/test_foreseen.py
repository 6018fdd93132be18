"""By when does it fit? By numbers, and always as an index that all ends are gone through with says."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forebay.core import claims, ids
from forebay.core.ids import GangId
from forebay.core.placements import foreseen, schedule
from forebay.core.placements.ends import TOUCHED_MAX
from forebay.core.placements.gang import Gang, Level, Phase, SubmitGang, Tier
from forebay.core.placements.search import Misfit
from forebay.core.units import DAY_US
from tests.core import plant

HALLS = (
    plant.hall("h1", plant.rack("r1", on="a", row="w"), plant.rack("r2", on="a", row="w")),
    plant.hall("h2", plant.rack("r3", on="b", spine="s"), plant.rack("r4", on="b", nodes=2, spine="s")),
)

works = st.lists(
    st.fixed_dictionaries(
        {
            "gpus": st.sampled_from([1, 3, 5, 8, 8, 9, 12, 16, 24, 32, 40]),
            "walltime_s": st.sampled_from([60, 60, 600, 3600, 7200]),
            "within": st.sampled_from([Level.SITE, Level.HALL, Level.BLOCK, Level.ROW, Level.RACK]),
            "tier": st.sampled_from([Tier.ON_DEMAND, Tier.ON_DEMAND, Tier.SPOT, Tier.DEDICATED]),
        }
    ),
    min_size=4,
    max_size=24,
)


def _crowded(
    limits: tuple[int, int], lent: bool, asked: list[dict[str, Any]], out: list[int]
) -> plant.Driver:
    main, side = limits
    feeds = (plant.feed("m", main), plant.feed("a", side, "m"), plant.feed("b", side, "m"))
    own = plant.tranche("t1", 2, unit=claims.Unit.NODE, lending=plant.LENT if lent else None)
    later = plant.tranche("t2", 1, unit=claims.Unit.NODE, start_at=plant.T0 + DAY_US // 20)
    driver = plant.plant(sites=(plant.site("north", feeds, HALLS),), priced=True)
    driver.handle(claims.SignContract(plant.contract("c5", "acme", own)))
    if lent:
        driver.handle(claims.SignContract(plant.contract("c6", "acme", later)))
    for number, work in enumerate(asked):
        terms = dict(work)
        if work["tier"] is Tier.DEDICATED:
            terms["tranche"] = "t1"
        driver.handle(SubmitGang(plant.spec(f"g{number}", **terms)))
        if number % 3 == 0:
            driver.later(7)
    for node in out:
        driver.fail(node)
    return driver


def _waiting(driver: plant.Driver) -> list[Gang]:
    return [gang for gang in driver.live() if gang.phase is Phase.PENDING]


@settings(
    max_examples=60, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(
    limits=st.sampled_from([(10**6, 10**6), (90_000, 60_000), (60_000, 40_000), (120_000, 45_000)]),
    lent=st.booleans(),
    asked=works,
    out=st.lists(st.integers(0, 13), max_size=2),
    again=works,
)
def test_numbers_say_what_an_index_says(
    limits: tuple[int, int],
    lent: bool,
    asked: list[dict[str, Any]],
    out: list[int],
    again: list[dict[str, Any]],
) -> None:
    driver = _crowded(limits, lent, asked, out)
    for round_ in (asked, again):
        desk = driver.world._desk(driver.at)
        for gang in _waiting(driver):
            if isinstance(schedule.find(desk, gang), Misfit):
                told = foreseen.foreseen_start(desk, gang)
                assert told == schedule.expected_start(desk, gang), gang.spec
                # Counted end by end, as other ends than those by limits are.
                assert foreseen.foreseen_start(desk, gang, desk.derived.ends.each) == told
        for gang in driver.live()[:3]:
            if gang.phase is Phase.PLACED and round_ is asked:
                driver.start(gang.spec.id)
                driver.later(30).end(gang.spec.id)


@pytest.mark.parametrize(
    ("gpus", "within", "start_s"),
    [
        (1, Level.SITE, 100),
        (8, Level.NODE, 130),
        (16, Level.SITE, 130),
        (32, Level.RACK, 130),
        (28, Level.RACK, 130),
        (12, Level.ROW, 130),
    ],
)
def test_who_ends_first_gives_its_place(gpus: int, within: Level, start_s: int) -> None:
    driver = plant.plant()
    for name, size, walltime_s in (("a", 32, 3600), ("b", 24, 100), ("c", 7, 100), ("d", 1, 70)):
        driver.run(name, size, walltime_s=walltime_s)
    driver.submit("waits", gpus, within=within)
    desk = driver.world._desk(driver.at)
    at = foreseen.foreseen_start(desk, driver.gang("waits"))
    assert at is not None
    assert at == schedule.expected_start(desk, driver.gang("waits"))
    assert foreseen.foreseen_start(desk, driver.gang("waits"), desk.derived.ends.each) == at
    assert (at - driver.at) // 1_000_000 == start_s


def test_what_happened_while_nobody_asked_is_bounded() -> None:
    driver = plant.plant()
    driver.run("a", 64)
    driver.submit("b", 8)
    ends = driver.world.placed.ends
    assert foreseen.foreseen_start(driver.world._desk(driver.at), driver.gang("b"))
    ends.touched = {GangId(str(number)): None for number in range(TOUCHED_MAX)}
    driver.submit("c", 8)
    driver.cancel("c")
    assert (ends.watched, ends.touched) == (False, {})
    assert foreseen.foreseen_start(driver.world._desk(driver.at), driver.gang("b"))


def test_a_site_without_such_nodes_is_passed_over() -> None:
    driver = plant.plant(sites=(plant.site(), plant.site("south", (plant.feed("f9"),), (plant.hall("s1"),))))
    driver.run("a", 64)
    driver.submit("b", 8, sites=(ids.SiteId("south"), ids.SiteId("north")))
    desk = driver.world._desk(driver.at)
    told = foreseen.foreseen_start(desk, driver.gang("b"))
    assert told == schedule.expected_start(desk, driver.gang("b"))
    assert foreseen.foreseen_start(desk, driver.gang("b"), desk.derived.ends.each) == told


def test_power_on_the_way_up_is_not_there_for_nodes_that_another_draws_on() -> None:
    """The feed bears four GPUs more than run: whoever comes on what ends first draws more than that."""
    driver = plant.plant(sites=(plant.site("north", (plant.feed("f1", 30_000),)),))
    driver.run("a", 4, walltime_s=100)
    driver.run("b", 8, walltime_s=200)
    driver.run("c", 12, walltime_s=300)
    for number, gpus in enumerate((16, 20, 24, 12, 8)):
        driver.submit(f"waits{number}", gpus)
    desk = driver.world._desk(driver.at)
    for number in range(5):
        gang = driver.gang(f"waits{number}")
        if gang.phase is Phase.PENDING:
            told = foreseen.foreseen_start(desk, gang)
            assert told == schedule.expected_start(desk, gang)
            assert foreseen.foreseen_start(desk, gang, desk.derived.ends.each) == told


def test_ends_after_nodes_change_hands_are_not_counted() -> None:
    """All is held for five hours; after 72 minutes two nodes pass to a tranche, and come back after its term."""
    own = plant.tranche("t1", 2, unit=claims.Unit.NODE, start_at=plant.T0 + DAY_US // 20)
    driver = plant.plant(plant.contract("c1", "acme"), priced=True)
    driver.handle(claims.SignContract(plant.contract("c5", "acme", own)))
    for number in range(8):
        driver.submit(f"a{number}", 8, walltime_s=5 * 3600)
    driver.submit("waits", 16)
    desk, gang = driver.world._desk(driver.at), driver.gang("waits")
    assert gang.phase is Phase.PENDING
    told = foreseen.foreseen_start(desk, gang)
    assert told == schedule.expected_start(desk, gang)
    assert foreseen.foreseen_start(desk, gang, desk.derived.ends.each) == told
