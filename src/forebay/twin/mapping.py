"""Which gang is a job of a trace? By rules over its tenant and size: whose it is, by which claim it runs, on what."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from forebay.core import claims, ids
from forebay.core.placements import gang as gangs
from forebay.core.placements.estimates import Estimates
from forebay.core.placements.schedule import WALLTIME_S_MAX
from forebay.core.world import World
from forebay.twin.trace import Job, safe_name


class Rule(NamedTuple):
    """What becomes of the jobs that match; "" and None for what is left to the defaults."""

    match: str = "*"
    gpus_from: int = 1
    gpus_to: int = 10**9
    tenant: str = ""
    tier: gangs.Tier | None = None
    tranche: str = ""
    sku: str = ""
    within: gangs.Level = gangs.Level.SITE
    checkpoint_s: int | None = None
    restarts_max: int = 3


@dataclass(frozen=True, slots=True)
class JobMap:
    """Rules, of which the first that matches counts, and what they leave open."""

    rules: tuple[Rule, ...] = ()
    tier: gangs.Tier = gangs.Tier.ON_DEMAND
    checkpoint_s: int = 0
    sku: str = ""

    def tenants(self, tenants: list[str]) -> list[str]:
        """Tenants for whom jobs of these tenants of the trace may be submitted."""
        named = {rule.tenant for rule in self.rules if rule.tenant}
        return sorted(named | {ids.TenantId(safe_name(each)) for each in tenants})


class Mapper:
    """Makes gangs of jobs on a plant as it stands in a World."""

    def __init__(self, mapping: JobMap, world: World) -> None:
        self._mapping = mapping
        self._world = world
        policy = world.state.placements.policy
        #: What a job gets for a limit that asked for none: none, where the policy has one to give, or learns.
        learns = policy.estimates is Estimates.LEARNED
        self._limit_s = 0 if learns or policy.walltime_s_default else WALLTIME_S_MAX
        self._default_sku = mapping.sku or _largest_sku(world)
        rules = (*mapping.rules, Rule())
        self._rules = [(re.compile(fnmatch.translate(rule.match)), rule) for rule in rules]
        #: (Tenant of the trace, GPUs) -> what makes its gangs.
        self._known: dict[tuple[str, int], Callable[[ids.GangId, int], gangs.Spec]] = {}

    def spec(self, job: Job) -> gangs.Spec:
        """The gang that a job is."""
        mark = (job.tenant, job.gpus)
        make = self._known.get(mark)
        if make is None:
            make = self._known[mark] = self._maker(job.tenant, job.gpus)
        return make(ids.GangId(f"{job.tenant}.{job.name}"), job.walltime_s)

    def _maker(self, named: str, gpus: int) -> Callable[[ids.GangId, int], gangs.Spec]:
        rule = next(
            rule for like, rule in self._rules if like.match(named) and rule.gpus_from <= gpus <= rule.gpus_to
        )
        tenant = ids.TenantId(rule.tenant or named)
        tier = rule.tier or self._mapping.tier
        tranche = ids.TrancheId(rule.tranche)
        if tier is gangs.Tier.DEDICATED and not tranche:
            tranche = _largest_tranche(self._world.state.claims, tenant, rule.sku)
        owned = self._world.state.claims.tranches.get(tranche)
        sku = ids.SkuId(rule.sku or (owned.plan.sku if owned is not None else self._default_sku))
        checkpoint_s = self._mapping.checkpoint_s if rule.checkpoint_s is None else rule.checkpoint_s

        limit_s = self._limit_s

        def make(name: ids.GangId, walltime_s: int) -> gangs.Spec:
            return gangs.Spec(
                name, tenant, tier, sku, gpus, min(walltime_s or limit_s, WALLTIME_S_MAX), tranche,
                rule.within, checkpoint_s=checkpoint_s, restarts_max=rule.restarts_max,
            )  # fmt: skip

        return make


def _largest_sku(world: World) -> str:
    """The SKU that most nodes are of; "" where none stands."""
    nodes: dict[str, int] = {}
    for rack in world.state.supply.racks.values():
        nodes[rack.sku] = nodes.get(rack.sku, 0) + rack.nodes
    return max(sorted(nodes), key=lambda sku: nodes[sku], default="")


def _largest_tranche(claimed: claims.State, tenant: ids.TenantId, sku: str) -> ids.TrancheId:
    """A tenant's tranche of most GPUs, not ended; "" where it has none."""
    own = [
        name
        for name, held in claimed.tranches.items()
        if held.tenant == tenant
        and held.standing is not claims.Standing.ENDED
        and (not sku or held.plan.sku == sku)
    ]
    return max(sorted(own), key=lambda name: claimed.tranches[name].gpus, default=ids.TrancheId(""))
