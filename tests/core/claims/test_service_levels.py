"""What an availability costs its seller: figures worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.core.claims import service_levels
from forebay.core.claims.service_levels import (
    Availability,
    Chronic,
    Credit,
    Crediting,
    Rung,
    ServiceLevel,
    ServiceUnit,
)
from forebay.core.units import DAY_US, MICROS, SECOND_US
from tests.core.plant import T0

#: 10 % below 99.9 %, 25 % below 99 %, all of it below 95 %.
LADDER = (Rung(999_000, 100_000), Rung(990_000, 250_000), Rung(950_000, 1_000_000))
FEE = 1_000 * MICROS


def level(**terms: Any) -> ServiceLevel:
    return ServiceLevel(**({"unit": ServiceUnit.RACK, "ladder": LADDER} | terms))


def months(*ppm: int) -> list[Availability]:
    return [Availability(each, 1_000_000) for each in ppm]


@pytest.mark.parametrize(
    ("up", "due", "credit"),
    [
        (1_000_000, 1_000_000, 0), (999_000, 1_000_000, 0),  # the step itself is kept
        (998_999, 1_000_000, 100), (998_700, 1_000_000, 100), (990_000, 1_000_000, 100),
        (989_999, 1_000_000, 250), (950_000, 1_000_000, 250), (949_999, 1_000_000, 1_000), (0, 1, 1_000),
        # A microsecond too little in 31 days of 1,000 racks: no rounding hides it.
        (999 * 31 * DAY_US, 1_000 * 31 * DAY_US, 0), (999 * 31 * DAY_US - 1, 1_000 * 31 * DAY_US, 100),
        (0, 0, 0),  # nothing was due
    ],
)  # fmt: skip
def test_the_lowest_step_counts_alone(up: int, due: int, credit: int) -> None:
    assert service_levels.credit(level(), Availability(up, due), FEE).micros == credit * MICROS


@pytest.mark.parametrize(
    ("terms", "fee", "given", "credit"),
    [
        ({}, 5, 0, Credit(100_000, 0, False)),  # 0.5 micro-units, half to even
        ({}, 15, 0, Credit(100_000, 2, False)),  # 1.5
        ({"cap_month_ppm": 100_000}, FEE, 0, Credit(100_000, 100 * MICROS, False)),
        ({"cap_month_ppm": 30_000}, FEE, 0, Credit(100_000, 30 * MICROS, True)),
        ({"cap_month_ppm": 30_000}, 50, 0, Credit(100_000, 2, True)),  # 1.5, half to even
        ({"cap_total_micros": 150 * MICROS}, FEE, 50 * MICROS, Credit(100_000, 100 * MICROS, False)),
        ({"cap_total_micros": 150 * MICROS}, FEE, 90 * MICROS, Credit(100_000, 60 * MICROS, True)),
        ({"cap_total_micros": 150 * MICROS}, FEE, 200 * MICROS, Credit(100_000, 0, True)),
        ({"ladder": ()}, FEE, 0, Credit(0, 0, False)),
    ],
)
def test_a_credit_is_rounded_once_and_capped(
    terms: dict[str, Any], fee: int, given: int, credit: Credit
) -> None:
    assert service_levels.credit(level(**terms), Availability(998_700, 1_000_000), fee, given) == credit


@pytest.mark.parametrize(
    ("crediting", "claimed_at", "granted"),
    [
        (Crediting.AUTOMATIC, 0, True), (Crediting.ON_CLAIM, 0, False), (Crediting.ON_CLAIM, T0 + 1, True),
        (Crediting.ON_CLAIM, T0 + 30 * DAY_US - SECOND_US, True), (Crediting.ON_CLAIM, T0 + 30 * DAY_US, False),
    ],
)  # fmt: skip
def test_a_credit_is_claimed_in_time(crediting: Crediting, claimed_at: int, granted: bool) -> None:
    promised = level(crediting=crediting, claim_s=30 * 86_400)
    assert service_levels.is_granted(promised, T0, claimed_at) is granted


def test_damages_for_what_was_not_available() -> None:
    # 32 GPUs for six hours are 8 GPU-days; and half a micro-unit is rounded to even.
    promised = level(damages_micros_per_gpu_day=5 * MICROS)
    assert service_levels.outage_damages_micros(promised, 32 * DAY_US // 4) == 40 * MICROS
    assert service_levels.outage_damages_micros(level(damages_micros_per_gpu_day=1), DAY_US // 2) == 0
    assert service_levels.outage_damages_micros(level(), DAY_US) == 0


@pytest.mark.parametrize(
    ("past", "chronic"),
    [
        ((), False), ((900_000,), False), ((900_000, 900_000), True), ((900_000, 999_000, 999_000, 900_000), True),
        # The first of five months is too long ago.
        ((900_000, 999_000, 999_000, 999_000, 900_000), False),
        ((980_000, 980_000), False),  # the availability itself is kept
        ((979_999, 979_999), True),
    ],
)  # fmt: skip
def test_failure_is_chronic_in_two_of_four_months(past: tuple[int, ...], chronic: bool) -> None:
    promised = level(chronic=Chronic(2, 4, 980_000))
    assert service_levels.is_chronic(promised, months(*past)) is chronic
    assert not service_levels.is_chronic(level(), months(*past))
