"""The doctor finds what is wrong, and says what to do."""

import re
import sqlite3

from tests.cli.rig import Lab, Shell, write_journal

CHECKS = ("python", "state", "disk", "journal", "rules", "engine", "server", "limits", "work")


def test_nothing_is_wrong(lab: Lab) -> None:
    ran = lab.shell("doctor")
    assert ran.status == 0, ran.out
    assert "nothing is wrong" in ran.err
    assert re.search(r"^ok    limits    CPU.*(control group|processors)", ran.out, re.MULTILINE)
    checks = {each["check"]: each["result"] for each in lab.shell("doctor", "--json").json["checks"]}
    assert checks == dict.fromkeys(CHECKS, "ok")


def test_before_there_is_a_world(shell: Shell) -> None:
    ran = shell("doctor")
    assert ran.status == 0
    assert "forebay up examples/one_site" in ran.out


def test_warnings_are_counted_and_are_not_nothing(shell: Shell) -> None:
    folder = write_journal(shell.worlds / "lab").parent
    ran = shell("doctor")
    assert (ran.status, ran.err) == (0, "nothing failed, but there is 1 warning\n")
    folder.chmod(0o755)
    assert shell("doctor").err == "nothing failed, but there are 2 warnings\n"
    told = shell("doctor", "--json").json
    assert told["healthy"]
    assert sum(each["result"] == "warn" for each in told["checks"]) == 2


def test_what_a_tenant_may_not_know_is_not_wrong(lab: Lab) -> None:
    told = lab.as_tenant("acme", "doctor", "--json").json
    assert told["healthy"]
    assert "limits" not in {each["check"] for each in told["checks"]}


def test_a_damaged_journal_and_a_token_for_everybody(shell: Shell) -> None:
    path = write_journal(shell.worlds / "lab")
    shell("token", "create", "--role", "operator")
    (path.parent / "tokens.json").chmod(0o644)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE records SET data = CAST(replace(CAST(data AS TEXT), 'x1', 'x2') AS BLOB)")
    database.close()
    ran = shell("doctor")
    assert ran.status == 1
    assert "chmod 600" in ran.out
    assert "record 2 is not as it was written" in ran.out
    assert ran.err == "2 checks failed, and 1 warning\n"
