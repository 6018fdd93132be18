"""When does a level bear so much more? By hand, and the whole answer against a walk through all ends."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forebay.core import claims
from forebay.core.ids import SkuId
from forebay.core.placements import easing, foreseen, promises, schedule
from forebay.core.placements.easing import Eased, Easing
from forebay.core.placements.gang import Level, Phase, SubmitGang, Tier
from forebay.core.placements.index import POOL, PoolKey
from forebay.core.placements.search import Misfit
from forebay.core.placements.substitutes import RackChoice
from tests.core import plant
from tests.core.placements.test_substitutes import both

FEEDS = (plant.feed("m", 50_000), plant.feed("a", 40_000, "m"), plant.feed("b", 40_000, "m"))
HALLS = (
    plant.hall("h1", plant.rack("r1", on="a", row="w"), plant.rack("r2", on="a", row="v")),
    plant.hall("h2", plant.rack("r3", on="b", spine="s"), plant.rack("r4", on="b", nodes=2, spine="s")),
)


@settings(
    max_examples=60, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(
    few=st.sampled_from([1, 512]),
    limits=st.sampled_from([(50_000, 40_000), (70_000, 30_000), (40_000, 40_000), (90_000, 36_000)]),
    own=st.booleans(),
    running=st.lists(
        st.tuples(st.sampled_from([1, 2, 3, 5, 8, 12, 16]), st.integers(1, 40)), min_size=5, max_size=20
    ),
    gpus=st.sampled_from([8, 12, 16, 24, 32, 40]),
    within=st.sampled_from([Level.RACK, Level.ROW, Level.BLOCK, Level.HALL, Level.SITE]),
    tier=st.sampled_from([Tier.ON_DEMAND, Tier.ON_DEMAND, Tier.DEDICATED]),
)
def test_bounds_lead_to_what_a_walk_finds(
    few: int,
    limits: tuple[int, int],
    own: bool,
    running: list[tuple[int, int]],
    gpus: int,
    within: Level,
    tier: Tier,
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(easing, "RACKS_FEW", few)
        main, side = limits
        feeds = (plant.feed("m", main), plant.feed("a", side, "m"), plant.feed("b", side, "m"))
        driver = plant.plant(sites=(plant.site("north", feeds, HALLS),), priced=True)
        mine: dict[str, Any] = {"tier": Tier.DEDICATED, "tranche": "t1"}
        if own:
            held = plant.tranche("t1", 3, unit=claims.Unit.NODE, lending=plant.LENT)
            driver.handle(claims.SignContract(plant.contract("c5", "acme", held)))
        for number, (size, minutes) in enumerate(running):
            terms = mine if own and number % 3 == 0 else {}
            if own and number % 3 == 1:
                terms = {"tier": Tier.SPOT}
            driver.submit(f"g{number}", size, walltime_s=60 * minutes, **terms)
            if driver.gang(f"g{number}").phase is Phase.PENDING:
                driver.cancel(f"g{number}")
        desk = driver.world._desk(driver.at)
        terms = mine if own and tier is Tier.DEDICATED else {}
        driver.handle(SubmitGang(plant.spec("waits", gpus, within=within, **terms)))
        if "waits" not in desk.state.gangs or driver.gang("waits").phase is not Phase.PENDING:
            return
        gang, desk = driver.gang("waits"), driver.world._desk(driver.at)
        if isinstance(schedule.find(desk, gang), Misfit):
            assert foreseen.foreseen_start(desk, gang) == schedule.expected_start(desk, gang)


def easing_of(driver: plant.Driver, watts: int, owner: str = POOL) -> Easing:
    desk = driver.world._desk(driver.at)
    promises.bring_up_to_date(desk)
    derived = desk.derived
    derived.vacancies.bring_up_to_date(derived.ends, derived.index)
    (pool,) = (key for key in derived.index.pools if key.owner == owner)
    return Easing(derived.index, derived.ends, derived.vacancies, pool, watts)


def test_by_hand() -> None:
    """50 kW, of which 24 GPUs draw 1 kW each and racks their base: two end after ten minutes, the others later."""
    driver = plant.plant(sites=(plant.site("north", FEEDS, HALLS),))
    driver.run("a", 8, walltime_s=600)
    driver.run("b", 16, walltime_s=1200)
    index = driver.world.placed.index
    level = index.plant.level_of_feed["m"]
    free_w = index.headroom_w(level)
    gpu_w = index.plant.rack_gpu_w[0]
    told: list[tuple[int, int, list[str]]] = [
        (free_w, 0, []),
        (free_w + 1, 630, ["a"]),
        (free_w + 8 * gpu_w + 1, 1230, ["a", "b"]),
    ]
    for watts, after_s, gone in told:
        found = easing_of(driver, watts)
        at = after_s and driver.at + after_s * 10**6
        assert found.of(level).at == at
        assert found.of(level) is found.of(level)
        assert [end.gang for end in found.of(level).over] == gone
    assert easing_of(driver, free_w + 24 * gpu_w + 1).of(level).at is None


def test_power_of_a_tranche_is_kept_for_it() -> None:
    driver = plant.plant(sites=(plant.site("north", FEEDS, HALLS),), priced=True)
    own = plant.tranche("t1", 2, unit=claims.Unit.NODE)
    driver.handle(claims.SignContract(plant.contract("c5", "acme", own)))
    driver.run("a", 16, walltime_s=600, tier=Tier.DEDICATED, tranche="t1")
    index = driver.world.placed.index
    level = index.plant.level_of_feed["m"]
    watts = index.headroom_w(level) - index.reserved_w[level] + 1
    assert easing_of(driver, watts).of(level) == Eased(None, [])
    theirs = easing_of(driver, index.headroom_w(level) + 1, "t1")
    assert theirs.of(level).at == driver.at + 630 * 10**6


def test_levels_ease_and_are_as_before() -> None:
    driver = plant.plant(sites=(plant.site("north", FEEDS, HALLS),), priced=True)
    own = plant.tranche("t1", 2, unit=claims.Unit.NODE)
    driver.handle(claims.SignContract(plant.contract("c5", "acme", own)))
    driver.run("a", 24, walltime_s=600)
    driver.run("b", 12, walltime_s=600, tier=Tier.DEDICATED, tranche="t1")
    desk = driver.world._desk(driver.at)
    promises.bring_up_to_date(desk)
    index, ends = desk.derived.index, list(desk.derived.ends.each())
    eased, gone = index.copy(), index.copy()
    easing.ease(eased, ends, -1)
    for end in ends:
        gone.release(end.runs, end.gpu_w)
    assert (eased.load_w, eased.reserved_w, eased.free) == (gone.load_w, gone.reserved_w, index.free)
    easing.ease(eased, ends, 1)
    assert (eased.load_w, eased.reserved_w) == (index.load_w, index.reserved_w)


def test_which_level_all_is_under() -> None:
    apart = (plant.feed("m", 50_000), plant.feed("a", 40_000), plant.feed("b", 40_000))
    one = plant.plant(sites=(plant.site("north", FEEDS, HALLS),))
    two = plant.plant(sites=(plant.site("north", apart, HALLS),))
    level, gpu_w = one.world.placed.index.plant.level_of_feed["m"], one.world.placed.index.plant.rack_gpu_w[0]
    desk = one.world._desk(one.at)
    assert easing.roots_of(desk, plant.spec("g", 16)) == [(level, 16 * gpu_w)]
    assert easing.roots_of(desk, plant.spec("g", 16, tier=Tier.SPOT)) == []
    assert easing.roots_of(two.world._desk(two.at), plant.spec("g", 16)) == []
    several = both()
    spec = plant.spec("g", 16, skus=(RackChoice(SkuId("hgx"), 16), RackChoice(SkuId("old"), 12)))
    assert easing.roots_of(several.world._desk(several.at), spec) == []
    index = desk.derived.index
    room_w = index.headroom_w(level)
    assert not easing.short(index, [(level, room_w), (level, room_w + 1)])
    assert easing.short(index, [(level, room_w + 1)])
    assert not easing.short(index, [])
    assert PoolKey(POOL, SkuId("hgx"), desk.supplied.racks[desk.supplied.rack_order[0]].site) in index.pools
