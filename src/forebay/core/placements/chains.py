"""Whom does a gang wait for, apart from room? Gangs that it comes after, and its turn within its array.

Recorded here, each time a gang is over for good: whose conditions hold now, whose never can, whose turn comes. Only
gangs that neither wait for another nor for their turn stand in the queue; `arrays` decides what follows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from forebay.core.ids import GangId, Refusal, TenantId

if TYPE_CHECKING:
    from forebay.core.placements.gang import Gang, Spec

#: Gangs that one gang may come after, and gangs of an array.
AFTER_MAX = 1_000
ARRAY_MAX = 10_000
#: Endings of gangs that have left the live state: so many are known, the latest.
FATES_MAX = 100_000


class Precondition(StrEnum):
    """How another gang has to be over before a gang may start."""

    #: It completed.
    COMPLETED = "completed"
    #: It is over, however it ended.
    ENDED = "ended"
    #: It is over and did not complete: it failed, was stopped or cancelled, or never ran.
    FAILED = "failed"


@dataclass(slots=True, frozen=True)
class After:
    """A gang (or all of an array) that has to be over first, and how."""

    gang: GangId
    when: Precondition = Precondition.COMPLETED


@dataclass(slots=True, frozen=True)
class ArrayMember:
    """Which gang of an array this is."""

    array: GangId
    #: Its place in the array, from 0.
    place: int
    #: The number that it was given: the last word of its name.
    index: int


class Waiting(NamedTuple):
    """What a gang still waits for."""

    unmet: tuple[After, ...]
    #: Of these, the one that can never hold; "" while all may.
    failed_by: GangId = GangId("")


class Array(NamedTuple):
    """An array of gangs as recorded: replaced, never changed in place."""

    id: GangId
    tenant: TenantId
    indices: tuple[int, ...]
    #: At most so many of them wait in the queue or hold GPUs at one time.
    at_most: int
    #: Places below this one have had their turn.
    let: int
    #: Gangs that are not over.
    left: int
    #: Gangs that are over and did not complete.
    failed: int = 0

    def member(self, place: int) -> GangId:
        """The gang at a place."""
        return member_name(self.id, self.indices[place])


def member_name(array: GangId, index: int) -> GangId:
    """How the gang with a number is called."""
    return GangId(f"{array}.{index}")


@dataclass(slots=True)
class Chains:
    """Who waits for whom, arrays whose gangs are not all over, and how those ended that are gone."""

    waits: dict[GangId, Waiting] = field(default_factory=dict)
    #: A gang or array -> gangs that wait for it; some may wait no more.
    following: dict[GangId, tuple[GangId, ...]] = field(default_factory=dict)
    arrays: dict[GangId, Array] = field(default_factory=dict)
    #: Gangs and arrays that left the live state -> whether they completed; the latest `FATES_MAX` of them.
    fates: dict[GangId, bool] = field(default_factory=dict)

    def fork(self) -> Chains:
        """A copy whose containers are its own."""
        return Chains(self.waits.copy(), self.following.copy(), self.arrays.copy(), self.fates.copy())


#: The reason of a gang that is over because all of it finished.
COMPLETED = "completed"
#: Why a gang leaves the queue that waits for what can never be.
DEPENDENCY_FAILED = "dependency_failed"


# What may be asked for.


def refuse_after(
    chains: Chains, gangs: Mapping[GangId, Gang], spec: Spec, own: Iterable[GangId] = ()
) -> Refusal | None:
    """bad_quantity, dependency_cycle, unknown_gang, dependency_failed. Others are those of the same tenant."""
    if len(spec.after) > AFTER_MAX:
        told = f"it comes after {len(spec.after)} gangs; at most {AFTER_MAX} are meant"
        return Refusal("bad_quantity", told, "after")
    for number, each in enumerate(spec.after):
        where = f"after[{number}].gang"
        if each.gang == spec.id or each.gang in own:
            return Refusal("dependency_cycle", f"{spec.id} waits for {each.gang}: for itself", where)
        known, array = gangs.get(each.gang), chains.arrays.get(each.gang)
        tenant = known.spec.tenant if known else array.tenant if array else spec.tenant
        fate = _fate(chains, gangs, each.gang)
        if tenant != spec.tenant or (known is None and array is None and fate is None):
            told = f"there is no gang {each.gang} of {spec.tenant} that it could come after"
            return Refusal("unknown_gang", told, where)
        if fate is not None and not _holds(each.when, fate):
            been = "completed" if fate else "is over and did not complete"
            told = f"it starts once {each.gang} has {each.when}, which never comes: {each.gang} {been}"
            return Refusal(DEPENDENCY_FAILED, told, where)
    return None


def is_taken(chains: Chains, gangs: Mapping[GangId, Gang], name: GangId) -> bool:
    """Whether a gang or an array is called so."""
    return name in gangs or name in chains.arrays


def tenant_of(chains: Chains, gangs: Mapping[GangId, Gang], name: GangId) -> TenantId | None:
    """Whose gang, or array of gangs, is called so."""
    gang, array = gangs.get(name), chains.arrays.get(name)
    return gang.spec.tenant if gang is not None else None if array is None else array.tenant


def _fate(chains: Chains, gangs: Mapping[GangId, Gang], name: GangId) -> bool | None:
    """Whether a gang or an array that is over completed; None while it is not over, or where it is not known."""
    gang, array = gangs.get(name), chains.arrays.get(name)
    if gang is not None:
        return gang.reason == COMPLETED if gang.phase == "ended" else None
    if array is not None:
        return not array.failed if not array.left else None
    return chains.fates.get(name)


def _holds(when: Precondition, completed: bool) -> bool:
    return when is Precondition.ENDED or completed is (when is Precondition.COMPLETED)


# What is recorded.


def record_submitted(chains: Chains, gangs: Mapping[GangId, Gang], spec: Spec) -> None:
    """A gang was taken in that comes after others."""
    unmet = tuple(each for each in spec.after if _fate(chains, gangs, each.gang) is None)
    if unmet:
        chains.waits[spec.id] = Waiting(unmet)
    for name in {each.gang: None for each in unmet}:
        chains.following[name] = (*chains.following.get(name, ()), spec.id)


def record_array(chains: Chains, name: GangId, tenant: TenantId, indices: tuple[int, ...], most: int) -> None:
    """An array was taken in; its gangs follow."""
    chains.fates.pop(name, None)
    at_most = most or len(indices)
    chains.arrays[name] = Array(name, tenant, indices, at_most, min(at_most, len(indices)), len(indices))


def record_over(
    chains: Chains, gangs: Mapping[GangId, Gang], spec: Spec, reason: str, settled: dict[GangId, None]
) -> None:
    """A gang is over for good. Into `settled` go those that wait for it, or for their turn, no more."""
    chains.waits.pop(spec.id, None)
    completed = reason == COMPLETED
    _tell(chains, spec.id, completed, settled)
    array = None if spec.part is None else chains.arrays.get(spec.part.array)
    if array is None or spec.part is None:
        return
    let = array.let
    if spec.part.place < let:
        while let < len(array.indices) and not _waits_its_turn(gangs, array.member(let), spec.id):
            let += 1
        if let < len(array.indices):
            settled[array.member(let)] = None
            let += 1
    now = array._replace(let=let, left=array.left - 1, failed=array.failed + (not completed))
    chains.arrays[array.id] = now
    if not now.left:
        _tell(chains, array.id, not now.failed, settled)


def _waits_its_turn(gangs: Mapping[GangId, Gang], name: GangId, over: GangId) -> bool:
    gang = gangs.get(name)
    return gang is not None and gang.phase != "ended" and name != over


def _tell(chains: Chains, name: GangId, completed: bool, settled: dict[GangId, None]) -> None:
    for waiter in chains.following.pop(name, ()):
        waiting = chains.waits.get(waiter)
        if waiting is None:
            continue
        settled[waiter] = None
        mine = [each for each in waiting.unmet if each.gang == name]
        unmet = tuple(each for each in waiting.unmet if each.gang != name)
        if not all(_holds(each.when, completed) for each in mine):
            chains.waits[waiter] = Waiting(waiting.unmet, name)
        elif unmet or waiting.failed_by:
            chains.waits[waiter] = Waiting(unmet, waiting.failed_by)
        else:
            del chains.waits[waiter]


def may_queue(chains: Chains, spec: Spec) -> bool:
    """Whether a gang waits for room only: for no other gang, and not for its turn."""
    if spec.id in chains.waits:
        return False
    array = None if spec.part is None else chains.arrays.get(spec.part.array)
    return array is None or spec.part is None or spec.part.place < array.let


def record_gone(chains: Chains, gone: Iterable[tuple[GangId, str]]) -> None:
    """These gangs, with the reasons of their ends, have left the live state; so do arrays of which all are over."""
    for name, reason in gone:
        chains.fates[name] = reason == COMPLETED
    for array in [each for each in chains.arrays.values() if not each.left]:
        del chains.arrays[array.id]
        chains.fates[array.id] = not array.failed
    for name in list(chains.fates)[: max(0, len(chains.fates) - FATES_MAX)]:
        del chains.fates[name]


# What is asserted.


def check_chains(chains: Chains, gangs: Mapping[GangId, Gang]) -> Iterable[str]:
    """Nobody waits for what is over, everybody who waits is told of it, and no array has more at work than it may."""
    for name, waiting in chains.waits.items():
        gang = gangs.get(name)
        if gang is None or gang.phase != "pending":
            yield f"gang {name} waits for others and is not pending"
        if waiting.failed_by:
            yield f"gang {name} waits for {waiting.failed_by}, which is over"
        for each in waiting.unmet:
            if _fate(chains, gangs, each.gang) is not None:
                yield f"gang {name} waits for {each.gang}, which is over"
            if name not in chains.following.get(each.gang, ()):
                yield f"gang {each.gang} does not know that {name} waits for it"
    left: dict[GangId, int] = {}
    in_play: dict[GangId, int] = {}
    for gang in gangs.values():
        part = gang.spec.part
        if part is not None and gang.phase != "ended":
            left[part.array] = left.get(part.array, 0) + 1
            let = part.place < chains.arrays[part.array].let
            in_play[part.array] = in_play.get(part.array, 0) + let
            if not let and gang.phase != "pending":
                yield f"gang {gang.spec.id} started before its turn"
    for array in chains.arrays.values():
        if left.get(array.id, 0) != array.left:
            yield f"array {array.id} has {left.get(array.id, 0)} gangs left, not {array.left}"
        if in_play.get(array.id, 0) > array.at_most:
            yield f"array {array.id} has {in_play[array.id]} gangs at work, above {array.at_most}"
        if array.left and in_play.get(array.id, 0) < min(array.at_most, array.left):
            yield f"array {array.id} keeps gangs back whose turn it is"
