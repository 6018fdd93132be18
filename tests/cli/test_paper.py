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
    ("gpu_us", "text"),
    [
        (0, "0 GPU-h"),
        (3_600_000_000, "1 GPU-h"),
        (76_680_000, "0.0213 GPU-h"),
        (3_600_000_000 * 12_400, "12,400 GPU-h"),
    ],
)
def test_gpu_hours(gpu_us: int, text: str) -> None:
    assert paper.gpu_hours(gpu_us) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (8, "8 s"), (125, "2 min 5 s"), (12_000, "3 h 20 min"), (352_800, "4 d 2 h")],
)
def test_spans(seconds: int, text: str) -> None:
    assert paper.span(seconds) == text


@pytest.mark.parametrize(
    ("minor", "currency", "digits", "text"),
    [(123_450, "USD", 2, "1,234.50 USD"), (-5, "USD", 2, "-0.05 USD"), (7, "JPY", 0, "7 JPY")],
)
def test_amounts(minor: int, currency: str, digits: int, text: str) -> None:
    assert paper.amount(minor, currency, digits) == text


def test_moments_state_their_zone() -> None:
    zone = paper.zone()
    assert paper.moment(1_795_334_400_000_000).endswith(zone)
    assert paper.moment("2026-11-22T08:00:00Z") == paper.moment(1_795_334_400_000_000)
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
