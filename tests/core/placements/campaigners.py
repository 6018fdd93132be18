"""Campaigns in one line each, for tests."""

from __future__ import annotations

from typing import Any

from forebay.core import supply
from forebay.core.claims.maintenance import Maintenance
from forebay.core.ids import CampaignId, NodeIndex, TrancheId
from forebay.core.placements.campaigns import (
    AnswerCampaign,
    ApplyCampaign,
    Campaign,
    CampaignPart,
    CampaignPlan,
    TrancheWindows,
    WaveUnit,
    run_nodes,
)
from forebay.core.supply import DomainKind
from forebay.core.units import HOUR_US, SECOND_US
from tests.core import plant
from tests.core.plant import T0, Driver, contract, tranche

#: Campaigns begin so long after the start of the tests.
SOON = T0 + 10 * HOUR_US
AGREED = Maintenance(allowed_s=8 * 3600, notice_s=2 * 3600)


def plan(name: str = "fw", **terms: Any) -> CampaignPlan:
    """Firmware on the site `north`: a rack at once, an hour each, from ten hours after the start on, for a day."""
    known: dict[str, Any] = {
        "id": CampaignId(name), "work": "firmware 24.9", "parts": (CampaignPart(DomainKind.SITE, "north"),),
        "sku": "", "start_at": SOON, "end_at": SOON + 24 * HOUR_US, "takes_s": 3600, "unit": WaveUnit.RACK,
        "units_max": 1, "claim_units_max": 0, "notice_s": 0, "failures_max": 1,
    }  # fmt: skip
    return CampaignPlan(**(known | terms))


def apply(driver: Driver, windows: tuple[TrancheWindows, ...] = (), **terms: Any) -> dict[str, Any]:
    return driver.ask(ApplyCampaign(plan(**terms), windows))


def held(**terms: Any) -> Driver:
    """Acme holds the first rack of two, with maintenance agreed."""
    known: dict[str, Any] = {"maintenance": AGREED}
    return plant.plant(contract("c1", "acme", tranche("t1", **(known | terms))))


def found(driver: Driver, name: str = "fw") -> Campaign:
    state = driver.world.state.placements
    return state.campaigns.get(CampaignId(name)) or state.past_campaigns[CampaignId(name)]


def consent(given: bool = True, of: str = "t1", name: str = "fw") -> AnswerCampaign:
    return AnswerCampaign(CampaignId(name), TrancheId(of), given, "as agreed")


def repaired(driver: Driver) -> None:
    """Whatever is being worked on is reported well, and passes its checks."""
    for node in [node for each in driver.world.state.placements.campaigns.values() for node in each.out]:
        if node in driver.world.state.supply.health.own:
            driver.recover(node)
        for check in driver.world.state.supply.health.missing.get(node, ()):
            driver.ask(supply.ReportNodeCheck(node, check, True), plant.EDGE)


def coming(campaign: Campaign) -> list[list[NodeIndex]]:
    return [run_nodes(wave) for wave in campaign.waves]


def seconds(at: int) -> int:
    """After the campaign's start."""
    return (at - SOON) // SECOND_US
