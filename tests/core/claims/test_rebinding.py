"""The door for plans about racks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forebay.core import claims, supply, usage
from forebay.core.claims import Rebinding, TrancheRebound, Unit, rebinding
from forebay.core.claims.calendar import Stock
from forebay.core.ids import SiteId, SkuId, TrancheId
from forebay.core.placements import gang as gangs
from forebay.core.placements.gang import Ending, Tier
from forebay.core.units import DAY_US, HOUR_US
from tests.core import auditor, machine, plant
from tests.core.plant import LENT, T0, Driver, contract, hall, rack, site, sku, tranche

NORTH = Stock(SiteId("north"), SkuId("hgx"))
LATER = {"start_at": T0 + 30 * DAY_US, "end_at": T0 + 60 * DAY_US}
Runs = tuple[tuple[int, int], ...]


def estate(*tranches: claims.TranchePlan, racks: int = 6, **more: Any) -> Driver:
    """Racks r1, r2, ... of four nodes each; acme has the tranches, bravo runs on demand and on spot."""
    signed = [contract(f"c-{each.id}", "acme", each) for each in tranches]
    return plant.plant(*signed, contract("c-bravo", "bravo"), sites=[site(racks=racks)], **more)


def proposal(driver: Driver, moves: int = 0, /, **wanted: Runs) -> claims.ProposeBinding:
    state = driver.world.state
    version = rebinding.version(state.claims, state.supply, NORTH)
    bindings = tuple(Rebinding(TrancheId(name), runs) for name, runs in wanted.items())
    return claims.ProposeBinding(NORTH.site, NORTH.sku, version, bindings, moves)


def runs(driver: Driver, name: str = "t1") -> Runs:
    return driver.world.state.claims.tranches[TrancheId(name)].runs


def owners(driver: Driver) -> str:
    """The owner of the first node of each rack: the last letter of its tranche, or a dot."""
    return "".join((owner or ".")[-1] for owner in driver.world.placed.index.owner[::4])


# A plan is taken


def test_a_tranche_that_has_not_begun_has_other_nodes() -> None:
    driver = estate(tranche("t1", 2, **LATER))
    plan = proposal(driver, t1=((4, 4), (16, 4)))
    answer = driver.ask(plan)
    assert answer == {"site": "north", "sku": "hgx", "rebound": {"t1": [[4, 4], [16, 4]]}, "moves": 0}
    assert driver.last(TrancheRebound) == TrancheRebound(
        TrancheId("t1"), driver.world.state.claims.tranches[TrancheId("t1")].contract, ((0, 4),), ((16, 4),),
        plan.version,
    )  # fmt: skip
    assert runs(driver) == ((4, 4), (16, 4))
    assert owners(driver) == "......"
    driver.later(days=30)
    assert owners(driver) == ".1..1."


def test_a_tranche_whose_term_runs_has_them_at_once() -> None:
    driver = estate(tranche("t1", 2))
    driver.ask(proposal(driver, t1=((0, 4), (20, 4))))
    assert owners(driver) == "1....1"
    driver.submit("own", 64, tranche="t1")
    assert set(driver.nodes("own")) == {0, 1, 2, 3, 20, 21, 22, 23}


def test_the_same_again_changes_nothing() -> None:
    driver = estate(tranche("t1", 2))
    events = len(driver.events)
    assert driver.ask(proposal(driver, t1=((0, 8),)))["rebound"] == {}
    assert driver.ask(proposal(driver))["rebound"] == {}
    assert len(driver.events) == events


PARTS = (tranche("t1", 2, unit=Unit.NODE), tranche("t2", 2, unit=Unit.NODE))


def in_parts(racks: int) -> Driver:
    """Two tranches have a part of a rack each, so that a third that wants whole racks misses one."""
    driver = estate(*PARTS, racks=racks)
    driver.ask(proposal(driver, t2=((4, 2),)))
    more = contract("c3", "acme", tranche("t3", racks - 1))
    driver.ask(claims.SignContract(more, override="there will be racks"))
    return driver


def test_what_was_missing_may_come_with_a_plan() -> None:
    driver = in_parts(3)
    assert runs(driver, "t3") == ((8, 4),)
    driver.ask(proposal(driver, t2=((2, 2),), t3=((4, 8),)))
    assert driver.world.state.claims.tranches[TrancheId("t3")].gpus == 64
    assert driver.world.state.usage.books[TrancheId("t3")].gpus == 64


def test_a_tranche_that_has_had_nothing_yet_may_get_it_all() -> None:
    driver = in_parts(2).later(hours=1)
    driver.close()
    assert TrancheId("t3") not in driver.world.state.usage.books
    driver.ask(proposal(driver, t2=((2, 2),), t3=((4, 4),)))
    assert driver.world.state.usage.books[TrancheId("t3")].gpus == 32


def test_who_misses_something_takes_what_a_plan_gives_up() -> None:
    driver = in_parts(3)
    driver.ask(proposal(driver, t2=((2, 2),)))
    assert runs(driver, "t3") == ((4, 8),)


def test_nodes_are_held_since_they_changed_hands() -> None:
    driver = estate(tranche("t1", 2))
    driver.later(hours=1).ask(proposal(driver, t1=((4, 8),)))
    driver.later(hours=1).ask(proposal(driver, t1=((4, 4), (16, 4))))
    driver.later(hours=1).ask(proposal(driver, t1=((0, 4), (16, 4))))
    held = driver.world.state.claims.tranches[TrancheId("t1")]
    assert held.later == ((16, 4, T0 + 2 * HOUR_US), (0, 4, T0 + 3 * HOUR_US))
    auditor.same_books(driver.world, driver.events)
    machine.same_when_replayed(driver.world, driver.events)


def test_two_tranches_swap_their_nodes() -> None:
    driver = estate(tranche("t1"), tranche("t2"))
    driver.run("one", 32, tranche="t1")
    driver.run("two", 32, tranche="t2")
    answer = driver.ask(proposal(driver, 8, t1=((4, 4),), t2=((0, 4),)))
    assert answer["moves"] == 8
    assert owners(driver) == "21...."
    assert [driver.gang(name).reason for name in ("one", "two")] == ["rebound", "rebound"]
    # Both tranches have nodes on which somebody else still is.
    assert driver.book("t1") == driver.book("t2") == (0, 0, 32)
    driver.end("one", Ending.STOPPED)
    assert driver.phase("one") == "pending"
    driver.end("two", Ending.STOPPED)
    assert driver.nodes("one") == [4, 5, 6, 7]
    assert driver.nodes("two") == [0, 1, 2, 3]
    assert driver.book("t1") == driver.book("t2") == (32, 0, 0)


def test_a_gang_on_old_and_kept_nodes_moves_whole_and_goes_first() -> None:
    driver = estate(tranche("t1", 2))
    driver.run("own", 64, tranche="t1")
    driver.submit("next", 64, tranche="t1")
    driver.ask(proposal(driver, 4, t1=((4, 8),)))
    assert driver.book() == (32, 0, 0)
    driver.later(10)
    driver.end("own", Ending.STOPPED)
    assert driver.nodes("own") == [4, 5, 6, 7, 8, 9, 10, 11]
    assert driver.phase("next") == "pending"


def test_nodes_come_back_while_the_gang_is_still_on_them() -> None:
    driver = estate(tranche("t1", 2))
    driver.run("own", 64, tranche="t1")
    driver.ask(proposal(driver, 4, t1=((4, 8),)))
    driver.ask(proposal(driver, t1=((0, 8),)))
    assert driver.book() == (64, 0, 0)
    driver.end("own", Ending.STOPPED)
    assert driver.nodes("own") == list(range(8))


def test_nodes_go_on_to_a_third_while_the_gang_is_still_on_them() -> None:
    driver = estate(tranche("t1"), tranche("t2"))
    driver.run("own", 32, tranche="t1")
    driver.ask(proposal(driver, 4, t1=((8, 4),), t2=((0, 4),)))
    assert driver.book("t2") == (0, 0, 32)
    driver.ask(proposal(driver, t2=((12, 4),)))
    assert driver.book("t2") == (0, 0, 0)
    driver.ask(proposal(driver, t2=((0, 4),)))
    assert driver.book("t2") == (0, 0, 32)
    driver.end("own", Ending.STOPPED)
    assert driver.book("t2") == (0, 0, 0)
    assert driver.nodes("own") == [8, 9, 10, 11]


def test_what_was_borrowed_moves_with_the_nodes() -> None:
    driver = estate(tranche("t1", lending=LENT), tranche("t2", 4))
    driver.run("b1", 32, tenant="bravo", tier=Tier.SPOT)
    driver.submit("b2", 32, tenant="bravo", tier=Tier.SPOT)
    assert (driver.gang("b1").lender, driver.gang("b2").lender) == ("", "t1")
    driver.ask(proposal(driver, 4, t1=((20, 4),)))
    assert driver.gang("b2").reason == "rebound"
    # The one on spot in the pool is moved for a tranche, as it is when a term begins.
    assert driver.gang("b1").reason == "claim_started"
    assert driver.book() == (0, 0, 32)
    driver.end("b1", Ending.STOPPED)
    driver.end("b2", Ending.STOPPED)
    driver.later(600)
    driver.start("b2")


def test_usage_is_counted_to_the_instant() -> None:
    driver = estate(tranche("t1"))
    driver.run("own", 32, tranche="t1", walltime_s=10**6)
    driver.later(hours=1)
    driver.ask(proposal(driver, 4, t1=((4, 4),)))
    driver.later(hours=2)
    driver.end("own", Ending.STOPPED)
    driver.later(hours=4)
    driver.close()
    (line,) = driver.last(usage.PeriodClosed).tranches
    gpu_us = 32 * HOUR_US
    # While the gang is on its way, the new nodes lie idle.
    assert (line.entitled_gpu_us, line.used_gpu_us, line.idle_gpu_us) == (7 * gpu_us, 5 * gpu_us, 2 * gpu_us)
    assert line.undeliverable_gpu_us == 0


def test_a_node_that_is_out_leaves_the_book() -> None:
    driver = estate(tranche("t1", 2))
    driver.fail(0)
    driver.cordon(1)
    assert driver.book() == (0, 0, 16)
    driver.ask(proposal(driver, t1=((4, 8),)))
    assert driver.book() == (0, 0, 0)
    driver.recover(0)
    assert driver.book() == (0, 0, 0)


# A plan is refused


def code(driver: Driver, command: claims.ProposeBinding) -> tuple[str, str]:
    no = driver.refused(command)
    return no.code, no.field


def test_who_is_not_there_is_not_bound() -> None:
    driver = estate(tranche("t1"), tranche("t0", end_at=T0 + DAY_US))
    assert code(driver, proposal(driver, t9=())) == ("unknown_tranche", "bindings[0].tranche")
    driver.later(days=1)
    assert code(driver, proposal(driver, t1=((0, 4),), t0=())) == ("unknown_tranche", "bindings[1].tranche")
    elsewhere = replace(proposal(driver, t1=((0, 4),)), site=SiteId("south"))
    assert driver.refused(elsewhere).detail == "hgx at south has no tranche t1 that has not ended"


def test_a_plan_goes_stale_with_what_it_rests_on() -> None:
    driver = estate(tranche("t1"), tranche("t2", **LATER))
    for change in (
        claims.SignContract(contract("c3", "acme", tranche("t3"))),
        supply.ApplySite(site(racks=7)),
    ):
        old = proposal(driver, t1=((8, 4),))
        driver.ask(change)
        assert code(driver, old) == ("stale_plan", "version")
    old = proposal(driver, t1=((8, 4),))
    driver.later(days=30)
    assert code(driver, old) == ("stale_plan", "version")
    old = proposal(driver, t1=((8, 4),))
    driver.ask(proposal(driver, t1=((16, 4),)))
    assert code(driver, old) == ("stale_plan", "version")


def test_a_plan_does_not_rest_on_other_stocks() -> None:
    driver = estate(tranche("t1"), skus=[sku(), sku("b200")])
    old = proposal(driver, t1=((8, 4),))
    racks = hall("south-h1", rack("s1", on="sf"), rack("s2", of="b200", on="sf"))
    driver.ask(supply.ApplySite(site("south", [plant.feed("sf")], [racks])))
    more = [tranche("s1", site="south"), tranche("s2", site="south", sku="b200")]
    driver.ask(claims.SignContract(contract("c2", "acme", *more)))
    driver.ask(old)


ODD = [
    hall("north-h1", *(rack(f"r{n}") for n in range(1, 5)), rack("part", nodes=2), rack("b1", of="b200")),
]
NODES = tranche("t2", 5, unit=Unit.NODE)


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"t1": ((0, 4), (4, 4))}, "tranche t1 has runs that are not in order, or of nodes that are not there"),
        ({"t1": ((4, 4), (0, 4))}, "tranche t1 has runs that are not in order, or of nodes that are not there"),
        ({"t1": ((0, 0), (8, 4))}, "tranche t1 has runs that are not in order, or of nodes that are not there"),
        ({"t1": ((-4, 4),)}, "tranche t1 has runs that are not in order, or of nodes that are not there"),
        ({"t2": ((20, 9),)}, "tranche t2 has runs that are not in order, or of nodes that are not there"),
        ({"t2": ((16, 6),)}, "tranche t2 would have nodes of rack b1: b200 at north"),
        ({"t1": ((1, 4),)}, "tranche t1 would have a part of rack r1, and is promised whole racks"),
        ({"t1": ((0, 3), (8, 1))}, "tranche t1 would have a part of rack r1, and is promised whole racks"),
        ({"t1": ((16, 2),)}, "tranche t1 would have a part of rack part, and is promised whole racks"),
        ({"t1": ((8, 8),)}, "tranche t1 is promised 4 nodes, not 8"),
        ({"t2": ((8, 4),)}, "tranche t2 would have 4 nodes, fewer than the 5 that it has"),
        ({"t2": ((0, 5),)}, "tranches t1 and t2 would both have node 0 at one instant"),
        ({"t1": ((4, 4),)}, "tranches t1 and t2 would both have node 4 at one instant"),
    ],
)  # fmt: skip
def test_a_plan_that_does_not_hold_is_refused(wanted: dict[str, Runs], told: str) -> None:
    signed = contract("c1", "acme", tranche("t1"), NODES)
    driver = plant.plant(signed, sites=[site(halls=ODD)], skus=[sku(), sku("b200")])
    driver.ask(proposal(driver, t2=((4, 5),)))
    no = driver.refused(proposal(driver, 0, **wanted))
    assert (no.code, no.detail) == ("bad_binding", told)


def test_nobody_gets_more_than_is_owed_by_now() -> None:
    parts = (claims.Delivery(T0, 1), claims.Delivery(T0 + DAY_US, 1))
    driver = estate(tranche("t1", 2, deliveries=parts))
    no = driver.refused(proposal(driver, t1=((0, 8),)))
    assert (no.code, no.detail) == ("bad_binding", "tranche t1 is owed 4 nodes by now, not 8")


def test_no_more_power_is_promised_than_there_is() -> None:
    """One rack of two at work is all that the first feed carries; terms that do not meet share it."""
    feeds = [plant.feed("f1", 2 * 1_000 + 32_000), plant.feed("f2")]
    racks = hall("h1", rack("r1"), rack("r2"), rack("r3", on="f2"), rack("r4", on="f2"))
    signed = contract("c1", "acme", tranche("t1"), tranche("t2"), tranche("t3", **LATER))
    ended = replace(
        signed, tranches=(replace(signed.tranches[0], end_at=LATER["start_at"]), *signed.tranches[1:])
    )
    driver = plant.plant(ended, sites=[site(feeds=feeds, halls=[racks])])
    assert [runs(driver, name) for name in ("t1", "t2", "t3")] == [((0, 4),), ((8, 4),), ((0, 4),)]
    no = driver.refused(proposal(driver, t2=((4, 4),)))
    assert (no.code, no.field) == ("bad_binding", "bindings")
    assert no.detail == "64000 W would be promised on feed f1, which has room for 32000 W of work"
    driver.ask(proposal(driver, t2=((4, 4),), t1=((8, 4),), t3=((12, 4),)))


def test_a_tranche_stands_in_a_plan_once() -> None:
    driver = estate(tranche("t1"))
    once = proposal(driver, t1=((8, 4),))
    no = driver.refused(replace(once, bindings=once.bindings * 2))
    assert (no.code, no.detail, no.field) == (
        "bad_binding",
        "tranche t1 stands in the plan twice",
        "bindings[1].runs",
    )


def test_terms_that_do_not_meet_may_share_nodes() -> None:
    first = tranche("t1", end_at=T0 + 30 * DAY_US)
    driver = estate(first, tranche("t2", **LATER), tranche("t3"))
    driver.ask(proposal(driver, t1=((8, 4),), t2=((8, 4),)))
    driver.later(days=30)
    assert owners(driver)[2] == "2"


def test_no_node_is_taken_that_is_out_of_service() -> None:
    driver = estate(tranche("t1"), tranche("t2", **LATER))
    old = proposal(driver, t1=((20, 4),))
    driver.cordon(21)
    assert driver.refused(old).detail == (
        "tranche t1 would take r6-n02, which is out of service: make the plan again"
    )
    driver.ask(proposal(driver, t2=((20, 4),)))


def test_work_on_demand_stays_where_it_is() -> None:
    driver = estate(tranche("t1"), tranche("t2", **LATER))
    driver.ask(proposal(driver, t2=((20, 4),)))
    driver.run("od", 32, tenant="bravo")
    assert driver.nodes("od") == [4, 5, 6, 7]
    no = driver.refused(proposal(driver, t1=((4, 4),)))
    assert (no.code, no.detail) == ("bad_binding", "tranche t1 would take r2-n01, where work on demand runs")
    driver.ask(proposal(driver, t1=((8, 4),), t2=((4, 4),)))
    driver.cancel("od")
    driver.ask(proposal(driver, t1=((4, 4),), t2=((8, 4),)))
    assert driver.book() == (0, 0, 32)


def test_no_more_work_moves_than_the_plan_says() -> None:
    driver = estate(tranche("t1", 2))
    old = proposal(driver, 3, t1=((8, 8),))
    driver.run("own", 32, tranche="t1")
    no = driver.refused(old)
    assert (no.code, no.field) == ("stale_plan", "moves")
    assert no.detail == "work runs on 4 nodes that would be given up, and the plan says 3: make it again"
    driver.ask(replace(old, moves=4))


# What `check` finds


def test_what_is_misshapen_is_found() -> None:
    driver = estate(tranche("t1"), tranche("t0", end_at=T0 + DAY_US))
    driver.later(days=1)
    state = driver.world.state.claims.fork()
    for name in ("t0", "t1"):
        state.tranches[TrancheId(name)] = state.tranches[TrancheId(name)]._replace(runs=((1, 4),))
    assert list(rebinding.check_bound(state, driver.world.state.supply)) == [
        "tranche t1 would have a part of rack r1, and is promised whole racks"
    ]


def test_what_has_ended_may_have_had_what_others_have() -> None:
    driver = estate(tranche("t1"), tranche("t2"))
    state = driver.world.state.claims.fork()
    ended = state.tranches[TrancheId("t1")]
    state.tranches[TrancheId("t1")] = ended._replace(standing=claims.Standing.ENDED, runs=((4, 4),))
    assert list(claims.check(state, driver.world.state.supply)) == []


# Whatever happens


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_books_and_index_hold_whatever_is_rebound(data: st.DataObject) -> None:
    """The driver checks everything after each step."""
    driver = estate(
        tranche("t1", 2, lending=LENT), tranche("t2", 1), tranche("t3", 5, unit=Unit.NODE, **LATER), racks=5
    )
    racks = [(4 * n, 4) for n in range(5)]
    for step in range(data.draw(st.integers(3, 14))):
        match data.draw(
            st.sampled_from(["plan", "plan", "gang", "end", "fail", "recover", "cordon", "uncordon", "later"])
        ):
            case "plan":
                mixed = data.draw(st.permutations(racks))
                wanted = {"t1": claims.joined_runs(*mixed[:2]), "t2": (mixed[2],)}
                if data.draw(st.booleans()):
                    wanted["t3"] = claims.joined_runs(mixed[3], (mixed[4][0], 1))
                driver.handle(proposal(driver, 20, **wanted))
            case "gang":
                own = data.draw(st.sampled_from(["t1", "t2", ""]))
                gpus = data.draw(st.sampled_from([3, 8, 32]))
                if own:
                    driver.submit(f"g{step}", gpus, tranche=own)
                else:
                    tier = data.draw(st.sampled_from([Tier.SPOT, Tier.ON_DEMAND]))
                    driver.submit(f"g{step}", gpus, tenant="bravo", tier=tier)
            case "end":
                holding = [gang for gang in driver.live() if gang.phase in gangs.HOLDING]
                if holding:
                    gang = data.draw(st.sampled_from(holding))
                    if not gang.started_at and data.draw(st.booleans()):
                        driver.start(gang.spec.id)
                    driver.end(gang.spec.id, Ending.STOPPED)
            case "fail":
                driver.fail(data.draw(st.integers(0, 19)))
            case "recover":
                driver.recover(data.draw(st.integers(0, 19)))
            case "cordon":
                driver.cordon(data.draw(st.integers(0, 19)))
            case "uncordon":
                driver.uncordon(data.draw(st.integers(0, 19)))
            case _:
                driver.later(days=data.draw(st.integers(0, 15)))
    driver.later(1)
    driver.close()


@given(st.lists(st.booleans(), max_size=12), st.lists(st.booleans(), max_size=12))
def test_runs_without_others(some: list[bool], others: list[bool]) -> None:
    def told(marks: list[bool]) -> Runs:
        return claims.joined_runs(*((place, 1) for place, mark in enumerate(marks) if mark))

    left = [mark and not (place < len(others) and others[place]) for place, mark in enumerate(some)]
    assert claims.joined_runs(*claims.runs_less(told(some), told(others))) == told(left)
