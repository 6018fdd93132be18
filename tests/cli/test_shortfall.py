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


def test_clauses_decide_and_are_told(desk: Desk) -> None:
    cedar = """\
forebay: 1
kind: Contract
id: cedar-1
seller: us
tenant: cedar
currency: USD
zone: UTC
tranches:
  - {id: cedar-fjord, site: fjord, sku: duo, count: 5, start: 2027-08-01, term: 400d, price_per_gpu_hour: 3}
shortfall: {served: last}
"""
    no = desk(
        "sign", desk.file("bad.yaml", cedar.replace("last", "last, after: [cedar-1]")), "--override", "x"
    )
    assert (no.status, "it is served before or after others, not itself" in no.err) == (1, True)
    assert desk("sign", desk.file("cedar.yaml", cedar)).status == 0
    dune = cedar.replace("cedar", "dune")
    no = desk("sign", desk.file("dune.yaml", dune), "--override", "we dare")
    golden("shortfall_contradiction", no.err)
    assert desk("slip", "grid", "--by", "120").status == 0
    golden("shortfall_clauses", desk("shortfall").out)
    assert "cedar" not in desk("shortfall", by="acme").out
    assert "another's contract" in desk("shortfall", by="acme").out
    validate(desk("shortfall", "--json").json, outputs.OUTPUTS["shortfall"])
    assert "too little" in desk("terms", "cedar-1").out


def test_without_a_rule_it_is_nobodys(desk: Desk) -> None:
    policy = "forebay: 1\nkind: PromisePolicy\nversion: 2\nshorting: none\n"
    assert desk("apply", desk.file("policy.yaml", policy)).status == 0
    assert desk("slip", "grid", "--by", "120").status == 0
    golden("shortfall_nobodys", desk("shortfall").out)
    validate(desk("shortfall", "--json").json, outputs.OUTPUTS["shortfall"])
    more = """\
forebay: 1
kind: Contract
id: dune-1
seller: us
tenant: dune
currency: USD
zone: UTC
tranches:
  - {id: dune-fjord, site: fjord, sku: duo, count: 5, start: 2031-08-01, term: 400d, price_per_gpu_hour: 3}
"""
    no = desk("sign", desk.file("dune.yaml", more))
    assert no.status == 3
    golden("shortfall_no_rule", no.err)
    assert desk("sign", desk.file("last.yaml", more + "shortfall: {served: last}\n")).status == 0


def test_sharing_out_by_hand(desk: Desk) -> None:
    assert desk("slip", "grid", "--by", "120").status == 0
    before = desk.seq()
    mine = ("shortfall", "allocate", "fjord", "duo", "acme-fjord=20", "birch-fjord=10", "--racks")
    because = (*mine, "--reason", "their wish")
    golden("shortfall_allocate_dry", desk(*because, "--dry-run").out)
    assert desk.seq() == before
    golden("shortfall_allocate", desk(*because).out)
    assert desk(*because).out == "duo at fjord: shared out so already, for this reason; nothing changes\n"
    golden("shortfall_by_hand", desk("shortfall").out)
    assert "their wish" not in desk("shortfall", by="acme").out
    told = desk(*mine, "--reason", "another", "--json").json
    validate(told, outputs.OUTPUTS["shortfall.allocate"])
    assert (told["changed"], told["risks"]) == (True, [])
    # A slip changes what there is to share: the policy shares it out again.
    assert desk("slip", "grid", "--by", "1").status == 0
    assert "by hand" not in desk("shortfall").out


def test_sharing_out_with_dates(desk: Desk) -> None:
    assert desk("slip", "grid", "--by", "120").status == 0
    mine = ("shortfall", "allocate", "fjord", "duo", "--racks", "--reason", "in turn")
    parts = (
        "acme-fjord=20@2027-07-01..2027-08-01",
        "acme-fjord=25@2027-08-01..2027-09-28",
        "birch-fjord=5@2027-08-01..2027-09-28",
    )
    assert desk(*mine, *parts).status == 0
    items = desk("shortfall", "list", "--json").json["items"]
    assert [[part["nodes"] for part in each["parts"]] for each in items] == [[40, 50], [10]]


#: What is said, the status, and what is answered.
WRONG = [
    (("fjord", "duo", "acme-fjord=20", "--reason", "x"), 1, "on 40 nodes are to be shared, and 20 are"),
    (("fjord", "duo", "acme-fjord=40", "birch-fjord=20"), 1, "what is shared out by hand is so for a reason"),
    (("fjord", "trio", "acme-fjord=40", "--reason", "x"), 1, "SKU trio is not in the catalogue"),
    (("moon", "duo", "acme-fjord=40", "--reason", "x"), 1, "there is no site moon"),
    (("mesa", "duo", "birch-fjord=2", "--reason", "x"), 1, "nothing is to be shared, and 2 nodes are"),
    (("fjord", "duo", "acme-fjord", "--reason", "x"), 2, "TRANCHE=N or TRANCHE=N@FROM..UNTIL is meant"),
    (("fjord", "duo", "acme-fjord=2@soon..later", "--reason", "x"), 1, "shares[0].start"),
]  # fmt: skip


def test_mistakes_in_sharing_out(desk: Desk) -> None:
    assert desk("slip", "grid", "--by", "120").status == 0
    golden("shortfall_allocate_wrong", desk("shortfall", "allocate", "fjord", "duo", *WRONG[0][0][2:]).err)
    for said, status, told in WRONG:
        ran = desk("shortfall", "allocate", *said)
        assert (ran.status, told in ran.out + ran.err) == (status, True), ran.out + ran.err
    assert desk("shortfall", "allocate", *WRONG[0][0], by="finance").status == 5
