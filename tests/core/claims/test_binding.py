"""Which racks tranches get: those that stand, then those that come, and what that means for work and books."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from forebay.core import claims, usage
from forebay.core.claims import Unit
from forebay.core.ids import GangId, SkuId, TrancheId
from forebay.core.placements.gang import Ending, Level, SubmitGang, Tier
from forebay.core.units import DAY_US, HOUR_US
from tests.core import auditor, machine, plant
from tests.core.claims import market
from tests.core.claims.market import bound, come, day, promise, ramp, reach, short, shorts, sign, slip
from tests.core.plant import Driver, contract, spec, tenant

#: GPUs for a month.
LONG: dict[str, Any] = {"walltime_s": 31 * 86_400}


def test_racks_that_come_are_bound_to_who_waits() -> None:
    driver = market.market(contract("c1", "acme", promise("t1", 3, start=30)), stands=1, comes=2)
    assert bound(driver) == [(0, 4)]
    driver.until(day(30))
    reach(driver)
    come(driver, 1)
    assert bound(driver) == [(0, 8)]
    come(driver, 1)
    assert bound(driver) == [(0, 12)]
    assert [event.runs for _, event in driver.events if isinstance(event, claims.TrancheBound)] == [
        ((0, 4),), ((4, 4),), ((8, 4),),
    ]  # fmt: skip


def test_what_comes_while_the_term_runs_passes_over_at_once() -> None:
    driver = market.market(contract("c1", "acme", promise("t1", 2, start=30)), stands=1, comes=1)
    driver.submit("b1", 32, tenant="nobody", **LONG)
    driver.until(day(30))
    driver.end("b1", Ending.STOPPED)
    reach(driver)
    held = driver.world.state.claims.tranches[TrancheId("t1")]
    assert (held.standing.value, held.gpus, held.started_at) == ("live", 32, day(30))
    driver.later(hours=1)
    come(driver, 1)
    held = driver.world.state.claims.tranches[TrancheId("t1")]
    assert (held.gpus, held.later) == (64, ((4, 4, day(30) + HOUR_US),))
    assert [claims.held_since(held, node) for node in (0, 4, 7)] == [
        day(30),
        day(30) + HOUR_US,
        day(30) + HOUR_US,
    ]
    assert driver.world.placed.index.owner == ["t1"] * 8
    driver.later(hours=1)
    # An hour of one rack, then an hour of two.
    assert usage.tranche_lines(driver.world.state.usage, driver.at)[0].entitled_gpu_us == (32 + 64) * HOUR_US
    auditor.same_books(driver.world, driver.events)


def test_whoever_is_on_racks_that_pass_over_is_evicted() -> None:
    """A tranche that was short takes racks from the pool once another's term is over."""
    first = promise("t1", 1, end=10)
    driver = market.market(contract("c1", "acme", first), stands=2, comes=0)
    driver.ask(sign(contract("c2", "bravo", promise("t2", 2)), override="it ends soon"))
    assert (shorts(driver), bound(driver, "t2")) == ([("t2", 4, 0, 10)], [(4, 4)])
    driver.run("own", 32, tranche="t1", **LONG)
    driver.until(day(10))
    assert (driver.phase("own"), driver.gang("own").reason) == ("stopping", "claim_ended")
    assert bound(driver, "t2") == [(0, 8)]
    assert driver.book("t2") == (0, 0, 32)
    driver.later(60).end("own", Ending.STOPPED)
    assert driver.book("t2") == (0, 0, 0)
    auditor.same_books(driver.world, driver.events)


def test_a_gang_of_the_pool_leaves_racks_that_come_to_a_tranche() -> None:
    driver = market.market(stands=2, comes=2, on=30)
    driver.ask(sign(contract("c1", "acme", promise("a", 1), promise("b", 1, end=40))))
    driver.ask(sign(contract("c2", "bravo", ramp((30, 1), (35, 1), name="t2"))))
    reach(driver.until(day(30)))
    come(driver, 2)
    assert bound(driver, "t2") == [(8, 4)]
    driver.run("pool", 32, tenant="nobody", **LONG)
    assert driver.nodes("pool") == [12, 13, 14, 15]
    driver.until(day(35))
    assert (driver.phase("pool"), driver.gang("pool").reason) == ("stopping", "claim_started")
    assert (bound(driver, "t2"), driver.book("t2")) == ([(8, 8)], (0, 0, 32))
    driver.end("pool", Ending.STOPPED)
    driver.later(hours=5)
    auditor.same_books(driver.world, driver.events)
    machine.same_when_replayed(driver.world, driver.events)


def test_deliveries_are_handed_over_on_their_dates_and_not_before() -> None:
    driver = market.market(contract("c1", "acme", ramp((0, 1), (10, 1), (20, 2))), stands=4, comes=0)
    assert bound(driver) == [(0, 4)]
    driver.until(day(10) - 1)
    assert driver.world.state.claims.tranches[TrancheId("t1")].gpus == 32
    driver.until(day(10))
    assert bound(driver) == [(0, 8)]
    driver.until(day(20))
    assert bound(driver) == [(0, 16)]
    machine.same_when_replayed(driver.world, driver.events)
    driver.close()
    line = next(line for _, line in _lines(driver) if line.tranche == "t1")
    assert line.entitled_gpu_us == 32 * 20 * DAY_US + 32 * 10 * DAY_US


def _lines(driver: Driver) -> list[tuple[int, usage.TrancheLine]]:
    return [
        (at, line)
        for at, event in driver.events
        if isinstance(event, usage.PeriodClosed)
        for line in event.tranches
    ]


def test_a_ramp_that_is_signed_late_has_what_was_due_meanwhile() -> None:
    driver = market.market(stands=4, comes=0).later(days=10)
    driver.ask(sign(contract("c1", "acme", ramp((0, 1), (10, 1), (20, 2)))))
    assert bound(driver) == [(0, 8)]


def test_a_short_tranche_is_bound_as_far_as_it_is_not_short() -> None:
    """Half of a block comes: both who wait for it get half, as the recorded shortfall says."""
    driver = market.market(stands=1, comes=4, on=30)
    driver.ask(sign(contract("c0b", "nobody", promise("old", 1))))
    both = (promise("t1", 2, start=30), promise("t2", 2, start=30))
    driver.ask(sign(contract("c1", "acme", both[0])))
    driver.ask(sign(contract("c2", "bravo", both[1])))
    slip(driver, 60)
    come(driver, 2)
    assert shorts(driver) == [("t1", 4, 30, 60), ("t2", 4, 30, 60)]
    driver.until(day(30))
    nodes = {name: sum(count for _, count in bound(driver, name)) for name in ("old", "t1", "t2")}
    assert nodes == {"old": 4, "t1": 4, "t2": 4}


def test_a_shared_stock_is_bound_as_it_was_shared_by_hand() -> None:
    driver = market.market(stands=2, comes=2, on=30)
    driver.ask(sign(contract("c1", "acme", promise("t1", 2, start=30))))
    driver.ask(sign(contract("c2", "bravo", promise("t2", 2, start=30))))
    slip(driver, 40)
    assert shorts(driver) == [("t1", 4, 30, 40), ("t2", 4, 30, 40)]
    assert (bound(driver, "t1"), bound(driver, "t2")) == ([(0, 4)], [(4, 4)])
    driver.ask(market.allocate(short("t1", 8, 30, 40)))
    assert (bound(driver, "t1"), bound(driver, "t2")) == ([], [(0, 8)])


def test_who_begins_first_takes_what_is_kept_for_later() -> None:
    driver = market.market(stands=2, comes=2, on=30)
    driver.ask(sign(contract("c1", "acme", promise("later", 2, start=60))))
    assert bound(driver, "later") == [(0, 8)]
    answer = driver.ask(sign(contract("c2", "bravo", promise("first", 2, start=5))))
    assert answer["tranches"] == {"first": [[0, 8]]}
    assert bound(driver, "later") == []
    assert driver.count(claims.TrancheUnbound) == 1
    reach(driver.until(day(30)))
    come(driver, 2)
    assert bound(driver, "later") == [(8, 8)]
    machine.same_when_replayed(driver.world, driver.events)


def test_only_what_is_in_the_way_is_bound_anew() -> None:
    driver = market.market(stands=3, comes=2, on=30)
    plans = (promise("before", 1, end=5), promise("other", 1, start=70), promise("later", 2, start=60))
    for n, plan in enumerate(plans):
        driver.ask(sign(contract(f"c{n + 1}", "acme", plan)))
    assert [bound(driver, name) for name in ("before", "other", "later")] == [[(0, 4)], [(0, 4)], [(4, 8)]]
    driver.ask(sign(contract("c9", "bravo", promise("first", 2, start=10))))
    assert [bound(driver, name) for name in ("first", "other", "later")] == [[(0, 8)], [], [(8, 4)]]
    driver.ask(sign(contract("c10", "bravo", promise("brief", 1, start=5, end=9))))
    assert bound(driver, "brief") == [(0, 4)]


def test_a_rack_of_fewer_nodes_is_not_a_whole_one() -> None:
    racks = plant.hall("h", plant.rack("r1", nodes=3), plant.rack("r2"))
    driver = plant.plant(contract("c0", "acme"), sites=(plant.site(halls=(racks,)),))
    driver.ask(sign(contract("c1", "acme", promise("t1", 1), promise("t2", 3, unit=Unit.NODE))))
    assert (bound(driver), bound(driver, "t2")) == ([(3, 4)], [(0, 3)])


# A tranche that has nothing yet


def test_a_tranche_without_racks_loses_none_over_a_close() -> None:
    driver = market.market(contract("c1", "acme", promise("t1", 2, start=30)), stands=1, comes=3)
    driver.until(day(29))
    slip(driver, 60)
    driver.until(day(40))
    assert bound(driver) == [(0, 4)]
    driver.close()
    driver.until(day(60))
    reach(driver)
    come(driver, 3)
    assert bound(driver) == [(0, 8)]
    driver.later(hours=1)
    entitled = usage.tranche_lines(driver.world.state.usage, driver.at)[0].entitled_gpu_us
    assert entitled % (64 * HOUR_US) == 32 * (day(60) - driver.world.state.usage.period_start) % (
        64 * HOUR_US
    )


def test_a_live_tranche_with_nothing_bound_over_a_close_and_after() -> None:
    driver = market.market(contract("c1", "acme", promise("full", 2)), stands=2, comes=1, on=10)
    driver.ask(sign(contract("c2", "bravo", promise("t1", 1, start=10))))
    slip(driver, 50)
    driver.until(day(12))
    assert driver.world.state.claims.tranches[TrancheId("t1")].standing is claims.Standing.LIVE
    assert driver.book() == (0, 0, 0)
    driver.submit("g", 32, tenant="bravo", tranche="t1", **LONG)
    assert driver.phase("g") == "pending"
    told = driver.world.explain(GangId("g"), tenant("bravo"))
    assert isinstance(told, dict)
    assert (told["constraint"]["have"], told["expected_start"]) == (0, None)
    driver.close()
    assert TrancheId("t1") not in driver.world.state.usage.books
    driver.until(day(33))
    reach(driver)
    come(driver, 1)
    assert (driver.phase("g"), driver.book()) == ("placed", (32, 0, 0))
    driver.start("g")
    driver.later(hours=1).fail(8, ago_s=30 * 60)
    assert driver.book() == (24, 0, 8)
    driver.recover(8)
    # News that is older than the rack is none of the tranche's.
    driver.fail(9, ago_s=20 * 86_400)
    driver.later(hours=1)
    auditor.same_books(driver.world, driver.events)
    machine.same_when_replayed(driver.world, driver.events)


def test_old_news_of_a_node_count_from_when_it_passed_over() -> None:
    driver = market.market(contract("c1", "acme", promise("t1", 3, end=100)), stands=3, comes=1, on=1)
    driver.ask(sign(contract("c2", "bravo", promise("t2", 1, start=1))))
    driver.until(day(1))
    reach(driver)
    driver.later(hours=10)
    come(driver, 1)
    driver.later(hours=10).fail(12, ago_s=15 * 3600)
    line = next(
        each for each in usage.tranche_lines(driver.world.state.usage, driver.at) if each.tranche == "t2"
    )
    assert (line.entitled_gpu_us, line.undeliverable_gpu_us) == (32 * 10 * HOUR_US, 8 * 10 * HOUR_US)
    auditor.same_books(driver.world, driver.events)


def test_a_term_that_passes_without_a_rack() -> None:
    driver = market.market(contract("c1", "acme", promise("full", 2)), stands=2, comes=1, on=10)
    driver.ask(sign(contract("c2", "bravo", promise("t1", 1, start=10, end=20))))
    slip(driver, 50)
    driver.until(day(25))
    held = driver.world.state.claims.tranches[TrancheId("t1")]
    assert (held.standing, held.gpus) == (claims.Standing.ENDED, 0)
    assert shorts(driver) == [("t1", 4, 10, 20)]
    driver.close()
    auditor.same_books(driver.world, driver.events)


# Work for racks that are still to come


def test_work_may_wait_for_racks_that_are_to_come() -> None:
    driver = market.market(contract("c1", "acme", promise("t1", 4, start=30)), stands=2, comes=2)
    rows = [
        (64, Level.SITE, ""),
        (128, Level.SITE, ""),
        (129, Level.SITE, "tranche t1, once all of it has come, has 128"),
        (32, Level.RACK, ""),
        (33, Level.RACK, "a rack has 32"),
        (8, Level.NODE, ""),
        (9, Level.NODE, "a node has 8"),
    ]
    for n, (gpus, within, why) in enumerate(rows):
        asked = SubmitGang(spec(f"g{n}", gpus, tranche="t1", within=within))
        if why:
            no = driver.refused(asked)
            assert no.code == "never_fits"
            assert no.detail.endswith(why)
        else:
            driver.ask(asked)


def test_a_rack_that_is_to_come_holds_no_more_than_is_promised() -> None:
    driver = market.market(contract("c1", "acme", promise("full", 2)), stands=2, comes=2, on=10)
    driver.ask(sign(contract("c2", "acme", promise("t1", 2, start=10, unit=Unit.NODE))))
    no = driver.refused(SubmitGang(spec("g", 17, tranche="t1", within=Level.RACK)))
    assert no.detail.endswith("a rack has 16")


def test_spot_is_lent_by_what_has_come() -> None:
    lent = ramp((0, 1), (10, 1), lending=plant.LENT)
    driver = market.market(contract("c1", "acme", lent), contract("c2", "bravo"), stands=2, comes=0)
    driver.run("pool", 32, tenant="bravo", **LONG)
    driver.run("b1", 32, tenant="bravo", tier=Tier.SPOT, **LONG)
    assert driver.gang("b1").lender == "t1"
    driver.until(day(10))
    assert (driver.phase("pool"), driver.book()) == ("stopping", (0, 32, 32))
    driver.end("pool", Ending.STOPPED)
    assert driver.book() == (0, 32, 0)


def test_who_begins_later_gives_up_power_as_well() -> None:
    """Two racks stand, and work on one of them is all that the feed carries."""
    one_w = 2 * plant.sku().rack_base_w + 32 * plant.sku().gpu_w
    known = plant.site(feeds=[plant.feed("f1", one_w)])
    driver = plant.plant(contract("c1", "acme", promise("t2", 1, start=30)), sites=[known])
    state = driver.world.state
    version = claims.rebinding.version(state.claims, state.supply, market.STOCK)
    moved = claims.Rebinding(TrancheId("t2"), ((4, 4),))
    driver.ask(claims.ProposeBinding(*market.STOCK, version, (moved,)))
    driver.ask(sign(contract("c2", "bravo", promise("t1", 1))))
    assert (bound(driver, "t1"), bound(driver, "t2")) == ([(0, 4)], [])


def test_who_gives_up_power_may_be_of_another_kind() -> None:
    """The same where the other rack is of another kind: what its tranche lacks now is looked for among its kind."""
    one_w = 2 * plant.sku().rack_base_w + 32 * plant.sku().gpu_w
    racks = plant.hall("h1", plant.rack("r1"), plant.rack("r2", "s1"))
    known = plant.site(feeds=[plant.feed("f1", one_w)], halls=[racks])
    later = replace(promise("t2", 1, start=30), sku=SkuId("s1"))
    driver = plant.plant(contract("c1", "acme", later), sites=[known], skus=(plant.sku(), plant.sku("s1")))
    assert bound(driver, "t2") == [(4, 4)]
    driver.ask(sign(contract("c2", "bravo", promise("t1", 1))))
    assert (bound(driver, "t1"), bound(driver, "t2")) == ([(0, 4)], [])
