"""Receipts: recorded, allocated, reversed; each refusal by name and in its order; the books sum to zero."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.core import claims, money
from forebay.core.claims import payments
from forebay.core.ids import TenantId
from forebay.core.money import AllocateReceipt, Allocation, RecordReceipt, ReverseReceipt, TransactionPosted
from forebay.core.money.collecting import RECEIPT_MICROS_MAX
from forebay.core.money.receivables import Item, bucket, days_late
from forebay.core.units import DAY_US, HOUR_US, MICROS
from tests.core import plant
from tests.core.plant import FINANCE, T0, Driver, utc

ACME = TenantId("acme")


def billed() -> Driver:
    """Acme owes 384.00 USD for a day of one node at 2.00; bravo the same in EUR; then two days more."""
    node = claims.Unit.NODE
    driver = plant.plant(
        plant.contract("c1", "acme", plant.tranche("t1", 1, unit=node)),
        plant.contract("c2", "bravo", plant.tranche("t2", 1, unit=node), currency="EUR"),
    )
    driver.later(days=1).close()
    return driver.later(days=2)


def receipt(**given: Any) -> RecordReceipt:
    known: dict[str, Any] = {
        "account": ACME, "currency": "USD", "amount_micros": 400 * MICROS, "received_at": T0 + 2 * DAY_US,
        "reference": "wire 1",
    }  # fmt: skip
    return RecordReceipt(**(known | given))


def pays(invoice: str, amount: int) -> tuple[Allocation, ...]:
    return (Allocation(invoice, amount * MICROS),)


def balances(driver: Driver) -> dict[str, int]:
    found = driver.world.state.money.balances
    return {account: micros // MICROS for (account, _), micros in found.items() if micros % MICROS == 0}


def posted(driver: Driver) -> list[TransactionPosted]:
    return [event for _, event in driver.events if isinstance(event, TransactionPosted)]


def opened(driver: Driver, invoice: str = "INV-000001") -> int:
    return driver.world.state.money.receivables.open.get(Item(ACME, "USD", invoice), 0) // MICROS


@pytest.mark.parametrize(
    ("command", "code", "field"),
    [
        (receipt(account="nobody", currency="XXX"), "unknown_account", "account"),
        (receipt(currency="XXX", amount_micros=0), "unknown_currency", "currency"),
        (receipt(amount_micros=0, reference=""), "bad_amount", "amount"),
        (receipt(amount_micros=RECEIPT_MICROS_MAX + 1), "bad_amount", "amount"),
        (receipt(amount_micros=1), "bad_amount", "amount"),
        (receipt(reference=" ", received_at=T0 + 9 * DAY_US), "empty_reference", "reference"),
        (receipt(reference="used", received_at=T0 + 9 * DAY_US), "future_receipt", "received"),
        (receipt(reference="used", allocations=pays("?", 1)), "reference_used", "reference"),
        (receipt(reference="used", amount_micros=1 * MICROS), "reference_used", "reference"),
        (receipt(allocations=pays("INV-000002", 0)), "unknown_invoice", "allocate[0]"),
        (receipt(currency="EUR", allocations=pays("INV-000001", 0)), "other_currency", "allocate[0]"),
        (receipt(allocations=pays("INV-000001", 0)), "bad_amount", "allocate[0]"),
        (receipt(allocations=pays("INV-000001", 385)), "over_allocated", "allocate[0]"),
        (
            receipt(allocations=pays("INV-000001", 200) * 2, amount_micros=500 * MICROS),
            "over_allocated", "allocate[1]",
        ),
        (receipt(allocations=pays("INV-000001", 51), amount_micros=50 * MICROS), "over_allocated", "allocate[0]"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_receipt_is_said_by_name(command: RecordReceipt, code: str, field: str) -> None:
    driver = billed()
    driver.ask(receipt(reference="used"))
    before = driver.world.state.money.balances.copy()
    refusal = driver.refused(command, FINANCE)
    assert (refusal.code, refusal.field) == (code, field)
    assert driver.world.state.money.balances == before


def test_money_lies_on_account_until_it_is_allocated() -> None:
    driver = billed()
    answer = driver.ask(receipt(), FINANCE)
    assert answer == {
        "receipt": "RCT-000001", "currency": "USD", "on_account_micros": 400 * MICROS, "changed": True
    }  # fmt: skip
    assert balances(driver)["cash"] == 400
    assert balances(driver)["on_account:acme"] == -400
    assert opened(driver) == 384
    # It took effect when it came; the allocation does when it is made.
    assert posted(driver)[-1].effective_at == T0 + 2 * DAY_US
    answer = driver.ask(AllocateReceipt("RCT-000001", pays("INV-000001", 300)))
    assert answer["on_account_micros"] == 100 * MICROS
    assert posted(driver)[-1].effective_at == driver.at
    assert (opened(driver), balances(driver)["receivable:acme"]) == (84, 84)
    assert (
        driver.ask(AllocateReceipt("RCT-000001", pays("INV-000001", 84)))["on_account_micros"] == 16 * MICROS
    )
    assert opened(driver) == 0
    refusal = driver.refused(AllocateReceipt("RCT-000001", pays("INV-000001", 1)))
    assert (refusal.code, refusal.detail) == ("over_allocated", "of invoice INV-000001 0.00 USD is open")


def test_the_same_receipt_once_more_changes_nothing() -> None:
    driver = billed()
    once = driver.ask(receipt(allocations=pays("INV-000001", 384)))
    count = len(driver.events)
    again = driver.ask(receipt(allocations=pays("INV-000001", 384)))
    assert again == once | {"changed": False}
    assert len(driver.events) == count


def test_an_allocation_takes_effect_no_sooner_than_its_invoice_was_owed() -> None:
    driver = billed()
    driver.ask(receipt(received_at=T0 + HOUR_US, allocations=pays("INV-000001", 384)))
    came, paid = posted(driver)[-2:]
    assert (came.effective_at, paid.effective_at) == (T0 + HOUR_US, T0 + DAY_US - 1)


def test_a_receipt_that_was_wrong_is_reversed_and_may_be_recorded_again() -> None:
    driver = billed()
    driver.ask(receipt(allocations=pays("INV-000001", 384)))
    for wrong, code in (
        (ReverseReceipt("RCT-000009", ""), "unknown_receipt"),
        (ReverseReceipt("RCT-000001", " "), "no_reason"),
        (AllocateReceipt("RCT-000009", ()), "unknown_receipt"),
        (AllocateReceipt("RCT-000001", ()), "nothing_allocated"),
    ):
        assert driver.refused(wrong).code == code
    answer = driver.ask(ReverseReceipt("RCT-000001", "of another customer"))
    assert answer["on_account_micros"] == 0
    assert opened(driver) == 384
    assert {account: balances(driver)[account] for account in ("cash", "on_account:acme")} == {
        "cash": 0, "on_account:acme": 0
    }  # fmt: skip
    assert posted(driver)[-1].effective_at == driver.at
    for late in (ReverseReceipt("RCT-000001", "again"), AllocateReceipt("RCT-000001", pays("INV-000001", 1))):
        refusal = driver.refused(late)
        assert refusal.code == "receipt_reversed"
        assert "of another customer" in refusal.detail
    assert driver.ask(receipt(amount_micros=384 * MICROS))["receipt"] == "RCT-000002"
    driver.ask(AllocateReceipt("RCT-000002", pays("INV-000001", 384)))
    driver.ask(ReverseReceipt("RCT-000002", "bounced"))
    assert opened(driver) == 384


def test_invoices_of_before_a_cutover_are_paid_by_contract_and_number() -> None:
    driver = billed()
    cutover_at = driver.at - DAY_US
    runs = plant.tranche("t9", 1, unit=claims.Unit.NODE, start_at=T0, end_at=T0 + 90 * DAY_US)
    opening = claims.Opening(
        cutover_at, "USD", billed_micros=900 * MICROS, deferred_micros=10 * MICROS,
        invoices=(
            claims.opening.OpenedInvoice("7", 700 * MICROS, due_at=cutover_at + DAY_US),
            claims.opening.OpenedInvoice("8", 200 * MICROS),
        ),
        tranches=(claims.opening.OpenedTranche(runs.id, 1),),
    )  # fmt: skip
    driver.ask(claims.SignContract(plant.contract("c9", "acme", runs), opening=opening))
    own = driver.world.state.money.receivables
    assert (opened(driver, "c9/7"), opened(driver, "c9/8")) == (700, 200)
    assert own.billed[ACME, "c9/7"].due_at == cutover_at + DAY_US
    assert own.billed[ACME, "c9/8"].due_at == cutover_at + 30 * DAY_US
    driver.ask(receipt(received_at=driver.at, allocations=pays("c9/7", 400)))
    assert (opened(driver, "c9/7"), balances(driver)["receivable:acme"]) == (300, 384 + 500)


def test_days_begun_since_it_was_due_make_the_bucket() -> None:
    due_at = utc(2026, 3, 3)
    told = [(days_late(due_at, due_at + late), bucket(due_at, due_at + late)) for late in (
        -DAY_US, 0, 1, 30 * DAY_US, 30 * DAY_US + 1, 60 * DAY_US, 61 * DAY_US, 90 * DAY_US, 90 * DAY_US + 1,
    )]  # fmt: skip
    assert told == [
        (0, "not_due"), (0, "not_due"), (1, "1_30"), (30, "1_30"), (31, "31_60"), (60, "31_60"), (61, "61_90"),
        (90, "61_90"), (91, "over_90"),
    ]  # fmt: skip


def test_the_worked_example_of_the_how_to() -> None:
    """docs/how-to/collect-money.md: eight GPUs at 2.00 in January, paid in two parts, the second late and wrong."""
    terms = payments.PaymentTerms(payments.BillingTime.ARREARS, 30 * 86_400)
    signed = plant.contract("c1", "acme", plant.tranche("t1", 1, unit=claims.Unit.NODE), payments=terms)
    driver = plant.plant(signed)
    driver.until(utc(2026, 2, 1))
    (invoice,) = driver.issued()
    assert (invoice.total_minor, invoice.due_at) == (11_904_00, utc(2026, 3, 3))
    driver.until(utc(2026, 2, 12))
    first = receipt(
        amount_micros=5_000 * MICROS, received_at=utc(2026, 2, 10), allocations=pays("INV-000001", 4_000)
    )
    assert driver.ask(first)["on_account_micros"] == 1_000 * MICROS
    assert (opened(driver), balances(driver)["on_account:acme"]) == (7_904, -1_000)
    driver.until(utc(2026, 3, 20))
    driver.ask(AllocateReceipt("RCT-000001", pays("INV-000001", 1_000)))
    assert opened(driver) == 6_904
    assert bucket(invoice.due_at, driver.at) == "1_30"
    assert days_late(invoice.due_at, driver.at) == 17
    driver.ask(ReverseReceipt("RCT-000001", "of another customer"))
    assert opened(driver) == 11_904
    assert balances(driver)["cash"] == 0


def test_a_fork_has_receipts_of_its_own() -> None:
    driver = billed()
    other = money.State.fork(driver.world.state.money)
    driver.ask(receipt())
    assert not other.receivables.receipts
