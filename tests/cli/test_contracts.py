"""Contracts as a user sees them: what is handled, how they were amended, and which clauses fall due."""

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import Desk, golden
from tests.cli.test_suppliers import RENTED, rent

ALDER = """\
forebay: 1
kind: PriceIndex
id: power
zone: UTC
values: [{published: 2026-10-15, value: 103.2}]
---
forebay: 1
kind: Contract
id: alder-1
seller: provider
tenant: alder
currency: USD
zone: UTC
tranches:
  - {id: alder-a, site: fjord, sku: duo, count: 1, start: 2027-06-15, term: 365d, price_per_gpu_hour: 2.10,
     price_steps: [{at: 2028-01-01, price_per_gpu_hour: 1.95}], take_or_pay: 80 %,
     index: {id: power, base: 100, share: 30 %, cap_per_gpu_hour: 2.40}}
rights:
  - {id: alder-longer, kind: extension, tranche: alder-a, notice: 30d, term: 90d}
clauses:
  - {title: Insurance certificate, coverage: watched, date: 2027-03-01}
  - {title: Audit, coverage: watched, date: 2027-02-01}
  - {title: Confidentiality, coverage: not_handled}
  - {title: Set-off, coverage: modelled}
"""
AMENDED = (
    ALDER.split("---\n")[1]
    .replace("id: alder-1", "id: alder-1\nversion: 2\neffective: 2027-06-20")
    .replace("price_per_gpu_hour: 2.10", "price_per_gpu_hour: 2.00")
    .replace("term: 365d", "term: 400d")
    .replace("clauses:", "caps: [{id: more, amount: 1000}]\nclauses:")
)


def test_what_is_handled_is_told_when_a_contract_is_loaded(desk: Desk) -> None:
    path = desk.file("alder.yaml", ALDER)
    told = desk("apply", path, "--json").json
    validate(told, outputs.OUTPUTS["apply"])
    (coverage,) = (each["coverage"] for each in told["applied"] if each["kind"] == "Contract")
    assert coverage["watched"][0] == {"title": "Audit", "date": "2027-02-01T00:00:00Z"}
    assert coverage["not_handled"] == ["Confidentiality"]
    assert {"term": "take or pay", "about": ["alder-a"]} in coverage["modelled"]
    golden("contracts_coverage", desk("sign", desk.file("two.yaml", AMENDED), "-n").out)


def test_versions_and_what_they_changed(desk: Desk) -> None:
    assert desk("apply", desk.file("alder.yaml", ALDER)).status == 0
    two = desk.file("two.yaml", AMENDED)
    assert "Contract alder-1: signed" in desk("sign", two).out
    assert desk("sign", two).out == "Contract alder-1: signed already, nothing changes\n"
    assert "unchanged" in desk("apply", desk.file("alder.yaml", ALDER)).out
    golden("contracts_show", desk("contracts", "show", "alder-1").out)
    validate(desk("contracts", "show", "alder-1", "--json").json, outputs.OUTPUTS["contracts.show"])
    golden("contracts_list", desk("contracts").out)
    validate(desk("contracts", "list", "--json").json, outputs.OUTPUTS["contracts.list"])
    ran = desk("contracts", "show", "nobody")
    assert (ran.status != 0, "there is no contract nobody" in ran.err) == (True, True)


def test_what_may_not_be_amended_is_told_at_its_line(desk: Desk) -> None:
    assert desk("apply", desk.file("alder.yaml", ALDER)).status == 0
    ran = desk("sign", desk.file("two.yaml", AMENDED.replace("currency: USD", "currency: EUR")))
    assert ran.status == 4
    assert "two.yaml:8:1: currency: contract alder-1: its currency is USD in every version" in ran.err
    ran = desk("sign", desk.file("three.yaml", AMENDED.replace("version: 2", "version: 3")))
    assert "version: contract alder-1 is signed in version 1: the next is 2" in ran.err


def test_clauses_that_are_watched(desk: Desk) -> None:
    assert "no clause is watched" in desk("contracts", "watch").err
    assert desk("apply", desk.file("alder.yaml", ALDER)).status == 0
    golden("contracts_watch", desk("contracts", "watch").out)
    validate(desk("contracts", "watch", "--json").json, outputs.OUTPUTS["contracts.watch"])
    late = ALDER.split("---\n")[1].replace(", date: 2027-02-01", "")
    ran = desk("sign", desk.file("late.yaml", late))
    assert "clauses[1]: a clause that is watched has a 'date': when it falls due" in ran.err
    dated = ALDER.split("---\n")[1].replace("not_handled}", "not_handled, date: 2027-02-01}")
    assert "a clause that is not_handled has no date" in desk("sign", desk.file("d.yaml", dated)).err


def test_what_was_published(desk: Desk) -> None:
    path = desk.file("alder.yaml", ALDER)
    assert desk("apply", path).status == 0
    (index,) = desk.rig.acme.get("/v1/indices").json()["items"]
    assert index == {"id": "power", "values": [{"published": "2026-10-15T00:00:00Z", "value": "103.20"}]}
    other = ALDER.split("---\n", maxsplit=1)[0].replace("103.2", "104")
    ran = desk("apply", desk.file("other.yaml", other))
    assert (
        ran.status,
        "values[0].value: index power: of 2026-10-15T00:00:00Z 103.20 is known" in ran.err,
    ) == (4, True)


def test_a_right_on_other_terms_and_then_withdrawn(desk: Desk) -> None:
    assert desk("apply", desk.file("alder.yaml", ALDER)).status == 0
    text = ALDER.split("---\n")[1].replace("id: alder-1", "id: alder-1\nversion: 2\neffective: 2027-06-20")
    text = text.replace("notice: 30d, term: 90d", "notice: 45d, term: 120d, price_per_gpu_hour: 2.50")
    assert desk("sign", desk.file("two.yaml", text)).status == 0
    assert (
        "alder-longer from 2027-06-20 on: 45d of notice, for 120d, 2.50 USD a GPU-hour\n"
        in desk("rights").out
    )
    right = text[text.index("rights:") : text.index("clauses:")]
    none = text.replace(right, "").replace("version: 2", "version: 3").replace("2027-06-20", "2027-07-20")
    assert desk("sign", desk.file("three.yaml", none)).status == 0
    told = desk("rights", "list", "--json").json
    validate(told, outputs.OUTPUTS["rights.list"])
    assert "alder-longer is withdrawn from 2027-07-20 on" in desk("rights").out
    assert "  - right alder-longer" in desk("contracts", "show", "alder-1").out
    moved = text.replace("version: 2", "version: 4").replace("2027-06-20", "2027-08-20")
    ran = desk("sign", desk.file("four.yaml", moved))
    assert "four.yaml:15:6: rights[0].id: right alder-longer exists already" in ran.err


def test_what_we_rent_is_amended(desk: Desk) -> None:
    rent(desk)
    more = RENTED.replace("id: lake-1\n", "id: lake-1\nversion: 2\neffective: 2027-01-01\n")
    more = more.replace("count: 30", "count: 40").replace("2027-04-01, count: 20", "2027-04-01, count: 30")
    dry = desk("sign", desk.file("lake-v2.yaml", more), "--dry-run")
    assert dry.status == 0, dry.err
    ran = desk("sign", desk.file("lake-v2.yaml", more))
    assert ran.status == 0, ran.err
    golden("contracts_show_rented", desk("contracts", "show", "lake-1").out)
    assert desk("contracts", "show", "lake-1", by="acme").status == 1
    assert "320 " in desk("entitlements", "lake-1").out or "240 " in desk("entitlements", "lake-1").out
    again = desk("sign", desk.file("lake-v2.yaml", more))
    assert (again.status, "signed" in again.out + again.err) == (0, True)
    other = more.replace("count: 40", "count: 41").replace("2027-04-01, count: 30", "2027-04-01, count: 31")
    no = desk("sign", desk.file("lake-v2.yaml", other))
    assert (no.status, "give them a new version" in no.err) == (4, True)
    desk.rig.pass_time(40 * 24 * 3_600_000_000)
    assert "from 2027-01-01T00:00:00Z on" in desk("contracts", "show", "lake-1").out
    assert [
        each["version"] for each in desk("contracts", "--json").json["items"] if each["id"] == "lake-1"
    ] == [2]
