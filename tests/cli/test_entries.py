"""Entries by hand: one person proposes, another approves."""

from __future__ import annotations

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import Desk, golden
from tests.cli.rig import Ran
from tests.cli.test_contesting import billed


def propose(desk: Desk, *more: str, credit: str = "receivable:cedar/INV-000001=9.20") -> Ran:
    return desk(
        "entry", "propose", "--currency", "USD", "--debit", "expense:bad_debt=9.20", "--credit", credit, "--text",
        "written off", "--effective", "2026-12-01T09:00:00Z", *more, by="finance",
    )  # fmt: skip


def test_one_proposes_and_another_approves(desk: Desk) -> None:
    assert "no entry was proposed yet" in desk("entry", "list").err
    billed(desk)
    ran = propose(desk)
    assert ran.err == "entry ENT-000001 is proposed: another person is to approve it\n"
    ran = desk("entry", "approve", "ENT-000001", by="finance")
    assert "another person is to approve it" in ran.err
    assert desk("entry", "approve", "ENT-000001").err == "entry ENT-000001 is posted\n"
    validate(propose(desk, "--json").json, outputs.OUTPUTS["entry.propose"])
    ran = desk("entry", "reject", "ENT-000002", "--reason", "twice", "--json")
    validate(ran.json, outputs.OUTPUTS["entry.reject"])
    validate(desk("entry", "list", "--json").json, outputs.OUTPUTS["entry.list"])
    golden("entries", desk("entry", "list").out)
    assert "160.00" in desk("receivables").out
    propose(desk)
    validate(desk("entry", "approve", "ENT-000003", "--json").json, outputs.OUTPUTS["entry.approve"])


def test_what_makes_no_sense_is_refused(desk: Desk) -> None:
    billed(desk)
    ran = propose(desk, credit="receivable:cedar")
    assert (ran.status, "is not ACCOUNT[/INVOICE]=AMOUNT" in ran.err) == (2, True)
    assert "say ACCOUNT/INVOICE=AMOUNT" in propose(desk, credit="receivable:cedar=9.20").err
    assert "sides/1" in propose(desk, credit="receivable:cedar/INV-000001=1e9").err
    body = {
        "currency": "USD", "sides": [{"account": "cash"}], "text": "x", "effective": "2026-12-01T09:00:00Z",
    }  # fmt: skip
    answer = desk.rig.finance.post("/v1/entries", json=body)
    assert (answer.status_code, "either a debit or a credit" in answer.text) == (422, True)
