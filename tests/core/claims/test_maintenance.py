"""What of maintenance was agreed: months worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.core.claims import maintenance
from forebay.core.claims.maintenance import CountedAs, Maintenance, WeeklyWindow, WorkDone
from forebay.core.claims.workdays import Weekday
from forebay.core.timeline import Interval
from forebay.core.units import DAY_US, HOUR_US
from tests.core.plant import T0, utc

JANUARY = Interval(T0, utc(2026, 2))
#: Four hours on each Sunday of January 2026: the 4th, 11th, 18th, 25th.
SUNDAYS = [
    Interval(T0 + day * DAY_US + 2 * HOUR_US, T0 + day * DAY_US + 6 * HOUR_US) for day in (3, 10, 17, 24)
]
OK, LATE, OUT, OVER = (
    CountedAs.ALLOWED,
    CountedAs.LATE_NOTICE,
    CountedAs.OUTSIDE_WINDOWS,
    CountedAs.OVER_ALLOWANCE,
)


def terms(hours: int = 8, notice_h: int = 72, weekly: bool = False) -> Maintenance:
    windows = (WeeklyWindow(Weekday.SUNDAY, 7200, 4 * 3600),) if weekly else ()
    return Maintenance(hours * 3600, notice_h * 3600, windows)


def work(start_h: int, length_h: int, told_h: int | None = -1000) -> WorkDone:
    """From an hour of the month on; told at another, None for never."""
    start_at = T0 + start_h * HOUR_US
    return WorkDone(start_at, start_at + length_h * HOUR_US, 0 if told_h is None else T0 + told_h * HOUR_US)


def told(pieces: list[maintenance.MaintenancePiece]) -> list[tuple[int, int, CountedAs]]:
    """From which hour of the month to which."""
    return [((start - T0) // HOUR_US, (end - T0) // HOUR_US, counted) for start, end, counted in pieces]


@pytest.mark.parametrize(
    ("agreed", "done", "expected"),
    [
        ({}, [], []),
        ({}, [work(10, 5)], [(10, 15, OK)]),
        # The hours of the month go to the earliest.
        ({}, [work(100, 6), work(10, 5)], [(10, 15, OK), (100, 103, OK), (103, 106, OVER)]),
        ({"hours": 2}, [work(10, 5), work(15, 1)], [(10, 12, OK), (12, 16, OVER)]),
        # Notice: 72 hours before is in time, an hour less is not.
        ({}, [work(100, 1, 28), work(200, 1, 129), work(300, 1, None)],
         [(100, 101, OK), (200, 201, LATE), (300, 301, LATE)]),
        ({"notice_h": 0}, [work(100, 1, 100), work(200, 1, 201), work(300, 1, None)],
         [(100, 101, OK), (200, 201, LATE), (300, 301, LATE)]),
        # Only the part that lies in a window is agreed, and takes of the hours.
        ({"weekly": True}, [work(73, 8)], [(73, 74, OUT), (74, 78, OK), (78, 81, OUT)]),
        ({"weekly": True, "hours": 3}, [work(73, 8), work(242, 2)],
         [(73, 74, OUT), (74, 77, OK), (77, 78, OVER), (78, 81, OUT), (242, 244, OVER)]),
        ({"weekly": True}, [work(74, 1, 73)], [(74, 75, LATE)]),
        # Two racks at once: the hour counts once, and what was told in time covers what was not.
        ({"hours": 4}, [work(10, 3), work(11, 4)], [(10, 14, OK), (14, 15, OVER)]),
        ({}, [work(10, 4), work(11, 1, None)], [(10, 14, OK)]),
        # What lies in another month is that month's.
        ({}, [work(-5, 8), work(744 - 2, 9)], [(0, 3, OK), (742, 744, OK)]),
        ({}, [work(-9, 3), work(750, 1)], []),
    ],
)  # fmt: skip
def test_what_was_agreed(
    agreed: dict[str, Any], done: list[WorkDone], expected: list[tuple[int, int, CountedAs]]
) -> None:
    windows = SUNDAYS if agreed.get("weekly") else []
    pieces = maintenance.split(terms(**agreed), done, windows, JANUARY)
    assert told(pieces) == expected
    excess_h = sum(end - start for start, end, counted in expected if counted is not OK)
    assert maintenance.excess_us(pieces) == excess_h * HOUR_US
