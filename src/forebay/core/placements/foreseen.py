"""By when does a gang fit at the latest? As `schedule.expected_start` says, found by numbers where they tell.

Theory of operation. The first instant at which enough nodes are wholly free in one place that the gang may lie in is
a lower bound: before it, nothing fits. `Vacancies` tell it for ends by limits, and from there on it is sought with an
index (`sought`): mostly it is the answer.

For other ends these are gone through in order of time, without an index: each gives back nodes, and it is
counted how many are wholly free then in each place. Whether there is power for it then is asked of those
nodes alone. A node that other work draws on now draws no more when the gang has it in its place, and levels carry
less then, not more; so what is there now bears it, but for nodes that are idle now. Where these have power too, the
bound is the answer. Else it is sought from there on. Where nodes change hands or come back
before, where limits vary with time, and where there is heat to carry off, all that runs is gone through, end by end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import heappop
from typing import NamedTuple

from forebay.core.placements import promises, schedule, search, sought
from forebay.core.placements.easing import Easing
from forebay.core.placements.ends import End
from forebay.core.placements.gang import Gang, Level, Spec, Tier
from forebay.core.placements.index import Index, Plant, Pool, PoolKey, bits
from forebay.core.placements.returning import expected_back
from forebay.core.placements.schedule import Desk, FreeAt
from forebay.core.placements.sought import Bound
from forebay.core.placements.vacancies import place_near
from forebay.core.timeline import INSTANT_MAX


def foreseen_start(
    desk: Desk, gang: Gang, ends: Callable[[], Iterable[End]] | None = None, free: FreeAt | None = None
) -> int | None:
    """By when a pending gang that does not fit now fits, if all runs to its limit of time, terms begin and end as
    signed, nodes come back when their tickets say, and nothing else starts; None where it never does.

    Where `ends` are given, and when each is `free`, by those instead of limits.
    """
    narrowed = desk.supplied.curtailments or desk.state.ramps or desk.state.campaigns
    if narrowed or desk.derived.index.plant.rack_heat:
        return schedule.expected_start(desk, gang, free)
    promises.bring_up_to_date(desk)
    kept = desk.derived.ends
    within = kept.each if ends is None else ends
    before = min([kept.turn_at, *(at for at, _ in expected_back(desk.supplied, desk.at))])
    if ends is None:
        bound = _bounded(desk, gang.spec)
        at = None if bound is None else sought.first_instant(desk, gang, within(), bound, before)
        return _in_time(desk, gang, at, before, free)
    found = _counted(desk, gang.spec, within, before)
    if found.sought:
        at = sought.first_instant(desk, gang, within(), Bound(found.since), before)
    else:
        at = found.at
    return _in_time(desk, gang, at, before, free)


def _in_time(desk: Desk, gang: Gang, at: int | None, before: int, free: FreeAt | None) -> int | None:
    """What was found `before` something else happens; what all that runs says where that was nothing."""
    if at is None and before < INSTANT_MAX:
        return schedule.expected_start(desk, gang, free)
    return None if at is None else max(at, desk.at)


def _bounded(desk: Desk, spec: Spec) -> Bound | None:
    """From when on there may be enough nodes in one place, and power for them on all levels that it is wholly below;
    None where there never is.
    """
    if spec.slice_gpus or spec.skus or spec.tier is Tier.SPOT:
        return Bound(0)
    derived, best = desk.derived, None
    for key in promises.pools_of(desk, spec):
        pool = derived.index.pools.get(key)
        if pool is None:
            continue
        nodes = spec.gpus // pool.gpus_per_node
        if not nodes:
            # It takes a part of a node.
            return Bound(0)
        near = spec.within if spec.gpus > pool.gpus_per_node else Level.SITE
        best = _sooner(desk, spec, key, near, nodes, best)
    return best


def _sooner(
    desk: Desk, spec: Spec, key: PoolKey, near: Level, nodes: int, best: Bound | None
) -> Bound | None:
    """The same for one pool, where that is sooner than the best so far."""
    index, ends, vacancies = desk.derived.index, desk.derived.ends, desk.derived.vacancies
    vacancies.bring_up_to_date(ends, index)
    watts = spec.gpus * desk.supplied.skus[spec.sku].gpu_w
    easing = Easing(index, ends, vacancies, key, watts)
    # Where there are enough now anyway, they need not be in order.
    now = near is Level.SITE and index.pools[key].whole >= nodes
    bounds = [(0, -1)] if now else vacancies.bounds(key, near, nodes)
    while bounds and (best is None or bounds[0][0] < best.at):
        at, place = heappop(bounds)
        eased = [easing.of(level) for level in _above(index.plant, near, key, place)]
        instants = [each.at for each in eased if each.at is not None]
        later = max(at, *instants) if instants else at
        if len(instants) == len(eased) and (best is None or later < best.at):
            over = {end.gang: end for each in eased for end in each.over}
            if near is Level.SITE and not now:
                # That is all that end by then.
                over.clear()
            elif not now:
                over.update((end.gang, end) for end in vacancies.over(key, near, place, later))
            best = Bound(later, list(over.values()), not now)
    return best


def _above(plant: Plant, near: Level, key: PoolKey, place: int) -> list[int]:
    """The electrical levels that all racks of a place are below."""
    if near is Level.SITE:
        roots = plant.extents[key.sku, key.site].roots
        return list(roots) if len(roots) == 1 else []
    racks = 1 << place if near is Level.RACK else plant.group_racks[place]
    some = (racks & -racks).bit_length() - 1
    return [level for level in plant.rack_path[some] if not racks & ~plant.level_racks[level]]


class _Told(NamedTuple):
    """What numbers tell: the instant, or that it is to be `sought`, and that it is none before `since`."""

    at: int | None
    sought: bool = False
    since: int = 0


def _counted(desk: Desk, spec: Spec, ends: Callable[[], Iterable[End]], before: int) -> _Told:
    if spec.slice_gpus or spec.skus or spec.tier is Tier.SPOT:
        return _Told(None, sought=True)
    found: int | None = None
    keys = promises.pools_of(desk, spec)
    for key in keys:
        pool = desk.derived.index.pools.get(key)
        if pool is None:
            continue
        count = _Count(desk, spec, key, pool)
        at = count.first(ends(), min(before, found or INSTANT_MAX))
        if at is _UNSURE:
            # Where others may have room sooner, all are asked from the first end on.
            return _Told(None, sought=True, since=count.since if len(keys) == 1 else 0)
        found = at if found is None or (at is not None and at < found) else found
    return _Told(found)


#: Numbers do not tell.
_UNSURE = -1


class _Count:
    """What is free of one pool by an instant, in numbers, place by place."""

    __slots__ = (
        "_desk", "_freed", "_full", "_gpu_w", "_index", "_key", "_mask", "_near", "_pool", "_rest", "_spare",
        "_spec", "_whole", "_whole_in", "since",
    )  # fmt: skip

    def __init__(self, desk: Desk, spec: Spec, key: PoolKey, pool: Pool) -> None:
        self._desk, self._spec, self._key, self._pool = desk, spec, key, pool
        self._index: Index = desk.derived.index
        self._gpu_w = desk.supplied.skus[spec.sku].gpu_w
        self._full = pool.gpus_per_node
        self._mask = (1 << self._full) - 1
        #: Whole nodes that are needed in one place, and GPUs on one node more.
        self._whole, self._rest = divmod(spec.gpus, self._full)
        #: Within what they have to lie: what fits on one node may lie anywhere.
        self._near = spec.within if spec.gpus > self._full else Level.SITE
        #: By place: nodes that are wholly free, and others that have the rest free.
        self._whole_in: dict[int, int] = {}
        self._spare: dict[int, int] = {}
        #: Nodes that others use in part, as they are by now.
        self._freed: dict[int, int] = {}
        #: Before this instant there are not enough.
        self.since = 0

    def first(self, ends: Iterable[End], before: int) -> int | None:
        """The first instant at which there are enough in one place, and power for them; None where there is none
        `before` an instant; `_UNSURE` where numbers do not tell.
        """
        if self._enough_now():
            # It lacks power.
            return _UNSURE
        gone: dict[int, list[tuple[int, int]]] = {}
        at = 0
        ready: set[int] = set()
        for end in ends:
            if end.at > at:
                # Looked at when all that ends at one instant is gone.
                if ready:
                    break
                at = end.at
                if at >= before:
                    return None
            for node, count, mask in end.runs:
                if self._index.pool_of[node] != self._key and count == 1:
                    continue
                for place in self._give(node, count, mask, end.gpu_w, gone):
                    if self._enough(place):
                        ready.add(place)
        if not ready:
            return None
        self.since = at
        return at if any(self._powered(place, gone.get(place, [])) for place in sorted(ready)) else _UNSURE

    # Counting.

    def _place(self, node: int) -> int:
        """Where a node is, as the gang has to lie in one: its rack, the number of its row or hall, or the site."""
        return place_near(self._index.plant, self._near, node)

    def _racks(self, place: int) -> int:
        """The racks of a place, as bits."""
        if self._near is Level.RACK:
            return 1 << place
        return -1 if self._near is Level.SITE else self._index.plant.group_racks[place]

    def _wholes(self, place: int) -> int:
        whole = self._whole_in.get(place)
        if whole is None:
            pool = self._pool
            if self._near is Level.SITE:
                whole = pool.whole
            elif self._near is Level.RACK:
                whole = pool.by_free[-1].get(place, 0).bit_count()
            else:
                whole = pool.whole_in.get(place, 0)
            self._whole_in[place] = whole
        return whole

    def _spares(self, place: int) -> int:
        """Nodes of a place that are not wholly free and have the rest free."""
        spare = self._spare.get(place)
        if spare is None:
            racks = self._racks(place)
            spare = 0
            for by_rack in self._pool.by_free[self._rest : self._full] if self._rest else []:
                spare += sum(nodes.bit_count() for rack, nodes in by_rack.items() if racks >> rack & 1)
            self._spare[place] = spare
        return spare

    def _enough(self, place: int) -> bool:
        whole = self._wholes(place)
        if whole > self._whole or (whole == self._whole and not self._rest):
            return True
        return whole == self._whole and self._spares(place) > 0

    def _enough_now(self) -> bool:
        if self._near is Level.SITE:
            return self._enough(-1)
        if self._near is Level.RACK:
            racks = 0
            for some in self._pool.racks_by_whole[self._whole :]:
                racks |= some
            return any(self._enough(rack) for rack in bits(racks))
        return any(self._enough(place) for place in self._index.plant.groups_at[self._near, self._key.site])

    def _give(
        self, first: int, count: int, mask: int, gpu_w: int, gone: dict[int, list[tuple[int, int]]]
    ) -> list[int]:
        """These nodes are given back; places where there is more now."""
        index, places = self._index, []
        for node in range(first, first + count):
            if index.pool_of[node] != self._key or not index.usable[node]:
                continue
            was = self._freed.get(node)
            if was is None:
                was = index.free[node]
            now = self._freed[node] = was | mask
            place = self._place(node)
            if now == self._mask:
                if self._rest and was.bit_count() >= self._rest:
                    self._spare[place] = self._spares(place) - 1
                self._whole_in[place] = self._wholes(place) + 1
                # What its GPUs draw now, more or less than this gang would.
                idle_w = index.free[node].bit_count() * self._gpu_w
                more_w = (self._full - index.free[node].bit_count()) * max(0, self._gpu_w - gpu_w)
                gone.setdefault(place, []).append((node, idle_w + more_w))
            elif self._rest and was.bit_count() < self._rest <= now.bit_count():
                self._spare[place] = self._spares(place) + 1
            else:
                continue
            places.append(place)
        return places

    # Power.

    def _powered(self, place: int, gone: list[tuple[int, int]]) -> bool:
        """Whether a place certainly has power for it then: on nodes that are in use now first."""
        index, spec = self._index, self._spec
        if self._desk.derived.ends.powered:
            return True
        want = schedule.want_of(spec, self._key.owner, self._key.site, self._gpu_w)
        seeking = search.Seeking(index, self._pool, want, None)
        needed = self._whole + (self._rest > 0)
        for node, watts in gone[:needed]:
            for level in index.plant.rack_path[index.plant.rack_of_node[node]] if watts else ():
                seeking.added_w[level] = seeking.added_w.get(level, 0) + watts
                if seeking.room_w(level) < 0:
                    return False
            rack = index.plant.rack_of_node[node]
            seeking.whole[rack] = seeking.whole.get(rack, 0) | 1 << (node - index.plant.rack_first[rack])
        left = needed - len(gone)
        if left <= 0:
            return True
        racks, whole = self._racks(place), left - (self._rest > 0)
        return (not whole or seeking.whole_nodes(whole, racks, {})) and (
            not self._rest or seeking.one_node(self._rest, racks, {})
        )
