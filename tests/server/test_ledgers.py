"""The books at any instant, as known at any other: what took effect when, and since when that is known."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.rig import HOUR, Rig, rigged


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        yield made


def balances(rig: Rig, **query: str) -> dict[str, str]:
    body = rig.finance.get("/v1/ledger", params=query).json()
    assert body["balanced"] is True
    return {each["account"]: each["balance"]["amount"] for each in body["accounts"]}


def items(rig: Rig, account: str, **query: Any) -> list[dict[str, Any]]:
    answer = rig.finance.get(f"/v1/ledger/accounts/{account}", params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


def amended(rig: Rig) -> None:
    """Two closes, at 09:00 and at 10:00 on 1 December; in between a node is found to have failed before the first."""
    rig.furnish()
    late = {"reason": "found late", "effective_at": "2026-12-01T08:30:00Z"}
    answer = rig.operator.post("/v1/nodes/r01-n01/fail", json=late)
    assert answer.status_code == 200, answer.text
    rig.pass_time(HOUR)
    assert rig.operator.post("/v1/periods/close").status_code == 200


def test_all_of_it_read_from_the_journal_is_what_the_world_holds(rig: Rig) -> None:
    amended(rig)
    now = rig.finance.get("/v1/ledger").json()
    told = rig.finance.get("/v1/ledger", params={"at": "2027-01-01", "known": "2027-01-01"}).json()
    assert (told.pop("at"), told.pop("known")) == ("2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z")
    assert (now.pop("at"), now.pop("known")) == (None, None)
    assert told == now


def test_what_took_effect_before_and_what_was_known_before_are_told_apart(rig: Rig) -> None:
    amended(rig)
    all_of_it = balances(rig)
    # An invoice takes effect with the last instant of its period, and is known once that is over.
    assert balances(rig, at="2026-12-01T09:00:00Z") == balances(rig, known="2026-12-01T10:00:00Z")
    assert balances(rig, at="2026-12-01T09:00:00Z") not in ({}, all_of_it)
    assert balances(rig, known="2026-12-01T09:00:00Z") == {}
    assert balances(rig, at="2026-12-01T08:59:59Z") == {}
    assert balances(rig, at="2026-12-02") == all_of_it
    assert balances(rig, at="2026-12-02", known="2026-12-01") == {}


def test_a_statement_runs_from_a_balance_to_a_balance(rig: Rig) -> None:
    amended(rig)
    first, second = items(rig, "receivable:acme")
    assert (first["invoice"], second["invoice"]) == ("INV-000001", "INV-000003")
    assert first["effective_at"] == "2026-12-01T08:59:59.999999Z"
    assert first["recorded_at"] == "2026-12-01T09:00:00Z"
    assert first["balance"] == first["amount"]
    assert second["balance"]["amount"] == balances(rig)["receivable:acme"]
    brought, again = items(rig, "receivable:acme", **{"from": "2026-12-01T09:00:00Z"})
    assert (brought["amount"], brought["balance"]) == (first["balance"], first["balance"])
    assert brought["text"] == "balance before 2026-12-01T09:00:00Z"
    assert (brought["seq"], brought["transaction"], brought["effective_at"]) == (0, "", None)
    assert again == second
    assert items(rig, "receivable:acme", until="2026-12-01T09:00:00Z") == [first]
    assert items(rig, "receivable:acme", known="2026-12-01T10:00:00Z") == [first]
    assert items(rig, "receivable:acme", until="2026-12-01") == []


def test_a_statement_comes_in_pages(rig: Rig) -> None:
    amended(rig)
    page = rig.finance.get("/v1/ledger/accounts/receivable:acme", params={"limit": 1}).json()
    (first,), cursor = page["items"], page["next_cursor"]
    rest = rig.finance.get(
        "/v1/ledger/accounts/receivable:acme", params={"limit": 1, "cursor": cursor}
    ).json()
    assert [first, *rest["items"]] == items(rig, "receivable:acme")
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    ("path", "status", "code", "detail"),
    [
        ("?at=soon", 422, "bad_parameter", "at: "),
        ("?known=2026-13-01", 422, "bad_parameter", "known: "),
        ("/accounts/revenue:gold", 404, "not_found", "there is no account revenue:gold"),
        ("/accounts/receivable:acme?from=x", 422, "bad_parameter", "from: "),
        (
            "/accounts/receivable:acme?from=2027-01-01&until=2027-01-01",
            422,
            "bad_parameter",
            "until: is not after",
        ),
    ],
)
def test_a_question_that_makes_no_sense_is_told_where(
    rig: Rig, path: str, status: int, code: str, detail: str
) -> None:
    rig.furnish()
    answer = rig.finance.get(f"/v1/ledger{path}")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["detail"].startswith(detail)


def test_tenants_do_not_see_the_books(rig: Rig) -> None:
    rig.furnish()
    assert rig.acme.get("/v1/ledger/accounts/receivable:acme").status_code == 403
