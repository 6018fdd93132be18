"""The first rule that matches says what a job becomes; what it leaves out is as the defaults say."""

from __future__ import annotations

from pathlib import Path

from forebay.core import ids
from forebay.core.placements.gang import Level, Tier
from forebay.engines.simulated import SimulatedEngine
from forebay.journals.digest import DigestJournal
from forebay.twin import plants
from forebay.twin.clock import VirtualClock
from forebay.twin.driver import Twin
from forebay.twin.mapping import JobMap, Mapper, Rule
from forebay.twin.trace import Job

ONE_SITE = Path(__file__).parents[2] / "examples" / "one_site"


def mapper(mapping: JobMap) -> Mapper:
    plant = plants.of_documents([ONE_SITE])
    clock = VirtualClock(plant.begins_at)
    twin = Twin(clock, SimulatedEngine(clock, {}), DigestJournal())
    plants.apply(twin, plant, mapping.tenants(["lab"]))
    return Mapper(mapping, twin.world)


def job(tenant: str = "lab", gpus: int = 1, walltime_s: int = 60) -> Job:
    return Job("7", tenant, 0, 1, gpus, walltime_s)


def test_without_rules_a_job_is_its_tenants_on_demand() -> None:
    spec = mapper(JobMap()).spec(job())
    assert (spec.id, spec.tenant, spec.tier, spec.sku, spec.gpus) == (
        "lab.7", "lab", Tier.ON_DEMAND, "gb300-nvl72", 1,
    )  # fmt: skip
    assert (spec.walltime_s, spec.checkpoint_s) == (60, 0)
    assert mapper(JobMap()).spec(job(walltime_s=0)).walltime_s == 366 * 86_400


def test_the_first_rule_that_matches_counts() -> None:
    rules = (
        Rule("l*", gpus_from=4, tenant="acme", tier=Tier.DEDICATED, within=Level.RACK, checkpoint_s=0),
        Rule("l*", gpus_to=1, tier=Tier.SPOT, sku="hgx", restarts_max=9),
    )
    made = mapper(JobMap(rules, checkpoint_s=600))
    large, small, other = (made.spec(job(gpus=gpus)) for gpus in (8, 1, 2))
    assert (large.tenant, large.tier, large.tranche, large.within, large.checkpoint_s) == (
        "acme", Tier.DEDICATED, "acme-t1", Level.RACK, 0,
    )  # fmt: skip
    assert (small.tier, small.sku, small.restarts_max, small.checkpoint_s) == (Tier.SPOT, "hgx", 9, 600)
    assert (other.tenant, other.tier) == ("lab", Tier.ON_DEMAND)


def test_dedicated_work_of_who_has_no_tranche_names_none() -> None:
    spec = mapper(JobMap(tier=Tier.DEDICATED)).spec(job())
    assert (spec.tier, spec.tranche) == (Tier.DEDICATED, ids.TrancheId(""))


def test_who_may_submit() -> None:
    assert JobMap((Rule(tenant="acme"),)).tenants(["lab", "x/y"]) == ["acme", "lab", "x-y"]
