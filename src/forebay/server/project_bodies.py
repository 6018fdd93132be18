"""What shape has each answer about projects and the queue? As `bodies`.

Annotations are not postponed in this file: what may be missing is known at run time (`__required_keys__`).
"""

from typing import NotRequired, TypedDict

from forebay.server.bodies import ConstraintBody


class BudgetBody(TypedDict):
    """GPU-hours of a project for each period."""

    gpu_hours: str
    #: Used since the period began, the project's own and all below it.
    used_gpu_hours: str
    #: When the period ends.
    ends_at: str
    #: What happens when it is used: `wait` or `stop`.
    then: str
    #: Whether it is used, and nothing more starts before the period ends.
    spent: bool


class ShareBody(TypedDict):
    """How much a project, or a user of it, has had."""

    shares: int
    #: GPUs held now, and how many may be at once; 0 for no such cap.
    gpus: int
    gpus_max: int
    #: Use as it counts: what lies a half-life back counts half; as it was weighed last.
    used_gpu_hours: str
    #: Use against the share of all that the tenant used, in parts per million; 1000000 is just its share.
    of_share_ppm: int
    #: From 0 to 16: it counts as submitted so many times `age_s` later.
    step: int


class UserBody(ShareBody):
    """A user of a project."""

    id: str


class ProjectBody(ShareBody):
    """A project, with all that is below it."""

    id: str
    parent: str
    #: 0 for one at the top.
    depth: int
    #: Gangs of it, and of what is below it, that wait, and that hold GPUs.
    waiting: int
    running: int
    #: GPUs that each user may hold in it, and that one gang may have; 0 for no such limit.
    user_gpus_max: int
    gang_gpus_max: int
    walltime_s_max: int
    tiers: list[str]
    priorities: list[str]
    budget: BudgetBody | None
    #: Who may use it; empty for anybody who may use what it belongs to.
    users: list[UserBody]


class PriorityBody(TypedDict):
    """A class of priority."""

    name: str
    behind_s: int
    preempts: bool


class ProjectsBody(TypedDict):
    """The projects of a tenant: each comes before those that belong to it."""

    tenant: str
    version: int
    #: Whether use counts in the order, and when it was weighed last.
    fair_share: bool
    weighed_at: str | None
    half_life_s: int
    age_s: int
    priorities: list[PriorityBody]
    #: The class of a gang that names none.
    priority: str
    projects: list[ProjectBody]


class ProjectsPage(TypedDict):
    """Tenants with projects, by name."""

    items: list[ProjectsBody]
    next_cursor: str | None


class QueuedBody(TypedDict):
    """A gang that waits, and why it stands where it does."""

    gang: str
    tenant: str
    tier: str
    tranche: str
    #: Its place among those of its tier and tranche that whoever asks may see, from 1.
    place: int
    gpus: int
    sku: str
    project: str
    user: str
    priority: str
    #: Whether it goes before all that have not run yet.
    front: bool
    submitted_at: str
    #: The instant that it counts from, and what makes it later than its submission.
    counts_from: str
    behind_s: int
    step: int
    waits_for: NotRequired[ConstraintBody]


class QueuePage(TypedDict):
    """Who waits, in the order in which they are tried."""

    items: list[QueuedBody]
    next_cursor: str | None
