"""The schemas of documents are printed for editors."""

from jsonschema import Draft202012Validator

from tests.cli.rig import Shell


def test_the_schema_of_a_kind(shell: Shell) -> None:
    printed = shell("schema", "gang").json
    Draft202012Validator.check_schema(printed)
    assert printed["title"] == "Gang"


def test_the_kinds(shell: Shell) -> None:
    told = shell("schema").out
    assert "Contract" in told
    assert "any " in told


def test_the_schema_of_any_kind(shell: Shell) -> None:
    printed = shell("schema", "any").json
    Draft202012Validator.check_schema(printed)
    assert "Gang" in printed["properties"]["kind"]["enum"]
