from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.core import claims
from forebay.core.units import DAY_US
from forebay.planner import solving, spreading
from forebay.planner.alike import Case, Counts
from forebay.planner.spreading import Weights
from tests.core.plant import T0, Driver
from tests.planner.estate import contract, estate, rows, tranche
from tests.planner.test_alike import posed

WEIGHTS = Weights()


def holds(found: Case, counts: Counts) -> bool:
    """Whether there are as many racks at every instant, and nobody has too many or what it may not have."""
    wanted = [want.racks for want in found.wants]
    if (counts < 0).any() or (counts.sum(axis=1) > wanted).any() or counts[~found.allowed()].any():
        return False
    for instant in found.instants:
        there = [want.term.start <= instant < want.term.end for want in found.wants]
        if (counts[there].sum(axis=0) > found.sizes).any():
            return False
    return True


def cheapest(found: Case, weights: Weights) -> float:
    """The cost of the best plan, by looking at every one."""
    rows_ = [
        [
            row
            for row in itertools.product(*(range(int(size) + 1) for size in found.sizes))
            if sum(row) <= want.racks
        ]
        for want in found.wants
    ]
    plans = (np.array(plan) for plan in itertools.product(*rows_))
    return min(float(spreading.costs(found, plan, weights).sum()) for plan in plans if holds(found, plan))


@st.composite
def small(draw: st.DrawFn) -> Driver:
    """Two or three tranches on five racks, some running, some with work."""
    made = []
    for number in range(draw(st.integers(2, 3))):
        start = draw(st.sampled_from([0, 0, 1, 5]))
        end = start + draw(st.sampled_from([3, 5, 9]))
        made.append(
            tranche(
                f"t{number}", draw(st.integers(1, 2)), start_at=T0 + start * DAY_US, end_at=T0 + end * DAY_US
            )
        )
    driver = estate(at=rows(2, 1, 2))
    for plan in made:
        driver.handle(claims.SignContract(contract(f"c-{plan.id}", "acme", plan)))
    running = [name for name, t in driver.world.state.claims.tranches.items() if t.standing.value == "live"]
    if draw(st.booleans()):
        for name in running[:1]:
            driver.run("own", 8, tranche=name)
    return driver


@settings(max_examples=40, deadline=None)
@given(small(), st.sampled_from([WEIGHTS, WEIGHTS._replace(move=0.3, work=0.1), WEIGHTS._replace(row=0.2)]))
def test_the_solver_finds_the_best_of_all_plans(driver: Driver, weights: Weights) -> None:
    found = posed(driver)
    best = cheapest(found, weights)
    quick = spreading.spread(found)
    assert holds(found, quick)
    assert spreading.bounds(found, weights).sum() <= best + 1e-9
    solved = solving.improve(found, quick, weights, 10, 0.0)
    assert holds(found, solved.counts)
    assert solved.cost == pytest.approx(best)
    assert solved.bound <= best + 1e-6


def test_a_plan_that_is_good_enough_is_not_solved() -> None:
    found = posed(estate(tranche("t1", 4)))
    quick = spreading.spread(found)
    for seconds, gap in ((10.0, 1.0), (0.0, 0.0)):
        solved = solving.improve(found, quick, WEIGHTS._replace(move=0.1), seconds, gap)
        assert not solved.solved
        assert solved.counts is quick
    assert 0 < solved.gap < 1


def test_no_racks_and_no_wants_cost_nothing() -> None:
    solved = solving.improve(posed(estate()), np.zeros((0, 4), dtype=np.int64), WEIGHTS, 1, 0.0)
    assert (solved.cost, solved.bound, solved.gap) == (0, 0, 0)


def test_a_stock_too_large_for_one_model_is_planned_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    cheap = WEIGHTS._replace(move=0.1)
    found = posed(estate(tranche("t1", 4), tranche("t2", 4), tranche("t3", 4)))
    quick = spreading.spread(found)
    monkeypatch.setattr(solving, "COLUMNS_MAX", 2)
    part = solving.improve(found, quick, cheap, 10, 0.0)
    assert part.solved
    assert holds(found, part.counts)
    assert sum((part.counts[n] != quick[n]).any() for n in range(3)) <= 2
    monkeypatch.undo()
    whole = solving.improve(found, quick, cheap, 10, 0.0)
    assert whole.cost <= part.cost < spreading.costs(found, quick, cheap).sum()
    assert part.bound <= whole.bound
