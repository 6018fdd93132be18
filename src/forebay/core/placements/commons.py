"""Who of all tenants has had how much of what they share? Use on demand and on spot, and the order that it makes.

The same sums as among a tenant's projects (`sharing`): use by tenant, brought up only when its GPUs change, forgotten
by halves, weighed at stated instants and turned into a *step*. A gang counts as submitted `age_s` later for each step
of its tenant's, so nobody waits for ever (docs/reference/tenants.md). Kept only while a policy asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from forebay.core import timeline
from forebay.core.ids import Event, TenantId
from forebay.core.placements.among import AmongTenants
from forebay.core.placements.gang import HOLDING, Gang, Phase, Spec, Tier
from forebay.core.placements.sharing import STEPS, decayed
from forebay.core.timeline import Due
from forebay.core.units import SECOND_US

if TYPE_CHECKING:
    from forebay.core.placements.schedule import Desk
    from forebay.core.placements.state import State

#: What falls due of it: the heap of gangs does not hold this.
WEIGH_TENANTS = "tenants_weigh"
#: Steps in one share.
_STEPS_PER_SHARE = 8


class SharedUse(NamedTuple):
    """What a tenant has held and holds of what all share."""

    gpus: int = 0
    #: Until when what it held is counted.
    since_at: int = 0
    #: Held since use was weighed last.
    fresh_gpu_us: int = 0
    #: Use as it was weighed last.
    used_gpu_s: int = 0


@dataclass(slots=True)
class TenantStep:
    """How a tenant stands: 0 where it used nothing."""

    tenant: TenantId
    step: int


@dataclass(slots=True)
class TenantsWeighed(Event):
    """Use of what tenants share was brought up to `weighed_at` and decayed; whose step is another than before."""

    weighed_at: int
    steps: tuple[TenantStep, ...]


@dataclass(slots=True)
class Commons:
    """What tenants used of what they share."""

    terms: AmongTenants
    uses: dict[TenantId, SharedUse] = field(default_factory=dict)
    #: Steps that are not 0.
    steps: dict[TenantId, int] = field(default_factory=dict)
    #: Gangs in shared lanes that are not over.
    live: int = 0
    #: When use was weighed last, and is to be again; 0 while no such gang waits or runs.
    weighed_at: int = 0
    weigh_at: int = 0

    def fork(self) -> Commons:
        """A copy whose containers are its own."""
        return Commons(
            self.terms, self.uses.copy(), self.steps.copy(), self.live, self.weighed_at, self.weigh_at
        )

    def note_submitted(self, spec: Spec, at: int) -> None:
        """A gang waits."""
        if spec.tier is not Tier.DEDICATED:
            self.live += 1
            if self.live == 1:
                self.begin(at)

    def note_held(self, spec: Spec, gpus: int, at: int) -> None:
        """A gang holds so many GPUs more, or fewer."""
        if spec.tier is not Tier.DEDICATED:
            now = _brought_up(self.uses.get(spec.tenant) or SharedUse(since_at=at), at)
            self.uses[spec.tenant] = now._replace(gpus=now.gpus + gpus)

    def note_over(self, spec: Spec) -> None:
        """A gang is over."""
        if spec.tier is not Tier.DEDICATED:
            self.live -= 1
            if not self.live:
                self.weigh_at = 0

    def begin(self, at: int) -> None:
        """Use is weighed from here on."""
        weigh_us = self.terms.weigh_s * SECOND_US
        self.weighed_at = self.weighed_at or at // weigh_us * weigh_us
        self.weigh_at = (at // weigh_us + 1) * weigh_us

    def behind_us(self, spec: Spec) -> int:
        """How much later than its submission a gang counts for its tenant's use."""
        if spec.tier is Tier.DEDICATED:
            return 0
        return self.steps.get(spec.tenant, 0) * self.terms.age_s * SECOND_US


def commons_of(was: Commons | None, terms: AmongTenants, gangs: Iterable[Gang], at: int) -> Commons | None:
    """What is kept under other terms: nothing where there is no fair share among tenants."""
    if not terms.half_life_s:
        return None
    if was is not None:
        again = (was.terms.half_life_s, was.terms.weigh_s) != (terms.half_life_s, terms.weigh_s)
        was.terms = terms
        if was.live and again:
            was.begin(at)
        return was
    made = Commons(terms)
    for gang in gangs:
        if gang.phase is not Phase.ENDED:
            made.note_submitted(gang.spec, at)
            if gang.phase in HOLDING:
                made.note_held(gang.spec, gang.spec.gpus, at)
    return made


def _brought_up(use: SharedUse, at: int) -> SharedUse:
    return use._replace(since_at=at, fresh_gpu_us=use.fresh_gpu_us + use.gpus * (at - use.since_at))


def _weighed(commons: Commons, at: int) -> dict[TenantId, SharedUse]:
    """Every tenant's use as it is once it is weighed at an instant."""
    terms = commons.terms
    times = max(1, (at - commons.weighed_at) // (terms.weigh_s * SECOND_US))
    found = {}
    for tenant, use in commons.uses.items():
        now = _brought_up(use, at)
        whole_s, rest_us = divmod(now.fresh_gpu_us, SECOND_US)
        used = decayed(now.used_gpu_s + whole_s, times, terms.half_life_s // terms.weigh_s)
        if now.gpus or used:
            found[tenant] = now._replace(fresh_gpu_us=rest_us, used_gpu_s=used)
    return found


def weigh_tenants(commons: Commons, at: int) -> TenantsWeighed:
    """Who stands how from an instant on."""
    uses = _weighed(commons, at)
    shares = {each.tenant: each.shares for each in commons.terms.shares}
    total = sum(use.used_gpu_s for use in uses.values())
    beside = sum(shares.get(tenant, 1) for tenant in uses)
    steps = {}
    for tenant, use in uses.items():
        fair = total * shares.get(tenant, 1)
        steps[tenant] = min(STEPS, _STEPS_PER_SHARE * use.used_gpu_s * beside // fair) if fair else 0
    changed = [
        TenantStep(tenant, steps.get(tenant, 0))
        for tenant in sorted({*steps, *commons.steps})
        if steps.get(tenant, 0) != commons.steps.get(tenant, 0)
    ]
    return TenantsWeighed(at, tuple(changed))


def record_weighed(state: State, event: TenantsWeighed) -> None:
    """What that records."""
    commons = state.commons
    assert commons is not None, "use is weighed while it is kept"
    commons.uses = _weighed(commons, event.weighed_at)
    for each in event.steps:
        commons.steps[each.tenant] = each.step
        if not each.step:
            del commons.steps[each.tenant]
    commons.weighed_at = event.weighed_at
    weigh_us = commons.terms.weigh_s * SECOND_US
    commons.weigh_at = (event.weighed_at // weigh_us + 1) * weigh_us


def sooner(commons: Commons, due: Due | None) -> Due | None:
    """What falls due first: this, or what else does."""
    if commons.weigh_at and (due is None or commons.weigh_at <= due.at):
        return Due(commons.weigh_at, WEIGH_TENANTS, "", 0)
    return due


def commons_facts(desk: Desk, gang: Gang) -> list[str]:
    """How a gang's tenant stands, and from when it counts therefore."""
    commons, spec = desk.state.commons, gang.spec
    if commons is None or gang.front or not (behind_us := commons.behind_us(spec)):
        return []
    step, from_ = commons.steps[spec.tenant], timeline.text(gang.submitted_at + behind_us)
    had = f"{spec.tenant} is on step {step} of {STEPS} (8 is just its share) by what it had of what tenants share"
    return [f"{had}: it counts as submitted {behind_us // SECOND_US} s later, from {from_} on."]
