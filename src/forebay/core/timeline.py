"""Things that change at instants: sums over intervals, due times, and calendar months in UTC.

Instants are microseconds since the Unix epoch; intervals are half-open `[start, end)`; expiry is exclusive.
"""

from __future__ import annotations

import bisect
import datetime
import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from forebay.core.units import SECOND_US

#: The end of the year 9999: the last instant that people's calendars can say.
INSTANT_MAX = 253_402_300_799 * SECOND_US

#: After every instant.
_NEVER = 1 << 64

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


class Steps:
    """A whole number that changes at instants: `values[i]` from `starts[i]` on, until the next. The first start is 0,
    and before that it was the same.
    """

    __slots__ = ("starts", "values")

    def __init__(self, starts: Sequence[int] = (0,), values: Sequence[int] = (0,)) -> None:
        self.starts = starts
        self.values = values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Steps) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Each change: from when, and to which value."""
        return zip(self.starts, self.values, strict=True)

    def at(self, instant: int) -> int:
        """The value at an instant."""
        return self.values[_place(self, instant)]

    def least(self, window: Interval) -> int:
        """The lowest value within a window that is not empty."""
        return min(self._within(window))

    def most(self, window: Interval) -> int:
        """The highest value within a window that is not empty."""
        return max(self._within(window))

    def below(self, need: int, window: Interval) -> Interval | None:
        """The first stretch that begins within a window where the value is under `need`; None when there is none. It
        is told to its end, also where that lies behind the window; one without an end goes on to the end of time.
        """
        if window.end <= window.start:
            return None
        first = _place(self, window.start)
        for place in range(first, bisect.bisect_left(self.starts, window.end, first + 1)):
            if self.values[place] < need:
                start = window.start if place == first else self.starts[place]
                while place < len(self.starts) and self.values[place] < need:
                    place += 1
                return Interval(start, self.starts[place] if place < len(self.starts) else INSTANT_MAX)
        return None

    def plus(self, other: Steps) -> Steps:
        """The sum with another at every instant: quick where one of the two has few steps."""
        few, many = (self, other) if len(self.starts) < len(other.starts) else (other, self)
        return _joined((shift, 1, many, span) for span, shift in _spans(few))

    def minus(self, *others: Steps) -> Steps:
        """This less all the others, at every instant."""
        left = self
        for other in others:
            if len(other.starts) < len(left.starts):
                left = _joined((-shift, 1, left, span) for span, shift in _spans(other))
            else:
                left = _joined((shift, -1, other, span) for span, shift in _spans(left))
        return left

    def _within(self, window: Interval) -> Sequence[int]:
        first = _place(self, window.start)
        return self.values[first : bisect.bisect_left(self.starts, window.end, first + 1)]


def _place(steps: Steps, instant: int) -> int:
    """Which step holds at an instant."""
    return (bisect.bisect_right(steps.starts, instant) or 1) - 1


def _spans(steps: Steps) -> Iterator[tuple[Interval, int]]:
    """Where a value holds, and the value; the last has no end."""
    ends = [*steps.starts[1:], _NEVER]
    return (
        (Interval(start, end), value)
        for start, end, value in zip(steps.starts, ends, steps.values, strict=True)
    )


def _joined(pieces: Iterable[tuple[int, int, Steps, Interval]]) -> Steps:
    """Pieces that follow on each other as one: of each, `shift + sign * value` over a span of its steps. Neighbours
    that are equal are one step.
    """
    starts: list[int] = []
    values: list[int] = []
    for shift, sign, steps, span in pieces:
        first = _place(steps, span.start)
        end = bisect.bisect_left(steps.starts, span.end, first + 1)
        more = [shift + sign * value for value in steps.values[first:end]]
        at = [span.start, *steps.starts[first + 1 : end]]
        same = bool(values) and values[-1] == more[0]
        starts += at[same:]
        values += more[same:]
    return Steps(starts, values)


def summed(changes: Iterable[tuple[int, int]]) -> Steps:
    """From changes (when, by how much) to the running sum. What changes at 0 or before was so from the beginning."""
    by_instant: dict[int, int] = {}
    for start, change in changes:
        by_instant[max(start, 0)] = by_instant.get(max(start, 0), 0) + change
    level = by_instant.pop(0, 0)
    starts, values = [0], [level]
    for start in sorted(by_instant):
        if by_instant[start]:
            level += by_instant[start]
            starts.append(start)
            values.append(level)
    return Steps(starts, values)


def positive(steps: Steps, since: int = 0) -> Iterator[tuple[Interval, int]]:
    """When steps are above 0 from an instant on, and by how much."""
    ends = [*steps.starts[1:], INSTANT_MAX]
    for (start, value), end in zip(steps, ends, strict=True):
        if value > 0 and end > since:
            yield Interval(max(start, since), end), value


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


def month_start(at: int) -> int:
    """The first instant of the UTC calendar month that holds `at`."""
    moment = _EPOCH + datetime.timedelta(microseconds=at)
    return instant(datetime.datetime(moment.year, moment.month, 1, tzinfo=datetime.UTC))


def months_from(at: int, count: int) -> list[Interval]:
    """So many UTC calendar months: the first is what is left of the one that holds `at`."""
    ends = [month_end(at)]
    while len(ends) < count:
        ends.append(month_end(ends[-1]))
    return [Interval(start, end) for start, end in zip([at, *ends[:-1]], ends, strict=True)]


def instant(moment: datetime.datetime) -> int:
    """An aware datetime as microseconds since the Unix epoch."""
    return (moment - _EPOCH) // datetime.timedelta(microseconds=1)


def text(at: int) -> str:
    """An instant as people read it: RFC 3339 in UTC, to the second."""
    return (_EPOCH + datetime.timedelta(seconds=at // SECOND_US)).strftime("%Y-%m-%dT%H:%M:%SZ")


def first_meant(heap: Dues, meant: Callable[[Due], bool]) -> Due | None:
    """The earliest due time that still means something; what lost its meaning is dropped on the way."""
    while (due := heap.first()) is not None:
        if meant(due):
            return due
        heap.pop()
    return None
