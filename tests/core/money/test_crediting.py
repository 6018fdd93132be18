"""Credit notes and invoices that become void: each refusal by name and in its order; the books sum to zero."""

from __future__ import annotations

from dataclasses import astuple, replace
from typing import Any

import pytest

from forebay.core import money
from forebay.core.ids import Command, ContractId, InvoiceId, TrancheId
from forebay.core.money import (
    AllocateCreditNote,
    Allocation,
    CreditNoteIssued,
    InvoiceIssued,
    InvoiceVoided,
    IssueCreditNote,
    LineCredit,
    VoidInvoice,
)
from forebay.core.money.credit_notes import Voided
from forebay.core.money.receivables import Item
from forebay.core.placements.gang import Tier
from forebay.core.units import DAY_US, MICROS
from tests.core import plant
from tests.core.money.test_collecting import ACME, billed, pays, receipt
from tests.core.plant import FINANCE, T0, Driver, utc

FIRST = InvoiceId("INV-000001")


def invoice(driver: Driver, name: InvoiceId = FIRST) -> InvoiceIssued:
    return next(each for each in driver.issued() if each.invoice == name)


def credit(
    driver: Driver, *lines: tuple[int, int], reason: str = "agreed", of: InvoiceId = FIRST
) -> IssueCreditNote:
    return IssueCreditNote(invoice(driver, of), tuple(LineCredit(*each) for each in lines), reason)


def void(driver: Driver, reason: str = "wrong party", **more: Any) -> VoidInvoice:
    return VoidInvoice(invoice(driver), reason, **more)


def opened(driver: Driver, name: str = FIRST) -> int:
    """What is open, in cents."""
    return driver.world.state.money.receivables.open.get(Item(ACME, "USD", name), 0) // 10_000


def revenue(driver: Driver) -> int:
    return driver.world.state.money.balances.get(("revenue:dedicated", "USD"), 0) // 10_000


def test_lines_are_credited_and_no_more_than_is_left_of_them() -> None:
    driver = billed()
    assert (opened(driver), revenue(driver)) == (384_00, -384_00)
    told = driver.ask(credit(driver, (1, 100_00)), FINANCE)
    assert told == {
        "note": "CN-000001",
        "invoice": FIRST,
        "currency": "USD",
        "total_minor": 100_00,
        "left_minor": 0,
    }
    assert (opened(driver), revenue(driver)) == (284_00, -284_00)
    issued = driver.last(CreditNoteIssued)
    assert (issued.number, issued.seller, issued.reason, issued.total_minor) == (1, "us", "agreed", 100_00)
    (line,) = issued.lines
    assert (line.n, line.claim, line.clause) == (1, "t1", "tranches[t1].price_per_gpu_hour")
    why = driver.refused(credit(driver, (1, 284_01)), FINANCE)
    assert (why.code, why.field) == ("over_credited", "lines[0].amount")
    assert why.detail == "of line 1 of INV-000001 284.00 USD is left to credit"
    # All that is left, without a word about lines.
    assert driver.ask(credit(driver), FINANCE)["total_minor"] == 284_00
    assert (opened(driver), revenue(driver)) == (0, 0)
    assert driver.refused(credit(driver), FINANCE).code == "nothing_credited"
    # Numbers count by seller.
    assert [note.number for note in driver.world.state.money.credits.notes.values()] == [1, 2]


def test_what_is_paid_already_is_open_in_favour_and_pays_another_invoice() -> None:
    driver = billed()
    driver.ask(receipt(amount_micros=300 * MICROS, allocations=pays(FIRST, 300)), FINANCE)
    driver.close()
    told = driver.ask(credit(driver, (1, 184_00)), FINANCE)
    assert (told["total_minor"], told["left_minor"]) == (184_00, 100_00)
    assert (opened(driver), opened(driver, "CN-000001")) == (0, -100_00)
    part = (Allocation("INV-000003", 60 * MICROS),)
    before = opened(driver, "INV-000003")
    told = driver.ask(AllocateCreditNote("CN-000001", part), FINANCE)
    assert told == {"note": "CN-000001", "currency": "USD", "left_micros": 40 * MICROS}
    assert opened(driver, "INV-000003") == before - 60_00
    why = driver.refused(AllocateCreditNote("CN-000001", part), FINANCE)
    assert (why.code, why.detail) == ("over_allocated", "of the credit note 40.00 USD is not allocated")


def test_a_credit_that_is_taken_back() -> None:
    """A service credit and a rounding are lines as any other, the other way round."""
    signed = plant.contract("c1", "acme", plant.tranche("t1", 2, lending=plant.LENT))
    driver = plant.plant(signed, plant.contract("c2", "guest"))
    driver.run("spot", 8, tenant="guest", tier=Tier.SPOT)
    driver.later(hours=5).close()
    own = next(each for each in driver.issued() if each.tenant == "acme")
    n = next(n for n, line in enumerate(own.lines, 1) if line.kind == "lending_share")
    share = own.lines[n - 1].amount_minor
    assert share < 0
    why = driver.refused(credit(driver, (n, 1), of=own.invoice), FINANCE)
    assert (why.code, why.detail) == ("bad_amount", f"line {n}: an amount below 0 is meant")
    why = driver.refused(credit(driver, (n, share), of=own.invoice), FINANCE)
    assert (why.code, why.field) == ("nothing_credited", "lines")
    why = driver.refused(credit(driver, (1, 1_00), (n, share - 1), of=own.invoice), FINANCE)
    assert why.code == "over_credited"
    told = driver.ask(credit(driver, of=own.invoice), FINANCE)
    assert told["total_minor"] == own.total_minor
    left = driver.world.state.money.balances
    assert left["expense:lending_share", "USD"] // 10_000 == 0


@pytest.mark.parametrize(
    ("lines", "reason", "code", "field"),
    [
        (((1, 1),), " ", "no_reason", "reason"),
        (((0, 1),), "x", "unknown_line", "lines[0].line"),
        (((1, 1), (2, 1)), "x", "unknown_line", "lines[1].line"),
        (((1, 1), (1, 1)), "x", "bad_amount", "lines[1].line"),
        (((1, 0),), "x", "bad_amount", "lines[0].amount"),
        (((1, -5),), "x", "bad_amount", "lines[0].amount"),
    ],
)
def test_credits_that_are_refused(lines: Any, reason: str, code: str, field: str) -> None:
    driver = billed()
    why = driver.refused(credit(driver, *lines, reason=reason), FINANCE)
    assert (why.code, why.field) == (code, field)


def test_an_invoice_that_is_not_the_one() -> None:
    driver = billed()
    own = invoice(driver)
    other = replace(own, invoice=InvoiceId("INV-000404"))
    for command in (IssueCreditNote(other, (), "x"), VoidInvoice(other, "x")):
        why = driver.refused(command, FINANCE)
        assert (why.code, why.field) == ("unknown_invoice", "invoice")
    why = driver.refused(VoidInvoice(replace(own, total_minor=1), "x"), FINANCE)
    assert why.code == "invoice_differs"
    assert driver.refused(AllocateCreditNote("CN-000009", ()), FINANCE).code == "unknown_credit_note"
    driver.ask(credit(driver, (1, 1_00)), FINANCE)
    assert driver.refused(AllocateCreditNote("CN-000001", ()), FINANCE).code == "nothing_allocated"
    why = driver.refused(AllocateCreditNote("CN-000001", pays("INV-000002", 1)), FINANCE)
    assert why.code == "unknown_invoice"


def test_a_void_invoice_is_owed_by_nobody() -> None:
    driver = billed()
    told = driver.ask(void(driver), FINANCE)
    assert told == {"invoice": FIRST, "reissued": ""}
    assert (opened(driver), revenue(driver)) == (0, 0)
    own = driver.world.state.money
    start = utc(2026)
    assert set(map(astuple, driver.last(InvoiceVoided).filed)) == {
        ("eligible", "c1", start, "", 384 * MICROS), ("fees", "t1", start, "", 384 * MICROS),
    }  # fmt: skip
    assert own.fees[TrancheId("t1"), start] == 0
    assert (own.credits.voided[FIRST].reason, own.credits.voided[FIRST].at) == ("wrong party", driver.at)
    for command in (void(driver), credit(driver, (1, 1_00))):
        why = driver.refused(command, FINANCE)
        assert (why.code, why.detail) == ("invoice_void", "invoice INV-000001 is void: wrong party")
    # It keeps its number: the next one counts on.
    driver.close()
    assert [head.number for head in own.invoices.values()] == [1, 2, 3, 4]


def test_lines_of_a_void_invoice_are_billed_again() -> None:
    driver = billed()
    own = invoice(driver)
    told = driver.ask(void(driver, reissue=True), FINANCE)
    again = driver.last(InvoiceIssued)
    assert told["reissued"] == again.invoice == "INV-000003"
    assert (again.replaces, again.number, again.lines) == (FIRST, 3, own.lines)
    assert (again.start, again.end, again.due_at) == (own.start, own.end, driver.at + 30 * DAY_US)
    assert (opened(driver), opened(driver, again.invoice), revenue(driver)) == (0, 384_00, -384_00)
    state = driver.world.state.money
    assert state.fees[TrancheId("t1"), utc(2026)] == 384 * MICROS
    # It is owed since it was issued: what came before pays it from then on.
    assert state.receivables.billed[ACME, again.invoice].since == driver.at
    paid = receipt(amount_micros=384 * MICROS, received_at=T0 + DAY_US, allocations=pays(again.invoice, 384))
    driver.ask(paid, FINANCE)
    assert opened(driver, again.invoice) == 0
    # Void again, and put in its place again.
    why = driver.refused(VoidInvoice(again, "x"), FINANCE)
    assert (why.code, why.field) == ("invoice_paid", "invoice")


def test_what_is_paid_or_credited_is_not_void() -> None:
    driver = billed()
    driver.ask(receipt(allocations=pays(FIRST, 1)), FINANCE)
    assert driver.refused(void(driver), FINANCE).code == "invoice_paid"
    driver.ask(money.ReverseReceipt("RCT-000001", "wrong"), FINANCE)
    driver.ask(credit(driver, (1, 1)), FINANCE)
    assert driver.refused(void(driver), FINANCE).code == "has_credit_notes"
    assert driver.refused(void(driver, " "), FINANCE).code == "no_reason"


def test_a_month_with_a_credit_is_void_with_it() -> None:
    """What the invoice credited for a month of a tranche is taken out as what it billed."""
    from tests.core.money.test_credits import JANUARY, held, out

    driver = held()
    driver.later(days=9)
    out(driver, 2, 13_928)
    driver.until(JANUARY.end)
    before = (dict(driver.world.state.money.fees), dict(driver.world.state.money.credited))
    assert all(sum(each.values()) > 0 for each in before)
    driver.ask(VoidInvoice(driver.issued()[0], "x", reissue=True), FINANCE)
    assert (driver.world.state.money.fees, driver.world.state.money.credited) == before
    driver.ask(VoidInvoice(driver.issued()[1], "x"), FINANCE)
    own = driver.world.state.money
    assert {*own.fees.values(), *own.credited.values()} == {0}


def test_nobody_else_may() -> None:
    driver = billed()
    commands: list[Command] = [void(driver), credit(driver), AllocateCreditNote("CN-000001", ())]
    for command in commands:
        for by in (plant.tenant("acme"), plant.EDGE):
            assert driver.refused(command, by).code == "forbidden"


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        ({"number": 5}, "invoices of us: number 5 follows 0"),
        (
            {"charges_minor": 1, "total_minor": 1, "lines_minor": 1},
            "of invoice INV-000001 100 is credited, more",
        ),
    ],
)
def test_damage_is_found(damage: dict[str, Any], found: str) -> None:
    driver = billed()
    driver.ask(credit(driver, (1, 1_00)), FINANCE)
    state = driver.world.fork().state.money
    state.invoices[FIRST] = state.invoices[FIRST]._replace(**damage)
    assert any(told.startswith(found) for told in money.check(state))
    state = driver.world.fork().state.money
    state.credits.voided[FIRST] = Voided(1, "x")
    assert "invoice INV-000001 is void, and credited" in list(money.check(state))


def test_what_is_in_the_place_of_a_void_invoice_brings_nothing_forward() -> None:
    """Balances that were opened since the close are shown by the invoice of the next one."""
    driver = billed()
    mark = (invoice(driver).seller, ACME, "USD")
    told = (money.BroughtForward(ContractId("c1"), driver.at, "receivable:acme", MICROS),)
    driver.world.state.money.forward[mark] = told
    driver.ask(void(driver, reissue=True), FINANCE)
    assert driver.world.state.money.forward[mark] == told


def test_an_invoice_of_nothing_is_void_without_a_posting() -> None:
    driver = plant.plant(plant.contract("c1", "acme", plant.tranche("t1", 1, price_micros_per_gpu_hour=0)))
    driver.later(days=1).close()
    own = next(each for each in driver.issued() if each.tenant == ACME)
    assert own.total_minor == 0
    before = driver.count(money.TransactionPosted)
    told = driver.ask(VoidInvoice(own, "x", reissue=True), FINANCE)
    assert told["reissued"] == driver.issued()[-1].invoice
    assert driver.count(money.TransactionPosted) == before
