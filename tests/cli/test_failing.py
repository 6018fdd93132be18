"""Racks and nodes fail and are repaired; what is out is listed with what is done about it."""

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import Desk
from tests.cli.rig import Lab
from tests.server.rig import PRICES, SITE, contract, gang


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


POLICY = "forebay: 1\nkind: Policy\nversion: 1\nscrub: 60s\nscrub_pool: true\nwipe_reported: true\n"


def test_a_node_is_wiped_between_two_tenants(desk: Desk) -> None:
    """Clean ones return early; one that failed its wipe goes to nobody."""
    documents = "---\n".join((SITE, PRICES, contract("cedar", "cedar-t1"), POLICY))
    assert desk("apply", desk.file("lab.yaml", documents)).status == 0
    ran = desk("node", "wiped", "r04-n01")
    assert (ran.status, "not being wiped" in ran.err) == (4, True), ran
    for name, said in (("first", []), ("second", ["--failed", "disk 3 does not answer"])):
        posted = gang("cedar", name, gpus=4)
        assert desk.rig.operator.post("/v1/gangs", json=posted).status_code == 201
        (node,) = desk.rig.operator.get(f"/v1/gangs/cedar.{name}").json()["nodes"]
        assert desk("cancel", f"cedar.{name}").status == 0
        desk.rig.pass_time(1_000_000)
        ran = desk("node", "wiped", node, *said)
        assert ran.status == 0, ran
        told = "quarantined: its wipe failed" if said else "wiped and checked"
        assert f"{node} is {told}" in ran.err
        out = desk("node", "list", "--out").out
        assert (node in out, "wipe failed: disk 3 does not answer" in out) == (bool(said), bool(said))
    validate(desk("node", "quarantine", node, "--json").json, outputs.OUTPUTS["node.quarantine"])
