"""What of ended gangs goes and what stays, with real gangs; days pass by setting back the times of files."""

import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from forebay.core.placements import gang
from forebay.engines import local, retention
from tests.engines.contract import Story, stop
from tests.engines.local_bench import LocalBench, run_gang, shell, until

DAY_S = 86_400
KEEPS = shell("echo x; touch $FOREBAY_CHECKPOINT_DIR/x")


class World:
    """Says which gangs are over."""

    def __init__(self) -> None:
        self.over: set[str] | None = set()
        self.asked: list[list[str]] = []

    def ended(self, names: Sequence[str]) -> set[str] | None:
        self.asked.append(list(names))
        return self.over


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def bench(tmp_path: Path, world: World) -> Iterator[LocalBench]:
    made = LocalBench(tmp_path / "state", ended=world.ended, keep_days=14, first_look_s=0.0)
    yield made
    made.clean_up()


def look(bench: LocalBench, world: World) -> list[str]:
    """Let the next engine look once; the gangs that have a folder then."""
    bench.go_down()
    count = len(world.asked)
    bench.come_up()
    until(lambda: len(world.asked) > count)
    bench.settle()
    bench.engine.close()  # the look is over
    bench.come_up()
    until(lambda: len(world.asked) > count + 1)
    return sorted(
        path.name for path in (bench.state / "gangs").iterdir() if not path.name.startswith("settle")
    )


def complete(
    bench: LocalBench, name: str, generation: int = 1, first: int = 1, acknowledge: bool = True
) -> None:
    effect = run_gang(name, generation, KEEPS, mask=1, starts_before=generation - first)
    bench.engine.release([effect])

    def ended() -> bool:
        return any(
            isinstance(asked.command, gang.ReportGangEnded) and asked.command.gang == name
            for asked in bench.engine.reports(0)
        )

    until(ended)
    if acknowledge:
        bench.engine.acknowledge(bench.engine.reports(0))
        bench.settle()


def let_pass(path: Path, days: float) -> None:
    then = time.time() - days * DAY_S
    os.utime(path, (then, then))


def test_what_a_gang_left_goes_so_many_days_after_its_end(bench: LocalBench, world: World) -> None:
    complete(bench, "a")
    complete(bench, "b")
    world.over = {"a", "b"}
    assert look(bench, world) == ["a", "b"]
    folder = bench.state / "gangs"
    let_pass(folder / "a" / "over", 13.9)
    let_pass(folder / "b" / "over", 14.1)
    assert look(bench, world) == ["a"]
    assert bench.engine.read_log("a", 0)[0] == b"x\n"
    assert (folder / "a" / "checkpoints" / "x").exists()
    until(lambda: not (bench.state / "leaving").exists())
    with pytest.raises(LookupError):
        bench.engine.read_log("b", 0)


def test_a_gang_that_waits_to_run_again_keeps_all(bench: LocalBench, world: World) -> None:
    complete(bench, "a")
    assert look(bench, world) == ["a"]
    assert not (bench.state / "gangs" / "a" / "over").exists()
    # It was over, and its name has been taken by one that waits.
    world.over = {"a"}
    look(bench, world)
    let_pass(bench.state / "gangs" / "a" / "over", 99)
    world.over = set()
    assert look(bench, world) == ["a"]
    world.over = {"a"}
    assert look(bench, world) == ["a"]


def test_nothing_goes_while_nobody_can_say_what_is_over(bench: LocalBench, world: World) -> None:
    complete(bench, "a")
    world.over = {"a"}
    look(bench, world)
    over = bench.state / "gangs" / "a" / "over"
    let_pass(over, 99)
    world.over = None
    assert look(bench, world) == ["a"]
    assert over.exists()
    world.over = {"a"}
    assert look(bench, world) == []


def test_nothing_goes_of_what_runs_or_is_not_acknowledged(bench: LocalBench, world: World) -> None:
    bench.engine.release([bench.run("runs", 0, Story.RUNS)])
    until(lambda: bench.engine.rank_pids("runs"))
    complete(bench, "told", acknowledge=False)
    world.over = {"runs", "told"}
    for name in world.over:
        over = bench.state / "gangs" / name / "over"
        over.touch()
        let_pass(over, 99)
    world.asked.clear()
    look(bench, world)
    assert not {"runs", "told"} & {name for asked in world.asked for name in asked}
    # The end that was not taken note of is still told.
    until(lambda: any(isinstance(asked.command, gang.ReportGangEnded) for asked in bench.engine.reports(0)))
    bench.engine.release([stop("runs", 0)])
    until(lambda: not bench.alive("runs"))


def test_what_was_set_aside_goes_as_many_days_later(bench: LocalBench, world: World) -> None:
    complete(bench, "a", 1)
    complete(bench, "a", 2, first=2)
    complete(bench, "a", 3, first=3)
    earlier = bench.state / "gangs" / "a" / "earlier"
    let_pass(earlier / "1", 14.1)
    let_pass(earlier / "2", 13.9)
    look(bench, world)
    assert [path.name for path in earlier.iterdir()] == ["2"]
    let_pass(earlier / "2", 14.1)
    look(bench, world)
    assert not earlier.exists()
    assert (bench.state / "gangs" / "a" / "checkpoints" / "x").exists()


def test_one_that_cannot_be_removed_does_not_keep_the_others(bench: LocalBench, world: World) -> None:
    complete(bench, "a")
    complete(bench, "b")
    (bench.state / "gangs" / "a" / "over").symlink_to("/nonexistent/over")
    (bench.state / "gangs" / "a folder of somebody").mkdir()
    world.over = {"a", "b"}
    look(bench, world)
    let_pass(bench.state / "gangs" / "b" / "over", 15)
    assert look(bench, world) == ["a", "a folder of somebody"]


def test_an_engine_that_has_nobody_to_ask_removes_nothing(tmp_path: Path) -> None:
    bench = LocalBench(tmp_path / "state", first_look_s=0.0)
    try:
        complete(bench, "a")
        over = bench.state / "gangs" / "a" / "over"
        over.touch()
        let_pass(over, 99)
        bench.go_down()
        bench.come_up()
        bench.settle()
        assert over.exists()
    finally:
        bench.clean_up()


def test_the_looks_are_far_apart(bench: LocalBench, world: World) -> None:
    until(lambda: world.asked)
    for _ in range(3):
        bench.settle()
    assert len(world.asked) == 1
    assert retention.LOOK_EVERY_S >= 600
    assert local.ENDED_KEPT >= 200
