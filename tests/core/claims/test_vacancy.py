"""What is found from run to run is what is found node by node."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from forebay.core import supply
from forebay.core.claims.vacancy import Free
from forebay.core.ids import FeedId, HallId, RackId, SiteId, SkuId


def racks(sizes: list[int], gaps: list[int]) -> list[supply.Rack]:
    """Racks of these sizes; between them stand others, of so many nodes."""
    made, node = [], 0
    for number, (size, gap) in enumerate(zip(sizes, gaps, strict=True)):
        node += gap
        made.append(
            supply.Rack(
                RackId(f"r{number}"), SiteId("north"), HallId("h"), "row", SkuId("hgx"), FeedId("f"), node, size, 1, 0
            )
        )  # fmt: skip
        node += size
    return made


@given(st.data())
def test_racks_are_found_from_run_to_run(data: st.DataObject) -> None:
    sizes = data.draw(st.lists(st.sampled_from([4, 4, 4, 3, 1]), max_size=8))
    gaps = [data.draw(st.sampled_from([0, 0, 3])) for _ in sizes]
    known = racks(sizes, gaps)
    nodes = [node for rack in known for node in range(rack.first_node, rack.first_node + rack.nodes)]
    taken = sorted(data.draw(st.sets(st.sampled_from(nodes)))) if nodes else []
    # The same node may be taken by several, as long as their terms do not meet.
    twice = sorted(data.draw(st.sets(st.sampled_from(taken)))) if taken else []
    free = Free(known, [rack.first_node for rack in known], [(node, 1) for node in [*twice, *taken]])
    left = {
        rack.id: [n for n in range(rack.first_node, rack.first_node + rack.nodes) if n not in taken]
        for rack in known
    }
    assert {rack.id: list(free.nodes(rack)) for rack in known} == left
    whole = [rack.id for rack in known if len(left[rack.id]) == 4]
    assert [rack.id for rack in free.whole(4)] == whole
    begun = [rack.id for rack in known if left[rack.id] and rack.id not in whole]
    assert [rack.id for rack in free.begun(4)] == begun


def test_where_nothing_stands_nothing_is_free() -> None:
    free = Free([], [], [])
    assert (list(free.whole(4)), free.begun(4)) == ([], [])
