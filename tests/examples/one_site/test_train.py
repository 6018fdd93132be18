import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from forebay.core.placements import gang
from forebay.engines import launching
from tests.engines.local_bench import LocalBench, run_gang

SCRIPT = Path(__file__).resolve().parents[3] / "examples" / "one_site" / "train.py"
DEADLINE_S = 30.0


def until(condition: Callable[[], object]) -> None:
    """Wait for it; fail after a while."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


class Job:
    """Ranks of train.py, each with its log."""

    def __init__(self, folder: Path, ranks: int, *options: str) -> None:
        self._logs = [folder / f"{time.monotonic_ns()}-{rank}.log" for rank in range(ranks)]
        port = launching.free_port(())
        self.ranks = []
        for rank, log in enumerate(self._logs):
            env = {
                "PATH": os.defpath,
                "RANK": str(rank),
                "WORLD_SIZE": str(ranks),
                "MASTER_ADDR": "127.0.0.1",
                "MASTER_PORT": str(port),
                "FOREBAY_CHECKPOINT_DIR": str(folder),
                "OMP_NUM_THREADS": "1",
            }
            with log.open("wb") as file:
                command = [sys.executable, str(SCRIPT), *options]
                self.ranks.append(subprocess.Popen(command, env=env, stdout=file, stderr=subprocess.STDOUT))

    def wait(self) -> list[int]:
        """Exit status of each rank."""
        return [rank.wait(DEADLINE_S) for rank in self.ranks]

    def log(self, rank: int = 0) -> str:
        return self._logs[rank].read_text()

    def losses(self) -> list[tuple[int, float]]:
        return [
            (int(step), float(loss)) for step, loss in re.findall(r"step (\d+)  loss ([\d.]+)", self.log())
        ]

    def weights(self) -> list[str]:
        """What each rank says of its weights at the end: a hash over every bit."""
        return [re.findall(r"weights (\w{16})", self.log(rank))[0] for rank in range(len(self.ranks))]

    def wait_for_step(self) -> None:
        until(lambda: "step " in self.log())


Start = Callable[..., Job]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    jobs: list[Job] = []

    def begin(ranks: int, *options: str) -> Job:
        jobs.append(Job(tmp_path, ranks, *options))
        return jobs[-1]

    yield begin
    for job in jobs:
        for rank in job.ranks:
            rank.kill()
            rank.wait()


def clear(folder: Path) -> None:
    (folder / "checkpoint.npy").unlink()


@pytest.mark.slow
def test_three_ranks_learn_the_same(start: Start, tmp_path: Path) -> None:
    job = start(3, "--steps", "600", "--tell-every", "20")
    assert job.wait() == [0, 0, 0]
    losses = dict(job.losses())
    assert losses[600] < losses[20] / 5
    assert len(set(job.weights())) == 1
    clear(tmp_path)
    again = start(3, "--steps", "600", "--tell-every", "20")
    assert again.wait() == [0, 0, 0]
    assert again.losses() == job.losses()
    assert again.weights() == job.weights()


def test_a_resumed_run_is_the_run_without_a_break(start: Start, tmp_path: Path) -> None:
    whole = start(2, "--steps", "60")
    assert whole.wait() == [0, 0]
    clear(tmp_path)
    first = start(2, "--steps", "25")
    assert first.wait() == [0, 0]
    rest = start(2, "--steps", "60")
    assert rest.wait() == [0, 0]
    assert "resumed from step 25 with 2 ranks" in rest.log()
    assert rest.weights() == whole.weights()


def test_asking_one_rank_stops_all_at_the_same_step(start: Start) -> None:
    job = start(3, "--steps", "1000000", "--step-ms", "2")
    job.wait_for_step()
    job.ranks[1].terminate()
    assert job.wait() == [0, 0, 0]
    assert len(set(job.weights())) == 1
    (stopped_at,) = re.findall(r"stopped at step (\d+)", job.log())
    # With other ranks: the batches are the same, so it goes on where it was.
    rest = start(2, "--steps", str(int(stopped_at) + 30), "--tell-every", "1")
    assert rest.wait() == [0, 0]
    assert f"resumed from step {stopped_at} with 2 ranks" in rest.log()
    assert rest.losses()[0][0] == int(stopped_at) + 1
    assert rest.losses()[0][1] == pytest.approx(job.losses()[-1][1], abs=0.2)


def test_the_number_of_ranks_changes_nothing_but_the_last_bits(start: Start, tmp_path: Path) -> None:
    alone = start(1, "--steps", "40")
    assert alone.wait() == [0]
    clear(tmp_path)
    four = start(4, "--steps", "40")
    assert four.wait() == [0] * 4
    assert [step for step, _ in four.losses()] == [step for step, _ in alone.losses()]
    for (_, one), (_, other) in zip(four.losses(), alone.losses(), strict=True):
        assert one == pytest.approx(other, abs=1e-4)


@pytest.mark.parametrize("victim", [0, 1])
def test_the_others_fail_at_once_when_a_rank_is_lost(start: Start, victim: int) -> None:
    job = start(3, "--steps", "1000000", "--step-ms", "2")
    job.wait_for_step()
    job.ranks[victim].kill()
    began = time.monotonic()
    statuses = job.wait()
    assert time.monotonic() - began < 10
    assert statuses.pop(victim) == -signal.SIGKILL
    assert statuses == [1, 1]
    assert "cannot go on" in job.log(2)


def test_it_ends_when_its_seconds_are_used_up(start: Start) -> None:
    job = start(2, "--steps", "1000000", "--seconds", "0.2", "--step-ms", "1")
    assert job.wait() == [0, 0]
    assert len(set(job.weights())) == 1


def test_checkpoints_are_written_on_the_way(start: Start, tmp_path: Path) -> None:
    job = start(1, "--steps", "1000000", "--checkpoint-every", "0", "--step-ms", "2")
    until((tmp_path / "checkpoint.npy").exists)
    job.ranks[0].kill()
    job.wait()
    rest = start(1, "--steps", "1")
    assert rest.wait() == [0]
    assert "resumed from step " in rest.log()


def test_a_gang_of_it_survives_the_loss_of_a_rank(tmp_path: Path) -> None:
    """On the local engine: a rank is killed, the gang fails, its next generation goes on from the checkpoint."""
    bench = LocalBench(tmp_path / "state")
    try:
        argv = (
            sys.executable,
            str(SCRIPT),
            "--steps",
            "1000000",
            "--checkpoint-every",
            "0",
            "--step-ms",
            "2",
        )
        program = gang.Program(argv)
        bench.engine.release([run_gang("a", 0, program)])
        until(lambda: bench.engine.generations("a"))
        until(lambda: b"step 1" in bench.engine.read_log("a", 0)[0])
        os.kill(bench.engine.rank_pids("a")[1], signal.SIGKILL)
        until(
            lambda: any(isinstance(asked.command, gang.ReportGangEnded) for asked in bench.engine.reports(0))
        )
        end = bench.engine.reports(0)[-1].command
        assert isinstance(end, gang.ReportGangEnded)
        assert end.ending is gang.Ending.FAILED
        assert (end.rank, end.exit_status) == (1, -9)
        bench.engine.release([run_gang("a", 1, program, starts_before=1)])
        until(lambda: bench.engine.generations("a") == [0, 1])
        until(lambda: b"resumed from step" in bench.engine.read_log("a", 0)[0])
        bench.engine.release([gang.StopGang(end.gang, 1, 20, "cancelled", 1)])
        until(lambda: b"stopped at step" in bench.engine.read_log("a", 0)[0])
    finally:
        bench.clean_up()
