"""Power is shown, curtailed and comes back, as a user sees it."""

from jsonschema import validate

from forebay.cli import outputs, power_story
from tests.cli.rig import Lab

FEED = {"carrier": "feed", "name": "a"}


def test_power_is_curtailed_and_comes_back(lab: Lab) -> None:
    shown = lab.shell("power").out
    assert shown.splitlines()[2].startswith("feed main   1 MW       1 MW  26.4 kW")
    ran = lab.shell("curtail", "main", "--to", "5 kW", "--reason", "heat wave", "--id", "heat", "--json")
    validate(ran.json, outputs.OUTPUTS["curtail"])
    body = lab.shell("power", "--json").json
    validate(body, outputs.OUTPUTS["power"])
    assert [each["curtailment"] for each in body["sheddings"]] == ["heat"]
    shown = lab.shell("power", "lab-1").out
    assert "SHEDDING  feed main: " in shown
    assert "heat wave" in shown
    listed = lab.shell("curtailments")
    assert listed.out.splitlines()[1].split()[:4] == ["heat", "feed", "main", "5"]
    validate(lab.shell("curtailments", "--json").json, outputs.OUTPUTS["curtailments"])
    told = lab.shell("explain", "acme.long").out
    assert "It was shed under curtailment heat of feed main, heat wave: claims go last" in told
    ended = lab.shell("curtail", "end", "heat", "--json")
    validate(ended.json, outputs.OUTPUTS["curtail.end"])
    assert lab.shell("curtailments").err == "nothing is curtailed\n"


def test_a_planned_curtailment_and_its_end(lab: Lab) -> None:
    said = lab.shell(
        "curtail", "main", "--less", "1 kW", "--from", "2099-01-01T00:00:00Z", "--until", "2099-01-02T00:00:00Z",
        "--id", "grid",
    ).err  # fmt: skip
    assert said == "curtailment grid: main from 2099-01-01T00:00:00Z, shed from 2098-12-31T23:55:00Z on\n"
    row = lab.shell("curtailments").out.splitlines()[1]
    assert "1 kW less" in row
    assert "sheds 2098-12-31T23:55:00Z" in row
    assert lab.shell("curtail", "end", "grid").err == "curtailment grid is over: what was shed comes back\n"


def test_what_cannot_be_curtailed(lab: Lab) -> None:
    for words, status, told in (
        (("nowhere", "--to", "1 kW"), 1, "there is no feed nowhere"),
        (("cdu", "--loop", "--to", "1 kW"), 1, "there is no loop cdu (liquid)"),
        (("cdu", "--air", "--to", "1 kW"), 1, "there is no loop cdu (air)"),
        (("main",), 1, "a curtailment says either how many watts are left, or how many are taken off"),
        (("main", "--to", "2 MW"), 1, "feed main carries 1000000 W at the most as it is"),
        (("main", "x", "--to", "1 kW"), 2, "unexpected argument x"),
        (("main", "--to", "1 parsec"), 1, "'1 parsec' is not power"),
        (("main", "--to", "1 kW", "--reason", "x" * 501), 1, "a reason has at most 500 characters"),
        (("end", "none"), 1, "there is no curtailment none"),
    ):
        ran = lab.shell("curtail", *words)
        assert (ran.status, told in ran.err) == (status, True), ran.err
    assert lab.shell("power", "nowhere").status == 1
    assert lab.as_tenant("acme", "power").status == 5


def test_what_happened_is_told_in_sentences() -> None:
    level = {"carrier": "liquid", "name": "cdu"}
    at = 1_767_225_600_000_000
    for kind, body, told in (
        (
            "LoopAdded", {"site": "fjord", "loop": "cdu", "liquid_w": 400_000, "air_w": 60_000},
            "fjord: loop cdu takes 400 kW of heat into liquid, 60 kW into air",
        ),
        (
            "PowerCurtailed",
            level | {"most_w": 3_000, "less_w": 0, "start_at": at, "end_at": at + 10**9, "reason": ""},
            "loop cdu (liquid) is to carry 3 kW at the most from 2026-01-01T00:00:00Z until 2026-01-01T00:16:40Z",
        ),
        (
            "PowerCurtailed",
            FEED | {"most_w": -1, "less_w": 1_000, "start_at": at, "end_at": 10**18, "reason": "dry"},
            "feed a is to carry 1 kW less from 2026-01-01T00:00:00Z (dry)",
        ),
        ("CurtailmentBegan", {"curtailment": "heat"}, "curtailment heat begins: nothing more is placed against it"),
        (
            "CurtailmentEnded", {"curtailment": "heat", "lifted": True},
            "curtailment heat is lifted: what was shed comes back",
        ),
        (
            "SheddingOpened", level | {"excess_w": 2_000, "deadline_at": at},
            "loop cdu (liquid) carries 2 kW too much: that is to be gone by 2026-01-01T00:00:00Z",
        ),
        (
            "SheddingOverdue", level | {"excess_w": 2_000},
            "loop cdu (liquid) still carries 2 kW too much, and was to be down by now",
        ),
        ("SheddingClosed", level, "loop cdu (liquid) carries no more than it may"),
        (
            "GangShed", {"gang": "g1", "for_gang": "", "grace_s": 54},
            "g1 gives up its power: it has 54s to save its work",
        ),
    ):  # fmt: skip
        assert power_story.POWER_SENTENCES[kind](body) == [told]
