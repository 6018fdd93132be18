"""How does it go on, if every gang takes its limit of time and nothing else arrives? For what is only tried.

A copy of a World is run forward: whatever is placed starts at once, whatever is to stop takes its whole grace. Each
turn is the World's own decision; nothing of it is recorded anywhere.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from forebay.core.ids import Asked, Event, GangId, Principal, Role, SiteId
from forebay.core.placements import checkpoints
from forebay.core.placements import gang as gangs
from forebay.core.placements.gang import Ending, Phase
from forebay.core.units import SECOND_US
from forebay.core.world import World

ENGINE = Principal("what-if", Role.EDGE)
#: So many turns at most: what is not known by then is told as not known.
TURNS_MAX = 200_000


@dataclass(slots=True)
class Ahead:
    """What came of running on."""

    #: Instants at which gangs were placed from here on, the first of each.
    placed: dict[GangId, int] = field(default_factory=dict)
    #: And where: their site, and runs of nodes.
    where: dict[GangId, tuple[SiteId, tuple[gangs.Run, ...]]] = field(default_factory=dict)
    #: Gangs that were asked to stop though their time was not over: when, and why.
    stopped: dict[GangId, tuple[int, str]] = field(default_factory=dict)
    #: What each of these did since its last checkpoint, GPU-microseconds.
    lost_gpu_us: dict[GangId, int] = field(default_factory=dict)
    #: Where the run ended.
    until: int = 0
    #: Whether all that was watched has been placed.
    settled: bool = True


def run_on(
    world: World,
    events: Iterable[Event],
    watched: Collection[GangId],
    at: int,
    horizon: int,
    through: int = 0,
) -> Ahead:
    """Run a copy on from `at` until all that is watched is placed, and what comes by `through` is done, or to the
    horizon. `events` are those of what was just tried at `at`: they count as well. Gangs that were stopped are
    watched from then on.
    """
    ahead = Ahead(until=at)
    kills: list[tuple[int, GangId, int]] = []
    starts: list[GangId] = []
    open_: set[GangId] = set(watched)

    def note(some: Iterable[Event], now: int) -> None:
        for event in some:
            if isinstance(event, gangs.GangPlaced):
                if event.gang not in ahead.placed:
                    ahead.placed[event.gang] = now
                    ahead.where[event.gang] = world.state.placements.gangs[event.gang].site, event.runs
                starts.append(event.gang)
                open_.discard(event.gang)
            elif isinstance(event, gangs.GangStopping):
                spec = world.state.placements.gangs[event.gang].spec
                heapq.heappush(kills, (now + spec.grace_s * SECOND_US, event.gang, event.generation))
                if event.reason != "walltime" and event.gang not in ahead.stopped:
                    ahead.stopped[event.gang] = now, event.reason
                    known = world.state.placements
                    gang = known.gangs[event.gang]
                    reported = known.lending.checkpoints.get(event.gang)
                    ahead.lost_gpu_us[event.gang] = checkpoints.lost_gpu_us(gang, reported, now)
                    if event.again:
                        open_.add(event.gang)
                        ahead.placed.pop(event.gang, None)
            elif isinstance(event, gangs.GangWithdrawn):
                open_.discard(event.gang)

    note(events, at)
    for gang in world.state.placements.gangs.values():
        if gang.phase is Phase.PLACED:
            starts.append(gang.spec.id)
        elif gang.phase is Phase.STOPPING and gang.spec.id not in ahead.stopped:
            kill_at = max(at, gang.stopping_at + gang.spec.grace_s * SECOND_US)
            heapq.heappush(kills, (kill_at, gang.spec.id, gang.generation))
    now = at
    for _ in range(TURNS_MAX):
        if starts:
            gang = world.state.placements.gangs[starts.pop()]
            if gang.phase is Phase.PLACED:
                started = gangs.ReportGangStarted(gang.spec.id, gang.generation, now, "what-if")
                note(world.handle(Asked(started, ENGINE), now).events, now)
            continue
        due = world.next_wake()
        following = min(due if due is not None else horizon + 1, kills[0][0] if kills else horizon + 1)
        if (not open_ and following > through) or following > horizon:
            ahead.until, ahead.settled = min(now, horizon), not open_
            return ahead
        now = max(now, following)
        if kills and kills[0][0] <= now and (due is None or due > kills[0][0]):
            _, name, generation = heapq.heappop(kills)
            ended = gangs.ReportGangEnded(name, generation, now, "what-if", Ending.STOPPED)
            note(world.handle(Asked(ended, ENGINE), now).events, now)
        else:
            note(world.wake(now).events, now)
    ahead.until, ahead.settled = now, False
    return ahead
