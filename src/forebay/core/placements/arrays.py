"""Many gangs by one command, and what follows when a gang that others wait for is over."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from forebay.core import ids
from forebay.core.ids import Answer, GangId, Refusal
from forebay.core.placements import chains, datasets, schedule, substitutes
from forebay.core.placements import gang as gangs
from forebay.core.placements import state as states
from forebay.core.placements.gang import Gang, Phase, Spec

#: The number of a gang within its array, for its program.
INDEX_VARIABLE = "FOREBAY_ARRAY_INDEX"
INDEX_MAX = 10**9


def submit_array(desk: schedule.Desk, command: gangs.SubmitArray) -> Answer | Refusal:
    """Take in a gang for each index, all or none. Refuses, in this order: bad_id, duplicate_id, bad_quantity,
    bad_array, and then as a gang is refused.
    """
    spec, indices, known = schedule.resolved(desk, command.spec), command.indices, desk.state.chains
    no = ids.refuse_name(spec.id, "id") or _refuse_indices(command)
    if no is not None:
        return no
    names = [chains.member_name(spec.id, index) for index in indices]
    taken = next((n for n in (spec.id, *names) if chains.is_taken(known, desk.state.gangs, n)), None)
    if taken is not None:
        return Refusal("duplicate_id", f"gang {taken} exists already", "id")
    no = ids.refuse_name(max(names, key=len), "id") or schedule.refuse(desk, spec, names)
    if no is not None:
        return no
    desk.emit(gangs.ArraySubmitted(spec.id, spec.tenant, indices, command.at_most))
    for place in range(len(indices)):
        desk.emit(gangs.GangSubmitted(member_spec(spec, indices, place)))
    if spec.datasets:
        datasets.bring(desk, member_spec(spec, indices, 0), lambda each: schedule.never_fits(desk, each))
    return {"gang": spec.id, "gangs": len(indices)}


def member_spec(spec: Spec, indices: tuple[int, ...], place: int) -> Spec:
    """What the gang at a place of an array is: the same as all, under its own name, and knows its number."""
    index, program = indices[place], spec.program
    if program is not None:
        program = replace(program, env={**program.env, INDEX_VARIABLE: str(index)})
    part = chains.ArrayMember(spec.id, place, index)
    return replace(spec, id=chains.member_name(spec.id, index), program=program, part=part)


def same_array(state: states.State, command: gangs.SubmitArray) -> bool:
    """Whether this very array was taken in, and is not gone."""
    array = state.chains.arrays.get(command.spec.id)
    if array is None or array.indices != command.indices:
        return False
    most = command.at_most or len(command.indices)
    known = ((place, state.gangs.get(array.member(place))) for place in range(len(array.indices)))
    return array.at_most == most and all(
        gang is None
        or substitutes.same_as_asked(gang.spec, member_spec(command.spec, command.indices, place))
        for place, gang in known
    )


def _refuse_indices(command: gangs.SubmitArray) -> Refusal | None:
    indices = command.indices
    if not 1 <= len(indices) <= chains.ARRAY_MAX:
        told = f"the array has {len(indices)} gangs; from 1 to {chains.ARRAY_MAX} are meant"
        return Refusal("bad_quantity", told, "array")
    wrong = next((index for index in indices if not 0 <= index <= INDEX_MAX), None)
    if wrong is not None:
        return Refusal("bad_array", f"{wrong} is not from 0 to {INDEX_MAX}", "array")
    if len({*indices}) < len(indices):
        ordered = sorted(indices)
        twice = next(index for index, other in pairwise(ordered) if index == other)
        return Refusal("bad_array", f"{twice} stands there twice", "array")
    if command.at_most < 0:
        return Refusal("bad_array", f"at most {command.at_most} at once: 1 or more are meant", "array")
    return None


def cancel_any(desk: schedule.Desk, name: GangId) -> Answer | Refusal:
    """Stop a gang for good, or every gang of an array. Refuses: unknown_gang, already_ended."""
    array = desk.state.chains.arrays.get(name)
    if array is None:
        return schedule.cancel(desk, name)
    if not array.left:
        return Refusal("already_ended", f"every gang of array {name} has ended", "gang")
    members = (desk.state.gangs.get(array.member(place)) for place in range(len(array.indices)))
    # The last first, so that none of them gets its turn meanwhile.
    live = [gang for gang in members if gang is not None and gang.phase is not Phase.ENDED]
    for gang in reversed(live):
        schedule.cancel(desk, gang.spec.id)
    stops = any(desk.state.gangs[gang.spec.id].phase is Phase.STOPPING for gang in live)
    return {"gang": name, "phase": Phase.STOPPING if stops else Phase.ENDED, "gangs": len(live)}


def settle(desk: schedule.Desk) -> None:
    """Let those into the queue who wait for nobody any more; who waits for what can never be is over."""
    settled, known = desk.derived.held.settled, desk.state.chains
    while settled:
        name = next(iter(settled))
        del settled[name]
        gang = desk.state.gangs.get(name)
        if gang is None or gang.phase is not Phase.PENDING:
            continue
        waiting = known.waits.get(name)
        if waiting is not None and waiting.failed_by:
            desk.emit(gangs.GangWithdrawn(name, chains.DEPENDENCY_FAILED))
        elif chains.may_queue(known, gang.spec):
            states.let_in(desk.derived, gang)


def sentence(desk: schedule.Desk, gang: Gang) -> str:
    """Whom a gang waits for, in words; "" where it waits for nobody."""
    spec, known = gang.spec, desk.state.chains
    waiting = known.waits.get(spec.id)
    if waiting is not None:
        each = [f"{after.gang} has {after.when}" for after in waiting.unmet[:4]]
        more = f", and for {len(waiting.unmet) - 4} more" if len(waiting.unmet) > 4 else ""
        return f"It starts once {' and '.join(each)}{more}."
    if spec.part is None or chains.may_queue(known, spec):
        return ""
    array = known.arrays[spec.part.array]
    return f"Of array {array.id}, {array.at_most} of {len(array.indices)} may be at work at once: it waits its turn."
