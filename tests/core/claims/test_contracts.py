"""Who may use how much: contracts are signed if they can be kept, bound to racks or nodes, and begin and end."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forebay.core import claims, ids, supply
from forebay.core.claims import SignContract, Unit
from forebay.core.claims.calendar import Stock
from forebay.core.ids import TenantId, TrancheId
from forebay.core.placements.gang import Ending, Tier
from forebay.core.timeline import INSTANT_MAX, Due, Interval
from forebay.core.units import DAY_US, SECOND_US
from tests.core import plant
from tests.core.plant import FINANCE, LENT, T0, YEAR_US, Driver, contract, feed, hall, rack, site, tranche

FULL: dict[str, Any] = {"tier": Tier.SPOT, "grace_s": 60}


def runs(driver: Driver, name: str) -> list[tuple[int, int]]:
    return list(driver.world.state.claims.tranches[TrancheId(name)].runs)


# Signing


def test_signing_binds_and_begins() -> None:
    driver = plant.plant()
    signed = contract("c2", "acme", tranche("t1"), tranche("t2", start_at=T0 + DAY_US))
    assert driver.ask(SignContract(signed), FINANCE) == {
        "contract": "c2", "signed": True, "tranches": {"t1": [[0, 4]], "t2": [[4, 4]]},
    }  # fmt: skip
    held = driver.world.state.claims.tranches
    assert [(each.standing.value, each.gpus) for each in held.values()] == [("live", 32), ("signed", 32)]
    assert driver.ask(SignContract(signed)) == {"contract": "c2", "signed": False, "tranches": {}}
    assert driver.count(claims.ContractSigned) == 2


@pytest.mark.parametrize(
    ("terms", "tranches", "code", "field"),
    [
        ({"id": "c1", "currency": "XXX"}, [], "contract_differs", "version"),
        ({"id": "a/b", "tenant": "!", "version": 2}, [], "bad_id", "id"),
        ({"seller": "", "tenant": "", "version": 2}, [], "bad_id", "seller"),
        ({"tenant": "", "version": 2}, [], "bad_id", "tenant"),
        ({"tenant": "a.b", "version": 2}, [], "bad_id", "tenant"),
        ({"version": 2, "currency": "XXX"}, [], "bad_quantity", "version"),
        ({"currency": "XXX"}, [{"id": "!"}], "unknown_currency", "currency"),
        ({}, [{"id": "!"}, {"id": "t1"}], "bad_id", "tranches[0].id"),
        ({}, [{}, {"site": "?"}], "duplicate_id", "tranches[1].id"),
        ({}, [{"id": "old", "site": "?"}], "duplicate_id", "tranches[0].id"),
        ({}, [{"site": "?", "sku": "?"}], "unknown_site", "tranches[0].site"),
        ({}, [{"sku": "?", "count": 0}], "unknown_sku", "tranches[0].sku"),
        ({}, [{"count": 0, "end_at": T0}], "bad_quantity", "tranches[0].count"),
        ({}, [{"end_at": T0, "price_micros_per_gpu_hour": -1}], "bad_term", "tranches[0].end"),
        ({}, [{"start_at": T0 + 9, "end_at": T0 + 9}], "bad_term", "tranches[0].end"),
        ({}, [{"start_at": T0 - 9, "end_at": T0}], "bad_term", "tranches[0].end"),
        (
            {}, [{"price_micros_per_gpu_hour": -1, "lending": claims.Lending(0, 0)}],
            "bad_price", "tranches[0].price",
        ),
        ({}, [{"price_micros_per_gpu_hour": claims.PRICE_MICROS_MAX + 1}], "bad_price", "tranches[0].price"),
        ({}, [{"lending": claims.Lending(0, 0), "count": 9}], "bad_lending", "tranches[0].lending"),
        ({}, [{"end_at": INSTANT_MAX + 1}], "bad_term", "tranches[0].end"),
        ({}, [{"lending": claims.Lending(claims.RECLAIM_S_MAX + 1, 0)}], "bad_lending", "tranches[0].lending"),
        ({}, [{"lending": claims.Lending(60, -1)}], "bad_lending", "tranches[0].lending"),
        ({}, [{"lending": claims.Lending(60, claims.PPM + 1)}], "bad_lending", "tranches[0].lending"),
        ({}, [{"count": 2}, {"id": "t2", "count": 0}], "bad_quantity", "tranches[1].count"),
        # One node of eight is taken: one whole rack is left.
        ({}, [{"count": 2}], "oversold", "tranches[0].count"),
        ({}, [{"unit": Unit.NODE, "count": 8}], "oversold", "tranches[0].count"),
        ({}, [{"unit": Unit.NODE, "count": 6}, {"id": "t2"}], "oversold", "tranches[1].count"),
        ({}, [{"unit": Unit.NODE, "count": 3}, {"id": "t2"}, {"id": "t3"}], "oversold", "tranches[2].count"),
        ({}, [{"unit": Unit.NODE, "count": 4}, {"id": "t2", "count": 1}], "oversold", "tranches[1].count"),
    ],
)  # fmt: skip
def test_what_is_not_signed(
    terms: dict[str, Any], tranches: list[dict[str, Any]], code: str, field: str
) -> None:
    driver = plant.plant(contract(), contract("c0", "bravo", tranche("old", unit=Unit.NODE)))
    plans = [tranche(**({"name": each.pop("id", "t1")} | each)) for each in map(dict, tranches)]
    refusal = driver.refused(SignContract(replace(contract("c9", "acme", *plans), **terms)))
    assert (refusal.code, refusal.field) == (code, field), refusal.detail


def test_racks_that_are_begun_are_not_whole() -> None:
    driver = plant.plant(contract("c0", "bravo", tranche("a", unit=Unit.NODE)), sites=(site(racks=3),))
    nodes = tranche("b", unit=Unit.NODE, count=5)
    driver.ask(SignContract(contract("c1", "acme", nodes)))
    # What is begun is filled up first, so that whole racks stay whole.
    assert runs(driver, "b") == [(1, 5)]
    driver.ask(SignContract(contract("c2", "acme", tranche("c"), tranche("d", unit=Unit.NODE))))
    assert (runs(driver, "c"), runs(driver, "d")) == ([(8, 4)], [(6, 1)])


def test_a_rack_that_is_not_full_is_filled_first() -> None:
    racks = plant.hall("h", rack("r1"), rack("r2", nodes=3))
    driver = plant.plant(contract("c0", "bravo", tranche("a", unit=Unit.NODE)), sites=(site(halls=(racks,)),))
    assert runs(driver, "a") == [(4, 1)]


def broken_racks() -> Driver:
    """From tomorrow on three nodes are free in each of two racks, and until then one."""
    today = tranche("a", unit=Unit.NODE, count=3, end_at=T0 + DAY_US)
    return plant.plant(contract("c0", "bravo", today, tranche("b", unit=Unit.NODE, count=2)))


def test_enough_nodes_are_not_enough_racks() -> None:
    driver = broken_racks()
    tomorrow = SignContract(contract("c2", "acme", tranche("c", start_at=T0 + DAY_US)))
    refusal = driver.refused(tomorrow)
    assert (refusal.code, refusal.field) == ("no_whole_racks", "tranches[0].count")
    assert refusal.detail == "tranche c promises 1 whole racks; 0 are wholly free over its term"
    assert driver.ask(replace(tomorrow, override="they will be moved"))["tranches"] == {"c": []}
    assert driver.last(claims.ContractSigned).override == "they will be moved"


def test_a_term_may_follow_on_another() -> None:
    first = tranche("zz", count=2, end_at=T0 + DAY_US)
    driver = plant.plant(contract("c1", "acme", first))
    # Named so that it would come first by its id: ends come before starts all the same.
    driver.ask(SignContract(contract("c2", "bravo", tranche("aa", count=2, start_at=T0 + DAY_US))))
    driver.run("g", 32, tranche="zz", walltime_s=10 * 86_400)
    driver.later(days=1)
    assert driver.phase("g") == "stopping"
    assert driver.gang("g").reason == "claim_ended"
    assert driver.book("aa") == (0, 0, 32)
    driver.end("g")
    assert driver.book("aa") == (0, 0, 0)
    driver.run("h", 64, tenant="bravo", tranche="aa")
    assert driver.book("aa") == (64, 0, 0)


# Over time


def test_a_tranche_begins_and_ends() -> None:
    term = tranche("t1", start_at=T0 + DAY_US, end_at=T0 + 3 * DAY_US)
    driver = plant.plant(contract("c1", "acme", term))
    held = driver.world.state.claims.tranches
    driver.later(days=1)
    assert held[TrancheId("t1")].standing is claims.Standing.LIVE
    driver.later(days=2)
    assert held[TrancheId("t1")].standing is claims.Standing.ENDED
    assert [at for at, event in driver.events if isinstance(event, (claims.TrancheStarted, claims.TrancheEnded))] == [
        T0 + DAY_US, T0 + 3 * DAY_US,
    ]  # fmt: skip
    assert claims.due(held[TrancheId("t1")]) is None
    assert not claims.meant(driver.world.state.claims, Due(T0 + DAY_US, "tranche_start", "t1", 0))


def test_what_is_committed_at_any_instant() -> None:
    driver = plant.plant(
        contract("c1", "acme", tranche("a", end_at=T0 + DAY_US), tranche("b", unit=Unit.NODE, count=3)),
        contract("c2", "bravo", tranche("c", start_at=T0 + DAY_US)),
    )
    committed = driver.world.calendar.committed(Stock(ids.SiteId("north"), ids.SkuId("hgx")))
    assert list(committed) == [(0, 0), (T0, 7), (T0 + YEAR_US, 0)]


def test_the_contract_for_use_without_a_claim_is_the_first_signed() -> None:
    driver = plant.plant(
        contract("c9", "acme", spot=False),
        contract("c5", "acme"),
        contract("c1", "acme"),
        contract("c0", "bravo"),
    )
    state = driver.world.state.claims
    acme = TenantId("acme")

    def named(spot: bool) -> str:
        plan = claims.contract_for(state, acme, spot=spot)
        return plan.id if plan is not None else ""

    assert (named(spot=False), named(spot=True)) == ("c9", "c5")
    assert claims.contract_for(state, TenantId("carol"), spot=True) is None


@given(st.sets(st.integers(0, 30)))
def test_runs_hold_their_nodes(nodes: set[int]) -> None:
    made = claims.joined_runs(*((node, 1) for node in nodes))
    assert [node for first, count in made for node in range(first, first + count)] == sorted(nodes)
    assert all(b > a + m for (a, m), (b, _) in pairwise(made))


# What that means for who runs there


def test_a_term_that_begins_evicts_whoever_is_there() -> None:
    driver = plant.plant(contract("c1", "acme"), contract("c2", "bravo"))
    driver.run("b1", 64, tenant="bravo")
    starts = tranche("t1", start_at=T0 + 10 * SECOND_US)
    later = tranche("t2", start_at=T0 + 10 * SECOND_US)
    driver.ask(SignContract(contract("c3", "acme", starts, later)))
    driver.submit("own", 32, tranche="t1")
    driver.later(10)
    assert (driver.phases("b1", "own"), driver.gang("b1").reason) == (
        ["stopping", "pending"],
        "claim_started",
    )
    # It stands on both: both owners' time is undeliverable until it is gone.
    assert (driver.book("t1"), driver.book("t2")) == ((0, 0, 32), (0, 0, 32))
    driver.fail(0)
    assert driver.book("t1") == (0, 0, 32)
    driver.later(30).end("b1", Ending.STOPPED)
    assert (driver.book("t1"), driver.book("t2")) == ((0, 0, 8), (0, 0, 0))
    driver.recover(0)
    assert (driver.book("t1"), driver.book("t2")) == ((32, 0, 0), (0, 0, 0))
    assert driver.phases("b1", "own") == ["pending", "placed"]


def test_a_term_that_began_before_it_was_signed_begins_now() -> None:
    driver = plant.plant(contract("c1", "bravo"))
    driver.run("b1", 64, tenant="bravo")
    driver.later(days=1)
    driver.fail(7)
    driver.ask(SignContract(contract("c2", "acme", tranche("t1", start_at=T0))))
    assert driver.book("t1") == (0, 0, 32)
    driver.later(10).end("b1", Ending.STOPPED)
    assert driver.book("t1") == (0, 0, 0)


def test_a_term_that_ends_ends_its_work_and_its_loans() -> None:
    term = tranche("t1", 2, lending=LENT, end_at=T0 + DAY_US)
    driver = plant.plant(contract("c1", "acme", term), contract("c2", "bravo"))
    day: dict[str, Any] = {"walltime_s": 7 * 86_400}
    driver.run("own", 16, tranche="t1", **day)
    driver.run("moved", 8, tranche="t1", **day)
    driver.run("leaves", 8, tranche="t1", **day)
    driver.run("b1", 16, tenant="bravo", **FULL, **day)
    driver.submit("waits", 32, tranche="t1")
    driver.submit("b2", 32, tenant="bravo")
    driver.cordon(2, drain=True)
    driver.until(T0 + DAY_US - 1)
    driver.cancel("leaves")
    driver.later(1)
    assert driver.phases("own", "moved", "leaves", "b1", "waits") == [
        "stopping", "stopping", "stopping", "stopping", "ended",
    ]  # fmt: skip
    assert [driver.gang(name).again for name in ("own", "moved", "leaves", "b1")] == [
        False,
        False,
        False,
        True,
    ]
    assert driver.gang("leaves").reason == "cancelled"
    for name in ("own", "moved", "leaves", "b1"):
        driver.end(name, Ending.STOPPED)
    assert driver.phases("own", "b1", "b2") == ["ended", "placed", "placed"]
    assert driver.gang("b1").lender == ""


def test_a_deadline_after_the_term() -> None:
    term = tranche("t1", 2, lending=LENT, end_at=T0 + 100 * SECOND_US)
    driver = plant.plant(contract("c1", "acme", term), contract("c2", "bravo"))
    driver.run("b1", 64, tenant="bravo", **FULL)
    driver.submit("own", 8, tranche="t1")
    driver.later(100)
    following = tranche("t2", 2, end_at=T0 + DAY_US, start_at=T0)
    driver.ask(SignContract(contract("c3", "acme", replace(following, start_at=driver.at))))
    assert driver.book("t2") == (0, 0, 64)
    driver.later(300)
    driver.end("b1", Ending.STOPPED)
    assert driver.book("t2") == (0, 0, 0)


# Power is promised with the nodes


def test_what_there_is_no_power_for_is_not_promised() -> None:
    """Two racks of 32 kW on a feed with room for 40 kW of work, and one on another."""
    halls = (hall("h1", rack("r1"), rack("r2"), rack("r3", on="f2")),)
    plan = site("north", (feed("f1", 42_000), feed("f2", 33_000)), halls)
    driver = plant.plant(contract("c1", "acme", tranche("t1")), sites=(plan,))
    assert driver.world.state.claims.tranches[TrancheId("t1")].runs == ((0, 4),)
    # The next rack with power is on the other feed.
    driver.ask(SignContract(contract("c2", "acme", tranche("t2"))))
    assert driver.world.state.claims.tranches[TrancheId("t2")].runs == ((8, 4),)
    refusal = driver.refused(SignContract(contract("c3", "acme", tranche("t3"))))
    assert (refusal.code, refusal.field) == ("no_power", "tranches[0].count")
    assert refusal.detail == (
        "tranche t3 promises 4 nodes of hgx, 8000 W each; of those that are free over its term 0 have power that "
        "nobody else is promised: feed f1 has no more"
    )
    two = tranche("t3", 2, unit=Unit.NODE)
    assert "over its term 1 have power" in driver.refused(SignContract(contract("c3", "acme", two))).detail
    driver.ask(SignContract(contract("c3", "acme", tranche("t3", unit=Unit.NODE))))
    # After their terms there is power again.
    after = tranche("t4", 1, start_at=T0 + plant.YEAR_US, end_at=T0 + 2 * plant.YEAR_US)
    driver.ask(SignContract(contract("c4", "acme", after)))


def _shared_feed(limit_w: int, *tranches: claims.TranchePlan) -> Driver:
    """Two racks on one feed, without base loads of its own; the racks have 1 kW each."""
    return plant.plant(
        contract("c1", "acme", *tranches),
        contract("c2", "bravo"),
        sites=(site("north", (feed("f1", limit_w),)),),
    )


def test_work_on_the_pool_leaves_the_power_of_a_tranche_alone() -> None:
    driver = _shared_feed(50_000, tranche("t1", lending=LENT))
    driver.run("b1", 16, tenant="bravo")
    driver.submit("b2", 8, tenant="bravo")
    assert driver.phases("b1", "b2") == ["running", "pending"]
    # What is lent draws from what is reserved; so does the owner.
    driver.run("b3", 16, tenant="bravo", tier=Tier.SPOT, grace_s=60)
    assert driver.gang("b3").lender == "t1"
    driver.submit("own", 16, tranche="t1")
    assert driver.phase("own") == "placed"
    index = driver.world.placed.index
    level = index.plant.level_of_feed["f1"]
    assert (index.load_w[level], index.reserved_w[level]) == (50_000, 0)
    driver.end("own")
    assert (index.load_w[level], index.reserved_w[level], driver.phase("b2")) == (34_000, 16_000, "pending")


def test_a_term_that_begins_takes_its_power_back() -> None:
    """Spot goes first, then the latest placed, and no more than is needed; what left on its own is not asked."""
    driver = _shared_feed(50_000, tranche("t1", start_at=T0 + 1000 * SECOND_US))
    week: dict[str, Any] = {"tenant": "bravo", "walltime_s": 7 * 86_400}
    driver.run("fill", 32, **week)
    driver.run("spot", 8, tier=Tier.SPOT, **week)
    driver.end("fill")
    driver.cordon(0)
    driver.cordon(1)
    driver.cordon(2)
    driver.cordon(3)
    for name in ("a", "b", "c"):
        driver.run(name, 8, **week)
    assert [driver.nodes(name) for name in ("spot", "a", "b", "c")] == [[4], [5], [6], [7]]
    for node in range(4):
        driver.uncordon(node)
    driver.cancel("b")
    driver.later(1000)
    # 32 kW are reserved and 16 kW are left: of a, c and spot, with b gone, one has to go.
    assert driver.phases("a", "b", "c", "spot") == ["running", "stopping", "running", "stopping"]
    assert (driver.gang("spot").reason, driver.gang("b").reason) == ("claim_power", "cancelled")
    driver.submit("own", 32, tranche="t1")
    # It must not draw before they have left.
    assert driver.phase("own") == "pending"
    driver.end("b", Ending.STOPPED)
    driver.end("spot", Ending.STOPPED)
    assert driver.phases("own", "spot", "a", "c") == ["placed", "pending", "running", "running"]


# What `check` finds


def test_damaged_books_are_found() -> None:
    driver = plant.plant(contract("c1", "acme", tranche("a"), tranche("b")))
    state = driver.world.state.claims.fork()
    held = state.tranches[TrancheId("b")]
    state.tranches[TrancheId("b")] = held._replace(runs=((3, 4),))
    assert list(claims.check(state, driver.world.state.supply)) == [
        "tranches a and b are bound to the same nodes",
        "40000 W are promised on rack r1, which has room for 32000 W of work",
    ]


def test_what_is_over_is_no_power_that_is_promised() -> None:
    driver = plant.plant(contract("c1", "acme", tranche("a", end_at=T0 + DAY_US), tranche("b")))
    supplied = driver.world.state.supply
    held = [(each.plan, each.runs) for each in driver.world.state.claims.tranches.values()]
    level = supply.PowerLevel("feed", "f1")
    for start, watts in ((T0, 64_000), (T0 + DAY_US, 32_000)):
        assert claims.promised_w(held, supplied, Interval(start, T0 + 2 * DAY_US))[level] == watts
