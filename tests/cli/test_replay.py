"""The twin replays a trace, and says what came of it."""

from pathlib import Path

import duckdb
import pytest
from jsonschema import validate

from forebay.cli import outputs
from tests.cli.rig import Shell


@pytest.fixture
def trace(shell: Shell) -> Path:
    path = shell.home / "trace.parquet"
    rows = "SELECT 'j' || i AS job_id, i * 60.0 AS submit_s, 600.0 AS duration_s, 4 AS gpus, 'acme' AS tenant"
    duckdb.sql(f"COPY ({rows} FROM range(40) t(i)) TO '{path}' (FORMAT parquet)")
    return path


def test_a_replay(trace: Path, shell: Shell) -> None:
    ran = shell("replay", str(trace), "--gpus", "16", "--json")
    assert ran.status == 0, ran.err
    validate(ran.json, outputs.OUTPUTS["replay"])
    assert (ran.json["jobs"], ran.json["gpus"]) == (40, 16)
    told = shell("replay", str(trace), "--gpus", "16")
    assert ran.json["digest"] in told.out
    assert "WAIT P50" in told.out


def test_what_cannot_be_replayed(trace: Path, shell: Shell) -> None:
    assert shell("replay", str(trace), "--gpus", "3").status == 2
    (shell.home / "text.parquet").write_text("no")
    ran = shell("replay", "text.parquet", "--gpus", "8")
    assert ran.status == 1
    assert "not a Parquet file" in ran.err
    assert shell("replay", "none.parquet", "--gpus", "8").status == 2
