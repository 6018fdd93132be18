"""How does a text of YAML or JSON become a tree that still knows where each word stood?

Nothing is resolved here: a scalar is the text that was written, with whether it stood in quotes. What it means is for
the schema to say. YAML is read as data only: no tags, no anchors, no aliases, no duplicate keys, and bounded in size,
depth and count, so that no text can do more than be refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
import yaml

BYTES_MAX = 1 << 20
DEPTH_MAX = 64
NODES_MAX = 100_000

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# YAML 1.2, core schema: what a plain scalar is read as by an editor.
_PLAIN = (
    ("null", re.compile(r"(?:null|Null|NULL|~|)")),
    ("boolean", re.compile(r"(?:true|True|TRUE|false|False|FALSE)")),
    ("integer", re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")),
    (
        "number",
        re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.nan"),
    ),
)


class Place(NamedTuple):
    """Where something stands: line and column from 1, 0 where there are none (JSON)."""

    line: int = 0
    column: int = 0


class Scalar(NamedTuple):
    """One value as it was written."""

    place: Place
    text: str
    quoted: bool

    @property
    def looks(self) -> str:
        """What YAML 1.2 would read it as: "null", "boolean", "integer", "number" or "string"."""
        if self.quoted:
            return "string"
        return next((name for name, pattern in _PLAIN if pattern.fullmatch(self.text)), "string")


class Mapping(NamedTuple):
    """Keys with their values, in the order written; keys are unique."""

    place: Place
    entries: dict[str, tuple[Place, Node]]


class Sequence(NamedTuple):
    """Values in order."""

    place: Place
    items: list[Node]


Node = Scalar | Mapping | Sequence


class Problem(NamedTuple):
    """One thing that is wrong, and where. `path` is a field path (`tranches[0].count`), "" for the whole document."""

    detail: str
    path: str = ""
    line: int = 0
    column: int = 0
    file: str = ""
    #: In a word: `no_zone`, `too_precise`, `bad_quantity`, what the World refuses with, or that it cannot be read.
    code: str = "bad_document"

    def sentence(self) -> str:
        """`site.yaml:12:5: feeds[0].limit: ...`"""
        where = ":".join(str(part) for part in (self.file, self.line, self.column) if part)
        return ": ".join(part for part in (where, self.path, self.detail) if part)


class DocumentError(Exception):
    """A document that cannot be read; `problems` holds at least one."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("\n".join(problem.sentence() for problem in problems))
        self.problems = problems


def from_yaml(text: str | bytes, file: str = "") -> list[Node]:
    """The documents of a YAML text, empty ones left out. Raises `DocumentError`, and nothing else."""
    written = _checked(text, file)
    reader = _Reader(file)
    try:
        return list(reader.documents(yaml.parse(written, Loader=_LOADER)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        place = Place(mark.line + 1, mark.column + 1) if mark is not None else Place()
        raise _error(f"this is not YAML: {said}", place, file) from None
    except yaml.YAMLError as error:
        raise _error(f"this is not YAML: {str(error).splitlines()[0]}", Place(), file) from None


def from_json(value: Any, file: str = "") -> Node:
    """What a JSON decoder made of a text, as a tree. Decode with `json_value`, so that numbers stay as written."""
    return _Counted(file).node(value, 1)


def json_value(data: bytes) -> Any:
    """Decode JSON with fractions as text. Raises `DocumentError`."""
    try:
        return _JSON.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _error(f"this is not JSON: {error}", Place(), "") from None


class _Fraction(str):
    """A JSON number with a fraction or an exponent, as written."""


_JSON = msgspec.json.Decoder(float_hook=_Fraction)


def _error(detail: str, place: Place, file: str) -> DocumentError:
    return DocumentError([Problem(detail, "", *place, file)])


def _checked(text: str | bytes, file: str) -> str:
    """The text, if it is small enough, UTF-8, and free of what no document has."""
    try:
        data = text if isinstance(text, bytes) else text.encode()
    except UnicodeEncodeError:
        raise _error("this is not UTF-8 text", Place(), file) from None
    if len(data) > BYTES_MAX:
        raise _error(f"{len(data)} bytes are more than a document may have ({BYTES_MAX})", Place(), file)
    if b"\0" in data:
        line = data.count(b"\n", 0, data.index(b"\0")) + 1
        raise _error("there is a zero byte in it: this is no text", Place(line, 1), file)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _error("this is not UTF-8 text", Place(line, 1), file) from None


class _Reader:
    """Builds trees from parser events, without recursion."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._nodes = 0

    def documents(self, events: Iterator[Any]) -> Iterator[Node]:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                root = self._document(events)
                if not (isinstance(root, Scalar) and root.looks == "null"):
                    yield root

    def _document(self, events: Iterator[Any]) -> Node:
        """One document; `open` holds the containers that are not finished, each with the key that waits."""
        open_nodes: list[tuple[Mapping | Sequence, list[Scalar]]] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
                done: Node = open_nodes.pop()[0]
            else:
                node = self._begin(event)
                if isinstance(node, Mapping | Sequence):
                    if len(open_nodes) >= DEPTH_MAX:
                        raise self._no(f"nested deeper than {DEPTH_MAX} levels", node.place)
                    if open_nodes and isinstance(open_nodes[-1][0], Mapping) and not open_nodes[-1][1]:
                        raise self._no("a key is a word, not a list or a mapping", node.place)
                    open_nodes.append((node, []))
                    continue
                done = node
            if not open_nodes:
                return done
            self._add(*open_nodes[-1], done)
        raise self._no("the document ends too early", Place())

    def _begin(self, event: Any) -> Node:
        place = Place(event.start_mark.line + 1, event.start_mark.column + 1)
        self._nodes += 1
        if self._nodes > NODES_MAX:
            raise self._no(f"more than {NODES_MAX} values", place)
        if isinstance(event, yaml.AliasEvent):
            raise self._no(f"aliases (*{event.anchor}) are not read here: write the value again", place)
        if event.anchor is not None:
            raise self._no(f"anchors (&{event.anchor}) are not read here", place)
        if event.tag is not None:
            raise self._no(f"tags ({event.tag}) are not read here", place)
        if isinstance(event, yaml.ScalarEvent):
            _check_text(event.value, place, self._file)
            return Scalar(place, event.value, bool(event.style))
        return Mapping(place, {}) if isinstance(event, yaml.MappingStartEvent) else Sequence(place, [])

    def _add(self, parent: Mapping | Sequence, waiting: list[Scalar], node: Node) -> None:
        if isinstance(parent, Sequence):
            parent.items.append(node)
        elif waiting:
            key = waiting.pop()
            parent.entries[key.text] = (key.place, node)
        else:
            assert isinstance(node, Scalar), "a container as a key was refused when it began"
            if node.text in parent.entries:
                first = parent.entries[node.text][0].line
                raise self._no(f"{node.text!r} stands here twice (first on line {first})", node.place)
            waiting.append(node)

    def _no(self, detail: str, place: Place) -> DocumentError:
        return _error(detail, place, self._file)


def _check_text(text: str, place: Place, file: str) -> None:
    """Escapes can spell what the raw text may not hold."""
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise _error("a character that no text may hold (zero, or half of a pair)", place, file)


class _Counted:
    """Builds a tree from decoded JSON, within the same bounds."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._nodes = 0

    def node(self, value: Any, depth: int) -> Node:
        self._nodes += 1
        if self._nodes > NODES_MAX or depth > DEPTH_MAX:
            raise _error(
                f"more than {NODES_MAX} values, or nested deeper than {DEPTH_MAX}", Place(), self._file
            )
        match value:
            case dict():
                entries = {str(key): (Place(), self.node(each, depth + 1)) for key, each in value.items()}
                return Mapping(Place(), entries)
            case list():
                return Sequence(Place(), [self.node(each, depth + 1) for each in value])
            case None:
                return Scalar(Place(), "null", False)
            case bool():
                return Scalar(Place(), "true" if value else "false", False)
            case _Fraction() | int():
                return Scalar(Place(), str(value), False)
            case _:
                _check_text(str(value), Place(), self._file)
                return Scalar(Place(), str(value), True)


def at_path(root: Node, path: tuple[str | int, ...]) -> tuple[tuple[str | int, ...], Place]:
    """The deepest part of `path` that was written, and where: a key's own place, for what stands under a key."""
    node, place = root, root.place
    for depth, step in enumerate(path):
        if isinstance(node, Mapping) and step in node.entries:
            place, node = node.entries[str(step)]
        elif isinstance(node, Sequence) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
            place = node.place
        else:
            return path[:depth], place
    return path, place


def spelled(path: tuple[str | int, ...]) -> str:
    """`("tranches", 0, "count")` as `tranches[0].count`."""
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
