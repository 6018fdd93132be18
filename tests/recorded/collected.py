"""The part of the story in which money comes in, pays invoices, and turns out to be another customer's."""

from __future__ import annotations

from forebay.core.ids import TenantId
from forebay.core.money import (
    AllocateCreditNote,
    AllocateReceipt,
    Allocation,
    ApplyTaxes,
    IssueCreditNote,
    LineCredit,
    RecordReceipt,
    ReverseReceipt,
    TaxRate,
    VoidInvoice,
)
from forebay.core.units import DAY_US, MICROS, MINOR_DIGITS
from tests.core import plant
from tests.core.plant import Driver


def collect(driver: Driver) -> None:
    """Hugo pays what was open at its cutover, in two parts; the first was wrong."""
    vat = TaxRate("FI", 255_000, driver.at, number="FI1234567-8", evidence="VAT act, section 84")
    driver.ask(ApplyTaxes(TenantId("hugo"), (vat,)), plant.FINANCE)
    part = (Allocation("c8/2025-117", 300 * MICROS),)
    for reference in ("wire 1", "wire 2"):
        driver.ask(
            RecordReceipt(TenantId("hugo"), "USD", 350 * MICROS, driver.at - DAY_US, reference, part),
            plant.FINANCE,
        )
    more = (Allocation("c8/2025-117", 50 * MICROS),)
    driver.ask(AllocateReceipt("RCT-000002", more), plant.FINANCE)
    driver.ask(ReverseReceipt("RCT-000001", "of another customer"), plant.FINANCE)
    _put_right(driver)


def _put_right(driver: Driver) -> None:
    """An invoice is void with another in its place; that is credited, in part after it was paid."""
    last = next(each for each in reversed(driver.issued()) if each.total_minor > 0)
    again = driver.ask(VoidInvoice(last, "billed to the wrong department", reissue=True), plant.FINANCE)
    issued = driver.issued()[-1]
    assert issued.invoice == again["reissued"]
    whole = issued.total_minor * 10 ** (6 - MINOR_DIGITS[issued.currency])
    paid = (Allocation(issued.invoice, whole),)
    driver.ask(
        RecordReceipt(issued.tenant, issued.currency, whole, driver.at - DAY_US, "wire 3", paid),
        plant.FINANCE,
    )
    n = next(n for n, line in enumerate(issued.lines, 1) if line.amount_minor > 1)
    driver.ask(IssueCreditNote(issued, (LineCredit(n, 2),), "agreed"), plant.FINANCE)
    other = next(
        item.invoice
        for item, micros in driver.world.state.money.receivables.open.items()
        if (item.account, item.currency) == (issued.tenant, issued.currency) and micros > 0
    )
    driver.ask(AllocateCreditNote("CN-000001", (Allocation(other, 10_000),)), plant.FINANCE)
