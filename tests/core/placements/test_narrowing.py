"""Do numbers alone rule out only who does not fit?"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant, run_state_machine_as_test

from forebay.core import claims
from forebay.core.placements import narrowing, schedule
from forebay.core.placements.gang import Gang, Phase, Tier
from forebay.core.placements.schedule import Fit
from tests.core import machine, plant
from tests.core.plant import T0, Driver


def lacks_room(driver: Driver, gang: Gang) -> bool:
    desk = driver.world._desk(driver.world.now)
    lacks = narrowing.lacks_room(desk, gang, desk.derived.index, desk.at)
    assert not (lacks and isinstance(schedule.find(desk, gang), Fit))
    return lacks


class Ruling(machine.Machine):
    """Anything in any order, and after each step everybody who waits is looked at in both ways."""

    @invariant()
    def only_who_does_not_fit(self) -> None:
        for gang in self.driver.world.state.placements.gangs.values():
            if gang.phase is Phase.PENDING and not gang.returns_at:
                lacks_room(self.driver, gang)


def test_only_who_does_not_fit_is_ruled_out_whatever_happens() -> None:
    run_state_machine_as_test(
        Ruling,
        settings=settings(
            max_examples=20, stateful_step_count=30, derandomize=True, database=None, deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("most_w", "asked", "lacks"),
    [
        # 64 GPUs of 1 kW are free in all, 16 of them a tranche's; racks draw 2 kW without work.
        (90_000, {"gpus": 56}, True),
        (90_000, {"gpus": 16, "tier": Tier.DEDICATED, "tranche": "t1"}, False),
        (20_000, {"gpus": 16}, True),
        (20_000, {"gpus": 16, "tier": Tier.DEDICATED, "tranche": "t1"}, False),
        (10_000, {"gpus": 16, "tier": Tier.DEDICATED, "tranche": "t1"}, True),
        # Spot may be lent what others have: it is looked for.
        (10_000, {"gpus": 16, "tier": Tier.SPOT}, False),
    ],
)
def test_power_and_numbers_rule_out(most_w: int, asked: dict[str, Any], lacks: bool) -> None:
    own = plant.tranche("t1", 2, unit=claims.Unit.NODE)
    driver = plant.plant(
        plant.contract("c1", "acme", own, on_demand=True, spot=True),
        sites=(plant.site(feeds=[plant.feed("f1", 100_000)]),),
    )
    driver.curtail("heat", "f1", most_w)
    assert lacks_room(driver, Gang(plant.spec("g1", **asked), Phase.PENDING, 1, T0)) is lacks
