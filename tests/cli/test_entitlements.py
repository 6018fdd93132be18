"""What both sides of a contract know, and what we keep to ourselves."""

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import Desk, golden
from tests.cli.test_suppliers import WE, rent

OVERLAY = """\
forebay: 1
kind: Overlay
contract: acme-1
party: us
floor_price: 3.90
margin: 31.25 %
priority: 3
confidence: p50
behind:
  - {tranche: acme-fjord, site: fjord, milestone: grid}
  - {tranche: acme-fjord, delivery: 2, site: fjord, milestone: grid}
notes: they would take half of it in autumn
---
forebay: 1
kind: Overlay
contract: to-come
party: us
"""


def test_what_follows_from_a_contract(desk: Desk) -> None:
    rent(desk)
    assert desk("notice", "lake-duo", "--delivery", "2", "--to", "2027-05-01").status == 0
    assert desk("rights", "exercise", "lake-call", "--racks", "5").status == 0
    golden("entitlements", desk("entitlements", "lake-1").out)
    validate(desk("entitlements", "lake-1", "--json").json, outputs.OUTPUTS["entitlements"])
    assert desk("entitlements", "none").status == 1
    # A customer may see what both know of its own contract.
    assert "acme-fjord/1" in desk("entitlements", "acme-1", by="acme").out
    assert desk("entitlements", "lake-1", by="acme").status == 1
    assert desk("entitlements", "birch-1", "--json", by="birch").json["caps"][0]["drawn"]["amount"] == "0.00"


def test_rights_say_whose_they_are(desk: Desk) -> None:
    rent(desk)
    golden("rights_of_both_sides", desk("rights").out)
    assert "FOR US" not in desk("rights", by="acme").out


def test_overlays_are_for_ourselves(desk: Desk) -> None:
    assert desk("overlays").err == "there is no overlay\n"
    assert desk.rig.apply(WE, OVERLAY).status_code == 200
    golden("overlays", desk("overlays", by="finance").out)
    validate(desk("overlays", "--json").json, outputs.OUTPUTS["overlays"])
    assert desk("slip", "grid", "--site", "fjord", "--by", "90").status == 0
    assert "waits for grid at fjord: 29 days late" in desk("overlays").out
    assert desk("overlays", by="acme").status == 5


FIRST = """\
forebay: 1
kind: Contract
id: lake-2
seller: lakeside
tenant: us
currency: USD
zone: UTC
tranches:
  - {id: lake-more, site: lake, sku: duo, count: 2, start: 2027-02-01, term: 400d, price_per_gpu_hour: 2.00}
rights:
  - {id: lake-first, kind: refusal, site: lake, notice: 5d, waiver: 20d}
"""
SALE = ("--sku", "duo", "--start", "2027-03-01", "--end", "2028-03-01")


def test_what_our_seller_offers_us_first(desk: Desk) -> None:
    rent(desk)
    assert desk.rig.apply(FIRST).status_code == 200
    told = desk("rights", "offered", "lake-first", *SALE, "--racks", "10", "--price", "2.10")
    assert told.out == "lake-first: to be answered before 2026-12-06T08:00:00Z\n"
    again = desk("rights", "offered", "lake-first", *SALE, "--racks", "10", "--price", "2.10", "--json").json
    validate(again, outputs.OUTPUTS["rights.offered"])
    assert (again["offer"], again["changed"]) == ("open", False)
    golden("rights_offered", desk("rights").out)
    assert desk("entitlements", "lake-2").out.endswith(
        "\non offer by lake-first: 80 GPUs (20 nodes) of duo at lake, 2027-03-01 to 2028-03-01, 2.10 USD a GPU-hour\n"
    )
    watched = desk("contracts", "watch", "--json", by="finance").json["items"]
    (offer,) = [each for each in watched if each["contract"] == "lake-2"]
    assert (offer["title"], offer["date"], offer["days"]) == (
        "answer the offer by lake-first", "2026-12-06T08:00:00Z", 5,
    )  # fmt: skip
    assert desk("rights", "waive", "lake-first").status == 0
    covered = desk("rights", "offered", "lake-first", *SALE, "--nodes", "10", "--price", "2.20")
    assert covered.out == "lake-first: we let this sale pass, and it may be sold until 2026-12-21T08:00:00Z\n"
    assert desk("rights").out.endswith(
        "\nlet pass by lake-first: 80 GPUs (20 nodes) of duo at lake, 2027-03-01 to 2028-03-01, 2.10 USD a GPU-hour, "
        "or more, may be sold until 2026-12-21T08:00:00Z; told of again 2026-12-01T08:00:00Z\n"
    )
    assert desk("rights", "exercise", "lake-first").status == 4
    assert (
        desk("rights", "offered", "lake-first", *SALE, "--nodes", "10", "--price", "2.20", "--anew").status
        == 0
    )
    used = desk("rights", "exercise", "lake-first")
    assert used.out.startswith("lake-first is exercised: tranche lake-first-1, ")
    assert "lake-first-1/1" in desk("entitlements", "lake-2").out
    # What the seller offers us, it does not offer to itself; and whose right it is decides which command it is.
    for arguments, status, said in (
        (["birch-first", *SALE, "--nodes", "1", "--price", "2"], 1, "is in a contract that we sell"),
        (["none", *SALE, "--nodes", "1", "--price", "2"], 1, "there is no right none"),
        (["lake-first", *SALE, "--price", "2"], 1, "so many racks, or of so many nodes"),
        (["lake-first", *SALE[2:], "--nodes", "1", "--price", "2"], 1, "say which is offered"),
        (["lake-first", *SALE, "--nodes", "1", "--price", "2.10.10"], 1, "price"),
        (
            ["lake-first", *SALE[2:], "--sku", "none", "--racks", "1", "--price", "2"],
            1,
            "not in the catalogue",
        ),
    ):
        ran = desk("rights", "offered", *arguments)
        assert (ran.status, said in ran.err) == (status, True), ran.err
    assert (
        desk("rights", "offered", "lake-first", *SALE, "--nodes", "1", "--price", "2", by="acme").status == 5
    )
