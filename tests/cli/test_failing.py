"""Racks and nodes fail and are repaired; what is out is listed with what is done about it."""

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.rig import Lab


def test_a_rack_fails_and_is_repaired(lab: Lab) -> None:
    ran = lab.shell("fail", "rack", "r02", "--reason", "pump")
    assert "rack r02 failed: " in ran.out + ran.err
    ran = lab.shell("fail", "rack", "r02")
    assert "was so already" in ran.out + ran.err
    listed = lab.shell("node", "list", "--out")
    assert "r02-n01  failed" in listed.out
    ran = lab.shell("node", "list", "--out", "--json")
    validate(ran.json, outputs.OUTPUTS["node.out"])
    ran = lab.shell("repair", "rack", "r02", "--json")
    validate(ran.json, outputs.OUTPUTS["repair"])
    assert lab.shell("fail", "rack", "r77").status == 1


def test_a_node_with_its_ticket(lab: Lab) -> None:
    assert lab.shell("fail", "node", "r02-n02", "--reason", "fan").status == 0
    ran = lab.shell("node", "ticket", "r02-n02", "--ticket", "T-17", "--cause", "dead fan", "--part", "fan 3")
    assert ran.status == 0, ran.err
    assert "T-17 (dead fan, fan 3)" in lab.shell("node", "list", "--out").out
    ran = lab.shell("node", "ticket", "r02-n02", "--ticket", "T-18", "--json")
    validate(ran.json, outputs.OUTPUTS["node.ticket"])
    for verb in ("quarantine", "cordon", "degrade"):
        assert lab.shell("node", verb, "r02-n02").status == 0
    assert "quarantined, cordoned" in lab.shell("node", "list", "--out").out
    for verb in ("release", "uncordon", "mend", "restore"):
        assert lab.shell("node", verb, "r02-n02").status == 0
    assert lab.shell("repair", "node", "r02-n02").status == 0
