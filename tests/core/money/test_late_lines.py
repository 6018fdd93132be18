"""Lateness is settled once over all closes, by hand: grace, caps, order, and facts that come late."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from forebay.core import claims, money
from forebay.core.claims import Late, SignContract, shortfall
from forebay.core.claims.remedies import Remedies, Remedy, Settlement
from forebay.core.claims.service_levels import Rung, ServiceLevel, ServiceUnit
from forebay.core.ids import TrancheId
from forebay.core.money.late_delivery import late_months
from forebay.core.units import DAY_US, MICROS
from tests.core import plant
from tests.core.claims import market
from tests.core.claims.market import DAY_S, accept, accepted, day, held_up, late, promise, ready, relieved
from tests.core.plant import Driver, contract, utc

#: A rack is 32 GPUs at 2.00: a day's fee is 1,536.00, and half of it 768.00.
HALF = 500_000


def discount(grace: int = 0, share: int = HALF, cap: int = 0) -> Late:
    return Late(grace * DAY_S, 0, cap * MICROS, discount_ppm_per_day=share)


def handing(*tranches: claims.TranchePlan, **more: Any) -> Driver:
    """Four racks stand: what is late waits for acceptance."""
    return market.market(contract("c1", "acme", *tranches, **more), stands=4, comes=0)


def lines(driver: Driver) -> list[tuple[int, str, int]]:
    """Month of the invoice, kind and cents of each line about lateness."""
    return [
        ((issued.start - plant.T0) // DAY_US // 28 + 1, line.kind, line.amount_minor)
        for issued in driver.issued()
        for line in issued.lines
        if line.kind.startswith("late")
    ]


def take(driver: Driver, on: int, count: int = 1, of: str = "t1") -> None:
    """So many racks are ready and accepted on a day."""
    driver.until(day(on))
    driver.ask(ready(count, of))
    driver.ask(accept(of=of))


def balance(driver: Driver, account: str) -> int:
    return driver.world.state.money.balances.get((account, "USD"), 0)


def test_within_grace_nothing_follows() -> None:
    driver = handing(promise("t1", late=discount(grace=5), acceptance=accepted()))
    take(driver, 5)
    driver.until(utc(2026, 3))
    assert lines(driver) == []
    assert [issued.total_minor for issued in driver.issued()] == [26 * 153_600, 28 * 153_600]


def test_a_discount_for_each_day_after_grace() -> None:
    """Ten days late, five of grace: 5 x 768.00 off the fees of 21 days."""
    driver = handing(promise("t1", late=discount(grace=5), acceptance=accepted()))
    take(driver, 10)
    driver.until(utc(2026, 3))
    assert lines(driver) == [(1, "late_discount", -5 * 76_800)]
    january = driver.issued()[0]
    assert january.total_minor == 21 * 153_600 - 5 * 76_800
    (line,) = [each for each in january.lines if each.kind == "late_discount"]
    assert line.clause == "tranches[t1].late.discount_per_day"
    assert (line.start, line.end, line.gpu_us) == (day(5), day(10), 0)
    assert line.text == (
        "late delivery in 2026-01: up to 32 GPUs after their grace, 160.00 GPU-days, 50.00 % of their fees of "
        "7680.00 = 3840.00"
    )
    assert balance(driver, "revenue:late_discounts") == 5 * 768 * MICROS
    assert balance(driver, "revenue:dedicated") == -(21 + 28) * 1536 * MICROS


def test_damages_are_owed_at_once() -> None:
    """Nothing is delivered in January: 26 days x 32 GPUs x 10.00 are owed all the same."""
    driver = handing(promise("t1", late=late(grace=5, damages=10), acceptance=accepted()))
    driver.until(utc(2026, 2))
    assert lines(driver) == [(1, "late_damages", -26 * 32_000)]
    assert driver.issued()[0].total_minor == -26 * 32_000
    assert balance(driver, "expense:late_damages") == 26 * 320 * MICROS
    assert "832.00 GPU-days x 10.00 = 8320.00" in driver.issued()[0].lines[0].text
    take(driver, 33)
    driver.until(utc(2026, 3))
    # Two days of February more.
    assert lines(driver)[1:] == [(2, "late_damages", -2 * 32_000)]


def test_what_fees_do_not_cover_waits_for_later_ones() -> None:
    """At 200 % a day, 20 days late cost 61,440.00; January has fees of 11 days, 16,896.00, February of 28,
    43,008.00, and 1,536.00 are left for March.
    """
    driver = handing(promise("t1", late=discount(share=4 * HALF), acceptance=accepted()))
    take(driver, 20)
    driver.until(utc(2026, 3))
    assert lines(driver) == [(1, "late_discount", -11 * 153_600), (2, "late_discount", -28 * 153_600)]
    driver.until(utc(2026, 4))
    assert lines(driver)[2:] == [(3, "late_discount", -153_600)]
    told = [line.text for issued in driver.issued() for line in issued.lines if line.kind == "late_discount"]
    assert told[0].endswith("= 61440.00; 44544.00 is left for later fees")
    assert told[1].startswith("correction of 2026-01: late delivery, ")
    assert told[2].endswith("= 61440.00; settled before: 59904.00")
    assert [issued.total_minor for issued in driver.issued()] == [0, 0, 30 * 153_600]
    driver.until(utc(2026, 6))
    assert len(lines(driver)) == 3


def test_each_month_is_settled_once_and_all_of_them_come_to_what_lateness_costs() -> None:
    driver = handing(promise("t1", 3, late=late(grace=3, damages=7), acceptance=accepted()))
    take(driver, 10)
    driver.until(day(20))
    driver.close()
    take(driver, 40)
    driver.until(day(50))
    driver.close()
    take(driver, 70)
    driver.until(utc(2026, 5))
    state = driver.world.state
    tranche = state.claims.tranches[TrancheId("t1")]
    told = claims.lateness.lateness(state.claims, state.supply, tranche, driver.at)
    owed = shortfall.cost(tranche, state.supply, told.late).damages_micros
    # 7, 37 and 67 days after grace.
    assert owed == (7 + 37 + 67) * 32 * 7 * MICROS
    assert sum(state.money.late.values()) == owed == balance(driver, "expense:late_damages")
    months = late_months(state.claims, state.supply, state.usage.downtimes, tranche, driver.at)
    assert {each.month.start: each.micros for each in months} == {
        month_at: micros for (_, month_at, _), micros in state.money.late.items()
    }


def test_the_cap_of_a_tranche() -> None:
    driver = handing(promise("t1", late=late(damages=10, cap=10_000), acceptance=accepted()))
    driver.until(utc(2026, 4))
    # 31 x 320.00 are 9,920.00, and then 80.00.
    assert lines(driver) == [(1, "late_damages", -992_000), (2, "late_damages", -8_000)]
    assert driver.issued()[1].lines[0].text.endswith("= 8960.00, capped at 80.00 by the tranche")


SERVICE = ServiceLevel(ServiceUnit.NODE, (Rung(999_999, 100_000),))


def capped(order: tuple[Remedy, ...], **caps: int) -> Remedies:
    return Remedies(order, Settlement.SET_OFF, *(caps.get(each, 0) * MICROS for each in ("month", "total")))


def both(order: tuple[Remedy, ...], **caps: int) -> list[tuple[str, int]]:
    """Ten days late, then a node out for a day: a discount of 7,680.00, and a credit of 10 % of 31,872.00: fees of
    21 days less 8 GPUs for a day.
    """
    plan = promise("t1", late=discount(), acceptance=accepted(), service=SERVICE)
    driver = handing(plan, remedies=capped(order, **caps))
    take(driver, 10)
    driver.fail(0)
    driver.later(days=1).recover(0)
    driver.until(utc(2026, 2))
    return [(line.kind, line.amount_minor) for line in driver.issued()[0].lines][1:]


FIRST, LAST = (Remedy.FEE_DISCOUNT, Remedy.CREDIT), (Remedy.CREDIT, Remedy.FEE_DISCOUNT)
NO_CAPS: dict[str, int] = {}


@pytest.mark.parametrize(
    ("order", "caps", "told"),
    [
        (FIRST, NO_CAPS, [("late_discount", -768_000), ("service_credit", -318_720)]),
        (LAST, NO_CAPS, [("service_credit", -318_720), ("late_discount", -768_000)]),
        (FIRST, {"month": 8_000}, [("late_discount", -768_000), ("service_credit", -32_000)]),
        (LAST, {"month": 8_000}, [("service_credit", -318_720), ("late_discount", -481_280)]),
        (FIRST, {"total": 5_000}, [("late_discount", -500_000)]),
        (LAST, {"month": 9_000, "total": 3_000}, [("service_credit", -300_000)]),
    ],
)
def test_both_remedies_share_the_caps_of_the_contract(
    order: tuple[Remedy, ...], caps: dict[str, int], told: list[tuple[str, int]]
) -> None:
    assert both(order, **caps) == told


def test_what_the_caps_of_the_contract_left_stays_so() -> None:
    plan = promise("t1", late=discount(), acceptance=accepted())
    driver = handing(plan, remedies=capped(FIRST, total=5_000))
    take(driver, 10)
    driver.until(utc(2026, 4))
    assert lines(driver) == [(1, "late_discount", -500_000)]
    assert driver.issued()[0].lines[1].text.endswith(", capped at 5000.00 by the remedies of the contract")


def test_an_acceptance_that_is_entered_late() -> None:
    """What is accepted as of the 30th day is known on the 40th: a day of January, and nothing of February."""
    driver = handing(promise("t1", late=late(damages=10), acceptance=accepted()))
    driver.until(day(25))
    driver.ask(ready())
    driver.until(day(40))
    driver.ask(accept(on=30))
    driver.until(utc(2026, 3))
    assert lines(driver) == [(1, "late_damages", -31 * 32_000), (2, "late_damages", 32_000)]
    corrected = driver.issued()[1].lines[-1]
    assert corrected.text == (
        "correction of 2026-01: late delivery, up to 32 GPUs after their grace, 960.00 GPU-days x 10.00 = 9600.00; "
        "settled before: 9920.00"
    )
    assert corrected.start == day(0)


def test_relief_that_is_granted_later_takes_all_of_it_back() -> None:
    plan = promise(
        "t1", late=late(damages=10), acceptance=accepted(), start=5, relief=(relieved(notice=90, cap=60),)
    )
    driver = handing(plan)
    driver.until(utc(2026, 2))
    assert lines(driver) == [(1, "late_damages", -26 * 32_000)]
    driver.ask(held_up(2, 40))
    driver.until(utc(2026, 3))
    # It is due on day 43 now: sixteen days of February are late.
    assert lines(driver)[1:] == [(2, "late_damages", 26 * 32_000), (2, "late_damages", -16 * 32_000)]
    assert "nothing was late after its grace; settled before: 8320.00" in driver.issued()[1].lines[0].text
    assert balance(driver, "expense:late_damages") == 16 * 320 * MICROS


def test_without_terms_for_acceptance_what_is_short_is_late() -> None:
    """Two of four racks come twenty days late: 20 x 2 x 32 GPUs at 5.00."""
    driver = market.market(
        contract("c1", "acme", promise("t1", 4, start=10, late=late(damages=5))), stands=2, comes=2, on=5
    )
    market.slip(driver, 30)
    driver.until(day(30))
    market.come(driver, 2)
    market.reach(driver)
    driver.until(utc(2026, 3))
    assert sum(amount for _, _, amount in lines(driver)) == -20 * 64 * 500
    state = driver.world.state
    # Were all of it in service, none of it would be late: it has the remedy of the service level.
    tranche = state.claims.tranches[TrancheId("t1")]
    served = state.usage.downtimes.fork()
    stint = served.served[TrancheId("t1")][0]
    served.served[TrancheId("t1")] = (stint._replace(first=0, nodes=16, start_at=day(0)),)
    assert late_months(state.claims, state.supply, served, tranche, driver.at) == []


def test_terms_without_a_price_and_tranches_without_terms_settle_nothing() -> None:
    driver = handing(
        promise("t1", late=late(grace=1, longstop=90), acceptance=accepted()),
        promise("t2", acceptance=accepted()),
    )
    driver.until(utc(2026, 3))
    assert lines(driver) == []


def test_an_amendment_changes_the_remedy_for_what_goes_missing_from_then_on() -> None:
    """Missing since the first day: the first terms go on to hold for it."""
    plan = promise("t1", late=late(damages=10), acceptance=accepted())
    driver = handing(plan)
    driver.until(day(10))
    amended = contract("c1", "acme", replace(plan, late=discount()), version=2)
    driver.ask(SignContract(amended))
    driver.until(utc(2026, 2))
    assert lines(driver) == [(1, "late_damages", -31 * 32_000)]


def test_what_ended_long_ago_is_settled_for_ever() -> None:
    driver = handing(promise("t1", end=20, late=late(damages=10), acceptance=accepted()))
    driver.until(utc(2026, 2))
    assert lines(driver) == [(1, "late_damages", -20 * 32_000)]
    driver.until(utc(2027, 4))
    assert len(lines(driver)) == 1


def test_the_facts_behind_a_line() -> None:
    plan = promise("t1", late=late(grace=2, damages=10), acceptance=accepted(), start=3, relief=(relieved(),))
    driver = handing(plan)
    driver.until(day(4))
    driver.ask(held_up(1, 3))
    take(driver, 10)
    driver.until(utc(2026, 2))
    state = driver.world.state
    line = driver.issued()[0].lines[-1]
    assert money.late_facts(state.claims, state.supply, line, utc(2026, 2)) == [
        "1 racks due at 2026-01-04T00:00:00Z, moved to 2026-01-06T00:00:00Z by relief",
        "relief: force_majeure from 2026-01-02T00:00:00Z until 2026-01-04T00:00:00Z (a flood)",
        "1 racks accepted at 2026-01-11T00:00:00Z (ready notice 1)",
        (
            "32 GPUs missing since 2026-01-06T00:00:00Z, 2.00 days of grace: late from 2026-01-08T00:00:00Z until "
            "2026-01-11T00:00:00Z, 96.00 GPU-days"
        ),
    ]
