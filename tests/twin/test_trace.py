"""Traces are streamed in order, and a broken row is named, counted and left out."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from forebay.twin import trace

ROWS = "job_id, submit_s, duration_s, gpus, tenant"


def written(path: Path, rows: str, columns: str = ROWS) -> Path:
    """A Parquet file with these rows (SQL VALUES)."""
    duckdb.execute(f"COPY (SELECT * FROM (VALUES {rows}) AS t({columns})) TO '{path}' (FORMAT parquet)")
    return path


def test_jobs_come_in_order_of_submission_with_names_that_may_be_ids(tmp_path: Path) -> None:
    path = written(tmp_path / "t.parquet", "('b', 10, 5, 1.0, 'x/y'), ('a', 2, 7, 8.0, NULL)")
    found = trace.Trace(path)
    assert found.tenants == ["none", "x-y"]
    assert found.count == 2
    assert list(found.jobs()) == [
        trace.Job("a", "none", 2_000_000, 7_000_000, 8, 0),
        trace.Job("b", "x-y", 10_000_000, 5_000_000, 1, 0),
    ]


def test_a_walltime_is_taken_where_the_trace_has_one(tmp_path: Path) -> None:
    rows = "('a', 0, 5, 1, 't', 60), ('b', 1, 5, 1, 't', NULL)"
    path = written(tmp_path / "t.parquet", rows, f"{ROWS}, req_walltime_s")
    assert [job.walltime_s for job in trace.Trace(path).jobs()] == [60, 0]


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ("('', 0, 5, 1.0, 't')", "job_id is empty"),
        ("('a', -1, 5, 1.0, 't')", "submit_s is -1"),
        ("('a', 0, -5, 1.0, 't')", "duration_s is -5"),
        ("('a', 0, 5, 0.5, 't')", "gpus is 0.5"),
        ("('a', 0, 5, 0.0, 't')", "gpus is 0;"),
        ("('a', 0, 5, 'nan'::DOUBLE, 't')", "gpus is nan"),
        ("('a', 'inf'::DOUBLE, 5, 1.0, 't')", "submit_s is inf"),
        ("('a', 0, 'nan'::DOUBLE, 1.0, 't')", "duration_s is nan"),
    ],
)
def test_a_broken_row_is_named_and_left_out(tmp_path: Path, row: str, says: str) -> None:
    path = written(tmp_path / "t.parquet", f"('ok', 0, 5, 1.0, 't'), {row}")
    found = trace.Trace(path)
    assert [job.name for job in found.jobs()] == ["ok"]
    assert len(found.broken) == 1
    assert "row 2" in str(found.broken[0])
    assert says in str(found.broken[0])


def test_too_many_broken_rows_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    duckdb.execute(
        "COPY (SELECT 'j' || i AS job_id, i AS submit_s, 1 AS duration_s, 0.5 AS gpus, 't' AS tenant"
        f" FROM range({trace.BROKEN_MAX + 1}) r(i)) TO '{path}' (FORMAT parquet)"
    )
    with pytest.raises(trace.TraceError, match="1001 rows cannot be jobs, more than the 1000"):
        list(trace.Trace(path).jobs())


def test_a_file_that_is_no_trace_is_refused(tmp_path: Path) -> None:
    with pytest.raises(trace.TraceError, match="no such file"):
        trace.Trace(tmp_path / "absent")
    text = tmp_path / "text"
    text.write_text("job_id,submit_s\n")
    with pytest.raises(trace.TraceError, match="neither Parquet, nor"):
        trace.Trace(text)
    short = written(tmp_path / "t.parquet", "('a', 0)", "job_id, submit_s")
    with pytest.raises(trace.TraceError, match="column duration_s is missing"):
        trace.Trace(short)


def test_how_many_may_be_broken_is_said(tmp_path: Path) -> None:
    path = written(
        tmp_path / "t.parquet", "('ok', 0, 5, 1.0, 't'), ('a', 0, 5, 0.5, 't'), ('b', 0, 5, 0.5, 't')"
    )
    assert trace.Trace(path, broken_max=2).broken_count == 2
    with pytest.raises(
        trace.TraceError, match=r"2 rows cannot be jobs, more than the 1 .* first is row 2: gpus"
    ) as no:
        trace.Trace(path, broken_max=1)
    assert [row.number for row in no.value.broken] == [2, 3]


def test_only_the_first_are_listed(tmp_path: Path) -> None:
    path = tmp_path / "t.swf"
    path.write_text("; Version: 2.2\n" + "broken\n" * 50 + "1 0 0 5 1 -1 -1 1 9 -1 1 1 1 -1 1 -1 -1 -1\n")
    found = trace.Trace(path)
    assert (found.count, found.broken_count, len(found.broken)) == (1, 50, trace.BROKEN_LISTED)
    assert found.broken[0].place() == "line 2: it has 1 fields; 18 numbers are meant"


def test_a_long_trace_is_read_again_and_one_out_of_order_is_sorted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace, "KEPT_MAX", 2)
    sorted_rows = "('a', 1, 5, 1, 't'), ('b', 2, 5, 1, 't'), ('c', 3, 5, 1, 't')"
    found = trace.Trace(written(tmp_path / "long.parquet", sorted_rows))
    assert [job.name for job in found.jobs()] == [job.name for job in found.jobs()] == ["a", "b", "c"]
    rows = "('a', 3, 5, 1, 't'), ('b', 2, 5, 1, 't'), ('c', 1, 5, 1, 't')"
    found = trace.Trace(written(tmp_path / "wild.parquet", rows))
    assert [job.name for job in found.jobs()] == ["c", "b", "a"]
    assert found.span_us == 3_000_000
