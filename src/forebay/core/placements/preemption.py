"""May a gang take the place of others? Of its own tenant's, of lower classes, on its own capacity, where a class may.

Asked at the end of a pass, of those who wait in their order: who has a class that preempts, is over no cap, and does
not fit now, nor when all that is leaving anyway has left. (Who fits now waits for its turn, and that is all.) Its
victims are gangs of its tenant of later classes, on the same tranche, or on demand where it is on demand itself. The
cheapest go, by the work that is lost: GPUs times the time since the last checkpoint, or since the start where there
is none; of equals the latest placed. They are added one by one until the gang fits; then, the most expensive first,
each without which it fits as well is left out. Where it does not fit with all of them gone, nobody goes.

Victims are asked to stop, keep their grace, and are queued again. The gang goes in front from then on, so that nobody
else takes what they leave. A lower class never takes the place of a higher one: nothing comes back and forth.
"""

from __future__ import annotations

from forebay.core.placements import gang as gangs
from forebay.core.placements.checkpoints import lost_gpu_us
from forebay.core.placements.gang import Gang, Phase, Tier
from forebay.core.placements.index import Index
from forebay.core.placements.projects import PlaceTaken, Victim
from forebay.core.placements.queue import Lane, Shape, lane_of, shape_of
from forebay.core.placements.schedule import Desk, Fit, find, holding


def _lost_gpu_us(desk: Desk, gang: Gang) -> int:
    return lost_gpu_us(gang, desk.state.lending.checkpoints.get(gang.spec.id), desk.at)


def preempt(desk: Desk) -> None:
    """Make room for those who may have it (see the top of this file)."""
    queue, known = desk.derived.queue, desk.state.gangs
    if not any(division.preempts for division in desk.derived.held.divisions.values()):
        return
    for lane in queue.lanes():
        if lane.tier is Tier.SPOT:
            continue
        waiting = [known[entry.gang] for entry in sorted(queue.waiting(lane, known))]
        waiting = [gang for gang in waiting if _may(desk, gang)]
        if waiting:
            _make_room(desk, lane, waiting)


def _may(desk: Desk, gang: Gang) -> bool:
    if not gang.spec.project:
        return False
    mine = desk.derived.held.divisions[gang.spec.tenant].priority_of(gang.spec.priority)
    return mine is not None and mine.preempts


def _make_room(desk: Desk, lane: Lane, waiting: list[Gang]) -> None:
    scratch = desk.derived.index.scratch()
    held = holding(desk)
    for other in held:
        if other.phase is Phase.STOPPING or other.returns_at:
            _release(desk, scratch, other)
    staying = [
        other
        for other in held
        if other.phase in (Phase.PLACED, Phase.RUNNING) and other.spec.project and lane_of(other.spec) == lane
    ]
    staying.sort(key=lambda other: (_lost_gpu_us(desk, other), -other.placed_seq))
    hopeless: set[Shape] = set()
    for gang in waiting:
        shape = shape_of(gang.spec)
        # Who fits now waits for its turn: nothing is counted on for it, and nobody goes.
        if shape in hopeless or isinstance(find(desk, gang), Fit):
            continue
        found, victims = _victims(desk, scratch, gang, staying)
        if not isinstance(found, Fit):
            hopeless.add(shape)
            continue
        scratch.take(found.runs, _gpu_w(desk, gang))
        if victims:
            gone = {victim.spec.id for victim in victims}
            staying = [other for other in staying if other.spec.id not in gone]
            _take(desk, gang, victims)


def _victims(desk: Desk, scratch: Index, gang: Gang, staying: list[Gang]) -> tuple[object, list[Gang]]:
    """Where a gang fits and who has to go for it; they are gone from the scratch copy, and all others are not."""
    division = desk.derived.held.divisions[gang.spec.tenant]
    mine = division.rank_of(gang.spec.priority)
    found: object = find(desk, gang, index=scratch)
    victims: list[Gang] = []
    for other in staying:
        if isinstance(found, Fit):
            break
        if other.spec.tenant == gang.spec.tenant and division.rank_of(other.spec.priority) > mine:
            _release(desk, scratch, other)
            victims.append(other)
            found = find(desk, gang, index=scratch)
    fits = isinstance(found, Fit)
    for other in reversed(list(victims)):
        scratch.take(other.runs, _gpu_w(desk, other))
        without = find(desk, gang, index=scratch) if fits else found
        if fits and not isinstance(without, Fit):
            _release(desk, scratch, other)
        else:
            victims.remove(other)
            found = without
    return found, victims


def _take(desk: Desk, gang: Gang, victims: list[Gang]) -> None:
    mine = desk.derived.held.divisions[gang.spec.tenant].priority_of(gang.spec.priority)
    assert mine is not None, "its class may preempt"
    lost = tuple(
        Victim(each.spec.id, each.generation, _lost_gpu_us(desk, each))
        for each in sorted(victims, key=lambda each: each.order)
    )
    desk.emit(PlaceTaken(gang.spec.id, mine.name, lost))
    for victim in lost:
        desk.emit(gangs.GangStopping(victim.gang, victim.generation, "preempted", again=True))


def _release(desk: Desk, scratch: Index, gang: Gang) -> None:
    scratch.release(gang.runs, _gpu_w(desk, gang))


def _gpu_w(desk: Desk, gang: Gang) -> int:
    return desk.supplied.skus[gang.spec.sku].gpu_w
