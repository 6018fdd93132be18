"""The journal is verified and read from its file, without a server and without changing a byte."""

import json
import sqlite3
from pathlib import Path

import pytest
from jsonschema import validate

from forebay.cli import outputs
from forebay.loop import codec
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


def forge(path: Path, change: str) -> None:
    """Change records behind forebay's back."""
    with sqlite3.connect(path) as database:
        database.execute(change)
    database.close()


FORGED = "UPDATE records SET data = CAST(replace(CAST(data AS TEXT), '{}', '{}') AS BLOB) WHERE seq = {}"
#: what was done, the record that is shown, what is said
BREAKS = [
    (FORGED.format("x1", "x2", 2), "2", "the digest of record 2 does not follow from record 1"),
    (FORGED.format("lab", "bal", 1), "1", "its digest does not match"),
    (
        "UPDATE records SET digest = zeroblob(32) WHERE seq = 1",
        "2",
        "the digest of record 2 does not follow from record 1",
    ),
    ("DELETE FROM records WHERE seq = 1", "2", "record 1 is missing"),
]


@pytest.mark.parametrize(("change", "seq", "said"), BREAKS)
def test_a_record_that_does_not_follow_is_shown_and_not_trusted(
    change: str, seq: str, said: str, shell: Shell
) -> None:
    forge(write_journal(shell.worlds / "lab"), change)
    shown = shell("journal", "show", seq)
    assert shown.status == 1
    assert f"record        {seq}" in shown.out
    assert f"cannot be trusted: {said}" in shown.err
    assert "journal verify" in shown.err
    asked = shell("journal", "show", seq, "--json")
    assert (asked.status, asked.json["seq"]) == (1, int(seq))
    assert json.loads(asked.err)["code"] == "damaged"
    tail = shell("journal", "tail", "-n", "9")
    assert tail.status == 1
    assert said in tail.err


def test_a_record_replaced_with_its_digest_does_not_carry_the_next(shell: Shell) -> None:
    path = write_journal(shell.worlds / "lab")
    forge(path, FORGED.format("lab", "bal", 1))
    with sqlite3.connect(path) as database:
        (data,) = database.execute("SELECT data FROM records WHERE seq = 1").fetchone()
        made = codec.chain(codec.GENESIS, bytes(data))
        database.execute("UPDATE records SET digest = ? WHERE seq = 1", (made,))
    database.close()
    shown = shell("journal", "show", "1")
    assert shown.status == 1
    assert "the digest of record 2 does not follow from record 1" in shown.err


def test_no_server_is_asked(shell: Shell) -> None:
    write_journal(shell.worlds / "lab")
    (shell.home / "x.token").write_text("forebay_x")
    for options in (["--token-file", "x.token"], ["--server", "http://127.0.0.1:1"]):
        ran = shell("journal", "digest", *options)
        assert (ran.status, ran.out) == (2, "")
        assert f"{options[0]} would change nothing" in ran.err
    told = shell("journal", "digest", FOREBAY_TOKEN_FILE="x.token")
    assert told.status == 0
    assert "FOREBAY_TOKEN_FILE plays no part" in told.err
    assert shell("journal", "digest", "-q", FOREBAY_TOKEN_FILE="x.token").err == ""


def test_show(shell: Shell) -> None:
    write_journal(shell.worlds / "lab")
    ran = shell("journal", "show", "2")
    assert "SkuCatalogued, version 1" in ran.out
    assert "2026-11-22T08:00:00Z" in ran.out
    assert '"title": "X1"' in ran.out
    record = shell("journal", "show", "2", "--json").json
    validate(record, outputs.OUTPUTS["journal.record"])
    assert record["body"]["sku"]["id"] == "x1"
    assert shell("journal", "show", "3").status == 1


def test_tail(shell: Shell) -> None:
    write_journal(shell.worlds / "lab")
    ran = shell("journal", "tail", "-n", "1")
    assert ran.err == ""
    assert "2026-11-22T08:00:00Z  SkuCatalogued" in ran.out
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
