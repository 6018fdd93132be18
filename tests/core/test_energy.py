"""Whose energy is it? Shares worked out by hand, what comes late, and the order that does not matter."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.core import energy, usage
from forebay.core.energy import AcceptReadings, EnergySource, NodeEnergy
from forebay.core.ids import NodeIndex, Principal, Role
from forebay.core.money import ApplyPriceList
from forebay.core.units import HOUR_US, MICROS
from tests.core import plant
from tests.core.plant import T0, Driver, prices

METER = Principal("m1", Role.METER)
N0 = NodeIndex(0)
#: A node at 6 kW for an hour.
KWH6 = 6000 * HOUR_US


def say(driver: Driver, batch: int, *energies: NodeEnergy) -> dict[str, object]:
    command = AcceptReadings("bmc", batch, T0, driver.at, len(energies), f"{batch:064x}", energies)
    return driver.ask(command, METER)


def hour(n: int, energy_uj: int = KWH6, start_s: int = 0, end_s: int = 3600, node: int = 0) -> NodeEnergy:
    start = T0 + n * HOUR_US
    length = (end_s - start_s) * MICROS
    return NodeEnergy(NodeIndex(node), start + start_s * MICROS, start + end_s * MICROS, length, energy_uj)


def drew(driver: Driver) -> list[tuple[int, int, EnergySource]]:
    """GPU-microseconds, energy, and where it is known from, of each line."""
    state = driver.world.state
    return [
        (line.gpu_us, line.energy_uj, line.energy_source)
        for line in usage.lines(state.usage, state.supply, driver.at)
    ]


def test_a_gang_has_its_share_of_what_its_node_drew() -> None:
    """8 GPUs; 4 of them for half of the hour: a quarter of 6 kWh. What nobody read is 1 kW a GPU."""
    driver = plant.plant()
    driver.run("g1", 4, walltime_s=86_400)
    say(driver, 1, hour(-1))
    driver.later(1800).end("g1")
    driver.later(1800)
    say(driver, 2, hour(0))
    assert drew(driver) == [(2 * HOUR_US, KWH6 // 4, EnergySource.METERED)]
    driver.run("g2", 8, walltime_s=86_400)
    driver.later(hours=1)
    say(driver, 3, hour(1, KWH6 // 2, end_s=1800))
    assert drew(driver) == [(10 * HOUR_US, KWH6 // 4 + KWH6 // 2 + 4 * HOUR_US * 1000, EnergySource.MIXED)]


def test_the_last_word_on_an_hour_holds_and_the_same_batch_once_more_changes_nothing() -> None:
    driver = plant.plant()
    driver.run("g1", 8, walltime_s=86_400)
    driver.later(hours=1)
    assert say(driver, 1, hour(0, KWH6 // 6, end_s=600)) == {"batch": 1, "changed": True, "passed_over": 0}
    assert say(driver, 1, hour(0, KWH6 // 6, end_s=600))["changed"] is False
    say(driver, 2, hour(0))
    assert drew(driver) == [(8 * HOUR_US, KWH6, EnergySource.METERED)]
    say(driver, 3, NodeEnergy(N0, T0, T0 + HOUR_US, 0, 0))
    assert drew(driver) == [(8 * HOUR_US, 8000 * HOUR_US, EnergySource.PROFILE)]
    assert driver.world.state.usage.energy.counts == {"bmc": 3}


def test_a_gang_that_ended_before_it_was_known_gives_back_what_was_not_its_own() -> None:
    driver = plant.plant()
    driver.run("g1", 4, walltime_s=86_400)
    driver.submit("g2", 4, walltime_s=86_400)
    driver.later(hours=1)
    say(driver, 1, hour(0))
    assert drew(driver) == [(4 * HOUR_US, KWH6 // 2, EnergySource.METERED)]
    driver.end("g1", ago_s=1800)
    assert drew(driver) == [(2 * HOUR_US, KWH6 // 4, EnergySource.METERED)]
    driver.start("g2", ago_s=900)
    assert drew(driver) == [(3 * HOUR_US, KWH6 // 4 + KWH6 // 8, EnergySource.METERED)]


def test_each_piece_goes_where_its_price_and_its_period_are() -> None:
    driver = plant.plant()
    driver.run("g1", 8, walltime_s=10 * 86_400)
    say(driver, 1, hour(-1))
    driver.ask(ApplyPriceList(prices(2, 4 * MICROS, effective_at=T0 + HOUR_US // 2)))
    driver.later(hours=1)
    say(driver, 2, hour(0))
    half = (4 * HOUR_US, KWH6 // 2, EnergySource.METERED)
    assert drew(driver) == [half, half]


def test_what_is_read_after_the_close_is_a_correction() -> None:
    driver = plant.plant()
    driver.run("g1", 8, walltime_s=10 * 86_400)
    driver.later(hours=1)
    say(driver, 1, hour(0, KWH6 // 2, end_s=1800))
    (first,) = driver.close()
    assert [line.energy_source for line in first.lines] == [EnergySource.MIXED]
    assert first.lines[0].energy_uj == KWH6 // 2 + 4000 * HOUR_US
    driver.later(hours=1)
    say(driver, 2, hour(0), hour(1))
    corrected, now = drew(driver)
    assert corrected == (0, KWH6 // 2 - 4000 * HOUR_US, EnergySource.METERED)
    assert now == (8 * HOUR_US, KWH6, EnergySource.METERED)
    (second,) = driver.close()
    assert (second.lines[0].kind, second.lines[0].amount_micros) == ("correction", 0)
    # Both periods together drew what was read.
    assert sum(line.energy_uj for bill in (first, second) for line in bill.lines) == 2 * KWH6


def test_hours_older_than_what_is_kept_are_passed_over() -> None:
    driver = plant.plant()
    driver.run("g1", 8, walltime_s=86_400)
    driver.later(hours=1).end("g1")
    say(driver, 1, hour(0))
    driver.later(days=5)
    assert say(driver, 2, hour(0, 1), hour(119))["passed_over"] == 1
    node = driver.world.state.usage.energy.nodes[N0]
    assert (node.stays, [told.start for told in node.told]) == ((), [T0 + 119 * HOUR_US])


def test_price_segments_older_than_what_is_kept_get_nothing() -> None:
    driver = plant.plant()
    driver.run("g1", 8, walltime_s=86_400)
    for version in range(2, usage.SPANS_MAX + 4):
        driver.later(1).ask(ApplyPriceList(prices(version)))
    driver.later(hours=1)
    say(driver, 1, hour(0))
    oldest = driver.world.state.usage.spans[0].start
    assert sum(each.covered_us for each in driver.world.state.usage.energy.tallies.values()) == 8 * (
        T0 + HOUR_US - oldest
    )


@pytest.mark.parametrize(
    ("told", "code", "field"),
    [
        (hour(0, node=10**6), "unknown_node", "energy[0].node"),
        (hour(0, node=-1), "unknown_node", "energy[0].node"),
        (hour(0, start_s=3600), "bad_metering", "energy[0].end"),
        (hour(0, end_s=3601), "bad_metering", "energy[0].end"),
        (hour(2), "bad_metering", "energy[0].end"),
        (hour(0, -1), "bad_metering", "energy[0]"),
        (NodeEnergy(N0, T0, T0 + 5, 6, 1), "bad_metering", "energy[0]"),
    ],
)
def test_what_no_meter_counts_is_refused(told: NodeEnergy, code: str, field: str) -> None:
    driver = plant.plant().later(hours=1)
    refusal = driver.refused(AcceptReadings("bmc", 1, T0, T0, 1, "", (told,)), METER)
    assert (refusal.code, refusal.field) == (code, field)


def test_stays_that_differ_from_placements_are_found() -> None:
    driver = plant.plant()
    driver.run("g1", 8, walltime_s=86_400)
    driver.later(hours=1)
    say(driver, 1, hour(0))
    state = driver.world.state
    state.usage.energy.nodes[N0] = energy.MeteredNode(8)
    assert list(energy.check_stays(state.usage.energy, state.placements))


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(6)), st.integers(0, 3))
def test_any_order_of_what_is_told_gives_the_same_invoice(order: list[int], late: int) -> None:
    """Each hour is told of twice, first in part; the last word is the whole. Told before or after the facts."""
    told = [hour(n, KWH6 + n, node=0) for n in range(6)]

    def run(places: list[int], before: int) -> object:
        driver = plant.plant()
        say(driver, 1, hour(-1))
        driver.run("g1", 3, walltime_s=86_400)
        driver.later(hours=2)
        driver.run("g2", 2, walltime_s=86_400)
        driver.later(hours=1).end("g1", ago_s=600)
        batch = 2
        for place in places[:before]:
            if place < 3:
                say(driver, batch, hour(place, 5, end_s=60))
                say(driver, batch + 1, told[place])
                batch += 2
        driver.later(hours=3).end("g2", ago_s=9000)
        for place in places:
            say(driver, batch, told[place])
            batch += 1
        return driver.close()

    assert run(order, late) == run(list(range(6)), 0)
