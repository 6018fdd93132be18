"""Invariants of the World, each by its name: asserted by somebody who knows only the events (`inspector`).

Everything happens at any time, in any order: nodes fail, are drained and come back, terms begin and end, capacity is
lent and called back, deliveries slip and come, policies change.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.core import inspector, machine, plant


class Once(machine.Machine):
    inspectors = (inspector.OncePerGpu,)


class Limits(machine.Machine):
    inspectors = (inspector.UnderLimits,)


class Own(machine.Machine):
    #: Invariant 3 counts on borrowers that take their grace and no more.
    driven = plant.PromptDriver
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


def test_invariant_3_a_claims_own_gang_starts_at_once_or_within_the_reclaim_deadline() -> None:
    _held(Own)


def test_invariant_5_work_stays_where_it_may_reside() -> None:
    _held(Residency)
