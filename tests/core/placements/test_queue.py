"""Who is first: lanes by tier, those that failed in front, the rest by arrival; and nobody stands there twice."""

from __future__ import annotations

from typing import Any

from forebay.core import ids
from forebay.core.placements.gang import Gang, Phase, Policy, Tier
from forebay.core.placements.projects import Division, Project, ProjectsPlan
from forebay.core.placements.queue import Lane, Queue, Ticket, lane_of, shape_of
from forebay.core.placements.sharing import Sharing, Turns
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


def test_of_a_shape_that_nobody_ever_had_nobody_waits() -> None:
    queue, known = queued(waiting("a", 1))
    assert [entry.gang for entry in queue.of_shape(LANE, shape_of(plant.spec()), known)] == ["a"]
    assert list(queue.of_shape(LANE, shape_of(plant.spec(gpus=24)), known)) == []


def test_a_row_is_one_for_good_and_looked_at_while_somebody_waits() -> None:
    queue, known = queued(waiting("a", 1), waiting("b", 2, gpus=16))
    row = queue.row(plant.spec(gpus=8))
    assert queue.standing(LANE, known) == [
        (row.first(known), row),
        (queue.head(LANE, shape_of(plant.spec(gpus=16)), known), queue.row(plant.spec(gpus=16))),
    ]
    known["a"] = known["a"]._replace(phase=Phase.PLACED)
    assert [entry.gang for entry, _ in queue.standing(LANE, known)] == ["b"]
    assert [shape.gpus for shape in queue.shapes(LANE)] == [16]
    known["c"] = waiting("c", 3)
    queue.add(known["c"])
    assert queue.row(plant.spec("other", gpus=8)) is row
    assert [entry.gang for entry, _ in queue.standing(LANE, known)] == ["b", "c"]
    assert queue.lanes() == [LANE]


def test_who_is_away_soonest_is_known_through_comings_and_goings() -> None:
    queue, known = queued(waiting("a", 1), waiting("b", 2))
    row = queue.row(plant.spec())
    away = plant.spec().walltime_s + plant.spec().grace_s
    assert row.first_within(away - 1, known) is None
    assert row.first_within(away, known) == row.first(known)
    # More come than there was room for, and one comes back to its old place.
    for order in range(10, 90):
        known[f"g{order}"] = waiting(f"g{order}", order)
        queue.add(known[f"g{order}"])
    known["a"] = known["a"]._replace(phase=Phase.PLACED)
    found = row.first_within(away, known)
    assert found is not None
    assert found.gang == "b"
    known["a"] = waiting("a", 1, generation=1)
    queue.add(known["a"])
    found = row.first_within(away, known)
    assert found is not None
    assert found.gang == "a"


def test_who_stands_in_front_is_followed_by_the_next_there() -> None:
    queue, known = queued(*(waiting(name, order, front=True) for order, name in enumerate("abc")))
    row = queue.row(plant.spec())
    first = row.first(known)
    assert first is not None
    known["b"] = known["b"]._replace(phase=Phase.PLACED)
    following = row.next_in_front(first, known)
    assert following is not None
    assert following.gang == "c"
    assert row.next_in_front(following, known) is None


def test_the_next_in_front_waits_as_well_where_its_cap_is_used_up() -> None:
    lab = ids.ProjectId("lab")
    for gpus_max, following in ((8, ["b", None]), (4, [None, None])):
        held = ProjectsPlan(ids.TenantId("acme"), 1, (Project(lab, gpus_max=gpus_max),))
        queue = Queue(Turns(Sharing(), {held.tenant: Division(held)}, Policy()))
        specs = [plant.spec(name, 8, project=lab) for name in "ab"]
        known = {
            spec.id: Gang(spec, Phase.PENDING, order, plant.T0, front=True)
            for order, spec in enumerate(specs)
        }
        for gang in known.values():
            queue.add(gang)
        row = queue.row(specs[0])
        found = []
        for gang in known.values():
            entry = row.next_in_front(Ticket(0, gang.order, gang.spec.id, gang.generation), known)
            found.append(None if entry is None else entry.gang)
        assert found == following
