"""`forebay doctor`: is everything as it should be, and if not, what is to be done?

Every check looks without changing anything, and works while a server runs.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click

from forebay import __version__
from forebay.cli import client, command, paper, places, session
from forebay.cli.failure import Failed, Status

#: Below this much free disk, a journal may soon not be able to grow.
DISK_BYTES_MIN = 500_000_000


class Finding(NamedTuple):
    """What one check found: "ok", "warn" or "fail", a sentence, and what to do about it."""

    check: str
    result: str
    detail: str
    advice: str = ""


@command.command("doctor", examples="forebay doctor\nforebay doctor --json")
def doctor_command() -> int:
    """Look for what is wrong, and say what to do.

    Checks this Python, the state folder and its permissions, the journal's chain of digests, the rules that the World
    must keep, the engine, the disk, the server, and what holds gangs to their CPU and memory limits there. The exit
    status is 1 when a check fails; warnings leave it 0.
    """
    said = session.current()
    found: list[Finding] = []
    for finding in _findings(said):
        found.append(finding)
        if not said.json:
            _print(finding, said)
    failed = [finding for finding in found if finding.result == "fail"]
    warned = sum(finding.result == "warn" for finding in found)
    if said.json:
        said.emit("doctor", {"healthy": not failed, "checks": [finding._asdict() for finding in found]})
    elif failed:
        also = f", and {paper.count(warned, 'warning')}" if warned else ""
        said.say(f"{paper.count(len(failed), 'check')} failed{also}")
    elif warned:
        said.say(
            f"nothing failed, but there {'is' if warned == 1 else 'are'} {paper.count(warned, 'warning')}"
        )
    else:
        said.say("nothing is wrong")
    return Status.FAILED if failed else Status.OK


def _print(finding: Finding, said: session.Session) -> None:
    result = f"{finding.result:<4}"
    if said.colors():
        result = click.style(result, fg=paper.COLORS[finding.result])
    click.echo(f"{result}  {finding.check:<8}  {finding.detail}")
    if finding.advice:
        click.echo(f"{'':16}{finding.advice}")


def _findings(said: session.Session) -> Iterator[Finding]:
    yield _python()
    try:
        folder = places.state_of(said)
    except Failed as failure:
        yield Finding("state", "warn", failure.message, failure.hint)
        return
    yield from _folder(folder)
    yield _disk(folder)
    yield from _journal(folder)
    yield _engine(folder)
    yield from _server(said)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", "ok", f"Python {version}, forebay {__version__}")


def _folder(folder: Path) -> Iterator[Finding]:
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & 0o077:
        yield Finding(
            "state", "warn", f"{folder} can be entered by others ({mode:04o})", f"chmod 700 {folder}"
        )
    else:
        yield Finding("state", "ok", str(folder))
    for name in ("operator.token", "tokens.json"):
        path = folder / name
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield Finding("tokens", "fail", f"{path} can be read by others", f"chmod 600 {path}")


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    told = f"{free / 1e9:.1f} GB free"
    if free < DISK_BYTES_MIN:
        return Finding("disk", "warn", f"only {told}", "What cannot be recorded is refused: make room.")
    return Finding("disk", "ok", told)


def _journal(folder: Path) -> Iterator[Finding]:
    from forebay.core.world import World
    from forebay.journals import sqlite
    from forebay.loop import ports
    from forebay.loop.replay import Replay

    path = folder / places.JOURNAL
    if not path.exists():
        yield Finding("journal", "warn", f"there is no journal at {path} yet", "`forebay up DIR` begins one.")
        return
    try:
        with contextlib.closing(sqlite.SqliteReader(path)) as reader:
            folded = Replay(World).latest(reader)
    except ports.Damaged as error:
        advice = f"Records up to {error.last_good_seq} are sound; docs/how-to/read-the-journal.md tells what to do."
        yield Finding("journal", "fail", str(error), advice)
        return
    except ports.JournalError as error:
        yield Finding("journal", "fail", str(error))
        return
    yield Finding(
        "journal", "ok", f"{paper.count(folded.world.seq, 'record')}, digest {folded.digest.hex()[:16]}..."
    )
    try:
        folded.world.check()
    except AssertionError as error:
        yield Finding(
            "rules", "fail", str(error), "This is a bug of ours: please report it with the journal."
        )
    else:
        yield Finding("rules", "ok", "power, placements, promises and the ledger hold")


def _engine(folder: Path) -> Finding:
    if not (folder / "engine").exists():
        return Finding("engine", "ok", "nothing has run yet")
    running = places.read_server(folder)
    if running is not None and running.alive:
        return Finding("engine", "ok", "the server works with it")
    living = list(_supervised(folder / "engine" / "gangs"))
    if living:
        names = ", ".join(living[:5])
        return Finding(
            "engine",
            "warn",
            f"work runs without a server: {names}",
            places.start_hint(folder),
        )
    return Finding("engine", "ok", "nothing runs without a server")


def _supervised(gangs: Path) -> Iterator[str]:
    from forebay.engines import gang_folders, supervisor

    boot = supervisor.boot_id()
    with contextlib.suppress(FileNotFoundError):
        for gang in sorted(os.listdir(gangs)):
            for generation in (gangs / gang).iterdir():
                started = gang_folders.read_started(generation) if generation.name.isdigit() else None
                if started and any(supervisor.is_alive(who, boot) for who in started["ranks"]):
                    yield gang


def _server(said: session.Session) -> Iterator[Finding]:
    try:
        found = client.connect(said, timeout_s=5.0)
        version = str(found.get("/v1/version")["version"])
    except Failed as failure:
        result = "warn" if failure.status is Status.NO_SERVER else "fail"
        yield Finding("server", result, failure.message, failure.hint)
        return
    if version != __version__:
        advice = "Start the server again with this version."
        yield Finding("server", "warn", f"{found.address} runs {version}, this is {__version__}", advice)
        return
    yield Finding("server", "ok", f"{found.address} answers")
    yield from _limits(found)
    yield from _stuck(found)
    yield from _silent(found)


def _stuck(found: client.Client) -> Iterator[Finding]:
    try:
        stuck = found.get("/v1/stuck")["items"]
    except Failed as failure:
        if failure.status is not Status.AUTH:
            yield Finding("work", "fail", failure.message, failure.hint)
        return
    for each in stuck[:5]:
        told = f"{each['gang']} runs and has got nowhere since {each['since']} (mark {each['mark']})"
        yield Finding("work", "warn", told, f"forebay logs {each['gang']}")
    if not stuck:
        yield Finding("work", "ok", "nothing is stuck")


def _silent(found: client.Client) -> Iterator[Finding]:
    try:
        engines = found.get("/v1/engines")["items"]
    except Failed as failure:
        if failure.status is not Status.AUTH:
            yield Finding("engines", "fail", failure.message, failure.hint)
        return
    for each in engines:
        if each["state"] == "heard":
            yield Finding("engines", "ok", f"{each['engine']} was heard of at {each['heard_at']}")
        else:
            told = f"{each['engine']} has not been heard of since {each['heard_at']}"
            yield Finding("engines", "warn", told, "forebay engines")


#: What holds gangs to their limits, in words.
_HELD = {
    "cgroup": "a control group for the whole gang",
    "rlimit": "an equal share for each rank, of private memory only",
    "affinity": "as many processors as the limit comes to, which others may use too",
}


def _limits(found: client.Client) -> Iterator[Finding]:
    """The server is asked: another process may well be offered less, and to find out would move processes."""
    try:
        offered = found.get("/v1/engine")["limits"]
    except Failed as failure:
        if failure.status is not Status.AUTH:  # what a tenant may not know is not wrong
            yield Finding("limits", "fail", failure.message, failure.hint)
        return
    if offered is None:
        yield Finding("limits", "ok", "no work runs on this machine")
        return
    cpu, memory = (_HELD.get(offered[name], offered[name]) for name in ("cpu", "memory"))
    same = f"CPU and memory: {cpu}" if cpu == memory else f"CPU: {cpu}; memory: {memory}"
    yield Finding("limits", "ok", f"{same} ({offered['detail']})")
