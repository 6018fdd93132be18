"""Whether gangs of some tiers run on a node, as things stand."""

from __future__ import annotations

from forebay.core.placements.at_work import AtWork
from forebay.core.placements.gang import Tier
from tests.core import plant


def test_who_stops_is_not_at_work() -> None:
    driver = plant.plant()
    driver.run("a", 8)
    (node,) = driver.nodes("a")
    state, held = driver.world.state.placements, driver.world._held
    everybody, dedicated = AtWork(state, held, *Tier), AtWork(state, held, Tier.DEDICATED)
    assert node in everybody
    assert node not in dedicated
    assert node + 1 not in everybody
    driver.cancel("a")
    assert node not in everybody
