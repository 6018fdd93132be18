"""Gangs that take several kinds of rack: which they get, at which price, and what others before them keep."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from forebay.core import claims, ids, money, supply
from forebay.core.ids import GangId, SkuId
from forebay.core.placements import gang as gangs
from forebay.core.placements import substitutes
from forebay.core.placements.gang import Ending, Order, Policy, Tier
from forebay.core.placements.substitutes import RackChoice
from forebay.core.units import MICROS
from forebay.core.world import World
from tests.core import plant
from tests.core.plant import Driver, spec

BIG, OLD = SkuId("hgx"), SkuId("old")
#: 16 of the one, or 12 of the other.
EITHER = (RackChoice(BIG, 16), RackChoice(OLD, 12))


def both(*contracts: Any, policy: Policy | None = None) -> Driver:
    """Two nodes of 8 GPUs, and four of 4 that draw half as much."""
    halls = (plant.hall("h1", plant.rack("r1", nodes=2), plant.rack("o1", of="old")),)
    old = plant.sku("old", gpus_per_node=4, gpu_w=500)
    made = plant.plant(*contracts, sites=(plant.site(halls=halls),), skus=(plant.sku(), old), priced=False)
    listed = (
        money.Price(Tier.ON_DEMAND, BIG, 3 * MICROS), money.Price(Tier.ON_DEMAND, OLD, 1 * MICROS),
        money.Price(Tier.SPOT, BIG, MICROS), money.Price(Tier.SPOT, OLD, MICROS),
    )  # fmt: skip
    made.ask(money.ApplyPriceList(money.PriceList(1, "USD", 0, listed)))
    if policy is not None:
        made.ask(gangs.ApplyPolicy(policy))
    return made


def test_the_first_kind_that_has_room_and_what_it_costs_there() -> None:
    driver = both()
    driver.run("first", 16, skus=EITHER)
    driver.run("second", 16, skus=EITHER)
    driver.submit("third", 16, skus=EITHER)
    got = [(driver.gang(name).spec.sku, driver.gang(name).spec.gpus) for name in ("first", "second", "third")]
    assert got == [(BIG, 16), (OLD, 12), (BIG, 16)]
    assert driver.phase("third") == "pending"
    assert driver.last(gangs.GangPlaced).choice == 1
    load = driver.world.placed.index.load_w
    assert load[0] == 2 * 1000 + 16 * 1000 + 12 * 500
    told = driver.world.explain(GangId("second"), plant.OPERATOR)
    assert "It asked for 16 of hgx first, and got 12 of old." in told["facts"]  # type: ignore[index]
    told = driver.world.explain(GangId("third"), plant.OPERATOR)
    assert "It would also take 12 of old, for which there is no room either." in told["facts"]  # type: ignore[index]
    driver.later(hours=1)
    for name in ("first", "second"):
        driver.end(name, Ending.COMPLETED)
    (invoice,) = driver.close()
    assert invoice.total_minor == (16 * 3 + 12 * 1) * 100


def test_who_waits_again_asks_as_at_first() -> None:
    driver = both()
    driver.run("block", 16)
    driver.run("moves", 16, skus=EITHER, restarts_max=9)
    driver.later(60).end("block")
    driver.end("moves", Ending.FAILED)
    assert (driver.gang("moves").spec.sku, driver.phase("moves")) == (BIG, "placed")
    driver.run("other", 12, sku="old")
    driver.start("moves")
    driver.later(60).end("moves", Ending.FAILED)
    driver.later(5)
    assert driver.gang("moves").spec.sku == BIG


def test_nodes_that_are_wiped_give_back_what_they_drew() -> None:
    lent = plant.tranche("t1", 4, sku="old", unit=claims.Unit.NODE, lending=plant.LENT)
    driver = both(
        plant.contract("c1", "birch", lent), plant.contract("c2", "acme"), policy=Policy(turnover_s=20)
    )
    driver.run("block", 16)
    driver.run("spot", 16, tier=Tier.SPOT, skus=EITHER)
    assert driver.gang("spot").lender == "t1"
    driver.later(60).end("spot", Ending.FAILED)
    assert driver.gang("spot").returns_at
    driver.later(20)
    assert driver.gang("spot").spec.sku == OLD
    assert driver.phase("spot") == "placed"


@pytest.mark.parametrize("order", list(Order))
def test_every_order_places_it_where_there_is_room(order: Order) -> None:
    driver = both(policy=Policy(order=order))
    driver.run("block", 16, walltime_s=7200)
    driver.submit("waits", 16, walltime_s=60)
    driver.submit("either", 16, skus=EITHER)
    assert driver.phases("waits", "either") == ["pending", "placed"]
    driver.submit("again", 16, skus=EITHER)
    driver.submit("behind", 8, walltime_s=60)
    assert driver.phases("again", "behind") == ["pending", "pending"]
    driver.end("either")
    assert driver.gang("again").spec.sku == OLD
    assert driver.phase("behind") == "pending"


def test_conservative_gives_it_the_kind_on_which_it_starts_sooner() -> None:
    driver = both(policy=Policy(order=Order.CONSERVATIVE))
    driver.run("big", 16, walltime_s=7200)
    driver.run("old", 12, sku="old", walltime_s=60)
    driver.submit("either", 16, skus=EITHER)
    driver.later(60)
    driver.end("old")
    assert driver.gang("either").spec.sku == OLD


def test_nobody_is_passed_by_on_the_second_kind() -> None:
    driver = both(policy=Policy(order=Order.FIFO))
    driver.run("big", 16)
    driver.run("part", 4, sku="old")
    driver.submit("whole", 16, sku="old")
    driver.submit("either", 16, skus=EITHER)
    assert driver.phases("whole", "either") == ["pending", "pending"]
    driver.end("part")
    assert driver.phases("whole", "either") == ["placed", "pending"]


def test_dedicated_work_gets_its_tranches_kind() -> None:
    own = plant.tranche("t1", 4, sku="old", unit=claims.Unit.NODE)
    driver = both(plant.contract("c1", "acme", own))
    gang = driver.submit("own", 16, tranche="t1", skus=EITHER)
    assert (gang.spec.sku, gang.spec.gpus, gang.spec.skus, gang.phase) == (OLD, 12, (), "placed")
    asked = gangs.SubmitGang(spec("own", 16, tranche="t1", skus=EITHER), again=True)
    assert driver.ask(asked)["changed"] is False
    other = spec("no", 8, tranche="t1", sku="hgx", skus=(RackChoice(BIG, 8), RackChoice(SkuId("old2"), 8)))
    assert driver.refused(gangs.SubmitGang(other)).code == "unknown_sku"
    driver.ask(gangs.SubmitArray(spec("a", 16, tranche="t1", skus=EITHER), (0, 1)))
    assert driver.gang("a.1").spec.sku == OLD


def test_refused() -> None:
    driver = both()
    huge = (RackChoice(BIG, 10**4), RackChoice(OLD, 10**4))
    many = tuple(RackChoice(SkuId(f"s{n}"), 1) for n in range(17))
    rows: list[tuple[tuple[RackChoice, ...], str]] = [
        (EITHER[::-1], "bad_choice"),
        ((EITHER[0], EITHER[0]), "bad_choice"),
        (many, "bad_choice"),
        ((EITHER[0], RackChoice(SkuId("none"), 8)), "unknown_sku"),
        ((EITHER[0], RackChoice(OLD, 0)), "bad_quantity"),
        (huge, "never_fits"),
    ]
    for skus, code in rows:
        gpus = skus[0].gpus if code == "never_fits" else 16
        assert driver.refused(gangs.SubmitGang(spec("g", gpus, skus=skus))).code == code
    # One that can never be had is no obstacle, whichever it is.
    driver.submit("one", 10**4, skus=(RackChoice(BIG, 10**4), RackChoice(OLD, 12)))
    assert driver.gang("one").spec.sku == OLD
    driver.submit("two", 16, skus=(RackChoice(BIG, 16), RackChoice(OLD, 10**4)))
    assert driver.phase("two") == "placed"
    no = driver.refused(
        gangs.SubmitGang(
            spec("g", 10**4, sku="hgx", tenant="nobody", skus=(RackChoice(BIG, 10**4), EITHER[1]))
        )
    )
    assert no.code == "no_contract"


def test_every_kind_needs_a_price() -> None:
    driver = plant.plant(skus=(plant.sku(), plant.sku("old")))
    skus = (RackChoice(BIG, 8), RackChoice(OLD, 8))
    assert driver.refused(gangs.SubmitGang(spec("g", 8, skus=skus))).code == "no_price"
    unknown = (RackChoice(BIG, 8), RackChoice(SkuId("none"), 8))
    assert driver.refused(gangs.SubmitGang(spec("g", 8, skus=unknown))).code == "unknown_sku"


def test_a_fold_and_a_restart_know_what_it_got() -> None:
    driver = both()
    driver.run("block", 16)
    driver.run("either", 16, skus=EITHER)
    folded = World()
    for at, event in driver.events:
        folded.apply(event, at)
    assert folded.state == driver.world.state
    World.restore(driver.world.fork().state).check()


def test_the_same_as_asked() -> None:
    asked = spec("g", 16, skus=EITHER)
    assert substitutes.same_as_asked(substitutes.as_choice(asked, 1), asked)
    assert not substitutes.same_as_asked(replace(asked, gpus=8), spec("g", 16))
    assert not substitutes.same_as_asked(spec("g", 16, title="x"), asked)
    assert substitutes.as_choice(spec("g"), 0) == spec("g")
    assert ids.GangId("g") == asked.id


@pytest.mark.parametrize("slice_gpus", [0, 8])
def test_a_gang_that_ran_on_one_kind_looks_for_another_where_racks_hang_on_loops(slice_gpus: int) -> None:
    """It prefers the nodes on which it was, which are none of the kind that it looks at first."""
    halls = (plant.hall("h1", plant.rack("r1", nodes=2, loop="l1"), plant.rack("o1", of="old", loop="l2")),)
    loops = tuple(supply.LoopPlan(ids.LoopId(name), 10**6, 10**6) for name in ("l1", "l2"))
    old = plant.sku("old", gpus_per_node=4, gpu_w=500)
    made = plant.plant(sites=(plant.site(halls=halls, loops=loops),), skus=(plant.sku(), old), priced=False)
    listed = (money.Price(Tier.ON_DEMAND, BIG, 3 * MICROS), money.Price(Tier.ON_DEMAND, OLD, MICROS))
    made.ask(money.ApplyPriceList(money.PriceList(1, "USD", 0, listed)))
    made.run("first", 8)
    either = (RackChoice(BIG, 16), RackChoice(OLD, 16))
    made.run("either", 16, skus=either, slice_gpus=slice_gpus)
    assert made.gang("either").spec.sku == OLD
    made.end("first")
    made.end("either", Ending.FAILED)
    assert made.gang("either").spec.sku == BIG
