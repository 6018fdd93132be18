import contextlib
import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from forebay.engines import gang_folders, supervisor
from tests.conftest import Needs
from tests.engines.contract import CAUSE
from tests.engines.local_bench import LocalBench, run_gang, shell, until

# Logs


def parts(folder: Path) -> dict[int, bytes]:
    """Contents of the log's parts, by the offset of their first byte."""
    return {int(path.name.split(".")[1]): path.read_bytes() for path in sorted(folder.glob("rank-0.*.log"))}


def log_of(folder: Path, *chunks: bytes, bytes_max: int = 8192) -> dict[int, bytes]:
    log = supervisor.RankLog(str(folder), 0, bytes_max)
    for chunk in chunks:
        log.write(chunk)
    log.close()
    assert log.bytes_lost_total == 0
    return parts(folder)


def test_a_small_log_is_one_part(tmp_path: Path) -> None:
    assert log_of(tmp_path, b"one\n", b"tw", b"o\n") == {0: b"one\ntwo\n"}


@pytest.mark.parametrize("chunk", [1, 7, 100, 5000, 100_000])
def test_a_log_is_rotated_between_lines(tmp_path: Path, chunk: int) -> None:
    lines = b"".join(b"line %05d of many\n" % number for number in range(4000))
    found = log_of(tmp_path, *(lines[at : at + chunk] for at in range(0, len(lines), chunk)))
    assert len(found) == 2
    for base, content in found.items():
        assert content == lines[base : base + len(content)]
        assert len(content) <= 8192 + 1024
        assert content.startswith(b"line ")
        assert content.endswith(b"many\n")
    assert sum(found) + len(found[max(found)]) == len(lines) + min(found)


def test_a_line_longer_than_a_part_is_cut(tmp_path: Path) -> None:
    line = bytes(range(65, 91)) * 1000
    found = log_of(tmp_path, line)
    assert max(map(len, found.values())) <= 8192 + 1024
    first, second = sorted(found)
    assert found[first] + found[second] == line[first:]


def test_the_last_line_says_something(tmp_path: Path) -> None:
    log = supervisor.RankLog(str(tmp_path), 0, 8192)
    log.write(b"Traceback\n  File\nValueError: bad \xff\n\n  \n")
    assert log.last_line() == "ValueError: bad \ufffd"
    log.close()


@pytest.fixture
def tiny_disk(tmp_path: Path, needs: Needs) -> Iterator[Path]:
    """A file system of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    libc = ctypes.CDLL(None)
    options = b"size=256k"
    mounted = libc.mount(b"tmpfs", bytes(folder), b"tmpfs", ctypes.c_ulong(0), options) == 0
    needs("disk full", mounted, "mounting a tmpfs takes root")
    yield folder
    assert libc.umount2(bytes(folder), 2) == 0  # MNT_DETACH


def test_what_does_not_fit_on_the_disk_is_counted_and_noted(tiny_disk: Path) -> None:
    ballast = tiny_disk / "ballast"
    log = supervisor.RankLog(str(tiny_disk), 0, 1 << 20)
    log.write(b"before\n")
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    log.write(b"x" * 8191 + b"\n")
    log.write(b"y" * 99 + b"\n")
    lost = log.bytes_lost_total
    assert lost == log.bytes_lost > 4000
    ballast.unlink()
    log.write(b"after\n")
    log.close()
    before, note, after = (
        parts(tiny_disk)[0]
        .decode()
        .partition(f"[forebay: {lost} bytes were lost here: No space left on device]\n")
    )
    assert note
    assert after == "after\n"
    kept = before.removeprefix("before\n").rstrip("\n")
    assert kept == "x" * len(kept)
    assert len(kept) + lost == 8192 + 100


def test_a_full_disk_neither_stops_a_gang_nor_loses_its_outcome(tiny_disk: Path) -> None:
    bench = LocalBench(tiny_disk / "state")
    try:
        script = "for i in 1 2 3 4 5 6; do head -c 100000 /dev/zero | tr '\\0' '\\n'; done; exit 5"
        bench.engine.release([run_gang("a", 0, shell(script), mask=1)])
        until(lambda: len(bench.engine.reports(0)) == 2)
        outcome = gang_folders.read_outcome(bench.state / "gangs" / "a" / "0")
        assert outcome is not None
        assert (outcome["ending"], outcome["exit_status"]) == ("failed", 5)
        assert outcome["log_bytes_lost"] > 300_000
        assert b"bytes were lost here" not in bench.engine.read_log("a", 0, limit=10_000_000)[0]
    finally:
        bench.clean_up()


# A start that fails halfway

#: Rank 0 comes up; starting rank 1 fails as a busy system fails it.
HALFWAY = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("supervisor", sys.argv[1])
supervisor = importlib.util.module_from_spec(spec)
spec.loader.exec_module(supervisor)

class Halfway(supervisor.Supervision):
    def _spawn(self, number, environment):
        if number == 1:
            raise OSError(int(sys.argv[4]), "no room")
        return super()._spawn(number, environment)

supervisor.Supervision = Halfway
sys.exit(supervisor.main(sys.argv[2], sys.argv[3]))
"""


@pytest.mark.parametrize(("number", "ending"), [(11, "failed"), (13, "unstartable")])
def test_a_start_that_fails_halfway_leaves_no_rank(tmp_path: Path, number: int, ending: str) -> None:
    pid_file = tmp_path / "pid"
    order: supervisor.LaunchOrder = {
        "gang": "a",
        "generation": 0,
        "cause": CAUSE,
        "token": "f" * 32,
        "wake": str(tmp_path / "wake"),
        "grace_s": 5,
        "argv": ["sh", "-c", f"trap '' TERM; echo $$ >{pid_file}; while :; do sleep 0.1; done"],
        "folder": "/",
        "ranks": [{"PATH": os.defpath}] * 3,
        "log_bytes_max": 8192,
        "cgroup": "",
        "data_bytes_max": 0,
        "cpus": [],
        "limits": {},
        "port": 0,
    }
    supervisor.write_whole(str(tmp_path / "spec.json"), order)
    command = [sys.executable, "-c", HALFWAY, supervisor.__file__, str(tmp_path), "f" * 32, str(number)]
    ran = subprocess.run(command, capture_output=True, timeout=30, check=False)
    assert (ran.returncode, ran.stderr) == (0, b"")
    outcome = gang_folders.read_outcome(tmp_path)
    assert outcome is not None
    assert (outcome["ending"], outcome["rank"], outcome["cause"]) == (ending, 1, CAUSE)
    assert outcome["evidence"] == "rank 1: no room"
    assert gang_folders.read_started(tmp_path) is None
    if pid_file.exists() and pid_file.read_text():
        assert supervisor.identity_of(int(pid_file.read_text()), "") is None


# Files and processes


def test_a_generation_is_claimed_once(tmp_path: Path) -> None:
    keepers: list[supervisor.Keeper] = [{"pid": pid, "started": 0, "boot": "", "token": ""} for pid in (1, 2)]
    assert supervisor.claim_generation(str(tmp_path), keepers[0])
    assert not supervisor.claim_generation(str(tmp_path), keepers[1])
    assert gang_folders.read_keeper(tmp_path) == keepers[0]
    assert os.listdir(tmp_path) == ["supervisor.json"]


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    supervisor.write_whole(str(path), {"a": 1})
    with pytest.raises(TypeError):
        supervisor.write_whole(str(path), {"a": object()})
    assert json.loads(path.read_text()) == {"a": 1}


def test_the_dead_have_no_identity() -> None:
    with subprocess.Popen(["true"]) as process:
        until(lambda: supervisor.identity_of(process.pid, "b") is None)  # a zombie: nobody has waited for it
    boot = supervisor.boot_id()
    me = supervisor.identity_of(os.getpid(), boot)
    assert me is not None
    assert supervisor.is_alive(me, boot)
    assert not supervisor.is_alive(me._replace(started=me.started + 1), boot)
    assert not supervisor.is_alive(me, "another boot")


def test_it_needs_the_standard_library_only() -> None:
    """Alone, isolated, and without site-packages, as it is started."""
    ran = subprocess.run(
        [sys.executable, "-I", "-S", supervisor.__file__, "/nonexistent", "x"],
        capture_output=True,
        check=False,
    )
    assert b"ImportError" not in ran.stderr
    assert b"ModuleNotFoundError" not in ran.stderr
    assert ran.returncode == 1
