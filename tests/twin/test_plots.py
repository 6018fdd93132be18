"""A picture is text: axes with round numbers, a step a slice, what a reader points at in words."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from forebay.twin import plots


@pytest.mark.parametrize(
    ("amount", "top"),
    [(1, 1), (0.3, 0.32), (7, 8), (9.5, 10), (11, 12), (2030, 2400), (100, 100), (1e-9, 1e-9)],
)
def test_axes_end_at_round_numbers(amount: float, top: float) -> None:
    assert plots.nice(amount) == pytest.approx(top)


@pytest.mark.parametrize(
    ("amount", "text"), [(0, "0"), (2.5, "2.5"), (0.125, "0.125"), (1234, "1,234"), (12.7, "13"), (3, "3")]
)
def test_numbers_on_an_axis(amount: float, text: str) -> None:
    assert plots.number_told(amount) == text


def test_a_figure_is_well_formed_and_steps_from_slice_to_slice() -> None:
    text = plots.figure("A < B", "jobs", 43_200, [1, 4, 2], 3, "limit & more", "a note")
    root = ElementTree.fromstring(text)
    assert root.find("p") is not None
    titles = [title.text for title in root.iter("title")]
    assert titles == ["start: 1 jobs", "12:00: 4 jobs", "day 1: 2 jobs"]
    assert 'class="most"' in text
    assert text.count("H") == 3 + 3 + 1


def test_a_figure_of_nothing() -> None:
    text = plots.figure("None", "jobs", 60, [])
    ElementTree.fromstring(text)
    assert "path" not in text
