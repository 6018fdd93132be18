"""What is there, bound and left in a part of a site: by hand, and against a naive model of random estates."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.core import claims, timeline
from forebay.core.claims import SignContract, Unit, below
from forebay.core.claims.calendar import Stock
from forebay.core.claims.terms import Spares
from forebay.core.ids import FeedId, HallId, LoopId, Refusal, SiteId, SkuId
from forebay.core.supply import ApplyCatalogue, ApplySite, PowerLevel, subtrees
from forebay.core.supply.blocks import ApplySchedule, BlockPlan, Confidence
from forebay.core.supply.subtrees import Branch, Subtree
from forebay.core.timeline import Interval
from forebay.core.units import DAY_US
from tests.core import plant, surveyor
from tests.core.claims.market import promise, sign
from tests.core.plant import Driver, contract, day, feed, hall, rack, site, sku

NORTH, HGX, DUO = SiteId("north"), SkuId("hgx"), SkuId("duo")
P50, P90 = Confidence.P50, Confidence.P90
#: What stands on which feed, in which hall.
FEEDS = (feed("f0", 10**6, base_w=5_000), feed("f1", 100_000, "f0", base_w=2_000), feed("f2", 10**6, "f0"))
HALLS = (
    hall("h1", rack("r1", on="f1", row="a"), rack("r2", on="f1", row="b")),
    hall("h2", rack("r3", on="f2"), rack("r4", on="f2")),
)


def block(name: str, racks: int, where: str = "", on: str = "", when: str = "m") -> BlockPlan:
    """A block that says where its racks are to come."""
    made = plant.block(name, when, racks=racks)
    return replace(made, hall=HallId(where), feed=FeedId(on))


def opened(spares: Spares = Spares.NONE) -> Driver:
    """4 racks stand; on day 40 come 2 in hall h1 on feed f1, and 3 of which nobody says where."""
    driver = plant.opened()
    driver.ask(ApplyCatalogue((sku(),)))
    driver.ask(ApplySite(site("north", FEEDS, HALLS)))
    coming = (plant.milestone("m", on=40), block("b1", 2, "h1", "f1"), block("b2", 3))
    driver.ask(ApplySchedule(plant.schedule(*coming)))
    driver.ask(claims.ApplyPromisePolicy(claims.PromisePolicy(1, P90, spares=spares)))
    return driver


def table(driver: Driver, path: str, months: int = 3, of: str = "") -> below.TableBelow:
    state = driver.world.state
    tree = subtrees.subtree_named(state.supply, path)
    assert isinstance(tree, Subtree)
    windows = timeline.months_from(driver.at, months)
    return below.table_below(state.claims, state.supply, driver.world.calendar, tree, windows, of)


def figures(found: below.TableBelow, *names: str) -> list[tuple[int | None, ...]]:
    """These figures of the first kind of rack, month by month, in racks."""
    return [
        tuple(None if (value := getattr(month, name)) is None else value / 4 for name in names)
        for month in found.stocks[0].months
    ]


def test_what_is_bound_and_what_is_left_in_a_hall() -> None:
    driver = opened()
    # Three racks are bound now: those of h1, and one of h2. Three more are promised from day 60 on, of any hall.
    driver.ask(sign(contract("c1", "acme", promise("t1", 3, end=45))))
    driver.ask(
        sign(contract("c2", "birch", promise("t2", 4, start=60, end=90), promise("t3", 3, start=60, end=90)))
    )
    found = table(driver, "north/h1", 4)
    names = ("supply_p50", "bound", "unbound", "promisable", "site_promisable", "open_p90")
    assert figures(found, *names) == [
        # January: 2 racks, both bound; the site has one that is nobody's.
        (2, 2, 0, 0, 1, 0),
        # February, before the block: the term ends on day 45.
        (2, 2, 0, 0, 1, 0),
        # March: t2 has both racks that stand; 9 racks at the site, 7 promised.
        (4, 2, 2, 2, 2, 3),
        # On day 90, the first of April, all that is over.
        (4, 0, 4, 4, 9, 3),
    ]
    bound = found.stocks[0].bound
    assert [(each.tranche, each.tenant, each.nodes, each.start_at, each.end_at) for each in bound] == [
        ("t1", "acme", 8, day(0), day(45)), ("t2", "birch", 8, day(60), day(90)),
    ]  # fmt: skip
    assert found.power == []
    assert figures(found, "powered") == [(None,)] * 4


def test_promisable_is_never_more_than_the_site_has_and_spares_are_of_no_hall() -> None:
    driver = opened(Spares.ROW)
    driver.ask(sign(contract("c1", "acme", promise("t1", 1, end=45))))
    names = ("unbound", "promisable", "site_promisable", "site_spares")
    # The largest row is that of h2, without a name: 2 racks are kept, of the 3 that nobody has.
    assert figures(table(driver, "north/h2", 1), *names) == [(2, 1, 1, 2)]
    assert figures(table(driver, "north/h1/b", 1), *names) == [(1, 1, 1, 2)]


def test_the_power_of_a_feed() -> None:
    driver = opened()
    driver.ask(sign(contract("c1", "acme", promise("t1", 1, end=45))))
    found = table(driver, "north/f1", 2)
    # 100 kW less 2 kW of the feed and 1 kW a rack are 96 kW: a rack promised takes 32, and one more stands. The 32
    # that are left then do not suffice for a further rack with its base load, but for 3 of its nodes.
    first, second = found.power
    assert (first.limit_w, first.site_w, first.base_w, first.promised_w, first.left_w) == (
        100_000, None, 4_000, 32_000, 64_000,
    )  # fmt: skip
    assert first.tightest == PowerLevel("feed", "f1")
    assert figures(found, "unbound", "powered", "promisable") == [(1, 1.75, 1), (1, 1.75, 1)]
    # Two racks come on day 40: there is power for less than that.
    assert figures(table(driver, "north/f1", 3), "unbound", "powered", "promisable")[2] == (4, 2.75, 2.75)
    # All that is below: nothing is tighter than the feed itself.
    assert table(driver, "north/f0", 1).power[0].promised_w == 32_000
    assert second.left_w == 64_000


def test_what_lies_above_a_feed_leaves_it_no_more() -> None:
    driver = opened()
    stages = plant.stage("line", 80_000, "now"), plant.stage("more", 10**6, "later")
    dated = (
        plant.milestone("now", reached_at=day(0)),
        plant.milestone("m", on=40),
        plant.milestone("later", on=31),
    )
    driver.ask(ApplySchedule(plant.schedule(*dated, *stages, block("b1", 2, "h1", "f1"))))
    found = table(driver, "north/f2", 2)
    # The site has 80 kW, of which 11 are base loads; from February on it has more than the feeds carry.
    (one, two) = [(month.site_w, month.left_w, month.tightest) for month in found.power]
    assert one == (80_000, 69_000, PowerLevel("site", "north"))
    assert two == (1_080_000, 989_000, PowerLevel("feed", "f0"))
    # 9 nodes have power at the site, those that came first: one of them hangs on this feed.
    assert figures(found, "supply_p50", "powered") == [(0.25, 2), (2, 2 + 925 // 33)]


def test_a_feed_with_nothing_on_it_has_power_for_racks_that_are_named() -> None:
    driver = plant.opened()
    driver.ask(ApplyCatalogue((sku(), sku("duo", nodes_per_rack=2, rack_w=17_000, healthy_nodes_min=2))))
    driver.ask(ApplySite(site("north", (feed("f1", 100_000), feed("f2", 50_000)), (hall("h1", rack("r1")),))))
    assert table(driver, "north/f2").stocks == []
    found = table(driver, "north/f2", 1, "duo")
    # A new rack takes 1 kW and 16 for its GPUs: two of them, and of a third one node.
    assert [stock.stock for stock in found.stocks] == [Stock(NORTH, DUO)]
    assert found.stocks[0].months[0][2:] == (0, 0, 0, 0, 0, 0, 0, 0, 0, 5)
    # Of what is open nobody knows whether it is here, but it may be.
    driver.ask(ApplySchedule(plant.schedule(plant.milestone("m", on=9), block("b1", 1))))
    assert [stock.stock.sku for stock in table(driver, "north/f2").stocks] == [HGX]


def test_the_example_of_the_page() -> None:
    """The worked example of docs/explanation/promises.md: a hall and its feed."""
    driver = plant.opened()
    driver.ask(ApplyCatalogue((sku(),)))
    feeds = (feed("f1", 100_000, base_w=2_000),)
    driver.ask(ApplySite(site("north", feeds, (hall("h1", rack("r1"), rack("r2")),))))
    driver.ask(ApplySchedule(plant.schedule(plant.milestone("m", on=59), block("b1", 2, "h1", "f1"))))
    driver.ask(sign(contract("c1", "acme", promise("t1", 1))))
    found = table(driver, "north/f1", 3)
    months = [found.stocks[0].months[place] for place in (0, 2)]
    rows = []
    for name, power, month in zip(
        ("January", "March"), (found.power[0], found.power[2]), months, strict=True
    ):
        watts = [power.limit_w, power.base_w, power.promised_w, power.left_w]
        assert month.powered is not None
        racks = [f"{nodes / 4:g}" for nodes in (month.unbound, month.powered, month.promisable)]
        rows.append(" | ".join([f"| {name}", *(f"{each // 1000} kW" for each in watts), *racks]) + " |")
    page = (Path(__file__).parents[3] / "docs/explanation/promises.md").read_text(encoding="utf-8")
    assert all(row in page for row in rows), rows


# Random estates


def estate(seed: int) -> Driver:
    """Racks of two kinds in two halls, on three feeds, some blocks that say where, power in stages, and tranches."""
    dice = random.Random(seed)
    driver = plant.opened()
    small = sku("duo", nodes_per_rack=2, rack_w=18_000, healthy_nodes_min=2)
    driver.ask(ApplyCatalogue((sku(), small)))
    kinds = ["hgx", "hgx", "duo"]
    feeds = (feed("f0", 400_000, base_w=1_000), feed("f1", 90_000, "f0"), feed("f2", 150_000, "f0"))
    halls = []
    for where in ("h1", "h2", "h3"):
        racks = [
            rack(
                f"{where}-r{n}", dice.choice(kinds), dice.choice(["f0", "f1", "f2"]), dice.choice([0, 0, 1]),
                row=dice.choice(["", "a", "b"]), loop=dice.choice(["", "l1", "l2"]),
            )
            for n in range(dice.randrange(4))
        ]  # fmt: skip
        halls.append(hall(where, *racks))
    driver.ask(ApplySite(site("north", feeds, halls)))
    dates = [plant.milestone(f"m{n}", on=dice.randrange(1, 40), late_p90_s=0) for n in range(4)]
    coming = []
    for n in range(dice.randrange(5)):
        made = plant.block(
            f"b{n}", f"m{dice.randrange(3)}", racks=dice.randrange(1, 4), of=dice.choice(kinds)
        )
        where = dice.choice(["", "h1", "h2"])
        row, on = dice.choice(["", "a"]) if where else "", dice.choice(["", "f0", "f1"])
        loop = LoopId(dice.choice(["", "l1"]))
        coming.append(replace(made, hall=HallId(where), row=row, feed=FeedId(on), loop=loop))
    stages = [
        plant.stage("s0", dice.randrange(20_000, 200_000), "m3", dice.choice(["", "m1"])),
        plant.stage("s1", dice.randrange(50_000, 400_000), "m1"),
    ]
    stages = stages if dice.random() < 0.6 else []
    driver.ask(ApplySchedule(plant.schedule(*dates, *stages, *coming)))
    policy = claims.PromisePolicy(1, dice.choice([P50, P90]), spares=dice.choice([Spares.NONE, Spares.ROW]))
    driver.ask(claims.ApplyPromisePolicy(policy))
    for n in range(dice.randrange(4)):
        start = dice.randrange(30)
        own = promise(
            f"t{n}", dice.randrange(1, 5), start, start + dice.randrange(5, 40), sku=dice.choice(kinds),
            unit=dice.choice(list(Unit)),
        )  # fmt: skip
        driver.handle(SignContract(contract(f"c{n}", "acme", own), dice.choice(["", "as told"])))
    return driver


TREES = [
    Subtree(NORTH, Branch.HALL, "h1"), Subtree(NORTH, Branch.HALL, "h2"), Subtree(NORTH, Branch.ROW, "h1", "a"),
    Subtree(NORTH, Branch.FEED, "f0"), Subtree(NORTH, Branch.FEED, "f1"), Subtree(NORTH, Branch.LOOP, "l1"),
]  # fmt: skip


def as_surveyed(driver: Driver, tree: Subtree, turn: int) -> None:
    """Every figure of a day is that of the naive model."""
    world, state = driver.world, driver.world.state
    today = (driver.at - day(0)) // DAY_US
    # Not every day of each part, which takes long: another one of three each time.
    days = [Interval(day(n), day(n + 1)) for n in range(today + turn % 3, today + 75, 3)]
    naive = {each: surveyor.nodes(world, tree, each) for each in Confidence}
    found = below.table_below(state.claims, state.supply, world.calendar, tree, days)
    sure = state.claims.policy.confidence
    for place, window in enumerate(days):
        there = {each: naive[each](window.start) for each in Confidence}
        known = {name for lies, name in there[P50] if lies != surveyor.OUTSIDE}
        assert known == {stock.stock.sku for stock in found.stocks}
        for stock in found.stocks:
            name, month = stock.stock.sku, stock.months[place]
            inside = {each: there[each].get((surveyor.INSIDE, name), 0) for each in Confidence}
            is_open = {each: there[each].get((surveyor.OPEN, name), 0) for each in Confidence}
            assert (month.supply_p50, month.supply_p90) == (inside[P50], inside[P90])
            assert (month.open_p50, month.open_p90) == (is_open[P50], is_open[P90])
            bound = surveyor.bound(world, tree, name, window.start)
            left = world.calendar.available(stock.stock, sure).at(window.start)
            assert (month.bound, month.unbound, month.site_promisable) == (bound, inside[sure] - bound, left)
            most = [month.unbound, left]
            if tree.branch is Branch.FEED:
                most.append(surveyor.powered(world, tree, name, window.start))
                assert month.powered == most[-1]
            assert month.promisable == min(most)
        if tree.branch is Branch.FEED:
            power = found.power[place]
            assert power.left_w == surveyor.left_w(world, tree, window.start)
            assert power.base_w + power.promised_w == surveyor.carried_w(world, tree, window.start)


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 10**6))
def test_parts_of_random_estates_are_as_surveyed(seed: int) -> None:
    driver = estate(seed)
    known = subtrees.known_at(driver.world.state.supply, NORTH)
    surveyor.halls_make_the_site(driver.world, [day(n) for n in range(75)])
    for turn, tree in enumerate(TREES, seed):
        no = subtrees.subtree_named(driver.world.state.supply, tree.path())
        if not isinstance(no, Refusal):
            as_surveyed(driver, tree, turn)
        else:
            assert tree.branch in (Branch.ROW, Branch.LOOP), known


@pytest.mark.slow
@settings(max_examples=400, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 10**6))
def test_parts_of_many_random_estates_are_as_surveyed(seed: int) -> None:
    test_parts_of_random_estates_are_as_surveyed.hypothesis.inner_test(seed)  # type: ignore[attr-defined]
