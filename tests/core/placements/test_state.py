"""Is what is derived from the state what the events made of it, and does `check` see where it is not?"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from forebay.core import money
from forebay.core.ids import GangId, NodeIndex, TrancheId
from forebay.core.placements import checking, occupancy, occupants
from forebay.core.placements import gang as gangs
from forebay.core.placements import state as states
from forebay.core.placements.gang import Ending, Phase, Policy, Run, Tier
from forebay.core.placements.limits import LimitToCome
from forebay.core.timeline import Due
from forebay.core.units import DAY_US, SECOND_US
from forebay.core.world import World
from forebay.engines.simulated import Fate, SimulatedEngine
from forebay.journals.memory import MemoryJournal
from forebay.twin.clock import VirtualClock
from forebay.twin.driver import Twin
from tests.core import plant
from tests.core.plant import LENT, T0, Driver, contract, tranche


def busy() -> Driver:
    """A gang in every phase, a loan called back and one wiped, nodes out of service, a tranche each way."""
    driver = plant.plant(
        contract("c1", "acme", tranche("t1", lending=LENT)),
        contract("c2", "bravo", tranche("t2", start_at=T0 + DAY_US)),
        policy=Policy(turnover_s=100),
        sites=(plant.site(racks=4),),
    )
    driver.run("pool", 32, tenant="bravo")
    driver.run("pool2", 32)
    driver.run("fails", 8, tenant="bravo")
    driver.run("done", 24)
    driver.run("b1", 8, tenant="bravo", tier=Tier.SPOT)
    driver.run("b2", 8, tenant="bravo", tier=Tier.SPOT)
    driver.run("own", 8, tranche="t1")
    driver.end("b2", Ending.FAILED)
    driver.submit("own2", 24, tranche="t1")
    driver.end("done")
    driver.end("fails", Ending.FAILED)
    driver.end("fails", Ending.FAILED)
    driver.submit("placed", 4)
    driver.fail(15)
    driver.cordon(14)
    driver.submit("waits", 64)
    return driver


def test_everything_derived_is_made_again() -> None:
    driver = busy()
    world = driver.world
    again = World.restore(world.state)
    assert {gang.phase for gang in world.state.placements.gangs.values()} == set(Phase)
    assert again.placed.backoff == world.placed.backoff == {"fails"}
    assert again.placed.index.load_w == world.placed.index.load_w
    assert again.next_wake() == world.next_wake()
    assert _waiting(again) == _waiting(world)


def _waiting(world: World) -> list[str]:
    queue, known = world.placed.queue, world.state.placements.gangs
    return [entry.gang for lane in queue.lanes() for entry in queue.waiting(lane, known)]


def test_a_gang_is_in_nobodys_way_once_it_is_placed_again() -> None:
    """A replay knows a pause only by its events: the placement ends it."""
    driver = busy()
    driver.later(5)
    assert driver.gang("fails").generation == 3
    again = World()
    for at, event in driver.events:
        again.apply(event, at)
    assert again.placed.backoff == set()


def test_what_falls_due_next_is_as_if_it_were_found_anew_after_each_event() -> None:
    """A World keeps what it found until something happens."""
    world = World()
    for at, event in busy().later(hours=2).events:
        world.apply(event, at)
        assert world.next_wake() == world.next_wake() == world.fork().next_wake()


@pytest.mark.parametrize(
    ("what", "name", "after_s"),
    [("start", "placed", 600), ("walltime", "pool", 3600), ("reclaim", "b1", 300), ("return", "b2", 100),
     ("retry", "fails", 5)],
)  # fmt: skip
def test_what_falls_due_for_a_gang(what: str, name: str, after_s: int) -> None:
    driver = busy()
    state = driver.world.state.placements
    due = Due(T0 + after_s * SECOND_US, what, name, driver.gang(name).generation)
    assert states.meant(state, due)
    assert not states.meant(state, due._replace(at=due.at + 1))
    assert not states.meant(state, due._replace(stamp=9))
    assert not states.meant(state, due._replace(about="gone"))


def test_who_holds_which_nodes() -> None:
    driver = busy()
    held = occupants.holders(driver.world.placed, {NodeIndex(4), NodeIndex(0), NodeIndex(99)})
    assert held == sorted({*held})
    assert {name for name in held if driver.gang(name).phase is Phase.ENDED} == set()


def test_gangs_are_known_by_the_nodes_they_are_on() -> None:
    on_node = occupancy.OnNode()
    # Two runs in one group of neighbours, one over four groups, one that shares a node.
    small, large, shared = (GangId(name) for name in ("small", "large", "shared"))
    runs = {
        small: (Run(3, 1, 1), Run(9, 2, 255)),
        large: (Run(60, 200, 255),),
        shared: (Run(9, 1, 1), Run(259, 1, 1)),
    }
    for name, held in runs.items():
        on_node.add(name, held)
    assert [on_node.get(node) for node in (2, 3, 4, 9, 10, 11)] == [
        (), (small,), (), (small, shared), (small,), (),
    ]  # fmt: skip
    assert [on_node.get(node) for node in (59, 60, 128, 258, 259, 260)] == [
        (), (large,), (large,), (large,), (large, shared), (),
    ]  # fmt: skip
    assert on_node.get(5_000, (small,)) == (small,)
    assert len(on_node.near) == 5
    on_node.drop(large, runs[large])
    on_node.drop(small, runs[small])
    assert (on_node.get(128), on_node.get(9), on_node.get(259)) == ((), (shared,), (shared,))
    on_node.drop(shared, runs[shared])
    assert on_node.near == {}


def test_finished_work_leaves_the_live_state_at_period_close() -> None:
    driver = plant.plant()
    driver.run("g1", 8)
    driver.end("g1")
    driver.run("g2", 8)
    driver.later(1).close()
    assert list(driver.world.state.placements.gangs) == ["g2"]


def test_a_name_that_is_used_again_goes_on_counting() -> None:
    driver = plant.plant()
    driver.run("g1", 8)
    driver.end("g1", Ending.FAILED)
    driver.start("g1")
    driver.end("g1")
    driver.later(1).close()
    driver.submit("g1", 8)
    assert (driver.gang("g1").generation, driver.gang("g1").generation_before) == (3, 2)
    assert getattr(driver.effects[-1], "starts_before", None) == 0


def test_a_name_that_is_used_again_runs_again() -> None:
    """An engine that remembers the first would take a second with its generation for a repetition."""
    clock = VirtualClock(T0)
    started: list[tuple[int, int]] = []

    def fate(effect: gangs.RunGang) -> Fate:
        started.append((effect.generation, effect.starts_before))
        return Fate(60 * SECOND_US)

    twin = Twin(clock, SimulatedEngine(clock, fate), MemoryJournal())
    for at, asked in plant.plant().asked:
        clock.advance_to(at)
        twin.step(asked)
    for _ in range(2):
        twin.ask(plant.OPERATOR, gangs.SubmitGang(plant.spec("g1", 8)))
        twin.run_until(clock.now() + DAY_US)
        clock.advance_to(clock.now() + DAY_US)
        twin.ask(plant.FINANCE, money.CloseBillingPeriod("test"))
    assert started == [(1, 0), (2, 0)]
    # Both were metered: 8 GPUs for two minutes at 3.00.
    issued = twin.world.state.money.invoices.values()
    assert [invoice.total_minor for invoice in issued] == [40, 40]


# Limits of time


def test_walltime() -> None:
    driver = plant.plant()
    driver.run("g1", 8, walltime_s=100)
    driver.later(99)
    assert driver.phase("g1") == "running"
    driver.later(1)
    assert (driver.phase("g1"), driver.gang("g1").reason) == ("stopping", "walltime")
    driver.end("g1", Ending.STOPPED)
    assert driver.phase("g1") == "ended"


def test_walltime_of_a_gang_that_is_stopping_already() -> None:
    driver = plant.plant()
    driver.run("g1", 8, walltime_s=100)
    driver.cordon(0, drain=True)
    driver.later(200)
    assert driver.gang("g1").reason == "drain"
    assert driver.end("g1", Ending.STOPPED).phase.value == "placed"


def test_an_id_that_is_used_again_has_its_own_time() -> None:
    driver = plant.plant()
    driver.run("g1", 8, walltime_s=7200)
    driver.later(60).end("g1")
    driver.close()
    driver.later(60).run("g1", 8, walltime_s=86_400)
    driver.later(hours=3)
    assert driver.phase("g1") == "running"


def test_what_the_engine_does_not_start_in_time_is_queued_again() -> None:
    driver = plant.plant(policy=Policy(start_timeout_s=60))
    driver.submit("g1", 8)
    driver.later(60)
    assert (driver.phase("g1"), driver.gang("g1").reason) == ("stopping", "start_timeout")
    # It comes up after all: use is metered, and it stops.
    driver.start("g1", ago_s=10)
    assert driver.phase("g1") == "stopping"
    driver.end("g1", Ending.STOPPED)
    assert (driver.phase("g1"), driver.gang("g1").generation) == ("placed", 2)


def test_a_new_policy_holds_for_what_is_being_started() -> None:
    driver = plant.plant()
    driver.submit("g1", 8)
    driver.later(100)
    driver.policy(start_timeout_s=200)
    assert driver.world.next_wake() == T0 + 200 * SECOND_US
    driver.policy(start_timeout_s=50)
    assert driver.phase("g1") == "stopping"


# What `check` finds


def _gang_on_failed_node(world: World) -> None:
    world.state.supply.failed[NodeIndex(0)] = "xid"


def _gang_not_whole(world: World) -> None:
    known = world.state.placements.gangs
    known[GangId("g1")] = known[GangId("g1")]._replace(runs=(Run(0, 1, 0x7F),))


def _placed_twice(world: World) -> None:
    known = world.state.placements.gangs
    known[GangId("g2")] = known[GangId("g2")]._replace(runs=known[GangId("g1")].runs)


def _of_another(world: World) -> None:
    known = world.state.placements.gangs
    known[GangId("g1")] = known[GangId("g1")]._replace(lender=TrancheId("t9"))


def _over_the_limit(world: World) -> None:
    world.placed.index.plant.level_limit_w[0] = 10_000


def _too_much_is_reserved(world: World) -> None:
    world.placed.index.reserved_w[0] += 982_001


def _index_differs(world: World) -> None:
    world.placed.index.free[7] = 0


def _buckets_differ(world: World) -> None:
    next(iter(world.placed.index.pools.values())).by_free[8].clear()


def _loads_differ(world: World) -> None:
    world.placed.index.load_w[0] -= 1


def _nodes_differ(world: World) -> None:
    world.placed.held.on_node.near.clear()


def _pauses_differ(world: World) -> None:
    world.placed.backoff.add(GangId("g1"))


def _limits_to_come_differ(world: World) -> None:
    world.placed.bounds.coming = [LimitToCome(0, 1, 1, 1, 1, 0)]


@pytest.mark.parametrize(
    ("damage", "found"),
    [
        (_gang_on_failed_node, "gang g1 is to run on node 0, which failed"),
        (_gang_not_whole, "gang g1 is not whole"),
        (_placed_twice, "node 0 is placed on twice"),
        (_of_another, "gang g1 runs on node 0 of the pool"),
        (_over_the_limit, "feed f1 carries 18000 W, above its limit of 10000 W"),
        (_too_much_is_reserved, "feed f1 carries and reserves 1000001 W, above its limit of 1000000 W"),
        (_too_much_is_reserved, "the loads of the electrical levels differ from the state"),
        (_index_differs, "the index differs from the state"),
        (_buckets_differ, "the buckets of free nodes differ from the state"),
        (_loads_differ, "the loads of the electrical levels differ from the state"),
        (_nodes_differ, "gangs by node differ from the state"),
        (_limits_to_come_differ, "limits to come differ from the state"),
        (_pauses_differ, "gangs that wait out a pause differ from the state"),
    ],
)
def test_damage_is_found(damage: Callable[[World], None], found: str) -> None:
    driver = plant.plant()
    driver.run("g1", 8)
    driver.run("g2", 8)
    world = driver.world.fork()
    world.check()  # makes what is derived, so that the damage comes after it
    damage(world)
    state = world.state
    assert found in list(checking.check(state.placements, world.placed, state.supply, state.claims))


def test_a_replaced_policy_is_kept() -> None:
    driver = plant.plant()
    assert driver.world.state.placements.policy.version == 0
    driver.policy(overtake_s=9)
    assert driver.last(gangs.PolicyApplied).policy == driver.world.state.placements.policy == Policy(1, 9)
