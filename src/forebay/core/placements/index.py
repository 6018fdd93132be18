"""What is free, where, for whom, and under how much power: the index that every placement is found in.

Derived from supply and from what is placed; never in a snapshot. `find` is pure; `take`, `release`, `set_usable` and
`set_owner` are called only by `apply`. A long pass, or a question, runs on a `copy`.

Theory of operation. Nodes of one (owner, SKU, site) form a pool. In a pool every usable node lies in the bucket of
its number of free GPUs; a bucket is a set of nodes held as the bits of one Python integer, so that intersecting it
with "this rack", "this hall" or "under this feed" is one `&`, and its lowest node is one bit trick. Racks lie in
buckets by their number of wholly free nodes, in the same way. Power is checked level by level while choosing: a feed
without headroom takes all nodes under it out of the candidates at once, so each level is probed at most once.

Power is promised with the nodes. While a tranche owns a node, what its GPUs do not draw of their full profile is
reserved on every level above it: work on the pool sees each limit less that, work on the node draws from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from forebay.core import supply
from forebay.core.ids import SiteId, SkuId
from forebay.core.placements.gang import Level, Run

#: The owner of nodes that no tranche holds.
POOL = ""


class Want(NamedTuple):
    """A shape to find: `gpus` of a SKU at a site, near to each other, each drawing `gpu_w` watts."""

    owner: str
    sku: SkuId
    site: SiteId
    gpus: int
    within: Level
    gpu_w: int


class Misfit(NamedTuple):
    """Why a shape does not fit now: the binding constraint with its numbers."""

    #: "gpus" (free GPUs), "nodes" (wholly free nodes near enough to each other), "power" (what `level` has left after
    #: the nodes before, and what the next one draws).
    constraint: str
    level: str
    have: int
    need: int


class Pool:
    """Free capacity of one (owner, SKU, site)."""

    __slots__ = ("by_free", "gpus_per_node", "racks_by_whole", "whole_in_rack")

    def __init__(self, gpus_per_node: int, nodes_per_rack: int) -> None:
        self.gpus_per_node = gpus_per_node
        #: by_free[n]: nodes with n free GPUs, as bits.
        self.by_free = [0] * (gpus_per_node + 1)
        #: racks_by_whole[n]: racks (dense index) with n wholly free nodes, as bits.
        self.racks_by_whole = [0] * (nodes_per_rack + 1)
        self.whole_in_rack: dict[int, int] = {}

    def copy(self) -> Pool:
        """An independent copy."""
        twin = Pool(self.gpus_per_node, len(self.racks_by_whole) - 1)
        twin.by_free = self.by_free.copy()
        twin.racks_by_whole = self.racks_by_whole.copy()
        twin.whole_in_rack = self.whole_in_rack.copy()
        return twin


class Extent:
    """The most GPUs of one SKU at one site that stand together, healthy or not, free or not."""

    __slots__ = ("by_hall", "hall", "rack", "roots", "site")

    def __init__(self) -> None:
        self.site = 0
        self.hall = 0
        self.rack = 0
        self.by_hall: dict[str, int] = {}
        #: Electrical levels that nothing is above.
        self.roots: set[int] = set()


class Plant:
    """What does not change when work comes and goes: where each node stands and what it hangs on."""

    __slots__ = (
        "extents", "full_mask", "hall_nodes", "hall_racks", "halls_at", "level_base_w", "level_limit_w", "level_name",
        "level_nodes", "level_of_feed", "pool_key", "rack_gpu_w", "rack_nodes", "rack_of_node", "rack_path",
    )  # fmt: skip

    def __init__(self) -> None:
        self.rack_of_node: list[int] = []
        #: All GPUs of a node, as a mask.
        self.full_mask: list[int] = []
        self.rack_nodes: list[int] = []
        #: Watts of one GPU at work.
        self.rack_gpu_w: list[int] = []
        #: Electrical levels above the nodes of a rack, the rack itself first.
        self.rack_path: list[tuple[int, ...]] = []
        #: (SKU, site) of a rack.
        self.pool_key: list[tuple[SkuId, SiteId]] = []
        self.level_of_feed: dict[str, int] = {}
        self.level_name: list[str] = []
        self.level_limit_w: list[int] = []
        #: What a level carries when no work runs.
        self.level_base_w: list[int] = []
        self.level_nodes: list[int] = []
        self.hall_nodes: dict[str, int] = {}
        self.hall_racks: dict[str, int] = {}
        self.halls_at: dict[SiteId, list[str]] = {}
        self.extents: dict[tuple[SkuId, SiteId], Extent] = {}

    def room_w(self, level: int) -> int:
        """Watts of work that a level can carry when nothing else runs."""
        return self.level_limit_w[level] - self.level_base_w[level]


class Index:
    """Free GPUs by owner and shape, and the load of every electrical level."""

    __slots__ = ("free", "load_w", "owner", "plant", "pool_of", "pools", "reserved_w", "usable")

    def __init__(self) -> None:
        self.plant = Plant()
        #: Free GPUs of a node, as a mask.
        self.free: list[int] = []
        self.owner: list[str] = []
        #: 1 for each node that may have work.
        self.usable = bytearray()
        #: The pool of each node.
        self.pool_of: list[Pool] = []
        #: What each level carries.
        self.load_w: list[int] = []
        #: What each level must be able to carry on top of that: tranches' nodes below it may draw it at any time.
        self.reserved_w: list[int] = []
        self.pools: dict[tuple[str, SkuId, SiteId], Pool] = {}

    def copy(self) -> Index:
        """A scratch copy for a long pass or a question; the plant is shared, for it does not change meanwhile."""
        twin = Index()
        twin.plant = self.plant
        twin.free = self.free.copy()
        twin.owner = self.owner.copy()
        twin.usable = self.usable.copy()
        twin.load_w = self.load_w.copy()
        twin.reserved_w = self.reserved_w.copy()
        twin.pools = {key: pool.copy() for key, pool in self.pools.items()}
        copies = {pool: twin.pools[key] for key, pool in self.pools.items()}
        twin.pool_of = [copies[pool] for pool in self.pool_of]
        return twin

    # The plant grows.

    def add_feed(self, feed: supply.Feed) -> None:
        """A level of the electrical tree, with its base load on it and on the levels above."""
        plant = self.plant
        plant.level_of_feed[feed.id] = len(plant.level_name)
        plant.level_name.append(f"feed {feed.id}")
        plant.level_limit_w.append(feed.limit_w)
        plant.level_nodes.append(0)
        plant.level_base_w.append(0)
        self.load_w.append(0)
        self.reserved_w.append(0)

    def add_base_load(self, path: Iterable[supply.Feed], base_w: int) -> None:
        """A load that is there whether work runs or not."""
        for feed in path:
            level = self.plant.level_of_feed[feed.id]
            self.plant.level_base_w[level] += base_w
            self.load_w[level] += base_w

    def add_rack(self, rack: supply.Rack, sku: supply.Sku, path: list[supply.Feed]) -> None:
        """A rack with its nodes, all healthy and in the pool."""
        plant = self.plant
        number = len(plant.rack_nodes)
        nodes = ((1 << rack.nodes) - 1) << rack.first_node
        level = len(plant.level_name)
        plant.level_name.append(f"rack {rack.id}")
        plant.level_limit_w.append(rack.limit_w)
        plant.level_nodes.append(nodes)
        plant.level_base_w.append(rack.base_w)
        self.load_w.append(rack.base_w)
        self.reserved_w.append(0)
        self.add_base_load(path, rack.base_w)
        above = tuple(plant.level_of_feed[feed.id] for feed in path)
        for feed_level in above:
            plant.level_nodes[feed_level] |= nodes
        plant.rack_path.append((level, *above))
        plant.rack_nodes.append(nodes)
        plant.rack_gpu_w.append(sku.gpu_w)
        plant.pool_key.append((rack.sku, rack.site))
        if rack.hall not in plant.hall_nodes:
            plant.halls_at.setdefault(rack.site, []).append(rack.hall)
        plant.hall_nodes[rack.hall] = plant.hall_nodes.get(rack.hall, 0) | nodes
        plant.hall_racks[rack.hall] = plant.hall_racks.get(rack.hall, 0) | 1 << number
        plant.rack_of_node += [number] * rack.nodes
        extent = plant.extents.setdefault((rack.sku, rack.site), Extent())
        gpus = rack.nodes * sku.gpus_per_node
        extent.site += gpus
        extent.by_hall[rack.hall] = extent.by_hall.get(rack.hall, 0) + gpus
        extent.hall = max(extent.hall, extent.by_hall[rack.hall])
        extent.rack = max(extent.rack, gpus)
        extent.roots.add(above[-1])
        mask = (1 << sku.gpus_per_node) - 1
        plant.full_mask += [mask] * rack.nodes
        self.free += [mask] * rack.nodes
        self.owner += [POOL] * rack.nodes
        self.usable += bytes([1]) * rack.nodes
        for node in range(rack.first_node, rack.first_node + rack.nodes):
            self.pool_of.append(self._pool(node))
            self._enter(node)

    # What placing, failing and owning change.

    def take(self, runs: Iterable[Run], gpu_w: int) -> None:
        """These GPUs are used, each drawing `gpu_w` watts."""
        for node, mask in each_node(runs):
            self._set_free(node, self.free[node] & ~mask)
            self._draw(node, mask.bit_count() * gpu_w)

    def release(self, runs: Iterable[Run], gpu_w: int) -> None:
        """These GPUs are free again."""
        for node, mask in each_node(runs):
            self._set_free(node, self.free[node] | mask)
            self._draw(node, -mask.bit_count() * gpu_w)

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
        for first, count in runs:
            for node in range(first, first + count):
                if self.usable[node]:
                    self._leave(node)
                self._reserve(node, (owner != POOL) - (self.owner[node] != POOL))
                self.owner[node] = owner
                self.pool_of[node] = self._pool(node)
                if self.usable[node]:
                    self._enter(node)

    def _set_free(self, node: int, mask: int) -> None:
        """Move a node to the bucket of what is free on it now."""
        was, now = self.free[node].bit_count(), mask.bit_count()
        self.free[node] = mask
        if not self.usable[node]:
            return
        pool, bit = self.pool_of[node], 1 << node
        pool.by_free[was] ^= bit
        pool.by_free[now] |= bit
        if was == pool.gpus_per_node:
            _move_rack(pool, self.plant.rack_of_node[node], -1)
        elif now == pool.gpus_per_node:
            _move_rack(pool, self.plant.rack_of_node[node], +1)

    def _draw(self, node: int, watts: int) -> None:
        load_w = self.load_w
        path = self.plant.rack_path[self.plant.rack_of_node[node]]
        for level in path:
            load_w[level] += watts
        if self.owner[node] != POOL:
            for level in path:
                self.reserved_w[level] -= watts

    def _reserve(self, node: int, sign: int) -> None:
        """Reserve (1) or give up (-1) what the idle GPUs of a node may draw."""
        rack = self.plant.rack_of_node[node]
        watts = sign * self.free[node].bit_count() * self.plant.rack_gpu_w[rack]
        for level in self.plant.rack_path[rack] if watts else ():
            self.reserved_w[level] += watts

    def _pool(self, node: int) -> Pool:
        """The pool that a node belongs to by its owner; made when it is the first."""
        key = (self.owner[node], *self.plant.pool_key[self.plant.rack_of_node[node]])
        pool = self.pools.get(key)
        if pool is None:
            pool = Pool(self.plant.full_mask[node].bit_count(), supply.NODES_PER_RACK_MAX)
            self.pools[key] = pool
        return pool

    def _enter(self, node: int) -> None:
        pool = self.pool_of[node]
        free = self.free[node].bit_count()
        pool.by_free[free] |= 1 << node
        if free == pool.gpus_per_node:
            _move_rack(pool, self.plant.rack_of_node[node], +1)

    def _leave(self, node: int) -> None:
        pool = self.pool_of[node]
        free = self.free[node].bit_count()
        pool.by_free[free] &= ~(1 << node)
        if free == pool.gpus_per_node:
            _move_rack(pool, self.plant.rack_of_node[node], -1)

    # Questions.

    def find(self, want: Want, prefer: int = 0) -> tuple[Run, ...] | Misfit:
        """Where this shape fits now: runs of nodes, or the constraint that binds.

        Best fit, ties to the lowest node: a small gang goes to the node with the fewest free GPUs that hold it; a
        large one takes wholly free nodes, in the rack with the fewest that hold it, else over as few racks as can be,
        its remainder on a partly used node. Nodes in `prefer` (as bits) are taken first where they fit.

        Exact: it finds a place if and only if there is one. All whole nodes draw the same and the limits form a
        tree, so that the sets of nodes that fit under them are a laminar matroid: taking one after the other, in any
        order, finds as many as there can be. Where a remainder would fit beside another choice of whole nodes, that
        choice has a node that this one left free, with power for it (the exchange property), and it fits there. What
        is reserved for tranches only lowers the limits that work on the pool sees: they form the same tree.
        """
        pool = self.pools.get((want.owner, want.sku, want.site))
        if pool is None:
            return Misfit("gpus", f"{want.sku} at {want.site}", 0, want.gpus)
        picker = _Picker(self, pool, want.gpu_w, self.reserved_w if want.owner == POOL else None)
        if want.gpus <= pool.gpus_per_node:
            if picker.one_node(want.gpus, -1, prefer):
                return picker.runs()
            return picker.misfit("gpus", self.most_free(pool, -1), want.gpus)
        if want.within is Level.NODE:
            return Misfit("gpus", "node", pool.gpus_per_node, want.gpus)
        return self._find_large(picker, pool, want, prefer)

    def _find_large(self, picker: _Picker, pool: Pool, want: Want, prefer: int) -> tuple[Run, ...] | Misfit:
        whole, rest = divmod(want.gpus, pool.gpus_per_node)
        best = 0
        scopes = self._scopes(pool, want, whole)
        if prefer:
            scopes = iter(sorted(scopes, key=lambda scope: -(scope[0] & prefer).bit_count()))
        for nodes, racks in scopes:
            picker.clear()
            if picker.whole_nodes(whole, nodes, racks, prefer & nodes) and (
                not rest or picker.one_node(rest, nodes, prefer & nodes)
            ):
                return picker.runs()
            best = max(best, (pool.by_free[-1] & nodes).bit_count())
        return picker.misfit("nodes", best, whole + (rest > 0))

    def _scopes(self, pool: Pool, want: Want, whole_wanted: int) -> Iterator[tuple[int, int]]:
        """Places (nodes, racks, both as bits) that may hold the shape, the tightest first."""
        plant = self.plant
        if want.within is Level.RACK:
            for whole in range(whole_wanted, len(pool.racks_by_whole)):
                for rack in bits(pool.racks_by_whole[whole]):
                    yield plant.rack_nodes[rack], 1 << rack
        elif want.within is Level.HALL:
            halls = plant.halls_at[want.site]
            fits = [((pool.by_free[-1] & plant.hall_nodes[hall]).bit_count(), hall) for hall in halls]
            for _, hall in sorted(fits):
                yield plant.hall_nodes[hall], plant.hall_racks[hall]
        else:
            yield -1, -1

    def most_free(self, pool: Pool, scope: int) -> int:
        """The most GPUs that are free on one usable node of the pool."""
        for free in range(pool.gpus_per_node, 0, -1):
            if pool.by_free[free] & scope:
                return free
        return 0

    def buckets(self) -> dict[tuple[str, SkuId, SiteId], tuple[list[int], dict[int, int]]]:
        """What is free in every pool that has anything, for comparison."""
        return {
            key: (pool.by_free, {rack: whole for rack, whole in pool.whole_in_rack.items() if whole})
            for key, pool in self.pools.items()
            if any(pool.by_free)
        }

    def headroom_w(self, level: int) -> int:
        """Watts that a level still has under its limit, reserved or not."""
        return self.plant.level_limit_w[level] - self.load_w[level]

    def pool_draw(self, runs: Iterable[Run], gpu_w: int) -> dict[int, int]:
        """Watts that GPUs at work on nodes of the pool add to each level."""
        drawn: dict[int, int] = {}
        for node, mask in each_node(runs):
            for level in (
                self.plant.rack_path[self.plant.rack_of_node[node]] if self.owner[node] == POOL else ()
            ):
                drawn[level] = drawn.get(level, 0) + mask.bit_count() * gpu_w
        return drawn


class _Picker:
    """One search: nodes chosen so far, the watts they add to each level, and the first level that had too few."""

    __slots__ = ("added_w", "blocked", "chosen", "gpu_w", "index", "pool", "reserved_w")

    def __init__(self, index: Index, pool: Pool, gpu_w: int, reserved_w: list[int] | None) -> None:
        self.index = index
        self.pool = pool
        self.gpu_w = gpu_w
        self.chosen: dict[int, int] = {}
        self.added_w: dict[int, int] = {}
        self.blocked: Misfit | None = None
        #: By level, what this search must leave alone; None where it is for who it is reserved for.
        self.reserved_w = reserved_w

    def clear(self) -> None:
        self.chosen.clear()
        self.added_w.clear()

    def short_of_power(self, node: int, watts: int) -> int | None:
        """The lowest level above the node that cannot take these watts."""
        plant, kept_w = self.index.plant, self.reserved_w
        for level in plant.rack_path[plant.rack_of_node[node]]:
            load_w = self.index.load_w[level] + self.added_w.get(level, 0)
            if kept_w is not None:
                load_w += kept_w[level]
            if load_w + watts > plant.level_limit_w[level]:
                return level
        return None

    def choose(self, node: int, mask: int) -> None:
        plant = self.index.plant
        self.chosen[node] = mask
        watts = mask.bit_count() * self.gpu_w
        for level in plant.rack_path[plant.rack_of_node[node]]:
            self.added_w[level] = self.added_w.get(level, 0) + watts

    def one_node(self, gpus: int, scope: int, prefer: int) -> bool:
        """Choose one node for `gpus` within `scope`, a preferred one first."""
        return bool(prefer and self._node_with(gpus, prefer)) or self._node_with(gpus, scope)

    def _node_with(self, gpus: int, scope: int) -> bool:
        """Choose the node with the fewest free GPUs that hold `gpus`, within `scope`."""
        watts = gpus * self.gpu_w
        for free in range(gpus, self.pool.gpus_per_node + 1):
            candidates = self.pool.by_free[free] & scope
            while candidates:
                node = (candidates & -candidates).bit_length() - 1
                if node in self.chosen:
                    candidates &= candidates - 1
                    continue
                level = self.short_of_power(node, watts)
                if level is None:
                    self.choose(node, lowest_bits(self.index.free[node], gpus))
                    return True
                self.note(level, watts)
                candidates &= ~self.index.plant.level_nodes[level]
        return False

    def whole_nodes(self, count: int, nodes: int, racks: int, prefer: int) -> bool:
        """Choose `count` wholly free nodes within `nodes`, preferred ones first, then rack by rack, fullest last."""
        pool, plant = self.pool, self.index.plant
        candidates = pool.by_free[-1] & nodes
        if candidates.bit_count() < count:
            return False
        candidates = self._from(candidates & prefer, count, candidates)
        tightest = self._tightest_rack(count - len(self.chosen), racks)
        if tightest is not None and len(self.chosen) < count:
            candidates = self._from(candidates & plant.rack_nodes[tightest], count, candidates)
        for whole in range(len(pool.racks_by_whole) - 1, 0, -1):
            for rack in bits(pool.racks_by_whole[whole] & racks):
                if len(self.chosen) == count:
                    return True
                candidates = self._from(candidates & plant.rack_nodes[rack], count, candidates)
        return len(self.chosen) == count

    def _tightest_rack(self, count: int, racks: int) -> int | None:
        for whole in range(max(count, 1), len(self.pool.racks_by_whole)):
            found = self.pool.racks_by_whole[whole] & racks
            if found:
                return (found & -found).bit_length() - 1
        return None

    def _from(self, some: int, count: int, candidates: int) -> int:
        """Choose from `some` until `count` are chosen; returns the candidates that are still worth a look."""
        watts = self.pool.gpus_per_node * self.gpu_w
        while some and len(self.chosen) < count:
            node = (some & -some).bit_length() - 1
            level = self.short_of_power(node, watts)
            if level is None:
                self.choose(node, self.index.plant.full_mask[node])
                gone = 1 << node
            else:
                self.note(level, watts)
                gone = self.index.plant.level_nodes[level]
            some &= ~gone
            candidates &= ~gone
        return candidates

    def note(self, level: int, watts: int) -> None:
        if self.blocked is None:
            have = self.index.headroom_w(level) - self.added_w.get(level, 0)
            have -= self.reserved_w[level] if self.reserved_w is not None else 0
            self.blocked = Misfit("power", self.index.plant.level_name[level], have, watts)

    def misfit(self, constraint: str, have: int, need: int) -> Misfit:
        """Power where power stopped us, else what there is too little of."""
        return self.blocked or Misfit(constraint, "", have, need)

    def runs(self) -> tuple[Run, ...]:
        made: list[Run] = []
        for node in sorted(self.chosen):
            mask = self.chosen[node]
            last = made[-1] if made else None
            if last is not None and last.first + last.nodes == node and last.mask == mask:
                made[-1] = Run(last.first, last.nodes + 1, mask)
            else:
                made.append(Run(node, 1, mask))
        return tuple(made)


def _move_rack(pool: Pool, rack: int, step: int) -> None:
    before = pool.whole_in_rack.get(rack, 0)
    after = before + step
    pool.racks_by_whole[before] &= ~(1 << rack)
    pool.whole_in_rack[rack] = after
    if after:
        pool.racks_by_whole[after] |= 1 << rack


def each_node(runs: Iterable[Run]) -> list[tuple[int, int]]:
    """Every (node, mask) of some runs. A list: most gangs are small, and a generator costs more than they do."""
    return [(node, mask) for first, count, mask in runs for node in range(first, first + count)]


def bits(number: int) -> Iterator[int]:
    """Places of the one-bits, lowest first."""
    while number:
        low = number & -number
        yield low.bit_length() - 1
        number ^= low


def lowest_bits(mask: int, count: int) -> int:
    """The `count` lowest one-bits of a mask that has at least that many."""
    taken = 0
    for _ in range(count):
        low = mask & -mask
        taken |= low
        mask ^= low
    return taken


def gpus_of(runs: Iterable[Run]) -> int:
    """GPUs in some runs."""
    return sum(count * mask.bit_count() for _, count, mask in runs)


def as_bits(runs: Iterable[Run]) -> int:
    """The nodes of some runs, as bits."""
    nodes = 0
    for first, count, _ in runs:
        nodes |= ((1 << count) - 1) << first
    return nodes
