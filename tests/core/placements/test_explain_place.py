"""Why is it there? What was recorded, what else there would be now, and by what number the place won."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from forebay.core import money, supply
from forebay.core.ids import GangId, LoopId, Principal, Refusal, SkuId
from forebay.core.placements.gang import Level, Policy, Tier
from forebay.core.placements.substitutes import RackChoice
from tests.core import kept, plant
from tests.core.plant import LENT, OPERATOR, Driver, contract, feed, hall, rack, site, sku, tenant, tranche


def why(driver: Driver, name: str, by: Principal = OPERATOR) -> dict[str, Any]:
    told = driver.world.explain(GangId(name), by)
    assert not isinstance(told, Refusal)
    there: dict[str, Any] = told["why_there"]
    first = next(place for place, fact in enumerate(told["facts"]) if fact.startswith("It was placed at"))
    return there | {"facts": told["facts"][first:]}


def both(driver: Driver, *names: str) -> str:
    said = []
    for name in names:
        for word, by in (("operator", OPERATOR), ("tenant", tenant(driver.gang(name).spec.tenant))):
            said += [f"{name}, to the {word}:", *(f"    {fact}" for fact in why(driver, name, by)["facts"])]
    return "\n".join(said) + "\n\n"


def racked(*counts: int) -> Driver:
    """A site of so many racks in each hall."""
    numbers = iter(range(1, 99))
    halls = [hall(f"h{h}", *(rack(f"r{next(numbers)}") for _ in range(n))) for h, n in enumerate(counts, 1)]
    return plant.plant(sites=(site(halls=tuple(halls)),))


def _racks() -> str:
    """The tightest rack that holds it; another has become tighter since."""
    driver = racked(4)
    driver.run("mine", 16, within=Level.RACK)
    driver.run("beside", 16, within=Level.RACK)
    driver.run("other", 16, within=Level.RACK)
    said = both(driver, "mine")
    driver.end("beside")
    return said + both(driver, "mine")


def _power() -> str:
    """A rack that has the nodes and not the watts."""
    racks = (rack("r1", limit_w=20_000), rack("r2"), rack("r3"))
    driver = plant.plant(sites=(site(halls=(hall("h1", *racks),)),))
    driver.run("mine", 32, within=Level.RACK)
    said = both(driver, "mine")
    driver.run("wide", 20)
    driver.curtail("less", "f1", 80_000)
    return said + both(driver, "mine", "wide")


def _halls() -> str:
    driver = racked(3, 2, 2)
    driver.run("mine", 64, within=Level.HALL)
    driver.run("sliced", 32, slice_gpus=16, within=Level.HALL)
    driver.run("spread", 72)
    driver.run("apart", 32, slice_gpus=16)
    return both(driver, "mine", "sliced", "spread", "apart")


def _cooling() -> str:
    loops = (supply.LoopPlan(LoopId("warm"), 20_000, 10**6), supply.LoopPlan(LoopId("cold"), 10**6, 10**6))
    racks = (rack("r1", loop="warm"), rack("r2", loop="cold"), rack("r3", loop="cold"))
    driver = plant.plant(
        sites=(site(halls=(hall("h1", *racks),), loops=loops),), skus=(sku(liquid_ppm=800_000),)
    )
    driver.run("mine", 32, within=Level.RACK)
    return both(driver, "mine")


def _many() -> str:
    driver = racked(16)
    driver.run("small", 1)
    driver.run("rack", 24, within=Level.RACK)
    return both(driver, "small", "rack")


def _lent() -> str:
    """Who lends, who would, and the pool, which comes first."""
    lenders = [tranche(f"t{n}", lending=LENT) for n in (1, 2, 3, 4)]
    driver = plant.plant(
        contract("c1", "acme", *lenders), contract("c2", "bravo"), sites=(site(racks=5),),
        policy=Policy(turnover_s=60),
    )  # fmt: skip
    driver.run("pool", 32, tenant="bravo", tier=Tier.SPOT)
    driver.run("own", 24, tranche="t2")
    driver.run("lent", 16, tenant="bravo", tier=Tier.SPOT)
    driver.run("lent4", 16, tenant="bravo", tier=Tier.SPOT)
    said = both(driver, "lent4")
    driver.end("lent4")
    driver.cordon(8)
    driver.submit("waits", 32, tranche="t3")
    said += both(driver, "pool", "lent", "own")
    driver.end("pool")
    driver.run("free", 8, tenant="bravo", tier=Tier.SPOT)
    said += both(driver, "free")
    return said + both(driver, "lent")


def _sites_and_kinds() -> str:
    sites = (site("north", racks=1), site("south", (feed("f2"),), (hall("s1", rack("s1", on="f2")),)),
             site("east", (feed("f3"),), (hall("e1", rack("e1", "gb", "f3"), rack("e2", "gb", "f3")),)))  # fmt: skip
    driver = plant.plant(sites=sites, skus=(sku(), sku("gb", gpus_per_node=4)))
    listed = plant.prices(2)
    both_kinds = (*listed.prices, *plant.prices(of="gb").prices)
    driver.ask(money.ApplyPriceList(replace(listed, prices=both_kinds)))
    driver.run("full", 24, sites=("north",))
    driver.run("mine", 16, sites=("north", "south"))
    choices = (RackChoice(SkuId("hgx"), 24), RackChoice(SkuId("gb"), 16))
    driver.run("kinds", 24, skus=choices)
    driver.run("first", 8, skus=(RackChoice(SkuId("hgx"), 8), RackChoice(SkuId("gb"), 8)))
    said = both(driver, "mine", "kinds", "first")
    driver.end("full")
    driver.end("mine")
    said += both(driver, "kinds")
    driver.run("other", 16, sites=("east",), sku="gb")
    return said + both(driver, "first")


def test_places_read_well() -> None:
    parts = (_racks, _power, _halls, _cooling, _many, _lent, _sites_and_kinds)
    kept.compare("explanations_place.txt", "".join(f"# {part.__name__[1:]}\n{part()}" for part in parts))


def test_it_holds_for_an_instant_and_names_what_was_compared() -> None:
    driver = racked(3)
    driver.run("mine", 16, within=Level.RACK)
    there = why(driver.later(60), "mine")
    assert there["as_of"] == driver.world.now
    assert there["chosen"] == {"level": "rack", "name": "r1", "free": 4, "by": "wholly free node"}
    assert [(each["name"], each["free"], each["fits"]) for each in there["passed_over"]] == [
        ("r2", 4, True), ("r3", 4, True)]  # fmt: skip
    assert there["more"] == 0


def test_asking_changes_nothing() -> None:
    """Under a ramp a search notes whom it holds up: whoever only asks is not held up."""
    driver = plant.plant(policy=Policy(ramp_w_per_minute=8_000))
    driver.run("mine", 8)
    driver.curtail("less", "f1", 40_000)
    bounds = driver.world.placed.bounds.held
    index = driver.world.placed.index
    before = (index.free.copy(), index.load_w.copy(), bounds)
    why(driver, "mine")
    assert (index.free, index.load_w, driver.world.placed.bounds.held) == before
    driver.world.check()


def test_work_that_may_stay_on_a_node_that_takes_no_more_counts_where_it_is() -> None:
    driver = racked(2)
    driver.run("mine", 16, within=Level.RACK)
    driver.run("small", 1)
    driver.cordon(driver.nodes("mine")[0])
    driver.cordon(driver.nodes("small")[0])
    assert why(driver, "mine")["chosen"]["free"] == 3
    assert why(driver, "small")["chosen"]["free"] == 8


@pytest.mark.parametrize("seed", range(4))
def test_what_was_just_placed_has_the_tightest_place(seed: int) -> None:
    dice, driver = random.Random(seed), racked(3, 3)
    running: list[str] = []
    for number in range(25):
        if running and dice.random() < 0.4:
            driver.end(running.pop(dice.randrange(len(running))))
        name, gpus = f"g{number}", dice.choice([1, 2, 5, 8, 16, 24, 32])
        within = Level.RACK if gpus > 8 else dice.choice([Level.SITE, Level.RACK])
        driver.submit(name, gpus, within=within)
        if driver.phase(name) == "pending":
            driver.cancel(name)
            continue
        running.append(driver.start(name).spec.id)
        there = why(driver, name)
        fitting = [each["free"] for each in there["passed_over"] if each["fits"]]
        assert not fitting or there["chosen"]["free"] <= min(fitting)
        supply.check(driver.world.state.supply)
