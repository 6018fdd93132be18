"""Where is the state of a world, and which server speaks for it?

    ${XDG_STATE_HOME:-~/.local/state}/forebay/WORLD/    journal.sqlite, snapshots/, engine/, tokens.json,
                                                        operator.token, server.json (address, pid, world)

A server is looked for in this order: --server, FOREBAY_SERVER, server.json of --state or FOREBAY_STATE, the only
world whose server runs. When none runs, the message names the world that ran last and the command that starts it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path

from forebay.cli.failure import Failed, Status
from forebay.cli.session import Session

JOURNAL = "journal.sqlite"
#: In the name of a state folder that was moved aside.
ASIDE = ".aside-"
#: What an address looks like.
EXAMPLE = "http://127.0.0.1:8420"


@dataclass(slots=True)
class Running:
    """A world whose server runs, or ran last."""

    folder: Path
    address: str
    pid: int
    world: str
    #: Certificate to trust, for a server with one of its own.
    certificate: str

    @property
    def alive(self) -> bool:
        """Whether it runs. A process id would say little, since it is used again, and a state folder may be a copy of
        another: the lock that a server holds goes with its process, and is not copied.
        """
        try:
            handle = os.open(self.folder / "server.lock", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(handle)
        return False


def state_root() -> Path:
    """The folder of all worlds of this user."""
    base = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    return Path(base).expanduser() / "forebay"


def read_server(folder: Path) -> Running | None:
    """What server.json of a state folder says; None when there is none, or none that reads."""
    path = folder / "server.json"
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        return Running(
            folder,
            str(held["address"]),
            int(held.get("pid", 0)),
            str(held.get("world", folder.name)),
            started_with(folder).get("certificate", ""),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def started_with(folder: Path) -> dict[str, str]:
    """How `forebay up` started a world last: its command, its name, and its certificate."""
    try:
        held = json.loads((folder / "up.json").read_text(encoding="utf-8"))
        return {str(name): str(value) for name, value in held.items()}
    except (OSError, ValueError, AttributeError):
        return {}


def world_of(folder: Path) -> str:
    """The name of the World in a state folder, as it was when it was started last; else the folder's own name."""
    return started_with(folder).get("world") or folder.name


def last_used_ns(folder: Path) -> int:
    """When something was recorded last. A server that was killed leaves its last records in a log beside the file."""
    times = [(folder / JOURNAL).stat().st_mtime_ns]
    with contextlib.suppress(OSError):
        log = (folder / f"{JOURNAL}-wal").stat()
        if log.st_size:  # one that is empty was made by a reader
            times.append(log.st_mtime_ns)
    return max(times)


def start_hint(folder: Path | None = None) -> str:
    """What to say to whom finds no server."""
    command = started_with(folder).get("command") if folder is not None else None
    return f"Start it again: {command}" if command else "Start one: forebay up examples/one_site"


def worlds() -> list[Path]:
    """State folders of this user, by name."""
    try:
        return sorted(path for path in state_root().iterdir() if path.is_dir() and ASIDE not in path.name)
    except OSError:
        return []


def stated(said: Session) -> Path | None:
    """The state folder that was named on the command line or in the environment."""
    named = said.state or os.environ.get("FOREBAY_STATE", "")
    return Path(named).expanduser().absolute() if named else None


def state_of(said: Session) -> Path:
    """The state folder to work on without a server. Raises `Failed` when that is not clear."""
    folder = stated(said)
    if folder is not None:
        if not folder.is_dir():
            raise Failed(f"there is no state folder {folder}", hint=start_hint())
        return folder
    known = [path for path in worlds() if (path / JOURNAL).exists()]
    if not known:
        raise Failed(f"there is no world in {state_root()} yet", hint=start_hint())
    running = [path for path in known if (found := read_server(path)) is not None and found.alive]
    if len(running) == 1:
        return running[0]
    if len(running) > 1:
        names = ", ".join(path.name for path in running)
        raise Failed(f"several worlds are running: {names}", hint=f"Name one: --state {running[0]}")
    return max(known, key=last_used_ns)


def local_state(said: Session) -> Path:
    """As `state_of`, for commands that read the state folder itself and ask no server.

    To name a server or a token makes no sense then: on the command line it is refused, in the environment it is told
    that it plays no part.
    """
    refuse_remote(said, "this command reads the state folder itself")
    folder = state_of(said)
    if unheeded := [name for name in ("FOREBAY_SERVER", "FOREBAY_TOKEN_FILE") if os.environ.get(name)]:
        play = "plays" if len(unheeded) == 1 else "play"
        said.say(f"this reads {folder} itself: {' and '.join(unheeded)} {play} no part in it")
    return folder


def refuse_remote(said: Session, why: str) -> None:
    """Raise `Failed` when a server or a token was named on the command line, for a command that asks none."""
    named = [name for name, value in (("--server", said.server), ("--token-file", said.token_file)) if value]
    if named:
        raise Failed(
            f"{why}: {' and '.join(named)} would change nothing",
            Status.USAGE,
            hint="Name a world with --state DIR.",
            code="usage",
        )


def find_running(said: Session) -> Running:
    """The world whose server is meant when no address was given. Raises `Failed` with NO_SERVER."""
    folder = stated(said)
    if folder is not None:
        found = read_server(folder)
        if found is None or not found.alive:
            raise Failed(
                f"no server runs on the state folder {folder}",
                Status.NO_SERVER,
                hint=start_hint(folder),
                code="no_server",
            )
        return found
    alive = [found for path in worlds() if (found := read_server(path)) is not None and found.alive]
    if len(alive) > 1:
        names = ", ".join(found.world for found in alive)
        raise Failed(
            f"several worlds are running: {names}",
            Status.USAGE,
            hint=f"Name one: --state {alive[0].folder}, or --server {alive[0].address}",
            code="several_worlds",
        )
    if alive:
        return alive[0]
    known = [path for path in worlds() if (path / JOURNAL).exists()]
    if not known:
        raise Failed("no server is running", Status.NO_SERVER, hint=start_hint(), code="no_server")
    last = max(known, key=last_used_ns)
    raise Failed(
        f"no server is running; the last one was that of the world {world_of(last)}",
        Status.NO_SERVER,
        hint=start_hint(last),
        code="no_server",
    )
