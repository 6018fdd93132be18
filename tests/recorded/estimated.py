"""The parts of the story in which run times are learned, and in which tenants are to have fair shares."""

from __future__ import annotations

from typing import Any

from forebay.core import ids
from forebay.core.placements.among import AmongTenants, TenantShare
from forebay.core.placements.estimates import Estimates
from tests.core.plant import Driver


def learn(driver: Driver) -> None:
    """Ten end within minutes; one that is alike runs on."""
    held = driver.world.state.placements.policy
    driver.policy(estimates=Estimates.LEARNED, walltime_s_max=30 * 86_400)
    terms: dict[str, Any] = {"tenant": "bravo", "walltime_s": 0, "user": "u3"}
    for number in range(10):
        driver.run(f"bravo.quick{number}", 1, **terms)
        driver.later(100 + number).end(f"bravo.quick{number}")
    driver.run("bravo.slow", 1, **terms)
    driver.later(500).end("bravo.slow")
    driver.policy(estimates=held.estimates, walltime_s_max=held.walltime_s_max)


def share_alike(driver: Driver) -> None:
    """For an hour or two it counts what tenants use on demand."""
    held = driver.world.state.placements.policy
    driver.policy(among=AmongTenants(7200, 600, 60, (TenantShare(ids.TenantId("bravo"), 2),)))
    driver.run("bravo.shared", 8, tenant="bravo", walltime_s=86_400)
    driver.later(hours=2).end("bravo.shared")
    driver.policy(among=held.among)
