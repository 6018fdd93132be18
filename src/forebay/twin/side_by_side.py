"""What if it were otherwise? Many replays of one trace, side by side: parsed once, run by forked workers.

The trace and the code are in memory before the first worker is forked, so that each begins at once; what it shows
comes back as a row of names and values. Rows come in the order of the variations, whoever is done first.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from typing import Any

from forebay.core import units
from forebay.twin import replay
from forebay.twin.trace import Trace

#: What a worker finds when it is forked.
_SHARED: list[tuple[Trace, Sequence[replay.Setup]]] = []


def run_all(
    trace: Trace,
    setups: Sequence[replay.Setup],
    told: Callable[[int, int], None] = replay.nothing,
    workers: int = 0,
) -> list[dict[str, Any]]:
    """A row for each setup. `workers` 0 is one for each processor that this process may use."""
    workers = min(workers or len(os.sched_getaffinity(0)), len(setups))
    _SHARED.append((trace, setups))
    try:
        if workers < 2:
            rows = []
            for place in range(len(setups)):
                rows.append(_row(place))
                told(len(rows), len(setups))
            return rows
        # What is there already is out of the sight of the collectors of the workers: its pages stay shared.
        gc.collect()
        gc.freeze()
        rows = []
        with multiprocessing.get_context("fork").Pool(workers) as pool:
            for row in pool.imap(_row, range(len(setups))):
                rows.append(row)
                told(len(rows), len(setups))
        return rows
    finally:
        gc.unfreeze()
        _SHARED.clear()


def _row(place: int) -> dict[str, Any]:
    trace, setups = _SHARED[-1]
    since = time.process_time()
    report = replay.run_trace(trace, setups[place])
    body = report.as_json()
    row = {
        "gpus": report.gpus,
        "policy": report.policy,
        "jobs": report.jobs,
        "refused": report.refused,
        "wait_s": body["wait_s"],
        "slowdown_milli": body["slowdown_milli"],
        "gpu_hours": body["gpu_hours"],
        "utilisation_ppm_while_jobs_arrive": body["utilisation_ppm_while_jobs_arrive"],
        "span_s": report.span_us // units.SECOND_US,
        "energy_kwh": body["energy_kwh"],
        "invoiced_total": body["invoiced_total"],
        "currency": report.currency,
        "events": report.events,
        "digest": report.digest,
        "cpu_s": round(time.process_time() - since, 2),
    }
    if body["reliability"] is not None:
        row |= {
            name: body["reliability"][name]
            for name in ("restarts", "lost_gpu_hours", "ettr_ppm", "goodput_ppm")
        }
    return row
