"""Things that change at instants: sums over intervals, due times, and calendar months in UTC.

Instants are microseconds since the Unix epoch; intervals are half-open `[start, end)`; expiry is exclusive.
"""

from __future__ import annotations

import datetime
import heapq
from collections.abc import Iterable
from typing import NamedTuple

from forebay.core.units import SECOND_US

#: The end of the year 9999: the last instant that people's calendars can say.
INSTANT_MAX = 253_402_300_799 * SECOND_US

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class Interval(NamedTuple):
    """`[start, end)` in microseconds; empty when `end <= start`."""

    start: int
    end: int

    def overlaps(self, other: Interval) -> bool:
        """Whether some instant lies in both."""
        return max(self.start, other.start) < min(self.end, other.end)


def peak(loads: Iterable[tuple[Interval, int]], window: Interval) -> int:
    """The highest sum of `loads` at any instant of `window`; 0 when none touches it."""
    changes: list[tuple[int, int]] = []
    for interval, amount in loads:
        if interval.overlaps(window):
            changes.append((max(interval.start, window.start), amount))
            changes.append((min(interval.end, window.end), -amount))
    highest = level = 0
    # At one instant ends (negative) sort before starts: intervals are half-open.
    for _, change in sorted(changes):
        level += change
        highest = max(highest, level)
    return highest


class Due(NamedTuple):
    """Something falls due: ordered by time, then by what it is (an end before a start), then by whom it is about."""

    at: int
    what: str
    about: str
    #: Tells a live entry from one that was overtaken by events; its owner compares.
    stamp: int


class Dues:
    """A derived heap of due times. Entries are never removed when they lose their meaning: their owner skips them."""

    __slots__ = ("_heap",)

    def __init__(self, entries: Iterable[Due] = ()) -> None:
        self._heap = list(entries)
        heapq.heapify(self._heap)

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, due: Due) -> None:
        """Add an entry."""
        heapq.heappush(self._heap, due)

    def first(self) -> Due | None:
        """The earliest entry, live or not."""
        return self._heap[0] if self._heap else None

    def pop(self) -> Due:
        """Take the earliest entry away."""
        return heapq.heappop(self._heap)


def month_end(at: int) -> int:
    """The first instant of the UTC calendar month after the one that holds `at`."""
    moment = _EPOCH + datetime.timedelta(microseconds=at)
    year, month = (moment.year + 1, 1) if moment.month == 12 else (moment.year, moment.month + 1)
    return instant(datetime.datetime(year, month, 1, tzinfo=datetime.UTC))


def instant(moment: datetime.datetime) -> int:
    """An aware datetime as microseconds since the Unix epoch."""
    return (moment - _EPOCH) // datetime.timedelta(microseconds=1)


def text(at: int) -> str:
    """An instant as people read it: RFC 3339 in UTC, to the second."""
    return (_EPOCH + datetime.timedelta(seconds=at // SECOND_US)).strftime("%Y-%m-%dT%H:%M:%SZ")
