"""In which zone a date is meant that names none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from forebay.core import claims, ids, supply
from forebay.server import problems, zoned
from tests.core import plant
from tests.core.claims import market
from tests.core.claims.market import promise
from tests.core.plant import contract

HELSINKI, MADRID = "Europe/Helsinki", "Europe/Madrid"


def test_a_thing_has_the_zone_of_its_contract_or_else_of_its_site() -> None:
    driver = market.market()
    hall = plant.hall("south-h1", plant.rack("s1", on="south-f1"), plant.rack("s2", on="south-f1"))
    south = replace(plant.site("south", (plant.feed("south-f1"),), (hall,)), zone=MADRID)
    driver.ask(supply.ApplySite(south))
    there = ids.SiteId("south")
    driver.ask(claims.SignContract(contract("c1", "acme", promise("t1", site=there))))
    named = replace(contract("c2", "acme", promise("t2", site=there)), zone=HELSINKI)
    driver.ask(claims.SignContract(named))
    world = driver.world
    assert [zoned.of_site(world, name) for name in ("south", "nowhere", "")] == [MADRID, "UTC", "UTC"]
    assert [zoned.of_contract(world, name, "south") for name in ("c1", "c2", "c3")] == [
        MADRID,
        HELSINKI,
        MADRID,
    ]
    assert [zoned.of_tranche(world, name) for name in ("t1", "t2", "t3")] == [MADRID, HELSINKI, "UTC"]
    assert world.state.claims.contracts[ids.ContractId("c2")].zone == HELSINKI


@pytest.mark.parametrize(
    ("text", "at", "told"),
    [
        ("2026-01-02", 1_767_304_800, HELSINKI),
        ("2026-07-02", 1_782_939_600, HELSINKI),
        ("2026-01-02T08:00:00", 1_767_333_600, HELSINKI),
        ("2026-01-02T08:00:00Z", 1_767_340_800, ""),
        ("2026-01-02T08:00:00+01:00", 1_767_337_200, ""),
    ],
)
def test_a_date_is_read_in_the_zone_and_that_is_told(text: str, at: int, told: str) -> None:
    dates = zoned.SaidDates(HELSINKI)
    assert (dates.zone, dates.instant(text, "at"), dates.zone) == ("", at * 1_000_000, told)


def test_a_notice_that_names_no_date_is_received_when_it_is_entered() -> None:
    dates = zoned.SaidDates(HELSINKI)
    assert (dates.received(""), dates.zone) == (0, "")
    assert (dates.received("2026-01-02"), dates.zone) == (1_767_304_800_000_000, HELSINKI)
    with pytest.raises(problems.Failure, match="received_at"):
        dates.received("soon")
    # In spring no clock in Helsinki shows half past three.
    with pytest.raises(problems.Failure, match="at"):
        dates.instant("2026-03-29T03:30:00", "at")
