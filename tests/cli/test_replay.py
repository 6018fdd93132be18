"""The twin replays a trace, and says what came of it."""

import re
import threading
import time
from pathlib import Path

import duckdb
import pytest
from jsonschema import validate

from forebay.cli import outputs, replay, session
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
    assert re.search(r"^price +2\.00 USD a GPU-hour$", told.out, re.MULTILINE)


def test_another_price(trace: Path, shell: Shell) -> None:
    first = shell("replay", str(trace), "--gpus", "16", "--json").json
    other = shell("replay", str(trace), "--gpus", "16", "--price", "4", "--json").json
    assert (first["price_per_gpu_hour"], other["price_per_gpu_hour"]) == ("2.00", "4.00")
    assert other["gpu_hours"] == first["gpu_hours"] == "26.666667"
    assert (first["invoiced_total"], other["invoiced_total"]) == ("53.33", "106.67")
    wrong = shell("replay", str(trace), "--gpus", "16", "--price", "cheap")
    assert wrong.status == 2
    assert "--price: 'cheap' is not a price" in wrong.err


def test_how_far_it_is_where_no_bar_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    read = threading.Event()

    class Listening(session.Session):
        def say(self, text: str) -> None:
            super().say(text)
            read.set()

    with replay.plain_progress(Listening(), every_s=0.01) as progress:
        assert read.wait(10)
        progress(1000, 2500)
        for _ in range(2):  # the first line may have been begun before
            read.clear()
            assert read.wait(10)
    with replay.plain_progress(session.Session(quiet=True), every_s=0.001):
        time.sleep(0.05)
    told = capsys.readouterr().err.splitlines()
    assert told[0] == "replaying: the trace is read, 0s"
    assert told[-1] == "replaying: 1,000 of 2,500 jobs submitted, 0s"


def test_what_cannot_be_replayed(trace: Path, shell: Shell) -> None:
    assert shell("replay", str(trace), "--gpus", "3").status == 2
    (shell.home / "text.parquet").write_text("no")
    ran = shell("replay", "text.parquet", "--gpus", "8")
    assert ran.status == 1
    assert "not a Parquet file" in ran.err
    assert shell("replay", "none.parquet", "--gpus", "8").status == 2


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (("--policy", "conservative"), "conservative"),
        (("--policy", "easy_depth", "--depth", "3"), "easy_depth, depth 3"),
    ],
)
def test_every_policy_is_read(trace: Path, shell: Shell, said: tuple[str, ...], told: str) -> None:
    report = shell("replay", str(trace), "--gpus", "16", "--json", *said).json
    assert report["policy"] == told


@pytest.mark.parametrize("said", [("--policy", "easiest"), ("--depth", "0")])
def test_impossible_policies(trace: Path, shell: Shell, said: tuple[str, str]) -> None:
    ran = shell("replay", str(trace), "--gpus", "16", *said)
    assert ran.status == 2
    assert said[1] in ran.err
