"""Has everybody a reservation, in order, that nobody who comes later delays?"""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.core import ids, supply
from forebay.core.placements import conservative, projects
from forebay.core.placements.conservative import Reservation
from forebay.core.placements.gang import Ending, Order, Policy, Run, Tier
from forebay.core.units import SECOND_US
from tests.core import plant
from tests.core.placements.racks import TWO_RACKS, made
from tests.core.placements.test_ordering import COUNTS_ONLY, built
from tests.core.plant import T0, Driver


def reserved(driver: Driver) -> dict[str, int]:
    """When each that waits is to start, seconds from the first instant."""
    found = conservative.plan_all(driver.world._desk(driver.at))
    return {each.gang: (each.start - T0) // SECOND_US for each in found}


def test_everybody_has_a_reservation() -> None:
    """By hand: sixteen GPUs one by one; twelve are taken until 1,030 s."""
    driver = built(*COUNTS_ONLY, Order.CONSERVATIVE)
    driver.run("long", 12, walltime_s=1000)
    driver.submit("first", 14, walltime_s=100)  # 1,030 s to 1,160 s
    driver.submit("second", 4, walltime_s=1000)  # would do in time: now, until 1,030 s
    driver.submit("third", 3, walltime_s=970)  # only two are left beside the first: after it
    driver.submit("fourth", 2, walltime_s=2000)  # beside the first; from 1,030 s, when the second is gone
    assert driver.phases("first", "second", "third", "fourth") == ["pending", "placed", "pending", "pending"]
    assert reserved(driver) == {"first": 1030, "third": 1160, "fourth": 1030}
    # The third and the fourth leave eleven.
    driver.submit("fifth", 12, walltime_s=5)
    assert reserved(driver)["fifth"] == 2160


def test_an_early_end_moves_everybody_up_in_order() -> None:
    driver = built(*COUNTS_ONLY, Order.CONSERVATIVE)
    driver.run("long", 12, walltime_s=1000)
    for name, gpus in (("first", 14), ("second", 10), ("third", 5)):
        driver.submit(name, gpus, walltime_s=100)
    assert reserved(driver) == {"first": 1030, "second": 1160, "third": 1160}
    driver.later(500)
    driver.end("long")
    assert driver.phases("first", "second", "third") == ["placed", "pending", "pending"]
    assert reserved(driver) == {"second": 630, "third": 630}


def test_who_overstays_may_be_gone_at_any_moment() -> None:
    driver = built(*COUNTS_ONLY, Order.CONSERVATIVE)
    driver.run("long", 16, walltime_s=100)
    driver.submit("first", 16, walltime_s=100)
    driver.later(200)
    assert driver.phases("long", "first") == ["stopping", "pending"]
    found = conservative.plan_all(driver.world._desk(driver.at))
    assert [(each.gang, each.start) for each in found] == [("first", driver.at + 1)]
    driver.end("long")
    assert driver.phase("first") == "placed"


def test_what_is_signed_counts() -> None:
    """A tranche takes the plant for ten days: nobody else starts meanwhile, and its own does when it begins."""
    day = 86_400 * SECOND_US
    own = plant.tranche(count=1, start_at=T0 + day, end_at=T0 + 11 * day)
    driver = plant.plant(plant.contract("c1", "acme", own), plant.contract("c2", "bravo"),
                         policy=Policy(order=Order.CONSERVATIVE))  # fmt: skip
    gpus = driver.world.placed.index.plant.extents
    most = next(iter(gpus.values())).rack
    driver.submit("own", most, tranche="t1", tier=Tier.DEDICATED)
    assert driver.phase("own") == "pending"
    assert reserved(driver) == {"own": 86_400}


def test_what_waits_for_a_repair_has_none() -> None:
    driver = built(*COUNTS_ONLY, Order.CONSERVATIVE)
    driver.fail(0)
    driver.submit("all", 16)
    driver.submit("long", 8, walltime_s=10**6)
    assert driver.phases("all", "long") == ["pending", "placed"]
    assert reserved(driver) == {}


def test_what_waits_for_a_repair_has_none_where_nodes_change_hands_too() -> None:
    """Eight nodes, of which one is out for good, and a tranche of another takes a rack for ten days."""
    day = 86_400 * SECOND_US
    own = plant.tranche(count=1, start_at=T0 + day, end_at=T0 + 11 * day)
    policy = Policy(order=Order.CONSERVATIVE)
    driver = plant.plant(plant.contract("c1", "acme", own), plant.contract("c2", "bravo"), policy=policy)
    driver.fail(7)
    driver.submit("all", 64, tenant="bravo")
    assert driver.phase("all") == "pending"
    assert reserved(driver) == {}


def test_who_is_like_one_that_does_not_fit_is_not_asked_again_and_others_go_by() -> None:
    driver = built(*COUNTS_ONLY, Order.CONSERVATIVE)
    driver.run("long", 12, walltime_s=1000)
    for name, gpus in (("first", 8), ("second", 8), ("third", 2)):
        driver.submit(name, gpus, walltime_s=100)
    assert driver.phases("first", "second", "third") == ["pending", "pending", "placed"]
    assert reserved(driver) == {"first": 1030, "second": 1030}


def test_beside_cooling_loops_everybody_is_planned_for() -> None:
    """The loop does not carry off what 24 GPUs at work give: the second waits for the first, who is short goes by."""
    halls = (plant.hall("h1", plant.rack("r1", loop="cdu")),)
    site = plant.site(halls=halls, loops=(supply.LoopPlan(ids.LoopId("cdu"), 13_000, 9_000),))
    driver = plant.plant(sites=(site,), skus=(plant.sku(liquid_ppm=750_000),))
    driver.policy(order=Order.CONSERVATIVE)
    driver.run("a", 8, walltime_s=1000)
    for name, gpus, walltime_s in (("b", 16, 100), ("c", 3, 100), ("d", 3, 5000)):
        driver.submit(name, gpus, walltime_s=walltime_s)
    assert driver.phases("a", "b", "c") == ["running", "pending", "placed"]
    starts = reserved(driver)
    assert starts["b"] >= 1000
    driver.start("c")
    driver.end("a")
    driver.end("c")
    assert driver.phase("b") == "placed"
    driver.world.check()


def test_who_counts_to_a_cap_is_placed_and_all_are_asked_anew() -> None:
    driver = built(*COUNTS_ONLY, Order.CONSERVATIVE)
    lab = projects.Project(ids.ProjectId("lab"), gpus_max=4)
    rest = projects.Project(ids.ProjectId("rest"))
    driver.ask(projects.ApplyProjects(projects.ProjectsPlan(ids.TenantId("acme"), 1, (lab, rest))))
    driver.run("all", 16, walltime_s=100, project="rest")
    for name in ("one", "two", "three"):
        driver.submit(name, 2, walltime_s=1000, project="lab")
    driver.end("all")
    assert driver.phases("one", "two", "three") == ["placed", "placed", "pending"]


def test_who_lost_a_node_is_planned_for_in_front_and_who_is_short_goes_by() -> None:
    driver = built(*COUNTS_ONLY, Order.CONSERVATIVE)
    driver.run("fails", 12, walltime_s=1000, restarts_max=9)
    driver.run("other", 4, walltime_s=500)
    driver.fail(driver.nodes("fails")[0])
    driver.end("fails", Ending.LOST)
    driver.submit("long", 2, walltime_s=9000)
    driver.submit("small", 2, walltime_s=10)
    assert driver.phases("fails", "small") == ["pending", "placed"]
    assert reserved(driver)["fails"] == 530


@settings(max_examples=40, derandomize=True, database=None, deadline=None)
@given(
    held=st.lists(
        st.tuples(st.integers(0, 30), st.integers(1, 12), st.integers(0, 7), st.sampled_from([0xFF, 0xF, 0x30, 1])),
        max_size=14,
    ),
    moves=st.lists(st.tuples(st.integers(0, 40), st.integers(1, 15)), min_size=1, max_size=8),
)  # fmt: skip
def test_a_window_is_what_is_held_in_it(
    held: list[tuple[int, int, int, int]], moves: list[tuple[int, int]]
) -> None:
    """Wherever it goes, and whatever is entered on the way; and nobody finds more free sooner than it says."""
    sku = ids.SkuId("gb")
    entered = [
        Reservation(start, start + length, ids.GangId(f"g{number}"), sku, (Run(node, 1, mask),))
        for number, (start, length, node, mask) in enumerate(held)
    ]

    def by_hand(start: int, end: int) -> list[int]:
        masks = [0xFF] * 8
        for each in entered[: number + 1]:
            for node, _, mask in each.runs if each.start < end and each.end > start else ():
                masks[node] &= ~mask
        return masks

    window = conservative._Window(made(TWO_RACKS), {sku: 1}, 0, 1)
    number = -1
    for number, each in enumerate(entered):
        window.enter(each)
        start, length = moves[number % len(moves)]
        window.move(start, start + length)
        assert window.index.free == by_hand(start, start + length)
        whole = window.index.free.count(0xFF)
        for more in range(3):
            after = window.after(more)
            enough = [
                at for at in sorted({other.end for other in entered[: number + 1] if other.end > start})
                if by_hand(at, at + length).count(0xFF) >= whole + more
            ]  # fmt: skip
            if more and enough:
                assert after is not None
                assert after <= enough[0]
