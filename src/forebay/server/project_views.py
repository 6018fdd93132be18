"""What does a tenant's division of its capacity look like now, and who waits in which order?"""

from __future__ import annotations

from forebay.core.ids import Principal, ProjectId, TenantId, UserId
from forebay.core.placements import sharing
from forebay.core.placements.gang import HOLDING, Gang, Phase
from forebay.core.placements.projects import Division, Node, Project
from forebay.core.units import SECOND_US
from forebay.core.world import World
from forebay.server import amounts, project_bodies, sight, waiting


def projects_seen(
    world: World, principal: Principal, at: int
) -> list[tuple[str, project_bodies.ProjectsBody]]:
    """Every tenant's projects that a principal may see, by the tenant's name."""
    plans = world.state.placements.sharing.plans
    return [(name, _projects(world, name, at)) for name in sorted(plans) if sight.owns(principal, name)]


def _projects(world: World, tenant: TenantId, at: int) -> project_bodies.ProjectsBody:
    placed = world.state.placements
    plan, policy = placed.sharing.plans[tenant], placed.policy
    division = world.placed.held.divisions[tenant]
    default = division.priority_of("")
    weighed_at = placed.sharing.weighed_at if policy.half_life_s else 0
    return {
        "tenant": tenant,
        "version": plan.version,
        "fair_share": bool(policy.half_life_s),
        "weighed_at": amounts.when_or_none(weighed_at),
        "half_life_s": policy.half_life_s,
        "age_s": policy.age_s,
        "priorities": [
            {"name": each.name, "behind_s": each.behind_s, "preempts": each.preempts}
            for each in plan.priorities
        ],
        "priority": "" if default is None else default.name,
        "projects": [
            _project(world, division, project, depth, at)
            for project, depth in _down(division, ProjectId(""), 0)
        ],
    }


def _down(division: Division, parent: ProjectId, depth: int) -> list[tuple[Project, int]]:
    """Projects as a tree is read: each, then what belongs to it."""
    found: list[tuple[Project, int]] = []
    for project in division.plan.projects:
        if project.parent == parent:
            found += [(project, depth), *_down(division, project.id, depth + 1)]
    return found


def _project(
    world: World, division: Division, project: Project, depth: int, at: int
) -> project_bodies.ProjectBody:
    tenant = division.plan.tenant
    gangs = [
        gang
        for gang in world.state.placements.gangs.values()
        if gang.spec.tenant == tenant
        and gang.spec.project in division.by_id
        and project in division.above(gang.spec.project)
    ]
    users: list[project_bodies.UserBody] = [
        {"id": user.id, **_share(world, division, Node(tenant, project.id, user.id), user.shares, project)}
        for user in project.users
    ]
    return {
        "id": project.id,
        "parent": project.parent,
        "depth": depth,
        **_share(world, division, Node(tenant, project.id, UserId("")), project.shares, project),
        "waiting": sum(gang.phase is Phase.PENDING for gang in gangs),
        "running": sum(gang.phase in HOLDING for gang in gangs),
        "user_gpus_max": project.user_gpus_max,
        "gang_gpus_max": project.gang_gpus_max,
        "walltime_s_max": project.walltime_s_max,
        "tiers": [tier.value for tier in project.tiers],
        "priorities": list(project.priorities),
        "budget": _budget(world, tenant, project, at),
        "users": users,
    }


def _share(
    world: World, division: Division, node: Node, shares: int, project: Project
) -> project_bodies.ShareBody:
    held = world.state.placements.sharing
    account = held.accounts.get(node, sharing.Account())
    used, fair = sharing.share_standing(held.accounts, division, node)
    return {
        "shares": shares,
        "gpus": account.gpus,
        "gpus_max": project.user_gpus_max if node.user else project.gpus_max,
        "used_gpu_hours": amounts.gpu_hour_text(account.used_gpu_s * SECOND_US),
        "of_share_ppm": 1_000_000 * used // fair if fair else 0,
        "step": held.steps.get(node, 0),
    }


def _budget(world: World, tenant: TenantId, project: Project, at: int) -> project_bodies.BudgetBody | None:
    if project.budget is None:
        return None
    held = world.state.placements.sharing
    account = held.accounts.get(Node(tenant, project.id, UserId("")), sharing.Account(since_at=at))
    now = sharing.brought_up(account, project.budget, max(at, account.since_at))
    return {
        "gpu_hours": amounts.gpu_hour_text(project.budget.gpu_s * SECOND_US),
        "used_gpu_hours": amounts.gpu_hour_text(now.period_gpu_us),
        "ends_at": amounts.when(sharing.period_end(project.budget, max(at, account.since_at))),
        "then": project.budget.then.value,
        "spent": (tenant, project.id) in held.spent,
    }


def queue_seen(world: World, principal: Principal, tenant: str) -> list[tuple[Gang, int]]:
    """Who waits that a principal may see, in the order in which they are tried, each with its place in its lane."""
    queue = world.placed.queue
    found = [
        gang
        for gang in world.state.placements.gangs.values()
        if gang.phase is Phase.PENDING
        and sight.owns(principal, gang.spec.tenant)
        and (not tenant or gang.spec.tenant == tenant)
    ]
    found.sort(key=queue.place)
    places: dict[tuple[str, str], int] = {}
    placed = []
    for gang in found:
        lane = (gang.spec.tier.value, gang.spec.tranche)
        places[lane] = places.get(lane, 0) + 1
        placed.append((gang, places[lane]))
    return placed


def queued_body(world: World, principal: Principal, gang: Gang, place: int) -> project_bodies.QueuedBody:
    """One of them."""
    spec, held = gang.spec, world.state.placements.sharing
    division = world.placed.held.divisions.get(spec.tenant) if spec.project else None
    mine = None if division is None else division.priority_of(spec.priority)
    turns = world.placed.queue.turns
    behind_us = turns.behind_us(spec) if turns is not None else 0
    return {
        "gang": spec.id,
        "tenant": spec.tenant,
        "tier": spec.tier.value,
        "tranche": spec.tranche,
        "place": place,
        "gpus": spec.gpus,
        "sku": spec.sku,
        "project": spec.project,
        "user": spec.user,
        "priority": mine.name if mine is not None else "",
        "front": gang.front,
        "submitted_at": amounts.when(gang.submitted_at),
        "counts_from": amounts.when(gang.submitted_at + behind_us),
        "behind_s": 0 if mine is None else mine.behind_s,
        "step": 0 if division is None else sharing.step_of(held, division, spec),
        "waits_for": waiting.constraint(world, principal, gang),
    }
