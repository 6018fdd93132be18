"""What if: work, and failures, on a lab whose gangs run for real; nothing is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import validate

from forebay.cli import outputs, what_if_work
from tests.cli.rig import Lab

GANG = """\
forebay: 1
kind: Gang
name: {name}
tenant: {tenant}
{by}
sku: gb300-nvl72
gpus: {gpus}
walltime: 10m
"""


def file(lab: Lab, **terms: Any) -> str:
    path = Path(lab.shell.home) / f"{terms['name']}.yaml"
    path.write_text(GANG.format(**terms), encoding="utf-8")
    return str(path)


def test_work_that_starts_at_once(lab: Lab) -> None:
    path = file(lab, name="now", tenant="acme", by="tranche: acme-t1\ntier: dedicated", gpus=2)
    told = lab.shell("what-if", "submit", path, "--json").json
    validate(told, outputs.OUTPUTS["what-if.work"])
    (gang,) = told["gangs"]
    assert (gang["gang"], gang["starts"] == told["at"], gang["price_per_hour"]) == ("acme.now", True, "")
    out = lab.shell("what-if", "submit", path).out
    assert "acme.now (2 GPUs) would start at once, at lab-1 on r01-n0" in out
    assert "nobody else would stop, or wait longer" in out
    assert lab.shell("explain", "acme.now").status == 1


def test_work_that_waits_and_whose_it_is(lab: Lab) -> None:
    path = file(lab, name="later", tenant="birch", by="tier: on_demand", gpus=8)
    out = lab.shell("what-if", "submit", path).out
    assert "birch.later (8 GPUs, at 32.00 USD an hour) would start by 20" in out
    assert "wholly free nodes" in out
    own = lab.as_tenant("birch", "what-if", "submit", path, "--json").json
    assert own["gangs"][0]["gang"] == "birch.later"
    assert "acme" not in str(own)
    assert lab.as_tenant("acme", "what-if", "submit", path).status == 5
    assert lab.as_tenant("birch", "what-if", "fail", "rack", "r01").status == 5


def test_a_failure(lab: Lab) -> None:
    told = lab.shell("what-if", "fail", "node", "r01-n01", "--json").json
    validate(told, outputs.OUTPUTS["what-if.work"])
    assert [each["reason"] for each in told["stopped"]] == ["node_failed"]
    out = lab.shell("what-if", "fail", "site", "lab-1", "--days", "1").out
    assert "not within 1 day" in out
    assert "acme-t1" in out
    assert lab.shell("explain", "acme.long").out.startswith("acme.long is running")


@pytest.mark.parametrize(
    ("asked", "status", "told"),
    [
        (("fail", "rack", "r99"), 1, "there is no rack r99"),
        (("fail", "node", "r01-n99"), 1, "there is no node r01-n99"),
        (("fail", "moon", "r01"), 2, "'moon' is not one of"),
        (("submit", "no-such.yaml"), 1, "no-such.yaml"),
    ],
)
def test_what_cannot_be_tried(asked: tuple[str, ...], status: int, told: str, lab: Lab) -> None:
    ran = lab.shell("what-if", *asked)
    assert told in ran.err
    assert ran.status >= status


def test_a_curtailment(lab: Lab) -> None:
    (feed,) = [level["name"] for level in lab.client.get("/v1/power")["sites"][0]["levels"]][:1]
    told = lab.shell("what-if", "curtail", feed, "--to", "1 kW", "--json")
    assert told.status == 0, told.err
    validate(told.json, outputs.OUTPUTS["what-if.work"])
    assert {each["reason"] for each in told.json["stopped"]} <= {"curtailed"}
    assert lab.shell("what-if", "curtail", "moon", "--to", "1 kW").status != 0


def test_everything_that_may_be_told() -> None:
    moved = {"gang": "b", "gpus": 4, "stops": "2026-01-01T00:00:00Z", "reason": "reclaim", "lost_gpu_s": 7200,
             "starts": None, "otherwise": "2026-01-01T00:00:00Z"}  # fmt: skip
    nodes = [f"r1-n0{number}" for number in range(1, 7)]
    gang = {"gang": "a", "gpus": 24, "starts": "2026-01-01T00:00:00Z", "site": "north", "nodes": nodes,
            "summary": "", "price_per_hour": ""}  # fmt: skip
    body = {"what": "a", "at": "2026-01-01T00:00:00Z", "until": "", "settled": False, "stopped": [moved],
            "gangs": [gang, gang | {"starts": None}], "delayed": [moved], "claims": []}  # fmt: skip
    text = what_if_work.tried_text(body, 7, color=False)
    assert "on r1-n01, r1-n02, r1-n03, r1-n04 and 2 more." in text
    assert "a (24 GPUs) would not start: not within 7 days." in text
    assert text.count("not within 7 days") == 3
