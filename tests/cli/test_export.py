"""FOCUS as files: all four at once, whole or not at all, as CSV and as Parquet."""

from __future__ import annotations

from pathlib import Path

import duckdb
from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import Desk, golden
from tests.cli.test_ledger import billed

NAMES = ["billing_period", "contract_commitment", "cost_and_usage", "invoice_detail"]
CLOSED = ["balances.csv", "entries.csv", "expected.csv", "obligations.csv", "revenue.csv"]


def files(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_all_four_as_csv(desk: Desk, tmp_path: Path) -> None:
    billed(desk)
    folder = tmp_path / "out" / "november"
    ran = desk("export", "focus", "-o", str(folder))
    assert ran.status == 0, ran.err
    golden("export_focus", ran.err.replace(str(folder), "november"))
    assert files(folder) == sorted([*(f"{name}.csv" for name in NAMES), "metadata.json"])
    golden("export_focus_cost_and_usage", (folder / "cost_and_usage.csv").read_text("utf-8"))
    before = (folder / "cost_and_usage.csv").read_bytes()
    assert desk("export", "focus", "-o", str(folder)).status == 0
    assert (folder / "cost_and_usage.csv").read_bytes() == before


def test_one_as_parquet_and_as_json(desk: Desk, tmp_path: Path) -> None:
    billed(desk)
    words = ("export", "focus", "--format", "parquet", "--dataset", "cost_and_usage", "--tenant", "cedar")
    body = desk(*words, "-o", str(tmp_path / "out"), "--json").json
    validate(body, outputs.OUTPUTS["export.focus"])
    assert files(tmp_path / "out") == ["cost_and_usage.parquet", "metadata.json"]
    with duckdb.connect() as database:
        told = database.execute(
            f"SELECT BillingAccountId, sum(BilledCost) FROM '{body['files'][0]['file']}' GROUP BY 1"
        ).fetchall()
    invoice = desk("invoice", "show", "INV-000001", "--json").json
    assert [(tenant, f"{total:.2f}") for tenant, total in told] == [("cedar", invoice["total"]["amount"])]


def test_what_fails_leaves_nothing_behind(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    ran = desk("export", "focus", "-o", str(folder))
    assert ran.status == 1
    assert "no invoice is issued yet" in ran.err
    billed(desk)
    ran = desk("export", "focus", "--period", "2019-01", "-o", str(folder))
    assert (ran.status, files(folder)) == (1, [])
    ran = desk("export", "focus", "--period", "soon", "-o", str(folder))
    assert "period: 'soon' is not a month like 2026-11" in ran.err
    assert (ran.status, files(folder)) == (1, [])


def test_the_pack_for_a_close(desk: Desk, tmp_path: Path) -> None:
    billed(desk)
    folder = tmp_path / "out"
    body = desk("export", "close", "--period", "2026-12", "-o", str(folder), "--json").json
    validate(body, outputs.OUTPUTS["export.close"])
    assert files(folder) == CLOSED
    golden("export_close", "\n".join((folder / name).read_text("utf-8") for name in files(folder)))
    ran = desk("export", "close", "-o", str(folder))
    assert (ran.status, files(folder)) == (0, CLOSED)
    assert "bytes" in ran.err
    ran = desk("export", "close", "--period", "soon", "-o", str(tmp_path / "other"))
    assert (ran.status, files(tmp_path / "other")) == (1, [])
