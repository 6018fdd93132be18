"""What exists: sites are taken in as they are described, refused in a documented order, and never changed quietly."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from forebay.core import ids, supply
from forebay.core.ids import NodeIndex
from forebay.core.supply import ApplyCatalogue, ApplySite, blocks
from tests.core import plant
from tests.core.plant import Driver, feed, hall, rack, site, sku


def catalogued() -> Driver:
    driver = plant.opened()
    driver.ask(ApplyCatalogue((sku(),)))
    return driver


# The catalogue


def test_a_catalogue_is_learned_once() -> None:
    driver = catalogued()
    assert driver.ask(ApplyCatalogue((sku(), sku("b"), sku("b")))) == {"added": ["b"]}
    # Words about it may change, and are kept as they were first.
    assert driver.ask(ApplyCatalogue((sku(title="Other"), sku("b")))) == {"added": []}
    assert driver.world.state.supply.skus[ids.SkuId("hgx")].title == "HGX"
    assert driver.count(supply.SkuCatalogued) == 2


@pytest.mark.parametrize(
    ("skus", "code", "field"),
    [
        ([{"id": "a b"}], "bad_id", "skus[0].id"),
        ([{"id": "a b", "gpus_per_node": 0}], "bad_id", "skus[0].id"),
        ([{"gpus_per_node": 0}], "bad_quantity", "skus[0]"),
        ([{"gpus_per_node": 65}], "bad_quantity", "skus[0]"),
        ([{"nodes_per_rack": 0}], "bad_quantity", "skus[0]"),
        ([{"nodes_per_rack": 257}], "bad_quantity", "skus[0]"),
        ([{"rack_base_w": 33_001}], "bad_quantity", "skus[0]"),
        ([{"rack_base_w": -1}], "bad_quantity", "skus[0]"),
        ([{"rack_w": supply.WATTS_MAX + 1}], "bad_quantity", "skus[0]"),
        ([{"gpu_w": 0}], "bad_quantity", "skus[0]"),
        ([{"healthy_nodes_min": 5}], "bad_quantity", "skus[0]"),
        ([{"gpu_w": 999}], "sku_differs", "skus[0]"),
        ([{"id": "b"}, {"id": "b", "gpu_w": 7}], "sku_differs", "skus[1]"),
        ([{"gpu_w": 999, "healthy_nodes_min": 5}], "bad_quantity", "skus[0]"),
        ([{"gpu_w": 999}, {"id": ""}], "sku_differs", "skus[0]"),
    ],
)
def test_a_catalogue_is_refused(skus: list[dict[str, Any]], code: str, field: str) -> None:
    driver = catalogued()
    listed = tuple(replace(sku(), **figures) for figures in skus)
    refusal = driver.refused(ApplyCatalogue(listed))
    assert (refusal.code, refusal.field) == (code, field)


# Sites


def test_a_site_is_taken_in_parents_first() -> None:
    driver = catalogued()
    feeds = (feed("leaf", parent="mid"), feed("mid", parent="root"), feed("root", base_w=5))
    plan = site("north", feeds, (hall("h", rack("r1", on="leaf"), rack("r2", on="mid", nodes=2, row="A")),))
    assert driver.ask(ApplySite(plan)) == {"site": "north", "added": 7}
    state = driver.world.state.supply
    assert [each.id for each in supply.feed_path(state, ids.FeedId("leaf"))] == ["leaf", "mid", "root"]
    assert (state.nodes, state.rack_starts) == (6, [0, 4])
    assert driver.world.placed.index.load_w[driver.world.placed.index.plant.level_of_feed["root"]] == 2005
    # The same file again adds nothing; a longer one adds the rest.
    assert driver.ask(ApplySite(plan)) == {"site": "north", "added": 0}
    longer = replace(plan, halls=(hall("h", *plan.halls[0].racks, rack("r3", on="root")),))
    assert driver.ask(ApplySite(longer)) == {"site": "north", "added": 1}
    assert state.nodes == 10


def test_nodes_have_names() -> None:
    state = plant.plant(sites=(site(racks=3),)).world.state.supply
    names = [supply.node_name(state, node) for node in range(state.nodes)]
    assert names[:5] == ["r1-n01", "r1-n02", "r1-n03", "r1-n04", "r2-n01"]
    assert [supply.node_named(state, name) for name in names] == list(range(state.nodes))


@pytest.mark.parametrize(
    "name",
    ["", "r1", "r9-n01", "r1-n", "r1-n00", "r1-n05", "r1-n1", "r1-n001", "r1-nxx", "r1-n²", "r1-n00001"],
)
def test_names_that_no_node_has(name: str) -> None:
    assert supply.node_named(plant.plant().world.state.supply, name) is None


def known_plant() -> Driver:
    """Two feeds of 40 kW under one of 60 kW; one rack each, a gang of 24 kW on the first."""
    feeds = (feed("root", 60_000), feed("f1", 40_000, "root"), feed("f2", 40_000, "root"))
    halls = (hall("h1", rack("r1"), rack("r2", on="f2")),)
    driver = plant.plant(sites=(site("north", feeds, halls), site("south", (feed("s"),), (hall("h9"),))))
    driver.run("g1", 24)
    return driver


NORTH = site(
    "north", (feed("root", 60_000), feed("f1", 40_000, "root"), feed("f2", 40_000, "root")),
    (hall("h1", rack("r1"), rack("r2", on="f2")),),
)  # fmt: skip


@pytest.mark.parametrize(
    ("plan", "code", "field"),
    [
        (site("a b"), "bad_id", "id"),
        (site("x", (feed("f!", 0),)), "bad_id", "feeds[0].id"),
        (site("x", (feed("x1"), feed("x2", 0))), "bad_quantity", "feeds[1]"),
        (site("x", (feed("x1", supply.WATTS_MAX + 1),)), "bad_quantity", "feeds[0]"),
        (site("x", (feed("x1", base_w=-1),)), "bad_quantity", "feeds[0]"),
        (site("x", (feed("x1"), feed("x1", 0))), "bad_quantity", "feeds[1]"),
        (site("x", (feed("x1"), feed("x1"))), "duplicate_id", "feeds[1].id"),
        (site("x", (feed("x1", parent="gone"), feed("x2"), feed("x2"))), "duplicate_id", "feeds[2].id"),
        (site("x", (feed("x1", parent="gone"),)), "unknown_feed", "feeds[0].parent"),
        (site("x", (feed("x1", parent="gone"), feed("x2", parent="x2"))), "unknown_feed", "feeds[0].parent"),
        (site("x", (feed("x1", parent="x2"), feed("x2", parent="x1"))), "feed_cycle", "feeds"),
        (site("x", (feed("x1", parent="x1"),), (hall("!"),)), "feed_cycle", "feeds"),
        (site("x", (feed("x1"),), (hall("!"),)), "bad_id", "halls[0].id"),
        (site("x", (feed("x1"),), (hall("a"), hall("a"))), "duplicate_id", "halls[1].id"),
        (site("x", (feed("x1"),), (hall("a", rack("!", "?")),)), "bad_id", "halls[0].racks[0].id"),
        (site("x", (feed("x1"),), (hall("a", rack("r", "?", loop="!")),)), "bad_id", "halls[0].racks[0].loop"),
        (
            site("x", (feed("x1"),), (hall("a", rack("a", on="x1")), hall("b", rack("a", "?")))),
            "duplicate_id", "halls[1].racks[0].id",
        ),
        (site("x", (feed("x1"),), (hall("a", rack("a", "?", "?")),)), "unknown_sku", "halls[0].racks[0].sku"),
        (
            site("x", (feed("x1"),), (hall("a", rack("a", on="f1", nodes=5)),)),
            "unknown_feed", "halls[0].racks[0].feed",
        ),
        (site("x", (feed("x1"),), (hall("a", rack("a", on="x1", nodes=5)),)), "bad_quantity", "halls[0].racks[0]"),
        (site("x", (feed("x1"),), (hall("a", rack("a", on="x1", nodes=-1)),)), "bad_quantity", "halls[0].racks[0]"),
        (
            site("x", (feed("x1"),), (hall("a", rack("a", on="x1", limit_w=-1)),)),
            "bad_quantity", "halls[0].racks[0]",
        ),
        (replace(NORTH, title="Other"), "site_differs", ""),
        (replace(NORTH, title="Other", feeds=(feed("f1", 1, "root"),)), "site_differs", ""),
        (replace(NORTH, feeds=(NORTH.feeds[0], feed("f1", 41_000, "root"))), "site_differs", "feeds[1]"),
        (site("x", (feed("f1", 40_000, "root"),), (hall("a"),)), "site_differs", "feeds[0]"),
        (site("x", (feed("x1"),), (hall("h1"),)), "site_differs", "halls[0]"),
        (replace(NORTH, halls=(hall("h1", rack("r1", nodes=3)),)), "site_differs", "halls[0].racks[0]"),
        (replace(NORTH, halls=(hall("h2", rack("r1")),)), "site_differs", "halls[0].racks[0]"),
        (
            site("x", (feed("x1", 10),), (hall("a", rack("a", on="x1", limit_w=999)),)),
            "over_limit", "halls[0].racks[0].limit_w",
        ),
        (
            site("x", (feed("x1", 1_999),), (hall("a", rack("a", on="x1"), rack("b", on="x1")),)),
            "over_limit", "feeds",
        ),
        (site("x", (feed("x1", 10, base_w=11),), (hall("a"),)), "over_limit", "feeds"),
        # What runs there now counts: 25 of 40 kW on f1, 26 of 60 kW on root.
        (replace(NORTH, feeds=(feed("f3", 50_000, "f1", base_w=15_001),)), "over_limit", "feeds"),
        (replace(NORTH, feeds=(feed("f3", 50_000, "root", base_w=34_001),)), "over_limit", "feeds"),
    ],
)  # fmt: skip
def test_a_site_is_refused(plan: supply.SitePlan, code: str, field: str) -> None:
    driver = known_plant()
    refusal = driver.refused(ApplySite(plan))
    assert (refusal.code, refusal.field) == (code, field), refusal.detail


# Racks of a block


def block_site() -> Driver:
    """Of block b1 (two racks of hgx) one stands; of b2 (one rack of another SKU) none."""
    driver = plant.opened()
    driver.ask(ApplyCatalogue((sku(), sku("other"))))
    driver.ask(ApplySite(site("north", (feed("f1", 4_000),), (hall("h1"),))))
    driver.ask(ApplySite(site("south", (feed("s1"),), (hall("h9"),))))
    plan = plant.schedule(
        plant.milestone("m", on=9), plant.block("b1", "m", racks=2), plant.block("b2", "m", of="other")
    )
    driver.ask(blocks.ApplySchedule(plan))
    driver.ask(ApplySite(block_racks(rack("r1", block="b1"))))
    return driver


def block_racks(*racks: supply.RackPlan) -> supply.SitePlan:
    return site("north", (feed("f1", 4_000),), (hall("h1", *racks),))


#: Rules in order, each with what of a rack breaks it, and with what came before it in the same hall.
BLOCK_RULES: list[tuple[str, str, dict[str, Any]]] = [
    ("bad_id", "halls[0].racks[1].id", {"id": "!"}),
    ("duplicate_id", "halls[0].racks[1].id", {"id": "r2"}),
    ("unknown_sku", "halls[0].racks[1].sku", {"sku": "?"}),
    ("unknown_feed", "halls[0].racks[1].feed", {"feed": "?"}),
    ("bad_quantity", "halls[0].racks[1]", {"nodes": 5}),
    ("unknown_block", "halls[0].racks[1].block", {"block": "b9"}),
    ("block_differs", "halls[0].racks[1].block", {"sku": "other"}),
    ("block_full", "halls[0].racks[1].block", {}),
]


@pytest.mark.parametrize("place", range(len(BLOCK_RULES)))
def test_racks_of_a_block_are_refused_in_order(place: int) -> None:
    figures: dict[str, Any] = {}
    for _, _, more in reversed(BLOCK_RULES[place:]):
        figures |= more
    # The last place of the block is taken by the rack before. The site is told with another title, and the rack with
    # a limit under its base load: both are rules that come later.
    racks = (rack("r2", block="b1"), replace(rack("r3", block="b1", limit_w=1), **figures))
    plan = replace(block_racks(*racks), title="Other")
    refusal = block_site().refused(ApplySite(plan))
    assert (refusal.code, refusal.field) == BLOCK_RULES[place][:2], refusal.detail


@pytest.mark.parametrize(
    ("at", "racks", "code"),
    [
        # Nothing is planned there; the block is planned elsewhere; its rack stands, and is told with another block.
        ("south", [rack("x", on="s1", block="b1")], "unknown_block"),
        ("north", [rack("r1", block="b2")], "site_differs"),
        ("north", [rack("r1")], "site_differs"),
        ("north", [rack("r2", block="b1"), rack("r3", block="b1")], "block_full"),
        ("north", [rack("r2", "other", block="b2"), rack("r3", "other", block="b2")], "block_full"),
        ("north", [rack("r2", block="b2")], "block_differs"),
    ],
)
def test_racks_that_are_not_of_a_block(at: str, racks: list[supply.RackPlan], code: str) -> None:
    plan = block_racks(*racks) if at == "north" else site("south", (feed("s1"),), (hall("h9", *racks),))
    assert block_site().refused(ApplySite(plan)).code == code


def test_racks_come_block_by_block() -> None:
    driver = block_site()
    racks = (rack("r1", block="b1"), rack("r2", block="b1"), rack("r3", "other", block="b2"), rack("r4"))
    assert driver.ask(ApplySite(block_racks(*racks))) == {"site": "north", "added": 3}
    assert driver.ask(ApplySite(block_racks(*racks))) == {"site": "north", "added": 0}
    state = driver.world.state.supply
    assert [state.racks[each.id].block for each in racks] == ["b1", "b1", "b2", ""]
    assert supply.standing(state) == {
        ids.SiteId("north"): supply.Stands(
            {ids.SkuId("hgx"): 12, ids.SkuId("other"): 4}, {ids.BlockId("b1"): 2, ids.BlockId("b2"): 1}
        )
    }


@pytest.mark.parametrize("start_at", [plant.T0, plant.T0 + plant.YEAR_US // 2])
def test_what_is_added_leaves_promised_power_alone(start_at: int) -> None:
    """Two racks with base loads of 1 kW on a feed of 42 kW; one rack is promised, now or later."""
    promised = plant.contract("c1", "acme", plant.tranche("t1", start_at=start_at))
    driver = plant.plant(promised, sites=(site("north", (feed("f1", 42_000),)),))
    more = replace(
        site("north", (feed("f1", 42_000),)), halls=(), feeds=(feed("f2", 9_000, "f1", base_w=8_001),)
    )
    assert driver.refused(ApplySite(more)).code == "over_limit"
    driver.ask(ApplySite(replace(more, feeds=(feed("f2", 9_000, "f1", base_w=8_000),))))


def test_what_is_added_just_fits() -> None:
    driver = known_plant()
    driver.ask(ApplySite(replace(NORTH, feeds=(feed("f3", 50_000, "f1", base_w=15_000),))))
    assert driver.world.placed.index.load_w[driver.world.placed.index.plant.level_of_feed["f1"]] == 40_000


# Switches


def with_switch(*racks: str, name: str = "s1", **site_terms: Any) -> supply.SitePlan:
    served = tuple(map(ids.RackId, racks))
    return replace(site(**site_terms), switches=(supply.SwitchPlan(ids.SwitchId(name), served),))


def test_switches_are_taken_in_once_with_the_racks_that_they_serve() -> None:
    driver = catalogued()
    plan = with_switch("r1", "r2")
    driver.ask(ApplySite(plan))
    assert driver.ask(ApplySite(plan)) == {"site": "north", "added": 0}
    health = driver.world.state.supply.health
    assert health.switches[ids.SwitchId("s1")].racks == ("r1", "r2")
    assert health.switches_of == {"r1": ("s1",), "r2": ("s1",)}


@pytest.mark.parametrize(
    ("switches", "code", "field"),
    [
        ([("a b", ("r1",))], "bad_id", "switches[0].id"),
        ([("s1", ("r1",)), ("s1", ("r2",))], "duplicate_id", "switches[1].id"),
        ([("s1", ("r9",))], "unknown_rack", "switches[0].racks"),
        ([("s0", ("r2",))], "site_differs", "switches[0]"),
    ],
)
def test_switches_that_are_refused(switches: list[tuple[str, Any]], code: str, field: str) -> None:
    driver = catalogued()
    driver.ask(ApplySite(with_switch("r1", name="s0")))
    plans = tuple(supply.SwitchPlan(ids.SwitchId(name), racks) for name, racks in switches)
    refusal = driver.refused(ApplySite(replace(site(), switches=plans)))
    assert (refusal.code, refusal.field) == (code, field)


# What `check` finds


def test_damaged_books_are_found() -> None:
    state = plant.plant().world.state.supply.fork()
    state.rack_starts[1] = 5
    state.nodes = 9
    state.failed[NodeIndex(9)] = "who?"
    assert list(supply.check(state)) == [
        "rack r2 starts at node 5, not 4",
        "racks hold 8 nodes, not 9",
        "health of node 9, which does not exist",
        "nodes [9] are out without a reason, or not with one",
    ]
