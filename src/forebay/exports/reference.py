"""What does the reference page about FOCUS say of each dataset? Made from the columns that the exports write."""

from __future__ import annotations

from forebay.exports.focus_columns import COLUMNS, FocusDataset, Type
from forebay.exports.tabular import sql_type

#: What CSV has for each type.
TEXTS = {
    Type.TEXT: "text",
    Type.JSON: "JSON",
    Type.TIME: "time, `2026-12-01T08:00:00Z`",
    Type.COST: "decimal",
    Type.PRICE: "decimal",
    Type.QUANTITY: "decimal",
}


def focus_markdown() -> str:
    """A table for each dataset: its columns in order, their type in CSV and Parquet, and where values come from."""
    sections = []
    for dataset in FocusDataset:
        sections += [
            f"## {dataset.value}",
            "",
            "| column | CSV | Parquet | null | from |",
            "| --- | --- | --- | --- | --- |",
        ]
        for column in COLUMNS[dataset]:
            cells = (
                column.name,
                TEXTS[column.type],
                sql_type(column),
                "yes" if column.nulls else "",
                column.source,
            )
            sections.append("| " + " | ".join(cells) + " |")
        sections.append("")
    return "\n".join(sections)
