"""What was delivered: meters by tenant and price, books by tranche, and facts that come late."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from forebay.core import books, claims, ids, meters, supply, usage
from forebay.core.claims import SignContract
from forebay.core.ids import GangId, NodeIndex, TrancheId
from forebay.core.money import ApplyPriceList
from forebay.core.placements import gang as gangs
from forebay.core.placements.gang import Ending, Tier
from forebay.core.units import DAY_US, HOUR_US, MICROS
from forebay.core.world import World
from tests.core import auditor, plant
from tests.core.plant import LENT, T0, Driver, contract, prices, tranche

GPU_H = HOUR_US


def lines(driver: Driver) -> list[tuple[int, int, int, int]]:
    """(segment, hours into the tests at which its period began, GPU-microseconds, starts)"""
    state = driver.world.state
    return [
        (line.segment, (line.period_start - T0) // HOUR_US, line.gpu_us, line.starts)
        for line in usage.lines(state.usage, state.supply, driver.at)
    ]


def book(driver: Driver, name: str = "t1") -> tuple[int, int, int, int, int]:
    """entitled, used, lent, idle, undeliverable, in GPU-hours"""
    held = books.settled_book(driver.world.state.usage.books[TrancheId(name)], driver.at)
    assert auditor.metered_use(driver.world, driver.events) == auditor.naive_use(driver.world, driver.events)
    auditor.same_books(driver.world, driver.events)
    parts = (
        held.entitled_gpu_us,
        held.used_gpu_us,
        held.lent_gpu_us,
        held.idle_gpu_us,
        held.lost_gpu_us,
    )
    assert all(part % GPU_H == 0 for part in parts)
    e, u, lent, idle, n = (part // GPU_H for part in parts)
    return e, u, lent, idle, n


# Meters


def test_use_is_metered_from_start_to_end() -> None:
    driver = plant.plant()
    driver.submit("g1", 8)
    driver.later(hours=1).start("g1")
    driver.later(hours=2)
    assert lines(driver) == [(1, 0, 16 * GPU_H, 1)]
    driver.end("g1")
    driver.later(hours=1)
    assert lines(driver) == [(1, 0, 16 * GPU_H, 1)]
    closed = usage.lines(driver.world.state.usage, driver.world.state.supply, driver.at)
    assert closed[0].energy_uj == 16 * GPU_H * 1000
    assert usage.key_of_line(closed[0]) == next(iter(driver.world.state.usage.meters))[0]
    assert (closed[0].tenant, closed[0].tier, closed[0].site) == ("acme", Tier.ON_DEMAND, "north")


def test_facts_that_come_late_count_from_when_they_took_effect() -> None:
    driver = plant.plant()
    driver.submit("g1", 8, walltime_s=86_400)
    driver.later(hours=3).start("g1", ago_s=7200)
    assert lines(driver) == [(1, 0, 16 * GPU_H, 1)]
    driver.later(hours=3).end("g1", ago_s=3600)
    assert lines(driver) == [(1, 0, 32 * GPU_H, 1)]


def test_a_late_fact_across_a_change_of_price() -> None:
    driver = plant.plant()
    driver.run("g1", 8, walltime_s=86_400)
    driver.ask(ApplyPriceList(prices(2, 4 * MICROS, effective_at=T0 + 2 * HOUR_US)))
    driver.later(hours=3)
    assert lines(driver) == [(1, 0, 16 * GPU_H, 1), (2, 0, 8 * GPU_H, 0)]
    driver.end("g1", ago_s=2 * 3600)
    assert lines(driver) == [(1, 0, 8 * GPU_H, 1)]
    driver.submit("g2", 8)
    driver.ask(ApplyPriceList(prices(3)))
    driver.later(hours=1).start("g2", ago_s=9 * 3600)
    assert lines(driver) == [(1, 0, 8 * GPU_H, 1), (3, 0, 8 * GPU_H, 1)]


def test_a_late_fact_across_a_closed_period_corrects_it() -> None:
    driver = plant.plant()
    driver.run("g1", 8, walltime_s=86_400)
    driver.submit("g2", 8)
    driver.later(hours=3).close()
    driver.ask(ApplyPriceList(prices(2)))
    driver.later(hours=1).end("g1", ago_s=2 * 3600)
    driver.start("g2", ago_s=90 * 60)
    assert lines(driver) == [(1, 0, -8 * GPU_H + 4 * GPU_H, 0), (2, 3, 8 * GPU_H, 1)]


def test_prices_that_change_twice_at_one_instant() -> None:
    driver = plant.plant()
    driver.run("g1", 8)
    driver.ask(ApplyPriceList(prices(2)))
    driver.ask(ApplyPriceList(prices(3)))
    driver.later(hours=1)
    assert lines(driver) == [(1, 0, 0, 1), (3, 0, 8 * GPU_H, 0)]
    driver.run("g2", 8, tier=Tier.SPOT)
    driver.ask(ApplyPriceList(prices(4)))
    driver.end("g2")
    driver.later(hours=1)
    assert lines(driver) == [(1, 0, 0, 1), (3, 0, 8 * GPU_H, 0), (4, 0, 8 * GPU_H, 0), (3, 0, 0, 1)]


def test_a_fact_older_than_all_that_is_kept_counts_from_the_oldest() -> None:
    driver = plant.plant()
    driver.submit("g1", 1)
    for version in range(2, usage.SPANS_MAX + 4):
        driver.later(60 if version < usage.SPANS_MAX else 0)
        driver.later(1).ask(ApplyPriceList(prices(version)))
    assert len(driver.world.state.usage.spans) == usage.SPANS_MAX
    oldest = driver.world.state.usage.spans[0].start
    assert oldest > T0
    later = driver.world.fork()
    driver.world = later
    driver.ask(gangs.ReportGangStarted(GangId("g1"), 1, T0, "sim"), plant.EDGE)
    assert sum(gpu_us for _, _, gpu_us, _ in lines(driver)) == driver.at - oldest


# Tranche books


def lent_out() -> Driver:
    driver = plant.plant(contract("c1", "acme", tranche("t1", lending=LENT)), contract("c2", "bravo"))
    driver.run("pool", 32, tenant="bravo", walltime_s=86_400)
    return driver


def test_every_hour_of_a_tranche_has_a_fate() -> None:
    driver = lent_out()
    driver.later(hours=1).run("own", 16, tranche="t1", walltime_s=86_400)
    driver.later(hours=1).run("b1", 8, tenant="bravo", tier=Tier.SPOT, walltime_s=86_400)
    driver.later(hours=1).fail(3)
    driver.later(hours=1)
    assert book(driver) == (128, 48, 16, 56, 8)
    driver.recover(3)
    driver.end("own")
    driver.later(hours=1)
    assert book(driver) == (160, 48, 24, 80, 8)


def test_news_of_a_failure_that_comes_late() -> None:
    driver = lent_out()
    driver.run("own", 24, tranche="t1", walltime_s=86_400)
    driver.run("b1", 8, tenant="bravo", tier=Tier.SPOT, walltime_s=86_400)
    driver.later(hours=4)
    driver.fail(0, ago_s=2 * 3600)
    driver.fail(3, ago_s=3600)
    assert book(driver) == (128, 80, 24, 0, 24)
    driver.later(hours=2)
    driver.recover(0, ago_s=3600)
    driver.recover(3, ago_s=3600)
    # Both are still held by what ran on them.
    assert book(driver) == (192, 120, 32, 0, 40)


def test_news_older_than_who_is_there_takes_no_more_than_was_idle() -> None:
    driver = lent_out()
    driver.later(hours=2).run("own", 32, tranche="t1", walltime_s=86_400)
    driver.later(hours=1).fail(0, ago_s=3 * 3600)
    assert book(driver) == (96, 24, 0, 48, 24)
    driver.end("own", Ending.COMPLETED)
    driver.recover(0)
    driver.run("own2", 32, tranche="t1", walltime_s=86_400)
    driver.later(hours=1).close()
    # Half of this is news about the closed period, and corrects it.
    driver.later(hours=1).fail(0, ago_s=2 * 3600)
    assert book(driver) == (32, 24, 0, 0, 8)
    correction = usage.tranche_lines(driver.world.state.usage, driver.at)[-1]
    # Who is there now was there then: it is its use that was none.
    assert correction == usage.TrancheLine(TrancheId("t1"), T0, 0, -8 * GPU_H, 0, 0, 8 * GPU_H)
    driver.recover(0, ago_s=2 * 3600)
    assert book(driver) == (32, 32, 0, 0, 0)
    assert len(usage.tranche_lines(driver.world.state.usage, driver.at)) == 1


def test_what_others_did_meanwhile_is_not_taken_below_zero() -> None:
    driver = lent_out()
    driver.run("a", 32, tranche="t1", walltime_s=86_400)
    driver.later(hours=2).end("a")
    driver.run("b", 32, tranche="t1", walltime_s=86_400)
    driver.fail(0, ago_s=2 * 3600)
    # Nothing was idle: it can only have been part of what was used.
    assert book(driver) == (64, 48, 0, 0, 16)
    driver.recover(0, ago_s=3600)
    assert book(driver) == (64, 48, 0, 8, 8)


def test_a_tranche_signed_late_is_entitled_from_then_on() -> None:
    driver = plant.plant(contract("c2", "bravo"))
    driver.later(hours=5)
    driver.ask(SignContract(contract("c1", "acme", tranche("t1"))))
    driver.later(hours=1).fail(0, ago_s=4 * 3600)
    assert book(driver) == (32, 0, 0, 24, 8)


def test_health_of_the_pool_is_in_no_book() -> None:
    driver = plant.plant()
    driver.fail(0)
    assert driver.world.state.usage.books == {}


def test_an_ended_tranche_is_dropped_at_the_close() -> None:
    term = tranche("t1", end_at=T0 + DAY_US)
    driver = plant.plant(contract("c1", "acme", term))
    driver.later(days=2)
    assert book(driver) == (24 * 32, 0, 0, 24 * 32, 0)
    driver.close()
    assert driver.world.state.usage.books == {}
    driver.later(days=1)
    assert driver.close() == []


def test_news_about_a_term_that_is_over() -> None:
    over = tranche("over", end_at=T0 + 4 * HOUR_US)
    follows = tranche("next", start_at=T0 + 5 * HOUR_US)
    driver = plant.plant(contract("c1", "acme", over, follows))
    driver.later(hours=2).close()
    driver.later(hours=4).fail(0, ago_s=3 * 3600)
    assert book(driver, "over") == (64, 0, 0, 56, 8)
    assert book(driver, "next") == (32, 0, 0, 24, 8)
    driver.recover(0, ago_s=2 * 3600 + 1800)
    driver.later(hours=1).close()
    driver.later(hours=1).fail(0, ago_s=2 * 3600)
    lines = usage.tranche_lines(driver.world.state.usage, driver.at)
    said = [(line.tranche, line.period_start - T0, line.undeliverable_gpu_us) for line in lines]
    assert said == [("next", 7 * HOUR_US, 8 * GPU_H), ("next", 2 * HOUR_US, 8 * GPU_H)]


def test_what_is_wiped_elsewhere_is_not_there() -> None:
    driver = lent_out()
    driver.policy(turnover_s=60)
    driver.run("b1", 8, tenant="bravo", tier=Tier.SPOT)
    driver.end("b1", Ending.COMPLETED)
    driver.fail(3)
    driver.later(hours=1)
    assert driver.book() == (0, 0, 8)
    assert usage.held_on(driver.world.placed.held, driver.world.state.placements, NodeIndex(0)) == []


def test_a_node_that_is_kept_free_is_undeliverable_as_far_as_it_is_free() -> None:
    driver = lent_out()
    driver.run("own", 4, tranche="t1", walltime_s=86_400)
    driver.cordon(0)
    driver.cordon(1)
    assert driver.book() == (4, 0, 12)
    driver.fail(1)
    assert driver.book() == (4, 0, 12)
    driver.later(hours=1).end("own")
    assert driver.book() == (0, 0, 16)
    driver.uncordon(0)
    driver.uncordon(1)
    assert driver.book() == (0, 0, 8)


def test_a_period_in_which_nothing_was_entitled_has_no_line() -> None:
    driver = plant.plant(contract("c1", "acme", tranche("t1")))
    assert usage.tranche_lines(driver.world.state.usage, driver.at) == ()
    driver.later(1)
    assert len(usage.tranche_lines(driver.world.state.usage, driver.at)) == 1


# Late news of nodes that were kept free for a while: their idle GPUs were undeliverable already


def _kept_free(driver: Driver) -> None:
    """Node 0 is cordoned in the second hour of three."""
    driver.later(hours=1).cordon(0)
    driver.later(hours=1).uncordon(0)
    driver.later(hours=1)


def owned(*more: claims.TranchePlan) -> Driver:
    return plant.plant(contract("c1", "acme", tranche("t1"), *more))


def test_a_late_failure_over_a_cordon_counts_that_hour_once() -> None:
    driver = owned()
    _kept_free(driver)
    driver.fail(0, ago_s=3 * 3600)
    assert book(driver) == (96, 0, 0, 72, 24)


def test_a_late_failure_of_a_node_that_is_kept_free_by_now() -> None:
    driver = owned()
    driver.later(hours=2).cordon(0)
    driver.later(hours=1).fail(0, ago_s=3 * 3600)
    assert book(driver) == (96, 0, 0, 72, 24)
    # Told once more, and earlier, it changes nothing.
    driver.fail(0, ago_s=3 * 3600)
    assert book(driver) == (96, 0, 0, 72, 24)


def test_a_late_failure_after_an_uncordon() -> None:
    driver = owned()
    driver.cordon(0)
    driver.later(hours=2).uncordon(0)
    driver.later(hours=1).fail(0, ago_s=3600)
    assert book(driver) == (96, 0, 0, 72, 24)


def test_a_late_failure_of_a_node_with_work_that_was_kept_free() -> None:
    driver = owned()
    driver.run("own", 4, tranche="t1", walltime_s=86_400)
    driver.later(hours=1).cordon(0)
    driver.later(hours=1).end("own")
    driver.later(hours=1)
    # 4 of it were idle for an hour, then all.
    assert book(driver) == (96, 8, 0, 76, 12)
    driver.fail(0, ago_s=3 * 3600)
    # Who used the rest is not known any more: idle time goes first.
    assert book(driver) == (96, 8, 0, 64, 24)


@pytest.mark.parametrize(("ago_s", "undeliverable"), [(2 * 3600, 8), (3600, 16), (5400, 12)])
def test_a_late_recovery_over_a_cordon(ago_s: int, undeliverable: int) -> None:
    driver = owned()
    driver.later(hours=1).fail(0)
    driver.later(hours=1).cordon(0)
    driver.later(hours=1).recover(0, ago_s)
    assert book(driver) == (96, 0, 0, 96 - undeliverable, undeliverable)


def test_a_late_failure_over_a_cordon_and_a_close() -> None:
    driver = owned()
    _kept_free(driver)
    driver.close()
    driver.later(hours=1).fail(0, ago_s=4 * 3600)
    assert book(driver) == (32, 0, 0, 24, 8)
    told = usage.tranche_lines(driver.world.state.usage, driver.at)
    assert told[1:] == (usage.TrancheLine(TrancheId("t1"), T0, 0, 0, 0, -16 * GPU_H, 16 * GPU_H),)
    driver.close()
    # It was well after all, for the last half hour of that period and ever since.
    driver.later(hours=1).recover(0, ago_s=9000)
    told = usage.tranche_lines(driver.world.state.usage, driver.at)
    assert [(line.period_start - T0, line.undeliverable_gpu_us) for line in told] == [
        (4 * HOUR_US, 0), (0, -4 * GPU_H), (3 * HOUR_US, -8 * GPU_H),
    ]  # fmt: skip
    assert book(driver) == (32, 0, 0, 32, 0)
    driver.close()
    assert set(driver.world.state.usage.closed) == {(TrancheId("t1"), T0 + n * HOUR_US) for n in (0, 3, 4)}


def test_a_late_failure_over_the_end_of_one_term_and_the_start_of_another() -> None:
    over = tranche("over", end_at=T0 + 2 * HOUR_US)
    follows = tranche("next", start_at=T0 + 3 * HOUR_US)
    driver = plant.plant(contract("c1", "acme", over, follows))
    driver.later(hours=1).cordon(0)
    driver.later(hours=3).uncordon(0)
    driver.later(hours=1).fail(0, ago_s=5 * 3600)
    # Kept free in the second hour of the one, and the first of the other: undeliverable then, but once.
    assert book(driver, "over") == (64, 0, 0, 48, 16)
    assert book(driver, "next") == (64, 0, 0, 48, 16)


def test_a_late_failure_over_a_loan_that_stayed_too_long() -> None:
    driver = lent_out()
    driver.run("b1", 32, tenant="bravo", tier=Tier.SPOT, walltime_s=86_400)
    driver.submit("own", 8, tranche="t1", walltime_s=86_400)
    driver.later(hours=1)
    assert driver.book() == (0, 0, 32)
    driver.later(hours=1).fail(0, ago_s=2 * 3600)
    auditor.same_books(driver.world, driver.events)
    driver.end("b1", Ending.STOPPED)
    auditor.same_books(driver.world, driver.events)


def test_no_correction_takes_more_than_was_entitled() -> None:
    driver = owned()
    driver.later(hours=2).close()
    driver.later(hours=1)
    mark = (TrancheId("t1"), T0)
    held = driver.world.state.usage.closed
    held[mark] = held[mark]._replace(entitled_gpu_us=4 * GPU_H)
    driver.fail(0, ago_s=3 * 3600)
    assert driver.world.state.usage.corrections[mark].undeliverable_gpu_us == 4 * GPU_H
    driver.recover(0, ago_s=3 * 3600)
    assert driver.world.state.usage.corrections[mark].undeliverable_gpu_us == 0


def test_what_was_kept_back_is_kept_as_long_as_news_may_reach_it() -> None:
    driver = owned()
    for _ in range(usage.SPANS_MAX):
        driver.later(1).cordon(0)
        driver.later(1).uncordon(0)
    driver.later(1).cordon(1)
    steps = driver.world.state.usage.kept.copy()
    assert (len(steps[NodeIndex(0)]), len(steps[NodeIndex(1)])) == (usage.SPANS_MAX, 2)
    # Older news counts from the oldest that is kept.
    oldest = steps[NodeIndex(0)][0].at
    before = books.settled_book(
        driver.world.state.usage.books[TrancheId("t1")], driver.at
    ).undeliverable_gpu_us
    later = driver.world.fork()
    later.handle(ids.Asked(supply.ReportNodeHealth(NodeIndex(0), False, "", T0), plant.EDGE), driver.at)
    after = later.state.usage.books[TrancheId("t1")].undeliverable_gpu_us
    kept_us = sum(8 * 1_000_000 for step in steps[NodeIndex(0)] if step.gpus)
    assert after - before == 8 * (driver.at - oldest) - kept_us
    for _ in range(usage.SPANS_MAX):
        driver.later(1).close()
    assert driver.world.state.usage.kept == {NodeIndex(1): steps[NodeIndex(1)][1:]}
    assert len(driver.world.state.usage.closed) == usage.SPANS_MAX - 1


# What `check` finds


def _rates(world: World) -> None:
    state = world.state.usage
    mark = next(iter(state.meters))
    state.meters[mark] = state.meters[mark]._replace(gpus=9)


def _below_zero(world: World) -> None:
    held = world.state.usage.books[TrancheId("t1")]
    world.state.usage.books[TrancheId("t1")] = held._replace(used=40)


def _kept(world: World) -> None:
    world.state.usage.kept[NodeIndex(1)] = (books.Kept(0, 3),)


def _filed(world: World) -> None:
    world.state.usage.closed[TrancheId("t1"), 0] = books.TrancheBook(0, 0, undeliverable_gpu_us=1)


def _overdrawn(world: World) -> None:
    held = world.state.usage.books[TrancheId("t1")]
    world.state.usage.books[TrancheId("t1")] = held._replace(used_gpu_us=10**30)


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (_overdrawn, "tranche t1: used + lent + idle + undeliverable is not entitled"),
        (_rates, "meters run at"),
        (_kept, "node 1: 3 GPUs are kept back by what is recorded, 0 by placements"),
        (_filed, "tranche t1: in the period from 0 a part"),
        (_below_zero, "tranche t1: 40 used + 0 lent + 0 out of 32"),
        (
            _below_zero,
            "tranche t1: (used, lent, undeliverable) is (40, 0, 0) by its book, (8, 0, 0) by placements",
        ),
    ],
)
def test_damage_is_found(damage: Callable[[World], None], found: str) -> None:
    driver = lent_out()
    driver.run("own", 8, tranche="t1")
    driver.later(10)
    world = driver.world.fork()
    damage(world)
    state = world.state
    wrong = usage.check(state.usage, state.placements, state.claims, state.supply, driver.at)
    assert any(line.startswith(found) for line in wrong)


def test_settling_twice_changes_nothing() -> None:
    meter = meters.Meter(2, 10, 5)
    assert meters.settled(meter, 10) == meters.settled(meter, 9) == meter
    assert meters.settled(meter, 13) == meters.Meter(2, 13, 11)
    assert books.settled_book(books.TrancheBook(4, 10), 10) == books.TrancheBook(4, 10)
