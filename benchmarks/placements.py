"""What does a decision about who goes first cost, and does it cost more where more wait?

    python benchmarks/placements.py [--trace FILE] [--jobs 10000] [--order easy] [--gpus-per-node 8] [--gpus 4000 ...]

Replays a trace on ever fewer GPUs: the same jobs, ever deeper queues. Without --trace the jobs are made up (seed 1;
gangs of 1 to 128 GPUs, a load of 0.85 on 4,000 GPUs, limits of one to ten times what they run). For each plant: how
many waited at a pass (mean and most), the mean wait, and microseconds of one processor a job: the whole process, all
passes, and of these what is neither a search for a place nor the placing, which is the policy's own. One process.
"""

from __future__ import annotations

import argparse
import itertools
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))

from forebay.core.placements import backfill, conservative, ordering
from forebay.core.placements.gang import Order, Phase
from forebay.twin import replay

SIZES = (1, 1, 1, 1, 1, 1, 2, 2, 4, 4, 8, 8, 8, 8, 16, 16, 32, 64, 128)


class Clock:
    """Seconds of a processor spent in some functions."""

    def __init__(self) -> None:
        self.spent_s = 0.0

    def around(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The same function, timed."""

        def timed(*given: Any, **named: Any) -> Any:
            since = time.process_time()
            try:
                return call(*given, **named)
            finally:
                self.spent_s += time.process_time() - since

        return timed


def made_up(jobs: int, gpus: int, load: float, path: Path) -> None:
    """A trace in the Standard Workload Format."""
    dice = random.Random(1)
    rows = []
    for _ in range(jobs):
        size, run_s = dice.choice(SIZES), max(5, int(dice.lognormvariate(7.3, 1.9)))
        rows.append(
            (size, min(run_s, 3 * 86_400), min(int(run_s * dice.choice((1.05, 1.5, 2, 5, 10))), 7 * 86_400))
        )
    span_s = sum(size * run_s for size, run_s, _ in rows) / (gpus * load)
    at = 0.0
    with path.open("w", encoding="ascii") as file:
        for number, (size, run_s, limit_s) in enumerate(rows, 1):
            at += dice.expovariate(jobs / span_s)
            file.write(
                f"{number} {int(at)} -1 {run_s} {size} -1 -1 {size} {limit_s} -1 1 1 1 -1 1 -1 -1 -1\n"
            )


def measure(path: Path, gpus: int, order: Order, gpus_per_node: int) -> None:
    """Replay, and print one line."""
    passes, placing, depths = Clock(), Clock(), [0]
    timed: list[tuple[Any, str, Clock]] = [
        (ordering, "run_pass", passes),
        (backfill, "find", placing),
        (backfill, "place", placing),
        (conservative, "find", placing),
        (conservative, "place", placing),
    ]
    plain = [getattr(module, name) for module, name, _ in timed]
    for (module, name, clock), call in zip(timed, plain, strict=True):
        setattr(module, name, clock.around(call))
    run_pass, calls = ordering.run_pass, itertools.count()

    def watched(desk: Any) -> None:
        if next(calls) % 100 == 0:
            depths.append(sum(gang.phase is Phase.PENDING for gang in desk.state.gangs.values()))
        run_pass(desk)

    modules: Any = ordering
    modules.run_pass = watched
    since = time.process_time()
    try:
        report = replay.run(path, gpus, order=order, gpus_per_node=gpus_per_node)
    finally:
        for (module, name, _), call in zip(timed, plain, strict=True):
            setattr(module, name, call)
    spent_s = time.process_time() - since
    a_job = 1e6 / report.jobs
    waits = report.as_json()["wait_s"]
    print(
        f"{gpus:8,} {sum(depths) / len(depths):9.0f} {max(depths):8,} {waits['mean']:10,} s {spent_s * a_job:8.0f}"
        f" {passes.spent_s * a_job:8.0f} {(passes.spent_s - placing.spent_s) * a_job:8.0f}"
    )


def main() -> None:
    """Measure on each plant."""
    said = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    said.add_argument("--trace", type=Path)
    said.add_argument("--jobs", type=int, default=10_000)
    said.add_argument("--order", default="easy", choices=[order.value for order in Order])
    said.add_argument("--gpus-per-node", type=int, default=8)
    said.add_argument("--gpus", type=int, nargs="+", default=[4000, 3200, 2400, 2000, 1600])
    asked = said.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = asked.trace or Path(folder) / "made-up.swf"
        if asked.trace is None:
            made_up(asked.jobs, 4000, 0.85, path)
        print(f"order {asked.order}, nodes of {asked.gpus_per_node}; microseconds a job, with timers on")
        print("    GPUs   waiting     most    mean wait  process   passes   policy")
        for gpus in asked.gpus:
            measure(path, gpus, Order(asked.order), asked.gpus_per_node)


if __name__ == "__main__":
    main()
