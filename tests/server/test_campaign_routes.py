"""Maintenance over HTTP: a plan is shown, a tenant sees and answers its own, windows are read by their clocks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.rig import HOUR, SITE, Rig, contract, problem, rigged

TERMS = (
    "    maintenance: {allowed: 4h, notice: 2d, consent: true, zone: Europe/Helsinki,\n"
    "      windows: [{day: tuesday, start: '02:00', length: 4h}]}\n"
)
FIRMWARE = {
    "id": "fw", "work": "firmware 24.9", "parts": "[{kind: hall, id: h1}]", "start": "2026-12-08T00:00:00Z",
    "end": "2026-12-09T00:00:00Z", "takes": "1h", "at_once": "2", "at_once_per_claim": "1", "notice": "3d",
}  # fmt: skip


def document(**terms: str) -> str:
    told = FIRMWARE | terms
    return "forebay: 1\nkind: Campaign\n" + "".join(f"{name}: {value}\n" for name, value in told.items())


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        answer = made.apply(SITE, contract("acme", "acme-t") + TERMS, contract("birch", "birch-t"))
        assert answer.status_code == 200, answer.text
        yield made


def planned(rig: Rig, **terms: str) -> Any:
    return rig.apply(document(**terms), dry_run=True)


def test_a_plan_says_what_it_does_and_changes_nothing(rig: Rig) -> None:
    (applied,) = planned(rig).json()["applied"]
    assert applied["changed"]
    answer = applied["answer"]
    assert (answer["waves"], answer["nodes"]) == (2, 72)
    acme, birch = answer["claims"]
    assert (acme["tranche"], acme["consent"], acme["notice_s"]) == ("acme-t", "asked", 2 * 86_400)
    assert (acme["notify"], acme["latest_notice"]) == ("2026-12-05T00:00:00Z", "2026-12-06T00:00:00Z")
    assert acme["months"] == [
        {"month": "2026-12", "agreed_s": 3600, "done_s": 0, "beyond_s": 0, "left_s": 10_800}
    ]
    assert (birch["allowed_s"], birch["months"]) == (None, [])
    assert rig.operator.get("/v1/campaigns").json()["items"] == []


def test_what_contracts_do_not_agree_is_refused_by_name(rig: Rig) -> None:
    told = problem(planned(rig, start="2026-12-08T08:00:00Z"), 422, "outside_windows")
    assert "outside_windows: acme-t has no window open then: 3600 seconds" in told["detail"]
    problem(planned(rig, start="2026-12-02T00:00:00Z"), 422, "late_notice")
    problem(planned(rig, end="2026-11-01T00:00:00Z"), 422, "bad_interval")
    assert planned(rig, start="2026-12-08T08:00:00Z", despite="[outside_windows]").status_code == 200


def test_a_tenant_sees_and_answers_its_own(rig: Rig) -> None:
    assert rig.apply(document()).status_code == 200
    assert not rig.apply(document()).json()["applied"][0]["changed"]
    seen = rig.acme.get("/v1/campaigns/fw").json()
    assert [each["tranche"] for each in seen["claims"]] == ["acme-t"]
    assert [each["consent"] for each in seen["claims"]] == ["asked"]
    whole = rig.operator.get("/v1/campaigns/fw").json()
    assert [each["tranche"] for each in whole["claims"]] == ["acme-t", "birch-t"]
    assert whole["next"] == "2026-12-08T00:00:00Z"
    problem(rig.birch.post("/v1/campaigns/fw/consent", json={"tranche": "acme-t"}), 422, "unknown_tranche")
    answer = rig.acme.post("/v1/campaigns/fw/consent", json={"tranche": "acme-t"})
    assert answer.json() == {"campaign": "fw", "changed": True}
    problem(rig.acme.post("/v1/campaigns/fw/pause", json={}), 403, "forbidden")
    problem(rig.operator.post("/v1/campaigns/none/pause", json={}), 404, "not_found")
    problem(rig.operator.post("/v1/campaigns/fw/pause", json={"reason": "x" * 501}), 422, "bad_body")
    rig.pass_time(160 * HOUR + HOUR // 2)
    begun = rig.operator.get("/v1/campaigns/fw").json()
    assert begun["waves_begun"] == 1
    assert begun["next"] == "2026-12-08T01:00:00Z"
    assert len(begun["out"]) == 36
    assert begun["claims"][0]["noticed"] == "2026-12-05T00:00:00Z"
    own = rig.acme.get("/v1/campaigns/fw").json()
    assert set(own["out"]) == {*own["claims"][0]["nodes"]} & {*begun["out"]}


def test_what_differs_is_told(rig: Rig) -> None:
    posted = {"documents": [{"name": "fw.yaml", "text": document()}]}
    assert (
        rig.operator.post("/v1/documents/differences", json=posted).json()["documents"][0]["state"] == "new"
    )
    assert rig.apply(document()).status_code == 200
    assert (
        rig.operator.post("/v1/documents/differences", json=posted).json()["documents"][0]["state"] == "same"
    )
