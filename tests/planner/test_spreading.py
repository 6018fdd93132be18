from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.core.units import DAY_US
from forebay.planner import spreading
from forebay.planner.spreading import Weights
from tests.core.plant import T0
from tests.planner.estate import LATER, estate, rows, tranche
from tests.planner.test_alike import posed

WEIGHTS = Weights()


def test_who_has_not_begun_is_spread_over_feeds_and_rows() -> None:
    found = posed(estate(tranche("t1", 6, **LATER), at=rows(4, 4, 4, 4)))
    counts = spreading.spread(found)
    feed, loop, row = spreading.domains(found)
    assert loop.tolist() == [-1] * len(found.groups)
    assert spreading.by_domain(counts, feed).tolist() == [[3, 3]]
    assert sorted(spreading.by_domain(counts, row)[0].tolist()) == [1, 1, 2, 2]
    # Of the racks that it had, it keeps what fits.
    assert spreading.costs(found, counts, WEIGHTS)[0] == pytest.approx(3 + 2 + 0.01 * 2)


def test_who_runs_stays_where_it_is() -> None:
    found = posed(estate(tranche("t1", 4), tranche("t2", 4, **LATER)))
    counts = spreading.spread(found)
    assert counts[0].tolist() == found.had()[0].tolist()
    assert spreading.costs(found, counts, WEIGHTS)[0] == 4 + 4
    assert spreading.bounds(found, WEIGHTS)[0] == 4 + 4


def test_terms_that_do_not_meet_take_turns() -> None:
    terms = [(0, 10), (5, 20), (10, 30), (20, 40)]
    tranches = [
        tranche(f"t{n}", 2, start_at=T0 + (a + 1) * DAY_US, end_at=T0 + (b + 1) * DAY_US)
        for n, (a, b) in enumerate(terms)
    ]
    counts = spreading.spread(posed(estate(*tranches, at=rows(2, 2))))
    assert counts.sum(axis=1).tolist() == [2, 2, 2, 2]


def test_what_there_is_not_is_left_out_and_paid_for() -> None:
    driver = estate(tranche("t1", 3), at=rows(4))
    found = posed(driver)
    found.groups[1].pop()
    found.wants[0] = found.wants[0]._replace(racks=5)
    counts = spreading.spread(found)
    assert counts.sum() == 3
    assert spreading.costs(found, counts, WEIGHTS)[0] == 2 * 1000 + 3 + 3
    found.wants[0] = found.wants[0]._replace(parts=True)
    assert spreading.costs(found, counts, WEIGHTS)[0] == 2 * 500 + 3 + 3


def test_a_bound_counts_what_moving_would_save() -> None:
    found = posed(estate(tranche("t1", 4)))
    cheap = WEIGHTS._replace(move=0.5)
    # Three racks go: nobody loses more than two with a feed, or one with a row. Half of each move counts for each.
    best = 3 * 0.5 + 2 + 1
    assert spreading.bounds(found, cheap)[0] == (2 * 0.25 + 2) + (3 * 0.25 + 1) < best


@given(st.lists(st.integers(0, 9), max_size=6), st.integers(0, 40))
def test_the_least_peak_is_the_least(rooms: list[int], wanted: int) -> None:
    peak = spreading.least_peak(rooms, wanted)
    if sum(rooms) >= wanted:
        assert sum(min(room, peak) for room in rooms) >= wanted
    assert not peak or sum(min(room, peak - 1) for room in rooms) < wanted
