"""Which types may be stored, and when two shapes are the same."""

from __future__ import annotations

import enum
from dataclasses import dataclass, make_dataclass
from typing import Any, NamedTuple, NewType, Optional

import pytest

from forebay.loop import schema
from tests.loop import toy

Name = NewType("Name", str)


class Size(enum.IntEnum):
    SMALL = 1


class Pair(NamedTuple):
    left: int
    right: Name


@dataclass(slots=True)
class Tree:
    kind: Size
    pairs: dict[tuple[str, int], list[Pair]]
    parent: Tree | None
    free: dict[str, Any]
    flag: Optional[bool]  # noqa: UP045 (the old spelling is the same type)


def test_a_type_is_described_line_by_line() -> None:
    here = __name__
    tree = (
        f"{here}.Tree = kind: {here}.Size, pairs: dict[tuple[str, int], list[{here}.Pair]], "
        f"parent: {here}.Tree | None, free: dict[str, Any], flag: bool | None"
    )
    assert schema.describe(Tree).splitlines() == [
        f"{here}.Tree",
        f"{here}.Pair = left: int, right: str",
        f"{here}.Size = 1",
        tree,
    ]


def test_the_digest_changes_with_any_field_name_or_type() -> None:
    shapes: list[list[tuple[str, Any]]] = [
        [("a", int)],
        [("b", int)],
        [("a", str)],
        [("a", int), ("b", int)],
        [("a", dict[str, int])],
    ]
    made = [make_dataclass("Shape", shape) for shape in shapes]
    assert len({schema.digest(each) for each in made}) == len(shapes)
    assert schema.digest(toy.State) == schema.digest(toy.State)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (float, "Shape.a: builtins.float cannot be stored"),
        (dict[str, float], r"Shape.a\[1\]: builtins.float"),
        (set[int], "cannot be stored"),
        (bytes, "builtins.bytes cannot be stored"),
        (object, "builtins.object cannot be stored"),
        (int | str, "a union of 2 types cannot be told apart"),
        (list, "builtins.list cannot be stored"),
    ],
)
def test_types_that_may_not_be_stored(kind: Any, text: str) -> None:
    with pytest.raises(schema.Unstorable, match=text):
        schema.describe(make_dataclass("Shape", [("a", kind)]))


def test_private_fields_would_not_be_stored() -> None:
    with pytest.raises(schema.Unstorable, match=r"Shape\._a: a private field"):
        schema.describe(make_dataclass("Shape", [("_a", int)]))
