"""Which forms may a single value of a document have? Each knows how to read itself, and how an editor checks it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple

from forebay.core import ids
from forebay.core.units import MINOR_DIGITS
from forebay.feeds import quantities
from forebay.feeds.quantities import Malformed

#: Longest text of one line, and of one that may hold a script.
WORDS_MAX, TEXT_MAX = 500, 100_000


@dataclass(frozen=True, eq=False, slots=True)
class Form:
    """How one value is written. `looks` are the kinds of plain scalar that are taken for it."""

    read: Callable[[str], Any]
    looks: tuple[str, ...]
    #: JSON Schema of the value.
    schema: dict[str, Any]
    #: What is meant, for the error message ("a duration, such as '90s'").
    meant: str


def _patterned(pattern: str, **more: Any) -> dict[str, Any]:
    return {"type": "string", "pattern": f"^(?:{pattern})$"} | more


def _number_or(pattern: str, kind: str, **more: Any) -> dict[str, Any]:
    return {"type": ["string", kind], "minimum": 0, "pattern": f"^(?:{pattern})$"} | more


def _either(units: dict[str, int]) -> str:
    return "|".join(sorted(units, key=lambda unit: (-len(unit), unit)))


def _name(text: str) -> str:
    if not ids.valid_name(text):
        raise Malformed(f"{text!r} is not a name: {ids.NAME_RULE}")
    return text


def tenant_name(text: str) -> str:
    """A tenant's name, in which no '.' stands: the first one in a gang's id ends it."""
    if "." in text:
        raise Malformed(f"{text!r} is not the name of a tenant: no '.' may stand in it")
    return _name(text)


def _words(text: str) -> str:
    if len(text) > WORDS_MAX or "\n" in text or "\r" in text:
        raise Malformed(f"one line of at most {WORDS_MAX} characters is meant")
    return text


def _as_written(text: str) -> str:
    if len(text) > TEXT_MAX:
        raise Malformed(f"at most {TEXT_MAX} characters are meant")
    return text


def _country(text: str) -> str:
    if not re.fullmatch(r"[A-Z]{2}", text):
        raise Malformed(
            f"{text!r} is not a country: two capital letters are meant, such as 'FI' (ISO 3166-1)"
        )
    return text


def _currency(text: str) -> str:
    if text not in MINOR_DIGITS:
        raise Malformed(f"{text!r} is not a currency that is known here: {', '.join(MINOR_DIGITS)}")
    return text


def _when(text: str) -> str:
    """Checked as far as it can be without the document's zone; `quantities.instant_us` resolves it."""
    if text != "now":
        quantities.instant_us(text, "UTC")
    return text


_DECIMAL = r"[0-9]{1,18}(?:\.[0-9]{1,12})?"
_ISO = r"P(?=[0-9T])(?:[0-9]{1,6}W|(?:[0-9]{1,6}D)?(?:T(?=[0-9])(?:[0-9]{1,9}H)?(?:[0-9]{1,9}M)?(?:[0-9]{1,12}S)?)?)"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[Tt ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?"
_WHEN = rf"now|{_DAY}(?:{_CLOCK}(?:[Zz]|[+-][0-9]{{2}}:[0-9]{{2}})?)?"

_STRING, _NUMERIC = ("string",), ("string", "integer", "number")

Name = Annotated[
    str,
    Form(
        _name, _STRING,
        _patterned(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,79}"), f"a name: {ids.NAME_RULE}",
    ),
]  # fmt: skip
Tenant = Annotated[
    str,
    Form(
        tenant_name, _STRING,
        _patterned(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}"), f"a tenant: a name without '.': {ids.NAME_RULE}",
    ),
]  # fmt: skip
Words = Annotated[
    str, Form(_words, _STRING, _patterned(r"[^\n\r]*", maxLength=WORDS_MAX), "one line of text")
]
AsWritten = Annotated[
    str,
    Form(
        _as_written, (*_NUMERIC, "boolean"), {"type": ["string", "number", "boolean"], "maxLength": TEXT_MAX},
        "a text or a number, taken as it is written",
    ),
]  # fmt: skip
Country = Annotated[str, Form(_country, _STRING, _patterned("[A-Z]{2}"), "a country, such as 'FI'")]
Currency = Annotated[
    str, Form(_currency, _STRING, {"enum": list(MINOR_DIGITS)}, f"a currency: {', '.join(MINOR_DIGITS)}")
]
Zone = Annotated[
    str,
    Form(quantities.known_zone, _STRING, _patterned(r"[A-Za-z0-9_+/-]{1,64}"), "a time zone, such as 'UTC'"),
]
When = Annotated[
    str, Form(_when, _STRING, _patterned(_WHEN), "a time, such as '2026-12-01T08:00:00Z', a date, or 'now'")
]
Day = Annotated[int, Form(quantities.day_number, _STRING, _patterned(_DAY), "a date, such as '2026-12-24'")]
Closing = Annotated[
    int,
    Form(quantities.closing_s, _STRING, _patterned(r"[0-9]{2}:[0-9]{2}"), "a time of day, such as '17:00'"),
]
Watts = Annotated[
    int,
    Form(
        quantities.watts, _NUMERIC, _number_or(rf"{_DECIMAL}\s*(?:{_either(quantities.WATTS)})?", "integer"),
        "power, such as '132 kW' or '1.2 MW'",
    ),
]  # fmt: skip
Bytes = Annotated[
    int,
    Form(
        quantities.octets, _NUMERIC, _number_or(rf"{_DECIMAL}\s*(?:{_either(quantities.BYTES)})?", "integer"),
        "a size, such as '2 GiB'",
    ),
]  # fmt: skip
Seconds = Annotated[
    int,
    Form(
        quantities.seconds, _NUMERIC,
        _patterned(rf"{_DECIMAL}\s*(?:{_either(quantities.SECONDS)})|{_ISO}"),
        "a duration, such as '90s', '15m', '2h', '30d' or 'PT15M'",
    ),
]  # fmt: skip
Price = Annotated[
    int,
    Form(
        quantities.price_micros, _NUMERIC, _number_or(r"[0-9]{1,18}(?:\.[0-9]{1,6})?", "number"),
        "a price, such as '2.85'",
    ),
]  # fmt: skip
Amount = Annotated[
    int,
    Form(
        quantities.amount_micros, _NUMERIC, _number_or(r"[0-9]{1,18}(?:\.[0-9]{1,6})?", "number"),
        "an amount of money, such as '15000000000'",
    ),
]  # fmt: skip
Measure = Annotated[
    int,
    Form(
        quantities.measure_micros, _NUMERIC, _number_or(r"[0-9]{1,18}(?:\.[0-9]{1,6})?", "number"),
        "a number, such as '370.5'",
    ),
]  # fmt: skip
Points = Annotated[
    int,
    Form(
        quantities.points_micros, _NUMERIC, _number_or(r"[0-9]{1,18}(?:\.[0-9]{1,6})?", "number"),
        "a value of an index, such as '103.2'",
    ),
]  # fmt: skip
Share = Annotated[
    int,
    Form(
        quantities.share_ppm, _NUMERIC,
        _patterned(r"(?:100(?:\.0{1,12})?|[0-9]{1,2}(?:\.[0-9]{1,4})?)\s*%"), "a share, such as '30 %'",
    ),
]  # fmt: skip
Multiple = Annotated[
    int,
    Form(
        quantities.multiple_ppm, _NUMERIC, _patterned(r"[0-9]{1,5}(?:\.[0-9]{1,4})?\s*%"),
        "a share that may be more than all of it, such as '50 %' or '200 %'",
    ),
]  # fmt: skip
Clock = Annotated[
    int,
    Form(
        quantities.clock_s, _STRING, _patterned(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"),
        "a time of the day, such as '02:30'",
    ),
]  # fmt: skip
Processors = Annotated[
    int,
    Form(
        quantities.cpu_millis, _NUMERIC, _number_or(r"[0-9]{1,18}(?:\.[0-9]{1,3})?", "number"),
        "a number of processors, such as '0.5'",
    ),
]  # fmt: skip
Ratio = Annotated[
    int,
    Form(
        quantities.ratio_ppm, _NUMERIC, _number_or(r"[0-9]{1,3}(?:\.[0-9]{1,6})?", "number"),
        "a ratio, such as '1.15'",
    ),
]  # fmt: skip


class Count(NamedTuple):
    """Bounds of a whole number."""

    least: int = 0
    most: int = 10**9


Few = Annotated[int, Count(1, 10_000)]
Many = Annotated[int, Count(1, 10**7)]
Version = Annotated[int, Count(1, 2**31 - 1)]
ManyOrNone = Annotated[int, Count(0, 10**7)]
Times = Annotated[int, Count(0, 10**6)]
Depth = Annotated[int, Count(1, 10**6)]
FewOrNone = Annotated[int, Count(0, 10_000)]
