"""Goodput as people read it."""

from __future__ import annotations

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import Desk
from tests.server.rig import HOUR, PRICES, SITE, contract, gang


def test_what_became_of_what_was_held(desk: Desk) -> None:
    """4 GPUs for 5 h: all of it at risk until it is cancelled, and lost then."""
    assert (
        desk(
            "apply", desk.file("lab.yaml", "---\n".join((SITE, PRICES, contract("cedar", "cedar-t1"))))
        ).status
        == 0
    )
    assert "no gang of a tranche has held anything yet" in desk("goodput").err
    own = gang("cedar", "train", tier="dedicated", tranche="cedar-t1")
    assert desk.rig.operator.post("/v1/gangs", json=own).status_code == 201
    desk.rig.pass_time(5 * HOUR)
    told = desk("goodput", "cedar.train", "--json")
    validate(told.json, outputs.OUTPUTS["goodput"])
    (item,) = told.json["items"]
    assert item["held_gpu_us"] == item["at_risk_gpu_us"] + item["starting_gpu_us"] > 0
    assert (item["goodput_percent"], item["ettr_percent"], item["mtbf_hours"]) == ("0.00", "0.00", None)
    checked = desk.rig.operator.post("/v1/gangs/cedar.train/checkpoint", json={})
    assert checked.status_code == 200, checked.text
    (item,) = desk("goodput", "--tranche", "cedar-t1", "--json").json["items"]
    assert item["at_risk_gpu_us"] == 0
    assert item["productive_gpu_us"] > 0
    desk.rig.pass_time(HOUR)
    assert desk.rig.operator.post("/v1/gangs/cedar.train/cancel", json={}).status_code < 300
    desk.rig.pass_time(HOUR)
    shown = desk("goodput").out
    assert "cedar-t1" in shown
    assert "own 4.0" in shown
    assert desk("goodput", "cedar.nothing").status != 0
    assert desk("goodput", "--tranche", "elder-t1").status != 0
