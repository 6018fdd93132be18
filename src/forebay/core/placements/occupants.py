"""Who holds GPUs of some nodes, and how many? Asked of many nodes at once, those included that are being wiped."""

from __future__ import annotations

from collections.abc import Set

from forebay.core.ids import GangId, NodeIndex
from forebay.core.placements.index import each_node
from forebay.core.placements.state import Derived, Held, State


def held_by_node(held: Held, state: State, nodes: Set[int]) -> dict[int, list[tuple[GangId, int]]]:
    """For each of these nodes that somebody holds GPUs of: who, and how many, by name."""
    names = {name for node in nodes for name in held.on_node.get(node, ())}
    found: dict[int, list[tuple[GangId, int]]] = {}
    for name in sorted(names | held.wiped):
        here: dict[int, int] = {}
        for node, mask in each_node(state.gangs[name].runs):
            if node in nodes:
                here[node] = here.get(node, 0) + mask.bit_count()
        for node, gpus in here.items():
            found.setdefault(node, []).append((name, gpus))
    return found


def holders(derived: Derived, nodes: set[NodeIndex]) -> list[GangId]:
    """Gangs that hold GPUs of any of these nodes, sorted."""
    return sorted({name for node in nodes for name in derived.held.on_node.get(node, ())})
