"""Why a gang waits, and what an invoice line rests on."""

import json

import pytest

from forebay.cli import explain
from forebay.cli.failure import Failed
from tests.cli.rig import Lab

#: what is asked for, the hint for an operator, the hint for the tenant birch
INSTEAD = [
    ("INV-000001", "forebay invoice show INV-000001", "forebay invoice show INV-000001"),
    ("inv-999999", "forebay explain INV-999999:1", "forebay explain INV-999999:1"),
    ("r01-n01", "", "`forebay jobs` lists gangs."),
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
        message = f"there is nothing called {what} that can be explained"
        assert (told["code"], told["message"]) == ("not_found", message)
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


def test_a_node_an_array_a_project_and_a_name_of_several(lab: Lab) -> None:
    ran = lab.shell("explain", "r01-n01")
    assert ran.out.startswith("Node r01-n01. It is in service.")
    assert "It is of tranche acme-t1." in ran.out
    told = json.loads(lab.shell("explain", "r01-n01", "--json").out)
    assert (told["schema"], told["kind"]) == ("forebay.explain.other/1", "node")
    assert lab.shell("explain", "r01-n01", "--kind", "gang").status == 1
    assert lab.shell("explain", "acme.long", "--kind", "gang").out.startswith("acme.long is running.")


def test_a_name_of_several_things_asks_which() -> None:
    failure = Failed("several are called fw: gang fw, campaign fw", code="ambiguous_name")

    class Several:
        def get(self, path: str, **query: object) -> object:
            raise failure

    with pytest.raises(Failed) as raised:
        explain._ask(Several(), "fw", None)  # type: ignore[arg-type]
    assert raised.value.hint == "`--kind` says which is meant; a project is called TENANT/PROJECT."


def test_an_array_tells_when_its_first_starts(capsys: pytest.CaptureFixture[str]) -> None:
    body = {"kind": "array", "name": "sweep", "summary": "Of its 2 gangs 2 wait.", "facts": ["One."],
            "expected_start": "2026-01-01T10:00:00Z"}  # fmt: skip
    explain._print_other(body)
    out = capsys.readouterr().out
    assert out.startswith(
        "Array sweep. Of its 2 gangs 2 wait.\n  One.\n  The first of them starts by 2026-01-01"
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
