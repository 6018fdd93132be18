"""How does a gang run on this very machine, and go on running while forebay is away?

One process a rank, all under one supervisor a generation (see `supervisor`), which needs no forebay. This engine
starts supervisors, asks them to stop, and reads what they wrote. It owns no work: closing it, or killing it, leaves
everything running, and the next engine on the same state folder adopts what it finds.

One thread does all that takes time (see `watch`); the methods of `ports.Edge` leave it a note and return. It sleeps
until a note, an exiting supervisor (pidfd), or a gang that came up (a byte in the pipe `wake`) wakes it. Linux only.
"""

from __future__ import annotations

import collections
import contextlib
import fcntl
import functools
import logging
import os
import selectors
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from forebay.core import ids
from forebay.core.placements import gang
from forebay.core.placements.heartbeats import ReportEngineHeard
from forebay.engines import gang_folders, launching, leases, limits, retention, supervisor, watch

_log = logging.getLogger(__name__)

#: Ended generations that keep their logs, of all gangs together.
ENDED_KEPT = 1000
_LOCK_WAIT_S = 1.0

_Key = tuple[str, int, type]
#: What is to be reported of the engine itself.
_BEAT: _Key = ("", 0, ReportEngineHeard)


class Occupied(Exception):
    """Another engine, in this process or another one, works on the same state folder."""


class LocalEngine:
    """`ports.Edge` for processes on this machine; safe to call from any thread.

    `state` is made with mode 0700. `node_name` gives the name that ranks on a node see. `nudge` is called, from a
    thread of the engine, when there is something new to report. `path` is the PATH of ranks. A gang of more than
    `ranks_max` ranks is unstartable. A supervisor that has not ended its gang `overdue_s` after the grace is itself
    killed. `control_group` is a cgroup v2 folder for us alone; None looks for one that was delegated to us.

    What a gang left is removed `keep_days` after its end; `ended` says which have ended (see `retention`), and the
    first look comes after `first_look_s`. At most `ended_kept` ended generations keep their logs for so long.

    Every `heartbeat_s` it says that it is there, and how far gangs say that they got; 0 for never: then nothing that
    has a lease starts.

    Raises `Occupied` if another engine has this state folder, OSError if it cannot be used or this is not Linux.
    """

    def __init__(
        self,
        state: Path,
        node_name: Callable[[int], str],
        nudge: Callable[[], None],
        *,
        name: str = "local",
        path: str = launching.DEFAULT_PATH,
        ended: retention.Ended = lambda gangs: None,
        keep_days: float = retention.KEEP_DAYS,
        first_look_s: float = retention.FIRST_LOOK_S,
        ended_kept: int = ENDED_KEPT,
        ranks_max: int = 256,
        overdue_s: float = 10.0,
        control_group: Path | None = None,
        heartbeat_s: float = 0.0,
    ) -> None:
        self._heartbeat_s = heartbeat_s
        self._beat_at = time.monotonic()
        #: When the heartbeat was sent that is not acknowledged; None where all are.
        self._sent_s: float | None = None
        self._nudge = nudge
        self._name = name
        self._by = ids.Principal(name, ids.Role.EDGE)
        self._boot = supervisor.boot_id()
        #: What is to be reported until it is acknowledged, in order.
        self._facts: dict[_Key, ids.Asked] = {}
        self._facts_lock = threading.Lock()
        self._notes: collections.deque[Callable[[], None]] = collections.deque()
        self._news = False
        #: Guards `_closed` and the use of `_wake`, whose number another file may get once it is closed.
        self._wake_lock = threading.Lock()
        self._closed = False

        state = state.absolute()
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        state.chmod(0o700)
        self._selector = selectors.DefaultSelector()
        self._lock = _lock(state / "lock")
        try:
            self._wake = _open_pipe(state / "wake")
            self._selector.register(self._wake, selectors.EVENT_READ)
            self._folders = gang_folders.GangFolders(state)
            self._limits = _limits(control_group)
            self._lease = leases.Lease(state / "lease.json")
            launcher = launching.Launcher(
                self._folders, self._limits, node_name, wake=state / "wake", path=path, ranks_max=ranks_max,
                lease=self._lease,
            )  # fmt: skip
            self._watch = watch.Watch(
                self._folders,
                launcher,
                self._selector,
                self._report,
                source=name,
                ended_kept=ended_kept,
                overdue_s=overdue_s,
                lease=self._lease,
            )
            self._retention = retention.Retention(self._folders, self._watch, ended, keep_days, first_look_s)
            self._watch.adopt()
        except OSError:
            os.close(self._lock)
            raise
        self._thread = threading.Thread(target=self._run, name=f"{name}-engine", daemon=True)
        self._thread.start()
        if self._news:
            self._leave_note(lambda: None)

    # ports.Edge

    def release(self, effects: Sequence[ids.Effect]) -> None:
        """Start and stop gangs; effects for other edges are passed over. Nothing happens once it is closed."""
        for effect in effects:
            if isinstance(effect, gang.RunGang | gang.StopGang):
                self._leave_note(functools.partial(self._watch.follow, effect))

    def resync(self, desired: Sequence[ids.Effect]) -> None:
        """Make this all that runs. What is known of each desired generation is reported again."""
        ours = [effect for effect in desired if isinstance(effect, gang.RunGang | gang.StopGang)]
        self._leave_note(functools.partial(self._watch.follow_all, ours))

    def reports(self, at: int) -> list[ids.Asked]:
        """What was seen and is not acknowledged. Instants are this machine's clock's: it may be ahead of `at`."""
        with self._facts_lock:
            return list(self._facts.values())

    def acknowledge(self, reports: Sequence[ids.Asked]) -> None:
        """Stop reporting these; reports that are not (or no longer) ours are passed over."""
        known = []
        with self._facts_lock:
            for asked in reports:
                report = asked.command
                if isinstance(report, ReportEngineHeard):
                    self._answered(report)
                elif isinstance(report, watch.Report) and self._facts.pop(_key(report), None) is not None:
                    known.append(report)
        if known:
            self._leave_note(functools.partial(self._watch.acknowledge, known))

    def next_report(self) -> int | None:
        """Not known here: `nudge` tells."""
        return None

    # For people

    def read_log(
        self, gang_id: str, rank: int, generation: int | None = None, offset: int = 0, limit: int = 65536
    ) -> tuple[bytes, int]:
        """At most `limit` bytes that `rank` wrote, from `offset` on, and the offset to go on from.

        `generation` None is the latest. Offsets count all output of that rank in that generation, so following it
        is asking again with the offset returned; what was rotated away is skipped; a negative offset counts from
        the end. Raises ValueError for an unsafe gang id, LookupError if it never ran here or its log is gone.
        """
        known = self.generations(gang_id)
        if generation is None and known:
            generation = known[-1]
        if generation is None or generation not in known:
            raise LookupError(f"no log of gang {gang_id} here")
        return gang_folders.read_rank_log(
            self._folders.of_generation(gang_id, generation), rank, offset, limit
        )

    def generations(self, gang_id: str) -> list[int]:
        """Generations of a gang that left a trace here, in order. Raises ValueError for an unsafe gang id."""
        return self._folders.generations(gang_id)

    def rank_pids(self, gang_id: str) -> dict[int, int]:
        """Process ids of the living ranks of a gang, by rank. Raises ValueError for an unsafe gang id."""
        for generation in reversed(self.generations(gang_id)):
            started = gang_folders.read_started(self._folders.of_generation(gang_id, generation))
            ranks = [] if started is None else started["ranks"]
            living = {n: who.pid for n, who in enumerate(ranks) if supervisor.is_alive(who, self._boot)}
            if living:
                return living
        return {}

    def checkpoints(self, gang_id: str) -> Path:
        """Where a gang keeps its checkpoints; may not exist. Raises ValueError for an unsafe gang id."""
        return self._folders.of_gang(gang_id) / "checkpoints"

    def limits_offered(self) -> limits.LimitsOffered:
        """What holds gangs to their CPU and memory limits on this machine."""
        return self._limits.offer()

    def close(self) -> None:
        """Do what was asked so far, let go of the state folder, leave all work running. Again is allowed."""
        with self._wake_lock:
            if self._closed:
                return
            self._closed = True
            os.write(self._wake, b".")
        self._thread.join()
        self._watch.let_go()
        self._selector.close()
        os.close(self._wake)
        os.close(self._lock)

    # The thread

    def _leave_note(self, note: Callable[[], None]) -> None:
        with self._wake_lock:
            if not self._closed:
                self._notes.append(note)
                with contextlib.suppress(BlockingIOError):  # full of bytes, each of which wakes it
                    os.write(self._wake, b".")

    def _run(self) -> None:
        closed = False
        while not closed:
            # 1. Wait for a note, a gang that came up, a supervisor that went, or a time.
            gone = self._wait()
            closed = self._closed
            # 2. Supervisors that went: read what they left.
            for one in gone:
                self._try(functools.partial(self._watch.look, one))
            # 3. What we were told.
            while self._notes:
                self._try(self._notes.popleft())
            # 4. What nothing tells us about, and what has become due.
            for one in self._watch.running():
                self._try(functools.partial(self._watch.tend, one))
            if self._heartbeat_s and time.monotonic() >= self._beat_at:
                self._try(self._beat)
            # 5. What was kept for long enough.
            if not self._retention.due_in():
                self._try(self._retention.look)
            # 6. Word of it.
            if self._news:
                self._news = False
                self._try(self._nudge)

    def _beat(self) -> None:
        """Say that it is there, and how far gangs got."""
        self._beat_at = time.monotonic() + self._heartbeat_s
        report = ReportEngineHeard(self._name)
        with self._facts_lock:
            if self._sent_s is None:
                self._sent_s = supervisor.boot_clock_s()
                self._facts[_BEAT] = ids.Asked(report, self._by)
        self._news = True
        self._watch.look_for_progress()

    def _answered(self, report: ReportEngineHeard) -> None:
        sent_s, self._sent_s = self._sent_s, None
        if report.engine == self._name and self._facts.pop(_BEAT, None) is not None and sent_s is not None:
            self._leave_note(functools.partial(self._renew, sent_s))

    def _renew(self, sent_s: float) -> None:
        self._lease.answer(sent_s)
        self._watch.start_leased()

    def _try(self, step: Callable[[], None]) -> None:
        """One step that fails must not end the thread, nor keep the others from their turn."""
        try:
            step()
        except Exception:
            _log.exception("the %s engine could not do a step", self._name)

    def _wait(self) -> list[watch.Generation]:
        gone: list[watch.Generation] = []
        timeouts = [self._retention.due_in()]
        if self._heartbeat_s:
            timeouts.append(max(self._beat_at - time.monotonic(), 0.0))
        if (poll := self._watch.timeout()) is not None:
            timeouts.append(poll)
        for key, _ in self._selector.select(min(timeouts)):
            if key.data is not None:
                gone.append(key.data)
            else:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wake, 65536)
        return gone

    def _report(self, report: watch.Report, cause: int) -> None:
        with self._facts_lock:
            self._facts[_key(report)] = ids.Asked(report, self._by, cause=cause)
        self._news = True


def _key(report: watch.Report) -> _Key:
    return report.gang, report.generation, type(report)


def _lock(path: Path) -> int:
    """Lock the state folder for this engine.

    An engine that was killed as it spawned a supervisor leaves the lock, for a moment, to that half-made process.
    """
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(lock)
                raise Occupied(f"another engine works on {path.parent}") from None
            time.sleep(0.01)


def _open_pipe(path: Path) -> int:
    """Open for both directions, so that it neither waits for a writer nor ends with the last one."""
    if not path.is_fifo():
        os.mkfifo(path, 0o600)
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


def _limits(control_group: Path | None) -> limits.Limits:
    try:
        group = control_group if control_group is not None else limits.find_delegated()
    except OSError as why:
        return limits.Limits(None, str(why))
    return limits.Limits(group)
