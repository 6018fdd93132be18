"""Why does it wait? Every reason, to the operator and to the tenant, compared with a text kept beside this file."""

from __future__ import annotations

from typing import Any

import pytest

from forebay.core import timeline
from forebay.core.ids import GangId, Refusal
from forebay.core.placements import gang as gangs
from forebay.core.placements.gang import Ending, Level, Policy, Tier
from forebay.core.units import DAY_US
from tests.core import kept, plant
from tests.core.plant import (
    EDGE,
    LENT,
    OPERATOR,
    T0,
    Driver,
    contract,
    feed,
    hall,
    rack,
    site,
    tenant,
    tranche,
)


def told(driver: Driver, *names: str) -> str:
    """What an operator reads about these gangs, and its own tenant where that differs."""
    said = []
    for name in names:
        whole = driver.world.explain(GangId(name), OPERATOR)
        own = driver.world.explain(GangId(name), tenant(driver.gang(name).spec.tenant))
        assert not isinstance(whole, Refusal)
        assert not isinstance(own, Refusal)
        said += _text("operator", whole)
        if own != whole:
            said += _text("tenant", own)
        others = {"acme", "bravo"} - {driver.gang(name).spec.tenant}
        assert not any(other in repr(own) for other in others), own
    return "\n".join(said) + "\n\n"


def _text(reader: str, form: dict[str, Any]) -> list[str]:
    said = [f"{form['gang']} is {form['phase']}, to the {reader}: {form['summary']}"]
    said += [f"    {fact}" for fact in form["facts"]]
    if "constraint" in form:
        c = form["constraint"]
        when = form["expected_start"]
        start = timeline.text(when) if when is not None else "not foreseen"
        said.append(
            f"    [{c['code']}{' ' if c['level'] else ''}{c['level']}: have {c['have']}, need {c['need']}; "
            f"{form['ahead']} ahead; start: {start}]"
        )
        said += [f"    or: {each['text']} ({each['change']}: {each['value']})" for each in form["would_fit"]]
    return said


def lending() -> Driver:
    own = tranche("t1", lending=LENT)
    later = tranche("t2", start_at=T0 + DAY_US)
    driver = plant.plant(
        contract("c1", "acme", own, later), contract("c2", "bravo"), policy=Policy(turnover_s=60)
    )
    driver.run("bravo-big", 32, tenant="bravo", walltime_s=7200)
    return driver


def _placed() -> str:
    driver = lending()
    driver.submit("mine", 8, tranche="t1")
    driver.run("spot", 8, tenant="bravo", tier=Tier.SPOT)
    said = told(driver, "mine", "spot", "bravo-big")
    driver.fail(0)
    driver.cancel("spot")
    said += told(driver, "mine", "spot")
    driver.end("mine", Ending.STOPPED)
    driver.start("mine")
    said += told(driver, "mine")
    driver.end("mine")
    return said + told(driver, "mine")


def _wide() -> str:
    racks = hall("h1", *(rack(f"r{n}") for n in range(1, 6)))
    driver = plant.plant(sites=(site(halls=(racks,)),))
    driver.run("wide", 17 * 8)
    driver.run("pool-spot", 1, tier=Tier.SPOT)
    return told(driver, "wide", "pool-spot")


def _called_back() -> str:
    driver = lending()
    driver.run("guest", 32, tenant="bravo", tier=Tier.SPOT)
    driver.submit("mine", 16, tranche="t1")
    driver.submit("mine2", 16, tranche="t1")
    said = told(driver, "mine", "mine2", "guest")
    driver.end("guest", Ending.STOPPED)
    said += told(driver, "mine", "guest")
    driver.later(60)
    return said + told(driver, "guest")


def _waiting() -> str:
    driver = lending()
    driver.submit("early", 8, tranche="t2")
    driver.submit("acme-first", 16)
    driver.submit("bravo-next", 16, tenant="bravo")
    driver.submit("small", 8, tenant="bravo")
    driver.submit("near", 32, within=Level.RACK)
    driver.submit("hall", 32, within=Level.HALL)
    driver.submit("nowhere", 32, tranche="t1")
    said = told(driver, "early", "acme-first", "bravo-next", "small", "near", "hall")
    driver.fail(1)
    driver.cordon(2)
    driver.end("nowhere", Ending.LOST)
    return said + told(driver, "nowhere", "acme-first")


def _power() -> str:
    driver = plant.plant(sites=(site("north", (feed("f1", 20_000),)),))
    driver.run("runs", 16)
    driver.submit("waits", 8)
    said = told(driver, "waits")
    owner = contract("c1", "acme", tranche("t1"))
    driver = plant.plant(owner, contract("c2", "bravo"), sites=(site("north", (feed("f1", 50_000),)),))
    driver.run("own", 16, tranche="t1")
    driver.submit("small", 16, tenant="bravo")
    driver.submit("waits", 8, tenant="bravo")
    return said + told(driver, "waits")


def _backoff_and_bar() -> str:
    driver = plant.plant(policy=Policy(overtake_s=60))
    driver.run("fails", 8)
    driver.run("long", 8)
    driver.end("fails", Ending.FAILED)
    driver.start("fails")
    driver.later(1).end("fails", Ending.FAILED)
    said = told(driver, "fails")
    driver.submit("large", 64)
    driver.later(60).submit("barred", 8)
    driver.submit("late", 8)
    said += told(driver, "fails", "barred", "late")
    driver.cancel("barred")
    return said + told(driver, "barred")


def _interrupted() -> str:
    driver = plant.plant(policy=Policy(backoff_s=60, start_timeout_s=30, interruptions_max=3))
    driver.run("stops", 8)
    driver.end("stops", Ending.STOPPED)
    said = told(driver, "stops")
    driver.later(30).end("stops", Ending.STOPPED)
    said += told(driver, "stops")
    driver.later(60).end("stops", Ending.STOPPED)
    said += told(driver, "stops")
    driver.later(150)
    said += told(driver, "stops")
    driver.end("stops", Ending.STOPPED)
    return said + told(driver, "stops")


def _too_small() -> str:
    """The pool is one rack until bravo's term ends, in a year; another has a rack from tomorrow on."""
    driver = plant.plant(
        contract("c1", "acme"),
        contract("c2", "bravo", tranche("theirs"), tranche("soon", start_at=T0 + DAY_US)),
        sites=(site(racks=3),),
    )  # fmt: skip
    driver.run("small", 32, walltime_s=7200)
    driver.submit("fits-later", 64)
    driver.submit("large", 72)
    driver.submit("wide", 72, tier=Tier.SPOT)
    driver.fail(8)
    said = told(driver, "large", "wide")
    driver.recover(8)
    return said + told(driver, "fits-later", "large")


def _too_small_but_lent() -> str:
    """What may borrow needs no more than loans; whoever waits there."""
    driver = lending()
    driver.submit("own", 24, tranche="t1")
    driver.submit("own2", 16, tranche="t1")
    driver.submit("spot", 32, tenant="bravo", tier=Tier.SPOT)
    return told(driver, "spot")


def _cannot_leave_in_time() -> str:
    driver = lending()
    driver.submit("slow", 8, tenant="bravo", tier=Tier.SPOT, grace_s=241)
    return told(driver, "slow")


def _over() -> str:
    driver = plant.plant()
    for ending in (Ending.FAILED, Ending.UNSTARTABLE):
        driver.run(ending.value, 8, restarts_max=0)
        driver.end(ending.value, ending)
    seen = gangs.ReportGangEnded(
        GangId("seen"), 1, T0, "sim", Ending.FAILED, 3, -9, "rank 3 was killed by signal 9"
    )
    driver.run("seen", 8, restarts_max=0)
    driver.ask(seen, EDGE)
    return told(driver, "failed", "unstartable", "seen")


def _slices() -> str:
    """Each rack has three whole nodes left: room for one slice of two in each."""
    driver = plant.plant()
    driver.submit("one", 1, within=Level.NODE)
    driver.submit("five", 28, within=Level.RACK)
    driver.submit("sliced", 48, slice_gpus=16)
    driver.submit("row", 32, slice_gpus=16, within=Level.HALL, near=Level.ROW)
    return told(driver, "sliced", "row")


def _would_fit() -> str:
    """Fewer GPUs, a wider level, another site, and what is short; and what it would rather have had."""
    halls = (hall("h1", rack("r1", row="a"), rack("r2", row="a")), hall("h2", rack("r3"), rack("r4")))
    south = site("south", (feed("f9"),), (hall("s1", rack("s1", on="f9")),))
    driver = plant.plant(sites=(site("north", halls=halls), south))
    for name, gpus in (("a", 24), ("b", 24), ("c", 24), ("d", 28)):
        driver.run(name, gpus, within=Level.RACK, sites=("north",))
    for name, gpus, within in (("node", 8, Level.NODE), ("tight", 12, Level.RACK), ("row", 16, Level.ROW),
                               ("large", 28, Level.HALL)):  # fmt: skip
        driver.submit(name, gpus, within=within, sites=("north",))
    driver.submit("sliced", 48, slice_gpus=16, sites=("north",))
    driver.submit("e", 8, sites=("north", "south"), near=Level.RACK)
    said = told(driver, "node", "tight", "row", "large", "sliced", "e")
    driver.submit("f", 40, sites=("north",))
    for name in ("a", "b", "c", "d"):
        driver.end(name)
    driver.submit("hall", 64, sites=("north",), near=Level.ROW)
    driver.submit("site", 16, sites=("north", "south"), near=Level.RACK)
    return said + told(driver, "hall", "site", "row")


def _stopped_with_a_loss() -> str:
    driver = lending()
    driver.run("kept", 16, tenant="bravo", tier=Tier.SPOT, checkpoint_s=600)
    driver.run("unkept", 16, tenant="bravo", tier=Tier.SPOT)
    driver.later(1000)
    driver.submit("mine", 32, tranche="t1")
    return told(driver, "kept", "unkept")


def test_explanations_read_well() -> None:
    parts = (
        _placed, _wide, _called_back, _waiting, _power, _backoff_and_bar, _interrupted, _too_small,
        _too_small_but_lent, _cannot_leave_in_time, _over, _slices, _would_fit, _stopped_with_a_loss,
    )  # fmt: skip
    text = "".join(part() for part in parts)
    kept.compare("explanations.txt", text)


@pytest.mark.parametrize(
    ("halls", "level"),
    [
        ((hall("h1", rack("r1", row="a"), rack("r2", row="a")),), Level.ROW),
        ((hall("h1", rack("r1", row="a", spine="s"), rack("r2", row="b", spine="s")),), Level.BLOCK),
        ((hall("h1", rack("r1", row="a", spine="s"), rack("r2", row="b", spine="z")),), Level.HALL),
        ((hall("h1", rack("r1")), hall("h2", rack("r2"))), Level.SITE),
    ],
)
def test_how_near_it_lies_is_told(halls: tuple[Any, ...], level: Level) -> None:
    driver = plant.plant(sites=(site("north", halls=halls),))
    driver.submit("a", 24, within=Level.RACK)
    driver.submit("b", 24, within=Level.RACK)
    driver.submit("far", 16, near=Level.RACK)
    said = driver.world.explain(GangId("far"), OPERATOR)
    assert not isinstance(said, Refusal)
    assert f"It lies within one {level}: no rack had room for it when it was placed." in said["facts"]
