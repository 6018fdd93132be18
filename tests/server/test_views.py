"""What a World knows, as bodies."""

from __future__ import annotations

from forebay.server import amounts, views
from tests.core.placements.test_likely import TEN, taught
from tests.core.plant import OPERATOR


def test_an_explanation_tells_instants_as_text() -> None:
    driver = taught(*TEN)
    driver.run("full", 64, walltime_s=86_400)
    driver.submit("waits", 8)
    told = views.gang_explanation(driver.world, OPERATOR, "waits")
    assert told is not None
    expected = told["expected"]
    assert expected["by"] == "learned"
    assert expected["p50"] is not None
    assert expected["p50"].endswith("Z")
    assert told["expected_start"] is not None
    assert expected["p50"] < told["expected_start"]


def test_a_place_is_told_as_of_an_instant() -> None:
    driver = taught(*TEN)
    driver.run("runs", 8)
    told = views.gang_explanation(driver.world, OPERATOR, "runs")
    assert told is not None
    assert told["why_there"]["as_of"] == amounts.when(driver.world.now)
