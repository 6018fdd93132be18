"""How is a tree written as a document that reads as the same tree?

One value a line, so that a refusal which names a line names the place that the value came from.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from forebay.feeds import kinds, tree

_PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._/%+-]|:(?=[0-9]))*")
#: What stands in a list that is written in one line ends at these.
_PLAIN_IN_LIST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/+-]*")


class Written(NamedTuple):
    """A document as a text; `places` says of each line which place in the tree stands on it."""

    text: str
    places: list[tree.Place]

    def place(self, line: int) -> tree.Place | None:
        """The place of a line, counted from 1."""
        return self.places[line - 1] if 1 <= line <= len(self.places) else None


def written(kind: str, root: tree.Mapping) -> Written:
    """The document with its header."""
    lines = [(f"forebay: {kinds.FORMAT}", root.place), (f"kind: {kind}", root.place)]
    lines += _mapping(root, "")
    return Written("".join(f"{line}\n" for line, _ in lines), [place for _, place in lines])


def _mapping(node: tree.Mapping, indent: str) -> list[tuple[str, tree.Place]]:
    lines: list[tuple[str, tree.Place]] = []
    for key, (_, value) in node.entries.items():
        match value:
            case tree.Scalar():
                lines.append((f"{indent}{key}: {spelled_scalar(value, _PLAIN)}", value.place))
            case tree.Mapping():
                lines += [(f"{indent}{key}:", value.place), *_mapping(value, f"{indent}  ")]
            case tree.Sequence() if all(isinstance(item, tree.Scalar) for item in value.items):
                words = [
                    spelled_scalar(item, _PLAIN_IN_LIST)
                    for item in value.items
                    if isinstance(item, tree.Scalar)
                ]
                lines.append((f"{indent}{key}: [{', '.join(words)}]", value.place))
            case tree.Sequence():
                lines.append((f"{indent}{key}:", value.place))
                for item in value.items:
                    assert isinstance(item, tree.Mapping), "a list holds values, or things with fields"
                    first, *rest = _mapping(item, f"{indent}    ")
                    lines += [(f"{indent}  - {first[0].lstrip()}", first[1]), *rest]
    return lines


def spelled_scalar(node: tree.Scalar, plain: re.Pattern[str]) -> str:
    """A value as YAML: as it is where that reads as the same, else in quotes."""
    if not node.quoted:
        return node.text
    if (
        plain.fullmatch(node.text)
        and not node.text.endswith(" ")
        and node._replace(quoted=False).looks == "string"
    ):
        return node.text
    if node.text.isprintable():
        return "'" + node.text.replace("'", "''") + "'"
    escaped = (
        each if each.isprintable() and each not in '"\\' else f"\\U{ord(each):08x}" for each in node.text
    )
    return '"' + "".join(escaped) + '"'
