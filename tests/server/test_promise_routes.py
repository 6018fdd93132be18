"""What may be promised, over HTTP: keys and tags, what is tried and what is recorded, and mistakes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server import rig as rigs
from tests.server.rig import Rig, held, problem, promise, rigged

SHELL = "/v1/schedules/lpp/milestones/shell"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        made.furnish()
        made.promise()
        yield made


def seq(rig: Rig) -> int:
    return int(rig.operator.get("/v1/journal/head").json()["seq"])


def test_capacity_is_tagged_and_filtered(rig: Rig) -> None:
    path = "/v1/capacity?from=2027-06-15&months=3&site=lpp&sku=gb300-nvl72"
    answer = rig.finance.get(path)
    (stock,) = answer.json()["stocks"]
    assert [(month["month"], month["promisable"], month["short"]) for month in stock["months"]] == [
        ("2027-06", 180, 0),
        ("2027-07", -36, 36),
        ("2027-08", -36, 36),
    ]
    assert stock["months"][0]["start"] == "2027-06-15T00:00:00Z"
    tag = {"If-None-Match": answer.headers["etag"]}
    assert rig.finance.get(path, headers=tag).status_code == 304
    kept = rig.operator.get("/v1/capacity?from=2026-12-03&months=1").json()["stocks"][0]["months"][0]
    # Both holds are on offer.
    assert (kept["held"], kept["refusals"], kept["extensions"]) == (0, 36, 0)
    problem(rig.operator.get("/v1/capacity?months=0"), 422, "bad_parameter")
    problem(rig.operator.get("/v1/capacity?from=soon"), 422, "bad_parameter")


def test_capacity_of_the_past_is_not_made_up(rig: Rig) -> None:
    # It is the first of December: of this month what is left is told, and nothing of the months before.
    for start in ("2026-12-01", ""):
        (month,) = rig.operator.get(f"/v1/capacity?from={start}&months=1").json()["stocks"][0]["months"]
        assert (month["start"], month["end"]) == ("2026-12-01T09:00:00Z", "2027-01-01T00:00:00Z")
    for start in ("2026-11-30T23:59:59Z", "2020-01-01"):
        told = problem(rig.operator.get(f"/v1/capacity?from={start}"), 422, "bad_parameter")
        assert "lies before this month" in told["detail"]
    problem(rig.operator.get("/v1/capacity?site=moon"), 422, "bad_parameter")


def test_a_report_is_done_once_under_a_key(rig: Rig) -> None:
    key = {"Idempotency-Key": "slip-1"}
    posted = {"forecast_at": "2027-09-01", "reason": "steel"}
    first = rig.operator.post(f"{SHELL}/forecast", json=posted, headers=key).json()
    assert (first["changed"], first["repeated"], first["before"]) == (True, False, "2027-05-01T00:00:00Z")
    assert [(block["block"], block["days"]) for block in first["moved"]] == [("lpp-b1", 92)]
    assert [change["after"]["tranche"] for change in first["risks"]] == ["acme-far", "birch-far"]
    before = seq(rig)
    again = rig.operator.post(f"{SHELL}/forecast", json=posted, headers=key).json()
    assert (again["repeated"], again["risks"]) == (True, [])
    unsure = {"sure_before": None, "sure_after": None, "sure_days": None}
    assert again["moved"] == [block | unsure for block in first["moved"]]
    assert seq(rig) == before
    other = rig.operator.post(f"{SHELL}/forecast", json={"forecast_at": "2027-09-02"}, headers=key)
    problem(other, 422, "key_reused")


def test_now_is_the_same_request_when_it_is_sent_again(rig: Rig) -> None:
    key = {"Idempotency-Key": "done-1"}
    first = rig.operator.post(f"{SHELL}/reached", headers=key).json()
    rig.pass_time(rigs.SECOND)
    again = rig.operator.post(f"{SHELL}/reached", headers=key).json()
    assert (again["repeated"], again["after"]) == (True, first["after"])
    grid = SHELL.replace("shell", "grid")
    problem(rig.operator.post(f"{grid}/reached", headers=key), 422, "key_reused")
    key = {"Idempotency-Key": "longer-1"}
    first = rig.acme.post("/v1/rights/acme-longer/exercise", headers=key).json()
    assert (first["tranche"], first["count"]) == ("acme-longer-1", 6)
    rig.pass_time(rigs.SECOND)
    assert rig.acme.post("/v1/rights/acme-longer/exercise", headers=key).json() == first
    key = {"Idempotency-Key": "pass-1"}
    first = rig.acme.post("/v1/rights/acme-first/waive", headers=key).json()
    rig.pass_time(rigs.SECOND)
    assert rig.acme.post("/v1/rights/acme-first/waive", headers=key).json() == first
    key = {"Idempotency-Key": "hold-1"}
    for _ in range(2):
        answer = rig.finance.post(
            "/v1/holds",
            json=held("third", "cedar") | {"end": "2027-03-08", "start": "2027-03-01"},
            headers=key,
        )
        assert (answer.status_code, answer.json()) == (
            201,
            {"hold": "third", "changed": True, "zone": "Europe/Helsinki"},
        )


def test_a_report_on_what_has_changed_since_is_refused(rig: Rig) -> None:
    tag = rig.operator.get("/v1/schedules/lpp").headers["etag"]
    posted = {"forecast_at": "2027-09-01", "dry_run": True}
    tried = rig.operator.post(f"{SHELL}/forecast", json=posted, headers={"If-Match": tag}).json()
    # A date is meant in the zone of the site, and the answer says so; a time with an offset is what it is.
    assert (tried["dry_run"], tried["after"], tried["zone"]) == (
        True,
        "2027-08-31T21:00:00Z",
        "Europe/Helsinki",
    )
    exact = rig.operator.post(
        f"{SHELL}/forecast", json=posted | {"forecast_at": "2027-09-01T00:00:00Z"}
    ).json()
    assert (exact["after"], exact["zone"]) == ("2027-09-01T00:00:00Z", "")
    tried_on = {"site": "lpp", "milestone": "shell", "forecast_at": "2027-09-01"}
    what = rig.finance.post("/v1/what-if/slip", json=tried_on).json()["what"]
    assert what == "lpp: milestone shell at 2027-08-31T21:00:00Z (2027-09-01 in Europe/Helsinki)"
    assert rig.operator.get("/v1/schedules/lpp").headers["etag"] == tag
    assert rig.operator.post(f"{SHELL}/forecast", json={"forecast_at": "2027-09-01"}).status_code == 200
    problem(rig.operator.post(f"{SHELL}/forecast", json=posted, headers={"If-Match": tag}), 412, "stale")
    stale = {"If-Match": '"0"'}
    for address in ("waive", "exercise"):
        problem(rig.acme.post(f"/v1/rights/acme-longer/{address}", headers=stale), 412, "stale")


#: Who posts what where, and what is told.
SLIP = {"site": "lpp", "milestone": "shell", "forecast_at": "2027-09-01"}
MISTAKES: list[tuple[str, str, Any, int, str]] = [
    ("operator", f"{SHELL}/forecast", {"forecast_at": ""}, 422, "bad_body"),
    ("operator", f"{SHELL}/forecast", {"forecast_at": "2027-09-01", "reason": "x" * 501}, 422, "bad_body"),
    ("operator", f"{SHELL}/reached", {"reached_at": "2027-09-01"}, 422, "future_fact"),
    ("operator", SHELL.replace("shell", "roof") + "/forecast", {"forecast_at": "2027-09-01"}, 404, "not_found"),
    ("operator", SHELL.replace("lpp", "moon") + "/reached", {}, 404, "not_found"),
    ("finance", f"{SHELL}/forecast", {"forecast_at": "2027-09-01"}, 403, "forbidden"),
    ("finance", "/v1/what-if/slip", SLIP | {"forecast_at": "2027"}, 422, "bad_body"),
    ("finance", "/v1/what-if/slip", SLIP | {"milestone": "x"}, 422, "unknown_milestone"),
    ("finance", "/v1/what-if/slip", SLIP | {"months": 999}, 422, "bad_body"),
    ("finance", "/v1/what-if/sign", {"documents": []}, 422, "bad_document"),
    ("finance", "/v1/quotes", {"skus": [], "racks": 1, "term": "1d"}, 422, "bad_body"),
    ("finance", "/v1/quotes", {"skus": ["gb300-nvl72"], "racks": 1, "nodes": 1, "term": "1d"}, 422, "bad_body"),
    ("finance", "/v1/quotes", {"skus": ["gb300-nvl72"], "racks": -1, "term": "1d"}, 422, "bad_body"),
    ("finance", "/v1/quotes", {"skus": ["gb300-nvl72"], "racks": 1, "term": "1d", "sites": ["x"]}, 422, "bad_body"),
    ("finance", "/v1/holds", held("acme-hold", "birch"), 409, "duplicate_id"),
    ("finance", "/v1/holds", held("vast", "birch") | {"nodes": 7200}, 409, "oversold"),
    ("finance", "/v1/holds/none/release", {}, 404, "not_found"),
    ("finance", "/v1/rights/none/offer", {"hold": "acme-hold"}, 404, "not_found"),
    ("finance", "/v1/rights/acme-first/offer", {"hold": "acme-hold"}, 422, "own_sale"),
    ("acme", "/v1/rights/acme-longer/exercise", {"received_at": "2030-01-01"}, 422, "own_notice"),
    ("acme", "/v1/rights/acme-longer/exercise", {"tranche": "acme-t1"}, 409, "duplicate_id"),
]  # fmt: skip


def test_mistakes(rig: Rig) -> None:
    before = seq(rig)
    for who, path, body, status, code in MISTAKES:
        problem(getattr(rig, who).post(path, json=body), status, code)
    assert seq(rig) == before


def test_a_contract_that_does_not_fit_is_told_where_it_would(tmp_path: Path) -> None:
    with rigged(tmp_path) as rig:
        rig.furnish()
        assert rig.apply(rigs.SCHEDULE).status_code == 200
        small = promise("acme").replace("2027-07-01", "2026-12-20").replace("count: 6", "count: 1")
        large = promise("birch").replace("2027-07-01", "2026-12-20")
        documents = [{"name": "s.yaml", "text": small}, {"name": "t.yaml", "text": large}]
        for path in ("/v1/what-if/sign", "/v1/contracts"):
            body = problem(rig.operator.post(path, json={"documents": documents}), 409, "oversold")
            assert body["applied"] == []
            assert [(each["site"], each["start"]) for each in body["offers"]] == [
                ("lpp", "2027-06-01T00:00:00Z")
            ]
        # The other contract would have fit, and is not signed either.
        assert rig.operator.get("/v1/rights").json()["items"] == []


def test_what_is_on_offer(rig: Rig) -> None:
    found = {each["id"]: each for each in rig.acme.get("/v1/rights").json()["items"]}
    assert found["acme-first"]["offer"] == {
        "site": "lpp", "sku": "gb300-nvl72", "nodes": 18, "gpus": 72, "start": "2026-12-01T22:00:00Z",
        "end": "2026-12-08T22:00:00Z", "price_per_gpu_hour": {"amount": "3.50", "currency": "USD"},
    }  # fmt: skip
    seen = {each["id"]: each for each in rig.finance.get("/v1/rights").json()["items"]}
    assert seen["acme-first"]["offer"]["hold"] == "birch-hold"


def test_rights_of_every_kind(tmp_path: Path) -> None:
    more = """\
forebay: 1
kind: Contract
id: acme-9
seller: us
tenant: acme
currency: USD
zone: UTC
caps: [{id: all, amount: 2000000}]
rights:
  - {id: a-call, kind: call, site: lpp, sku: gb300-nvl72, racks: 2, cap: all, price_per_gpu_hour: 2, notice: 1d,
     expires: 2028-01-01, term: 365d}
  - {id: a-put, kind: backstop, site: lpp, sku: gb300-nvl72, cap: all, price_per_gpu_hour: 2, notice: 1d,
     measured: 2027-12-01, term: 365d}
  - {id: b-put, kind: backstop, site: lpp, sku: gb300-nvl72, price_per_gpu_hour: 2, measured: 2027-12-01, term: 1d}
"""
    with rigged(tmp_path) as rig:
        rig.furnish()
        answer = rig.apply(rigs.SCHEDULE, more)
        assert answer.status_code == 200, answer.text
        found = {each["id"]: each for each in rig.acme.get("/v1/rights").json()["items"]}
        # 72 GPUs for 8760 hours at 2.00 are 1,261,440 dollars: one rack fits under the cap.
        assert (found["a-call"]["racks_left"], found["a-call"]["cap_left"]["amount"]) == (1, "2000000.00")
        assert (found["a-put"]["opens"], found["a-put"]["holder"]) == ("2027-12-01T00:00:00Z", "seller")
        assert found["b-put"]["racks_left"] is None
        used = rig.acme.post("/v1/rights/a-call/exercise", json={"racks": 1, "start": "2027-03-01"}).json()
        assert used["drawn"] == {"amount": "1261440.00", "currency": "USD"}
        # The seller's own is nobody else's to use.
        problem(rig.acme.post("/v1/rights/a-put/exercise"), 404, "unknown_right")
        assert rig.acme.get("/v1/rights/a-call").json()["racks_taken"] == 1


def test_a_tenant_that_is_too_late_may_end_its_tranche(rig: Rig) -> None:
    slip = {"forecast_at": "2028-02-01"}
    assert rig.operator.post(f"{SHELL}/forecast", json=slip).status_code == 200
    found = {each["id"]: each for each in rig.acme.get("/v1/rights").json()["items"]}
    assert found["acme-ends"]["opens"] == "2027-08-30T00:00:00Z"
    (short,) = rig.acme.get("/v1/shortfalls").json()["items"]
    assert (short["longstop"], short["capped"], short["late"]["cap"]["amount"]) == (
        "2027-08-30T00:00:00Z", True, "50000.00",
    )  # fmt: skip


def test_a_shortfall_is_shared_out_by_hand_once_under_a_key(rig: Rig) -> None:
    path, key = "/v1/shortfalls/lpp/gb300-nvl72", {"Idempotency-Key": "share-1"}
    stocks = rig.finance.get("/v1/shortfalls").json()["stocks"]
    assert [(part["nodes"], part["start"][:10]) for part in stocks[0]["parts"]] == [(36, "2027-07-01")]
    assert stocks[0]["by_hand"] is None
    posted = {"shares": [{"tranche": "acme-far", "racks": 2}], "reason": "agreed"}
    before = seq(rig)
    tried = rig.operator.post(path, json=posted | {"dry_run": True}).json()
    assert (tried["changed"], tried["dry_run"], seq(rig)) == (True, True, before)
    first = rig.operator.post(path, json=posted, headers=key).json()
    assert first == tried | {"dry_run": False}
    assert [change["before"]["tranche"] for change in first["risks"]] == ["acme-far", "birch-far"]
    assert [change["after"] is None for change in first["risks"]] == [False, True]
    assert rig.finance.get("/v1/shortfalls").json()["stocks"][0]["by_hand"] == "agreed"
    assert "stocks" not in rig.acme.get("/v1/shortfalls").json()
    rig.pass_time(rigs.SECOND)
    before = seq(rig)
    again = rig.operator.post(path, json=posted, headers=key).json()
    assert (again["changed"], again["risks"], seq(rig)) == (True, [], before)
    # Without a key it changes nothing; and the key is not for another stock.
    assert rig.operator.post(path, json=posted).json()["changed"] is False
    other = {"shares": [{"tranche": "birch-far", "nodes": 36, "start": "2027-07-01", "end": "2030"}]}
    problem(rig.operator.post(path, json=other | {"reason": "x"}, headers=key), 422, "bad_body")


#: What is posted, and why it is refused.
UNSHARED: list[tuple[dict[str, Any], str]] = [
    ({"shares": [{"tranche": "acme-far", "racks": 2}]}, "no_reason"),
    ({"shares": [{"tranche": "acme-far", "racks": 1}], "reason": "x"}, "bad_allocation"),
    ({"shares": [{"tranche": "acme-far", "racks": 3}], "reason": "x"}, "bad_allocation"),
    ({"shares": [{"tranche": "nobody", "racks": 2}], "reason": "x"}, "bad_allocation"),
    ({"shares": [], "reason": "x"}, "bad_allocation"),
    ({"shares": [{"tranche": "acme-far", "racks": 2, "start": "2027-07-01"}], "reason": "x"}, "bad_body"),
    ({"shares": [{"tranche": "acme-far", "racks": 2}], "reason": "x" * 501}, "bad_body"),
    ({"shares": [{"tranche": "acme-far", "gpus": 8}], "reason": "x"}, "bad_body"),
]


def test_what_does_not_add_up_is_not_shared_out(rig: Rig) -> None:
    before = seq(rig)
    for posted, code in UNSHARED:
        problem(rig.operator.post("/v1/shortfalls/lpp/gb300-nvl72", json=posted), 422, code)
    problem(rig.operator.post("/v1/shortfalls/moon/gb300-nvl72", json=UNSHARED[1][0]), 422, "unknown_site")
    problem(rig.operator.post("/v1/shortfalls/lpp/h100", json=UNSHARED[1][0]), 422, "unknown_sku")
    assert seq(rig) == before
