"""What a customer will be asked to pay: its World computes the invoice that its provider's World issues."""

from __future__ import annotations

from typing import Any

from forebay.core import claims, money, timeline
from forebay.core.claims import PriceStep
from forebay.core.timeline import Interval
from forebay.core.units import HOUR_US, MICROS
from tests.core.claims import market
from tests.core.claims.market import day, promise, ramp, sign
from tests.core.claims.sides import LAB, book, both, customer, handed, provider, rental
from tests.core.plant import T0, Driver

JANUARY = Interval(timeline.month_start(T0), timeline.month_end(T0))


def payable(driver: Driver, period: Interval = JANUARY) -> list[money.PayableLine]:
    state = driver.world.state
    return money.payable_lines(book(driver), state.supply, state.claims.indices, period, driver.at)


def pair(*tranches: claims.TranchePlan, **more: Any) -> tuple[Driver, Driver]:
    """A seller and a buyer with one contract."""
    plan = rental(*tranches)
    seller, buyer = provider(**({"stands": 10, "comes": 0} | more)), customer()
    for driver in (seller, buyer):
        driver.ask(sign(plan))
    return seller, buyer


def told(lines: list[money.PayableLine]) -> list[tuple[str, int, int, int]]:
    return [(line.tranche, line.gpu_us, line.price_micros_per_gpu_hour, line.amount_micros) for line in lines]


def billed(driver: Driver) -> list[tuple[str, int, int, int]]:
    """What the seller's invoices bill for tranches."""
    return [
        (line.claim, line.gpu_us, line.price_micros_per_gpu_hour, line.amount_micros)
        for issued in driver.issued()
        for line in issued.lines
        if issued.tenant == LAB and line.kind == "dedicated"
    ]


def test_both_sides_come_to_the_same_amounts() -> None:
    dear = (PriceStep(day(12), 3 * MICROS, None, 1_000_000),)
    seller, buyer = pair(
        ramp((2, 1), (6, 2), end=200, price_steps=dear),
        promise("t2", 2, start=4, end=20),
        promise("t3", 2, start=3, end=200, acceptance=market.accepted(deemed=5)),
    )
    both(seller, buyer, days=2)
    both(seller, buyer, handed(2), days=1)
    both(seller, buyer, market.ready(2, "t3"), days=1)
    both(seller, buyer, handed(4, "t2"), market.accept(1, "t3"), days=2)
    both(seller, buyer, handed(6, "t1", 2), days=40)
    lines = payable(buyer)
    assert told(lines) == sorted(billed(seller))
    # One rack of 32 GPUs from day 2, three from day 6 on; from day 12 on at 3.00.
    hours = [line.gpu_us // HOUR_US for line in lines if line.tranche == "t1"]
    assert hours == [32 * 24 * (4 + 3 * 6), 32 * 24 * 3 * 19]
    assert [line.reason for line in lines if line.tranche == "t1"] == ["", "from 2026-01-13T00:00:00Z on"]


def test_what_did_not_come_is_not_paid() -> None:
    _, buyer = pair(promise("t1", 2, start=5, end=200))
    buyer.until(day(10))
    assert payable(buyer) == []
    buyer.ask(handed(8))
    (line,) = payable(buyer)
    # So far, and not beyond the period that is asked for.
    assert (line.start, line.end) == (day(8), JANUARY.end)
    assert payable(buyer, Interval(day(5), day(8))) == []
    (line,) = payable(buyer, Interval(day(5), day(9)))
    assert line.gpu_us == 64 * 24 * HOUR_US


def test_what_is_accepted_is_paid_from_the_start_of_billing() -> None:
    terms = market.accepted(deemed=5, after=3)
    seller, buyer = pair(promise("t1", 2, start=2, end=200, acceptance=terms))
    both(seller, buyer, days=3)
    both(seller, buyer, market.ready(2))
    assert payable(buyer) == []
    both(seller, buyer, market.accept(1), days=1)
    # Accepted, and not billed yet.
    assert payable(buyer) == []
    both(seller, buyer, days=40)
    assert told(payable(buyer)) == billed(seller)
    assert payable(buyer)[0].start == day(6)


def test_a_term_that_ends_within_the_month() -> None:
    seller, buyer = pair(promise("t1", 2, start=2, end=9))
    both(seller, buyer, days=2)
    both(seller, buyer, handed(2), days=40)
    (line,) = payable(buyer)
    assert line.gpu_us == 64 * 24 * 7 * HOUR_US
    assert told([line]) == billed(seller)
    assert payable(buyer, Interval(JANUARY.end, timeline.month_end(JANUARY.end))) == []
