"""What may an editor check while a document is written? A JSON Schema (draft 2020-12) for each kind.

It is made from the same types that the loader reads with. Where the loader knows more (that a zone exists, that one
of two fields is there), the schema is the wider of the two.
"""

from __future__ import annotations

import enum
import functools
import inspect
import re
import types
import typing
from typing import Any

import msgspec

from forebay.feeds import forms, kinds, reading

_FIELD = re.compile(r"((?:^[ \t]+#:[^\n]*\n)+)[ \t]+(\w+):", re.MULTILINE)


def schemas() -> dict[str, dict[str, Any]]:
    """The schema of every kind, by its name."""
    return {kind: schema(kind) for kind in kinds.KINDS}


def schema(kind: str) -> dict[str, Any]:
    """The schema of one kind."""
    made = _struct(kinds.KINDS[kind])
    header: dict[str, Any] = {
        "forebay": {"const": kinds.FORMAT, "description": "The format it is written in."},
        "kind": {"const": kind, "description": "What kind of document it is."},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": kind,
        **made,
        "properties": header | made["properties"],
        "required": [*header, *made["required"]],
    }


def any_kind() -> dict[str, Any]:
    """One schema for a file that may hold any kind."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "a forebay document",
        "type": "object",
        "properties": {"kind": {"enum": list(kinds.KINDS)}},
        "required": ["forebay", "kind"],
        "oneOf": list(schemas().values()),
    }


@functools.cache
def comments(kind: type) -> dict[str, str]:
    """The sentence above each field."""
    found = _FIELD.findall(inspect.getsource(kind))
    return {
        name: " ".join(line.strip().removeprefix("#:").strip() for line in lines.splitlines())
        for lines, name in found
    }


def _struct(kind: type) -> dict[str, Any]:
    said = comments(kind)
    properties = {}
    for member in reading.members(kind):
        made = _value(member.hint)
        # Quantities are left out: their default is a number of the smallest unit, not as people write it.
        if isinstance(member.default, bool | enum.Enum):
            made["default"] = member.default
        properties[member.name] = made | {"description": said[member.name]}
    return {
        "description": inspect.getdoc(kind) or "",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
        "required": [member.name for member in reading.members(kind) if member.required],
    }


def _value(hint: Any) -> dict[str, Any]:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        form = args[1]
        if isinstance(form, forms.Count):
            return {"type": "integer", "minimum": form.least, "maximum": form.most}
        return dict(form.schema)
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_value(each) for each in args]}
    if origin is list:
        return {"type": "array", "items": _value(args[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _value(args[1])}
    if hint is type(None):
        return {"type": "null"}
    if issubclass(hint, msgspec.Struct):
        return _struct(hint)
    if issubclass(hint, enum.Enum):
        return {"enum": [member.value for member in hint]}
    return {"type": "boolean"}
