"""How does a tree become a value of a type, with every mistake told where it stands and what would be right?"""

from __future__ import annotations

import difflib
import enum
import functools
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import msgspec

from forebay.core.placements import reserved
from forebay.feeds import forms, kinds, quantities, tree

Path = tuple[str | int, ...]
#: Stands for a value that could not be read; its problem is noted.
_WRONG: Any = object()
PROBLEMS_MAX = 50


class Document(NamedTuple):
    """One document as it was read, and where it stands."""

    file: str
    kind: str
    #: What it is called: its id, name or version.
    name: str
    body: Any
    root: tree.Node

    def problem(self, path: Path, detail: str, code: str = "bad_document") -> tree.Problem:
        """Something about it that is wrong."""
        found, place = tree.at_path(self.root, path)
        where = tree.spelled(path if len(path) - len(found) <= 1 else found)
        return tree.Problem(detail, where, *place, self.file, code)


def documents(text: str | bytes, file: str = "") -> list[Document]:
    """The documents of a text, at least one, each checked against its kind. Raises `tree.DocumentError` only."""
    found: list[Document] = []
    problems: list[tree.Problem] = []
    roots = tree.from_yaml(text, file)
    if not roots:
        raise tree.DocumentError([tree.Problem("there is no document in it", file=file)])
    for root in roots:
        try:
            found.append(document(root, file))
        except tree.DocumentError as error:
            problems += error.problems
    if problems:
        raise tree.DocumentError(problems[:PROBLEMS_MAX])
    return found


def document(
    root: tree.Node,
    file: str = "",
    kind: str = "",
    known: Mapping[str, type[msgspec.Struct]] = kinds.KINDS,
) -> Document:
    """One document, of one of the `known` kinds. With `kind`, the header may be left out. Raises
    `tree.DocumentError`."""
    reader = _Reader(root, file, known)
    body = reader.document(kind)
    if reader.problems:
        raise tree.DocumentError(reader.problems)
    name = next((str(getattr(body, key)) for key in ("id", "name", "version") if hasattr(body, key)), "")
    return Document(file, type(body).KIND, name, body, root)


class Member(NamedTuple):
    """A field of a kind: its name, its type, and what it is when it is left out."""

    name: str
    hint: Any
    required: bool
    default: Any


@functools.cache
def members(kind: type) -> tuple[Member, ...]:
    """The fields of a struct, with their types resolved."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return tuple(
        Member(field.name, hints[field.name], field.required, field.default)
        for field in msgspec.structs.fields(kind)
    )


def like(word: str, known: Iterable[str]) -> str:
    """`; did you mean 'limit'?`, or what is known when nothing is near."""
    names = list(known)
    near = difflib.get_close_matches(word, names, 1, 0.6) or [n for n in names if n.lower() == word.lower()]
    return f"; did you mean {near[0]!r}?" if near else f"; known are: {', '.join(names)}"


class _Reader:
    def __init__(self, root: tree.Node, file: str, known: Mapping[str, type[msgspec.Struct]]) -> None:
        self._root = root
        self._known = known
        self._file = file
        self.problems: list[tree.Problem] = []

    def _no(self, path: Path, place: tree.Place, detail: str, code: str = "bad_document") -> Any:
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(tree.Problem(detail, tree.spelled(path), *place, self._file, code))
        return _WRONG

    def document(self, kind: str) -> Any:
        root = self._root
        if not isinstance(root, tree.Mapping):
            return self._no(
                (), root.place, "a document is a mapping that begins with 'forebay: 1' and 'kind:'"
            )
        header = dict(root.entries)
        self._header(header.pop("forebay", None), bool(kind))
        said = header.pop("kind", None)
        if said is not None:
            named = self._kind(said[1])
            if kind and named not in (kind, ""):
                return self._no(("kind",), said[1].place, f"a {kind} is meant here, not a {named}")
            kind = kind or named
        elif not kind:
            return self._no((), root.place, f"'kind:' is missing: one of {', '.join(self._known)}")
        if not kind:
            return _WRONG
        return self.struct(self._known[kind], tree.Mapping(root.place, header), ())

    def _header(self, said: tuple[tree.Place, tree.Node] | None, optional: bool) -> None:
        if said is None:
            if not optional:
                self._no(
                    (), self._root.place, f"'forebay: {kinds.FORMAT}' is missing: the format it is written in"
                )
        elif not (
            isinstance(said[1], tree.Scalar) and said[1].text == str(kinds.FORMAT) and not said[1].quoted
        ):
            self._no(("forebay",), said[1].place, f"this forebay reads format {kinds.FORMAT}")

    def _kind(self, node: tree.Node) -> str:
        if isinstance(node, tree.Scalar) and node.text in self._known:
            return node.text
        word = node.text if isinstance(node, tree.Scalar) else "this"
        if word in reserved.RESERVED_DOCUMENTS:
            self._no(("kind",), node.place, f"{word!r} is reserved: a later forebay has it", "reserved")
            return ""
        self._no(("kind",), node.place, f"{word!r} is not a kind of document{like(word, self._known)}")
        return ""

    def struct(self, kind: type, node: tree.Node, path: Path) -> Any:
        if not isinstance(node, tree.Mapping):
            return self._no(
                path, node.place, f"fields are meant here: {', '.join(m.name for m in members(kind))}"
            )
        known = {member.name: member for member in members(kind)}
        values: dict[str, Any] = {}
        for name, (place, value) in node.entries.items():
            if name in known:
                values[name] = self.value(known[name].hint, value, (*path, name))
            else:
                word = kind.__name__.removesuffix("Document").removesuffix("Entry")
                values[name] = self._no(
                    (*path, name), place, f"a {word} has no field {name!r}{like(name, known)}"
                )
        for member in known.values():
            if member.required and member.name not in values:
                values[member.name] = self._no(
                    path, node.place, f"{member.name!r} is missing: {meant_by(member.hint)} is meant"
                )
        return _WRONG if any(value is _WRONG for value in values.values()) else kind(**values)

    def value(self, hint: Any, node: tree.Node, path: Path) -> Any:
        origin, args = typing.get_origin(hint), typing.get_args(hint)
        if origin is typing.Annotated:
            return self._formed(args[1], node, path)
        if origin in (typing.Union, types.UnionType):
            return self._one_of(args, node, path)
        if origin is list:
            if not isinstance(node, tree.Sequence):
                return self._no(path, node.place, "a list is meant here ('- ' before each entry)")
            items = [self.value(args[0], each, (*path, place)) for place, each in enumerate(node.items)]
            return _WRONG if any(item is _WRONG for item in items) else items
        if origin is dict:
            return self._table(args[1], node, path)
        if issubclass(hint, msgspec.Struct):
            return self.struct(hint, node, path)
        if not isinstance(node, tree.Scalar):
            return self._no(path, node.place, f"{meant_by(hint)} is meant here, not several values")
        if issubclass(hint, enum.Enum):
            words = [member.value for member in hint]
            if node.text not in words:
                return self._no(
                    path, node.place, f"{node.text!r} is not one of these{like(node.text, words)}"
                )
            return hint(node.text)
        if node.looks != "boolean":
            return self._no(path, node.place, f"true or false is meant, not {_said(node)}")
        return node.text.lower() == "true"

    def _one_of(self, options: tuple[Any, ...], node: tree.Node, path: Path) -> Any:
        if type(None) in options and isinstance(node, tree.Scalar) and node.looks == "null":
            return None
        rest = [each for each in options if each is not type(None)]
        lists = [each for each in rest if typing.get_origin(each) is list]
        if isinstance(node, tree.Sequence) and lists:
            return self.value(lists[0], node, path)
        groups = [each for each in rest if isinstance(each, type) and issubclass(each, msgspec.Struct)]
        if isinstance(node, tree.Mapping) and groups:
            return self.value(groups[0], node, path)
        single = [each for each in rest if each not in lists and each not in groups]
        return self.value((single or groups)[0], node, path)

    def _table(self, hint: Any, node: tree.Node, path: Path) -> Any:
        if not isinstance(node, tree.Mapping):
            return self._no(path, node.place, "names with values are meant here ('NAME: value')")
        values = {name: self.value(hint, value, (*path, name)) for name, (_, value) in node.entries.items()}
        return _WRONG if any(value is _WRONG for value in values.values()) else values

    def _formed(self, form: forms.Form | forms.Count, node: tree.Node, path: Path) -> Any:
        meant = _count_meant(form) if isinstance(form, forms.Count) else form.meant
        if not isinstance(node, tree.Scalar):
            return self._no(path, node.place, f"{meant} is meant here, not several values")
        if isinstance(form, forms.Count):
            digits = node.text.removeprefix("+")
            whole = node.looks == "integer" and digits.isdigit() and len(digits) < 19
            if whole and form.least <= int(digits) <= form.most:
                return int(digits)
            number = not node.quoted and node.looks in ("integer", "number")
            code = "bad_quantity" if number else "bad_document"
            return self._no(path, node.place, f"{_said(node)} is not {meant}", code)
        if node.looks not in form.looks:
            quoted = f"; as a text it stands in quotes: '{node.text}'" if node.text else ""
            return self._no(path, node.place, f"{_said(node)} is not {meant}{quoted}")
        try:
            return form.read(node.text)
        except quantities.Malformed as error:
            return self._no(path, node.place, str(error), error.code)


def _said(node: tree.Scalar) -> str:
    return repr(node.text) if node.text else "nothing"


def _count_meant(count: forms.Count) -> str:
    return f"a whole number from {count.least} to {count.most}"


def meant_by(hint: Any) -> str:
    """What kind of value is meant, in words."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _count_meant(args[1]) if isinstance(args[1], forms.Count) else str(args[1].meant)
    if origin in (typing.Union, types.UnionType):
        return meant_by(args[0])
    if origin is list:
        return "a list"
    if origin is dict:
        return "a table"
    if issubclass(hint, enum.Enum):
        return "one of " + ", ".join(member.value for member in hint)
    return "true or false" if hint is bool else "a group of fields"
