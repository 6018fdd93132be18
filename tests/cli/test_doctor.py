"""The doctor finds what is wrong, and says what to do."""

import sqlite3

from tests.cli.rig import Lab, Shell, write_journal


def test_nothing_is_wrong(lab: Lab) -> None:
    ran = lab.shell("doctor")
    assert ran.status == 0, ran.out
    assert "nothing is wrong" in ran.err
    checks = {each["check"]: each["result"] for each in lab.shell("doctor", "--json").json["checks"]}
    assert checks == dict.fromkeys(("python", "state", "disk", "journal", "rules", "engine", "server"), "ok")


def test_before_there_is_a_world(shell: Shell) -> None:
    ran = shell("doctor")
    assert ran.status == 0
    assert "forebay up examples/one_site" in ran.out


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
    assert "2 checks failed" in ran.err
