"""The books as people read them: balances, and what was posted to an account."""

from __future__ import annotations

from jsonschema import validate

from forebay.cli import ledger, outputs
from tests.cli.desk import Desk, golden
from tests.server.rig import HOUR, PRICES, SITE, contract


def billed(desk: Desk) -> None:
    """A month of two tranches, closed."""
    documents = "---\n".join(
        (SITE, PRICES, contract("cedar", "cedar-t1"), contract("elder", "elder-t1", "EUR"))
    )
    assert desk("apply", desk.file("lab.yaml", documents)).status == 0
    desk.rig.pass_time(HOUR)
    assert desk("invoice", "close", "--yes").status == 0


def test_balances_and_statements(desk: Desk) -> None:
    assert desk("ledger").out == "nothing was posted yet\n"
    billed(desk)
    told = desk("ledger")
    golden("ledger", told.out)
    assert desk("ledger", "--at", "2026-12-02").out == told.out
    assert desk("ledger", "--at", "2026-12-02", "--known", "2026-12-01").out == "nothing was posted by then\n"
    golden("ledger_account", desk("ledger", "receivable:cedar", by="finance").out)
    ran = desk("ledger", "receivable:cedar", "--at", "2026-12-01")
    assert (ran.status, ran.out) == (0, "")
    assert "nothing was posted to receivable:cedar in that time" in ran.err


def test_as_json(desk: Desk) -> None:
    billed(desk)
    validate(desk("ledger", "--json").json, outputs.OUTPUTS["ledger"])
    body = desk("ledger", "receivable:cedar", "--from", "2026-12-01", "--json").json
    validate(body, outputs.OUTPUTS["ledger.account"])
    assert body["account"] == "receivable:cedar"
    assert len(body["items"]) == 1


def test_what_makes_no_sense_is_refused(desk: Desk) -> None:
    billed(desk)
    ran = desk("ledger", "--from", "2026-12-01")
    assert (ran.status, ran.out) == (2, "")
    assert "--from is for the statement of an account" in ran.err
    ran = desk("ledger", "revenue:gold")
    assert ran.status == 1
    assert "there is no account revenue:gold" in ran.err
    ran = desk("ledger", "--at", "soon")
    assert "at: 'soon' is not a time" in ran.err


def test_books_that_do_not_balance_say_so() -> None:
    body = {
        "at": None, "known": None, "balanced": False, "transactions": 1,
        "accounts": [{"account": "cash", "balance": {"amount": "5.00", "currency": "USD"}}],
        "totals": [{"amount": "5.00", "currency": "USD"}, {"amount": "0.00", "currency": "EUR"}],
    }  # fmt: skip
    assert ledger.balances_text(body, color=False).endswith("1 transaction; NOT BALANCED: 5.00 USD")
