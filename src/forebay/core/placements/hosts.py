"""Which nodes are kept for a gang that a failure stopped, until it starts again? Its own hosts that are well, and a
spare for each that is lost.

A node that is kept is in nobody's pool: searches do not see it, and only the search for its own gang does. Nodes are
kept whole, so that a gang which shares a node with others keeps nothing of it. Power is not kept: it is checked when
the gang is placed, like any other.

A hold begins when nodes go out under a gang that is to start again. It ends when the gang is placed, when it is over,
when its time is over, and when any of its nodes goes out or passes to another owner; after another failure a new one
begins, with the time that is left.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from typing import NamedTuple

from forebay.core import claims, supply
from forebay.core.claims.terms import SpareScope
from forebay.core.ids import GangId, NodeIndex
from forebay.core.placements import gang as gangs
from forebay.core.placements.gang import HOLDING, Gang, Level, Phase, Run, Tier
from forebay.core.placements.index import POOL, Index, PoolKey, bits, each_node
from forebay.core.placements.keeping import HeldHosts
from forebay.core.placements.state import Derived, State
from forebay.core.supply import Emit
from forebay.core.units import SECOND_US

#: From how far a spare may come for a gang that has to be so near together.
_WIDEST = {Level.NODE: SpareScope.RACK, Level.RACK: SpareScope.RACK, Level.ROW: SpareScope.ROW,
           Level.BLOCK: SpareScope.ROW, Level.HALL: SpareScope.HALL, Level.SITE: SpareScope.SITE}  # fmt: skip
_SCOPES = (SpareScope.RACK, SpareScope.ROW, SpareScope.HALL, SpareScope.SITE)


class Floor(NamedTuple):
    """What a decision about hosts reads, and where its events go."""

    state: State
    derived: Derived
    supplied: supply.State
    claimed: claims.State
    emit: Emit
    at: int


def kept_nodes(hold: HeldHosts) -> Iterator[NodeIndex]:
    """The nodes of a hold, its own hosts first."""
    for first, count in (*hold.hosts, *hold.spares):
        yield from map(NodeIndex, range(first, first + count))


def touching(state: State, nodes: Set[NodeIndex]) -> list[GangId]:
    """Gangs for which any of these nodes is kept, by name."""
    return sorted(name for name, hold in state.holds.items() if not nodes.isdisjoint(kept_nodes(hold)))


def let_go(floor: Floor, names: Iterable[GangId], reason: str) -> None:
    """Nothing is kept for these gangs any more."""
    for name in names:
        floor.emit(gangs.HostsReleased(name, floor.state.holds[name].generation, reason))


def keep(floor: Floor, name: GangId, until_at: int) -> None:
    """Keep for a gang what is left of its hosts, and spares, where anything is left."""
    gang = floor.state.gangs[name]
    index = floor.derived.index
    whole = [(node, mask) for node, mask in each_node(gang.runs) if mask == index.plant.full_mask[node]]
    left = [node for node, _ in whole if _is_left(floor, gang, node)]
    if gang.lender or not left or until_at <= floor.at or gang.site in floor.derived.barred:
        return
    taken = set(left)
    lost = [node for node, _ in whole if node not in taken]
    spares = _spares(floor, gang, lost, taken)
    floor.emit(gangs.HostsHeld(name, gang.generation, _runs(left), _runs(spares), until_at))


def _is_left(floor: Floor, gang: Gang, node: int) -> bool:
    """Whether a host is well, and the gang's still, or nobody's."""
    index = floor.derived.index
    own = gang.spec.tranche if gang.spec.tier is Tier.DEDICATED else POOL
    if not supply.usable(floor.supplied, NodeIndex(node)) or index.owner[node] != own:
        return False
    if gang.phase in HOLDING:
        return True
    return index.free[node] == index.plant.full_mask[node] and node not in floor.derived.kept


def _spares(floor: Floor, gang: Gang, lost: Iterable[int], taken: set[int]) -> list[int]:
    """A wholly free node for each that is lost, the nearest to it, of those the first; as many as there are."""
    spec, index = gang.spec, floor.derived.index
    owner = spec.tranche if spec.tier is Tier.DEDICATED else POOL
    pool = index.pools.get(PoolKey(owner, spec.sku, gang.site))
    scope = floor.state.policy.failing.spare
    if spec.tier is Tier.DEDICATED:
        scope = floor.claimed.tranches[spec.tranche].plan.spare or scope
    if pool is None or scope is SpareScope.NONE:
        return []
    widest = _WIDEST[spec.within if not spec.slice_gpus else Level.RACK]
    scopes = _SCOPES[: 1 + min(_SCOPES.index(scope), _SCOPES.index(widest))]
    found: list[int] = []
    for node in lost:
        for near in scopes:
            racks = _racks_near(index, node, near) & pool.racks_by_free[-1]
            free = (
                index.plant.rack_first[rack] + place
                for rack in bits(racks)
                for place in bits(pool.by_free[-1][rack])
            )
            spare = next((each for each in free if each not in taken), None)
            if spare is not None:
                found.append(spare)
                taken.add(spare)
                break
    return sorted(found)


def _racks_near(index: Index, node: int, scope: SpareScope) -> int:
    """Racks that are so near to a node, as bits."""
    plant = index.plant
    rack = plant.rack_of_node[node]
    if scope is SpareScope.RACK:
        return 1 << rack
    if scope is SpareScope.SITE:
        return -1
    row, hall, *_ = plant.groups_of_rack[rack]
    return plant.group_racks[row if scope is SpareScope.ROW else hall]


def _runs(nodes: Iterable[int]) -> tuple[tuple[int, int], ...]:
    return claims.noderuns.joined_runs(*((node, 1) for node in nodes))


def tend(floor: Floor) -> None:
    """Nothing is kept for gangs that have started again, or will not."""
    waits = (Phase.STOPPING, Phase.PENDING)
    over = []
    for name, hold in floor.state.holds.items():
        gang = floor.state.gangs.get(name)
        stays = gang is not None and gang.generation == hold.generation and gang.phase in waits
        if not stays or (gang is not None and gang.phase is Phase.STOPPING and not gang.again):
            over.append(name)
    let_go(floor, over, "over")


def until(floor: Floor) -> int:
    """Until when a hold lasts that begins now; now where the policy wants none."""
    return floor.at + floor.state.policy.failing.hold_s * SECOND_US


# For the search of its own gang


def open_up(index: Index, supplied: supply.State, hold: HeldHosts) -> list[NodeIndex]:
    """Let searches see the nodes of a hold: those that it hid."""
    hidden = [node for node in kept_nodes(hold) if not index.usable[node] and supply.usable(supplied, node)]
    for node in hidden:
        index.set_usable(node, True)
    return hidden


def shut(index: Index, hidden: Iterable[NodeIndex]) -> None:
    """Hide them again."""
    for node in hidden:
        index.set_usable(node, False)


def preferred(index: Index, gang: Gang, hold: HeldHosts) -> tuple[Run, ...]:
    """Where a gang is to go first: where it was, and its spares."""
    return (*gang.runs, *(Run(first, count, index.plant.full_mask[first]) for first, count in hold.spares))


def told_of(hold: HeldHosts, until: str) -> str:
    """What is kept, in a sentence."""
    hosts, spares = (sum(count for _, count in runs) for runs in (hold.hosts, hold.spares))
    return f"Kept for it until {until}: {hosts} of its own nodes, and {spares} spare."


def check_holds(state: State, derived: Derived) -> Iterator[str]:
    """A node is kept for one gang, holds nobody else, and no search sees it."""
    seen: set[int] = set()
    for name, hold in state.holds.items():
        if name not in state.gangs:
            yield f"nodes are kept for gang {name}, which there is not"
        for node in kept_nodes(hold):
            if node in seen:
                yield f"node {node} is kept twice"
            seen.add(node)
            if derived.kept.get(node) != name or derived.index.usable[node]:
                yield f"node {node} is kept for gang {name}, and searches see it"
            if any(other != name for other in derived.held.on_node.get(node, ())):
                yield f"node {node} is kept for gang {name}, and another holds it"
    if set(derived.kept) != seen:
        yield "nodes that are kept differ from the holds"
