"""Projects change, fill up, are spent and give way, in any order: every invariant holds after each step."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from forebay.core.placements.projects import ApplyProjects, Budget, Spent
from tests.core import plant
from tests.core.divided_machine import DividedMachine
from tests.core.placements.test_projects import plan, project
from tests.core.plant import T0


def test_anything_of_projects_in_any_order() -> None:
    run_state_machine_as_test(
        DividedMachine,
        settings=settings(
            max_examples=15, stateful_step_count=30, derandomize=True, database=None, deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


def test_a_spent_budget_stops_only_those_that_count_to_it() -> None:
    driver = plant.plant()
    lab = project("lab", budget=Budget(8 * 3600, 86_400, T0, Spent.STOP))
    driver.ask(ApplyProjects(plan(lab, project("text", "lab"), project("other"))))
    driver.run("beside", 8, project="other", walltime_s=7200)
    driver.run("own", 4, project="lab", walltime_s=7200)
    driver.run("below", 4, project="text", walltime_s=7200)
    driver.later(hours=1)
    assert driver.phases("beside", "own", "below") == ["running", "stopping", "stopping"]
    assert [driver.gang(name).reason for name in ("own", "below")] == ["budget", "budget"]
