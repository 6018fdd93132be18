"""What several addresses read from a body in the same way: dates, when a notice was received, words that are few."""

from __future__ import annotations

from typing import Annotated

from fastapi import Query

from forebay.feeds import quantities
from forebay.server import problems
from forebay.server.calls import LIMIT_MAX

WORDS_MAX = 500
#: How many of a list at once.
Rows = Annotated[int, Query(ge=1, le=LIMIT_MAX)]


def wrong(field: str, detail: str, code: str = "bad_body") -> problems.Failure:
    """The failure that names a field."""
    errors: list[problems.ProblemError] = [{"pointer": f"/{field}", "detail": detail}]
    return problems.Failure(code, f"{field}: {detail}", errors=errors)


def instant_of(text: str, field: str, code: str = "bad_body", zone: str = "UTC") -> int:
    """A date or a local time in a zone, or an RFC 3339 time; 0 for none, where a parameter may be missing."""
    if not text and code == "bad_parameter":
        return 0
    try:
        return quantities.instant_us(text, zone)
    except quantities.Malformed as error:
        raise wrong(field, str(error), code) from None


def micros_of(text: str, field: str) -> int:
    """An amount of money in micro-units. Raises `problems.Failure`."""
    try:
        return quantities.amount_micros(text)
    except quantities.Malformed as error:
        raise wrong(field, str(error)) from None


def refuse_long(text: str, field: str) -> None:
    """Free words are few. Raises `problems.Failure`."""
    if len(text) > WORDS_MAX:
        raise wrong(field, f"at most {WORDS_MAX} characters")
