"""How a tenant may divide what it has: every refusal of a document, and of a gang, in its order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from forebay.core import ids
from forebay.core.placements.gang import SubmitGang, Tier
from forebay.core.placements.projects import (
    DEPTH_MAX,
    PROJECTS_MAX,
    ApplyProjects,
    Budget,
    Division,
    Node,
    PriorityClass,
    Project,
    ProjectsPlan,
    UserShare,
    nodes_of,
    whose_of,
)
from tests.core import plant
from tests.core.plant import T0, Driver

HOUR_S = 3600


def project(name: str, parent: str = "", *users: str, **terms: Any) -> Project:
    shares = tuple(UserShare(ids.UserId(user)) for user in users)
    known: dict[str, Any] = {"id": name, "parent": parent, "users": shares}
    return Project(**(known | terms))


def plan(*projects: Project, **terms: Any) -> ProjectsPlan:
    known: dict[str, Any] = {"tenant": "acme", "version": 1, "projects": projects}
    return ProjectsPlan(**(known | terms))


CLASSES = (PriorityClass("high", 0, preempts=True), PriorityClass("low", 600))
LAB = project(
    "lab", "", "ann", "bob", gpus_max=32, user_gpus_max=24, gang_gpus_max=16, walltime_s_max=7200,
    tiers=(Tier.ON_DEMAND,), budget=Budget(20 * HOUR_S, 86_400, T0),
)  # fmt: skip
TEXT = project("lab.text", "lab", priorities=("low",))
OPEN = project("open", user_gpus_max=8, gpus_max=12)


def driver(*contracts: Any) -> Driver:
    made = plant.plant(*contracts)
    made.ask(ApplyProjects(plan(LAB, TEXT, OPEN, priorities=CLASSES)))
    return made


BAD_PLANS: list[tuple[str, ProjectsPlan]] = [
    ("unknown_tenant", plan(tenant="nobody")),
    ("projects_version", plan(LAB, version=1)),
    ("bad_quantity", plan(*[project(f"p{n}") for n in range(PROJECTS_MAX + 1)], version=2)),
    ("bad_quantity", plan(version=2, priorities=tuple(PriorityClass(f"c{n}") for n in range(21)))),
    ("bad_id", plan(project("a b"), version=2)),
    ("bad_id", plan(project("a", "", "x y"), version=2)),
    ("duplicate_id", plan(project("a"), project("a"), version=2)),
    ("duplicate_id", plan(project("a", "", "ann", "ann"), version=2)),
    ("unknown_project", plan(project("a", "b"), version=2)),
    ("bad_projects", plan(project("a", "b"), project("b", "a"), version=2)),
    ("bad_projects", plan(*[project(f"p{n}", f"p{n - 1}" if n else "") for n in range(DEPTH_MAX + 1)], version=2)),
    ("bad_quantity", plan(project("a", shares=0), version=2)),
    ("bad_quantity", plan(replace(LAB, users=(UserShare(ids.UserId("ann"), 0),)), version=2)),
    ("bad_quantity", plan(project("a", gpus_max=-1), version=2)),
    ("bad_quantity", plan(project("a", budget=Budget(0, 3600, 0)), version=2)),
    ("bad_quantity", plan(project("a", budget=Budget(1, 59, 0)), version=2)),
    ("bad_id", plan(version=2, priorities=(PriorityClass("x y"),))),
    ("duplicate_id", plan(version=2, priorities=(PriorityClass("x"), PriorityClass("x")))),
    ("bad_quantity", plan(version=2, priorities=(PriorityClass("x", 9), PriorityClass("y", 8)))),
    ("unknown_priority", plan(version=2, priority="high")),
    ("unknown_priority", plan(project("a", priorities=("high",)), version=2)),
    ("project_in_use", plan(LAB, TEXT, version=2, priorities=CLASSES)),
    ("bad_projects", plan(LAB, project("lab.text"), OPEN, version=2, priorities=CLASSES)),
    ("project_in_use", plan(LAB, replace(TEXT, priorities=()), OPEN, version=2, priorities=CLASSES[:1])),
]  # fmt: skip


@pytest.mark.parametrize(("code", "bad"), BAD_PLANS)
def test_a_document_is_refused(code: str, bad: ProjectsPlan) -> None:
    made = driver()
    made.run("g1", 8, project="open")
    assert made.refused(ApplyProjects(bad)).code == code


def test_what_is_not_in_use_may_go_and_the_same_again_changes_nothing() -> None:
    made = driver()
    assert not made.ask(ApplyProjects(plan(LAB, TEXT, OPEN, priorities=CLASSES)))["changed"]
    assert made.ask(ApplyProjects(plan(OPEN, version=2)))["changed"]
    assert made.refused(SubmitGang(plant.spec("g1", 8, project="lab", user="ann"))).code == "unknown_project"


BAD_GANGS: list[tuple[str, str, dict[str, Any]]] = [
    ("bad_id", "user", {"user": "x y"}),
    ("unknown_project", "project", {}),
    ("unknown_project", "project", {"project": "nothing"}),
    ("not_in_project", "user", {"project": "lab"}),
    ("not_in_project", "user", {"project": "lab.text", "user": "cid"}),
    ("unknown_priority", "priority", {"project": "open", "priority": "urgent"}),
    ("unknown_priority", "priority", {"project": "lab.text", "user": "ann", "priority": "high"}),
    ("tier_not_allowed", "tier", {"project": "lab", "user": "ann", "tier": Tier.SPOT}),
    ("gang_too_large", "gpus", {"project": "lab", "user": "ann", "gpus": 17}),
    ("gang_too_large", "gpus", {"project": "open", "gpus": 13}),
    ("gang_too_large", "gpus", {"project": "open", "user": "ann", "gpus": 9}),
    ("gang_too_long", "walltime_s", {"project": "lab", "user": "ann", "walltime_s": 7201}),
    ("over_budget", "gpus", {"project": "lab.text", "user": "ann", "gpus": 16, "walltime_s": 5400}),
]


@pytest.mark.parametrize(("code", "field", "terms"), BAD_GANGS)
def test_a_gang_is_refused(code: str, field: str, terms: dict[str, Any]) -> None:
    refusal = driver().refused(SubmitGang(plant.spec(**({"gpus": 1} | terms))))
    assert (refusal.code, refusal.field) == (code, field)


def test_refusals_tell_the_number() -> None:
    made = driver()
    for terms, told in [
        ({"gpus": 17}, "17 GPUs are asked for; a gang of project lab may hold 16"),
        ({"gpus": 1, "walltime_s": 7201}, "7201 s are asked for; a gang of project lab may run 7200 s"),
        ({"gpus": 16, "walltime_s": 5400}, "it may take 24 GPU-hours; project lab has 20 in a whole period"),
    ]:
        spec = plant.spec("g1", project="lab", user="ann", **terms)
        assert made.refused(SubmitGang(spec)).detail == told
    refusal = made.refused(SubmitGang(plant.spec("g1", 1)))
    assert refusal.detail == "acme works in projects: one is to be named (it has: lab, lab.text, open)"


def test_who_has_no_projects_names_none() -> None:
    made = plant.plant()
    for field in ("project", "priority"):
        refusal = made.refused(SubmitGang(plant.spec("g1", 1, **{field: "lab"})))
        assert (refusal.code, refusal.field) == ("unknown_project", field)
    assert made.submit("g1", 1, user="ann").spec.user == "ann"


def test_a_tenant_applies_its_own_only() -> None:
    made = plant.plant(plant.contract(), plant.contract("c2", "bravo"))
    own = ApplyProjects(plan(OPEN))
    assert made.refused(own, plant.tenant("bravo")).code == "forbidden"
    assert made.ask(own, plant.tenant("acme"))["changed"]
    # Another tenant's gangs are none of its business.
    assert made.submit("b1", 8, tenant="bravo").phase == "placed"


def test_what_a_gang_counts_to() -> None:
    division = Division(plan(LAB, TEXT, OPEN, priorities=CLASSES))
    spec = plant.spec("g1", 1, project="lab.text", user="ann")
    assert [tuple(node) for node in nodes_of(division, spec)] == [
        ("acme", "", ""), ("acme", "lab.text", ""), ("acme", "lab.text", "ann"), ("acme", "lab", ""),
        ("acme", "lab", "ann"),
    ]  # fmt: skip
    assert whose_of(plant.spec()) is None
    last = division.priority_of("")
    assert last is not None
    assert last.name == "low"
    assert Division(plan(OPEN)).priority_of("") is None
    assert isinstance(next(nodes_of(division, spec)), Node)
