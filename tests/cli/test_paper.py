"""How things are printed for people."""

import pytest

from forebay.cli import paper


@pytest.mark.parametrize(
    ("power_w", "text"),
    [
        (0, "0 W"),
        (999, "999 W"),
        (13_200, "13.2 kW"),
        (132_000, "132 kW"),
        (1_200_000, "1.2 MW"),
        (5 * 10**9, "5 GW"),
    ],
)
def test_power(power_w: int, text: str) -> None:
    assert paper.power(power_w) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (8, "8s"),
        (120, "2m"),
        (125, "2m05s"),
        (3725, "1h02m"),
        (12_000, "3h20m"),
        (352_800, "4d02h"),
    ],
)
def test_spans(seconds: int, text: str) -> None:
    assert paper.span(seconds) == text


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [
        (123_450, "USD", "1,234.50 USD"),
        (-5, "USD", "-0.05 USD"),
        (7, "JPY", "7 JPY"),
        (7, "KWD", "0.007 KWD"),
    ],
)
def test_amounts(minor: int, currency: str, text: str) -> None:
    assert paper.amount(minor, currency) == text


def money(*amounts: str) -> list[dict[str, str]]:
    return [dict(zip(("amount", "currency"), each.split(), strict=True)) for each in amounts]


#: a column as the server gives it, as it is printed
HOURS = [
    (["720.00", "0.5", "1.234567", ""], ["720.00", "0.50", "1.23", ""]),
    (["12.345", "0.0008", "0.00"], ["12.345000", "0.000800", "0.000000"]),
    (["0.005", "0.015"], ["0.005000", "0.015000"]),
    ([], []),
]
CHARGES = [
    (["12.345678 USD", "-0.50 USD"], ["12.35 USD", "-0.50 USD"]),
    (["12.00 JPY", "1.00 KWD"], ["12 JPY", "1.000 KWD"]),
    (["0.003226 USD", "0.02 USD"], ["0.003226 USD", "0.020000 USD"]),
]


@pytest.mark.parametrize(("given", "told"), HOURS)
def test_hours_have_as_many_places_in_a_column(given: list[str], told: list[str]) -> None:
    assert paper.gpu_hours(given) == told


@pytest.mark.parametrize(("given", "told"), CHARGES)
def test_money_has_the_places_of_its_currency(given: list[str], told: list[str]) -> None:
    assert paper.charges(money(*given)) == told


def test_nothing_is_nothing_and_prices_keep_their_digits() -> None:
    assert paper.charges([None, *money("1.00 USD")]) == ["", "1.00 USD"]
    assert paper.prices(["2.35", "", "0.123456"]) == ["2.350000", "", "0.123456"]


def test_moments_are_in_utc() -> None:
    assert paper.moment(1_795_334_400_000_000) == "2026-11-22T08:00:00Z"
    assert paper.moment("2026-11-22T10:00:00.123+02:00") == "2026-11-22T08:00:00Z"
    assert paper.moment(None) == ""
    assert paper.moment("soon") == "soon"


def test_tables_are_aligned_and_end_with_their_text() -> None:
    text = paper.table(("NAME", "N"), [("a", 1), ("long", 100), ("", "")], right=" r")
    assert text == "NAME    N\na       1\nlong  100\n"
    coloured = paper.table(("NAME", "STATE"), [("a", "running")], color=True)
    assert "\x1b[32mrunning" in coloured


def test_long_sentences_are_wrapped_with_their_indent() -> None:
    lines = paper.wrapped("  " + "word " * 40)
    assert len(lines) > 1
    assert lines[0].startswith("  word")
    assert all(line.startswith("    word") for line in lines[1:])
