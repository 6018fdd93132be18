"""Gangs and the terms of tranches together: what is lent and called back, what begins and ends with a term."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.core import ids, money
from forebay.core.claims import Lending
from forebay.core.ids import GangId
from forebay.core.placements import gang as gangs
from forebay.core.placements.gang import Ending, Policy, SubmitGang, Tier
from forebay.core.units import SECOND_US
from tests.core import plant
from tests.core.plant import (
    LENT,
    Driver,
    contract,
    feed,
    hall,
    rack,
    site,
    sku,
    spec,
    tranche,
)

FULL: dict[str, Any] = {"tier": Tier.SPOT, "grace_s": 60}


def lending(racks: int = 1, terms: Lending | None = LENT, **policy: Any) -> Driver:
    """Acme has `racks` of two racks and lends them; bravo may run on demand and on spot."""
    own = contract("c1", "acme", tranche("t1", racks, lending=terms))
    return plant.plant(own, contract("c2", "bravo"), policy=Policy(**policy) if policy else None)


# Loans


def test_spot_borrows_what_the_pool_does_not_have() -> None:
    driver = lending()
    driver.run("b1", 32, tenant="bravo", **FULL)
    assert (driver.gang("b1").lender, driver.nodes("b1")) == ("", [4, 5, 6, 7])
    driver.run("b2", 16, tenant="bravo", **FULL)
    assert (driver.gang("b2").lender, driver.nodes("b2")) == ("t1", [0, 1])
    assert driver.book() == (0, 16, 0)
    # Nobody borrows on demand.
    driver.submit("b3", 8, tenant="bravo")
    assert driver.phase("b3") == "pending"
    driver.end("b2")
    assert driver.book() == (0, 0, 0)


@pytest.mark.parametrize(
    ("terms", "lent"),
    [
        ({}, True),
        ({"grace_s": 280}, True),
        ({"grace_s": 281}, False),
        ({"sites": ("south",)}, False),
        ({"sku": "s1"}, False),
        ({"tenant": "carol"}, False),
    ],
)
def test_loans_that_are_made(terms: dict[str, Any], lent: bool) -> None:
    """Only if grace and turnover fit in the deadline, at a site it may use, of its SKU, in the owner's currency."""
    south = hall("h9", rack("r9", on="f9", nodes=1), rack("r8", "s1", on="f9"))
    driver = plant.plant(
        contract("c1", "acme", tranche("t1", 2, lending=LENT)),
        contract("c2", "bravo"),
        contract("c3", "carol", currency="EUR"),
        skus=(sku(), sku("s1", gpus_per_node=1)),
        sites=(site(), site("south", (feed("f9"),), (south,))),
        policy=Policy(turnover_s=20),
        priced=False,
    )  # fmt: skip
    currency = "EUR" if terms.get("tenant") == "carol" else "USD"
    listed = [
        money.Price(tier, ids.SkuId(of), 1) for tier in (Tier.ON_DEMAND, Tier.SPOT) for of in ("hgx", "s1")
    ]
    driver.ask(money.ApplyPriceList(money.PriceList(1, currency, 0, tuple(listed))))
    by = terms.get("tenant", "bravo")
    driver.run("x", 8, tenant=by, sites=("south",))
    driver.run("y", 4, tenant=by, sku="s1")
    driver.ask(SubmitGang(spec("b1", 1, **({"tenant": "bravo", "tier": Tier.SPOT} | terms))))
    assert driver.phase("b1") == ("placed" if lent else "pending")


def test_a_tranche_does_not_lend_while_its_own_wait() -> None:
    driver = lending()
    driver.run("pool", 32, tenant="bravo")
    driver.run("own", 16, tranche="t1")
    driver.submit("large", 24, tranche="t1")
    driver.submit("b1", 8, tenant="bravo", **FULL)
    assert driver.phases("large", "b1") == ["pending", "pending"]
    driver.cancel("large")
    assert driver.phase("b1") == "placed"


def test_loans_are_called_back_by_the_work_they_lose_and_no_more_than_needed() -> None:
    driver = lending()
    driver.run("pool", 32, tenant="bravo")
    for name, gpus in (("b1", 8), ("b2", 16), ("b3", 8)):
        driver.run(name, gpus, tenant="bravo", **FULL)
        driver.later(1)
    driver.submit("own", 8, tranche="t1")
    assert driver.phases("b1", "b2", "b3") == ["running", "running", "stopping"]
    reclaimed = driver.last(gangs.LoanReclaimed)
    assert (reclaimed.gang, reclaimed.for_gang) == ("b3", "own")
    assert reclaimed.deadline_at == driver.at + 300 * SECOND_US
    assert reclaimed.lost_gpu_us == 8 * SECOND_US
    # A second does not wait for the first: its own loan is called back at once. A larger gang would lose more,
    # though it was placed later.
    driver.submit("own2", 8, tranche="t1")
    assert driver.phases("b1", "b2", "b3") == ["stopping", "running", "stopping"]
    assert driver.last(gangs.LoanReclaimed).lost_gpu_us == 24 * SECOND_US
    driver.end("b3", Ending.STOPPED)
    assert driver.phases("own", "own2", "b3") == ["placed", "pending", "pending"]
    driver.end("b1", Ending.STOPPED)
    # The owner has all it wants, and nothing is left to lend.
    assert driver.phases("own2", "b1", "b2", "b3") == ["placed", "pending", "running", "pending"]
    assert driver.book() == (16, 16, 0)
    driver.end("own")
    driver.end("own2")
    assert driver.phases("b1", "b3") == ["placed", "placed"]


def test_only_loans_on_the_nodes_that_are_needed_are_called_back() -> None:
    driver = lending()
    driver.run("pool", 32, tenant="bravo")
    driver.run("b1", 24, tenant="bravo", **FULL)
    driver.run("b2", 4, tenant="bravo", **FULL)
    driver.later(1).run("b3", 4, tenant="bravo", **FULL)
    driver.submit("own", 16, tranche="t1")
    assert driver.phases("b1", "b2", "b3") == ["stopping", "running", "running"]


def test_what_could_not_fit_anyway_calls_nothing_back() -> None:
    driver = lending()
    driver.run("pool", 32, tenant="bravo")
    driver.run("b1", 8, tenant="bravo", **FULL)
    driver.fail(3)
    driver.submit("own", 32, tranche="t1")
    driver.submit("own2", 32, tranche="t1")
    assert driver.phases("b1", "own", "own2") == ["running", "pending", "pending"]


def test_a_borrower_that_stays_is_undeliverable_from_its_deadline() -> None:
    driver = lending()
    driver.run("pool", 32, tenant="bravo")
    driver.run("b1", 32, tenant="bravo", **FULL)
    driver.submit("own", 16, tranche="t1")
    driver.later(299)
    assert driver.book() == (0, 32, 0)
    driver.later(1)
    assert driver.book() == (0, 0, 32)
    driver.fail(0)
    assert driver.book() == (0, 0, 32)
    driver.later(10).end("b1", Ending.STOPPED)
    assert driver.book() == (16, 0, 8)
    driver.recover(0)
    assert driver.book() == (16, 0, 0)


def test_nodes_are_wiped_before_they_return() -> None:
    driver = lending(turnover_s=60)
    driver.run("pool", 32, tenant="bravo")
    driver.run("b1", 32, tenant="bravo", **FULL)
    driver.submit("own", 32, tranche="t1")
    driver.later(20).end("b1", Ending.STOPPED)
    assert driver.phases("own", "b1") == ["pending", "pending"]
    assert driver.book() == (0, 32, 0)
    driver.later(60)
    assert driver.phases("own", "b1") == ["placed", "pending"]
    assert driver.book() == (32, 0, 0)


def test_a_deadline_that_passes_while_nodes_are_wiped() -> None:
    driver = lending(turnover_s=60)
    driver.run("pool", 32, tenant="bravo")
    driver.run("b1", 32, tenant="bravo", **FULL)
    driver.submit("own", 32, tranche="t1")
    driver.later(270).end("b1", Ending.STOPPED)
    driver.later(30)
    assert driver.book() == (0, 0, 32)
    driver.later(30)
    assert (driver.book(), driver.phase("own")) == ((32, 0, 0), "placed")


def test_a_loan_that_leaves_anyway_has_the_owners_deadline_too() -> None:
    driver = lending()
    driver.run("pool", 32, tenant="bravo")
    driver.run("b1", 32, tenant="bravo", **FULL)
    driver.cancel("b1")
    driver.later(10).submit("own", 8, tranche="t1")
    assert driver.last(gangs.LoanReclaimed).deadline_at == driver.at + 300 * SECOND_US
    assert driver.gang("b1").reason == "cancelled"
    driver.later(300)
    assert driver.book() == (0, 0, 32)
    driver.submit("own2", 8, tranche="t1")
    assert driver.count(gangs.LoanReclaimed) == 1


def test_a_loan_at_its_limit_of_time_has_the_owners_deadline_too() -> None:
    driver = lending()
    driver.run("pool", 32, tenant="bravo", walltime_s=86_400)
    driver.run("b1", 32, tenant="bravo", walltime_s=100, **FULL)
    driver.later(100)
    assert (driver.phase("b1"), driver.gang("b1").reclaim_at) == ("stopping", 0)
    driver.submit("own", 32, tranche="t1")
    assert driver.count(gangs.GangStopping) == 1
    assert driver.gang("b1").reclaim_at == driver.at + 300 * SECOND_US
    driver.later(300)
    assert (driver.book(), driver.gang("b1").reclaim_at) == ((0, 0, 32), -1)
    driver.end("b1", Ending.STOPPED)
    assert (driver.book(), driver.phase("own"), driver.gang("b1").reclaim_at) == ((32, 0, 0), "placed", 0)


def test_a_loan_that_is_cancelled_while_its_owner_waits() -> None:
    driver = lending()
    driver.run("pool", 32, tenant="bravo")
    driver.run("b1", 8, tenant="bravo", **FULL)
    driver.run("own", 16, tranche="t1")
    driver.submit("own2", 24, tranche="t1")
    assert driver.count(gangs.LoanReclaimed) == 0
    driver.end("own")
    assert driver.phase("own2") == "placed"
    driver.submit("own3", 8, tranche="t1")
    assert driver.last(gangs.LoanReclaimed).gang == "b1"


def test_a_deadline_kept_to_the_last_second_is_kept() -> None:
    driver = lending(turnover_s=60)
    driver.run("pool", 32, tenant="bravo")
    driver.run("b1", 32, tenant="bravo", tier=Tier.SPOT, grace_s=240)
    driver.submit("own", 32, tranche="t1")
    driver.later(240).end("b1", Ending.STOPPED)
    driver.later(60)
    assert driver.phase("own") == "placed"
    assert driver.count(gangs.ReclaimOverdue) == 0


def test_a_borrower_that_failed_waits_for_its_wipe_and_its_pause() -> None:
    driver = lending(turnover_s=10)
    driver.run("pool", 32, tenant="bravo")
    driver.run("b1", 32, tenant="bravo", **FULL)
    driver.end("b1", Ending.FAILED)
    assert driver.phase("b1") == "pending"
    driver.later(10)
    assert driver.phase("b1") == "placed"
    driver.end("b1", Ending.FAILED)
    driver.later(10)
    assert driver.phase("b1") == "placed"
    driver.end("b1", Ending.FAILED)
    driver.cancel("b1")
    assert driver.phase("b1") == "ended"
    driver.later(1).close()
    assert driver.phase("b1") == "ended"
    driver.submit("own", 32, tranche="t1")
    assert driver.phase("own") == "pending"
    driver.later(9)
    assert driver.phase("own") == "placed"
    driver.later(1).close()
    assert GangId("b1") not in driver.world.state.placements.gangs
