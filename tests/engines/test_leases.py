"""What has a lease ends by itself when nobody answers its engine: the engine killed, or stopped, for real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from forebay.core.placements import gang
from forebay.core.placements.heartbeats import ReportEngineHeard
from forebay.engines import gang_folders, leases, supervisor
from tests.engines.local_bench import (
    LocalBench,
    generation_folders,
    is_alive,
    kill_everything,
    run_gang,
    shell,
    until,
)
from tests.engines.test_local import end_of, wait_started

LEASE_S = 2


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "state"
    kill_everything(tmp_path / "state")


def hosted(state: Path) -> subprocess.Popen[bytes]:
    """An engine that is answered, with a gang that runs and has a lease."""
    child = subprocess.Popen([sys.executable, "-m", "tests.engines.answering", str(state), str(LEASE_S)])
    until((state / "gangs" / "a" / "1" / "started.json").exists)
    return child


def outcome(state: Path) -> supervisor.OutcomeFile | None:
    return gang_folders.read_outcome(state / "gangs" / "a" / "1")


def test_a_run_outlasts_its_lease_while_its_engine_is_answered(state: Path) -> None:
    child = hosted(state)
    time.sleep(LEASE_S + 0.5)
    assert outcome(state) is None
    assert is_alive(state / "gangs" / "a" / "1")
    child.kill()
    child.wait()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_it_ends_when_its_engine_is_killed_or_stopped(state: Path, number: signal.Signals) -> None:
    child = hosted(state)
    began = time.monotonic()
    os.kill(child.pid, number)
    until(lambda: outcome(state))
    ended = outcome(state)
    assert ended is not None
    assert ended["ending"] == "stopped"
    assert ended["evidence"] == f"its lease was over: its engine got no answer for {LEASE_S} s"
    assert time.monotonic() - began >= LEASE_S - 0.5
    assert not any(is_alive(folder) for folder in generation_folders(state, "a"))
    child.kill()
    child.wait()
    # Whoever comes after it reports how it ended.
    bench = LocalBench(state)
    assert end_of(bench, "a", 1).ending is gang.Ending.STOPPED
    bench.clean_up()


def test_nothing_with_a_lease_starts_before_an_answer(tmp_path: Path) -> None:
    bench = LocalBench(tmp_path / "state", heartbeat_s=0.1)
    program = shell("exec sleep 60")
    bench.engine.release([run_gang("a", 1, program, lease_s=60), run_gang("b", 1, program)])
    wait_started(bench, "b", 1)
    assert not bench.alive("a")
    until(lambda: any(isinstance(asked.command, ReportEngineHeard) for asked in bench.engine.reports(0)))
    beat = [asked for asked in bench.engine.reports(0) if isinstance(asked.command, ReportEngineHeard)]
    bench.engine.acknowledge(beat)
    wait_started(bench, "a", 1)
    # What was answered once is not answered twice.
    bench.engine.acknowledge(beat)
    bench.clean_up()


def test_marks_that_a_program_writes_are_reported(tmp_path: Path) -> None:
    bench = LocalBench(tmp_path / "state", heartbeat_s=0.05)
    script = 'for n in 3 20 oops; do echo $n >>"$FOREBAY_PROGRESS_FILE"; sleep 0.2; done; exec sleep 60'
    bench.engine.release([run_gang("a", 1, shell(script), mask=1)])

    def marks() -> list[gang.ReportGangProgress]:
        return [a.command for a in bench.engine.reports(0) if isinstance(a.command, gang.ReportGangProgress)]

    until(lambda: [each.mark for each in marks()] == [20])
    (report,) = marks()
    assert (report.gang, report.generation, report.source) == ("a", 1, "local")
    assert abs(report.effective_at - bench.now()) < 60_000_000
    bench.engine.acknowledge(
        [a for a in bench.engine.reports(0) if isinstance(a.command, gang.ReportGangProgress)]
    )
    until(lambda: not marks())
    bench.clean_up()


def test_an_answer_of_another_boot_is_none(tmp_path: Path) -> None:
    path = tmp_path / "lease.json"
    lease = leases.Lease(path)
    assert lease.answered_s == 0.0
    assert lease.holds(0)
    assert not lease.holds(1)
    now = supervisor.boot_clock_s()
    lease.answer(now)
    assert lease.holds(5)
    assert leases.Lease(path).answered_s == now
    lease.answer(now - 1)
    assert lease.answered_s == now
    path.write_text(json.dumps({"boot": "another", "answered_s": now}))
    assert leases.Lease(path).answered_s == 0.0
    for text in ("", "[]", "3", '{"boot": 1}'):
        path.write_text(text)
        assert leases.Lease(path).answered_s == 0.0


def test_an_answer_that_cannot_be_written_down_is_none(tmp_path: Path) -> None:
    lease = leases.Lease(tmp_path / "nowhere" / "lease.json")
    with pytest.raises(OSError, match=r"lease\.json"):
        lease.answer(supervisor.boot_clock_s())
    assert not lease.holds(60)


def test_marks_are_whole_numbers_on_lines_of_their_own(tmp_path: Path) -> None:
    assert gang_folders.read_progress(tmp_path, 1) is None
    path = gang_folders.progress_file(tmp_path, 1)
    path.write_text("no\n-3\n")
    assert gang_folders.read_progress(tmp_path, 1) is None
    path.write_text("7\n" * 4000 + "12\nsteps\n" + "9" * 30)
    found = gang_folders.read_progress(tmp_path, 1)
    assert found is not None
    assert found[0] == 12
