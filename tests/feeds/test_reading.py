"""Each mistake in a document is told where it stands, with what would be right."""

import pytest

from forebay.feeds import reading, tree

GANG = """\
forebay: 1
kind: Gang
name: train
tenant: acme
tier: spot
sku: gb300-nvl72
gpus: 8
walltime: 2h
program:
  argv: [python, train.py, 100, 0.5, true]
  env: {EPOCHS: 3}
  memory: 2 GiB
"""

#: what is replaced, by what, and the sentence that is told
MISTAKES = [
    ("gpus: 8", "gpu: 8", "g.yaml:7:1: gpu: a Gang has no field 'gpu'; did you mean 'gpus'?"),
    ("gpus: 8", "gpus: 8.5", "g.yaml:7:7: gpus: '8.5' is not a whole number from 1 to 10000000"),
    ("gpus: 8", "gpus: '8'", "g.yaml:7:7: gpus: '8' is not a whole number from 1 to 10000000"),
    ("gpus: 8", "gpus: 0", "g.yaml:7:7: gpus: '0' is not a whole number from 1 to 10000000"),
    ("gpus: 8", "gpus: 0x8", "g.yaml:7:7: gpus: '0x8' is not a whole number from 1 to 10000000"),
    ("walltime: 2h", "walltime:", "g.yaml:8:10: walltime: nothing is not a duration"),
    (
        "gpus: 8",
        "gpus: [8]",
        "g.yaml:7:7: gpus: a whole number from 1 to 10000000 is meant here, not several values",
    ),
    ("tier: spot", "tier: sport", "g.yaml:5:7: tier: 'sport' is not one of these; did you mean 'spot'?"),
    (
        "tier: spot",
        "tier: gold",
        "g.yaml:5:7: tier: 'gold' is not one of these; known are: dedicated, on_demand, spot",
    ),
    ("kind: Gang", "kind: gang", "g.yaml:2:7: kind: 'gang' is not a kind of document; did you mean 'Gang'?"),
    ("forebay: 1", "forebay: 2", "g.yaml:1:10: forebay: this forebay reads format 1"),
    ("forebay: 1\n", "", "g.yaml:1:1: 'forebay: 1' is missing: the format it is written in"),
    (
        "kind: Gang\n",
        "",
        "g.yaml:1:1: 'kind:' is missing: one of Estate, Catalogue, Site, Schedule, Storage, Policy, PromisePolicy,",
    ),
    ("name: train\n", "", "g.yaml:1:1: 'name' is missing: a name: 1 to 80 letters"),
    ("tenant: acme", "tenant: a/b", "g.yaml:4:9: tenant: 'a/b' is not a name: 1 to 80 letters"),
    (
        "tenant: acme",
        "tenant: acme.b",
        "g.yaml:4:9: tenant: 'acme.b' is not the name of a tenant: no '.' may",
    ),
    ("name: train", "name: 007", "g.yaml:3:7: name: '007' is not a name"),
    ("walltime: 2h", "walltime: 7200", "g.yaml:8:11: walltime: '7200' is not a duration, such as"),
    ("walltime: 2h", "walltime: {h: 2}", "g.yaml:8:11: walltime: a duration, such as '90s'"),
    (
        "memory: 2 GiB",
        "memory: 2 GIB",
        "g.yaml:12:11: program.memory: '2 GIB' is not a size, such as '2 GiB'",
    ),
    ("env: {EPOCHS: 3}", "env: [EPOCHS]", "g.yaml:11:8: program.env: names with values are meant here"),
    (
        "0.5, true]",
        "[x]]",
        "g.yaml:10:33: program.argv[3]: a text or a number, taken as it is written is meant here",
    ),
    ("program:\n", "program: x\nprograms:\n", "g.yaml:9:10: program: fields are meant here: argv, shell"),
    ("walltime: 2h", "walltime: 2h\nsites: lpp", "g.yaml:9:8: sites: a list is meant here"),
    (GANG, "just words", "g.yaml:1:1: a document is a mapping that begins with 'forebay: 1'"),
]


@pytest.mark.parametrize(("old", "new", "sentence"), MISTAKES)
def test_a_mistake_is_told_at_its_place(old: str, new: str, sentence: str) -> None:
    assert old in GANG
    with pytest.raises(tree.DocumentError) as error:
        reading.documents(GANG.replace(old, new), "g.yaml")
    assert error.value.problems[0].sentence().startswith(sentence)


def test_what_is_right_is_read() -> None:
    (document,) = reading.documents(GANG, "g.yaml")
    assert (document.kind, document.name) == ("Gang", "train")
    assert document.body.program.argv == ["python", "train.py", "100", "0.5", "true"]
    assert document.body.program.env == {"EPOCHS": "3"}
    assert document.body.program.memory == 2 << 30
    assert (document.body.walltime, document.body.grace) == (7200, 30)


def test_all_mistakes_of_a_file_are_told_at_once() -> None:
    text = (
        GANG.replace("gpus: 8", "gpus: x").replace("2h", "soon")
        + "---\n"
        + GANG.replace("tier: spot", "tier: x")
    )
    with pytest.raises(tree.DocumentError) as error:
        reading.documents(text, "g.yaml")
    assert [(each.path, each.line) for each in error.value.problems] == [
        ("gpus", 7),
        ("walltime", 8),
        ("tier", 18),
    ]


def test_a_gang_may_come_as_json_without_its_header() -> None:
    root = tree.from_json(tree.json_value(b'{"name":"x","tier":"spot","sku":"s","gpus":1,"walltime":"1h"}'))
    assert reading.document(root, kind="Gang").body.walltime == 3600
    other = tree.from_json(tree.json_value(b'{"kind":"Site","name":"x"}'))
    with pytest.raises(tree.DocumentError, match="a Gang is meant here, not a Site"):
        reading.document(other, kind="Gang")


@pytest.mark.parametrize("text", ["", "---\n", "# a remark\n", "---\n---\n"])
def test_a_text_without_a_document_is_a_mistake(text: str) -> None:
    with pytest.raises(tree.DocumentError) as error:
        reading.documents(text, "g.yaml")
    assert str(error.value) == "g.yaml: there is no document in it"


def test_an_empty_document_beside_another_is_left_out() -> None:
    assert [each.name for each in reading.documents(f"---\n---\n{GANG}---\n")] == ["train"]
