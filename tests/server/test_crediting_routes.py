"""Invoices put right over HTTP: what is said of them, in FOCUS, in costs and in the pack for the close."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.server.rig import HOUR, Rig, problem, rigged


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A closed period: acme and birch are billed."""
    with rigged(tmp_path) as made:
        made.furnish()
        made.pass_time(HOUR)
        assert made.operator.post("/v1/periods/close").status_code == 200
        yield made


def credit(rig: Rig, *lines: tuple[int, str], invoice: str = "INV-000001", status: int = 200) -> Any:
    body = {"reason": "agreed", "lines": [{"line": n, "amount": amount} for n, amount in lines]}
    answer = rig.finance.post(f"/v1/invoices/{invoice}/credit-notes", json=body)
    assert answer.status_code == status, answer.text
    return answer.json() if status == 200 else answer


def void(rig: Rig, invoice: str = "INV-000001", **more: Any) -> Any:
    return rig.finance.post(f"/v1/invoices/{invoice}/void", json={"reason": "wrong party"} | more)


def invoice(rig: Rig, number: str = "INV-000001") -> Any:
    return rig.operator.get(f"/v1/invoices/{number}").json()


def states(rig: Rig) -> dict[str, tuple[str, str]]:
    return {
        each["id"]: (each["state"], each["open"]["amount"])
        for each in rig.finance.get("/v1/invoices").json()["items"]
    }


def rows(rig: Rig, dataset: str) -> list[dict[str, str]]:
    answer = rig.finance.get(f"/v1/exports/focus/{dataset}")
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def billed(rig: Rig) -> Decimal:
    """What Cost and Usage says, which Invoice Detail says too."""
    sums = {
        sum((Decimal(row["BilledCost"]) for row in rows(rig, dataset)), Decimal(0))
        for dataset in ("cost_and_usage", "invoice_detail")
    }
    (one,) = sums
    return one


def owed(rig: Rig) -> Decimal:
    """The receivable accounts of the ledger."""
    accounts = rig.finance.get("/v1/ledger").json()["accounts"]
    return sum(
        (Decimal(each["balance"]["amount"]) for each in accounts if each["account"].startswith("receivable")),
        Decimal(0),
    )


def revenue(rig: Rig) -> Decimal:
    """What the pack for the close says."""
    text = rig.finance.get("/v1/exports/close/revenue").text
    return sum((Decimal(row["Billed"]) for row in csv.DictReader(io.StringIO(text))), Decimal(0))


def costs(rig: Rig) -> Decimal:
    totals = rig.finance.get("/v1/costs").json()["totals"]
    return sum((Decimal(each["cost"]["amount"]) for each in totals), Decimal(0))


def same_everywhere(rig: Rig) -> Decimal:
    found = {owed(rig), billed(rig), revenue(rig), costs(rig)}
    (one,) = found
    return one


def test_a_credit_note_is_told_everywhere(rig: Rig) -> None:
    before = same_everywhere(rig)
    total = Decimal(invoice(rig)["total"]["amount"])
    told = credit(rig, (1, "12.34"))
    assert told == {
        "note": "CN-000001", "invoice": "INV-000001", "total": {"amount": "12.34", "currency": "USD"},
        "left": {"amount": "0.00", "currency": "USD"},
    }  # fmt: skip
    assert same_everywhere(rig) == before - Decimal("12.34")
    (summary,) = rig.finance.get("/v1/credit-notes").json()["items"]
    shown = rig.finance.get("/v1/credit-notes/CN-000001").json()
    assert {name: shown[name] for name in summary} == summary
    (line,) = shown["credited"]
    assert (line["line"], line["amount"]["amount"], line["contract"]) == (1, "12.34", "acme-1")
    assert states(rig)["INV-000001"] == ("open", f"{total - Decimal('12.34'):f}")
    row = next(row for row in rows(rig, "cost_and_usage") if row["InvoiceId"] == "CN-000001")
    assert (row["BilledCost"], row["ChargeCategory"], row["ChargeClass"]) == (
        "-12.34",
        "Credit",
        "Correction",
    )
    detail = next(row for row in rows(rig, "invoice_detail") if row["InvoiceId"] == "CN-000001")
    assert (detail["ReferenceInvoiceId"], detail["BilledCost"]) == ("INV-000001", "-12.34")
    credit(rig)
    assert states(rig)["INV-000001"] == ("credited", "0.00")
    assert same_everywhere(rig) == before - total


def test_a_tenant_sees_its_own_and_issues_none(rig: Rig) -> None:
    credit(rig, (1, "1.00"))
    assert len(rig.acme.get("/v1/credit-notes").json()["items"]) == 1
    assert rig.birch.get("/v1/credit-notes").json()["items"] == []
    assert rig.acme.get("/v1/credit-notes/CN-000001").status_code == 200
    problem(rig.birch.get("/v1/credit-notes/CN-000001"), 404, "not_found")
    for path in ("/v1/invoices/INV-000001/credit-notes", "/v1/invoices/INV-000001/void"):
        assert rig.acme.post(path, json={"reason": "x"}).status_code == 403


def test_what_is_wrong_is_told_by_field(rig: Rig) -> None:
    wrong = credit(rig, (1, "0.001"), status=422)
    body = problem(wrong, 422, "bad_amount")
    assert body["errors"][0]["pointer"] == "/lines/0/amount"
    problem(credit(rig, (1, "much"), status=422), 422, "bad_body")
    problem(credit(rig, (99, "1"), status=422), 422, "unknown_line")
    problem(credit(rig, (1, "9999999"), status=409), 409, "over_credited")
    problem(credit(rig, (1, "-1"), status=422), 422, "bad_amount")
    problem(credit(rig, (1, "1"), invoice="INV-000404", status=404), 404, "not_found")
    problem(void(rig, "INV-000404"), 404, "not_found")
    problem(
        rig.finance.post("/v1/credit-notes/CN-000009/allocate", json={"allocate": []}),
        404,
        "unknown_credit_note",
    )


def test_void_and_in_its_place(rig: Rig) -> None:
    before = same_everywhere(rig)
    first = invoice(rig)
    explained = rig.operator.get("/v1/invoices/INV-000001/lines/1/explain").json()
    rig.pass_time(HOUR)
    # Another close lies between: what is behind the lines is still what was behind them.
    assert rig.operator.post("/v1/periods/close").status_code == 200
    before = same_everywhere(rig)
    told = void(rig, reissue=True).json()
    again = invoice(rig, told["reissued"])
    assert (again["replaces"], again["void"], again["lines"]) == ("INV-000001", "", first["lines"])
    assert invoice(rig)["void"] == "wrong party"
    assert states(rig)["INV-000001"] == ("void", "0.00")
    assert states(rig)[told["reissued"]] == ("open", first["total"]["amount"])
    assert same_everywhere(rig) == before
    line = rig.operator.get(f"/v1/invoices/{told['reissued']}/lines/1/explain").json()
    assert line["placements"] == explained["placements"]
    assert line["closed_by"] == explained["closed_by"]
    problem(void(rig), 409, "invoice_void")
    # Void for good.
    assert void(rig, told["reissued"]).json()["reissued"] == ""
    assert same_everywhere(rig) == before - Decimal(first["total"]["amount"])


def test_what_was_paid_pays_another(rig: Rig) -> None:
    total = invoice(rig)["total"]["amount"]
    receipt = {
        "account": "acme", "currency": "USD", "amount": total, "received": "2026-12-01", "reference": "wire 1",
        "allocate": [{"invoice": "INV-000001", "amount": total}],
    }  # fmt: skip
    assert rig.finance.post("/v1/receipts", json=receipt).status_code == 200
    assert states(rig)["INV-000001"] == ("paid", "0.00")
    assert credit(rig, (1, "5.00"))["left"]["amount"] == "5.00"
    rig.pass_time(HOUR)
    rig.operator.post("/v1/periods/close")
    other = next(
        name
        for name, (state, _) in states(rig).items()
        if state == "open" and invoice(rig, name)["tenant"] == "acme"
    )
    told = rig.finance.post(
        "/v1/credit-notes/CN-000001/allocate", json={"allocate": [{"invoice": other, "amount": "2"}]}
    )
    assert told.json() == {"note": "CN-000001", "left": {"amount": "3.00", "currency": "USD"}}
    assert rig.finance.get("/v1/credit-notes/CN-000001").json()["left"]["amount"] == "3.00"
    wrong = rig.finance.post(
        "/v1/credit-notes/CN-000001/allocate", json={"allocate": [{"invoice": other, "amount": "x"}]}
    )
    problem(wrong, 422, "bad_body")


def test_what_a_credit_rests_on(rig: Rig) -> None:
    credit(rig, (1, "1.00"))
    path = "/v1/credit-notes/CN-000001"
    note = rig.acme.get(path).json()
    data = rig.acme.get(f"{path}/canonical").content
    assert hashlib.sha256(data).hexdigest() == note["digest"]
    assert json.loads(data)["lines"][0]["amount_minor"] == 100
    told = rig.acme.get(f"{path}/lines/1/explain").json()
    assert (told["note"], told["reason"], told["credited"]) == ("CN-000001", "agreed", note["credited"][0])
    assert told["billed"] == rig.acme.get("/v1/invoices/INV-000001/lines/1/explain").json()
    problem(rig.acme.get(f"{path}/lines/2/explain"), 404, "not_found")
    problem(rig.birch.get(f"{path}/canonical"), 404, "not_found")
