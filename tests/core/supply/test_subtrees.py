"""What hangs where: names, what lies inside, and that all parts make the whole."""

from __future__ import annotations

import pytest

from forebay.core.ids import FeedId, HallId, LoopId, Refusal, SiteId, SkuId
from forebay.core.supply import ApplyCatalogue, ApplySite, SitePlan, State, subtrees
from forebay.core.supply.blocks import ApplySchedule, BlockPlan, Confidence
from forebay.core.supply.subtrees import Branch, Lies, Subtree
from tests.core import plant
from tests.core.plant import Driver, day, feed, hall, rack, site, sku

NORTH, HGX = SiteId("north"), SkuId("hgx")
P50, P90 = Confidence.P50, Confidence.P90


def placed(name: str, racks: int, where: str = "", row: str = "", on: str = "", loop: str = "") -> BlockPlan:
    """A block that comes on day 9, and says where."""
    made = plant.block(name, "m", racks=racks)
    made.hall, made.row, made.feed, made.loop = HallId(where), row, FeedId(on), LoopId(loop)
    return made


BLOCKS = (
    placed("b1", 3, "h1"), placed("b2", 5, "h1", "a", "f1"), placed("b3", 7, "h2", on="f0"), placed("b4", 11),
    placed("b5", 13, on="f3", loop="l2"),
)  # fmt: skip


FEEDS = (feed("f0"), feed("f1", parent="f0"), feed("f2", parent="f0"), feed("f3"))


def driver_of(*coming: BlockPlan) -> Driver:
    """Two halls, f1 and f2 below f0, f3 beside it; 4 racks stand."""
    driver = plant.opened()
    driver.ask(ApplyCatalogue((sku(),)))
    racks = (
        rack("r1", on="f0"), rack("r2", on="f1", row="a", loop="l1"), rack("r3", on="f1", row="b", loop="f3"),
    )  # fmt: skip
    halls = (hall("h1", *racks), hall("h2", rack("r4", on="f2", nodes=2)), hall("f3"))
    driver.ask(ApplySite(site("north", FEEDS, halls)))
    if coming:
        driver.ask(ApplySchedule(plant.schedule(plant.milestone("m", on=9), *coming)))
    return driver


def state_of(*coming: BlockPlan) -> State:
    return driver_of(*coming).world.state.supply


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("north/h1", Subtree(NORTH, Branch.HALL, "h1")),
        ("north/hall:h1", Subtree(NORTH, Branch.HALL, "h1")),
        ("north/h1/a", Subtree(NORTH, Branch.ROW, "h1", "a")),
        ("north/hall:h1/b", Subtree(NORTH, Branch.ROW, "h1", "b")),
        ("north/f1", Subtree(NORTH, Branch.FEED, "f1")),
        ("north/l1", Subtree(NORTH, Branch.LOOP, "l1")),
        # Only a block names it.
        ("north/l2", Subtree(NORTH, Branch.LOOP, "l2")),
        ("north/hall:f3", Subtree(NORTH, Branch.HALL, "f3")),
        ("north/feed:f3", Subtree(NORTH, Branch.FEED, "f3")),
        ("north/loop:f3", Subtree(NORTH, Branch.LOOP, "f3")),
    ],
)
def test_names(path: str, found: Subtree) -> None:
    assert subtrees.subtree_named(state_of(*BLOCKS), path) == found
    assert found.path() == path.replace("hall:", "").replace("feed:", "").replace("loop:", "")


ALL = "halls f3, h1, h2; feeds f0, f1, f2, f3; loops f3, l1, l2"


@pytest.mark.parametrize(
    ("path", "code", "told"),
    [
        ("", "unknown_site", "there is no site  (there are: north)"),
        ("south/h1", "unknown_site", "there is no site south (there are: north)"),
        ("north", "unknown_subtree", f"north is a site: name a part of it, such as north/HALL (there are: {ALL})"),
        ("north/", "unknown_subtree", f"north is a site: name a part of it, such as north/HALL (there are: {ALL})"),
        ("north/?", "unknown_subtree", f"there is no hall, feed or loop ? at north (there are: {ALL})"),
        ("north/feed:h1", "unknown_subtree", f"there is no feed h1 at north (there are: {ALL})"),
        ("north/row:a", "unknown_subtree", f"there is no hall, feed or loop row:a at north (there are: {ALL})"),
        ("north/h1/c", "unknown_subtree", "there is no row 'c' in hall h1 of north (there are: a, b)"),
        ("north/h1/", "unknown_subtree", "there is no row '' in hall h1 of north (there are: a, b)"),
        ("north/h2/a", "unknown_subtree", "there is no row 'a' in hall h2 of north (there are: none with a name)"),
        ("north/f1/a", "unknown_subtree", "there is no hall f1 at north (there are: f3, h1, h2)"),
        ("north/feed:h1/a", "unknown_subtree", "there is no hall feed:h1 at north (there are: f3, h1, h2)"),
        (
            "north/f3", "ambiguous_subtree",
            "f3 is a hall and a feed and a loop of north: say north/hall:f3 or north/feed:f3 or north/loop:f3",
        ),
    ],
)  # fmt: skip
def test_other_names_are_refused_with_those_that_would_be_right(path: str, code: str, told: str) -> None:
    no = subtrees.subtree_named(state_of(*BLOCKS), path)
    assert isinstance(no, Refusal)
    assert (no.code, no.field, no.detail) == (code, "under", told)


def test_names_where_there_are_none_and_where_there_are_many() -> None:
    driver = plant.opened()
    driver.ask(ApplyCatalogue((sku(),)))
    driver.ask(ApplySite(SitePlan(NORTH, "North", "nordics", "FI", "UTC", (), ())))
    state = driver.world.state.supply
    for path, told in (
        ("north/h1", "(there are: nothing yet)"),
        ("north/h1/a", "there is no hall h1 at north (there are: none)"),
    ):
        no = subtrees.subtree_named(state, path)
        assert isinstance(no, Refusal)
        assert told in no.detail
    assert subtrees.some(f"h{n}" for n in range(8)) == "h0, h1, h2, h3, h4, h5, h6, h7"
    assert subtrees.some(f"h{n}" for n in range(10)).endswith("h7 and 2 more")
    assert isinstance(no := subtrees.subtree_named(State(), "north/h1"), Refusal)
    assert no.detail == "there is no site north (there are: none)"


@pytest.mark.parametrize(
    ("path", "racks", "blocks"),
    [
        # Inside, outside, open: racks r1 to r4, and blocks b1 to b5.
        ("north/h1", "iiio", "iio??"),
        ("north/h2", "oooi", "ooi??"),
        # r1 stands in the hall, and nobody says in which row; b1 as well.
        ("north/h1/a", "?ioo", "?io??"),
        ("north/h1/b", "?oio", "?oo??"),
        # What is to hang on f0 may hang on f1 below it; r1 hangs on f0 itself.
        ("north/f0", "iiii", "?ii?o"),
        ("north/f1", "oiio", "?i??o"),
        ("north/f2", "oooi", "?o??o"),
        ("north/feed:f3", "oooo", "?oo?i"),
        ("north/l1", "?io?", "????o"),
        ("north/l2", "?oo?", "????i"),
    ],
)
def test_what_lies_where(path: str, racks: str, blocks: str) -> None:
    state = state_of(*BLOCKS)
    tree = subtrees.subtree_named(state, path)
    assert isinstance(tree, Subtree)
    inside = subtrees.Inside(state, tree)
    words = {Lies.INSIDE: "i", Lies.OUTSIDE: "o", Lies.OPEN: "?"}
    assert "".join(words[inside.rack(state.racks[name])] for name in state.rack_order) == racks
    assert "".join(words[inside.block(block)] for block in BLOCKS) == blocks
    here = [state.racks[name] for name, mark in zip(state.rack_order, racks, strict=True) if mark == "i"]
    assert inside.nodes([(0, state.nodes)]) == sum(each.nodes for each in here)


def test_nodes_over_time() -> None:
    driver = driver_of(*BLOCKS)
    state = driver.world.state.supply
    outlook = driver.world.calendar.outlook(NORTH)
    found = subtrees.nodes_by_place(state, Subtree(NORTH, Branch.HALL, "h1"), outlook, P90)
    assert {lies.value: list(steps) for (lies, _), steps in found.items()} == {
        "inside": [(0, 12), (day(9), 12 + 4 * 8)],
        "outside": [(0, 2), (day(9), 2 + 4 * 7)],
        "open": [(0, 0), (day(9), 4 * 24)],
    }
    # A rack of a block that says one hall may stand in another: where it stands counts.
    driver.ask(ApplySite(site("north", FEEDS, (hall("h2", rack("r5", on="f2", block="b1")),))))
    found = subtrees.nodes_by_place(state, Subtree(NORTH, Branch.HALL, "h1"), outlook, P50)
    assert list(found[Lies.INSIDE, HGX]) == [(0, 12), (day(9), 12 + 4 * 7)]
    assert list(found[Lies.OUTSIDE, HGX]) == [(0, 6), (day(9), 6 + 4 * 7)]


def test_where_power_is_too_little_standing_racks_are_fed_in_their_order() -> None:
    # 33 kW a rack, so 8,250 W a node; there are 10 nodes for 14: those of r1 and r2, and 2 of r3.
    driver = driver_of()
    stages = plant.stage("line", 10 * 8_250, "m"), plant.stage("more", 8 * 8_250, "late")
    later = plant.milestone("m", on=1), plant.milestone("late", on=20)
    driver.ask(ApplySchedule(plant.schedule(*later, *stages, *(placed("b3", 1, "h2"),))))
    state, outlook = driver.world.state.supply, driver.world.calendar.outlook(NORTH)
    found = {
        name: subtrees.nodes_by_place(state, Subtree(NORTH, Branch.HALL, name), outlook, P50)
        for name in ("h1", "h2")
    }
    assert list(found["h1"][Lies.INSIDE, HGX]) == [(0, 0), (day(1), 10), (day(20), 12)]
    # 4 of the 18 nodes are left for the block: it is a whole rack.
    assert list(found["h2"][Lies.INSIDE, HGX]) == [(0, 0), (day(20), 6)]
