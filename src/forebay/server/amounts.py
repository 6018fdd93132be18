"""How are times, money, GPU-time and energy written in an answer?"""

from __future__ import annotations

import datetime

from forebay.core import units
from forebay.server.bodies import Money

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


def when(at: int) -> str:
    """An instant as RFC 3339 in UTC, with microseconds where there are any."""
    moment = _EPOCH + datetime.timedelta(microseconds=at)
    return moment.replace(tzinfo=None).isoformat() + "Z"


def when_or_none(at: int) -> str | None:
    """As `when`; 0 stands for never."""
    return when(at) if at else None


def exact(amount_micros: int, currency: str) -> Money:
    """Micro-units, two to six places."""
    return {"amount": units.decimal_text(amount_micros), "currency": currency}


def minor(amount_minor: int, currency: str) -> Money:
    """Minor units (cents for USD), with as many places as the currency has."""
    digits = units.MINOR_DIGITS[currency]
    whole, rest = divmod(abs(amount_minor), 10**digits)
    sign = "-" if amount_minor < 0 else ""
    return {"amount": f"{sign}{whole}" + (f".{rest:0{digits}d}" if digits else ""), "currency": currency}


def gpu_hour_text(gpu_us: int) -> str:
    """GPU-microseconds as GPU-hours, six places at most."""
    return units.decimal_text(units.divide_half_even(gpu_us * units.MICROS, units.HOUR_US))


def kilowatt_hours(energy_uj: int) -> str:
    """Watt-microseconds as kilowatt-hours, six places at most."""
    return units.decimal_text(units.divide_half_even(energy_uj * units.MICROS, units.HOUR_US * 1000))
