"""Gangs are listed and cancelled."""

import re

import pytest
from jsonschema import validate

from forebay.cli import jobs, outputs
from tests.cli.rig import SLEEP, Lab


def test_the_list(lab: Lab) -> None:
    ran = lab.shell("jobs")
    assert ran.out.splitlines()[0].split() == ["GANG", "PHASE", "BY", "GPUS", "NODES", "SINCE", "WHY"]
    assert re.search(
        r"^acme\.long +running +tranche +4  r01-n01  \d{4}-\d\d-\d\dT[0-9:]+Z$", ran.out, re.MULTILINE
    )
    assert re.search(r"^birch\.large .*Z  needs 2 whole nodes, 1 free$", ran.out, re.MULTILINE)
    assert {each["id"] for each in lab.shell("jobs", "--phase", "pending", "--json").json["items"]} == {
        "birch.large"
    }
    assert len(lab.shell("jobs", "--limit", "1", "--json").json["items"]) == 1
    assert "no gangs are stopping" in lab.shell("jobs", "--phase", "stopping").err


#: what the server says that a gang waits for, what is printed
WAITS = [
    (("turnover", "", 0, 0), "its nodes are being wiped"),
    (("backoff", "", 0, 0), "a pause after its failure"),
    (("claim", "acme-t1", 0, 4), "the term of tranche acme-t1 begins"),
    (("queue", "", 0, 0), "older work comes first"),
    (("nodes", "", 0, 1), "needs 1 whole node, 0 free"),
    (("gpus", "", 1, 2), "needs 2 GPUs on one node, 1 free"),
    (("power", "main", 1200, 6600), "power of main: needs 6.6 kW, 1.2 kW left"),
    (("power", "", 0, 6600), "power: needs 6.6 kW, 0 W left"),
    (("cap", "lab", 4, 8), "the cap of lab: 4 left of it, needs 8"),
    (("cap", "lab", 8, 8), "others before it, by the cap of lab"),
    (("budget", "lab", 0, 0), "the budget of lab: it is spent"),
    (("new_kind", "", 0, 0), "new kind"),
]


@pytest.mark.parametrize(("binds", "why"), WAITS)
def test_why_a_gang_waits(binds: tuple[str, str, int, int], why: str) -> None:
    constraint = dict(zip(("code", "level", "have", "need"), binds, strict=True))
    assert jobs.why({"waits_for": constraint, "reason": "reclaim"}) == why


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
