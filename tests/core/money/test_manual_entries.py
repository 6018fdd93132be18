"""Entries by hand: one proposes, another approves, and each refusal in its order."""

from __future__ import annotations

from typing import Any

from forebay.core import claims, money
from forebay.core.ids import Principal, Refusal, Role
from forebay.core.money import Entry
from forebay.core.money.state import State
from forebay.core.units import MICROS
from tests.core import plant
from tests.core.plant import FINANCE, T0, Driver, day

SECOND = Principal("fin-2", Role.FINANCE)


def billed() -> Driver:
    """384.00 in USD for acme, and as much in EUR for bravo."""
    node = claims.Unit.NODE
    driver = plant.plant(
        plant.contract("c1", "acme", plant.tranche("t1", 1, unit=node)),
        plant.contract("c2", "bravo", plant.tranche("t2", 1, unit=node), currency="EUR"),
    )
    driver.later(days=1).close()
    return driver.later(days=1)


def sides(*given: tuple[str, int, str]) -> tuple[Entry, ...]:
    return tuple(Entry(account, amount * MICROS, item) for account, amount, item in given)


GOOD = (("expense:bad_debt", 84, ""), ("receivable:acme", -84, "INV-000001"))


def said(driver: Driver, command: Any, by: Principal = FINANCE) -> str:
    answer = driver.handle(command, by).answer
    return answer.code if isinstance(answer, Refusal) else str(answer["standing"])


def propose(*given: tuple[str, int, str], **other: Any) -> money.ProposeEntry:
    known: dict[str, Any] = {"currency": "USD", "text": "written off", "effective_at": day(1)} | other
    return money.ProposeEntry(known["currency"], sides(*given), known["text"], known["effective_at"])


def test_what_is_proposed_is_posted_when_another_approves_it() -> None:
    driver = billed()
    answer = driver.ask(propose(*GOOD), FINANCE)
    assert answer == {"entry": "ENT-000001", "standing": "proposed"}
    own: State = driver.world.state.money
    assert ("expense:bad_debt", "USD") not in own.balances
    assert said(driver, money.ApproveEntry("ENT-000001")) == "same_person"
    assert said(driver, money.ApproveEntry("ENT-000001"), SECOND) == "posted"
    assert own.balances["expense:bad_debt", "USD"] == 84 * MICROS
    assert own.balances["receivable:acme", "USD"] == 300 * MICROS
    posted = driver.last(money.TransactionPosted)
    assert (posted.effective_at, posted.text) == (day(1), "entry ENT-000001: written off")
    assert said(driver, money.ApproveEntry("ENT-000001"), SECOND) == "entry_decided"


def test_what_is_rejected_is_not_posted() -> None:
    driver = billed()
    driver.ask(propose(*GOOD), FINANCE)
    assert said(driver, money.RejectEntry("ENT-000001", " ")) == "no_reason"
    assert said(driver, money.RejectEntry("ENT-000001", "not ours")) == "rejected"
    assert said(driver, money.RejectEntry("ENT-000001", "not ours")) == "entry_decided"
    assert said(driver, money.RejectEntry("ENT-9", "x")) == "unknown_entry"
    known = driver.world.state.money.entries["ENT-000001"]
    assert (known.standing, known.decided_by, known.reason) == ("rejected", "fin-1", "not ours")
    assert driver.world.state.money.balances["receivable:acme", "USD"] == 384 * MICROS


def test_it_is_decided_again_when_it_is_approved() -> None:
    driver = billed()
    driver.ask(propose(*GOOD), FINANCE)
    driver.close()
    assert said(driver, money.ApproveEntry("ENT-000001"), SECOND) == "closed_period"


def test_each_refusal_in_its_order() -> None:
    driver = billed()
    assert said(driver, propose(*GOOD, currency="XXX", text="")) == "unknown_currency"
    assert said(driver, propose(*GOOD, text=" ", effective_at=T0)) == "no_reason"
    assert said(driver, propose(*GOOD, effective_at=T0)) == "closed_period"
    assert said(driver, propose(*GOOD, effective_at=day(3))) == "future_fact"
    assert said(driver, propose(("cash", 0, ""), ("?", 1, ""))) == "bad_amount"
    for account in ("on_account:acme", "prepayments:acme", "deposits:acme"):
        assert said(driver, propose((account, 1, ""), ("cash", 2, ""))) == "kept_account"
    for account in ("cash", "?", "expense", "expense:", "other:x"):
        assert said(driver, propose((account, 1, ""))) == "unknown_account"
    assert said(driver, propose(("receivable:acme", 1, ""))) == "unknown_invoice"
    assert said(driver, propose(("receivable:bravo", 1, "INV-000002"))) == "other_currency"
    assert said(driver, propose(("expense:x", 1, ""))) == "unbalanced"
    assert said(driver, propose()) == "unbalanced"
    assert said(driver, propose(("expense:x", 1, ""), ("revenue:dedicated", -1, ""))) == "proposed"
