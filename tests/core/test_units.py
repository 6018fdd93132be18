from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.core import units

BIG = st.integers(-(10**30), 10**30)


@given(BIG, st.integers(1, 10**20))
def test_division_rounds_to_the_nearest_and_ties_to_even(numerator: int, denominator: int) -> None:
    # Python rounds a Fraction half to even.
    assert units.divide_half_even(numerator, denominator) == round(Fraction(numerator, denominator))


@pytest.mark.parametrize(
    ("numerator", "denominator", "rounded"),
    [(1, 2, 0), (3, 2, 2), (5, 2, 2), (-1, 2, 0), (-3, 2, -2), (7, 3, 2), (8, 3, 3), (-7, 3, -2), (0, 5, 0)],
)
def test_ties(numerator: int, denominator: int, rounded: int) -> None:
    assert units.divide_half_even(numerator, denominator) == rounded


@pytest.mark.parametrize(
    ("currency", "micros", "minor"),
    [
        ("USD", 1_005_000, 100),
        ("USD", 1_015_000, 102),
        ("USD", -1_005_001, -101),
        ("JPY", 1_500_000, 2),
        ("JPY", 2_500_000, 2),
        ("JPY", 2_500_001, 3),
        ("KWD", 1_000_500, 1000),
        ("KWD", 1_001_500, 1002),
        ("EUR", 0, 0),
    ],
)
def test_minor_units_of_currencies(currency: str, micros: int, minor: int) -> None:
    assert units.micros_to_minor(micros, currency) == minor


@given(st.integers(-(10**18), 10**18), st.sampled_from(sorted(units.MINOR_DIGITS)))
def test_minor_units_are_exact_in_micros(minor: int, currency: str) -> None:
    assert units.micros_to_minor(units.minor_to_micros(minor, currency), currency) == minor


def test_gpu_time_costs() -> None:
    assert units.gpu_time_cost_micros(8 * units.HOUR_US, 2_500_000) == 20_000_000
    assert units.gpu_time_cost_micros(1, units.MICROS) == 0
    assert units.gpu_time_cost_micros(units.HOUR_US // 2 + 1, 1) == 1


@pytest.mark.parametrize(
    ("micros", "text"),
    [
        (0, "0.00"),
        (2_500_000, "2.50"),
        (-2_500_000, "-2.50"),
        (1_234_567, "1.234567"),
        (-1, "-0.000001"),
        (123_000_000, "123.00"),
    ],
)
def test_decimals_for_people(micros: int, text: str) -> None:
    assert units.decimal_text(micros) == text


def test_a_number_goes_with_its_noun() -> None:
    assert [units.counted(number, "GPU") for number in (0, 1, 8)] == ["0 GPUs", "1 GPU", "8 GPUs"]
