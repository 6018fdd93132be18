"""Our side of contracts over HTTP: the customer's World, the provider's, and what no tenant sees of either."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forebay.core import ids
from tests.server.rig import SITE, Rig, problem, promise, rigged

ESTATE = "forebay: 1\nkind: Estate\nversion: {version}\nparty: {party}\ntitle: Somebody\n"
RENTED = """\
forebay: 1
kind: Contract
id: lake-1
seller: lakeside
tenant: lab
currency: USD
zone: UTC
tranches:
  - id: lake-t1
    site: lake
    sku: gb300-nvl72
    count: 6
    start: 2027-02-01
    term: 365d
    deliveries: [{at: 2027-02-01, count: 2}, {at: 2027-03-01, count: 4}]
    price_per_gpu_hour: 2.00
    late: {grace: 5d, damages_per_gpu_day: 10, longstop: 30d}
caps: [{id: more, amount: 1000000}]
rights:
  - {id: lake-call, kind: call, site: lake, sku: gb300-nvl72, racks: 3, cap: more, price_per_gpu_hour: 2, notice: 10d,
     expires: 2027-06-01, term: 30d}
  - {id: lake-put, kind: backstop, site: lake, sku: gb300-nvl72, cap: more, price_per_gpu_hour: 2, notice: 10d,
     measured: 2027-06-01, term: 30d}
"""
TEAM = """\
forebay: 1
kind: Contract
id: team-1
seller: lab
tenant: acme
currency: USD
zone: UTC
tranches:
  - {id: team-t1, site: lake, sku: gb300-nvl72, count: 5, start: 2027-03-10, term: 100d, price_per_gpu_hour: 0}
"""
OVERLAY = """\
forebay: 1
kind: Overlay
contract: {contract}
version: {version}
party: {party}
floor_price: 2.4213
margin: 31 %
priority: 4
confidence: {confidence}
notes: the secret of the house
"""


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """The customer's."""
    with rigged(tmp_path) as made:
        answer = made.apply(ESTATE.format(version=1, party="lab"), SITE, RENTED)
        assert answer.status_code == 200, answer.text
        yield made


def post(rig: Rig, what: str, number: int = 1, tranche: str = "lake-t1", **body: Any) -> Any:
    return rig.operator.post(f"/v1/tranches/{tranche}/deliveries/{number}/{what}", json=body)


FIRST = """\
forebay: 1
kind: Contract
id: lake-2
seller: lakeside
tenant: lab
currency: USD
zone: UTC
tranches:
  - {id: lake-more, site: lake, sku: gb300-nvl72, count: 1, start: 2027-02-01, term: 100d, price_per_gpu_hour: 2}
rights:
  - {id: lake-first, kind: refusal, site: lake, sku: gb300-nvl72, notice: 5d, waiver: 20d}
"""
SALE = {"start": "2027-03-01", "end": "2028-03-01", "price_per_gpu_hour": "2.10"}


def test_what_our_seller_offers_us_first(rig: Rig) -> None:
    assert rig.apply(FIRST).status_code == 200
    address = "/v1/rights/lake-first/offered"
    told = rig.operator.post(address, json=SALE | {"racks": 2}, headers={"Idempotency-Key": "k1"})
    body = told.json()
    assert (body["offer"], body["changed"]) == ("open", True)
    assert (
        rig.operator.post(address, json=SALE | {"racks": 2}, headers={"Idempotency-Key": "k1"}).json() == body
    )
    seen = rig.operator.get("/v1/rights/lake-first")
    right = seen.json()
    assert (right["life"], right["ours"], right["deadline"]) == ("offered", True, body["until"])
    assert right["offer"] == {
        "site": "lake", "sku": "gb300-nvl72", "nodes": 36, "gpus": 144, "start": "2027-03-01T00:00:00Z",
        "end": "2028-03-01T00:00:00Z", "price_per_gpu_hour": {"amount": "2.10", "currency": "USD"},
    }  # fmt: skip
    (known,) = rig.operator.get("/v1/contracts/lake-2/entitlements").json()["rights"]
    assert (known["life"], known["offer"], known["deadline"]) == ("offered", right["offer"], body["until"])
    # It changed since somebody looked.
    stale = rig.operator.post(address, json=SALE | {"racks": 2}, headers={"If-Match": '"old"'})
    assert stale.status_code == 412
    another = rig.operator.post(address, json=SALE | {"nodes": 2})
    problem(another, 409, "already_offered")
    assert rig.operator.post("/v1/rights/lake-first/waive", json={}).status_code == 200
    covered = rig.operator.post(address, json=SALE | {"nodes": 2}).json()
    assert (covered["offer"], covered["until"] > body["until"]) == ("covered", True)
    (passed,) = rig.operator.get("/v1/rights/lake-first").json()["let_pass"]
    assert (passed["nodes"], passed["until"], bool(passed["again"])) == (36, covered["until"], True)
    assert "let_pass" not in rig.operator.get("/v1/rights/lake-call").json()


def test_what_is_rented_stands_beside_our_own(rig: Rig) -> None:
    assert rig.operator.get("/v1/estate").json() == {
        "party": "lab", "title": "Somebody", "also": [], "version": 1,
    }  # fmt: skip
    body = rig.finance.get("/v1/capacity?from=2027-01-01&months=4").json()
    lake, own = body["stocks"]
    assert (lake["site"], lake["supplier"], own["supplier"]) == ("lake", "lakeside", "")
    assert [month["supply_p90"] // 18 for month in lake["months"]] == [0, 2, 6, 6]
    told = rig.operator.get("/v1/suppliers?from=2027-01-01&months=4").json()
    assert told["months"] == body["suppliers"]
    assert (told["party"], told["confidence"]) == ("lab", "p90")
    march = told["months"][2]
    assert march["suppliers"] == [
        {"supplier": "", "gpus_p50": 288, "gpus_p90": 288, "share_ppm": 400_000},
        {"supplier": "lakeside", "gpus_p50": 432, "gpus_p90": 432, "share_ppm": 600_000},
    ]
    assert (march["month"], march["concentration"]) == ("2027-03", 5_200)
    problem(rig.operator.get("/v1/suppliers?from=soon"), 422, "bad_parameter")
    # Applied again it is known.
    assert not any(each["changed"] for each in rig.apply(RENTED).json()["applied"])


def test_a_notice_moves_it_and_a_team_goes_short(rig: Rig) -> None:
    assert rig.apply(TEAM).status_code == 200
    told = post(rig, "notice", 2, expected_at="2027-04-01", reason="a pump").json()
    assert (told["before"], told["after"], told["counted_on"]) == (
        "2027-03-01T00:00:00Z", "2027-04-01T00:00:00Z", "2027-04-01T00:00:00Z",
    )  # fmt: skip
    assert [(each["before"], each["after"]["tranche"]) for each in told["risks"]] == [(None, "team-t1")]
    told = post(rig, "forecast", 2, p50="2027-03-20", p90="2027-05-01", source="our own").json()
    assert (told["after"], told["counted_on"]) == (None, "2027-05-01T00:00:00Z")
    told = post(rig, "forecast", 2, p50="2027-03-05").json()
    assert (told["counted_on"], told["totals"]) == ("2027-03-05T00:00:00Z", [])
    rig.pass_time(75 * 24 * 3_600_000_000)
    told = post(rig, "delivered", at="2027-02-02", evidence="protocol").json()
    assert (told["changed"], told["counted_on"]) == (True, "2027-02-02T00:00:00Z")
    assert post(rig, "delivered", at="2027-02-02").json()["changed"] is False
    problem(post(rig, "delivered"), 409, "delivered_already")
    problem(post(rig, "delivered", 9, at="2027-02-02"), 422, "unknown_delivery")
    problem(post(rig, "notice", 2, expected_at="soon"), 422, "bad_body")
    problem(post(rig, "notice", 2, expected_at="2027-04-01", reason="x" * 501), 422, "bad_body")
    problem(post(rig, "notice", tranche="none", expected_at="2027-04-01"), 422, "unknown_tranche")


def test_rights_are_ours_or_against_us(rig: Rig) -> None:
    assert rig.apply(TEAM.replace("id: team-1", "id: team-2").replace(
        "tranches:", "rights: [{id: team-first, kind: refusal, notice: 5d}]\ntranches:"
    )).status_code == 200  # fmt: skip
    found = rig.operator.get("/v1/rights").json()["items"]
    assert [(each["id"], each["ours"], each["racks_left"]) for each in found] == [
        ("lake-call", True, 3), ("lake-put", False, 9), ("team-first", False, None),
    ]  # fmt: skip
    used = rig.operator.post("/v1/rights/lake-call/exercise", json={"racks": 2}).json()
    assert (used["tranche"], used["count"], used["drawn"]["amount"]) == ("lake-call-1", 2, "207360.00")
    again = rig.operator.post("/v1/rights/lake-call/exercise", json={"racks": 1}).json()
    assert again["tranche"] == "lake-call-2"
    assert rig.operator.get("/v1/rights/lake-call").json()["racks_left"] == 0
    waived = rig.operator.post("/v1/rights/lake-put/waive", json={})
    assert waived.json() == {"right": "lake-put", "until": None, "zone": ""}
    rig.pass_time(200 * 24 * 3_600_000_000)
    assert rig.operator.get("/v1/rights/lake-put").json()["life"] == "waived"
    told = rig.operator.get("/v1/contracts/lake-1/entitlements").json()
    assert [each["state"] for each in told["deliveries"]] == ["overdue"] * 4
    assert [each["life"] for each in told["rights"]] == ["exercised", "waived"]
    assert told["caps"][0]["drawn"] == {"amount": "311040.00", "currency": "USD"}
    assert told["late"][0]["longstop"] == "2027-03-03T00:00:00Z"


def test_both_sides_answer_the_same(rig: Rig, tmp_path: Path) -> None:
    seller = tmp_path / "seller"
    seller.mkdir()
    lake = SITE.replace("id: lpp", "id: lake").replace("r[01-04]", "r[01-09]").replace("600 kW", "1190 kW")
    with rigged(seller) as other:
        assert other.apply(ESTATE.format(version=1, party="lakeside"), lake, RENTED).status_code == 200
        notice = "forebay: 1\nkind: Notice\ntranche: lake-t1\ndelivery: 2\nzone: UTC\n"
        for each in (rig, other):
            told = "expected: 2027-03-20\nreceived: 2026-12-01\nreason: a pump\n"
            assert each.apply(notice + told).status_code == 200
            assert each.operator.post("/v1/rights/lake-call/exercise", json={"racks": 2}).status_code == 200
        # What one of them alone knows.
        assert (
            rig.apply(OVERLAY.format(contract="lake-1", party="lab", version=1, confidence="p50")).status_code
            == 200
        )
        assert post(rig, "forecast", 2, p50="2027-05-01").status_code == 200
        answers = [each.operator.get("/v1/contracts/lake-1/entitlements").json() for each in (rig, other)]
        assert answers[0] == answers[1]
        assert [each["comes"] for each in answers[0]["deliveries"]] == [
            "2027-02-01T00:00:00Z", "2027-03-20T00:00:00Z", "2026-12-11T08:00:00Z",
        ]  # fmt: skip
        sides = [each.operator.get("/v1/contracts").json()["items"][0]["side"] for each in (rig, other)]
        assert sides == ["customer", "seller"]
        # The customer may ask its seller's World for what both know, and for nothing else of it.
        lab = other.client(ids.Role.TENANT, "l1", "lab")
        assert lab.get("/v1/contracts/lake-1/entitlements").json() == answers[0]
        problem(other.acme.get("/v1/contracts/lake-1/entitlements"), 404, "not_found")
        assert "side" not in lab.get("/v1/contracts").json()["items"][0]
        assert "ours" not in lab.get("/v1/rights").json()["items"][0]


ASKED = (
    "/v1/contracts", "/v1/tranches", "/v1/rights", "/v1/shortfalls", "/v1/contracts/acme-2/entitlements",
    "/v1/invoices", "/v1/status", "/v1/prices",
)  # fmt: skip


def test_private_terms_are_in_no_answer_but_their_own(tmp_path: Path) -> None:
    with rigged(tmp_path) as rig:
        rig.furnish()
        assert rig.apply(ESTATE.format(version=1, party="us")).status_code == 200
        overlay = OVERLAY.format(contract="acme-2", party="us", version=1, confidence="p50")
        assert rig.apply(overlay, client=rig.finance).status_code == 200
        schedule = "forebay: 1\nkind: Schedule\nsite: lpp\nzone: UTC\n"
        schedule += "milestones: [{id: grid, planned: 2027-06-01}]\n"
        schedule += "blocks: [{id: lpp-b1, sku: gb300-nvl72, racks: 6, after: [grid]}]\n"
        assert rig.apply(schedule).status_code == 200
        cheap = {"documents": [{"name": "a.yaml", "text": promise("acme")}]}
        below = problem(rig.operator.post("/v1/contracts", json=cheap), 409, "below_floor")
        assert "our floor for contract acme-2 is 2.4213" in below["detail"]
        signed = rig.operator.post("/v1/contracts", json=cheap | {"override": "the board wants them"})
        assert signed.status_code == 200
        mine = rig.finance.get("/v1/overlays").json()["items"]
        assert mine[0]["floor_price"] == "2.4213"
        marks = ("2.4213", "secret", "floor", "310000", "overlay", "the board wants them")
        for client in (rig.acme, rig.birch):
            for path in (*ASKED, "/v1/rights/acme-longer"):
                answer = client.get(path)
                assert not [mark for mark in marks if mark in answer.text], path
            for path in ("/v1/overlays", "/v1/estate", "/v1/suppliers", "/v1/journal", "/v1/events"):
                problem(client.get(path), 403, "forbidden")
            posted = {"documents": [{"name": "o.yaml", "text": overlay}]}
            problem(client.post("/v1/documents", json=posted), 403, "forbidden")
        # Nor does the contract, as we hand it out ourselves.
        for path in ("/v1/contracts", "/v1/contracts/acme-2/entitlements"):
            told = json.dumps(rig.operator.get(path).json())
            assert not [mark for mark in marks if mark in told], path


def test_overlays_tell_what_is_left_before_a_date(tmp_path: Path) -> None:
    with rigged(tmp_path) as rig:
        rig.furnish()
        rig.promise()
        assert rig.apply(ESTATE.format(version=1, party="us")).status_code == 200
        behind = "behind:\n" + "".join(
            f"  - {{tranche: {tranche}, delivery: {number}, site: lpp, milestone: {milestone}}}\n"
            for tranche, number, milestone in (
                ("acme-far", 1, "shell"), ("acme-far", 9, "grid"), ("none", 1, "grid"),
            )
        )  # fmt: skip
        text = OVERLAY.format(contract="later", party="us", version=1, confidence="p90") + behind
        assert rig.apply(text).status_code == 200
        (told,) = rig.operator.get("/v1/overlays").json()["items"]
        assert (told["signed"], told["confidence"]) == (False, "p90")
        assert [(each["committed"], each["days_left"]) for each in told["behind"]] == [
            ("2027-07-01T00:00:00Z", 61), (None, None), (None, None),
        ]  # fmt: skip
        assert rig.operator.post(
            "/v1/schedules/lpp/milestones/shell/forecast", json={"forecast_at": "2027-08-01"}
        ).status_code == 200  # fmt: skip
        (told,) = rig.operator.get("/v1/overlays").json()["items"]
        assert told["behind"][0]["days_left"] == -31
        # A plan without it.
        other = "forebay: 1\nkind: Schedule\nsite: lpp\nzone: UTC\nmilestones: [{id: grid, planned: 2027-06-01}]\n"
        assert rig.apply(other + "blocks: []\n").status_code == 200
        (told,) = rig.operator.get("/v1/overlays").json()["items"]
        assert told["behind"][0]["expected"] is None


def test_without_an_estate_everything_is_as_before(tmp_path: Path) -> None:
    with rigged(tmp_path) as rig:
        rig.furnish()
        assert rig.operator.get("/v1/estate").json()["party"] == ""
        assert "suppliers" not in rig.operator.get("/v1/capacity").json()
        assert "side" not in rig.operator.get("/v1/contracts").json()["items"][0]
        (month, *_) = rig.operator.get("/v1/suppliers").json()["months"]
        assert [each["supplier"] for each in month["suppliers"]] == [""]
        text = OVERLAY.format(contract="acme-1", party="us", version=1, confidence="p50")
        problem(rig.apply(text), 409, "no_estate")
