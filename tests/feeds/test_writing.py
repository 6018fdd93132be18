"""What is written reads as the same tree, and each line knows where it came from."""

from hypothesis import given
from hypothesis import strategies as st

from forebay.feeds import tree, writing

TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20
) | st.sampled_from(
    ["no", "NO", "1", "0x1", "~", "", "a: b", "a #b", "- a", "'", '"', "a,b", "[a", "2027-07-01", "#"]
)


def shape(node: tree.Node) -> object:
    match node:
        case tree.Scalar():
            return node.text, node.looks
        case tree.Sequence():
            return [shape(each) for each in node.items]
        case tree.Mapping():
            return {name: shape(each) for name, (_, each) in node.entries.items()}


@given(TEXTS, st.lists(TEXTS, max_size=3), st.booleans())
def test_what_is_written_reads_the_same(text: str, words: list[str], nested: bool) -> None:
    scalar = tree.Scalar(tree.Place(1), text, True)
    entries: dict[str, tree.Node] = {
        "id": scalar,
        "count": tree.Scalar(tree.Place(2), "12", False),
        "after": tree.Sequence(tree.Place(3), [tree.Scalar(tree.Place(3), word, True) for word in words]),
    }
    inner = tree.Mapping(tree.Place(4), {name: (node.place, node) for name, node in entries.items()})
    list_ = tree.Sequence(tree.Place(5), [inner, inner] if nested else [])
    root = tree.Mapping(
        tree.Place(6), inner.entries | {"things": (list_.place, list_), "one": (inner.place, inner)}
    )
    made = writing.written("Site", root)
    (again,) = tree.from_yaml(made.text)
    assert isinstance(again, tree.Mapping)
    assert {"forebay", "kind"} < set(again.entries)
    assert [shape(again.entries[name][1]) for name in root.entries] == [
        shape(each) for _, each in root.entries.values()
    ]


def test_a_line_knows_its_place() -> None:
    scalar = tree.Scalar(tree.Place(7), "x", True)
    thing = tree.Mapping(tree.Place(8), {"id": (scalar.place, scalar)})
    root = tree.Mapping(tree.Place(9), {"racks": (tree.Place(9), tree.Sequence(tree.Place(9), [thing]))})
    made = writing.written("Site", root)
    assert made.text == "forebay: 1\nkind: Site\nracks:\n  - id: x\n"
    assert [made.place(line) for line in (1, 4)] == [tree.Place(9), tree.Place(7)]
    assert made.place(0) is made.place(5) is None
