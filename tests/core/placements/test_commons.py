"""Who of all tenants had less goes first: as a slow and plain reference has it, and every rule by itself."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test

from forebay.core import ids
from forebay.core.claims import SignContract
from forebay.core.placements.among import AmongTenants, TenantShare
from forebay.core.placements.commons import Commons, TenantsWeighed
from forebay.core.placements.gang import Order, Tier
from forebay.core.placements.projects import ApplyProjects, Project, ProjectsPlan
from tests.core import plant
from tests.core.commons_machine import CommonsMachine
from tests.core.placements.reference import Job
from tests.core.placements.tenants_reference import OfTenants, OfTenantsReserving
from tests.core.placements.test_ordering import COUNTS_ONLY, TOPOLOGY, built, starts, trace
from tests.core.plant import OPERATOR, Driver, tenant

TENANTS = ("acme", "bravo", "carol")
SHARES = {"bravo": 3}


def among(half_life_s: int = 300, weigh_s: int = 60, age_s: int = 30, **shares: int) -> AmongTenants:
    named = tuple(TenantShare(ids.TenantId(name), each) for name, each in shares.items())
    return AmongTenants(half_life_s, weigh_s, age_s, named)


def with_tenants(driver: Driver) -> Driver:
    known = {contract.tenant for contract in driver.world.state.claims.contracts.values()}
    for name in TENANTS:
        if name not in known:
            driver.ask(SignContract(plant.contract(f"c-{name}", name)))
    return driver


def both(jobs: list[Job], order: Order, shape: tuple[int, int], **terms: int) -> list[dict[str, int]]:
    driver = with_tenants(built(*shape, order, 200, 3))
    driver.policy(among=among(**terms, **SHARES))
    said = starts(driver, jobs, of_tenants=True)
    known: dict[str, Any] = {"half_life_s": 300, "weigh_s": 60, "age_s": 30} | terms
    kind = OfTenantsReserving if order is Order.CONSERVATIVE else OfTenants
    plain = kind(2 * shape[1], *shape, order.value, 200, 3, shares=SHARES, **known)
    return [said, plain.run(jobs)]


def of_tenants(jobs: list[Job], seed: int) -> list[Job]:
    dice = random.Random(seed)
    return [job._replace(name=f"{dice.choice(TENANTS)}.{job.name}") for job in jobs]


@pytest.mark.parametrize("order", list(Order))
@pytest.mark.parametrize("shape", [COUNTS_ONLY, TOPOLOGY])
@pytest.mark.parametrize("seed", [1, 2])
def test_start_times_equal_the_references(order: Order, shape: tuple[int, int], seed: int) -> None:
    gpus = 2 * shape[0] * shape[1]
    jobs = of_tenants(trace(seed, 60, gpus, 20 if gpus > 16 else 120), seed)
    said, plain = both(jobs, order, shape)
    assert said == plain
    assert len(said) == len(jobs)


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.integers(0, 90), st.integers(1, 16), st.integers(0, 60), st.integers(1, 60)), max_size=12
    ),
    st.sampled_from([Order.FIFO, Order.EASY]),
    st.sampled_from([{}, {"half_life_s": 60, "age_s": 5}, {"age_s": 600}]),
)
def test_whatever_comes(rows: list[tuple[int, int, int, int]], order: Order, terms: dict[str, int]) -> None:
    rows.sort()
    jobs = [Job(f"j{n:02d}", at, gpus, run + more, run) for n, (at, gpus, more, run) in enumerate(rows)]
    said, plain = both(of_tenants(jobs, len(rows)), order, COUNTS_ONLY, **terms)
    assert said == plain


def test_anything_of_tenants_in_any_order() -> None:
    run_state_machine_as_test(
        CommonsMachine,
        settings=settings(
            max_examples=15, stateful_step_count=30, derandomize=True, database=None, deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


def hogged(**terms: Any) -> Driver:
    """Acme had all 64 GPUs for an hour, and wants them again; a second later bravo comes."""
    driver = with_tenants(plant.plant(policy=None))
    driver.policy(order=Order.FIFO, among=among(3600, 600, 600, **terms))
    driver.run("a1", 64, walltime_s=7200)
    driver.submit("a2", 64)
    driver.later(1)
    driver.submit("b1", 64, tenant="bravo")
    driver.later(3599)
    return driver


def kept(driver: Driver) -> Commons:
    found = driver.world.state.placements.commons
    assert found is not None
    return found


def facts(driver: Driver, name: str, **by: Any) -> str:
    told = driver.world.explain(ids.GangId(name), by.get("by", OPERATOR))
    assert isinstance(told, dict)
    return " ".join(told["facts"])


def test_who_had_less_goes_first_and_it_is_told_why() -> None:
    driver = hogged()
    # Alone it had just its share, which is all.
    assert kept(driver).steps == {"acme": 8}
    told = facts(driver, "a2", by=tenant("acme"))
    assert "acme is on step 8 of 16 (8 is just its share)" in told
    assert "it counts as submitted 4800 s later, from 2026-01-01T01:20:00Z on" in told
    assert "step" not in facts(driver, "b1")
    driver.end("a1")
    assert driver.phases("a2", "b1") == ["pending", "placed"]


def test_off_again_all_stand_alike_and_nothing_is_kept() -> None:
    driver = hogged()
    driver.policy(among=among(3600, 600, 60))
    driver.policy(among=among(7200, 600, 60))
    assert kept(driver).terms.half_life_s == 7200
    driver.policy(among=AmongTenants())
    assert driver.world.state.placements.commons is None
    driver.end("a1")
    assert driver.phases("a2", "b1") == ["placed", "pending"]


def test_what_runs_when_it_is_switched_on_counts_from_then() -> None:
    driver = with_tenants(plant.plant(policy=None))
    own = plant.tranche("t9", 1)
    driver.ask(SignContract(plant.contract("c9", "acme", own)))
    driver.run("own", 32, tranche="t9", walltime_s=86_400)
    driver.run("a1", 16, walltime_s=86_400)
    driver.run("over", 8)
    driver.end("over")
    driver.submit("waits", 24, tenant="bravo")
    driver.policy(among=among(3600, 600, 600))
    commons = kept(driver)
    assert (commons.live, {name: use.gpus for name, use in commons.uses.items()}) == (2, {"acme": 16})
    driver.later(hours=2)
    # What a tenant has of its own does not count, before or after.
    driver.submit("more", 32, tranche="t9")
    assert driver.world.placed.queue.rank(driver.gang("more")) == 1 + driver.gang("more").submitted_at
    driver.end("own")
    driver.cancel("waits")
    driver.end("a1")
    driver.later(days=3)
    assert kept(driver).weigh_at == 0
    # Long ago is forgotten.
    driver.submit("again", 8, tenant="bravo")
    driver.later(hours=1)
    assert set(kept(driver).uses) == {"bravo"}
    driver.end("more") if driver.phase("more") == "running" else driver.cancel("more")


def test_shares_of_a_tenant_count_beside_its_projects() -> None:
    driver = hogged(acme=2)
    driver.ask(ApplyProjects(ProjectsPlan(ids.TenantId("acme"), 1, (Project(ids.ProjectId("lab")),))))
    driver.submit("mine", 64, project="lab")
    assert "it counts as submitted 4800 s later" in facts(driver, "mine")
    assert "So it counts from" in facts(driver, "mine")
    driver.submit("spot", 8, tenant="bravo", tier=Tier.SPOT)
    assert driver.count(TenantsWeighed) == 6


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        (among(weigh_s=59), "bad_quantity"),
        (among(age_s=-1), "bad_quantity"),
        (among(half_life_s=-60), "bad_quantity"),
        (among(half_life_s=90), "bad_quantity"),
        (among(half_life_s=1025 * 60), "bad_quantity"),
        (among(acme=0), "bad_quantity"),
        (among(acme=-3), "bad_quantity"),
        (among(acme=10**6 + 1), "bad_quantity"),
        (AmongTenants(shares=(TenantShare(ids.TenantId("a"), 1),) * 2), "duplicate_id"),
        (AmongTenants(shares=(TenantShare(ids.TenantId("a"), 1),) * 10_001), "bad_quantity"),
    ],
)
def test_terms_that_make_no_sense(terms: AmongTenants, code: str) -> None:
    driver = plant.plant()
    with pytest.raises(AssertionError, match=code):
        driver.policy(among=terms)


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(1, 7), st.integers(1, 300)), max_size=25),
    st.sampled_from([Order.FIFO, Order.EASY]),
)
@settings(max_examples=30)
def test_who_had_most_does_not_starve(rows: list[tuple[int, int, int]], order: Order) -> None:
    """One large gang of the tenant that had everything, against a stream of another's: it counts from at most 16 ages
    after its submission."""
    hog = Job("acme.hog", 0, 16, 300, 300)
    stream = [
        Job(f"bravo.s{n:02d}", 61 + 10 * n + at, gpus, run, run) for n, (at, gpus, run) in enumerate(rows)
    ]
    jobs = sorted([hog, *stream, Job("acme.large", 60, 16, 10, 10)], key=lambda job: job.submit_s)
    driver = with_tenants(built(*COUNTS_ONLY, order, 0))
    driver.policy(among=among(age_s=10))
    found = starts(driver, jobs, of_tenants=True)
    before = [job for job in stream if job.submit_s <= 60 + 16 * 10]
    assert found["acme.large"] <= 330 + 160 + 330 * (1 + len(before))
