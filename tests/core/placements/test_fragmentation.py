"""How free capacity lies, and that small jobs do not scatter it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.core import claims
from forebay.core.placements import fragmentation, search
from forebay.core.placements.gang import Level, Run
from forebay.core.placements.index import each_node
from tests.core import plant
from tests.core.placements.racks import TWO_RACKS, made, want


def test_what_is_free_and_how_it_lies() -> None:
    own = plant.tranche("t1", 1, unit=claims.Unit.NODE)
    driver = plant.plant(plant.contract("c1", "acme", own))
    driver.run("small", 3)
    driver.fail(driver.nodes("small")[0] + 1)
    pool, tranche = sorted(fragmentation.fragments(driver.world.placed.index), key=lambda each: each.owner)
    assert (pool.owner, tranche.owner) == ("", "t1")
    # Of eight nodes one is the tranche's, one is out, and one has five GPUs left.
    assert (pool.gpus, pool.whole_nodes, pool.whole_racks) == (5 * 8 + 5, 5, 1)
    assert pool.largest == {
        Level.NODE: 8, Level.RACK: 32, Level.ROW: 32, Level.BLOCK: 32, Level.HALL: 45, Level.SITE: 45,
    }  # fmt: skip
    assert (pool.node_ppm, pool.rack_ppm) == (5 * 10**6 // 45, 13 * 10**6 // 45)
    assert (tranche.gpus, tranche.whole_racks, tranche.node_ppm, tranche.rack_ppm) == (8, 0, 0, 10**6)


def test_nothing_is_free() -> None:
    driver = plant.plant()
    driver.run("all", 64)
    (pool,) = fragmentation.fragments(driver.world.placed.index)
    assert (pool.gpus, pool.largest[Level.NODE], pool.node_ppm, pool.rack_ppm) == (0, 0, 0, 0)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 8), st.integers(0, 30)), min_size=1, max_size=40))
def test_a_small_job_opens_no_node_while_a_partly_used_one_holds_it(steps: list[tuple[int, int]]) -> None:
    """Jobs come, each as large as it says, and go; it is said which."""
    index = made(TWO_RACKS)
    placed: list[tuple[Run, ...]] = []
    for gpus, leaves in steps:
        if placed and leaves < 8:
            index.release(placed.pop(leaves % len(placed)), 0)
        before = index.free.copy()
        found = search.locate(index, want(gpus))
        if isinstance(found, search.Misfit):
            continue
        ((node, _),) = each_node(found)
        partly = [mask for mask in before if mask and mask.bit_count() < 8 and mask.bit_count() >= gpus]
        if partly:
            assert before[node].bit_count() == min(mask.bit_count() for mask in partly)
        index.take(found, 0)
        placed.append(found)
