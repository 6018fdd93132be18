"""Who goes short, of how much, until when, and what it costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.core import claims, ids
from forebay.core.claims import PromisePolicy, Short, Shorting, Unit, shortfall
from forebay.core.claims.shortfall import Cost
from forebay.core.ids import ContractId, SiteId, SkuId, TenantId, TrancheId
from forebay.core.supply import blocks
from forebay.core.units import MICROS
from forebay.core.world import World
from tests.core import machine, plant
from tests.core.claims import market
from tests.core.claims.market import (
    allocate,
    bound,
    call,
    come,
    day,
    forecast,
    late,
    policy,
    promise,
    reach,
    short,
    shorts,
    sign,
    slip,
    termination,
    use,
)
from tests.core.plant import T0, Driver, contract

# How an excess is shared: tranches as (nodes that they wait for, nodes that they have, nodes of a unit).


def shared(
    terms: PromisePolicy, excess: int, *owed: tuple[int, int, int], damages: tuple[int, ...] = ()
) -> list[int]:
    """Nodes that each goes short of."""
    present = []
    for n, (waits, has, unit) in enumerate(owed):
        rate = late(damages=damages[n]) if damages else None
        made = claims.Tranche(
            promise(f"t{n}", late=rate), ContractId(f"c{n}"), TenantId("a"), claims.Standing.LIVE
        )
        present.append(shortfall._Owed(made, waits + has, unit, has))
    found = shortfall._shared(terms, present, excess)
    assert all(found.values())
    return [found.get(TrancheId(f"t{n}"), 0) for n in range(len(owed))]


def rule(shorting: Shorting, *protected: int) -> PromisePolicy:
    return PromisePolicy(1, shorting=shorting, protected=tuple(ContractId(f"c{n}") for n in protected))


PRO_RATA, SIGNING, LEAST = Shorting.PRO_RATA, Shorting.SIGNING, Shorting.LEAST_DAMAGES


@pytest.mark.parametrize(
    ("terms", "excess", "owed", "expected"),
    [
        # The same share of each, by largest remainder, ties to who signed last.
        (rule(PRO_RATA), 4, [(8, 0, 1), (4, 0, 1), (4, 0, 1)], [2, 1, 1]),
        (rule(PRO_RATA), 5, [(8, 0, 1), (4, 0, 1), (4, 0, 1)], [3, 1, 1]),
        (rule(PRO_RATA), 1, [(4, 0, 1), (4, 0, 1)], [0, 1]),
        (rule(PRO_RATA), 1, [(8, 0, 4), (8, 0, 4)], [0, 4]),
        (rule(PRO_RATA), 8, [(8, 0, 4), (16, 0, 4), (8, 0, 4)], [0, 4, 4]),
        (rule(PRO_RATA), 32, [(8, 0, 4), (16, 0, 4), (8, 0, 4)], [8, 16, 8]),
        # A rack more than was missing: who has loose nodes gets them back.
        (rule(PRO_RATA), 6, [(8, 0, 4), (2, 0, 1)], [8, 0]),
        (rule(PRO_RATA), 2, [(2, 0, 1), (8, 0, 4)], [0, 4]),
        # Who signed last.
        (rule(SIGNING), 5, [(8, 0, 4), (3, 0, 1), (4, 0, 4)], [0, 1, 4]),
        (rule(SIGNING), 8, [(8, 0, 4), (3, 0, 1), (4, 0, 4)], [4, 0, 4]),
        # Protected contracts last, of these the first named last.
        (rule(SIGNING, 1, 2), 5, [(4, 0, 1), (4, 0, 1), (4, 0, 1)], [4, 0, 1]),
        (rule(PRO_RATA, 2, 1), 9, [(4, 0, 1), (4, 0, 1), (4, 0, 1)], [4, 4, 1]),
        (rule(PRO_RATA, 0), 2, [(4, 0, 1), (1, 0, 1)], [1, 1]),
        (rule(PRO_RATA, 0, 1), 2, [(4, 0, 1), (4, 0, 1)], [0, 2]),
        # What they wait for before what they have.
        (rule(PRO_RATA), 4, [(0, 8, 4), (4, 0, 4)], [0, 4]),
        (rule(PRO_RATA), 8, [(0, 8, 4), (4, 0, 4)], [4, 4]),
        (rule(PRO_RATA), 8, [(4, 4, 4), (4, 4, 4)], [4, 4]),
        (rule(PRO_RATA, 1), 8, [(0, 8, 4), (8, 0, 4)], [0, 8]),
        (rule(PRO_RATA, 1), 12, [(0, 8, 4), (8, 4, 4)], [4, 8]),
        (rule(SIGNING), 7, [(4, 4, 4), (2, 2, 1)], [4, 3]),
        (rule(PRO_RATA), 2, [(1, 0, 1), (0, 4, 4)], [0, 4]),
    ],
)
def test_how_an_excess_is_shared(
    terms: PromisePolicy, excess: int, owed: list[tuple[int, int, int]], expected: list[int]
) -> None:
    assert shared(terms, excess, *owed) == expected


def test_who_is_owed_least_goes_short_first() -> None:
    owed = [(4, 0, 1), (4, 0, 1), (4, 0, 1)]
    assert shared(rule(LEAST), 5, *owed, damages=(9, 3, 5)) == [0, 4, 1]
    assert shared(rule(LEAST), 5, *owed, damages=(3, 9, 3)) == [1, 0, 4]
    assert shared(rule(LEAST), 5, *owed) == [0, 1, 4]
    assert shared(rule(LEAST, 1), 9, *owed, damages=(9, 3, 5)) == [4, 1, 4]


owing = st.lists(
    st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from([1, 1, 3, 4])).map(
        lambda each: (each[0] * each[2], each[1] * each[2], each[2])
    ),
    min_size=1, max_size=6,
).filter(lambda owed: sum(a + b for a, b, _ in owed) > 0)  # fmt: skip


@given(owing, st.integers(1, 60), st.sampled_from([PRO_RATA, SIGNING, LEAST]), st.sets(st.integers(0, 5)))
def test_an_excess_is_shared_whole_and_in_whole_units(
    owed: list[tuple[int, int, int]], excess: int, shorting: Shorting, protected: set[int]
) -> None:
    owed = [each for each in owed if each[0] + each[1]]
    waits, total = sum(a for a, _, _ in owed), sum(a + b for a, b, _ in owed)
    excess = min(excess, total)
    found = shared(rule(shorting, *sorted(protected)), excess, *owed)
    assert sum(found) >= excess
    for nodes, (a, b, unit) in zip(found, owed, strict=True):
        assert 0 <= nodes <= a + b
        assert nodes % unit == 0
        assert not nodes or sum(found) - unit < excess
    if excess <= waits and all(unit == 1 for _, _, unit in owed):
        assert all(nodes <= a for nodes, (a, _, _) in zip(found, owed, strict=True))


# Over time


def two(start: int = 30, **terms: Any) -> Driver:
    """Two racks stand, two come on day 30; both tranches begin then."""
    driver = market.market(stands=2, comes=2, on=30)
    driver.ask(sign(contract("c1", "acme", promise("t1", 2, start=start, **terms))))
    driver.ask(sign(contract("c2", "bravo", promise("t2", 2, start=start, **terms))))
    return driver


def test_a_slip_is_shared_and_recorded_at_once() -> None:
    driver = two()
    slip(driver, 60)
    assert shorts(driver) == [("t1", 4, 30, 60), ("t2", 4, 30, 60)]
    record = driver.last(claims.ShortfallAssessed)
    assert (record.policy, record.confidence.value, record.reason) == (0, "p90", "")
    policy(driver, shorting=SIGNING)
    assert shorts(driver) == [("t2", 8, 30, 60)]
    policy(driver, shorting=SIGNING, protected=(ContractId("c2"),))
    assert shorts(driver) == [("t1", 8, 30, 60)]
    count = driver.count(claims.ShortfallAssessed)
    policy(driver, shorting=LEAST, protected=(ContractId("c2"),))
    assert driver.count(claims.ShortfallAssessed) == count
    slip(driver, 30)
    assert shorts(driver) == []


def test_a_tranche_with_its_parts_and_the_rest() -> None:
    driver = market.market(stands=1, comes=3, on=10)
    driver.ask(sign(contract("c1", "acme", market.ramp((0, 1), (10, 1), (20, 2)))))
    slip(driver, 25)
    assert shorts(driver) == [("t1", 4, 10, 20), ("t1", 12, 20, 25)]


def test_racks_that_come_today_were_not_there_yesterday() -> None:
    driver = two(late=late(grace=5, damages=10))
    slip(driver, 60)
    driver.until(day(50))
    come(driver, 1)
    # Who signed last went short first: it is served last as well.
    assert shorts(driver) == [("t1", 4, 30, 50), ("t2", 4, 30, 60)]
    driver.until(day(60))
    reach(driver)
    come(driver, 1)
    assert shorts(driver) == [("t1", 4, 30, 50), ("t2", 4, 30, 60)]
    assert [bound(driver, name) for name in ("t1", "t2")] == [[(0, 4), (8, 4)], [(4, 4), (12, 4)]]
    state = driver.world.state
    _, second = state.claims.shorts[market.STOCK]
    cost = shortfall.cost(state.claims.tranches[TrancheId("t2")], state.supply, (second,))
    assert cost.damages_micros == 32 * 25 * 10 * MICROS


def test_a_date_that_passed_while_nobody_looked_counts_from_when_it_passed() -> None:
    driver = two()
    outcome = driver.world.wake(day(37))
    driver.events += [(day(37), event) for event in outcome.events]
    driver.at = day(37)
    driver.world.check()
    assert shorts(driver) == [("t1", 4, 30, 365), ("t2", 4, 30, 365)]


def test_news_that_is_late_corrects_what_was_short() -> None:
    driver = two()
    driver.until(day(40))
    assert shorts(driver) == [("t1", 4, 30, 365), ("t2", 4, 30, 365)]
    reach(driver, ago_s=4 * 86_400)
    assert shorts(driver) == [("t1", 4, 30, 36), ("t2", 4, 30, 36)]
    come(driver, 2)
    assert shorts(driver) == [("t1", 4, 30, 36), ("t2", 4, 30, 36)]
    assert (bound(driver, "t1"), bound(driver, "t2")) == ([(0, 4), (8, 4)], [(4, 4), (12, 4)])
    machine.same_when_replayed(driver.world, driver.events)


def test_quantiles_decide_what_is_short() -> None:
    driver = two()
    forecast(driver, 30, 45)
    assert shorts(driver) == [("t1", 4, 30, 45), ("t2", 4, 30, 45)]
    policy(driver, confidence=blocks.Confidence.P50)
    assert shorts(driver) == []


def test_who_signed_over_supply_goes_short_of_it() -> None:
    driver = market.market(contract("c1", "acme", promise("t1", 2, end=20)), comes=0)
    driver.ask(sign(contract("c2", "bravo", promise("t2", 1, start=10, end=30)), override="it will come"))
    assert shorts(driver) == [("t2", 4, 10, 20)]
    driver.until(day(20))
    assert (shorts(driver), bound(driver, "t2")) == ([("t2", 4, 10, 20)], [(0, 4)])


def test_what_has_passed_over_is_lost_last() -> None:
    """A site that loses its power: what is left is shared among those who have it."""
    driver = market.market(contract("c1", "acme", promise("t1", 1)), contract("c2", "bravo", promise("t2", 1)),
                           stands=2, comes=0)  # fmt: skip

    plan = blocks.SchedulePlan(
        market.NORTH,
        (
            blocks.MilestonePlan(ids.MilestoneId("on"), planned_at=1),
            blocks.MilestonePlan(ids.MilestoneId("off"), planned_at=day(9)),
        ),
        (),
        (
            blocks.PowerStage(ids.StageId("grid"), blocks.StageKind.GRID, 33_000, 33_000, ids.MilestoneId("on")),
            blocks.PowerStage(
                ids.StageId("bridge"), blocks.StageKind.BRIDGE, 33_000, 33_000, ids.MilestoneId("on"),
                ids.MilestoneId("off"),
            ),
        ),
    )  # fmt: skip
    driver.ask(blocks.ApplySchedule(plan))
    driver.ask(blocks.ReportReached(market.NORTH, ids.MilestoneId("on"), T0 - 1))
    assert shorts(driver) == [("t2", 4, 9, 365)]
    driver.ask(sign(contract("c3", "carol", promise("t3", 1)), override="bold"))
    assert shorts(driver) == [("t2", 4, 9, 365), ("t3", 4, 0, 365)]


# By hand


def test_every_refusal_of_an_allocation_in_its_order() -> None:
    driver = two()
    slip(driver, 60)
    wrong = (short("t1", 8, 30, 59),)
    rows = [
        (claims.AllocateShortfall(SiteId("?"), SkuId("?"), wrong, ""), "unknown_site"),
        (claims.AllocateShortfall(market.NORTH, SkuId("?"), wrong, ""), "unknown_sku"),
        (allocate(*wrong, reason=""), "no_reason"),
        (allocate(*wrong), "bad_allocation"),
    ]
    for command, expected in rows:
        assert market.code(driver, command) == expected
    assert market.code(driver, allocate(short("t1", 8, 30, 60)), by=plant.FINANCE) == "forbidden"


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ([], "from 2026-01-31T00:00:00Z on 8 nodes are to be shared, and 0 are"),
        ([short("t1", 4, 30, 60)], "from 2026-01-31T00:00:00Z on 8 nodes are to be shared, and 4 are"),
        ([short("t1", 8, 30, 59)], "from 2026-03-01T00:00:00Z on 8 nodes are to be shared, and 0 are"),
        ([short("t1", 8, 29, 60)], "from 2026-01-30T00:00:00Z on nothing is to be shared, and 8 nodes are"),
        ([short("t1", 8, 30, 61)], "from 2026-03-02T00:00:00Z on nothing is to be shared, and 8 nodes are"),
        ([short("t1", 12, 30, 60)], "tranche t1 cannot go short of 12 nodes, for it is owed 8"),
        ([short("t1", -4, 30, 60), short("t2", 12, 30, 60)], "tranche t1 cannot go short of -4 nodes"),
        ([short("t9", 8, 30, 60)], "tranche t9 cannot go short of 8 nodes, for it is owed 0"),
        ([short("t1", 6, 30, 60), short("t2", 2, 30, 60)], "goes short of whole units of 4 nodes, not of 6"),
        (
            [short("t1", 8, 30, 60), short("t2", 4, 30, 60)],
            "8 nodes are to be shared and 12 are: tranche t1",
        ),
    ],
)
def test_an_allocation_that_does_not_add_up(told: list[Short], why: str) -> None:
    driver = two()
    slip(driver, 60)
    no = driver.refused(allocate(*told))
    assert (no.code, no.field) == ("bad_allocation", "shorts")
    assert why in no.detail


def test_an_allocation_stands_until_there_is_more_or_less_to_share() -> None:
    driver = two()
    slip(driver, 60)
    mine = allocate(short("t1", 8, 30, 45), short("t2", 8, 45, 60))
    assert driver.ask(mine) == {"site": "north", "sku": "hgx", "changed": True}
    assert driver.ask(mine) == {"site": "north", "sku": "hgx", "changed": False}
    expected = [("t1", 8, 30, 45), ("t2", 8, 45, 60)]
    assert shorts(driver) == expected
    assert driver.last(claims.ShortfallAssessed).reason == "agreed with both"
    assert driver.world.state.claims.by_hand == {market.STOCK: "agreed with both"}
    machine.same_when_restored(driver.world)
    # Another policy does not touch it, nor does a contract that changes nothing about the excess.
    policy(driver, shorting=SIGNING)
    driver.ask(sign(contract("c3", "carol", promise("t3", 2, end=30))))
    assert shorts(driver) == expected
    driver.until(day(35))
    slip(driver, 59)
    # Less is to be shared: from now on it is the policy's again.
    assert shorts(driver) == [("t1", 8, 30, 59)]
    assert driver.world.state.claims.by_hand == {}
    machine.same_when_replayed(driver.world, driver.events)


def test_an_allocation_says_nothing_of_what_was() -> None:
    driver = two()
    slip(driver, 60)
    driver.until(day(40))
    driver.ask(allocate(short("t1", 8, 30, 50), short("t2", 8, 50, 60)))
    assert shorts(driver) == [("t1", 4, 30, 40), ("t1", 8, 40, 50), ("t2", 4, 30, 40), ("t2", 8, 50, 60)]


def test_nothing_is_shared_where_nothing_is_short() -> None:
    driver = two()
    driver.ask(allocate())
    assert shorts(driver) == []
    slip(driver, 60)
    assert driver.world.state.claims.by_hand == {}


# What it costs


def costs(terms: claims.Late | None, *told: tuple[int, int, int]) -> Cost:
    """Of a tranche of two racks at 2.00, short of so many nodes from one day to another."""
    driver = market.market(contract("c1", "acme", promise("t1", 2, late=terms)), comes=0)
    tranche = driver.world.state.claims.tranches[TrancheId("t1")]
    return shortfall.cost(tranche, driver.world.state.supply, tuple(short("t1", *each) for each in told))


#: A GPU for a day.
FEE = 48 * MICROS


@pytest.mark.parametrize(
    ("terms", "told", "expected"),
    [
        (None, [(4, 0, 10)], Cost(32 * 10 * FEE, 0, False, 0)),
        (late(damages=5), [(4, 0, 10)], Cost(32 * 10 * FEE, 32 * 10 * 5 * MICROS, False, 0)),
        (late(4, 5), [(4, 0, 10)], Cost(32 * 10 * FEE, 32 * 6 * 5 * MICROS, False, 0)),
        (late(4, 5), [(4, 0, 4)], Cost(32 * 4 * FEE, 0, False, 0)),
        (late(9, 5), [(4, 0, 4)], Cost(32 * 4 * FEE, 0, False, 0)),
        # Each layer has its own grace: the second rack goes missing on day 2, and comes back first.
        (
            late(4, 5),
            [(4, 0, 2), (8, 2, 8), (4, 8, 10)],
            Cost(32 * 16 * FEE, 32 * (4 + 4) * 5 * MICROS, False, 0),
        ),
        (late(4, 5, cap=959), [(4, 0, 10)], Cost(32 * 10 * FEE, 959 * MICROS, True, 0)),
        (late(4, 5, cap=960), [(4, 0, 10)], Cost(32 * 10 * FEE, 960 * MICROS, True, 0)),
        (late(4, 5, cap=961), [(4, 0, 10)], Cost(32 * 10 * FEE, 960 * MICROS, False, 0)),
        (late(longstop=9), [(4, 0, 10)], Cost(32 * 10 * FEE, 0, False, day(9))),
        (late(longstop=10), [(4, 0, 10)], Cost(32 * 10 * FEE, 0, False, 0)),
        (late(longstop=2), [(4, 5, 10), (4, 12, 20)], Cost(32 * 13 * FEE, 0, False, day(7))),
        (late(longstop=1), [], Cost(0, 0, False, 0)),
    ],
)
def test_what_a_shortfall_costs(
    terms: claims.Late | None, told: list[tuple[int, int, int]], expected: Cost
) -> None:
    assert costs(terms, *told) == expected


@pytest.mark.parametrize(
    ("share_ppm", "cap", "expected"),
    [
        (500_000, 0, Cost(32 * 10 * FEE, 0, False, 0, 32 * 6 * FEE // 2)),
        (2_000_000, 0, Cost(32 * 10 * FEE, 0, False, 0, 32 * 6 * FEE * 2)),
        (500_000, 4_608, Cost(32 * 10 * FEE, 0, True, 0, 4_608 * MICROS)),
        (500_000, 4_000, Cost(32 * 10 * FEE, 0, True, 0, 4_000 * MICROS)),
        (500_000, 4_609, Cost(32 * 10 * FEE, 0, False, 0, 4_608 * MICROS)),
    ],
)
def test_a_discount_takes_the_place_of_damages(share_ppm: int, cap: int, expected: Cost) -> None:
    """Of a rack that is ten days late, four of them in grace: 192 GPU-days, each half of 48.00."""
    terms = replace(late(4, cap=cap), discount_ppm_per_day=share_ppm)
    assert costs(terms, (4, 0, 10)) == expected


def test_who_is_owed_the_smaller_discount_goes_short_first() -> None:
    rates = (late(damages=20), replace(late(), discount_ppm_per_day=400_000))

    def rate(terms: claims.Late | None) -> int:
        made = claims.Tranche(
            promise("t1", late=terms), ContractId("c1"), TenantId("a"), claims.Standing.LIVE
        )
        return shortfall.damages_micros_per_gpu_day(made)

    # 40 % of 48.00 is 19.20.
    assert [rate(terms) for terms in (*rates, None)] == [20 * MICROS, 19_200_000, 0]


def test_damages_run_to_the_microsecond() -> None:
    driver = market.market(contract("c1", "acme", promise("t1", 2, late=late(1, 864))), comes=0)
    tranche = driver.world.state.claims.tranches[TrancheId("t1")]
    # 864 dollars a day are a micro-unit for 100 microseconds of a GPU.
    shorts_ = (Short(TrancheId("t1"), 1, T0, day(1) + 3_125),)
    assert (
        shortfall.cost(tranche, driver.world.state.supply, shorts_).damages_micros
        == 8 * 3_125 * 864 // 86_400
    )


def test_since_when_something_is_missing() -> None:
    told = (short("t1", 4, 1, 3), short("t1", 8, 3, 6), short("t1", 4, 6, 9))
    found = [shortfall.missing_since(told, day(on)) for on in (0, 1, 3, 6, 8, 9)]
    # The rack that went missing first is the first to come.
    assert found == [None, day(1), day(1), day(3), day(3), None]


def test_a_layer_that_comes_back_in_parts() -> None:
    told = (short("t1", 8, 1, 3), short("t1", 4, 3, 5), short("t1", 6, 5, 6))
    assert shortfall.late_layers(told) == [
        (day(1), day(3), 4), (day(1), day(6), 4), (day(5), day(6), 2),
    ]  # fmt: skip


# What is recorded is what there is


def test_every_excess_is_recorded_whatever_happens() -> None:
    driver = two(late=late(damages=1, longstop=20))
    slip(driver, 60)
    driver.until(day(33))
    come(driver, 1)
    state = driver.world.state
    assert list(shortfall.check_shorts(state.claims, state.supply, driver.world.calendar, driver.at)) == []


def test_damage_is_found() -> None:
    driver = two()
    slip(driver, 60)
    world = driver.world.fork()
    world.state.claims.shorts[market.STOCK] = (short("t1", 4, 30, 60),)
    found = list(shortfall.check_shorts(world.state.claims, world.state.supply, world.calendar, T0))
    assert found == [
        "hgx at north: shortfalls differ from what is promised and what there will be",
        "hgx at north: from 2026-01-31T00:00:00Z on 8 nodes are to be shared, and 4 are",
    ]


def _bound_twice(world: World) -> str:
    held = world.state.claims.tranches
    held[TrancheId("t2")] = held[TrancheId("t2")]._replace(runs=((0, 4),))
    world.state.supply.racks[ids.RackId("r1")] = replace(
        world.state.supply.racks[ids.RackId("r1")], limit_w=10**6
    )
    return "tranches t1 and t2 are bound to the same nodes"


def _no_hold(world: World) -> str:
    rights_ = world.state.claims.rights
    name = ids.RightId("call")
    rights_[name] = rights_[name]._replace(passed=((ids.HoldId("gone"), T0),))
    return "right call: the sale that it is about, gone, is not held"


def _offered_nothing(world: World) -> str:
    rights_ = world.state.claims.rights
    name = ids.RightId("call")
    rights_[name] = rights_[name]._replace(life=claims.rights.Life.OFFERED, hold=ids.HoldId("h9"))
    return "right call: the sale that it is about, h9, is not held"


def _overdrawn(world: World) -> str:
    world.state.claims.drawn[ContractId("c3"), ids.CapId("cap")] = 10**12
    return "contract c3: more is drawn on cap cap than it has"


@pytest.mark.parametrize("damage", [_bound_twice, _no_hold, _offered_nothing, _overdrawn])
def test_damaged_claims_are_found(damage: Any) -> None:
    driver = two()
    driver.ask(
        sign(contract("c3", "carol", rights=(call(racks=1, cap=ids.CapId("cap")),), caps=(market.cap(),)))
    )
    world = driver.world.fork()
    assert list(claims.check(world.state.claims, world.state.supply)) == []
    expected = damage(world)
    assert list(claims.check(world.state.claims, world.state.supply)) == [expected]


def test_what_was_ended_early_is_promised_to_others() -> None:
    """The nodes of a terminated tranche are free at once, within the term that it was to have."""
    driver = market.market(stands=2, comes=2, on=30)
    first = promise("t1", 4, start=30, late=late(longstop=5))
    driver.ask(sign(contract("c1", "acme", first, rights=(termination(),))))
    slip(driver, 300)
    driver.until(day(40))
    assert bound(driver) == [(0, 8)]
    driver.ask(use("out"))
    driver.ask(sign(contract("c2", "bravo", promise("t2", 2, start=41))))
    assert bound(driver, "t2") == [(0, 8)]
    driver.ask(sign(contract("c3", "bravo", promise("t3", 2, end=41))))
    machine.same_when_replayed(driver.world, driver.events)


def test_a_tranche_that_ended_before_it_began() -> None:
    driver = market.market(stands=2, comes=2, on=30)
    both = (
        promise("t1", 2, start=30, late=late(longstop=5)),
        promise("t2", 2, start=300, end=360),
    )
    plan = contract("c1", "acme", *both, rights=(termination(ends_order=True),))
    driver.ask(sign(plan))
    driver.ask(sign(contract("c2", "bravo", promise("b", 2, end=300))))
    slip(driver, 100)
    driver.until(day(40))
    driver.ask(use("out"))
    held = driver.world.state.claims.tranches[TrancheId("t2")]
    assert (held.standing, held.started_at) == (claims.Standing.ENDED, 0)
    assert claims.commitment(held, driver.world.state.supply) == [(day(40), 0)]
    driver.close()
    assert driver.world.calendar.committed(market.STOCK).at(day(310)) == 0


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(0, 40), st.integers(5, 60), st.sampled_from(list(Unit))),
        max_size=5,
    ),
    st.lists(st.integers(10, 90), max_size=3),
    st.sampled_from([PRO_RATA, SIGNING, LEAST]),
)
def test_what_is_recorded_always_adds_up(
    asked: list[tuple[int, int, int, Unit]], slips: list[int], shorting: Shorting
) -> None:
    driver = market.market(stands=2, comes=2, on=20)
    policy(driver, shorting=shorting)
    for n, (count, start, length, unit) in enumerate(asked):
        plan = promise(f"t{n}", count, start=start, end=start + length, unit=unit)
        driver.handle(sign(contract(f"c{n}", "acme", plan), override="anyway"))
    for to in slips:
        driver.later(days=5)
        slip(driver, to)
    machine.same_when_replayed(driver.world, driver.events)
