"""Promises as a whole: anything in any order, and the worked examples of the documentation."""

from __future__ import annotations

from pathlib import Path

import pytest

from forebay.core import timeline, units
from forebay.core.claims import Unit, exercise, rights, shortfall
from forebay.core.claims.rights import Cap, Life
from forebay.core.ids import CapId, RightId, TrancheId
from forebay.core.units import DAY_US, HOUR_US, MICROS, SECOND_US
from tests.core.claims import market
from tests.core.claims.market import day, hold, keep, late, life, offer, promise, refusal, sign, use, waiver
from tests.core.claims.traders import Traders
from tests.core.plant import T0, Driver, contract, tenant
from tests.core.test_world import run_machine

PAGE = (Path(__file__).parents[2] / "docs/explanation/promises.md").read_text(encoding="utf-8")


def test_promises_in_any_order() -> None:
    run_machine(Traders, examples=25, steps=30)


@pytest.mark.slow
def test_promises_in_any_order_at_length() -> None:
    run_machine(Traders, examples=150, steps=50)


# The worked examples of docs/explanation/promises.md


def written(*figures: str) -> None:
    """The page says so."""
    text = " ".join(PAGE.split())
    for figure in figures:
        assert figure in text, figure


def money(micros: int) -> str:
    whole, _, rest = units.decimal_text(micros).partition(".")
    return f"{int(whole):,}.{rest}"


def date(at: int) -> str:
    return timeline.text(at)[:10]


def test_a_tranche_that_is_late() -> None:
    driver = market.market(stands=1, comes=0)
    market.plan(driver, b1=(2, 30), b2=(2, 30))
    terms = late(grace=10, damages=5, cap=12_000, longstop=60)
    driver.ask(sign(contract("c1", "acme", promise("t1", 4, start=30, late=terms), promise("now", 1))))
    market.slip(driver, 50, "b1")
    market.slip(driver, 75, "b2")
    for on, block in ((50, "b1"), (75, "b2")):
        driver.until(day(on))
        market.reach(driver, block)
        market.come(driver, 2, block)
    driver.later(days=20)
    state = driver.world.state
    shorts = state.claims.shorts[market.STOCK]
    assert market.shorts(driver) == [("t1", 16, 30, 50), ("t1", 8, 50, 75)]
    tranche = state.claims.tranches[TrancheId("t1")]
    cost = shortfall.cost(tranche, state.supply, shorts)
    free = shortfall.cost(
        tranche._replace(plan=promise("t1", 4, start=30, late=late(grace=10, damages=5))),
        state.supply,
        shorts,
    )
    gpu_days = [64 * 10, 64 * 35]
    assert free.damages_micros == sum(gpu_days) * 5 * MICROS
    assert (cost.damages_micros, cost.capped, cost.longstop_at) == (12_000 * MICROS, True, 0)
    written(
        "due on 2026-01-31", f"{date(day(30))} to {date(day(50))} | 20 | 10 | 640 | 3,200.00",
        f"{date(day(30))} to {date(day(75))} | 45 | 35 | 2,240 | 11,200.00",
        f"Damages come to {money(free.damages_micros)}, of which the cap leaves {money(cost.damages_micros)}",
        f"Fees of {money(cost.fees_micros)} cannot be charged: 4,160 GPU-days at 48.00",
        f"longstop would have been on {date(day(90))}",
    )  # fmt: skip


def offered(*granted: rights.RightPlan) -> Driver:
    driver = market.market(contract("c1", "acme", rights=granted or (refusal(),)), stands=4, comes=0)
    keep(driver, hold(nodes=8))
    return driver


def test_first_refusal_at_the_last_second() -> None:
    driver = offered()
    offer(driver)
    driver.until(T0 + HOUR_US - SECOND_US)
    answer = driver.ask(use("rofr"), tenant("acme"))
    written(f"64 GPUs for 479 hours and one second, {money(answer['drawn_micros'])}")
    assert market.terms_of(driver).count == 8
    assert driver.world.state.claims.holds == {}


def test_first_refusal_one_second_later() -> None:
    driver = offered()
    offer(driver)
    driver.until(T0 + HOUR_US)
    assert driver.refused(use("rofr"), tenant("acme")).code == "too_late"
    # The seller knows that no other notice is under way, and waits for none.
    market.policy(driver, notice_grace_s=0)
    driver.later()
    assert market.held_right(driver, "rofr").passed == (("h1", T0 + HOUR_US + DAY_US),)
    written(f"until {timeline.text(T0 + HOUR_US + DAY_US).replace('T', ' ')[:-1]}")
    driver.until(T0 + HOUR_US + DAY_US - 1)
    cheaper = promise("t2", 2, end=20, price_micros_per_gpu_hour=1_990_000)
    for plan in (cheaper, promise("t2", 9, end=20, unit=Unit.NODE)):
        assert driver.refused(sign(contract("c2", "bravo", plan), "h1")).code == "first_refusal"
    driver.ask(sign(contract("c2", "bravo", promise("t2", 2, end=20)), "h1"))


def test_two_rights_on_one_scope() -> None:
    driver = market.market(
        contract("c1", "acme", rights=(refusal("junior", priority=2),)),
        contract("c3", "carol", rights=(refusal("senior", priority=1),)), stands=4, comes=0,
    )  # fmt: skip
    keep(driver, hold(nodes=8))
    early = driver.refused(rights.OfferSale(RightId("junior"), hold().id))
    offer(driver, "senior")
    driver.ask(waiver("senior"))
    signing = sign(contract("c2", "bravo", promise("t2", 2, end=20)), "h1")
    assert (early.code, driver.refused(signing).code) == ("higher_priority", "first_refusal")
    offer(driver, "junior")
    driver.ask(use("junior"))
    assert (market.terms_of(driver).count, life(driver, "senior")) == (8, Life.DORMANT)


def test_a_backstop_whose_money_ends_within_a_block() -> None:
    put = market.backstop(cap=CapId("cap"))
    cap = Cap(CapId("cap"), 46_079_990_000)
    driver = market.market(contract("c1", "acme", rights=(put,), caps=(cap,)), stands=4, comes=0)
    driver.until(day(10))
    assert market.held_right(driver, "put").unsold == 4
    answer = driver.ask(use("put"))
    plan = market.terms_of(driver)
    rack = exercise.cost_micros(promise("one", start=0, end=10), driver.world.state.supply)
    assert (answer["count"], answer["drawn_micros"]) == (2, 2 * rack)
    left = exercise.cap_left_micros(driver.world.state.claims, market.held_right(driver, "put"))
    assert left is not None
    written(
        f"what stayed unsold on {date(day(10))}", f"for {money(cap.micros)} in all", f"= {money(rack)}.",
        f"Three racks would cost {money(3 * rack)}", f"from {date(plan.start_at)} to {date(plan.end_at)}",
        f"for {money(2 * rack)}. {money(left)} are left",
    )  # fmt: skip
