"""The twin runs the same World: what it shows adds up, and it shows the same on every run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from forebay.twin import measures, replay
from forebay.twin.asked import ReplayWords
from forebay.twin.trace import Trace


def written(path: Path, jobs: int) -> Path:
    """A trace of `jobs` jobs that fill 64 GPUs and queue: submitted every 30 s, 1 to 32 GPUs, up to two hours."""
    duckdb.execute(
        "COPY (SELECT 'j' || i AS job_id, i * 30 AS submit_s, 60 + (i * 7919) % 7200 AS duration_s,"
        " [1, 2, 8, 1, 4, 32, 1, 16][1 + i % 8]::DOUBLE AS gpus, 'team' || i % 3 AS tenant"
        f" FROM range({jobs}) r(i)) TO '{path}' (FORMAT parquet)"
    )
    return path


def test_a_job_is_metered_and_invoiced_for_as_long_as_it_runs(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    duckdb.execute(
        "COPY (SELECT 'a' AS job_id, 0 AS submit_s, 3600 AS duration_s, 8.0 AS gpus, 't' AS tenant"
        " UNION ALL SELECT 'b', 600, 3600, 8.0, 'u') "
        f"TO '{path}' (FORMAT parquet)"
    )
    told = replay.run(path, 8).as_json()
    assert told["jobs"] == 2
    assert told["gpu_hours"] == "16.00"
    assert told["invoiced"] == {"t": "16.00", "u": "16.00"}
    assert told["invoiced_total"] == "32.00"
    assert told["wait_s"]["max"] == 3000
    assert told["span_s"] == 7200
    assert told["utilisation_ppm"] == 1_000_000
    # 8 GPUs x 700 W x 2 h, and a rack of 10 kW without work for as long.
    assert (told["energy_kwh_work"], told["energy_kwh"]) == (11, 31)


def test_a_job_that_never_fits_is_refused_and_counted(tmp_path: Path) -> None:
    report = replay.run(written(tmp_path / "t.parquet", 16), 16)
    assert report.refused == 2
    assert report.waits.count == 14
    assert list(report.refusals) == ["never_fits"]


def test_the_plant_is_made_of_whole_nodes(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="multiple of 8"):
        replay.run(tmp_path / "absent", 12)


def test_progress_is_told(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    replay.run(written(tmp_path / "t.parquet", 2500), 64, lambda done, of: seen.append((done, of)))
    assert seen == [(1000, 2500), (2000, 2500), (2500, 2500)]


def test_two_processes_with_other_hash_seeds_give_the_same_digest(tmp_path: Path) -> None:
    path = written(tmp_path / "t.parquet", 600)
    (tmp_path / "rates.yaml").write_text("forebay: 1\nkind: FailureRates\nnode: {mtbf: 20h, repair: 1h}\n")
    program = (
        "import sys, json; from pathlib import Path; from forebay.twin import asked, replay, trace;"
        "setup = asked.ReplayWords(gpus=64, policy='easy', seed=int(sys.argv[2]),"
        " rates=Path(sys.argv[3])).setup();"
        "told = replay.run_trace(trace.Trace(Path(sys.argv[1])), setup).as_json();"
        "told.pop('machine'); print(json.dumps(told))"
    )
    told = [
        subprocess.run(
            [sys.executable, "-c", program, str(path), seed, str(tmp_path / "rates.yaml")],
            env={**os.environ, "PYTHONHASHSEED": hashes},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for hashes, seed in (("1", "5"), ("2", "5"), ("2", "6"))
    ]
    assert told[0] == told[1]
    assert json.loads(told[0])["digest"] != json.loads(told[2])["digest"]
    assert json.loads(told[0])["reliability"]["failures"][0]["failures"] > 0
    assert len(json.loads(told[0])["digest"]) == 64


def test_a_curtailment_is_kept(tmp_path: Path) -> None:
    """64 GPUs with 8 racks' base: at 60 % of the power fewer work for an hour, and all jobs come to their end."""
    trace = Trace(written(tmp_path / "t.parquet", 200))
    free, less = (
        replay.run_trace(trace, ReplayWords(gpus=64, curtail=curtail).setup())
        for curtail in ((), ("substation=60%:1h:1h",))
    )
    assert free.seen is not None
    assert less.seen is not None
    slice_s = less.seen.series.slice_us // 1_000_000
    assert free.seen.series.slice_us == less.seen.series.slice_us
    most = less.limit_w * 6 // 10
    # From a little after the beginning, for its response time, to the end.
    assert max(less.seen.series.means(measures.WATTS)[-(-3900 // slice_s) : 7200 // slice_s]) <= most
    assert max(free.seen.series.means(measures.WATTS)[-(-3900 // slice_s) : 7200 // slice_s]) > most
    assert less.seen.ends == free.seen.ends
    with pytest.raises(ValueError, match="there is no feed x"):
        replay.run_trace(trace, ReplayWords(gpus=64, curtail=("x=60%:1h:1h",)).setup())
    with pytest.raises(ValueError, match="cannot be curtailed like that"):
        replay.run_trace(trace, ReplayWords(gpus=64, curtail=("substation=60%:1h:0s",)).setup())


def test_work_that_is_over_does_not_fill_the_world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With very many jobs a month periods are closed in between: nothing else changes, but for cents."""
    path, closed = written(tmp_path / "t.parquet", 4000), 0
    whole = replay.run(path, 256)
    monkeypatch.setattr(replay, "ENDED_MAX", 500)
    let_go = replay._Run._let_go

    def counting(run: replay._Run) -> None:
        nonlocal closed
        before = len(run.twin.world.state.money.invoices)
        let_go(run)
        closed += len(run.twin.world.state.money.invoices) > before
        assert len(run.twin.world.state.placements.gangs) <= run.left + 500

    monkeypatch.setattr(replay._Run, "_let_go", counting)
    parts = replay.run(path, 256)
    assert closed == 4  # after every thousand jobs
    assert parts.waits.told() == whole.waits.told()
    assert parts.gpu_us == whole.gpu_us
    told, meant = sum(parts.invoiced_minor.values()), sum(whole.invoiced_minor.values())
    assert abs(told - meant) <= (closed + 1) * len(whole.invoiced_minor)


def test_estimates_are_learned_and_it_is_told_how_wrong_they_were(tmp_path: Path) -> None:
    trace = Trace(written(tmp_path / "t.parquet", 1000))
    by_limits = replay.run_trace(trace, ReplayWords(gpus=64, policy="easy").setup()).as_json()
    assert (by_limits["estimates"], by_limits["policy"]) == (None, "easy")
    learned = ReplayWords(gpus=64, policy="easy", estimates="learned").setup()
    report = replay.run_trace(trace, learned).as_json()
    told = report["estimates"]
    assert report["policy"] == "easy, estimates learned"
    assert told["jobs"] > 100
    assert 0 < told["over"] < told["jobs"] // 4
    assert 0 < told["p50_milli"] < told["p90_milli"] < 1500
    assert report["wait_s"]["mean"] < by_limits["wait_s"]["mean"]
    assert report["digest"] == replay.run_trace(trace, learned).as_json()["digest"]
    # On an estate it takes the place of what its policy says.
    words = ReplayWords(estate=(Path(__file__).parents[2] / "examples" / "one_site",), estimates="learned")
    assert replay.run_trace(trace, words.setup()).as_json()["policy"].endswith("estimates learned")
