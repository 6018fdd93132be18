"""What does the reference page about documents say of each kind? Made from the types that the loader reads with."""

from __future__ import annotations

import enum
import inspect
import types
import typing
from typing import Any

import msgspec

from forebay.feeds import columns, forms, kinds, quantities, reading, schemas, trials

BEGIN, END = "<!-- generated: begin -->", "<!-- generated: end -->"


def documents_markdown() -> str:
    """A section for each kind, in the order in which they are applied, with a table of its fields."""
    sections = []
    for name, kind in kinds.KINDS.items():
        sections += _section(f"## {name}", kind)
        for inner in _inner(kind):
            sections += _section(f"### {name}: {_words(inner)}", inner)
    sections += ["# Read beside a plant", "", "By `forebay replay` only; they are never applied.", ""]
    for name, kind in trials.TRIALS.items():
        sections += _section(f"## {name}", kind)
        for inner in _inner(kind):
            sections += _section(f"### {name}: {_words(inner)}", inner)
    return "\n".join(sections)


def tables_markdown() -> str:
    """A section for each table, with its columns."""
    lines: list[str] = []
    for name, table in columns.TABLES.items():
        lines += [f"## {name}", "", f"Each row is {_table_row(table)}.", ""]
        lines += ["| column | value | also called | meaning |", "| --- | --- | --- | --- |"]
        for column in columns.columns_of_table(table):
            needed = " (required)" if column.required else ""
            others = ", ".join(
                f"`{each}`" for each in column.synonyms if columns.match(name, each) is not None
            )
            value = f"{_said(column.hint)}{needed}"
            lines.append(f"| `{column.name}` | {value} | {others} | {_column_meaning(column)} |")
        lines.append("")
    return "\n".join(lines)


def _table_row(table: columns.Table) -> str:
    more = ", or one delivery of it" if table.optional is columns.DELIVERY else ""
    inside = "" if table.own is table.levels[0] else f" of a {table.document}"
    return f"one {table.own.word}{inside}{more}"


def _column_meaning(column: columns.Column) -> str:
    kind, said = column.level.kind, []
    for step in column.path:
        member = next(each for each in reading.members(kind) if each.name == step)
        said.append(schemas.comments(kind)[step])
        kind = next(iter(_parts(member.hint)), kind)
    return said[-1] if len(said) == 1 else f"{said[0]} {said[-1]}"


def _section(heading: str, kind: type) -> list[str]:
    rows = [
        f"| `{member.name}` | {_said(member.hint)} | {_standing(member)} | {schemas.comments(kind)[member.name]} |"
        for member in reading.members(kind)
    ]
    text = inspect.getdoc(kind) or ""
    return [
        heading,
        "",
        text,
        "",
        "| field | value | when left out | meaning |",
        "| --- | --- | --- | --- |",
        *rows,
        "",
    ]


def _inner(kind: type) -> list[type]:
    """Parts of a document that have fields of their own, each once."""
    found: list[type] = []
    for member in reading.members(kind):
        for hint in _parts(member.hint):
            if hint not in found:
                found += [hint, *(each for each in _inner(hint) if each not in found)]
    return found


def _parts(hint: Any) -> list[type]:
    if isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return [hint]
    if typing.get_origin(hint) is typing.Annotated:
        return []
    return [part for each in typing.get_args(hint) for part in _parts(each)]


def _words(kind: type) -> str:
    return kind.__name__.removesuffix("Entry").lower()


def _said(hint: Any) -> str:
    """The kind of value, in words."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        form = args[1]
        if isinstance(form, forms.Count):
            return f"a whole number from {form.least} to {form.most}"
        return "a name" if hint == forms.Name else str(form.meant)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_said(each) for each in args if each is not type(None))
    if origin is list:
        return f"a list: {_said(args[0])} each"
    if origin is dict:
        return f"a table of names with {_said(args[1])}"
    if issubclass(hint, msgspec.Struct):
        return f"fields ({_words(hint)})"
    if issubclass(hint, enum.Enum):
        return " or ".join(f"`{member.value}`" for member in hint)
    return "`true` or `false`"


def _standing(member: reading.Member) -> str:
    if member.required:
        return "required"
    if member.default is True or member.default is False:
        return f"`{str(member.default).lower()}`"
    if isinstance(member.default, enum.Enum):
        return f"`{member.default.value}`"
    form = typing.get_args(member.hint)[1] if typing.get_origin(member.hint) is typing.Annotated else None
    if isinstance(form, forms.Form) and form.read is quantities.seconds and member.default:
        return f"`{member.default}s`"
    if isinstance(member.default, int) or member.default in ("now", "UTC"):
        return f"`{member.default}`" if member.default else ""
    return ""
