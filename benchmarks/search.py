"""What does one decision about a place cost, and how does that grow with the fleet?

usage: python benchmarks/search.py [--quick]

A fleet of NVL72-like racks (18 nodes of 4 GPUs) in rows of 20 and halls of 200, each row on its own feed, each hall
on another, one site: filled to nine tenths with gangs of 1 to 72 GPUs, one in three gone again, so that free GPUs
lie about. Then shapes are looked for, taken and given back, one after the other; every power limit is checked.
Searches for more than 1,000 GPUs are timed in seconds of the processor: what others run meanwhile is not counted.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator

from forebay.core import ids, supply
from forebay.core.placements import search
from forebay.core.placements.gang import Level, Run
from forebay.core.placements.index import POOL, Index
from forebay.core.placements.search import Misfit, Want

SITE, SKU = ids.SiteId("s"), ids.SkuId("nvl72")
NODES, GPUS, GPU_W = 18, 4, 1_400
ROW, HALL = 20, 200
ROUNDS = 2_000


def feeds(racks: int) -> Iterator[supply.Feed]:
    """One feed for the site, one for each hall, one for each row; each bears nearly all that is below it."""
    rack_w = NODES * GPUS * GPU_W
    yield supply.Feed(ids.FeedId("site"), SITE, ids.FeedId(""), racks * rack_w * 97 // 100, 0)
    for hall in range(-(-racks // HALL)):
        yield supply.Feed(ids.FeedId(f"h{hall}"), SITE, ids.FeedId("site"), HALL * rack_w * 98 // 100, 0)
    for row in range(-(-racks // ROW)):
        parent = ids.FeedId(f"h{row * ROW // HALL}")
        yield supply.Feed(ids.FeedId(f"w{row}"), SITE, parent, ROW * rack_w * 99 // 100, 0)


def fleet(racks: int) -> Index:
    """So many racks, all free."""
    index = Index()
    known = {}
    for feed in feeds(racks):
        known[feed.id] = feed
        index.add_feed(feed)
    sku = supply.Sku(SKU, "", GPUS, NODES, NODES * GPUS * GPU_W, 0, GPU_W, NODES, "assumed")
    for number in range(racks):
        row = number // ROW
        path = [known[ids.FeedId(name)] for name in (f"w{row}", f"h{number // HALL}", "site")]
        rack = supply.Rack(
            ids.RackId(f"r{number}"), SITE, ids.HallId(f"h{number // HALL}"), f"w{row}", SKU, path[0].id,
            number * NODES, NODES, NODES * GPUS * GPU_W, 0,
        )  # fmt: skip
        index.add_rack(rack, sku, path)
    return index


def fill(index: Index, draw: random.Random) -> None:
    """Nine tenths used, one in three given back."""
    gone: list[tuple[Run, ...]] = []
    left = len(index.free) * GPUS * 9 // 10
    while left > 0:
        gpus = draw.choice([1, 1, 1, 2, 4, 8, 16, 72])
        found = search.locate(index, want(gpus))
        if isinstance(found, Misfit):
            break
        index.take(found, GPU_W)
        left -= gpus
        if draw.randrange(3) == 0:
            gone.append(found)
    for runs in gone:
        index.release(runs, GPU_W)


def want(gpus: int, within: Level = Level.SITE) -> Want:
    """A shape on the pool."""
    return Want(POOL, SKU, SITE, gpus, within, GPU_W)


def measure(index: Index, wanted: Want, rounds: int) -> tuple[list[float], list[float], int]:
    """Seconds of each search, and of taking and giving back; how many did not fit."""
    finds, moves, misfits = [], [], 0
    # Reading the processor's clock takes too long for what takes a microsecond.
    clock = time.process_time if wanted.gpus > 1_000 else time.perf_counter
    for _ in range(rounds):
        begin = clock()
        found = search.locate(index, wanted)
        found_at = clock()
        finds.append(found_at - begin)
        if isinstance(found, Misfit):
            misfits += 1
            continue
        index.take(found, GPU_W)
        index.release(found, GPU_W)
        moves.append(clock() - found_at)
    return sorted(finds), sorted(moves) or [0.0], misfits


def main() -> None:
    """Print the table."""
    rounds = ROUNDS // 10 if "--quick" in sys.argv else ROUNDS
    print(f"{'GPUs':>9} {'shape':>14} {'find p50':>10} {'p99':>9} {'take+give':>10} {'misfits':>8}")
    for racks in (14, 140, 1_400, 14_000):
        index = fleet(racks)
        fill(index, random.Random(1))
        shapes = [(gpus, Level.SITE) for gpus in (1, 4, 8, 72, 512, 4_096, 16_384)]
        shapes += [(8, Level.RACK), (72, Level.RACK), (288, Level.ROW), (2_304, Level.HALL)]
        for gpus, within in shapes:
            if gpus > racks * NODES * GPUS // 10 and racks > 14:
                continue
            finds, moves, misfits = measure(index, want(gpus, within), max(20, rounds // (1 + gpus // 64)))
            p50, p99 = finds[len(finds) // 2] * 1e6, finds[len(finds) * 99 // 100] * 1e6
            moved = moves[len(moves) // 2] * 1e6
            print(
                f"{racks * NODES * GPUS:>9,} {gpus:>6} in {within:<5} {p50:>7.1f} us {p99:>6.1f} us"
                f" {moved:>7.1f} us {misfits:>8}",
                flush=True,
            )


if __name__ == "__main__":
    main()
