"""What fails is the same for the same seed, and a node is well again when nothing of it is broken any more."""

from __future__ import annotations

from itertools import pairwise

import pytest

from forebay.core import ids, supply
from forebay.engines.simulated import SimulatedEngine
from forebay.journals.digest import DigestJournal
from forebay.twin import plants
from forebay.twin.clock import VirtualClock
from forebay.twin.driver import Twin
from forebay.twin.faults import FailureRate, Faults, Rates

HOUR, DAY_US = 3600, 86_400_000_000
OFTEN = Rates(
    FailureRate(50 * HOUR, 5 * HOUR), FailureRate(100 * HOUR, 3 * HOUR), FailureRate(200 * HOUR, HOUR)
)


def plant(gpus: int = 1024) -> supply.State:
    clock = VirtualClock(plants.EPOCH_US)
    twin = Twin(clock, SimulatedEngine(clock, {}), DigestJournal())
    plants.apply(twin, plants.of_gpus(gpus), [])
    return twin.world.state.supply


def told(faults: Faults, until: int) -> list[ids.Asked]:
    found: list[ids.Asked] = []
    while (at := faults.next_at()) is not None and at < until:
        found += faults.due(at)
    return found


def test_one_seed_gives_one_history_and_another_seed_another() -> None:
    state = plant()
    first, again, other = (told(Faults(OFTEN, seed, 0, state), DAY_US) for seed in (1, 1, 2))
    assert first == again != other
    assert first


def test_the_rate_of_one_kind_does_not_move_another() -> None:
    state = plant()
    quiet = Rates(OFTEN.node, FailureRate(0, HOUR), FailureRate(0, HOUR))
    alone = told(Faults(quiet, 7, 0, state), 10 * DAY_US)
    both = Faults(OFTEN, 7, 0, state)
    told(both, 10 * DAY_US)
    counted = Faults(quiet, 7, 0, state)
    told(counted, 10 * DAY_US)
    assert both.told["node"].count == counted.told["node"].count
    assert counted.told["rack"].count == counted.told["feed"].count == 0
    assert alone


def test_news_of_a_thing_alternate_and_come_in_order() -> None:
    news: dict[object, list[supply.ReportNodeHealth | supply.ReportDomainHealth]] = {}
    reports = [asked.command for asked in told(Faults(OFTEN, 3, 0, plant()), 20 * DAY_US)]
    for each in reports:
        assert isinstance(each, supply.ReportNodeHealth | supply.ReportDomainHealth)
        name = each.node if isinstance(each, supply.ReportNodeHealth) else (each.kind, each.name)
        news.setdefault(name, []).append(each)
    for one in news.values():
        assert not one[0].healthy
        assert all(
            first.healthy is not second.healthy and first.effective_at <= second.effective_at
            for first, second in pairwise(one)
        )
    assert {each.reason for each in reports if hasattr(each, "reason")} == {
        "node failed", "rack failed", "feed failed", "repaired",
    }  # fmt: skip


def test_a_node_that_is_repaired_passes_what_the_policy_asks_for() -> None:
    faults = Faults(Rates(OFTEN.node, FailureRate(0, 0), FailureRate(0, 0)), 3, 0, plant(), ("burn-in",))
    reports = [asked.command for asked in told(faults, 5 * DAY_US)]
    checks = [each for each in reports if isinstance(each, supply.ReportNodeCheck)]
    well = [each for each in reports if isinstance(each, supply.ReportNodeHealth) and each.healthy]
    assert [each.node for each in checks] == [each.node for each in well]
    assert all(each.passed and each.check == "burn-in" for each in checks)


def test_failures_come_as_often_as_stated() -> None:
    """128 nodes for 400 days at 500 hours between failures of each: 2,458, less those that are out already."""
    faults = Faults(Rates(FailureRate(500 * HOUR, HOUR), FailureRate(0, 0), FailureRate(0, 0)), 1, 0, plant())
    told(faults, 400 * DAY_US)
    assert faults.told["node"].count == pytest.approx(2458, rel=0.05)
    count, hours, _ = faults.as_told()["node"]
    assert hours == pytest.approx(count, rel=0.1)


def test_what_is_built_in_counts_by_gpus() -> None:
    assert Rates().of_node(8).mtbf_s == 50_700 * HOUR // 8
    assert Rates(FailureRate(1, 2)).of_node(8) == FailureRate(1, 2)


def test_a_plant_where_nothing_fails() -> None:
    faults = Faults(Rates(FailureRate(0, 0), FailureRate(0, 0), FailureRate(0, 0)), 1, 0, plant())
    assert faults.next_at() is None
    assert list(faults.due(DAY_US)) == []
