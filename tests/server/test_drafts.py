"""Drafts: what the open period would bill is what it bills, and a draft leaves nothing behind."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.rig import HOUR, PRICES, SITE, Rig, contract, gang, problem, rigged


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        yield made


def begun(rig: Rig) -> None:
    """An hour of a rack, of 8 GPUs on demand and of another customer's rack in euros."""
    assert (
        rig.apply(SITE, PRICES, contract("acme", "acme-t1"), contract("bravo", "bravo-t1", "EUR")).status_code
        == 200
    )
    rig.operator.post("/v1/gangs", json=gang("acme", "more", gpus=8))
    rig.pass_time(HOUR)


def drafted(client: Any, account: str = "") -> Any:
    answer = client.get("/v1/drafts", params={"account": account} if account else {})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_draft_is_what_is_issued_if_nothing_happens_in_between(rig: Rig) -> None:
    begun(rig)
    told = drafted(rig.finance)
    assert told["ends"] == "2027-01-01T00:00:00Z"
    assert [each["tenant"] for each in told["items"]] == ["acme", "bravo"]
    assert drafted(rig.finance) == told
    rig.operator.post("/v1/periods/close")
    for n, each in enumerate(told["items"], 1):
        issued = rig.finance.get(f"/v1/invoices/INV-{n:06d}").json()
        assert {name: issued[name] for name in each} == each
        assert set(issued) - set(each) == {"id", "number", "digest", "void", "replaces"}


def test_a_draft_records_nothing(rig: Rig) -> None:
    begun(rig)
    before = rig.operator.get("/v1/journal/records?limit=500").json()
    ledger = rig.finance.get("/v1/ledger").json()
    assert drafted(rig.finance)["items"]
    assert rig.operator.get("/v1/journal/records?limit=500").json() == before
    assert rig.finance.get("/v1/ledger").json() == ledger
    assert rig.finance.get("/v1/invoices").json()["items"] == []


def test_a_tenant_sees_its_own(rig: Rig) -> None:
    begun(rig)
    assert [each["tenant"] for each in drafted(rig.acme)["items"]] == ["acme"]
    assert drafted(rig.acme, "bravo")["items"] == []
    assert [each["tenant"] for each in drafted(rig.finance, "bravo")["items"]] == ["bravo"]
    assert "bravo" not in str(drafted(rig.acme))


def test_a_period_that_has_just_begun_would_bill_nothing(rig: Rig) -> None:
    begun(rig)
    rig.operator.post("/v1/periods/close")
    told = drafted(rig.finance)
    assert (told["items"], told["at"]) == ([], told["start"])


def test_the_bytes_of_an_invoice(rig: Rig) -> None:
    begun(rig)
    rig.operator.post("/v1/periods/close")
    answer = rig.acme.get("/v1/invoices/INV-000001/canonical")
    digest = hashlib.sha256(answer.content).hexdigest()
    assert answer.headers["etag"] == f'"{digest}"'
    assert rig.acme.get("/v1/invoices/INV-000001").json()["digest"] == digest
    assert answer.content == rig.operator.get("/v1/invoices/INV-000001/canonical").content
    problem(rig.acme.get("/v1/invoices/INV-000002/canonical"), 404, "not_found")
