"""What is kept for gangs that lost nodes, and how far gangs got: the records, and how each event changes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from forebay.core import supply
from forebay.core.ids import GangId, NodeIndex
from forebay.core.placements import gang as gangs
from forebay.core.placements.gang import Gang, Phase
from forebay.core.timeline import Due
from forebay.core.units import SECOND_US

if TYPE_CHECKING:
    from forebay.core.placements.state import Derived, Held, State

#: What falls due of them.
DUES = frozenset({"hold", "stuck"})


class HeldHosts(NamedTuple):
    """Nodes that are kept for a gang which lost others: runs (first, count)."""

    #: The generation that lost them.
    generation: int
    hosts: tuple[tuple[int, int], ...]
    spares: tuple[tuple[int, int], ...]
    until_at: int


class GangProgress(NamedTuple):
    """How far a gang got, at the latest."""

    generation: int
    mark: int
    at: int
    #: Whether it was flagged since.
    stuck: bool = False


def record_held(
    state: State, held: Held, supplied: supply.State, event: gangs.HostsHeld, at: int, seq: int
) -> None:
    """Nodes are kept for a gang."""
    state.holds[event.gang] = HeldHosts(event.generation, event.hosts, event.spares, event.until_at)


def record_released(
    state: State, held: Held, supplied: supply.State, event: gangs.HostsReleased, at: int, seq: int
) -> None:
    """Nothing is kept for a gang any more."""
    del state.holds[event.gang]


def record_progress(
    state: State, held: Held, supplied: supply.State, event: gangs.GangProgressed, at: int, seq: int
) -> None:
    """A gang got so far."""
    state.progress[event.gang] = GangProgress(event.generation, event.mark, event.effective_at)


def record_stuck(
    state: State, held: Held, supplied: supply.State, event: gangs.GangStuck, at: int, seq: int
) -> None:
    """A gang got nowhere."""
    state.progress[event.gang] = state.progress[event.gang]._replace(stuck=True)


def keep_from_all(derived: Derived, name: GangId, hold: HeldHosts) -> None:
    """Searches do not see these nodes any more."""
    for first, count in (*hold.hosts, *hold.spares):
        for node in range(first, first + count):
            derived.kept[node] = name
            derived.index.set_usable(node, False)
    derived.dues.push(Due(hold.until_at, "hold", name, hold.generation))


def after_held(derived: Derived, state: State, supplied: supply.State, event: gangs.HostsHeld) -> None:
    """What is kept leaves the pools."""
    keep_from_all(derived, event.gang, state.holds[event.gang])
    # An index as it will be is none any more, and who waits may need other nodes now.
    derived.ends.moved = derived.stirred = True


def after_released(
    derived: Derived, state: State, supplied: supply.State, event: gangs.HostsReleased
) -> None:
    """What was kept is back in its pool."""
    for node in [node for node, name in derived.kept.items() if name == event.gang]:
        del derived.kept[node]
        seen = not derived.barred or supply.rack_of(supplied, NodeIndex(node)).site not in derived.barred
        derived.index.set_usable(node, seen and supply.usable(supplied, NodeIndex(node)))
    derived.ends.moved = derived.stirred = True


def after_progress(
    derived: Derived, state: State, supplied: supply.State, event: gangs.GangProgressed
) -> None:
    """A gang that got further is stuck later."""
    push_stuck(derived, state, state.gangs[event.gang])


def push_stuck(derived: Derived, state: State, gang: Gang) -> None:
    """When a gang is stuck, should it get nowhere until then."""
    at = stuck_at(state, gang)
    if at is not None:
        derived.dues.push(Due(at, "stuck", gang.spec.id, gang.generation))


def stuck_at(state: State, gang: Gang) -> int | None:
    """When a gang that runs is stuck; None where it is not judged, or is flagged already."""
    last, stuck_s = state.progress.get(gang.spec.id), state.policy.failing.stuck_s
    if last is None or not stuck_s or gang.phase is not Phase.RUNNING:
        return None
    if last.stuck and last.generation == gang.generation:
        return None
    return max(last.at, gang.started_at) + stuck_s * SECOND_US


def meant_still(state: State, gang: Gang, due: Due) -> bool:
    """Whether what falls due still does."""
    if due.what == "stuck":
        return stuck_at(state, gang) == due.at
    hold = state.holds.get(GangId(due.about))
    return hold is not None and hold.until_at == due.at
