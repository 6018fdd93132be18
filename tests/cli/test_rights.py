"""Rights: what is left of them, and using them."""

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import TOO_MUCH, Desk, golden

SALE = TOO_MUCH.replace("site: fjord", "site: mesa").replace("2027-09-01", "2028-07-01")


def test_the_list(desk: Desk) -> None:
    golden("rights", desk("rights").out)
    told = desk("rights", "list", "--json", by="acme").json
    validate(told, outputs.OUTPUTS["rights.list"])
    assert [each["id"] for each in told["items"]] == ["acme-ends", "acme-goes-on"]


def test_a_right_of_first_refusal_from_the_hold_to_the_signature(desk: Desk) -> None:
    path = desk.file("sale.yaml", SALE)
    ran = desk("sign", path)
    assert (ran.status, "right birch-first of birch comes before this sale" in ran.err) == (3, True)
    wish = ["--sku", "duo", "--racks", "15", "--term", "1y", "--not-before", "2028-07-01", "--price", "3"]
    wish += ["--site", "mesa", "--for", "cedar"]
    # birch would pay the price of the hold by its own contract, which is in EUR.
    assert desk("quote", *wish, "--hold", "in-dollars").status == 0
    refused = desk("rights", "offer", "birch-first", "--hold", "in-dollars")
    assert "names its price in USD, the contract of right birch-first is in EUR" in refused.err
    assert desk("quote", *wish, "--currency", "EUR", "--hold", "cedar-sale").status == 0
    told = desk("rights", "offer", "birch-first", "--hold", "cedar-sale", "--json").json
    validate(told, outputs.OUTPUTS["rights.offer"])
    golden("rights_on_offer", desk("rights", by="birch").out)
    assert "cedar" not in desk("rights", "--json", by="birch").out
    assert "(hold cedar-sale)" in desk("rights").out
    assert "cedar-sale  cedar" in desk("hold").out
    assert "birch-first" in desk("hold").out
    waived = desk("rights", "waive", "birch-first", by="birch")
    assert (
        waived.out
        == "birch-first: the offer was let pass; its sale may be signed until 2026-12-21T08:00:00Z\n"
    )
    dollars = desk("sign", path, "--hold", "cedar-sale")
    told = "sale.yaml:6:1: currency: hold cedar-sale names its price in EUR, contract cedar-1 is in USD"
    assert (dollars.status, told in dollars.err) == (1, True)
    path = desk.file("sale.yaml", SALE.replace("USD", "EUR"))
    assert desk("sign", path, "--hold", "cedar-sale").status == 0
    again = desk("rights", "offer", "birch-first", "--hold", "cedar-sale")
    assert (again.status, again.err) == (1, "forebay: there is no hold cedar-sale\n")


def test_a_matched_sale_an_extension_and_a_call(desk: Desk) -> None:
    wish = ["--sku", "duo", "--racks", "15", "--term", "1y", "--not-before", "2028-07-01", "--price", "3"]
    wish += ["--currency", "EUR", "--site", "mesa", "--for", "cedar"]
    assert desk("quote", *wish, "--hold", "sale").status == 0
    assert desk("rights", "offer", "birch-first", "--hold", "sale").out.startswith(
        "sale is on offer by birch-first until"
    )
    assert desk("rights", "exercise", "birch-first", by="birch").out == (
        "birch-first is exercised: tranche birch-first-1, 3,153,600.00 EUR over its term\n"
    )
    told = desk("rights", "exercise", "acme-goes-on", "--tranche", "acme-later", "--json", by="acme").json
    validate(told, outputs.OUTPUTS["rights.exercise"])
    assert (told["tranche"], told["count"], told["ended"]) == ("acme-later", 30, [])
    early = desk("rights", "exercise", "birch-call", "--racks", "5")
    assert (early.status, early.err) == (4, "forebay: right birch-call opens at 2028-06-01T00:00:00Z\n")
    given_up = desk("rights", "waive", "acme-ends", "--json", by="acme")
    validate(given_up.json, outputs.OUTPUTS["rights.waive"])
    assert desk("rights", "waive", "acme-goes-on").status == 4
    assert "acme-ends" in desk("explain", "acme-ends").err


def test_a_tranche_that_is_too_late_is_ended(desk: Desk) -> None:
    assert desk("slip", "grid", "--by", "300").status == 0
    early = desk("rights", "exercise", "acme-ends", by="acme")
    assert (early.status, "is not late beyond its longstop" in early.err) == (4, True)
    desk.rig.pass_time(280 * 86400 * 1_000_000)
    own = desk("rights", "exercise", "acme-ends", "--received", "2027-09-01", by="acme")
    assert (own.status, "is received then: leave its time out" in own.err) == (1, True)
    ran = desk("rights", "exercise", "acme-ends", "--received", "2027-09-01")
    assert (ran.status, ran.out) == (0, "acme-ends is exercised: tranche acme-fjord is ended\n"), ran.err


def test_giving_a_right_up(desk: Desk) -> None:
    assert desk("rights", "waive", "birch-call", "--received", "2026-11-30").out == "birch-call is given up\n"
    assert desk("rights", "waive", "acme-ends").out == "acme-ends is given up\n"
    assert "acme-ends     termination  acme (customer)     tranche acme-fjord  waived" in desk("rights").out
    assert desk("rights", "exercise", "acme-goes-on", "--received", "soon").status == 1


HELSINKI = """\
forebay: 1
kind: BusinessCalendar
id: helsinki
zone: Europe/Helsinki
closes: "17:00"
holidays: [2026-12-24, 2026-12-25, 2027-01-01, 2027-01-06]
until: 2035-12-31
"""
FIRST = """\
forebay: 1
kind: Contract
id: dune-1
seller: us
tenant: dune
currency: USD
zone: UTC
tranches:
  - {id: dune-fjord, site: fjord, sku: duo, count: 1, start: 2027-09-01, end: 2028-09-01, price_per_gpu_hour: 3}
rights:
  - {id: dune-first, kind: refusal, site: fjord, waiver: 20d, notice: {business_days: 10, calendar: helsinki}}
  - {id: dune-on, kind: extension, tranche: dune-fjord, term: 90d, notice: {calendar_days: 90, calendar: helsinki}}
"""


def test_deadlines_are_told_with_their_calendar(desk: Desk) -> None:
    unknown = desk("sign", desk.file("first.yaml", FIRST)).err
    assert (
        "first.yaml:11:91: rights[0].notice.calendar: right dune-first: there is no business calendar helsinki"
        in unknown
    )
    path = desk.file("helsinki.yaml", HELSINKI)
    assert desk("apply", path).status == 0
    assert desk("apply", path).out == "BusinessCalendar helsinki: unchanged\n"
    refused = desk("apply", desk.file("other.yaml", HELSINKI.replace("17:00", "16:00")))
    assert "business calendar helsinki: version 1 is in force already" in refused.err
    assert desk("sign", desk.file("first.yaml", FIRST)).status == 0
    wish = ["--sku", "duo", "--racks", "2", "--term", "1y", "--not-before", "2027-09-01", "--price", "3"]
    assert desk("quote", *wish, "--site", "fjord", "--for", "cedar", "--hold", "cedar-sale").status == 0
    # Offered on Tuesday the first of December; the tenth business day after it closes at five in Helsinki.
    told = desk("rights", "offer", "dune-first", "--hold", "cedar-sale").out
    assert told == "cedar-sale is on offer by dune-first until 2026-12-15T15:00:00Z\n"
    golden("rights_business_days", desk("rights").out)
    found = desk("rights", "--json").json
    validate(found, outputs.OUTPUTS["rights.list"])
    same = {"calendar": "helsinki", "version": 1, "zone": "Europe/Helsinki", "closes": "17:00"}
    assert [each["notice"] for each in found["items"] if each["tenant"] == "dune"] == [
        {"days": 10, "business": True} | same, {"days": 90, "business": False} | same
    ]  # fmt: skip
