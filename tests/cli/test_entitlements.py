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
