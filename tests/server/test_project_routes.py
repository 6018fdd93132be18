"""Projects and the queue over HTTP: applied by their tenant, seen by nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.rig import HOUR, Rig, gang, problem, rigged

PROJECTS = """\
forebay: 1
kind: Projects
version: 1
priorities:
  - {name: urgent}
  - {name: normal, behind: 1h}
priority: normal
projects:
  - id: lab
    shares: 3
    gpus: 4
    budget: {gpu_hours: 100, every: 1d, begins: 2026-12-01T00:00:00Z, then: stop}
    users: [{id: u1, shares: 2}, {id: u2}]
  - {id: text, parent: lab, gang_gpus: 4, walltime: 1d, tiers: [on_demand], priorities: [normal]}
  - {id: shop, gpus_per_user: 8}
"""
POLICY = "forebay: 1\nkind: Policy\nversion: 1\nhalf_life: 2h\nweigh: 10m\nage: 10m\n"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        made.furnish()
        assert made.apply(POLICY).status_code == 200
        answer = made.apply(PROJECTS, client=made.acme)
        assert answer.status_code == 200, answer.text
        assert answer.json()["applied"][0]["answer"] == {"tenant": "acme", "version": 1, "changed": True}
        yield made


def submit(rig: Rig, name: str, **fields: Any) -> None:
    answer = rig.acme.post("/v1/gangs", json=gang("acme", name, **{"walltime": "1h"} | fields))
    assert answer.status_code == 201, answer.text


def test_who_has_had_how_much(rig: Rig) -> None:
    submit(rig, "one", project="text", user="u1")
    submit(rig, "two", project="lab", user="u2", priority="urgent")
    rig.pass_time(HOUR // 2)
    (body,) = rig.acme.get("/v1/projects").json()["items"]
    assert body == rig.operator.get("/v1/projects/acme").json()
    assert (body["version"], body["fair_share"], body["priority"]) == (1, True, "normal")
    lab, text, shop = body["projects"]
    assert [each["depth"] for each in (lab, text, shop)] == [0, 1, 0]
    assert (lab["gpus"], lab["gpus_max"], lab["waiting"], lab["running"]) == (4, 4, 1, 1)
    assert lab["budget"] == {
        "gpu_hours": "100.00", "used_gpu_hours": "2.00", "ends_at": "2026-12-02T00:00:00Z", "then": "stop",
        "spent": False,
    }  # fmt: skip
    assert float(lab["used_gpu_hours"]) < 2
    # All of it by one of two top projects with three of four shares.
    assert lab["of_share_ppm"] == 1_333_333
    assert [(user["id"], user["shares"], user["gpus"]) for user in lab["users"]] == [
        ("u1", 2, 4),
        ("u2", 1, 0),
    ]
    assert (shop["used_gpu_hours"], shop["step"], shop["budget"]) == ("0.00", 0, None)
    told = rig.acme.get("/v1/gangs/acme.two/explain").json()
    assert told["constraint"] == {"code": "cap", "level": "lab", "have": 0, "need": 4}
    assert (
        told["summary"]
        == "Cap: 4 GPUs are needed; project lab holds 4 of the 4 GPUs that it may hold at once."
    )
    assert told["facts"][0] == "They are held by acme.one (4)."
    shown = rig.acme.get("/v1/gangs/acme.two").json()
    assert (shown["project"], shown["user"], shown["priority"]) == ("lab", "u2", "urgent")


def test_the_queue_says_why_in_this_order(rig: Rig) -> None:
    submit(rig, "one", project="lab", user="u1")
    submit(rig, "hog", project="shop", gpus=80)
    submit(rig, "slow", project="shop", gpus=80)
    submit(rig, "fast", project="shop", gpus=80, priority="urgent")
    submit(rig, "capped", project="lab", user="u2")
    items = rig.acme.get("/v1/queue").json()["items"]
    assert [each["gang"] for each in items] == ["acme.fast", "acme.slow", "acme.capped"]
    assert [each["waits_for"]["code"] for each in items] == ["nodes", "nodes", "cap"]
    assert [(each["place"], each["behind_s"], each["step"]) for each in items] == [
        (1, 0, 0), (2, 3600, 0), (3, 3600, 0),
    ]  # fmt: skip
    page = rig.operator.get("/v1/queue?tenant=acme&limit=1").json()
    assert [each["gang"] for each in page["items"]] == ["acme.fast"]
    rest = rig.operator.get(f"/v1/queue?tenant=acme&cursor={page['next_cursor']}").json()
    assert [each["gang"] for each in rest["items"]] == ["acme.slow", "acme.capped"]
    assert rig.birch.get("/v1/queue").json()["items"] == []
    # Once use is weighed, who had most of it comes last.
    rig.pass_time(HOUR // 6)
    items = rig.acme.get("/v1/queue").json()["items"]
    assert [(each["gang"], each["step"]) for each in items] == [
        ("acme.capped", 0), ("acme.fast", 16), ("acme.slow", 16),
    ]  # fmt: skip


def test_nobody_sees_another_tenants(rig: Rig) -> None:
    assert rig.birch.get("/v1/projects").json()["items"] == []
    problem(rig.birch.get("/v1/projects/acme"), 404, "not_found")
    problem(
        rig.apply(PROJECTS.replace("version: 1", "version: 2\ntenant: acme"), client=rig.birch),
        403,
        "forbidden",
    )
    problem(rig.apply(PROJECTS, client=rig.finance), 403, "forbidden")


#: what is said otherwise, code, pointer
MISTAKES = [
    ("shares: 3", "shares: 0", "bad_quantity", "/projects/0/shares"),
    ("parent: lab", "parent: lob", "unknown_project", "/projects/1/parent"),
    ("every: 1d", "every: 1s", "bad_quantity", "/projects/0/budget/every"),
    ("behind: 1h", "behind: 400d", "bad_quantity", "/priorities/1/behind"),
    ("priority: normal\n", "priority: low\n", "unknown_priority", "/priority"),
    ("version: 1", "version: 1\ntenant: nobody", "unknown_tenant", "/tenant"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "instead", "code", "pointer"), MISTAKES)
def test_a_mistake_is_told_where_it_stands(
    rig: Rig, said: str, instead: str, code: str, pointer: str
) -> None:
    text = PROJECTS.replace(said, instead, 1).replace("version: 1", "version: 2")
    text = text if "tenant" in text else text.replace("version: 2", "version: 2\ntenant: acme")
    answer = problem(rig.apply(text), 422, code)
    assert answer["errors"][0]["pointer"].endswith(pointer)


def test_whose_it_is_has_to_be_said_by_an_operator(rig: Rig) -> None:
    answer = problem(rig.apply(PROJECTS.replace("version: 1", "version: 2")), 422, "bad_document")
    assert "whose projects" in answer["detail"]
    answer = problem(
        rig.apply(PROJECTS.replace("2026-12-01T00:00:00Z", "now"), client=rig.acme), 422, "bad_document"
    )
    assert "'now' is meant for a start only" in answer["detail"]
