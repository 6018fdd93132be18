"""Files: text that needs quotes comes back, Parquet has decimals and times, and what cannot be written says why."""

from __future__ import annotations

import csv
import io
import sys
from pathlib import Path

import duckdb
import pytest

from forebay.exports import tabular
from forebay.exports.focus_columns import COLUMNS, FocusDataset, Type

PERIOD = [
    "2026-12-01T00:00:00Z",
    "2027-01-01T00:00:00Z",
    "2027-01-01T00:00:00Z",
    "2026-12-01T00:00:00Z",
    "Closed",
]


def test_csv_comes_in_pieces_and_whatever_is_in_a_text_comes_back() -> None:
    seller = 'a "quoted", name\nof two lines; ä €'
    rows = [[*PERIOD, seller] for _ in range(tabular.PIECE_ROWS + 1)]
    pieces = list(tabular.csv_pieces(FocusDataset.BILLING_PERIOD, rows))
    assert len(pieces) == 2
    read = list(csv.reader(io.StringIO(b"".join(pieces).decode(), newline="")))
    assert read[0] == [column.name for column in COLUMNS[FocusDataset.BILLING_PERIOD]]
    assert read[1:] == rows


def row_of(dataset: FocusDataset) -> list[str]:
    """A row in which every column has something."""
    samples = {
        Type.TEXT: "x, y", Type.JSON: '{"a": "b, c"}', Type.TIME: "2026-12-01T08:00:00Z",
        Type.COST: "-12345678901234.12345678901234567", Type.PRICE: "2.350000", Type.QUANTITY: "0.00000000001",
    }  # fmt: skip
    return [samples[column.type] for column in COLUMNS[dataset]]


@pytest.mark.parametrize("dataset", FocusDataset)
def test_parquet_has_decimals_and_times_and_loses_no_digit(dataset: FocusDataset, tmp_path: Path) -> None:
    full = row_of(dataset)
    empty = ["" if column.nulls else full[place] for place, column in enumerate(COLUMNS[dataset])]
    source, target = tmp_path / "it's.csv", tmp_path / "it's.parquet"
    source.write_bytes(b"".join(tabular.csv_pieces(dataset, [full, empty])))
    tabular.write_parquet(dataset, source, target)
    read = f"FROM read_parquet({tabular._text(target)})"
    with duckdb.connect() as database:
        found = database.execute(f"DESCRIBE SELECT * {read}").fetchall()
        one, two = database.execute(f"SELECT * {read}").fetchall()
        (version,) = database.execute(
            f"SELECT value FROM parquet_kv_metadata({tabular._text(target)}) WHERE key = 'FocusVersion'"
        ).fetchall()
    types = {"DECIMAL(38,17)", "DECIMAL(38,6)", "DECIMAL(38,11)", "TIMESTAMP", "VARCHAR"}
    assert {str(kind) for _, kind, *_ in found} <= types
    assert [name for name, *_ in found] == [column.name for column in COLUMNS[dataset]]
    for column, text, value, nothing in zip(COLUMNS[dataset], full, one, two, strict=True):
        if column.type is Type.COST:
            assert str(value) == text
        if column.nulls:
            assert nothing is None, column.name
    assert version == (b"1.4",)


def test_what_is_no_number_writes_no_parquet(tmp_path: Path) -> None:
    row = row_of(FocusDataset.COST_AND_USAGE)
    row[1] = "much"
    source, target = tmp_path / "a.csv", tmp_path / "a.parquet"
    source.write_bytes(b"".join(tabular.csv_pieces(FocusDataset.COST_AND_USAGE, [row])))
    with pytest.raises(tabular.NoParquet, match="Parquet could not be written"):
        tabular.write_parquet(FocusDataset.COST_AND_USAGE, source, target)


def test_without_duckdb_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(tabular.NoParquet, match="package duckdb, which is not installed"):
        tabular.write_parquet(FocusDataset.BILLING_PERIOD, tmp_path / "a.csv", tmp_path / "a.parquet")


def test_metadata_names_every_column() -> None:
    told = tabular.metadata(FocusDataset.BILLING_PERIOD)
    assert (told["FocusVersion"], told["Dataset"]) == ("1.4", "billing_period")
    columns = told["ColumnDefinition"]
    assert isinstance(columns, list)
    assert columns[0] == {"ColumnName": "BillingPeriodCreated", "DataType": "TIMESTAMP", "AllowsNulls": False}
