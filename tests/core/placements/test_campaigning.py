"""How maintenance is taken in, begun wave by wave, and brought to its end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from forebay.core import claims, supply
from forebay.core.claims.maintenance import Maintenance, WeeklyWindow
from forebay.core.claims.service_levels import Rung, ServiceLevel, ServiceUnit
from forebay.core.claims.workdays import Weekday
from forebay.core.ids import CampaignId, NodeIndex, SkuId
from forebay.core.placements import campaigning
from forebay.core.placements.campaigns import (
    ApplyCampaign,
    CampaignEnded,
    CampaignPart,
    CampaignPaused,
    CancelCampaign,
    MaintenanceFailed,
    NoticeSent,
    Overrun,
    PauseCampaign,
    ResumeCampaign,
    TrancheWindows,
    WaveEnded,
    WaveSlipped,
    WaveStarted,
    WaveUnit,
    run_nodes,
)
from forebay.core.placements.gang import Ending, GangStopping
from forebay.core.supply import DomainKind
from forebay.core.units import HOUR_US, SECOND_US
from tests.core import plant
from tests.core.placements.campaigners import (
    AGREED,
    SOON,
    apply,
    coming,
    consent,
    found,
    held,
    plan,
    repaired,
)
from tests.core.plant import EDGE, T0, contract, tenant, tranche

NAME = CampaignId("fw")


def test_a_campaign_goes_wave_by_wave_and_ends() -> None:
    driver = held()
    answer = apply(driver)
    assert (answer["waves"], answer["nodes"], answer["changed"]) == (2, 8, True)
    assert answer["claims"] == [
        {
            "tranche": "t1", "tenant": "acme", "nodes": ["r1-n01", "r1-n02", "r1-n03", "r1-n04"], "at_once": 4,
            "first": "2026-01-01T10:00:00Z", "notice_s": 7200, "notify": "2026-01-01T00:00:00Z",
            "latest_notice": "2026-01-01T08:00:00Z", "noticed": None, "consent": "not_needed",
            "allowed_s": 28800,
            "months": [
                {"month": "2026-01", "agreed_s": 3600, "done_s": 0, "beyond_s": 0, "left_s": 25200}
            ],
            "overruns": [],
        }
    ]  # fmt: skip
    assert driver.last(NoticeSent).tranche == "t1"
    driver.until(SOON - SECOND_US)
    assert not driver.count(WaveStarted)
    driver.until(SOON)
    assert driver.last(WaveStarted).nodes == ((0, 4),)
    supplied = driver.world.state.supply
    assert supplied.failed[NodeIndex(0)] == "maintenance: firmware 24.9 (campaign fw)"
    ticket = supplied.health.tickets[NodeIndex(0)]
    assert (ticket.ticket, ticket.cause, ticket.part) == ("fw", "maintenance", "firmware 24.9")
    assert ticket.expected_at == SOON + HOUR_US
    driver.later(seconds=600)
    repaired(driver)
    # Done early: the next begins when it was to.
    assert driver.count(WaveEnded) == 1
    assert supply.usable(supplied, NodeIndex(0))
    assert not supplied.health.failures
    driver.until(SOON + HOUR_US)
    assert driver.last(WaveStarted).nodes == ((4, 4),)
    repaired(driver)
    assert driver.last(CampaignEnded).outcome == "done"
    assert found(driver).done == 8
    assert [(each.tranche, each.end_at - each.start_at) for each in found(driver).works] == [
        ("t1", 600 * SECOND_US)
    ]
    assert apply(driver) == {"campaign": "fw", "changed": False}


def test_work_is_moved_before_a_node_goes_out() -> None:
    driver = held()
    driver.run("long", 8, tranche="t1", walltime_s=24 * 3600, grace_s=60)
    apply(driver)
    driver.until(SOON)
    stopping = driver.last(GangStopping)
    assert (stopping.gang, stopping.reason, stopping.again) == ("long", "maintenance", True)
    busy = driver.nodes("long")[0]
    assert NodeIndex(busy) not in driver.world.state.supply.failed
    assert found(driver).draining == (busy,)
    driver.later(seconds=30)
    driver.end("long", Ending.STOPPED)
    assert found(driver).out[-1] == busy
    assert driver.phase("long") == "pending"
    repaired(driver)
    assert driver.phase("long") == "placed"


def test_a_slip_is_told_and_moves_what_follows() -> None:
    driver = held()
    apply(driver)
    driver.until(SOON + 2 * HOUR_US)
    assert driver.last(WaveSlipped).nodes == ((0, 4),)
    assert driver.count(WaveStarted) == 1
    repaired(driver)
    assert driver.last(WaveStarted).nodes == ((4, 4),)
    assert driver.at == SOON + 2 * HOUR_US


def test_what_does_not_fit_any_more_is_left() -> None:
    driver = held()
    apply(driver, end_at=SOON + 2 * HOUR_US)
    driver.until(SOON + 90 * 60 * SECOND_US)
    repaired(driver)
    ended = driver.last(CampaignEnded)
    assert (ended.outcome, ended.left) == ("no_time_left", ((4, 4),))


def test_a_node_that_fails_holds_its_wave_and_too_many_pause_the_campaign() -> None:
    driver = held()
    driver.policy(failing=replace(driver.world.state.placements.policy.failing, checks=("burn-in",)))
    apply(driver, failures_max=1, unit=WaveUnit.NODE, units_max=4)
    driver.until(SOON)
    for node in (0, 1):
        driver.recover(node)
        assert not driver.count(CampaignPaused)
        driver.ask(supply.ReportNodeCheck(NodeIndex(node), "burn-in", False, "link down"), EDGE)
    assert driver.last(MaintenanceFailed).reason == "burn-in failed: link down"
    assert driver.last(CampaignPaused).reason == "failures"
    driver.until(SOON + 3 * HOUR_US)
    repaired(driver)
    assert driver.count(WaveEnded) == 1
    assert driver.count(WaveStarted) == 1
    driver.ask(ResumeCampaign(NAME))
    assert driver.count(WaveStarted) == 2


def test_resumed_it_leaves_what_failed_to_its_repair() -> None:
    driver = held()
    driver.policy(failing=replace(driver.world.state.placements.policy.failing, checks=("burn-in",)))
    apply(driver, failures_max=0)
    driver.until(SOON)
    driver.recover(0)
    driver.ask(supply.ReportNodeCheck(NodeIndex(0), "burn-in", False), EDGE)
    assert driver.last(CampaignPaused).reason == "failures"
    for node in (1, 2, 3):
        driver.recover(node)
        driver.ask(supply.ReportNodeCheck(NodeIndex(node), "burn-in", True), EDGE)
    driver.ask(ResumeCampaign(NAME))
    assert driver.count(WaveEnded) == 1
    assert NodeIndex(0) in driver.world.state.supply.failed
    assert NodeIndex(0) not in driver.world.state.supply.health.cordoned


def test_nodes_that_were_out_before_are_waited_for() -> None:
    driver = held()
    driver.fail(0)
    driver.cordon(1)
    apply(driver)
    driver.until(SOON)
    assert found(driver).own == (1, 2, 3)
    assert driver.last(WaveStarted).cordoned == ((0, 1), (2, 2))
    repaired(driver)
    assert not driver.count(MaintenanceFailed)
    assert driver.count(WaveEnded) == 1
    # It was cordoned by somebody else.
    assert NodeIndex(1) in driver.world.state.supply.health.cordoned


def test_without_consent_a_claim_is_not_touched() -> None:
    driver = held(maintenance=replace(AGREED, consent=True))
    assert apply(driver)["claims"][0]["consent"] == "asked"
    driver.until(SOON)
    assert driver.last(WaveStarted).left == ((0, 4),)
    assert not driver.world.state.supply.failed
    assert driver.count(WaveEnded) == 1
    assert driver.refused(consent(), tenant("bravo")).code == "unknown_tranche"
    driver.ask(consent(), tenant("acme"))
    assert driver.ask(consent()) == {"campaign": "fw", "changed": False}
    assert coming(found(driver)) == [[4, 5, 6, 7], [0, 1, 2, 3]]
    driver.until(SOON + HOUR_US)
    repaired(driver)
    driver.until(SOON + 2 * HOUR_US)
    assert driver.last(WaveStarted).nodes == ((0, 4),)
    assert found(driver).left == ()


def test_a_tenant_may_refuse_and_what_is_left_is_told() -> None:
    driver = held()
    apply(driver)
    driver.ask(consent(given=False), tenant("acme"))
    driver.until(SOON + HOUR_US)
    repaired(driver)
    ended = driver.last(CampaignEnded)
    assert (ended.outcome, ended.left) == ("done", ((0, 4),))
    assert driver.refused(consent(), tenant("acme")).code == "campaign_not_open"


def test_notices_go_out_when_they_are_to() -> None:
    driver = held()
    answer = apply(driver, notice_s=3 * 3600)
    assert answer["claims"][0]["notify"] == "2026-01-01T07:00:00Z"
    assert not driver.count(NoticeSent)
    driver.until(T0 + 7 * HOUR_US)
    assert driver.count(NoticeSent) == 1
    assert found(driver).notices == {"t1": T0 + 7 * HOUR_US}


def test_pause_and_resume() -> None:
    driver = held()
    apply(driver)
    driver.ask(PauseCampaign(NAME, "storm"))
    driver.until(SOON + HOUR_US)
    assert not driver.count(WaveStarted)
    assert driver.refused(PauseCampaign(NAME)).code == "campaign_not_open"
    driver.ask(ResumeCampaign(NAME))
    assert driver.count(WaveStarted) == 1
    assert driver.refused(ResumeCampaign(NAME)).code == "campaign_not_open"


def test_cancelled_it_lets_go_of_what_has_not_begun() -> None:
    driver = held()
    driver.run("long", 8, tranche="t1", walltime_s=24 * 3600, grace_s=600)
    apply(driver)
    driver.until(SOON)
    busy = NodeIndex(driver.nodes("long")[0])
    driver.ask(CancelCampaign(NAME, "wrong version"))
    assert busy not in driver.world.state.supply.health.cordoned
    assert not driver.count(CampaignEnded)
    repaired(driver)
    ended = driver.last(CampaignEnded)
    assert (ended.outcome, run_nodes(ended.left)) == ("cancelled", sorted({busy, 4, 5, 6, 7}))
    assert driver.refused(CancelCampaign(NAME)).code == "campaign_not_open"


def test_cancelled_before_its_first_wave_it_is_over_at_once() -> None:
    driver = held()
    apply(driver)
    driver.ask(CancelCampaign(NAME))
    assert driver.last(CampaignEnded).left == ((0, 8),)


def test_hosts_are_kept_for_gangs_that_move() -> None:
    driver = held()
    driver.policy(failing=replace(driver.world.state.placements.policy.failing, hold_s=600))
    driver.run("wide", 16, walltime_s=24 * 3600, grace_s=60)
    apply(driver, unit=WaveUnit.NODE)
    for hour in range(5):
        driver.until(SOON + hour * HOUR_US)
        if driver.phase("wide") == "stopping":
            break
        repaired(driver)
    assert driver.world.state.placements.holds["wide"].hosts  # type: ignore[index]


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"name": "-"}, "bad_id"),
        ({"takes_s": 0}, "bad_quantity"),
        ({"units_max": 0}, "bad_quantity"),
        ({"claim_units_max": 2}, "bad_quantity"),
        ({"notice_s": -1}, "bad_quantity"),
        ({"failures_max": -1}, "bad_quantity"),
        ({"start_at": T0 - 1}, "bad_interval"),
        ({"start_at": -1}, "bad_interval"),
        ({"end_at": SOON}, "bad_interval"),
        ({"sku": SkuId("none")}, "unknown_sku"),
        ({"parts": (CampaignPart(DomainKind.RACK, "r9"),)}, "unknown_domain"),
        ({"parts": ()}, "nothing_to_maintain"),
        ({"end_at": SOON + HOUR_US}, "campaign_too_long"),
        ({"start_at": T0 + HOUR_US}, "late_notice"),
        ({"takes_s": 9 * 3600}, "over_allowance"),
    ],
)
def test_refusals(terms: dict[str, Any], code: str) -> None:
    assert held().refused(ApplyCampaign(plan(**terms))).code == code


def test_windows_and_what_is_not_agreed() -> None:
    weekly = replace(AGREED, windows=(WeeklyWindow(Weekday.THURSDAY, 0, 3600),))
    driver = held(maintenance=weekly)
    refusal = driver.refused(ApplyCampaign(plan()))
    assert refusal.code == "outside_windows"
    assert refusal.detail == (
        "outside_windows: t1 has no window open then: 3600 seconds in the month from 2026-01-01 on"
    )
    open_ = (TrancheWindows("t1", ((SOON, SOON + HOUR_US),)),)  # type: ignore[arg-type]
    assert apply(driver, open_)["claims"][0]["overruns"] == []


def test_a_service_level_without_maintenance_agrees_none() -> None:
    driver = held(maintenance=None, service=ServiceLevel(ServiceUnit.NODE, (Rung(990_000, 100_000),)))
    assert driver.refused(ApplyCampaign(plan())).code == "maintenance_not_agreed"
    answer = apply(driver, despite=(Overrun.NOT_AGREED,))
    assert [each["overrun"] for each in answer["claims"][0]["overruns"]] == ["maintenance_not_agreed"]
    plain = held(maintenance=None)
    assert apply(plain)["claims"][0]["overruns"] == []


def test_two_campaigns_share_no_node_and_share_an_allowance() -> None:
    driver = held(maintenance=Maintenance(5400))
    apply(driver, parts=(CampaignPart(DomainKind.RACK, "r1"),))
    assert driver.refused(ApplyCampaign(plan())).code == "duplicate_id"
    other = plan("feed", parts=(CampaignPart(DomainKind.RACK, "r1"),), start_at=SOON + 2 * HOUR_US)
    refusal = driver.refused(ApplyCampaign(other))
    assert (refusal.code, refusal.detail) == ("campaigns_overlap", "campaign fw is to maintain r1-n01 too")
    driver.until(SOON)
    told = campaigning.claim_told(driver.world._desk(SOON), found(driver), found(driver).hits[0])
    assert told["months"][0]["left_s"] == 1800
    driver.later(seconds=3600)
    repaired(driver)
    refusal = driver.refused(ApplyCampaign(replace(other)))
    assert refusal.code == "over_allowance"
    assert refusal.detail == (
        "over_allowance: t1 allows 5400 s a month: 1800 seconds in the month from 2026-01-01 on more"
    )


def test_answers_about_what_is_not_there() -> None:
    driver = held()
    assert driver.refused(PauseCampaign(NAME)).code == "unknown_campaign"
    assert driver.refused(CancelCampaign(NAME)).code == "unknown_campaign"
    assert driver.refused(consent()).code == "unknown_campaign"
    assert driver.refused(consent(), tenant("acme")).code == "unknown_campaign"
    apply(driver)
    assert driver.refused(consent(of="t2")).code == "unknown_tranche"


def test_another_part_of_the_plant_may_be_maintained_meanwhile() -> None:
    driver = held()
    apply(driver, parts=(CampaignPart(DomainKind.RACK, "r1"),))
    apply(driver, name="feed", parts=(CampaignPart(DomainKind.RACK, "r2"),))
    assert len(driver.world.state.placements.campaigns) == 2


def test_a_wave_that_is_over_as_its_time_is_has_not_slipped() -> None:
    driver = held()
    driver.run("long", 8, tranche="t1", walltime_s=24 * 3600, grace_s=60)
    apply(driver, takes_s=60)
    driver.until(SOON + 30 * SECOND_US)
    repaired(driver)
    driver.end("long", Ending.STOPPED)
    repaired(driver)
    assert driver.count(WaveEnded) == 1
    driver.later(seconds=60)
    assert not driver.count(WaveSlipped)


def test_what_does_not_hold_is_told() -> None:
    driver = held()
    apply(driver)
    state, supplied = driver.world.state.placements, driver.world.state.supply
    good = state.campaigns[NAME]
    for broken, told in (
        (replace(good, draining=(NodeIndex(0),)), "maintained twice"),
        (replace(good, busy=True), "runs without nodes"),
        (replace(good, waves=()), "has nothing to do"),
    ):
        state.campaigns[NAME] = broken
        assert any(told in wrong for wrong in campaigning.check_campaigns(state, supplied))
    state.campaigns[NAME] = good
    assert not list(campaigning.check_campaigns(state, supplied))


def test_a_notice_may_fall_due_while_a_wave_runs() -> None:
    driver = plant.plant(contract("c1", "acme", tranche("t1")), contract("c2", "bravo", tranche("t2")))
    apply(driver, notice_s=1800)
    driver.until(SOON + HOUR_US // 4)
    assert sorted(found(driver).notices) == ["t1"]
    driver.until(SOON + HOUR_US // 2)
    assert sorted(found(driver).notices) == ["t1", "t2"]
    assert found(driver).busy


def test_who_came_by_nodes_since_is_not_touched() -> None:
    driver = plant.plant(contract("c1", "acme", tranche("t1")), contract("c2", "bravo"))
    apply(driver)
    term = tranche("t2", start_at=T0 + HOUR_US)
    driver.ask(claims.SignContract(contract("c3", "bravo", term)))
    driver.until(SOON)
    repaired(driver)
    driver.until(SOON + HOUR_US)
    assert driver.last(CampaignEnded).left == ((4, 4),)


def test_what_is_over_is_forgotten_in_the_end() -> None:
    driver = held()
    apply(driver)
    driver.ask(CancelCampaign(CampaignId("fw"), "storm"))
    kept = driver.world.state.placements.past_campaigns
    assert list(kept) == ["fw"]
    driver.later(days=400)
    for name, names in (("fw2", ["fw", "fw2"]), ("fw3", ["fw2", "fw3"])):
        start_at = driver.at + 10 * HOUR_US
        apply(driver, name=name, start_at=start_at, end_at=start_at + 24 * HOUR_US)
        driver.ask(CancelCampaign(CampaignId(name), "storm"))
        assert list(driver.world.state.placements.past_campaigns) == names
        driver.later(days=2)
