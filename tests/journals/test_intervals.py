"""Differences of counters worked out by hand: hours, resets, gaps, and what is not believed."""

from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.core.units import HOUR_US
from forebay.journals.intervals import Cell, Point, added, between, count_up, points

KWH = 1000 * HOUR_US
H = HOUR_US


def test_what_was_counted_is_shared_by_time_among_hours() -> None:
    """3 kWh over 90 minutes, half of them before the full hour."""
    found = list(between(Point(H // 4, 7), Point(H * 7 // 4, 7 + 3 * KWH), 0))
    half = KWH * 3 // 2
    assert found == [
        Cell(0, H // 4, H, H * 3 // 4, half, 0, 0, 0),
        Cell(1, H, H * 7 // 4, H * 3 // 4, half, 0, 1, 0),
    ]
    assert [piece.energy_uj for piece in between(Point(H - 1, 0), Point(H + 2, 100), 0)] == [33, 67]


def test_a_counter_that_shows_less_began_again_at_zero() -> None:
    assert list(between(Point(0, 900), Point(60, 5), 0)) == [Cell(0, 0, 60, 60, 5, 1, 0, 0)]


def test_what_cannot_be_is_not_metered() -> None:
    """A node of 1 kW: 1.1 kWh in an hour, and a watt-hour more for a counter that steps, is the most."""
    most = KWH * 11 // 10 + KWH // 1000
    assert next(between(Point(0, 0), Point(H, most), 1000)).covered_us == H
    assert list(between(Point(0, 0), Point(H, most + 1), 1000)) == [Cell(0, H, H, 0, 0, 0, 1, 1)]
    day = 24 * H
    assert next(between(Point(0, 0), Point(day, 1), 0)).covered_us == H
    assert list(between(Point(0, 0), Point(day + 1, 1), 0)) == [Cell(24, day + 1, day + 1, 0, 0, 0, 1, 0)]


def test_pieces_of_an_hour_are_put_together() -> None:
    cells: dict[int, Cell] = {}
    added(cells, Cell(0, 60, 60, 0, 0, 0, 1, 1))
    added(cells, Cell(0, 70, 80, 10, 5))
    added(cells, Cell(0, 90, 90, 0, 0, 0, 0, 1))
    added(cells, Cell(0, 60, 70, 10, 6, 1))
    assert cells == {0: Cell(0, 60, 80, 20, 11, 1, 1, 2)}
    assert points([(5, 1), (3, 9), (5, 4), (5, 2)]) == [Point(3, 9), Point(5, 4)]


POINTS = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 4 * HOUR_US), st.integers(0, 40).map(lambda hour: hour * HOUR_US // 4)),
        st.integers(0, 10**13),
    ),
    min_size=1,
    max_size=12,
)


@settings(derandomize=True, database=None, max_examples=200)
@given(POINTS, st.booleans(), st.sampled_from([0, 700, 1_000_000]), st.booleans())
def test_summed_within_the_hour_is_what_comes_one_by_one(
    rows: list[tuple[int, int]], rising: bool, rating_w: int, known: bool
) -> None:
    follow = points(rows)
    if rising:
        values = sorted(point.value for point in follow)
        follow = [Point(point.at, value) for point, value in zip(follow, values, strict=True)]
    cells = {1: Cell(1, HOUR_US, HOUR_US + 5, 5, 7, 0, 1, 0)} if known else {}
    plain, touched = dict(cells), set()
    for first, second in itertools.pairwise(follow):
        for piece in between(first, second, rating_w):
            added(plain, piece)
            touched.add(piece.hour)
    assert count_up(cells, follow, rating_w) == touched
    assert cells == plain
