"""What is the least that a customer pays in each so many months? A minimum commitment, and when its periods are."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

from forebay.core import timeline
from forebay.core.ids import Refusal
from forebay.core.timeline import INSTANT_MAX, Interval

#: A million million: keeps a slip of the pen out of the books.
COMMITTED_MICROS_MAX = 10**18
#: Fifty years of months.
MONTHS_MAX = 600


@dataclass(slots=True)
class Commitment:
    """At least so much is paid for use in each period of so many calendar months (UTC). Nothing rolls over."""

    micros: int
    months: int
    #: The first instant of the first month.
    start_at: int
    #: How many periods there are.
    periods: int


def refuse_commitment(agreed: Commitment | None) -> Refusal | None:
    """bad_commitment: an amount, a length or a number of periods out of range; a start within a month."""
    if agreed is None:
        return None
    no = ""
    if not 0 < agreed.micros <= COMMITTED_MICROS_MAX:
        no, field = "at least something is committed", "micros"
    elif not 0 < agreed.months <= MONTHS_MAX:
        no, field = f"a period has 1 to {MONTHS_MAX} months", "months"
    elif not 0 < agreed.periods * agreed.months <= MONTHS_MAX:
        no, field = f"all periods together have 1 to {MONTHS_MAX} months", "periods"
    elif not 0 <= agreed.start_at < INSTANT_MAX or timeline.month_start(agreed.start_at) != agreed.start_at:
        no, field = "periods are calendar months in UTC: the first begins with one", "start_at"
    return Refusal("bad_commitment", f"commitment: {no}", f"commitment.{field}") if no else None


def commitment_periods(agreed: Commitment) -> Iterator[Interval]:
    """Its periods, in order."""
    start = agreed.start_at
    for _ in itertools.repeat(None, agreed.periods):
        end = start
        for _ in itertools.repeat(None, agreed.months):
            end = timeline.month_end(end)
        yield Interval(start, end)
        start = end
