"""Why a gang waits, and what an invoice line rests on."""

import json

import pytest

from forebay.cli import explain
from tests.cli.rig import Lab

#: what is asked for, the hint for an operator, the hint for the tenant birch
INSTEAD = [
    ("INV-000001", "forebay invoice show INV-000001", "forebay invoice show INV-000001"),
    ("inv-999999", "forebay explain INV-999999:1", "forebay explain INV-999999:1"),
    ("r01-n01", "is a node: `forebay node list`", "`forebay jobs` lists gangs."),
    ("r01", "is a rack", "`forebay jobs` lists gangs."),
    ("lab-1", "is a site: `forebay status`", "`forebay jobs` lists gangs."),
    ("acme-t1", "is a tranche: `forebay status`", "`forebay jobs` lists gangs."),
    ("acme-1", "is a contract", "`forebay jobs` lists gangs."),
    ("acme", "`forebay jobs --tenant acme`", "`forebay jobs` lists gangs."),
    ("birch", "`forebay jobs --tenant birch`", "`forebay jobs --tenant birch`"),
    ("acme.long", "", "`forebay jobs` lists gangs."),
    ("nothing", "`forebay jobs` lists gangs.", "`forebay jobs` lists gangs."),
]


@pytest.mark.parametrize(("what", "operator", "tenant"), INSTEAD)
def test_what_is_no_gang(what: str, operator: str, tenant: str, lab: Lab) -> None:
    for ran, hint in ((lab.shell("explain", what, "--json"), operator),
                      (lab.as_tenant("birch", "explain", what, "--json"), tenant)):  # fmt: skip
        if not hint:
            assert ran.status == 0
            continue
        assert ran.status == 1
        told = json.loads(ran.err)
        assert (told["code"], told["message"]) == ("not_found", f"there is no gang {what}")
        assert hint in told["hint"]


def test_a_gang_that_waits(lab: Lab) -> None:
    ran = lab.shell("explain", "birch.large")
    assert ran.out.startswith("birch.large is pending. Nodes: 2 wholly free nodes")
    assert "It starts by" in ran.out


def test_a_gang_that_runs(lab: Lab) -> None:
    ran = lab.shell("explain", "acme.long")
    assert ran.out.startswith(
        "acme.long is running. It runs on its own tranche acme-t1: 4 GPUs on 1 node in 1 rack."
    )


def test_a_line_of_an_invoice(lab: Lab) -> None:
    ran = lab.shell("explain", "INV-000001:1")
    assert "12.00" not in ran.out
    assert "acme-1 version 1, tranches[acme-t1].price_per_gpu_hour" in ran.out
    assert "acme.hello" in ran.out
    assert "in all" in ran.out
    assert (
        len({line.rpartition(".")[2] and len(line) for line in ran.out.splitlines() if " own " in line}) == 1
    )
    assert lab.shell("explain", "inv-000001:1").out == ran.out
    assert lab.shell("explain", "INV-000001:99").status == 1


def test_a_start_is_told_with_its_confidence() -> None:
    when, late = "2026-01-01T10:00:00Z", "2026-01-01T12:00:00Z"
    by_limits = {"by": "limits", "p50": None, "p90": None}
    assert "at the latest" in explain._start_text(when, None)
    assert explain._start_text(when, by_limits) == explain._start_text(when, None)
    learned = explain._start_text(late, {"by": "learned", "p50": when, "p90": late})
    assert "(P50) or" in learned
    assert learned.endswith("(P90), if nothing arrives before it.")
