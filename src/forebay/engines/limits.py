"""Which limits on CPU and memory can this machine hold a gang to, and how are they set up?

Best is a control group (cgroup v2) that was delegated to us: `cpu.max`, `memory.max` and `cgroup.kill` then hold for
the gang as a whole, see https://docs.kernel.org/admin-guide/cgroup-v2.html. Where there is none:

- memory: RLIMIT_DATA, an equal share for each rank. It counts private writable memory, used or not; not what is
  mapped from files or shared. RLIMIT_AS would count every reserved address as well, which GPU drivers take by the
  terabyte.
- CPU: the ranks share as many CPUs as the limit comes to, rounded up. They may run nowhere else, but share these
  with whoever else runs there.

A group is delegated to us if the service manager says so (systemd: `Delegate=yes`, an extended attribute), or if the
operator names it. systemd must also be told to leave the gangs alone when forebay restarts: `KillMode=process`.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

PERIOD_US = 100_000
#: The kernel takes no less than a millisecond of CPU per period.
QUOTA_US_MIN = 1000


@dataclass(frozen=True, slots=True)
class LimitsOffered:
    """What holds a gang to its limits here, in words for people."""

    #: "cgroup" or "rlimit".
    memory: str
    #: "cgroup" or "affinity".
    cpu: str
    #: How the last process of a gang is found: "cgroup" or "descent".
    kill: str
    #: The control group in use, or why there is none.
    detail: str


@dataclass(frozen=True, slots=True)
class LimitsApplied:
    """Limits of one gang, as its supervisor is told."""

    #: Folder of the gang's control group, "" for none.
    cgroup: str
    #: RLIMIT_DATA of each rank, bytes; 0 for none.
    data_bytes_max: int
    #: CPUs it may use; empty for all.
    cpus: list[int]
    #: The same in words.
    words: dict[str, str]


class Limits:
    """Sets up limits, with the control group `root` where it can be used. Never raises for want of one."""

    def __init__(
        self, root: Path | None, why_none: str = "none was delegated to us", proc: Path = Path("/proc/self")
    ) -> None:
        self._controllers: frozenset[str] = frozenset()
        self._root: Path | None = None
        self._detail = f"no control group: {why_none}"
        if root is not None:
            try:
                if not _may_move_into(root, proc):
                    raise PermissionError(
                        f"{root} is not above our own, so that no process can be moved there"
                    )
                self._controllers = _open_group(root)
                self._root = root
                self._detail = str(root)
            except OSError as why:
                self._detail = f"no control group: {why}"

    def offer(self) -> LimitsOffered:
        """What can be held to here."""
        return LimitsOffered(
            memory="cgroup" if "memory" in self._controllers else "rlimit",
            cpu="cgroup" if "cpu" in self._controllers else "affinity",
            kill="cgroup" if self._root else "descent",
            detail=self._detail,
        )

    def apply(
        self, name: str, cpu_millis: int, memory_bytes: int, ranks: int, first_cpu: int
    ) -> LimitsApplied:
        """Make ready for a gang; limits of 0 are none.

        `name` names its control group. `first_cpu` spreads gangs over the CPUs where affinity is all there is.
        Raises OSError if the control group refuses.
        """
        group: Path | None = None
        words: dict[str, str] = {}
        data_bytes_max = 0
        cpus: list[int] = []
        if self._root is not None:
            group = self._root / name
            group.mkdir(exist_ok=True)
            words["kill"] = "cgroup.kill"
        if memory_bytes and group is not None and "memory" in self._controllers:
            _write(group / "memory.max", str(memory_bytes))
            for setting, value in (("memory.swap.max", "0"), ("memory.oom.group", "1")):
                with contextlib.suppress(OSError):  # no swap accounting, or a kernel before 4.19
                    _write(group / setting, value)
            words["memory"] = f"memory.max={memory_bytes}"
        elif memory_bytes:
            data_bytes_max = max(1, memory_bytes // ranks)
            words["memory"] = f"RLIMIT_DATA={data_bytes_max} a rank"
        if cpu_millis and group is not None and "cpu" in self._controllers:
            quota_us = max(QUOTA_US_MIN, cpu_millis * PERIOD_US // 1000)
            _write(group / "cpu.max", f"{quota_us} {PERIOD_US}")
            words["cpu"] = f"cpu.max={quota_us} {PERIOD_US}"
        elif cpu_millis:
            cpus = _choose_cpus(sorted(os.sched_getaffinity(0)), -(-cpu_millis // 1000), first_cpu)
            words["cpu"] = (
                f"affinity to {len(cpus)} CPU" if cpus else "none: it may use as many CPUs as there are"
            )
        return LimitsApplied(str(group) if group else "", data_bytes_max, cpus, words)


def _choose_cpus(there_are: list[int], wanted: int, first: int) -> list[int]:
    """`wanted` neighbours from the `first`th on, round about; empty if that is all of them."""
    if wanted >= len(there_are):
        return []
    return sorted(there_are[(first + step) % len(there_are)] for step in range(wanted))


def _open_group(root: Path) -> frozenset[str]:
    """Make `root` ready for groups below it; which controllers they get. Raises OSError."""
    root.mkdir(exist_ok=True)
    if not os.access(root / "cgroup.procs", os.W_OK):
        raise PermissionError(f"{root} is not a control group that we may write to")
    offered = (root / "cgroup.controllers").read_text().split()
    enabled = set()
    for controller in ("cpu", "memory"):
        if controller in offered:
            # Refused (EBUSY) while processes are in `root` itself; then this limit falls back.
            with contextlib.suppress(OSError):
                _write(root / "cgroup.subtree_control", f"+{controller}")
                enabled.add(controller)
    return frozenset(enabled)


def find_delegated(proc: Path = Path("/proc/self")) -> Path | None:
    """The control group that the service manager delegated to us, None if it did not.

    Processes of ours that are in it are moved one level down, since a group with processes cannot pass
    controllers on. Raises OSError.
    """
    mount, group = _mount_point(proc), _own_group(proc)
    if mount is None or group is None:
        return None
    if not _is_delegated(group):
        # systemd's DelegateSubgroup= puts the service itself one level down already.
        return group.parent if group != mount and _is_delegated(group.parent) else None
    control = group / "control"
    control.mkdir(exist_ok=True)
    for pid in (group / "cgroup.procs").read_text().split():
        with contextlib.suppress(ProcessLookupError):
            _write(control / "cgroup.procs", pid)
    return group


def _is_delegated(group: Path) -> bool:
    for attribute in ("user.delegate", "trusted.delegate"):
        with contextlib.suppress(OSError):
            if os.getxattr(group, attribute) == b"1":
                return os.access(group / "cgroup.procs", os.W_OK)
    return False


def _may_move_into(root: Path, proc: Path) -> bool:
    """Moving a process takes the right to write to the lowest group above both its old place and its new one."""
    own = _own_group(proc)
    return os.geteuid() == 0 or (own is not None and own.is_relative_to(root))


def _own_group(proc: Path) -> Path | None:
    """The control group that this process is in; see cgroups(7)."""
    mount = _mount_point(proc)
    for line in (proc / "cgroup").read_text().split("\n"):
        if mount is not None and line.startswith("0::/"):
            return mount / line[len("0::/") :]
    return None


def _mount_point(proc: Path) -> Path | None:
    """Where the cgroup v2 hierarchy is mounted; see proc_pid_mountinfo(5)."""
    for line in (proc / "mountinfo").read_text().split("\n"):
        before, _, after = line.partition(" - ")
        if after.split(" ")[0] == "cgroup2":
            return Path(before.split(" ")[4])
    return None


def _write(path: Path, text: str) -> None:
    """One write(2), as the kernel's files want it."""
    with path.open("wb", buffering=0) as file:
        file.write(text.encode())
