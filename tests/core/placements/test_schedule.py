"""What is decided about gangs: who is taken in, placed, stopped and started again, and in which order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from forebay.core import claims, ids, money, supply
from forebay.core.claims import Lending, Unit
from forebay.core.ids import GangId
from forebay.core.placements import gang as gangs
from forebay.core.placements import schedule
from forebay.core.placements.gang import (
    ApplyPolicy,
    Ending,
    Level,
    Policy,
    RunGang,
    StopGang,
    SubmitGang,
    Tier,
)
from forebay.core.units import DAY_US, SECOND_US
from tests.core import plant
from tests.core.plant import (
    EDGE,
    LENT,
    T0,
    Driver,
    contract,
    feed,
    hall,
    rack,
    site,
    sku,
    spec,
    tranche,
)

FULL: dict[str, Any] = {"tier": Tier.SPOT, "grace_s": 60}


def lending(racks: int = 1, terms: Lending | None = LENT, **policy: Any) -> Driver:
    """Acme has `racks` of two racks and lends them; bravo may run on demand and on spot."""
    own = contract("c1", "acme", tranche("t1", racks, lending=terms))
    return plant.plant(own, contract("c2", "bravo"), policy=Policy(**policy) if policy else None)


# Taking in


@pytest.mark.parametrize(
    ("terms", "code", "field"),
    [
        ({"name": "a b", "sku": "x"}, "bad_id", "id"),
        ({"name": "taken", "sku": "x"}, "duplicate_id", "id"),
        ({"sku": "x", "gpus": 0}, "unknown_sku", "sku"),
        ({"gpus": 0, "walltime_s": 0}, "bad_quantity", "gpus"),
        ({"gpus": 10**7 + 1}, "bad_quantity", "gpus"),
        ({"walltime_s": 0, "grace_s": -1}, "bad_quantity", "walltime_s"),
        ({"walltime_s": schedule.WALLTIME_S_MAX + 1}, "bad_quantity", "walltime_s"),
        ({"grace_s": -1, "checkpoint_s": -1}, "bad_quantity", "grace_s"),
        ({"grace_s": schedule.GRACE_S_MAX + 1}, "bad_quantity", "grace_s"),
        ({"checkpoint_s": -1, "restarts_max": -1}, "bad_quantity", "checkpoint_s"),
        ({"restarts_max": -1, "tenant": "carol"}, "bad_quantity", "restarts_max"),
        ({"restarts_max": -1, "near": Level.HALL, "within": Level.RACK}, "bad_quantity", "restarts_max"),
        ({"near": Level.HALL, "within": Level.RACK, "slice_gpus": 4}, "bad_shape", "near"),
        ({"slice_gpus": -8, "gpus": 16}, "bad_shape", "slice_gpus"),
        ({"slice_gpus": 12, "gpus": 24}, "bad_shape", "slice_gpus"),
        ({"slice_gpus": 16, "gpus": 24, "tenant": "carol"}, "bad_shape", "slice_gpus"),
        ({"tranche": "t1", "tier": Tier.ON_DEMAND, "tenant": "carol"}, "bad_tier", "tranche"),
        ({"tenant": "carol", "sites": ("x",)}, "no_contract", "tier"),
        ({"tenant": "carol", "tier": Tier.SPOT}, "no_contract", "tier"),
        ({"sites": ("north", "x"), "gpus": 65}, "unknown_site", "sites"),
        ({"tier": Tier.DEDICATED}, "unknown_tranche", "tranche"),
        ({"tranche": "t9"}, "unknown_tranche", "tranche"),
        ({"tranche": "t1", "tenant": "bravo"}, "unknown_tranche", "tranche"),
        ({"tranche": "over", "sku": "s1"}, "tranche_over", "tranche"),
        ({"tranche": "t1", "sku": "s1", "sites": ("x",)}, "sku_not_promised", "sku"),
        ({"tranche": "t1", "sites": ("x",), "gpus": 65}, "unknown_site", "sites"),
        ({"gpus": 65}, "never_fits", "gpus"),
        ({"gpus": 33, "tranche": "t1"}, "never_fits", "gpus"),
        ({"gpus": 9, "within": Level.NODE}, "never_fits", "gpus"),
        ({"gpus": 33, "within": Level.RACK}, "never_fits", "gpus"),
        ({"gpus": 41, "within": Level.HALL}, "never_fits", "gpus"),
        ({"gpus": 9, "sites": ("south",)}, "never_fits", "gpus"),
        ({"gpus": 33, "within": Level.ROW}, "never_fits", "gpus"),
        # North has a rack of four nodes and one of one: there is room for two slices of two nodes.
        ({"gpus": 48, "slice_gpus": 16, "tier": Tier.SPOT}, "never_fits", "gpus"),
        ({"gpus": 1, "sku": "s1", "tier": Tier.SPOT}, "never_fits", "gpus"),
        ({"gpus": 1, "sku": "s1", "within": Level.NODE}, "never_fits", "gpus"),
        # 33 kW on north's feed, 2 kW of base loads: 31 GPUs of 1 kW.
        ({"gpus": 32, "sites": ("north",), "within": Level.RACK}, "never_fits", "gpus"),
        ({"gpus": 32, "sites": ("north",), "within": Level.HALL}, "never_fits", "gpus"),
        ({"gpus": 32, "sites": ("north",)}, "never_fits", "gpus"),
    ],
)
def test_what_is_not_taken_in(terms: dict[str, Any], code: str, field: str) -> None:
    halls = (hall("h1", rack("r1"), rack("r2", nodes=1)),)
    south = site("south", (feed("f9"),), (hall("h9", rack("r9", on="f9", nodes=1)),))
    driver = plant.plant(
        contract(
            "c1",
            "acme",
            tranche("t1", 3, unit=Unit.NODE),
            tranche("over", site="south", unit=Unit.NODE, end_at=T0 + DAY_US),
        ),
        contract("c2", "bravo"),
        skus=(sku(), sku("s1", gpus_per_node=1)),
        sites=(site("north", (feed("f1", 33_000),), halls), south),
        priced=False,
    )
    listed = [
        money.Price(tier, ids.SkuId(name), 1)
        for tier in (Tier.ON_DEMAND, Tier.SPOT)
        for name in ("hgx", "s1")
    ]
    driver.ask(money.ApplyPriceList(money.PriceList(1, "USD", 0, tuple(listed))))
    driver.submit("taken", 1)
    driver.later(days=1)
    refusal = driver.refused(SubmitGang(spec(**terms)))
    assert (refusal.code, refusal.field) == (code, field), refusal.detail


@pytest.mark.parametrize(
    ("within", "room"), [(Level.SITE, 5), (Level.HALL, 4), (Level.ROW, 3), (Level.RACK, 2), (Level.NODE, 0)]
)
def test_slices_that_no_state_of_the_plant_holds(within: Level, room: int) -> None:
    """Racks of four and three nodes in a row, of three in another; a rack of three in another hall."""
    halls = (
        hall("h1", rack("r1", row="a"), rack("r2", row="a", nodes=3), rack("r3", row="b", nodes=3)),
        hall("h2", rack("r4", nodes=3)),
    )
    driver = plant.plant(
        contract("c1", "acme", tranche("t1", 2, unit=Unit.NODE)), sites=(site("north", (feed("f1"),), halls),)
    )
    terms: dict[str, Any] = {"slice_gpus": 16, "within": within}
    for slices in range(1, room + 1):
        driver.submit(f"g{slices}", 16 * slices, **terms)
    refusal = driver.refused(SubmitGang(spec("more", 16 * (room + 1), **terms)))
    assert refusal.code == "never_fits"
    if within in (Level.HALL, Level.SITE):
        asked = f"{room + 1} slices of 16 GPUs, each in one rack and all within one {within}"
        assert refusal.detail == f"{asked}: there is room for {room} at the most"
        assert refusal.told_to(plant.tenant("acme")) == f"nothing here could ever hold {asked}"
    # A tranche's own promise is no secret to its owner.
    refusal = driver.refused(SubmitGang(spec("own", 16, tranche="t1", slice_gpus=16, within=Level.NODE)))
    assert refusal.code == "never_fits"


def test_slices_count_racks_of_their_own_kind_and_site() -> None:
    """Another kind of rack, and another site, have room too; it is not for these."""
    halls = (hall("h1", rack("r1"), rack("r2", "s1")),)
    south = site("south", (feed("f9"),), (hall("h9", rack("r9", on="f9")),))
    driver = plant.plant(skus=(sku(), sku("s1")), sites=(site("north", (feed("f1"),), halls), south))
    refusal = driver.refused(SubmitGang(spec("g", 32, sites=("north",), slice_gpus=16, within=Level.NODE)))
    assert refusal.code == "never_fits"
    driver.submit("g1", 32, sites=("north",), slice_gpus=16)
    refusal = driver.refused(SubmitGang(spec("g2", 24, sites=("north",), slice_gpus=24, within=Level.NODE)))
    assert refusal.code == "never_fits"
    assert driver.nodes("g1") == [0, 1, 2, 3]


def test_slices_on_a_tranche_whose_racks_are_still_to_come() -> None:
    driver = plant.plant(
        contract("c2", "bravo"),
        sites=(site("north", (feed("f1"),), (hall("h1", rack("r1", nodes=2), rack("r2", nodes=2)),)),),
    )
    own = contract("c1", "acme", tranche("t1", 2))
    driver.ask(claims.SignContract(own, override="racks are on their way"))
    driver.submit("g1", 32, tranche="t1", slice_gpus=32)
    assert driver.phase("g1") == "pending"


def test_what_could_never_fit_may_once_more_stands_there() -> None:
    driver = plant.plant(sites=(site(racks=1),))
    large = SubmitGang(spec(gpus=64))
    assert driver.refused(large).code == driver.refused(large).code == "never_fits"
    driver.ask(supply.ApplySite(site(racks=2)))
    driver.ask(large)


def test_a_tenant_is_not_told_how_large_the_plant_is() -> None:
    driver = plant.plant()
    refusal = driver.refused(SubmitGang(spec(gpus=65)))
    assert refusal.detail == "65 GPUs of hgx are asked for; the largest site has 64"
    told = refusal.told_to(plant.tenant("acme"))
    assert told == "nothing here could ever hold 65 GPUs of hgx within one site"


def test_a_hall_may_hang_on_several_feeds() -> None:
    feeds = (feed("f1", 17_000), feed("f2", 17_000))
    halls = (hall("h1", rack("r1"), rack("r2", on="f2")),)
    driver = plant.plant(sites=(site("north", feeds, halls),))
    driver.submit("g1", 32, within=Level.HALL)
    assert driver.nodes("g1") == [0, 1, 4, 5]
    assert driver.refused(SubmitGang(spec("g2", 17, within=Level.RACK))).code == "never_fits"
    assert driver.refused(SubmitGang(spec("g2", 33, within=Level.HALL))).code == "never_fits"


def test_an_id_is_made_from_the_worlds_name_and_the_sequence() -> None:
    driver = plant.plant()
    made = driver.ask(SubmitGang(spec("", 8)))["gang"]
    assert made == f"lab-g{driver.world.seq - 1}"
    assert driver.phase(made) == "placed"


# The life of a gang


def test_placed_started_completed() -> None:
    driver = plant.plant()
    driver.submit("g1", 16)
    assert driver.effects == [
        RunGang(
            GangId("g1"), 1, ids.TenantId("acme"), (gangs.Run(0, 2, 0xFF),), 30, 0, None,
            driver.gang("g1").placed_seq,
        )
    ]  # fmt: skip
    assert driver.world.desired() == driver.effects
    driver.start("g1")
    assert driver.phase("g1") == "running"
    assert driver.start("g1") == driver.gang("g1")
    assert driver.count(gangs.GangStarted) == 1
    driver.later(60).end("g1")
    assert (driver.phase("g1"), driver.gang("g1").reason) == ("ended", "completed")
    assert driver.world.desired() == []


@pytest.mark.parametrize(
    ("report", "code", "field"),
    [
        (gangs.ReportGangStarted(GangId("g9"), 1, T0, "sim"), "unknown_gang", "gang"),
        (gangs.ReportGangStarted(GangId("g1"), 0, T0, "sim"), "stale_generation", "generation"),
        (gangs.ReportGangStarted(GangId("waits"), 0, T0, "sim"), "stale_generation", "generation"),
        (gangs.ReportGangEnded(GangId("g9"), 1, T0, "sim", Ending.FAILED), "unknown_gang", "gang"),
        (gangs.ReportGangEnded(GangId("g1"), 2, T0, "sim", Ending.FAILED), "stale_generation", "generation"),
        (
            gangs.ReportGangEnded(GangId("done"), 1, T0, "sim", Ending.FAILED),
            "stale_generation",
            "generation",
        ),
    ],
)
def test_reports_that_are_refused(report: ids.Command, code: str, field: str) -> None:
    driver = plant.plant()
    driver.run("done", 8)
    driver.end("done")
    driver.run("g1", 64)
    driver.submit("waits", 8)
    refusal = driver.refused(report, EDGE)
    assert (refusal.code, refusal.field) == (code, field)


def test_facts_take_effect_between_the_placement_and_now() -> None:
    driver = plant.plant()
    driver.submit("g1", 8)
    driver.later(100).start("g1", ago_s=5000)
    assert driver.gang("g1").started_at == T0
    driver.later(100).end("g1", ago_s=-50)
    assert driver.last(gangs.GangEnded).effective_at == driver.at


def test_failures_restart_in_front_on_the_same_hosts_until_too_many() -> None:
    driver = plant.plant(policy=Policy(backoff_s=5, backoff_s_max=12))
    driver.run("g1", 32, restarts_max=5)
    pauses = []
    for failure in range(1, 6):
        driver.end("g1", Ending.FAILED)
        assert driver.gang("g1").failures == failure
        before = driver.at
        driver.until(max(driver.gang("g1").not_before, driver.at))
        pauses.append((driver.at - before) // SECOND_US)
        assert driver.nodes("g1") == [0, 1, 2, 3]
        driver.start("g1")
    assert pauses == [0, 5, 10, 12, 12]
    driver.end("g1", Ending.LOST)
    assert (driver.phase("g1"), driver.gang("g1").reason, driver.gang("g1").generation) == (
        "ended",
        "lost",
        6,
    )


def test_the_pause_stays_at_its_longest() -> None:
    driver = plant.plant(policy=Policy(backoff_s=1, backoff_s_max=600))
    driver.run("g1", 8, restarts_max=100)
    for _ in range(50):
        driver.end("g1", Ending.FAILED)
        before = driver.at
        driver.until(max(driver.gang("g1").not_before, driver.at))
    assert (driver.at - before) // SECOND_US == 600


def test_who_failed_stands_before_older_ones() -> None:
    driver = plant.plant()
    driver.run("g1", 64)
    driver.submit("waits", 64)
    driver.later(10).end("g1", Ending.FAILED)
    assert driver.phases("g1", "waits") == ["placed", "pending"]
    assert driver.gang("g1").generation == 2


@pytest.mark.parametrize(
    ("ending", "phase", "failures"),
    [
        (Ending.COMPLETED, "ended", 0),
        (Ending.UNSTARTABLE, "ended", 0),
        (Ending.FAILED, "placed", 1),
        (Ending.LOST, "placed", 1),
        (Ending.STOPPED, "placed", 0),
    ],
)
def test_what_follows_from_an_ending(ending: Ending, phase: str, failures: int) -> None:
    driver = plant.plant()
    driver.submit("g1", 8)
    driver.end("g1", ending)
    assert (driver.phase("g1"), driver.gang("g1").failures) == (phase, failures)


@pytest.mark.parametrize("ending", [Ending.FAILED, Ending.LOST])
def test_no_restart_is_left(ending: Ending) -> None:
    driver = plant.plant()
    driver.run("g1", 8, restarts_max=0)
    driver.end("g1", ending)
    assert (driver.phase("g1"), driver.gang("g1").reason) == ("ended", ending.value)


def test_a_gang_may_complete_while_it_is_stopped() -> None:
    driver = plant.plant()
    driver.run("g1", 8)
    driver.cordon(0, drain=True)
    driver.end("g1", Ending.COMPLETED)
    assert (driver.phase("g1"), driver.gang("g1").reason) == ("ended", "completed")


def test_what_its_engine_stopped_goes_on_in_front() -> None:
    """As when a host goes down: no failure of the gang's."""
    driver = plant.plant()
    driver.run("g1", 64, restarts_max=0)
    driver.submit("waits", 64)
    driver.end("g1", Ending.STOPPED)
    assert (driver.phases("g1", "waits"), driver.gang("g1").failures) == (["placed", "pending"], 0)
    assert (driver.gang("g1").generation, driver.gang("g1").interruptions) == (2, 1)


def test_what_its_engine_stops_again_and_again_is_over_at_last() -> None:
    driver = plant.plant(policy=Policy(backoff_s=5, interruptions_max=3))
    driver.run("g1", 8, restarts_max=0)
    for pause_s in (0, 5, 10):
        driver.end("g1", Ending.STOPPED)
        driver.later(pause_s - 1 if pause_s else 0)
        assert driver.phase("g1") == ("pending" if pause_s else "placed")
        driver.later(1 if pause_s else 0).start("g1")
    driver.end("g1", Ending.STOPPED)
    gang = driver.gang("g1")
    assert (gang.phase, gang.reason, gang.interruptions) == ("ended", "stopped", 4)
    assert (gang.failures, gang.generation) == (0, 4)


def test_what_its_engine_never_starts_is_over_at_last() -> None:
    driver = plant.plant(policy=Policy(backoff_s=5, start_timeout_s=60, interruptions_max=2))
    driver.submit("g1", 8)
    for pause_s in (0, 5):
        driver.later(60)
        assert (driver.phase("g1"), driver.gang("g1").again) == ("stopping", True)
        driver.end("g1", Ending.STOPPED)
        driver.later(pause_s)
        assert driver.phase("g1") == "placed"
    driver.later(60)
    assert (driver.phase("g1"), driver.gang("g1").again) == ("stopping", False)
    driver.end("g1", Ending.STOPPED)
    assert (driver.phase("g1"), driver.gang("g1").reason) == ("ended", "start_timeout")


def test_failures_and_interruptions_are_counted_apart() -> None:
    driver = plant.plant(policy=Policy(backoff_s=5, interruptions_max=1))
    driver.run("g1", 8, restarts_max=1)
    driver.end("g1", Ending.STOPPED)
    # The first failure is restarted at once, whatever interrupted it before.
    driver.end("g1", Ending.FAILED)
    assert (driver.phase("g1"), driver.gang("g1").failures, driver.gang("g1").interruptions) == (
        "placed",
        1,
        1,
    )
    # What we asked for does not count.
    driver.cordon(0, drain=True)
    driver.end("g1", Ending.STOPPED)
    assert (driver.phase("g1"), driver.gang("g1").failures, driver.gang("g1").interruptions) == (
        "placed",
        1,
        1,
    )
    driver.end("g1", Ending.STOPPED)
    assert driver.phase("g1") == "ended"


# Nodes that fail, drain or are kept free


def test_a_failed_node_stops_the_gang_whole_and_nobody_takes_its_hosts() -> None:
    driver = plant.plant()
    driver.run("g1", 32)
    driver.run("other", 24)
    driver.submit("waits", 24)
    driver.fail(1)
    assert driver.effects[-1] == StopGang(GangId("g1"), 1, 30, "node_failed", driver.world.seq)
    assert driver.world.desired()[0] == replace(driver.effects[-1], cause=driver.gang("g1").placed_seq)
    driver.later(20).end("g1", Ending.STOPPED)
    # The three hosts that are well, and the spare; its failure is not counted.
    assert driver.nodes("g1") == [0, 2, 3, 7]
    assert (driver.phases("g1", "waits"), driver.gang("g1").failures) == (["placed", "pending"], 0)


def test_within_a_rack_the_own_hosts_are_preferred_too() -> None:
    driver = plant.plant(sites=(site(racks=2),))
    driver.run("small", 8)
    driver.run("g1", 16, within=Level.RACK)
    assert driver.nodes("g1") == [1, 2]
    driver.run("b", 16)
    driver.end("small")
    driver.end("b")
    driver.fail(1)
    driver.end("g1", Ending.STOPPED)
    assert driver.nodes("g1") == [0, 2]


def test_drain_moves_work_away_and_cordon_lets_it_be() -> None:
    driver = plant.plant()
    driver.run("g1", 8)
    driver.cordon(0)
    assert driver.phase("g1") == "running"
    driver.submit("g2", 8)
    assert driver.nodes("g2") == [1]
    driver.cordon(0, drain=True)
    assert driver.gang("g1").reason == "drain"
    # Asked again it is not stopped twice.
    driver.cordon(0, drain=True)
    assert driver.count(gangs.GangStopping) == 1
    driver.end("g1", Ending.STOPPED)
    assert driver.nodes("g1") == [2]
    driver.submit("full", 48)
    assert driver.phase("full") == "pending"
    driver.cancel("full")
    driver.submit("g3", 40)
    driver.submit("g4", 8)
    assert driver.phases("g3", "g4") == ["placed", "pending"]
    driver.uncordon(0)
    assert driver.nodes("g4") == [0]


# Cancelling


@pytest.mark.parametrize("phase", ["pending", "backoff", "placed", "running", "stopping", "leaving"])
def test_cancel_in_each_phase(phase: str) -> None:
    driver = plant.plant()
    driver.submit("full", 64) if phase == "pending" else None
    driver.submit("g1", 8)
    if phase == "backoff":
        driver.end("g1", Ending.FAILED)
        driver.end("g1", Ending.FAILED)
    if phase in ("running", "stopping", "leaving"):
        driver.start("g1")
    if phase == "stopping":
        driver.cordon(0, drain=True)
        driver.later(10)
    if phase == "leaving":
        driver.later(hours=1)
    stops = driver.count(gangs.GangStopping)
    gang = driver.cancel("g1")
    if phase in ("pending", "backoff"):
        assert (gang.phase.value, gang.reason) == ("ended", "cancelled")
        assert driver.count(gangs.GangStopping) == stops
        driver.later(hours=2)
    else:
        assert gang.phase.value == "stopping"
        assert driver.count(gangs.GangStopping) == stops + (phase != "leaving")
        # The grace runs from when it was first asked to stop.
        assert gang.stopping_at == driver.at - (10 * SECOND_US if phase == "stopping" else 0)
        driver.end("g1", Ending.STOPPED)
    assert driver.phase("g1") == "ended"
    assert driver.refused(gangs.CancelGang(GangId("g1"))).code == "already_ended"


def test_cancel_of_what_is_not_there() -> None:
    assert plant.plant().refused(gangs.CancelGang(GangId("g1"))).code == "unknown_gang"


# Who goes first


def test_small_ones_overtake_a_large_one_only_so_long() -> None:
    """The bound: what was placed before `overtake_s` had passed, to its limit of time, and its grace."""
    driver = plant.plant(policy=Policy(overtake_s=1000))
    for n in range(4):
        driver.run(f"first{n}", 16, walltime_s=400)
    driver.submit("large", 64)
    since = driver.at
    alive = [f"first{n}" for n in range(4)]
    placed_after_bound = []
    for n in range(40):
        driver.later(50)
        driver.submit(
            f"s{n}", 8 if n % 2 else 16, walltime_s=400, tier=Tier.ON_DEMAND if n % 3 else Tier.SPOT
        )
        alive.append(f"s{n}")
        for name in list(alive):
            gang = driver.gang(name)
            if gang.phase.value == "placed":
                driver.start(name)
                if driver.at - since > 1000 * SECOND_US and driver.phase("large") == "pending":
                    placed_after_bound.append(name)
            elif gang.phase.value == "stopping":
                driver.end(name, Ending.STOPPED)
                alive.remove(name)
        if driver.phase("large") != "pending":
            break
    assert placed_after_bound == []
    waited_s = (driver.gang("large").placed_at - since) // SECOND_US
    assert 1000 < waited_s <= 1000 + 400 + 50 + 50
    assert any(driver.gang(f"s{n}").generation for n in range(12))


def test_own_work_is_not_overtaken_for_ever_either() -> None:
    driver = plant.plant(contract("c1", "acme", tranche("t1", 2)), policy=Policy(overtake_s=100))
    driver.run("a", 32, tranche="t1")
    driver.submit("large", 64, tranche="t1")
    driver.submit("b", 16, tranche="t1")
    assert driver.phases("large", "b") == ["pending", "placed"]
    driver.later(100).submit("c", 8, tranche="t1")
    assert driver.phase("c") == "pending"
    driver.end("b")
    assert driver.phases("large", "c") == ["pending", "pending"]
    driver.end("a")
    assert driver.phases("large", "c") == ["placed", "pending"]


def test_who_waited_long_does_not_bar_itself() -> None:
    driver = plant.plant(policy=Policy(overtake_s=100))
    driver.run("g1", 8)
    driver.later(200).end("g1", Ending.FAILED)
    driver.end("g1", Ending.FAILED)
    driver.later(5)
    assert (driver.phase("g1"), driver.gang("g1").generation) == ("placed", 3)


def test_who_is_barred_goes_on_when_the_large_one_is_withdrawn() -> None:
    driver = plant.plant(policy=Policy(overtake_s=0))
    driver.run("a", 8)
    driver.submit("large", 64)
    driver.submit("b", 8)
    driver.submit("c", 8, tier=Tier.SPOT)
    assert driver.phases("b", "c") == ["pending", "pending"]
    driver.cancel("large")
    assert driver.phases("b", "c") == ["placed", "placed"]


def test_a_new_policy_lets_who_was_barred_go_on() -> None:
    driver = plant.plant(policy=Policy(overtake_s=0))
    driver.run("a", 8)
    driver.submit("large", 64)
    driver.submit("b", 8)
    driver.policy(overtake_s=600)
    assert driver.phase("b") == "placed"


def test_pauses_that_end_at_once() -> None:
    """Tranches come first; of one shape only the first is tested once it did not fit."""
    driver = lending(racks=2)
    names = ("s1", "s2", "s3", "own")
    for name in names:
        driver.run(name, 16, **({"tranche": "t1"} if name == "own" else FULL))
    for name in names * 2:
        driver.end(name, Ending.FAILED)
    for node in (0, 1, 2, 3):
        driver.cordon(node)
    driver.later(5)
    assert driver.phases("own", "s1", "s2", "s3") == ["placed", "placed", "pending", "pending"]


def test_tiers_come_in_order() -> None:
    driver = plant.plant()
    driver.run("full", 64)
    driver.submit("spot", 64, tier=Tier.SPOT)
    driver.submit("demand", 64)
    driver.end("full")
    assert driver.phases("spot", "demand") == ["pending", "placed"]


def test_sites_are_taken_in_the_order_of_preference() -> None:
    south = site("south", (feed("f9"),), (hall("h9", rack("r9", on="f9")),))
    driver = plant.plant(sites=(site(), south))
    driver.submit("g1", 8, sites=("south", "north"))
    assert driver.nodes("g1") == [8]
    driver.submit("g2", 40, sites=("south", "north"))
    assert driver.nodes("g2") == [0, 1, 2, 3, 4]
    driver.submit("g3", 32, sites=("south",))
    assert driver.phase("g3") == "pending"
    driver.submit("g4", 8)
    assert driver.nodes("g4") == [5]


def test_power_is_never_exceeded() -> None:
    driver = plant.plant(sites=(site("north", (feed("f1", 20_000),)),))
    driver.run("g1", 8)
    driver.submit("g2", 8)
    driver.submit("g3", 8)
    assert driver.phases("g2", "g3") == ["placed", "pending"]
    driver.submit("g4", 2)
    assert driver.phase("g4") == "placed"
    driver.end("g1")
    assert driver.phase("g3") == "placed"


# Questions


def test_by_when_a_gang_is_expected_to_start() -> None:
    driver = plant.plant()
    driver.run("a", 32, walltime_s=100)
    driver.run("b", 32, walltime_s=1000)
    driver.submit("g1", 64)
    driver.submit("g2", 8)

    def expected(name: str) -> int | None:
        desk = driver.world._desk(driver.at)
        return schedule.expected_start(desk, driver.gang(name))

    assert expected("g1") == T0 + 1030 * SECOND_US
    assert expected("g2") == T0 + 130 * SECOND_US
    driver.later(100)
    assert expected("g2") == T0 + 130 * SECOND_US
    driver.later(100)
    assert expected("g2") == driver.at
    driver.fail(0)
    assert expected("g1") is None


def _too_small(driver: Driver, name: str) -> tuple[int, str] | None:
    found = schedule.too_small_until(driver.world._desk(driver.at), driver.gang(name))
    return None if found is None else ((found.at - T0) // SECOND_US, found.tranche)


def test_a_pool_that_is_too_small_until_a_term_ends() -> None:
    """Of three racks one is bravo's for an hour, and lent, and one from then on for ten minutes."""
    terms = (
        tranche("t1", end_at=T0 + 3600 * SECOND_US, lending=LENT),
        tranche("t2", start_at=T0 + 3600 * SECOND_US, end_at=T0 + 4200 * SECOND_US),
    )
    driver = plant.plant(contract("c1", "acme"), contract("c2", "bravo", *terms), sites=(site(racks=3),))
    driver.run("long", 8, walltime_s=7200)
    driver.submit("two", 64, walltime_s=60)
    driver.submit("three", 96)
    driver.submit("spot", 96, tier=Tier.SPOT)
    driver.fail(11)
    assert [_too_small(driver, name) for name in ("two", "three", "spot")] == [
        None, (4200, "t2"), (4200, "t2"),
    ]  # fmt: skip
    desk = driver.world._desk(driver.at)
    assert schedule.expected_start(desk, driver.gang("three")) is None
    driver.recover(11)
    desk = driver.world._desk(driver.at)
    assert schedule.expected_start(desk, driver.gang("three")) == T0 + (7200 + 30) * SECOND_US
    # Vacancy for it is when the second term ends, before what runs has ended.
    assert schedule.expected_start(desk, driver.gang("two")) == T0 + 4200 * SECOND_US


def test_what_may_borrow_waits_for_no_term() -> None:
    """The pool is one rack, and two are lent when their owner leaves them idle."""
    driver = plant.plant(
        contract("c1", "acme"),
        contract("c2", "bravo", tranche("t1", 2, lending=LENT)),
        sites=(site(racks=3),),
    )
    driver.submit("own", 40, tenant="bravo", tranche="t1")
    driver.submit("own2", 40, tenant="bravo", tranche="t1")
    driver.submit("spot", 64, tier=Tier.SPOT)
    driver.submit("demand", 64)
    assert driver.phases("own2", "spot", "demand") == ["pending"] * 3
    assert [_too_small(driver, name) for name in ("spot", "demand")] == [
        None,
        (plant.YEAR_US // SECOND_US, "t1"),
    ]


def test_no_end_of_a_term_helps_where_power_is_short() -> None:
    # Each bears eleven GPUs: one whole node, and three of the four that are left of twenty.
    racks = [rack(f"r{n}", limit_w=12_000) for n in (1, 2)]
    driver = plant.plant(
        contract("c1", "acme", tranche("t1", unit=Unit.NODE)),
        sites=(site("north", (feed("f1"),), (hall("h1", *racks),)),),
    )
    driver.submit("g1", 20)
    assert _too_small(driver, "g1") is None
    # Nor does one that is over.
    driver.until(T0 + 2 * plant.YEAR_US)
    assert _too_small(driver, "g1") is None
    assert schedule.expected_start(driver.world._desk(driver.at), driver.gang("g1")) is None


def test_an_invariant_that_does_not_hold_is_found() -> None:
    driver = plant.plant(contract("c1", "acme", tranche("t1")))
    driver.run("g1", 32, tranche="t1")
    driver.submit("g2", 8, tranche="t1")
    world = driver.world.fork()
    gone = world.state.placements.gangs.pop(GangId("g1"))
    world.placed.index.release(gone.runs, 1_000)
    world.placed.stirred = False
    world.placed.arrivals.clear()
    assert list(schedule.check(world._desk(driver.at))) == ["gang g2 waits though it fits its own claim"]


@pytest.mark.parametrize(
    "policy",
    [
        {"depth": 0}, {"depth": -1}, {"depth": 10**6 + 1}, {"overtake_s": -1}, {"start_timeout_s": 0},
        {"interruptions_max": -1}, {"interruptions_max": 10**6 + 1},
    ],
)  # fmt: skip
def test_impossible_policies(policy: dict[str, Any]) -> None:
    driver = plant.plant()
    assert driver.refused(ApplyPolicy(Policy(2, **policy))).code == "bad_quantity"
