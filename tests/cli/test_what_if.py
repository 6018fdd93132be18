"""What if: it shows what would be different, and records nothing."""

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import TOO_MUCH, Desk, golden


def test_a_slip(desk: Desk) -> None:
    before = desk.seq()
    golden("what_if_slip", desk("what-if", "slip", "grid", "--by", "90").out)
    told = desk("what-if", "slip", "permit", "--by", "90", "--json", by="finance").json
    validate(told, outputs.OUTPUTS["what-if"])
    assert [each["days"] for each in told["moved"]] == [90]
    assert told["totals_before"] == told["totals_after"] == []
    assert desk.seq() == before
    nothing = desk("what-if", "slip", "racks", "--by", "1").out
    assert "what can be promised stays as it is" in nothing
    ran = desk("what-if", "slip", "first-hall", "--by", "1")
    assert (ran.status, "is reached already" in ran.err) == (4, True)


def test_a_signature(desk: Desk) -> None:
    before = desk.seq()
    path = desk.file("too.yaml", TOO_MUCH)
    refused = desk("what-if", "sign", path)
    assert (refused.status, "would fit at fjord from 2028-12-13 on" in refused.err) == (3, True)
    golden("what_if_sign", desk("what-if", "sign", path, "--override", "a question", "--unit", "gpus").out)
    assert desk.seq() == before
    assert desk("slip", "grid", "--by", "90").status == 0
    more = desk("what-if", "sign", path, "--override", "a question").out
    assert "in all now: " in more
    assert "in all then: " in more


def test_it_is_the_sellers(desk: Desk) -> None:
    assert desk("what-if", "slip", "grid", "--by", "90", by="acme").status == 5
    assert desk("what-if", "sign", desk.file("too.yaml", TOO_MUCH), by="acme").status == 5
