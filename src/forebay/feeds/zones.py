"""How far is local time ahead of UTC, and since when? Read from the time zone data of this machine."""

from __future__ import annotations

import datetime
import zoneinfo

from forebay.core.claims.workdays import Offset
from forebay.core.units import SECOND_US

_DAY_S = 24 * 3600
#: 2000-01-01: the first day that documents mean.
_FIRST_DAY = 10_957


def offsets(zone: str, until_day: int) -> tuple[Offset, ...]:
    """The offsets of a zone from the year 2000 to a day (counted from 1970-01-01), each with its first instant."""
    place = zoneinfo.ZoneInfo(zone)
    found = [Offset(_FIRST_DAY * _DAY_S * SECOND_US, _ahead_s(place, _FIRST_DAY * _DAY_S))]
    for day in range(_FIRST_DAY, until_day + 2):
        begin_s, end_s = day * _DAY_S, (day + 1) * _DAY_S
        ahead_s = _ahead_s(place, end_s)
        if ahead_s != found[-1].ahead_s:
            found.append(Offset(_change_s(place, begin_s, end_s) * SECOND_US, ahead_s))
    return tuple(found)


def _ahead_s(place: zoneinfo.ZoneInfo, at_s: int) -> int:
    ahead = datetime.datetime.fromtimestamp(at_s, place).utcoffset()
    assert ahead is not None, "a zone has an offset at every instant"
    return round(ahead.total_seconds())


def _change_s(place: zoneinfo.ZoneInfo, before_s: int, after_s: int) -> int:
    """The first second at which the offset is that of `after_s`; at `before_s` it is another."""
    while after_s - before_s > 1:
        middle_s = (before_s + after_s) // 2
        if _ahead_s(place, middle_s) == _ahead_s(place, after_s):
            after_s = middle_s
        else:
            before_s = middle_s
    return after_s
