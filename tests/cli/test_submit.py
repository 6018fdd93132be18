"""Gangs are submitted from files and from the command line."""

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


def test_a_command_needs_to_know_where(lab: Lab) -> None:
    ran = lab.shell("submit", "--gpus", "1", "--", "true")
    assert ran.status == 2
    assert "--sku and --tier or --tranche" in ran.err
