"""What is free, where, for whom, and under how much power: the index that every placement is found in.

Derived from supply and from what is placed; never in a snapshot. `take`, `release`, `set_usable` and `set_owner` are
called only by `apply`; `search` only reads. A long pass, or a question, runs on a `copy`.

Theory of operation. Nodes of one (owner, SKU, site) form a pool. Within a rack the usable nodes with so many free
GPUs are the bits of one small number; over the plant the racks that have such a node are the bits of one large
number, and so are the racks with so many wholly free nodes. Intersecting with "this hall" or "under this feed" is
one `&`, and the lowest rack is one bit trick. A million GPUs are 14,000 racks: numbers of two kilobytes, where bits
for nodes would take thirty. A run of neighbouring nodes that is taken or returned whole costs one step a rack, not
one a node.

Power is promised with the nodes. While a tranche owns a node, what its GPUs do not draw of their full profile is
reserved on every level above it: work on the pool sees each limit less that, work on the node draws from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from forebay.core import supply
from forebay.core.ids import LoopId, SiteId, SkuId
from forebay.core.placements.gang import Level, Run

#: The owner of nodes that no tranche holds.
POOL = ""


class Vacancy(NamedTuple):
    """What is free in one pool, in numbers."""

    gpus_per_node: int
    #: Wholly free nodes.
    whole: int
    #: The most GPUs that are free on one of the others.
    partial: int


class Pool:
    """Free capacity of one (owner, SKU, site). Nodes of a rack are bits counted from its first node."""

    __slots__ = ("by_free", "gpus_per_node", "racks_by_free", "racks_by_whole", "whole", "whole_in")

    def __init__(self, gpus_per_node: int) -> None:
        self.gpus_per_node = gpus_per_node
        #: by_free[n]: rack (dense index) -> its nodes with n free GPUs, as bits; racks without one are left out.
        self.by_free: list[dict[int, int]] = [{} for _ in range(gpus_per_node + 1)]
        #: racks_by_free[n]: the keys of by_free[n], as bits.
        self.racks_by_free = [0] * (gpus_per_node + 1)
        #: racks_by_whole[n]: racks with n wholly free nodes, as bits; n = 0 is not kept up.
        self.racks_by_whole = [0]
        #: Wholly free nodes in all, and by group of racks (dense index).
        self.whole = 0
        self.whole_in: dict[int, int] = {}

    def copy(self) -> Pool:
        """An independent copy."""
        twin = Pool.__new__(Pool)
        twin.gpus_per_node = self.gpus_per_node
        twin.by_free = [nodes.copy() for nodes in self.by_free]
        twin.racks_by_free = self.racks_by_free.copy()
        twin.racks_by_whole = self.racks_by_whole.copy()
        twin.whole = self.whole
        twin.whole_in = self.whole_in.copy()
        return twin

    def enter(self, rack: int, nodes: int, free: int) -> None:
        """These nodes of a rack have so many free GPUs, and had no place here."""
        by_rack = self.by_free[free]
        had = by_rack.get(rack, 0)
        by_rack[rack] = had | nodes
        if not had:
            self.racks_by_free[free] |= 1 << rack

    def leave(self, rack: int, nodes: int, free: int) -> None:
        """These nodes of a rack, that had so many free GPUs, have no place here any more."""
        by_rack = self.by_free[free]
        left = by_rack[rack] ^ nodes
        if left:
            by_rack[rack] = left
        else:
            del by_rack[rack]
            self.racks_by_free[free] ^= 1 << rack

    def whole_moves(self, rack: int, groups: Iterable[int], by: int) -> None:
        """So many nodes of a rack have just become wholly free; negative: ceased to be."""
        after = self.by_free[-1].get(rack, 0).bit_count()
        before, bit = after - by, 1 << rack
        if before:
            self.racks_by_whole[before] ^= bit
        if after:
            self.racks_by_whole[after] ^= bit
        self.whole += by
        whole_in = self.whole_in
        for group in groups:
            whole_in[group] = whole_in.get(group, 0) + by


class _Pools(dict["PoolKey", Pool]):
    """Those of another index, each copied when something is about to change in it."""

    __slots__ = ("_others",)

    def __init__(self, others: dict[PoolKey, Pool]) -> None:
        self._others = others

    def __missing__(self, key: PoolKey) -> Pool:
        # Whoever reads asks with `get`.
        found = self[key] = self._others[key].copy()
        return found

    def get(self, key: PoolKey, default: Any = None) -> Any:
        """For reading only."""
        return dict.get(self, key) or self._others.get(key, default)

    def items(self) -> Any:
        """All of them, for reading only."""
        return {key: self.get(key) for key in self._others}.items()


class Extent:
    """The most GPUs of one SKU at one site that stand together, healthy or not, free or not."""

    __slots__ = ("block", "by_group", "hall", "rack", "roots", "row", "site")

    def __init__(self) -> None:
        self.site = 0
        self.hall = 0
        self.row = 0
        self.block = 0
        self.rack = 0
        #: Of each row, hall and block, by number.
        self.by_group: dict[int, int] = {}
        #: Electrical levels that nothing is above.
        self.roots: set[int] = set()


class Plant:
    """What does not change when work comes and goes: where each node stands and what it hangs on."""

    __slots__ = (
        "carried",
        "extents",
        "full_mask",
        "group_name",
        "group_racks",
        "groups_at",
        "groups_of_rack",
        "heat_levels",
        "heat_w",
        "level_base_w",
        "level_limit_w",
        "level_name",
        "level_of_feed",
        "level_racks",
        "levels_of_loop",
        "number_of_group",
        "pool_key",
        "rack_above",
        "rack_base_heat",
        "rack_first",
        "rack_gpu_w",
        "rack_heat",
        "rack_levels",
        "rack_nodes",
        "rack_of_node",
        "rack_path",
        "racks_of_group",
        "tails", )  # fmt: skip

    def __init__(self) -> None:
        self.rack_of_node: list[int] = []
        #: All GPUs of a node, as a mask.
        self.full_mask: list[int] = []
        #: First node of a rack, and how many it has.
        self.rack_first: list[int] = []
        self.rack_nodes: list[int] = []
        #: Watts of one GPU at work.
        self.rack_gpu_w: list[int] = []
        #: Electrical levels above the nodes of a rack, the rack itself first.
        self.rack_path: list[tuple[int, ...]] = []
        #: With those of its cooling loop behind the rack itself; and without the rack itself, where racks that hang
        #: on the same share one tuple.
        self.rack_levels: list[tuple[int, ...]] = []
        self.rack_above: list[tuple[int, ...]] = []
        self.tails: dict[tuple[int, ...], tuple[int, ...]] = {}
        #: Levels of cooling loops that a rack gives heat to, with the watts of heat of one GPU at work.
        self.rack_heat: dict[int, tuple[tuple[int, int], ...]] = {}
        #: What it gives to the liquid and the air when no work runs.
        self.rack_base_heat: dict[int, supply.Heat] = {}
        #: The liquid and the air of each loop; and which of the two a level is (0, 1).
        self.levels_of_loop: dict[LoopId, tuple[int, int]] = {}
        self.heat_levels: dict[int, int] = {}
        #: By level and SKU: watts of heat that one GPU at work gives to a loop.
        self.heat_w: dict[tuple[int, SkuId], int] = {}
        #: (SKU, site) of a rack.
        self.pool_key: list[tuple[SkuId, SiteId]] = []
        self.level_of_feed: dict[str, int] = {}
        self.level_name: list[str] = []
        self.level_limit_w: list[int] = []
        #: What a level carries when no work runs.
        self.level_base_w: list[int] = []
        #: Racks under a level, as bits.
        self.level_racks: list[int] = []
        #: Rows and halls, numbered in one go: the racks of each, as bits; those that a rack is in; and by site.
        self.number_of_group: dict[tuple[Level, str], int] = {}
        self.group_name: list[str] = []
        self.group_racks: list[int] = []
        self.groups_of_rack: list[tuple[int, ...]] = []
        self.racks_of_group: list[list[int]] = []
        self.groups_at: dict[tuple[Level, SiteId], list[int]] = {}
        self.extents: dict[tuple[SkuId, SiteId], Extent] = {}
        #: What levels can ever carry, as it was asked for (`carrying`); until the plant grows.
        self.carried: dict[object, tuple[int, str]] = {}

    def room_w(self, level: int) -> int:
        """Watts of work that a level can carry when nothing else runs."""
        return self.level_limit_w[level] - self.level_base_w[level]


class Exhausted:
    """Levels that cannot bear a load of so many watts more, as searches came upon them, and the racks below them.

    A memory only: whoever passes these racks over finds what they would find without it. Truthy while it knows any.
    """

    __slots__ = ("_levels", "_plant", "_racks")

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        #: By what is asked (whether what is reserved must be left alone, and the watts): the levels.
        self._levels: dict[tuple[bool, int], set[int]] = {}
        #: The racks below them, as bits; made when they are asked for.
        self._racks: dict[tuple[bool, int], int] = {}

    def __bool__(self) -> bool:
        return bool(self._levels)

    def add(self, level: int, keeps: bool, watts: int) -> None:
        """A level cannot bear so many watts more."""
        self._levels.setdefault((keeps, watts), set()).add(level)
        self._racks[keeps, watts] = self.racks(keeps, watts) | self._plant.level_racks[level]

    def racks(self, keeps: bool, watts: int) -> int:
        """Racks below levels that cannot bear so many watts more, as bits."""
        found = self._racks.get((keeps, watts))
        if found is None:
            found = 0
            for level in self._levels.get((keeps, watts), ()):
                found |= self._plant.level_racks[level]
            self._racks[keeps, watts] = found
        return found

    def forget(self, path: Iterable[int]) -> None:
        """These levels carry less than they did."""
        for asked, levels in [*self._levels.items()]:
            before = len(levels)
            levels.difference_update(path)
            if not levels:
                del self._levels[asked]
            if len(levels) < before:
                self._racks.pop(asked, None)

    def clear(self) -> None:
        """Nothing is known any more: limits have changed."""
        self._levels.clear()
        self._racks.clear()


class Index:
    """Free GPUs by owner and shape, and the load of every electrical level."""

    __slots__ = (
        "free", "limit_w", "load_w", "owner", "plant", "pool_of", "pools", "reserved_w", "short", "usable",
    )  # fmt: skip

    def __init__(self) -> None:
        self.plant = Plant()
        #: Free GPUs of a node, as a mask.
        self.free: list[int] = []
        self.owner: list[str] = []
        #: 1 for each node that may have work.
        self.usable = bytearray()
        #: The pool of each node, by its key.
        self.pool_of: list[PoolKey] = []
        #: What each level may carry now: less than its limit while it is curtailed.
        self.limit_w: list[int] = []
        #: What each level carries.
        self.load_w: list[int] = []
        #: What each level must be able to carry on top of that: tranches' nodes below it may draw it at any time.
        self.reserved_w: list[int] = []
        self.pools: dict[PoolKey, Pool] = {}
        #: What searches found to be short of power since something was given back.
        self.short = Exhausted(self.plant)

    def copy(self) -> Index:
        """A scratch copy for a long pass or a question; the plant is shared, for it does not change meanwhile."""
        twin = Index()
        twin.plant = self.plant
        twin.short = Exhausted(self.plant)
        twin.free = self.free.copy()
        twin.owner = self.owner.copy()
        twin.usable = self.usable.copy()
        twin.pool_of = self.pool_of.copy()
        twin.limit_w = self.limit_w.copy()
        twin.load_w = self.load_w.copy()
        twin.reserved_w = self.reserved_w.copy()
        twin.pools = {key: pool.copy() for key, pool in self.pools.items()}
        return twin

    def scratch(self) -> Index:
        """A copy that is soon made, on which work may come and go and nodes may be seen or not. It shares who owns
        what, and limits: they stay as they are, here and in this index, as long as it is read.
        """
        twin = Index.__new__(Index)
        twin.plant = self.plant
        twin.short = Exhausted(self.plant)
        twin.free = self.free.copy()
        twin.owner = self.owner
        twin.usable = self.usable.copy()
        twin.pool_of = self.pool_of
        twin.limit_w = self.limit_w
        twin.load_w = self.load_w.copy()
        twin.reserved_w = self.reserved_w.copy()
        twin.pools = _Pools(self.pools)
        return twin

    # The plant grows.

    def add_feed(self, feed: supply.Feed) -> None:
        """A level of the electrical tree, with its base load on it and on the levels above."""
        self.plant.level_of_feed[feed.id] = self._add_level(f"feed {feed.id}", feed.limit_w)

    def _add_level(self, name: str, limit_w: int) -> int:
        plant = self.plant
        plant.carried.clear()
        plant.level_name.append(name)
        plant.level_limit_w.append(limit_w)
        plant.level_racks.append(0)
        plant.level_base_w.append(0)
        self.limit_w.append(limit_w)
        self.load_w.append(0)
        self.reserved_w.append(0)
        return len(plant.level_name) - 1

    def add_base_load(self, path: Iterable[supply.Feed], base_w: int) -> None:
        """A load that is there whether work runs or not."""
        self._add_base(tuple(self.plant.level_of_feed[feed.id] for feed in path), base_w)

    def _add_base(self, levels: tuple[int, ...], base_w: int) -> None:
        for level in levels:
            self.plant.level_base_w[level] += base_w
            self.load_w[level] += base_w

    def add_rack(self, rack: supply.Rack, sku: supply.Sku, path: list[supply.Feed]) -> None:
        """A rack with its nodes, all healthy and in the pool."""
        plant = self.plant
        number = len(plant.rack_nodes)
        above = tuple(plant.level_of_feed[feed.id] for feed in path)
        levels = (self._add_level(f"rack {rack.id}", rack.limit_w), *above)
        for level in levels:
            plant.level_racks[level] |= 1 << number
        self._add_base(levels, rack.base_w)
        plant.rack_path.append(levels)
        plant.rack_levels.append(levels)
        plant.rack_above.append(plant.tails.setdefault(above, above))
        plant.rack_first.append(rack.first_node)
        plant.rack_nodes.append(rack.nodes)
        plant.rack_gpu_w.append(sku.gpu_w)
        plant.pool_key.append((rack.sku, rack.site))
        plant.rack_of_node += [number] * rack.nodes
        groups = self._groups(rack)
        for group in groups:
            plant.group_racks[group] |= 1 << number
            plant.racks_of_group[group].append(number)
        plant.groups_of_rack.append(groups)
        self._extend(rack, sku, groups, above[-1])
        mask = (1 << sku.gpus_per_node) - 1
        plant.full_mask += [mask] * rack.nodes
        self.free += [mask] * rack.nodes
        self.owner += [POOL] * rack.nodes
        self.usable += bytes([1]) * rack.nodes
        self.pool_of += [self._pool(POOL, number)] * rack.nodes
        for node in range(rack.first_node, rack.first_node + rack.nodes):
            self._enter(node)
        if rack.loop in plant.levels_of_loop:
            self.hang(rack, sku)

    # Cooling.

    def add_loop(self, loop: supply.CoolingLoop) -> None:
        """A cooling loop: a level for its liquid, and one for its air. Racks are hung on it one by one."""
        plant = self.plant
        found = tuple(
            self._add_level(f"loop {loop.id} ({carrier})", limit_w)
            for carrier, limit_w in (("liquid", loop.liquid_w), ("air", loop.air_w))
        )
        plant.levels_of_loop[loop.id] = found[0], found[1]
        plant.heat_levels |= {level: kind for kind, level in enumerate(found)}

    def hang(self, rack: supply.Rack, sku: supply.Sku) -> None:
        """A rack hangs on its loop, or gives it other shares of its heat: what it gives now counts from here on."""
        plant = self.plant
        plant.carried.clear()
        number = plant.rack_of_node[rack.first_node]
        bit, path = 1 << number, plant.rack_path[number]
        base = supply.heat_of(rack.base_w, sku.liquid_ppm)
        each = supply.heat_of(sku.gpu_w, sku.liquid_ppm)
        used = reserved = 0
        for node in range(rack.first_node, rack.first_node + rack.nodes):
            used += (plant.full_mask[node] & ~self.free[node]).bit_count()
            reserved += self.free[node].bit_count() if self.owner[node] != POOL else 0
        self._count_heat(number, used, reserved, -1)
        found: list[tuple[int, int]] = []
        for kind, level in enumerate(plant.levels_of_loop[rack.loop]):
            more_w = base[kind] - plant.rack_base_heat.get(number, supply.Heat(0, 0))[kind]
            plant.level_base_w[level] += more_w
            self.load_w[level] += more_w
            if each[kind]:
                found.append((level, each[kind]))
                plant.heat_w[level, rack.sku] = each[kind]
                plant.level_racks[level] |= bit
        plant.rack_base_heat[number] = base
        plant.rack_heat[number] = tuple(found)
        self._count_heat(number, used, reserved, 1)
        above = (*(level for level, _ in found), *path[1:])
        plant.rack_levels[number] = (path[0], *above)
        plant.rack_above[number] = plant.tails.setdefault(above, above)
        self.short.clear()

    def _count_heat(self, rack: int, used: int, reserved: int, sign: int) -> None:
        for level, heat_w in self.plant.rack_heat.get(rack, ()):
            self.load_w[level] += sign * used * heat_w
            self.reserved_w[level] += sign * reserved * heat_w

    def level_of(self, level: supply.CurtailedLevel) -> int:
        """The number of a level that has a name of its own."""
        plant = self.plant
        if level.carrier is supply.Carrier.FEED:
            return plant.level_of_feed[level.name]
        return plant.levels_of_loop[LoopId(level.name)][level.carrier is supply.Carrier.AIR]

    def set_limit(self, level: int, limit_w: int) -> None:
        """A level may carry so much from here on."""
        self.limit_w[level] = limit_w
        self.short.clear()

    def _groups(self, rack: supply.Rack) -> tuple[int, ...]:
        """The row and the hall of a rack, by number, and its block where a spine is named.

        Where no row is named, a rack is a row of its own; where no spine is, its row counts as its block.
        """
        plant = self.plant
        row = f"{rack.hall}/{rack.row}" if rack.row else f"{rack.hall}//{rack.id}"
        found = []
        keys = [(Level.ROW, row), (Level.HALL, str(rack.hall))]
        if rack.spine:
            keys.append((Level.BLOCK, f"{rack.hall}/{rack.spine}"))
        for key in keys:
            number = plant.number_of_group.get(key)
            if number is None:
                number = plant.number_of_group[key] = len(plant.group_racks)
                plant.group_name.append(key[1])
                plant.group_racks.append(0)
                plant.racks_of_group.append([])
                plant.groups_at.setdefault((key[0], rack.site), []).append(number)
            found.append(number)
        if not rack.spine and found[0] not in plant.groups_at.setdefault((Level.BLOCK, rack.site), []):
            plant.groups_at[Level.BLOCK, rack.site].append(found[0])
        return tuple(found)

    def _extend(self, rack: supply.Rack, sku: supply.Sku, groups: tuple[int, ...], root: int) -> None:
        extent = self.plant.extents.setdefault((rack.sku, rack.site), Extent())
        gpus = rack.nodes * sku.gpus_per_node
        extent.site += gpus
        extent.rack = max(extent.rack, gpus)
        for group in groups:
            extent.by_group[group] = extent.by_group.get(group, 0) + gpus
        row, hall, *block = groups
        extent.block = max(extent.block, extent.by_group[(*block, row)[0]])
        extent.row = max(extent.row, extent.by_group[row])
        extent.hall = max(extent.hall, extent.by_group[hall])
        extent.roots.add(root)

    # What placing, failing and owning change.

    def take(self, runs: Iterable[Run], gpu_w: int) -> None:
        """These GPUs are used, each drawing `gpu_w` watts."""
        for node, count, mask in runs:
            if count == 1:
                self._set_free(node, self.free[node] & ~mask)
                self._draw(node, mask.bit_count() * gpu_w)
            else:
                self._move_run(node, count, mask, gpu_w, True)

    def release(self, runs: Iterable[Run], gpu_w: int) -> None:
        """These GPUs are free again."""
        for node, count, mask in runs:
            if count == 1:
                self._set_free(node, self.free[node] | mask)
                self._draw(node, -mask.bit_count() * gpu_w)
            else:
                self._move_run(node, count, mask, -gpu_w, False)

    def _move_run(self, first: int, count: int, mask: int, gpu_w: int, taken: bool) -> None:
        """Neighbouring nodes are taken, or returned: rack by rack. Nodes of one rack move at once where they are
        whole, usable and of one pool.
        """
        plant, free, end = self.plant, self.free, first + count
        gpus = mask.bit_count()
        while first < end:
            rack = plant.rack_of_node[first]
            begin = plant.rack_first[rack]
            here = min(end, begin + plant.rack_nodes[rack]) - first
            pool = self.pools[self.pool_of[first]]
            nodes = ((1 << here) - 1) << (first - begin)
            was, now = (pool.gpus_per_node, 0) if taken else (0, pool.gpus_per_node)
            if mask == plant.full_mask[first] and pool.by_free[was].get(rack, 0) & nodes == nodes:
                pool.leave(rack, nodes, was)
                pool.enter(rack, nodes, now)
                pool.whole_moves(rack, plant.groups_of_rack[rack], -here if taken else here)
                free[first : first + here] = [0 if taken else mask] * here
                self._draw(first, here * gpus * gpu_w)
            else:
                for node in range(first, first + here):
                    self._set_free(node, free[node] & ~mask if taken else free[node] | mask)
                    self._draw(node, gpus * gpu_w)
            first += here

    def set_usable(self, node: int, usable: bool) -> None:
        """A node may have new work, or may not; what runs on it stays counted."""
        if usable is bool(self.usable[node]):
            return
        if usable:
            self._enter(node)
        else:
            self._leave(node)
        self.usable[node] = usable

    def set_owner(self, runs: Iterable[tuple[int, int]], owner: str) -> None:
        """These nodes pass to a tranche, or back to the pool."""
        plant = self.plant
        for first, count in runs:
            for node in range(first, first + count):
                if self.usable[node]:
                    self._leave(node)
                self._reserve(node, (owner != POOL) - (self.owner[node] != POOL))
                self.owner[node] = owner
                self.pool_of[node] = self._pool(owner, plant.rack_of_node[node])
                if self.usable[node]:
                    self._enter(node)

    def _set_free(self, node: int, mask: int) -> None:
        """Move a node to the bucket of what is free on it now."""
        was, now = self.free[node].bit_count(), mask.bit_count()
        self.free[node] = mask
        if was == now or not self.usable[node]:
            return
        plant, pool = self.plant, self.pools[self.pool_of[node]]
        rack = plant.rack_of_node[node]
        bit, by_free = 1 << (node - plant.rack_first[rack]), pool.by_free
        # As `leave` and `enter` have it: written out, for this is what most placements come down to.
        by_rack = by_free[was]
        left = by_rack[rack] ^ bit
        if left:
            by_rack[rack] = left
        else:
            del by_rack[rack]
            pool.racks_by_free[was] ^= 1 << rack
        by_rack = by_free[now]
        had = by_rack.get(rack)
        if had:
            by_rack[rack] = had | bit
        else:
            by_rack[rack] = bit
            pool.racks_by_free[now] |= 1 << rack
        if was == pool.gpus_per_node:
            pool.whole_moves(rack, plant.groups_of_rack[rack], -1)
        elif now == pool.gpus_per_node:
            pool.whole_moves(rack, plant.groups_of_rack[rack], 1)

    def _draw(self, node: int, watts: int) -> None:
        load_w, plant = self.load_w, self.plant
        rack = plant.rack_of_node[node]
        path = plant.rack_path[rack]
        for level in path:
            load_w[level] += watts
        if watts < 0 and self.short:
            self.short.forget(path)
        owned = bool(self.owner[node])
        if owned:
            for level in path:
                self.reserved_w[level] -= watts
        if plant.rack_heat:
            gpus = watts // plant.rack_gpu_w[rack]
            self._count_heat(rack, gpus, -gpus if owned else 0, 1)

    def _reserve(self, node: int, sign: int) -> None:
        """Reserve (1) or give up (-1) what the idle GPUs of a node may draw."""
        rack = self.plant.rack_of_node[node]
        watts = sign * self.free[node].bit_count() * self.plant.rack_gpu_w[rack]
        path = self.plant.rack_path[rack]
        for level in path if watts else ():
            self.reserved_w[level] += watts
        if plant_heat := self.plant.rack_heat:
            for level, heat_w in plant_heat.get(rack, ()):
                self.reserved_w[level] += sign * self.free[node].bit_count() * heat_w
        if watts < 0:
            self.short.forget(path)

    def _pool(self, owner: str, rack: int) -> PoolKey:
        """The pool of an owner's nodes of a rack; made when it is the first."""
        plant = self.plant
        key = PoolKey(owner, *plant.pool_key[rack])
        if key not in self.pools:
            self.pools[key] = Pool(plant.full_mask[plant.rack_first[rack]].bit_count())
        racks_by_whole = self.pools[key].racks_by_whole
        racks_by_whole += [0] * (plant.rack_nodes[rack] + 1 - len(racks_by_whole))
        return key

    def _enter(self, node: int) -> None:
        self._stand(node, 1)

    def _leave(self, node: int) -> None:
        self._stand(node, -1)

    def _stand(self, node: int, by: int) -> None:
        """A node enters its pool (1), or leaves it (-1)."""
        pool, rack = self.pools[self.pool_of[node]], self.plant.rack_of_node[node]
        free, bit = self.free[node].bit_count(), 1 << (node - self.plant.rack_first[rack])
        if by > 0:
            pool.enter(rack, bit, free)
        else:
            pool.leave(rack, bit, free)
        if free == pool.gpus_per_node:
            pool.whole_moves(rack, self.plant.groups_of_rack[rack], by)

    # Questions.

    def most(self, key: PoolKey) -> int:
        """The most GPUs that one gang may find in a pool, were they near enough to each other and were there power
        for them: its wholly free nodes, and the best of the others.
        """
        pool = self.pools.get(key)
        if pool is None:
            return 0
        gpus_per_node = pool.gpus_per_node
        for partial in range(gpus_per_node - 1, 0, -1):
            if pool.racks_by_free[partial]:
                return pool.whole * gpus_per_node + partial
        return pool.whole * gpus_per_node

    def whole(self, key: PoolKey) -> int:
        """Wholly free nodes of a pool."""
        pool = self.pools.get(key)
        return 0 if pool is None else pool.whole

    def room(self, owner: str, sku: SkuId, site: SiteId) -> Vacancy:
        """What is free in a pool, in numbers."""
        pool = self.pools.get(PoolKey(owner, sku, site))
        if pool is None:
            return Vacancy(1, 0, 0)
        most = pool.gpus_per_node - 1
        while most and not pool.by_free[most]:
            most -= 1
        return Vacancy(pool.gpus_per_node, pool.whole, most)

    def buckets(self) -> dict[PoolKey, Buckets]:
        """What is free in every pool that has anything, for comparison."""
        return {
            key: (
                pool.by_free,
                pool.racks_by_free,
                [racks for racks in enumerate(pool.racks_by_whole) if racks[1]],
                {group: whole for group, whole in pool.whole_in.items() if whole},
            )
            for key, pool in self.pools.items()
            if any(pool.by_free)
        }

    def headroom_w(self, level: int) -> int:
        """Watts that a level still has under its limit, reserved or not."""
        return self.limit_w[level] - self.load_w[level]

    def pool_draw(self, runs: Iterable[Run], gpu_w: int) -> dict[int, int]:
        """Watts that GPUs at work on nodes of the pool add to each level."""
        return self.draw(runs, gpu_w, POOL)

    def draw(self, runs: Iterable[Run], gpu_w: int, owner: str | None = None) -> dict[int, int]:
        """Watts that GPUs at work add to each level, where they are on nodes of an owner, or anywhere."""
        plant, drawn = self.plant, dict[int, int]()
        for node, mask in each_node(runs):
            if owner is None or self.owner[node] == owner:
                rack, gpus = plant.rack_of_node[node], mask.bit_count()
                for level in plant.rack_path[rack]:
                    drawn[level] = drawn.get(level, 0) + gpus * gpu_w
                for level, heat_w in plant.rack_heat.get(rack, ()):
                    drawn[level] = drawn.get(level, 0) + gpus * heat_w
        return drawn


#: Of a pool: nodes and racks by free GPUs, racks by wholly free nodes, wholly free nodes by group of racks.
Buckets = tuple[list[dict[int, int]], list[int], list[tuple[int, int]], dict[int, int]]


class PoolKey(NamedTuple):
    """Whose nodes, of which kind, where."""

    owner: str
    sku: SkuId
    site: SiteId


def each_node(runs: Iterable[Run]) -> list[tuple[int, int]]:
    """Every (node, mask) of some runs. A list: most gangs are small, and a generator costs more than they do."""
    return [(node, mask) for first, count, mask in runs for node in range(first, first + count)]


#: Bits of a large number that are looked at in one go.
_CHUNK = 480


def bits(number: int) -> Iterator[int]:
    """Places of the one-bits, lowest first."""
    place = 0
    while number:
        some = number & (1 << _CHUNK) - 1
        while some:
            low = some & -some
            yield place + low.bit_length() - 1
            some ^= low
        number >>= _CHUNK
        place += _CHUNK


def gpus_of(runs: Iterable[Run]) -> int:
    """GPUs in some runs."""
    return sum(count * mask.bit_count() for _, count, mask in runs)


def as_bits(runs: Iterable[Run]) -> int:
    """The nodes of some runs, as bits."""
    nodes = 0
    for first, count, _ in runs:
        nodes |= ((1 << count) - 1) << first
    return nodes
