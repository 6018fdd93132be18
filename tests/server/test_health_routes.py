"""Failures over HTTP: parts of the plant, quarantine, checks, tickets; and what is out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.rig import Rig, problem, rigged

POLICY = "forebay: 1\nkind: Policy\nversion: 7\nfailing: {checks: [burn-in], lemon_failures: 2, lemon_window: 1h}\n"
SERVED = """\
forebay: 1
kind: Contract
id: birch-2
seller: us
tenant: birch
currency: USD
tranches:
  - id: birch-served
    site: lpp
    sku: gb300-nvl72
    unit: node
    count: 2
    start: now
    term: 60d
    price_per_gpu_hour: 2.35
    service: {unit: node, replacement: 1h, ladder: [{below: '99 %', credit: '5 %'}]}
"""


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        made.furnish()
        yield made


def test_a_rack_fails_once_for_a_key_and_comes_back(rig: Rig) -> None:
    key = {"Idempotency-Key": "pump"}
    post = rig.operator.post
    first = post("/v1/domains/rack/r04/fail", json={"reason": "pump"}, headers=key)
    assert first.json() == {"kind": "rack", "name": "r04", "changed": True, "nodes": 18}
    rig.pass_time(1_000_000)
    assert post("/v1/domains/rack/r04/fail", json={"reason": "pump"}, headers=key).json() == first.json()
    problem(post("/v1/domains/rack/r03/fail", headers=key), 422, "key_reused")
    (part,) = rig.operator.get("/v1/domains/out").json()["items"]
    assert (part["kind"], part["name"], part["reason"], part["nodes"]) == ("rack", "r04", "pump", 18)
    out = rig.operator.get("/v1/nodes/out?limit=10").json()
    assert [node["name"] for node in out["items"]][:2] == ["r04-n01", "r04-n02"]
    rest = rig.operator.get(f"/v1/nodes/out?limit=10&cursor={out['next_cursor']}").json()
    assert (len(rest["items"]), rest["next_cursor"]) == (8, None)
    late = {"effective_at": "2026-12-01T07:00:00Z"}
    assert post("/v1/domains/rack/r04/restore", json=late).json()["changed"] is False
    assert post("/v1/domains/rack/r04/restore").json()["nodes"] == 18
    problem(post("/v1/domains/rack/r99/fail"), 404, "not_found")
    problem(post("/v1/domains/rack/r04/fail", json={"effective_at": "soon"}), 422, "bad_body")
    problem(post("/v1/domains/rack/r04/fail", json={"reason": "x" * 501}), 422, "bad_body")
    problem(post("/v1/domains/row/r04/fail"), 422, "bad_parameter")
    assert rig.operator.get("/v1/domains/out").json()["items"] == []


def test_a_lemon_is_repaired_checked_and_released(rig: Rig) -> None:
    rig.apply(POLICY)
    post = rig.operator.post
    for _ in range(2):
        post("/v1/nodes/r04-n01/fail", json={"reason": "xid 79"})
        rig.pass_time(60_000_000)
        post("/v1/nodes/r04-n01/restore")
    ticket = {"ticket": "T-17", "cause": "dead fan", "part": "fan 3", "expected_at": "2026-12-02T08:00:00Z"}
    assert post("/v1/nodes/r04-n01/ticket", json=ticket).json() == {"node": "r04-n01", "changed": True}
    (node,) = rig.operator.get("/v1/nodes/out").json()["items"]
    assert node["condition"] == "quarantined"
    assert node["missing_checks"] == ["burn-in"]
    assert (node["failures"], node["ticket"], node["expected_at"]) == (2, "T-17", "2026-12-02T08:00:00Z")
    assert post("/v1/nodes/r04-n01/release").json()["changed"] is True
    assert post("/v1/nodes/r04-n01/check", json={"check": "burn-in", "passed": True}).json() == {
        "node": "r04-n01", "changed": True, "missing": [],
    }  # fmt: skip
    assert rig.operator.get("/v1/nodes/out").json()["items"] == []
    problem(post("/v1/nodes/r04-n01/ticket", json=ticket), 409, "node_in_service")
    problem(
        post("/v1/nodes/r04-n01/check", json={"check": "burn-in", "passed": True}), 409, "not_in_acceptance"
    )
    problem(post("/v1/nodes/r99-n01/check", json={"check": "x", "passed": True}), 404, "not_found")


def test_the_contract_says_by_when_a_node_is_to_be_replaced(rig: Rig) -> None:
    assert rig.apply(SERVED).status_code == 200
    nodes = rig.operator.get("/v1/nodes?limit=1000").json()["items"]
    name = next(node["name"] for node in nodes if node["tranche"] == "birch-served")
    rig.operator.post(f"/v1/nodes/{name}/degrade", json={"reason": "ecc"})
    (node,) = rig.operator.get("/v1/nodes/out").json()["items"]
    assert (node["condition"], node["since"], node["replace_by"]) == ("degraded", None, None)
    rig.operator.post(f"/v1/nodes/{name}/mend")
    rig.operator.post(f"/v1/nodes/{name}/quarantine", json={"effective_at": ""})
    (node,) = rig.operator.get("/v1/nodes/out").json()["items"]
    assert node["condition"] == "quarantined"
    assert node["since"] < node["replace_by"]
