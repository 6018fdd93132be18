"""Disputes: each refusal in its order, and each way in which one ends."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from forebay.core import money
from forebay.core.ids import InvoiceId, Refusal
from forebay.core.money import Contested, OpenDispute, SettleDispute
from forebay.core.money.disputes import withheld_at
from forebay.core.units import MICROS
from tests.core import plant
from tests.core.money.test_late_interest import billed
from tests.core.plant import FINANCE, day


def test_what_a_dispute_needs_and_how_it_ends() -> None:
    driver = billed()
    (first,) = driver.issued()

    def asked(*lines: tuple[int, int], reason: str = "x", by: Any = FINANCE, issued: Any = first) -> str:
        given = tuple(Contested(n, amount * MICROS) for n, amount in lines)
        return said(OpenDispute(issued, given, reason), by)

    def said(command: Any, by: Any = FINANCE) -> str:
        answer = driver.handle(command, by).answer
        return answer.code if isinstance(answer, Refusal) else ""

    assert asked((1, 1), by=plant.tenant("bravo")) == "unknown_invoice"
    assert asked((1, 1), issued=replace(first, invoice=InvoiceId("INV-9"))) == "unknown_invoice"
    assert asked((1, 1), issued=replace(first, total_minor=1)) == "invoice_differs"
    assert asked((1, 1), reason=" ") == "no_reason"
    assert asked() == "nothing_disputed"
    assert asked((2, 1)) == "unknown_line"
    assert asked((1, 0)) == asked((1, 385)) == "bad_amount"
    assert asked((1, 300), by=plant.tenant("acme")) == ""
    assert asked((1, 85)) == "disputed_already"
    name = "DSP-000001"
    assert said(money.WithdrawDispute("DSP-9", "x")) == "unknown_dispute"
    assert said(money.WithdrawDispute(name, "x"), plant.tenant("bravo")) == "unknown_dispute"
    assert said(money.WithdrawDispute(name, ""), plant.tenant("acme")) == "no_reason"
    assert said(SettleDispute(name, True, "x")) == "nothing_settled"
    assert said(SettleDispute(name, False, "x", note="CN-1")) == "nothing_settled"
    assert said(SettleDispute(name, True, "x", note="CN-1")) == "unknown_credit_note"
    assert said(SettleDispute(name, True, "x", amount_micros=301 * MICROS)) == "bad_amount"
    assert said(SettleDispute(name, True, "x", amount_micros=1), plant.tenant("acme")) == "forbidden"
    note = driver.ask(money.IssueCreditNote(first, (money.LineCredit(1, 100),), "agreed"), FINANCE)["note"]
    assert said(SettleDispute(name, True, "agreed", note=note)) == ""
    assert said(SettleDispute(name, True, "agreed", note=note)) == "dispute_closed"
    assert asked((1, 300)) == ""
    assert said(money.WithdrawDispute("DSP-000002", "a mistake"), plant.tenant("acme")) == ""
    known = driver.world.state.money.disputes.known
    assert [each.outcome for each in known.values()] == ["for_customer", "withdrawn"]


def test_what_may_be_kept_back_at_an_instant_as_it_was_known_at_another() -> None:
    driver = billed()
    (first,) = driver.issued()
    driver.until(day(3))
    opened = driver.ask(OpenDispute(first, (Contested(1, 200 * MICROS),), "x"), plant.tenant("acme"))
    driver.until(day(5))
    driver.ask(money.WithdrawDispute(opened["dispute"], "x"), FINANCE)
    own = driver.world.state.money.disputes
    found = [withheld_at(own, first.invoice, day(each)) // MICROS for each in (2, 3, 4, 5)]
    assert found == [0, 100, 100, 0]
    assert withheld_at(own, first.invoice, day(9), day(4)) == 100 * MICROS
    assert withheld_at(own, first.invoice, day(9), day(3)) == 0
    assert withheld_at(own, "INV-000009", day(4)) == 0


def test_a_void_invoice_is_not_contested() -> None:
    driver = billed()
    (first,) = driver.issued()
    driver.ask(money.VoidInvoice(first, "misprint"), FINANCE)
    refusal = driver.refused(OpenDispute(first, (Contested(1, MICROS),), "x"), FINANCE)
    assert refusal.code == "invoice_void"


def test_where_a_contract_says_nothing_of_payment_nothing_is_kept_back() -> None:
    driver = plant.plant(plant.contract("c1", "acme", plant.tranche()))
    (first,) = driver.later(days=1).close()
    opened = driver.ask(OpenDispute(first, (Contested(1, MICROS),), "x"), FINANCE)
    assert (opened["disputed_micros"], opened["withheld_micros"]) == (MICROS, 0)
