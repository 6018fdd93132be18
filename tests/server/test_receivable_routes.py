"""Receipts and open invoices over HTTP: who may see what, and what was known then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.rig import HOUR, Rig, problem, rigged

RECEIPT = {
    "account": "acme", "currency": "USD", "amount": "50.00", "received": "2026-12-01", "reference": "wire 1",
}  # fmt: skip


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        made.furnish()
        made.pass_time(HOUR)
        answer = made.operator.post("/v1/periods/close")
        assert answer.status_code == 200, answer.text
        yield made


def told(rig: Rig, client: Any = None, **query: str) -> dict[str, Any]:
    answer = (client or rig.finance).get("/v1/receivables", params=query)
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.json()
    return body


def sums(body: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    return {
        each["account"]: tuple(each[name]["amount"] for name in ("open", "on_account", "net"))
        for each in body["accounts"]
    }


def test_what_is_read_from_the_journal_is_what_the_world_holds(rig: Rig) -> None:
    rig.finance.post("/v1/receipts", json=RECEIPT)
    now, then = told(rig), told(rig, at="2026-12-02")
    assert sums(now) == sums(then)
    assert now["invoices"] == then["invoices"]
    ledger = {
        each["account"]: each["balance"]["amount"]
        for each in rig.finance.get("/v1/ledger").json()["accounts"]
    }
    for account, (open_text, on_account, _) in sums(now).items():
        assert ledger[f"receivable:{account}"] == open_text
        assert ledger.get(f"on_account:{account}", "0.00").lstrip("-") == on_account
    assert told(rig, known="2026-12-01T08:00:00Z")["accounts"] == []


def test_money_without_an_open_invoice_is_shown(rig: Rig) -> None:
    rig.finance.post("/v1/receipts", json=RECEIPT)
    body = told(rig, account="acme", at="2026-12-01T08:30:00Z")
    assert sums(body) == {"acme": ("0.00", "50.00", "-50.00")}
    assert body["invoices"] == []


def test_a_tenant_sees_its_own(rig: Rig) -> None:
    for account in ("acme", "birch"):
        rig.finance.post("/v1/receipts", json=RECEIPT | {"account": account})
    for client, own in ((rig.acme, "acme"), (rig.birch, "birch")):
        assert set(sums(told(rig, client))) == {own}
        assert {each["account"] for each in told(rig, client)["invoices"]} == {own}
        assert [each["account"] for each in client.get("/v1/receipts").json()["items"]] == [own]
    assert told(rig, rig.acme, account="birch")["accounts"] == []
    problem(rig.acme.post("/v1/receipts", json=RECEIPT), 403, "forbidden")


def test_refusals_have_their_status(rig: Rig) -> None:
    def post(path: str = "", **body: Any) -> Any:
        return rig.finance.post(f"/v1/receipts{path}", json=body)

    problem(post(**RECEIPT | {"account": "nobody"}), 404, "unknown_account")
    problem(post(**RECEIPT | {"amount": "0"}), 422, "bad_amount")
    problem(post(**RECEIPT | {"amount": "much"}), 422, "bad_body")
    problem(post(**RECEIPT | {"received": "2027-01-01"}), 409, "future_receipt")
    problem(post(**RECEIPT | {"reference": "x" * 501}), 422, "bad_body")
    assert post(**RECEIPT).json() == {
        "receipt": "RCT-000001", "on_account": {"amount": "50.00", "currency": "USD"}, "changed": True
    }  # fmt: skip
    problem(post("/RCT-000001/allocate", allocate=[]), 422, "nothing_allocated")
    problem(post("/RCT-000002/reverse", reason="x"), 404, "unknown_receipt")
    assert post("/RCT-000001/reverse", reason="bounced").status_code == 200
    problem(post("/RCT-000001/reverse", reason="bounced"), 409, "receipt_reversed")
