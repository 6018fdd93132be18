"""A whole story on one journal: what happens to sites, terms, gangs, nodes and money within three months."""

from __future__ import annotations

from typing import Any

from forebay.core import money
from forebay.core.placements.gang import Ending, Phase, Policy, SubmitGang, Tier
from forebay.core.units import DAY_US, MICROS
from tests.core import plant
from tests.core.plant import LENT, T0, Driver, contract, feed, hall, prices, rack, site, spec, tenant, tranche


def told() -> Driver:
    """The driver at the end of it."""
    feeds = (feed("grid", 160_000, base_w=500), feed("f1", 90_000, "grid"), feed("f2", 70_000, "grid"))
    halls = (hall("h1", rack("r1"), rack("r2")), hall("h2", rack("r3", on="f2"), rack("r4", on="f2")))
    south = site("south", (feed("s"),), (hall("h9", rack("r9", on="s")),))
    core = tranche("core", 2, lending=LENT)
    more = tranche("more", start_at=T0 + 20 * DAY_US, end_at=T0 + 50 * DAY_US)
    driver = plant.plant(
        contract("c1", "acme", core, more), contract("c2", "bravo"),
        sites=(site("north", feeds, halls), south), policy=Policy(1, turnover_s=60, start_timeout_s=120),
    )  # fmt: skip
    _run(driver)
    driver.until(T0 + 25 * DAY_US)
    _report(driver)
    driver.uncordon(12)
    driver.until(T0 + 33 * DAY_US)
    for gang in driver.live():
        if gang.phase in (Phase.RUNNING, Phase.STOPPING):
            driver.end(gang.spec.id, Ending.FAILED, ago_s=2 * 86_400)
    driver.later(days=1)
    _report(driver)
    return driver.until(T0 + 80 * DAY_US)


def _run(driver: Driver) -> None:
    """The first days: loans are made and called back, a node fails, another is drained, a price is announced."""
    week: dict[str, Any] = {"walltime_s": 7 * 86_400}
    driver.ask(SubmitGang(spec("", 8, tenant="bravo")), tenant("bravo"), "key-1")
    driver.run("train", 48, tranche="core", checkpoint_s=600, walltime_s=30 * 86_400)
    driver.run("wide", 48, sites=("north",), **week)
    for n in range(3):
        driver.submit(
            f"guest{n}", 8, tenant="bravo", tier=Tier.SPOT, sites=("north",), walltime_s=20 * 86_400
        )
    _report(driver)
    driver.later(hours=5).submit("urgent", 16, tranche="core")
    driver.later(20)
    _report(driver)
    driver.later(120)
    _report(driver)
    driver.later(hours=1).end("urgent")
    driver.fail(0, ago_s=60)
    driver.later(5).end("train", Ending.STOPPED)
    driver.later(hours=9).recover(0, ago_s=30)
    driver.cordon(12, drain=True)
    driver.ask(money.ApplyPriceList(prices(2, 4 * MICROS, 2 * MICROS, effective_at=T0 + 15 * DAY_US)))


def _report(driver: Driver) -> None:
    """The engine has done what was wanted of it a second ago."""
    for gang in driver.live():
        if gang.phase is Phase.STOPPING:
            driver.end(gang.spec.id, Ending.STOPPED, ago_s=1)
        elif gang.phase is Phase.PLACED:
            driver.start(gang.spec.id, ago_s=1)
