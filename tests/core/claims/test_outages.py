"""What of an outage is downtime: worked out by hand, and against a model that looks at every hour."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.core.claims import outages
from forebay.core.claims.service_levels import Availability, Rung, ServiceLevel, ServiceUnit
from forebay.core.timeline import Interval
from forebay.core.units import HOUR_US
from tests.core.plant import T0

MONTH = Interval(T0, T0 + 744 * HOUR_US)


def level(hours: int = 0) -> ServiceLevel:
    return ServiceLevel(ServiceUnit.RACK, (Rung(999_000, 100_000),), replacement_s=hours * 3600)


def spans(*hours: tuple[int, int]) -> list[Interval]:
    """Stretches in hours of the month."""
    return [Interval(T0 + start * HOUR_US, T0 + end * HOUR_US) for start, end in hours]


@pytest.mark.parametrize(
    ("out", "spare", "expected"),
    [
        ([], 0, []), ([(1, 3)], 0, [(1, 3)]), ([(1, 3)], 1, []),
        # Two nodes at once.
        ([(1, 4), (2, 6)], 1, [(2, 4)]), ([(1, 4), (2, 6)], 0, [(1, 6)]), ([(1, 4), (2, 6), (3, 5)], 2, [(3, 4)]),
        # One comes as another goes: the unit was missing all the time.
        ([(1, 4), (4, 6)], 0, [(1, 6)]), ([(1, 4), (5, 6)], 0, [(1, 4), (5, 6)]),
        ([(2, 2)], 0, []),
    ],
)  # fmt: skip
def test_a_unit_is_missing(out: Any, spare: int, expected: Any) -> None:
    assert outages.missing(spans(*out), spare) == spans(*expected)


@pytest.mark.parametrize(
    ("hours", "failures", "excused", "expected"),
    [
        # Where nothing is said of it, it is down at once.
        (0, [(10, 12)], [], [(10, 12)]),
        # Back in time, to the hour; and an hour later.
        (4, [(10, 14)], [], []), (4, [(10, 15)], [], [(14, 15)]),
        # Each failure has its own time.
        (4, [(10, 14), (15, 19)], [], []), (4, [(10, 20), (30, 36)], [], [(14, 20), (34, 36)]),
        # Agreed maintenance is no downtime, and does not stop the clock.
        (0, [(10, 20)], [(12, 14)], [(10, 12), (14, 20)]), (4, [(10, 20)], [(9, 15)], [(15, 20)]),
        (0, [(10, 20)], [(9, 12), (11, 13), (18, 30)], [(13, 18)]), (0, [(10, 20)], [(0, 99)], []),
        (0, [(10, 20)], [(12, 18), (13, 14)], [(10, 12), (18, 20)]), (0, [(10, 20)], [(30, 40)], [(10, 20)]),
    ],
)  # fmt: skip
def test_it_is_down(hours: int, failures: Any, excused: Any, expected: Any) -> None:
    assert outages.downtime(level(hours), spans(*failures), spans(*excused)) == spans(*expected)


def test_just_in_time() -> None:
    (failure,) = spans((10, 14))
    late = Interval(failure.start, failure.end + 1)
    assert outages.downtime(level(4), [failure]) == []
    assert outages.downtime(level(4), [late]) == [Interval(failure.end, failure.end + 1)]


def test_the_time_runs_from_the_failure_over_the_end_of_a_month() -> None:
    # It failed two hours before the month began: four hours to replace it, and it came after seven.
    found = outages.availability(level(4), [spans((-2, 5))], [spans((-100, 2000))], MONTH)
    assert found == Availability(741 * HOUR_US, 744 * HOUR_US)


def test_only_what_was_due() -> None:
    # One rack is billed from the tenth hour on, one until the end of the month and beyond, one not at all.
    due = [spans((10, 2000)), spans((0, 5), (700, 800)), spans()]
    out = [spans((5, 12)), spans((4, 8), (743, 750)), spans((0, 9))]
    found = outages.availability(level(), out, due, MONTH)
    assert found == Availability((734 - 2 + 49 - 2) * HOUR_US, (734 + 49) * HOUR_US)


stretches = st.lists(st.tuples(st.integers(-20, 60), st.integers(0, 12)), max_size=4)


@given(st.lists(stretches, min_size=1, max_size=3), st.integers(0, 2), st.integers(0, 6), stretches)
def test_it_is_what_every_hour_says(nodes: Any, spare: int, hours: int, off: Any) -> None:
    """A rack of some nodes, hour by hour: who is out, for how long the rack has been missing, whether that counts."""
    month = Interval(T0, T0 + 50 * HOUR_US)
    out_at = [{h for start, lasts in each for h in range(start, start + lasts)} for each in nodes]
    off_at = {h for start, lasts in off for h in range(start, start + lasts)}
    down, missing_for = 0, 0
    for hour in range(-30, 50):
        gone = sum(hour in each for each in out_at) > spare
        missing_for = missing_for + 1 if gone else 0
        down += hour >= 0 and gone and missing_for > hours and hour not in off_at
    out = [each for at in out_at for each in spans(*((h, h + 1) for h in sorted(at)))]
    away = spans(*((h, h + 1) for h in sorted(off_at)))
    failures = outages.missing(out, spare)
    found = outages.availability(level(hours), [failures], [spans((-30, 90))], month, away)
    assert found == Availability((50 - down) * HOUR_US, 50 * HOUR_US)
