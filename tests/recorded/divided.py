"""The part of the story in which a tenant divides what it may use: projects, shares, a budget."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from forebay.core import ids
from forebay.core.placements.gang import Ending
from forebay.core.placements.projects import (
    ApplyProjects,
    Budget,
    PlaceTaken,
    PriorityClass,
    Project,
    ProjectsPlan,
    Spent,
    UserShare,
)
from tests.core.plant import Driver


def divide(driver: Driver) -> None:
    """Use is weighed, a budget is spent and begins anew."""
    held = driver.world.state.placements.policy
    driver.policy(half_life_s=7200, weigh_s=600, age_s=60)
    users = (UserShare(ids.UserId("u1"), 2), UserShare(ids.UserId("u2")))
    budget = Budget(8 * 3600, 7200, driver.at, Spent.STOP)
    lab = Project(ids.ProjectId("lab"), ids.ProjectId(""), 3, users, 8, 8, 8, 86_400, (), (), budget)
    text = Project(ids.ProjectId("text"), lab.id, priorities=("low",))
    classes = (PriorityClass("high", 0, preempts=True), PriorityClass("low", 600))
    driver.ask(ApplyProjects(ProjectsPlan(ids.TenantId("carol"), 1, (lab, text), classes, "low")))
    terms: dict[str, Any] = {"tenant": "carol", "walltime_s": 3600}
    driver.run("carol.low", 8, project="text", user="u1", priority="low", **terms)
    driver.submit("carol.capped", 8, project="lab", user="u2", **terms)
    driver.later(1200)
    driver.submit("carol.high", 8, project="lab", user="u2", priority="high", **terms)
    driver.later(2400).end("carol.low", Ending.STOPPED)
    driver.later(4000)
    for name in ("carol.low", "carol.capped", "carol.high"):
        if driver.phase(name) != "ended":
            driver.cancel(name)
        if driver.phase(name) == "stopping":
            driver.end(name)
    _take_a_place(driver)
    driver.policy(half_life_s=held.half_life_s, weigh_s=held.weigh_s, age_s=held.age_s)


def _take_a_place(driver: Driver) -> None:
    """All that is free is filled by a lower class, and a higher one comes again and again."""
    held = driver.world.state.placements.sharing.plans[ids.TenantId("carol")]
    shop = Project(ids.ProjectId("shop"))
    driver.ask(ApplyProjects(replace(held, version=2, projects=(*held.projects, shop))))
    names: list[str] = []
    while not names or driver.phase(names[-1]) != "pending":
        names.append(f"carol.shop{len(names)}")
        driver.submit(names[-1], 8, tenant="carol", project="shop", user="u9", walltime_s=3600)
    # What leaves anyway is counted on before anybody's place is taken.
    while not driver.count(PlaceTaken):
        names.append(f"carol.high{len(names)}")
        driver.submit(names[-1], 8, tenant="carol", project="shop", priority="high", walltime_s=3600)
    taken = driver.last(PlaceTaken).victims[0].gang
    driver.end(taken, Ending.STOPPED)
    for name in reversed(names):
        driver.cancel(name)
        if driver.phase(name) == "stopping":
            driver.end(name, Ending.STOPPED)
