"""What does each rank get to see, and what is its supervisor told?

A rank starts in a clean environment: nothing of forebay's own is passed on. The names that start without FOREBAY_
are those that training frameworks expect from a launcher (torchrun's).
"""

from __future__ import annotations

import os
import random
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from forebay.core.placements import gang
from forebay.engines import gang_folders, leases, limits, supervisor

DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"
_PORT_MIN = 15_000


class Seat(NamedTuple):
    """Where one rank sits."""

    node: int
    gpu: int
    local_rank: int
    local_world_size: int


def seats(runs: tuple[gang.Run, ...]) -> list[Seat]:
    """One seat for each GPU of `runs`, in order; the ranks of a node follow each other as their runs do."""
    places = [
        (node, gpu)
        for run in runs
        for node in range(run.first, run.first + run.nodes)
        for gpu in range(run.mask.bit_length())
        if run.mask >> gpu & 1
    ]
    size: dict[int, int] = {}
    for node, _ in places:
        size[node] = size.get(node, 0) + 1
    seen: dict[int, int] = {}
    found = []
    for node, gpu in places:
        found.append(Seat(node, gpu, seen.get(node, 0), size[node]))
        seen[node] = seen.get(node, 0) + 1
    return found


def free_port(taken: Collection[int]) -> int:
    """A loopback port that nobody listens on now. Raises OSError if there is none.

    It lies below the ports that the kernel gives to outgoing connections, so that none of these can take it
    before rank 0 listens on it.
    """
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            port_max = int(file.read().split()[0])
    except OSError:
        port_max = 32_768
    for port in _candidates(_PORT_MIN, port_max):
        if port in taken:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise OSError("no free port on the loopback interface")


def _candidates(first: int, end: int) -> Iterator[int]:
    if end > first:
        start = random.randrange(first, end)
        yield from range(start, min(start + 1000, end))
        yield from range(first, min(first + 1000, end))
    yield 0  # whatever the kernel has


class Launcher:
    """Draws up orders and starts supervisors for one state folder.

    `node_name` gives the name that ranks see of a node; `path` is their PATH; `wake` the pipe that wakes us.
    """

    def __init__(
        self,
        folders: gang_folders.GangFolders,
        limits_here: limits.Limits,
        node_name: Callable[[int], str],
        *,
        wake: Path,
        path: str,
        ranks_max: int,
        lease: leases.Lease,
    ) -> None:
        self._folders = folders
        self._limits = limits_here
        self._node_name = node_name
        self._wake = wake
        self._path = path
        self._ranks_max = ranks_max
        self._lease = lease
        #: Not that of a virtual environment, which may be replaced while work runs.
        self._python = os.path.realpath(sys.executable)

    def draw_up(self, effect: gang.RunGang, ports_taken: Collection[int]) -> supervisor.LaunchOrder:
        """The order for one generation, with what it needs on disk and its control group made.

        Raises ValueError for what can never be started, OSError for what may be another time.
        """
        program = effect.program
        places = seats(effect.runs)
        if program is None or not program.argv:
            raise ValueError("it has no program, and real processes need one")
        if not 0 < len(places) <= self._ranks_max:
            raise ValueError(
                f"{len(places)} ranks: this engine starts 1 to {self._ranks_max} processes a gang"
            )
        token = secrets.token_hex(16)
        port = free_port(ports_taken)
        # The generation in which the gang itself began: a name may have been used before, by another one.
        first = effect.generation - effect.starts_before
        checkpoints, home = self._folders.hand_out(effect.gang, first, again=effect.starts_before > 0)
        everyone = self._environment(effect, port, checkpoints, home)
        applied = self._limits.apply(
            f"{effect.gang}.{effect.generation}",
            cpu_millis=program.cpu_millis,
            memory_bytes=program.memory_bytes,
            ranks=len(places),
            first_cpu=places[0].node + places[0].gpu,
        )
        return {
            "gang": effect.gang,
            "generation": effect.generation,
            "cause": effect.cause,
            "token": token,
            "wake": str(self._wake),
            "grace_s": effect.grace_s,
            "argv": list(program.argv),
            "folder": program.folder,
            "ranks": [
                everyone
                | self._environment_of_rank(rank, len(places), seat)
                | program.env
                | {supervisor.LAUNCH_VARIABLE: token}
                for rank, seat in enumerate(places)
            ],
            "log_bytes_max": program.log_bytes_max,
            "cgroup": applied.cgroup,
            "data_bytes_max": applied.data_bytes_max,
            "cpus": applied.cpus,
            "limits": applied.words,
            "port": port,
            "lease_s": effect.lease_s,
            "lease": str(self._lease.path),
            "answered_s": self._lease.answered_s,
        }

    def _environment(self, effect: gang.RunGang, port: int, checkpoints: Path, home: Path) -> dict[str, str]:
        return {
            "PATH": self._path,
            "LANG": "C.UTF-8",
            "HOME": str(home),
            "TMPDIR": str(home / "tmp"),
            "OMP_NUM_THREADS": "1",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "FOREBAY_GANG": effect.gang,
            "FOREBAY_GENERATION": str(effect.generation),
            "FOREBAY_CHECKPOINT_DIR": str(checkpoints),
            "FOREBAY_PROGRESS_FILE": str(gang_folders.progress_file(home, effect.generation)),
            "FOREBAY_STARTS_BEFORE": str(effect.starts_before),
            "FOREBAY_GRACE_S": str(effect.grace_s),
            **({"FOREBAY_RECLAIM_S": str(effect.reclaim_s)} if effect.reclaim_s else {}),
        }

    def _environment_of_rank(self, rank: int, world_size: int, seat: Seat) -> dict[str, str]:
        return {
            "RANK": str(rank),
            "WORLD_SIZE": str(world_size),
            "LOCAL_RANK": str(seat.local_rank),
            "LOCAL_WORLD_SIZE": str(seat.local_world_size),
            "FOREBAY_NODE": self._node_name(seat.node),
            "FOREBAY_GPU": str(seat.gpu),
        }

    def spawn(self, folder: Path, token: str) -> int:
        """Start the supervisor of the generation in `folder`; its process id. Raises OSError.

        It gets its own session and none of our environment, open files or ignored signals.
        """
        log = os.open(folder / "supervisor.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            return os.posix_spawn(
                self._python,
                [self._python, "-I", "-S", supervisor.__file__, str(folder), token],
                {"PATH": DEFAULT_PATH, "LANG": "C.UTF-8"},
                file_actions=[
                    (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0),
                    (os.POSIX_SPAWN_DUP2, log, 1),
                    (os.POSIX_SPAWN_DUP2, log, 2),
                ],
                setsid=True,
                setsigmask=(),
                setsigdef=set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP},
            )
        finally:
            os.close(log)
