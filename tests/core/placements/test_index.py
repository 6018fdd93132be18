"""Is the index what was taken, given back, failed and passed on, and nothing else?"""

from __future__ import annotations

from forebay.core.placements import gang as gangs
from forebay.core.placements import index as indexes
from forebay.core.placements import search
from forebay.core.placements.gang import Level, Run
from forebay.core.placements.index import POOL, PoolKey
from tests.core import plant
from tests.core.placements.racks import TWO_RACKS, found, made, want


def test_what_work_on_the_pool_draws() -> None:
    index = made(TWO_RACKS)
    index.set_owner([(0, 1)], "t1")
    levels = [index.plant.level_name[level] for level in index.pool_draw([Run(0, 1, 1)], 1)]
    assert levels == []
    drawn = index.pool_draw([Run(0, 2, 0xF), Run(4, 1, 1)], 2)
    assert {index.plant.level_name[level]: watts for level, watts in drawn.items()} == {
        "rack r0": 8, "feed f": 10, "rack r1": 2,
    }  # fmt: skip


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
    theirs = search.locate(index, want(8, owner="t1"))
    assert theirs == (Run(1, 1, 0xFF),)
    index.set_usable(0, True)
    assert search.locate(index, want(24, owner="t1")) == (Run(0, 3, 0xFF),)
    index.take([Run(2, 1, 0xFF)], 1)
    index.release([Run(2, 1, 0xFF)], 1)
    assert search.locate(index, want(24, owner="t1")) == (Run(0, 3, 0xFF),)


def test_a_run_that_cannot_be_moved_at_once_is_moved_node_by_node() -> None:
    """Parts of nodes; and whole nodes of which one is out of service, or another's."""
    index, before = made(TWO_RACKS), made(TWO_RACKS).buckets()
    index.take([Run(2, 4, 0xF)], 1)
    assert found(index, 4) == [(2, 4)]
    assert found(index, 16) == [(0, 8), (1, 8)]
    index.release([Run(2, 4, 0xF)], 1)
    assert index.buckets() == before
    index.set_usable(2, False)
    index.set_owner([(5, 1)], "t1")
    index.take([Run(1, 6, 0xFF)], 1)
    assert found(index, 16) == [(0, 8), (7, 8)]
    index.release([Run(1, 6, 0xFF)], 1)
    index.set_usable(2, True)
    index.set_owner([(5, 1)], POOL)
    assert index.buckets() == before
    assert index.load_w == made(TWO_RACKS).load_w


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


def test_bits_and_masks() -> None:
    assert list(indexes.bits(0b1010010)) == [1, 4, 6]
    assert list(indexes.bits(1 << 479 | 1 << 480 | 1 << 2000)) == [479, 480, 2000]
    assert indexes.as_bits([Run(1, 2, 1), Run(5, 1, 3)]) == 0b100110
    assert indexes.gpus_of([Run(1, 2, 1), Run(5, 1, 3)]) == 4


def test_blocks_of_racks_under_one_spine() -> None:
    """Two rows under one spine, one under another, and a row of which no spine is named: that is a block too."""
    racks = (
        plant.rack("a1", row="a", spine="s1"), plant.rack("b1", row="b", spine="s1"),
        plant.rack("c1", row="c", spine="s2"), plant.rack("d1", row="d"), plant.rack("d2", row="d"),
    )  # fmt: skip
    driver = plant.plant(sites=(plant.site(halls=(plant.hall("h1", *racks),)),))
    driver.submit("tight", 64, within=Level.BLOCK)
    driver.submit("second", 64, within=Level.BLOCK, slice_gpus=32)
    driver.submit("third", 64, within=Level.BLOCK)
    assert driver.nodes("tight") == [*range(12, 20)]
    assert driver.nodes("second") == [*range(8)]
    assert driver.phase("third") == "pending"
    # One that is near where it can be leaves whole blocks to others.
    driver.submit("near", 32, within=Level.HALL, near=Level.BLOCK)
    assert driver.nodes("near") == [*range(8, 12)]
    for gpus, slice_gpus, told in ((65, 0, "a block has 64"), (48, 24, ""), (64, 24, "")):
        answer = driver.handle(
            gangs.SubmitGang(plant.spec(f"g{gpus}", gpus, within=Level.BLOCK, slice_gpus=slice_gpus))
        ).answer
        assert told in getattr(answer, "detail", "")
    no = driver.refused(gangs.SubmitGang(plant.spec("more", 96, within=Level.BLOCK, slice_gpus=48)))
    assert no.code == "never_fits"
    no = driver.refused(gangs.SubmitGang(plant.spec("odd", 64, within=Level.ROW, near=Level.BLOCK)))
    assert no.code == "bad_shape"


def test_the_most_that_a_pool_may_hold_is_what_its_numbers_say() -> None:
    index = made(TWO_RACKS)
    key = next(iter(index.pools))
    while True:
        most, room = index.most(key), index.room(*key)
        # A gang takes whole nodes, and what is left of it lies on one more.
        holds = [
            gpus
            for gpus in range(1, most + 20)
            if room.whole > gpus // 8 or (room.whole == gpus // 8 and room.partial >= gpus % 8)
        ]
        assert holds == list(range(1, most + 1))
        if not most:
            break
        runs = search.locate(index, want(min(most, 3)))
        assert not isinstance(runs, search.Misfit)
        index.take(runs, 0)
    assert index.most(key._replace(owner="nobody")) == 0


def test_a_scratch_copy_leaves_the_index_as_it_is() -> None:
    index = made(TWO_RACKS)
    index.set_owner([(4, 2)], "t1")
    index.take([Run(0, 2, 0xFF), Run(4, 1, 0xF)], 1)
    before, load_w, reserved_w = index.copy(), index.load_w.copy(), index.reserved_w.copy()
    scratch = index.scratch()
    theirs = PoolKey("t1", *index.plant.pool_key[1])
    assert scratch.pools.get(theirs) is index.pools[theirs]
    scratch.release([Run(0, 2, 0xFF), Run(4, 1, 0xF)], 1)
    scratch.take([Run(3, 1, 0xFF)], 1)
    scratch.set_usable(6, False)
    assert found(scratch, 16) == [(0, 8), (1, 8)]
    assert scratch.pools.get(theirs) is not index.pools[theirs]
    assert scratch.buckets() == scratch.copy().buckets() == scratch.scratch().buckets()
    assert scratch.pools.get(PoolKey("t2", *index.plant.pool_key[1])) is None
    assert (index.buckets(), index.free, index.usable) == (before.buckets(), before.free, before.usable)
    assert (index.load_w, index.reserved_w) == (load_w, reserved_w)
    scratch.set_usable(6, True)
    scratch.release([Run(3, 1, 0xFF)], 1)
    scratch.take([Run(0, 2, 0xFF), Run(4, 1, 0xF)], 1)
    assert (scratch.free, scratch.load_w, scratch.reserved_w) == (before.free, load_w, reserved_w)
    assert all(scratch.pools[key].by_free == pool.by_free for key, pool in index.pools.items())
