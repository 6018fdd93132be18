"""Loans over HTTP: each sees what is its own; a preview; checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from forebay.core.units import HOUR_US
from tests.server.rig import Rig, gang, problem, rigged


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        made.furnish()
        yield made


def test_nothing_is_lent_and_nobody_would_go(rig: Rig) -> None:
    assert rig.operator.get("/v1/loans").json() == {"items": []}
    tranche = rig.operator.get("/v1/tranches").json()["items"][0]["id"]
    told = rig.operator.get(f"/v1/what-if/reclaim?tranche={tranche}&gpus=8").json()
    assert (told["victims"], told["leaving"], told["lost_gpu_s"]) == ([], [], 0)
    assert told["back_at"] == told["due_at"]
    problem(rig.operator.get("/v1/what-if/reclaim?tranche=none&gpus=8"), 422, "unknown_tranche")
    problem(rig.acme.get(f"/v1/what-if/reclaim?tranche={tranche}&gpus=8"), 403, "forbidden")


def test_each_sees_its_own_side_of_a_loan(rig: Rig) -> None:
    for name, tier, gpus in (("fills", "on_demand", 128), ("lent", "spot", 60)):
        answer = rig.birch.post("/v1/gangs", json=gang("birch", name, tier=tier, gpus=gpus))
        assert answer.status_code == 201, answer.text
    rig.pass_time(HOUR_US)
    (loan,) = rig.operator.get("/v1/loans").json()["items"]
    assert (loan["gang"], loan["tenant"], loan["tranche"], loan["gpus"]) == (
        "birch.lent",
        "birch",
        "acme-t1",
        60,
    )
    assert 60 * 3500 < loan["lost_gpu_s"] <= 60 * 3600
    assert (loan["late"], loan["due_at"]) == (False, None)
    hidden = {"gang": "", "tenant": ""}
    assert rig.acme.get("/v1/loans").json()["items"] == [loan | hidden]
    assert rig.birch.get("/v1/loans").json()["items"] == [loan | {"tranche": ""}]
    told = rig.operator.get("/v1/what-if/reclaim?tranche=acme-t1&gpus=40").json()
    assert [(each["gang"], each["gpus"]) for each in told["victims"]] == [("birch.lent", 60)]
    assert told["lost_gpu_s"] == loan["lost_gpu_s"]
    problem(rig.operator.get("/v1/what-if/reclaim?tranche=acme-t1&gpus=72"), 409, "no_room")
    # A checkpoint is reported by whose gang it is.
    problem(rig.acme.post("/v1/gangs/birch.lent/checkpoint"), 404, "not_found")
    saved = rig.birch.post("/v1/gangs/birch.lent/checkpoint")
    assert saved.json() == {"gang": "birch.lent", "changed": True}
    early = rig.birch.post("/v1/gangs/birch.lent/checkpoint", json={"effective_at": "2026-12-01T07:00:00Z"})
    assert early.json()["changed"] is False
    assert rig.operator.get("/v1/loans").json()["items"][0]["lost_gpu_s"] == 0
