"""An engine that is not heard of is told as silent; what it runs starts nowhere else before it is over for sure."""

from __future__ import annotations

from typing import Any, TypeVar

from forebay.core import supply
from forebay.core.ids import Event, GangId, SiteId
from forebay.core.placements import gang as gangs
from forebay.core.placements import heartbeats, silence
from forebay.core.placements.failing import Failing
from forebay.core.placements.gang import Ending
from forebay.core.timeline import text
from forebay.core.units import SECOND_US
from forebay.core.world import World
from tests.core import plant
from tests.core.plant import EDGE, OPERATOR, T0, Driver, tenant

E = TypeVar("E", bound=Event)


def watched(**terms: Any) -> Driver:
    """Two sites with an engine each, silent after 100 s."""
    driver = plant.plant()
    driver.ask(supply.ApplySite(plant.site("south", (plant.feed("f9"),), (south(),))))
    driver.policy(failing=Failing(**({"engine_silent_s": 100} | terms)))
    heard(driver, "en", "north")
    heard(driver, "es", "south")
    return driver


def south(racks: int = 1) -> supply.HallPlan:
    return plant.hall("south-h1", *(plant.rack(f"s{n}", on="f9") for n in range(1, racks + 1)))


def heard(driver: Driver, engine: str, *sites: str) -> bool:
    told = heartbeats.ReportEngineHeard(engine, tuple(SiteId(site) for site in sites))
    return bool(driver.ask(told, EDGE)["changed"])


def beats(driver: Driver, seconds: int) -> None:
    """The engine of the south goes on saying that it is there."""
    for _ in range(seconds // 25):
        driver.later(25)
        heard(driver, "es", "south")


def every(driver: Driver, kind: type[E]) -> list[E]:
    return [event for _, event in driver.events if isinstance(event, kind)]


def facts(driver: Driver, name: str, by: Any = OPERATOR) -> str:
    told = driver.world.explain(GangId(name), by)
    assert isinstance(told, dict)
    return " ".join(told["facts"])


def late(driver: Driver, name: str, generation: int) -> str:
    report = gangs.ReportGangEnded(GangId(name), generation, driver.at, "en", Ending.COMPLETED)
    return driver.refused(report, EDGE).code


def test_nothing_is_written_down_where_no_policy_asks_for_it() -> None:
    driver = plant.plant()
    assert not heard(driver, "en")
    driver.later(days=3)
    assert not driver.count(heartbeats.EngineHeard)
    driver.policy(failing=Failing(engine_silent_s=100))
    assert heard(driver, "en")
    driver.policy(failing=Failing())
    driver.later(days=3)
    assert not heard(driver, "en")
    assert not driver.count(heartbeats.EngineSilent)


def test_a_heartbeat_is_written_down_once_a_quarter_of_the_time() -> None:
    driver = watched()
    assert not heard(driver, "en", "north")
    driver.later(24)
    assert not heard(driver, "en", "north")
    driver.later(1)
    assert heard(driver, "en", "north")
    assert not heard(driver, "en", "north")


def test_an_engine_is_silent_a_quarter_after_the_time() -> None:
    driver = watched()
    driver.run("g1", sites=("north",), walltime_s=86_400)
    driver.later(124)
    assert not driver.count(heartbeats.EngineSilent)
    driver.later(1)
    # Both: neither was heard of.
    assert [event.engine for event in every(driver, heartbeats.EngineSilent)] == ["en", "es"]
    assert every(driver, heartbeats.EngineSilent)[0] == heartbeats.EngineSilent("en", T0, 0)
    assert driver.phase("g1") == "running"
    since = text(T0)
    assert f"Engine en has not been heard of since {since}: it counts as running" in facts(driver, "g1")
    assert "Its engine is silent: it counts as running" in facts(driver, "g1", tenant("acme"))
    driver.later(days=20)
    assert driver.phase("g1") == "stopping"
    # It has no lease: it holds its GPUs until its engine says that it ended, whatever happens.
    assert heard(driver, "en", "north")
    driver.end("g1", Ending.STOPPED)
    assert driver.gang("g1").reason == "walltime"


def test_nothing_is_started_at_the_site_of_a_silent_engine() -> None:
    driver = watched()
    beats(driver, 125)
    assert driver.submit("g1", 8).site == "south"
    driver.submit("g2", 8, sites=("north",))
    assert driver.phase("g2") == "pending"
    assert "Engine en has not been heard of since" in facts(driver, "g2")
    assert "Its engine is silent: nothing is started at north meanwhile." in facts(
        driver, "g2", tenant("acme")
    )
    # Nor on what comes, or is repaired, meanwhile.
    driver.ask(supply.ApplySite(plant.site(racks=3)))
    driver.fail(0)
    driver.recover(0)
    assert driver.phase("g2") == "pending"
    assert heard(driver, "en", "north")
    assert driver.phase("g2") == "placed"


def test_an_engine_that_is_back_goes_on_with_what_it_has_and_is_told_again() -> None:
    driver = watched(engine_fence_s=200)
    driver.run("g1", sites=("north",), walltime_s=86_400)
    driver.run("g2", sites=("south",), walltime_s=86_400)
    beats(driver, 125)
    assert driver.last(heartbeats.EngineSilent).fence_at == T0 + (25 + 200 + 30 + 30) * SECOND_US
    assert "when its lease is over for sure" in facts(driver, "g1")
    driver.effects.clear()
    assert heard(driver, "en", "north")
    assert driver.last(heartbeats.EngineHeard).back
    assert [(type(each), each.gang) for each in driver.effects] == [(gangs.RunGang, "g1")]  # type: ignore[attr-defined]
    driver.later(20)
    assert driver.phase("g1") == "running"
    assert not driver.count(heartbeats.EngineFenced)


def test_a_run_whose_lease_is_over_starts_elsewhere_and_what_it_says_late_is_refused() -> None:
    driver = watched(engine_fence_s=200)
    driver.run("g1", walltime_s=86_400)
    driver.run("leaving", walltime_s=86_400)
    driver.ask(gangs.ReportGangProgress(GangId("g1"), 5, 1), EDGE)
    driver.cancel("leaving")
    assert driver.gang("g1").site == "north"
    beats(driver, 275)
    assert driver.phase("g1") == "running"
    beats(driver, 25)
    fenced = driver.last(heartbeats.EngineFenced)
    assert (fenced.engine, fenced.by_lease) == ("en", True)
    assert fenced.generations == ((GangId("g1"), 1), (GangId("leaving"), 1))
    (ended,) = [each for each in every(driver, gangs.GangEnded) if each.gang == "g1"]
    assert (ended.effective_at, ended.reason, ended.again) == (T0, "engine_silent", True)
    assert ended.evidence == "engine en was silent, and its lease was over"
    assert (driver.phase("leaving"), driver.gang("leaving").reason) == ("ended", "cancelled")
    # It goes in front, as who lost a node does, and no failure counts against it.
    gang = driver.gang("g1")
    assert (gang.phase, gang.site, gang.generation, gang.failures) == ("placed", "south", 2, 0)
    assert late(driver, "g1", 1) == "fenced_generation"
    stale = gangs.ReportGangProgress(GangId("g1"), 9, 1)
    assert driver.refused(stale, EDGE).code == "fenced_generation"
    driver.start("g1")
    assert late(driver, "g1", 0) == "fenced_generation"
    # Its engine is back: it is told to stop what it still has of it.
    driver.effects.clear()
    assert heard(driver, "en", "north")
    stops = [
        (each.gang, each.generation, each.reason)
        for each in driver.effects
        if isinstance(each, gangs.StopGang)
    ]
    assert stops == [("g1", 1, "engine_silent"), ("leaving", 1, "engine_silent")]
    driver.later(60)
    assert driver.phase("g1") == "running"
    assert driver.count(heartbeats.EngineFenced) == 1


def test_what_was_placed_before_leases_were_asked_for_waits_for_its_engine_or_for_somebody() -> None:
    driver = watched()
    driver.run("old", sites=("north",), walltime_s=86_400)
    driver.policy(failing=Failing(engine_silent_s=100, engine_fence_s=60))
    driver.run("new", sites=("north",), walltime_s=86_400)
    assert [e.lease_s for e in driver.effects if isinstance(e, gangs.RunGang)] == [0, 60]
    beats(driver, 200)
    assert (driver.phase("old"), driver.phase("new")) == ("running", "pending")
    # Nothing of it may be taken over before.
    take = heartbeats.ReportEngineHeard("en2", (SiteId("north"),))
    assert driver.refused(take, EDGE).code == "site_served"
    fence = heartbeats.FenceEngine("en", "hosts are off")
    assert driver.ask(fence) == {"engine": "en", "changed": True, "gangs": 1}
    assert driver.last(gangs.GangEnded).evidence == "engine en was silent, and it was fenced: hosts are off"
    assert driver.ask(fence) == {"engine": "en", "changed": False, "gangs": 0}
    # Now another may serve the site.
    driver.ask(take, EDGE)
    assert list(driver.world.state.placements.engines.known) == ["es", "en2"]
    assert (driver.phase("old"), driver.phase("new")) == ("placed", "placed")
    assert driver.refused(fence).code == "unknown_engine"


def test_who_is_heard_of_is_not_fenced_and_nobody_names_a_site_that_there_is_not() -> None:
    driver = watched()
    assert driver.refused(heartbeats.FenceEngine("en")).code == "not_silent"
    assert driver.refused(heartbeats.ReportEngineHeard("no way"), EDGE).code == "bad_id"
    nowhere = heartbeats.ReportEngineHeard("x", (SiteId("nowhere"),))
    assert driver.refused(nowhere, EDGE).code == "unknown_site"
    assert driver.refused(heartbeats.ReportEngineHeard("x"), EDGE).code == "site_served"
    beats(driver, 125)
    assert driver.ask(heartbeats.FenceEngine("en")) == {"engine": "en", "changed": False, "gangs": 0}


def test_nothing_is_kept_for_a_gang_where_nothing_is_started() -> None:
    driver = watched(hold_s=86_400)
    driver.run("g1", 16, sites=("north",), walltime_s=86_400)
    driver.fail(driver.nodes("g1")[0])
    driver.end("g1", Ending.STOPPED)
    driver.run("g2", 16, sites=("north",), walltime_s=86_400)
    driver.run("g3", 16, sites=("south",), walltime_s=86_400)
    driver.fail(driver.nodes("g2")[0])
    assert driver.world.state.placements.holds
    beats(driver, 125)
    assert driver.last(gangs.HostsReleased).reason == "engine_silent"
    driver.fail(driver.nodes("g2")[1])
    assert not driver.world.state.placements.holds
    # What is kept elsewhere stays.
    driver.fail(driver.nodes("g3")[0])
    assert list(driver.world.state.placements.holds) == ["g3"]
    driver.recover(0)


def test_a_fold_that_nobody_asks_comes_to_the_same() -> None:
    driver = watched(engine_fence_s=200)
    driver.run("g1", sites=("north",), walltime_s=86_400)
    beats(driver, 300)
    heard(driver, "en", "north")
    again = World()
    for at, event in driver.events:
        again.apply(event, at)
    assert repr(again.state) == repr(driver.world.state)
    again.check()


def test_what_is_fenced_is_no_reason_to_refuse_what_comes_after() -> None:
    driver = watched(engine_fence_s=200)
    driver.run("g1", walltime_s=86_400)
    beats(driver, 300)
    driver.start("g1")
    assert driver.ask(gangs.ReportGangProgress(GangId("g1"), 3, 2), EDGE)["changed"]
    assert driver.ask(gangs.ReportGangProgress(GangId("g1"), 4), EDGE)["changed"]
    assert late(driver, "g1", 3) == "stale_generation"


def test_books_that_do_not_agree_are_told() -> None:
    driver = watched(engine_fence_s=200)
    driver.run("g1", walltime_s=86_400)
    world = driver.world.fork()
    world.placed.barred = {SiteId("north")}
    world.state.placements.engines.fenced[GangId("g1")] = 1
    told = list(silence.check_beside(world.state.placements, world.placed, world.state.supply))
    assert told == [
        "sites whose engine is silent differ from the state",
        "gang g1 holds GPUs, and was fenced",
    ]


def test_a_world_that_is_made_again_bars_the_same_sites() -> None:
    driver = watched(engine_fence_s=200)
    driver.run("g1", sites=("north",), walltime_s=86_400)
    beats(driver, 125)
    again = driver.world.fork()
    again.check()
    assert again.placed.barred == {"north"}
