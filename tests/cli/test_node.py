"""Nodes are listed, cordoned, drained, failed and restored."""

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.rig import Lab

#: What is done to an idle node of the pool, and the state that it is in then.
STEPS = [
    ("cordon", "cordoned"),
    ("uncordon", "healthy"),
    ("drain", "cordoned"),
    ("uncordon", "healthy"),
    ("fail", "failed"),
    ("restore", "healthy"),
]


def test_what_is_done_to_a_node(lab: Lab) -> None:
    for verb, state in STEPS:
        ran = lab.shell("node", verb, "r02-n02", "--reason", "test", "--json")
        assert ran.status == 0, ran.err
        validate(ran.json, outputs.OUTPUTS[f"node.{verb}"])
        listed = lab.shell("node", "list").out
        (line,) = [line for line in listed.splitlines() if line.startswith("r02-n02")]
        assert line.split()[2] == state


def test_drain_by_its_short_name(lab: Lab) -> None:
    assert lab.shell("drain", "r02-n02").status == 0
    assert lab.shell("node", "uncordon", "r02-n02").status == 0


def test_a_node_that_is_not_there(lab: Lab) -> None:
    ran = lab.shell("node", "drain", "r09-n01")
    assert ran.status == 1
    assert "there is no node r09-n01" in ran.err
    assert lab.as_tenant("acme", "node", "drain", "r01-n01").status == 5
