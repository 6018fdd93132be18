"""How do people write power, time, memory, money and shares, and what integer is each?

No float is ever made: a number is read as a decimal and must come out as a whole number of the smallest unit.
"""

from __future__ import annotations

import datetime
import re
import zoneinfo
from decimal import Decimal

from forebay.core import timeline
from forebay.core.units import MICROS

_NUMBER = r"([0-9]{1,18}(?:\.[0-9]{1,12})?)"
_WITH_UNIT = re.compile(_NUMBER + r"\s*([A-Za-z%]*)")
_NEGATIVE = re.compile(r"\s*-\s*[0-9]")
_ISO_DURATION = re.compile(
    r"P(?:([0-9]{1,6})W|(?:([0-9]{1,6})D)?(?:T(?=[0-9])(?:([0-9]{1,9})H)?(?:([0-9]{1,9})M)?(?:([0-9]{1,12})S)?)?)"
)
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATE_TIME = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)(Z|z|[+-][0-9]{2}:[0-9]{2})?"
)

WATTS = {"W": 1, "kW": 10**3, "MW": 10**6, "GW": 10**9}
BYTES = {
    "B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "PB": 10**15,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40, "PiB": 2**50,
}  # fmt: skip
SECONDS = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
#: Years within which dates are meant.
YEAR_MIN, YEAR_MAX = 2000, 2199
#: Largest number that any quantity may come out as: what JSON readers everywhere keep exact.
QUANTITY_MAX = 2**53
#: A trillion of any currency.
AMOUNT_MICROS_MAX = 10**18


class Malformed(ValueError):
    """The text is not such a quantity; the message says what would be, and `code` in a word what is wrong."""

    def __init__(self, told: str, code: str = "bad_document") -> None:
        super().__init__(told)
        self.code = code


def watts(text: str) -> int:
    """`132 kW`, `1.2 MW`, `132000` (watts)."""
    return _scaled(text, WATTS, "", "power, such as '132 kW', '1.2 MW', or a whole number of watts")


def octets(text: str) -> int:
    """`2 GiB`, `512 MiB`, `4000000` (bytes)."""
    return _scaled(text, BYTES, "", "a size, such as '2 GiB', '512 MiB', or a whole number of bytes")


def seconds(text: str) -> int:
    """`90s`, `15m`, `2h`, `30d`, `PT15M`."""
    meant = "a duration, such as '90s', '15m', '2h', '30d' or 'PT15M'"
    iso = _ISO_DURATION.fullmatch(text)
    if iso and any(iso.groups()):
        weeks, days, hours, minutes, rest = (int(part or 0) for part in iso.groups())
        return _bounded(((weeks * 7 + days) * 24 + hours) * 3600 + minutes * 60 + rest, text, meant)
    return _scaled(text, SECONDS, "unit", meant)


def price_micros(text: str) -> int:
    """`2.85` as micro-units: at most six decimals."""
    return _micros(text, "a price, such as '2.85'", QUANTITY_MAX)


def amount_micros(text: str) -> int:
    """`15000000000` as micro-units: at most six decimals, and as large as the largest contracts."""
    return _micros(text, "an amount of money, such as '15000000000'", AMOUNT_MICROS_MAX)


def measure_micros(text: str) -> int:
    """`370.5` of whatever is measured, in millionths: at most six decimals."""
    meant = "a number with at most six decimals, such as '370.5'"
    found = _WITH_UNIT.fullmatch(text)
    if not found or found[2]:
        raise _not(text, meant)
    return _bounded(_whole(Decimal(text) * MICROS, text, meant), text, meant)


def points_micros(text: str) -> int:
    """`103.2` points of an index as millionths: above 0, at most six decimals."""
    meant = "a value of an index above 0 with at most six decimals, such as '103.2'"
    found = _WITH_UNIT.fullmatch(text)
    if not found or found[2]:
        raise _not(text, meant)
    value = _bounded(_whole(Decimal(text) * MICROS, text, meant), text, meant, AMOUNT_MICROS_MAX)
    if not value:
        raise _not(text, meant)
    return value


def _micros(text: str, meant: str, most: int) -> int:
    found = _WITH_UNIT.fullmatch(text)
    if not found or found[2]:
        raise _not(text, meant)
    if len(text.partition(".")[2]) > 6:
        raise Malformed(
            f"{text!r} is money with more digits than a micro-unit: at most six decimals are kept",
            "too_precise",
        )
    return _bounded(_whole(Decimal(text) * MICROS, text, meant), text, meant, most)


def share_ppm(text: str) -> int:
    """`30 %` as parts per million: at most four decimals, at most 100 %."""
    ppm = multiple_ppm(text)
    if ppm > 1_000_000:
        raise Malformed(f"{text!r} is more than the whole: at most '100 %' is meant", "bad_quantity")
    return ppm


def multiple_ppm(text: str) -> int:
    """`200 %` as parts per million: at most four decimals."""
    meant = "a share, such as '30 %'"
    found = _WITH_UNIT.fullmatch(text)
    if not found or found[2] != "%":
        raise _not(text, meant)
    return _bounded(_whole(Decimal(found[1]) * 10_000, text, meant), text, meant)


def clock_s(text: str) -> int:
    """`02:30` as seconds since midnight."""
    found = _CLOCK.fullmatch(text)
    if not found:
        raise Malformed(f"{text!r} is not a time of the day from '00:00' to '23:59'")
    return int(found[1]) * 3600 + int(found[2]) * 60


def ratio_ppm(text: str) -> int:
    """`1.15` as parts per million: at most six decimals."""
    meant = "a ratio with at most six decimals, such as '1.15'"
    found = _WITH_UNIT.fullmatch(text)
    if not found or found[2]:
        raise _not(text, meant)
    return _bounded(_whole(Decimal(text) * 1_000_000, text, meant), text, meant)


def cpu_millis(text: str) -> int:
    """`0.5` processors as thousandths."""
    meant = "a number of processors with at most three decimals, such as '0.5'"
    found = _WITH_UNIT.fullmatch(text)
    if not found or found[2]:
        raise _not(text, meant)
    return _bounded(_whole(Decimal(text) * 1000, text, meant), text, meant)


def instant_us(text: str, zone: str = "") -> int:
    """An RFC 3339 time, or a date or local time in `zone` (IANA), as microseconds since the Unix epoch."""
    meant = "a time, such as '2026-12-01T08:00:00Z', or a date with a zone"
    found = _DATE_TIME.fullmatch(text)
    if not found and not _DATE.fullmatch(text):
        raise _not(text, meant)
    date, clock, offset = found.groups() if found else (text, "00:00:00", None)
    if offset is None and not zone:
        raise Malformed(
            f"{text!r} has no zone: write an offset ('{date}T{clock}+02:00', or 'Z'), or say the 'zone'",
            "no_zone",
        )
    suffix = "+00:00" if offset in ("Z", "z") else offset or ""
    try:
        moment = datetime.datetime.fromisoformat(f"{date}T{clock}{suffix}")
    except ValueError as error:
        raise Malformed(f"{text!r} is not {meant}: {error}") from None
    if not YEAR_MIN <= moment.year <= YEAR_MAX:
        raise Malformed(f"{text!r}: a year from {YEAR_MIN} to {YEAR_MAX} is meant", "bad_quantity")
    if moment.tzinfo is None:
        moment = _in_zone(moment, zone, text)
    return timeline.instant(moment.astimezone(datetime.UTC))


def day_number(text: str) -> int:
    """`2026-12-24` as days since 1970-01-01."""
    try:
        if not _DATE.fullmatch(text):
            raise ValueError("another form is meant")
        date = datetime.date.fromisoformat(text)
    except ValueError:
        raise Malformed(f"{text!r} is not a date, such as '2026-12-24'") from None
    if not YEAR_MIN <= date.year <= YEAR_MAX:
        raise Malformed(f"{text!r}: a year from {YEAR_MIN} to {YEAR_MAX} is meant", "bad_quantity")
    return (date - datetime.date(1970, 1, 1)).days


def closing_s(text: str) -> int:
    """`17:00` as seconds since midnight; `24:00` is the midnight after."""
    if text == "24:00":
        return 24 * 3600
    if not _CLOCK.fullmatch(text):
        raise Malformed(f"{text!r} is not a time of day, such as '17:00'")
    return clock_s(text)


def known_zone(name: str) -> str:
    """The name, if it is one of the IANA time zones known here."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise Malformed(f"{name!r} is not a time zone, such as 'Europe/Helsinki' or 'UTC'") from None
    return name


def _in_zone(moment: datetime.datetime, zone: str, text: str) -> datetime.datetime:
    """A local time; one that the clocks skip does not exist, one that they show twice is not clear."""
    place = zoneinfo.ZoneInfo(known_zone(zone))
    first = moment.replace(tzinfo=place)
    second = moment.replace(tzinfo=place, fold=1)
    if first.utcoffset() != second.utcoffset():
        raise Malformed(f"{text!r} falls where clocks change in {zone}: write it with an offset")
    return first


def _scaled(text: str, units: dict[str, int], bare: str, meant: str) -> int:
    """A number with a unit; without one only where `bare` is "" (the smallest unit)."""
    found = _WITH_UNIT.fullmatch(text.strip())
    if not found or (found[2] and found[2] not in units) or (not found[2] and bare):
        raise _not(text, meant)
    return _bounded(_whole(Decimal(found[1]) * units.get(found[2], 1), text, meant), text, meant)


def _not(text: str, meant: str) -> Malformed:
    """A number below zero is one that cannot be meant; anything else is no such quantity at all."""
    return Malformed(f"{text!r} is not {meant}", "bad_quantity" if _NEGATIVE.match(text) else "bad_document")


def _whole(value: Decimal, text: str, meant: str) -> int:
    if value != value.to_integral_value():
        raise Malformed(f"{text!r} is finer than is kept: {meant} is meant", "too_precise")
    return int(value)


def _bounded(value: int, text: str, meant: str, most: int = QUANTITY_MAX) -> int:
    if value > most:
        raise Malformed(f"{text!r} is too large: {meant} is meant", "bad_quantity")
    return value
