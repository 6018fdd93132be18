"""Contracts are signed if they can be kept; else it is told what would fit, and whom an override makes short."""

import json

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import TOO_MUCH, Desk, golden

FITS = TOO_MUCH.replace("count: 15", "count: 10")


def test_a_contract_that_fits(desk: Desk) -> None:
    path = desk.file("fits.yaml", FITS)
    before = desk.seq()
    assert desk("sign", path, "-n").out == (
        "Contract cedar-1: would be signed\n"
        "  1 term modelled, 0 clauses watched by date, 0 not handled\n"
        "  modelled: capacity for a term at a price\n"
        "no promise goes short by it that did not before\n"
    )
    assert desk.seq() == before
    told = desk("sign", path, "--json").json
    validate(told, outputs.OUTPUTS["sign"])
    assert told["applied"][0]["changed"] is True
    assert desk("sign", path).out == "Contract cedar-1: signed already, nothing changes\n"


def test_a_contract_that_does_not(desk: Desk) -> None:
    path = desk.file("too.yaml", TOO_MUCH)
    before = desk.seq()
    ran = desk("sign", path)
    assert (ran.status, ran.out) == (3, "")
    golden("sign_refused", ran.err)
    failed = json.loads(desk("sign", path, "--json").err)
    validate(failed, outputs.OUTPUTS["error"])
    assert [each["site"] for each in failed["offers"]] == ["mesa", "mesa", "fjord"]
    assert desk.seq() == before
    golden("sign_override", desk("sign", path, "--override", "board decision 12", "--dry-run").out)
    assert desk.seq() == before
    assert desk("sign", path, "--override", "board decision 12", by="finance").status == 0
    (signed,) = [
        each["body"]
        for each in desk.rig.operator.get("/v1/journal?limit=1000").json()["items"]
        if each["kind"] == "ContractSigned" and each["body"]["plan"]["id"] == "cedar-1"
    ]
    assert signed["override"] == "board decision 12"


def test_a_right_that_could_not_be_kept(desk: Desk) -> None:
    text = TOO_MUCH.split("tranches:")[0] + (
        "rights:\n  - {id: cedar-call, kind: call, site: fjord, sku: duo, racks: 90, price_per_gpu_hour: 3,\n"
        "     expires: 2028-01-01, term: 365d}\n"
    )
    ran = desk("sign", desk.file("call.yaml", text))
    assert (ran.status, "right cedar-call may take 180 nodes" in ran.err) == (3, True)
    assert "would fit" not in ran.err


def test_what_fits_nowhere(desk: Desk) -> None:
    ran = desk("sign", desk.file("vast.yaml", TOO_MUCH.replace("count: 15", "count: 1500")))
    assert (ran.status, "It fits nowhere, at P50 or P90" in ran.err) == (3, True)


MISTAKES = [
    ("forebay: 1\nkind: Gang\nname: g\ntenant: acme\ntier: spot\nsku: duo\ngpus: 1\nwalltime: 1h\n", [],
     "a Gang is not a contract"),
    ("# nothing\n", [], "there is no document in it"),
    (FITS, ["--hold", "none"], "cedar has no hold none"),
    (FITS + "---\n" + FITS.replace("cedar", "dahlia"), ["--hold", "x"],
     "a hold is used up by one contract, and here are 2"),
    (FITS, ["--override", "x" * 501], "override: at most 500 characters"),
    (FITS.replace("site: fjord", "site: moon"), [],
     "too.yaml:9:23: tranches[0].site: tranche cedar-fjord: there is no site moon"),
]  # fmt: skip


def test_mistakes_say_what_would_be_right(desk: Desk) -> None:
    for text, arguments, told in MISTAKES:
        ran = desk("sign", desk.file("too.yaml", text), *arguments)
        assert ran.status == 1, ran.err
        assert told in ran.err
    assert desk("sign", desk.file("fits.yaml", FITS), by="acme").status == 5
