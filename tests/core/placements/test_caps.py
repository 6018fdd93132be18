"""Who is over a cap waits, and holds up those behind it that count to the same cap, and nobody else. By hand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.core.placements.gang import Ending, Gang, Order, Phase
from forebay.core.placements.projects import ApplyProjects
from forebay.core.placements.queue import QueueRow
from tests.core import plant
from tests.core.placements.test_projects import plan, project
from tests.core.plant import Driver

LAB, TEXT = project("lab", gpus_max=16, user_gpus_max=12), project("text", "lab", gpus_max=8)
OTHER = project("other")


def driver(order: Order) -> Driver:
    made = plant.plant()
    made.policy(order=order)
    made.ask(ApplyProjects(plan(LAB, TEXT, OTHER)))
    return made


@pytest.mark.parametrize("order", list(Order))
def test_who_is_over_a_cap_waits_and_who_comes_later_waits_behind_it(order: Order) -> None:
    made = driver(order)
    made.run("a", 8, project="lab")
    made.submit("large", 12, project="lab")
    made.submit("small", 1, project="text")
    made.submit("free", 8, project="other")
    assert made.phases("large", "small", "free") == ["pending", "pending", "placed"]
    made.end("a")
    assert made.phases("large", "small") == ["placed", "placed"]


@pytest.mark.parametrize("order", list(Order))
def test_of_many_alike_as_many_start_as_the_cap_holds(order: Order) -> None:
    made = driver(order)
    for number in range(4):
        made.submit(f"g{number}", 4, project="text")
    assert made.phases("g0", "g1", "g2", "g3") == ["placed", "placed", "pending", "pending"]
    made.cancel("g2")
    made.start("g0")
    made.end("g0")
    assert made.phases("g1", "g3") == ["placed", "placed"]


def test_each_user_has_a_cap_of_its_own() -> None:
    made = driver(Order.EASY)
    made.run("a1", 8, project="lab", user="ann")
    made.submit("a2", 8, project="lab", user="ann")
    made.submit("b1", 8, project="lab", user="bob")
    assert made.phases("a2", "b1") == ["pending", "placed"]


def test_the_first_that_is_capped_while_it_holds_others_back_lets_them_go() -> None:
    """It waits for room, and nobody may pass it; then another of its project starts, and it is over its cap."""
    made = driver(Order.FIFO)
    made.run("long", 60, project="other")
    made.run("spot", 2, project="lab")
    made.submit("first", 16, project="lab")
    # 2 are left; the first of all waits for its cap, so the one behind it starts.
    made.submit("behind", 2, project="other")
    assert made.phases("first", "behind") == ["pending", "placed"]


def test_what_is_more_than_a_lowered_cap_holds_up_nobody() -> None:
    made = driver(Order.EASY)
    made.run("a", 16, project="lab")
    made.submit("large", 12, project="lab")
    made.submit("small", 4, project="lab")
    made.ask(ApplyProjects(plan(project("lab", gpus_max=8), TEXT, OTHER, version=2)))
    made.end("a")
    assert made.phases("large", "small") == ["pending", "placed"]
    made.ask(ApplyProjects(plan(project("lab"), TEXT, OTHER, version=3)))
    assert made.phase("large") == "placed"


def test_who_failed_and_stands_in_front_is_held_as_well() -> None:
    made = driver(Order.EASY)
    for name in ("x", "y"):
        made.run(name, 8, project="lab")
    made.submit("z", 8, project="lab")
    made.end("x", Ending.FAILED)
    assert made.phases("x", "z") == ["placed", "pending"]


@settings(max_examples=40, derandomize=True, database=None, deadline=None)
@given(
    st.sampled_from(list(Order)),
    st.lists(
        st.tuples(
            st.sampled_from(["lab", "text", "text", "other", "end", "fail", "cancel"]),
            st.sampled_from(["", "ann", "bob"]),
            st.sampled_from([1, 4, 8]),
            st.integers(0, 9),
        ),
        min_size=8,
        max_size=30,
    ),
)
def test_what_is_kept_of_who_is_held_back_is_what_would_be_found_anew(
    order: Order, steps: list[tuple[str, str, int, int]]
) -> None:
    made = driver(order)
    for number, (what, user, gpus, which) in enumerate(steps):
        live = sorted(name for name, gang in made.world.state.placements.gangs.items() if alive(gang))
        if what in ("lab", "text", "other"):
            made.submit(f"g{number:02}", gpus, project=what, user=user)
        elif live and what == "cancel":
            made.cancel(live[which % len(live)])
        elif live and made.phase(live[which % len(live)]) == "placed":
            made.start(live[which % len(live)])
            made.end(live[which % len(live)], Ending.FAILED if what == "fail" else Ending.COMPLETED)
        compare(made)


def alive(gang: Gang) -> bool:
    return gang.phase in (Phase.PENDING, Phase.PLACED, Phase.RUNNING)


def compare(made: Driver) -> None:
    queue, gangs = made.world.placed.queue, made.world.state.placements.gangs
    assert queue.caps is not None
    kept = queue.caps.found.copy()
    for row, (entry, barred) in kept.items():
        assert row.shape.whose is not None
        queue.caps.found.clear()
        queue.caps.stir(row.shape.whose)
        if (first := QueueRow.first(row, gangs)) is not None and first is entry:
            assert row.barred(first, gangs) == barred
    queue.caps.found.clear()
    queue.caps.found.update(kept)
