"""What would have to be otherwise: what is told was tried, and one GPU more would not do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from forebay.core.placements import relaxing, schedule
from forebay.core.placements.gang import Level
from forebay.core.placements.search import Misfit
from tests.core import plant


def told(gpus: int, **terms: Any) -> dict[str, int | str]:
    """By change, what is told of a gang that waits on two racks of which 24 and 20 GPUs are used."""
    driver = plant.plant()
    driver.run("a", 24, within=Level.RACK)
    driver.run("b", 20, within=Level.RACK)
    driver.submit("waits", gpus, **terms)
    desk, gang = driver.world._desk(driver.at), driver.gang("waits")
    misfit = schedule.find(desk, gang)
    assert isinstance(misfit, Misfit)
    found = relaxing.relaxed(desk, gang, misfit, True)
    for change in found:
        if change["change"] in ("gpus", "within"):
            spec = replace(gang.spec, **{change["change"]: change["value"], "near": Level.SITE})
            assert isinstance(schedule.find(desk, gang._replace(spec=spec)), schedule.Fit)
    return {change["change"]: change["value"] for change in found}


@pytest.mark.parametrize(
    ("gpus", "terms", "changes"),
    [
        (24, {}, {"nodes": 1, "gpus": 16}),
        (16, {"within": Level.RACK}, {"nodes": 1, "gpus": 8, "within": "hall"}),
        (16, {"within": Level.RACK, "near": Level.NODE}, {"nodes": 1, "gpus": 8, "within": "hall"}),
        (32, {"slice_gpus": 16}, {"slices": 2}),
        (40, {"slice_gpus": 8}, {"slices": 3, "gpus": 16}),
    ],
)
def test_changes(gpus: int, terms: dict[str, Any], changes: dict[str, int | str]) -> None:
    assert told(gpus, **terms) == changes
