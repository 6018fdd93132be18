"""What is to come, and news of it: what moves, and who goes short by it."""

import pytest
from jsonschema import validate

from forebay.cli import outputs
from forebay.cli.schedule import report_text, schedule_text
from tests.cli.desk import Desk, golden


def test_schedules_for_people_and_programs(desk: Desk) -> None:
    golden("schedule", desk("schedule").out)
    told = desk("schedule", "mesa", "--json").json
    validate(told, outputs.OUTPUTS["schedule"])
    assert [each["site"] for each in told["items"]] == ["mesa"]
    ran = desk("schedule", "moon")
    assert (ran.status, ran.err) == (1, "forebay: there is no schedule of a site moon\n")
    assert desk("schedule", by="birch").status == 5


def test_a_slip_and_who_goes_short(desk: Desk) -> None:
    before = desk.seq()
    tried = desk("slip", "grid", "--by", "120", "--dry-run")
    assert "would go short" in tried.out
    assert desk.seq() == before
    told = desk("slip", "grid", "--site", "fjord", "--by", "120", "--reason", "late").out
    golden("slip", told)
    assert desk.seq() > before
    again = desk("slip", "grid", "--to", "2027-08-29")
    assert again.out == "fjord, grid: 2027-08-29, as is known already; nothing changes\n"
    worse = desk("slip", "grid", "--by", "10d", "--json").json
    validate(worse, outputs.OUTPUTS["slip"])
    assert [block["days"] for block in worse["moved"]] == [10]
    golden("slip_sooner", desk("slip", "grid", "--to", "2027-06-01").out)


def test_a_milestone_is_reached(desk: Desk) -> None:
    assert desk("slip", "grid", "--by", "120").status == 0
    ran = desk("reached", "grid", "--at", "2026-11-30", "--evidence", "energised", "--dry-run")
    assert "2027-08-29 -> 2026-11-30; a dry run, nothing is recorded" in ran.out
    told = desk("reached", "grid", "--json").json
    validate(told, outputs.OUTPUTS["reached"])
    assert told["after"] == "2026-12-01T08:00:00Z"
    assert [(change["before"]["tranche"], change["after"]) for change in told["risks"]] == [
        ("acme-fjord", None),
        ("birch-fjord", None),
    ]
    ran = desk("reached", "acceptance", "--at", "2026-11-30")
    assert (ran.status, ran.err) == (4, "forebay: milestone acceptance waits for racks, which is not done\n")
    ran = desk("reached", "racks", "--at", "2027-01-01")
    assert (ran.status, "a fact cannot take effect after it is reported" in ran.err) == (1, True)


MISTAKES = [
    (["slip", "grid"], 2, "say one of --to DATE and --by DAYS"),
    (["slip", "grid", "--by", "5", "--to", "2027-05-01"], 2, "say one of --to DATE and --by DAYS"),
    (["slip", "grid", "--by", "999999999"], 2, "--by: 999999999 is too far"),
    (["slip", "grid", "--by", "soon"], 2, "--by: 'soon' is not a number of days, such as 60 or -10"),
    (["slip", "grid", "--to", "soon"], 1, "forecast_at: 'soon' is not a time"),
    (["slip", "gird", "--by", "5"], 1, "Known are: acceptance, first-hall, grid, permit, plant, racks."),
    (["slip", "permit", "--by", "5", "--site", "fjord"], 1, "there is no milestone permit at fjord"),
    (["slip", "first-hall", "--by", "5"], 4, "milestone first-hall is reached already"),
]


def test_mistakes_say_what_would_be_right(desk: Desk) -> None:
    for arguments, status, told in MISTAKES:
        ran = desk(*arguments)
        assert ran.status == status, ran.err
        assert told in ran.err
    text = "forebay: 1\nkind: Schedule\nsite: mesa\nzone: UTC\nblocks: []\n"
    text += "milestones: [{id: grid, planned: 2027-01-01}]\n"
    assert desk("apply", desk.file("more.yaml", text)).status == 0
    ran = desk("slip", "grid", "--by", "5")
    assert (ran.status, "grid is a milestone of fjord, mesa: say which with --site" in ran.err) == (2, True)


def test_what_has_no_date_is_told_so(desk: Desk) -> None:
    # Nobody said anything of the first milestone until its day came.
    desk.rig.pass_time(64 * 86400 * 1_000_000)
    assert "permit     2027-02-01                     no date  no date" in desk("schedule", "mesa").out
    ran = desk("slip", "permit", "--by", "5")
    assert (ran.status, "permit has no date to count from: say --to DATE" in ran.err) == (2, True)
    told = desk("slip", "permit", "--to", "2027-06-01").out
    assert "mesa, permit: no date -> 2027-06-01" in told
    assert "mesa-b1  duo    100   800  no date  2028-05-31" in told


@pytest.mark.parametrize(
    ("current", "told"), [(True, "P50 and P90: forecast by"), (False, "are provisional: the forecast")]
)
def test_a_forecast_is_told(current: bool, told: str) -> None:
    forecast = {"source": "delays 1", "graph": 3, "scenarios": 5000, "current": current}
    body = {"site": "s", "title": "", "forecast": forecast, "milestones": [], "blocks": [], "power": []}
    assert f"{told} " in schedule_text(body, False)
    assert "delays 1 from 5,000 scenarios" in schedule_text(body, True).replace("\n  ", " ")


def test_a_report_that_was_recorded_before() -> None:
    body = {"site": "s", "milestone": "m", "before": None, "after": "2027-01-01T00:00:00Z", "repeated": True}
    assert report_text(body, False).startswith("s, m: recorded already, 2027-01-01; `forebay shortfall`")
