"""What a curtailment took from a claim: by hand, hour by hour."""

from __future__ import annotations

from forebay.core import claims, usage
from forebay.core.claims.relief import ReportRelief
from forebay.core.claims.service_levels import Rung, ServiceLevel, ServiceUnit
from forebay.core.claims.terms import ReliefKind, ReliefTerms
from forebay.core.ids import TrancheId
from forebay.core.money import LossKind
from forebay.core.placements.gang import Ending
from forebay.core.units import HOUR_US, MICROS
from tests.core import plant
from tests.core.money.test_credits import month
from tests.core.plant import T0, Driver, contract, feed, site, tranche
from tests.core.test_usage import book

LEVEL = ServiceLevel(ServiceUnit.NODE, (Rung(999_000, 50_000),), replacement_s=86_400)
GPU_H = HOUR_US
T1 = TrancheId("t1")


def owned(**terms: object) -> Driver:
    """A rack of four nodes, 32 GPUs, and one of the pool, on one feed: 66 kW with all at work."""
    own = contract("c1", "acme", tranche(service=LEVEL), **terms)
    driver = plant.plant(own, contract("c2", "bravo"), sites=[site(feeds=[feed("f1", 66_000)])])
    driver.run("own", 16, tranche="t1", walltime_s=30 * 86_400)
    return driver


def cut(driver: Driver, most_w: int = 10_000) -> None:
    """The feed may carry less from now on, and who is asked to leave does so."""
    driver.curtail("heat", "f1", most_w)
    for gang in driver.live():
        if gang.phase == "stopping":
            driver.end(gang.spec.id, Ending.STOPPED)


def test_what_was_shed_is_undeliverable_until_it_runs_again() -> None:
    """16 of 32 GPUs run for 2 h, are shed for 3 h, and run again for 1 h: 48 GPU-h used, 48 lost, 96 idle."""
    driver = owned()
    driver.later(hours=2)
    cut(driver)
    driver.later(hours=3).lift("heat")
    assert driver.phase("own") == "placed"
    driver.later(hours=1)
    assert book(driver)[1:4] == (48, 0, 96)
    (line,) = usage.tranche_lines(driver.world.state.usage, driver.at)
    assert (line.undeliverable_gpu_us, line.curtailed_gpu_us) == (48 * GPU_H, 48 * GPU_H)
    (issued,) = driver.close()
    (dedicated,) = (line for line in issued.lines if line.kind == "dedicated")
    assert dedicated.amount_micros == (192 - 48) * 2 * MICROS
    assert (
        "192.00 GPU-h entitled - 48.00 undeliverable (48.00 of it curtailed) = 144.00 GPU-h" in dedicated.text
    )


def test_its_nodes_were_down_and_the_time_to_replace_them_does_not_count() -> None:
    driver = owned()
    cut(driver)
    driver.later(hours=3).lift("heat")
    driver.later(hours=1)
    told = month(driver).delivered
    assert [(each.cause, each.counted) for each in told.losses] == [("curtailment", LossKind.DOWN)] * 2
    assert told.losses[0].reason == "feed f1 is curtailed (heat)"
    assert told.lost_us(LossKind.DOWN) == 2 * 3 * HOUR_US


def test_relief_excuses_it() -> None:
    terms = (ReliefTerms(ReliefKind.FORCE_MAJEURE, 86_400, 86_400),)
    driver = owned(relief=terms)
    cut(driver)
    driver.later(hours=3).lift("heat")
    driver.ask(ReportRelief(T1, ReliefKind.FORCE_MAJEURE, T0, driver.at, "the grid asked for it"))
    assert {each.counted for each in month(driver).delivered.losses} == {LossKind.RELIEF}


def test_what_the_tranche_runs_meanwhile_is_used_and_its_node_is_up() -> None:
    """Shed are 16 of 32 GPUs. After half an hour there is power for 8: of 24 that are idle then, 16 wait."""
    driver = owned()
    cut(driver, 12_000)
    driver.later(1800)
    assert book(driver)[4] == 8
    driver.run("small", 8, tranche="t1", walltime_s=86_400)
    driver.later(1800)
    assert book(driver) == (32, 4, 0, 12, 16)
    # It runs on a node that the other left.
    assert driver.nodes("small") == [0]
    losses = month(driver).delivered.losses
    assert [(each.unit, 2 * (each.end_at - T0) // HOUR_US) for each in losses] == [(0, 1), (1, 2)]


def test_who_waits_no_more_is_idle() -> None:
    driver = owned()
    cut(driver)
    driver.later(hours=1).cancel("own")
    driver.later(hours=1)
    assert book(driver) == (64, 0, 0, 48, 16)
    assert not driver.world.state.usage.waiting
    # Over a close it goes on.
    driver.lift("heat")
    driver.run("more", 32, tranche="t1", walltime_s=86_400)
    cut(driver)
    driver.later(hours=1).close()
    driver.later(hours=1)
    assert book(driver) == (32, 0, 0, 0, 32)
    # A failure takes from what waited; then nothing is idle any more.
    driver.fail(0)
    driver.later(hours=1).close()
    driver.recover(0, ago_s=1800)
    (correction,) = usage.tranche_lines(driver.world.state.usage, driver.at)
    assert correction.entitled_gpu_us == 0
    assert claims.Standing.LIVE is driver.world.state.claims.tranches[T1].standing


def test_an_end_that_is_heard_of_late_was_lost_since_then() -> None:
    driver = owned()
    driver.curtail("heat", "f1", 10_000)
    driver.later(hours=2)
    driver.end("own", Ending.STOPPED, ago_s=3600)
    driver.later(hours=1)
    assert book(driver) == (96, 16, 0, 48, 32)
    (first, second) = month(driver).delivered.losses
    assert (first.start_at, first.end_at) == (T0 + HOUR_US, T0 + 3 * HOUR_US)
    assert second.cause == "curtailment"


def test_two_that_wait_for_one_node() -> None:
    """Both had half of it: as long as one waits, it is missing."""
    driver = owned()
    driver.run("half", 4, tranche="t1", walltime_s=86_400)
    driver.run("other", 4, tranche="t1", walltime_s=86_400)
    assert driver.nodes("half") == driver.nodes("other")
    cut(driver, 1_000)
    driver.later(hours=1).cancel("half")
    driver.later(hours=1).cancel("other")
    driver.later(hours=1)
    node = driver.nodes("other")[0]
    (loss,) = (each for each in month(driver).delivered.losses if each.unit == node)
    assert (loss.end_at - T0) // HOUR_US == 2


def test_a_term_that_ends_while_work_waits() -> None:
    driver = plant.plant(
        contract("c1", "acme", tranche(end_at=T0 + 2 * HOUR_US)), sites=[site(feeds=[feed("f1", 66_000)])]
    )
    driver.run("own", 16, tranche="t1", walltime_s=86_400)
    cut(driver)
    driver.later(hours=3)
    assert not driver.world.state.usage.waiting
    assert driver.world.state.usage.books[T1].curtailed_gpu_us == 32 * GPU_H


def test_a_curtailment_of_another_month() -> None:
    driver = owned()
    driver.until(plant.utc(2026, 2, 2))
    driver.end("own")
    driver.run("more", 16, tranche="t1", walltime_s=86_400)
    cut(driver)
    driver.later(hours=1)
    assert month(driver).delivered.losses == ()
