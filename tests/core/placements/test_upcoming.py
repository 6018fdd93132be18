"""New work keeps off nodes whose maintenance begins before it would be gone."""

from __future__ import annotations

from dataclasses import replace

from forebay.core.ids import CampaignId
from forebay.core.placements.campaigns import CampaignPart, PauseCampaign
from forebay.core.placements.gang import Order, Tier
from forebay.core.supply import DomainKind
from forebay.core.units import SECOND_US
from tests.core import plant
from tests.core.placements.campaigners import AGREED, SOON, apply, consent, held, repaired
from tests.core.plant import OPERATOR, tenant


def test_who_would_not_be_gone_by_then_goes_elsewhere_or_waits() -> None:
    driver = held()
    apply(driver)
    long_s = 10 * 3600 - 30
    assert driver.submit("short", 8, tranche="t1", walltime_s=long_s, grace_s=30).phase == "placed"
    assert driver.submit("long", 8, tranche="t1", walltime_s=long_s + 1, grace_s=30).phase == "pending"
    # The pool's rack comes an hour later.
    assert driver.submit("pool", 8, walltime_s=long_s + 1, grace_s=30).phase == "placed"
    assert driver.submit("late", 8, walltime_s=long_s + 3601, grace_s=30).phase == "pending"
    driver.ask(PauseCampaign(CampaignId("fw")))
    assert driver.phases("long", "late") == ["placed", "placed"]


def test_it_starts_once_its_wave_is_over() -> None:
    driver = held()
    apply(driver)
    driver.submit("long", 32, tranche="t1", walltime_s=24 * 3600)
    driver.until(SOON)
    assert driver.phase("long") == "pending"
    driver.later(seconds=600)
    repaired(driver)
    assert driver.phase("long") == "placed"


def test_while_a_wave_runs_the_next_is_as_far_as_it_takes() -> None:
    driver = held()
    apply(driver)
    driver.until(SOON)
    assert driver.submit("short", 8, walltime_s=3500, grace_s=100).phase == "placed"
    assert driver.submit("long", 8, walltime_s=3501, grace_s=100).phase == "pending"


def test_a_wave_that_slips_moves_those_after_it() -> None:
    driver = held()
    apply(driver)
    driver.until(SOON)
    driver.submit("long", 8, walltime_s=3 * 3600)
    assert driver.phase("long") == "pending"
    # The wave before is late by a day: the next is as near as ever.
    driver.later(days=1)
    assert driver.phase("long") == "pending"


def test_nodes_without_consent_stay_open() -> None:
    driver = held(maintenance=replace(AGREED, consent=True))
    apply(driver)
    assert driver.submit("long", 8, tranche="t1", walltime_s=48 * 3600).phase == "placed"
    driver.ask(consent(), tenant("acme"))
    assert driver.submit("more", 8, tranche="t1", walltime_s=48 * 3600).phase == "pending"


def test_kept_hosts_are_no_way_around_it() -> None:
    driver = held()
    driver.policy(failing=replace(driver.world.state.placements.policy.failing, hold_s=36_000))
    driver.run("wide", 16, tranche="t1", walltime_s=24 * 3600)
    driver.fail(driver.nodes("wide")[0])
    assert driver.world.state.placements.holds
    apply(driver)
    driver.end("wide")
    assert driver.phase("wide") in ("pending", "ended")


def test_explained_it_waits_for_the_end_of_the_work() -> None:
    driver = held()
    apply(driver)
    driver.submit("long", 32, tranche="t1", walltime_s=24 * 3600, tier=Tier.DEDICATED)
    found = driver.world.explain(driver.gang("long").spec.id, tenant("acme"))
    assert isinstance(found, dict)
    told = "4 nodes take no work that would still be there when maintenance begins"
    assert f"{told}: firmware 24.9, the next wave not before 2026-01-01T10:00:00Z." in found["facts"]
    whole = driver.world.explain(driver.gang("long").spec.id, OPERATOR)
    assert isinstance(whole, dict)
    assert (
        f"{told}: campaign fw (firmware 24.9), the next wave not before 2026-01-01T10:00:00Z."
        in whole["facts"]
    )
    driver.submit("pool", 32, walltime_s=24 * 3600)
    driver.submit("gone", 8, walltime_s=60)
    short = driver.world.explain(driver.gang("pool").spec.id, OPERATOR)
    assert isinstance(short, dict)
    assert any("4 nodes take no work" in fact for fact in short["facts"])


def test_whose_nodes_are_not_worked_on_is_not_told_of_it() -> None:
    driver = held()
    apply(driver, parts=(CampaignPart(DomainKind.RACK, "r2"),))
    driver.run("first", 32, tranche="t1")
    driver.submit("next", 32, tranche="t1", walltime_s=24 * 3600)
    told = driver.world.explain(driver.gang("next").spec.id, OPERATOR)
    assert isinstance(told, dict)
    assert not any("maintenance" in fact for fact in told["facts"])


def test_who_waits_for_a_wave_is_told_when_it_is_expected_to_be_over() -> None:
    driver = held()
    apply(driver)
    driver.until(SOON)
    driver.submit("next", 32, tranche="t1", walltime_s=3600)
    told = driver.world.explain(driver.gang("next").spec.id, OPERATOR)
    assert isinstance(told, dict)
    assert told["expected_start"] == SOON + 3600 * SECOND_US


def test_who_is_promised_nodes_that_keep_clear_of_a_wave_is_not_delayed_by_others() -> None:
    """Another rack is worked on from hour ten on: the first has the whole of this one when the others are gone."""
    for order in (Order.EASY, Order.CONSERVATIVE):
        driver = plant.plant()
        driver.policy(order=order)
        apply(driver, parts=(CampaignPart(DomainKind.RACK, "r2"),))
        driver.run("held", 24, walltime_s=int(9.5 * 3600) - 30)
        assert set(driver.nodes("held")) <= set(range(4))
        driver.submit("first", 32, walltime_s=12 * 3600)
        driver.submit("late", 8, walltime_s=48 * 3600)
        assert driver.phases("first", "late") == ["pending", "pending"], order
        driver.until(SOON - 1800 * SECOND_US)
        driver.end("held")
        assert driver.phases("first", "late") == ["placed", "pending"]
        assert set(driver.nodes("first")) == set(range(4))


def test_who_needs_nodes_of_a_wave_is_promised_them_once_it_is_over() -> None:
    """All of the plant is wanted for longer than until the wave: nobody goes by who would be in the way then."""
    for order in (Order.EASY, Order.CONSERVATIVE):
        driver = plant.plant()
        driver.policy(order=order)
        apply(driver, parts=(CampaignPart(DomainKind.RACK, "r2"),))
        driver.submit("first", 64, walltime_s=12 * 3600)
        driver.submit("late", 8, walltime_s=48 * 3600)
        driver.submit("short", 8, walltime_s=9 * 3600)
        assert driver.phases("first", "late", "short") == ["pending", "pending", "placed"], order
        driver.start("short")
        driver.until(SOON - 1800 * SECOND_US)
        driver.end("short")
        # While its nodes are out they are expected back, and the promise stands.
        driver.until(SOON + 600 * SECOND_US)
        driver.submit("later", 8, walltime_s=48 * 3600)
        assert driver.phases("first", "late", "later") == ["pending", "pending", "pending"], order
        driver.later(seconds=1200)
        repaired(driver)
        assert driver.phases("first", "late") == ["placed", "pending"], order
