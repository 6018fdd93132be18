"""Many gangs by one command, and gangs that come after others: who starts when, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from forebay.core.ids import GangId, Principal, Refusal, Role
from forebay.core.placements import arrays, chains
from forebay.core.placements import gang as gangs
from forebay.core.placements.chains import After, Precondition
from forebay.core.placements.gang import Ending, Program
from forebay.core.world import World
from tests.core import plant
from tests.core.plant import Driver, spec, tenant


def after(*names: str, when: Precondition = Precondition.COMPLETED) -> tuple[After, ...]:
    return tuple(After(GangId(name), when) for name in names)


def array(driver: Driver, name: str = "a", count: int = 4, at_most: int = 2, **terms: Any) -> None:
    command = gangs.SubmitArray(spec(name, 8, **terms), tuple(range(count)), at_most)
    assert driver.ask(command) == {"gang": name, "gangs": count}


def explained(driver: Driver, name: str) -> dict[str, object]:
    told = driver.world.explain(GangId(name), plant.OPERATOR)
    assert not isinstance(told, Refusal)
    return told


ENDS = [
    (Precondition.COMPLETED, Ending.COMPLETED, "placed"),
    (Precondition.COMPLETED, Ending.FAILED, "dependency_failed"),
    (Precondition.FAILED, Ending.FAILED, "placed"),
    (Precondition.FAILED, Ending.UNSTARTABLE, "placed"),
    (Precondition.FAILED, Ending.COMPLETED, "dependency_failed"),
    (Precondition.ENDED, Ending.COMPLETED, "placed"),
    (Precondition.ENDED, Ending.FAILED, "placed"),
]


@pytest.mark.parametrize(("when", "ending", "then"), ENDS)
def test_a_gang_waits_until_its_condition_holds(when: Precondition, ending: Ending, then: str) -> None:
    driver = plant.plant()
    driver.run("first", 8, restarts_max=0)
    driver.submit("next", 8, after=after("first", when=when))
    assert driver.phase("next") == "pending"
    told = explained(driver, "next")
    assert told["summary"] == f"It starts once first has {when}."
    assert told["constraint"] == {"code": "dependency", "level": "", "have": 0, "need": 1}
    driver.later(60).end("first", ending)
    now = driver.gang("next")
    assert (now.reason or now.phase.value) == then


def test_a_restart_is_no_end() -> None:
    driver = plant.plant()
    driver.run("first", 8, restarts_max=1)
    driver.submit("next", 8, after=after("first", when=Precondition.FAILED))
    driver.later(60).end("first", Ending.FAILED)
    assert driver.phases("first", "next") == ["placed", "pending"]
    driver.start("first")
    driver.later(60).end("first", Ending.FAILED)
    assert driver.phases("first", "next") == ["ended", "placed"]


def test_all_conditions_have_to_hold_and_one_that_cannot_ends_all_behind_it() -> None:
    driver = plant.plant()
    driver.run("one", 8)
    driver.run("two", 8)
    driver.submit("both", 8, after=after("one", "two"))
    driver.submit("behind", 8, after=after("both"))
    driver.submit("tidy", 8, after=after("behind", when=Precondition.ENDED))
    assert "once one has completed and two has completed" in str(explained(driver, "both")["summary"])
    driver.later(60).end("one")
    assert driver.phase("both") == "pending"
    driver.cancel("two")
    driver.end("two", Ending.STOPPED)
    assert [driver.gang(name).reason for name in ("both", "behind")] == ["dependency_failed"] * 2
    assert driver.phase("tidy") == "placed"
    told = explained(driver, "both")
    assert told["summary"] == "It is over: it was to come after a gang that did not end as it had to."


def test_who_is_cancelled_while_it_waits_waits_no_more() -> None:
    driver = plant.plant()
    driver.run("first", 8)
    driver.submit("next", 8, after=after("first"))
    driver.cancel("next")
    assert driver.world.state.placements.chains.waits == {}
    driver.later(60).end("first")
    assert driver.gang("next").reason == "cancelled"


def test_what_is_over_already_need_not_be_waited_for_and_is_known_after_a_close() -> None:
    driver = plant.plant()
    driver.run("done", 8)
    driver.run("failed", 8, restarts_max=0)
    driver.later(60).end("done")
    driver.end("failed", Ending.FAILED)
    driver.submit("at-once", 8, after=after("done"))
    assert driver.phase("at-once") == "placed"
    for _ in range(2):
        no = driver.refused(gangs.SubmitGang(spec("never", after=after("failed"))))
        assert (no.code, no.field) == ("dependency_failed", "after[0].gang")
        no = driver.refused(gangs.SubmitGang(spec("n", after=after("done", when=Precondition.FAILED))))
        assert no.detail == "it starts once done has failed, which never comes: done completed"
        driver.later(60).close()
        assert "done" not in driver.world.state.placements.gangs
    driver.submit("later", 8, after=after("done"))
    assert driver.phase("later") == "placed"


def test_a_name_that_is_used_again_is_the_new_gang() -> None:
    driver = plant.plant()
    driver.run("first", 8)
    driver.later(60).end("first")
    driver.close()
    driver.run("first", 8)
    driver.submit("next", 8, after=after("first"))
    assert driver.phase("next") == "pending"


def test_refused() -> None:
    driver = plant.plant(plant.contract(), plant.contract("c2", "birch"))
    driver.run("birch.own", 8, tenant="birch")
    rows = [
        (after("nobody"), "unknown_gang"),
        (after("birch.own"), "unknown_gang"),
        (after("me"), "dependency_cycle"),
        (after(*["birch.own"] * 1001), "bad_quantity"),
    ]
    for what, code in rows:
        assert driver.refused(gangs.SubmitGang(spec("me", after=what))).code == code


def test_an_array_is_a_gang_for_each_number_so_many_at_once() -> None:
    driver = plant.plant()
    program = Program(("true",), {"LR": "1"})
    array(driver, program=program, after=())
    assert driver.phases("a.0", "a.1", "a.2", "a.3") == ["placed", "placed", "pending", "pending"]
    assert driver.gang("a.3").spec.program == replace(program, env={"LR": "1", "FOREBAY_ARRAY_INDEX": "3"})
    told = explained(driver, "a.3")
    assert told["summary"] == "Of array a, 2 of 4 may be at work at once: it waits its turn."
    assert told["constraint"] == {"code": "array", "level": "", "have": 0, "need": 0}
    driver.start("a.0")
    driver.later(60).end("a.0")
    assert driver.phases("a.0", "a.1", "a.2", "a.3") == ["ended", "placed", "placed", "pending"]
    # One that is started again keeps its turn; one that is cancelled before its turn takes none.
    driver.start("a.1")
    driver.later(60).end("a.1", Ending.FAILED)
    driver.cancel("a.3")
    assert driver.phases("a.1", "a.2", "a.3") == ["placed", "placed", "ended"]
    for name in ("a.1", "a.2"):
        driver.end(name)
    known = driver.world.state.placements.chains.arrays[GangId("a")]
    assert (known.left, known.failed) == (0, 1)


def test_an_array_without_a_bound_and_one_with_more_than_it_has() -> None:
    driver = plant.plant()
    array(driver, "a", at_most=0)
    array(driver, "b", at_most=9)
    assert driver.phases(*[f"{name}.{n}" for name in "ab" for n in range(4)]) == ["placed"] * 8


def test_what_comes_after_an_array_comes_after_all_of_it() -> None:
    driver = plant.plant()
    array(driver, count=3, restarts_max=0)
    driver.submit("all", 8, after=after("a"))
    driver.submit("any", 8, after=after("a", when=Precondition.FAILED))
    array(driver, "b", count=2, after=after("a", when=Precondition.ENDED))
    for number, ending in enumerate((Ending.COMPLETED, Ending.FAILED, Ending.COMPLETED)):
        assert driver.phases("all", "any", "b.0") == ["pending"] * 3
        driver.later(60).end(f"a.{number}", ending)
    assert [driver.gang(name).reason for name in ("all", "any")] == ["dependency_failed", ""]
    assert driver.phases("any", "b.0", "b.1") == ["placed"] * 3
    driver.close()
    assert driver.refused(gangs.SubmitGang(spec("late", after=after("a")))).code == "dependency_failed"
    # Its name is free again.
    array(driver, count=2)


def test_an_array_is_cancelled_as_one() -> None:
    driver = plant.plant()
    array(driver)
    answer = driver.ask(gangs.CancelGang(GangId("a")), tenant("acme"))
    assert answer == {"gang": "a", "phase": "stopping", "gangs": 4}
    assert driver.phases("a.0", "a.1", "a.2", "a.3") == ["stopping"] * 2 + ["ended"] * 2
    for name in ("a.0", "a.1"):
        driver.end(name, Ending.STOPPED)
    assert driver.refused(gangs.CancelGang(GangId("a"))).code == "already_ended"
    array(driver, "b", count=2, after=())
    stranger = Principal("birch-1", Role.TENANT, plant.tenant("birch").tenant)
    assert driver.refused(gangs.CancelGang(GangId("b")), stranger).code == "unknown_gang"


def test_an_array_that_only_waits_is_over_at_once() -> None:
    driver = plant.plant()
    driver.run("all", 64)
    array(driver)
    assert driver.ask(gangs.CancelGang(GangId("a"))) == {"gang": "a", "phase": "ended", "gangs": 4}


def test_refused_arrays() -> None:
    driver = plant.plant()
    driver.run("a.1", 8)
    array(driver, "known")
    long = "x" * 79
    rows = [
        ("a b", (0,), 0, "bad_id"),
        ("a", (), 0, "bad_quantity"),
        ("a", tuple(range(10_001)), 0, "bad_quantity"),
        ("a", (0, 0), 0, "bad_array"),
        ("a", (-1,), 0, "bad_array"),
        ("a", (0,), -1, "bad_array"),
        ("a", (0, 1), 0, "duplicate_id"),
        ("known", (7,), 0, "duplicate_id"),
        (long, (7,), 0, "bad_id"),
    ]
    for name, indices, at_most, code in rows:
        assert driver.refused(gangs.SubmitArray(spec(name), indices, at_most)).code == code, (name, indices)
    assert driver.refused(gangs.SubmitGang(spec("known"))).code == "duplicate_id"
    assert driver.refused(gangs.SubmitArray(spec("b", after=after("b.0")), (0,))).code == "dependency_cycle"
    assert driver.refused(gangs.SubmitArray(spec("b", 10**6), (0,))).code == "never_fits"


def test_the_same_array_again_changes_nothing() -> None:
    driver = plant.plant()
    command = gangs.SubmitArray(spec("acme.a"), (1, 2), 1)
    driver.ask(command, tenant("acme"))
    again = replace(command, again=True)
    assert driver.ask(again)["changed"] is False
    for other in (
        replace(again, at_most=2),
        replace(again, indices=(1, 3)),
        replace(again, spec=spec("acme.a", 16)),
    ):
        assert driver.refused(other).code == "duplicate_id"
    driver.later(60).end("acme.a.1")
    driver.close()
    assert driver.ask(again)["changed"] is False


def test_a_tenant_submits_arrays_of_its_own() -> None:
    driver = plant.plant()
    assert driver.refused(gangs.SubmitArray(spec("a"), (0,)), tenant("acme")).code == "bad_id"
    assert driver.refused(gangs.SubmitArray(spec("birch.a"), (0,)), tenant("birch")).code == "forbidden"


def test_a_world_that_is_restored_knows_who_waits() -> None:
    driver = plant.plant()
    driver.run("first", 8)
    driver.submit("next", 8, after=after("first"))
    array(driver)
    again = World.restore(driver.world.fork().state)
    again.check()
    folded = World()
    for at, event in driver.events:
        folded.apply(event, at)
    assert folded.state == driver.world.state
    folded.check()


def test_turns_are_kept_through_many_ends() -> None:
    driver = plant.plant()
    array(driver, count=9, at_most=3)
    for _ in range(9):
        live = [gang for gang in driver.live() if gang.phase is gangs.Phase.PLACED]
        driver.later(1).end(live[-1].spec.id)
    assert not driver.live()


def test_what_is_wrong_is_found() -> None:
    driver = plant.plant()
    driver.run("first", 8)
    driver.submit("next", 8, after=after("first"))
    array(driver)
    state = driver.world.state.placements
    known = state.chains
    assert not list(chains.check_chains(known, state.gangs))

    def wrong(**parts: Any) -> str:
        return "; ".join(chains.check_chains(replace(known, **parts), state.gangs))

    lost = chains.Waiting(after("gone"), GangId("gone"))
    assert wrong(following={}) == "gang first does not know that next waits for it"
    assert "gang first waits for others and is not pending" in wrong(waits={GangId("first"): lost})
    assert wrong(waits={GangId("next"): lost}, following={GangId("gone"): ("next",)}) == (
        "gang next waits for gone, which is over"
    )
    over = {GangId("first"): True}
    nobody = {**state.gangs}
    del nobody[GangId("first")]
    assert "gang next waits for first, which is over" in chains.check_chains(
        replace(known, fates=over), nobody
    )
    held = known.arrays[GangId("a")]
    changes: list[tuple[dict[str, Any], str]] = [
        ({"left": 3}, "has 4 gangs left"),
        ({"at_most": 1}, "at work, above 1"),
        ({"at_most": 3}, "keeps gangs back"),
        ({"let": 1}, "started before its turn"),
    ]
    for change, told in changes:
        assert told in wrong(arrays={GangId("a"): held._replace(**change)})


def test_only_so_many_ends_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    known = chains.Chains()
    monkeypatch.setattr(chains, "FATES_MAX", 2)
    chains.record_gone(known, [(GangId(name), "completed") for name in "abc"])
    assert list(known.fates) == ["b", "c"]
    assert arrays.INDEX_VARIABLE == "FOREBAY_ARRAY_INDEX"


def test_who_ends_while_it_is_let_in_is_passed_over() -> None:
    """All of an array are over at once: those whose turn came meanwhile do not enter the queue."""
    driver = plant.plant()
    driver.run("all", 64)
    driver.submit("next", 8, after=after("all", when=Precondition.ENDED))
    array(driver, count=3, at_most=1)
    told = explained(driver, "a.0")
    assert told["constraint"] != {"code": "array", "level": "", "have": 0, "need": 0}
    driver.world.placed.held.settled[GangId("gone")] = None
    driver.world.placed.held.settled[GangId("all")] = None
    driver.end("all")
    assert driver.phases("next", "a.0", "a.1") == ["placed", "placed", "pending"]
