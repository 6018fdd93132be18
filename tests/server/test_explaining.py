"""Why is it as it is? Arrays, projects, nodes and campaigns, to the operator and to tenants, as text kept beside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from forebay.core import ids, supply
from forebay.core.claims.service_levels import Rung, ServiceLevel, ServiceUnit
from forebay.core.ids import GangId, NodeIndex, Principal
from forebay.core.placements import campaigns
from forebay.core.placements.chains import After
from forebay.core.placements.failing import Failing
from forebay.core.placements.gang import Ending, Policy, SubmitArray, Tier
from forebay.core.placements.projects import ApplyProjects, Budget, Project, Spent
from forebay.core.units import HOUR_US
from forebay.server import explaining
from forebay.server.explaining import Named
from tests.core import kept, plant
from tests.core.placements import campaigners
from tests.core.placements.test_projects import plan, project
from tests.core.plant import FINANCE, LENT, OPERATOR, T0, Driver, contract, site, tenant, tranche

ACME, BRAVO = tenant("acme"), tenant("bravo")


def told(driver: Driver, kind: str, name: str, *readers: Principal) -> str:
    """What each reader is told, and that none reads another tenant's names."""
    said = []
    for by in readers or (OPERATOR, ACME):
        found = [each for each in explaining.called(driver.world, by, name) if each.kind == kind]
        word = by.tenant or by.role.value
        if not found:
            said.append(f"{kind} {name}, to {word}: not there")
            continue
        body = explaining.explained(driver.world, by, found[0])
        said.append(f"{body['kind']} {body['name']}, to {word}: {body['summary']}")
        said += [f"    {fact}" for fact in body["facts"]]
        if "constraint" in body:
            said.append(f"    [{body['constraint']['code']}; start: {body['expected_start']}]")
        others = {"acme", "bravo"} - {by.tenant} if by.tenant else set[str]()
        assert not any(other in repr(body) for other in others), body
    return "\n".join(said) + "\n"


def swept(
    driver: Driver, name: str = "sweep", gpus: int = 8, count: int = 10, at_most: int = 0, **terms: object
) -> None:
    driver.ask(SubmitArray(plant.spec(name, gpus, **terms), tuple(range(count)), at_most))


def _arrays() -> str:
    driver = plant.plant(contract("c1", "acme"), contract("c2", "bravo"))
    swept(driver, at_most=4, gpus=32)
    said = told(driver, "array", "sweep", OPERATOR, ACME, BRAVO)
    for index in (0, 1):
        driver.start(f"sweep.{index}")
    driver.end("sweep.0")
    driver.end("sweep.1", Ending.UNSTARTABLE)
    swept(driver, "next", after=(After(GangId("sweep.2")),), count=2)
    return said + told(driver, "array", "sweep") + told(driver, "array", "next")


def _arrays_that_come_back() -> str:
    lent = contract("c1", "acme", tranche("t1", lending=LENT))
    driver = plant.plant(lent, contract("c2", "bravo"), policy=Policy(turnover_s=60, backoff_s=30))
    driver.run("full", 32, tenant="bravo")
    swept(driver, gpus=16, count=2, tenant="bravo", tier=Tier.SPOT)
    driver.start("sweep.0")
    driver.submit("mine", 16, tranche="t1")
    driver.end("sweep.1" if driver.phase("sweep.1") == "stopping" else "sweep.0", Ending.STOPPED)
    driver.end("full")
    swept(driver, "fails", count=1, tenant="bravo")
    for _ in range(2):
        driver.start("fails.0")
        driver.end("fails.0", Ending.FAILED)
    return told(driver, "array", "sweep", OPERATOR, BRAVO) + told(driver, "array", "fails", BRAVO)


def _projects() -> str:
    driver = plant.plant(contract("c1", "acme"), contract("c2", "bravo"))
    budget = Budget(8 * 3600, 86_400, T0, Spent.WAIT)
    lab = project("lab", "", "u1", gpus_max=16, user_gpus_max=8)
    driver.ask(
        ApplyProjects(
            plan(lab, project("sub", "lab"), project("free"), Project(ids.ProjectId("fund"), budget=budget))
        )
    )
    for name in ("a", "b", "c"):
        driver.submit(name, 8, project="sub", user="u1")
    driver.run("d", 8, project="fund")
    driver.submit("far", 64, project="fund", walltime_s=300)
    said = told(driver, "project", "lab", OPERATOR, ACME, BRAVO) + told(driver, "project", "acme/sub")
    driver.submit("big", 64, project="free")
    said += told(driver, "project", "free") + told(driver, "project", "fund")
    driver.later(hours=1)
    said += told(driver, "project", "fund")
    stops = Project(ids.ProjectId("fund"), budget=Budget(8 * 3600, 86_400, T0, Spent.STOP))
    driver.ask(ApplyProjects(plan(lab, project("sub", "lab"), project("free"), stops, version=2)))
    return said + told(driver, "project", "bravo/fund") + told(driver, "project", "fund", ACME)


def _nodes() -> str:
    level = ServiceLevel(ServiceUnit.NODE, (Rung(990_000, 100_000),), replacement_s=86_400)
    lent = contract("c1", "acme", tranche("t1", lending=LENT, service=level))
    failing = Failing(hold_s=7200, checks=("burn-in",))
    policy = Policy(turnover_s=60, failing=failing)
    driver = plant.plant(lent, contract("c2", "bravo"), sites=(site(racks=3),), policy=policy)
    driver.run("mine", 16, tranche="t1")
    driver.run("full", 64, tenant="bravo")
    driver.run("guest", 8, tenant="bravo", tier=Tier.SPOT)
    everybody = (OPERATOR, ACME, BRAVO)
    said = told(driver, "node", "r1-n03", *everybody) + told(driver, "node", "r2-n01", *everybody)
    said += told(driver, "node", "r1-n04", *everybody)
    driver.later(60)
    driver.submit("wants", 16, tranche="t1")
    said += told(driver, "node", "r1-n03", *everybody)
    driver.end("guest", Ending.STOPPED)
    said += told(driver, "node", "r1-n03", *everybody)
    driver.fail(0)
    driver.end("mine", Ending.STOPPED)
    said += told(driver, "node", "r1-n01", *everybody) + told(driver, "node", "r1-n02", *everybody)
    ticket = supply.TicketNode(NodeIndex(0), "T-1", "board dead", "GPU 3", driver.at + HOUR_US)
    driver.ask(ticket)
    said += told(driver, "node", "r1-n01", *everybody)
    driver.recover(0)
    driver.cordon(3)
    return said + told(driver, "node", "r1-n01", OPERATOR) + told(driver, "node", "r1-n04", *everybody)


def _nodes_kept() -> str:
    driver = plant.plant(
        contract("c1", "acme"), contract("c2", "bravo"), policy=Policy(failing=Failing(hold_s=7200))
    )
    driver.run("mine", 16)
    driver.run("theirs", 8, tenant="bravo")
    driver.fail(0)
    said = "".join(told(driver, "node", f"r1-n0{n}", OPERATOR, ACME) for n in (1, 2, 4))
    driver.ask(supply.TicketNode(NodeIndex(0), "T-2"))
    driver.ask(supply.QuarantineNode(NodeIndex(0), "fails again and again"))
    return said + told(driver, "node", "r1-n01", OPERATOR, ACME)


def _campaigns() -> str:
    driver = plant.plant(
        contract("c1", "acme", tranche("t1", maintenance=campaigners.AGREED)), contract("c2", "bravo")
    )
    driver.run("mine", 32, tranche="t1", walltime_s=40 * 3600)
    driver.run("theirs", 8, tenant="bravo", walltime_s=40 * 3600)
    campaigners.apply(driver, takes_s=8 * 3600, end_at=T0 + 100 * HOUR_US)
    everybody = (OPERATOR, ACME, BRAVO)
    said = told(driver, "campaign", "fw", *everybody) + told(driver, "node", "r1-n01", *everybody)
    said += told(driver, "node", "r2-n01", *everybody)
    driver.until(campaigners.SOON)
    said += told(driver, "campaign", "fw", *everybody) + told(driver, "node", "r1-n01", *everybody)
    driver.ask(campaigners.consent())
    for name in ("mine", "theirs"):
        if driver.phase(name) == "stopping":
            driver.end(name, Ending.STOPPED)
    said += told(driver, "campaign", "fw", *everybody)
    driver.later(hours=30)
    said += told(driver, "campaign", "fw", *everybody)
    campaigners.repaired(driver)
    driver.later(hours=60)
    return said + told(driver, "campaign", "fw", *everybody)


def _campaigns_that_ask() -> str:
    asks = replace(campaigners.AGREED, consent=True)
    driver = plant.plant(contract("c1", "acme", tranche("t1", maintenance=asks)), contract("c2", "bravo"))
    campaigners.apply(driver)
    said = told(driver, "campaign", "fw")
    driver.ask(campaigners.consent(given=False))
    said += told(driver, "campaign", "fw", ACME)
    driver.ask(campaigns.PauseCampaign(ids.CampaignId("fw"), "storm"))
    said += told(driver, "campaign", "fw")
    driver.ask(campaigns.ResumeCampaign(ids.CampaignId("fw")))
    driver.until(campaigners.SOON).later(hours=1)
    campaigners.repaired(driver)
    driver.later(hours=30)
    return said + told(driver, "campaign", "fw")


PARTS: tuple[Callable[[], str], ...] = (
    _arrays, _arrays_that_come_back, _projects, _nodes, _nodes_kept, _campaigns, _campaigns_that_ask,
)  # fmt: skip


def test_things_read_well() -> None:
    kept.compare("explanations_things.txt", "\n".join(f"# {part.__name__[1:]}\n{part()}" for part in PARTS))


def test_one_name_may_be_several_things() -> None:
    driver = plant.plant(contract("c1", "acme"), contract("c2", "bravo"))
    driver.submit("fw", 8)
    driver.end("fw")
    for of in ("acme", "bravo"):
        driver.ask(ApplyProjects(plan(project("fw"), tenant=of)))
    campaigners.apply(driver)
    projects = [Named("project", "acme/fw"), Named("project", "bravo/fw")]
    assert explaining.called(driver.world, OPERATOR, "fw") == [
        Named("gang", "fw"),
        *projects,
        Named("campaign", "fw"),
    ]
    assert explaining.called(driver.world, ACME, "fw") == [Named("gang", "fw"), projects[0]]
    assert explaining.called(driver.world, BRAVO, "fw") == [projects[1]]
    assert explaining.called(driver.world, BRAVO, "acme/fw") == []
    assert explaining.called(driver.world, FINANCE, "fw") == []


@pytest.mark.parametrize("kind", ["gang", "array"])
def test_a_gang_is_told_with_all_that_is_known_of_it(kind: str) -> None:
    driver = plant.plant()
    driver.run("g1", 8)
    swept(driver)
    name = "g1" if kind == "gang" else "sweep"
    body = explaining.explained(driver.world, ACME, Named(kind, name))
    assert ("gang" in body) == (kind == "gang")
