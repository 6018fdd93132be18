"""Who goes short."""

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import Desk, golden


def test_nobody(desk: Desk) -> None:
    assert desk("shortfall").out == (
        "nobody goes short: what is promised will be there\n"
        "promise policy 1: supply at P90; everybody by the same share\n"
    )


def test_everybody_for_the_seller_and_oneself_for_a_tenant(desk: Desk) -> None:
    assert desk("slip", "grid", "--by", "120").status == 0
    golden("shortfall", desk("shortfall").out)
    assert desk("shortfall", by="finance").out == desk("shortfall").out
    golden("shortfall_tenant", desk("shortfall", by="birch").out)
    for who, tranches in (("operator", ["acme-fjord", "birch-fjord"]), ("acme", ["acme-fjord"])):
        told = desk("shortfall", "--json", by=who).json
        validate(told, outputs.OUTPUTS["shortfall"])
        assert [each["tranche"] for each in told["items"]] == tranches
        assert ("policy" in told) is (who == "operator")


def test_the_order_is_told(desk: Desk) -> None:
    policy = "forebay: 1\nkind: PromisePolicy\nversion: 2\nshorting: signing\nprotected: [acme-1]\n"
    assert desk("apply", desk.file("policy.yaml", policy)).status == 0
    assert desk("slip", "grid", "--by", "120").status == 0
    told = desk("shortfall").out
    assert "promise policy 2: supply at P90; who signed last goes short first, acme-1 last\n" in told
