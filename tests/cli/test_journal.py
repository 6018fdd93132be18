"""The journal is verified and read from its file, without a server and without changing a byte."""

import sqlite3

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.rig import Shell, write_journal


def test_verify_and_digest(shell: Shell) -> None:
    path = write_journal(shell.worlds / "lab")
    before = path.read_bytes()
    digest = shell("journal", "digest", "--json").json
    validate(digest, outputs.OUTPUTS["journal.digest"])
    verified = shell("journal", "verify", "--json").json
    validate(verified, outputs.OUTPUTS["journal.verify"])
    assert (verified["records"], verified["digest"]) == (2, digest["digest"])
    assert shell("journal", "digest").out == f"2 {digest['digest']}\n"
    assert "2 records, all as written" in shell("journal", "verify").out
    assert path.read_bytes() == before


def test_a_digest_noted_elsewhere(shell: Shell) -> None:
    write_journal(shell.worlds / "lab")
    first = shell("journal", "digest", "--at", "1", "--json").json["digest"]
    ran = shell("journal", "verify", "--digest", first)
    assert f"passes through {first} at record 1" in ran.out
    wrong = shell("journal", "verify", "--digest", "00" * 32)
    assert wrong.status == 1
    assert "does not pass through" in wrong.err
    assert shell("journal", "digest", "--at", "9").status == 1


def test_a_changed_record_is_named(shell: Shell) -> None:
    path = write_journal(shell.worlds / "lab")
    with sqlite3.connect(path) as database:
        database.execute(
            "UPDATE records SET data = CAST(replace(CAST(data AS TEXT), 'x1', 'x2') AS BLOB) WHERE seq = 2"
        )
    database.close()
    ran = shell("journal", "verify")
    assert ran.status == 1
    assert "record 2 is not as it was written" in ran.err
    assert "Records up to 1 are sound" in ran.err


def test_show(shell: Shell) -> None:
    write_journal(shell.worlds / "lab")
    ran = shell("journal", "show", "2")
    assert "SkuCatalogued, version 1" in ran.out
    assert "2026-11-22 08:00:00 UTC" in ran.out
    assert '"title": "X1"' in ran.out
    record = shell("journal", "show", "2", "--json").json
    validate(record, outputs.OUTPUTS["journal.record"])
    assert record["body"]["sku"]["id"] == "x1"
    assert shell("journal", "show", "3").status == 1


def test_tail(shell: Shell) -> None:
    write_journal(shell.worlds / "lab")
    ran = shell("journal", "tail", "-n", "1")
    assert ran.err == "times in UTC\n"
    assert "08:00:00  SkuCatalogued" in ran.out
    assert max(map(len, ran.out.splitlines())) <= 100
    lines = shell("journal", "tail", "--json").lines
    assert [line["kind"] for line in lines] == ["WorldOpened", "SkuCatalogued"]
    for line in lines:
        validate(line, outputs.OUTPUTS["journal.record"])


def test_which_world_is_meant(shell: Shell) -> None:
    one = write_journal(shell.worlds / "one")
    write_journal(shell.worlds / "two")
    named = shell("journal", "digest", "--state", str(one.parent), "--json").json
    assert shell("journal", "digest", "--json", FOREBAY_STATE=str(one.parent)).json == named
    assert shell("journal", "verify", "--state", "nowhere").status == 1


def test_what_is_no_journal(shell: Shell) -> None:
    folder = shell.worlds / "lab"
    folder.mkdir(parents=True)
    (folder / "journal.sqlite").write_text("this is no database, but long enough to look at it" * 4)
    ran = shell("journal", "verify")
    assert ran.status == 1
    assert "is not a forebay journal" in ran.err
