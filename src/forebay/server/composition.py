"""What is a running forebay made of? A journal, the World folded from it, the loop, a follower, an engine, tokens.

    STATE/journal.sqlite   the journal: all that is known
    STATE/readings.sqlite  readings of meters; what money needs of them is in the journal
    STATE/snapshots/       to start faster; may be deleted
    STATE/engine/          what the local engine keeps of its gangs: logs, checkpoints, outcomes
    STATE/tokens.json      who may ask (see `auth`); operator.token is for the command line
    STATE/server.json      where it listens, while it does (see `listening`)
    STATE/clock.json       how far its clock is shifted, for a world that only plans

`open_state` puts a real one together; the tests and the twin put others together from other parts.
"""

from __future__ import annotations

import importlib.resources
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from forebay.core import ids, supply
from forebay.core.placements import gang
from forebay.core.world import OpenWorld, World
from forebay.engines import limits, retention
from forebay.engines.local import LocalEngine
from forebay.feeds import commands, reading
from forebay.journals.readings import SqliteReadings
from forebay.journals.sqlite import SqliteJournal
from forebay.loop import ports
from forebay.loop.clocks import SystemClock, read_clock
from forebay.loop.follower import Follower
from forebay.loop.inbox import LoopError
from forebay.loop.loop import Loop
from forebay.loop.readings import ReadingsStore
from forebay.loop.replay import Replay
from forebay.server import auth, binder, forecasting
from forebay.server.metering import Metering
from forebay.server.tail import Tail
from forebay.server.tellings import Tellings

#: Who opens a journal and applies the shipped catalogue.
FOREBAY = ids.Principal("forebay", ids.Role.OPERATOR)
#: Longest wait for one answer of the loop while starting, seconds.
PATIENCE_S = 120.0
#: How often the engine says that it is there, seconds: far more often than any policy may ask for.
HEARTBEAT_S = 5.0


class Logs(Protocol):
    """Where the output of ranks can be read."""

    def read_log(
        self, gang_id: str, rank: int, generation: int | None = None, offset: int = 0, limit: int = 65536
    ) -> tuple[bytes, int]:
        """Part of it, and the offset to go on from. Raises LookupError, ValueError."""
        ...

    def generations(self, gang_id: str) -> list[int]:
        """Generations that left a log, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Permissions:
    """Process configuration: what this installation allows beyond the roles. It never reaches the World."""

    #: Whether tenants may submit gangs with programs. They run as forebay's own user, who can read its tokens: allow
    #: it only to those whom you trust with this machine.
    tenant_programs: bool = False


class StartError(Exception):
    """forebay cannot start; the message says why."""


class Forebay:
    """A running forebay. Use `open_state`, or give it parts: `edge` is called with the Forebay that it works for,
    `machine` is what decides (the World, or one that also notes what it is asked). With `binds`, racks are planned
    whenever what is promised changes, and not only when somebody asks for it.
    """

    def __init__(
        self,
        journal: ports.Journal,
        tokens: auth.Tokens,
        edge: Callable[[Forebay], ports.Edge],
        *,
        clock: ports.Clock | None = None,
        logs: Logs | None = None,
        snapshots: Path | None = None,
        work_folder: Callable[[str], str] = lambda gang_id: "/",
        permissions: Permissions | None = None,
        machine: type[World] = World,
        binds: bool = False,
        readings: ReadingsStore | None = None,
    ) -> None:
        self.journal = journal
        self.tokens = tokens
        self.clock = clock or SystemClock()
        self.logs = logs
        #: Where readings come in; in memory where no store is given.
        self.metering = Metering(readings or SqliteReadings(":memory:"), self.clock)
        self.work_folder = work_folder
        self.permissions = permissions or Permissions()
        #: The World's name, once it has started.
        self.world = ""
        self.replay = Replay(machine, snapshots)
        self.follower = Follower(self.replay, journal)
        self.tail = Tail(journal.head()[0])
        self.tellings = Tellings(journal, self.replay.codec)
        self._loop: Loop[World] | None = None
        self._names: dict[int, str] = {}
        self._started = self._closed = False
        self.edge = edge(self)
        self.loop = self._loop = Loop(
            self.replay, self.clock, journal, self.edge, [self.follower.publish, self.tail.publish]
        )
        self._thread = threading.Thread(target=self.loop.run, name="loop", daemon=True)
        self.forecaster = forecasting.Forecaster(self.loop, self.clock, self.tail)
        self.binder = binder.Binder(self.loop, self.follower, self.clock, self.tail, by_itself=binds)

    def start(self, world: str = "") -> None:
        """Begin to decide. The World is called what its journal says, or `world` where the journal is empty.

        Raises `StartError`.
        """
        self._started = True
        self._thread.start()
        self.follower.start()
        try:
            self.world = self.loop.read(lambda w: w.state.name).result(PATIENCE_S)
            if not self.world:
                self.world = world or "forebay"
                self._begin(self.world)
            self.metering.settle(self.loop, FOREBAY)
            self.forecaster.start()
            self.binder.start()
        except LoopError as error:
            raise StartError(str(error)) from error

    def close(self) -> None:
        """Stop deciding, let go of the journal. What runs goes on. Closing twice is allowed."""
        if self._closed:
            return
        self._closed = True
        self.tail.wake()
        # The engine first: its thread may still ask the loop for a node's name.
        if isinstance(self.edge, LocalEngine):
            self.edge.close()
        if self._started:
            self.binder.stop()
            self.forecaster.stop()
            self.loop.stop()
            self._thread.join()
            self.follower.stop()
        self.metering.store.close()
        self.journal.close()

    def node_name(self, node: int) -> str:
        """How people call a node. For engines: asks the loop once a node, and waits for it."""
        if node not in self._names:
            assert self._loop is not None, "an engine has nothing to start before the loop tells it"
            named = self._loop.read(lambda world: supply.node_name(world.state.supply, node))
            self._names[node] = named.result(PATIENCE_S)
        return self._names[node]

    def limits_offered(self) -> limits.LimitsOffered | None:
        """What holds gangs to their CPU and memory limits here; None where no process is run."""
        return self.edge.limits_offered() if isinstance(self.edge, LocalEngine) else None

    def ended_among(self, names: Sequence[str]) -> set[str] | None:
        """Those of these gangs that are over for good; None when the loop cannot say. For engines; waits for it."""
        if self._loop is None:
            return None
        try:
            return self._loop.read(lambda world: _ended_among(world, names)).result(PATIENCE_S)
        except (LoopError, TimeoutError):
            return None

    def nudge(self) -> None:
        """For engines: there is something to report."""
        if self._loop is not None:
            self._loop.nudge()

    def _begin(self, world: str) -> None:
        if not ids.valid_name(world):
            raise StartError(f"{world!r} cannot name a World: {ids.NAME_RULE}")
        for command in (OpenWorld(world), shipped_catalogue()):
            answer = self.loop.submit(ids.Asked(command, FOREBAY)).result(PATIENCE_S)
            if isinstance(answer, ids.Refusal):
                raise StartError(answer.detail)


def _ended_among(world: World, names: Sequence[str]) -> set[str]:
    """One that the World has never heard of is not counted: what it left may belong to another journal."""
    recorded = world.state.placements
    found = set()
    for name in map(ids.GangId, names):
        one = recorded.gangs.get(name)
        if name in recorded.spent if one is None else one.phase is gang.Phase.ENDED:
            found.add(str(name))
    return found


def shipped_catalogue() -> ids.Command:
    """The kinds of racks that come with forebay."""
    text = (importlib.resources.files("forebay.feeds") / "catalogue.yaml").read_text(encoding="utf-8")
    (document,) = reading.documents(text, "catalogue.yaml")
    return commands.command_of(document, commands.Setting(0)).command


def open_state(
    state: Path,
    world: str = "",
    permissions: Permissions | None = None,
    keep_days: int = retention.KEEP_DAYS,
    *,
    binds: bool = True,
) -> Forebay:
    """Start the forebay whose state is in this folder; a new one where there is none.

    What a gang left is removed `keep_days` after its end.

    Raises `StartError`, `auth.AuthError`, `ports.JournalError` (`Locked` when it runs already), OSError.
    """
    state = state.absolute()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    tokens = auth.Tokens(state)
    tokens.known()
    try:
        clock = read_clock(state / "clock.json")
    except ValueError as error:
        raise StartError(str(error)) from None
    journal = SqliteJournal(state / "journal.sqlite")
    try:
        readings = SqliteReadings(state / "readings.sqlite")
    except ports.JournalError:
        journal.close()
        raise
    engine_state = state / "engine"
    engines: list[LocalEngine] = []

    def engine(forebay: Forebay) -> LocalEngine:
        made = LocalEngine(
            engine_state, forebay.node_name, forebay.nudge, ended=forebay.ended_among, keep_days=keep_days,
            heartbeat_s=HEARTBEAT_S,
        )  # fmt: skip
        engines.append(made)
        forebay.logs = engines[0]
        return engines[0]

    try:
        forebay = Forebay(
            journal, tokens, engine, clock=clock, snapshots=state / "snapshots",
            work_folder=lambda gang_id: str(engine_state / "gangs" / gang_id / "home"), permissions=permissions,
            binds=binds, readings=readings,
        )  # fmt: skip
    except BaseException:
        for one in engines:
            one.close()
        readings.close()
        journal.close()
        raise
    try:
        forebay.start(world)
        tokens.first_operator()
    except BaseException:
        forebay.close()
        raise
    return forebay
