"""Who of a tenant's own has had how much? Use by project and user, forgotten by halves, and the order it makes.

A gang counts from the record of its placement to that of its end, to its tenant, its project, each project above and
its user in each of them: two sums for each level, in O(1), for a sum is brought up only when its GPUs change.

Use is *weighed* at whole multiples of `weigh_s` and only then: what was held since is added, all is decayed, and each
project (and each user where a project lists users) is given a *step*, from 0 for who has had nothing to `STEPS` for
twice its share and more. A gang counts as submitted `age_s` later for each step, and later by what its class stands
behind: so its place is one number, which waiting itself never changes, and nobody waits for ever
(docs/reference/policies.md). All of it is exact: integers, and halves to 32 bits.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, get_args

from forebay.core.ids import Event, GangId, ProjectId, TenantId, UserId
from forebay.core.placements.gang import Gang, Policy, Spec, Tier
from forebay.core.placements.projects import (
    Budget,
    Division,
    Node,
    Project,
    ProjectsApplied,
    ProjectsPlan,
    Spent,
    Whose,
    nodes_of,
)
from forebay.core.timeline import Due
from forebay.core.units import SECOND_US

if TYPE_CHECKING:
    from forebay.core.placements.commons import Commons

#: The last step: twice one's share.
STEPS = 16
#: Steps in one share.
_STEPS_PER_SHARE = 8
#: Binary digits of a part of one half.
_BITS = 32
#: Most instants of weighing in a half-life.
HALVES_MAX = 1024
#: What falls due of it: the heap of gangs does not hold these.
WEIGH, SPENT, RENEWED = "shares_weigh", "budget_spent", "budget_renewed"
WAKES = frozenset({WEIGH, SPENT, RENEWED})

Divisions = dict[TenantId, Division]


class Account(NamedTuple):
    """What a tenant, a project, or a user within one has held and holds."""

    #: GPUs that its gangs hold, and until when what they held is counted.
    gpus: int = 0
    since_at: int = 0
    #: Held since use was weighed last.
    fresh_gpu_us: int = 0
    #: Use as it was weighed last.
    used_gpu_s: int = 0
    #: Held in the budget's period in which `since_at` lies.
    period_gpu_us: int = 0


@dataclass(slots=True)
class ShareStep:
    """How a project, or a user of it, stands: 0 where nothing was used."""

    tenant: TenantId
    project: ProjectId
    user: UserId
    step: int


@dataclass(slots=True)
class SharesWeighed(Event):
    """Use was brought up to `weighed_at` and decayed; whose step is another than before."""

    weighed_at: int
    steps: tuple[ShareStep, ...]


@dataclass(slots=True)
class BudgetSpent(Event):
    """A project has used the GPU-hours of its period: until `until_at` nothing of it starts."""

    tenant: TenantId
    project: ProjectId
    spent_at: int
    until_at: int


@dataclass(slots=True)
class BudgetRenewed(Event):
    """A new period of a project's budget begins."""

    tenant: TenantId
    project: ProjectId
    since_at: int


#: What happens to shares and budgets.
ShareEvent = ProjectsApplied | SharesWeighed | BudgetSpent | BudgetRenewed
SHARE_EVENTS: tuple[type[ShareEvent], ...] = get_args(ShareEvent)


@dataclass(slots=True)
class Sharing:
    """Projects in force, and what was used of what they share."""

    plans: dict[TenantId, ProjectsPlan] = field(default_factory=dict)
    accounts: dict[Node, Account] = field(default_factory=dict)
    #: Steps that are not 0.
    steps: dict[Node, int] = field(default_factory=dict)
    #: Budgets that are spent, each until when.
    spent: dict[tuple[TenantId, ProjectId], int] = field(default_factory=dict)
    #: Gangs of projects that are not over.
    live: int = 0
    #: When use was weighed last, and is to be again; 0 while no such gang waits or runs.
    weighed_at: int = 0
    weigh_at: int = 0
    #: Gangs that were stopped for another of their tenant's, until they run again or are over.
    taken: dict[GangId, GangId] = field(default_factory=dict)

    def fork(self) -> Sharing:
        """A copy whose containers are its own."""
        return Sharing(
            self.plans.copy(), self.accounts.copy(), self.steps.copy(), self.spent.copy(), self.live,
            self.weighed_at, self.weigh_at, self.taken.copy(),
        )  # fmt: skip


def divisions_of(sharing: Sharing) -> Divisions:
    """The plans in force, to be looked things up in."""
    return {tenant: Division(plan) for tenant, plan in sharing.plans.items()}


# Sums.


@functools.cache
def half_of(parts: int, of: int) -> int:
    """2 to the power of -parts/of, as the largest number of 32 binary places that is not more."""
    low, high = 0, 1 << _BITS
    while low < high:
        middle = (low + high + 1) // 2
        if middle**of <= 1 << (_BITS * of - parts):
            low = middle
        else:
            high = middle - 1
    return low


def decayed(used: int, times: int, halving: int) -> int:
    """What is left of use after so many instants, of which `halving` make a half-life."""
    return ((used >> (times // halving)) * half_of(times % halving, halving)) >> _BITS


def _period(budget: Budget, at: int) -> int:
    """When the period began that an instant lies in."""
    every_us = budget.every_s * SECOND_US
    return budget.begins_at + (at - budget.begins_at) // every_us * every_us


def period_end(budget: Budget, at: int) -> int:
    """When the period ends that an instant lies in."""
    return _period(budget, at) + budget.every_s * SECOND_US


def brought_up(account: Account, budget: Budget | None, at: int) -> Account:
    """An account with all that its GPUs were held for until `at`."""
    held = account.gpus * (at - account.since_at)
    period = 0
    if budget is not None:
        begun = _period(budget, at)
        anew = begun > account.since_at
        period = account.gpus * (at - begun) if anew else account.period_gpu_us + held
    return account._replace(since_at=at, fresh_gpu_us=account.fresh_gpu_us + held, period_gpu_us=period)


def _budget(divisions: Divisions, node: Node) -> Budget | None:
    """The budget that an account is held against: a project's, not that of a user in it."""
    if node.user or not node.project:
        return None
    project = divisions[node.tenant].by_id.get(node.project)
    return None if project is None else project.budget


def _hold(sharing: Sharing, divisions: Divisions, spec: Spec, gpus: int, at: int) -> None:
    for node in nodes_of(divisions[spec.tenant], spec):
        was = sharing.accounts.get(node) or Account(since_at=at)
        now = brought_up(was, _budget(divisions, node), at)
        sharing.accounts[node] = now._replace(gpus=now.gpus + gpus)


def note_placed(sharing: Sharing, divisions: Divisions, spec: Spec, at: int) -> None:
    """A gang of a project holds GPUs from now on."""
    _hold(sharing, divisions, spec, spec.gpus, at)
    sharing.taken.pop(spec.id, None)


def note_ended(sharing: Sharing, divisions: Divisions, spec: Spec, at: int, *, again: bool) -> None:
    """It holds none any more."""
    _hold(sharing, divisions, spec, -spec.gpus, at)
    if not again:
        note_over(sharing, spec.id)


def note_submitted(sharing: Sharing, policy: Policy, at: int) -> None:
    """A gang of a project waits."""
    sharing.live += 1
    if sharing.live == 1:
        _begin_to_weigh(sharing, policy, at)


def note_over(sharing: Sharing, name: GangId) -> None:
    """A gang of a project is over."""
    sharing.taken.pop(name, None)
    sharing.live -= 1
    if not sharing.live:
        sharing.weigh_at = 0


def note_policy(sharing: Sharing, before: Policy, now: Policy, at: int) -> None:
    """Another policy is in force: without fair share all stand alike, and what was used is not forgotten."""
    if not now.half_life_s:
        sharing.steps.clear()
    if sharing.live and (before.half_life_s, before.weigh_s) != (now.half_life_s, now.weigh_s):
        sharing.weighed_at = sharing.weighed_at if before.half_life_s else 0
        _begin_to_weigh(sharing, now, at)


def _begin_to_weigh(sharing: Sharing, policy: Policy, at: int) -> None:
    weigh_us = policy.weigh_s * SECOND_US
    sharing.weighed_at = sharing.weighed_at or at // weigh_us * weigh_us
    sharing.weigh_at = (at // weigh_us + 1) * weigh_us


def _weighed(sharing: Sharing, divisions: Divisions, policy: Policy, at: int) -> dict[Node, Account]:
    """Every account as it is once use is weighed at an instant."""
    weigh_us = policy.weigh_s * SECOND_US
    times = max(1, (at - sharing.weighed_at) // weigh_us)
    found = {}
    for node, account in sharing.accounts.items():
        now = brought_up(account, _budget(divisions, node), at)
        whole_s, rest_us = divmod(now.fresh_gpu_us, SECOND_US)
        used = decayed(now.used_gpu_s + whole_s, times, policy.half_life_s // policy.weigh_s)
        now = now._replace(fresh_gpu_us=rest_us, used_gpu_s=used)
        if now.gpus or now.used_gpu_s or now.period_gpu_us:
            found[node] = now
    return found


# Steps.


def share_standing(accounts: Mapping[Node, Account], division: Division, node: Node) -> tuple[int, int]:
    """Use of a project, or of a user who is listed for it, against its share of all that its tenant used: both as
    numbers over one and the same denominator, (used, fair)."""
    tenant, project, user = node
    nobody = Account()
    shares, beside = 1, 1
    for each in division.above(project):
        shares *= each.shares
        beside *= division.children_shares[each.parent]
    if user:
        users = division.users_of(project)
        shares *= next((each.shares for each in users if each.id == user), 1)
        beside *= sum(each.shares for each in users)
    total = accounts.get(Node(tenant, ProjectId(""), UserId("")), nobody).used_gpu_s
    return accounts.get(node, nobody).used_gpu_s * beside, total * shares


def weigh(sharing: Sharing, divisions: Divisions, policy: Policy, at: int) -> SharesWeighed:
    """Who stands how from an instant on."""
    accounts = _weighed(sharing, divisions, policy, at)
    steps: dict[Node, int] = {}
    for node in accounts:
        division = divisions[node.tenant]
        if node.project and (not node.user or division.users_of(node.project)):
            used, fair = share_standing(accounts, division, node)
            step = min(STEPS, _STEPS_PER_SHARE * used // fair) if fair else 0
            if step:
                steps[node] = step
    changed = [
        ShareStep(*node, steps.get(node, 0))
        for node in sorted({*steps, *sharing.steps})
        if steps.get(node, 0) != sharing.steps.get(node, 0)
    ]
    return SharesWeighed(at, tuple(changed))


# What an event records.


def record_share(sharing: Sharing, divisions: Divisions, policy: Policy, event: ShareEvent, at: int) -> None:
    """Record one event about shares."""
    match event:
        case ProjectsApplied():
            _divide(sharing, divisions, event.plan, at)
        case SharesWeighed():
            sharing.accounts = _weighed(sharing, divisions, policy, event.weighed_at)
            for step in event.steps:
                node = Node(step.tenant, step.project, step.user)
                if step.step:
                    sharing.steps[node] = step.step
                else:
                    del sharing.steps[node]
            sharing.weighed_at = event.weighed_at
            sharing.weigh_at = (
                event.weighed_at // (policy.weigh_s * SECOND_US) + 1
            ) * policy.weigh_s * SECOND_US  # fmt: skip
        case BudgetSpent():
            _bring_up(sharing, divisions, event.tenant, event.project, event.spent_at)
            sharing.spent[event.tenant, event.project] = event.until_at
        case _:
            assert isinstance(event, BudgetRenewed)
            _bring_up(sharing, divisions, event.tenant, event.project, event.since_at)
            del sharing.spent[event.tenant, event.project]


def _bring_up(sharing: Sharing, divisions: Divisions, tenant: TenantId, project: ProjectId, at: int) -> None:
    node = Node(tenant, project, UserId(""))
    account = sharing.accounts.get(node) or Account(since_at=at)
    sharing.accounts[node] = brought_up(account, _budget(divisions, node), at)


def _divide(sharing: Sharing, divisions: Divisions, plan: ProjectsPlan, at: int) -> None:
    """Another plan is in force. What was used and is held stays; what projects that are gone used is forgotten, but
    for their tenant and those above them. Budgets are looked at again."""
    tenant = plan.tenant
    for node in [node for node in sharing.accounts if node.tenant == tenant]:
        sharing.accounts[node] = brought_up(sharing.accounts[node], _budget(divisions, node), at)
    sharing.plans[tenant] = plan
    division = divisions[tenant] = Division(plan)
    for node in [node for node in sharing.accounts if node.tenant == tenant]:
        if node.project and node.project not in division.by_id:
            del sharing.accounts[node]
            sharing.steps.pop(node, None)
    for key in [key for key in sharing.spent if key[0] == tenant]:
        del sharing.spent[key]


# What falls due.


def _spent_at(account: Account, budget: Budget) -> int | None:
    """When a budget will be spent if what is held now goes on being held; None where it never is."""
    budget_us, every_us = budget.gpu_s * SECOND_US, budget.every_s * SECOND_US
    left = budget_us - account.period_gpu_us
    if left <= 0:
        return account.since_at
    if not account.gpus:
        return None
    ends_at = period_end(budget, account.since_at)
    spent_at = account.since_at - (-left // account.gpus)
    if spent_at < ends_at:
        return spent_at
    spent_at = ends_at - (-budget_us // account.gpus)
    return spent_at if spent_at < ends_at + every_us else None


def first_share_due(sharing: Sharing, divisions: Divisions, policy: Policy) -> Due | None:
    """What falls due of shares and budgets first."""
    found: list[Due] = []
    if sharing.weigh_at and policy.half_life_s:
        found.append(Due(sharing.weigh_at, WEIGH, "", 0))
    for tenant, division in divisions.items():
        for project in division.budgeted:
            about = f"{tenant}/{project.id}"
            until_at = sharing.spent.get((tenant, project.id))
            if until_at is not None:
                found.append(Due(until_at, RENEWED, about, 0))
                continue
            account = sharing.accounts.get(Node(tenant, project.id, UserId("")))
            assert project.budget is not None, "it is budgeted"
            spent_at = None if account is None else _spent_at(account, project.budget)
            if spent_at is not None:
                found.append(Due(spent_at, SPENT, about, 0))
    return min(found, default=None)


def fall_due_share(sharing: Sharing, divisions: Divisions, policy: Policy, due: Due) -> ShareEvent:
    """What happens when it does."""
    if due.what == WEIGH:
        return weigh(sharing, divisions, policy, due.at)
    name, _, about = due.about.partition("/")
    tenant, project = TenantId(name), ProjectId(about)
    if due.what == RENEWED:
        return BudgetRenewed(tenant, project, due.at)
    budget = divisions[tenant].by_id[project].budget
    assert budget is not None, "it is budgeted"
    return BudgetSpent(tenant, project, due.at, period_end(budget, due.at))


def stops(divisions: Divisions, event: BudgetSpent) -> bool:
    """Whether what runs is stopped when this budget is spent."""
    budget = divisions[event.tenant].by_id[event.project].budget
    return budget is not None and budget.then is Spent.STOP


# The order that it makes.


class Turns:
    """From when a gang counts, and what it may still hold."""

    __slots__ = ("_age_us", "_commons", "_divisions", "_sharing")

    def __init__(
        self, sharing: Sharing, divisions: Divisions, policy: Policy, commons: Commons | None = None
    ) -> None:
        #: What all tenants used of what they share, where they stand by that.
        self._commons = commons
        self._sharing = sharing
        self._divisions = divisions
        self._age_us = policy.age_s * SECOND_US

    def rank(self, gang: Gang) -> int:
        """Its place among those that do not stand in front: the instant that it counts from, and one."""
        return 1 + gang.submitted_at + self.behind_us(gang.spec)

    def by_tenant(self, tier: Tier) -> bool:
        """Whether gangs of different tenants count from different instants."""
        return self._commons is not None and tier is not Tier.DEDICATED

    def behind_us(self, spec: Spec) -> int:
        """How much later than its submission a gang counts."""
        behind_us = 0 if self._commons is None else self._commons.behind_us(spec)
        return behind_us + self._project_behind_us(spec) if spec.project else behind_us

    def _project_behind_us(self, spec: Spec) -> int:
        division = self._divisions[spec.tenant]
        mine = division.priority_of(spec.priority)
        behind_us = 0 if mine is None else mine.behind_s * SECOND_US
        return behind_us + step_of(self._sharing, division, spec) * self._age_us

    def capped(self, whose: Whose) -> bool:
        """Whether anything but capacity holds gangs of this tenant back."""
        return bool(whose.project) and self._divisions[whose.tenant].capped

    def limits(self, whose: Whose) -> Iterator[tuple[Node, int, int]]:
        """What a gang counts to that has a cap: the cap, and how many GPUs of it are left."""
        accounts, tenant = self._sharing.accounts, whose.tenant
        for project in self._divisions[tenant].above(whose.project):
            caps = [(UserId(""), project.gpus_max)]
            if whose.user:
                caps.append((whose.user, project.user_gpus_max))
            for user, most in caps:
                if most:
                    node = Node(tenant, project.id, user)
                    account = accounts.get(node)
                    yield node, most, most - (0 if account is None else account.gpus)

    def spent(self, whose: Whose) -> Project | None:
        """The first of its projects, from itself to the top, whose budget is spent."""
        spent = self._sharing.spent
        if not spent:
            return None
        above = self._divisions[whose.tenant].above(whose.project)
        return next((each for each in above if (whose.tenant, each.id) in spent), None)


def step_of(sharing: Sharing, division: Division, spec: Spec) -> int:
    """The step that a gang's project stands on, or its user where the project lists users."""
    if not sharing.steps:
        return 0
    user = spec.user if division.users_of(spec.project) else UserId("")
    return sharing.steps.get(Node(spec.tenant, spec.project, user), 0)
