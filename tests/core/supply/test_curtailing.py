"""Curtailments are announced, begin, end, and are refused where they cannot be meant."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from forebay.core import ids, supply, timeline
from forebay.core.supply import Carrier, CurtailPower, curtailing
from forebay.core.units import SECOND_US
from tests.core import plant
from tests.core.plant import T0, Driver, feed, hall, rack, site

HEAT = CurtailPower(ids.CurtailmentId("heat"), Carrier.FEED, "f1", 20_000, 0, 0, 0, 60, "heat")


def cooled() -> Driver:
    loops = [supply.LoopPlan(ids.LoopId("cdu"), 50_000, 40_000)]
    halls = [hall("h1", rack("r1", on="f1", loop="cdu"))]
    return plant.plant(sites=[site(feeds=[feed("f1", 66_000)], halls=halls, loops=loops)])


@pytest.mark.parametrize(
    ("terms", "code", "field"),
    [
        ({"id": "a b"}, "bad_id", "id"),
        ({"id": "known"}, "duplicate_id", "id"),
        ({"name": "f9"}, "unknown_feed", "name"),
        ({"carrier": Carrier.LIQUID, "name": "f1"}, "unknown_loop", "name"),
        ({"most_w": -1}, "bad_quantity", "most_w"),
        ({"less_w": 5}, "bad_quantity", "most_w"),
        ({"most_w": -1, "less_w": 10**13}, "bad_quantity", "most_w"),
        ({"most_w": -2, "less_w": 5}, "bad_quantity", "most_w"),
        ({"most_w": 66_000}, "bad_quantity", "most_w"),
        ({"carrier": Carrier.AIR, "name": "cdu", "most_w": 40_000}, "bad_quantity", "most_w"),
        ({"respond_s": 86_401}, "bad_quantity", "respond_s"),
        ({"start_at": -1}, "bad_interval", "start_at"),
        ({"end_at": T0}, "bad_interval", "end_at"),
        ({"start_at": T0 + 9, "end_at": T0 + 9}, "bad_interval", "end_at"),
    ],
)
def test_what_cannot_be_meant_is_refused(terms: dict[str, Any], code: str, field: str) -> None:
    driver = cooled()
    driver.curtail("known", "f1", 30_000)
    refusal = driver.refused(replace(HEAT, **terms))
    assert (refusal.code, refusal.field) == (code, field)


def test_what_is_not_known_cannot_be_lifted() -> None:
    assert cooled().refused(supply.EndCurtailment(HEAT.id)).code == "unknown_curtailment"


def test_what_several_take_off_adds_up_and_of_what_they_leave_the_least_counts() -> None:
    driver = cooled()
    level = supply.CurtailedLevel(Carrier.FEED, "f1")
    index = driver.world.placed.index
    seen = []
    for name, terms in (("a", {"most_w": 50_000}), ("b", {"less_w": 10_000}), ("c", {"less_w": 9_000})):
        driver.curtail(name, "f1", **terms)
        seen.append(index.limit_w[index.level_of(level)])
    assert seen == [50_000, 50_000, 47_000]
    driver.curtail("d", "f1", less_w=60_000)
    assert index.limit_w[index.level_of(level)] == 0


def test_a_curtailment_is_on_the_books_until_it_ends() -> None:
    driver = cooled()
    begins = T0 + 3600 * SECOND_US
    answer = driver.curtail("heat", "f1", 20_000, start_at=begins, end_at=begins + 60 * SECOND_US)
    assert answer == {"curtailment": "heat", "shed_at": begins - 60 * SECOND_US, "start_at": begins}
    (held,) = driver.world.state.supply.curtailments.values()
    assert (held.announced_at, held.begun, held.end_at) == (T0, False, begins + 60 * SECOND_US)
    assert driver.world.next_wake() == begins - 60 * SECOND_US
    driver.later(3600)
    assert driver.last(supply.CurtailmentBegan).curtailment == "heat"
    driver.later(60)
    assert driver.last(supply.CurtailmentEnded) == supply.CurtailmentEnded(HEAT.id, lifted=False)
    assert not driver.world.state.supply.curtailments


def test_books_that_are_wrong_are_found() -> None:
    driver = cooled()
    driver.curtail("heat", "f1", 20_000)
    state = driver.world.state.supply
    held = state.curtailments[HEAT.id]
    other = supply.CurtailedLevel(Carrier.LIQUID, "none")
    wrong = state.fork()
    wrong.curtailments[HEAT.id] = held._replace(level=other, end_at=held.start_at)
    assert list(curtailing.check_curtailments(wrong)) == [
        "curtailment heat is of loop none (liquid), which does not exist",
        f"curtailment heat sheds at {T0}, begins at {T0}, ends at {T0}",
    ]
    assert held.end_at == timeline.INSTANT_MAX
