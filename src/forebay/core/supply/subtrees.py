"""What hangs in a hall, a row, a feed or a cooling loop, now and later?

A *subtree* is named after its site: `fjord/h1` is a hall, a feed or a loop of the site fjord, `fjord/h1/a` the row a
of its hall h1. A name that two of them have is told apart by `fjord/hall:h1`.

A rack lies inside a subtree or outside of it, and so does a block that says where its racks are to hang. Where that
is not told, it is *open*: a block that names no hall may come into any of them. What is open counts for the site, and
for no subtree. So, for every kind of rack and at every instant:

    all halls of a site + what is in no hall yet = the site

Power that is too little is shared out as for the site: who comes first is fed first, standing racks in their order.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import groupby
from typing import NamedTuple

from forebay.core.ids import FeedId, Refusal, SiteId, SkuId
from forebay.core.supply import blocks, plant, schedule
from forebay.core.supply.blocks import Arrival, BlockPlan, Confidence, Outlook
from forebay.core.supply.plant import Rack, Stands, State
from forebay.core.timeline import Steps

#: So many names are told of what would be right.
NAMES_TOLD = 8


class Branch(StrEnum):
    """What a part of a site is."""

    HALL = "hall"
    ROW = "row"
    FEED = "feed"
    LOOP = "loop"


#: What is called by its name alone.
_SOUGHT = (Branch.HALL, Branch.FEED, Branch.LOOP)


class Lies(StrEnum):
    """Where something lies, as seen from a subtree."""

    INSIDE = "inside"
    OUTSIDE = "outside"
    #: It is not told yet, and may be inside.
    OPEN = "open"


class Subtree(NamedTuple):
    """A hall, a row of one, a feed with all that hangs on it, or a cooling loop."""

    site: SiteId
    branch: Branch
    #: Of the hall, where it is a row.
    name: str
    row: str = ""

    def path(self) -> str:
        """How people call it."""
        return "/".join((self.site, self.name, *((self.row,) if self.row else ())))


class Known(NamedTuple):
    """Names of what a site has."""

    halls: list[str]
    feeds: list[str]
    loops: list[str]

    def of(self, name: str) -> list[Branch]:
        """What has this name."""
        return [branch for branch, names in zip(_SOUGHT, self, strict=True) if name in names]

    def told(self) -> str:
        """All of them, in words."""
        found = [f"{branch}s {some(names)}" for branch, names in zip(_SOUGHT, self, strict=True) if names]
        return "; ".join(found) or "nothing yet"


def some(names: Iterable[str]) -> str:
    """Names in order, the first few of many."""
    found = sorted(names)
    more = len(found) - NAMES_TOLD
    return ", ".join(found[:NAMES_TOLD]) + (f" and {more} more" if more > 0 else "")


def known_at(state: State, site: SiteId) -> Known:
    """What a site has, also where only a block names it."""
    return Known(
        sorted(hall.id for hall in state.halls.values() if hall.site == site),
        sorted(feed.id for feed in state.feeds.values() if feed.site == site),
        sorted({loop for _, _, loop in _places(state, site)} - {""}),
    )


def _racks(state: State, site: SiteId) -> list[Rack]:
    return [rack for name in state.rack_order if (rack := state.racks[name]).site == site]


def _blocks(state: State, site: SiteId) -> tuple[BlockPlan, ...]:
    planned = state.schedules.get(site)
    return () if planned is None else planned.plan.blocks


def _places(state: State, site: SiteId) -> Iterator[tuple[str, str, str]]:
    """Hall, row and loop of each rack that stands, and of each block."""
    for rack in _racks(state, site):
        yield rack.hall, rack.row, rack.loop
    for block in _blocks(state, site):
        yield block.hall, block.row, block.loop


def subtree_named(state: State, path: str) -> Subtree | Refusal:
    """The subtree of this name. Refuses: unknown_site, unknown_subtree (with the names that would be right),
    ambiguous_subtree.
    """
    at, _, rest = path.partition("/")
    site = SiteId(at)
    if site not in state.sites:
        told = f"there is no site {at} (there are: {some(state.sites) or 'none'})"
        return Refusal("unknown_site", told, "under")
    known = known_at(state, site)
    said, slash, row = rest.partition("/")
    prefix, colon, after = said.partition(":")
    asked = [branch for branch in _SOUGHT if not colon or branch == prefix]
    name = after if colon and asked else said
    if slash:
        return _row(state, site, name if Branch.HALL in asked else said, row, known)
    if not name:
        told = f"{at} is a site: name a part of it, such as {at}/HALL (there are: {known.told()})"
        return Refusal("unknown_subtree", told, "under")
    found = [branch for branch in known.of(name) if branch in asked]
    if not found:
        *most, last = asked or _SOUGHT
        sought = f"{', '.join(most)} or {last}" if most else last
        told = f"there is no {sought} {name} at {at} (there are: {known.told()})"
        return Refusal("unknown_subtree", told, "under")
    if len(found) > 1:
        ways = " or ".join(f"{at}/{branch}:{name}" for branch in found)
        told = f"{name} is a {' and a '.join(found)} of {at}: say {ways}"
        return Refusal("ambiguous_subtree", told, "under")
    return Subtree(site, found[0], name)


def _row(state: State, site: SiteId, hall: str, row: str, known: Known) -> Subtree | Refusal:
    if hall not in known.halls:
        told = f"there is no hall {hall} at {site} (there are: {some(known.halls) or 'none'})"
        return Refusal("unknown_subtree", told, "under")
    rows = {row for where, row, _ in _places(state, site) if where == hall} - {""}
    if row not in rows:
        told = f"there is no row {row!r} in hall {hall} of {site} (there are: {some(rows) or 'none with a name'})"
        return Refusal("unknown_subtree", told, "under")
    return Subtree(site, Branch.ROW, hall, row)


class Inside:
    """Tells what lies in a subtree."""

    def __init__(self, state: State, subtree: Subtree) -> None:
        self._state = state
        self._tree = subtree
        self.feeds: set[FeedId] = set()
        self._above: set[FeedId] = set()
        if subtree.branch is Branch.FEED:
            top = FeedId(subtree.name)
            self._above = {feed.id for feed in plant.feed_path(state, top)} - {top}
            self.feeds = {
                feed for feed in state.feeds if any(each.id == top for each in plant.feed_path(state, feed))
            }

    def rack(self, rack: Rack) -> Lies:
        """Where a rack lies that stands. It hangs on its own feed, and not on one further below."""
        if self._tree.branch is Branch.FEED:
            return Lies.INSIDE if rack.feed in self.feeds else Lies.OUTSIDE
        return self._placed(rack.hall, rack.row, rack.loop)

    def block(self, block: BlockPlan) -> Lies:
        """Where racks of a block will lie. Those that are to hang on a feed may hang on one below it."""
        if self._tree.branch is Branch.FEED:
            if block.feed in self.feeds:
                return Lies.INSIDE
            return Lies.OPEN if not block.feed or block.feed in self._above else Lies.OUTSIDE
        return self._placed(block.hall, block.row, block.loop)

    def nodes(self, runs: Iterable[tuple[int, int]]) -> int:
        """How many nodes of runs, of (first, count), lie inside."""
        return sum(nodes for rack, nodes in _touched(self._state, runs) if self.rack(rack) is Lies.INSIDE)

    def _placed(self, hall: str, row: str, loop: str) -> Lies:
        tree = self._tree
        if tree.branch is Branch.LOOP:
            return _same(loop, tree.name)
        found = _same(hall, tree.name)
        return _same(row, tree.row) if found is Lies.INSIDE and tree.branch is Branch.ROW else found


def _same(told: str, asked: str) -> Lies:
    if not told:
        return Lies.OPEN
    return Lies.INSIDE if told == asked else Lies.OUTSIDE


def nodes_by_place(
    state: State, subtree: Subtree, outlook: Outlook | None, confidence: Confidence
) -> dict[tuple[Lies, SkuId], Steps]:
    """Nodes of each kind of rack over time that a site has inside a subtree, outside of it, and where it is open."""
    inside = Inside(state, subtree)
    stands = Stands()
    standing: dict[SkuId, list[Rack]] = {}
    for rack in _racks(state, subtree.site):
        stands.add(rack)
        standing.setdefault(rack.sku, []).append(rack)
    planned = {block.id: block for block in _blocks(state, subtree.site)}
    queue: list[tuple[Arrival, tuple[Lies, SkuId]]] = []
    for arrival in sorted(schedule.arrivals(state, stands, outlook, confidence)):
        if arrival.block:
            queue.append((arrival, (inside.block(planned[arrival.block]), arrival.sku)))
            continue
        for lies, racks in groupby(standing[arrival.sku], inside.rack):
            part = arrival._replace(nodes=sum(rack.nodes for rack in racks))
            queue.append((part, (lies, arrival.sku)))
    return blocks.powered_by(queue, outlook.it_power(confidence) if outlook else None)


def _touched(state: State, runs: Iterable[tuple[int, int]]) -> Iterator[tuple[Rack, int]]:
    """Racks that runs of nodes touch, each with the number of its nodes that they have."""
    for first, count in runs:
        node, end = first, first + count
        while node < end:
            rack = plant.rack_of(state, node)
            upto = min(end, rack.first_node + rack.nodes)
            yield rack, upto - node
            node = upto
