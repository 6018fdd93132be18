"""Which nodes go together, whose they are, and what of it is agreed."""

from __future__ import annotations

from forebay.core.claims.maintenance import Maintenance
from forebay.core.ids import SkuId
from forebay.core.placements import waves
from forebay.core.placements.campaigns import ApplyCampaign, CampaignPart, WaveUnit
from forebay.core.supply import DomainKind
from forebay.core.units import HOUR_US
from tests.core import plant
from tests.core.placements.campaigners import AGREED, SOON, apply, coming, found, held, plan
from tests.core.plant import contract, site, tranche


def test_so_many_at_once_altogether_and_of_each_claim() -> None:
    driver = plant.plant(
        contract("c1", "acme", tranche("t1", maintenance=AGREED)), contract("c2", "bravo"),
    )  # fmt: skip
    apply(driver, unit=WaveUnit.NODE, units_max=3, claim_units_max=1)
    assert coming(found(driver)) == [[0, 4, 5], [1, 6, 7], [2], [3]]
    assert found(driver).hits[0].at_once == 1


def test_racks_are_whole_and_full_waves_are_passed() -> None:
    driver = plant.plant(sites=[site(racks=5)])
    apply(driver, units_max=2)
    assert [len(wave) for wave in coming(found(driver))] == [8, 8, 4]


def test_only_nodes_of_a_kind() -> None:
    driver = held()
    both = (CampaignPart(DomainKind.FEED, "f1"), CampaignPart(DomainKind.RACK, "r1"))
    assert apply(driver, parts=both, sku=SkuId("hgx"))["nodes"] == 8
    assert waves.nodes_meant(driver.world.state.supply, plan(sku=SkuId("other"))) == []


def test_too_many_waves() -> None:
    driver = plant.plant(sites=[site(racks=251)])
    assert driver.refused(ApplyCampaign(plan(unit=WaveUnit.NODE))).code == "too_many_waves"


def test_a_claim_whose_term_is_over_by_then_is_not_hit() -> None:
    driver = held(end_at=SOON)
    assert apply(driver)["claims"] == []


def test_over_the_end_of_a_month_each_has_its_own_allowance() -> None:
    driver = held(maintenance=Maintenance(1800))
    begins = plant.utc(2026, 1, 31, 23) + HOUR_US // 2
    answer = apply(driver, start_at=begins, end_at=begins + 2 * HOUR_US)
    assert [(each["month"], each["agreed_s"], each["left_s"]) for each in answer["claims"][0]["months"]] == [
        ("2026-01", 1800, 0), ("2026-02", 1800, 0),
    ]  # fmt: skip
