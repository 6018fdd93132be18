"""When does each node come wholly free? Kept up, and the same as worked out anew from all ends."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forebay.core import claims
from forebay.core.placements import ends as ends_module
from forebay.core.placements import foreseen, promises, schedule
from forebay.core.placements import vacancies as module
from forebay.core.placements.gang import Level, Phase
from forebay.core.placements.index import POOL, PoolKey, each_node
from forebay.core.placements.vacancies import place_near
from tests.core import plant

LEVELS = (Level.RACK, Level.ROW, Level.BLOCK, Level.HALL, Level.SITE)
HALLS = (
    plant.hall("h1", plant.rack("r1", row="w"), plant.rack("r2", row="w")),
    plant.hall("h2", plant.rack("r3", spine="s"), plant.rack("r4", nodes=2, spine="s")),
)


def by_hand(driver: plant.Driver, key: PoolKey, near: Level, nodes: int) -> list[tuple[int, int]]:
    """The same, node by node."""
    index, when = driver.world.placed.index, dict[int, list[int]]()
    ends = driver.world.placed.ends
    for node, free in enumerate(index.free):
        held = [(end.at, mask) for end in ends.each() for other, mask in each_node(end.runs) if other == node]
        for _, mask in held:
            free |= mask
        if index.usable[node] and index.pool_of[node] == key and free == index.plant.full_mask[node]:
            place = place_near(index.plant, near, node)
            when.setdefault(place, []).append(max((at for at, _ in held), default=0))
    return sorted((sorted(each)[nodes - 1], place) for place, each in when.items() if len(each) >= nodes)


def held_against(driver: plant.Driver) -> None:
    desk = driver.world._desk(driver.at)
    promises.bring_up_to_date(desk)
    derived = desk.derived
    derived.vacancies.bring_up_to_date(derived.ends, derived.index)
    for key in derived.index.pools:
        for near in LEVELS:
            for nodes in (1, 2, 4, 7):
                found = derived.vacancies.bounds(key, near, nodes)
                assert sorted(found) == by_hand(driver, key, near, nodes)
                for at, place in found[:2]:
                    over = list(derived.vacancies.over(key, near, place, at))
                    assert all(end.at <= at for end in over)


@settings(
    max_examples=25, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)
@given(
    few=st.sampled_from([1, 256]),
    steps=st.lists(
        st.one_of(
            st.tuples(st.just("run"), st.sampled_from([1, 3, 8, 12, 16, 40]), st.integers(1, 40)),
            st.tuples(st.sampled_from(["end", "fail", "repair"]), st.integers(0, 13), st.just(0)),
            st.tuples(st.sampled_from(["own", "ask"]), st.just(0), st.just(0)),
        ),
        min_size=6,
        max_size=25,
    ),
)
def test_kept_up_as_made_anew(few: int, steps: list[tuple[Any, ...]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "FEW", few)
        driver, signed, failed = (
            plant.plant(sites=(plant.site("north", halls=HALLS),), priced=True),
            False,
            [],
        )
        for number, (kind, some, minutes) in enumerate(steps):
            match kind:
                case "run":
                    driver.submit(f"g{number}", some, walltime_s=60 * minutes)
                    if driver.gang(f"g{number}").phase is Phase.PENDING:
                        driver.cancel(f"g{number}")
                    elif minutes % 2:
                        driver.start(f"g{number}")
                case "end":
                    running = [each for each in driver.live() if each.phase is Phase.RUNNING]
                    if running:
                        driver.later(1).end(running[some % len(running)].spec.id)
                case "fail":
                    if some not in failed:
                        failed.append(some)
                        driver.fail(some)
                case "repair":
                    if some in failed:
                        failed.remove(some)
                        driver.recover(some)
                case "own":
                    if not signed:
                        signed = True
                        own = plant.tranche("t1", 2, unit=claims.Unit.NODE)
                        driver.handle(claims.SignContract(plant.contract("c5", "acme", own)))
                case _:
                    held_against(driver)
        held_against(driver)


def test_where_much_changed_it_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends_module, "VACANCIES_MAX", 2)
    driver = plant.plant()
    driver.run("a", 64, walltime_s=600)
    held_against(driver)
    driver.end("a")
    for number in range(8):
        driver.run(f"b{number}", 8, walltime_s=60 * (number + 1))
    promises.bring_up_to_date(driver.world._desk(driver.at))
    assert driver.world.placed.ends.vacancies is None
    held_against(driver)
    driver.submit("waits", 24)
    desk = driver.world._desk(driver.at)
    gang = driver.gang("waits")
    assert foreseen.foreseen_start(desk, gang) == schedule.expected_start(desk, gang)


def test_by_hand() -> None:
    """Of eight nodes two are held for ten minutes and one for twenty, each with thirty seconds to go."""
    driver = plant.plant()
    driver.run("a", 16, walltime_s=600)
    driver.run("b", 8, walltime_s=1200)
    derived, desk = driver.world.placed, driver.world._desk(driver.at)
    promises.bring_up_to_date(desk)
    derived.vacancies.bring_up_to_date(derived.ends, derived.index)
    (key,) = derived.index.pools
    assert key.owner == POOL
    bounds = [derived.vacancies.bounds(key, Level.SITE, nodes) for nodes in (5, 6, 7, 8, 9)]
    after = [0, 630, 630, 1230]
    assert bounds == [*([(s and driver.at + s * 10**6, -1)] for s in after), []]
