"""`forebay credit-note` and `forebay invoice void`, as they are read."""

from __future__ import annotations

import json
from pathlib import Path

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import Desk, golden
from tests.cli.test_ledger import billed


def test_an_invoice_is_credited(desk: Desk) -> None:
    assert "no credit note is issued yet" in desk("credit-note", "list").err
    billed(desk)
    ran = desk("credit-note", "issue", "inv-000001", "--line", "1=12.34", "--reason", "agreed on 3 March")
    assert (ran.status, ran.out) == (0, "")
    assert ran.err == "credit note CN-000001 on INV-000001: 12.34 USD\n"
    golden("credit_note", desk("credit-note", "show", "CN-000001").out)
    golden("credit_notes", desk("credit-note", "list").out)
    golden("invoices_credited", desk("invoice", "list").out)
    for name, command in (
        ("credit-note", ("show", "cn-000001")), ("credit-note.list", ("list",)),
        ("credit-note.issue", ("issue", "INV-000001", "--line", "1=1.00", "--reason", "x")),
    ):  # fmt: skip
        validate(desk("credit-note", *command, "--json").json, outputs.OUTPUTS[name])


def test_what_was_paid_is_told_and_pays_another(desk: Desk) -> None:
    billed(desk)
    total = desk("invoice", "INV-000001", "--json").json["total"]["amount"]
    paid = desk(
        "receipt", "record", "--account", "cedar", "--currency", "USD", "--amount", total, "--received", "2026-12-01",
        "--reference", "w", "--allocate", f"INV-000001={total}",
    )  # fmt: skip
    assert paid.status == 0, paid.err
    ran = desk("credit-note", "issue", "INV-000001", "--line", "1=5", "--reason", "late")
    assert "5.00 USD of it was paid already, and is open in its favour" in ran.err
    desk.rig.pass_time(3_600_000_000)
    desk("invoice", "close", "--yes")
    ran = desk("credit-note", "allocate", "CN-000001", "INV-000003=2")
    assert ran.err == "credit note CN-000001: 3.00 USD of it is left\n", ran.err
    assert "left   3.00 USD" in desk("credit-note", "show", "CN-000001").out
    ran = desk("credit-note", "allocate", "CN-000001", "INV-000003=2", "--json")
    validate(ran.json, outputs.OUTPUTS["credit-note.allocate"])


def test_an_invoice_is_void(desk: Desk, tmp_path: Path) -> None:
    billed(desk)
    ran = desk("invoice", "void", "INV-000001", "--reason", "wrong party", "--reissue", "--yes")
    assert (ran.status, ran.err) == (0, "invoice INV-000001 is void; INV-000003 is in its place\n")
    assert desk("invoice", "INV-000001").out.splitlines()[0].endswith(", void: wrong party")
    assert desk("invoice", "INV-000003").out.splitlines()[0].endswith(", in the place of INV-000001")
    assert "<h1>Invoice INV-000001 (void)</h1>" in desk("invoice", "INV-000001", "--html").out
    file = tmp_path / "x.pdf"
    assert desk("invoice", "INV-000003", "--pdf", str(file)).status == 0
    assert file.stat().st_size > 10_000
    ran = desk("invoice", "void", "INV-000001", "--reason", "again", "--yes")
    assert ran.status == 4
    assert "invoice INV-000001 is void: wrong party" in ran.err
    ran = desk("invoice", "void", "INV-000003", "--reason", "again", "--yes", "--json")
    validate(ran.json, outputs.OUTPUTS["invoice.void"])


def test_what_is_not_understood(desk: Desk) -> None:
    for text in ("1", "x=1", "1="):
        ran = desk("credit-note", "issue", "INV-000001", "--line", text, "--reason", "x")
        assert ran.status == 2
        assert f"{text!r} is not N=AMOUNT" in ran.err


def test_a_credit_note_is_printed_kept_and_explained(desk: Desk) -> None:
    billed(desk)
    desk("credit-note", "issue", "INV-000001", "--line", "1=12.34", "--reason", "agreed <3 March>")
    golden("credit_note_page", desk("credit-note", "show", "CN-000001", "--html").out)
    assert json.loads(desk("credit-note", "show", "CN-000001", "--canonical").out)["total_minor"] == 1234
    told = desk("explain", "cn-000001:1").out
    head = "CN-000001 credits 12.34 USD of line 1 of INV-000001: agreed <3 March>"
    assert told == f"{head}\n\n{desk('explain', 'INV-000001:1').out}"
    validate(desk("explain", "CN-000001:1", "--json").json, outputs.OUTPUTS["explain.credit"])
