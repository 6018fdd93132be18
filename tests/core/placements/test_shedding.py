"""Who stops when a level may carry less, within which time, and who comes back first."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.core import claims, supply
from forebay.core.ids import CurtailmentId, GangId
from forebay.core.placements.gang import Ending, GangStopping, Level, Order, StopGang, Tier
from forebay.core.placements.sheddings import (
    GangShed,
    SheddingClosed,
    SheddingOpened,
    SheddingOverdue,
)
from forebay.core.supply import Carrier, CurtailedLevel
from forebay.core.units import SECOND_US
from tests.core import plant
from tests.core.plant import LENT, T0, Driver, contract, feed, hall, rack, site, tranche

#: Two racks of four nodes of eight GPUs, 1 kW a GPU and 1 kW a rack: 66 kW with all at work.
FEED = CurtailedLevel(Carrier.FEED, "f1")
SPOT: dict[str, Any] = {"tier": Tier.SPOT, "tenant": "bravo"}


def shared() -> Driver:
    """Acme has a rack and lends it; bravo is on the pool."""
    own = contract("c1", "acme", tranche("t1", lending=LENT))
    return plant.plant(own, contract("c2", "bravo"), sites=[site(feeds=[feed("f1", 66_000)])])


def shed(driver: Driver) -> list[str]:
    return [event.gang for _, event in driver.events if isinstance(event, GangShed)]


def stop_all(driver: Driver) -> None:
    for gang in driver.live():
        if gang.phase == "stopping":
            driver.end(gang.spec.id, Ending.STOPPED)


def test_a_curtailment_sheds_spot_then_loans_then_on_demand_then_claims() -> None:
    driver = shared()
    driver.run("own", 16, tranche="t1")
    driver.run("demand", 16, tenant="bravo")
    driver.run("spot-1", 8, **SPOT)
    driver.run("spot-2", 8, **SPOT)
    driver.run("lent", 16, **SPOT)
    assert driver.gang("lent").lender == "t1"
    # 2 kW of racks and 64 kW of work: step by step.
    for most_w, gone in (
        (58_000, ["spot-2"]),
        (50_000, ["spot-1"]),
        (40_000, ["lent"]),
        (30_000, ["demand"]),
        (10_000, ["own"]),
    ):
        before = len(shed(driver))
        driver.curtail(f"k{most_w}", "f1", most_w)
        assert shed(driver)[before:] == gone
        assert driver.last(SheddingOpened).deadline_at == driver.at + 60 * SECOND_US
        stop_all(driver)
        assert not driver.world.state.placements.sheddings


def test_as_few_as_it_takes_are_shed() -> None:
    driver = plant.plant(sites=[site(feeds=[feed("f1", 66_000)])])
    driver.run("large", 32)
    driver.run("small", 8)
    driver.run("latest", 8)
    # The latest would not be enough, so the large one has to go: then the small ones are spared.
    driver.curtail("heat", "f1", 20_000)
    assert shed(driver) == ["large"]
    assert driver.phases("small", "latest") == ["running", "running"]


def test_the_record_is_open_from_the_first_second_until_the_load_is_down() -> None:
    driver = plant.plant(sites=[site(feeds=[feed("f1", 66_000)])])
    driver.run("g1", 32, grace_s=600)
    driver.curtail("heat", "f1", 20_000, respond_s=120)
    record = driver.world.state.placements.sheddings[FEED]
    assert (record.excess_w, record.deadline_at, record.curtailment) == (14_000, T0 + 120 * SECOND_US, "heat")
    # It asked for ten minutes, and has what there is time for: its end is to be known by the deadline.
    stop = [effect for effect in driver.effects if isinstance(effect, StopGang)]
    assert [(effect.grace_s, effect.reason) for effect in stop] == [(108, "curtailed")]
    driver.later(120)
    assert driver.last(SheddingOverdue).excess_w == 14_000
    driver.end("g1", Ending.STOPPED)
    assert driver.count(SheddingClosed) == 1
    assert not driver.world.state.placements.sheddings


def test_who_stops_anyway_by_the_deadline_is_not_asked() -> None:
    driver = plant.plant(sites=[site(feeds=[feed("f1", 66_000)])])
    driver.run("short", 32, walltime_s=60, grace_s=10)
    driver.run("long", 16)
    driver.curtail("heat", "f1", 20_000, respond_s=120)
    assert shed(driver) == []
    assert driver.world.state.placements.sheddings[FEED].excess_w == 30_000


def test_who_takes_too_long_to_stop_is_hurried() -> None:
    driver = plant.plant(sites=[site(feeds=[feed("f1", 66_000)])])
    driver.run("g1", 32, grace_s=3600)
    driver.cancel("g1")
    driver.curtail("heat", "f1", 20_000, respond_s=300)
    assert shed(driver) == ["g1"]
    assert driver.last(GangStopping).reason == "cancelled"
    assert driver.effects[-1] == StopGang(GangId("g1"), 1, 270, "cancelled", driver.world.seq)
    assert driver.end("g1", Ending.STOPPED).phase == "ended"
    assert not driver.world.state.placements.shed


def test_a_planned_curtailment_sheds_before_it_begins() -> None:
    driver = plant.plant(sites=[site(feeds=[feed("f1", 66_000)])])
    driver.run("g1", 32, walltime_s=86_400)
    begins = T0 + 7200 * SECOND_US
    driver.curtail("grid", "f1", 20_000, start_at=begins, end_at=begins + 3600 * SECOND_US, respond_s=600)
    driver.later(7200 - 601)
    assert driver.phase("g1") == "running"
    driver.later(1)
    assert driver.phase("g1") == "stopping"
    assert driver.world.state.placements.sheddings[FEED].deadline_at == begins
    driver.end("g1", Ending.STOPPED)
    assert driver.phase("g1") == "pending"
    # It is back as soon as that is over.
    driver.later(600 + 3600)
    assert driver.phase("g1") == "placed"
    assert not driver.world.state.supply.curtailments


def test_nothing_is_placed_that_would_be_over_a_limit_to_come() -> None:
    driver = plant.plant(sites=[site(feeds=[feed("f1", 66_000)])])
    begins = T0 + 7200 * SECOND_US
    driver.curtail("grid", "f1", 20_000, start_at=begins, respond_s=600)
    # Gone by then, its grace included; not gone by then, and under the limit; and not.
    assert driver.run("short", 32, walltime_s=7100, grace_s=100).phase == "running"
    assert driver.run("long", 16, walltime_s=86_400).phase == "running"
    assert driver.submit("more", 8, walltime_s=86_400).phase == "pending"
    assert driver.submit("less", 2, walltime_s=86_400).phase == "placed"
    # Who is there for a second longer is there.
    assert driver.submit("late", 8, walltime_s=7100, grace_s=101).phase == "pending"
    assert driver.submit("in-time", 7, walltime_s=7100, grace_s=100).phase == "placed"


def test_what_a_claim_has_a_right_to_is_kept_from_the_pool_under_a_limit_to_come() -> None:
    own = contract("c1", "acme", tranche("t1"))
    driver = plant.plant(own, contract("c2", "bravo"), sites=[site(feeds=[feed("f1", 66_000)])])
    driver.curtail("grid", "f1", 42_000, start_at=T0 + 7200 * SECOND_US)
    # The claim's own work may be gone by then, and its right to 32 kW is not.
    driver.run("own", 32, tranche="t1", walltime_s=60)
    assert driver.submit("g1", 16, tenant="bravo", walltime_s=86_400).phase == "pending"
    assert driver.submit("g2", 8, tenant="bravo", walltime_s=86_400).phase == "placed"


def test_restored_are_claims_first_then_on_demand_then_spot() -> None:
    driver = shared()
    driver.run("spot", 8, **SPOT)
    driver.run("demand", 8, tenant="bravo")
    driver.run("own", 32, tranche="t1")
    driver.curtail("heat", "f1", 3_000)
    assert shed(driver) == ["spot", "demand", "own"]
    stop_all(driver)
    driver.submit("new", 8, tenant="bravo")
    driver.lift("heat")
    placed = sorted(driver.live(), key=lambda gang: gang.placed_seq)
    assert [gang.spec.id for gang in placed] == ["own", "demand", "spot", "new"]
    assert not driver.world.state.placements.shed


def test_a_claims_own_work_takes_the_power_of_others_under_a_curtailment() -> None:
    driver = shared()
    driver.run("demand", 8, tenant="bravo")
    driver.run("large", 16, **SPOT)
    driver.run("small", 8, **SPOT)
    driver.curtail("heat", "f1", 34_000)
    assert shed(driver) == []
    driver.submit("own", 16, tranche="t1")
    # 34 kW are drawn. The latest is not enough, so the large one makes room and the latest is spared.
    assert shed(driver) == ["large"]
    assert driver.last(GangShed).for_gang == "own"
    stop_all(driver)
    assert driver.phase("own") == "placed"


def test_what_is_shed_is_not_lent() -> None:
    driver = shared()
    driver.run("own", 32, tranche="t1")
    driver.curtail("heat", "f1", 30_000)
    stop_all(driver)
    # The claim's nodes are idle, and there is power for some of them.
    assert driver.submit("spot", 40, **SPOT).phase == "pending"
    assert driver.submit("loan", 8, **SPOT | {"within": Level.RACK}).phase == "pending"
    assert driver.submit("own-2", 8, tranche="t1").phase == "placed"


def test_a_deeper_curtailment_opens_the_record_again() -> None:
    driver = plant.plant(sites=[site(feeds=[feed("f1", 66_000)])])
    driver.run("g1", 16)
    driver.run("g2", 16)
    driver.curtail("heat", "f1", 20_000)
    assert shed(driver) == ["g2"]
    driver.later(30).curtail("more", "f1", less_w=60_000)
    assert shed(driver) == ["g2", "g1"]
    record = driver.world.state.placements.sheddings[FEED]
    assert (record.curtailment, record.excess_w) == ("more", 28_000)
    driver.lift("heat")
    driver.lift("more")
    assert not driver.world.state.placements.sheddings
    assert driver.world.placed.index.headroom_w(0) == 66_000 - 34_000


def test_a_curtailment_that_passed_while_nobody_looked_leaves_nothing() -> None:
    driver = plant.plant(sites=[site(feeds=[feed("f1", 66_000)])])
    driver.run("g1", 32, walltime_s=86_400 * 9)
    driver.curtail("grid", "f1", 20_000, start_at=T0 + 7200 * SECOND_US, end_at=T0 + 9000 * SECOND_US)
    world = driver.world.fork()
    events = world.wake(T0 + 10_000 * SECOND_US).events
    assert events == [supply.CurtailmentEnded(CurtailmentId("grid"), lifted=False)]


def test_a_loop_that_turns_out_smaller_than_its_heat_is_shed() -> None:
    feeds = [feed("f1", 66_000)]
    racks = hall("h1", rack("r1", on="f1"), rack("r2", on="f1"))
    driver = plant.plant(sites=[site(feeds=feeds, halls=[racks])], skus=[plant.sku(liquid_ppm=750_000)])
    driver.run("g1", 32)
    hung = hall("h1", rack("r1", on="f1", loop="cdu"), rack("r2", on="f1"))
    plan = site(feeds=feeds, halls=[hung], loops=[supply.LoopPlan("cdu", 18_000, 100_000)])  # type: ignore[arg-type]
    driver.ask(supply.ApplySite(plan))
    opened = driver.last(SheddingOpened)
    assert (opened.carrier, opened.name, opened.curtailment) == (Carrier.LIQUID, "cdu", "")
    assert opened.excess_w == 750 + 24_000 - 18_000
    assert shed(driver) == ["g1"]


def test_a_shedding_whose_curtailment_ends_at_its_deadline_is_not_late() -> None:
    driver = plant.plant(sites=[site(feeds=[feed("f1", 66_000)])])
    driver.run("g1", 32)
    driver.curtail("heat", "f1", 20_000, end_at=T0 + 60 * SECOND_US)
    driver.later(60)
    assert driver.count(SheddingClosed) == 1
    assert driver.count(SheddingOverdue) == 0


def test_what_is_wiped_draws_nothing() -> None:
    driver = shared()
    driver.policy(turnover_s=600)
    own = contract("c3", "acme", tranche("t2", lending=supply_lending(3600), start_at=T0 + SECOND_US))
    driver.ask(claims.SignContract(own))
    driver.later(1)
    driver.run("loan", 32, **SPOT)
    assert driver.gang("loan").lender == "t2"
    driver.curtail("heat", "f1", 20_000)
    driver.end("loan", Ending.STOPPED)
    # Its nodes are wiped for ten minutes, and what they draw is no more.
    assert driver.gang("loan").returns_at
    assert not driver.world.state.placements.sheddings


def supply_lending(deadline_s: int) -> claims.Lending:
    return claims.Lending(reclaim_deadline_s=deadline_s, owner_share_ppm=400_000)


def test_conservative_plans_with_the_limits_that_are_announced() -> None:
    driver = plant.plant(sites=[site(feeds=[feed("f1", 66_000)])])
    driver.policy(order=Order.CONSERVATIVE)
    begins = T0 + 7200 * SECOND_US
    driver.curtail("grid", "f1", 20_000, start_at=begins, end_at=begins + 3600 * SECOND_US)
    assert driver.submit("short", 32, walltime_s=3600).phase == "placed"
    assert driver.submit("long", 32, walltime_s=86_400).phase == "pending"
    assert driver.submit("less", 16, walltime_s=86_400).phase == "placed"
    driver.start("short")
    driver.start("less")
    driver.later(3600)
    driver.end("short")
    driver.later(7199)
    assert driver.phase("long") == "pending"
    driver.later(1)
    assert driver.phase("long") == "placed"


def test_records_that_are_wrong_are_found() -> None:
    driver = plant.plant(sites=[site(feeds=[feed("f1", 66_000)])])
    driver.run("g1", 32)
    driver.curtail("heat", "f1", 20_000)
    world = driver.world
    held = world.state.placements.sheddings.pop(FEED)
    with pytest.raises(AssertionError, match="carries 14000 W more than it may, and no shedding is open"):
        world.check()
    world.state.placements.sheddings[CurtailedLevel(Carrier.FEED, "f1")] = held
    world.check()
    shed = world.state.placements.shed
    shed[GangId("g2")] = shed[GangId("g1")]
    with pytest.raises(AssertionError, match="gang g2 is shed, and is not"):
        world.check()
    del shed[GangId("g2")]
    driver.end("g1", Ending.STOPPED)
    world.state.placements.sheddings[FEED] = held
    with pytest.raises(
        AssertionError, match="a shedding of feed f1 is open, which carries no more than it may"
    ):
        world.check()


def test_the_deadline_of_one_of_two_sheddings_passes() -> None:
    feeds, halls = (
        [feed("f1", 70_000), feed("f2", 70_000)],
        [hall("h1", rack("r1", on="f1"), rack("r2", on="f2"))],
    )
    driver = plant.plant(sites=[site(feeds=feeds, halls=halls)])
    for name in ("g1", "g2"):
        driver.run(name, 32, grace_s=600, within=Level.RACK)
    driver.curtail("soft", "f1", 20_000, respond_s=300)
    driver.curtail("hard", "f2", 20_000, respond_s=120)
    driver.later(120)
    held = driver.world.state.placements.sheddings
    assert [(level.name, each.overdue) for level, each in sorted(held.items())] == [
        ("f1", False),
        ("f2", True),
    ]
