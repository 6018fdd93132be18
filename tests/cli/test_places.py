"""Which world, and which server, is meant."""

import fcntl
import json
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator

import pytest

from tests.cli.rig import Shell, write_journal

Announce = Callable[..., None]


@pytest.fixture
def announce(shell: Shell) -> Iterator[Announce]:
    """server.json as a server writes it, with the lock that it holds while it runs; nobody listens on port 9."""
    held: list[int] = []

    def write(world: str, *, runs: bool) -> None:
        folder = write_journal(shell.worlds / world).parent
        body = {
            "address": f"http://127.0.0.1:9/{world}",
            "pid": os.getpid(),
            "world": world,
            "started": "2026-11-22T08:00:00Z",
        }
        (folder / "server.json").write_text(json.dumps(body))
        (folder / "operator.token").write_text("forebay_x\n")
        started = {"command": f"./forebay up {world}", "world": f"{world}-world", "certificate": ""}
        (folder / "up.json").write_text(json.dumps(started))
        handle = os.open(folder / "server.lock", os.O_RDWR | os.O_CREAT)
        held.append(handle)
        if runs:
            fcntl.flock(handle, fcntl.LOCK_EX)

    yield write
    for handle in held:
        os.close(handle)


def test_the_only_one_that_runs(shell: Shell, announce: Announce) -> None:
    announce("one", runs=True)
    announce("two", runs=False)
    ran = shell("status")
    assert ran.status == 6
    assert "http://127.0.0.1:9/one does not answer" in ran.err


def test_a_copy_of_one_that_runs_does_not_run(shell: Shell, announce: Announce) -> None:
    announce("one", runs=True)
    shutil.copytree(shell.worlds / "one", shell.worlds / "two")
    assert "9/one does not answer" in shell("status").err
    assert "no server runs on" in shell("status", "--state", str(shell.worlds / "two")).err


def test_several_that_run(shell: Shell, announce: Announce) -> None:
    announce("one", runs=True)
    announce("two", runs=True)
    ran = shell("status")
    assert ran.status == 2
    assert "several worlds are running: one, two" in ran.err
    assert f"--state {shell.worlds / 'one'}" in ran.err
    assert "9/two does not answer" in shell("status", FOREBAY_STATE=str(shell.worlds / "two")).err
    assert "9/two does not answer" in shell("status", "--state", str(shell.worlds / "two")).err


def test_none_that_runs_names_the_last_and_how_to_start_it(shell: Shell, announce: Announce) -> None:
    announce("one", runs=False)
    ran = shell("status")
    assert ran.status == 6
    assert "the last one was that of the world one-world" in ran.err
    assert "Start it again: ./forebay up one" in ran.err


def test_the_last_is_the_one_that_recorded_last_though_it_was_killed(
    shell: Shell, announce: Announce
) -> None:
    announce("killed", runs=False)
    path = shell.worlds / "killed" / "journal.sqlite"
    # What a killed writer leaves: its last records in the log, which only a reader without its lock may look at.
    writer = sqlite3.connect(path)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("UPDATE meta SET value = value + 1")
    writer.commit()
    announce("later", runs=False)
    second = 1_000_000_000
    now = path.stat().st_mtime_ns
    os.utime(path, ns=(now, now - 60 * second))
    os.utime(shell.worlds / "later" / "journal.sqlite", ns=(now, now - 30 * second))
    try:
        assert (shell.worlds / "killed" / "journal.sqlite-wal").stat().st_size > 0
        assert "Start it again: ./forebay up killed" in shell("status").err
        assert str(shell.worlds / "killed") in shell("doctor").out
    finally:
        writer.close()


def test_a_flag_is_stronger_than_the_environment(shell: Shell, announce: Announce) -> None:
    announce("one", runs=True)
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
