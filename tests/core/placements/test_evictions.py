"""By what rule did a gang have to leave? Every way out, with the numbers the rule went by, to each reader."""

from __future__ import annotations

from collections.abc import Callable

from forebay.core import ids, supply
from forebay.core.ids import GangId, Refusal
from forebay.core.placements.chains import After
from forebay.core.placements.failing import Failing
from forebay.core.placements.gang import Ending, Level, Policy, ReportGangProgress, Tier
from forebay.core.placements.projects import Spent
from forebay.core.units import DAY_US, HOUR_US, SECOND_US
from tests.core import kept, plant
from tests.core.placements import campaigners, test_preemption, test_sharing
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
    """What is said of them, without where they are: to the operator, and to their tenants where that differs."""
    said = []
    for name in names:
        spec = driver.gang(name).spec
        seen: list[str] = []
        for word, by in (("operator", OPERATOR), ("tenant", tenant(spec.tenant))):
            form = driver.world.explain(GangId(name), by)
            assert not isinstance(form, Refusal)
            facts = [
                fact for fact in form["facts"] if not fact.startswith((" ", "Nodes:", "Chosen", "As of"))
            ]
            lines = [form["summary"], *facts]
            if lines != seen:
                said += [
                    f"{name} ({form['phase']}), to the {word}: {lines[0]}",
                    *(f"    {line}" for line in lines[1:]),
                ]
            if by.tenant:
                others = {"acme", "bravo"} - {spec.tenant}
                assert not any(other in repr(form) for other in others)
            seen = lines
    return "\n".join(said) + "\n"


def stopped(driver: Driver, name: str) -> str:
    """While it stops, while it waits, and once it runs again where it may."""
    said = told(driver, name)
    driver.end(name, Ending.STOPPED)
    return said + told(driver, name)


def _reclaim() -> str:
    lent = contract("c1", "acme", tranche("t1", lending=LENT))
    driver = plant.plant(lent, contract("c2", "bravo"), policy=Policy(turnover_s=60))
    driver.run("full", 32, tenant="bravo")
    driver.run("guest", 32, tenant="bravo", tier=Tier.SPOT)
    driver.later(600)
    driver.submit("mine", 16, tranche="t1")
    return stopped(driver, "guest")


def _preempted() -> str:
    driver = test_preemption.driver()
    test_preemption.run(driver, "low", 64)
    driver.later(100)
    driver.submit("now", 16, project="lab", priority="high")
    return stopped(driver, "low")


def _curtailed() -> str:
    driver = plant.plant(sites=[site(feeds=[feed("f1", 66_000)])])
    driver.run("first", 16)
    driver.run("second", 16)
    driver.run("spot", 16, tier=Tier.SPOT)
    driver.curtail("heat", "f1", 20_000, end_at=T0 + 7200 * SECOND_US)
    said = stopped(driver, "spot") + stopped(driver, "second")
    driver.lift("heat")
    return said + told(driver, "second")


def _failed() -> str:
    driver = plant.plant()
    driver.run("mine", 16)
    driver.fail(0)
    said = stopped(driver, "mine")
    said += told(driver, "mine")
    driver = plant.plant()
    driver.run("mine", 64)
    driver.fail(0)
    driver.end("mine", Ending.STOPPED)
    driver.run("small", 8)
    driver.recover(0)
    return said + told(driver, "mine")


def _wide_failure() -> str:
    racks = hall("h1", *(rack(f"r{n}") for n in range(1, 5)))
    driver = plant.plant(sites=(site(halls=(racks,)),))
    driver.run("mine", 128)
    driver.domain("site", "north", False)
    return stopped(driver, "mine")


def _drain_and_quarantine() -> str:
    driver = plant.plant()
    driver.run("drained", 32, within=Level.RACK)
    driver.run("taken", 32, within=Level.RACK)
    driver.cordon(driver.nodes("drained")[0], drain=True)
    driver.ask(supply.QuarantineNode(ids.NodeIndex(driver.nodes("taken")[0]), "lemon"))
    return stopped(driver, "drained") + stopped(driver, "taken")


def _campaign() -> str:
    driver = plant.plant()
    driver.run("mine", 64, walltime_s=10 * 86_400)
    campaigners.apply(driver)
    driver.until(campaigners.SOON)
    said = stopped(driver, "mine")
    campaigners.repaired(driver)
    return said


def _claims() -> str:
    later = contract("c1", "acme", tranche("t1", start_at=T0 + DAY_US, end_at=T0 + 3 * DAY_US))
    driver = plant.plant(later, contract("c2", "bravo"))
    driver.run("pool", 64, tenant="bravo", walltime_s=5 * 86_400)
    driver.later(days=1)
    said = stopped(driver, "pool")
    driver.run("mine", 8, tranche="t1", walltime_s=5 * 86_400)
    driver.later(days=2)
    return said + stopped(driver, "mine")


def _claim_power() -> str:
    later = contract("c1", "acme", tranche("t1", start_at=T0 + DAY_US))
    driver = plant.plant(later, contract("c2", "bravo"), sites=(site(feeds=[feed("f1", 60_000)]),))
    driver.run("fill", 24, tenant="bravo")
    driver.run("pool", 32, tenant="bravo", within=Level.RACK, walltime_s=5 * 86_400)
    driver.end("fill")
    driver.later(days=1)
    return stopped(driver, "pool")


def _budget() -> str:
    driver = test_sharing.budgeted(Spent.STOP)
    driver.run("mine", 8, project="lab")
    driver.run("beside", 8, project="lab")
    driver.later(1800)
    return stopped(driver, "mine")


def _by_the_gang_itself() -> str:
    failing = Failing(stuck_s=600, stuck_restarts=True)
    driver = plant.plant(policy=Policy(start_timeout_s=30, failing=failing))
    driver.submit("slow", 8)
    driver.later(30)
    said = stopped(driver, "slow")
    driver.run("quiet", 8)
    driver.ask(ReportGangProgress(GangId("quiet"), 1), EDGE)
    driver.later(600)
    said += stopped(driver, "quiet")
    driver.run("long", 8, walltime_s=60)
    driver.later(60)
    said += stopped(driver, "long")
    driver.run("fill", 64 - 16)
    driver.submit("late", 64, start_by=driver.at + HOUR_US)
    driver.submit("after", 8, after=(After(GangId("late")),))
    driver.later(hours=1)
    return said + told(driver, "late", "after")


PARTS: tuple[Callable[[], str], ...] = (
    _reclaim, _preempted, _curtailed, _failed, _wide_failure, _drain_and_quarantine, _campaign, _claims,
    _claim_power, _budget, _by_the_gang_itself,
)  # fmt: skip


def test_evictions_read_well() -> None:
    kept.compare("explanations_evicted.txt", "\n".join(f"# {part.__name__[1:]}\n{part()}" for part in PARTS))
