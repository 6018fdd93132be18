"""A trace may be Parquet, the Standard Workload Format, or what sacct prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from forebay.core.units import SECOND_US
from forebay.twin import formats, trace
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
    assert (found.tenants, found.count) == (["u3", "u7"], 2)
    assert list(found.jobs()) == [job("2", "u7", 10, 5, 4, 60), job("1", "u3", 10, 30, 8, 0)]
    assert list(map(str, found.broken)) == [
        f"{path}: line 6: duration_s is missing; seconds from 0 up are meant"
    ]


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
    assert list(map(str, found.broken)) == [
        f"{path}: line 7: submit_s is missing; seconds from the start are meant"
    ]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("JobIDRaw|Account|Submit\n", "column ElapsedRaw is missing (ask sacct for --format="),
        ("1 2 3\n", "neither Parquet, nor the Standard Workload Format"),
        (" ".join(["x"] * 18), "neither Parquet"),
        ("", "there is nothing in it"),
    ],
)
def test_what_is_none_of_them(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "trace"
    path.write_text(text)
    with pytest.raises(trace.TraceError) as error:
        trace.Trace(path)
    assert str(path) in str(error.value)
    assert says in str(error.value)


NASTY_SWF = """\
; Version: 2.2
1 0 0 60 4 -1 -1 4 90 -1 1 1 1 -1 1 -1 -1 -1
2 0 0 sixty 4 -1 -1 4 90 -1 1 1 1 -1 1 -1 -1 -1
3 0 0 60 4 -1 -1
4 -7 0 60 4 -1 -1 4 90 -1 1 1 1 -1 1 -1 -1 -1
5 0 0 60 -1 -1 -1 -1 90 -1 1 1 1 -1 1 -1 -1 -1
6 0 0 nan 4 -1 -1 4 90 -1 1 1 1 -1 1 -1 -1 -1
7 0 0 -1 4 -1 -1 4 90 -1 5 1 1 -1 1 -1 -1 -1
8 1e300 0 60 4 -1 -1 4 90 -1 1 1 1 -1 1 -1 -1 -1
9 0 0 60 2.5 -1 -1 4 90 -1 1 1 1 -1 1 -1 -1 -1
"""


def test_lines_of_swf_that_are_broken(tmp_path: Path) -> None:
    """Job 7 was cancelled before it began: it is no job, and nothing is wrong with it."""
    path = tmp_path / "t.swf"
    path.write_text(NASTY_SWF)
    found = trace.Trace(path)
    assert [each.name for each in found.jobs()] == ["1"]
    assert [(row.number, row.reason) for row in found.broken] == [
        (3, "could not convert string to float: 'sixty'"),
        (4, "it has 7 fields; 18 numbers are meant"),
        (5, "submit_s is -7; seconds from the start are meant"),
        (6, "gpus is missing; a whole number from 1 up is meant"),
        (7, "duration_s is nan; seconds from 0 up are meant"),
        (9, "submit_s is 1e+300; seconds from the start are meant"),
        (10, "gpus is 2.5; a whole number from 1 up is meant"),
    ]


def test_bytes_that_are_no_text_break_their_line_only(tmp_path: Path) -> None:
    path = tmp_path / "t.swf"
    good = b"1 0 0 60 4 -1 -1 4 90 -1 1 1 1 -1 1 -1 -1 -1"
    path.write_bytes(b"\xef\xbb\xbf; Version: 2.2\r\n" + good + b"\r\n\xff\xfe\x00 9\r\n\r\n" + good[1:])
    found = trace.Trace(path)
    assert found.count == 1
    assert [(row.number, row.reason) for row in found.broken] == [
        (3, "it has 2 fields; 18 numbers are meant"),
        (5, "it has 17 fields; 18 numbers are meant"),
    ]


NASTY_SACCT = """\
JobIDRaw|JobName|Account|Submit|ElapsedRaw|Elapsed|Timelimit|AllocTRES|ReqTRES|State|
100|a|lab|2026-03-01T00:00:00|7200|02:00:00|1-00:00:00|cpu=8,gres/gpu:h100=8,mem=1T,node=1|gres/gpu=8|COMPLETED|
100.batch|batch|lab|2026-03-01T00:00:00|7200|02:00:00||cpu=8,gres/gpu:h100=8|||
100.extern|extern|lab|Unknown|7200|02:00:00||cpu=8||COMPLETED|
101|b|lab|2026-03-01T00:00:01|60|00:01:00|Partition_Limit|gres/gpu:h100=2,gres/gpu:a100=1||SUSPENDED|
102|c|lab|2026-03-01T00:00:02|30|00:00:30|UNLIMITED|gres/gpu=4||REQUEUED|
102|c|lab|2026-03-01T00:00:02|600|00:10:00|UNLIMITED|gres/gpu=4||NODE_FAIL|
103|d|lab|2026-03-01T00:00:03|0|00:00:00|10:00||gres/gpu=4|PENDING|
104|e|lab|2026-03-01T00:00:04|45|00:00:45|10:00|gres/gpumem=80G,gres/gpuutil=7||COMPLETED|
105|f|g|h|lab|2026-03-01T00:00:05|45|00:00:45|10:00|gres/gpu=1||COMPLETED|
106|g|lab|None|45|00:00:45|10:00|gres/gpu=1||COMPLETED|
107|h|lab
108|i|lab|2026-03-01T00:00:08|x|y|10:00|gres/gpu=1||TIMEOUT|
"""


def test_what_sacct_really_prints(tmp_path: Path) -> None:
    """Kinds of GPU are added up; attempts that were requeued, steps, and what never ran or had no GPU are no jobs."""
    path = tmp_path / "jobs.txt"
    path.write_text(NASTY_SACCT)
    found = trace.Trace(path)
    assert list(found.jobs()) == [
        job("100", "lab", 0, 7200, 8, 86_400),
        job("101", "lab", 1, 60, 3, 0),
        job("102", "lab", 2, 600, 4, 0),
    ]
    assert [(row.number, row.reason) for row in found.broken] == [
        (10, "it has 13 fields, the header 10"),
        (11, "submit_s is missing; seconds from the start are meant"),
        (12, "it has 3 fields, the header 10"),
        (13, "duration_s is missing; seconds from 0 up are meant"),
    ]


@pytest.mark.parametrize(
    ("tres", "gpus"),
    [
        ("gres/gpu=8", 8),
        ("cpu=4,gres/gpu:h100=8,node=1", 8),
        ("gres/gpu=2,gres/gpu:h100=2", 2),
        ("gres/gpu:a100=1,gres/gpu:h100=2", 3),
        ("gpu:8", 8),
        ("gpu:tesla:2", 2),
        ("cpu=4,gres/gpumem=10", None),
        ("", None),
    ],
)
def test_gpus_are_spelled_in_many_ways(tres: str, gpus: int | None) -> None:
    assert formats._gpus(tres) == gpus


@pytest.mark.parametrize(
    ("text", "limit_s"),
    [
        ("UNLIMITED", None),
        ("Partition_Limit", None),
        ("", None),
        ("10:30", 630),
        ("1-00:00:00", 86_400),
        ("90", 5400),
    ],
)
def test_limits_of_time(text: str, limit_s: float | None) -> None:
    assert formats._limit_s(text, minutes=True) == limit_s


def test_dates_with_a_zone_and_seconds_since_1970(tmp_path: Path) -> None:
    path = tmp_path / "jobs.txt"
    rows = "7|ann|2026-03-01T01:00:00+01:00|90|gres/gpu=2\n8|ann|1772323260|90.5|gres/gpu=2\n"
    path.write_text("JobID|User|Submit|ElapsedRaw|ReqTRES\n" + rows)
    assert [each.submit_us for each in trace.Trace(path).jobs()] == [0, 60_000_000]
