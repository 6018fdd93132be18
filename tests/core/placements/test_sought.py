"""The first of many ends after which it fits: found in a few looks, and the same as by looking after each."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forebay.core.ids import SkuId
from forebay.core.placements import foreseen, schedule, sought
from forebay.core.placements.gang import Level, Phase, SubmitGang, Tier
from forebay.core.placements.sought import Bound
from forebay.core.placements.substitutes import RackChoice
from forebay.core.timeline import INSTANT_MAX
from tests.core import plant
from tests.core.placements.test_substitutes import both

FEEDS = (plant.feed("m", 50_000), plant.feed("a", 40_000, "m"), plant.feed("b", 40_000, "m"))
HALLS = (
    plant.hall("h1", plant.rack("r1", on="a"), plant.rack("r2", on="a")),
    plant.hall("h2", plant.rack("r3", on="b"), plant.rack("r4", on="b")),
)


@settings(
    max_examples=60, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(
    running=st.lists(
        st.tuples(st.sampled_from([1, 2, 3, 5, 8, 12, 16]), st.integers(1, 40)), min_size=8, max_size=30
    ),
    gpus=st.sampled_from([8, 16, 24, 32, 40]),
    kind=st.sampled_from(["plain", "slices", "spot"]),
)
def test_halves_find_what_a_walk_finds(running: list[tuple[int, int]], gpus: int, kind: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sought, "MORE", 1)
        held_against_a_walk(running, gpus, kind)


def held_against_a_walk(running: list[tuple[int, int]], gpus: int, kind: str) -> None:
    driver = plant.plant(sites=(plant.site("north", FEEDS, HALLS),), priced=True)
    for number, (size, minutes) in enumerate(running):
        driver.submit(f"g{number}", size, walltime_s=60 * minutes)
        if driver.gang(f"g{number}").phase is Phase.PENDING:
            driver.cancel(f"g{number}")
    terms: dict[str, Any] = {"within": Level.HALL}
    if kind == "spot":
        terms = {"tier": Tier.SPOT}
    elif kind == "slices":
        terms = {"slice_gpus": 8}
    driver.handle(SubmitGang(plant.spec("waits", gpus, **terms)))
    desk = driver.world._desk(driver.at)
    if "waits" not in desk.state.gangs or driver.gang("waits").phase is not Phase.PENDING:
        return
    gang = driver.gang("waits")
    slow = schedule.expected_start(desk, gang)
    assert foreseen.foreseen_start(desk, gang) == slow
    ends = desk.derived.ends
    before = ends.turn_at
    assert sought.first_instant(desk, gang, ends.each(), Bound(0), before) == slow
    if slow is not None:
        # A bound that is met is looked at, whoever is said to be over by then; before it nothing is.
        by_then = [end for end in ends.each() if end.at <= slow]
        for over in ([], by_then[:2], by_then):
            for nodes in (True, False):
                assert sought.first_instant(desk, gang, ends.each(), Bound(slow, over, nodes), before) == slow
        # One that is not met is gone on from.
        for sooner in sorted({end.at for end in by_then if end.at < slow})[-3:]:
            over = [end for end in by_then if end.at <= sooner][::2]
            for nodes in (True, False):
                assert (
                    sought.first_instant(desk, gang, ends.each(), Bound(sooner, over, nodes), before) == slow
                )
        assert sought.first_instant(desk, gang, ends.each(), Bound(slow), before) == slow
        assert sought.first_instant(desk, gang, ends.each(), Bound(0), slow) is None
        assert sought.first_instant(desk, gang, ends.each(), Bound(slow), slow) is None


@pytest.mark.parametrize("place", range(1, 9))
def test_wherever_it_is(place: int) -> None:
    """Eight nodes, of which each comes free at an instant of its own: so many are asked for."""
    driver = plant.plant()
    for number in range(8):
        driver.run(f"g{number}", 8, walltime_s=100 * (number + 1))
    driver.submit("waits", 8 * place)
    gang, desk = driver.gang("waits"), driver.world._desk(driver.at)
    assert foreseen.foreseen_start(desk, gang) is not None
    found = sought.first_instant(desk, gang, desk.derived.ends.each(), Bound(0), INSTANT_MAX)
    assert found is not None
    assert found == schedule.expected_start(desk, gang)
    assert (found - driver.at) // 1_000_000 == 100 * place + 30


def test_who_takes_several_kinds_starts_when_any_of_them_has_room() -> None:
    driver = both()
    driver.run("new", 16, walltime_s=7200)
    driver.run("old", 16, sku="old", walltime_s=600)
    driver.submit("waits", 16, skus=(RackChoice(SkuId("hgx"), 16), RackChoice(SkuId("old"), 12)))
    gang, desk = driver.gang("waits"), driver.world._desk(driver.at)
    told = foreseen.foreseen_start(desk, gang)
    assert told == schedule.expected_start(desk, gang)
    assert told == driver.at + 630 * 1_000_000
