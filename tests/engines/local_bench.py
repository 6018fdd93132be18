"""Real gangs for tests: programs in the shell that note each start, and a careful clean-up."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from forebay.core import ids
from forebay.core.placements import gang
from forebay.engines import gang_folders, leftovers, local, supervisor
from tests.engines.contract import CAUSE, Story

#: Longer than anything takes, on a machine that is busy with other tests.
DEADLINE_S = 30.0

NOTE = 'echo "$FOREBAY_GENERATION $RANK" >>"$FOREBAY_CHECKPOINT_DIR/starts"; '
SCRIPTS = {
    Story.COMPLETES: NOTE + "exit 0",
    Story.FAILS: NOTE + '[ "$RANK" = 1 ] && exit 3; exec sleep 60',
    Story.RUNS: NOTE + "exec sleep 60",
    Story.STUBBORN: NOTE + 'trap "" TERM; echo ready; while :; do sleep 0.05; done',
    Story.COMPLETES_LATER: NOTE + 'while [ ! -e "$FOREBAY_CHECKPOINT_DIR/go" ]; do sleep 0.02; done',
}


def until(condition: Callable[[], object]) -> None:
    """Wait for it; fail after a while."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


def run_gang(
    name: str,
    generation: int,
    program: gang.Program | None,
    *,
    mask: int = 0b11,
    grace_s: int = 20,
    starts_before: int = 0,
    reclaim_s: int = 0,
    lease_s: int = 0,
) -> gang.RunGang:
    """An effect for one node, with a rank for each bit of `mask`."""
    return gang.RunGang(
        gang=ids.GangId(name),
        generation=generation,
        tenant=ids.TenantId("t"),
        runs=(gang.Run(4, 1, mask),),
        grace_s=grace_s,
        starts_before=starts_before,
        program=program,
        cause=CAUSE,
        reclaim_s=reclaim_s,
        lease_s=lease_s,
    )


def shell(script: str, **settings: int) -> gang.Program:
    """A program of one shell script."""
    return gang.Program(("sh", "-c", script), **settings)  # type: ignore[arg-type]


class LocalBench:
    """A `contract.Bench` with real processes in `state`."""

    def __init__(self, state: Path, **options: object) -> None:
        self.state = state
        self._options = options
        self.nudged = threading.Event()
        self.engine = self._make()

    def _make(self) -> local.LocalEngine:
        return local.LocalEngine(self.state, "node-{}".format, self.nudged.set, **self._options)  # type: ignore[arg-type]

    def run(
        self, name: str, generation: int, story: Story, grace_s: int = 20, first: int = 0
    ) -> gang.RunGang:
        program = shell(SCRIPTS[story]) if story is not Story.UNSTARTABLE else gang.Program(("/no/program",))
        return run_gang(name, generation, program, grace_s=grace_s, starts_before=generation - first)

    def now(self) -> int:
        return supervisor.wall_clock_us()

    def until(self, condition: Callable[[], object]) -> None:
        until(condition)

    def settle(self) -> None:
        """A gang that runs through after all else has been acted on, since notes are taken in order."""
        name = f"settle-{time.monotonic_ns()}"
        self.engine.release([stop_never_started(name)])
        until(lambda: self._of(name))
        self.engine.acknowledge(self._of(name))

    def _of(self, name: str) -> list[ids.Asked]:
        return [
            asked
            for asked in self.engine.reports(0)
            if isinstance(asked.command, gang.ReportGangEnded) and asked.command.gang == name
        ]

    def wait_ready(self, name: str) -> None:
        until(lambda: all(b"ready" in self.engine.read_log(name, rank)[0] for rank in (0, 1)))

    def starts(self, name: str) -> list[tuple[int, int]]:
        folder = self.state / "gangs" / name
        notes = [folder / "checkpoints" / "starts", *folder.glob("earlier/*/checkpoints/starts")]
        lines = [line for path in notes if path.exists() for line in path.read_text().splitlines()]
        return sorted((int(line.split()[0]), int(line.split()[1])) for line in lines)

    def alive(self, name: str) -> bool:
        return any(is_alive(folder) for folder in generation_folders(self.state, name))

    def go_down(self) -> None:
        self.engine.close()
        for path in (self.state / "gangs").glob("*/checkpoints"):
            (path / "go").touch()

    def come_up(self) -> None:
        self.engine = self._make()

    def clean_up(self) -> None:
        """Close the engine and kill, by identity, all that it started."""
        self.engine.close()
        kill_everything(self.state)


def stop_never_started(name: str) -> gang.StopGang:
    return gang.StopGang(ids.GangId(name), 0, 0, "test", CAUSE)


def generation_folders(state: Path, name: str = "*") -> list[Path]:
    """Folders of all generations."""
    return [path for path in (state / "gangs").glob(f"{name}/*") if path.name.isdigit()]


def ranks_of(folder: Path) -> list[int]:
    """Living ranks of a generation, found as an auditor would: by their environment."""
    order = gang_folders.read_order(folder)
    return sorted(leftovers._processes_of(order["token"])) if order is not None else []


def is_alive(folder: Path) -> bool:
    return bool(ranks_of(folder))


def keeper_pid(folder: Path) -> int:
    """Process id of the supervisor of a generation."""
    keeper = gang_folders.read_keeper(folder)
    assert keeper is not None
    return keeper["pid"]


def kill_everything(state: Path) -> None:
    """Kill supervisors that are what their claim says, and all they started; fail if something survives that."""
    boot = supervisor.boot_id()
    for folder in generation_folders(state):
        keeper = gang_folders.read_keeper(folder)
        if keeper is not None and leftovers.is_kept(folder, keeper["pid"], boot):
            with contextlib.suppress(ProcessLookupError):
                os.kill(keeper["pid"], signal.SIGKILL)
        until(lambda folder=folder: leftovers.kill_left(folder, boot))  # type: ignore[misc]
