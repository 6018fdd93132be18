"""The way back, for the tests: a document as the rows of tables."""

import csv
import io
from collections import defaultdict
from typing import Any

from forebay.feeds import columns, reading, tree
from forebay.feeds.columns import Column, Table, TableLevel

Rows = list[dict[str, str]]
#: Tables in which everything that can be said of a document is said once.
WHOLE: dict[str, tuple[str, ...]] = {
    "Site": ("sites", "feeds", "racks"),
    "Schedule": ("milestones", "causes", "power", "blocks"),
    "Contract": (
        "contracts",
        "tranches",
        "rights",
        "caps",
        "clauses",
        "tests",
        "price_steps",
        "ladders",
        "windows",
        "reliefs",
        "prepayments",
        "paid_milestones",
    ),
}


def tables_of(document: reading.Document) -> dict[str, Rows]:
    """The rows of each table of a document's kind; a table without rows is left out."""
    assert isinstance(document.root, tree.Mapping)
    found = {name: _rows(columns.TABLES[name], document.root) for name in WHOLE[document.kind]}
    return {name: rows for name, rows in found.items() if rows}


def csv_of(rows: Rows, delimiter: str = ",") -> bytes:
    """Rows as CSV, with the columns in which anything stands."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, names, restval="", delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def joined(documents: list[reading.Document]) -> dict[str, Rows]:
    """The tables of several documents, each with the rows of all."""
    found: defaultdict[str, Rows] = defaultdict(list)
    for document in documents:
        for name, rows in tables_of(document).items():
            found[name] += rows
    return dict(found)


def _rows(table: Table, root: tree.Mapping) -> Rows:
    head = _values(table, table.levels[0], root)
    if table.own is table.levels[0]:
        return [head]
    found: Rows = []
    for above, thing in _things(table, table.own, root):
        row = head | above | _values(table, table.own, thing)
        inner = (
            [node for _, node in _things(table, columns.DELIVERY, thing)]
            if table.optional is columns.DELIVERY
            else []
        )
        # Only the first row of a tranche says all of it, as people leave the rest blank.
        found += [(row if not place else _keys(table, row)) | _values(table, columns.DELIVERY, each)
                  for place, each in enumerate(inner)] or [row]  # fmt: skip
    return found


def _keys(table: Table, row: dict[str, str]) -> dict[str, str]:
    needed = [each.name for each in columns.columns_of_table(table) if each.path == (each.level.key,)]
    return {name: row[name] for name in needed if name in row}


def _things(table: Table, level: TableLevel, node: tree.Mapping) -> list[tuple[dict[str, str], tree.Mapping]]:
    if level is columns.RACK:
        halls = _list(node, "halls")
        return [({"hall": _text(hall, "id")}, rack) for hall in halls for rack in _list(hall, "racks")]
    if level.above == "tranche" and "tranches" in node.entries:
        tranches = _list(node, "tranches")
        return [
            ({"tranche": _text(each, "id")}, found)
            for each in tranches
            for found in _list(each, level.within)
        ]
    return [({}, each) for each in _list(node, level.within)]


def _list(node: tree.Mapping, name: str) -> list[Any]:
    *groups, name = name.split(".")
    for group in groups:
        if group not in node.entries or not isinstance(inner := node.entries[group][1], tree.Mapping):
            return []
        node = inner
    found = node.entries.get(name)
    return [] if found is None or not isinstance(found[1], tree.Sequence) else list(found[1].items)


def _text(node: tree.Mapping, name: str) -> str:
    value = node.entries[name][1]
    assert isinstance(value, tree.Scalar)
    return value.text


def _values(table: Table, level: TableLevel, node: tree.Mapping) -> dict[str, str]:
    mine = [each for each in columns.columns_of_table(table) if each.level is level]
    return {column.name: text for column in mine if (text := _cell(column, node))}


def _cell(column: Column, node: tree.Mapping) -> str:
    found: tree.Node = node
    for step in column.path:
        if not isinstance(found, tree.Mapping) or step not in found.entries:
            return ""
        found = found.entries[step][1]
    match found:
        case tree.Scalar():
            return found.text
        case tree.Sequence():
            return ", ".join(item.text for item in found.items if isinstance(item, tree.Scalar))
    return ""
