"""What may a document of projects say of each project and each class of priority, and what is it to the core?"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from forebay.core import ids
from forebay.core.placements import projects
from forebay.core.placements.gang import Tier
from forebay.feeds import forms


class ProjectPart(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """A part of a document of projects."""


class UserEntry(ProjectPart, kw_only=True, frozen=True):
    """Somebody who may use a project."""

    #: An opaque id, never a person's name.
    id: forms.Name
    #: The weight beside the project's other users.
    shares: forms.Many = 1


class BudgetEntry(ProjectPart, kw_only=True, frozen=True):
    """GPU-hours for each period."""

    #: How many, of the project and all below it.
    gpu_hours: forms.Many
    #: How long a period is.
    every: forms.Seconds
    #: An instant at which a period begins.
    begins: forms.When = "1970-01-01T00:00:00Z"
    #: What happens when they are used: nothing more starts before the next period (`wait`), or what runs is stopped
    #: as well (`stop`).
    then: projects.Spent = projects.Spent.WAIT


class ProjectEntry(ProjectPart, kw_only=True, frozen=True):
    """A project. Its limits hold for all that is below it too; what is left out is no limit."""

    #: What gangs call it.
    id: forms.Name
    #: The project that it belongs to; left out for one at the top.
    parent: forms.Name = ""
    #: Its weight beside those of the same parent.
    shares: forms.Many = 1
    #: Who may use it; left out for whoever may use its parent.
    users: list[UserEntry] = []
    #: GPUs that it may hold at once.
    gpus: forms.ManyOrNone = 0
    #: GPUs that each user may hold in it at once.
    gpus_per_user: forms.ManyOrNone = 0
    #: GPUs of one gang.
    gang_gpus: forms.ManyOrNone = 0
    #: The limit of time of one gang.
    walltime: forms.Seconds = 0
    #: By which claims its gangs may run; left out for any.
    tiers: list[Tier] = []
    #: Classes that its gangs may have; left out for any.
    priorities: list[forms.Name] = []
    #: GPU-hours that it may use.
    budget: BudgetEntry | None = None


class PriorityEntry(ProjectPart, kw_only=True, frozen=True):
    """A class of priority."""

    #: What gangs call it.
    name: forms.Name
    #: It counts as submitted so much later than it was.
    behind: forms.Seconds = 0
    #: Whether its gangs may take the place of those of later classes.
    preempts: bool = False


def project_of(
    entry: ProjectEntry, place: int, instant: Callable[[str, tuple[str | int, ...]], int]
) -> projects.Project:
    """A project as a plain record; `instant` reads a date, naming the path where it cannot."""
    budget = None
    if entry.budget is not None:
        begins_at = instant(entry.budget.begins, ("projects", place, "budget", "begins"))
        gpu_s = entry.budget.gpu_hours * projects.HOUR_S
        budget = projects.Budget(gpu_s, entry.budget.every, begins_at, entry.budget.then)
    return projects.Project(
        ids.ProjectId(entry.id), ids.ProjectId(entry.parent), entry.shares,
        tuple(projects.UserShare(ids.UserId(user.id), user.shares) for user in entry.users),
        entry.gpus, entry.gpus_per_user, entry.gang_gpus, entry.walltime, tuple(entry.tiers),
        tuple(entry.priorities), budget,
    )  # fmt: skip


def priority_of(entry: PriorityEntry) -> projects.PriorityClass:
    """A class as a plain record."""
    return projects.PriorityClass(entry.name, entry.behind, entry.preempts)
