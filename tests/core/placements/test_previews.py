"""What is lent, and who would go: as it stands, and as it then happens."""

from __future__ import annotations

import pytest

from forebay.core import ids
from forebay.core.ids import Refusal
from forebay.core.placements import previews
from forebay.core.placements.gang import Ending, Level
from forebay.core.units import SECOND_US
from tests.core.placements.test_reclaiming import SPOT, lending, stopping
from tests.core.plant import Driver

T1 = ids.TrancheId("t1")


def previewed(driver: Driver, gpus: int, within: Level = Level.SITE, slice_gpus: int = 0) -> previews.Preview:
    found = driver.world.preview_reclaim(T1, gpus, within, slice_gpus, driver.at)
    assert isinstance(found, previews.Preview), found
    return found


def test_loans_as_they_stand() -> None:
    driver = lending(2, scrub_s=20)
    driver.run("b1", 32, **SPOT)
    driver.run("b2", 32, **SPOT)
    driver.later(100)
    first, second = driver.world.loans(driver.at)
    assert (first.gang.spec.id, first.tranche, first.lost_gpu_us) == ("b1", "t1", 3200 * SECOND_US)
    assert first.back_at == second.back_at == driver.at + 80 * SECOND_US
    driver.submit("own", 32, tranche="t1")
    left = next(
        loan for loan in driver.world.loans(driver.at + SECOND_US) if loan.gang.spec.id in stopping(driver)
    )
    assert (left.lost_gpu_us, left.back_at) == (0, driver.at + 80 * SECOND_US)
    driver.later(10).end(left.gang.spec.id, Ending.STOPPED)
    left = next(loan for loan in driver.world.loans(driver.at) if loan.gang.spec.id == left.gang.spec.id)
    assert left.back_at == driver.at + 20 * SECOND_US


def test_a_preview_says_what_then_happens_and_changes_nothing() -> None:
    driver = lending(2, scrub_s=20)
    driver.run("b1", 32, **SPOT)
    driver.later(10).run("b2", 32, **SPOT)
    driver.later(10)
    before = repr(driver.world.state)
    told = previewed(driver, 32, Level.RACK)
    assert repr(driver.world.state) == before
    assert [(gang.spec.id, lost) for gang, lost in told.victims] == [("b2", 320 * SECOND_US)]
    assert (told.back_at, told.due_at) == (driver.at + 80 * SECOND_US, driver.at + 300 * SECOND_US)
    assert len(previewed(driver, 64, slice_gpus=32).victims) == 2
    driver.submit("own", 32, tranche="t1", within=Level.RACK)
    assert stopping(driver) == ["b2"]
    waits = previewed(driver, 32)
    assert (waits.victims, [gang.spec.id for gang in waits.leaving]) == ([], ["b2"])


def test_what_is_free_calls_nobody() -> None:
    driver = lending(2)
    told = previewed(driver, 64)
    assert told == previews.Preview([], [], driver.at, driver.at)


@pytest.mark.parametrize(
    ("tranche", "gpus", "slice_gpus", "code"),
    [
        ("t9", 8, 0, "unknown_tranche"),
        ("t1", 0, 0, "bad_quantity"),
        ("t1", 8, 3, "bad_shape"),
        ("t1", 65, 0, "never_fits"),
        ("t1", 64, 0, "no_room"),
    ],
)
def test_previews_that_are_refused(tranche: str, gpus: int, slice_gpus: int, code: str) -> None:
    driver = lending(2)
    driver.run("own", 8, tranche="t1")
    driver.run("b1", 32, **SPOT)
    found = driver.world.preview_reclaim(ids.TrancheId(tranche), gpus, Level.SITE, slice_gpus, driver.at)
    assert isinstance(found, Refusal)
    assert found.code == code


def test_a_term_that_is_over_lends_nothing() -> None:
    driver = lending(1)
    driver.later(days=400)
    found = driver.world.preview_reclaim(T1, 8, Level.SITE, 0, driver.at)
    assert isinstance(found, Refusal)
    assert (found.code, driver.world.loans(driver.at)) == ("tranche_over", [])
