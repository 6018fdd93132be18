"""The part of the story in which money comes in, pays invoices, and turns out to be another customer's."""

from __future__ import annotations

from forebay.core.ids import TenantId
from forebay.core.money import AllocateReceipt, Allocation, RecordReceipt, ReverseReceipt
from forebay.core.units import DAY_US, MICROS
from tests.core import plant
from tests.core.plant import Driver


def collect(driver: Driver) -> None:
    """Hugo pays what was open at its cutover, in two parts; the first was wrong."""
    part = (Allocation("c8/2025-117", 300 * MICROS),)
    for reference in ("wire 1", "wire 2"):
        driver.ask(
            RecordReceipt(TenantId("hugo"), "USD", 350 * MICROS, driver.at - DAY_US, reference, part),
            plant.FINANCE,
        )
    more = (Allocation("c8/2025-117", 50 * MICROS),)
    driver.ask(AllocateReceipt("RCT-000002", more), plant.FINANCE)
    driver.ask(ReverseReceipt("RCT-000001", "of another customer"), plant.FINANCE)
