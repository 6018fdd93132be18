from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.core import timeline
from forebay.core.timeline import Due, Dues, Interval
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
