"""How does a tenant divide what it may use? Projects in a hierarchy, their users, and classes of priority.

A document of the tenant's own says it. All that it does is among the tenant's own gangs: it may hold them back, order
them and let one take another's place, and gives none of them anything before another tenant's.

    shares          who goes first where all want more than there is (`sharing`)
    caps            GPUs at once; who is over one waits (`caps`)
    budgets         GPU-hours in a period; when one is spent its gangs wait, or are stopped as well
    limits          size, time and tiers of a single gang: what is over one is refused
    priorities      who stands how far behind, and who may take the place of whom (`preemption`)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from forebay.core.ids import Command, Event, GangId, ProjectId, Refusal, TenantId, UserId, refuse_name
from forebay.core.placements.gang import Spec, Tier
from forebay.core.units import HOUR_US, SECOND_US, counted

#: Deepest hierarchy, and most projects, users and classes of a tenant.
DEPTH_MAX = 8
PROJECTS_MAX = 10_000
USERS_MAX = 100_000
CLASSES_MAX = 20
#: More than any plant has, and longer than any term.
GPUS_MAX = 10**7
SPAN_S_MAX = 366 * 24 * 3600
SHARES_MAX = 10**6
HOUR_S = HOUR_US // SECOND_US


class Spent(StrEnum):
    """What happens when a budget is spent."""

    #: Nothing of it starts before the next period; what runs goes on.
    WAIT = "wait"
    #: What runs is stopped as well, and waits.
    STOP = "stop"


@dataclass(slots=True)
class Budget:
    """GPU-seconds that a project, with all below it, may hold GPUs for in each period."""

    gpu_s: int
    #: Length of a period, and an instant at which one begins.
    every_s: int
    begins_at: int
    then: Spent = Spent.WAIT


@dataclass(slots=True)
class UserShare:
    """A user of a project, by an opaque id, with its share of it."""

    id: UserId
    shares: int = 1


@dataclass(slots=True)
class Project:
    """A part of what a tenant does. Limits hold for all that is below it too; 0 and empty are for none."""

    id: ProjectId
    #: The project that it belongs to; "" for one at the top.
    parent: ProjectId = ProjectId("")
    #: Its weight beside those of the same parent.
    shares: int = 1
    #: Who may use it; empty for whoever may use its parent, and for anybody at the top.
    users: tuple[UserShare, ...] = ()
    #: GPUs that it may hold at once, and that each user may hold in it.
    gpus_max: int = 0
    user_gpus_max: int = 0
    #: GPUs and limit of time of one gang.
    gang_gpus_max: int = 0
    walltime_s_max: int = 0
    tiers: tuple[Tier, ...] = ()
    #: Classes that its gangs may have.
    priorities: tuple[str, ...] = ()
    budget: Budget | None = None


@dataclass(slots=True)
class PriorityClass:
    """A class of priority."""

    name: str
    #: It counts as submitted so much later than one of no such class that is submitted at the same moment.
    behind_s: int = 0
    #: Whether its gangs may take the place of those of later classes.
    preempts: bool = False


@dataclass(slots=True)
class ProjectsPlan:
    """The projects of one tenant."""

    tenant: TenantId
    #: Grows with each change.
    version: int
    projects: tuple[Project, ...]
    #: The highest first; none when gangs have no priority.
    priorities: tuple[PriorityClass, ...] = ()
    #: The class of a gang that names none; "" for the last.
    priority: str = ""


@dataclass(slots=True)
class ApplyProjects(Command):
    """These are a tenant's projects from here on. Versions only grow; the same document twice changes nothing."""

    plan: ProjectsPlan


@dataclass(slots=True)
class ProjectsApplied(Event):
    """A tenant's work is divided like this from here on."""

    plan: ProjectsPlan


@dataclass(slots=True)
class Victim:
    """A gang whose place is taken: the generation that is stopped, and the work that is lost by it."""

    gang: GangId
    generation: int
    lost_gpu_us: int


@dataclass(slots=True)
class PlaceTaken(Event):
    """A gang takes the place of others of its tenant's, of lower classes: they are to stop, and it goes in front."""

    gang: GangId
    priority: str
    victims: tuple[Victim, ...]


class Node(NamedTuple):
    """What is counted by itself: a tenant ("" and ""), one of its projects, or a user within a project."""

    tenant: TenantId
    project: ProjectId
    user: UserId


class Whose(NamedTuple):
    """To what a gang counts."""

    tenant: TenantId
    project: ProjectId
    user: UserId
    priority: str


def whose_of(spec: Spec) -> Whose | None:
    """To what a gang counts; None for one of no project."""
    return Whose(spec.tenant, spec.project, spec.user, spec.priority) if spec.project else None


class Division:
    """A plan, to be looked things up in."""

    __slots__ = ("_above", "budgeted", "by_id", "capped", "children_shares", "plan", "preempts", "ranks")

    def __init__(self, plan: ProjectsPlan) -> None:
        self.plan = plan
        self.by_id: dict[ProjectId, Project] = {project.id: project for project in plan.projects}
        #: Shares of all that stand beside each other, by their parent.
        self.children_shares: dict[ProjectId, int] = {}
        for project in plan.projects:
            beside = self.children_shares.get(project.parent, 0)
            self.children_shares[project.parent] = beside + project.shares
        #: Class -> its place, the highest 0.
        self.ranks: dict[str, int] = {each.name: rank for rank, each in enumerate(plan.priorities)}
        #: Whether any class may take the place of another.
        self.preempts = any(each.preempts for each in plan.priorities)
        self._above: dict[ProjectId, tuple[Project, ...]] = {}
        #: Those with a budget, and whether any has one, or a cap.
        self.budgeted = [project for project in plan.projects if project.budget is not None]
        self.capped = bool(self.budgeted) or any(
            each.gpus_max or each.user_gpus_max for each in plan.projects
        )

    def above(self, name: ProjectId) -> tuple[Project, ...]:
        """A project and all that it belongs to, from itself to the top."""
        found = self._above.get(name)
        if found is None:
            project = self.by_id[name]
            found = self._above[name] = (project, *(self.above(project.parent) if project.parent else ()))
        return found

    def priority_of(self, name: str) -> PriorityClass | None:
        """The class that a gang has which names this one; None where there are none."""
        classes = self.plan.priorities
        if not classes:
            return None
        return classes[self.rank_of(name)]

    def rank_of(self, name: str) -> int:
        """The place of that class, the highest 0; -1 where there are none."""
        name = name or self.plan.priority
        return self.ranks[name] if name else len(self.ranks) - 1

    def users_of(self, name: ProjectId) -> tuple[UserShare, ...]:
        """Who may use a project: its own users, else those of the nearest above it; empty for anybody."""
        return next((project.users for project in self.above(name) if project.users), ())


def nodes_of(division: Division, spec: Spec | Whose) -> Iterator[Node]:
    """What a gang counts to: its tenant, its project and each above it, and its user in each of them."""
    tenant, nobody = spec.tenant, UserId("")
    yield Node(tenant, ProjectId(""), nobody)
    for project in division.above(spec.project):
        yield Node(tenant, project.id, nobody)
        if spec.user:
            yield Node(tenant, project.id, spec.user)


# A document is refused.


def refuse_plan(plan: ProjectsPlan, held: ProjectsPlan | None, in_use: set[ProjectId]) -> Refusal | None:
    """Refuses, in this order: projects_version, bad_id, duplicate_id, unknown_project, bad_projects, bad_quantity,
    unknown_priority, project_in_use. `in_use` are projects of gangs that have not ended.
    """
    if held is not None and plan.version <= held.version:
        told = f"version {held.version} of the projects of {plan.tenant} is in force already"
        return Refusal("projects_version", told, "version")
    return (
        _refuse_names(plan)
        or _refuse_tree(plan)
        or next(
            (no for place, each in enumerate(plan.projects) if (no := _refuse_figures(each, place))), None
        )
        or _refuse_classes(plan)
        or _refuse_change(plan, held, in_use)
    )


def _refuse_names(plan: ProjectsPlan) -> Refusal | None:
    for most, many, what in (
        (PROJECTS_MAX, len(plan.projects), "projects"),
        (CLASSES_MAX, len(plan.priorities), "priorities"),
        (USERS_MAX, sum(len(project.users) for project in plan.projects), "users"),
    ):
        if many > most:
            return Refusal("bad_quantity", f"{many} {what}; at most {most} are meant", "projects")
    known: set[str] = set()
    for place, project in enumerate(plan.projects):
        names = [project.id, *(user.id for user in project.users)]
        for name in names:
            if (no := refuse_name(name, f"projects[{place}]")) is not None:
                return no
        if project.id in known or len(set(names[1:])) < len(names) - 1:
            return Refusal(
                "duplicate_id", f"{project.id}, or a user of it, stands there twice", f"projects[{place}]"
            )
        known.add(project.id)
    return None


def _refuse_tree(plan: ProjectsPlan) -> Refusal | None:
    parents = {project.id: project.parent for project in plan.projects}
    for place, project in enumerate(plan.projects):
        if project.parent and project.parent not in parents:
            told = f"project {project.id} belongs to {project.parent}, which is none"
            return Refusal("unknown_project", told, f"projects[{place}].parent")
        chain = [project.id]
        while (parent := parents[chain[-1]]) and parent not in chain and len(chain) <= DEPTH_MAX:
            chain.append(parent)
        if parent in chain:
            told = f"projects belong to each other in a circle: {' in '.join([*chain, parent])}"
            return Refusal("bad_projects", told, f"projects[{place}].parent")
        if len(chain) > DEPTH_MAX:
            told = f"project {project.id} stands more than {DEPTH_MAX} deep"
            return Refusal("bad_projects", told, f"projects[{place}].parent")
    return None


def _refuse_figures(project: Project, place: int) -> Refusal | None:
    budget = project.budget
    figures = [("shares", project.shares, 1, SHARES_MAX)]
    figures += [("users", user.shares, 1, SHARES_MAX) for user in project.users]
    figures += [
        ("gpus_max", project.gpus_max, 0, GPUS_MAX),
        ("user_gpus_max", project.user_gpus_max, 0, GPUS_MAX),
        ("gang_gpus_max", project.gang_gpus_max, 0, GPUS_MAX),
        ("walltime_s_max", project.walltime_s_max, 0, SPAN_S_MAX),
    ]
    if budget is not None:
        figures += [
            ("budget.gpu_s", budget.gpu_s, 1, GPUS_MAX * SPAN_S_MAX),
            ("budget.every_s", budget.every_s, 60, SPAN_S_MAX),
            ("budget.begins_at", budget.begins_at, 0, 1 << 62),
        ]
    for name, value, least, most in figures:
        if not least <= value <= most:
            told = f"{name} of project {project.id} is {value}; from {least} to {most} is meant"
            return Refusal("bad_quantity", told, f"projects[{place}].{name}")
    return None


def _refuse_classes(plan: ProjectsPlan) -> Refusal | None:
    names = [each.name for each in plan.priorities]
    for place, each in enumerate(plan.priorities):
        if (no := refuse_name(each.name, f"priorities[{place}].name")) is not None:
            return no
        if names.index(each.name) != place:
            return Refusal(
                "duplicate_id", f"priority {each.name} stands there twice", f"priorities[{place}].name"
            )
        before_s = plan.priorities[place - 1].behind_s if place else 0
        if not before_s <= each.behind_s <= SPAN_S_MAX:
            told = (
                f"priority {each.name} stands {each.behind_s} s behind; from {before_s}, as the one before it, to"
                f" {SPAN_S_MAX} is meant"
            )
            return Refusal("bad_quantity", told, f"priorities[{place}].behind_s")
    asked = [(plan.priority, "priority")] if plan.priority else []
    asked += [(n, f"projects[{place}]") for place, each in enumerate(plan.projects) for n in each.priorities]
    for name, where in asked:
        if name not in names:
            told = f"there is no priority {name} (there is: {', '.join(names) or 'none'})"
            return Refusal("unknown_priority", told, where)
    return None


def _refuse_change(plan: ProjectsPlan, held: ProjectsPlan | None, in_use: set[ProjectId]) -> Refusal | None:
    """What is known keeps its place, and what has work stays, with the class of each of its gangs."""
    if held is None:
        return None
    parents = {project.id: project.parent for project in plan.projects}
    for project in held.projects:
        if project.id not in parents and project.id in in_use:
            told = f"project {project.id} has gangs that wait or run: it stays until they are over"
            return Refusal("project_in_use", told, "projects")
        if parents.get(project.id, project.parent) != project.parent:
            told = f"project {project.id} stays where it is, under {project.parent or 'no other'}"
            return Refusal("bad_projects", told, "projects")
    names = {each.name for each in plan.priorities}
    gone = [each.name for each in held.priorities if each.name not in names]
    if gone and in_use:
        told = f"priority {gone[0]} stays while gangs of these projects wait or run"
        return Refusal("project_in_use", told, "priorities")
    return None


# A gang is refused.


def refuse_gang(divisions: Mapping[TenantId, Division], spec: Spec) -> Refusal | None:
    """Refuses, in this order: unknown_project, not_in_project, unknown_priority, tier_not_allowed,
    gang_too_large, gang_too_long, over_budget. Each limit is that of the gang's project, or of one above it.
    """
    division = divisions.get(spec.tenant)
    if division is None:
        if not (spec.project or spec.priority):
            return None
        field = "project" if spec.project else "priority"
        return Refusal("unknown_project", f"{spec.tenant} has no projects", field)
    if spec.project not in division.by_id:
        known = ", ".join(sorted(division.by_id)[:20]) or "none"
        said = f"has no project {spec.project}" if spec.project else "works in projects: one is to be named"
        return Refusal("unknown_project", f"{spec.tenant} {said} (it has: {known})", "project")
    users = division.users_of(spec.project)
    if users and all(user.id != spec.user for user in users):
        said = f"{spec.user} is no user of project {spec.project}" if spec.user else (
            f"project {spec.project} has users: one of them is to be named"
        )  # fmt: skip
        return Refusal("not_in_project", said, "user")
    return _refuse_priority(division, spec) or next(
        (no for project in division.above(spec.project) if (no := _refuse_limits(project, spec))), None
    )


def _refuse_priority(division: Division, spec: Spec) -> Refusal | None:
    if spec.priority and spec.priority not in division.ranks:
        known = ", ".join(division.ranks) or "none"
        told = f"{spec.tenant} has no priority {spec.priority} (it has: {known})"
        return Refusal("unknown_priority", told, "priority")
    mine = division.priority_of(spec.priority)
    for project in division.above(spec.project):
        if mine is not None and project.priorities and mine.name not in project.priorities:
            told = (
                f"project {project.id} has no priority {mine.name} (it has: {', '.join(project.priorities)})"
            )
            return Refusal("unknown_priority", told, "priority")
    return None


def _refuse_limits(project: Project, spec: Spec) -> Refusal | None:
    if project.tiers and spec.tier not in project.tiers:
        told = f"project {project.id} runs {', '.join(project.tiers)}; this gang is {spec.tier}"
        return Refusal("tier_not_allowed", told, "tier")
    asked = f"{counted(spec.gpus, 'GPU')} {'is' if spec.gpus == 1 else 'are'} asked for"
    for most, of in (
        (project.gang_gpus_max, "a gang of project"),
        (project.gpus_max, "all of project"),
        (project.user_gpus_max if spec.user else 0, "one user of project"),
    ):
        if most and spec.gpus > most:
            return Refusal("gang_too_large", f"{asked}; {of} {project.id} may hold {most}", "gpus")
    if project.walltime_s_max and spec.walltime_s > project.walltime_s_max:
        told = f"{spec.walltime_s} s are asked for; a gang of project {project.id} may run {project.walltime_s_max} s"
        return Refusal("gang_too_long", told, "walltime_s")
    budget = project.budget
    if budget is not None and spec.gpus * spec.walltime_s > budget.gpu_s:
        need, have = -(-spec.gpus * spec.walltime_s // HOUR_S), budget.gpu_s // HOUR_S
        told = f"it may take {need} GPU-hours; project {project.id} has {have} in a whole period"
        return Refusal("over_budget", told, "gpus")
    return None
