"""What if work were submitted, or something failed: compared with how it goes on otherwise, on copies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server import rig as rigs
from tests.server.rig import Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigs.rigged(tmp_path) as made:
        made.furnish()
        yield made


def _document(tenant: str, name: str, gpus: int, by: str, walltime: str = "2h") -> dict[str, str]:
    text = f"""\
forebay: 1
kind: Gang
name: {name}
tenant: {tenant}
{by}
sku: gb300-nvl72
gpus: {gpus}
walltime: {walltime}
"""
    return {"name": f"{name}.yaml", "text": text}


def _try(client: Any, *documents: dict[str, str], **more: Any) -> Any:
    answer = client.post("/v1/what-if/submit", json={"documents": list(documents)} | more)
    assert answer.status_code == 200, answer.text
    return answer.json()


OWN, SPOT = "tier: dedicated\ntranche: acme-t1", "tier: spot"


def test_an_owners_gang_takes_back_what_it_lent(rig: Rig) -> None:
    """Birch borrows all that acme does not use; acme asks what a gang of its own would do."""
    for name in ("one", "two", "three", "four"):
        sent = rig.operator.post(
            "/v1/gangs", json=rigs.gang("birch", name, tier="spot", gpus=64, walltime="1d")
        )
        assert sent.status_code == 201, sent.text
    rig.settle()
    told = _try(rig.operator, _document("acme", "large", 64, OWN))
    (large,) = told["gangs"]
    assert (large["starts"] > told["at"], large["site"], len(large["nodes"])) == (True, "lpp", 16)
    assert [each["reason"] for each in told["stopped"]] == ["reclaim"]
    assert told["stopped"][0]["gang"].startswith("birch.")
    assert told["stopped"][0]["starts"] > large["starts"]
    # Its tenant reads the same of its own gang, and nothing of anybody else's.
    mine = _try(rig.acme, _document("acme", "large", 64, OWN))
    assert mine["gangs"][0]["starts"] == large["starts"]
    assert (mine["stopped"], mine["delayed"], mine["claims"]) == ([], [], [])
    assert "birch" not in str(mine)
    refused = rig.birch.post("/v1/what-if/submit", json={"documents": [_document("acme", "large", 64, OWN)]})
    assert refused.status_code == 403
    assert rig.operator.get("/v1/gangs/acme.large").status_code == 404


def test_who_would_wait_longer(rig: Rig) -> None:
    """What goes by is small and long: who is large and waits would wait for it too."""
    for name, gpus, walltime in (("runs", 72, "1h"), ("waits", 128, "1h")):
        sent = rig.operator.post("/v1/gangs", json=rigs.gang("birch", name, gpus=gpus, walltime=walltime))
        assert sent.status_code == 201, sent.text
    rig.settle()
    assert rig.operator.get("/v1/gangs/birch.waits").json()["phase"] == "pending"
    told = _try(rig.operator, _document("acme", "long", 16, "tier: on_demand", "20h"))
    assert told["gangs"][0]["starts"] == told["at"]
    assert told["gangs"][0]["price_per_hour"] == "67.20 USD"
    (delayed,) = told["delayed"]
    assert delayed["gang"] == "birch.waits"
    assert delayed["otherwise"] < delayed["starts"]
    # A tenant reads of its own that would wait, and not of those of others.
    assert _try(rig.acme, _document("acme", "long", 16, "tier: on_demand", "20h"))["delayed"] == []


def test_a_rack_that_fails_takes_a_claim_below_what_it_is_entitled_to(rig: Rig) -> None:
    node = rig.operator.get("/v1/gangs/acme.own").json()["nodes"][0]
    for kind, name in (("node", node), ("rack", node.rpartition("-")[0])):
        told = rig.operator.post("/v1/what-if/fail", json={"kind": kind, "name": name}).json()
        assert "acme.own" in [each["gang"] for each in told["stopped"]]
        (claim,) = told["claims"]
        assert (claim["tranche"], claim["undeliverable_gpus_before"]) == ("acme-t1", 0)
        assert claim["undeliverable_gpus"] == {"node": 4, "rack": 72}[kind]
        assert claim["price_per_hour"] == {"node": "9.40 USD", "rack": "169.20 USD"}[kind]
        again = {each["gang"]: each["starts"] for each in told["stopped"]}["acme.own"]
        assert (again is None) == (kind == "rack")
    assert rig.operator.get("/v1/gangs/acme.own").json()["phase"] == "running"


def test_a_curtailment_sheds_and_gives_back(rig: Rig) -> None:
    """Spot goes first. It comes back when the hour is over."""
    sent = rig.operator.post(
        "/v1/gangs", json=rigs.gang("birch", "guest", tier="spot", gpus=64, walltime="1d")
    )
    assert sent.status_code == 201, sent.text
    rig.settle()
    posted = {"feed": "utility", "to": "150 kW", "start": "2026-12-01T12:00Z", "end": "2026-12-01T13:00Z"}
    told = rig.operator.post("/v1/what-if/curtail", json=posted).json()
    assert told["what"] == "utility carrying 150 kW"
    guest = {each["gang"]: each for each in told["stopped"]}["birch.guest"]
    assert (guest["reason"], guest["stops"][:16]) == ("curtailed", "2026-12-01T11:55")
    assert guest["lost_gpu_s"] == 64 * ((11 * 60 + 55 - 9 * 60) * 60)
    assert guest["starts"] >= "2026-12-01T13:00"
    assert rig.operator.get("/v1/curtailments").json()["items"] == []
    assert rig.operator.get("/v1/gangs/birch.guest").json()["phase"] == "running"
    refused = rig.operator.post("/v1/what-if/curtail", json=posted | {"feed": "moon"})
    assert 400 <= refused.status_code < 500
    assert "moon" in refused.text


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("submit", {"documents": []}, "there is no gang to submit"),
        ("submit", {"documents": [{"name": "p", "text": rigs.PRICES}]}, "a PriceList is not a gang"),
        ("submit", {"documents": [_document("acme", "g", 8, SPOT)], "horizon_s": 0}, "from 1 to"),
        ("submit", {"documents": [_document("acme", "g", 100_000, SPOT)]}, "100000 GPUs of gb300-nvl72"),
        ("submit", {"documents": [_document("acme", "g", 0, SPOT)]}, "gpus"),
        ("submit", {"documents": [_document("acme", "g", 8, "teir: spot")]}, "teir"),
        ("submit", {"documents": [{"name": "x", "text": "kind: [Gang"}]}, "x"),
        ("submit", {"documents": [_document("acme", "g", 8, SPOT)] * 2}, "stands twice"),
        ("fail", {"kind": "node", "name": "r01-n01", "horizon_s": -5}, "not -5"),
        ("fail", {"kind": "moon", "name": "r01"}, "moon is not one of node, rack"),
        ("fail", {"kind": "rack", "name": "r99"}, "there is no rack r99"),
        ("fail", {"kind": "node", "name": "r01-n77"}, "there is no node r01-n77"),
    ],
)
def test_what_cannot_be_tried(path: str, body: dict[str, Any], told: str, rig: Rig) -> None:
    answer = rig.operator.post(f"/v1/what-if/{path}", json=body)
    assert 400 <= answer.status_code < 500
    assert told in answer.text
