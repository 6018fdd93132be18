"""Which policies may be in force?"""

from __future__ import annotations

import pytest

from forebay.core.placements import gang as gangs
from forebay.core.placements.gang import Policy
from forebay.core.placements.schedule import WALLTIME_S_MAX
from tests.core import plant


@pytest.mark.parametrize(
    ("policy", "code", "field"),
    [
        (Policy(0, overtake_s=-1), "bad_quantity", "policy.overtake_s"),
        (Policy(2, backoff_s=WALLTIME_S_MAX + 1), "bad_quantity", "policy.backoff_s"),
        (Policy(2, start_timeout_s=0), "bad_quantity", "policy.start_timeout_s"),
        (Policy(2, interruptions_max=-1), "bad_quantity", "policy.interruptions_max"),
        (Policy(2, restart_s=-1), "bad_quantity", "policy.restart_s"),
        (Policy(2, depth=0), "bad_quantity", "policy.depth"),
        (Policy(2, ramp_w_per_minute=-1), "bad_quantity", "policy.ramp_w_per_minute"),
        (Policy(2, weigh_s=59), "bad_quantity", "policy.weigh_s"),
        (Policy(2, age_s=-1), "bad_quantity", "policy.age_s"),
        (Policy(2, half_life_s=5000), "bad_quantity", "policy.half_life_s"),
        (Policy(2, half_life_s=-3600), "bad_quantity", "policy.half_life_s"),
        (Policy(1, overtake_s=9), "policy_version", "version"),
        (Policy(0), "policy_version", "version"),
    ],
)
def test_a_policy_is_refused(policy: Policy, code: str, field: str) -> None:
    driver = plant.plant(policy=Policy(1))
    refusal = driver.refused(gangs.ApplyPolicy(policy))
    assert (refusal.code, refusal.field) == (code, field)


def test_the_same_policy_twice_changes_nothing() -> None:
    driver = plant.plant(policy=Policy(1))
    assert driver.ask(gangs.ApplyPolicy(Policy(1))) == {"version": 1, "changed": False}
    assert driver.ask(gangs.ApplyPolicy(Policy(2))) == {"version": 2, "changed": True}
