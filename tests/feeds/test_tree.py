"""Texts to trees: what is refused and where, and that nothing but a `DocumentError` ever comes of a text."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from forebay.feeds import reading, tree

#: text, words of the message, line, column
REFUSED: list[tuple[str | bytes, str, int, int]] = [
    ("a: 1\nb: &x 2\n", "anchors", 2, 4),
    ("a: *x\n", "aliases", 1, 4),
    ("a: !!python/object/apply:os.system [ls]\n", "tags", 1, 4),
    ("a: !!str 1\n", "tags", 1, 4),
    ("a: 1\nb: 2\na: 3\n", "'a' stands here twice (first on line 1)", 3, 1),
    ("a: {b: 1, b: 2}\n", "'b' stands here twice", 1, 11),
    ("? [1, 2]\n: 3\n", "a key is a word", 1, 3),
    ("a: [1, 2\n", "this is not YAML", 2, 1),
    ("a: 'b\n", "this is not YAML", 2, 1),
    ("a: 1\n\tb: 2\n", "this is not YAML", 2, 1),
    ("%YAML 3.0\n---\na: 1\n", "this is not YAML", 1, 1),
    ("a: 1\0\n", "zero byte", 1, 1),
    (b"a: 1\nb: \xff\n", "not UTF-8", 2, 1),
    ("a: \ud800\n", "not UTF-8", 0, 0),
    ('a: "\\0"\n', "no text may hold", 1, 4),
    ("\x07a: 1", "this is not YAML", 0, 0),
    ("[" * 100, "deeper than 64", 1, 65),
    ("\n".join(f"{' ' * depth}a:" for depth in range(100)), "deeper than 64", 65, 65),
    ("[" + "1," * tree.NODES_MAX + "]", "more than 100000 values", 1, 200_000),
    ("a: " + "x" * tree.BYTES_MAX, "bytes are more than", 0, 0),
]


@pytest.mark.parametrize(("text", "words", "line", "column"), REFUSED)
def test_what_is_not_read(text: str | bytes, words: str, line: int, column: int) -> None:
    with pytest.raises(tree.DocumentError) as refused:
        tree.from_yaml(text, "x.yaml")
    (problem,) = refused.value.problems
    assert words in problem.detail
    assert (problem.line, problem.column) == (line, column)
    assert problem.sentence().startswith(f"x.yaml:{line}:{column}: " if line else "x.yaml: ")


def test_the_billion_laughs_are_not_told() -> None:
    laughs = ["a0: &a0 [ha, ha]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)]
    with pytest.raises(tree.DocumentError, match="anchors"):
        tree.from_yaml("\n".join(laughs))


#: plain text, what an editor takes it for
LOOKS = [
    ("", "null"), ("~", "null"), ("null", "null"), ("nul", "string"),
    ("true", "boolean"), ("FALSE", "boolean"), ("yes", "string"), ("NO", "string"), ("on", "string"),
    ("1", "integer"), ("-7", "integer"), ("007", "integer"), ("0x1F", "integer"), ("0o17", "integer"),
    ("1_000", "string"), ("1:30", "string"), ("2026-12-01", "string"),
    ("1.5", "number"), ("1e3", "number"), (".5", "number"), (".inf", "number"), ("-.INF", "number"),
    (".nan", "number"), ("1.2.3", "string"), ("132 kW", "string"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "looks"), LOOKS)
def test_plain_scalars_are_what_yaml_1_2_says(text: str, looks: str) -> None:
    assert tree.Scalar(tree.Place(), text, False).looks == looks
    assert tree.Scalar(tree.Place(), text, True).looks == "string"


def test_a_tree_knows_where_everything_stands() -> None:
    root, second = tree.from_yaml("\ufeffa:\n  - x\n  - {b: 'y'}\n---\n# nothing\n---\n7\n".encode())
    assert tree.at_path(root, ("a", 1, "b")) == (("a", 1, "b"), tree.Place(3, 6))
    assert tree.at_path(root, ("a", 1, "c")) == (("a", 1), tree.Place(3, 5))
    assert tree.at_path(root, ("a", 9)) == (("a",), tree.Place(1, 1))
    assert second == tree.Scalar(tree.Place(7, 1), "7", False)
    assert tree.spelled(("a", 1, "b")) == "a[1].b"


def test_json_keeps_numbers_as_they_were_written() -> None:
    root = tree.from_json(tree.json_value(b'{"a": 2.850, "b": [1, true, null, "x"]}'))
    assert isinstance(root, tree.Mapping)
    assert root.entries["a"][1] == tree.Scalar(tree.Place(), "2.850", False)
    list_of = root.entries["b"][1]
    assert isinstance(list_of, tree.Sequence)
    scalars = [each for each in list_of.items if isinstance(each, tree.Scalar)]
    assert [each.looks for each in scalars] == ["integer", "boolean", "null", "string"]


@pytest.mark.parametrize(
    "data", [b"{", b"\xff", b'"\\ud800"', b"[" * 200_000, b'{"a": "\\u0000"}', b"[" * 99 + b"]" * 99]
)
def test_json_that_is_refused(data: bytes) -> None:
    with pytest.raises(tree.DocumentError):
        tree.from_json(tree.json_value(data))


# Fuzz: whatever comes in, a list of documents or a DocumentError comes out.

_words = st.sampled_from(
    ["forebay", "kind", "Gang", "Site", "1", "id", "racks", "r[01-99]", "now", "2 GiB", "true", "~",
      "&a", "*a", "!!x"]
) | st.text(max_size=8)  # fmt: skip
_values = st.recursive(
    _words | st.integers() | st.booleans() | st.none() | st.floats(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_words, inner, max_size=5),
    max_leaves=25,
)


def _only_document_errors(text: str | bytes) -> None:
    try:
        reading.documents(text, "x.yaml")
    except tree.DocumentError as error:
        problems = error.problems
    else:
        return
    assert problems
    assert all(problem.detail for problem in problems)


@given(st.text() | st.binary())
def test_any_text_or_bytes(text: str | bytes) -> None:
    _only_document_errors(text)


@given(
    st.lists(
        st.sampled_from([*"[]{}:,-?&*!|>'\"%@#\n ", "a", "---", "<<", "forebay: 1", "kind: Gang"]),
        max_size=60,
    )
)
def test_any_punctuation(parts: list[str]) -> None:
    _only_document_errors("".join(parts))


@given(st.sampled_from(["Gang", "Site", "Contract", "PriceList", "Policy", "Catalogue"]), _values)
def test_any_structure(kind: str, value: Any) -> None:
    body = (
        value if isinstance(value, dict) else {"id": value, "name": value, "halls": value, "tranches": value}
    )
    _only_document_errors(yaml.safe_dump({"forebay": 1, "kind": kind, **body}, allow_unicode=True))
    text = json.dumps({"kind": kind, **body}, allow_nan=False, default=str) if _finite(body) else "{}"
    try:
        reading.document(tree.from_json(tree.json_value(text.encode())))
    except tree.DocumentError as error:
        problems = error.problems
    else:
        return
    assert problems


def _finite(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True
