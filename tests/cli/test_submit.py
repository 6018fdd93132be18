"""Gangs are submitted from files and from the command line."""

import json

import pytest
from jsonschema import validate

from forebay.cli import outputs
from tests.cli.rig import Lab

GANG = """\
forebay: 1
kind: Gang
name: filed
tenant: birch
tier: on_demand
sku: gb300-nvl72
gpus: 1
walltime: 1m
program: {argv: ["{python}", here.py]}
"""
TO_BIRCH = ["--tenant", "birch", "--tier", "on_demand", "--sku", "gb300-nvl72", "--gpus", "1"]


def test_a_file_with_its_program_beside_it(lab: Lab) -> None:
    folder = lab.shell.home / "gangs"
    folder.mkdir()
    (folder / "filed.yaml").write_text(GANG)
    (folder / "here.py").write_text("print('found')\n")
    ran = lab.shell("submit", "gangs/filed.yaml", "--json")
    assert ran.status == 0, ran.err
    validate(ran.json, outputs.OUTPUTS["submit"])
    assert ran.json["gangs"] == ["birch.filed"]
    assert lab.shell("logs", "-f", "birch.filed").out == "found\n"


def test_a_command(lab: Lab) -> None:
    ran = lab.shell("submit", *TO_BIRCH, "--name", "said", "--", "echo", "--json", "word")
    assert (ran.status, ran.out) == (0, "birch.said\n")
    assert "forebay explain birch.said" in ran.err
    assert lab.shell("logs", "-f", "birch.said").out == "--json word\n"


def test_a_program_that_does_not_exist(lab: Lab) -> None:
    assert lab.shell("submit", *TO_BIRCH, "--name", "ghost", "--", "/no/such/program").status == 0
    lab.wait("birch.ghost", "ended")
    assert "could not be started" in lab.shell("explain", "birch.ghost").out


def test_a_tenant_submits_its_own(lab: Lab) -> None:
    own = lab.as_tenant("birch", "submit", *TO_BIRCH[2:], "--name", "mine", "--", "true")
    assert own.out == "birch.mine\n", own.err
    other = lab.as_tenant("acme", "submit", *TO_BIRCH, "--name", "yours", "--", "true")
    assert other.status == 5


def test_what_can_never_fit(lab: Lab) -> None:
    ran = lab.shell("submit", *TO_BIRCH[:-1], "400", "--", "true")
    assert ran.status == 3
    assert ran.err.count("400 GPUs") == 1


#: options that are given after those for birch, what is said
MISTAKES = [
    (["--name", "no name"], "--name: 'no name' is not a name"),
    (["--name", "x", "--sku", "gb300"], "--sku: SKU gb300 is not in the catalogue"),
    (["--name", "x", "--gpus", "400"], "--gpus: 400 GPUs of"),
    (["--name", "x", "--walltime", "soon"], "--walltime: 'soon' is not a duration"),
    (["--name", "x", "--tier", "dedicated", "--tranche", "none"], "--tranche: birch has no tranche none"),
    (["--name", "large"], "--name: gang birch.large exists already"),
]


@pytest.mark.parametrize(("options", "said"), MISTAKES)
def test_a_mistake_names_its_option(options: list[str], said: str, lab: Lab) -> None:
    ran = lab.shell("submit", *TO_BIRCH, *options, "--", "true")
    assert ran.status in (1, 3, 4)
    assert ran.err.startswith(f"forebay: {said}")
    assert "command line" not in ran.err
    told = json.loads(lab.shell("submit", *TO_BIRCH, *options, "--json", "--", "true").err)
    validate(told, outputs.OUTPUTS["error"])
    assert told["errors"][0]["option"] == said.partition(":")[0]
    assert "line" not in told["errors"][0]


def test_two_mistakes_name_both(lab: Lab) -> None:
    ran = lab.shell("submit", *TO_BIRCH, "--name", "x", "--walltime", "soon", "--grace", "late", "--", "true")
    assert "forebay: --walltime: 'soon'" in ran.err
    assert "\n  --grace: 'late'" in ran.err


def test_a_file_keeps_its_places(lab: Lab) -> None:
    (lab.shell.home / "twice.yaml").write_text(f"{GANG}---\n{GANG}".replace("filed", "twice"))
    ran = lab.shell("submit", "twice.yaml")
    assert ran.status == 4
    assert "twice.yaml:13:1: name: Gang birch.twice stands twice" in ran.err
    assert "first in twice.yaml:3" in ran.err
    assert lab.shell("explain", "birch.twice").status == 1


def test_a_command_needs_to_know_where(lab: Lab) -> None:
    ran = lab.shell("submit", "--gpus", "1", "--", "true")
    assert ran.status == 2
    assert "--sku and --tier or --tranche" in ran.err
