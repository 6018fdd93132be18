"""Notices in days of a calendar: deemed receipt, holidays, clocks that change, and what is refused."""

from __future__ import annotations

import datetime
import zoneinfo
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.core import claims, timeline
from forebay.core.claims import rights, workdays
from forebay.core.claims.rights import Life, RightKind
from forebay.core.claims.workdays import ApplyBusinessCalendar, BusinessCalendar, DayNotice, Offset, Weekday
from forebay.core.ids import CalendarId, HoldId, RightId
from forebay.core.timeline import instant
from forebay.core.units import DAY_US, HOUR_US
from tests.core.claims import market
from tests.core.claims.market import call, code, day, extension, hold, keep, life, promise, refusal, sign, use
from tests.core.claims.test_signing import Mend, refused_in_order
from tests.core.plant import FINANCE, Driver, contract, tenant

WEEKEND = (Weekday.SATURDAY, Weekday.SUNDAY)
HELSINKI = zoneinfo.ZoneInfo("Europe/Helsinki")
DESK = CalendarId("desk")


def number(text: str) -> int:
    """A date as a number of days."""
    return (datetime.date.fromisoformat(text) - datetime.date(1970, 1, 1)).days


def at(text: str, zone: datetime.tzinfo = HELSINKI) -> int:
    """A local time as an instant."""
    return instant(datetime.datetime.fromisoformat(text).replace(tzinfo=zone))


def told(moment: int) -> str:
    """An instant as a local time."""
    found = datetime.datetime.fromtimestamp(moment // 1_000_000, HELSINKI)
    return found.strftime("%a %Y-%m-%d %H:%M")


#: Clocks in Helsinki: two hours ahead of UTC, three in summer.
OFFSETS = (
    Offset(at("2025-10-26 03:00", datetime.UTC) - 2 * HOUR_US, 7200),
    Offset(at("2026-03-29 01:00", datetime.UTC), 10_800),
    Offset(at("2026-10-25 01:00", datetime.UTC), 7200),
    Offset(at("2027-03-28 01:00", datetime.UTC), 10_800),
)


def calendar(*holidays: str, closes: int = 17, **terms: Any) -> BusinessCalendar:
    known: dict[str, Any] = {
        "id": DESK, "version": 1, "zone": "Europe/Helsinki", "weekend": WEEKEND,
        "holidays": tuple(map(number, holidays)), "closes_s": closes * 3600, "until_day": number("2027-10-30"),
        "offsets": OFFSETS,
    }  # fmt: skip
    return BusinessCalendar(**(known | terms))


#: What comes in, what it counts as, and when a notice of so many business days, or of so many days, ends.
NOTICES = [
    # A Tuesday within hours; the day of receipt is not counted.
    ("2026-12-15 16:59", "Tue 2026-12-15 16:59", 5, "Tue 2026-12-22 17:00", 5, "Mon 2026-12-21 17:00"),
    # At closing time and later it counts as received when the next business day begins.
    ("2026-12-15 17:00", "Wed 2026-12-16 00:00", 5, "Wed 2026-12-23 17:00", 5, "Mon 2026-12-21 17:00"),
    # After hours on a Friday: on Monday.
    ("2026-12-18 18:30", "Mon 2026-12-21 00:00", 1, "Tue 2026-12-22 17:00", 7, "Mon 2026-12-28 17:00"),
    # Christmas Eve, Christmas Day and the Saturday and Sunday after them are no business days.
    ("2026-12-23 09:00", "Wed 2026-12-23 09:00", 1, "Mon 2026-12-28 17:00", 1, "Mon 2026-12-28 17:00"),
    ("2026-12-24 09:00", "Mon 2026-12-28 00:00", 2, "Wed 2026-12-30 17:00", 2, "Wed 2026-12-30 17:00"),
    # Clocks change on Sunday: five of the days between have the other offset.
    ("2026-03-27 12:00", "Fri 2026-03-27 12:00", 1, "Mon 2026-03-30 17:00", 3, "Mon 2026-03-30 17:00"),
    ("2026-10-23 12:00", "Fri 2026-10-23 12:00", 3, "Wed 2026-10-28 17:00", 10, "Mon 2026-11-02 17:00"),
]  # fmt: skip


@pytest.mark.parametrize(("comes", "deemed", "business", "ends", "days", "ends_of_days"), NOTICES)
def test_when_notices_are_received_and_end(
    comes: str, deemed: str, business: int, ends: str, days: int, ends_of_days: str
) -> None:
    known = calendar("2026-12-24", "2026-12-25")
    assert told(workdays.deemed_at(known, at(comes))) == deemed
    assert told(workdays.ends_at(known, DayNotice(business, DESK), at(comes))) == ends
    assert told(workdays.ends_at(known, DayNotice(days, DESK, business=False), at(comes))) == ends_of_days


def test_a_day_has_the_hours_that_its_clocks_show() -> None:
    known = calendar()
    before, after = at("2026-03-27 17:00"), at("2026-03-30 17:00")
    # From Friday to Monday over the change of clocks: an hour less than three days.
    assert workdays.ends_at(known, DayNotice(1, DESK), before - 1) == after == before + 3 * DAY_US - HOUR_US
    # A time that clocks show twice is the first of them, one that they never show is when they change.
    twice = calendar(closes_s=3 * 3600 + 1800, weekend=())
    assert workdays.ends_at(twice, DayNotice(1, DESK), at("2026-10-24 01:00")) == at("2026-10-25 03:30")
    assert workdays.ends_at(twice, DayNotice(1, DESK), at("2026-03-28 01:00")) == OFFSETS[1].since_at
    # Before the first offset that is known, it holds.
    assert workdays.local_day(known, 0) == 0


some_days = st.integers(0, 400)


@settings(max_examples=80, deadline=None)
@given(
    comes=st.integers(at("2026-01-02 00:00") // 60_000_000, at("2027-03-01 00:00") // 60_000_000),
    count=st.integers(1, 30), business=st.booleans(), holidays=st.sets(some_days, max_size=40),
)  # fmt: skip
def test_notices_are_those_of_somebody_who_turns_pages(
    comes: int, count: int, business: bool, holidays: set[int]
) -> None:
    off = sorted(number("2026-01-01") + each for each in holidays)
    known = replace(calendar(), holidays=tuple(off))

    def works(date: datetime.date) -> bool:
        return date.weekday() < 5 and number(date.isoformat()) not in off

    moment = datetime.datetime.fromtimestamp(comes * 60, HELSINKI)
    date = moment.date()
    if moment.hour >= 17 or not works(date):
        date += datetime.timedelta(1)
    while not works(date):
        date += datetime.timedelta(1)
    left = count
    while left:
        date += datetime.timedelta(1)
        left -= works(date) or not business
    while not works(date):
        date += datetime.timedelta(1)
    ends = instant(datetime.datetime(date.year, date.month, date.day, 17, tzinfo=HELSINKI))
    notice = DayNotice(count, DESK, business)
    assert workdays.ends_at(known, notice, comes * 60_000_000) == ends
    # The last instant at which a notice may come in so that it ends by then is the last of its kind.
    latest = workdays.latest_at(known, notice, ends)
    assert comes * 60_000_000 < latest
    assert workdays.ends_at(known, notice, latest - 1) <= ends < workdays.ends_at(known, notice, latest)


# In a World.


def opened(*granted: rights.RightPlan, **more: Any) -> Driver:
    """A World on the first of January 2026, a Thursday, with a calendar and a contract that grants rights."""
    driver = market.market(**({"comes": 0} | more))
    driver.ask(ApplyBusinessCalendar(calendar(zone="UTC", offsets=(Offset(0, 0),))))
    if granted:
        driver.ask(sign(contract("c1", "acme", promise("t1", 1, 0, 60), rights=granted)))
    return driver


def by_days(count: int, business: bool = True) -> dict[str, Any]:
    return {"notice_s": 0, "notice": DayNotice(count, DESK, business)}


def test_an_offer_is_answered_within_business_days() -> None:
    driver = opened(refusal(answer_s=0, notice=DayNotice(3, DESK), waiver_s=86_400), stands=4)
    keep(driver, hold(nodes=4, end=60, expires_at=day(40)))
    driver.until(day(1) + 18 * HOUR_US)
    # Offered on a Friday after hours: received on Monday, answered until Thursday at five.
    ends_at = driver.ask(rights.OfferSale(RightId("rofr"), HoldId("h1")), FINANCE)["deadline_at"]
    assert timeline.text(ends_at) == "2026-01-08T17:00:00Z"
    assert market.held_right(driver, "rofr").offered_at == driver.at
    # A new version of the calendar, with a holiday on Wednesday, moves nothing that runs.
    newer = calendar("2026-01-07", zone="UTC", offsets=(Offset(0, 0),), version=2)
    driver.ask(ApplyBusinessCalendar(newer))
    assert market.held_right(driver, "rofr").deadline_at == ends_at
    # An answer that comes in after hours on Wednesday counts on Thursday, which is in time.
    driver.until(day(8))
    assert code(driver, use("rofr", effective_at=day(1) + 17 * HOUR_US)) == "too_early"
    answer = driver.ask(use("rofr", effective_at=day(6) + 17 * HOUR_US))
    assert timeline.text(answer["start_at"]) == "2026-01-08T00:00:00Z"
    keep(driver, hold("h2", nodes=4, end=60, expires_at=day(40)))
    second = driver.ask(rights.OfferSale(RightId("rofr"), HoldId("h2")), FINANCE)["deadline_at"]
    assert timeline.text(second) == "2026-01-14T17:00:00Z"
    driver.until(second)
    assert code(driver, use("rofr", "late"), by=tenant("acme")) == "too_late"
    driver.until(second + DAY_US)
    assert life(driver, "rofr") is Life.DORMANT


def test_a_call_starts_once_its_notice_is_over() -> None:
    driver = opened(call(racks=1, opens_at=day(4), expires_at=day(20), **by_days(5)))
    # It opens on Monday; the notice of what comes in then ends on the Monday after it.
    (taken,) = driver.world.calendar.encumbrances(market.STOCK)
    assert timeline.text(taken.window.start) == "2026-01-12T17:00:00Z"
    assert timeline.text(taken.window.end) == "2026-02-07T17:00:00Z"
    newer = calendar("2026-01-12", zone="UTC", offsets=(Offset(0, 0),), version=2)
    driver.ask(ApplyBusinessCalendar(newer))
    (taken,) = driver.world.calendar.encumbrances(market.STOCK)
    assert timeline.text(taken.window.start) == "2026-01-13T17:00:00Z"
    assert driver.world.calendar.encumbered(market.STOCK).at(taken.window.start) == 4
    driver.until(day(9))
    no = driver.refused(use("call", racks=1, start_at=day(16)))
    # Saturday the tenth: it counts on Monday, which is no business day by now; so on Tuesday.
    assert (no.code, no.detail) == (
        "bad_term", "it may start from 2026-01-20T17:00:00Z to 2026-01-28T17:00:00Z"
    )  # fmt: skip
    driver.ask(use("call", racks=1))
    assert timeline.text(market.terms_of(driver).start_at) == "2026-01-20T17:00:00Z"


def test_an_extension_closes_so_that_its_notice_ends_with_the_term() -> None:
    # The term ends on Monday the second of March at midnight: five business days end on Friday the 27th.
    driver = opened(extension(**by_days(5)))
    closes_at = market.held_right(driver, "longer").closes_at
    assert timeline.text(closes_at) == "2026-02-20T17:00:00Z"
    driver.until(closes_at)
    assert code(driver, use("longer")) == "too_late"
    driver.ask(use("longer", effective_at=closes_at - 1))
    # By days of any kind: the weekend counts, and what ends on it goes on until Monday at five, which is too late.
    driver = opened(extension(**by_days(5, business=False)))
    assert timeline.text(market.held_right(driver, "longer").closes_at) == "2026-02-20T17:00:00Z"


def test_a_waiver_counts_when_it_is_received() -> None:
    driver = opened(refusal(answer_s=0, notice=DayNotice(3, DESK), waiver_s=86_400))
    keep(driver, hold(nodes=4, end=60, expires_at=day(40)))
    driver.ask(rights.OfferSale(RightId("rofr"), HoldId("h1")), FINANCE)
    driver.until(day(2))
    answer = driver.ask(market.waiver())
    assert timeline.text(answer["until_at"]) == "2026-01-06T00:00:00Z"


def test_a_backstop_is_measured_for_what_its_notice_leaves() -> None:
    driver = opened(market.backstop(**by_days(2)))
    driver.until(day(10))
    driver.ask(use("put"))
    # Measured on Sunday the eleventh, exercised on that day: received on Monday.
    assert timeline.text(market.terms_of(driver).start_at) == "2026-01-14T17:00:00Z"


def test_every_refusal_of_a_calendar_in_its_order() -> None:
    driver = market.market()
    broken = calendar(
        id=CalendarId("!"),
        weekend=tuple(Weekday),
        closes_s=0,
        holidays=(2, 1),
        until_day=0,
        offsets=(),
        version=0,
    )

    def with_(**terms: Any) -> Mend:
        return lambda command: replace(command, calendar=replace(command.calendar, **terms))

    rules: list[tuple[str, str, Mend]] = [
        ("bad_id", "id", with_(id=DESK)),
        ("bad_quantity", "weekend", with_(weekend=WEEKEND)),
        ("bad_quantity", "closes_s", with_(closes_s=workdays.DAY_S + 1)),
        ("bad_quantity", "closes_s", with_(closes_s=workdays.DAY_S)),
        ("bad_term", "holidays", with_(holidays=(-1,))),
        ("bad_term", "holidays", with_(holidays=tuple(range(workdays.HOLIDAYS_MAX + 1)))),
        ("bad_term", "holidays", with_(holidays=(1, 2))),
        ("bad_term", "until_day", with_(until_day=workdays.DAY_MAX)),
        ("bad_term", "until_day", with_(until_day=number("2030-01-01"))),
        ("bad_zone", "zone", with_(offsets=(Offset(1, 0), Offset(1, 0)))),
        ("bad_zone", "zone", with_(offsets=(Offset(0, workdays.DAY_S),))),
        ("bad_zone", "zone", with_(offsets=(Offset(0, 3600),))),
        ("calendar_version", "version", with_(version=1)),
    ]
    command = refused_in_order(driver, ApplyBusinessCalendar(broken), rules)
    assert driver.ask(command) == {"calendar": "desk", "version": 1, "changed": True}
    # The same again, also where another machine knows more of its zone.
    again = with_(offsets=OFFSETS)(command)
    assert driver.ask(again) == {"calendar": "desk", "version": 1, "changed": False}
    no = driver.refused(with_(closes_s=1)(command))
    assert (no.code, no.detail) == (
        "calendar_version", "business calendar desk: version 1 is in force already"
    )  # fmt: skip


def test_what_a_right_may_not_say_of_its_notice() -> None:
    driver = opened()

    def signed(**terms: Any) -> claims.SignContract:
        return sign(contract("c1", "acme", rights=(refusal(**terms),)))

    assert code(driver, signed(notice=DayNotice(5, DESK))) == "bad_quantity"
    no = driver.refused(signed(notice_s=0, notice=DayNotice(0, CalendarId("none"))))
    assert (no.code, no.field, no.detail) == (
        "unknown_calendar", "rights[0].notice.calendar", "right rofr: there is no business calendar none"
    )  # fmt: skip
    assert code(driver, signed(notice_s=0, notice=DayNotice(0, DESK))) == "bad_quantity"
    assert code(driver, signed(notice_s=0, notice=DayNotice(workdays.DAYS_MAX + 1, DESK))) == "bad_quantity"
    assert code(driver, signed(notice_s=0)) == "bad_term"


def test_no_notice_ends_on_a_day_that_nobody_knows() -> None:
    granted = (
        refusal(answer_s=0, notice=DayNotice(700, DESK)),
        market.right("take", RightKind.CALL, site=market.NORTH, sku=market.HGX, racks_max=1, term_s=86_400,
                     opens_at=day(600), expires_at=day(700), notice=DayNotice(60, DESK)),
    )  # fmt: skip
    driver = opened(*granted)
    keep(driver, hold(nodes=1, end=3000, expires_at=day(40)))
    no = driver.refused(rights.OfferSale(RightId("rofr"), HoldId("h1")), FINANCE)
    assert (no.code, no.detail) == (
        "beyond_calendar",
        "right rofr: its notice ends on a day that calendar desk (version 1) does not know",
    )
    driver.until(day(650))
    assert code(driver, use("take", racks=1)) == "beyond_calendar"
