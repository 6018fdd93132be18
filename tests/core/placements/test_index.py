"""Is what `find` finds free, whole, near enough and under every limit? Where it finds nothing, is there nothing?"""

from __future__ import annotations

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.core import ids, supply
from forebay.core.placements import index as indexes
from forebay.core.placements.gang import Level, Run
from forebay.core.placements.index import POOL, Index, Misfit, Want
from tests.core import plant

NORTH = ids.SiteId("north")
HGX = ids.SkuId("hgx")


def made(
    racks: list[tuple[str, str, int]],
    feeds: dict[str, tuple[str, int]] | None = None,
    gpus_per_node: int = 8,
    rack_limit_w: int = 10**6,
) -> Index:
    """An index over racks (hall, feed, nodes) and feeds (parent, limit in watts), a watt a GPU, no base loads."""
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
    for number, (hall, feed_name, nodes) in enumerate(racks):
        rack = supply.Rack(
            ids.RackId(f"r{number}"), NORTH, ids.HallId(hall), "", HGX, ids.FeedId(feed_name), first, nodes,
            rack_limit_w, 0,
        )  # fmt: skip
        path = [known[feed_name]]
        while path[-1].parent:
            path.append(known[path[-1].parent])
        index.add_rack(rack, sku, path)
        first += nodes
    return index


def want(gpus: int, within: Level = Level.SITE, owner: str = POOL) -> Want:
    return Want(owner, HGX, NORTH, gpus, within, 1)


def take(index: Index, used: dict[int, int]) -> None:
    """Use so many GPUs of each node."""
    for node, gpus in used.items():
        index.take([Run(node, 1, (1 << gpus) - 1)], 1)


def found(index: Index, gpus: int, within: Level = Level.SITE, prefer: int = 0) -> list[tuple[int, int]]:
    """(node, GPUs) that a shape is given."""
    runs = index.find(want(gpus, within), prefer)
    assert not isinstance(runs, Misfit), runs
    return [(node, mask.bit_count()) for node, mask in indexes.each_node(runs)]


# Best fit


TWO_RACKS = [("h1", "f", 4), ("h1", "f", 4)]
THREE_RACKS = [("h1", "f", 4), ("h2", "f", 2), ("h2", "f", 4)]


@pytest.mark.parametrize(
    ("racks", "used", "gpus", "within", "places"),
    [
        (TWO_RACKS, {}, 1, Level.SITE, [(0, 1)]),
        (TWO_RACKS, {5: 4}, 1, Level.SITE, [(5, 1)]),
        (TWO_RACKS, {5: 4, 2: 6}, 2, Level.SITE, [(2, 2)]),
        (TWO_RACKS, {5: 4, 2: 6}, 3, Level.NODE, [(5, 3)]),
        (TWO_RACKS, {5: 4, 2: 6}, 8, Level.NODE, [(0, 8)]),
        # A rack that holds it, the tightest; over racks, as few as can be.
        (THREE_RACKS, {}, 16, Level.SITE, [(4, 8), (5, 8)]),
        (THREE_RACKS, {0: 1}, 24, Level.SITE, [(1, 8), (2, 8), (3, 8)]),
        (THREE_RACKS, {0: 1}, 40, Level.SITE, [(1, 8), (6, 8), (7, 8), (8, 8), (9, 8)]),
        (THREE_RACKS, {}, 16, Level.RACK, [(4, 8), (5, 8)]),
        (THREE_RACKS, {}, 24, Level.RACK, [(0, 8), (1, 8), (2, 8)]),
        (THREE_RACKS, {}, 40, Level.HALL, [(4, 8), (6, 8), (7, 8), (8, 8), (9, 8)]),
        (THREE_RACKS, {0: 8, 1: 8}, 16, Level.HALL, [(2, 8), (3, 8)]),
        # The remainder goes where fewest are free.
        (TWO_RACKS, {6: 4}, 20, Level.SITE, [(4, 8), (5, 8), (6, 4)]),
        (TWO_RACKS, {6: 4}, 20, Level.RACK, [(4, 8), (5, 8), (6, 4)]),
        (TWO_RACKS, {6: 5}, 20, Level.SITE, [(0, 4), (4, 8), (5, 8)]),
    ],
)
def test_the_tightest_place_is_chosen(
    racks: list[tuple[str, str, int]], used: dict[int, int], gpus: int, within: Level, places: list[object]
) -> None:
    index = made(racks)
    take(index, used)
    assert found(index, gpus, within) == places


def test_preferred_nodes_are_taken_first_where_they_fit() -> None:
    index = made([("h1", "f", 4), ("h2", "f", 2), ("h2", "f", 4)])
    assert found(index, 4, prefer=1 << 7) == [(7, 4)]
    assert found(index, 16, prefer=1 << 2 | 1 << 8) == [(2, 8), (8, 8)]
    assert found(index, 16, Level.RACK, prefer=1 << 8) == [(6, 8), (8, 8)]
    assert found(index, 24, Level.HALL, prefer=1 << 3) == [(0, 8), (1, 8), (3, 8)]
    assert found(index, 20, prefer=1 << 1 | 1 << 2 | 1 << 9) == [(1, 8), (2, 8), (9, 4)]
    take(index, {7: 6})
    assert found(index, 4, prefer=1 << 7) == [(0, 4)]


@pytest.mark.parametrize(
    ("used", "gpus", "within", "misfit"),
    [
        (dict.fromkeys(range(8), 6), 3, Level.SITE, Misfit("gpus", "", 2, 3)),
        (dict.fromkeys(range(8), 8), 1, Level.SITE, Misfit("gpus", "", 0, 1)),
        ({}, 9, Level.NODE, Misfit("gpus", "node", 8, 9)),
        ({0: 1, 5: 1}, 32, Level.RACK, Misfit("nodes", "", 0, 4)),
        ({0: 1, 1: 5, 5: 1, 6: 5}, 32, Level.RACK, Misfit("nodes", "", 0, 4)),
        ({0: 5, 5: 5}, 28, Level.RACK, Misfit("nodes", "", 3, 4)),
        ({0: 7, 5: 7}, 60, Level.HALL, Misfit("nodes", "", 6, 8)),
        ({0: 7, 5: 7}, 52, Level.SITE, Misfit("nodes", "", 6, 7)),
    ],
)
def test_a_misfit_names_what_there_is_too_little_of(
    used: dict[int, int], gpus: int, within: Level, misfit: Misfit
) -> None:
    index = made(TWO_RACKS)
    take(index, used)
    assert index.find(want(gpus, within)) == misfit


def test_capacity_that_is_not_there_at_all() -> None:
    index = made(TWO_RACKS)
    assert index.find(Want("t1", HGX, NORTH, 1, Level.SITE, 1)) == Misfit("gpus", "hgx at north", 0, 1)


@pytest.mark.parametrize(
    ("limits", "rack_limit_w", "gpus", "misfit"),
    [
        # Each level binds on its own: the root, a branch, the rack.
        ((20, 40, 40), 40, 24, Misfit("power", "feed root", 4, 8)),
        ((80, 20, 7), 40, 24, Misfit("power", "feed left", 4, 8)),
        ((80, 40, 40), 7, 8, Misfit("power", "rack r0", 7, 8)),
        ((80, 7, 7), 40, 8, Misfit("power", "feed left", 7, 8)),
    ],
)
def test_every_electrical_level_binds(
    limits: tuple[int, int, int], rack_limit_w: int, gpus: int, misfit: Misfit
) -> None:
    feeds = {"root": ("", limits[0]), "left": ("root", limits[1]), "right": ("root", limits[2])}
    index = made([("h", "left", 4), ("h", "right", 4)], feeds, rack_limit_w=rack_limit_w)
    assert index.find(want(gpus)) == misfit


def test_a_feed_without_headroom_leaves_the_other() -> None:
    feeds = {"left": ("", 17), "right": ("", 100)}
    index = made([("h", "left", 4), ("h", "right", 4)], feeds)
    assert found(index, 32) == [(0, 8), (1, 8), (4, 8), (5, 8)]
    assert found(index, 40) == [(0, 8), (1, 8), (4, 8), (5, 8), (6, 8)]
    assert found(index, 48) == [(0, 8), (1, 8), (4, 8), (5, 8), (6, 8), (7, 8)]
    assert index.find(want(56)) == Misfit("power", "feed left", 1, 8)


def test_a_remainder_goes_where_power_is_left() -> None:
    feeds = {"root": ("", 12), "left": ("root", 8), "right": ("root", 8)}
    index = made([("h", "left", 2), ("h", "right", 1)], feeds)
    index.take([Run(1, 1, 0xF)], 0)
    assert found(index, 12) == [(0, 8), (2, 4)]
    assert index.find(want(13)) == Misfit("power", "feed root", 4, 5)


def test_what_is_reserved_is_for_its_nodes_only() -> None:
    """Two racks on one feed of 40 W; a tranche has two nodes, 16 W."""
    index = made(TWO_RACKS, {"f": ("", 40)})
    index.set_owner([(0, 2)], "t1")
    level = index.plant.level_of_feed["f"]
    assert (index.load_w[level], index.reserved_w[level], index.headroom_w(level)) == (0, 16, 40)
    assert index.find(want(32)) == Misfit("power", "feed f", 0, 8)
    assert index.find(want(24)) == (Run(4, 3, 0xFF),)
    index.take([Run(4, 3, 0xFF)], 1)
    assert index.find(want(1)) == Misfit("power", "feed f", 0, 1)
    # What runs on its nodes draws from what is reserved.
    assert index.find(want(16, owner="t1")) == (Run(0, 2, 0xFF),)
    index.take([Run(0, 1, 0xFF)], 1)
    assert (index.load_w[level], index.reserved_w[level]) == (32, 8)
    index.set_owner([(0, 2)], POOL)
    assert (index.load_w[level], index.reserved_w[level]) == (32, 0)
    assert index.find(want(8)) == (Run(1, 1, 0xFF),)
    # Who takes over a node with work on it reserves the rest.
    index.set_owner([(0, 2)], "t2")
    assert index.reserved_w[level] == 8
    index.release([Run(0, 1, 0xFF)], 1)
    assert (index.load_w[level], index.reserved_w[level]) == (24, 16)


def test_what_work_on_the_pool_draws() -> None:
    index = made(TWO_RACKS)
    index.set_owner([(0, 1)], "t1")
    levels = [index.plant.level_name[level] for level in index.pool_draw([Run(0, 1, 1)], 1)]
    assert levels == []
    drawn = index.pool_draw([Run(0, 2, 0xF), Run(4, 1, 1)], 2)
    assert {index.plant.level_name[level]: watts for level, watts in drawn.items()} == {
        "rack r0": 8, "feed f": 10, "rack r1": 2,
    }  # fmt: skip


# What changes it


def test_nodes_out_of_service_and_of_others_are_not_found() -> None:
    index = made(TWO_RACKS)
    index.set_usable(0, False)
    index.set_usable(0, False)
    index.take([Run(1, 1, 0xF)], 1)
    index.set_usable(1, False)
    assert found(index, 24) == [(4, 8), (5, 8), (6, 8)]
    index.release([Run(1, 1, 0xF)], 1)
    index.set_usable(1, True)
    index.set_usable(1, True)
    assert found(index, 24) == [(1, 8), (2, 8), (3, 8)]
    index.set_owner([(0, 3)], "t1")
    assert found(index, 8) == [(3, 8)]
    theirs = index.find(want(8, owner="t1"))
    assert theirs == (Run(1, 1, 0xFF),)
    index.set_usable(0, True)
    assert index.find(want(24, owner="t1")) == (Run(0, 3, 0xFF),)
    index.take([Run(2, 1, 0xFF)], 1)
    index.release([Run(2, 1, 0xFF)], 1)
    assert index.find(want(24, owner="t1")) == (Run(0, 3, 0xFF),)


def test_a_copy_is_independent() -> None:
    index = made(TWO_RACKS)
    before = index.buckets()
    twin = index.copy()
    twin.take([Run(0, 8, 0xFF)], 1)
    twin.set_usable(0, False)
    twin.set_owner([(0, 4)], "t1")
    assert index.buckets() == before
    assert found(index, 64)
    assert (index.load_w[index.plant.level_of_feed["f"]], twin.load_w[twin.plant.level_of_feed["f"]]) == (
        0,
        64,
    )
    twin.release([Run(0, 8, 0xFF)], 1)
    twin.set_usable(0, True)
    twin.set_owner([(0, 4)], POOL)
    assert twin.buckets() == before


# Against brute force


plants = st.tuples(
    st.lists(
        st.tuples(st.sampled_from(["h1", "h2"]), st.sampled_from(["a", "b", "c"]), st.integers(1, 3)),
        min_size=1, max_size=3,
    ),
    st.tuples(*[st.integers(0, 26)] * 3),
    st.integers(1, 26),
    st.lists(st.integers(0, 4), min_size=9, max_size=9),
    st.sets(st.integers(0, 8), max_size=2),
)  # fmt: skip


@given(
    plants, st.integers(1, 20), st.sampled_from(list(Level)), st.sampled_from([0, 0, 0b101, 0b110000]),
    st.booleans(), st.sets(st.integers(0, 8), max_size=4), st.booleans(),
)  # fmt: skip
def test_find_against_brute_force(
    plant_: tuple[list[tuple[str, str, int]], tuple[int, int, int], int, list[int], set[int]],
    gpus: int,
    within: Level,
    prefer: int,
    short: bool,
    owned: set[int],
    mine: bool,
) -> None:
    racks, limits, rack_limit_w, used, out = plant_
    loose = 0 if short else 10**6
    feeds = {"a": ("", limits[0] + loose), "b": ("a", limits[1] + loose), "c": ("", limits[2] + loose)}
    index = made(racks, feeds, 4, rack_limit_w + loose)
    nodes = len(index.free)
    index.take([Run(node, 1, (1 << gpus) - 1) for node, gpus in enumerate(used[:nodes]) if gpus], 0)
    for node in out:
        if node < nodes:
            index.set_usable(node, False)
    index.set_owner([(node, 1) for node in sorted(owned) if node < nodes], "t1")
    wanted = want(gpus, within, "t1" if mine else POOL)
    result = index.find(wanted, prefer)
    assert isinstance(result, Misfit) is not _exists(index, wanted)
    if not isinstance(result, Misfit):
        assert _holds(index, wanted, {node: mask.bit_count() for node, mask in indexes.each_node(result)})
        assert indexes.gpus_of(result) == gpus
        assert all(mask & index.free[node] == mask for node, mask in indexes.each_node(result))


def _exists(index: Index, wanted: Want) -> bool:
    """Whether any choice of nodes holds the shape."""
    per_node = index.plant.full_mask[0].bit_count()
    free = {
        node: mask.bit_count()
        for node, mask in enumerate(index.free)
        if index.usable[node] and index.owner[node] == wanted.owner
    }
    whole, rest = divmod(wanted.gpus, per_node)
    wholly_free = [node for node, gpus in free.items() if gpus == per_node]
    for chosen in combinations(wholly_free, whole):
        for last in (n for n, gpus in free.items() if rest and gpus >= rest and n not in chosen):
            if _holds(index, wanted, dict.fromkeys(chosen, per_node) | {last: rest}):
                return True
        if not rest and _holds(index, wanted, dict.fromkeys(chosen, per_node)):
            return True
    return False


def _holds(index: Index, wanted: Want, chosen: dict[int, int]) -> bool:
    """Whether these GPUs are near enough to each other and under every limit."""
    plant_ = index.plant
    racks = {plant_.rack_of_node[node] for node in chosen}
    halls = [hall for hall, nodes in plant_.hall_nodes.items() if any(nodes >> node & 1 for node in chosen)]
    near = {
        Level.NODE: len(chosen) == 1,
        Level.RACK: len(racks) == 1,
        Level.HALL: len(halls) == 1,
        Level.SITE: True,
    }[wanted.within]
    before_w = list(index.load_w)
    if wanted.owner == POOL:
        before_w = [load + reserved for load, reserved in zip(before_w, index.reserved_w, strict=True)]
    load_w = before_w.copy()
    for node, gpus in chosen.items():
        for level in plant_.rack_path[plant_.rack_of_node[node]]:
            load_w[level] += gpus * wanted.gpu_w
    return near and all(
        after <= limit or after == before
        for before, after, limit in zip(before_w, load_w, plant_.level_limit_w, strict=True)
    )


def test_bits_and_masks() -> None:
    assert list(indexes.bits(0b1010010)) == [1, 4, 6]
    assert indexes.lowest_bits(0b1010010, 2) == 0b10010
    assert indexes.as_bits([Run(1, 2, 1), Run(5, 1, 3)]) == 0b100110
    assert indexes.gpus_of([Run(1, 2, 1), Run(5, 1, 3)]) == 4
