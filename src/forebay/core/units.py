"""Integers with their unit in the name, and the only place where anything is rounded.

Time is microseconds since the Unix epoch (UTC) or a length in microseconds; power is watts; money is micro-units
of a currency (1 USD = 1,000,000). Python integers never overflow, so products stay exact until the one rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US

#: Micro-units in one unit of any currency.
MICROS = 1_000_000

#: Minor units in one unit of a currency, as a power of ten (ISO 4217).
MINOR_DIGITS = {"USD": 2, "EUR": 2, "GBP": 2, "CHF": 2, "SEK": 2, "JPY": 0, "KWD": 3}


def divide_half_even(numerator: int, denominator: int) -> int:
    """`numerator / denominator` rounded to the nearest integer, ties to even (IEEE 754 5.3.3).

    `denominator` is positive; the numerator may be negative.
    """
    quotient, remainder = divmod(numerator, denominator)
    twice = 2 * remainder
    if twice > denominator or (twice == denominator and quotient & 1):
        return quotient + 1
    return quotient


def gpu_time_cost_micros(gpu_us: int, price_micros_per_gpu_hour: int) -> int:
    """Exact GPU-microseconds times a price per GPU-hour, rounded once to micro-units."""
    return divide_half_even(gpu_us * price_micros_per_gpu_hour, HOUR_US)


def micros_to_minor(amount_micros: int, currency: str) -> int:
    """Micro-units rounded once to the currency's minor unit (cents for USD)."""
    return divide_half_even(amount_micros, 10 ** (6 - MINOR_DIGITS[currency]))


def minor_to_micros(amount_minor: int, currency: str) -> int:
    """Minor units (cents for USD) as exact micro-units."""
    return amount_minor * int(10 ** (6 - MINOR_DIGITS[currency]))


def decimal_text(micros: int) -> str:
    """A price or an amount in micro-units as a plain decimal with two to six places, without a currency."""
    whole, rest = divmod(abs(micros), MICROS)
    digits = f"{rest:06d}".rstrip("0")
    return f"{'-' if micros < 0 else ''}{whole}.{digits:0<2}"


# Megawatts of four kinds. A campus contracts for more than its grid connects, the grid feeds more than the racks get,
# and only the last is what computes: a sum over two kinds is a number that means nothing, so there is none.


@dataclass(frozen=True, slots=True, order=True)
class Power:
    """Watts of one kind. Two of the same kind add; two of different kinds do not."""

    watts: int

    def __add__(self, other: Self) -> Self:
        return type(self)(self.watts + _same_kind(self, other))

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.watts - _same_kind(self, other))


class ContractedPower(Power):
    """What a utility or a plant owes by contract, energised or not."""

    __slots__ = ()


class ConnectedPower(Power):
    """What is energised at the site's boundary."""

    __slots__ = ()


class FacilityPower(Power):
    """What the site may draw, cooling and losses included."""

    __slots__ = ()


class ItPower(Power):
    """What reaches the racks."""

    __slots__ = ()


def _same_kind(one: Power, other: Power) -> int:
    if type(one) is not type(other):
        raise TypeError(f"{type(one).__name__} and {type(other).__name__} are different quantities")
    return other.watts


def it_power(power: FacilityPower, pue_ppm: int) -> ItPower:
    """What reaches the racks at a power usage effectiveness of so many parts per million, rounded down."""
    return ItPower(power.watts * 1_000_000 // pue_ppm)


def counted(number: int, noun: str) -> str:
    """A number with its noun: `1 GPU`, `8 GPUs`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


_SIZES = ((10**15, "PB"), (10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def size_text(size_bytes: int) -> str:
    """Bytes in the largest unit (of 1,000) that they fill, cut off after the third digit behind the point."""
    for unit, name in _SIZES:
        if size_bytes >= unit:
            whole, rest = divmod(size_bytes * 1000 // unit, 1000)
            return f"{whole}.{rest:03d}".rstrip("0").rstrip(".") + f" {name}"
    return f"{size_bytes} B"
