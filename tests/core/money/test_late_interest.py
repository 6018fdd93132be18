"""Interest on what is late: by hand, to the microsecond, and never twice."""

from __future__ import annotations

from forebay.core import claims, money
from forebay.core.claims import payments
from forebay.core.ids import TenantId
from forebay.core.money import Allocation, Contested, OpenDispute, RecordReceipt, SettleDispute
from forebay.core.units import DAY_US, MICROS
from tests.core import plant
from tests.core.plant import FINANCE, Driver, contract, day, tranche

ACME = TenantId("acme")


def billed(rate_ppm: int = 365_000) -> Driver:
    """384.00 for the first day, due on day 11, at 36.5 % a year: a thousandth a day. Then the term is over."""
    terms = payments.PaymentTerms(
        payments.BillingTime.ARREARS, 10 * 86_400, interest_ppm=rate_ppm, withholding_ppm=500_000
    )
    node = tranche("t1", 1, unit=claims.Unit.NODE, end_at=day(1))
    driver = plant.plant(contract("c1", "acme", node, payments=terms))
    driver.later(days=1).close()
    return driver


def pay(driver: Driver, invoice: str, amount: int, received_at: int) -> str:
    part = (Allocation(invoice, amount * MICROS),)
    answer = driver.ask(
        RecordReceipt(ACME, "USD", amount * MICROS, received_at, f"wire {driver.at}", part), FINANCE
    )
    return str(answer["receipt"])


def interest(driver: Driver) -> list[tuple[int, int, int]]:
    """Lines of interest since the last call: from which day until which, micro-units."""
    known = driver.__dict__.setdefault("told", 0)
    driver.close()
    lines = [line for each in driver.issued() for line in each.lines if line.kind == "late_interest"]
    driver.__dict__["told"] = len(lines)
    return [
        ((line.start - plant.T0) // DAY_US, (line.end - plant.T0) // DAY_US, line.amount_micros)
        for line in lines[known:]
    ]


def test_a_day_late_is_a_day_of_interest_and_no_microsecond_is_charged_twice() -> None:
    """384.00 x 36.5 % / 365 = 0.384 a day."""
    driver = billed()
    driver.until(day(11))
    assert interest(driver) == []
    driver.until(day(12))
    assert interest(driver) == [(11, 12, 384_000)]
    line = driver.issued()[-1].lines[0]
    assert line.text == (
        "late interest on INV-000001 at 36.50 % a year: 384.00 from 2026-01-12T00:00:00Z until "
        "2026-01-13T00:00:00Z"
    )
    assert (line.clause, line.amount_minor) == ("payments.interest", 38)
    driver.until(day(15))
    assert interest(driver) == [(12, 15, 3 * 384_000)]


def test_a_part_that_is_paid_bears_none_from_then_on() -> None:
    driver = billed()
    driver.until(day(13))
    pay(driver, "INV-000001", 184, day(13))
    driver.until(day(16))
    # Two days of 384, three of 200.
    assert interest(driver) == [(11, 16, 2 * 384_000 + 3 * 200_000)]
    assert "384.00 from 2026-01-12T00:00:00Z until 2026-01-14T00:00:00Z; 200.00 from" in (
        driver.issued()[-1].lines[0].text
    )


def test_there_is_no_interest_on_interest() -> None:
    driver = billed()
    driver.until(day(21))
    assert interest(driver) == [(11, 21, 10 * 384_000)]
    # The second invoice, of nothing but interest, becomes late too, and bears none; the first goes on.
    driver.until(day(40))
    assert sum(micros for _, _, micros in interest(driver)) == 19 * 384_000
    charged = [event for _, event in driver.events if isinstance(event, money.LateInterestCharged)]
    assert {event.invoice for event in charged} == {"INV-000001"}


def test_a_receipt_that_came_earlier_than_it_was_recorded_gives_interest_back() -> None:
    driver = billed()
    driver.until(day(16))
    assert interest(driver) == [(11, 16, 5 * 384_000)]
    driver.until(day(18))
    pay(driver, "INV-000001", 384, day(13))
    driver.until(day(20))
    assert interest(driver) == [(11, 16, -3 * 384_000)]
    assert driver.issued()[-1].lines[0].text == (
        "correction of late interest on INV-000001 until 2026-01-17T00:00:00Z: 0.768 instead of 1.92"
    )
    # What is paid and put right is forgotten after another close.
    driver.until(day(21))
    assert interest(driver) == []
    driver.until(day(22))
    assert interest(driver) == []
    assert all(item.invoice != "INV-000001" for item in driver.world.state.money.lateness.open)


def test_what_is_kept_back_in_a_dispute_bears_none_as_long_as_it_is_open() -> None:
    """Half of the 200.00 that are contested may be kept back: 284 of 384 bear interest on days 11 to 15."""
    driver = billed()
    (first,) = driver.issued()
    driver.until(day(5))
    opened = driver.ask(OpenDispute(first, (Contested(1, 200 * MICROS),), "half a node"), FINANCE)
    assert (opened["disputed_micros"], opened["withheld_micros"]) == (200 * MICROS, 100 * MICROS)
    driver.until(day(15))
    driver.ask(SettleDispute(opened["dispute"], False, "it was whole"), FINANCE)
    driver.until(day(16))
    assert interest(driver) == [(11, 16, 4 * 284_000 + 384_000)]


def test_what_is_void_was_never_owed_and_bears_none() -> None:
    driver = billed()
    driver.until(day(13))
    assert interest(driver) == [(11, 13, 2 * 384_000)]
    driver.until(day(14))
    driver.ask(money.VoidInvoice(driver.issued()[0], "billed to the wrong party"), FINANCE)
    driver.until(day(16))
    # What was charged is given back, and the two days until it was void are not charged.
    assert interest(driver) == [(11, 13, -2 * 384_000)]
    driver.until(day(20))
    assert interest(driver) == []


def test_without_terms_or_a_rate_there_is_none() -> None:
    driver = billed(0)
    driver.until(day(20))
    assert interest(driver) == []
    node = tranche("t1", 1, unit=claims.Unit.NODE, end_at=day(1))
    driver = plant.plant(contract("c1", "acme", node, payments=None))
    driver.until(day(60))
    assert interest(driver) == []


def test_of_several_contracts_on_an_invoice_the_lowest_rate_holds() -> None:
    terms = [
        payments.PaymentTerms(payments.BillingTime.ARREARS, 10 * 86_400, interest_ppm=rate)
        for rate in (365_000, 36_500)
    ]
    node = claims.Unit.NODE
    driver = plant.plant(
        contract("c1", "acme", tranche("t1", 1, unit=node, end_at=day(1)), payments=terms[0]),
        contract("c2", "acme", tranche("t2", 1, unit=node, end_at=day(1)), payments=terms[1]),
    )
    driver.later(days=1).close()
    driver.until(day(12))
    assert interest(driver) == [(11, 12, 76_800)]
