"""What is still to be delivered and paid under signed tranches, by year or by month? At stated prices."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from typing import NamedTuple

from forebay.core import claims, timeline, units

_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)


class YearLeft(NamedTuple):
    """What is left of a tranche in one calendar year, UTC."""

    year: int
    gpu_us: int
    #: All of it at the stated price; and the least that is paid, used or not. Micro-units.
    fee_micros: int
    least_micros: int


class MonthLeft(NamedTuple):
    """What is left of a tranche in one calendar month, UTC: where the month begins, and as `YearLeft`."""

    start: int
    gpu_us: int
    fee_micros: int
    least_micros: int


class _Sum(NamedTuple):
    """What is left from an instant to the end of its year or month."""

    since: int
    gpu_us: int
    fee_micros: int
    least_micros: int


def years_left(plan: claims.TranchePlan, gpus_per_unit: int, since: int) -> Iterator[YearLeft]:
    """What is left of a tranche from an instant on, each year rounded once; an index as it stands in the plan."""
    for found in _left(plan, gpus_per_unit, since, lambda at: _beginning(_year(at) + 1)):
        yield YearLeft(_year(found.since), found.gpu_us, found.fee_micros, found.least_micros)


def months_left(plan: claims.TranchePlan, gpus_per_unit: int, since: int) -> Iterator[MonthLeft]:
    """The same by month, each month rounded once: months of a year may differ from it by a micro-unit each."""
    for found in _left(plan, gpus_per_unit, since, timeline.month_end):
        start = timeline.month_start(found.since)
        yield MonthLeft(start, found.gpu_us, found.fee_micros, found.least_micros)


def _left(
    plan: claims.TranchePlan, gpus_per_unit: int, since: int, end_of: Callable[[int], int]
) -> Iterator[_Sum]:
    parts = plan.deliveries or (claims.Delivery(plan.start_at, plan.count),)
    first = claims.PriceStep(plan.start_at, plan.price_micros_per_gpu_hour, plan.index, plan.take_or_pay_ppm)
    steps = (first, *plan.price_steps)
    begin = max(since, plan.start_at)
    while begin < plan.end_at:
        until = min(plan.end_at, end_of(begin))
        gpu_us = fee = least = 0
        for part in parts:
            for place, step in enumerate(steps):
                stop = steps[place + 1].at if place + 1 < len(steps) else plan.end_at
                span = max(0, min(stop, until) - max(step.at, part.at, begin))
                time_us = part.count * gpus_per_unit * span
                gpu_us += time_us
                fee += time_us * step.price_micros_per_gpu_hour
                least += time_us * step.price_micros_per_gpu_hour * step.take_or_pay_ppm
        yield _Sum(
            begin, gpu_us, units.divide_half_even(fee, units.HOUR_US),
            units.divide_half_even(least, units.HOUR_US * claims.PPM),
        )  # fmt: skip
        begin = until


def _year(at: int) -> int:
    return (_EPOCH + datetime.timedelta(microseconds=at)).year


def _beginning(year: int) -> int:
    return (datetime.datetime(year, 1, 1, tzinfo=datetime.UTC) - _EPOCH) // datetime.timedelta(microseconds=1)
