"""Which world, and which server, is meant."""

import json
import os

from tests.cli.rig import Shell, write_journal


def announce(shell: Shell, world: str, pid: int) -> None:
    """server.json as a server writes it; nobody listens on port 9."""
    folder = write_journal(shell.worlds / world).parent
    body = {
        "address": f"http://127.0.0.1:9/{world}",
        "pid": pid,
        "world": world,
        "started": "2026-11-22T08:00:00Z",
    }
    (folder / "server.json").write_text(json.dumps(body))
    (folder / "operator.token").write_text("forebay_x\n")
    (folder / "up.json").write_text(json.dumps({"command": f"./forebay up {world}", "certificate": ""}))


def test_the_only_one_that_runs(shell: Shell) -> None:
    announce(shell, "one", os.getpid())
    announce(shell, "two", 2**22 + 1)
    ran = shell("status")
    assert ran.status == 6
    assert "http://127.0.0.1:9/one does not answer" in ran.err


def test_several_that_run(shell: Shell) -> None:
    announce(shell, "one", os.getpid())
    announce(shell, "two", os.getpid())
    ran = shell("status")
    assert ran.status == 2
    assert "several worlds are running: one, two" in ran.err
    assert f"--state {shell.worlds / 'one'}" in ran.err
    assert "9/two does not answer" in shell("status", FOREBAY_STATE=str(shell.worlds / "two")).err
    assert "9/two does not answer" in shell("status", "--state", str(shell.worlds / "two")).err


def test_none_that_runs_names_the_last_and_how_to_start_it(shell: Shell) -> None:
    announce(shell, "one", 2**22 + 1)
    ran = shell("status")
    assert ran.status == 6
    assert "the last one was that of the world one" in ran.err
    assert "Start it again: ./forebay up one" in ran.err


def test_a_flag_is_stronger_than_the_environment(shell: Shell) -> None:
    announce(shell, "one", os.getpid())
    named = shell("status", "--server", "http://127.0.0.1:9/one", FOREBAY_SERVER="http://127.0.0.1:8/other")
    assert "9/one does not answer" in named.err
    other = shell("status", FOREBAY_SERVER="http://127.0.0.1:8/other")
    assert other.status == 5
    assert "--token-file" in other.err


def test_what_is_no_address(shell: Shell) -> None:
    path = shell.home / "x.token"
    path.write_text("forebay_x\n")
    ran = shell("status", "--server", "nowhere", "--token-file", str(path))
    assert ran.status == 2
    assert "http://127.0.0.1:8420" in ran.err


def test_a_world_that_was_moved_aside_is_not_one(shell: Shell) -> None:
    write_journal(shell.worlds / "one.aside-20261122T080000Z")
    assert shell("journal", "verify").status == 1
