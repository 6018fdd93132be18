"""Taxes on invoices, by hand: rates by date, reverse charge, credits, and what may not be changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from forebay.core import money
from forebay.core.ids import TenantId
from forebay.core.money.taxes import ApplyTaxes, TaxesApplied, TaxRate, rates_at
from forebay.core.units import MICROS
from tests.core import plant
from tests.core.plant import FINANCE, Driver, contract, tranche, utc

ACME = TenantId("acme")
VAT = TaxRate("FI", 255_000, utc(2020), number="FI1234567-8", evidence="VAT act, section 84")


def taxed(*rates: TaxRate) -> Driver:
    driver = plant.plant(contract("c1", "acme", tranche("t1")))
    driver.ask(ApplyTaxes(ACME, rates), FINANCE)
    return driver


def taxes(issued: money.InvoiceIssued) -> list[tuple[str, int]]:
    return [(line.clause, line.amount_minor) for line in issued.lines if line.kind == "tax"]


def test_a_rate_of_the_net_total_and_where_it_is_posted() -> None:
    """A rack of 32 GPUs at 2.00 in January: 47,616.00 net, 25.5 % are 12,142.08."""
    driver = taxed(VAT)
    driver.until(utc(2026, 2))
    (issued,) = driver.issued()
    assert taxes(issued) == [("taxes[FI]", 1_214_208)]
    assert issued.total_minor == 4_761_600 + 1_214_208
    assert issued.lines[-1].text == (
        "tax in FI: 25.50 % of 47616.00, acme is FI1234567-8 there (VAT act, section 84)"
    )
    balances = driver.world.state.money.balances
    assert balances["tax:FI", "USD"] == -12_142_080_000
    assert balances["receivable:acme", "USD"] == 59_758_080_000
    assert balances["revenue:dedicated", "USD"] == -47_616 * MICROS


def test_it_comes_after_rounding() -> None:
    """Two cents are billed, and a tenth of them is no cent."""
    driver = plant.plant(contract("c1", "acme"))
    driver.ask(ApplyTaxes(ACME, (replace(VAT, rate_ppm=100_000),)), FINANCE)
    for name in ("a", "b"):
        driver.run(name, 1, walltime_s=3600)
    driver.later(seconds=13)
    (issued,) = driver.close()
    kinds = [line.kind for line in issued.lines]
    assert kinds == ["on_demand", "tax"]
    # 26 GPU-seconds at 3.00 are 0.021667.
    assert [line.amount_minor for line in issued.lines] == [2, 0]


def test_rates_change_by_date_and_the_end_of_the_period_counts() -> None:
    driver = taxed(
        VAT,
        replace(VAT, rate_ppm=100_000, from_at=utc(2026, 2, 10)),
        replace(VAT, rate_ppm=0, from_at=utc(2026, 3)),
    )
    driver.until(utc(2026, 4))
    assert [taxes(issued) for issued in driver.issued()] == [
        [("taxes[FI]", 1_214_208)],
        [("taxes[FI]", 430_080)],
        [],
    ]


def test_two_jurisdictions_and_reverse_charge() -> None:
    state, county = TaxRate("US-VA", 43_000, utc(2020)), TaxRate("US-VA-013", 10_000, utc(2020))
    driver = taxed(county, state, TaxRate("SE", 250_000, utc(2020), reverse_charge=True, number="SE55"))
    driver.until(utc(2026, 2))
    (issued,) = driver.issued()
    assert taxes(issued) == [("taxes[SE]", 0), ("taxes[US-VA]", 204_749), ("taxes[US-VA-013]", 47_616)]
    texts = [line.text for line in issued.lines if line.kind == "tax"]
    assert texts[0] == "reverse charge: the customer owes the tax in SE, acme is SE55 there"
    assert ("tax:SE", "USD") not in driver.world.state.money.balances


def test_the_tax_of_a_credit_is_given_back() -> None:
    """An invoice below zero has a tax below zero: a correction of January."""
    plan = contract("c1", "acme", tranche("t1", end_at=utc(2026, 2)))
    driver = plant.plant(plan)
    driver.ask(ApplyTaxes(ACME, (VAT,)), FINANCE)
    driver.until(utc(2026, 2))
    # A node of it was out for a day.
    driver.later(hours=1)
    driver.fail(0, ago_s=26 * 3600)
    driver.recover(0, ago_s=2 * 3600)
    driver.until(utc(2026, 3))
    corrected = driver.issued()[-1]
    assert [(line.kind, line.amount_minor) for line in corrected.lines] == [
        ("correction", -38_400),
        ("tax", -9_792),
    ]
    assert (corrected.total_minor, corrected.credits_minor) == (-48_192, 48_192)


def test_the_same_again_changes_nothing() -> None:
    driver = taxed(VAT)
    assert driver.ask(ApplyTaxes(ACME, (VAT,)), FINANCE) == {"account": "acme", "changed": False}
    assert driver.count(TaxesApplied) == 1


@pytest.mark.parametrize(
    ("rates", "code", "field"),
    [
        ((replace(VAT, jurisdiction=""),), "bad_id", "rates[0].jurisdiction"),
        ((replace(VAT, rate_ppm=1_000_001),), "bad_tax", "rates[0].rate_ppm"),
        ((replace(VAT, from_at=-1),), "bad_tax", "rates[0].from_at"),
        ((VAT, VAT), "bad_tax", "rates[1].from_at"),
        ((replace(VAT, rate_ppm=240_000),), "closed_past", "rates"),
        ((VAT, replace(VAT, from_at=utc(2026, 1, 20))), "closed_past", "rates[1].from_at"),
    ],
)
def test_what_is_wrong_and_what_was_billed_is_refused(
    rates: tuple[TaxRate, ...], code: str, field: str
) -> None:
    driver = taxed(VAT)
    driver.until(utc(2026, 2))
    no = driver.refused(ApplyTaxes(ACME, rates), FINANCE)
    assert (no.code, no.field) == (code, field)


def test_nobody_without_a_contract_has_taxes() -> None:
    no = plant.plant().refused(ApplyTaxes(TenantId("nobody"), (VAT,)), FINANCE)
    assert (no.code, no.field) == ("unknown_account", "account")


def test_which_rates_hold() -> None:
    later = replace(VAT, rate_ppm=0, from_at=utc(2030))
    assert rates_at((later, VAT), utc(2019)) == []
    assert rates_at((later, VAT), utc(2026)) == [VAT]
    assert rates_at((later, VAT), utc(2030)) == []


def test_a_credit_note_on_all_of_an_invoice_gives_its_tax_back() -> None:
    driver = taxed(VAT)
    driver.until(utc(2026, 2))
    (issued,) = driver.issued()
    driver.ask(money.IssueCreditNote(issued, (), "billed to the wrong department"), FINANCE)
    balances = driver.world.state.money.balances
    assert (balances["tax:FI", "USD"], balances["receivable:acme", "USD"]) == (0, 0)
