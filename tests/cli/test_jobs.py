"""Gangs are listed and cancelled."""

import re

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.rig import SLEEP, Lab


def test_the_list(lab: Lab) -> None:
    ran = lab.shell("jobs")
    assert ran.out.splitlines()[0].split() == ["GANG", "PHASE", "BY", "GPUS", "NODES", "SINCE", "WHY"]
    assert re.search(r"^acme\.long +running +tranche +4  r01-n01  \d{4}-", ran.out, re.MULTILINE)
    assert {each["id"] for each in lab.shell("jobs", "--phase", "pending", "--json").json["items"]} == {
        "birch.large"
    }
    assert len(lab.shell("jobs", "--limit", "1", "--json").json["items"]) == 1
    assert "no gangs are stopping" in lab.shell("jobs", "--phase", "stopping").err


def test_cancelling(lab: Lab) -> None:
    lab.submit("acme", "brief", "acme-t1", 1, SLEEP)
    lab.wait("acme.brief", "running")
    ran = lab.shell("cancel", "acme.brief", "acme.nobody", "--json")
    assert ran.status == 1
    validate(ran.json, outputs.OUTPUTS["cancel"])
    assert ran.json["items"] == [{"gang": "acme.brief", "phase": "stopping"}]
    assert "there is no gang acme.nobody" in ran.err
    lab.wait("acme.brief", "ended")
    again = lab.shell("cancel", "acme.brief")
    assert again.status == 4
    assert "has ended (cancelled)" in again.err
