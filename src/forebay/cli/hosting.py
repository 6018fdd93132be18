"""How does `forebay up` keep a server in its own process, and end it so that nothing is lost?

A server that is only closed leaves its work running. Stopping a world also stops the work, in an order that makes it
come back: who hands in proposals stops, then the loop, so that nothing it decides starts work again; then every gang
is asked to save and stop, which the engine keeps as a fact to report; the next start learns it, and places the gangs
anew.
"""

from __future__ import annotations

import datetime
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from forebay.cli import client, places
from forebay.cli.failure import Failed, Status
from forebay.core.ids import Effect
from forebay.core.placements import gang as gangs
from forebay.engines.local import LocalEngine
from forebay.journals import sqlite
from forebay.loop import ports
from forebay.server import auth, listening
from forebay.server.composition import StartError

#: How often it is looked whether gangs have stopped, seconds.
LOOK_EVERY_S = 0.05
#: Beyond a gang's grace, until its end is known: the kill, and the engine's own turn.
KILL_S = 10


class Host:
    """A server in this process."""

    def __init__(self, options: listening.Options, *, any_port: bool) -> None:
        """Start it. With `any_port`, another port is taken when that one is in use. Raises `Failed`."""
        self.state = options.state
        try:
            self._background = self._start(options, any_port)
        except ports.Locked as error:
            raise Failed(str(error), Status.CONFLICT, code="locked") from None
        except ports.Damaged as error:
            hint = f"Records up to {error.last_good_seq} are sound; docs/how-to/read-the-journal.md tells what to do."
            raise Failed(str(error), code="damaged", hint=hint) from None
        except (StartError, auth.AuthError, ports.JournalError) as error:
            raise Failed(str(error), code="start") from None
        self.address = self._background.address
        #: The World's name: what its journal says, whatever it was to be called when it was new.
        self.world = self._background.running.forebay.world

    def _start(self, options: listening.Options, any_port: bool) -> listening.Background:
        try:
            return listening.start(options)
        except StartError as error:
            if not any_port or "is in use" not in str(error):
                raise
            return listening.start(replace(options, port=0))

    def client(self, certificate: str) -> client.Client:
        """The operator of this server."""
        token = (self.state / "operator.token").read_text(encoding="ascii").strip()
        return client.Client(self.address, token, certificate, own=True)

    def stop_work(self, waiting: Callable[[int], None], hurried: Callable[[], bool] = lambda: False) -> int:
        """Stop deciding, ask every gang to save and stop, and wait until they have. How many still run then.

        `waiting` is told how many are waited for; once `hurried` is true they are not waited for any more.
        """
        forebay = self._background.running.forebay
        # Who asks the loop stops before the loop does: dates that are being estimated are recorded.
        forebay.binder.stop()
        forebay.forecaster.stop()
        forebay.loop.stop()
        forebay.follower.stop()
        wanted = [
            each for each in forebay.loop.world.desired() if isinstance(each, (gangs.RunGang, gangs.StopGang))
        ]
        stops: list[Effect] = [_stop(each) for each in wanted]
        forebay.edge.release(stops)
        left = {(each.gang, each.generation) for each in wanted}
        deadline = time.monotonic() + max([each.grace_s for each in wanted], default=0) + KILL_S
        if left:
            waiting(len(left))
        while left and time.monotonic() < deadline and not hurried():
            for asked in forebay.edge.reports(forebay.clock.now()):
                report = asked.command
                if isinstance(report, gangs.ReportGangEnded):
                    left.discard((report.gang, report.generation))
            time.sleep(LOOK_EVERY_S)
        return len(left)

    def close(self) -> None:
        """Let go of the journal, the engine and the address. What still runs goes on."""
        self._background.close()


def _stop(effect: gangs.RunGang | gangs.StopGang) -> gangs.StopGang:
    return gangs.StopGang(effect.gang, effect.generation, effect.grace_s, "forebay stops", effect.cause)


def note(state: Path, command: str, world: str, certificate: str) -> None:
    """Note beside the journal how this world is started, for messages and for clients on this machine."""
    body = {"command": command, "world": world, "certificate": certificate}
    auth.write_private(state / "up.json", json.dumps(body).encode() + b"\n")


def start_command(project: Path) -> list[str]:
    """How to say `forebay up PROJECT` from the folder one is in."""
    here = Path.cwd()
    program = "./forebay" if (here / "forebay").is_file() else "forebay"
    shown = os.path.relpath(project, here)
    return [program, "up", str(project) if shown.startswith("..") else shown]


def last_record(state: Path) -> int:
    """Sequence of the last record of a journal that nobody writes to now; 0 when there is none."""
    path = state / places.JOURNAL
    if not path.exists():
        return 0
    try:
        reader = sqlite.SqliteReader(path)
    except ports.JournalError as error:
        raise Failed(str(error), code="journal") from None
    try:
        return reader.head()[0]
    finally:
        reader.close()


def set_aside(state: Path) -> Path | None:
    """Give a world's state another name, so that the world begins anew; nothing is deleted. None when there is none.

    What still runs of it is stopped first. Raises `Failed` while a server runs on it.
    """
    if not state.exists():
        return None
    running = places.read_server(state)
    if running is not None and running.alive:
        raise Failed(
            f"the world {running.world} is running (process {running.pid})",
            Status.CONFLICT,
            hint="Stop it first, with Ctrl-C where it runs; then --fresh begins anew.",
            code="running",
        )
    if (state / "engine").exists():
        _stop_leftovers(state / "engine")
    stamp = datetime.datetime.now(tz=datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    aside = state.with_name(f"{state.name}{places.ASIDE}{stamp}")
    state.rename(aside)
    return aside


def _stop_leftovers(engine_state: Path) -> None:
    """Stop what a server that was killed left running. Nothing is wanted any more, so all of it is told to stop."""
    engine = LocalEngine(engine_state, lambda node: f"node-{node}", lambda: None)
    try:
        engine.resync([])
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and any(
            engine.rank_pids(path.name) for path in (engine_state / "gangs").iterdir()
        ):
            time.sleep(LOOK_EVERY_S)
    finally:
        engine.close()


def check_python() -> None:
    """Real processes are watched by means that only Linux has."""
    if sys.platform != "linux":
        raise Failed("`forebay up` runs work as local processes, which needs Linux", code="platform")
