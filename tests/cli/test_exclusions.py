"""Loss that a tenant caused, as people enter and read it; and a credit on claim."""

from __future__ import annotations

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import Desk
from tests.cli.test_availability import SERVICE
from tests.server.rig import HOUR, PRICES, SITE, contract

ON_CLAIM = SERVICE + "      credits: on_claim\n      claim: 30d\n"


def test_a_loss_is_excluded_withdrawn_and_claimed(desk: Desk) -> None:
    documents = "---\n".join((SITE, PRICES, contract("cedar", "cedar-t1") + ON_CLAIM))
    assert desk("apply", desk.file("lab.yaml", documents)).status == 0
    assert "nothing is excluded yet" in desk("exclusion", "list").err
    assert desk("node", "fail", "r01-n01", "--reason", "xid 79").status == 0
    desk.rig.pass_time(60 * HOUR)
    assert desk("node", "restore", "r01-n01").status == 0
    words = [
        "--from",
        "2026-12-01",
        "--until",
        "2026-12-02",
        "--reason",
        "its driver",
        "--evidence",
        "ticket 17",
    ]
    ran = desk("exclusion", "record", "cedar-t1", *words, "--node", "r99")
    assert "there is no node or rack r99" in ran.err
    ran = desk("exclusion", "record", "cedar-t1", *words, "--node", "r01")
    assert "EXC-000001 is recorded" in ran.err
    again = desk("exclusion", "record", "cedar-t1", *words, "--node", "r01", "--json")
    validate(again.json, outputs.OUTPUTS["exclusion.record"])
    assert "on record already" in desk("exclusion", "record", "cedar-t1", *words, "--node", "r01").err
    shown = desk("availability", "cedar-t1").out
    assert "EXC-000001: its driver; decided by" in shown
    assert "tenant 15.00" in shown
    assert desk("exclusion", "record", "cedar-t1", *words, "--node", "r01-n01").status == 0
    assert "r01-n01, r01-n02" in desk("exclusion", "list").out
    ran = desk("exclusion", "withdraw", "EXC-000001", "--reason", "ours")
    assert "EXC-000001 is withdrawn" in ran.err
    assert "withdrawn by" in desk("exclusion", "list").out
    validate(desk("exclusion", "list", "--json").json, outputs.OUTPUTS["exclusion.list"])
    assert desk("claim-credit", "cedar-t1", "--month", "2026-12").status != 0
    desk.rig.pass_time(30 * 24 * HOUR)
    shown = desk("availability", "cedar-t1", "--month", "2026-12").out
    assert "on claim" in shown
    assert "the credit comes on claim, until" in shown
    assert "cedar-t1 is claimed" in desk("claim-credit", "cedar-t1", "--month", "2026-12").err
    shown = desk("availability", "cedar-t1", "--month", "2026-12").out
    assert "are open: the next close of a month brings them" in shown
