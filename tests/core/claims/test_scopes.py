"""A right whose scope matches nothing is not granted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from forebay.core import claims, ids, supply
from forebay.core.claims import Opening
from forebay.core.claims.opening import OpenedRight, OpenedTranche
from forebay.core.claims.rights import Life, RightPlan
from forebay.core.supply import blocks
from tests.core import plant
from tests.core.claims import market
from tests.core.claims.market import backstop, promise, refusal, sign
from tests.core.plant import contract

SOUTH, WEST, OTHER, NONE = ids.SiteId("south"), ids.SiteId("west"), ids.SkuId("other"), ids.SkuId("none")
ANY = ids.SiteId("")


@pytest.mark.parametrize(
    ("right", "field", "told"),
    [
        (refusal(), "", ""),
        (
            refusal(sku=OTHER),
            "sku",
            "no rack of other stands at north, and none is to come; there are hgx; other is at south",
        ),
        (refusal(site=SOUTH, sku=OTHER), "", ""),
        (refusal(site=ANY, sku=OTHER), "", ""),
        (refusal(site=ANY, sku=NONE), "sku", "no rack of none stands at any site, and none is to come"),
        (refusal(site=WEST), "site", "no rack stands at west, and none is to come"),
        (refusal(site=ANY), "", ""),
        (
            backstop(sku=OTHER),
            "sku",
            "no rack of other stands at north, and none is to come; there are hgx; other is at south",
        ),
        (backstop(), "", ""),
    ],
)
def test_a_scope_that_matches_nothing(right: RightPlan, field: str, told: str) -> None:
    # What is only planned counts, and so does what only stands.
    driver = market.market(stands=0, comes=4, on=12)
    driver.ask(supply.ApplyCatalogue((plant.sku("other"), plant.sku("none"))))
    hall = plant.hall("south-h1", plant.rack("s1", "other", "south-f1"))
    driver.ask(supply.ApplySite(plant.site("south", (plant.feed("south-f1"),), (hall,))))
    driver.ask(supply.ApplySite(plant.site("west", (plant.feed("west-f1"),), racks=0)))
    asked = sign(contract("c1", "acme", rights=(right,)))
    if not field:
        assert driver.ask(asked)["signed"]
        return
    no = driver.refused(asked)
    assert (no.code, no.field, no.detail) == ("bad_scope", f"rights[0].{field}", f"right {right.id}: {told}")


def elsewhere(*contracts: claims.ContractPlan, **more: Any) -> plant.Driver:
    """Racks at north; another kind of rack is in the catalogue, and nowhere."""
    driver = market.market(*contracts, stands=4, comes=0, **more)
    driver.ask(supply.ApplyCatalogue((plant.sku("other"),)))
    return driver


def test_an_amendment_that_adds_a_right_over_nothing_is_refused_and_what_was_granted_stays() -> None:
    driver = elsewhere(contract("c1", "acme", promise("t1")))
    last = driver.world.state.claims.contracts[ids.ContractId("c1")]
    adds = replace(last, version=2, rights=(refusal("fine"), refusal(sku=OTHER)))
    no = driver.refused(sign(adds))
    assert (no.code, no.field) == ("bad_scope", "rights[1].sku")
    assert no.detail.startswith("right rofr: no rack of other stands at north, and none is to come")
    # Once a block is planned it is granted; and its plan may go again without a word about the right.
    ready = blocks.MilestonePlan(ids.MilestoneId("b9-ready"), planned_at=market.day(30))
    block = blocks.BlockPlan(ids.BlockId("b9"), OTHER, 1, (ready.id,))
    driver.ask(blocks.ApplySchedule(blocks.SchedulePlan(market.NORTH, (ready,), (block,))))
    assert driver.ask(sign(adds))["signed"]
    driver.ask(blocks.ApplySchedule(blocks.SchedulePlan(market.NORTH, (), ())))
    assert driver.ask(
        sign(replace(adds, version=3, rights=(refusal("fine"), refusal(sku=OTHER, answer_s=60))))
    )
    assert market.held_right(driver, "rofr").plan.notice_s == 60
    # Nothing is kept of a refused amendment; that of nothing is the first that it is told.
    oversold = replace(
        last, version=4, tranches=(promise("t1", 9),), rights=(backstop(sku=OTHER), *adds.rights)
    )
    assert driver.refused(sign(oversold)).code == "bad_scope"


@pytest.mark.parametrize(("life", "code"), [(Life.DORMANT, "bad_scope"), (Life.WAIVED, "")])
def test_a_running_contract_brings_no_right_over_nothing_unless_it_is_over(life: Life, code: str) -> None:
    driver = elsewhere().until(market.day(40))
    plan = contract("old", "acme", promise("t1", 2, start=10), rights=(refusal(sku=OTHER),))
    stood = Opening(
        market.day(40), tranches=(OpenedTranche(ids.TrancheId("t1"), 2),),
        rights=(OpenedRight(ids.RightId("rofr"), life),),
    )  # fmt: skip
    asked = claims.SignContract(plan, opening=stood)
    if not code:
        assert driver.ask(asked)["signed"]
        return
    no = driver.refused(asked)
    assert (no.code, no.field) == (code, "rights[0].sku")
