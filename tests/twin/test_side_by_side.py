"""Many replays at once show what each shows alone, in the order in which they were asked for."""

from __future__ import annotations

from pathlib import Path

from forebay.twin import asked, replay, side_by_side
from forebay.twin.asked import ReplayWords
from forebay.twin.trace import Trace
from tests.twin.test_replay import written


def test_workers_give_the_rows_that_one_process_gives(tmp_path: Path) -> None:
    trace = Trace(written(tmp_path / "t.parquet", 200))
    wanted = asked.variations(
        ReplayWords(gpus=64, recorded=True, seed=1), ["policy=fifo,easy", "gpus=64,128"]
    )
    setups = [each.setup for each in wanted]
    seen: list[tuple[int, int]] = []
    alone = side_by_side.run_all(trace, setups, workers=1)
    forked = side_by_side.run_all(trace, setups, lambda done, of: seen.append((done, of)), workers=2)
    for row in (*alone, *forked):
        del row["cpu_s"]
    assert alone == forked
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert [(row["policy"], row["gpus"]) for row in forked] == [
        ("fifo", 64), ("fifo", 128), ("easy", 64), ("easy", 128),
    ]  # fmt: skip
    assert len({row["digest"] for row in forked}) == 4


def test_without_records_and_measures_the_outcome_is_the_same(tmp_path: Path) -> None:
    trace = Trace(written(tmp_path / "t.parquet", 300))
    full = replay.run_trace(trace, ReplayWords(gpus=64).setup())
    bare = replay.run_trace(trace, ReplayWords(gpus=64, recorded=False, measured=False).setup())
    assert bare.digest == ""
    assert bare.seen is None
    assert bare.waits.told() == full.waits.told()
    for name in ("events", "gpu_us", "work_watt_us", "span_us", "invoiced_minor", "refused"):
        assert getattr(bare, name) == getattr(full, name)
    (row,) = side_by_side.run_all(trace, [ReplayWords(gpus=64, recorded=False, measured=False).setup()])
    assert row["slowdown_milli"] == {}
    assert "restarts" not in row
