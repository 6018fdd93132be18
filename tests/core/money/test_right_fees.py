"""What rights cost, and a backstop whose cap is reached: by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from forebay.core.claims import SignContract
from forebay.core.ids import RightId
from forebay.core.units import MICROS
from tests.core.claims import market
from tests.core.claims.market import call, promise, use
from tests.core.plant import Driver, contract, tenant, utc


def fees(driver: Driver) -> list[tuple[str, str, int]]:
    """Kind, clause and cents of each line about a right."""
    return [
        (line.kind, line.clause, line.amount_minor)
        for issued in driver.issued()
        for line in issued.lines
        if line.kind.startswith("right_")
    ]


def test_a_premium_once_and_a_fee_for_each_use() -> None:
    right = call(racks=3, premium_micros=5_000 * MICROS, exercise_fee_micros=250 * MICROS)
    driver = market.market(contract("c1", "acme", promise("t1"), rights=(right,)), stands=4, comes=0)
    driver.later(days=1)
    driver.ask(use("call", "more", racks=1, start_at=market.day(3)), tenant("acme"))
    driver.ask(use("call", "most", racks=1, start_at=market.day(4)), tenant("acme"))
    driver.until(utc(2026, 2))
    premium, used = "rights[call].premium", "rights[call].exercise_fee"
    assert fees(driver) == [("right_premium", premium, 500_000), ("right_exercise", used, 50_000)]
    told = [line.text for line in driver.issued()[0].lines if line.kind.startswith("right_")]
    assert told == [
        "premium of right call, a call: 5000.00, paid by the customer who holds it",
        "use of right call, a call: 500.00, paid by the customer who holds it",
    ]
    driver.until(utc(2026, 4))
    assert len(fees(driver)) == 2
    assert driver.world.state.money.balances["revenue:rights", "USD"] == -5_500 * MICROS


def test_the_seller_pays_for_its_backstop() -> None:
    right = market.backstop(premium_micros=700 * MICROS)
    driver = market.market(contract("c1", "acme", promise("t1"), rights=(right,)), stands=4, comes=0)
    driver.until(utc(2026, 2))
    assert fees(driver) == [("right_premium", "rights[put].premium", -70_000)]


def test_an_amendment_that_makes_a_right_dearer_and_one_that_makes_it_cheaper() -> None:
    right = call(premium_micros=700 * MICROS, expires_at=market.day(90))
    plan = contract("c1", "acme", promise("t1"), rights=(right,))
    driver = market.market(plan, stands=4, comes=0)
    for version, month, premium in ((2, 2, 900), (3, 3, 600)):
        driver.until(utc(2026, month, 5))
        amended = replace(right, premium_micros=premium * MICROS)
        driver.ask(SignContract(replace(plan, version=version, rights=(amended,))))
    driver.until(utc(2026, 5))
    assert [amount for *_, amount in fees(driver)] == [70_000, 20_000, -30_000]
    told = [line.text for line in driver.issued()[-2].lines if line.kind == "right_premium"]
    assert told == ["premium of right call, a call: 300.00 less, paid by the customer who holds it"]


@pytest.mark.parametrize("name", ["premium", "exercise_fee"])
def test_a_price_of_a_right_that_is_none(name: str) -> None:
    driver = market.market(stands=4, comes=0)
    terms: dict[str, Any] = {f"{name}_micros": -1}
    no = driver.refused(SignContract(contract("c1", "acme", rights=(call(**terms),))))
    assert (no.code, no.field) == ("bad_price", f"rights[0].{name}")


def test_a_backstop_month_that_reaches_its_cap() -> None:
    """Two backstops share 80,000.00: one put in January, one in February. Four racks are unsold each time; a rack for
    ten days costs 32 x 240 x 2.00 = 15,360.00. In January four are put for 61,440.00. 18,560.00 are left, which pays
    for one rack in February, and 3,200.00 stay, under the price of a rack. What is billed is what was drawn.
    """
    shared = market.cap("together", 80_000)
    january = market.backstop("put-1", cap=shared.id)
    february = market.backstop("put-2", cap=shared.id, measure_at=market.day(40))
    driver = market.market(
        contract("c1", "acme", rights=(january, february), caps=(shared,)), stands=4, comes=0
    )
    driver.until(market.day(10))
    told = driver.ask(use("put-1", "one"))
    assert (told["count"], told["drawn_micros"]) == (4, 61_440 * MICROS)
    driver.until(market.day(40))
    told = driver.ask(use("put-2", "two"))
    assert (told["count"], told["drawn_micros"]) == (1, 15_360 * MICROS)
    driver.until(utc(2026, 4))
    billed = [(line.claim, line.amount_minor) for issued in driver.issued() for line in issued.lines]
    assert billed == [("one", 6_144_000), ("two", 1_536_000)]
    state = driver.world.state.claims
    right = state.rights[RightId("put-2")]
    assert state.drawn[right.contract, shared.id] == 76_800 * MICROS
