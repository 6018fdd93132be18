"""What is left of a tranche, by year and by month: it adds up to the whole, and was computed by hand."""

from __future__ import annotations

from dataclasses import replace

from forebay.core import claims
from forebay.core.units import HOUR_US, MICROS
from forebay.exports.obligations import MonthLeft, YearLeft, months_left, years_left
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


def test_three_years_with_a_ramp_and_a_step_by_month() -> None:
    """36 months from October 2027: 32 GPUs, 64 from 15 January 2028; 2.00, and 1.50 of which 80 % is due in any case
    from April 2029 on. By hand: October 2027 31 x 24 x 32 x 2.00 = 47 616; January 2028 (14 x 32 + 17 x 64) x 24 x
    2.00 = 73 728; April 2029 30 x 24 x 64 x 1.50 = 69 120, of it 55 296 in any case.
    """
    plan = replace(
        PLAN,
        end_at=plant.utc(2030, 10),
        deliveries=(claims.Delivery(PLAN.start_at, 1), claims.Delivery(plant.utc(2028, 1, 15), 1)),
        price_steps=(claims.PriceStep(plant.utc(2029, 4), 3 * MICROS // 2, None, 800_000),),
    )
    months = list(months_left(plan, 32, 0))
    told = {each.start: each for each in months}
    assert len(months) == len(told) == 36
    for start, hours, fee, least in (
        (plant.utc(2027, 10), 23_808, 47_616, 47_616),
        (plant.utc(2028, 1), 36_864, 73_728, 73_728),
        (plant.utc(2029, 4), 46_080, 69_120, 55_296),
    ):
        assert told[start] == MonthLeft(start, hours * HOUR_US, fee * MICROS, least * MICROS)
    years = list(years_left(plan, 32, 0))
    for mine, whole in zip(zip(*months, strict=True), zip(*years, strict=True), strict=True):
        if mine[0] != PLAN.start_at:
            assert sum(mine) == sum(whole)


def test_a_month_that_has_begun() -> None:
    first = next(months_left(PLAN, 32, plant.utc(2028, 2, 29)))
    assert first == MonthLeft(plant.utc(2028, 2), 1536 * HOUR_US, 3072 * MICROS, 3072 * MICROS)
