"""When does each node come wholly free, if everything runs to its limit of time? Place by place, in order of time.

Theory of operation. A node is wholly free when the last gang on it has ended. Of each rack, row, block or hall, or of
a site, these instants are kept in order: so when as many nodes are wholly free in one place as a gang needs is the
so-many-th instant of that place, and the least of them over all places is a lower bound for the start of the gang.
One number stands for a node: the instant above, the node below (`NODE_BITS`); it is the node alone when it is wholly
free now.

Derived, as the index is. Made when somebody first asks, for the level that is asked for; brought up to date by what
ends changed since (`Ends.vacancies`), made again where that was much.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from heapq import heapify

from forebay.core.placements.ends import End, Ends, MovedEnd
from forebay.core.placements.gang import Level
from forebay.core.placements.index import Index, Plant, PoolKey

#: Bits below the instant that say which node.
NODE_BITS = 32
_NODE = (1 << NODE_BITS) - 1
#: Instead of a number: not even when all has ended.
_NEVER = -1
#: So many nodes of one place are moved one by one; if there are more, the place is put in order again.
FEW = 256


class Vacancies:
    """The instants of all nodes."""

    __slots__ = ("_codes", "_ends", "_index", "_moves", "_on", "_places", "_pool_of", "_usable")

    def __init__(self) -> None:
        self._index = Index()
        #: By node: the ends of those that hold GPUs of it, with these GPUs; its number; its pool.
        self._on: list[tuple[tuple[End, int], ...]] = []
        self._codes: list[int] = []
        self._pool_of: list[PoolKey] = []
        self._usable = bytearray()
        #: As `Ends.moves` was.
        self._moves = -1
        #: By pool and level: the numbers of the nodes of each place, sorted.
        self._places: dict[tuple[PoolKey, Level], dict[int, list[int]]] = {}
        #: What `Ends` enters changes into, as long as it is to be read from here.
        self._ends: list[MovedEnd] = []

    def bring_up_to_date(self, ends: Ends, index: Index) -> None:
        """Enter what changed since the last time."""
        if ends.vacancies is not self._ends or len(index.free) != len(self._codes):
            self._make(ends, index)
            return
        changed: dict[int, None] = {}
        for was, now in self._ends:
            if was is not None:
                for first, count, mask in was.runs:
                    for node in range(first, first + count):
                        self._on[node] = tuple(each for each in self._on[node] if each != (was, mask))
                        changed[node] = None
            if now is not None:
                for first, count, mask in now.runs:
                    for node in range(first, first + count):
                        self._on[node] += ((now, mask),)
                        changed[node] = None
        self._ends.clear()
        if self._usable != index.usable:
            turned = zip(self._usable, index.usable, strict=True)
            changed.update((node, None) for node, (was_in, now_in) in enumerate(turned) if was_in != now_in)
            self._usable = index.usable.copy()
        if self._moves != ends.moves:
            self._moves = ends.moves
            passed = zip(self._pool_of, index.pool_of, strict=True)
            changed.update((node, None) for node, (old, new) in enumerate(passed) if old != new)
        if changed:
            self._move(changed)

    def _make(self, ends: Ends, index: Index) -> None:
        self._index = index
        self._on = [()] * len(index.free)
        for end in ends.each():
            for first, count, mask in end.runs:
                here = ((end, mask),)
                for node in range(first, first + count):
                    self._on[node] = self._on[node] + here if self._on[node] else here
        self._usable, self._pool_of = index.usable.copy(), index.pool_of.copy()
        self._codes = [self._code(node) for node in range(len(index.free))]
        self._places, self._moves = {}, ends.moves
        self._ends = ends.vacancies = []

    def _code(self, node: int) -> int:
        index = self._index
        if not index.usable[node]:
            return _NEVER
        free, full, at = index.free[node], index.plant.full_mask[node], 0
        if free == full:
            return node
        for end, mask in self._on[node]:
            free |= mask
            if end.at > at:
                at = end.at
        return at << NODE_BITS | node if free == full else _NEVER

    def _move(self, nodes: Iterable[int]) -> None:
        """These nodes may come free at another instant than before, or be in another pool."""
        gone: dict[PoolKey, list[int]] = {}
        come: dict[PoolKey, list[int]] = {}
        for node in nodes:
            was, pool = self._codes[node], self._pool_of[node]
            now = self._codes[node] = self._code(node)
            self._pool_of[node] = self._index.pool_of[node]
            if (was, pool) != (now, self._pool_of[node]):
                gone.setdefault(pool, []).append(was)
                come.setdefault(self._pool_of[node], []).append(now)
        for (key, near), places in self._places.items():
            of_place: dict[int, tuple[list[int], list[int]]] = {}
            for side, codes in enumerate((gone.get(key, ()), come.get(key, ()))):
                for code in codes:
                    if code != _NEVER:
                        place = place_near(self._index.plant, near, code & _NODE)
                        of_place.setdefault(place, ([], []))[side].append(code)
            for place, (left, entered) in of_place.items():
                _replace(places.setdefault(place, []), left, entered)

    def _of(self, key: PoolKey, near: Level) -> dict[int, list[int]]:
        places = self._places.get((key, near))
        if places is None:
            places = self._places[key, near] = {}
            plant, pool_of = self._index.plant, self._pool_of
            for node, code in enumerate(self._codes):
                if code != _NEVER and pool_of[node] == key:
                    places.setdefault(place_near(plant, near, node), []).append(code)
            for codes in places.values():
                codes.sort()
        return places

    def bounds(self, key: PoolKey, near: Level, nodes: int) -> list[tuple[int, int]]:
        """(when so many nodes of a pool are wholly free in a place, 0 for now; place) of all places in which they
        ever are, as a heap.
        """
        there = nodes - 1
        found = [
            (codes[there] >> NODE_BITS, place)
            for place, codes in self._of(key, near).items()
            if len(codes) > there
        ]
        heapify(found)
        return found

    def over(self, key: PoolKey, near: Level, place: int, at: int) -> Iterator[End]:
        """The ends by which nodes of a place are wholly free that are so by an instant."""
        codes = self._of(key, near)[place]
        for code in codes[: bisect_left(codes, at + 1 << NODE_BITS)]:
            for end, _ in self._on[code & _NODE]:
                yield end

    def on(self, nodes: Iterable[int]) -> list[End]:
        """The ends of all that hold GPUs of some nodes, in order of time."""
        return sorted({end.gang: end for node in nodes for end, _ in self._on[node]}.values())


def _replace(codes: list[int], left: list[int], entered: list[int]) -> None:
    if len(left) + len(entered) > FEW:
        away = set(left)
        codes[:] = sorted([*(code for code in codes if code not in away), *entered])
        return
    for code in left:
        del codes[bisect_left(codes, code)]
    for code in entered:
        insort(codes, code)


def place_near(plant: Plant, near: Level, node: int) -> int:
    """Where a node is, as a gang has to lie in one such place: its rack, the number of its row, block or hall, or -1
    for its site."""
    if near is Level.SITE:
        return -1
    rack = plant.rack_of_node[node]
    if near is Level.RACK:
        return rack
    row, hall, *block = plant.groups_of_rack[rack]
    if near is Level.BLOCK:
        return (*block, row)[0]
    return row if near is Level.ROW else hall
