"""What is printed with --json is as its schema says, and shows a tenant nothing of others."""

import pytest
from jsonschema import Draft202012Validator, validate

from forebay.cli import outputs
from tests.cli.rig import Lab

#: Command lines for an operator, and the schema of what they print.
READS = [
    (["status"], "status"),
    (["jobs"], "jobs"),
    (["explain", "acme.long"], "explain.gang"),
    (["explain", "birch.large"], "explain.gang"),
    (["explain", "INV-000001:1"], "explain.line"),
    (["node", "list"], "node.list"),
    (["invoice"], "invoice.list"),
    (["invoice", "list"], "invoice.list"),
    (["invoice", "INV-000001"], "invoice"),
    (["invoice", "show", "inv-000002"], "invoice"),
    (["version"], "version"),
    (["doctor"], "doctor"),
    (["schema"], "schema"),
    (["token", "list"], "token.list"),
    (["journal", "verify"], "journal.verify"),
    (["journal", "digest"], "journal.digest"),
    (["journal", "show", "3"], "journal.record"),
]


@pytest.mark.parametrize(("arguments", "name"), READS, ids=lambda value: str(value)[:40])
def test_what_is_printed_is_as_its_schema_says(arguments: list[str], name: str, lab: Lab) -> None:
    ran = lab.shell(*arguments, "--json")
    assert ran.status == 0, ran.err
    assert ran.json["schema"] == f"forebay.{name}/1"
    validate(ran.json, outputs.OUTPUTS[name])


@pytest.mark.parametrize("name", sorted(outputs.OUTPUTS))
def test_a_schema_is_one(name: str) -> None:
    Draft202012Validator.check_schema(outputs.OUTPUTS[name])
    assert outputs.OUTPUTS[name]["properties"]["schema"] == {"const": f"forebay.{name}/1"}


def test_logs_are_lines_of_json(lab: Lab) -> None:
    for line in lab.shell("logs", "acme.long", "--json").lines:
        validate(line, outputs.OUTPUTS["logs"])


#: What a tenant may ask; none of it shows anything of the other's.
TENANT_READS = [
    ["status"],
    ["jobs"],
    ["jobs", "--tenant", "OTHER"],
    ["explain", "OWN.long"],
    ["invoice"],
    ["version"],
    ["node", "list"],
]


@pytest.mark.parametrize(("own", "other"), [("acme", "birch"), ("birch", "acme")])
@pytest.mark.parametrize("arguments", TENANT_READS, ids=" ".join)
def test_a_tenant_sees_nothing_of_another(arguments: list[str], own: str, other: str, lab: Lab) -> None:
    words = [word.replace("OWN", own).replace("OTHER", other) for word in arguments]
    ran = lab.as_tenant(own, *words, "--json")
    assert ran.status in (0, 5)
    assert other not in (ran.out + ran.err)


#: What is asked about somebody else's things, with an id that exists and one that does not.
FOREIGN = [
    (["explain", "{}"], "acme.long", "acme.nobody"),
    (["logs", "{}"], "acme.long", "acme.nobody"),
    (["cancel", "{}"], "acme.long", "acme.nobody"),
    (["invoice", "{}"], "INV-000001", "INV-000099"),
    (["explain", "{}:1"], "INV-000001", "INV-000099"),
]


@pytest.mark.parametrize(("arguments", "foreign", "absent"), FOREIGN, ids=lambda value: str(value)[:30])
def test_what_is_anothers_answers_like_what_is_not_there(
    arguments: list[str], foreign: str, absent: str, lab: Lab
) -> None:
    assert lab.shell("invoice", "INV-000001", "--json").json["tenant"] == "acme"
    one, other = (
        lab.as_tenant("birch", *(word.format(name) for word in arguments), "--json")
        for name in (foreign, absent)
    )
    assert one.status == other.status == 1
    assert one.out == other.out
    assert foreign not in one.out
    assert one.err.replace(foreign, "X") == other.err.replace(absent, "X")
    assert lab.shell("jobs", "--json").json["items"][0]["phase"] == "running"


def test_an_invalid_token(lab: Lab) -> None:
    path = lab.shell.home / "wrong.token"
    path.write_text("forebay_wrong\n")
    ran = lab.shell("status", "--token-file", str(path))
    assert ran.status == 5
    assert "a valid token is needed" in ran.err
