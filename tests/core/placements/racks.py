"""Small indexes by hand: racks, feeds, and shapes to look for."""

from __future__ import annotations

from collections.abc import Iterable

from forebay.core import ids, supply
from forebay.core.placements import index as indexes
from forebay.core.placements import search
from forebay.core.placements.gang import Level, Run
from forebay.core.placements.index import POOL, Index
from forebay.core.placements.search import Misfit, Want
from tests.core import plant

NORTH = ids.SiteId("north")
HGX = ids.SkuId("hgx")


def made(
    racks: list[tuple[str, str, int]],
    feeds: dict[str, tuple[str, int]] | None = None,
    gpus_per_node: int = 8,
    rack_limit_w: int = 10**6,
) -> Index:
    """An index over racks (hall or hall/row, feed, nodes) and feeds (parent, limit in watts).

    A watt a GPU, no base loads.
    """
    feeds = feeds or {"f": ("", 10**6)}
    sku = plant.sku(gpus_per_node=gpus_per_node, gpu_w=1)
    known = {
        name: supply.Feed(ids.FeedId(name), NORTH, ids.FeedId(parent), limit_w, 0)
        for name, (parent, limit_w) in feeds.items()
    }
    index = Index()
    for feed in known.values():
        index.add_feed(feed)
    first = 0
    for number, (place, feed_name, nodes) in enumerate(racks):
        hall, _, row = place.partition("/")
        rack = supply.Rack(
            ids.RackId(f"r{number}"), NORTH, ids.HallId(hall), row, HGX, ids.FeedId(feed_name), first, nodes,
            rack_limit_w, 0,
        )  # fmt: skip
        path = [known[feed_name]]
        while path[-1].parent:
            path.append(known[path[-1].parent])
        index.add_rack(rack, sku, path)
        first += nodes
    return index


def want(
    gpus: int, within: Level = Level.SITE, owner: str = POOL, near: Level = Level.SITE, slice_gpus: int = 0
) -> Want:
    return Want(owner, HGX, NORTH, gpus, within, 1, near, slice_gpus)


def take(index: Index, used: dict[int, int]) -> None:
    """Use so many GPUs of each node."""
    for node, gpus in used.items():
        index.take([Run(node, 1, (1 << gpus) - 1)], 1)


def found(
    index: Index, gpus: int, within: Level = Level.SITE, prefer: Iterable[Run] = ()
) -> list[tuple[int, int]]:
    """(node, GPUs) that a shape is given."""
    runs = search.locate(index, want(gpus, within), prefer)
    assert not isinstance(runs, Misfit), runs
    return [(node, mask.bit_count()) for node, mask in indexes.each_node(runs)]


TWO_RACKS = [("h1", "f", 4), ("h1", "f", 4)]
