"""What shape has each answer about business calendars? As `bodies`.

Annotations are not postponed in this file: what may be missing is known at run time (`__required_keys__`).
"""

from typing import TypedDict


class BusinessCalendarBody(TypedDict):
    """Which days are business days somewhere, and until when a notice counts as received on them."""

    id: str
    version: int
    zone: str
    #: Until then a notice counts as received that day, as the clocks there show.
    closes: str
    #: Days of every week that are no business days.
    weekend: list[str]
    #: Other days that are none, in order.
    holidays: list[str]
    #: The last day that is known.
    until: str
    #: Whether a notice that is received now counts as received today, and on which day it does.
    open: bool
    received: str
    #: Rights whose notice is counted by it, as far as whoever asks may see them.
    rights: list[str]


class BusinessCalendarPage(TypedDict):
    """Business calendars by name."""

    items: list[BusinessCalendarBody]
    next_cursor: str | None
