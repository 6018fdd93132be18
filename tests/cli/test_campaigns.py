"""Maintenance as a user plans, watches and stops it; and as a tenant answers it."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

from jsonschema import validate

from forebay.cli import campaign_story, outputs
from forebay.core.placements import campaigns
from tests.cli.rig import Lab

FIRMWARE = """\
forebay: 1
kind: Campaign
id: fw
work: firmware 24.9
parts: [{kind: site, id: lab-1}]
start: 2099-01-01T00:00:00Z
end: 2099-01-02T00:00:00Z
takes: 1h
unit: node
at_once: 2
"""


def test_a_campaign_from_its_plan_to_its_end(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "firmware.yaml"
    file.write_text(FIRMWARE)
    assert lab.shell("campaigns").err == "there is no maintenance campaign\n"
    told = lab.shell("campaign", "plan", str(file)).out.splitlines()
    assert told == [
        "campaign fw: 4 nodes in 2 waves, 2099-01-01T00:00:00Z to 2099-01-01T02:00:00Z", "no claim is hit",
    ]  # fmt: skip
    validate(lab.shell("campaign", "plan", str(file), "--json").json, outputs.OUTPUTS["campaign.plan"])
    assert lab.shell("apply", str(file)).out == "Campaign fw: applied\n"
    again = lab.shell("campaign", "plan", str(file)).out
    assert again == "campaign fw is in force already: `forebay campaign show fw`\n"
    row = lab.shell("campaigns").out.splitlines()[1].split()
    assert row == ["fw", "firmware", "24.9", "running", "0/2", "0", "2099-01-01T00:00:00Z"]
    validate(lab.shell("campaigns", "--json").json, outputs.OUTPUTS["campaigns"])
    shown = lab.shell("campaign", "show", "fw").out
    assert "0 begun, 2 to come" in shown
    assert "2099-01-01T00:00:00Z" in shown
    validate(lab.shell("campaign", "show", "fw", "--json").json, outputs.OUTPUTS["campaign.show"])
    for verb, said in (
        ("pause", "campaign fw is paused: no further wave begins\n"),
        ("resume", "campaign fw goes on\n"),
        ("cancel", "campaign fw is cancelled: what is worked on is brought back\n"),
    ):
        assert lab.shell("campaign", verb, "fw").err == said
    shown = lab.shell("campaign", "show", "fw").out
    assert "over (cancelled)" in shown
    assert "left out" in shown
    assert lab.shell("campaign", "pause", "fw").status == 4
    assert lab.shell("campaign", "show", "none").status == 1


def test_a_claim_is_told_asked_and_warned_of(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "firmware.yaml"
    soon = lab.shell("campaign", "plan", str(file))
    assert (soon.status, "there is no file or folder" in soon.err) == (1, True)
    begins = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=5)
    dates = {
        "2099-01-01": f"{begins:%Y-%m-%d}",
        "2099-01-02": f"{begins + datetime.timedelta(days=1):%Y-%m-%d}",
    }
    text = FIRMWARE.replace("id: fw", "id: nic")
    for was, now in dates.items():
        text = text.replace(was, now)
    file.write_text(text)
    told = lab.shell("campaign", "plan", str(file)).out
    assert "acme-t1" in told
    assert "none agreed" in told
    assert lab.shell("apply", str(file)).status == 0
    assert lab.as_tenant("acme", "campaign", "refuse", "nic", "acme-t1", "--reason", "release").err == (
        "campaign nic leaves acme-t1 out\n"
    )
    assert (
        lab.as_tenant("acme", "campaign", "consent", "nic", "acme-t1").err
        == "campaign nic may touch acme-t1\n"
    )
    again = lab.shell("campaign", "consent", "nic", "acme-t1", "--json")
    validate(again.json, outputs.OUTPUTS["campaign.consent"])
    assert lab.shell("campaign", "consent", "nic", "acme-t1").err == "campaign nic: it was so already\n"
    assert lab.as_tenant("acme", "campaign", "cancel", "nic").status == 5
    shown = lab.as_tenant("acme", "campaign", "show", "nic").out
    assert "given" in shown


def test_what_is_no_campaign_has_no_plan(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "calendar.yaml"
    file.write_text(
        "forebay: 1\nkind: BusinessCalendar\nid: d\nzone: UTC\ncloses: '17:00'\nuntil: 2030-12-31\n"
    )
    assert lab.shell("campaign", "plan", str(file)).status == 2


def test_every_event_of_a_campaign_has_its_sentence() -> None:
    silent = {"MaintenanceBegan", "MaintenanceEnded"}
    kinds = {kind.__name__ for kind in campaigns.EVENTS}
    assert set(campaign_story.CAMPAIGN_SENTENCES) == kinds - silent
    bodies: dict[str, dict[str, Any]] = {
        "CampaignPlanned": {"plan": {"id": "fw", "work": "firmware", "start_at": 0}, "waves": [[[0, 4]]]},
        "NoticeSent": {"tenant": "acme", "campaign": "fw", "tranche": "t1", "start_at": 0},
        "ConsentAnswered": {"tranche": "t1", "given": False, "campaign": "fw"},
        "WaveStarted": {"campaign": "fw", "wave": 1, "nodes": [[0, 4]], "left": [[4, 1]]},
        "MaintenanceFailed": {"campaign": "fw", "reason": "link down"},
        "WaveSlipped": {"campaign": "fw", "wave": 1, "nodes": [[0, 1]]},
        "WaveEnded": {"campaign": "fw", "wave": 1},
        "CampaignPaused": {"campaign": "fw", "reason": "storm"},
        "CampaignResumed": {"campaign": "fw"},
        "CampaignCancelled": {"campaign": "fw", "reason": ""},
        "CampaignEnded": {"campaign": "fw", "outcome": "no_time_left", "left": [[4, 4]]},
    }
    told = [
        sentence
        for kind, body in bodies.items()
        for sentence in campaign_story.CAMPAIGN_SENTENCES[kind](body)
    ]
    assert told == [
        "campaign fw: firmware, 1 wave from 1970-01-01T00:00:00Z on",
        "acme is told of campaign fw on t1 from 1970-01-01T00:00:00Z on",
        "t1 does not consent to campaign fw",
        "campaign fw: wave 1 begins, 4 nodes; 1 node left out for want of consent",
        "campaign fw: a node does not come back (link down)",
        "campaign fw: wave 1 takes longer, 1 node to go",
        "campaign fw: wave 1 is over",
        "campaign fw is paused (storm)",
        "campaign fw goes on",
        "campaign fw is cancelled",
        "campaign fw is over: no time left, 4 nodes not touched",
    ]
