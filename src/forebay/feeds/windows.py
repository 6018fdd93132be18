"""When is work agreed, as instants? Weekly windows are read by the clocks of their zone.

A window begins when the clocks show its time, the first time where they show it twice; where they skip it, as long
after midnight as it would have been before they were moved. It lasts as long as it says, whatever the clocks do.
"""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Iterator

from forebay.core import timeline
from forebay.core.claims.maintenance import WeeklyWindow
from forebay.core.claims.workdays import Weekday
from forebay.core.timeline import Interval
from forebay.core.units import DAY_US, SECOND_US

_DAYS = list(Weekday)
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def occurrences(window: WeeklyWindow, zone: str, within: Interval) -> Iterator[Interval]:
    """Each time that a window is open within a stretch of time, in order, whole."""
    place = zoneinfo.ZoneInfo(zone)
    # A window that began up to a week and a day before may still be open.
    first = max(0, within.start - 8 * DAY_US - window.length_s * SECOND_US)
    day = (_EPOCH + datetime.timedelta(microseconds=first)).astimezone(place).date()
    while True:
        if day.weekday() == _DAYS.index(window.day):
            hour, rest = divmod(window.start_s, 3600)
            clock = datetime.time(hour, rest // 60, rest % 60, tzinfo=place)
            start_at = timeline.instant(datetime.datetime.combine(day, clock))
            found = Interval(start_at, start_at + window.length_s * SECOND_US)
            if found.start >= within.end:
                return
            if found.overlaps(within):
                yield found
        day += datetime.timedelta(days=1)
