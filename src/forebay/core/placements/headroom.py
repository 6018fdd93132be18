"""How much power and cooling is left at each level, and how much of it can nobody use?

The *headroom* of a level is what it may carry now less what it carries. Of that, `usable_w` is what work could draw
if all free GPUs below it were started, as far as every limit below and above the level allows, with nothing else
starting. The rest is *stranded*, and it is told why, each watt once, in this order:

- `nodes_w`: there are no free GPUs for it on nodes that may have work;
- `below_w`: there are, and limits below the level keep them from it (a rack, a feed);
- `above_w`: those would let it pass, and a limit above the level does not.

So headroom = usable + nodes + below + above. For a loop all is in watts of heat, and only its racks are below it.
What is reserved for claims is not stranded: claims can use it.
"""

from __future__ import annotations

from typing import NamedTuple

from forebay.core import supply
from forebay.core.ids import SiteId
from forebay.core.placements.index import Index
from forebay.core.supply import Carrier, CurtailedLevel

#: The two sides of a cooling loop.
SIDES = (Carrier.LIQUID, Carrier.AIR)


class Headroom(NamedTuple):
    """A level in numbers, all of them watts."""

    level: CurtailedLevel
    parent: str
    limit_w: int
    #: What it may carry now.
    effective_w: int
    base_w: int
    load_w: int
    reserved_w: int
    usable_w: int
    nodes_w: int
    below_w: int
    above_w: int

    @property
    def headroom_w(self) -> int:
        """What it may carry now, less what it carries; 0 where it carries too much."""
        return max(0, self.effective_w - self.load_w)

    @property
    def stranded_w(self) -> int:
        """Headroom that nobody can use."""
        return self.nodes_w + self.below_w + self.above_w


def headrooms(index: Index, supplied: supply.State, site: SiteId) -> list[Headroom]:
    """Every feed of a site, those above first, and then both sides of every loop of which the capacity is known."""
    racks = [rack for rack in supplied.racks.values() if rack.site == site]
    free: dict[str, int] = {}
    passes: dict[str, int] = {}
    heat: dict[CurtailedLevel, tuple[int, int]] = {}
    for rack in racks:
        sku = supplied.skus[rack.sku]
        number = index.plant.rack_of_node[rack.first_node]
        nodes = range(rack.first_node, rack.first_node + rack.nodes)
        gpus = sum(index.free[node].bit_count() for node in nodes if index.usable[node])
        own_w = max(0, index.headroom_w(index.plant.rack_path[number][0]))
        free[rack.feed] = free.get(rack.feed, 0) + gpus * sku.gpu_w
        passed = min(gpus, own_w // sku.gpu_w)
        passes[rack.feed] = passes.get(rack.feed, 0) + passed * sku.gpu_w
        for of_loop, heat_w in index.plant.rack_heat.get(number, ()):
            side = CurtailedLevel(SIDES[index.plant.heat_levels[of_loop]], rack.loop)
            had = heat.get(side, (0, 0))
            heat[side] = had[0] + gpus * heat_w, had[1] + passed * heat_w
    feeds = [feed for feed in supplied.feeds.values() if feed.site == site]
    above = {feed.id: [other.id for other in supply.feed_path(supplied, feed.id)[1:]] for feed in feeds}
    level_of = {feed.id: index.plant.level_of_feed[feed.id] for feed in feeds}
    #: By feed: what free GPUs below it would draw, and what of it gets through all below it, itself included.
    through: dict[str, int] = {}
    for feed in sorted(feeds, key=lambda feed: -len(above[feed.id])):
        through[feed.id] = min(max(0, index.headroom_w(level_of[feed.id])), passes.get(feed.id, 0))
        if feed.parent:
            free[feed.parent] = free.get(feed.parent, 0) + free.get(feed.id, 0)
            passes[feed.parent] = passes.get(feed.parent, 0) + through[feed.id]
    found = []
    for feed in sorted(feeds, key=lambda feed: (len(above[feed.id]), feed.id)):
        tops = [max(0, index.headroom_w(index.plant.level_of_feed[name])) for name in above[feed.id]]
        usable_w = min([through[feed.id], *tops])
        level = CurtailedLevel(Carrier.FEED, feed.id)
        found.append(_room(index, level, feed.parent, free.get(feed.id, 0), through[feed.id], usable_w))
    for loop in sorted(supplied.loops.values(), key=lambda loop: loop.id):
        for carrier in SIDES if loop.site == site else ():
            level = CurtailedLevel(carrier, loop.id)
            free_w, passed_w = heat.get(level, (0, 0))
            through_w = min(max(0, index.headroom_w(index.level_of(level))), passed_w)
            found.append(_room(index, level, "", free_w, through_w, through_w))
    return found


def _room(
    index: Index, level: CurtailedLevel, parent: str, free_w: int, through_w: int, usable_w: int
) -> Headroom:
    number = index.level_of(level)
    headroom_w = max(0, index.headroom_w(number))
    startable_w = min(headroom_w, free_w)
    return Headroom(
        level, parent, index.plant.level_limit_w[number], index.limit_w[number],
        index.plant.level_base_w[number], index.load_w[number], index.reserved_w[number], usable_w,
        headroom_w - startable_w, startable_w - through_w, through_w - usable_w,
    )  # fmt: skip
