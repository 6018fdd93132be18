"""Where does a shape fit now, and if nowhere, what binds?

`locate` is pure: it reads an index and says which GPUs to take. Power is checked level by level while choosing: a
level without room takes all racks under it out of the search at once, so that each level is probed at most once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from forebay.core.ids import SiteId, SkuId
from forebay.core.placements.gang import LEVELS, Level, Run
from forebay.core.placements.index import POOL, Exhausted, Index, Pool, PoolKey, bits


class Want(NamedTuple):
    """A shape to find: `gpus` of a SKU at a site, near to each other, each drawing `gpu_w` watts.

    All lie within one `within`, and within one `near` where that can be. With `slice_gpus` they come in slices of so
    many, each within one rack.
    """

    owner: str
    sku: SkuId
    site: SiteId
    gpus: int
    within: Level
    gpu_w: int
    near: Level = Level.SITE
    slice_gpus: int = 0


class Misfit(NamedTuple):
    """Why a shape does not fit now: the binding constraint with its numbers."""

    #: "gpus" (free GPUs), "nodes" (wholly free nodes near enough to each other), "slices" (racks' room for one, near
    #: enough to each other), "power" (what `level` has left after the nodes before, and what the next one draws),
    #: "cooling" (the same of a loop, in watts of heat).
    constraint: str
    level: str
    have: int
    need: int


def locate(
    index: Index, want: Want, prefer: Iterable[Run] = (), limit_w: Sequence[int] | None = None
) -> tuple[Run, ...] | Misfit:
    """Where this shape fits now: runs of nodes, or the constraint that binds. `limit_w` is what each level may carry
    where that is another for who asks.

    Best fit, ties to the lowest node: a small gang goes to the node with the fewest free GPUs that hold it; a large
    one takes wholly free nodes, in the rack with the fewest that hold it, else over as few racks as can be, its
    remainder on a partly used node. Nodes in `prefer` are taken first where they fit.

    Exact: it finds a place if and only if there is one. All whole nodes draw the same and the limits form a tree,
    so that the sets of nodes that fit under them are a laminar matroid: taking one after the other, in any order,
    finds as many as there can be. Where a remainder would fit beside another choice of whole nodes, that choice has
    a node that this one left free, with power for it (the exchange property), and it fits there. What is reserved
    for tranches only lowers the limits that work on the pool sees: they form the same tree.

    Where racks of one feed hang on several cooling loops and those of one loop on several feeds, the limits form no
    tree. What is found then fits all the same; a large gang may be told to wait though another choice would fit.
    """
    owner, sku, site, gpus, _, gpu_w, _, _ = want
    pool = index.pools.get(PoolKey(owner, sku, site))
    if pool is None or not any(pool.by_free):
        return Misfit("gpus", f"{sku} at {site}", 0, gpus)
    heat = index.plant.rack_heat
    if gpus <= pool.gpus_per_node and not prefer and not index.short and limit_w is None and not heat:
        node = _first_node(index, pool, gpus, gpus * gpu_w, owner == POOL)
        if node is not None:
            return (node,)
    preferred = _by_rack(index, prefer) if prefer else {}
    kind = _HeatSearch if heat else Seeking
    if limit_w is not None:
        return _find(kind(index, pool, want, None, limit_w), want, preferred)
    found = _find(kind(index, pool, want, index.short), want, preferred)
    if isinstance(found, Misfit) and index.short:
        # What is known to be short was passed over: looked at again, so that what is told does not depend on that.
        return _find(kind(index, pool, want, None), want, preferred)
    return found


def _first_node(index: Index, pool: Pool, gpus: int, watts: int, keeps: bool) -> Run | None:
    """A run for a gang of one node, as a search would choose it: the first that it comes to, if that has power. Most
    work is of this kind, and there is power for it. `keeps`: what is reserved must be left alone.
    """
    by_racks = pool.racks_by_free
    for free in range(gpus, pool.gpus_per_node + 1):
        racks = by_racks[free]
        if racks:
            rack = (racks & -racks).bit_length() - 1
            plant, limit_w, load_w, kept_w = index.plant, index.limit_w, index.load_w, index.reserved_w
            for level in plant.rack_path[rack]:
                room_w = limit_w[level] - load_w[level]
                if room_w < watts or (keeps and room_w - kept_w[level] < watts):
                    return None
            nodes = pool.by_free[free][rack]
            node = plant.rack_first[rack] + (nodes & -nodes).bit_length() - 1
            return _run((node, 1, lowest_bits(index.free[node], gpus)))
    return None


def _find(search: Seeking, want: Want, preferred: dict[int, int]) -> tuple[Run, ...] | Misfit:
    if want.near is not want.within and LEVELS.index(want.near) < LEVELS.index(want.within):
        nearer = _find_within(search, want._replace(within=want.near), preferred)
        if not isinstance(nearer, Misfit):
            return nearer
        search.clear()
        search.blocked = None
    return _find_within(search, want, preferred)


def _find_within(search: Seeking, want: Want, preferred: dict[int, int]) -> tuple[Run, ...] | Misfit:
    pool = search.pool
    if want.gpus <= pool.gpus_per_node:
        if search.one_node(want.gpus, -1, preferred):
            return search.runs()
        return search.misfit("gpus", _most_free(pool), want.gpus)
    if want.within is Level.NODE:
        return Misfit("gpus", "node", pool.gpus_per_node, want.gpus)
    whole, rest = divmod(want.gpus, pool.gpus_per_node)
    if want.within is Level.RACK:
        if search.one_rack(whole, rest, preferred):
            return search.runs()
        return search.misfit("nodes", _most_whole(pool), whole + (rest > 0))
    scopes = _scopes(search.index, pool, want)
    if want.slice_gpus:
        return _find_slices(search, want, scopes, preferred)
    best = max((scope.whole for scope in scopes), default=0)
    fits = [scope for scope in scopes if scope.whole >= whole]
    if preferred:
        fits.sort(key=lambda scope: -_nodes_in(preferred, scope.racks))
    for scope in fits:
        search.clear()
        near = {rack: nodes for rack, nodes in preferred.items() if scope.racks >> rack & 1}
        if search.whole_nodes(whole, scope.racks, near) and (
            not rest or search.one_node(rest, scope.racks, near)
        ):
            return search.runs()
    return search.misfit("nodes", best, whole + (rest > 0))


def _find_slices(
    search: Seeking, want: Want, scopes: list[_Scope], preferred: dict[int, int]
) -> tuple[Run, ...] | Misfit:
    """The same for slices: in each scope as many are chosen as can be, rack by rack. That finds them if they are
    there, for all slices draw the same, so that they form a laminar matroid too.
    """
    nodes, count = want.slice_gpus // search.pool.gpus_per_node, want.gpus // want.slice_gpus
    room = [search.room_for_slices(nodes, scope.racks) for scope in scopes]
    fits = [scope for scope, slices in zip(scopes, room, strict=True) if slices >= count]
    if preferred:
        fits.sort(key=lambda scope: -_nodes_in(preferred, scope.racks))
    for scope in fits:
        search.clear()
        if search.slices(nodes, count, scope.racks, preferred):
            return search.runs()
    return search.misfit("slices", max(room, default=0), count)


class _Scope(NamedTuple):
    """Racks (as bits; -1 for all) that a shape may lie in, and how many wholly free nodes they have."""

    racks: int
    whole: int


def _scopes(index: Index, pool: Pool, want: Want) -> list[_Scope]:
    """Places that may hold the shape, the tightest first."""
    if want.within is Level.SITE:
        return [_Scope(-1, pool.whole)]
    plant = index.plant
    groups = plant.groups_at[want.within, want.site]
    ordered = sorted((pool.whole_in.get(group, 0), plant.group_name[group], group) for group in groups)
    return [_Scope(plant.group_racks[group], whole) for whole, _, group in ordered]


def _most_whole(pool: Pool) -> int:
    """The most wholly free nodes of one rack."""
    return max((whole for whole, racks in enumerate(pool.racks_by_whole) if racks), default=0)


def _most_free(pool: Pool) -> int:
    """The most GPUs that are free on one usable node of the pool."""
    for free in range(pool.gpus_per_node, 0, -1):
        if pool.racks_by_free[free]:
            return free
    return 0


def _by_rack(index: Index, runs: Iterable[Run]) -> dict[int, int]:
    """The nodes of some runs: rack -> its nodes, as bits."""
    found: dict[int, int] = {}
    plant = index.plant
    for first, count, _ in runs:
        for node in range(first, first + count):
            rack = plant.rack_of_node[node]
            found[rack] = found.get(rack, 0) | 1 << (node - plant.rack_first[rack])
    return found


def _nodes_in(by_rack: dict[int, int], racks: int) -> int:
    return sum(nodes.bit_count() for rack, nodes in by_rack.items() if racks >> rack & 1)


@dataclass(slots=True)
class _Above:
    """The feeds above a rack: how many more nodes they bear, and how many were chosen that are not drawn yet. Racks
    side by side hang on the same feeds, which are asked once.
    """

    feeds: Sequence[int] = (-1,)
    bears: int = 0
    stops: int = -1
    chosen: int = 0


#: More nodes than there are.
_MANY = 1 << 40
#: Answers of `Seeking._in_rack` that are no level.
_FITS, _LACKS_NODES = -1, -2


class Seeking:
    """Nodes chosen so far, the watts they add to each level, and the first level that had too few."""

    __slots__ = (
        "added_w", "blocked", "gpu_w", "index", "kept_w", "limit_w", "partial", "pool", "short", "sku",
        "whole", "whole_count",
    )  # fmt: skip

    def __init__(
        self,
        index: Index,
        pool: Pool,
        want: Want,
        short: Exhausted | None,
        limit_w: Sequence[int] | None = None,
    ) -> None:
        self.index = index
        #: What each level may carry.
        self.limit_w = index.limit_w if limit_w is None else limit_w
        self.pool = pool
        self.gpu_w = want.gpu_w
        self.sku = want.sku
        #: By level, what this search must leave alone; None where it is for who it is reserved for.
        self.kept_w = index.reserved_w if want.owner == POOL else None
        #: Rack -> its nodes that are taken whole, as bits; and how many nodes that are.
        self.whole: dict[int, int] = {}
        self.whole_count = 0
        #: The node that is taken in part, and its GPUs.
        self.partial: tuple[int, int] | None = None
        self.added_w: dict[int, int] = {}
        self.blocked: Misfit | None = None
        #: What other searches found to be short of power; None where it is not to be relied on.
        self.short = short

    def clear(self) -> None:
        """Begin again, but for what is known to have blocked the first try."""
        self.whole.clear()
        self.whole_count = 0
        self.added_w.clear()

    # Power.

    def room_w(self, level: int) -> int:
        """Watts that a level can still take."""
        room_w = self.limit_w[level] - self.index.load_w[level] - self.added_w.get(level, 0)
        return room_w if self.kept_w is None else room_w - self.kept_w[level]

    def bearable(self, rack: int, count: int, watts: int) -> tuple[int, int]:
        """How many of `count` nodes of so many watts each a rack can bear, and the lowest level that bears no more
        (-1 where none is in the way).
        """
        return self._bearable(self.index.plant.rack_levels[rack], count, watts)

    def _bearable(self, levels: Sequence[int], count: int, watts: int) -> tuple[int, int]:
        stops = -1
        for level in levels:
            room_w = self.room_w(level)
            if room_w < count * watts:
                count, stops = max(0, room_w // watts) if watts else 0, level
        return count, stops

    def _settle(self, above: _Above, watts: int) -> None:
        """What was chosen below some feeds is drawn from them."""
        if above.chosen:
            self._add(above.feeds, above.chosen * watts)
            above.chosen = 0

    def note(self, level: int, watts: int) -> None:
        """A level has too little for the next node."""
        if self.blocked is None:
            room_w = max(0, self.room_w(level))
            self.blocked = Misfit("power", self.index.plant.level_name[level], room_w, watts)
        if self.short is not None and level not in self.added_w:
            self.short.add(level, self.kept_w is not None, watts)

    def powered(self, racks: int, watts: int) -> int:
        """Of these racks those that are not known to be unable to bear so many watts more."""
        known = 0 if self.short is None else self.short.racks(self.kept_w is not None, watts)
        return racks & ~known if known else racks

    # Nodes.

    def one_node(self, gpus: int, racks: int, prefer: dict[int, int]) -> bool:
        """Choose one node for `gpus` within `racks`, a preferred one first."""
        if prefer and self._node_with(gpus, _racks(prefer), prefer):
            return True
        return self._node_with(gpus, racks, None)

    def _node_with(self, gpus: int, racks: int, only: dict[int, int] | None) -> bool:
        """Choose the node with the fewest free GPUs that hold `gpus`, within `racks`; of them `only` these nodes."""
        pool, plant = self.pool, self.index.plant
        watts = gpus * self.gpu_w
        for free in range(gpus, pool.gpus_per_node + 1):
            candidates = self.powered(pool.racks_by_free[free], watts)
            if racks != -1:
                candidates &= racks
            while candidates:
                low = candidates & -candidates
                rack = low.bit_length() - 1
                nodes = pool.by_free[free][rack]
                if only is not None:
                    nodes &= only[rack]
                if self.whole:
                    nodes &= ~self.whole.get(rack, 0)
                if not nodes:
                    candidates ^= low
                    continue
                borne, level = self.bearable(rack, 1, watts)
                if borne:
                    node = plant.rack_first[rack] + (nodes & -nodes).bit_length() - 1
                    self.partial = node, lowest_bits(self.index.free[node], gpus)
                    return True
                self.note(level, watts)
                candidates &= ~plant.level_racks[level]
        return False

    def one_rack(self, whole: int, rest: int, prefer: dict[int, int]) -> bool:
        """Choose so many whole nodes, and one for the rest, in the rack with the fewest wholly free nodes that hold
        it; racks with the most preferred nodes first.
        """
        pool, plant = self.pool, self.index.plant
        watts = (whole * pool.gpus_per_node + rest) * self.gpu_w
        for rack in sorted(prefer, key=lambda rack: (-prefer[rack].bit_count(), self._whole_in(rack), rack)):
            if self._whole_in(rack) >= whole and self._in_rack(rack, whole, rest, watts, prefer) == _FITS:
                return True
        for some in pool.racks_by_whole[whole:]:
            candidates = self.powered(some, watts)
            while candidates:
                low = candidates & -candidates
                level = self._in_rack(low.bit_length() - 1, whole, rest, watts, {})
                if level == _FITS:
                    return True
                candidates &= ~(low if level == _LACKS_NODES else plant.level_racks[level])
        return False

    def _whole_in(self, rack: int) -> int:
        return self.pool.by_free[-1].get(rack, 0).bit_count()

    def _in_rack(self, rack: int, whole: int, rest: int, watts: int, prefer: dict[int, int]) -> int:
        """Choose all of a shape in one rack, so that its nodes hang on the same levels. What stops it: a level that
        cannot bear it, or one of the two below.
        """
        borne, level = self.bearable(rack, 1, watts)
        if not borne:
            self.note(level, watts)
            return level
        self.clear()
        near = {rack: prefer[rack]} if rack in prefer else {}
        fits = self.whole_nodes(whole, 1 << rack, near) and (not rest or self.one_node(rest, 1 << rack, near))
        return _FITS if fits else _LACKS_NODES

    def whole_nodes(self, count: int, racks: int, prefer: dict[int, int]) -> bool:
        """Choose `count` wholly free nodes in `racks`, preferred ones first, then rack by rack, the fullest last."""
        pool, scope = self.pool, racks
        if prefer:
            racks = self._from(_racks(prefer), count, racks, prefer)
        if self.whole_count < count:
            tightest = self._tightest_rack(count - self.whole_count, scope)
            if racks & tightest:
                racks = self._from(tightest, count, racks, None)
        for whole in range(len(pool.racks_by_whole) - 1, 0, -1):
            if self.whole_count == count:
                return True
            some = pool.racks_by_whole[whole]
            if some:
                racks = self._from_even(some & racks, whole, count, racks)
        return self.whole_count == count

    def room_for_slices(self, nodes: int, racks: int) -> int:
        """How many slices of so many wholly free nodes there are in `racks`, whatever they draw."""
        by_whole = enumerate(self.pool.racks_by_whole)
        return sum(
            (some & racks).bit_count() * (whole // nodes) for whole, some in by_whole if whole >= nodes
        )

    def slices(self, nodes: int, count: int, racks: int, prefer: dict[int, int]) -> bool:
        """Choose `count` slices in `racks`: in racks with the most preferred nodes first, then in those with the
        fewest wholly free nodes that hold one.
        """
        watts = nodes * self.pool.gpus_per_node * self.gpu_w
        ordered = sorted(
            (rack for rack in prefer if racks >> rack & 1), key=lambda rack: -prefer[rack].bit_count()
        )
        left = self._slices_from(ordered, nodes, count, prefer)
        for whole in range(nodes, len(self.pool.racks_by_whole)):
            candidates = self.powered(self.pool.racks_by_whole[whole] & racks, watts) if left else 0
            left = self._slices_from(bits(candidates), nodes, left, {})
        return not left

    def _slices_from(self, racks: Iterable[int], nodes: int, count: int, prefer: dict[int, int]) -> int:
        """Choose from some racks, in this order, until `count` slices are chosen; how many are left."""
        plant, watts = self.index.plant, nodes * self.pool.gpus_per_node * self.gpu_w
        barred = 0
        for rack in racks:
            if not count:
                break
            if barred >> rack & 1 or rack in self.whole:
                continue
            free = self.pool.by_free[-1].get(rack, 0)
            wanted = min(count, free.bit_count() // nodes)
            if not wanted:
                continue
            borne, level = self.bearable(rack, wanted, watts)
            if borne:
                first = lowest_bits(free & prefer.get(rack, 0), borne * nodes)
                self.whole[rack] = first | lowest_bits(free & ~first, borne * nodes - first.bit_count())
                count -= borne
                self._settle(_Above(plant.rack_levels[rack], chosen=borne), watts)
            if borne < wanted:
                self.note(level, watts)
                barred |= plant.level_racks[level]
        return count

    def _tightest_rack(self, count: int, racks: int) -> int:
        """The rack with the fewest wholly free nodes that are at least so many, as a bit; 0 for none."""
        for found in self.pool.racks_by_whole[max(count, 1) :]:
            if found & racks:
                found &= racks
                return found & -found
        return 0

    def _from_even(self, some: int, whole: int, count: int, racks: int) -> int:
        """The same as `_from`, for racks that have `whole` wholly free nodes each. As long as racks and the feeds
        above them bear all of these, they are taken without a further look.
        """
        index, plant, by_rack = self.index, self.index.plant, self.pool.by_free[-1]
        watts = self.pool.gpus_per_node * self.gpu_w
        need_w, left, seen = whole * watts, count - self.whole_count, 0
        limit_w, load_w, kept_w, paths = self.limit_w, index.load_w, self.kept_w, plant.rack_path
        chosen, added_w = self.whole, self.added_w
        #: The feeds above, what they can still take, and what was chosen below them.
        feeds: Sequence[int] = (-1,)
        feeds_w = drawn_w = 0
        for rack in bits(self.powered(some, watts)):
            path = paths[rack]
            own = path[0]
            if path[1] != feeds[0]:
                if drawn_w:
                    self._add(feeds, drawn_w)
                feeds, drawn_w = path[1:], 0
                feeds_w = min([
                    limit_w[level] - load_w[level] - added_w.get(level, 0) - (kept_w[level] if kept_w else 0)
                    for level in feeds
                ])  # fmt: skip
            room_w = limit_w[own] - load_w[own] - (kept_w[own] if kept_w else 0)
            if left < whole or room_w < need_w or feeds_w < need_w or rack in chosen:
                break
            chosen[rack] = by_rack[rack]
            added_w[own] = need_w
            drawn_w += need_w
            feeds_w -= need_w
            left -= whole
            seen = rack + 1
        if drawn_w:
            self._add(feeds, drawn_w)
        self.whole_count = count - left
        rest = some >> seen << seen
        return self._from(rest, count, racks, None) if left and rest else racks

    def _add(self, levels: Sequence[int], watts: int) -> None:
        for level in levels:
            self.added_w[level] = self.added_w.get(level, 0) + watts

    def _from(self, some: int, count: int, racks: int, only: dict[int, int] | None) -> int:
        """Choose from `some` racks until `count` nodes are chosen; returns the racks that are still worth a look."""
        plant, by_rack = self.index.plant, self.pool.by_free[-1]
        watts = self.pool.gpus_per_node * self.gpu_w
        added_w, barred, above = self.added_w, 0, _Above()
        for rack in bits(self.powered(some, watts)):
            if self.whole_count == count:
                break
            if barred and barred >> rack & 1:
                continue
            nodes = by_rack.get(rack, 0)
            had = self.whole.get(rack, 0)
            if had:
                nodes &= ~had
            if only is not None:
                nodes &= only[rack]
            if not nodes:
                # Also a preferred rack of another kind, of whose heat this search knows nothing.
                continue
            have = nodes.bit_count()
            wanted = min(count - self.whole_count, have)
            feeds = plant.rack_above[rack]
            if feeds is not above.feeds:
                self._settle(above, watts)
                above = _Above(feeds, *self._bearable(feeds, _MANY, watts))
            own, borne, level = plant.rack_path[rack][0], wanted, -1
            if self.room_w(own) < wanted * watts:
                borne, level = self._bearable((own,), wanted, watts)
            if above.bears < borne:
                borne, level = above.bears, above.stops
            if borne:
                self.whole[rack] = had | (nodes if borne == have else lowest_bits(nodes, borne))
                self.whole_count += borne
                added_w[own] = added_w.get(own, 0) + borne * watts
                above.bears -= borne
                above.chosen += borne
            if borne < wanted:
                self._settle(above, watts)
                self.note(level, watts)
                barred |= plant.level_racks[level]
        self._settle(above, watts)
        return racks & ~barred

    # What was found.

    def misfit(self, constraint: str, have: int, need: int) -> Misfit:
        """Power where power stopped us, else what there is too little of."""
        return self.blocked or Misfit(constraint, "", have, need)

    def runs(self) -> tuple[Run, ...]:
        """The nodes that were chosen, in order."""
        full = (1 << self.pool.gpus_per_node) - 1
        if self.partial is not None and not self.whole:
            return (Run(self.partial[0], 1, self.partial[1]),)
        made: list[Run] = []
        rack_first = self.index.plant.rack_first
        #: The run that may go on: its first node, and the one after its last.
        begin = end = 0
        for rack in sorted(self.whole):
            nodes, node = self.whole[rack], rack_first[rack]
            while nodes:
                if not nodes & 1:
                    gap = (nodes & -nodes).bit_length() - 1
                    nodes >>= gap
                    node += gap
                count = (nodes + 1 & ~nodes).bit_length() - 1
                if node != end:
                    if begin != end:
                        made.append(_run((begin, end - begin, full)))
                    begin = node
                node += count
                end = node
                nodes >>= count
        made.append(Run(begin, end - begin, full))
        if self.partial is not None:
            made.append(Run(self.partial[0], 1, self.partial[1]))
            made.sort()
        return tuple(made)


class _HeatSearch(Seeking):
    """The same where racks give heat to cooling loops. A level of a loop is looked at in watts that GPUs draw: as
    many as give the heat that it has room for.
    """

    __slots__ = ()

    def room_w(self, level: int) -> int:
        """Watts of work that a level can still take."""
        if level not in self.index.plant.heat_levels:
            return Seeking.room_w(self, level)
        room_w = self.limit_w[level] - self.index.load_w[level] - (self.kept_w[level] if self.kept_w else 0)
        return room_w // self.index.plant.heat_w[level, self.sku] * self.gpu_w - self.added_w.get(level, 0)

    def _from_even(self, some: int, whole: int, count: int, racks: int) -> int:
        return self._from(some, count, racks, None)

    def note(self, level: int, watts: int) -> None:
        """A loop has too little for the next node: told in watts of heat. Other kinds of racks give less of it."""
        if level not in self.index.plant.heat_levels:
            Seeking.note(self, level, watts)
        elif self.blocked is None:
            heat_w = self.index.plant.heat_w[level, self.sku]
            room_w, need_w = max(0, self.room_w(level)) // self.gpu_w * heat_w, watts // self.gpu_w * heat_w
            self.blocked = Misfit("cooling", self.index.plant.level_name[level], room_w, need_w)


#: A run from its fields.
_run: Callable[[tuple[int, int, int]], Run] = partial(tuple.__new__, Run)


def _racks(by_rack: Iterable[int]) -> int:
    racks = 0
    for rack in by_rack:
        racks |= 1 << rack
    return racks


def lowest_bits(mask: int, count: int) -> int:
    """The `count` lowest one-bits of a mask, or all where it has fewer."""
    has, taken = mask.bit_count(), 0
    if count >= has:
        return mask
    for _ in range(count):
        low = mask & -mask
        taken |= low
        mask ^= low
    return taken
