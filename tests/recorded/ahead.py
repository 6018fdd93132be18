"""The part of the story in which a customer pays ahead, another contests an invoice, and a third pays nothing."""

from __future__ import annotations

from forebay.core import claims
from forebay.core.claims import payments
from forebay.core.ids import ContractId, Principal, Role, TenantId
from forebay.core.money import (
    Advance,
    Allocation,
    ApproveEntry,
    Contested,
    Entry,
    OpenDispute,
    ProposeEntry,
    RecordReceipt,
    RejectEntry,
    ReturnAhead,
    SettleDispute,
    WithdrawDispute,
)
from forebay.core.units import MICROS
from tests.core import plant
from tests.core.plant import Driver


def pay_ahead(driver: Driver) -> None:
    """Iris prepays use on demand, uses nothing, and leaves."""
    terms = payments.PaymentTerms(
        payments.BillingTime.ARREARS, 0, prepayments=(payments.Prepayment(driver.at, 50 * MICROS),)
    )
    driver.ask(claims.SignContract(plant.contract("c-ahead", "iris", payments=terms)))
    asked = driver.issued()[-1].invoice
    paid = (Allocation(asked, 50 * MICROS),)
    driver.ask(RecordReceipt(TenantId("iris"), "USD", 50 * MICROS, driver.at, "wire 1", paid), plant.FINANCE)
    driver.ask(ReturnAhead(ContractId("c-ahead"), Advance.PREPAYMENT, "wire back"), plant.FINANCE)


def contest(driver: Driver) -> None:
    """Joan contests what she is asked for, twice: once she was right, once not. Then it is late."""
    terms = payments.PaymentTerms(
        payments.BillingTime.ARREARS, 0, prepayments=(payments.Prepayment(driver.at, 70 * MICROS),),
        interest_ppm=90_000, withholding_ppm=500_000,
    )  # fmt: skip
    driver.ask(claims.SignContract(plant.contract("c-late", "joan", payments=terms)))
    asked, joan = driver.issued()[-1], plant.tenant("joan")
    first = driver.ask(OpenDispute(asked, (Contested(1, 20 * MICROS),), "too much"), joan)["dispute"]
    settled = SettleDispute(first, True, "a part of it was", amount_micros=5 * MICROS)
    driver.ask(settled, plant.FINANCE)
    again = driver.ask(OpenDispute(asked, (Contested(1, 20 * MICROS),), "too much"), joan)["dispute"]
    driver.ask(WithdrawDispute(again, "it was not"), joan)


def write_off(driver: Driver) -> None:
    """One entry by hand is approved by another person, one is not."""
    second = Principal("fin-2", Role.FINANCE)
    for name in ("ENT-000001", "ENT-000002"):
        sides = (Entry("expense:gifts", 3 * MICROS), Entry("cash", -3 * MICROS))
        driver.ask(ProposeEntry("USD", sides, "flowers", driver.at), plant.FINANCE)
        last = ApproveEntry(name) if name.endswith("1") else RejectEntry(name, "twice")
        driver.ask(last, second)
