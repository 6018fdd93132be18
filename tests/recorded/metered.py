"""The part of the story in which the meter of a node is read."""

from __future__ import annotations

from forebay.core.energy import AcceptReadings, NodeEnergy
from forebay.core.ids import NodeIndex, Principal, Role
from forebay.core.units import HOUR_US
from tests.core.plant import Driver


def read(driver: Driver) -> None:
    """Two batches of one meter: the second says the last hour anew, and the next."""
    hour = driver.at // HOUR_US * HOUR_US - 2 * HOUR_US
    meter = Principal("m1", Role.METER)
    node = NodeIndex(0)
    first = NodeEnergy(node, hour, hour + HOUR_US // 2, HOUR_US // 2, 3000 * HOUR_US)
    driver.ask(AcceptReadings("bmc", 1, hour, first.end, 2, f"{1:064x}", (first,)), meter)
    again = NodeEnergy(node, hour, hour + HOUR_US, HOUR_US, 6000 * HOUR_US)
    more = NodeEnergy(node, again.end, again.end + HOUR_US, HOUR_US, 5000 * HOUR_US)
    driver.ask(AcceptReadings("bmc", 2, first.end, more.end, 3, f"{2:064x}", (again, more)), meter)
