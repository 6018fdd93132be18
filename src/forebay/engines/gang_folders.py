"""Where does an engine keep what it knows of its gangs, so that it survives the engine?

    STATE/gangs/GANG/GENERATION/        one generation; its files are listed at the top of `supervisor`
    STATE/gangs/GANG/checkpoints/       kept over generations, the program's
    STATE/gangs/GANG/home/              HOME of its ranks, with tmp/ in it; kept over generations, the program's
    STATE/gangs/GANG/first.json         first generation of the gang whose home and checkpoints these are
    STATE/gangs/GANG/earlier/FIRST/     home and checkpoints of a gang that had the name before
    STATE/gangs/GANG/over               the gang has ended for good: seen when this was made
    STATE/leaving/                      what is being removed

The engine adds two marks to a generation: `started.acknowledged` and `outcome.acknowledged`. What goes, and when, is
decided in `retention`.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from forebay.engines import supervisor

GANG_ID = re.compile(r"[A-Za-z0-9._-]{1,200}")
#: What a program writes, and its next generation finds.
#: Of what a program wrote of its progress, so much of the end is looked at.
PROGRESS_BYTES = 4096
_OF_PROGRAM = ("checkpoints", "home")
_LOG_NAME = re.compile(r"rank-(\d+)\.(\d+)\.log")


class GangFolders:
    """The gangs below one state folder. Every method that takes a gang raises ValueError for an unsafe id."""

    def __init__(self, state: Path) -> None:
        self._gangs = state / "gangs"
        self._gangs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._leaving = state / "leaving"
        #: A folder that is never made: for generations that can have none.
        self.nowhere = state / "nowhere"

    def of_gang(self, gang: str) -> Path:
        """Folder of a gang, which may not exist."""
        if not _is_safe(gang):
            raise ValueError(
                f"a gang id is made of letters, digits, '.', '_' and '-', at most 200: {gang[:40]!r}"
            )
        return self._gangs / gang

    def of_generation(self, gang: str, generation: int) -> Path:
        """Folder of one generation, which may not exist."""
        if generation < 0:
            raise ValueError(f"a generation is not negative: {generation}")
        return self.of_gang(gang) / str(generation)

    def make_generation(self, gang: str, generation: int) -> Path:
        """Make the folder of a generation. Raises FileExistsError if there is one, OSError."""
        folder = self.of_generation(gang, generation)
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700)
        return folder

    def hand_out(self, gang: str, first: int, *, again: bool) -> tuple[Path, Path]:
        """Checkpoints and home (with tmp/ in it) for a gang whose first generation was `first`. Raises OSError.

        Its later generations get the same again. What an earlier gang of that name left is set aside; where it is
        not known whose it is, it is taken for this gang's if the gang was started before (`again`).
        """
        folder = self.of_gang(gang)
        folder.mkdir(mode=0o700, exist_ok=True)
        owner = _read(folder, "first.json")
        if owner != first:
            if owner is not None or not again:
                self._set_aside(folder, owner or 0)
            # Only now, so that after a crash in between the rest is set aside as well.
            supervisor.write_whole(str(folder / "first.json"), first)
        self.not_over(gang)
        checkpoints, home = (folder / name for name in _OF_PROGRAM)
        checkpoints.mkdir(mode=0o700, exist_ok=True)
        (home / "tmp").mkdir(mode=0o700, parents=True, exist_ok=True)
        return checkpoints, home

    def _set_aside(self, folder: Path, owner: int) -> None:
        there = [folder / name for name in _OF_PROGRAM if os.path.lexists(folder / name)]
        if not there:
            return
        aside = folder / "earlier" / str(owner)
        aside.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path in there:
            path.rename(aside / path.name)

    def gangs(self) -> list[str]:
        """Every gang with a folder, sorted; what somebody else put there is passed over."""
        return sorted(path.name for path in self._gangs.iterdir() if _is_safe(path.name) and path.is_dir())

    def generations(self, gang: str) -> list[int]:
        """Generations of a gang that have a folder, in order."""
        try:
            names = os.listdir(self.of_gang(gang))
        except FileNotFoundError:
            return []
        return sorted(int(name) for name in names if name.isascii() and name.isdigit())

    def prune(self, gang: str, generation: int) -> None:
        """Remove one generation that has ended, and the gang's folder if its program left nothing there."""
        shutil.rmtree(self.of_generation(gang, generation), ignore_errors=True)
        if self.generations(gang):
            return
        folder = self.of_gang(gang)
        for empty in (folder / "home" / "tmp", folder / "home", folder / "checkpoints"):
            with contextlib.suppress(OSError):
                empty.rmdir()
        if not any(os.path.lexists(folder / name) for name in (*_OF_PROGRAM, "earlier")):
            shutil.rmtree(folder, ignore_errors=True)

    def over_since(self, gang: str) -> float:
        """When it was first seen that the gang had ended for good, seconds since 1970: now, at the first time."""
        over = self.of_gang(gang) / "over"
        if not over.exists():
            over.touch(mode=0o600)
        return over.stat().st_mtime

    def not_over(self, gang: str) -> None:
        """It runs, or is to run again."""
        (self.of_gang(gang) / "over").unlink(missing_ok=True)

    def remove(self, gang: str) -> None:
        """Take everything of a gang away, checkpoints included. Raises OSError."""
        self._remove(self.of_gang(gang), gang)

    def remove_earlier(self, gang: str, before: float) -> None:
        """Take away what was set aside before that time, seconds since 1970. Raises OSError."""
        earlier = self.of_gang(gang) / "earlier"
        if not earlier.is_dir():
            return
        for folder in sorted(earlier.iterdir()):
            if folder.stat().st_mtime <= before:
                self._remove(folder, f"{gang}.{folder.name}")
        with contextlib.suppress(OSError):
            earlier.rmdir()

    def _remove(self, folder: Path, name: str) -> None:
        """At once by another name: how long it takes to remove it holds nobody up."""
        self._leaving.mkdir(mode=0o700, exist_ok=True)
        folder.rename(self._leaving / f"{name}.{time.time_ns()}")

    @property
    def holds_removed(self) -> bool:
        """Whether something was taken away whose room is not free yet."""
        return self._leaving.exists()

    def free_removed(self) -> None:
        """Free its room. May take long; for any thread."""
        shutil.rmtree(self._leaving, ignore_errors=True)


def _is_safe(gang: str) -> bool:
    return GANG_ID.fullmatch(gang) is not None and set(gang) != {"."}


def mark(folder: Path, name: str) -> None:
    """Note that a report was acknowledged; losing the note only repeats the report."""
    with contextlib.suppress(OSError):
        (folder / f"{name}.acknowledged").touch(mode=0o600)


def is_marked(folder: Path, name: str) -> bool:
    """Whether a report of that name was acknowledged."""
    return (folder / f"{name}.acknowledged").exists()


def unmark(folder: Path, name: str) -> None:
    """Forget that a report was acknowledged. Raises OSError."""
    (folder / f"{name}.acknowledged").unlink(missing_ok=True)


def last_line(path: Path) -> str:
    """The last line of a short file, "" if there is none."""
    try:
        lines = path.read_text(errors="replace").split("\n")
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _parts(folder: Path, rank: int) -> Iterator[tuple[int, Path]]:
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(folder):
            found = _LOG_NAME.fullmatch(name)
            if found and int(found[1]) == rank:
                yield int(found[2]), folder / name


def read_rank_log(folder: Path, rank: int, offset: int, limit: int) -> tuple[bytes, int]:
    """At most `limit` bytes of what rank `rank` wrote from `offset` on, and the offset to go on from.

    Offsets count all that was ever logged, so they hold over rotations; what was rotated away is skipped, and then
    the offset to go on from is further on than the length of what was read. A negative offset counts from the end.
    Nothing new is `(b"", offset)`. Raises OSError.
    """
    if offset < 0:
        offset = max(0, _end(folder, rank) + offset)
    found = b""
    for base, path in sorted(_parts(folder, rank)):
        try:
            with path.open("rb") as file:
                # Rotated away behind us, or we are ahead of this part's end.
                start = max(offset, base)
                file.seek(start - base)
                data = file.read(limit - len(found))
        except FileNotFoundError:
            continue
        if data:
            if found and start != offset:
                break
            found += data
            offset = start + len(data)
            if len(found) >= limit:
                break
    return found, offset


def _end(folder: Path, rank: int) -> int:
    ends = [0]
    for base, path in _parts(folder, rank):
        with contextlib.suppress(FileNotFoundError):
            ends.append(base + path.stat().st_size)
    return max(ends)


def read_outcome(folder: Path) -> supervisor.OutcomeFile | None:
    """How the generation ended, None while it has not."""
    outcome: supervisor.OutcomeFile | None = _read(folder, "outcome.json")
    return outcome


def read_started(folder: Path) -> supervisor.StartedFile | None:
    """When and as which processes its ranks came up, None if they have not."""
    started: supervisor.StartedFile | None = _read(folder, "started.json")
    if started is not None:
        started["ranks"] = [supervisor.ProcessIdentity(*rank) for rank in started["ranks"]]
    return started


def read_keeper(folder: Path) -> supervisor.Keeper | None:
    """Who has claimed the generation, None if nobody has."""
    keeper: supervisor.Keeper | None = _read(folder, "supervisor.json")
    return keeper


def read_stop(folder: Path) -> supervisor.StopFile | None:
    """The request to stop it, None if there was none."""
    stop: supervisor.StopFile | None = _read(folder, "stop.json")
    return stop


def read_order(folder: Path) -> supervisor.LaunchOrder | None:
    """What was ordered, None for a generation that was stopped before it was."""
    order: supervisor.LaunchOrder | None = _read(folder, "spec.json")
    return order


def _read(folder: Path, name: str) -> Any:
    """A damaged file, which only a broken disk makes, counts as missing."""
    try:
        return supervisor.read_json(str(folder), name)
    except (OSError, ValueError):
        return None


def progress_file(home: Path, generation: int) -> Path:
    """Where a program may write how far it got: a number that grows."""
    return home / f"progress.{generation}"


def read_progress(home: Path, generation: int) -> tuple[int, int] | None:
    """The last mark that a program wrote there, a whole number on a line of its own, and when it was written
    (microseconds since the Unix epoch); None where there is none."""
    try:
        with open(progress_file(home, generation), "rb") as file:
            written_at = os.fstat(file.fileno()).st_mtime_ns // 1000
            file.seek(max(0, os.fstat(file.fileno()).st_size - PROGRESS_BYTES))
            lines = file.read(PROGRESS_BYTES).split()
    except OSError:
        return None
    for line in reversed(lines):
        if line.isdigit() and len(line) < 19:
            return int(line), written_at
    return None
