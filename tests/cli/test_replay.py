"""The twin replays a trace, and says what came of it."""

import json
import re
import threading
import time
from pathlib import Path

import duckdb
import pytest
from jsonschema import validate

from forebay.cli import outputs, replay, session
from tests.cli.rig import ROOT, Shell


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


def test_a_page_and_a_file_of_the_report(trace: Path, shell: Shell) -> None:
    ran = shell("replay", str(trace), "--gpus", "16", "--report", "r.html")
    assert ran.status == 0, ran.err
    assert (shell.home / "r.html").read_text().startswith("<!doctype html>")
    assert shell("replay", str(trace), "--gpus", "16", "--report", "r.json").status == 0
    assert '"wait_s"' in (shell.home / "r.json").read_text()
    for wrong in ("r.pdf", "none/r.html"):
        ran = shell("replay", str(trace), "--gpus", "16", "--report", wrong)
        assert ran.status in (1, 2)
        assert f"--report {wrong}" in ran.err


def test_an_estate_with_a_map_and_failures(trace: Path, shell: Shell) -> None:
    (shell.home / "map.yaml").write_text(
        "forebay: 1\nkind: TraceMap\nrules:\n  - {match: acme, tier: dedicated, checkpoint: 5m}\n"
    )
    (shell.home / "rates.yaml").write_text(
        "forebay: 1\nkind: FailureRates\nnode: {mtbf: 1h, repair: 10m}\nrestart: 10s\n"
    )
    ran = shell(
        "replay", str(trace), "--estate", str(ROOT / "examples" / "one_site"), "--map", "map.yaml",
        "--faults", "1", "--rates", "rates.yaml", "--policy", "easy",
    )  # fmt: skip
    assert ran.status == 0, ran.err
    assert re.search(r"^policy +easy$", ran.out, re.MULTILINE)
    assert "STOPPED FOR" in ran.out
    assert "node_failed" in ran.out
    assert "FAILED" in ran.out
    assert re.search(r"^ETTR +\d\d\.\d\d %; ", ran.out, re.MULTILINE)


def test_broken_rows_are_listed_and_too_many_are_refused(shell: Shell) -> None:
    good = "1 0 0 60 4 -1 -1 4 90 -1 1 1 1 -1 1 -1 -1 -1\n"
    (shell.home / "t.swf").write_text("; Version: 2.2\n" + good + "2 x\n" * 7)
    ran = shell("replay", "t.swf", "--gpus", "8")
    assert ran.status == 0, ran.err
    assert "7 broken rows left out" in ran.out
    assert "t.swf: line 3: it has 2 fields; 18 numbers are meant" in ran.out
    assert "and 2 more broken rows" in ran.out
    assert shell("replay", "t.swf", "--gpus", "8", "--json").json["broken"][0]["line"] == 3
    ran = shell("replay", "t.swf", "--gpus", "8", "--broken-max", "6", "--json")
    assert ran.status == 1
    told = json.loads(ran.err)
    assert told["code"] == "bad_trace"
    assert [error["line"] for error in told["errors"]] == [3, 4, 5, 6, 7, 8, 9]


def test_documents_that_do_not_hold(trace: Path, shell: Shell) -> None:
    (shell.home / "site.yaml").write_text("forebay: 1\nkind: Site\nid: s\n")
    ran = shell("replay", str(trace), "--estate", "site.yaml", "--json")
    assert ran.status == 1
    told = json.loads(ran.err)
    assert told["code"] == "bad_document"
    assert told["errors"][0]["line"] == 1


def test_side_by_side(trace: Path, shell: Shell) -> None:
    words = ("replay", str(trace), "--gpus", "16", "--vary", "gpus=8,16", "--vary", "policy=fifo,easy")
    ran = shell(*words)
    assert ran.status == 0, ran.err
    assert "4 replays of 40 jobs in" in ran.out
    assert ran.out.splitlines()[0].split()[:2] == ["GPUS", "POLICY"]
    told = shell(*words, "--full", "--json").json
    validate(told, outputs.OUTPUTS["replay.vary"])
    assert [run["varied"] for run in told["runs"]][1] == {"gpus": "8", "policy": "easy"}
    assert len({run["digest"] for run in told["runs"]}) == 4
    failing = shell("replay", str(trace), "--gpus", "16", "--vary", "seed=1-3")
    assert "ETTR" in failing.out
    assert shell(*words, "--report", "r.html").status == 2
    assert shell("replay", str(trace), "--vary", "gpus=8", "--vary", "color=red").status == 2
