"""When is a notice received, and when does it end, counted in the days of a calendar?

A *business calendar* says which days are business days somewhere, until what time of day a notice counts as received,
and how far local time is ahead of UTC. What is received later, or on another day, counts as received as the next
business day begins (*deemed receipt*). The day of receipt is not counted. A notice of so many business days ends at
closing time of the last of them; one of so many days, at closing time of the last, or of the business day that
follows where that is none.

Zones are resolved where documents are read: the calendar comes with the offsets of its zone, as they were known then,
so that the same journal gives the same deadlines wherever it is read. Days are counted from 1970-01-01, a Thursday.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from forebay.core.ids import Answer, CalendarId, Command, Event, Refusal, refuse_name
from forebay.core.supply import Emit
from forebay.core.units import SECOND_US

DAY_S = 24 * 3600
#: The longest notice, in days.
DAYS_MAX = 1000
#: The first day of the year 2200: no calendar knows more.
DAY_MAX = 84_006
HOLIDAYS_MAX = 5_000


class Weekday(StrEnum):
    """A day of the week."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


_WEEK = tuple(Weekday)


@dataclass(slots=True)
class Offset:
    """From `since_at` on, local time is so many seconds ahead of UTC."""

    since_at: int
    ahead_s: int


@dataclass(slots=True)
class BusinessCalendar:
    """Which days are business days somewhere. Versions only grow."""

    id: CalendarId
    version: int
    #: IANA name of the zone.
    zone: str
    #: Days of every week that are no business days.
    weekend: tuple[Weekday, ...]
    #: Other days that are no business days, in order.
    holidays: tuple[int, ...]
    #: Until so many seconds after local midnight a notice counts as received that day, exclusive.
    closes_s: int
    #: The last day of which it is known whether it is a business day.
    until_day: int
    #: Of the zone, in order; the first holds also before.
    offsets: tuple[Offset, ...]


@dataclass(slots=True)
class DayNotice:
    """A notice that is counted in days of a calendar."""

    days: int
    calendar: CalendarId
    #: Whether business days are counted, or all.
    business: bool = True


@dataclass(slots=True)
class ApplyBusinessCalendar(Command):
    """This calendar is to be in force. What was reckoned by an earlier version stays: open offers, and by when an
    extension is to be used.
    """

    calendar: BusinessCalendar


@dataclass(slots=True)
class BusinessCalendarApplied(Event):
    """Notices that begin from here on are counted by this calendar."""

    calendar: BusinessCalendar


Calendars = Mapping[CalendarId, BusinessCalendar]


# Days and instants.


def local_day(calendar: BusinessCalendar, at: int) -> int:
    """Which day it is there at an instant."""
    ahead_s = calendar.offsets[0].ahead_s
    for offset in calendar.offsets:
        if offset.since_at > at:
            break
        ahead_s = offset.ahead_s
    return (at // SECOND_US + ahead_s) // DAY_S


def _instant_of(calendar: BusinessCalendar, day: int, clock_s: int) -> int:
    """When it is that time of day there: the first time where clocks show it twice, as they change where never."""
    local_s = day * DAY_S + clock_s
    found = (local_s - calendar.offsets[0].ahead_s) * SECOND_US
    for offset in calendar.offsets[1:]:
        if found >= offset.since_at:
            found = max(offset.since_at, (local_s - offset.ahead_s) * SECOND_US)
    return found


def is_business_day(calendar: BusinessCalendar, day: int) -> bool:
    """Whether notices are received on a day. Days that the calendar does not know have no holidays."""
    return _WEEK[(day + 3) % 7] not in calendar.weekend and day not in calendar.holidays


def _next_business_day(calendar: BusinessCalendar, day: int) -> int:
    while not is_business_day(calendar, day):
        day += 1
    return day


def deemed_at(calendar: BusinessCalendar, at: int) -> int:
    """When what comes in at an instant counts as received: then, or as the next business day begins."""
    day = local_day(calendar, at)
    if is_business_day(calendar, day) and at < _instant_of(calendar, day, calendar.closes_s):
        return at
    return _instant_of(calendar, _next_business_day(calendar, day + 1), 0)


def ends_at(calendar: BusinessCalendar, notice: DayNotice, at: int) -> int:
    """When a notice ends that comes in at an instant, exclusive."""
    day = local_day(calendar, deemed_at(calendar, at))
    return _instant_of(calendar, _last_day(calendar, notice, day), calendar.closes_s)


def _last_day(calendar: BusinessCalendar, notice: DayNotice, day: int) -> int:
    if not notice.business:
        return _next_business_day(calendar, day + notice.days)
    for _ in range(notice.days):
        day = _next_business_day(calendar, day + 1)
    return day


def latest_at(calendar: BusinessCalendar, notice: DayNotice, end_at: int) -> int:
    """By when, exclusive, a notice has to come in so that it ends at `end_at` or before."""
    day = local_day(calendar, end_at) - notice.days
    while not is_business_day(calendar, day) or _closes(calendar, _last_day(calendar, notice, day)) > end_at:
        day -= 1
    return _closes(calendar, day)


def _closes(calendar: BusinessCalendar, day: int) -> int:
    return _instant_of(calendar, day, calendar.closes_s)


# What may be asked.


def refuse_beyond(calendar: BusinessCalendar, name: str, end_at: int, where: str) -> Refusal | None:
    """Whether a notice ends on a day that its calendar does not know."""
    if local_day(calendar, end_at) <= calendar.until_day:
        return None
    told = f"{name}: its notice ends on a day that calendar {calendar.id} (version {calendar.version}) does not know"
    return Refusal("beyond_calendar", told, where)


def refuse_notice(calendars: Calendars, notice: DayNotice, name: str, where: str) -> Refusal | None:
    """The first of unknown_calendar, bad_quantity (days)."""
    if notice.calendar not in calendars:
        told = f"{name}: there is no business calendar {notice.calendar or '(none)'}"
        return Refusal("unknown_calendar", told, f"{where}.calendar")
    if not 1 <= notice.days <= DAYS_MAX:
        told = f"{name}: a notice has from 1 to {DAYS_MAX} days, not {notice.days}"
        return Refusal("bad_quantity", told, f"{where}.days")
    return None


def apply_business_calendar(
    calendars: Calendars, command: ApplyBusinessCalendar, emit: Emit
) -> Answer | Refusal:
    """Put a calendar in force. Refuses: bad_id, bad_quantity (weekend, closing time), bad_term (holidays and the last
    day that is known), bad_zone (its offsets), calendar_version. The same again changes nothing, also where what is
    known of the zone is another by now.
    """
    calendar = command.calendar
    known = calendars.get(calendar.id)
    if known is not None and replace(calendar, offsets=known.offsets) == known:
        return {"calendar": calendar.id, "version": known.version, "changed": False}
    no = refuse_name(calendar.id, "id") or _refuse_days(calendar)
    if no is not None:
        return no
    if calendar.version <= (known.version if known else 0):
        now = f"version {known.version} is in force already" if known else "the first version is 1"
        return Refusal("calendar_version", f"business calendar {calendar.id}: {now}", "version")
    emit(BusinessCalendarApplied(calendar))
    return {"calendar": calendar.id, "version": calendar.version, "changed": True}


def _refuse_days(calendar: BusinessCalendar) -> Refusal | None:
    name = f"business calendar {calendar.id}"
    if len(set(calendar.weekend)) == len(_WEEK):
        return Refusal("bad_quantity", f"{name}: no day of the week is a business day", "weekend")
    if not 0 < calendar.closes_s <= DAY_S:
        return Refusal("bad_quantity", f"{name}: its closing time is not a time of day", "closes_s")
    holidays = calendar.holidays
    if (
        list(holidays) != sorted(set(holidays))
        or len(holidays) > HOLIDAYS_MAX
        or min(holidays, default=0) < 0
    ):
        told = f"{name}: its holidays are to stand in order, each once, at most {HOLIDAYS_MAX}"
        return Refusal("bad_term", told, "holidays")
    if not max(holidays, default=0) <= calendar.until_day < DAY_MAX:
        return Refusal("bad_term", f"{name}: it does not know the days of all its holidays", "until_day")
    since = [offset.since_at for offset in calendar.offsets]
    if (
        not since
        or since != sorted(set(since))
        or any(abs(each.ahead_s) >= DAY_S for each in calendar.offsets)
    ):
        return Refusal(
            "bad_zone", f"{name}: the offsets of its zone stand in order, each under a day", "zone"
        )
    return None
