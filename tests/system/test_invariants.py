"""Invariants of the World, each by its name: asserted by somebody who knows only the events (`inspector`).

Everything happens at any time, in any order: nodes fail, are drained and come back, terms begin and end, capacity is
lent and called back, deliveries slip and come, policies change.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from forebay.core import ids, supply
from forebay.core.placements import gang as gangs
from forebay.core.placements.gang import Tier
from tests.core import inspector, machine, plant


class Once(machine.Machine):
    inspectors = (inspector.OncePerGpu, inspector.AsShaped, inspector.WithData)


class Limits(machine.Machine):
    inspectors = (inspector.UnderLimits,)


class Own(machine.Machine):
    #: Invariant 3 counts on borrowers that take their grace and no more.
    driven = plant.PromptDriver
    #: Nor does it start where it would still be when a wave of maintenance begins, which was announced in time.
    maintained = False
    inspectors = (inspector.OwnAtOnce,)


class Residency(machine.Machine):
    inspectors = (inspector.Resident,)


def _held(kind: type[machine.Machine], examples: int = 20, steps: int = 30) -> None:
    run_state_machine_as_test(
        kind,
        settings=settings(
            max_examples=examples, stateful_step_count=steps, derandomize=True, database=None, deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


def test_invariant_1_no_gpu_twice_unhealthy_or_expired_and_gangs_are_whole() -> None:
    _held(Once)


def test_invariant_2_no_level_is_taken_over_its_limit() -> None:
    _held(Limits)


@pytest.mark.parametrize("cooled", [(9_000, 40_000), (40_000, 4_000), (17_100, 7_300)])
def test_invariant_2_no_loop_is_given_more_heat_than_it_takes(cooled: tuple[int, int]) -> None:
    """More is asked for than a loop can take, with power for it; then it takes less for a while, and fails."""
    run = Limits()
    run.build([40_000] * 4, cooled)
    ask = run.driver.ask
    for tier in (Tier.ON_DEMAND, Tier.SPOT):
        run.fill("acme", tier, 4, 6)
        run.inspected()
    run.engine_obeys(stop=True, start=True)
    limits = {"liquid l2": cooled[0], "air l2": cooled[1], "rack r2": 13_000, "rack r3": 13_000}
    loads_w = run.inspection.facts.loads_w(run.inspection.facts.work.values())
    assert any(loads_w[level] + 4_000 > limit_w for level, limit_w in limits.items())
    for carrier, of_w in (("liquid", cooled[0]), ("air", cooled[1])):
        run.curtail(f"k-{carrier}", f"{carrier} l2", 10, False, 0, 3_600, 60)
        run.inspected()
        run.engine_obeys(stop=True, start=False)
        run.pass_time(60)
        run.inspected()
        there = run.inspection.facts
        assert there.limit_w(f"{carrier} l2") == of_w // 10
        assert there.loads_w(there.work.values())[f"{carrier} l2"] <= of_w // 10
    ask(supply.ReportDomainHealth(supply.DomainKind.LOOP, "l2", False, "tripped", run.driver.at), plant.EDGE)
    run.engine_obeys(stop=True, start=True)
    run.pass_time(3_600)
    run.fill("acme", Tier.ON_DEMAND, 4, 2)
    run.inspected()
    on_l2 = {node for node, rack in there.rack_of.items() if there.loop_of(rack) == "l2"}
    assert on_l2 <= there.failed
    assert not any(on_l2 & work.nodes.keys() for work in there.work.values())


def test_invariant_3_a_claims_own_gang_starts_at_once_or_within_the_reclaim_deadline() -> None:
    _held(Own)


def test_invariant_5_work_stays_where_it_may_reside() -> None:
    _held(Residency)


def test_work_starts_only_where_its_data_is() -> None:
    """It is copied first, for an hour; until then nobody who reads it starts there, and others go on."""
    run = Once()
    run.build([40_000] * 4, (40_000, 40_000))
    run.store(("n1",), True, 4)
    web = (ids.DatasetId("web"),)
    for number, sites in enumerate((("south",), ("north",), ("south",))):
        reads = number < 2
        asked = plant.spec(
            f"acme.d{number}", 3 if reads else 1, sku="s4", sites=sites, datasets=web if reads else ()
        )
        run.ask(gangs.SubmitGang(asked), plant.tenant("acme"))
        run.inspected()
    placed = {event.gang for _, event in run.driver.events if isinstance(event, gangs.GangPlaced)}
    assert placed == {"acme.d1", "acme.d2"}
    run.pass_time(3_601)
    run.inspected()
    assert "acme.d0" in {event.gang for _, event in run.driver.events if isinstance(event, gangs.GangPlaced)}
