"""Engines over HTTP: nobody is watched before a policy asks for it, and only who is silent is fenced."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from forebay.core import ids
from forebay.core.placements.heartbeats import ReportEngineHeard
from forebay.server.composition import PATIENCE_S
from tests.server.rig import Rig, problem, rigged

POLICY = "forebay: 1\nkind: Policy\nversion: 7\nfailing: {engine_silent: 100s, engine_fence: 10m}\n"
EDGE = ids.Principal("local", ids.Role.EDGE)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        made.furnish()
        yield made


def test_an_engine_falls_silent_is_fenced_and_what_it_had_waits_again(rig: Rig) -> None:
    get, post = rig.operator.get, rig.operator.post
    assert get("/v1/engines").json() == {"items": []}
    rig.apply(POLICY)
    heard = ids.Asked(ReportEngineHeard("local"), EDGE)
    answer = rig.forebay.loop.submit(heard).result(PATIENCE_S)
    assert answer == {"engine": "local", "changed": True}
    (engine,) = get("/v1/engines").json()["items"]
    assert (engine["state"], engine["sites"], engine["silent_since"]) == ("heard", [], None)
    body = {"reason": "its host is off"}
    problem(post("/v1/engines/local/fence", json=body), 409, "not_silent")
    problem(post("/v1/engines/other/fence", json=body), 404, "not_found")
    problem(post("/v1/engines/local/fence", json={"reason": "x" * 501}), 422, "bad_body")
    rig.pass_time(200_000_000)
    (engine,) = get("/v1/engines").json()["items"]
    assert engine["state"] == "silent"
    held = engine["gangs"]
    assert post("/v1/engines/local/fence", json=body).json() == {
        "engine": "local", "changed": held > 0, "gangs": held,
    }  # fmt: skip
    (engine,) = get("/v1/engines").json()["items"]
    assert (engine["state"], engine["gangs"], engine["leased"]) == ("fenced", 0, 0)
