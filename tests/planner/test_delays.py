from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.core import supply
from forebay.core.ids import BlockId, CauseId, MilestoneId, Refusal, SiteId, SkuId
from forebay.core.supply import blocks
from forebay.core.supply import schedule as schedules
from forebay.core.supply.blocks import BlockPlan, Cause, MilestonePlan, Schedule, SchedulePlan
from forebay.core.timeline import INSTANT_MAX
from forebay.core.units import DAY_US, SECOND_US
from forebay.planner import delays
from tests.core.plant import T0

DAY_S = 24 * 3600


def milestone(name: str, *after: str, day: int = 0, late: int = 0, takes: Any = (0, 0), **more: Any) -> Any:
    """Planned so many days from the start of the tests; lateness and durations in days."""
    p50, p90 = takes
    known: dict[str, Any] = {"after": after, "planned_at": T0 + day * DAY_US if day or not after else 0}
    figures = {"late_p90_s": late * DAY_S, "duration_p50_s": p50 * DAY_S, "duration_p90_s": p90 * DAY_S}
    return MilestonePlan(MilestoneId(name), **(known | figures | more))


def site(
    *milestones: MilestonePlan, of: dict[str, tuple[str, ...]] | None = None, name: str = "north", **more: Any
) -> Schedule:
    """A schedule with these milestones; its blocks, each with what it waits for: one that waits for the last."""
    told = of or {"b1": (milestones[-1].id,)}
    found = tuple(BlockPlan(BlockId(b), SkuId("hgx"), 1, tuple(map(MilestoneId, a))) for b, a in told.items())
    return Schedule(SchedulePlan(SiteId(name), milestones, found, **more))


def cause(name: str, share: int = 0, strike: int = 0, days: int = 0) -> Cause:
    """Share and chance in per cent."""
    return Cause(CauseId(name), share * 10_000, strike * 10_000, days * DAY_S)


def day_of(instant: int) -> int:
    assert (instant - T0) % DAY_US == 0
    return (instant - T0) // DAY_US


def days(known: Schedule, at: int = T0, **more: Any) -> dict[str, tuple[int, int]]:
    """Days at P50 and P90, of everything."""
    made = delays.forecast(known, at, **more)
    found = {str(m.milestone): (day_of(m.p50_at), day_of(m.p90_at)) for m in made.milestones}
    return found | {str(b.block): (day_of(b.p50_at), day_of(b.p90_at)) for b in made.blocks}


SMALL = site(
    milestone("permit", day=30, late=40),
    milestone("grid", "permit", day=100, late=60, takes=(60, 120), causes=(CauseId("utility"),)),
    milestone("shell", "permit", takes=(90, 120)),
    milestone("racks", "shell", day=110, takes=(20, 30), causes=(CauseId("vendor"), CauseId("utility"))),
    milestone("accept", "grid", "racks", takes=(10, 20)),
    of={"b1": ("accept",), "b2": ("grid", "racks")},
    causes=(cause("utility", share=50, strike=20, days=30), cause("vendor", share=80)),
)


def test_numbers_of_a_small_schedule() -> None:
    """Another stream, or another formula: then `SOURCE` has to be raised."""
    assert delays.SOURCE == "delays/1"
    assert days(SMALL) == {
        "permit": (30, 71),
        "grid": (124, 178),
        "shell": (132, 172),
        "racks": (159, 203),
        "accept": (174, 222),
        "b1": (174, 222),
        "b2": (162, 209),
    }


def test_one_date_has_the_lateness_that_it_was_given() -> None:
    p50, p90 = days(site(milestone("grid", day=100, late=60)), scenarios=20_000)["grid"]
    assert p50 in (100, 101)
    assert abs(p90 - 160) <= 2


def test_a_duration_has_the_quantiles_that_it_was_given() -> None:
    known = site(milestone("permit"), milestone("grid", "permit", takes=(100, 300)))
    p50, p90 = days(known, scenarios=20_000)["grid"]
    assert p50 in (100, 101)
    assert abs(p90 - 300) <= 8


def test_a_duration_of_nothing_in_even_odds_is_lateness() -> None:
    known = site(milestone("permit"), milestone("grid", "permit", takes=(0, 300)))
    p50, p90 = days(known, scenarios=20_000)["grid"]
    assert p50 == 0
    assert abs(p90 - 300) <= 8


def test_what_is_certain_has_its_date() -> None:
    known = site(milestone("permit", day=10), milestone("grid", "permit", takes=(30, 30)))
    assert days(known) == {"permit": (10, 10), "grid": (40, 40), "b1": (40, 40)}


def test_a_reported_date_takes_the_place_of_the_planned_one() -> None:
    known = replace(site(milestone("grid", day=100)), reported={MilestoneId("grid"): T0 + 70 * DAY_US})
    assert days(known)["b1"] == (70, 70)


def test_what_is_reached_is_told_to_the_microsecond() -> None:
    done = T0 + 1234567
    known = replace(SMALL, reached=dict.fromkeys((m.id for m in SMALL.plan.milestones), done))
    made = delays.forecast(known, T0 + 300 * DAY_US)
    assert {(m.p50_at, m.p90_at) for m in made.milestones} == {(done, done)}
    assert {(b.p50_at, b.p90_at) for b in made.blocks} == {(done, done)}


def test_a_strike_delays_what_is_not_reached_in_its_share_of_scenarios() -> None:
    known = site(
        milestone("permit", day=1, causes=(CauseId("law"),)),
        milestone("grid", "permit", causes=(CauseId("law"),)),
        causes=(cause("law", strike=25, days=100),),
    )
    grid = delays.simulate(known, T0, 10_000).milestones[MilestoneId("grid")]
    assert set(grid) == {T0 + DAY_US, T0 + 201 * DAY_US}
    assert np.mean(grid > T0 + DAY_US) == pytest.approx(0.25, abs=0.02)
    reached = replace(known, reached={MilestoneId("permit"): T0 + DAY_US})
    assert max(delays.simulate(reached, T0).milestones[MilestoneId("grid")]) == T0 + 101 * DAY_US
    never = replace(known.plan, causes=(cause("law", strike=0, days=100),))
    assert days(replace(known, plan=never))["grid"] == (1, 1)


def test_nothing_that_is_not_reached_lies_in_the_past() -> None:
    known = replace(SMALL, reached={MilestoneId("permit"): T0})
    found = delays.simulate(known, T0 + 5000 * DAY_US)
    assert max(found.milestones[MilestoneId("permit")]) == T0
    assert min(found.milestones[MilestoneId("grid")]) == T0 + 5000 * DAY_US


def test_what_has_no_date_keeps_none() -> None:
    known = replace(SMALL, reported={MilestoneId("grid"): INSTANT_MAX})
    (accept,) = (m for m in delays.forecast(known, T0).milestones if m.milestone == "accept")
    assert (accept.p50_at, accept.p90_at) == (INSTANT_MAX, INSTANT_MAX)


def test_a_date_is_never_before_the_one_we_reckon_by() -> None:
    known = site(milestone("permit"), milestone("grid", "permit", takes=(100, 101)))
    for seed in range(20):
        assert days(known, scenarios=1, seed=seed)["grid"][0] >= 100


def spread(known: Schedule) -> int:
    p50, p90 = days(known)["b1"]
    return p90 - p50


def test_a_common_cause_widens_the_spread_of_a_block() -> None:
    chain = [milestone("m0", day=1, late=1, causes=(CauseId("vendor"),))]
    chain += [
        milestone(f"m{n}", f"m{n - 1}", takes=(30, 60), causes=(CauseId("vendor"),)) for n in range(1, 6)
    ]
    apart = site(*chain, causes=(cause("vendor"),))
    together = site(*chain, causes=(cause("vendor", share=90),))
    assert spread(together) > 1.5 * spread(apart)


def test_shares_that_are_more_than_all_are_taken_in_proportion() -> None:
    two = (CauseId("a"), CauseId("b"), CauseId("a"))
    full = site(milestone("m", day=1, late=9, causes=two), causes=(cause("a", 50), cause("b", 50)))
    over = site(milestone("m", day=1, late=9, causes=two), causes=(cause("a", 100), cause("b", 100)))
    assert days(full) == days(over)


def test_two_sites_with_one_vendor_move_together() -> None:
    def one(name: str, share: int) -> np.ndarray[Any, Any]:
        known = site(
            milestone("racks", day=1, late=90, causes=(CauseId("vendor"),)),
            name=name,
            causes=(cause("vendor", share),),
        )
        return delays.simulate(known, T0).blocks[BlockId("b1")]

    assert np.corrcoef(one("north", 0), one("south", 0))[0, 1] < 0.1
    assert np.corrcoef(one("north", 80), one("south", 80))[0, 1] > 0.7
    assert list(one("north", 100)) == list(one("south", 100))


def test_the_same_schedule_gives_the_same_dates_in_another_process() -> None:
    code = (
        "from tests.planner import test_delays as t; from forebay.planner import delays;"
        "print(delays.forecast(t.SMALL, t.T0))"
    )
    root = Path(__file__).parents[2]
    told = set()
    for seed in ("1", "2"):
        env = os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join([str(root), *sys.path])}
        told.add(
            subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, check=True).stdout
        )
    assert told == {f"{delays.forecast(SMALL, T0)}\n".encode()}


def test_the_core_takes_it_in_until_the_graph_moves_on() -> None:
    state = supply.State()
    state.schedules[SMALL.plan.site] = SMALL
    made = delays.forecast(SMALL, T0)
    taken: list[object] = []
    assert schedules.record_forecast(state, made, taken.append) == {"site": "north", "changed": True}
    assert made.source == "delays/1 seed 1"
    assert made.scenarios == 2000
    state.schedules[SMALL.plan.site] = replace(SMALL, graph=2)
    refusal = schedules.record_forecast(state, made, taken.append)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "stale_forecast"


@st.composite
def graphs(draw: st.DrawFn) -> Schedule:
    """Up to six milestones, each after some of those before it, and two causes."""
    count = draw(st.integers(1, 6))
    some_days = st.integers(0, 90)
    made = []
    for place in range(count):
        after = draw(st.lists(st.integers(0, place - 1), unique=True, max_size=3)) if place else []
        p50 = draw(some_days)
        made.append(
            milestone(
                f"m{place}",
                *(f"m{before}" for before in after),
                day=draw(some_days),
                late=draw(some_days),
                takes=(p50, p50 + draw(some_days)),
                causes=tuple(draw(st.lists(st.sampled_from(["a", "b"]), unique=True))),
            )
        )
    causes = tuple(cause(name, draw(st.integers(0, 100)), draw(st.integers(0, 100)), 20) for name in "ab")
    return site(*made, causes=causes)


@settings(deadline=None)
@given(graphs(), st.integers(-10, 400), st.integers(1, 300))
def test_quantiles_are_in_order_and_in_whole_days(known: Schedule, day: int, scenarios: int) -> None:
    at = T0 + day * DAY_US + SECOND_US
    made = delays.forecast(known, at, scenarios)
    outlook = blocks.Outlook(known)
    for each in made.milestones:
        assert max(at, outlook.dates[each.milestone]) <= each.p50_at <= each.p90_at
        assert each.p50_at % DAY_US == each.p90_at % DAY_US == 0
    last = max(each.p90_at for each in made.milestones)
    assert all(each.p50_at <= each.p90_at <= last for each in made.blocks)
    assert made == delays.forecast(known, at, scenarios)


@settings(deadline=None)
@given(graphs(), st.data())
def test_a_slip_makes_nothing_come_sooner(known: Schedule, data: st.DataObject) -> None:
    slips = data.draw(st.sampled_from([each.id for each in known.plan.milestones]))
    before = days(known, scenarios=50)
    earliest = blocks.Outlook(known).dates[slips] // DAY_US * DAY_US
    later = data.draw(st.integers(1, 200)) * DAY_US + earliest
    after = days(replace(known, reported={slips: later}), scenarios=50)
    assert all(after[name] >= before[name] for name in before)
    if day_of(later) > before[slips][1]:
        assert after[slips][1] >= day_of(later) > before[slips][1]


@settings(deadline=None)
@given(graphs(), st.data())
def test_what_is_reached_does_not_move_any_more(known: Schedule, data: st.DataObject) -> None:
    reached: dict[MilestoneId, int] = {}
    for each in known.plan.milestones:
        if set(each.after) <= reached.keys() and data.draw(st.booleans()):
            reached[each.id] = T0 + data.draw(st.integers(0, 10**14))
    made = delays.forecast(replace(known, reached=reached), T0, 20)
    for quantile in made.milestones:
        if quantile.milestone in reached:
            assert quantile.p50_at == quantile.p90_at == reached[quantile.milestone]
