"""Is what `locate` finds free, whole, near enough and under every limit? Where it finds nothing, is there nothing?"""

from __future__ import annotations

from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.core.placements import index as indexes
from forebay.core.placements import search
from forebay.core.placements.gang import Level, Run
from forebay.core.placements.index import POOL, Index
from forebay.core.placements.search import Misfit, Want
from tests.core.placements.racks import HGX, NORTH, TWO_RACKS, found, made, take, want

# Best fit


#: Rows of 4 (split by another's racks), 4 and 2 nodes, and a rack without a row.
ROWS = [("h1/a", "f", 2), ("h1/b", "f", 4), ("h1/a", "f", 2), ("h2/a", "f", 2), ("h2", "f", 4)]
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
        (ROWS, {}, 16, Level.ROW, [(8, 8), (9, 8)]),
        (ROWS, {}, 24, Level.ROW, [(0, 8), (1, 8), (6, 8)]),
        (ROWS, {3: 1}, 24, Level.ROW, [(2, 8), (4, 8), (5, 8)]),
        (ROWS, {3: 1, 4: 1}, 24, Level.ROW, [(0, 8), (1, 8), (6, 8)]),
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
    assert found(index, 4, prefer=[Run(7, 1, 0xFF)]) == [(7, 4)]
    assert found(index, 16, prefer=[Run(2, 1, 0xFF), Run(8, 1, 0xFF)]) == [(2, 8), (8, 8)]
    assert found(index, 16, Level.RACK, prefer=[Run(8, 1, 0xFF)]) == [(6, 8), (8, 8)]
    assert found(index, 24, Level.HALL, prefer=[Run(3, 1, 0xFF)]) == [(0, 8), (1, 8), (3, 8)]
    assert found(index, 20, prefer=[Run(1, 1, 0xFF), Run(2, 1, 0xFF), Run(9, 1, 0xFF)]) == [
        (1, 8),
        (2, 8),
        (9, 4),
    ]
    take(index, {7: 6})
    assert found(index, 4, prefer=[Run(7, 1, 0xFF)]) == [(0, 4)]


@pytest.mark.parametrize(
    ("used", "gpus", "within", "misfit"),
    [
        (dict.fromkeys(range(8), 6), 3, Level.SITE, Misfit("gpus", "", 2, 3)),
        (dict.fromkeys(range(8), 8), 1, Level.SITE, Misfit("gpus", "", 0, 1)),
        ({}, 9, Level.NODE, Misfit("gpus", "node", 8, 9)),
        ({0: 1, 5: 1}, 32, Level.RACK, Misfit("nodes", "", 3, 4)),
        ({0: 1, 1: 5, 5: 1, 6: 5}, 32, Level.RACK, Misfit("nodes", "", 2, 4)),
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
    assert search.locate(index, want(gpus, within)) == misfit


def test_capacity_that_is_not_there_at_all() -> None:
    index = made(TWO_RACKS)
    assert search.locate(index, Want("t1", HGX, NORTH, 1, Level.SITE, 1)) == Misfit(
        "gpus", "hgx at north", 0, 1
    )


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
    assert search.locate(index, want(gpus)) == misfit


def test_a_feed_without_headroom_leaves_the_other() -> None:
    feeds = {"left": ("", 17), "right": ("", 100)}
    index = made([("h", "left", 4), ("h", "right", 4)], feeds)
    assert found(index, 32) == [(0, 8), (1, 8), (4, 8), (5, 8)]
    assert found(index, 40) == [(0, 8), (1, 8), (4, 8), (5, 8), (6, 8)]
    assert found(index, 48) == [(0, 8), (1, 8), (4, 8), (5, 8), (6, 8), (7, 8)]
    assert search.locate(index, want(56)) == Misfit("power", "feed left", 1, 8)


def test_a_remainder_goes_where_power_is_left() -> None:
    feeds = {"root": ("", 12), "left": ("root", 8), "right": ("root", 8)}
    index = made([("h", "left", 2), ("h", "right", 1)], feeds)
    index.take([Run(1, 1, 0xF)], 0)
    assert found(index, 12) == [(0, 8), (2, 4)]
    assert search.locate(index, want(13)) == Misfit("power", "feed root", 4, 5)


def test_what_is_reserved_is_for_its_nodes_only() -> None:
    """Two racks on one feed of 40 W; a tranche has two nodes, 16 W."""
    index = made(TWO_RACKS, {"f": ("", 40)})
    index.set_owner([(0, 2)], "t1")
    level = index.plant.level_of_feed["f"]
    assert (index.load_w[level], index.reserved_w[level], index.headroom_w(level)) == (0, 16, 40)
    assert search.locate(index, want(32)) == Misfit("power", "feed f", 0, 8)
    assert search.locate(index, want(24)) == (Run(4, 3, 0xFF),)
    index.take([Run(4, 3, 0xFF)], 1)
    assert search.locate(index, want(1)) == Misfit("power", "feed f", 0, 1)
    # What runs on its nodes draws from what is reserved.
    assert search.locate(index, want(16, owner="t1")) == (Run(0, 2, 0xFF),)
    index.take([Run(0, 1, 0xFF)], 1)
    assert (index.load_w[level], index.reserved_w[level]) == (32, 8)
    index.set_owner([(0, 2)], POOL)
    assert (index.load_w[level], index.reserved_w[level]) == (32, 0)
    assert search.locate(index, want(8)) == (Run(1, 1, 0xFF),)
    # Who takes over a node with work on it reserves the rest.
    index.set_owner([(0, 2)], "t2")
    assert index.reserved_w[level] == 8
    index.release([Run(0, 1, 0xFF)], 1)
    assert (index.load_w[level], index.reserved_w[level]) == (24, 16)


# What is wished, and slices


@pytest.mark.parametrize(
    ("used", "gpus", "within", "near", "places"),
    [
        # As near as is wished where that can be; else within what is required.
        ({}, 32, Level.SITE, Level.RACK, [2, 3, 4, 5]),
        ({}, 32, Level.SITE, Level.ROW, [0, 1, 6, 7]),
        ({2: 1, 10: 1}, 32, Level.SITE, Level.RACK, [3, 4, 5, 11]),
        ({2: 1, 10: 1}, 32, Level.HALL, Level.RACK, [8, 11, 12, 13]),
        ({}, 8, Level.SITE, Level.NODE, [0]),
        ({}, 16, Level.RACK, Level.NODE, [0, 1]),
        # A wish that is wider than what is required says nothing.
        ({}, 16, Level.RACK, Level.SITE, [0, 1]),
    ],
)
def test_what_is_wished_is_tried_first(
    used: dict[int, int], gpus: int, within: Level, near: Level, places: list[int]
) -> None:
    index = made(ROWS)
    take(index, used)
    runs = search.locate(index, want(gpus, within, near=near))
    assert not isinstance(runs, Misfit)
    assert [node for node, _ in indexes.each_node(runs)] == places


@pytest.mark.parametrize(
    ("used", "gpus", "slice_gpus", "within", "prefer", "places"),
    [
        ({}, 32, 16, Level.SITE, [], [0, 1, 6, 7]),
        ({}, 48, 16, Level.HALL, [], [8, 9, 10, 11, 12, 13]),
        ({0: 1}, 48, 16, Level.SITE, [], [6, 7, 8, 9, 2, 3]),
        ({}, 64, 32, Level.SITE, [], [2, 3, 4, 5, 10, 11, 12, 13]),
        ({}, 32, 16, Level.ROW, [], [0, 1, 6, 7]),
        ({0: 1}, 32, 16, Level.ROW, [], [2, 3, 4, 5]),
        ({0: 1}, 32, 16, Level.RACK, [], [2, 3, 4, 5]),
        # Where it ran before comes first.
        ({}, 32, 16, Level.SITE, [11, 12], [10, 11, 12, 13]),
        ({}, 16, 16, Level.SITE, [12, 13], [12, 13]),
        ({}, 16, 16, Level.ROW, [5], [2, 5]),
    ],
)
def test_each_slice_lies_in_one_rack(
    used: dict[int, int], gpus: int, slice_gpus: int, within: Level, prefer: list[int], places: list[int]
) -> None:
    index = made(ROWS)
    take(index, used)
    runs = search.locate(
        index, want(gpus, within, slice_gpus=slice_gpus), [Run(node, 1, 0xFF) for node in prefer]
    )
    assert not isinstance(runs, Misfit), runs
    assert [node for node, _ in indexes.each_node(runs)] == sorted(places)


@pytest.mark.parametrize(
    ("used", "gpus", "slice_gpus", "within", "misfit"),
    [
        ({}, 128, 32, Level.SITE, Misfit("slices", "", 2, 4)),
        ({}, 96, 24, Level.HALL, Misfit("slices", "", 1, 4)),
        ({2: 1}, 32, 32, Level.ROW, Misfit("slices", "", 1, 1)),
        (dict.fromkeys(range(14), 1), 16, 16, Level.SITE, Misfit("slices", "", 0, 1)),
    ],
)
def test_slices_that_do_not_fit(
    used: dict[int, int], gpus: int, slice_gpus: int, within: Level, misfit: Misfit
) -> None:
    index = made(ROWS)
    take(index, used)
    if misfit.have >= misfit.need:
        # There is one, and its rack has no power.
        for level in range(1, 6):
            index.limit_w[level] = 31
        misfit = Misfit("power", "rack r4", 31, 32)
    assert search.locate(index, want(gpus, within, slice_gpus=slice_gpus)) == misfit


@given(
    st.lists(
        st.tuples(st.sampled_from(["h1/a", "h1/b", "h2"]), st.sampled_from("abc"), st.integers(1, 4)),
        min_size=1, max_size=4,
    ),
    st.tuples(*[st.integers(0, 40)] * 3), st.integers(1, 20), st.sets(st.integers(0, 15), max_size=5),
    st.integers(1, 3), st.integers(1, 4), st.sampled_from(list(Level)[1:]),
)  # fmt: skip
def test_slices_against_brute_force(
    racks: list[tuple[str, str, int]], limits: tuple[int, int, int], rack_limit_w: int, used: set[int], nodes: int,
    count: int, within: Level,
) -> None:  # fmt: skip
    feeds = {"a": ("", limits[0]), "b": ("a", limits[1]), "c": ("", limits[2])}
    index = made(racks, feeds, 4, rack_limit_w)
    index.take([Run(node, 1, 1) for node in sorted(used) if node < len(index.free)], 0)
    wanted = want(nodes * count * 4, within, slice_gpus=nodes * 4)
    result = search.locate(index, wanted)
    free = [
        sum(index.free[node] == 15 for node in range(first, first + plenty))
        for first, plenty in zip(index.plant.rack_first, index.plant.rack_nodes, strict=True)
    ]
    exists = False
    for each in product(*(range(have // nodes + 1) for have in free)):
        chosen = {
            node: 4
            for rack, slices in enumerate(each)
            for node in [
                node
                for node in range(index.plant.rack_first[rack], index.plant.rack_first[rack] + racks[rack][2])
                if index.free[node] == 15
            ][: slices * nodes]
        }
        exists = exists or (sum(each) == count and _holds(index, wanted, chosen))
    assert isinstance(result, Misfit) is not exists
    if not isinstance(result, Misfit):
        found_in: dict[int, int] = {}
        for node, mask in indexes.each_node(result):
            assert mask == index.free[node] == 15
            found_in[index.plant.rack_of_node[node]] = found_in.get(index.plant.rack_of_node[node], 0) + 1
        assert all(nodes_there % nodes == 0 for nodes_there in found_in.values())
        assert _holds(index, wanted, {node: 4 for node, _ in indexes.each_node(result)})


# Against brute force


#: Where a gang ran before.
PREFERRED = [(), (), (Run(0, 1, 15), Run(2, 1, 15)), (Run(4, 2, 15),)]
plants = st.tuples(
    st.lists(
        st.tuples(st.sampled_from(["h1/a", "h1/b", "h2"]), st.sampled_from(["a", "b", "c"]), st.integers(1, 3)),
        min_size=1, max_size=3,
    ),
    st.tuples(*[st.integers(0, 26)] * 3),
    st.integers(1, 26),
    st.lists(st.integers(0, 4), min_size=9, max_size=9),
    st.sets(st.integers(0, 8), max_size=2),
)  # fmt: skip


@given(
    plants, st.integers(1, 20), st.sampled_from(list(Level)), st.sampled_from(PREFERRED),
    st.booleans(), st.sets(st.integers(0, 8), max_size=4), st.booleans(),
)  # fmt: skip
def test_find_against_brute_force(
    plant_: tuple[list[tuple[str, str, int]], tuple[int, int, int], int, list[int], set[int]],
    gpus: int,
    within: Level,
    prefer: tuple[Run, ...],
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
    prefer = tuple(run for run in prefer if run.first + run.nodes <= nodes)
    result = search.locate(index, wanted, prefer)
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
    rows, halls = ({plant_.groups_of_rack[rack][which] for rack in racks} for which in (0, 1))
    near = {
        Level.NODE: len(chosen) == 1,
        Level.RACK: len(racks) == 1,
        Level.ROW: len(rows) == 1,
        # No spine is named here: a row is a block.
        Level.BLOCK: len(rows) == 1,
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


steps = st.lists(
    st.tuples(
        st.sampled_from(["find", "find", "release", "usable", "owner"]), st.integers(0, 40),
        st.sampled_from(list(Level)), st.booleans(),
    ),
    max_size=30,
)  # fmt: skip


@given(plants, steps)
def test_what_is_remembered_changes_nothing(
    plant_: tuple[list[tuple[str, str, int]], tuple[int, int, int], int, list[int], set[int]],
    asked: list[tuple[str, int, Level, bool]],
) -> None:
    """After any history a search finds what it finds in an index that was made anew and remembers nothing."""
    racks, limits, rack_limit_w, _, _ = plant_
    feeds = {"a": ("", limits[0]), "b": ("a", limits[1]), "c": ("", limits[2])}
    index = made(racks, feeds, 4, rack_limit_w)
    nodes, taken = len(index.free), list[tuple[Run, ...]]()
    for what, number, within, flag in asked:
        owner = "t1" if flag else POOL
        if what == "find":
            wanted = want(number % 14 + 1, within, owner)
            result = search.locate(index, wanted)
            assert result == search.locate(_again(index, racks, feeds, rack_limit_w, taken), wanted)
            if not isinstance(result, Misfit):
                index.take(result, 1)
                taken.append(result)
        elif what == "release" and taken:
            index.release(taken.pop(number % len(taken)), 1)
        elif what == "usable":
            index.set_usable(number % nodes, flag)
        elif what == "owner":
            index.set_owner([(number % nodes, 1)], owner)
    again = _again(index, racks, feeds, rack_limit_w, taken)
    assert index.buckets() == again.buckets()
    assert (index.load_w, index.reserved_w) == (again.load_w, again.reserved_w)


def _again(
    index: Index,
    racks: list[tuple[str, str, int]],
    feeds: dict[str, tuple[str, int]],
    rack_limit_w: int,
    taken: list[tuple[Run, ...]],
) -> Index:
    again = made(racks, feeds, 4, rack_limit_w)
    for node, owner in enumerate(index.owner):
        again.set_owner([(node, 1)], owner)
        again.set_usable(node, bool(index.usable[node]))
    for runs in taken:
        # One node at a time, so that the step that takes a rack at once is held against it.
        for node, mask in indexes.each_node(runs):
            again.take([Run(node, 1, mask)], 1)
    return again


def test_limits_that_change_are_looked_at_again() -> None:
    index = made(TWO_RACKS, {"f": ("", 7)})
    assert search.locate(index, want(8)) == Misfit("power", "feed f", 7, 8)
    index.limit_w[0] = 8
    index.short.clear()
    assert search.locate(index, want(8)) == (Run(0, 1, 0xFF),)


def test_the_lowest_bits_of_a_mask() -> None:
    assert search.lowest_bits(0b1010010, 2) == 0b10010


def test_racks_alike_below_several_feeds_are_taken_as_far_as_each_bears() -> None:
    feeds = {"top": ("", 60), "a": ("top", 40), "b": ("top", 24)}
    racks = [("h", "a", 2), ("h", "b", 2), ("h", "a", 2), ("h", "b", 2)]
    index = made(racks, feeds)
    # Feed b bears three nodes, feed a all four of its own, and both together seven.
    runs = search.locate(index, want(56))
    assert runs == (Run(0, 7, 255),)
    assert search.locate(index, want(64)) == search.Misfit("power", "feed b", 0, 8)
    # What is kept for others is left alone.
    index.reserved_w[index.plant.level_of_feed["a"]] = 16
    found = search.locate(index, want(56))
    assert isinstance(found, search.Misfit)
    assert (found.constraint, found.level) == ("power", "feed a")
