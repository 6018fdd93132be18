"""Real traces in short, and first come, first served where only numbers count: as a plain program, and as published.

AccaSim 1.1.3, SimPy and SimGrid give a mean wait of 19,072.9 s for 100,000 jobs on 4,000 GPUs, AccaSim 43.56 s for
their first 9,992: `benchmarks/replay.py` holds the long one, this file the short.
"""

from __future__ import annotations

import heapq
import itertools
import random
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import pytest

from forebay.core.placements import gang as gangs
from forebay.core.units import SECOND_US
from forebay.twin import measures, plants, replay
from forebay.twin.asked import ReplayWords
from forebay.twin.report import ReplayReport
from forebay.twin.trace import Job, Trace

SHARED = Path(__file__).resolve().parents[3] / "shared"
PHILLY = SHARED / "data" / "jobs_philly_2017_oct_dev.parquet"
HELIOS = SHARED / "data" / "jobs_helios_venus_2vc_sep2020.parquet"
MAKER = SHARED / "tools" / "gen_trace.py"
Needs = Callable[[str, object, str], None]


def first_come_first_served(jobs: Sequence[Job], gpus: int) -> dict[str, int]:
    """When each job starts, by a program of a few lines."""
    waiting: deque[Job] = deque()
    ends: list[tuple[int, int]] = []
    starts: dict[str, int] = {}
    free = gpus
    coming = deque(jobs)
    while coming or ends:
        at = min(ends[0][0] if ends else coming[0].submit_us, coming[0].submit_us if coming else ends[0][0])
        while ends and ends[0][0] == at:
            free += heapq.heappop(ends)[1]
        while coming and coming[0].submit_us == at:
            waiting.append(coming.popleft())
        while waiting and waiting[0].gpus <= free:
            job = waiting.popleft()
            starts[job.name] = at
            free -= job.gpus
            heapq.heappush(ends, (at + job.duration_us, job.gpus))
    return starts


def starts_of(
    jobs: Sequence[Job], gpus: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[dict[str, int], ReplayReport]:
    """When each job starts in the twin, where nodes have one GPU."""
    starts: dict[str, int] = {}

    class Watched(measures.Measures):
        def watch(self, events: Sequence[object], at: int) -> None:
            for event in events:
                if isinstance(event, gangs.GangPlaced):
                    starts[event.gang.partition(".")[2]] = at - plants.EPOCH_US
            super().watch(events, at)  # type: ignore[arg-type]

    monkeypatch.setattr(replay, "Measures", Watched)
    setup = ReplayWords(gpus=gpus, gpus_per_node=1, policy="fifo").setup()
    tenants = sorted({job.tenant for job in jobs})
    return starts, replay.run_jobs(jobs, len(jobs), jobs[-1].submit_us, tenants, setup)


def test_counts_only_is_first_come_first_served(monkeypatch: pytest.MonkeyPatch) -> None:
    dice, at = random.Random(7), 0
    jobs = []
    for number in range(1500):
        at += int(dice.expovariate(1 / 40)) * SECOND_US
        size = dice.choice((1, 1, 1, 2, 4, 8, 24, 64))
        jobs.append(Job(f"{number}", "t", at, (1 + int(dice.lognormvariate(6, 1.5))) * SECOND_US, size, 0))
    found, report = starts_of(jobs, 128, monkeypatch)
    assert found == first_come_first_served(jobs, 128)
    assert report.waits.total > 0


def test_counts_only_is_what_published_simulators_give(
    tmp_path: Path, needs: Needs, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("traces: the synthetic trace", MAKER.is_file(), f"{MAKER.name} is not beside the checkout")
    out = tmp_path / "made"
    words = ("--jobs", "100000", "--gpus", "4000", "--load", "0.85", "--seed", "1", "--out", str(out))
    subprocess.run([sys.executable, str(MAKER), *words], check=True, capture_output=True)
    short = tmp_path / "short.swf"
    with out.with_suffix(".swf").open() as whole:
        short.write_text("".join(itertools.islice(whole, 10_000)))
    jobs = list(Trace(short).jobs())
    found, report = starts_of(jobs, 4000, monkeypatch)
    assert found == first_come_first_served(jobs, 4000)
    assert round(report.waits.total / report.waits.count / SECOND_US, 2) == 43.56


@pytest.mark.parametrize(("path", "gpus"), [(PHILLY, 400), (HELIOS, 256)], ids=["philly", "helios"])
@pytest.mark.parametrize("policy", ["overtake", "easy"])
def test_real_traces_in_short(path: Path, gpus: int, policy: str, tmp_path: Path, needs: Needs) -> None:
    needs(f"traces: {path.stem}", path.is_file(), f"{path.name} is not beside the checkout")
    short = tmp_path / "short.parquet"
    duckdb.execute(
        f"COPY (SELECT * FROM read_parquet('{path}') ORDER BY submit_s LIMIT 1500) TO '{short}' (FORMAT parquet)"
    )
    trace = Trace(short)
    report = replay.run_trace(trace, ReplayWords(gpus=gpus, policy=policy, seed=1).setup())
    assert (report.jobs, report.refused, report.broken_rows) == (1500, 0, 0)
    told = report.as_json()
    assert sum(each["jobs"] for each in told["ends"]) == 1500
    assert 0 < told["utilisation_ppm"] <= 1_000_000
    assert report.waits.count == 1500
