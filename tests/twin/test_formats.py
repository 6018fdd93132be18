"""A trace may be Parquet, the Standard Workload Format, or what sacct prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from forebay.core.units import SECOND_US
from forebay.twin import trace
from forebay.twin.trace import Job

SWF = """\
; Version: 2.2
; MaxProcs: 16

 2 10 -1  5  4 -1 -1  8 60 -1 1 7 1 -1 1 -1 -1 -1
1  10 -1 30 -1 -1 -1  8 -1 -1 1 3 1 -1 1 -1 -1 -1
3 99 -1 -1 4 -1 -1 4 60 -1 0 7 1 -1 1 -1 -1 -1
"""
SACCT = """\
JobIDRaw|Account|Submit|Elapsed|Timelimit|AllocTRES|State
12|lab|2026-03-01T00:00:10|1-01:00:05|2-00:00:00|billing=8,cpu=64,gres/gpu=8,node=1|COMPLETED
12.batch|lab|2026-03-01T00:00:10|1-01:00:05||cpu=64,gres/gpu=8,node=1|COMPLETED
11|ops|2026-03-01T00:00:00|00:02:00|UNLIMITED|cpu=1,gres/gpu=1,gres/gpu:h100=1,node=1|FAILED
13|ops|2026-03-01T00:00:20|00:00:00|00:10:00|gres/gpu=1|CANCELLED by 1001
14|ops|2026-03-01T00:00:20|00:10:00|00:10:00|cpu=4,node=1|COMPLETED
"""


def job(name: str, tenant: str, submit_s: int, duration_s: int, gpus: int, walltime_s: int) -> Job:
    return Job(name, tenant, submit_s * SECOND_US, duration_s * SECOND_US, gpus, walltime_s)


def test_the_standard_workload_format(tmp_path: Path) -> None:
    """Comments and blank lines are passed over; what was asked for counts where nothing was allocated."""
    path = tmp_path / "t.swf"
    path.write_text(SWF)
    found = trace.Trace(path)
    assert (found.tenants, found.count) == (["u3", "u7"], 3)
    assert list(found.jobs()) == [job("2", "u7", 10, 5, 4, 60), job("1", "u3", 10, 30, 8, 0)]
    assert found.broken == [f"{path}: line 6: duration_s is None; seconds from 0 up are meant"]


def test_what_sacct_prints(tmp_path: Path) -> None:
    """Steps are parts of their job; what never ran, and what had no GPU, is none."""
    path = tmp_path / "jobs.txt"
    path.write_text(SACCT)
    found = trace.Trace(path)
    assert list(found.jobs()) == [
        job("11", "ops", 0, 120, 1, 0),
        job("12", "lab", 10, 90_005, 8, 172_800),
    ]
    assert found.broken == []


def test_sacct_in_raw_numbers(tmp_path: Path) -> None:
    path = tmp_path / "jobs.txt"
    path.write_text(
        "JobID|User|Submit|ElapsedRaw|TimelimitRaw|ReqTRES\n7|ann|2026-03-01T00:00:00|90|10|gres/gpu=2\n"
    )
    assert list(trace.Trace(path).jobs()) == [job("7", "ann", 0, 90, 2, 600)]


def test_a_line_that_is_wrong_is_named(tmp_path: Path) -> None:
    path = tmp_path / "jobs.txt"
    path.write_text(SACCT + "15|ops|yesterday|00:10:00|00:10:00|gres/gpu=1|COMPLETED\n")
    found = trace.Trace(path)
    assert len(list(found.jobs())) == 2
    assert found.broken == [f"{path}: line 7: submit_s is None; seconds from the start are meant"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("JobIDRaw|Account|Submit\n", "column ElapsedRaw is missing (ask sacct for --format="),
        ("1 2 3\n", "neither Parquet, nor the Standard Workload Format"),
        (" ".join(["x"] * 18), "neither Parquet"),
        ("", "neither Parquet"),
    ],
)
def test_what_is_none_of_them(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "trace"
    path.write_text(text)
    with pytest.raises(trace.TraceError) as error:
        trace.Trace(path)
    assert str(path) in str(error.value)
    assert says in str(error.value)
