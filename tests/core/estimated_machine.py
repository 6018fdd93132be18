"""The rule machine where gangs ask for no limit of time, and the policy learns how long they run, or does not."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from forebay.core.placements import gang as gangs
from forebay.core.placements.estimates import Estimates
from forebay.core.placements.gang import Ending, Order, Tier
from tests.core import plant
from tests.core.machine import TENANTS, Machine


class EstimatedMachine(Machine):
    """The same with gangs without limits."""

    @rule(
        of=st.sampled_from(TENANTS),
        tier=st.sampled_from(list(Tier)),
        gpus=st.sampled_from([1, 4, 8, 12]),
        user=st.sampled_from(["", "u1"]),
        times=st.integers(1, 4),
    )
    def open_work(self, of: str, tier: Tier, times: int, **work: Any) -> None:
        if tier is Tier.DEDICATED:
            work["tranche"] = f"base-{of[0]}"
        for _ in range(times):
            spec = plant.spec(self.give_name(f"{of}.e"), tenant=of, tier=tier, sku="s4", walltime_s=0, **work)
            self.ask(gangs.SubmitGang(spec), plant.tenant(of))

    @rule(of=st.sampled_from(TENANTS), ran_s=st.sampled_from([3, 100, 4000]))
    def learn(self, of: str, ran_s: int) -> None:
        """So many come and end that something is known of this tenant."""
        known, names = self.driver.world.state.placements.gangs, []
        for _ in range(10):
            name = self.give_name(f"{of}.l")
            spec = plant.spec(name, 1, tenant=of, sku="s4", walltime_s=0)
            self.ask(gangs.SubmitGang(spec), plant.tenant(of))
            if name in known and known[spec.id].phase is gangs.Phase.PLACED:
                self.driver.start(name)
                names.append(spec.id)
        self.driver.later(ran_s)
        for name in names:
            if name in known and known[name].phase is gangs.Phase.RUNNING:
                self.driver.end(name, Ending.COMPLETED)

    @rule(
        learns=st.booleans(),
        default_s=st.sampled_from([0, 0, 600]),
        most_s=st.sampled_from([0, 0, 90_000]),
        wait_s=st.sampled_from([0, 3600, 10**6]),
        order=st.sampled_from(list(Order)),
    )
    def switch(self, learns: bool, default_s: int, most_s: int, wait_s: int, order: Order) -> None:
        self.driver.policy(
            estimates=Estimates.LEARNED if learns else Estimates.REQUESTED, order=order,
            walltime_s_default=default_s, walltime_s_max=most_s, estimates_wait_s=wait_s,
        )  # fmt: skip
