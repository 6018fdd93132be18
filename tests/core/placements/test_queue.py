"""Who is first: lanes by tier, those that failed in front, the rest by arrival; and nobody stands there twice."""

from __future__ import annotations

from typing import Any

from forebay.core import ids
from forebay.core.placements.gang import Gang, Phase, Tier
from forebay.core.placements.queue import Lane, Queue, lane_of, shape_of
from tests.core import plant

LANE = lane_of(plant.spec())


def waiting(name: str, order: int, gpus: int = 8, **kept: Any) -> Gang:
    return Gang(plant.spec(name, gpus), Phase.PENDING, order, plant.T0, **kept)


def queued(*gangs: Gang) -> tuple[Queue, dict[Any, Gang]]:
    queue = Queue()
    for gang in gangs:
        queue.add(gang)
    return queue, {gang.spec.id: gang for gang in gangs}


def head(queue: Queue, known: dict[Any, Gang], gpus: int = 8) -> str:
    entry = queue.head(LANE, shape_of(plant.spec(gpus=gpus)), known)
    return entry.gang if entry is not None else ""


def test_lanes_come_by_tier_then_tranche() -> None:
    queue = Queue()
    specs = [
        plant.spec("a", tier=Tier.SPOT),
        plant.spec("b"),
        plant.spec("c", tranche="t2"),
        plant.spec("d", tranche="t1"),
    ]
    for order, spec in enumerate(specs):
        queue.add(Gang(spec, Phase.PENDING, order, 0))
    assert [(lane.tier.value, lane.tranche) for lane in queue.lanes()] == [
        ("dedicated", "t1"), ("dedicated", "t2"), ("on_demand", ""), ("spot", ""),
    ]  # fmt: skip
    assert list(queue.waiting(Lane(Tier.SPOT, ids.TrancheId("x")), {})) == []


def test_first_come_first_served_within_a_shape() -> None:
    queue, known = queued(waiting("a", 1), waiting("b", 2), waiting("c", 3, gpus=16))
    assert (head(queue, known), head(queue, known, 16), head(queue, known, 24)) == ("a", "c", "")
    assert [entry.gang for entry, _ in queue.heads(LANE, known)] == ["a", "c"]
    assert [entry.gang for entry in queue.waiting(LANE, known)] == ["a", "b", "c"]


def test_who_failed_goes_in_front_in_the_old_order() -> None:
    queue, known = queued(
        waiting("a", 1), waiting("z", 9, front=True, generation=1), waiting("y", 8, front=True)
    )
    assert head(queue, known) == "y"
    known["y"] = known["y"]._replace(phase=Phase.RUNNING)
    assert head(queue, known) == "z"
    assert [entry.gang for entry in queue.waiting(LANE, known)] == ["z", "a"]


def test_who_was_evicted_comes_back_to_its_old_place() -> None:
    queue, known = queued(waiting("a", 1), waiting("c", 3), waiting("b", 2, generation=1))
    assert [entry.gang for entry in queue.waiting(LANE, known)] == ["a", "b", "c"]


def test_entries_that_lost_their_meaning_are_passed_over() -> None:
    queue, known = queued(waiting("a", 1), waiting("b", 2), waiting("c", 3))
    del known["a"]
    known["b"] = known["b"]._replace(generation=1)
    assert head(queue, known) == "c"
    # An id that was used before does not stand where its namesake stood.
    queue, known = queued(waiting("a", 1), waiting("b", 2))
    again = waiting("a", 7)
    queue.add(again)
    known["a"] = again
    assert head(queue, known) == "b"
    assert [entry.order for entry in queue.waiting(LANE, known)] == [2, 7]
