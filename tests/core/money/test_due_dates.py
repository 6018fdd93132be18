"""An invoice is due by the contract's terms, by the longest of several, or 30 days after its issue."""

from __future__ import annotations

from dataclasses import replace

import pytest

from forebay.core.claims import payments
from forebay.core.claims.terms import Unit
from forebay.core.money import InvoiceIssued
from forebay.core.units import DAY_US
from tests.core import plant
from tests.core.plant import T0, Driver

ARREARS = payments.BillingTime.ARREARS


def billed(*net_days: int | None) -> tuple[Driver, InvoiceIssued]:
    """Acme has a contract for each of these terms, and one node by each; a day is closed."""
    signed = [
        plant.contract(
            f"c{place}", "acme", plant.tranche(f"t{place}", 1, unit=Unit.NODE),
            payments=None if days is None else payments.PaymentTerms(ARREARS, days * 86_400),
        )
        for place, days in enumerate(net_days)
    ]  # fmt: skip
    driver = plant.plant(*signed)
    (invoice,) = driver.later(days=1).close()
    return driver, invoice


@pytest.mark.parametrize(
    ("terms", "days"), [((None,), 30), ((10,), 10), ((10, 45), 45), ((10, None), 30), ((45, None), 45)]
)
def test_the_longest_time_of_its_contracts_holds(terms: tuple[int | None, ...], days: int) -> None:
    driver, invoice = billed(*terms)
    assert driver.at == T0 + DAY_US
    assert invoice.due_at == T0 + DAY_US + days * DAY_US
    known = driver.world.state.money.receivables.billed["acme", invoice.invoice]  # type: ignore[index]
    assert known == ("USD", invoice.end - 1, invoice.due_at)


def test_an_invoice_of_an_older_journal_is_due_thirty_days_after_its_period() -> None:
    driver, invoice = billed(10)
    driver.world.apply(replace(invoice, due_at=0), driver.at)
    known = driver.world.state.money.receivables.billed[invoice.tenant, invoice.invoice]
    assert known.due_at == invoice.end + 30 * DAY_US
