"""What is handed over, over HTTP: keys and tags, both sides, and mistakes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server import rig as rigs
from tests.server.rig import Rig, problem, rigged

#: Two racks of those that stand, from today on.
HANDED = """\
forebay: 1
kind: Contract
id: acme-5
seller: us
tenant: acme
currency: USD
zone: UTC
tranches:
  - id: acme-new
    site: lpp
    sku: gb300-nvl72
    count: 2
    start: 2026-12-01
    term: 60d
    price_per_gpu_hour: 2.35
    late: {grace: 1d, damages_per_gpu_day: 10}
    acceptance: {tests: [{name: burn_in_hours, at_least: 72}], deemed: 3d, billing_from: ready, billing_after: 2d}
    relief: [{kind: force_majeure, notice: 10d, cap: 2d}]
"""
NEW = "/v1/deliveries/acme-new"
GOOD = {"count": 1, "results": {"burn_in_hours": "80.5"}}
FLOOD = {"kind": "force_majeure", "start": "2026-11-30", "end": "2026-12-09", "reason": "flood"}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        made.furnish()
        answer = made.apply(HANDED)
        assert answer.status_code == 200, answer.text
        yield made


def test_both_sides_of_a_delivery(rig: Rig) -> None:
    key = {"Idempotency-Key": "ready-1"}
    first = rig.operator.post(f"{NEW}/ready", json=GOOD, headers=key).json()
    assert (first["notice"], first["deemed_by"]) == (1, "2026-12-04T09:00:00Z")
    rig.pass_time(rigs.HOUR)
    assert rig.operator.post(f"{NEW}/ready", json=GOOD, headers=key).json() == first
    assert rig.operator.post(f"{NEW}/ready", json=GOOD).json()["notice"] == 2
    said = rig.acme.post(f"{NEW}/reject", json={"notice": 2, "reason": "links flap"}).json()
    assert said == {
        "tranche": "acme-new",
        "notice": 2,
        "count": 1,
        "rejected": "2026-12-01T10:00:00Z",
        "zone": "",
    }
    told = rig.acme.post(f"{NEW}/accept").json()
    assert (told["notice"], told["accepted"], told["billing"]) == (
        1, "2026-12-01T10:00:00Z", "2026-12-03T09:00:00Z",
    )  # fmt: skip
    assert rig.operator.post(f"{NEW}/ready", json=GOOD).json()["notice"] == 3
    rig.pass_time(5 * 24 * rigs.HOUR)
    body = rig.acme.get(NEW).json()
    assert [(part["life"], part["deemed"], part["billed"]) for part in body["parts"]] == [
        ("accepted", False, True),
        ("rejected", False, False),
        ("accepted", True, True),
    ]
    assert [body[name] for name in ("count", "bound", "ready", "accepted", "billed")] == [2, 2, 0, 2, 2]
    assert body["parts"][1]["reason"] == "links flap"
    assert body["acceptance"]["tests"] == [
        {"name": "burn_in_hours", "direction": "at_least", "threshold": "72.00"}
    ]
    assert body["parts"][2]["results"] == [{"test": "burn_in_hours", "value": "80.50"}]


def test_what_is_billed_is_explained(rig: Rig) -> None:
    work = {"tier": "dedicated", "tranche": "acme-new", "gpus": 144, "walltime": "30d"}
    answer = rig.acme.post("/v1/gangs", json=rigs.gang("acme", "tests", **work))
    assert answer.status_code == 201, answer.text
    assert rig.operator.post(f"{NEW}/ready", json=GOOD).status_code == 200
    assert rig.acme.post(f"{NEW}/accept").status_code == 200
    rig.pass_time(3 * 24 * rigs.HOUR)
    assert rig.finance.post("/v1/periods/close", json={"reason": "test"}).status_code == 200
    (invoice,) = [each for each in rig.acme.get("/v1/invoices").json()["items"] if each["start"] > "2026-12"][
        -1:
    ]
    found = rig.acme.get(f"/v1/invoices/{invoice['id']}").json()
    own = [n for n, line in enumerate(found["lines"], 1) if line["claim"] == "acme-new"]
    (place,) = [n for n in own if found["lines"][n - 1]["kind"] == "dedicated"]
    told = rig.acme.get(f"/v1/invoices/{invoice['id']}/lines/{place}/explain").json()
    # One rack of two is paid for, since the third day: a day, all of it used by the one gang.
    assert told["gpu_hours"] == "1728.00"
    assert [(each["gang"], each["gpu_hours"]) for each in told["placements"]] == [
        ("acme.tests", "1728.00"),
        ("", "0.00"),
    ]


def test_dates_that_move(rig: Rig) -> None:
    (before,) = [
        each for each in rig.acme.get("/v1/shortfalls").json()["items"] if each["tranche"] == "acme-new"
    ]
    assert (before["until_accepted"], before["moved"]) == (True, [])
    told = rig.operator.post(f"{NEW}/relief", json=FLOOD).json()
    assert told == {
        "tranche": "acme-new", "granted_until": "2026-12-02T00:00:00Z", "capped": True,
        "moved": [{"count": 2, "committed": "2026-12-01T00:00:00Z", "moved_to": "2026-12-03T00:00:00Z"}],
        "zone": "UTC",
    }  # fmt: skip
    (after,) = [
        each for each in rig.acme.get("/v1/shortfalls").json()["items"] if each["tranche"] == "acme-new"
    ]
    assert after["moved"] == told["moved"]
    assert [(each["kind"], each["reason"]) for each in after["reliefs"]] == [("force_majeure", "flood")]
    problem(rig.operator.post(f"{NEW}/relief", json=FLOOD), 409, "relief_used_up")


MISTAKES: list[tuple[str, str, Any, int, str]] = [
    ("operator", f"{NEW}/ready", GOOD | {"results": {"burn_in_hours": "hot"}}, 422, "bad_body"),
    ("operator", f"{NEW}/ready", GOOD | {"received_at": "soon"}, 422, "bad_body"),
    ("operator", f"{NEW}/ready", GOOD | {"results": {}}, 422, "test_missing"),
    ("operator", f"{NEW}/ready", GOOD | {"count": 3}, 409, "not_bound"),
    ("operator", "/v1/deliveries/none/ready", GOOD, 404, "not_found"),
    ("finance", f"{NEW}/ready", GOOD, 403, "forbidden"),
    ("acme", f"{NEW}/ready", GOOD, 403, "forbidden"),
    ("finance", f"{NEW}/accept", {}, 403, "forbidden"),
    ("acme", f"{NEW}/accept", {}, 404, "unknown_notice"),
    ("acme", f"{NEW}/accept", {"notice": 0, "received_at": "2026-12-01"}, 422, "own_notice"),
    ("birch", f"{NEW}/accept", {}, 404, "not_found"),
    ("acme", f"{NEW}/reject", {"reason": "x" * 501}, 422, "bad_body"),
    ("operator", f"{NEW}/relief", FLOOD | {"kind": "weather"}, 422, "bad_body"),
    ("operator", f"{NEW}/relief", FLOOD | {"start": "then"}, 422, "bad_body"),
    ("operator", f"{NEW}/relief", FLOOD | {"kind": "change_order"}, 409, "no_relief"),
]


def test_mistakes(rig: Rig) -> None:
    before = rig.operator.get("/v1/journal/head").json()["seq"]
    for who, path, body, status, code in MISTAKES:
        problem(getattr(rig, who).post(path, json=body), status, code)
    assert rig.operator.get("/v1/journal/head").json()["seq"] == before


def test_an_answer_to_what_has_changed_since_is_refused(rig: Rig) -> None:
    tag = {"If-Match": rig.acme.get(NEW).headers["etag"]}
    assert rig.operator.post(f"{NEW}/ready", json=GOOD, headers=tag).status_code == 200
    problem(rig.acme.post(f"{NEW}/accept", headers=tag), 412, "stale")
