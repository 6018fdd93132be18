"""Taxes as people give them, and as they stand on an invoice."""

from __future__ import annotations

from jsonschema import validate

from forebay.cli import invoice_sums, outputs
from tests.cli.desk import Desk, golden
from tests.cli.test_ledger import billed
from tests.server.rig import HOUR

TAXES = """\
forebay: 1
kind: Taxes
account: {}
zone: UTC
rates:
  - {{jurisdiction: FI, rate: 25.5 %, start: 2026-01-01, number: FI1234567-8, evidence: 'VAT act, section 84'}}
  - {{jurisdiction: SE, rate: 25 %, start: 2027-01-01, reverse_charge: true}}
"""


def test_from_a_document_to_the_page_of_an_invoice(desk: Desk) -> None:
    assert desk("taxes").out == "no account has taxes on its invoices\n"
    billed(desk)
    account = desk("invoice", "INV-000001", "--json").json["tenant"]
    ran = desk("apply", desk.file("taxes.yaml", TAXES.format(account)), by="finance")
    assert (ran.status, ran.err) == (0, "")
    told = desk("taxes")
    golden("taxes", told.out)
    body = desk("taxes", "--json").json
    validate(body, outputs.OUTPUTS["taxes"])
    assert [rate["in_force"] for rate in body["items"][0]["rates"]] == [True, False]
    assert desk("taxes", "--json", by="birch").json["items"] == []
    desk.rig.pass_time(HOUR)
    assert desk("invoice", "close", "--yes").status == 0
    listed = desk("invoice", "list", "--json").json["items"]
    number = next(each["id"] for each in reversed(listed) if each["tenant"] == account)
    golden("taxes_invoice", desk("invoice", number).out)
    page = desk("invoice", number, "--html").out
    for label in ("<td>Net</td>", "<td>Tax, FI</td>"):
        assert label in page
    folder = desk.shell.home / "focus"
    assert desk("export", "focus", "-o", str(folder)).status == 0
    rows = (folder / "cost_and_usage.csv").read_text()
    assert "Tax" in rows


def test_sums_without_and_with_taxes() -> None:
    def money(amount: str) -> dict[str, str]:
        return {"amount": amount, "currency": "USD"}

    lines = [
        {"kind": "dedicated", "clause": "x", "amount": money("100.00")},
        {"kind": "service_credit", "clause": "y", "amount": money("-20.00")},
    ]
    plain = {"charges": money("100.00"), "credits": money("20.00"), "lines": lines}
    assert invoice_sums.sums_of(plain) == [("Charges", "100.00"), ("Credits", "-20.00")]
    taxed = [*lines, {"kind": "tax", "clause": "taxes[FI]", "amount": money("20.40")}]
    body = {"charges": money("120.40"), "credits": money("20.00"), "lines": taxed}
    assert invoice_sums.sums_of(body) == [
        ("Charges", "100.00"), ("Credits", "-20.00"), ("Net", "80.00"), ("Tax, FI", "20.40"),
    ]  # fmt: skip
    back = [{"kind": "correction", "clause": "x", "amount": money("-10.00")},
            {"kind": "tax", "clause": "taxes[FI]", "amount": money("-2.55")}]  # fmt: skip
    body = {"charges": money("0.00"), "credits": money("12.55"), "lines": back}
    assert invoice_sums.sums_of(body) == [
        ("Charges", "0.00"), ("Credits", "-10.00"), ("Net", "-10.00"), ("Tax, FI", "-2.55"),
    ]  # fmt: skip
