"""What did a supervisor leave behind that died without writing an outcome?

Its ranks died with it. What they had started may live on, outside their sessions even; it is found by the control
group, and by the token that every descendant has in its environment. A process that cleaned its environment and
left its session escapes where there is no control group.
"""

from __future__ import annotations

import contextlib
import os
import signal
from pathlib import Path

from forebay.engines import gang_folders, supervisor


def is_kept(folder: Path, pid: int, boot: str) -> bool:
    """Whether `pid` is the very supervisor that claimed the generation: start time, boot and token agree."""
    keeper = gang_folders.read_keeper(folder)
    if keeper is None or keeper["pid"] == 0 or keeper["pid"] != pid:
        return False
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    who = supervisor.ProcessIdentity(pid, keeper["started"], keeper["boot"])
    return keeper["token"].encode() in arguments and supervisor.is_alive(who, boot)


def kill_left(folder: Path, boot: str) -> bool:
    """Kill what is left of a generation; whether there was nothing (any more). Call it until there is not."""
    order = gang_folders.read_order(folder)
    started = gang_folders.read_started(folder)
    group = Path(order["cgroup"]) if order is not None and order["cgroup"] else None
    if group is not None:
        with contextlib.suppress(OSError):
            supervisor.kill_cgroup(str(group))
    left = _processes_of(order["token"]) if order is not None else set()
    if started is not None:
        left |= {who.pid for who in started["ranks"] if supervisor.is_alive(who, boot)}
    for pid in left:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    if left or (group is not None and _is_populated(group)):
        return False
    if group is not None:
        with contextlib.suppress(OSError):
            group.rmdir()
    return True


def _is_populated(group: Path) -> bool:
    """Whether a process lives in the control group or below it; a kill takes its time."""
    try:
        return "populated 1" in (group / "cgroup.events").read_text()
    except OSError:
        return False


def instant_of_loss(folder: Path, boot: str) -> int:
    """When a generation was over at the latest: now, or when the host came up again; microseconds."""
    at = supervisor.wall_clock_us()
    keeper = gang_folders.read_keeper(folder)
    if keeper is not None and keeper["boot"] not in ("", boot):
        at = min(at, _boot_instant())
    started = gang_folders.read_started(folder)
    return at if started is None else max(at, started["at"])


def _processes_of(token: str) -> set[int]:
    mark = f"{supervisor.LAUNCH_VARIABLE}={token}".encode()
    found = set()
    for pid in supervisor.all_pids():
        with contextlib.suppress(OSError):
            if mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                found.add(pid)
    return found


def _boot_instant() -> int:
    """`btime` of /proc/stat, see proc_stat(5)."""
    for line in Path("/proc/stat").read_text().split("\n"):
        if line.startswith("btime "):
            return int(line.split()[1]) * 1_000_000
    return supervisor.wall_clock_us()
