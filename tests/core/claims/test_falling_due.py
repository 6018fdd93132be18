"""What falls due, and when: calendars worked out by hand. A rack costs 64.00 an hour, so 1,536.00 a day."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.core import claims
from forebay.core.claims import falling_due
from forebay.core.claims.falling_due import Expected
from forebay.core.claims.payments import BillingTime, MilestonePayment, PaymentTerms, Prepayment
from forebay.core.ids import MilestoneId, SiteId, TrancheId
from forebay.core.timeline import INSTANT_MAX
from forebay.core.units import DAY_US, MICROS
from tests.core.claims import market
from tests.core.claims.market import NORTH, promise, ramp, sign, termination, use
from tests.core.plant import T0, Driver, contract

ARREARS, ADVANCE = BillingTime.ARREARS, BillingTime.ADVANCE
DAY = 1_536
READY = MilestoneId("b1-ready")


def terms(billing: BillingTime = ARREARS, net_days: int = 30, **more: Any) -> PaymentTerms:
    return PaymentTerms(billing, net_days * 86_400, **more)


def prepaid(on: int, money: int) -> Prepayment:
    return Prepayment(market.day(on), money * MICROS)


def told(
    plan: claims.ContractPlan, driver: Driver | None = None, p50: int = 40, p90: int = 60
) -> list[tuple[str, str, int, float, float]]:
    """What, of what, due on which day, how much, and how much of it is drawn; no day is 9999."""
    state = (driver or market.market(comes=0)).world.state

    def expected(site: SiteId, milestone: MilestoneId) -> Expected:
        assert (site, milestone) == (NORTH, READY)
        return Expected(market.day(p50), market.day(p90))

    held = [each for each in state.claims.tranches.values() if each.contract == plan.id]
    if driver is None:
        held = [claims.Tranche(each, plan.id, plan.tenant, claims.Standing.SIGNED) for each in plan.tranches]
    return [
        (
            each.kind, each.about, (each.due_p50 - T0) // DAY_US, each.micros / MICROS,
            each.drawn_micros / MICROS,
        )
        for each in falling_due.falling_due(plan, held, state.supply, expected)
    ]  # fmt: skip


def test_fees_month_by_month_in_arrears_and_in_advance() -> None:
    plan = contract("c1", "acme", promise("t1", 1, start=10, end=45), payments=terms())
    # 21 days of January, 14 of February.
    assert told(plan) == [("fee", "t1", 31 + 30, 21 * DAY, 0), ("fee", "t1", 59 + 30, 14 * DAY, 0)]
    plan = contract("c1", "acme", promise("t1", 1, start=10, end=45), payments=terms(ADVANCE, 14))
    assert told(plan) == [("fee", "t1", 10 + 14, 21 * DAY, 0), ("fee", "t1", 31 + 14, 14 * DAY, 0)]
    silent = contract("c1", "acme", promise("t1", 1, end=5))
    assert told(silent) == [("fee", "t1", 31, 5 * DAY, 0)]


def test_a_ramp_costs_what_was_delivered_by_then() -> None:
    plan = contract("c1", "acme", ramp((0, 1), (20, 2), end=31), payments=terms())
    assert told(plan) == [("fee", "t1", 61, (31 + 2 * 11) * DAY, 0)]


def test_what_is_free_is_not_told() -> None:
    free = promise("t1", 1, end=5, price_micros_per_gpu_hour=0)
    assert told(contract("c1", "acme", free, payments=terms())) == []


def test_fees_draw_on_what_was_prepaid_by_then() -> None:
    """January costs 47,616.00, February 43,008.00. 60,000.00 are there before the first falls due."""
    plan = contract(
        "c1", "acme", promise("t1", 1, end=59),
        payments=terms(
            net_days=0, prepayments=(prepaid(59, 1_000), prepaid(5, 60_000)), deposit_micros=9 * MICROS,
            deposit_at=market.day(1),
        ),
    )  # fmt: skip
    assert told(plan) == [
        ("deposit", "", 1, 9, 0), ("prepayment", "", 5, 60_000, 0), ("fee", "t1", 31, 47_616, 47_616),
        ("fee", "t1", 59, 43_008, 12_384 + 1_000), ("prepayment", "", 59, 1_000, 0),
    ]  # fmt: skip


def test_who_draws_first() -> None:
    both = (promise("t1", 1, end=31), promise("t2", 1, end=31))

    def drawn(*order: str) -> dict[str, float]:
        agreed = terms(prepayments=(prepaid(0, 50_000),), drawdown=tuple(map(TrancheId, order)))
        found = told(contract("c1", "acme", *both, payments=agreed))
        return {about: drawn for kind, about, _, _, drawn in found if kind == "fee"}

    assert drawn() == drawn("t1", "t2") == {"t1": 47_616, "t2": 2_384}
    assert drawn("t2", "t1") == {"t1": 2_384, "t2": 47_616}
    # Who is not named does not draw.
    assert drawn("t2") == {"t1": 0, "t2": 47_616}


def test_what_a_milestone_makes_due() -> None:
    """Half of 59 days' fees are 45,312.00, due 30 days after the milestone; February's fee draws, for it is later."""
    half = MilestonePayment(NORTH, READY, share_ppm=500_000)
    plan = contract("c1", "acme", promise("t1", 1, end=59), payments=terms(milestones=(half,)))
    assert told(plan) == [
        ("fee", "t1", 61, 47_616, 0), ("milestone", "north/b1-ready", 70, 45_312, 0),
        ("fee", "t1", 89, 43_008, 43_008),
    ]  # fmt: skip
    fixed = MilestonePayment(NORTH, READY, micros=7 * MICROS)
    plan = contract("c1", "acme", promise("t1", 1, end=59), payments=terms(milestones=(fixed,)))
    assert ("milestone", "north/b1-ready", 70, 7, 0) in told(plan)


def test_what_nobody_can_date_is_never_drawn() -> None:
    half = MilestonePayment(NORTH, READY, share_ppm=500_000)
    plan = contract("c1", "acme", promise("t1", 1, end=31), payments=terms(milestones=(half,)))
    held = [claims.Tranche(each, plan.id, plan.tenant, claims.Standing.SIGNED) for each in plan.tranches]
    supplied = market.market(comes=0).world.state.supply
    found = falling_due.falling_due(plan, held, supplied, lambda *_: Expected(INSTANT_MAX, INSTANT_MAX))
    assert [(each.kind, each.due_p90, each.drawn_micros) for each in found] == [
        ("fee", market.day(61), 0),
        ("milestone", INSTANT_MAX, 0),
    ]


def test_what_was_ended_early_and_what_was_added() -> None:
    plan = contract(
        "c1", "acme", promise("t1", 4, start=30, end=365, late=market.late(longstop=10)),
        rights=(termination(of="t1"), market.call(racks=1, price_micros_per_gpu_hour=MICROS)), payments=terms(),
    )  # fmt: skip
    driver = market.market(stands=3, comes=4, on=20)
    driver.ask(sign(plan))
    market.slip(driver, 60)
    driver.ask(use("call", racks=1))
    driver.until(market.day(41))
    driver.ask(use("out"))
    found = told(plan, driver)
    # A day of January and ten of February, 4 racks; and a rack for ten days at half the price from the second day on.
    assert [each for each in found if each[1] == "t1"] == [
        ("fee", "t1", 61, 4 * DAY, 0),
        ("fee", "t1", 89, 4 * 10 * DAY, 0),
    ]
    assert [each for each in found if each[1] == "new"] == [("fee", "new", 61, 10 * DAY / 2, 0)]


@pytest.mark.parametrize(("count", "days", "fees"), [(1, 10, 10 * DAY), (2, 1, 2 * DAY)])
def test_the_fees_of_a_contract_as_signed(count: int, days: int, fees: int) -> None:
    supplied = market.market(comes=0).world.state.supply
    plan = contract("c1", "acme", promise("t1", count, end=days), promise("t2", 1, end=1))
    assert falling_due.fees_micros(plan.tranches, supplied) == (fees + DAY) * MICROS
