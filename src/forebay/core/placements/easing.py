"""When does an electrical level bear so many watts more, if everything runs to its limit of time?

Whoever is to lie wholly below a level waits for that at least. Of a level with few racks all are looked at that run
there; of one with many those that end first, until it is enough.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from forebay.core.placements import promises
from forebay.core.placements.ends import End, Ends
from forebay.core.placements.gang import Spec, Tier
from forebay.core.placements.index import POOL, Index, PoolKey, bits
from forebay.core.placements.schedule import Desk
from forebay.core.placements.vacancies import Vacancies

#: Levels with more racks than these have many.
RACKS_FEW = 512


class Eased(NamedTuple):
    """From `at` on there is enough (0: there is now), when these are `over`; None where there never is."""

    at: int | None
    over: list[End]


class Easing:
    """The levels that were asked for, for one load on nodes of one pool."""

    __slots__ = ("_ends", "_index", "_key", "_known", "_vacancies", "_watts")

    def __init__(self, index: Index, ends: Ends, vacancies: Vacancies, key: PoolKey, watts: int) -> None:
        self._index, self._ends, self._vacancies = index, ends, vacancies
        self._key, self._watts = key, watts
        self._known: dict[int, Eased] = {}

    def of(self, level: int) -> Eased:
        """When a level bears the load."""
        found = self._known.get(level)
        if found is None:
            found = self._known[level] = self._found(level)
        return found

    def _found(self, level: int) -> Eased:
        index, plant, pooled = self._index, self._index.plant, self._key.owner == POOL
        lacks_w = self._watts - (index.limit_w[level] - index.load_w[level])
        if pooled:
            lacks_w += index.reserved_w[level]
        over: list[End] = []
        if lacks_w <= 0:
            return Eased(0, over)
        racks = plant.level_racks[level]
        # Whoever is at the site is below its root, however it is shared.
        root = level in plant.extents[self._key.sku, self._key.site].roots
        few = set(bits(racks)) if not root else set()
        ends: Iterable[End] = self._ends.each()
        if len(few) in range(1, RACKS_FEW):
            first, nodes = plant.rack_first, plant.rack_nodes
            ends = self._vacancies.on(
                node for rack in few for node in range(first[rack], first[rack] + nodes[rack])
            )
        rack_of_node, owner = plant.rack_of_node, index.owner
        for end in ends:
            gpus = 0
            for begin, count, mask in end.runs:
                if root and not (pooled and owner[begin]):
                    gpus += count * mask.bit_count() if racks >> rack_of_node[begin] & 1 else 0
                    continue
                for node in range(begin, begin + count):
                    # What is given back of a tranche's is kept for it.
                    rack = rack_of_node[node]
                    if (rack in few if not root else racks >> rack & 1) and not (pooled and owner[node]):
                        gpus += mask.bit_count()
            if gpus:
                over.append(end)
                lacks_w -= gpus * end.gpu_w
                if lacks_w <= 0:
                    return Eased(end.at, over)
        return Eased(None, over)


def ease(index: Index, ends: Iterable[End], sign: int) -> None:
    """Levels carry less (-1) by what these draw, or as much as before (1); nodes stay as they are."""
    load_w, plant, owner = index.load_w, index.plant, index.owner
    rack_of_node, paths = plant.rack_of_node, plant.rack_path
    for _, _, runs, gpu_w in ends:
        for first, count, mask in runs:
            each_w = sign * mask.bit_count() * gpu_w
            node, end = first, first + count
            while node < end:
                rack = rack_of_node[node]
                here = min(end, plant.rack_first[rack] + plant.rack_nodes[rack]) - node
                for level in paths[rack]:
                    load_w[level] += here * each_w
                    if owner[node]:
                        index.reserved_w[level] -= here * each_w
                node += here


def roots_of(desk: Desk, spec: Spec) -> list[tuple[int, int]]:
    """By pool that a gang may be in: the level that all of it is under, and what the gang would draw from it. None
    where that does not tell.
    """
    if spec.skus or spec.tier is Tier.SPOT:
        return []
    found, extents = [], desk.derived.index.plant.extents
    for key in promises.pools_of(desk, spec):
        roots = extents[key.sku, key.site].roots if (key.sku, key.site) in extents else ()
        if len(roots) > 1:
            return []
        found += [(root, spec.gpus * desk.supplied.skus[spec.sku].gpu_w) for root in roots]
    return found


def short(index: Index, roots: list[tuple[int, int]]) -> bool:
    """Whether each of these levels bears too little: then the gang fits nowhere."""
    return bool(roots) and all(index.limit_w[root] - index.load_w[root] < watts for root, watts in roots)
