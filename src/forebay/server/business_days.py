"""By which days are notices counted? `(world, principal, at) -> what the answer holds`.

Operators and finance see every business calendar; a tenant those by which its own rights are counted.
"""

from __future__ import annotations

import datetime

from forebay.core.claims import rights, workdays
from forebay.core.ids import Principal, Role
from forebay.core.world import World
from forebay.server import business_day_bodies, sight

_EPOCH = datetime.date(1970, 1, 1)


def calendars_seen(
    world: World, principal: Principal, at: int
) -> list[tuple[str, business_day_bodies.BusinessCalendarBody]]:
    """Business calendars by name."""
    claimed = world.state.claims
    known: list[rights.Right] = [*claimed.rights.values(), *claimed.rented.rights.values()]
    named: dict[str, list[str]] = {}
    for right in known:
        if right.plan.notice is not None and sight.owns(principal, right.tenant):
            named.setdefault(right.plan.notice.calendar, []).append(right.plan.id)
    whole = principal.role in (Role.OPERATOR, Role.FINANCE)
    return [
        (name, _body(calendar, sorted(named.get(name, ())), at))
        for name, calendar in sorted(claimed.calendars.items())
        if whole or name in named
    ]


def _body(
    calendar: workdays.BusinessCalendar, named: list[str], at: int
) -> business_day_bodies.BusinessCalendarBody:
    hours, minutes = divmod(calendar.closes_s // 60, 60)
    received = workdays.local_day(calendar, workdays.deemed_at(calendar, at))
    return {
        "id": calendar.id,
        "version": calendar.version,
        "zone": calendar.zone,
        "closes": f"{hours:02}:{minutes:02}",
        "weekend": [day.value for day in calendar.weekend],
        "holidays": [_date(day) for day in calendar.holidays],
        "until": _date(calendar.until_day),
        "open": received == workdays.local_day(calendar, at),
        "received": _date(received),
        "rights": named,
    }


def _date(day: int) -> str:
    return (_EPOCH + datetime.timedelta(days=day)).isoformat()
