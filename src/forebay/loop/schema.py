"""What shape does stored data have, and may it be stored at all?

Events and state are trees of dataclasses. Their types are described as text, so that a snapshot of another shape is
recognised by its digest, and a type whose value would not come back as it went is refused when forebay starts, not
when it is first stored:

- no floats: they do not compare and add up the same everywhere;
- no sets: they iterate by hash, so that replay could differ from what ran;
- no unions but with None: the reader would have to guess. `Any` stands for JSON-ready values, which come back as they
  went when they hold no tuples, floats or keys that are not strings;
- no field that begins with an underscore, no field without a type of its own.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import hashlib
import types
import typing
from typing import Any


class Unstorable(TypeError):
    """A type that cannot be stored; the message names the path to it."""


def digest(root: type) -> str:
    """SHA-256 (hex) over the names and types of all fields under `root`, and the meaning of its fold (`FOLD`)."""
    return hashlib.sha256(f"{describe(root)}\nfold {getattr(root, 'FOLD', 0)}".encode()).hexdigest()


def describe(root: type) -> str:
    """One line for each type under `root`, sorted by name. Raises `Unstorable`."""
    lines: dict[str, str] = {}
    name = _name(root, root.__name__, lines)
    return "\n".join([name, *sorted(f"{key} = {value}" for key, value in lines.items())])


@functools.cache
def fields(kind: type) -> list[tuple[str, Any]]:
    """Names and resolved types of a dataclass's fields, in order."""
    hints = typing.get_type_hints(kind)
    return [(each.name, hints[each.name]) for each in dataclasses.fields(kind)]


def plain(kind: Any) -> Any:
    """The type that a `NewType` stands for; any other type as it is."""
    while isinstance(kind, typing.NewType):
        kind = kind.__supertype__
    return kind


def _name(kind: Any, path: str, lines: dict[str, str]) -> str:
    kind = plain(kind)
    if kind is Any:
        return "Any"
    if kind in (int, str, bool, type(None)):
        return "None" if kind is type(None) else str(kind.__name__)
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        others = [each for each in args if each is not type(None)]
        if len(others) != 1:
            raise Unstorable(f"{path}: a union of {len(others)} types cannot be told apart when read")
        return f"{_name(others[0], path, lines)} | None"
    if origin in (list, tuple, dict):
        inner = [
            "..." if each is Ellipsis else _name(each, f"{path}[{place}]", lines)
            for place, each in enumerate(args)
        ]
        return f"{origin.__name__}[{', '.join(inner)}]"
    if isinstance(kind, type):
        return _define(kind, path, lines)
    raise Unstorable(f"{path}: {kind} cannot be stored")


def _define(kind: type, path: str, lines: dict[str, str]) -> str:
    name = f"{kind.__module__}.{kind.__qualname__}"
    if name in lines:
        return name
    if issubclass(kind, enum.Enum):
        lines[name] = " | ".join(repr(member.value) for member in kind)
    elif dataclasses.is_dataclass(kind):
        lines[name] = ""  # known from here on: a type may hold itself
        lines[name] = _members(fields(kind), path, lines)
    elif issubclass(kind, tuple) and hasattr(kind, "_fields"):
        lines[name] = ""
        lines[name] = _members(list(typing.get_type_hints(kind).items()), path, lines)
    else:
        raise Unstorable(f"{path}: {name} cannot be stored")
    return name


def _members(members: list[tuple[str, Any]], path: str, lines: dict[str, str]) -> str:
    for name, _ in members:
        if name.startswith("_"):
            raise Unstorable(f"{path}.{name}: a private field would not be stored")
    return ", ".join(f"{name}: {_name(kind, f'{path}.{name}', lines)}" for name, kind in members)
