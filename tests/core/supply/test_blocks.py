"""What is to come, and when: dates over a graph, how sure they are, and the power that arrives in stages."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import pairwise, permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.core import timeline, units
from forebay.core.ids import BlockId, MilestoneId, SkuId
from forebay.core.supply import blocks
from forebay.core.supply.blocks import (
    Arrival,
    Confidence,
    Forecast,
    MilestonePlan,
    Outlook,
    Quantile,
    Schedule,
    SchedulePlan,
    StageKind,
)
from forebay.core.timeline import INSTANT_MAX, Steps
from forebay.core.units import DAY_US
from tests.core import almanac
from tests.core.plant import block, day, milestone, schedule, stage

P50, P90 = Confidence.P50, Confidence.P90


def days(found: dict[MilestoneId, int]) -> dict[str, int]:
    """Dates as days after the start of the tests."""
    return {name: (when - day(0)) // DAY_US for name, when in found.items()}


def known(**dates: int) -> dict[MilestoneId, int]:
    return {MilestoneId(name): day(number) for name, number in dates.items()}


# The longest path

SITE = schedule(
    milestone("permit", on=10),
    milestone("grid", "permit", takes=20),
    milestone("shell", "permit", on=25, takes=5),
    milestone("racks", on=40),
    milestone("accepted", "grid", "shell", "racks", takes=3),
)


@pytest.mark.parametrize(
    ("reported", "reached", "moved"),
    [
        ({}, {}, {}),
        # A slip moves what is behind it, as far as nothing else is later.
        ({"permit": 12}, {}, {"permit": 12, "grid": 32}),
        ({"permit": 30}, {}, {"permit": 30, "grid": 50, "shell": 35, "accepted": 53}),
        ({"racks": 60}, {}, {"racks": 60, "accepted": 63}),
        # Sooner than planned: what waits for it is not sooner than its own plan.
        ({"permit": 2}, {}, {"permit": 2, "grid": 22}),
        ({"permit": 2, "racks": 20}, {}, {"permit": 2, "grid": 22, "racks": 20, "accepted": 28}),
        # What was reported of one that waits counts as its plan did.
        ({"accepted": 80}, {}, {"accepted": 80}),
        ({"accepted": 41}, {}, {}),
        ({"shell": 5}, {}, {"shell": 15}),
        # Reached is reached: before or after the plan, whatever was reported.
        ({"permit": 30}, {"permit": 8}, {"permit": 8, "grid": 28}),
        ({}, {"permit": 20}, {"permit": 20, "grid": 40}),
        ({"grid": 90}, {"permit": 8, "grid": 9}, {"permit": 8, "grid": 9}),
        ({}, {"permit": 8, "grid": 70}, {"permit": 8, "grid": 70, "accepted": 73}),
    ],
)
def test_dates(reported: dict[str, int], reached: dict[str, int], moved: dict[str, int]) -> None:
    found = days(blocks.dates(SITE, known(**reported), known(**reached)))
    assert found == {"permit": 10, "grid": 30, "shell": 25, "racks": 40, "accepted": 43} | moved


def test_what_has_no_date_gives_none_to_what_waits_for_it() -> None:
    found = blocks.dates(SITE, {MilestoneId("grid"): INSTANT_MAX}, {})
    assert [name for name, when in found.items() if when == INSTANT_MAX] == ["grid", "accepted"]


@st.composite
def graphs(draw: st.DrawFn) -> SchedulePlan:
    """A graph of up to seven milestones in any order, each with a block of its own."""
    names = [MilestoneId(name) for name in "abcdefg"[: draw(st.integers(1, 7))]]
    made = []
    for place, name in enumerate(names):
        after = draw(st.lists(st.sampled_from(names[:place]), max_size=3)) if place else []
        own = draw(st.integers(1, 40))
        made.append(milestone(name, *after, on=own * (not after or draw(st.booleans())), takes=own % 7))
    return schedule(*draw(st.permutations(made)), *(block(f"b-{name}", name) for name in names))


@st.composite
def schedules(draw: st.DrawFn) -> Schedule:
    """A graph, with some things reported, reached in order, and perhaps a forecast of it or of an older one."""
    plan = draw(graphs())
    names = [each.id for each in plan.milestones]
    some_days = st.integers(0, 60).map(day)
    reported = draw(st.dictionaries(st.sampled_from(names), some_days | st.just(INSTANT_MAX)))
    reached: dict[MilestoneId, int] = {}
    for each in blocks.ordered(plan.milestones):
        if all(before in reached for before in each.after) and draw(st.booleans()):
            reached[each.id] = draw(some_days)
    pairs = st.tuples(some_days, some_days).map(lambda pair: Quantile(min(pair), max(pair)))
    forecast = None
    if draw(st.booleans()):
        told = draw(st.dictionaries(st.sampled_from(names), pairs))
        of_blocks = draw(st.dictionaries(st.sampled_from([each.id for each in plan.blocks]), pairs))
        forecast = Forecast(draw(st.sampled_from([4, 5])), "test", 10, told, of_blocks)
    return Schedule(plan, 5, reported, reached, forecast)


@given(schedules())
def test_dates_are_the_longest_path(made: Schedule) -> None:
    found = blocks.dates(made.plan, made.reported, made.reached)
    assert found == {
        each.id: almanac.date(made.plan, made.reported, made.reached, each.id)
        for each in made.plan.milestones
    }


def test_the_order_of_the_file_does_not_matter() -> None:
    reported, reached = known(grid=33), known(permit=11)
    expected = days(blocks.dates(SITE, reported, reached))
    for milestones in permutations(SITE.milestones):
        shuffled = replace(SITE, milestones=milestones)
        assert days(blocks.dates(shuffled, reported, reached)) == expected
        done: set[str] = set()
        for each in blocks.ordered(milestones):
            assert set(each.after) <= done
            done.add(each.id)


@pytest.mark.parametrize(
    ("milestones", "loop"),
    [
        ([], []),
        ([milestone("a", on=1), milestone("b", "a", "a"), milestone("c", "a", "b")], []),
        ([milestone("a", "a")], ["a", "a"]),
        ([milestone("a", "b"), milestone("b", "a")], ["a", "b", "a"]),
        # b is done before a, c before b, and a before c.
        ([milestone("a", "b"), milestone("b", "c"), milestone("c", "a")], ["a", "c", "b", "a"]),
        # Told from where the walk closes; what only waits for the circle is not part of it.
        (
            [milestone("a", "x"), milestone("x", "y"), milestone("y", "x"), milestone("z", on=1)],
            ["x", "y", "x"],
        ),
        ([milestone("a", on=1), milestone("b", "a", "d"), milestone("d", "b", "a")], ["b", "d", "b"]),
    ],
)
def test_circles_are_told_in_order(milestones: list[MilestonePlan], loop: list[str]) -> None:
    for shuffled in permutations(milestones):
        assert blocks.circle(shuffled) == loop


@given(st.randoms(use_true_random=False), st.integers(1, 6))
def test_a_circle_is_one(dice: random.Random, size: int) -> None:
    names = "abcdef"[:size]
    milestones = [milestone(name, *(other for other in names if dice.random() < 0.3), on=1) for name in names]
    loop = blocks.circle(milestones)
    after = {each.id: each.after for each in milestones}
    if not loop:
        assert len(blocks.ordered(milestones)) == size
        return
    assert loop[0] == loop[-1]
    assert len(set(loop)) == len(loop) - 1
    assert all(one in after[other] for one, other in pairwise(loop))


# How sure


def outlook(
    plan: SchedulePlan, recorded: dict[str, tuple[int, int]] | None = None, old: bool = False, **dates: Any
) -> Outlook:
    """An outlook with these quantiles, in days, of milestones and of blocks."""
    if recorded is None:
        return Outlook(Schedule(plan, **dates))
    quantiles = {name: Quantile(day(p50), day(p90)) for name, (p50, p90) in recorded.items()}
    forecast = Forecast(
        0 if old else 1, "test", 10,
        {each.id: quantiles[each.id] for each in plan.milestones if each.id in quantiles},
        {each.id: quantiles[each.id] for each in plan.blocks if each.id in quantiles},
    )  # fmt: skip
    return Outlook(Schedule(plan, forecast=forecast, **dates))


CHAIN = schedule(milestone("grid", on=10), milestone("racks", "grid", takes=5), block("b1", "racks", "grid"))
RECORDED = {"grid": (11, 30), "racks": (17, 36), "b1": (18, 37)}


@pytest.mark.parametrize(
    ("made", "provisional", "grid", "racks", "b1"),
    [
        # Without a forecast there is one date, and it is not a sure one.
        (outlook(CHAIN), True, (10, 10), (15, 15), (15, 15)),
        (outlook(CHAIN, RECORDED), False, (11, 30), (17, 36), (18, 37)),
        # Once the graph has moved on: the later of what was recorded and today's date.
        (outlook(CHAIN, RECORDED, old=True), True, (11, 30), (17, 36), (18, 37)),
        (outlook(CHAIN, RECORDED, old=True, reported=known(grid=28)), True, (28, 30), (33, 36), (33, 37)),
        (outlook(CHAIN, RECORDED, old=True, reported=known(grid=70)), True, (70, 70), (75, 75), (75, 75)),
        (outlook(CHAIN, RECORDED, old=True, reported=known(grid=1)), True, (11, 30), (17, 36), (18, 37)),
        # What is reached is sure, and what waits for it is not made sure by it.
        (outlook(CHAIN, RECORDED, old=True, reached=known(grid=9)), True, (9, 9), (17, 36), (18, 37)),
        (outlook(CHAIN, RECORDED, reached=known(grid=9, racks=70)), False, (9, 9), (70, 70), (70, 70)),
        # A forecast that leaves something out, or says that it comes before what it waits for.
        (outlook(CHAIN, {"grid": (11, 30)}), False, (11, 30), (15, 30), (15, 30)),
        (outlook(CHAIN, {"grid": (11, 30), "racks": (5, 6), "b1": (2, 60)}), False, (11, 30), (11, 30), (11, 60)),
        (outlook(CHAIN, {"grid": (3, 4), "racks": (5, 6), "b1": (7, 8)}), False, (3, 4), (5, 6), (7, 8)),
    ],
)  # fmt: skip
def test_dates_at_a_confidence(
    made: Outlook,
    provisional: bool,
    grid: tuple[int, int],
    racks: tuple[int, int],
    b1: tuple[int, int],
) -> None:
    found = [
        [days({MilestoneId(name): made.milestone(MilestoneId(name), each)})[name] for each in (P50, P90)]
        for name in ("grid", "racks")
    ]
    own = made.schedule.plan.blocks[0]
    found.append([(made.block(own, each) - day(0)) // DAY_US for each in (P50, P90)])
    assert made.provisional is provisional
    assert found == [list(grid), list(racks), list(b1)]


@given(schedules())
def test_nothing_comes_before_what_it_waits_for(made: Schedule) -> None:
    found = Outlook(made)
    for each in made.plan.milestones:
        assert found.milestone(each.id, P50) <= found.milestone(each.id, P90)
        for confidence in Confidence:
            when = found.milestone(each.id, confidence)
            assert when == almanac.sure_date(made, each.id, confidence)
            if each.id not in made.reached:
                assert all(when >= found.milestone(before, confidence) for before in each.after)
    for own in made.plan.blocks:
        assert found.block_date(own) == found.dates[own.after[0]]
        for confidence in Confidence:
            assert found.block(own, confidence) == almanac.block_date(made, own.id, confidence)
            assert found.block(own, confidence) >= found.milestone(own.after[0], confidence)


@given(schedules())
def test_what_is_expected_next(made: Schedule) -> None:
    found = Outlook(made)
    first = [name for _, name in found.expected]
    assert found.expected == sorted(found.expected)
    for each in made.plan.milestones:
        next_ = each.id not in made.reached and set(each.after) <= set(made.reached)
        counted_at = min(found.dates[each.id], found.milestone(each.id, P50), found.milestone(each.id, P90))
        assert (each.id in first) is (next_ and counted_at < INSTANT_MAX)
        if each.id in first:
            assert (counted_at, each.id) in found.expected
        elif each.id not in made.reached and not next_:
            # Whatever comes later is not counted on before something that is expected first.
            assert counted_at == INSTANT_MAX or counted_at >= found.expected[0][0]


# Power

GRID = 1_000_000


def test_what_a_site_may_draw_of_a_stage() -> None:
    for contracted_w, connected_w, drawn_w in [(5, 3, 3), (3, 5, 3), (4, 4, 4)]:
        made = stage("s", contracted_w, "grid", connected_w=connected_w)
        assert blocks.contracted_power(made) == units.ContractedPower(contracted_w)
        assert blocks.connected_power(made) == units.ConnectedPower(connected_w)
        assert blocks.facility_power(made) == units.FacilityPower(drawn_w)
    with pytest.raises(TypeError):
        blocks.contracted_power(made) + blocks.connected_power(made)  # type: ignore[operator]
    assert [each.value for each in StageKind] == ["bridge", "grid", "on_site"]


def watts(made: Outlook, confidence: Confidence = P50) -> list[tuple[int, int]]:
    """Watts from each day on, from the first on that has any."""
    power = made.it_power(confidence)
    assert power is not None
    return [((start - day(0)) // DAY_US, value) for start, value in power][power.values[0] == 0 :]


STARTS = (
    milestone("shell", on=5),
    milestone("grid", on=20),
    milestone("plant", on=40),
    milestone("lease", on=15),
)


@pytest.mark.parametrize(
    ("stages", "recorded", "p50", "p90"),
    [
        # Bridge, then the grid, then a plant on the site.
        (
            [stage("bridge", 30, "shell", "grid"), stage("grid", 50, "grid"), stage("own", 90, "plant")], None,
            [(5, 30), (20, 50), (40, 140)], [(5, 30), (20, 50), (40, 140)],
        ),
        # The lease of the bridge ends before the grid comes: a gap.
        (
            [stage("bridge", 30, "shell", "lease"), stage("grid", 50, "grid")], None,
            [(5, 30), (15, 0), (20, 50)], [(5, 30), (15, 0), (20, 50)],
        ),
        # The grid comes at P90 on day 60; the bridge stays as long as that, but a lease ends as early as it may.
        (
            [stage("bridge", 30, "shell", "grid"), stage("grid", 50, "grid")], {"grid": (20, 60)},
            [(5, 30), (20, 50)], [(5, 30), (60, 50)],
        ),
        (
            [stage("bridge", 30, "shell", "lease"), stage("grid", 50, "grid")], {"lease": (15, 90), "grid": (20, 60)},
            [(5, 30), (15, 0), (20, 50)], [(5, 30), (15, 0), (60, 50)],
        ),
        # A bridge that is stronger than the grid after it: from the first day that the grid may come, it counts as
        # the grid.
        (
            [stage("bridge", 80, "shell", "grid"), stage("grid", 50, "grid")], {"grid": (20, 60)},
            [(5, 80), (20, 50)], [(5, 80), (20, 50)],
        ),
        # Two bridges end at one grid: what it brings is given on once.
        (
            [
                stage("one", 30, "shell", "grid"), stage("two", 40, "shell", "grid"), stage("grid", 50, "grid"),
            ], {"grid": (20, 60)}, [(5, 70), (20, 50)], [(5, 70), (20, 50)],
        ),
        # A stage that would end before it starts never is.
        (
            [stage("late", 30, "plant", "grid"), stage("grid", 50, "grid")], None, [(20, 50)], [(20, 50)],
        ),
        ([stage("never", 30, "grid", "grid")], {"grid": (20, 60)}, [(0, 0)], [(0, 0)]),
    ],
)  # fmt: skip
def test_power_comes_in_stages(
    stages: list[blocks.PowerStage],
    recorded: dict[str, tuple[int, int]] | None,
    p50: list[tuple[int, int]],
    p90: list[tuple[int, int]],
) -> None:
    told = {"shell": (5, 5), "grid": (20, 20), "plant": (40, 40), "lease": (15, 15)} | (recorded or {})
    made = outlook(schedule(*STARTS, *stages), told if recorded else None)
    if p50 == [(0, 0)]:
        assert made.it_power(P50) == made.it_power(P90) == Steps()
        return
    assert (watts(made), watts(made, P90)) == (p50, p90)


def test_power_reaches_the_racks_after_cooling() -> None:
    made = outlook(schedule(milestone("grid", on=5), stage("s", 1_000, "grid"), pue_ppm=1_300_000))
    assert watts(made) == [(5, 769)]
    assert outlook(schedule(milestone("grid", on=5))).it_power(P50) is None


@given(
    st.lists(st.integers(1, 60), min_size=8, max_size=8), st.lists(st.integers(1, 99), min_size=4, max_size=4)
)
def test_power_is_there_however_it_turns_out(dates: list[int], power: list[int]) -> None:
    """What is counted on is there on every day, if each milestone is done between its dates at P50 and P90."""
    names = ("shell", "grid", "plant", "lease")
    told = {
        name: (min(pair), max(pair))
        for name, pair in zip(names, zip(dates[::2], dates[1::2], strict=True), strict=True)
    }
    stages = [
        stage("bridge", power[0], "shell", "grid"),
        stage("rented", power[1], "shell", "lease"),
        stage("grid", power[2], "grid"),
        stage("own", power[3], "plant"),
    ]
    made = outlook(schedule(*STARTS, *stages), told)
    p50, p90 = made.it_power(P50), made.it_power(P90)
    assert p50 is not None
    assert p90 is not None
    for turn in range(16):
        real = {name: told[name][turn >> place & 1] for place, name in enumerate(names)}
        for number in range(62):
            there = sum(
                each.connected_w
                for each in stages
                if real[each.start] <= number and (not each.end or number < real[each.end])
            )
            assert 0 <= p90.at(day(number)) <= there
            if not turn:
                assert p50.at(day(number)) == there


@given(
    schedules(),
    st.lists(st.tuples(st.integers(1, 99), st.integers(0, 6), st.none() | st.integers(0, 6)), max_size=4),
)
def test_power_against_a_model_of_each_instant(
    made: Schedule, told: list[tuple[int, int, int | None]]
) -> None:
    names = [each.id for each in made.plan.milestones]

    def named(place: int | None) -> str:
        return "" if place is None else names[place % len(names)]

    stages = tuple(
        stage(f"s{place}", power_w, named(start), named(end))
        for place, (power_w, start, end) in enumerate(told)
    )
    made = replace(made, plan=replace(made.plan, stages=stages, pue_ppm=1_100_000))
    for confidence in Confidence:
        power = Outlook(made).it_power(confidence)
        assert (power is None) is (not stages)
        for number in range(-1, 100):
            expected = almanac.watts(made, confidence, day(number))
            assert (power.at(day(number)) if power else None) == expected


# What has both arrived and power


arriving = st.lists(
    st.builds(
        lambda at, block, sku, count, step, node_w: Arrival(
            at, BlockId(block), SkuId(sku), count * step, step, node_w
        ),
        st.integers(-2, 20), st.sampled_from("abcd"), st.sampled_from(["x", "y"]), st.integers(1, 4),
        st.sampled_from([1, 1, 3]), st.sampled_from([0, 2, 3, 5]),
    ),
    max_size=6,
)  # fmt: skip
powers = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 12)), max_size=4).map(timeline.summed)


@given(arriving, st.none() | powers)
def test_what_has_arrived_and_has_power(arrivals: list[Arrival], power: Steps | None) -> None:
    found = blocks.powered(arrivals, power)
    for instant in range(24):
        expected = almanac.fed(arrivals, power.at(instant) if power else None, instant)
        assert {sku: steps.at(instant) for sku, steps in found.items()} == expected


def test_power_that_goes_takes_the_last_that_came() -> None:
    arrivals = [
        Arrival(0, BlockId(""), SkuId("x"), 5, 1, 10),
        Arrival(3, BlockId("b"), SkuId("x"), 4, 4, 10),
        Arrival(3, BlockId("a"), SkuId("y"), 8, 4, 5),
    ]
    power = timeline.summed([(0, 200), (6, -90), (8, -70)])
    assert {sku: list(steps) for sku, steps in blocks.powered(arrivals, power).items()} == {
        "x": [(0, 5), (3, 9), (6, 5), (8, 4)],
        "y": [(0, 0), (3, 8), (8, 0)],
    }
