"""What is answered about loans, as JSON."""

from __future__ import annotations

from typing import TypedDict

import msgspec


class LoanBody(TypedDict):
    """A gang on lent nodes. Instants are RFC 3339; a tenant is told the names of its own only, others' are empty."""

    #: "" where it is another tenant's.
    gang: str
    tenant: str
    #: Who lends; "" where it is another tenant's.
    tranche: str
    phase: str
    gpus: int
    since: str
    #: When its nodes are back at the latest, were it called back now; where it leaves already, when they are.
    back_at: str
    #: By when they are due, where they were called back.
    due_at: str | None
    #: Whether that has passed.
    late: bool
    #: GPU-seconds of work that would be lost, were it called back now.
    lost_gpu_s: int


class LoanPage(TypedDict):
    """Loans by tranche, and then in order of placement."""

    items: list[LoanBody]


class CalledBack(TypedDict):
    """A gang that would go."""

    gang: str
    tenant: str
    gpus: int
    lost_gpu_s: int


class ReclaimPreview(TypedDict):
    """What would happen if an owner wanted so many GPUs now."""

    tranche: str
    gpus: int
    #: Who would be called back.
    victims: list[CalledBack]
    #: Gangs that leave anyway and are waited for.
    leaving: list[str]
    lost_gpu_s: int
    #: When the capacity is back at the latest, if nobody stays beyond its grace.
    back_at: str
    #: By when it is due.
    due_at: str


class CheckpointTaken(TypedDict):
    """What became of a report; `changed` is false where something newer was known."""

    gang: str
    changed: bool


class PostedCheckpoint(msgspec.Struct, forbid_unknown_fields=True):
    """When the checkpoint was whole (RFC 3339; now when left out)."""

    effective_at: str = ""
