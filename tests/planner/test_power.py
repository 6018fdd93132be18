"""What a level of power leaves to a stock, in racks, and for when."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from forebay.core import claims
from forebay.core.timeline import Interval
from forebay.planner import alike, power
from tests.core.plant import contract, feed, hall, rack, site
from tests.planner.estate import LATER, STOCK, Driver, estate, rows, sku, tranche
from tests.planner.test_alike import posed

WORK_W, BASE_W = 32 * sku().gpu_w, sku().rack_base_w


def test_a_level_that_carries_all_below_it_has_no_ceiling() -> None:
    assert posed(estate(tranche("t1", 2, **LATER), at=rows(2, 2))).ceilings == []


def deep() -> Driver:
    """Two feeds of two racks each on one that carries three."""
    feeds = [
        feed("top", 4 * BASE_W + 3 * WORK_W),
        feed("a", 10**6, parent="top"),
        feed("b", 2 * BASE_W + WORK_W, parent="top"),
    ]
    racks = [rack(f"r{n}", on="ab"[n // 2], row="row") for n in range(4)]
    return estate(tranche("t1", 2, **LATER), at=site(feeds=feeds, halls=[hall("h1", *racks)]))


def test_every_level_has_a_ceiling_of_its_own() -> None:
    found = posed(deep())
    told = [(ceiling.below.tolist(), ceiling.racks.tolist()) for ceiling in found.ceilings]
    assert [kind.feed for kind in found.kinds] == ["a", "b"]
    assert told == [([True, True], [3]), ([False, True], [1])]


def test_parts_of_racks_draw_as_well() -> None:
    driver = deep()
    driver.ask(claims.SignContract(contract("cx", "acme", tranche("t2", 1, unit=claims.Unit.NODE, **LATER))))
    driver.later(days=30)
    assert alike.pose(
        driver.world.state.claims, driver.world.state.supply, STOCK, driver.world.work(), driver.at
    ).ceilings[0].racks.tolist() == [2]


def test_a_rack_too_weak_for_all_of_its_nodes_is_no_whole_rack() -> None:
    racks = [rack("r0", on="f0", row="row", limit_w=BASE_W + WORK_W - 1), rack("r1", on="f0", row="row")]
    driver = estate(tranche("t1", 1, **LATER), at=site(feeds=[feed("f0")], halls=[hall("h1", *racks)]))
    found = posed(driver)
    assert [kind.weak for kind in found.kinds] == [True, False]
    assert found.allowed().tolist() == [[False, True]]


terms = st.builds(lambda start, lasts: Interval(start, start + lasts), st.integers(0, 20), st.integers(1, 10))


@given(st.lists(terms, min_size=1, max_size=8))
def test_whoever_is_there_at_a_moment_is_there_at_its_instant(known: list[Interval]) -> None:
    instants = alike.instants_of(known)
    when = power.windows(known, instants)
    for moment in range(31):
        there = {place for place, term in enumerate(known) if term.start <= moment < term.end}
        if there:
            (instant,) = [
                i for i, window in zip(instants, when, strict=True) if window.start <= moment < window.end
            ]
            assert there <= {place for place, term in enumerate(known) if term.start <= instant < term.end}
