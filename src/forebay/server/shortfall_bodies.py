"""What is there to share out of a shortfall, and who is to go short of it, as told over HTTP? As `bodies`.

Annotations are not postponed in this file: what may be missing is known at run time (`__required_keys__`).
"""

from typing import TypedDict

import msgspec


class ShareablePart(TypedDict):
    """From `start` to `end`, so many nodes more are promised than there will be."""

    start: str
    end: str | None
    nodes: int
    gpus: int


class ShortStock(TypedDict):
    """A stock of which more is promised than there will be, at the confidence of the policy."""

    site: str
    sku: str
    nodes_per_rack: int
    parts: list[ShareablePart]
    #: Why it is shared out by hand; null where the policy shares it out.
    by_hand: str | None
    #: What nobody is said to go short of: the policy has no rule, and no clause settles it.
    unallocated: list[ShareablePart]


class AppliedClause(TypedDict):
    """A clause on shortfall that says something of a tranche; of another customer's contract a tenant learns no more
    than that there is one: both are "".
    """

    contract: str
    clause: str


class DecidedBy(TypedDict):
    """What decides how much a tranche goes short, unless it is shared out by hand."""

    #: Empty where contracts are silent.
    clauses: list[AppliedClause]
    #: Whether something is left to the policy.
    policy: bool


class PostedShare(msgspec.Struct, forbid_unknown_fields=True):
    """A tranche goes short of so many nodes, or racks, from one date to another (RFC 3339).

    Without dates: for as long as there is something to share and its term runs.
    """

    tranche: str
    nodes: int = 0
    racks: int = 0
    start: str = ""
    end: str = ""


class PostedAllocation(msgspec.Struct, forbid_unknown_fields=True):
    """Who goes short of a stock from now on, and why it is not left to the policy."""

    shares: list[PostedShare]
    reason: str = ""
    dry_run: bool = False
