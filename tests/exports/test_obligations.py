"""What is left of a tranche, year by year: it adds up to the whole, and was computed by hand."""

from __future__ import annotations

from dataclasses import replace

from forebay.core import claims
from forebay.core.units import HOUR_US, MICROS
from forebay.exports.obligations import YearLeft, years_left
from tests.core import plant

#: Two racks of 32 GPUs from October 2027 until April 2029 at 2.00.
PLAN = replace(
    plant.tranche("t1", 2, start_at=plant.utc(2027, 10), end_at=plant.utc(2029, 4)),
    price_micros_per_gpu_hour=2 * MICROS,
)


def test_by_calendar_year() -> None:
    """92 days of 2027, all 366 of 2028, 90 of 2029: 64 GPUs, 24 hours, 2.00."""
    told = list(years_left(PLAN, 32, 0))
    assert [(each.year, each.gpu_us // HOUR_US, each.fee_micros // MICROS) for each in told] == [
        (2027, 141_312, 282_624), (2028, 562_176, 1_124_352), (2029, 138_240, 276_480),
    ]  # fmt: skip
    assert all(each.fee_micros == each.least_micros for each in told)


def test_what_has_passed_is_not_left() -> None:
    told = list(years_left(PLAN, 32, plant.utc(2028, 12, 31)))
    assert [(each.year, each.gpu_us // HOUR_US) for each in told] == [(2028, 1536), (2029, 138_240)]
    assert list(years_left(PLAN, 32, plant.utc(2029, 4))) == []


def test_steps_deliveries_and_the_least_that_is_paid() -> None:
    """One rack at once, one from 2028; 3.00 from July 2028 on, of which 80 % is due in any case."""
    plan = replace(
        PLAN,
        deliveries=(claims.Delivery(PLAN.start_at, 1), claims.Delivery(plant.utc(2028), 1)),
        price_steps=(claims.PriceStep(plant.utc(2028, 7), 3 * MICROS, None, 800_000),),
    )
    first, second, third = years_left(plan, 32, 0)
    assert first == YearLeft(2027, 92 * 24 * 32 * HOUR_US, 92 * 24 * 64 * MICROS, 92 * 24 * 64 * MICROS)
    until_july, after = 182 * 24 * 64, 184 * 24 * 64
    assert second.fee_micros == (until_july * 2 + after * 3) * MICROS
    assert second.least_micros == (until_july * 2 * 10 + after * 24) * MICROS // 10
    assert third.least_micros * 10 == third.fee_micros * 8
