"""Percentiles are told to one part in 2,000, and what changes over time as means over slices."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from forebay.twin.tallies import PERCENTILES, Series, Tally


@given(st.lists(st.integers(0, 10**9), min_size=1), st.sampled_from([1, 1000]))
def test_a_tally_tells_what_a_sorted_list_tells(numbers: list[int], unit: int) -> None:
    tally = Tally(unit)
    for number in numbers:
        tally.add(number)
    told, ordered = tally.told(), sorted(numbers)
    assert (told["count"], told["max"]) == (len(numbers), ordered[-1] // unit)
    assert told["mean"] == sum(numbers) // len(numbers) // unit
    for name, percent in PERCENTILES.items():
        exact = ordered[-(-len(ordered) * percent // 100) - 1] // unit
        assert exact - exact / 2000 <= told[name] <= exact


def test_an_empty_tally_tells_nothing_and_two_become_one() -> None:
    both, other = Tally(), Tally()
    assert both.told() == {}
    both.add(1)
    other.add(9)
    both.merge(other)
    assert both.told() == {"mean": 5, "p50": 1, "p90": 9, "p99": 9, "max": 9, "count": 2}


def test_slices_hold_means() -> None:
    asked: list[int] = []
    series = Series(100, 10, 2, lambda: (len(asked),))
    series.now[0] = 4
    series.advance(105)
    series.now[0] = 8
    series.advance(125)
    assert series.means(0) == [6, 8, 8]
    assert series.means(1) == [0, 0, 0]
    assert series.samples == [(0,), (0,), (0,)]
    series.advance(90)  # nothing goes back
    assert series.means(0) == [6, 8, 8]


@given(st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 50)), max_size=60))
def test_however_often_slices_are_made_longer_nothing_is_lost(steps: list[tuple[int, int]]) -> None:
    series, at, total = Series(0, 1, 1), 0, 0
    for past, amount in steps:
        series.now[0] = amount
        at += past
        total += past * amount
        series.advance(at)
    assert sum(into[0] for into in series.integrals) == total
    assert len(series.integrals) <= Series.SLICES
    assert len(series.samples) == len(series.integrals)
    assert len(series.integrals) * series.slice_us >= at
