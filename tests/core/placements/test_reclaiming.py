"""Lent capacity is called back: from whom, until when, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.core import ids
from forebay.core.placements import gang as gangs
from forebay.core.placements.checkpoints import ReportCheckpoint
from forebay.core.placements.gang import Ending, Level, Policy, Tier
from forebay.core.units import SECOND_US
from tests.core import plant
from tests.core.plant import EDGE, LENT, Driver, contract, site, tranche

SPOT: dict[str, Any] = {"tenant": "bravo", "tier": Tier.SPOT, "grace_s": 60, "walltime_s": 86_400}


def lending(racks: int = 2, *, more: int = 1, **policy: Any) -> Driver:
    """Acme has `racks` racks of four nodes and lends them; whatever the pool has is used."""
    driver = plant.plant(
        contract("c1", "acme", tranche("t1", racks, lending=LENT)),
        contract("c2", "bravo"),
        sites=(site(racks=racks + more),),
        policy=Policy(**policy) if policy else None,
    )
    for number in range(more):
        driver.run(f"pool{number}", 32, tenant="bravo", walltime_s=86_400)
    return driver


def saved(driver: Driver, name: str, ago_s: int = 0) -> dict[str, Any]:
    since = driver.at - ago_s * SECOND_US
    return driver.ask(ReportCheckpoint(ids.GangId(name), driver.gang(name).generation, since, "sim"), EDGE)


def stopping(driver: Driver) -> list[str]:
    return sorted(gang.spec.id for gang in driver.live() if gang.phase is gangs.Phase.STOPPING)


# By lost work


def test_whoever_wrote_a_checkpoint_last_goes() -> None:
    driver = lending()
    driver.run("b1", 32, **SPOT)
    driver.run("b2", 32, **SPOT)
    driver.later(100)
    assert saved(driver, "b1", 10) == {"gang": "b1", "changed": True}
    driver.submit("own", 32, tranche="t1", within=Level.RACK)
    assert stopping(driver) == ["b1"]
    assert driver.last(gangs.LoanReclaimed).lost_gpu_us == 32 * 10 * SECOND_US


def test_intervals_say_it_where_nothing_is_reported() -> None:
    driver = lending()
    driver.run("b1", 32, **SPOT, checkpoint_s=90)
    driver.run("b2", 32, **SPOT, checkpoint_s=60)
    driver.later(100)
    driver.submit("own", 32, tranche="t1")
    assert stopping(driver) == ["b1"]
    assert driver.last(gangs.LoanReclaimed).lost_gpu_us == 32 * 10 * SECOND_US


def test_who_has_not_started_loses_nothing() -> None:
    driver = lending()
    driver.run("b1", 32, **SPOT)
    driver.submit("b2", 32, **SPOT)
    driver.submit("own", 32, tranche="t1")
    assert stopping(driver) == ["b2"]
    assert driver.last(gangs.LoanReclaimed).lost_gpu_us == 0


def test_what_a_start_takes_counts_too() -> None:
    """Many GPUs that lose little, or few that lose more."""
    for restart_s, goes in ((0, "b3"), (60, "b1")):
        driver = lending(restart_s=restart_s)
        driver.run("b1", 8, **SPOT)
        driver.later(50).run("b2", 32, **SPOT)
        driver.run("b3", 24, **SPOT)
        driver.later(1)
        driver.submit("own", 8, tranche="t1")
        assert stopping(driver) == [goes]


def test_two_racks_at_once_rather_than_two_gangs() -> None:
    driver = lending(4)
    driver.run("wide", 64, **SPOT)
    driver.later(60)
    for name in ("b1", "b2"):
        driver.run(name, 32, **SPOT)
    driver.later(70)
    saved(driver, "wide", 20)
    driver.submit("own", 64, tranche="t1", slice_gpus=32)
    assert stopping(driver) == ["wide"]
    driver.end("wide", Ending.STOPPED)
    assert driver.phase("own") == "placed"


@pytest.mark.parametrize(
    ("ago_s", "changed", "lost_s"), [(30, True, 30), (1000, True, 100), (-5, True, 0), (100, True, 100)]
)
def test_reported_checkpoints(ago_s: int, changed: bool, lost_s: int) -> None:
    """Never before the start, never later than now."""
    driver = lending()
    driver.run("b1", 32, **SPOT)
    driver.run("b2", 32, **SPOT)
    driver.cancel("b2")
    driver.end("b2", Ending.STOPPED)
    driver.later(100)
    assert saved(driver, "b1", ago_s)["changed"] is changed
    assert saved(driver, "b1", max(ago_s, 0) + 1)["changed"] is False
    driver.submit("own", 64, tranche="t1")
    assert driver.last(gangs.LoanReclaimed).lost_gpu_us == 32 * lost_s * SECOND_US


def test_checkpoints_that_are_refused() -> None:
    driver = lending()

    def refused(name: str, generation: int) -> str:
        return driver.refused(ReportCheckpoint(ids.GangId(name), generation, driver.at, "sim"), EDGE).code

    driver.submit("b1", 8, **SPOT)
    assert refused("b9", 1) == "unknown_gang"
    assert refused("b1", 0) == "stale_generation"
    assert refused("b1", 1) == "not_started"
    driver.start("b1")
    saved(driver, "b1")
    driver.end("b1", Ending.FAILED)
    assert driver.world.state.placements.lending.checkpoints == {}
    driver.start("b1")
    saved(driver, "b1")
    assert driver.world.state.placements.lending.checkpoints[ids.GangId("b1")].generation == 2
    theirs = ReportCheckpoint(ids.GangId("b1"), 2, driver.at, "cli")
    assert driver.refused(theirs, plant.tenant("acme")).code == "unknown_gang"
    assert driver.ask(theirs, plant.tenant("bravo"))["changed"] is False


# What is not enough


def test_power_that_is_short_calls_nobody_back_in_vain() -> None:
    """Somebody else's nodes are not its own: where no loan helps, none is called back."""
    driver = lending()
    driver.run("own", 40, tranche="t1")
    driver.run("b1", 24, **SPOT)
    driver.submit("own2", 32, tranche="t1")
    assert stopping(driver) == []
    assert driver.phase("own2") == "pending"


# Always


def test_others_go_instead_of_one_that_stays_past_its_deadline() -> None:
    """The engine is silent: its nodes count as undeliverable, and the next cheapest leaves in its place."""
    driver = lending()
    driver.run("b1", 32, **SPOT)
    driver.later(10).run("b2", 32, **SPOT)
    driver.later(1).submit("own", 32, tranche="t1", within=Level.RACK)
    assert stopping(driver) == ["b2"]
    driver.later(299)
    assert driver.book() == (0, 64, 0)
    driver.later(1)
    assert driver.book() == (0, 32, 32)
    assert stopping(driver) == ["b1", "b2"]
    driver.end("b1", Ending.STOPPED)
    assert (driver.phase("own"), driver.nodes("own")) == ("placed", driver.nodes("b1"))
    # The one that was silent is gone at last.
    driver.end("b2", Ending.STOPPED)
    assert driver.book() == (32, 32, 0)


def test_nobody_else_goes_where_that_would_not_help() -> None:
    driver = lending()
    driver.run("b1", 32, **SPOT)
    driver.run("b2", 16, **SPOT)
    driver.run("own", 16, tranche="t1")
    driver.later(1).submit("own2", 32, tranche="t1", within=Level.RACK)
    assert stopping(driver) == ["b1"]
    driver.later(300)
    assert driver.book() == (16, 16, 32)
    assert stopping(driver) == ["b1"]


# Shapes stay whole


def test_what_was_called_back_for_a_rack_is_not_taken_piece_by_piece() -> None:
    """Borrowers leave one by one: a smaller gang of the owner that came later does not break the rack."""
    driver = lending(1)
    for name in ("b1", "b2", "b3", "b4"):
        driver.run(name, 8, **SPOT)
    driver.submit("own", 32, tranche="t1", within=Level.RACK)
    driver.submit("small", 8, tranche="t1")
    for name in ("b1", "b2", "b3"):
        driver.later(10).end(name, Ending.STOPPED)
        assert driver.phases("own", "small") == ["pending", "pending"]
    driver.end("b4", Ending.STOPPED)
    assert driver.phases("own", "small") == ["placed", "pending"]


def test_who_comes_later_goes_by_where_that_takes_nothing_away() -> None:
    driver = lending(2)
    driver.run("b1", 32, **SPOT)
    driver.run("b2", 24, **SPOT)
    driver.submit("own", 32, tranche="t1", within=Level.RACK)
    assert stopping(driver) == ["b2"]
    # The node that is free belongs to the rack that comes back; with the other rack called back too, it does not.
    driver.submit("small", 8, tranche="t1")
    assert stopping(driver) == ["b1", "b2"]
    assert driver.phases("own", "small") == ["pending", "placed"]
    driver.submit("late", 8, tranche="t1")
    assert driver.phase("late") == "pending"
    driver.end("b2", Ending.STOPPED)
    assert driver.phases("own", "late") == ["pending", "placed"]
    driver.end("b1", Ending.STOPPED)
    assert driver.phase("own") == "placed"


def test_a_node_that_fails_during_the_reclaim() -> None:
    """The rack has a hole: another is called back whole, and the gang starts within that deadline."""
    driver = lending(2)
    driver.run("b1", 32, **SPOT)
    driver.later(5).run("b2", 32, **SPOT)
    driver.submit("own", 32, tranche="t1", within=Level.RACK)
    assert stopping(driver) == ["b2"]
    driver.later(30).fail(driver.nodes("b2")[0])
    assert stopping(driver) == ["b1", "b2"]
    driver.later(60).end("b1", Ending.STOPPED)
    assert (driver.phase("own"), len({node // 4 for node in driver.nodes("own")})) == ("placed", 1)


def test_nothing_is_kept_for_who_does_not_fit_any_more() -> None:
    """The one rack has a hole: whoever of the owner comes later takes what comes back."""
    driver = lending(1)
    for name in ("b1", "b2", "b3", "b4"):
        driver.run(name, 8, **SPOT)
    driver.submit("own", 32, tranche="t1", within=Level.RACK)
    driver.later(10).fail(driver.nodes("b1")[0])
    driver.submit("small", 8, tranche="t1")
    driver.later(10).end("b2", Ending.STOPPED)
    assert driver.phases("own", "small") == ["pending", "placed"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from([1, 2, 4, 8, 16, 24, 32]), min_size=1, max_size=14),
    st.lists(st.integers(0, 60), min_size=14, max_size=14),
    st.integers(1, 3),
    st.booleans(),
)
def test_an_owner_has_its_whole_nvlink_domain_back_by_the_deadline(
    sizes: list[int], stays: list[int], racks: int, fifo: bool
) -> None:
    """Whatever is lent, and however long each borrower uses its grace: at the deadline the owner's gang has one rack
    whole, and nothing lent holds a part of it. Wiping, checking and the ramp are within the deadline too.
    """
    order = gangs.Order.FIFO if fifo else Policy().order
    driver = lending(racks, order=order, scrub_s=120, check_s=60, reclaim_ramp_s=60)
    for number, gpus in enumerate(sizes):
        driver.submit(f"b{number}", gpus, **SPOT)
    for number in range(len(sizes)):
        if driver.phase(f"b{number}") == "placed":
            driver.start(f"b{number}")
    called = driver.later(7).at
    driver.submit("own", 32, tranche="t1", within=Level.RACK)
    for _ in range(241):
        for name in stopping(driver):
            if driver.at >= called + stays[int(name[1:])] * SECOND_US:
                driver.end(name, Ending.STOPPED)
        if driver.phase("own") == "placed":
            break
        driver.later(1)
    assert driver.phase("own") == "placed"
    assert driver.at <= called + (300 - 60) * SECOND_US
    (rack,) = {node // 4 for node in driver.nodes("own")}
    for gang in driver.live():
        if gang.lender and gang.phase in gangs.HOLDING:
            assert rack not in {node // 4 for node in driver.nodes(gang.spec.id)}


# Until when


@pytest.mark.parametrize(
    ("figures", "lent"),
    [
        ({}, True),
        ({"turnover_s": 240}, True),
        ({"turnover_s": 241}, False),
        ({"scrub_s": 100, "check_s": 100, "reclaim_ramp_s": 40}, True),
        ({"scrub_s": 101, "check_s": 100, "reclaim_ramp_s": 40}, False),
        ({"turnover_s": 41, "scrub_s": 100, "reclaim_ramp_s": 100}, False),
    ],
)
def test_a_loan_that_could_not_be_back_in_time_is_not_made(figures: dict[str, int], lent: bool) -> None:
    driver = lending(**figures)
    driver.submit("b1", 8, **SPOT)
    assert driver.phase("b1") == ("placed" if lent else "pending")
    told = driver.world.explain(ids.GangId("b1"), plant.tenant("bravo"))
    assert isinstance(told, dict)
    if not lent:
        longest = max(figures.values())
        facts = " ".join(told["facts"])
        assert "is lent to who can be gone in 300 s; this gang takes up to 301 s (" in facts
        assert f" {longest} s" in facts.split("(")[1].split(",")[0]


def test_wiping_and_checking_hold_nodes_back_and_the_ramp_does_not() -> None:
    driver = lending(1, scrub_s=20, check_s=10, reclaim_ramp_s=60, turnover_s=1)
    driver.run("b1", 32, **SPOT)
    effect = next(each for each in reversed(driver.effects) if isinstance(each, gangs.RunGang))
    assert (effect.gang, effect.reclaim_s) == ("b1", 300)
    driver.submit("own", 32, tranche="t1")
    driver.end("b1", Ending.STOPPED)
    driver.later(30)
    assert driver.phase("own") == "pending"
    driver.later(1)
    assert driver.phase("own") == "placed"
    effect = next(each for each in reversed(driver.effects) if isinstance(each, gangs.RunGang))
    assert (effect.gang, effect.reclaim_s) == ("own", 0)


@pytest.mark.parametrize("scrub_pool", [False, True])
def test_the_pool_is_wiped_between_tenants_where_the_policy_says_so(scrub_pool: bool) -> None:
    driver = lending(1, scrub_s=20, scrub_pool=scrub_pool)
    driver.submit("next", 32, tenant="acme")
    driver.end("pool0")
    assert driver.phase("next") == ("pending" if scrub_pool else "placed")
    driver.later(20)
    assert driver.phase("next") == "placed"
    # Dedicated nodes have one tenant.
    driver.run("own", 32, tranche="t1")
    driver.end("own")
    assert driver.gang("own").returns_at == 0


# By what rule


def test_who_is_evicted_is_told_the_rule_and_the_numbers() -> None:
    driver = lending(1)
    driver.run("b1", 32, **SPOT)
    driver.later(50).submit("else", 1, tenant="bravo")
    told = driver.world.explain(ids.GangId("b1"), plant.tenant("bravo"))
    assert isinstance(told, dict)
    loan = [
        (
            "It may be called back at any time: that takes up to 60 s of the 300 s after which it is due back "
            "(grace 60 s)."
        ),
        "Called back at 2026-01-01T00:00:50Z it would lose 1600 GPU-seconds of work.",
    ]
    assert [fact for fact in told["facts"] if fact in loan] == loan
    driver.submit("own", 32, tranche="t1")
    rule = [
        "By the rule: lent capacity goes back when its owner needs it; those leave who lose the least work in all.",
    ]
    cost = "At 2026-01-01T00:00:50Z that cost it 1600 GPU-seconds of work since its last checkpoint."
    for who, named in ((plant.tenant("bravo"), "other work"), (plant.OPERATOR, "own, on tranche t1")):
        due = f"What it borrowed was called back for {named}: due by 2026-01-01T00:05:50Z"
        told = driver.world.explain(ids.GangId("b1"), who)
        assert isinstance(told, dict)
        assert [fact for fact in told["facts"] if fact in (*rule, f"{due}.")] == [*rule, f"{due}."]
    driver.later(300)
    told = driver.world.explain(ids.GangId("b1"), plant.OPERATOR)
    assert isinstance(told, dict)
    assert any(fact.endswith("due by 2026-01-01T00:05:50Z, and is late.") for fact in told["facts"])
    driver.end("b1", Ending.STOPPED)
    told = driver.world.explain(ids.GangId("b1"), plant.tenant("bravo"))
    assert isinstance(told, dict)
    assert rule[0] in told["facts"]
    assert cost in told["facts"]
    driver.cancel("b1")
    assert driver.world.state.placements.lending.evicted == {}


def test_evictions_by_other_rules_and_loans_that_leave_anyway() -> None:
    driver = lending(2)
    driver.run("b1", 32, **SPOT)
    driver.run("b2", 32, **SPOT)
    driver.later(10).cordon(driver.nodes("b1")[0], drain=True)
    kept = driver.world.state.placements.lending
    assert kept.evicted[ids.GangId("b1")].reason == "drain"
    driver.cancel("b2")
    assert list(kept.evicted) == ["b1"]
    driver.submit("own", 24, tranche="t1", within=Level.RACK)
    assert kept.evicted[ids.GangId("b1")].reason == "drain"
    assert {name for names in kept.called_for.values() for name in names} <= {"b1", "b2"}
    driver.cancel("b1")
    driver.cancel("own")
    assert (kept.called_for, kept.evicted) == ({}, {})
