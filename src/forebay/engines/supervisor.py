"""Who keeps one generation of one gang while forebay may come and go?

This file, run alone as `python -I -S supervisor.py FOLDER TOKEN`: it starts the ranks, keeps their logs, and writes
down how it ended. It needs the standard library only, so that neither a restart nor an upgrade of forebay touches
work that runs. Everything between it and the engine is in FOLDER; each JSON file appears whole or not at all:

    spec.json          what to run (`LaunchOrder`)                           from the engine, first of all
    supervisor.json    who keeps it (`Keeper`); by link(2), so only once     from here; from the engine to forbid it
    started.json       all ranks are up (`StartedFile`)                      from here
    stop.json          a request to stop (`StopFile`), followed by SIGUSR1   from the engine
    outcome.json       how it ended, no process is left (`OutcomeFile`)      from here; from the engine if we died
    rank-N.BASE.log    output of rank N from its byte BASE on                from here

No rank outlives this process: the kernel kills each with it (PR_SET_PDEATHSIG, which is tied to the *thread* that
forked, one more reason to have one thread only). No descendant of a rank outlives the gang: orphans come to this
process (PR_SET_CHILD_SUBREAPER), which ends only when it has no child left.
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import errno
import json
import os
import resource
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from typing import Any, NamedTuple, NotRequired, TypedDict

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

#: Once every rank has exited with 0, what they left behind may take this long to go.
LEFTOVER_GRACE_S = 2.0
#: Between two rounds of SIGKILL, and two looks at whether they worked.
KILL_ROUND_S = 0.05
#: Between two attempts to write the outcome to a disk that is full.
RETRY_S = 1.0
READ_BYTES = 65536
LOG_BYTES_MIN = 4096
EVIDENCE_CHARS_MAX = 500
#: Between two looks at a lease.
LEASE_LOOK_S = 5.0
#: Set aside at the start, so that the outcome can be written to a full disk.
OUTCOME_BYTES = 4096
#: A start that fails with one of these may work another time: the gang failed, it is not unstartable.
PASSING_ERRNOS = frozenset(
    {errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE, errno.ETXTBSY, errno.EINTR}
)
#: In every rank's environment: by it what a dead supervisor left behind is found.
LAUNCH_VARIABLE = "FOREBAY_LAUNCH"


class ProcessIdentity(NamedTuple):
    """One process of one boot; a process id alone is used again."""

    pid: int
    #: Clock ticks since boot, field 22 of /proc/PID/stat.
    started: int
    boot: str


class LaunchOrder(TypedDict):
    """What is to run: `spec.json`."""

    gang: str
    generation: int
    #: Sequence of the record that decided it.
    cause: int
    token: str
    #: Path of the pipe (FIFO) that wakes the engine.
    wake: str
    grace_s: int
    argv: list[str]
    folder: str
    #: The whole environment of each rank, by rank.
    ranks: list[dict[str, str]]
    log_bytes_max: int
    #: Folder of its control group, "" for none.
    cgroup: str
    #: RLIMIT_DATA of each rank, 0 for none.
    data_bytes_max: int
    #: CPUs that the ranks may use, empty for all.
    cpus: list[int]
    #: Which limits hold, in words.
    limits: dict[str, str]
    port: int
    #: The gang is ended once its engine got no answer for so many seconds; 0 for never.
    lease_s: NotRequired[int]
    #: File that says when it got one (`leases`), and when that was as this was written.
    lease: NotRequired[str]
    answered_s: NotRequired[float]


class Keeper(TypedDict):
    """Who keeps the generation: `supervisor.json`. `pid` 0: nobody may, the engine has given it up."""

    pid: int
    started: int
    boot: str
    token: str


class StartedFile(TypedDict):
    """All ranks are up: `started.json`."""

    at: int
    #: ProcessIdentity of each rank, by rank.
    ranks: list[ProcessIdentity]
    limits: dict[str, str]


class StopFile(TypedDict):
    """The request to stop: `stop.json`."""

    grace_s: int
    reason: str


class OutcomeFile(TypedDict):
    """How it ended: `outcome.json`. `ending` is a value of `gang.Ending`."""

    at: int
    ending: str
    rank: int
    exit_status: int
    evidence: str
    cause: int
    log_bytes_lost: int


# Files that appear whole or not at all.


def write_whole(path: str, value: Any) -> None:
    """Write `value` as JSON so that a reader, or a crash, meets the old file or the new one. Raises OSError."""
    temporary = _write_aside(path, value)
    os.rename(temporary, path)
    _sync_folder(os.path.dirname(path))


def claim_generation(folder: str, who: Keeper) -> bool:
    """Whether `who` is the first to claim the generation in `folder`. Raises OSError."""
    path = os.path.join(folder, "supervisor.json")
    temporary = _write_aside(path, who)
    try:
        os.link(temporary, path)
    except FileExistsError:
        return False
    finally:
        os.unlink(temporary)
    _sync_folder(folder)
    return True


def read_json(folder: str, name: str) -> Any:
    """The value in one of the files above; None where it is not there. Raises OSError, ValueError if damaged."""
    try:
        with open(os.path.join(folder, name), "rb") as file:
            return json.loads(file.read())
    except FileNotFoundError:
        return None


def _sync_folder(folder: str) -> None:
    """Make names in `folder` durable. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_aside(path: str, value: Any) -> str:
    temporary = f"{path}.{os.getpid()}.tmp"
    with open(temporary, "wb") as file:
        file.write(json.dumps(value).encode())
        file.flush()
        os.fsync(file.fileno())
    return temporary


def write_outcome(folder: str, outcome: OutcomeFile) -> None:
    """Write `outcome.json` into the space set aside for it. Raises OSError."""
    reserve = os.path.join(folder, "outcome.reserve")
    try:
        with open(reserve, "r+b", buffering=0) as file:
            file.write(json.dumps(outcome).encode().ljust(OUTCOME_BYTES))
            os.fsync(file.fileno())
        os.rename(reserve, os.path.join(folder, "outcome.json"))
        _sync_folder(folder)
    except FileNotFoundError:
        write_whole(os.path.join(folder, "outcome.json"), outcome)


# Processes, as /proc shows them.


def boot_id() -> str:
    """Changes with every start of this host. Raises OSError where there is no Linux /proc."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


def _stat(pid: int) -> list[str] | None:
    """State, parent, group, session, ... of a process: fields 3 and on of /proc/PID/stat; None if it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return fields if len(fields) > 19 and fields[0] not in "ZX" else None


def identity_of(pid: int, boot: str) -> ProcessIdentity | None:
    """ProcessIdentity of a process that is alive now; None for a dead one, a zombie included."""
    fields = _stat(pid)
    return None if fields is None else ProcessIdentity(pid, int(fields[19]), boot)


def is_alive(who: ProcessIdentity, boot: str) -> bool:
    """Whether the very process `who` is alive; `boot` is the host's boot now."""
    return who.boot == boot and identity_of(who.pid, boot) == who


def all_pids() -> list[int]:
    """Every process there is."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def descendants(root: int) -> list[int]:
    """Living processes below `root`."""
    children: dict[int, list[int]] = {}
    for pid in all_pids():
        fields = _stat(pid)
        if fields is not None:
            children.setdefault(int(fields[1]), []).append(pid)
    found: list[int] = []
    to_visit = [root]
    while to_visit:
        below = children.get(to_visit.pop(), [])
        found += below
        to_visit += below
    return found


def boot_clock_s() -> float:
    """Seconds since this host was started, those included in which it slept."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def read_answered(path: str, boot: str) -> float:
    """When an engine sent the last heartbeat that was answered, by `boot_clock_s`; 0.0: none was in this boot."""
    try:
        found = read_json(os.path.dirname(path), os.path.basename(path))
        return float(found["answered_s"]) if found is not None and found["boot"] == boot else 0.0
    except (OSError, ValueError, TypeError, KeyError):
        return 0.0


def wall_clock_us() -> int:
    """Microseconds since the Unix epoch by the wall clock."""
    return time.time_ns() // 1000


class RankLog:
    """Output of one rank in parts of at most `bytes_max` (and the rest of a line); the last two are kept.

    A part is named by the offset of its first byte, so a reader needs nothing else to follow over a rotation.
    Writing never raises and never waits for space: what does not fit is dropped and counted, and a line in the log
    says so when there is space again.
    """

    def __init__(self, folder: str, rank: int, bytes_max: int) -> None:
        self._prefix = os.path.join(folder, f"rank-{rank}.")
        self._bytes_max = max(bytes_max, LOG_BYTES_MIN)
        self._line_slack = min(4096, self._bytes_max // 8)
        self._parts: collections.deque[str] = collections.deque()
        self._file = -1
        self._base = 0
        self._size = 0
        self._at_line_start = True
        self._why_lost = ""
        self._tail = b""
        #: Bytes dropped since the last note about it, and in all.
        self.bytes_lost = 0
        self.bytes_lost_total = 0

    def write(self, data: bytes) -> None:
        """Append what the rank wrote."""
        self._tail = (self._tail + data)[-EVIDENCE_CHARS_MAX:]
        if self.bytes_lost and not self._note_loss():
            self._lose(len(data))
            return
        while data:
            part = data[: self._length_of_part(data)]
            self._lose(len(part) - self._put(part))
            data = data[len(part) :]
            if data:
                self._begin_part()

    def last_line(self) -> str:
        """The last line that says something, for evidence."""
        lines = [line.strip() for line in self._tail.decode(errors="replace").splitlines()]
        return next((line for line in reversed(lines) if line), "")

    def close(self) -> None:
        """Close the file; tells of losses one last time."""
        if self.bytes_lost:
            self._note_loss()
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _length_of_part(self, data: bytes) -> int:
        """How much of `data` belongs to the part that is open: whole lines where possible."""
        room = self._bytes_max - self._size
        if len(data) <= room:
            return len(data)
        whole_lines = data.rfind(b"\n", 0, max(room, 0)) + 1
        if whole_lines:
            return whole_lines
        if not self._at_line_start:
            room += self._line_slack
            return data.find(b"\n", 0, max(room, 0)) + 1 or max(room, 0)
        return room if self._size == 0 else 0

    def _begin_part(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        self._base += self._size
        self._size = 0
        while len(self._parts) > 1:
            with contextlib.suppress(OSError):
                os.unlink(self._parts.popleft())

    def _put(self, data: bytes) -> int:
        """Write to the part that is open; how much of `data` was written."""
        done = 0
        try:
            if self._file < 0:
                path = f"{self._prefix}{self._base}.log"
                self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
                self._parts.append(path)
            while done < len(data):
                done += os.write(self._file, data[done:])
        except OSError as why:
            self._why_lost = why.strerror or str(why)
        self._size += done
        if done:
            self._at_line_start = data[done - 1] == 0x0A
        return done

    def _note_loss(self) -> bool:
        newline = b"" if self._at_line_start else b"\n"
        note = newline + f"[forebay: {self.bytes_lost} bytes were lost here: {self._why_lost}]\n".encode()
        size, at_line_start = self._size, self._at_line_start
        if self._put(note) < len(note):
            if self._file >= 0:
                with contextlib.suppress(OSError):
                    os.ftruncate(self._file, size)
            self._size, self._at_line_start = size, at_line_start
            return False
        self.bytes_lost = 0
        return True

    def _lose(self, count: int) -> None:
        self.bytes_lost += count
        self.bytes_lost_total += count


class RankProcess:
    """One process of the gang, leader of its own session and process group."""

    __slots__ = ("identity", "log", "number", "pid", "pipe", "process", "status")

    def __init__(
        self, number: int, process: subprocess.Popen[bytes], identity: ProcessIdentity, log: RankLog
    ) -> None:
        assert process.stdout is not None
        self.number = number
        #: Held, because the end of a Popen object reaps its process, and the exit would go unseen.
        self.process = process
        self.pid = process.pid
        self.identity = identity
        #: Read end of its output; None once it is closed.
        self.pipe: Any = process.stdout
        self.log = log
        #: Exit status, negative for a signal; None while it runs.
        self.status: int | None = None


class Supervision:
    """One run of one generation: `run` returns when no process of it is left."""

    def __init__(self, folder: str, order: LaunchOrder) -> None:
        self._folder = folder
        self._order = order
        self._pid = os.getpid()
        self._boot = boot_id()
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._ranks: list[RankProcess] = []
        self._outcome: OutcomeFile | None = None
        self._kill_at: float | None = None
        self._told_to_end = False
        self._stop_seen = False
        self._started_at = 0
        #: What is still to be written to `started.json`.
        self._started: StartedFile | None = None
        self._selector = selectors.DefaultSelector()
        self._wakeup, wakeup_for_signals = os.pipe()
        for end in (self._wakeup, wakeup_for_signals):
            os.set_blocking(end, False)
        self._selector.register(self._wakeup, selectors.EVENT_READ)
        # Handlers, not SIG_IGN: what is ignored here would be ignored by the ranks too.
        signal.set_wakeup_fd(wakeup_for_signals, warn_on_full_buffer=False)
        for number in (signal.SIGCHLD, signal.SIGUSR1, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGTERM, self._on_sigterm)

    def run(self) -> OutcomeFile:
        """Start, watch, stop; the outcome is returned when the last process is dead. Raises OSError."""
        # 1. Orphans of the ranks come to us.
        self._prctl(PR_SET_CHILD_SUBREAPER, 1)
        # 2. All ranks, or none; and none at all if it was stopped before it began.
        self._look_for_stop()
        self._look_at_lease()
        if self._outcome is None:
            self._start_ranks()
        # 3. Wait for what comes: output, an exit, a request, the end of a grace.
        children_left = self._reap()
        self._decide()
        while children_left:
            self._wait()
            self._tell_started()
            children_left = self._reap()
            self._decide()
        # 4. Nothing is left; what is still in the pipes belongs to the logs.
        for rank in self._ranks:
            self._read(rank, to_the_end=True)
            rank.log.close()
        assert self._outcome is not None
        self._outcome["at"] = max(wall_clock_us(), self._started_at)
        self._outcome["log_bytes_lost"] = sum(rank.log.bytes_lost_total for rank in self._ranks)
        return self._outcome

    def _on_sigterm(self, *_: object) -> None:
        self._told_to_end = True

    def _prctl(self, option: int, value: int) -> None:
        if self._libc.prctl(option, *map(ctypes.c_ulong, (value, 0, 0, 0))) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    # Starting.

    def _start_ranks(self) -> None:
        for number, environment in enumerate(self._order["ranks"]):
            try:
                self._ranks.append(self._spawn(number, environment))
            except (OSError, ValueError, subprocess.SubprocessError) as why:
                passing = isinstance(why, OSError) and why.errno in PASSING_ERRNOS
                ending = "failed" if passing else "unstartable"
                self._end(ending, f"rank {number}: {_reason(why)}", grace_s=0, rank=number)
                return
        self._started_at = wall_clock_us()
        self._started = {
            "at": self._started_at,
            "ranks": [rank.identity for rank in self._ranks],
            "limits": self._order["limits"],
        }
        self._tell_started()

    def _tell_started(self) -> None:
        """Write `started.json`; on a full disk the ranks run on and it is tried again with every look around."""
        if self._started is None:
            return
        with contextlib.suppress(OSError):
            write_whole(os.path.join(self._folder, "started.json"), self._started)
            self._started = None
            wake_engine(self._order["wake"])

    def _spawn(self, number: int, environment: dict[str, str]) -> RankProcess:
        process = subprocess.Popen(
            self._order["argv"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self._order["folder"],
            env=environment,
            start_new_session=True,
            umask=0o022,
            bufsize=0,
            preexec_fn=self._prepare_rank,  # noqa: PLW1509 - this process has one thread
        )
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        # A rank that died at once is a zombie until we reap it: its identity is then of no use to anybody.
        identity = identity_of(process.pid, self._boot) or ProcessIdentity(process.pid, 0, self._boot)
        rank = RankProcess(
            number, process, identity, RankLog(self._folder, number, self._order["log_bytes_max"])
        )
        self._selector.register(rank.pipe, selectors.EVENT_READ, rank)
        return rank

    def _prepare_rank(self) -> None:
        """Run in the rank, between fork and exec."""
        self._prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != self._pid:  # it died before the line above
            os._exit(1)
        if self._order["cgroup"]:
            with open(os.path.join(self._order["cgroup"], "cgroup.procs"), "wb", buffering=0) as file:
                file.write(b"0")
        if self._order["cpus"]:
            os.sched_setaffinity(0, self._order["cpus"])
        if self._order["data_bytes_max"]:
            limit = self._order["data_bytes_max"]
            resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))

    # Watching.

    def _wait(self) -> None:
        timeout = None if self._kill_at is None else max(self._kill_at - time.monotonic(), 0.0)
        if self._started is not None:
            timeout = RETRY_S if timeout is None else min(timeout, RETRY_S)
        if self._order.get("lease_s") and self._outcome is None:
            left_s = min(max(self._lease_left_s(), 0.05), LEASE_LOOK_S)
            timeout = left_s if timeout is None else min(timeout, left_s)
        for key, _ in self._selector.select(timeout):
            if key.data is None:
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wakeup, 4096)
            else:
                self._read(key.data)

    def _read(self, rank: RankProcess, to_the_end: bool = False) -> None:
        while rank.pipe is not None:
            try:
                data = rank.pipe.read(READ_BYTES)
            except OSError:
                data = b""
            if data is None:  # nothing there now
                return
            if data:
                rank.log.write(data)
            else:
                self._selector.unregister(rank.pipe)
                rank.pipe.close()
                rank.pipe = None
            if not to_the_end:
                return

    def _reap(self) -> bool:
        """Take note of every exit; whether any process is left."""
        by_pid = {rank.pid: rank for rank in self._ranks}
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid in by_pid:
                by_pid[pid].status = os.waitstatus_to_exitcode(status)

    def _decide(self) -> None:
        """What follows from what was seen: the first reason to end is the one that is told."""
        self._look_for_stop()
        self._look_at_lease()
        if self._outcome is None:
            if self._told_to_end:
                self._end("lost", "its supervisor was told to end (SIGTERM), as when a host shuts down")
            elif failed := [rank for rank in self._ranks if rank.status]:
                # Of ranks that are found dead together, one that was killed is the likelier cause: the others
                # exit with an error when they miss it.
                rank = min(
                    failed, key=lambda rank: (rank.status is not None and rank.status > 0, rank.number)
                )
                self._read(rank, to_the_end=True)
                self._end("failed", self._evidence(rank), rank=rank.number, exit_status=rank.status or 0)
            elif all(rank.status == 0 for rank in self._ranks):
                self._end("completed", "", grace_s=min(LEFTOVER_GRACE_S, self._order["grace_s"]))
        elif self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._kill()
            self._kill_at = time.monotonic() + KILL_ROUND_S

    def _look_for_stop(self) -> None:
        if self._stop_seen:
            return
        stop: StopFile | None = read_json(self._folder, "stop.json")
        if stop is None:
            return
        self._stop_seen = True
        if self._outcome is None:
            self._end("stopped", stop["reason"], grace_s=stop["grace_s"])
        elif self._kill_at is not None:
            self._kill_at = min(self._kill_at, time.monotonic() + stop["grace_s"])

    def _look_at_lease(self) -> None:
        """End the gang where nobody has answered its engine for too long: it may be started elsewhere soon."""
        lease_s = self._order.get("lease_s", 0)
        if lease_s and self._outcome is None and self._lease_left_s() <= 0:
            self._end("stopped", f"its lease was over: its engine got no answer for {lease_s} s")

    def _lease_left_s(self) -> float:
        answered_s = max(
            self._order.get("answered_s", 0.0), read_answered(self._order.get("lease", ""), self._boot)
        )
        return answered_s + self._order.get("lease_s", 0) - boot_clock_s()

    def _evidence(self, rank: RankProcess) -> str:
        status = rank.status or 0
        if status > 0:
            how = f"rank {rank.number} exited with status {status}"
        else:
            try:
                name = signal.Signals(-status).name
            except ValueError:
                name = f"signal {-status}"
            how = f"rank {rank.number} was killed by {name}"
            if -status == signal.SIGKILL and self._ran_out_of_memory():
                how += ", out of memory: the gang used all that it was given"
        last_line = rank.log.last_line()
        return f"{how}: {last_line}" if last_line else how

    def _ran_out_of_memory(self) -> bool:
        try:
            with open(os.path.join(self._order["cgroup"], "memory.events"), encoding="ascii") as file:
                events = dict(line.split() for line in file)
        except OSError:
            return False
        return int(events.get("oom_kill", 0)) > 0

    # Stopping.

    def _end(
        self,
        ending: str,
        evidence: str,
        *,
        grace_s: float | None = None,
        rank: int = -1,
        exit_status: int = 0,
    ) -> None:
        """Ask every process to end, and set the time at which it is made to."""
        self._outcome = {
            "at": 0,
            "ending": ending,
            "rank": rank,
            "exit_status": exit_status,
            "evidence": evidence[:EVIDENCE_CHARS_MAX],
            "cause": self._order["cause"],
            "log_bytes_lost": 0,
        }
        self._kill_at = time.monotonic() + (self._order["grace_s"] if grace_s is None else grace_s)
        for pid in self._targets():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                # A process that was stopped (SIGSTOP) cannot answer before it goes on.
                os.kill(pid, signal.SIGTERM)
                os.kill(pid, signal.SIGCONT)

    def _targets(self) -> Iterable[int]:
        """Process groups of ranks (negative), then descendants that left them."""
        groups = {rank.pid for rank in self._ranks if rank.status is None}
        yield from (-pid for pid in sorted(groups))
        for pid in descendants(self._pid):
            with contextlib.suppress(ProcessLookupError):
                if os.getpgid(pid) not in groups:
                    yield pid

    def _kill(self) -> None:
        if self._order["cgroup"]:
            with contextlib.suppress(OSError):
                kill_cgroup(self._order["cgroup"])
        for pid in self._targets():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def _reason(why: Exception) -> str:
    if isinstance(why, OSError) and why.strerror:
        return f"{why.strerror}: {why.filename!r}" if why.filename is not None else why.strerror
    if isinstance(why, subprocess.SubprocessError):
        return "its limits could not be applied"
    return str(why)


def kill_cgroup(folder: str) -> None:
    """Kill whatever is in the control group (Linux 5.14 and later). Raises OSError."""
    with open(os.path.join(folder, "cgroup.kill"), "wb", buffering=0) as file:
        file.write(b"1")


def wake_engine(pipe: str) -> None:
    """Tell an engine that listens, if one does, to look."""
    with contextlib.suppress(OSError):
        handle = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            os.write(handle, b".")
        finally:
            os.close(handle)


def main(folder: str, token: str) -> int:
    """Keep the generation in `folder`: 0 when its outcome is written, 3 when somebody else has claimed it."""
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.umask(0o077)
    os.chdir("/")
    order: LaunchOrder = read_json(folder, "spec.json")
    # Signal handlers stand before the claim: the engine signals only whom it sees in the claim.
    supervision = Supervision(folder, order)
    boot = boot_id()
    me = identity_of(os.getpid(), boot)
    assert me is not None
    if not claim_generation(folder, {"pid": me.pid, "started": me.started, "boot": me.boot, "token": token}):
        return 3
    with contextlib.suppress(OSError), open(os.path.join(folder, "outcome.reserve"), "wb") as file:
        file.write(b" " * OUTCOME_BYTES)
    outcome = supervision.run()
    while True:
        try:
            write_outcome(folder, outcome)
            break
        except OSError:
            if not os.path.isdir(folder):
                return 1
            time.sleep(RETRY_S)
    if order["cgroup"]:
        with contextlib.suppress(OSError):
            os.rmdir(order["cgroup"])
    wake_engine(order["wake"])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
