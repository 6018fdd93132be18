"""A tranche that leaves a choice: where it is at first, and where it is put."""

from __future__ import annotations

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import Desk, golden

CHOICE = """\
forebay: 1
kind: Contract
id: birch-2
seller: us
tenant: birch
currency: EUR
zone: UTC
tranches:
  - {id: birch-any, sites: [fjord, mesa], sku: duo, count: 10, start: 2028-07-01, term: 100d, price_per_gpu_hour: 3}
"""


def test_where_it_is_and_where_it_is_put(desk: Desk) -> None:
    assert desk("apply", desk.file("any.yaml", CHOICE)).status == 0
    assert "before its term begins it may be duo at mesa instead" in desk("terms", "birch-2").out
    assert desk("nominate", "birch-any", "--site", "mesa").out == "birch-any: duo at mesa\n"
    told = desk("nominate", "birch-any", "--site", "mesa", "--json", by="finance").json
    validate(told, outputs.OUTPUTS["nominate"])
    assert told["changed"] is False
    assert (
        desk("nominate", "birch-any", "--sku", "duo").out
        == "birch-any: duo at mesa already, nothing changes\n"
    )
    golden("terms_choice", desk("terms", "birch-2", by="birch").out)
    tranche = desk.rig.operator.get("/v1/tranches").json()["items"]
    (any_,) = [each for each in tranche if each["id"] == "birch-any"]
    assert (any_["site"], any_["choices"]) == ("mesa", ["duo at mesa", "duo at fjord"])
    # The same text is the same contract, wherever its tranche is now.
    assert "signed already" in desk("sign", desk.file("any.yaml", CHOICE)).out


def test_mistakes(desk: Desk) -> None:
    assert desk("apply", desk.file("any.yaml", CHOICE)).status == 0
    for arguments, status, told in (
        (("birch-any",), 2, "say where it is to be (--site), or of what (--sku)"),
        (("birch-some", "--site", "mesa"), 1, "there is no tranche birch-some"),
        (
            ("birch-any", "--site", "moon"),
            1,
            "duo at moon is not what tranche birch-any leaves a choice of (duo at fjord",
        ),
        (("acme-fjord", "--site", "mesa"), 1, "leaves a choice of (duo at fjord)"),
    ):
        ran = desk("nominate", *arguments)
        assert (ran.status, told in " ".join(ran.err.split())) == (status, True), ran.err
    assert desk("nominate", "birch-any", "--site", "mesa", by="birch").status == 5
    nowhere = CHOICE.replace("sites: [fjord, mesa]", "region: arctic")
    ran = desk(
        "apply", desk.file("nowhere.yaml", nowhere.replace("birch-2", "birch-3").replace("-any", "-x"))
    )
    assert "no site is in region arctic (known: north, south)" in " ".join(ran.err.split())


def test_it_fits_nowhere_and_where_it_would(desk: Desk) -> None:
    ran = desk("sign", desk.file("any.yaml", CHOICE.replace("count: 10", "count: 90")))
    assert ran.status == 3
    golden("sign_choice_refused", ran.err)


def test_a_quote_says_which_it_would_be(desk: Desk) -> None:
    wish = ["--sku", "duo", "--racks", "15", "--term", "100d", "--for", "birch"]
    told = desk("quote", *wish, "--not-before", "2028-07-01").out
    assert "a tranche with this choice from 2028-07-01 on would be of duo at mesa" in told
    told = desk("quote", *wish, "--not-before", "2027-07-01").out
    assert "a tranche with this choice from 2027-07-01 on could not be signed" in told
    ordered = desk(
        "quote", *wish[:3], "5", *wish[4:], "--not-before", "2029-12-31", "--site", "mesa,fjord", "--json"
    )
    assert ordered.json["nominee"] == {"site": "mesa", "sku": "duo"}
