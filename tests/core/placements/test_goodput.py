"""Goodput by hand, and that nothing of what was held counts twice."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.core.ids import GangId
from forebay.core.placements import gang as gangs
from forebay.core.placements.checkpoints import ReportCheckpoint
from forebay.core.placements.gang import Ending
from forebay.core.placements.goodput import GangStory, Goodput, LossCause, goodput, take
from forebay.core.units import HOUR_US
from tests.core import plant
from tests.core.plant import EDGE, LENT, Driver, contract, tranche

H = HOUR_US


def told(driver: Driver, name: str = "g1") -> Goodput:
    known: dict[GangId, GangStory] = {}
    for at, event in driver.events:
        take(known, event, at)
    found = goodput(known[GangId(name)], driver.at)
    lost = sum(found.lost_gpu_us)
    parts = (found.productive_gpu_us, found.starting_gpu_us, found.at_risk_gpu_us, lost)
    assert sum(parts) == found.held_gpu_us
    return found


def checkpoint(driver: Driver, ago_s: int = 0, name: str = "g1") -> None:
    gang = driver.gang(name)
    driver.ask(ReportCheckpoint(gang.spec.id, gang.generation, driver.at - ago_s * 1_000_000, "sim"), EDGE)


def lost(**by: int) -> tuple[int, ...]:
    return tuple(by.get(cause.value, 0) * H for cause in LossCause)


def test_a_gang_that_fails_once_and_finishes() -> None:
    """8 GPUs. Placed at 0, up at 1, a checkpoint at 4, fails at 6; placed again at once, up at 7, finishes at 10.
    Held 8 x 10 = 80 GPU-h: starting 8 x 2, lost 8 x 2, productive 8 x 6 = 48: goodput 60 %. From its first start 9 h
    have passed, of which 6 were productive: ETTR 66.66 %. It ran 5 + 3 = 8 h and failed once: MTBF 8 h.
    """
    driver = plant.plant()
    driver.policy(start_timeout_s=86_400)
    driver.submit("g1", 8, walltime_s=86_400)
    driver.later(hours=1).start("g1")
    driver.later(hours=3)
    checkpoint(driver)
    driver.later(hours=2).end("g1", Ending.FAILED)
    assert driver.phase("g1") == "placed"
    driver.later(hours=1).start("g1")
    driver.later(hours=3).end("g1")
    driver.later(hours=5)
    assert told(driver) == Goodput(80 * H, 48 * H, 16 * H, 0, lost(failure=16), 72 * H, 8 * H, 2, 1)


def test_one_that_runs_and_has_an_interval_of_its_own() -> None:
    """Up for 5 h, a checkpoint every 2 h: 4 h are kept, one is at risk. It waits for its next start now."""
    driver = plant.plant()
    driver.run("g1", 8, walltime_s=86_400, checkpoint_s=7200)
    driver.later(hours=5)
    assert told(driver) == Goodput(40 * H, 32 * H, 0, 8 * H, lost(), 40 * H, 5 * H, 1, 0)
    driver.end("g1", Ending.FAILED)
    assert told(driver).lost_gpu_us == lost(failure=8)
    driver.cancel("g1")
    assert driver.phase("g1") == "stopping"


def test_one_that_is_withdrawn_while_it_waits_is_over() -> None:
    driver = plant.plant()
    driver.run("g1", 64, walltime_s=86_400, restarts_max=5)
    driver.later(hours=1)
    driver.fail(0)
    driver.end("g1", Ending.STOPPED)
    driver.later(hours=1).cancel("g1")
    driver.later(hours=3)
    assert told(driver).span_gpu_us == 64 * 2 * H


@pytest.mark.parametrize(
    ("ask", "cause"),
    [
        (lambda d: d.cancel("g1"), LossCause.OWN),
        (lambda d: d.cordon(d.nodes("g1")[0], drain=True), LossCause.OPERATOR),
        (lambda d: d.fail(d.nodes("g1")[0]), LossCause.FAILURE),
        (lambda d: d.curtail("heat", "f1", 5_000), LossCause.CURTAILMENT),
        (lambda d: d.submit("owner", 32, tranche="t1"), LossCause.RECLAIM),
    ],
)
def test_why_work_was_lost(ask: Any, cause: LossCause) -> None:
    own = contract("c1", "acme", tranche(count=2, lending=LENT))
    driver = plant.plant(own, contract("c2", "bravo"))
    driver.run("g1", 40, tenant="bravo", tier=gangs.Tier.SPOT, walltime_s=86_400)
    driver.later(hours=2)
    ask(driver)
    driver.end("g1", Ending.STOPPED)
    found = told(driver)
    assert found.lost_gpu_us == lost(**{cause.value: 80})
    assert found.failures == (cause is LossCause.FAILURE)


def test_several_together_and_one_that_never_started() -> None:
    driver = plant.plant()
    driver.submit("g1", 8)
    driver.later(60)
    first = told(driver)
    assert first == Goodput(8 * 60_000_000, 0, 8 * 60_000_000)
    driver.end("g1")
    report = gangs.ReportGangStarted(GangId("g1"), 1, driver.at - 30_000_000, "sim")
    driver.ask(report, EDGE)
    late = told(driver)
    assert (late.productive_gpu_us, late.starting_gpu_us, late.starts) == (8 * 30_000_000, 8 * 30_000_000, 1)
    both = first.plus(late)
    assert both.held_gpu_us == 2 * 8 * 60_000_000
    assert both.starting_gpu_us == 8 * 90_000_000
    assert both.span_gpu_us == late.span_gpu_us
