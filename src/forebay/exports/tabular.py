"""How do rows of FOCUS become files? CSV in pieces, and Parquet made from it by columns, never through floats."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from forebay.exports.focus_columns import COLUMNS, FOCUS_VERSION, PLACES, FocusColumn, FocusDataset, Type

#: Rows of one piece.
PIECE_ROWS = 2000


class NoParquet(Exception):
    """Parquet cannot be written here; the message says why."""


def csv_pieces(dataset: FocusDataset, rows: Iterable[list[str]]) -> Iterator[bytes]:
    """The dataset as CSV (RFC 4180, UTF-8, null as nothing): its header, and then its rows, some at a time."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in COLUMNS[dataset]])
    for count, row in enumerate(rows, 1):
        writer.writerow(row)
        if count % PIECE_ROWS == 0:
            yield text.getvalue().encode()
            text.seek(0)
            text.truncate()
    yield text.getvalue().encode()


def sql_type(column: FocusColumn) -> str:
    """The type that Parquet gets, in SQL."""
    if column.type in PLACES:
        return f"DECIMAL(38, {PLACES[column.type]})"
    return "TIMESTAMP" if column.type is Type.TIME else "VARCHAR"


def write_parquet(dataset: FocusDataset, source: Path, target: Path) -> None:
    """Make Parquet of the CSV of a dataset. Raises `NoParquet`."""
    try:
        import duckdb  # 30 ms to import, and only this format needs it
    except ModuleNotFoundError:
        raise NoParquet("Parquet is written by the package duckdb, which is not installed here") from None
    columns = COLUMNS[dataset]
    types = ", ".join(f"'{column.name}': '{sql_type(column)}'" for column in columns)
    with duckdb.connect() as database:
        database.execute(
            "SET threads = 2; SET enable_progress_bar = false; SET preserve_insertion_order = true"
        )
        try:
            database.execute(
                f"COPY (SELECT * FROM read_csv({_text(source)}, header = true, delim = ',', quote = '\"', "
                f"escape = '\"', nullstr = '', timestampformat = '%Y-%m-%dT%H:%M:%SZ', auto_detect = false, "
                f"columns = {{{types}}}, max_line_size = 16777216)) TO {_text(target)} "
                f"(FORMAT parquet, COMPRESSION zstd, KV_METADATA {{FocusVersion: '{FOCUS_VERSION}'}})"
            )
        except duckdb.Error as error:
            raise NoParquet(f"Parquet could not be written: {str(error).splitlines()[0]}") from error


def _text(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"


def metadata(dataset: FocusDataset) -> dict[str, object]:
    """What FOCUS calls schema metadata: the version, and each column with its type."""
    return {
        "FocusVersion": FOCUS_VERSION,
        "DataGenerator": "forebay",
        "Dataset": dataset.value,
        "ColumnDefinition": [
            {
                "ColumnName": column.name,
                "DataType": sql_type(column),
                "AllowsNulls": column.nulls,
            }
            for column in COLUMNS[dataset]
        ],
    }
