"""The status at a glance."""

import re

from tests.cli.rig import Lab


def test_an_operator_sees_everything(lab: Lab) -> None:
    ran = lab.shell("status")
    assert ran.status == 0
    assert "world lab at http://127.0.0.1:" in ran.out
    assert "lab-1      2      4    16" in ran.out
    assert "acme-t1  acme    live" in ran.out
    assert "gangs: 1 pending, 2 running" in ran.out
    assert "open period since" in ran.out
    assert re.search(r"world lab at .*, \d{4}-\d\d-\d\dT[0-9:]+Z, record", ran.out)
    rows = ran.out.partition("SO FAR\n")[2].splitlines()
    assert len({len(row) for row in rows}) == 1
    assert not [line for line in ran.out.splitlines() if line != line.rstrip()]


def test_a_tenant_sees_its_own(lab: Lab) -> None:
    ran = lab.as_tenant("birch", "status")
    assert "lab-1" not in ran.out
    assert "acme" not in ran.out
    assert "birch" in ran.out
