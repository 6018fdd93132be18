"""The invoices of docs/reference/worked-examples.md come out as they were worked out there by hand."""

from __future__ import annotations

from forebay.core import ids, money, usage
from forebay.core.placements.gang import Ending, Tier
from forebay.core.units import HOUR_US
from tests.core import plant
from tests.core.plant import LENT, Driver, contract, tranche

Billed = tuple[str, int, int]


def billed(invoice: money.InvoiceIssued) -> list[Billed]:
    """Kind, exact micro-units, cents of each line."""
    return [(line.kind, line.amount_micros, line.amount_minor) for line in invoice.lines]


def test_a_lent_rack_that_its_owner_wants_back_within_the_hour() -> None:
    driver = plant.plant(contract("c1", "acme", tranche("t1", lending=LENT)), contract("c2", "bravo"))
    driver.run("pool", 32, tenant="bravo", walltime_s=86_400)
    driver.run("borrows", 32, tenant="bravo", tier=Tier.SPOT, grace_s=60, walltime_s=86_400)
    assert driver.gang("borrows").lender == "t1"
    driver.later(24 * 60)
    driver.submit("own", 32, tranche="t1", walltime_s=86_400)
    driver.later(60).end("borrows", Ending.STOPPED)
    assert driver.phase("own") == "placed"
    driver.start("own")
    driver.later(35 * 60)
    invoices = {invoice.tenant: invoice for invoice in driver.close()}
    assert billed(invoices[ids.TenantId("bravo")]) == [
        ("on_demand", 96_000_000, 9600), ("spot", 13_333_333, 1333),
    ]  # fmt: skip
    acme = invoices[ids.TenantId("acme")]
    assert billed(acme) == [("dedicated", 64_000_000, 6400), ("lending_share", -5_333_333, -533)]
    assert (acme.total_minor, invoices[ids.TenantId("bravo")].total_minor) == (5867, 10_933)
    (book,) = driver.last(usage.PeriodClosed).tranches
    minute_us = 32 * HOUR_US // 60
    assert (book.lent_gpu_us, book.used_gpu_us, book.idle_gpu_us) == (25 * minute_us, 35 * minute_us, 0)
    balances = driver.world.state.money.balances
    assert balances["receivable:bravo", "USD"] == 109_330_000
    assert balances["receivable:acme", "USD"] == 58_670_000
    # 0.003333 that bravo does not pay, and 0.003333 that acme pays more, do away with each other.
    assert balances.get(("rounding", "USD"), 0) == 0


def month_of(driver: Driver, month: int, year: int = 2026) -> money.InvoiceIssued:
    """The invoice of a month, which its end by the calendar closes."""
    driver.until(plant.utc(year, month + 1) + HOUR_US)
    return driver.last(money.InvoiceIssued, lambda each: each.start == plant.utc(year, month))


def test_a_month_with_a_change_of_clocks() -> None:
    driver = plant.plant(contract("c1", "acme", tranche("t1")))
    assert driver.world.state.supply.sites[ids.SiteId("north")].zone == "Europe/Helsinki"
    for month, hours in ((3, 744), (10, 744), (11, 720)):
        invoice = month_of(driver, month)
        (line,) = invoice.lines
        assert line.gpu_us == 32 * hours * HOUR_US
        assert invoice.total_minor == 32 * hours * 200
