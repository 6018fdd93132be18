"""How much of what is free can still be used by whole nodes, or by whole racks? (docs/reference/policies.md)

By numbers only: power, cooling and what is kept for somebody are not counted here.
"""

from __future__ import annotations

from typing import NamedTuple

from forebay.core.ids import SiteId, SkuId
from forebay.core.placements.gang import Level
from forebay.core.placements.index import Index, Pool, PoolKey

_PPM = 1_000_000


class Fragments(NamedTuple):
    """What is free of one kind of rack at one site, for one owner ("" for the pool), and how it lies."""

    owner: str
    sku: SkuId
    site: SiteId
    #: GPUs that are free on nodes that may have work.
    gpus: int
    #: Nodes, and racks, of which all GPUs are free.
    whole_nodes: int
    whole_racks: int
    #: By level: the largest gang that fits within one such place now.
    largest: dict[Level, int]
    #: Of the free GPUs, the share that a gang of one node cannot use: those on nodes that are partly used.
    node_ppm: int
    #: The same for a gang of one rack: those in racks that are not wholly free.
    rack_ppm: int


def fragments(index: Index) -> list[Fragments]:
    """Every pool that has nodes, by site, kind and owner."""
    found = [_of_pool(index, key, pool) for key, pool in index.pools.items() if any(pool.by_free)]
    return sorted(found, key=lambda each: (each.site, each.sku, each.owner))


def _of_pool(index: Index, key: PoolKey, pool: Pool) -> Fragments:
    plant, per_node = index.plant, pool.gpus_per_node
    #: Rack -> its wholly free nodes, and the most that is free on one of the others.
    racks: dict[int, tuple[int, int]] = {}
    gpus = 0
    for free, by_rack in enumerate(pool.by_free):
        for rack, nodes in by_rack.items():
            count = nodes.bit_count()
            gpus += free * count
            whole, part = racks.get(rack, (0, 0))
            racks[rack] = (count, part) if free == per_node else (whole, max(part, free))
    whole_nodes = sum(whole for whole, _ in racks.values())
    whole_racks = [rack for rack, (whole, _) in racks.items() if whole == plant.rack_nodes[rack]]
    in_whole_racks = sum(plant.rack_nodes[rack] for rack in whole_racks) * per_node
    largest: dict[Level, int] = {}
    for level in Level:
        groups = _grouped(index, racks, level)
        largest[level] = max((whole * per_node + part for whole, part in groups), default=0)
    largest[Level.NODE] = per_node if whole_nodes else max((part for _, part in racks.values()), default=0)
    return Fragments(
        key.owner, key.sku, key.site, gpus, whole_nodes, len(whole_racks), largest,
        _share(gpus - whole_nodes * per_node, gpus), _share(gpus - in_whole_racks, gpus),
    )  # fmt: skip


def _grouped(index: Index, racks: dict[int, tuple[int, int]], level: Level) -> list[tuple[int, int]]:
    """The same by row, block, hall or site."""
    found: dict[int, tuple[int, int]] = {}
    for rack, (whole, part) in racks.items():
        row, hall, *block = index.plant.groups_of_rack[rack]
        place = {Level.RACK: rack, Level.ROW: row, Level.BLOCK: (*block, row)[0], Level.HALL: hall}.get(
            level, 0
        )
        before, best = found.get(place, (0, 0))
        found[place] = before + whole, max(best, part)
    return list(found.values())


def _share(part: int, whole: int) -> int:
    return part * _PPM // whole if whole else 0
