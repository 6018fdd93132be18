"""Weekly windows as instants, also where clocks are moved."""

from __future__ import annotations

import datetime

import pytest

from forebay.core import timeline
from forebay.core.claims.maintenance import WeeklyWindow
from forebay.core.claims.workdays import Weekday
from forebay.core.timeline import Interval
from forebay.feeds import windows


def at(text: str) -> int:
    return timeline.instant(datetime.datetime.fromisoformat(text).replace(tzinfo=datetime.UTC))


def told(window: WeeklyWindow, zone: str, start: str, end: str) -> list[tuple[str, str]]:
    found = windows.occurrences(window, zone, Interval(at(start), at(end)))
    return [(timeline.text(each.start)[:-4], timeline.text(each.end)[:-4]) for each in found]


SUNDAY = WeeklyWindow(Weekday.SUNDAY, 2 * 3600, 4 * 3600)


@pytest.mark.parametrize(
    ("window", "zone", "start", "end", "expected"),
    [
        (SUNDAY, "UTC", "2027-01-01", "2027-01-11",
         [("2027-01-03T02:00", "2027-01-03T06:00"), ("2027-01-10T02:00", "2027-01-10T06:00")]),
        # One that has begun is still open; one that begins at the end is not.
        (SUNDAY, "UTC", "2027-01-03T05:00", "2027-01-10T02:00", [("2027-01-03T02:00", "2027-01-03T06:00")]),
        (SUNDAY, "UTC", "2027-01-03T06:00", "2027-01-10T02:00", []),
        # Helsinki is two hours ahead in winter, three in summer. On 28 March 2027 its clocks skip 03:00 to 04:00.
        (SUNDAY, "Europe/Helsinki", "2027-03-20", "2027-04-05",
         [("2027-03-21T00:00", "2027-03-21T04:00"), ("2027-03-28T00:00", "2027-03-28T04:00"),
          ("2027-04-03T23:00", "2027-04-04T03:00")]),
        (WeeklyWindow(Weekday.SUNDAY, 3 * 3600 + 1800, 3600), "Europe/Helsinki", "2027-03-28", "2027-03-29",
         [("2027-03-28T01:30", "2027-03-28T02:30")]),
        # On 31 October 2027 they show 03:30 twice: the first time counts.
        (WeeklyWindow(Weekday.SUNDAY, 3 * 3600 + 1800, 3600), "Europe/Helsinki", "2027-10-30", "2027-11-01",
         [("2027-10-31T00:30", "2027-10-31T01:30")]),
        # A whole week is open all the time.
        (WeeklyWindow(Weekday.FRIDAY, 0, 7 * 86_400), "UTC", "2027-01-07", "2027-01-09",
         [("2027-01-01T00:00", "2027-01-08T00:00"), ("2027-01-08T00:00", "2027-01-15T00:00")]),
        # Before the epoch there is none.
        (SUNDAY, "UTC", "1970-01-01", "1970-01-05", [("1970-01-04T02:00", "1970-01-04T06:00")]),
    ],
)  # fmt: skip
def test_when_a_window_is_open(
    window: WeeklyWindow, zone: str, start: str, end: str, expected: list[tuple[str, str]]
) -> None:
    assert told(window, zone, start, end) == expected
