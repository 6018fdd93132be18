"""Which maintenance of a month was agreed, and which counts as downtime?

Agreed is what was told in time, lies within the weekly windows, and fits into the hours of the month, the earliest
first. All else counts as downtime, with the reason. A tranche has one clock: work on two racks at the same time takes
the hours of one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from forebay.core.claims.workdays import Weekday
from forebay.core.timeline import Interval
from forebay.core.units import SECOND_US


@dataclass(slots=True)
class WeeklyWindow:
    """When work may be done, week by week: from a time of the day in the zone of the maintenance terms on."""

    day: Weekday
    #: Seconds from midnight, as the clocks there show.
    start_s: int
    #: For so long, seconds.
    length_s: int


@dataclass(slots=True)
class Maintenance:
    """How much maintenance of a tranche is agreed."""

    #: So much of a calendar month (UTC) is no downtime, seconds.
    allowed_s: int
    #: How long before it begins it has to be told, seconds.
    notice_s: int = 0
    #: Empty: at any time.
    windows: tuple[WeeklyWindow, ...] = ()
    #: In which the windows are meant.
    zone: str = "UTC"
    #: Whether the customer has to consent to each.
    consent: bool = False


class WorkDone(NamedTuple):
    """Maintenance that was done, and when it was told; 0 for never."""

    start_at: int
    end_at: int
    noticed_at: int = 0


class CountedAs(StrEnum):
    """As what a piece of maintenance counts: only the first is no downtime."""

    ALLOWED = "allowed"
    LATE_NOTICE = "late_notice"
    OUTSIDE_WINDOWS = "outside_windows"
    OVER_ALLOWANCE = "over_allowance"


class MaintenancePiece(NamedTuple):
    """A stretch of time in which work was done."""

    start_at: int
    end_at: int
    counted: CountedAs


def split(
    terms: Maintenance, done: Iterable[WorkDone], windows: Sequence[Interval], month: Interval
) -> list[MaintenancePiece]:
    """What of the work that was done in a month counts as what, in order, neighbours that are equal as one.

    `windows` are those of the terms as instants, for zones are resolved at the edge; they are looked at only where
    the terms have some. Where several works overlap, the best of them counts.
    """
    edges = {month.start, month.end}
    works = sorted(done)
    for each in (*works, *windows):
        edges |= {edge for edge in each[:2] if month.start < edge < month.end}
    ordered = sorted(edges)
    left_us = terms.allowed_s * SECOND_US
    found: list[MaintenancePiece] = []
    for start, end in itertools.pairwise(ordered):
        here = [each for each in works if each.start_at <= start < each.end_at]
        if not here:
            continue
        if not any(_is_in_time(terms, each) for each in here):
            found.append(MaintenancePiece(start, end, CountedAs.LATE_NOTICE))
        elif terms.windows and not any(window.start <= start < window.end for window in windows):
            found.append(MaintenancePiece(start, end, CountedAs.OUTSIDE_WINDOWS))
        else:
            until = min(end, start + left_us)
            left_us -= until - start
            found += [
                MaintenancePiece(start, until, CountedAs.ALLOWED),
                MaintenancePiece(until, end, CountedAs.OVER_ALLOWANCE),
            ]
    return _joined(found)


def _is_in_time(terms: Maintenance, work: WorkDone) -> bool:
    return bool(work.noticed_at) and work.noticed_at + terms.notice_s * SECOND_US <= work.start_at


def _joined(pieces: Iterable[MaintenancePiece]) -> list[MaintenancePiece]:
    found: list[MaintenancePiece] = []
    for each in pieces:
        if each.start_at >= each.end_at:
            continue
        if found and (found[-1].end_at, found[-1].counted) == (each.start_at, each.counted):
            found[-1] = found[-1]._replace(end_at=each.end_at)
        else:
            found.append(each)
    return found


def excess_us(pieces: Iterable[MaintenancePiece]) -> int:
    """How much of it counts as downtime, microseconds."""
    return sum(each.end_at - each.start_at for each in pieces if each.counted is not CountedAs.ALLOWED)
