"""Who stops when a level carries more than it may, and who comes back first when it may carry more again?

A level is over its limit because of facts alone: a curtailment began, or a loop turned out to be smaller than what it
carries. Then a shedding is open, with its deadline, until it is not. Those who stop anyway by then, or reach the end
of their limit of time, are counted on; of the rest as few as it takes are asked to stop, in this order:

1. spot on the pool, 2. what runs on loan, 3. on demand, 4. the own work of claims, in contract order: who goes short
first by the contracts, and where they are silent by the policy for that, stops first (`shortfall.shed_first`);

and within each the latest placed first, for it has least to lose. Who turns out not to be needed, since somebody more
protected has to stop all the same, is spared: the most protected first. Each has its own grace, or what there is time
for where that is less.

What is reserved for claims and not drawn needs no shedding. When a claim's own gang then wants it, and the curtailed
level has no room, those of the first three classes below that level stop for it in the same order.

Who was shed comes back from one queue: claims' own work first, who goes short last before who goes short first, then
on demand, then spot; and each in order of submission.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from forebay.core import supply
from forebay.core.claims.shortfall import shed_first
from forebay.core.ids import Answer, Command, CurtailmentId, GangId, Refusal, TrancheId
from forebay.core.placements import gang as gangs
from forebay.core.placements import ramps, sheddings
from forebay.core.placements.gang import Gang, Phase, Tier
from forebay.core.placements.queue import away_s
from forebay.core.placements.schedule import Desk, Fit, find, holding, place
from forebay.core.placements.search import Misfit
from forebay.core.placements.sheddings import (
    CURTAILED,
    GangShed,
    SheddingClosed,
    SheddingOpened,
    SheddingOverdue,
    time_for_grace_s,
)
from forebay.core.placements.state import Derived, State
from forebay.core.supply import (
    CurtailedLevel,
    Curtailment,
    CurtailPower,
    EndCurtailment,
    curtailing,
    curtailments,
)
from forebay.core.timeline import INSTANT_MAX, Due
from forebay.core.units import SECOND_US

#: Where a loop turns out to be smaller than what it carries, there is so long to shed that.
LOOP_RESPONSE_S = 600
NO_CURTAILMENT = CurtailmentId("")
NOBODY = GangId("")


class Over(NamedTuple):
    """A level that carries too much."""

    level: CurtailedLevel
    number: int
    excess_w: int


def review(desk: Desk) -> None:
    """Open and close sheddings by what levels carry and may carry, and have as many stop as it takes."""
    bounds, open_ = desk.derived.bounds, desk.state.sheddings
    over = {each.level: each for each in _over(desk, every_loop=bounds.suspect)}
    for level in sorted({*over, *open_}):
        if level not in over:
            desk.emit(SheddingClosed(level.carrier, level.name))
        elif level not in open_ or _deepened(desk, level):
            desk.emit(_opened(desk, over[level]))
            bounds.suspect = True
    if bounds.suspect:
        bounds.suspect = False
        _shed_excess(desk, list(over.values()))


def _over(desk: Desk, *, every_loop: bool) -> list[Over]:
    """Levels that carry more than they may; loops that are not curtailed are looked at where that is asked."""
    index = desk.derived.index
    levels = {*desk.state.sheddings, *(each.level for each in desk.supplied.curtailments.values())}
    if every_loop:
        levels |= {
            CurtailedLevel(carrier, loop)
            for loop in desk.supplied.loops
            for carrier in (curtailments.Carrier.LIQUID, curtailments.Carrier.AIR)
        }
    wiped_w = _wiped_w(desk)
    found = []
    for level in sorted(levels):
        number = index.level_of(level)
        excess_w = index.load_w[number] - wiped_w.get(number, 0) - index.limit_w[number]
        if excess_w > 0:
            found.append(Over(level, number, excess_w))
    return found


def _wiped_w(desk: Desk) -> dict[int, int]:
    """What nodes count for that are being wiped: nothing runs there."""
    found: dict[int, int] = {}
    for name in desk.derived.held.wiped:
        for level, watts in _drawn(desk, desk.state.gangs[name]).items():
            found[level] = found.get(level, 0) + watts
    return found


def _drawn(desk: Desk, gang: Gang) -> dict[int, int]:
    return desk.derived.index.draw(gang.runs, desk.supplied.skus[gang.spec.sku].gpu_w)


def _binding(desk: Desk, level: CurtailedLevel) -> Curtailment | None:
    """The curtailment of a level that began last."""
    there = curtailments.at_level(desk.supplied.curtailments, level)
    return max((each for each in there if each.begun), key=lambda each: each.shed_at, default=None)


def _deepened(desk: Desk, level: CurtailedLevel) -> bool:
    """Whether another curtailment began since a level's shedding was opened."""
    binding, held = _binding(desk, level), desk.state.sheddings[level]
    return binding is not None and binding.id != held.curtailment and binding.shed_at >= held.opened_at


def _opened(desk: Desk, over: Over) -> SheddingOpened:
    binding = _binding(desk, over.level)
    deadline_at = desk.at + LOOP_RESPONSE_S * SECOND_US
    if binding is not None:
        deadline_at = max(binding.start_at, binding.shed_at + binding.respond_s * SECOND_US)
    name = NO_CURTAILMENT if binding is None else binding.id
    return SheddingOpened(over.level.carrier, over.level.name, name, over.excess_w, deadline_at)


# Who stops.


def _shed_excess(desk: Desk, over: list[Over]) -> None:
    """As few as it takes are asked to stop, beside those who leave by the deadline of all levels they are below."""
    if not over:
        return
    deadline = {each.number: desk.state.sheddings[each.level].deadline_at for each in over}
    level_of = {each.number: each.level for each in over}
    left = {each.number: each.excess_w for each in over}
    staying = []
    for name in desk.derived.held.gangs:
        gang = desk.state.gangs[name]
        drawn = {level: watts for level, watts in _drawn(desk, gang).items() if level in left}
        if not drawn:
            continue
        if _gone_at(desk, gang) <= min(deadline[level] for level in drawn):
            for level, watts in drawn.items():
                left[level] -= watts
        else:
            staying.append((gang, drawn))
    ordered = _in_order(desk, [gang for gang, _ in staying])
    by_name = {gang.spec.id: drawn for gang, drawn in staying}
    for gang in _chosen(left, [(gang, by_name[gang.spec.id]) for gang in ordered]):
        drawn = by_name[gang.spec.id]
        first = min(drawn, key=lambda level: (deadline[level], level))
        held = desk.state.sheddings[level_of[first]]
        _stop(desk, gang, held.curtailment, held.level, deadline[first])


def _gone_at(desk: Desk, gang: Gang) -> int:
    """When a gang has left its GPUs at the latest. One that has not started may take its time."""
    if gang.phase is Phase.STOPPING:
        shed = desk.state.shed.get(gang.spec.id)
        left_at = gang.stopping_at + gang.spec.grace_s * SECOND_US
        return left_at if shed is None else min(left_at, shed.deadline_at)
    return gang.started_at + away_s(gang.spec) * SECOND_US if gang.started_at else INSTANT_MAX


def _chosen(left: dict[int, int], ordered: list[tuple[Gang, dict[int, int]]]) -> list[Gang]:
    """From those who may be asked, in order, as few as bring every level down to nothing that is left."""
    asked = []
    for gang, drawn in ordered:
        if any(left[level] > 0 for level in drawn):
            asked.append((gang, drawn))
            for level, watts in drawn.items():
                left[level] -= watts
    kept = []
    for gang, drawn in reversed(asked):
        if all(left[level] + watts <= 0 for level, watts in drawn.items()):
            for level, watts in drawn.items():
                left[level] += watts
        else:
            kept.append(gang)
    return kept[::-1]


def _in_order(desk: Desk, known: Iterable[Gang]) -> list[Gang]:
    """Who stops first."""
    turn = _claims_turn(desk)
    return sorted(known, key=lambda gang: (*_class(gang, turn), -gang.placed_seq))


def _claims_turn(desk: Desk) -> dict[TrancheId, int]:
    return {name: turn for turn, name in enumerate(shed_first(desk.claimed))}


def _class(gang: Gang, turn: dict[TrancheId, int]) -> tuple[int, int]:
    if gang.phase is Phase.STOPPING or gang.lender:
        return (-1 if gang.phase is Phase.STOPPING else 1), 0
    rank = {Tier.SPOT: 0, Tier.ON_DEMAND: 2, Tier.DEDICATED: 3}[gang.spec.tier]
    return rank, turn.get(gang.spec.tranche, 0)


def _stop(
    desk: Desk,
    gang: Gang,
    name: CurtailmentId,
    level: CurtailedLevel,
    deadline_at: int,
    for_: GangId = NOBODY,
) -> None:
    grace_s = min(gang.spec.grace_s, time_for_grace_s(desk.at, deadline_at))
    spec = gang.spec
    desk.emit(GangShed(spec.id, gang.generation, name, level.carrier, level.name, deadline_at, grace_s, for_))
    if gang.phase is Phase.STOPPING:
        # It stops already, and takes too long: for its own reason, and sooner.
        desk.emit(gangs.GangStopping(spec.id, gang.generation, gang.reason, gang.again))
    else:
        desk.emit(gangs.GangStopping(spec.id, gang.generation, CURTAILED, again=True))


def call_off(desk: Desk) -> None:
    """Claims' own work that a curtailed level has no room for takes the power of spot, loans and on demand there."""
    known = desk.state.gangs
    turn = _claims_turn(desk)
    lanes = [lane for lane in desk.derived.queue.lanes() if lane.tier is Tier.DEDICATED]
    for lane in sorted(lanes, key=lambda lane: -turn.get(lane.tranche, 0)):
        heads = desk.derived.queue.heads(lane, known)
        if heads:
            _call_off_for(desk, known[min(heads)[0].gang])


def _call_off_for(desk: Desk, gang: Gang) -> None:
    index = desk.derived.index
    curtailed = {
        index.level_of(each.level): each.level for each in desk.supplied.curtailments.values() if each.begun
    }
    found = find(desk, gang)
    if not isinstance(found, Misfit) or found.level not in {index.plant.level_name[n] for n in curtailed}:
        return
    level = next(
        level for number, level in curtailed.items() if index.plant.level_name[number] == found.level
    )
    scratch, number = index.copy(), index.level_of(level)
    gpu_w = {sku.id: sku.gpu_w for sku in desk.supplied.skus.values()}
    others = [other for other in holding(desk) if number in _drawn(desk, other)]
    for other in others:
        if other.phase not in (Phase.PLACED, Phase.RUNNING):
            scratch.release(other.runs, gpu_w[other.spec.sku])
    able = [
        other for other in others
        if other.phase in (Phase.PLACED, Phase.RUNNING) and other.spec.tier is not Tier.DEDICATED
    ]  # fmt: skip
    asked: list[Gang] = []
    for other in _in_order(desk, able):
        if isinstance(find(desk, gang, index=scratch, at=desk.at), Fit):
            break
        scratch.release(other.runs, gpu_w[other.spec.sku])
        asked.append(other)
    if not isinstance(find(desk, gang, index=scratch, at=desk.at), Fit):
        return
    binding = _binding(desk, level)
    assert binding is not None, "it is curtailed"
    for other in reversed(asked):
        scratch.take(other.runs, gpu_w[other.spec.sku])
        if not isinstance(find(desk, gang, index=scratch, at=desk.at), Fit):
            scratch.release(other.runs, gpu_w[other.spec.sku])
            deadline_at = desk.at + binding.respond_s * SECOND_US
            _stop(desk, other, binding.id, level, deadline_at, gang.spec.id)


# Who comes back first.


def restore(desk: Desk) -> bool:
    """Place those who were shed, as far as they fit, before anybody else; whether any was."""
    placed = False
    for gang in restore_queue(desk):
        found = find(desk, gang)
        if isinstance(found, Fit):
            place(desk, gang, found)
            placed = True
    return placed


def restore_queue(desk: Desk) -> list[Gang]:
    """Everybody who was shed and waits, in the order in which they come back."""
    turn = _claims_turn(desk)
    waiting = [
        gang for gang in (desk.state.gangs[name] for name in desk.state.shed)
        if gang.phase is Phase.PENDING and not gang.returns_at and gang.not_before <= desk.at
    ]  # fmt: skip
    return sorted(waiting, key=lambda gang: (_back(gang), -turn.get(gang.spec.tranche, 0), gang.order))


def _back(gang: Gang) -> int:
    return {Tier.DEDICATED: 0, Tier.ON_DEMAND: 1, Tier.SPOT: 2}[gang.spec.tier]


# By time.


def power_due(supplied: supply.State, state: State, derived: Derived) -> Due | None:
    """When a curtailment begins or ends, a shedding is due, or a ramp lets on more."""
    if not supplied.curtailments and not state.sheddings and not state.ramps:
        return None
    found = []
    curtailed = curtailing.next_curtailment(supplied)
    if curtailed is not None:
        found.append(curtailed[0])
    deadline_at = sheddings.next_deadline(state.sheddings)
    if deadline_at is not None:
        found.append(deadline_at)
    if state.ramps and derived.bounds.held != {}:
        look_at = ramps.next_look(state.ramps, derived.bounds.looked_at)
        if look_at is not None:
            found.append(look_at)
    return Due(min(found), "power", "", 0) if found else None


def wake_power(desk: Desk, due_at: int) -> None:
    """What is due at an instant: curtailments first, then deadlines, then ramps."""
    curtailed = curtailing.next_curtailment(desk.supplied)
    if curtailed is not None and curtailed[0] == due_at:
        curtailing.curtailment_due(desk.supplied, curtailed[1], desk.at, desk.emit)
        return
    over = {each.level: each.excess_w for each in _over(desk, every_loop=False)}
    for level, held in sorted(desk.state.sheddings.items()):
        if held.deadline_at == due_at and not held.overdue:
            if level in over:
                desk.emit(SheddingOverdue(level.carrier, level.name, over[level]))
            else:
                desk.emit(SheddingClosed(level.carrier, level.name))
            return
    desk.derived.bounds.looked_at = desk.at
    desk.derived.stirred = True


#: What is decided about curtailments.
CURTAILING: dict[type[Command], Callable[[Desk, Any], Answer | Refusal]] = {
    CurtailPower: lambda desk, command: curtailing.curtail(desk.supplied, command, desk.at, desk.emit),
    EndCurtailment: lambda desk, command: curtailing.end_curtailment(desk.supplied, command.id, desk.emit),
}


def check_sheddings(desk: Desk) -> Iterator[str]:
    """Invariant 2 with facts: what a level carries above what it may is an open shedding, and nothing else is."""
    over = {each.level: each.excess_w for each in _over(desk, every_loop=True)}
    for level, excess_w in over.items():
        if level not in desk.state.sheddings:
            yield f"{level.told()} carries {excess_w} W more than it may, and no shedding is open"
    for level in desk.state.sheddings:
        if level not in over:
            yield f"a shedding of {level.told()} is open, which carries no more than it may"
    for name, shed in desk.state.shed.items():
        gang = desk.state.gangs.get(name)
        if (
            gang is None
            or gang.phase not in (Phase.STOPPING, Phase.PENDING)
            or gang.generation != shed.generation
        ):
            yield f"gang {name} is shed, and is not"
