"""The rule machine where tenants divide what they may use: projects change, are full, are spent, and give way."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from forebay.core import ids
from forebay.core.placements import gang as gangs
from forebay.core.placements.gang import Tier
from forebay.core.placements.projects import (
    ApplyProjects,
    Budget,
    PriorityClass,
    Project,
    ProjectsPlan,
    Spent,
)
from tests.core import plant
from tests.core.machine import TENANTS, Machine

CLASSES = (PriorityClass("high", 0, preempts=True), PriorityClass("low", 600))


class DividedMachine(Machine):
    """The same with projects."""

    @rule(
        of=st.sampled_from(TENANTS),
        cap=st.sampled_from([0, 8, 12]),
        user_cap=st.sampled_from([0, 8]),
        budget_h=st.sampled_from([0, 0, 1, 40]),
        then=st.sampled_from(list(Spent)),
        shares=st.sampled_from([1, 5]),
    )
    def divide(self, of: str, cap: int, user_cap: int, budget_h: int, then: Spent, shares: int) -> None:
        held = self.driver.world.state.placements.sharing.plans.get(ids.TenantId(of))
        budget = Budget(budget_h * 3600, 7200, 0, then) if budget_h else None
        projects = (
            Project(ids.ProjectId("lab"), gpus_max=cap, user_gpus_max=user_cap, shares=shares, budget=budget),
            Project(ids.ProjectId("text"), ids.ProjectId("lab")),
            Project(ids.ProjectId("shop")),
        )
        version = 1 if held is None else held.version + 1
        plan = ProjectsPlan(ids.TenantId(of), version, projects, CLASSES)
        self.ask(ApplyProjects(plan), plant.tenant(of))

    @rule(
        of=st.sampled_from(TENANTS),
        tier=st.sampled_from(list(Tier)),
        gpus=st.sampled_from([1, 4, 8, 12]),
        project=st.sampled_from(["lab", "text", "shop"]),
        user=st.sampled_from(["", "u1", "u2"]),
        priority=st.sampled_from(["", "high", "high", "low"]),
        walltime_s=st.sampled_from([60, 3600, 90_000]),
        times=st.integers(1, 4),
    )
    def work_for(self, of: str, tier: Tier, times: int, **work: Any) -> None:
        if tier is Tier.DEDICATED:
            work["tranche"] = f"base-{of[0]}"
        for _ in range(times):
            spec = plant.spec(self.give_name(f"{of}.p"), tenant=of, tier=tier, sku="s4", **work)
            self.ask(gangs.SubmitGang(spec), plant.tenant(of))

    @rule(half_life_s=st.sampled_from([0, 600, 7200]), age_s=st.sampled_from([0, 60, 3600]))
    def forget(self, half_life_s: int, age_s: int) -> None:
        self.driver.policy(half_life_s=half_life_s, weigh_s=600, age_s=age_s)
