"""`forebay readings`: files of readings brought in, once and again, and what became of them."""

from __future__ import annotations

import json
from pathlib import Path

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import Desk
from tests.server.rig import SITE

CSV = """\
id,source,type,subject,time,wh,watts
1,bmc,forebay.reading.energy.v1,r01-n01,2026-12-01T07:00:00Z,100,
2,bmc,forebay.reading.energy.v1,r01-n01,2026-12-01T07:30:00Z,350.5,
3,bmc,forebay.reading.power.v1,r01,2026-12-01T07:30:00Z,,12000
4,bmc,forebay.reading.energy.v1,r77,2026-12-01T07:30:00Z,1,
5,bmc,forebay.reading.energy.v1,r01-n01,2026-12-01T07:31:00Z,n/a,
"""


def furnish(desk: Desk) -> None:
    """A site with meters."""
    assert desk("apply", desk.file("lab.yaml", SITE)).status == 0


def test_a_table_is_brought_in_and_again(desk: Desk, tmp_path: Path) -> None:
    furnish(desk)
    assert "no readings came yet" in desk("readings", "show").err
    file = tmp_path / "meters.csv"
    file.write_text(CSV)
    ran = desk("readings", "import", str(file))
    assert ran.err == (
        f"{file}: 3 accepted, 0 duplicate, 2 refused\n"
        "  4: unknown_rack (subject): there is no node, rack or feed r77\n"
        "  5: bad_event (data.wh): Invalid decimal string\n"
    )
    ran = desk("readings", "import", str(file), "--json")
    validate(ran.json, outputs.OUTPUTS["readings.import"])
    again = ran.json
    assert (again["accepted"], again["duplicate"], again["refused"]) == (0, 3, 2)
    ran = desk("readings", "show", "--source", "bmc")
    validate(desk("readings", "show", "--json").json, outputs.OUTPUTS["readings"])
    assert ran.out.splitlines()[1].split() == ["bmc", "accepted", "3"]
    assert desk("readings", "show", "--source", "else", "--json").json["items"] == []


def test_events_one_a_line(desk: Desk, tmp_path: Path) -> None:
    furnish(desk)
    file = tmp_path / "events.jsonl"
    event = {
        "specversion": "1.0", "source": "bmc", "type": "forebay.reading.energy.v1", "subject": "nowhere",
        "time": "2026-12-01T07:00:00Z", "data": {"joules": 5},
    }  # fmt: skip
    lines = [json.dumps(event | {"id": str(n)}) for n in range(25)]
    file.write_text("\n".join(lines) + "\n\n")
    ran = desk("readings", "import", str(file))
    assert ran.err.splitlines()[-1] == "  and 5 more (--json lists all)"


def test_files_that_are_none(desk: Desk, tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    assert "cannot be read" in desk("readings", "import", str(file)).err
    file.write_text("id,time\n")
    assert "no column source, type, subject" in desk("readings", "import", str(file)).err
    file = tmp_path / "a.jsonl"
    file.write_text("{}\n{\n")
    assert "line 2 is not JSON" in desk("readings", "import", str(file)).err
