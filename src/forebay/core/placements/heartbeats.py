"""Which engines are there, which of them are silent, and which runs are fenced? Records, commands, events, the fold.

An engine says now and then that it is there. `silence` decides what follows when it does not.

    heard  ->  silent  ->  heard again
                 \\__ fenced __/          its runs are over for sure: they start again, as other generations
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, get_args

from forebay.core import supply
from forebay.core.ids import Command, Event, GangId, Refusal, SiteId
from forebay.core.placements.failing import Failing
from forebay.core.placements.gang import Gang
from forebay.core.units import SECOND_US

#: Why a generation is over that was fenced.
ENGINE_SILENT = "engine_silent"
#: A heartbeat is written down once so many of these have passed of the time after which an engine is silent: of four.
PARTS = 4


@dataclass(slots=True)
class ReportEngineHeard(Command):
    """An engine is there, and starts work at these sites: none for all. What it reports of work does not say so."""

    engine: str
    sites: tuple[SiteId, ...] = ()


@dataclass(slots=True)
class FenceEngine(Command):
    """Somebody made sure that nothing of a silent engine runs any more: its hosts are off, or cut off."""

    engine: str
    reason: str = ""


@dataclass(slots=True)
class EngineHeard(Event):
    """An engine was heard of: for the first time, again (`back`), or once more after some time."""

    engine: str
    sites: tuple[SiteId, ...]
    back: bool


@dataclass(slots=True)
class EngineSilent(Event):
    """An engine was last heard of at `heard_at`. What has a lease there is over for sure at `fence_at` (0: never)."""

    engine: str
    heard_at: int
    fence_at: int


@dataclass(slots=True)
class EngineFenced(Event):
    """These generations are over for sure, though their engine did not say so."""

    engine: str
    #: Whether their leases were over; else somebody said so.
    by_lease: bool
    reason: str
    generations: tuple[tuple[GangId, int], ...]


EngineEvent = EngineHeard | EngineSilent | EngineFenced
ENGINE_EVENTS: tuple[type[Event], ...] = get_args(EngineEvent)


class Engine(NamedTuple):
    """What is known of one engine."""

    #: Where it starts work; none for all.
    sites: tuple[SiteId, ...]
    #: When it was last written down that it was heard of.
    heard_at: int
    #: Since when it counts as silent; 0 while it does not.
    silent_at: int = 0
    #: When its leases are over; 0 for never.
    fence_at: int = 0
    #: When what had a lease was fenced; 0 while nothing was.
    fenced_at: int = 0


@dataclass(slots=True)
class Engines:
    """Every engine that was heard of while a policy asked for it, and what was fenced."""

    known: dict[str, Engine] = field(default_factory=dict)
    #: The last generation of a gang that was fenced: an engine that still knows it is told to stop it.
    fenced: dict[GangId, int] = field(default_factory=dict)
    #: From which record on runs have a lease of so many seconds: (sequence, seconds), in order.
    leases: tuple[tuple[int, int], ...] = ()

    def copy(self) -> Engines:
        """One whose containers are its own."""
        return Engines(self.known.copy(), self.fenced.copy(), self.leases)

    def record_policy(self, was: Failing, now: Failing, at: int, seq: int) -> None:
        """What a policy asks of engines from here on. What was heard of meanwhile was not written down."""
        if now.engine_silent_s != was.engine_silent_s:
            for name, engine in self.known.items():
                self.known[name] = engine if engine.silent_at else engine._replace(heard_at=at)
        if now.engine_fence_s != was.engine_fence_s:
            self.leases = (*self.leases, (seq, now.engine_fence_s))

    def record_engine(self, event: EngineEvent, at: int) -> None:
        """Apply one event."""
        if isinstance(event, EngineHeard):
            # Where another served that was fenced, this one does now.
            for name in [name for name in self.known if name != event.engine]:
                if overlap(self.known[name].sites, event.sites):
                    del self.known[name]
            self.known[event.engine] = Engine(event.sites, at)
            return
        engine = self.known[event.engine]
        if isinstance(event, EngineSilent):
            self.known[event.engine] = engine._replace(silent_at=at, fence_at=event.fence_at)
        else:
            self.known[event.engine] = engine._replace(fenced_at=at)
            self.fenced.update(event.generations)


def nodes_at(supplied: supply.State, sites: Collection[SiteId]) -> list[int]:
    """The nodes of sites."""
    racks = (rack for rack in supplied.racks.values() if rack.site in sites)
    return [node for rack in racks for node in range(rack.first_node, rack.first_node + rack.nodes)]


def overlap(some: Sequence[SiteId], others: Sequence[SiteId]) -> bool:
    """Whether two engines would serve one site."""
    return not some or not others or not set(some).isdisjoint(others)


def silent_at_site(engines: Engines, site: SiteId) -> str:
    """The engine of a site, where that is silent; else ""."""
    return next(
        (
            name
            for name, engine in engines.known.items()
            if engine.silent_at and (not engine.sites or site in engine.sites)
        ),
        "",
    )


def lease_at(leases: Sequence[tuple[int, int]], seq: int) -> int:
    """The lease of a run that was placed by this record, seconds; 0 for none."""
    return next((lease_s for since, lease_s in reversed(leases) if since <= seq), 0)


def silent_due(engine: Engine, failing: Failing) -> int:
    """When an engine that is heard counts as silent: what was heard of it since may not have been written down."""
    silent_us = failing.engine_silent_s * SECOND_US
    return engine.heard_at + silent_us + silent_us // PARTS


def refuse_fenced(engines: Engines, name: GangId, generation: int) -> Refusal | None:
    """Why news of a fenced generation changes nothing."""
    if generation > engines.fenced.get(name, -1):
        return None
    told = f"generation {generation} of gang {name} was fenced: its engine was silent, and it counts as ended"
    return Refusal("fenced_generation", told, "generation")


def refuse_late(engines: Engines, gang: Gang, generation: int) -> Refusal:
    """Why news of a generation that is not the one that holds GPUs changes nothing."""
    told = f"gang {gang.spec.id} is {gang.phase}, at generation {gang.generation}"
    stale = Refusal("stale_generation", told, "generation")
    return (refuse_fenced(engines, gang.spec.id, generation) if engines.fenced else None) or stale
