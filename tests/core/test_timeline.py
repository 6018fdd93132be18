from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.core import timeline
from forebay.core.timeline import INSTANT_MAX, Due, Dues, Interval, Steps
from tests.core.plant import utc

intervals = st.tuples(st.integers(0, 20), st.integers(0, 20)).map(lambda pair: Interval(*pair))
loads = st.lists(st.tuples(intervals, st.integers(1, 5)), max_size=6)


@given(loads, intervals)
def test_peak_against_every_instant(load: list[tuple[Interval, int]], window: Interval) -> None:
    sums = [
        sum(amount for interval, amount in load if interval.start <= instant < interval.end)
        for instant in range(window.start, window.end)
    ]
    assert timeline.peak(load, window) == max(sums, default=0)


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [((0, 5), (5, 9), False), ((0, 6), (5, 9), True), ((5, 9), (0, 6), True), ((3, 3), (0, 9), False)],
)
def test_intervals_are_half_open(one: tuple[int, int], other: tuple[int, int], overlap: bool) -> None:
    assert Interval(*one).overlaps(Interval(*other)) is overlap


# Steps, against a value for every instant up to one after which nothing changes

changes = st.lists(st.tuples(st.integers(-3, 20), st.integers(-4, 4)), max_size=8)
some_steps = changes.map(timeline.summed)
#: Windows that are not empty, before, over and after all changes.
windows = st.tuples(st.integers(-5, 25), st.integers(1, 30)).map(lambda w: Interval(w[0], w[0] + w[1]))
INSTANTS = range(-6, 60)


@given(changes)
def test_a_sum_at_every_instant(found: list[tuple[int, int]]) -> None:
    steps = timeline.summed(found)
    assert [steps.at(instant) for instant in INSTANTS] == [
        sum(by for when, by in found if max(when, 0) <= max(instant, 0)) for instant in INSTANTS
    ]
    assert steps.starts[0] == 0
    assert all(a < b for a, b in pairwise(steps.starts))
    assert all(a != b for a, b in pairwise(steps.values))


@given(some_steps, windows)
def test_the_least_and_the_most_of_a_window(steps: Steps, window: Interval) -> None:
    found = [steps.at(instant) for instant in range(*window)]
    assert (steps.least(window), steps.most(window)) == (min(found), max(found))


@given(some_steps, st.integers(-6, 6), windows)
def test_the_first_stretch_that_is_too_low(steps: Steps, need: int, window: Interval) -> None:
    low = [instant for instant in range(*window) if steps.at(instant) < need]
    found = steps.below(need, window)
    if not low:
        assert found is None
        return
    assert found is not None
    assert found.start == low[0]
    again = next((each for each in range(low[0], 60) if steps.at(each) >= need), INSTANT_MAX)
    assert found.end == again


@pytest.mark.parametrize("window", [Interval(3, 3), Interval(5, 3), Interval(INSTANT_MAX, INSTANT_MAX)])
def test_nothing_is_too_low_in_an_empty_window(window: Interval) -> None:
    assert Steps().below(1, window) is None


@given(some_steps, st.lists(some_steps, max_size=3))
def test_sums_and_differences_at_every_instant(steps: Steps, others: list[Steps]) -> None:
    left, together = steps.minus(*others), steps
    for other in others:
        together = together.plus(other)
    for instant in INSTANTS:
        taken = sum(other.at(instant) for other in others)
        assert left.at(instant) == steps.at(instant) - taken
        assert together.at(instant) == steps.at(instant) + taken
    # There is one way to say it: what is equal at every instant is equal.
    for found in (left, together):
        assert found == timeline.summed(
            (start, value - before) for (start, value), before in zip(found, [0, *found.values], strict=False)
        )


@given(some_steps, st.integers(0, 20), st.integers(1, 20), st.integers(-4, 4))
def test_a_few_changes_to_many_steps(steps: Steps, start: int, length: int, nodes: int) -> None:
    few = timeline.summed([(start, nodes), (start + length, -nodes)])
    assert steps.plus(few) == few.plus(steps) == timeline.summed([*_changes(steps), *_changes(few)])
    assert steps.plus(few).minus(few) == steps
    assert steps.minus(steps) == few.minus(few) == Steps()


def _changes(steps: Steps) -> list[tuple[int, int]]:
    return [
        (start, value - before) for (start, value), before in zip(steps, [0, *steps.values], strict=False)
    ]


def test_steps_are_values() -> None:
    steps = timeline.summed([(5, 2), (INSTANT_MAX, -2)])
    assert list(steps) == [(0, 0), (5, 2), (INSTANT_MAX, 0)]
    assert steps == Steps((0, 5, INSTANT_MAX), (0, 2, 0))
    assert steps != timeline.summed([(5, 2)])
    assert steps != [(0, 0)]
    with pytest.raises(TypeError):
        hash(steps)


def test_dues_come_by_time_then_ends_before_starts() -> None:
    heap = Dues([Due(5, "tranche_start", "a", 0), Due(5, "tranche_end", "b", 0)])
    assert heap.first() == Due(5, "tranche_end", "b", 0)
    heap.push(Due(3, "retry", "z", 1))
    assert [heap.pop().about for _ in range(len(heap))] == ["z", "b", "a"]
    assert heap.first() is None


@pytest.mark.parametrize(
    ("at", "end"),
    [
        (utc(2026), utc(2026, 2)),
        (utc(2026, 1, 31, 23), utc(2026, 2)),
        (utc(2028, 2, 29), utc(2028, 3)),
        (utc(2026, 12, 31, 23), utc(2027)),
    ],
)
def test_months_end_in_utc(at: int, end: int) -> None:
    assert timeline.month_end(at) == end


def test_instants_as_people_read_them() -> None:
    assert timeline.text(utc(2026, 3, 1, 12) + 999_999) == "2026-03-01T12:00:00Z"
