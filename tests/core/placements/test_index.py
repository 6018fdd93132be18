"""Is the index what was taken, given back, failed and passed on, and nothing else?"""

from __future__ import annotations

from forebay.core.placements import index as indexes
from forebay.core.placements import search
from forebay.core.placements.gang import Run
from forebay.core.placements.index import POOL
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
