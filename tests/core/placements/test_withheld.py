"""What a tenant is told of a gang that its cap holds back: who holds what, who comes before it, and until when."""

from __future__ import annotations

from typing import Any

from forebay.core import ids, money
from forebay.core.placements.gang import Order, Tier
from forebay.core.placements.projects import ApplyProjects
from forebay.core.placements.substitutes import RackChoice
from forebay.core.units import SECOND_US
from tests.core import plant
from tests.core.placements.test_projects import plan, project
from tests.core.plant import T0, Driver

LAB, OTHER = project("lab", gpus_max=16, user_gpus_max=12), project("other")
GRACE_S = plant.spec().grace_s


def driver() -> Driver:
    made = plant.plant()
    made.policy(order=Order.FIFO)
    made.ask(ApplyProjects(plan(LAB, OTHER)))
    return made


def told(made: Driver, name: str) -> Any:
    return made.world.explain(ids.GangId(name), plant.tenant("acme"))


def gone_at(walltime_s: int) -> int:
    """When who started at the beginning is gone at the latest."""
    return T0 + (walltime_s + GRACE_S) * SECOND_US


def test_who_is_over_a_cap_is_told_who_holds_it_and_when_enough_of_them_are_gone() -> None:
    made = driver()
    made.run("long", 8, project="lab", walltime_s=7200)
    made.run("short", 4, project="lab", walltime_s=600)
    made.run("free", 8, project="other", walltime_s=60)
    made.submit("small", 8, project="lab")
    said = told(made, "small")
    assert said["constraint"] == {"code": "cap", "level": "lab", "have": 4, "need": 8}
    assert said["summary"] == (
        "Cap: 8 GPUs are needed; project lab holds 12 of the 16 GPUs that it may hold at once."
    )
    assert "They are held by long (8), short (4)." in said["facts"]
    assert said["expected_start"] == gone_at(600)
    # For all 16 both have to go.
    made.cancel("small")
    made.submit("large", 16, project="lab")
    assert told(made, "large")["expected_start"] == gone_at(7200)


def test_one_gpu_of_one_user() -> None:
    made = driver()
    made.run("a", 12, project="lab", user="ann", walltime_s=600)
    made.submit("one", 1, project="lab", user="ann")
    said = told(made, "one")
    assert said["constraint"] == {"code": "cap", "level": "lab/ann", "have": 0, "need": 1}
    assert said["summary"] == (
        "Cap: 1 GPU is needed; ann in project lab holds 12 of the 12 GPUs that it may hold at once."
    )
    assert said["expected_start"] == gone_at(600)


def test_who_is_behind_another_under_a_cap_is_told_whom_it_waits_for() -> None:
    made = driver()
    made.run("a", 8, project="lab", walltime_s=600)
    made.submit("first", 12, project="lab")
    made.submit("second", 16, project="lab")
    made.submit("small", 1, project="lab")
    said = told(made, "small")
    assert said["constraint"] == {"code": "cap", "level": "lab", "have": 8, "need": 1}
    assert said["summary"] == (
        "Cap: first comes before it and needs 12 GPUs; "
        "project lab holds 8 of the 16 GPUs that it may hold at once."
    )
    assert said["expected_start"] == gone_at(600)


def test_who_is_more_than_a_whole_cap_may_never_start() -> None:
    made = driver()
    made.run("a", 16, project="lab")
    made.submit("large", 12, project="lab")
    made.ask(ApplyProjects(plan(project("lab", gpus_max=8), OTHER, version=2)))
    made.end("a")
    said = told(made, "large")
    assert said["constraint"] == {"code": "cap", "level": "lab", "have": 8, "need": 12}
    assert said["summary"] == (
        "Cap: 12 GPUs are needed; project lab holds 0 of the 8 GPUs that it may hold at once."
    )
    assert "It may never start unless that is raised: it is more than the whole of it." in said["facts"]
    assert not any("held by" in fact for fact in said["facts"])
    assert said["expected_start"] is None


def test_a_cap_counts_the_most_that_a_gang_takes_of_any_kind() -> None:
    """Also in words: it is not told that it comes before itself, nor that it needs less than the cap looks at."""
    old = plant.sku("old", gpus_per_node=4)
    halls = (plant.hall("h1", plant.rack("r1", nodes=4), plant.rack("o1", of="old", nodes=2)),)
    made = plant.plant(sites=(plant.site(halls=halls),), skus=(plant.sku(), old), priced=False)
    kinds = (ids.SkuId("hgx"), ids.SkuId("old"))
    priced = tuple(money.Price(Tier.ON_DEMAND, kind, 1) for kind in kinds)
    made.ask(money.ApplyPriceList(money.PriceList(1, "USD", 0, priced)))
    made.policy(order=Order.FIFO)
    made.ask(ApplyProjects(plan(LAB, OTHER)))
    made.run("a", 8, project="lab", walltime_s=600)
    takes = (RackChoice(kinds[0], 8), RackChoice(kinds[1], 12))
    made.submit("either", 8, project="lab", skus=takes)
    said = told(made, "either")
    assert said["constraint"] == {"code": "cap", "level": "lab", "have": 8, "need": 12}
    assert said["summary"] == (
        "Cap: 12 GPUs are needed; project lab holds 8 of the 16 GPUs that it may hold at once."
    )
    assert "Caps count the most that it takes of any kind of rack." in said["facts"]
    assert said["expected_start"] == gone_at(600)
    made.submit("small", 8, project="lab")
    assert told(made, "small")["summary"].startswith("Cap: either comes before it and needs 12 GPUs; ")
