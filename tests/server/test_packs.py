"""The pack for a close: its tables tie to each other, and to the trial balance."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.server.rig import HOUR, PRICES, SITE, Rig, contract, problem, rigged

Rows = list[dict[str, str]]
AHEAD = ("Contract", "Tenant", "Tranche", "Currency")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        yield made


def table(rig: Rig, name: str, month: str = "") -> Rows:
    answer = rig.finance.get(f"/v1/exports/close/{name}?period={month}")
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


def two_months(rig: Rig) -> None:
    service = "    service: {unit: node, ladder: [{below: 99.9 %, credit: 5 %}]}\n"
    euros = PRICES.replace("version: 1", "version: 2").replace("USD", "EUR")
    parts = (SITE, PRICES, euros, contract("acme", "acme-t1") + service, contract("birch", "birch-t1", "EUR"))
    answer = rig.apply(*parts)
    assert answer.status_code == 200, answer.text
    assert rig.operator.post("/v1/nodes/r01-n01/fail").status_code == 200
    for _ in range(2):
        rig.pass_time(31 * 24 * HOUR)


def test_balances_tie_to_the_trial_balance_and_to_the_entries(rig: Rig) -> None:
    two_months(rig)
    closing: dict[tuple[str, str], Decimal] = {}
    for month, after in (("2026-12", "2027-01-01"), ("2027-01", "2027-02-01")):
        balances = table(rig, "balances", month)
        booked = rig.finance.get(f"/v1/ledger?at={after}T00:00:00Z").json()["accounts"]
        told = {(row["Account"], row["Currency"]): row for row in balances}
        assert {mark: Decimal(row["Closing"]) for mark, row in told.items()} == {
            (each["account"], each["balance"]["currency"]): Decimal(each["balance"]["amount"])
            for each in booked
        }
        assert ("revenue:service_credits", "USD") in told
        for mark, row in told.items():
            assert Decimal(row["Opening"]) == closing.get(mark, 0)
            moved = Decimal(row["Debit"]) - Decimal(row["Credit"])
            assert Decimal(row["Opening"]) + moved == Decimal(row["Closing"])
        for side in ("Debit", "Credit"):
            entries = sum(Decimal(row[side]) for row in table(rig, "entries", month))
            assert sum(Decimal(row[side]) for row in balances) == entries > 0
        closing = {mark: Decimal(row["Closing"]) for mark, row in told.items()}
    whole = table(rig, "balances")
    assert {(row["Account"], row["Currency"]): Decimal(row["Closing"]) for row in whole} == closing
    assert not any(Decimal(row["Opening"]) for row in whole)
    assert table(rig, "balances", "2026-11") == []


def test_what_is_expected_by_month_sums_to_what_is_left_by_year(rig: Rig) -> None:
    euros = PRICES.replace("version: 1", "version: 2").replace("USD", "EUR")
    asked = (SITE, PRICES, euros, contract("acme", "acme-t1"), contract("birch", "birch-t1", "EUR"))
    assert rig.apply(*asked).status_code == 200
    rig.pass_time(5 * HOUR)
    months, years = table(rig, "expected"), table(rig, "obligations")
    assert [(row["Tranche"], row["Month"]) for row in months] == [
        ("acme-t1", "2026-12"), ("acme-t1", "2027-01"), ("birch-t1", "2026-12"), ("birch-t1", "2027-01"),
    ]  # fmt: skip
    for column in ("GpuHours", "Fees", "LeastFees"):
        by_month: dict[tuple[str, ...], Decimal] = {}
        for row in months:
            mark = (*(row[name] for name in AHEAD), row["Month"][:4])
            by_month[mark] = by_month.get(mark, Decimal(0)) + Decimal(row[column])
        assert by_month == {
            (*(row[name] for name in AHEAD), row["Year"]): Decimal(row[column]) for row in years
        }


def test_tables_that_there_are(rig: Rig) -> None:
    told = problem(rig.finance.get("/v1/exports/close/costs"), 404, "not_found")
    assert "there are entries, revenue, obligations, expected, balances" in told["detail"]


def test_a_month_is_released_when_it_is_over(rig: Rig) -> None:
    two_months(rig)
    assert rig.apply(contract("cedar", "cedar-t1")).status_code == 200
    told = [(row["Tranche"], row["Month"]) for row in table(rig, "expected")]
    assert told == [("cedar-t1", "2027-02"), ("cedar-t1", "2027-03"), ("cedar-t1", "2027-04")]
    rig.pass_time(31 * 24 * HOUR)
    assert [row["Month"] for row in table(rig, "expected")] == ["2027-03", "2027-04"]
