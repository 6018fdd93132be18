"""What is posted and answered about failures? As `bodies`."""

from typing import TypedDict

import msgspec


class DomainBody(TypedDict):
    """A part of the plant that is out."""

    kind: str
    name: str
    reason: str
    since: str
    #: Nodes that hang on it.
    nodes: int


class DomainList(TypedDict):
    """Parts of the plant that are out, in the order in which they failed."""

    items: list[DomainBody]


class DomainAnswer(TypedDict):
    """What news of a part of the plant did: `nodes` went out with it, or came back."""

    kind: str
    name: str
    changed: bool
    nodes: int


class OutNodeBody(TypedDict):
    """A node that may have no new work. Times are null, and words "", while they are not known."""

    name: str
    #: failed, quarantined, in_acceptance, degraded, or healthy where it is only cordoned.
    condition: str
    cordoned: bool
    reason: str
    #: Since when it is out; null where it only takes no new work.
    since: str | None
    #: Checks that it has to pass before it is back.
    missing_checks: list[str]
    #: Times that it failed since it was last released, as far as they are remembered.
    failures: int
    ticket: str
    cause: str
    part: str
    expected_at: str | None
    tranche: str
    #: By when the contract wants another in its place; null where it says nothing.
    replace_by: str | None


class OutNodePage(TypedDict):
    """Nodes that may have no new work, in the order in which they were added."""

    items: list[OutNodeBody]
    next_cursor: str | None


class CheckAnswer(TypedDict):
    """What a check did: the checks that are still to be passed."""

    node: str
    changed: bool
    missing: list[str]


class StuckBody(TypedDict):
    """A gang that runs and has got nowhere since then."""

    gang: str
    tenant: str
    mark: int
    since: str


class StuckList(TypedDict):
    """Gangs that are stuck, in order of submission."""

    items: list[StuckBody]


class ProgressAnswer(TypedDict):
    """Whether the mark was larger than the last one."""

    gang: str
    changed: bool


class PostedProgress(msgspec.Struct, forbid_unknown_fields=True):
    """How far a gang got. Marks grow: steps, checkpoints. `generation` 0 is the one that runs."""

    mark: int
    generation: int = 0


class PostedCheck(msgspec.Struct, forbid_unknown_fields=True):
    """A check of a repaired node, and what was seen."""

    check: str
    passed: bool
    evidence: str = ""


class PostedWipe(msgspec.Struct, forbid_unknown_fields=True):
    """Whether a node was wiped between two tenants, and what was seen."""

    passed: bool = True
    evidence: str = ""


class PostedTicket(msgspec.Struct, forbid_unknown_fields=True):
    """What is being done about a node that is out. `expected_at`: RFC 3339."""

    ticket: str
    cause: str = ""
    part: str = ""
    expected_at: str = ""
