"""Is what is kept up from one promise to the next what a way through all that runs would find?"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, run_state_machine_as_test

from forebay.core import claims, ids, supply
from forebay.core.placements import promises, schedule
from forebay.core.placements.gang import Order, Phase
from forebay.core.placements.index import Index
from tests.core import machine, plant
from tests.core.plant import Driver


class Promising(machine.Machine):
    """Anything in any order under EASY backfill, and after each step every promise asked for in both ways."""

    @initialize(order=st.sampled_from([Order.EASY, Order.EASY_DEPTH]))
    def policy(self, order: Order) -> None:
        self.driver.policy(order=order)

    @invariant()
    def kept_is_found(self) -> None:
        compare(self.driver)


def compare(driver: Driver) -> int:
    """How many promises there are; each is the same in both ways."""
    desk = driver.world._desk(driver.world.now)
    promises.bring_up_to_date(desk)
    firsts = [first.gang for first in desk.derived.promised.values() if first is not None]
    for gang in firsts:
        if gang.phase is Phase.PENDING and not promises.fits(desk, gang, desk.derived.index):
            kept, found = promises.promise_kept(desk, gang), schedule.promise(desk, gang)
            assert (kept is None) is (found is None)
            if kept is not None and found is not None:
                assert (kept.gang, kept.at) == (found.gang, found.at)
                assert shown(kept.then) == shown(found.then)
    return len(firsts)


def shown(index: Index) -> tuple[object, ...]:
    return index.buckets(), index.load_w, index.reserved_w


def test_kept_is_found_whatever_happens() -> None:
    run_state_machine_as_test(
        Promising,
        settings=settings(
            max_examples=20, stateful_step_count=30, derandomize=True, database=None, deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


def test_who_starts_beside_a_promise_under_a_curtailment_leaves_less_for_the_next() -> None:
    """Each of two leaves the first its place when it is promised to start; both do not."""
    driver = plant.plant(sites=[plant.site(feeds=[plant.feed("f1", 100_000)])])
    driver.policy(order=Order.EASY)
    driver.curtail("heat", "f1", 90_000)
    for name, gpus, walltime_s in (("long", 16, 2000), ("short", 24, 300), ("brief", 24, 300)):
        driver.run(name, gpus, walltime_s=walltime_s)
    for name, gpus in (("first", 40), ("second", 8), ("third", 8)):
        driver.submit(name, gpus, walltime_s=1000)
    driver.end("brief")
    assert driver.phases("first", "second", "third") == ["pending", "placed", "pending"]
    assert compare(driver) == 1
    driver.end("short")
    assert driver.phases("first", "third") == ["placed", "pending"]


def test_a_promise_counts_with_the_heat_of_loops() -> None:
    """The loop carries off what two nodes of three give: whoever is first gets its place when one of them is free."""
    halls = (plant.hall("h1", plant.rack("r1", loop="cdu")),)
    site = plant.site(halls=halls, loops=(supply.LoopPlan(ids.LoopId("cdu"), 13_000, 9_000),))
    own = plant.tranche("t1", 1, unit=claims.Unit.NODE)
    driver = plant.plant(
        plant.contract("c1", "acme", own, on_demand=True),
        sites=(site,),
        skus=(plant.sku(liquid_ppm=750_000),),
    )
    driver.policy(order=Order.EASY)
    driver.run("a", 8, walltime_s=100)
    driver.submit("b", 16, walltime_s=100)
    assert driver.phases("a", "b") == ["running", "pending"]
    assert compare(driver) == 1
    driver.end("a")
    driver.world.check()


def test_a_promise_that_would_last_into_a_curtailment_is_found_anew() -> None:
    """When the first could start, a limit is about to fall under which it has no room."""
    driver = plant.plant(sites=[plant.site(feeds=[plant.feed("f1", 66_000)])])
    driver.policy(order=Order.EASY)
    driver.curtail("heat", "f1", 20_000, start_at=plant.T0 + 7200 * 10**6, end_at=plant.T0 + 9000 * 10**6)
    driver.run("now", 64, walltime_s=5000)
    driver.submit("first", 32, walltime_s=4000)
    assert compare(driver) == 1
    (promised,) = driver.world.placed.promised.values()
    assert promised is not None
    assert (promised.at - plant.T0) // 10**6 >= 9000
