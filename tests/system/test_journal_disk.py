"""Real disks: full, limited, read-only; and a real kill -9."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from forebay.journals.sqlite import SqliteReader
from forebay.loop import codec
from forebay.loop.replay import Replay
from tests.journals.test_sqlite_file import environment
from tests.loop import toy

ROOT = Path(__file__).parents[2]
CHILD = [sys.executable, "-m", "tests.journals.child"]


def run(arguments: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    done: subprocess.CompletedProcess[str] = subprocess.run(  # type: ignore[call-overload]
        arguments,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(),
        check=False,
        timeout=300,
        **options,
    )
    return done


@pytest.fixture(scope="session")
def alone(needs: Callable[[str, object, str], None]) -> list[str]:
    """Begins a command that may mount file systems which nobody else sees."""
    unshare = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--mount"]
    tried = shutil.which("unshare") and run([*unshare, "mount", "-t", "tmpfs", "none", "/mnt"])
    needs("full disk", tried and tried.returncode == 0, "not allowed to mount a file system")
    return unshare


@pytest.mark.parametrize("kib", [600, 1024, 1777])
def test_a_disk_that_is_full_and_has_space_again(tmp_path: Path, alone: list[str], kib: int) -> None:
    script = f"""
        set -e
        mount -t tmpfs -o size={kib}k none {tmp_path}
        for ballast in 1 2 3; do head -c 65536 /dev/zero > {tmp_path}/$ballast; done
        exec {" ".join(CHILD)} fill {tmp_path}/journal {tmp_path}/1 {tmp_path}/2 {tmp_path}/3
    """
    assert records_in(run([*alone, "bash", "-c", script])) > 500


def test_a_limit_on_the_size_of_files_counts_as_full(tmp_path: Path) -> None:
    assert records_in(run([*CHILD, "limit", str(tmp_path / "journal")])) > 100


def test_a_read_only_disk_is_refused_for_writing_and_serves_readers(tmp_path: Path, alone: list[str]) -> None:
    script = f"""
        set -e
        mount -t tmpfs none {tmp_path}
        {" ".join(CHILD)} some {tmp_path}/journal
        mount -o remount,ro {tmp_path}
        exec {" ".join(CHILD)} look {tmp_path}/journal
    """
    assert records_in(run([*alone, "bash", "-c", script])) == 50


def test_a_file_and_folder_without_permission_are_refused_for_writing(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        return  # may write anywhere; the read-only disk above says the same
    run([*CHILD, "some", str(tmp_path / "journal")])
    (tmp_path / "journal.lock").unlink()
    tmp_path.chmod(0o500)
    try:
        assert records_in(run([*CHILD, "look", str(tmp_path / "journal")])) == 50
    finally:
        tmp_path.chmod(0o700)


def records_in(done: subprocess.CompletedProcess[str]) -> int:
    """What a child counted, if it ended well."""
    assert done.returncode == 0, done.stderr
    return int(done.stdout.removeprefix("records "))


@pytest.mark.slow
def test_kill_9_at_any_point_loses_nothing_acknowledged_and_leaves_nothing_half(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    chance = random.Random()
    for life in range(20):
        child = subprocess.Popen(
            [*CHILD, "write", str(path), str(life)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment(),
        )
        assert child.stdout is not None
        acknowledged = 0
        for _ in range(chance.randrange(1, 60)):
            acknowledged = int(child.stdout.readline())
        sum(range(chance.randrange(1_000_000)))  # somewhere between two lines
        child.kill()
        acknowledged = max([acknowledged, *map(int, child.stdout.read().split("\n")[:-1])])
        child.wait()
        child.stdout.close()
        reader = SqliteReader(path)
        seq, digest = codec.verify(reader.read())  # whole commands only
        assert seq >= acknowledged, f"life {life}: {acknowledged} was acknowledged, the journal ends at {seq}"
        folded = Replay(toy.World).latest(reader)
        folded.world.check()
        assert (folded.world.seq, folded.digest) == (seq, digest)
        reader.close()
