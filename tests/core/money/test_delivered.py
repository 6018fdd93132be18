"""How missing time counts: replacement, relief, maintenance, or down; and that it is what `outages` says."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.core import claims, supply
from forebay.core.claims import outages, relief
from forebay.core.claims.maintenance import Maintenance
from forebay.core.claims.service_levels import Rung, ServiceLevel, ServiceUnit
from forebay.core.ids import NodeIndex, TrancheId
from forebay.core.money import Delivered, LossKind, delivered
from forebay.core.placements import downtimes
from forebay.core.placements.campaigns import Overrun, WaveUnit
from forebay.core.placements.downtimes import Outage, Stint
from forebay.core.timeline import INSTANT_MAX, Interval
from forebay.core.units import HOUR_US, SECOND_US
from tests.core import plant
from tests.core.placements import campaigners
from tests.core.plant import T0, Driver, contract, tranche, utc

JANUARY = Interval(utc(2026), utc(2026, 2))
T1 = TrancheId("t1")


def level(unit: ServiceUnit = ServiceUnit.NODE, **terms: Any) -> ServiceLevel:
    return ServiceLevel(unit, (Rung(999_000, 50_000),), **terms)


def january(driver: Driver) -> Delivered:
    own = driver.world.state
    return delivered.measured(own.usage.downtimes, own.claims, own.supply, T1, JANUARY, driver.at)


def told(driver: Driver) -> list[tuple[int, int, int, str, str]]:
    """(first hour, last hour, unit, cause, counted) of each loss"""
    return [
        ((each.start_at - T0) // HOUR_US, (each.end_at - T0) // HOUR_US, each.unit, each.cause, each.counted.value)
        for each in january(driver).losses
    ]  # fmt: skip


def held(service: ServiceLevel, **terms: Any) -> Driver:
    return plant.plant(contract("c1", "acme", tranche(count=2, service=service, **terms)))


def test_each_node_a_rack_with_a_spare_and_the_tranche_as_a_whole() -> None:
    """Nodes 0 and 1 of a rack are out from 1 to 5 h and 3 to 9 h, node 4 of the other from 4 to 6 h."""
    rows = {
        (ServiceUnit.NODE, 0): (8, [(1, 5, 0), (3, 9, 1), (4, 6, 4)]),
        (ServiceUnit.RACK, 4): (2, [(1, 9, 0), (4, 6, 4)]),
        (ServiceUnit.RACK, 3): (2, [(3, 5, 0)]),
        (ServiceUnit.TRANCHE, 0): (1, [(1, 9, 0)]),
        (ServiceUnit.TRANCHE, 6): (1, [(4, 5, 0)]),
    }
    for (unit, healthy), (count, expected) in rows.items():
        driver = held(level(unit, healthy_nodes_min=healthy))
        for hour, node, well in (
            (1, 0, False), (3, 1, False), (4, 4, False), (5, 0, True), (6, 4, True), (9, 1, True),
        ):  # fmt: skip
            driver.until(T0 + hour * HOUR_US)
            driver.health(node, well)
        driver.later(hours=1)
        month = january(driver)
        assert month.due_us == count * 10 * HOUR_US, unit
        merged: list[list[int]] = []
        for start, end, name, *_ in told(driver):
            if merged and merged[-1][1] == start and merged[-1][2] == name:
                merged[-1][1] = end
            else:
                merged.append([start, end, name])
        assert [tuple(each) for each in merged] == expected, (unit, healthy)


def test_what_a_node_hangs_on_is_the_cause() -> None:
    driver = held(level())
    driver.domain("rack", "r1", False)
    driver.later(hours=2)
    driver.fail(4, ago_s=3600)
    driver.later(hours=1).domain("rack", "r1", True, ago_s=1800)
    driver.later(hours=1).recover(4)
    found = january(driver).losses
    assert [(each.unit, each.cause, each.end_at - each.start_at) for each in found if each.unit in (0, 4)] == [
        (0, "rack", 5 * HOUR_US // 2), (4, "node", 3 * HOUR_US),
    ]  # fmt: skip


def test_the_time_to_replace_a_unit_is_no_downtime() -> None:
    driver = held(level(replacement_s=2 * 3600))
    driver.fail(0)
    driver.later(hours=5).recover(0)
    driver.later(hours=1).fail(0)
    driver.later(hours=1)
    assert told(driver) == [
        (0, 2, 0, "node", "replacement"), (2, 5, 0, "node", "down"), (6, 7, 0, "node", "replacement"),
    ]  # fmt: skip


def test_relief_that_was_granted_is_excluded() -> None:
    """It is granted for the sake of a rack that is still to come."""
    terms = claims.ReliefTerms(claims.ReliefKind.FORCE_MAJEURE, notice_s=86_400, cap_s=2 * 3600)
    parts = (claims.Delivery(T0, 1), claims.Delivery(plant.day(20), 1))
    driver = held(level(), relief=(terms,), deliveries=parts)
    driver.fail(0)
    driver.later(hours=6).recover(0)
    driver.ask(
        relief.ReportRelief(T1, claims.ReliefKind.FORCE_MAJEURE, T0 + HOUR_US, T0 + 5 * HOUR_US, "storm")
    )
    assert told(driver) == [(0, 1, 0, "node", "down"), (1, 3, 0, "node", "relief"), (3, 6, 0, "node", "down")]
    assert january(driver).losses[1].decided == "relief: force_majeure, storm"


@pytest.mark.parametrize(
    ("agreed", "kinds"),
    [
        # An hour and a half of two hours' work are agreed; then the hours of the month are used up.
        (Maintenance(allowed_s=5400, notice_s=3600), [("maintenance", 5400), ("down", 1800)]),
        (Maintenance(allowed_s=86_400, notice_s=3600), [("maintenance", 7200)]),
        (Maintenance(allowed_s=86_400, notice_s=11 * 3600), [("down", 7200)]),
        (None, [("down", 7200)]),
    ],
)
def test_maintenance(agreed: Maintenance | None, kinds: list[tuple[str, int]]) -> None:
    driver = plant.plant(contract("c1", "acme", tranche(maintenance=agreed, service=level())))
    campaigners.apply(driver, despite=tuple(Overrun))
    driver.until(campaigners.SOON)
    driver.later(hours=2)
    campaigners.repaired(driver)
    own = [each for each in january(driver).losses if each.unit == 0]
    assert [(each.counted.value, (each.end_at - each.start_at) // SECOND_US) for each in own] == kinds
    assert {each.cause for each in own} == {"maintenance"}
    assert all(each.decided for each in own)


def test_a_failure_beside_maintenance_is_down() -> None:
    """A rack may miss one node. One is worked on: the rack is there. Another fails then: without the work it would be
    there, so that is agreed; a third, and it is not.
    """
    service = level(ServiceUnit.RACK, healthy_nodes_min=3)
    agreed = Maintenance(allowed_s=86_400, notice_s=3600)
    driver = plant.plant(contract("c1", "acme", tranche(maintenance=agreed, service=service)))
    campaigners.apply(driver, unit=WaveUnit.NODE)
    driver.until(campaigners.SOON)
    driver.later(seconds=600).fail(1)
    driver.later(seconds=600).fail(2)
    driver.later(seconds=600).recover(2)
    kinds = [
        (each.counted.value, (each.end_at - each.start_at) // SECOND_US) for each in january(driver).losses
    ]
    assert kinds == [("maintenance", 600), ("down", 600)]


def test_work_that_goes_wrong_is_a_failure_from_then_on() -> None:
    agreed = Maintenance(allowed_s=86_400, notice_s=3600)
    driver = plant.plant(contract("c1", "acme", tranche(maintenance=agreed, service=level())))
    failing = driver.world.state.placements.policy.failing
    driver.policy(failing=replace(failing, checks=("nccl",)))
    campaigners.apply(driver)
    driver.until(campaigners.SOON)
    driver.later(hours=1).recover(0)
    driver.ask(supply.ReportNodeCheck(NodeIndex(0), "nccl", False), plant.EDGE)
    driver.later(hours=1)
    own = [each for each in january(driver).losses if each.unit == 0]
    assert [(each.cause, each.counted.value) for each in own] == [
        ("maintenance", "maintenance"),
        ("node", "down"),
    ]


def test_service_comes_and_goes_and_what_is_long_past_is_forgotten() -> None:
    known = downtimes.Downtimes()
    downtimes.note_service(known, T1, ((0, 4), (8, 2)), T0)
    downtimes.note_service(known, T1, (), T0)
    downtimes.end_service(known, T1, ((1, 2),), T0 + 5)
    assert known.served[T1] == (
        Stint(0, 1, T0, INSTANT_MAX), Stint(1, 2, T0, T0 + 5), Stint(3, 1, T0, INSTANT_MAX),
        Stint(8, 2, T0, INSTANT_MAX),
    )  # fmt: skip
    copied = known.fork()
    # Within one instant it served nobody.
    downtimes.note_service(known, T1, ((20, 1),), T0 + 9)
    downtimes.end_service(known, T1, ((0, 1), (3, 1), (8, 2), (20, 1)), T0 + 9)
    assert [stint.end_at for stint in known.served[T1]] == [T0 + 9, T0 + 5, T0 + 9, T0 + 9]
    assert len(copied.served[T1]) == 4
    downtimes.forget(known, T0 + 5 + downtimes.KEPT_US)
    assert [stint.first for stint in known.served[T1]] == [0, 3, 8]
    downtimes.forget(known, T0 + 9 + downtimes.KEPT_US)
    assert not known.served
    downtimes.note_service(known, T1, ((0, 1),), T0)
    downtimes.end_service(known, T1, ((0, 1),), T0)
    assert not known.served


SECONDS = st.integers(0, 3000)


@settings(max_examples=30, derandomize=True, database=None, deadline=None)
@given(
    outs=st.lists(st.tuples(st.integers(0, 3), SECONDS, SECONDS), max_size=6),
    replacement=st.integers(0, 400),
    spare=st.integers(0, 2),
)
def test_what_is_down_is_what_the_rule_of_outages_says(
    outs: list[tuple[int, int, int]], replacement: int, spare: int
) -> None:
    """A rack in service from the second 500 to 2500; nodes are out one stretch after the other."""
    service = level(ServiceUnit.RACK, healthy_nodes_min=4 - spare, replacement_s=replacement)
    driver = plant.plant(contract("c1", "acme", tranche(service=service)))
    own = driver.world.state
    known = downtimes.Downtimes(served={T1: (Stint(0, 4, T0 + 500 * SECOND_US, T0 + 2500 * SECOND_US),)})
    by_node: dict[int, list[Interval]] = {}
    for node, start, length in sorted(outs):
        before = by_node.setdefault(node, [])
        begins = max(T0 + start * SECOND_US, before[-1].end if before else 0)
        before.append(Interval(begins, begins + (1 + length) * SECOND_US))
    known.out = {
        NodeIndex(node): tuple(Outage(*each, "node", "") for each in stretches)
        for node, stretches in by_node.items()
    }
    found = delivered.measured(known, own.claims, own.supply, T1, JANUARY, JANUARY.end)
    served = Interval(T0 + 500 * SECOND_US, T0 + 2500 * SECOND_US)
    missing = outages.missing((each for stretches in by_node.values() for each in stretches), spare)
    assert found.availability == outages.availability(service, [missing], [[served]], JANUARY)
    assert found.lost_us(LossKind.DOWN) == found.due_us - found.availability.up_us
