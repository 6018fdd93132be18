"""Learned run times, as they are printed."""

from __future__ import annotations

import pytest

from forebay.cli import estimates, outputs
from tests.cli.desk import golden
from tests.cli.rig import Lab

BODY = {
    "tenant": "acme",
    "run_times": [
        {"user": "", "gpus_from": 0, "gpus_to": 0, "ends": 13, "p50_s": 112, "p90_s": 5120, "tells": True},
        {"user": "", "gpus_from": 1, "gpus_to": 1, "ends": 1, "p50_s": 10, "p90_s": 10, "tells": False},
        {"user": "u1", "gpus_from": 8, "gpus_to": 15, "ends": 12, "p50_s": 96, "p90_s": 1024, "tells": True},
    ],
    "error": {"judged": 3, "longer": 1, "longer_s": 6976, "sooner_s": 200},
}


def test_a_tenant_as_it_is_printed() -> None:
    golden("estimates", estimates._told(BODY, 10, False) + "\n")


@pytest.mark.parametrize(
    ("judged", "longer", "told"),
    [
        (0, 0, "no gang with an estimate has ended yet"),
        (2, 2, "of 2 gangs with an estimate 2 ran longer, by 30s on average"),
        (2, 0, "of 2 gangs with an estimate 0 ran longer; 2 ended sooner, by 50s on average"),
    ],
)
def test_how_wrong_they_were(judged: int, longer: int, told: str) -> None:
    error = {"judged": judged, "longer": longer, "longer_s": 30 * longer, "sooner_s": 50 * (judged - longer)}
    assert estimates._error(error) == told


def test_the_command_where_nothing_is_learned(lab: Lab) -> None:
    ran = lab.shell("estimates")
    assert (ran.status, ran.out) == (0, "")
    assert "nothing was learned yet" in ran.err
    assert lab.shell("estimates", "acme", "--json").json["items"] == []
    assert "estimates" in outputs.OUTPUTS
