"""A gang takes the place of cheaper work of lower classes of its own tenant, all or nothing, and nobody else's."""

from __future__ import annotations

import random
from typing import Any

import pytest

from forebay.core import ids
from forebay.core.placements.gang import Ending, GangPlaced, Level, Order, Phase, Tier
from forebay.core.placements.projects import ApplyProjects, PlaceTaken, PriorityClass, Victim
from forebay.core.units import SECOND_US
from tests.core import plant
from tests.core.placements.preemption_reference import Preempting
from tests.core.placements.reference import Job
from tests.core.placements.test_ordering import COUNTS_ONLY, TOPOLOGY, built, trace
from tests.core.placements.test_projects import plan, project
from tests.core.plant import Driver

CLASSES = (
    PriorityClass("high", 0, preempts=True),
    PriorityClass("mid", 60, preempts=True),
    PriorityClass("low", 3600),
)
LAB = project("lab")


def driver(*contracts: Any, order: Order = Order.OVERTAKE) -> Driver:
    made = plant.plant(*contracts)
    made.policy(order=order)
    made.ask(ApplyProjects(plan(LAB, project("capped", gpus_max=8), priorities=CLASSES)))
    return made


def run(made: Driver, name: str, gpus: int, priority: str = "low", **terms: Any) -> None:
    made.run(name, gpus, **({"project": "lab", "priority": priority} | terms))


@pytest.mark.parametrize("order", list(Order))
def test_the_cheapest_go_and_no_more_than_have_to(order: Order) -> None:
    made = driver(order=order)
    run(made, "old", 16, checkpoint_s=600)
    made.later(500)
    run(made, "whole", 16)
    made.later(50)
    run(made, "small", 8)
    run(made, "fills", 24)
    made.later(60)
    # Lost by each: 16 GPUs for 10 s since its checkpoint, 16 for 110 s, 8 for 60 s, 24 for 60 s.
    made.submit("now", 16, project="lab", priority="high")
    taken = made.last(PlaceTaken)
    assert taken == PlaceTaken(ids.GangId("now"), "high", (Victim(ids.GangId("old"), 1, 160 * SECOND_US),))
    assert made.phases("old", "whole", "small", "fills", "now") == [
        "stopping", "running", "running", "running", "pending",
    ]  # fmt: skip
    assert made.gang("now").front
    told: Any = made.world.explain(ids.GangId("now"), plant.tenant("acme"))
    assert "It takes the place of old, for priority high may: it starts once they have left." in told["facts"]
    told = made.world.explain(ids.GangId("old"), plant.tenant("acme"))
    assert told["summary"].startswith(
        "It is stopping, because a gang of a higher class of its tenant's took its place"
    )
    assert "Its place was taken by now, of a higher class." in told["facts"]
    # Nobody takes what they leave: neither one who came before, nor the one that left.
    made.submit("between", 8, project="lab", priority="high")
    made.end("old", Ending.STOPPED)
    assert made.phases("now", "old") == ["placed", "pending"]
    told = made.world.explain(ids.GangId("old"), plant.tenant("acme"))
    assert "Its place was taken by now, of a higher class." in told["facts"]
    made.start("now")
    made.end("now")
    made.cancel("between")
    if made.phase("between") == "stopping":
        made.end("between", Ending.STOPPED)
    made.later(1)
    assert made.phase("old") == "placed"
    assert not made.world.state.placements.sharing.taken.keys() & {"old"}


def test_who_is_small_is_left_where_it_stands_if_it_does_not_help() -> None:
    """The cheapest are added until it fits, and of these whoever is not needed stays."""
    made = driver()
    for number in range(8):
        run(made, f"g{number}", 8)
        made.later(1)
    made.submit("big", 32, project="lab", priority="high", within=Level.RACK)
    victims = [victim.gang for victim in made.last(PlaceTaken).victims]
    assert len(victims) == 4
    assert len({node // 4 for name in victims for node in made.nodes(name)}) == 1


def test_all_or_nothing() -> None:
    made = driver()
    run(made, "high", 32, "high")
    run(made, "low", 32)
    made.submit("more", 40, project="lab", priority="high")
    assert made.phases("high", "low", "more") == ["running", "running", "pending"]
    # The same again is not looked for: it is hopeless for its shape.
    made.submit("again", 40, project="lab", priority="high")
    assert made.count(PlaceTaken) == 0


def test_classes_take_from_later_ones_only_and_never_back() -> None:
    made = driver()
    run(made, "mid", 64, "mid")
    made.submit("low", 64, project="lab")
    made.submit("mid2", 64, project="lab", priority="mid")
    assert made.count(PlaceTaken) == 0
    made.submit("high", 64, project="lab", priority="high")
    assert made.phases("mid", "high") == ["stopping", "pending"]
    made.end("mid", Ending.STOPPED)
    assert made.phases("high", "mid", "mid2", "low") == ["placed", "pending", "pending", "pending"]
    made.later(30)
    assert made.count(PlaceTaken) == 1


def test_nobody_elses_and_none_on_other_capacity() -> None:
    own = plant.tranche(count=1)
    made = driver(plant.contract("c1", "acme", own), plant.contract("c2", "bravo"))
    made.run("theirs", 32, tenant="bravo")
    made.submit("first", 32, project="lab", priority="high")
    assert made.count(PlaceTaken) == 0
    # On its own tranche it takes from its own, and leaves what is on demand.
    run(made, "dedicated", 32, tranche="t1")
    made.submit("urgent", 16, project="lab", priority="high", tranche="t1")
    assert [victim.gang for victim in made.last(PlaceTaken).victims] == ["dedicated"]
    # Spot takes from nobody, and neither does who is over a cap, or has no project.
    made.submit("spot", 32, project="lab", priority="high", tier=Tier.SPOT)
    made.submit("capped", 8, project="capped", priority="high", tranche="t1")
    assert made.count(PlaceTaken) == 1


def test_what_leaves_anyway_is_not_taken_and_is_counted_once() -> None:
    made = driver()
    run(made, "a", 32)
    made.run("b", 32, project="lab", priority="mid")
    made.cancel("b")
    made.submit("one", 32, project="lab", priority="high")
    assert made.count(PlaceTaken) == 0
    made.submit("two", 32, project="lab", priority="high")
    assert [victim.gang for victim in made.last(PlaceTaken).victims] == ["a"]
    made.end("a", Ending.STOPPED)
    assert made.phases("two", "one") == ["placed", "pending"]
    made.end("b", Ending.STOPPED)
    assert made.phase("one") == "placed"


def test_who_is_over_a_cap_takes_from_nobody() -> None:
    made = driver()
    run(made, "a", 56)
    run(made, "c", 8, "high", project="capped")
    made.submit("d", 8, project="capped", priority="high")
    assert made.count(PlaceTaken) == 0


# Beside a slow and plain program.


def beside(jobs: list[Job], shape: tuple[int, int], seed: int) -> tuple[Any, Any]:
    """Starts and places taken: the World's, and the reference's. Whoever is asked to leave is gone at once."""
    dice = random.Random(seed)
    classes = {each.name: each.behind_s for each in CLASSES}
    jobs = [job._replace(project="lab", priority=dice.choice([*classes, "low"])) for job in jobs]
    checkpoints = {job.name: dice.choice((0, 0, 10, 60)) for job in jobs}
    made = built(*shape, Order.FIFO)
    made.ask(ApplyProjects(plan(LAB, priorities=CLASSES)))
    plain = Preempting(
        2 * shape[1],
        *shape,
        "fifo",
        behind_s=classes,
        preempts=frozenset({"high", "mid"}),
        checkpoint_s=checkpoints,
    )
    plain.run(jobs)
    return _lived(made, jobs, checkpoints), (plain.began, plain.taken)


def _lived(made: Driver, jobs: list[Job], checkpoints: dict[str, int]) -> Any:
    origin, ends, coming = made.at, dict[str, int](), list(jobs)
    began: list[tuple[int, str]] = []
    durations = {job.name: job.duration_s for job in jobs}

    def look(now: int) -> None:
        """Start who is placed; who is asked to leave is gone, one after the other, each with what follows from it."""
        for gang in sorted(made.live(), key=lambda each: each.order):
            if gang.phase is Phase.PLACED:
                made.start(gang.spec.id)
                ends[gang.spec.id] = now + durations[gang.spec.id]
        for name in sorted(gang.spec.id for gang in made.live() if gang.phase is Phase.STOPPING):
            if made.phase(name) == "stopping":
                ends.pop(name, None)
                made.end(name, Ending.STOPPED)
                look(now)

    while coming or ends:
        now = min([*(job.submit_s for job in coming[:1]), *ends.values()])
        made.until(origin + now * SECOND_US)
        for name in sorted(name for name, end in ends.items() if end == now):
            if ends.get(name) == now:
                del ends[name]
                made.end(name)
                look(now)
        while coming and coming[0].submit_s == now:
            job = coming.pop(0)
            made.submit(
                job.name, job.gpus, walltime_s=job.walltime_s, project=job.project, priority=job.priority,
                checkpoint_s=checkpoints[job.name],
            )  # fmt: skip
            look(now)
    taken = []
    for at, event in made.events:
        second = (at - origin) // SECOND_US
        if isinstance(event, GangPlaced):
            began.append((second, event.gang))
        elif isinstance(event, PlaceTaken):
            taken.append((second, event.gang, tuple(sorted(each.gang for each in event.victims))))
    return began, taken


@pytest.mark.parametrize("shape", [COUNTS_ONLY, TOPOLOGY])
@pytest.mark.parametrize("gap_s", [20, 120])
@pytest.mark.parametrize("seed", [1, 2])
def test_who_leaves_for_whom_equals_the_reference(shape: tuple[int, int], gap_s: int, seed: int) -> None:
    said, plain = beside(trace(seed, 50, 2 * shape[0] * shape[1], gap_s), shape, seed)
    assert said == plain
    assert plain[1], "nobody takes a place: the test says nothing"


def test_who_fits_now_and_waits_for_its_turn_takes_nobodys_place() -> None:
    """One node is free, and kept for who is first: of two that would fit there the second would take another's place,
    go in front, and start on the free one, for nothing.
    """
    made = driver(order=Order.FIFO)
    run(made, "holds", 48, "high")
    run(made, "cheap", 8)
    made.submit("large", 24, project="lab", priority="high")
    for name in ("one", "two"):
        made.submit(name, 8, project="lab", priority="high")
    assert made.count(PlaceTaken) == 0
    assert made.phases("cheap", "large", "one", "two") == ["running", "pending", "pending", "pending"]
