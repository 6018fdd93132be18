"""What is printed with --json is as its schema says, and shows a tenant nothing of others."""

import pytest
from jsonschema import Draft202012Validator, validate

from forebay.cli import outputs
from tests.cli.desk import TOO_MUCH, Desk
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


# What may be promised: its own world, whose clock stands still.

#: Command lines about promises, for an operator, in order; and the schema of what they print.
PROMISES = [
    (["capacity", "--months", "2"], "capacity"),
    (["schedule"], "schedule"),
    (["slip", "grid", "--by", "40"], "slip"),
    (["reached", "racks", "--at", "2026-11-30"], "reached"),
    (["quote", "--sku", "duo", "--racks", "1", "--term", "30d", "--for", "cedar", "--hold", "h1"], "quote"),
    (["hold", "list"], "hold.list"),
    (["hold", "release", "h1"], "hold.release"),
    (["what-if", "slip", "grid", "--by", "9"], "what-if"),
    (["what-if", "sign", "FILE"], "what-if"),
    (["sign", "FILE", "--dry-run"], "sign"),
    (["sign", "FILE"], "sign"),
    (["shortfall"], "shortfall"),
    (["rights"], "rights.list"),
    (["rights", "list"], "rights.list"),
]


def test_what_is_printed_about_promises_is_as_its_schema_says(desk: Desk) -> None:
    path = desk.file("small.yaml", TOO_MUCH.replace("count: 15", "count: 1"))
    for arguments, name in PROMISES:
        ran = desk(*(path if word == "FILE" else word for word in arguments), "--json")
        assert ran.status == 0, ran.err
        assert ran.json["schema"] == f"forebay.{name}/1"
        validate(ran.json, outputs.OUTPUTS[name])


#: What a tenant may not ask at all, and what it may, of which none says anything of the other.
REFUSED = [
    ["capacity"],
    ["schedule"],
    ["schedule", "fjord"],
    ["slip", "grid", "--by", "1"],
    ["reached", "grid"],
    ["quote", "--sku", "duo", "--racks", "1", "--term", "30d"],
    ["hold"],
    ["hold", "release", "OTHER-hold"],
    ["what-if", "slip", "grid", "--by", "1"],
    ["sign", "FILE"],
    ["rights", "offer", "OTHER-first", "--hold", "OTHER-hold"],
]
#: An id of the other, and one that nobody has.
ABSENT = [
    (["rights", "exercise", "{}"], "acme-goes-on", "acme-goes-of"),
    (["rights", "waive", "{}"], "acme-ends", "acme-endz"),
    (["explain", "{}"], "acme-ends", "acme-endz"),
]


def test_a_tenant_is_told_nothing_of_promises_to_others(desk: Desk) -> None:
    assert desk("slip", "grid", "--by", "120").status == 0
    path = desk.file("small.yaml", TOO_MUCH)
    before = desk.seq()
    for own, other in (("acme", "birch"), ("birch", "acme")):
        for arguments in (["shortfall"], ["rights"], ["status"]):
            ran = desk(*arguments, "--json", by=own)
            assert ran.status == 0
            assert own in ran.out
            assert other not in ran.out + ran.err
        for arguments in REFUSED:
            words = [path if word == "FILE" else word.replace("OTHER", other) for word in arguments]
            ran = desk(*words, "--json", by=own)
            assert (ran.status, ran.out) == (5, ""), arguments
            assert other not in ran.err.replace(f"{other}-hold", "").replace(f"{other}-first", "")
    for arguments, foreign, absent in ABSENT:
        one, two = (
            desk(*(word.format(name) for word in arguments), "--json", by="birch")
            for name in (foreign, absent)
        )
        assert one.status == two.status == 1
        assert one.err.replace(foreign, "X") == two.err.replace(absent, "X")
    assert desk.seq() == before
