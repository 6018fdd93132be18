from __future__ import annotations

import operator
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


# Watts

KINDS = (units.ContractedPower, units.ConnectedPower, units.FacilityPower, units.ItPower)
kinds = st.sampled_from(KINDS)
watts = st.integers(-(10**15), 10**15)


@given(kinds, watts, watts, watts)
def test_watts_of_one_kind_add_like_numbers(kind: type[units.Power], a: int, b: int, c: int) -> None:
    one, two, three = kind(a), kind(b), kind(c)
    assert (one + two).watts == a + b
    assert (one - two).watts == a - b
    assert type(one + two) is type(one - two) is kind
    assert (one + two) + three == one + (two + three)
    assert one + two == two + one
    assert (one + two) - two == one
    assert (one < two, one <= two, one == two) == (a < b, a <= b, a == b)
    assert sorted([one, two, three]) == [kind(each) for each in sorted([a, b, c])]
    assert len({one, kind(a)}) == 1


@given(st.permutations(KINDS), watts, watts)
def test_watts_of_two_kinds_are_two_quantities(order: list[type[units.Power]], a: int, b: int) -> None:
    one, other = order[0](a), order[1](b)
    for sign in (operator.add, operator.sub):
        for left, right in ((one, other), (other, one)):
            with pytest.raises(TypeError, match="are different quantities"):
                sign(left, right)
    for compared in (operator.lt, operator.ge):
        with pytest.raises(TypeError):
            compared(one, other)
    assert one != order[1](a)


def test_a_type_checker_refuses_them_as_well() -> None:
    # An ignore that nothing needs is an error: so these are refused before anything runs.
    with pytest.raises(TypeError):
        units.ContractedPower(1) + units.ConnectedPower(1)  # type: ignore[operator]
    with pytest.raises(TypeError):
        units.FacilityPower(1) - units.ItPower(1)  # type: ignore[operator]
    with pytest.raises(TypeError):
        units.ItPower(1) + 1  # type: ignore[operator]
    with pytest.raises(TypeError):
        sum([units.ItPower(1)])  # type: ignore[list-item]


def test_watts_stay_as_they_are() -> None:
    with pytest.raises(AttributeError):
        units.ItPower(1).watts = 2  # type: ignore[misc]


@given(st.integers(0, 10**12), st.integers(1_000_000, 10_000_000))
def test_power_for_racks_is_rounded_down(facility_w: int, pue_ppm: int) -> None:
    power = units.it_power(units.FacilityPower(facility_w), pue_ppm)
    assert power == units.ItPower(int(Fraction(facility_w * 1_000_000, pue_ppm)))
    assert power.watts <= facility_w


def test_bytes_are_told_in_few_digits() -> None:
    told = [units.size_text(size) for size in (0, 999, 1000, 1_500_000, 40 * 10**12, 1_234_567 * 10**9)]
    assert told == ["0 B", "999 B", "1 kB", "1.5 MB", "40 TB", "1.234 PB"]
