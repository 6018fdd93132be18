"""Who and what is meant: typed identifiers, principals, and the values every stage answers with.

An id is a string given by the user, or made by the World from its own name and the record sequence
(`lab-g17`), so that two Worlds never make the same one. Nodes are dense integers, never reused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar, NamedTuple, NewType

SiteId = NewType("SiteId", str)
HallId = NewType("HallId", str)
FeedId = NewType("FeedId", str)
LoopId = NewType("LoopId", str)
SwitchId = NewType("SwitchId", str)
RackId = NewType("RackId", str)
BlockId = NewType("BlockId", str)
MilestoneId = NewType("MilestoneId", str)
StageId = NewType("StageId", str)
CauseId = NewType("CauseId", str)
SkuId = NewType("SkuId", str)
TenantId = NewType("TenantId", str)
ProjectId = NewType("ProjectId", str)
UserId = NewType("UserId", str)
ContractId = NewType("ContractId", str)
TrancheId = NewType("TrancheId", str)
HoldId = NewType("HoldId", str)
RightId = NewType("RightId", str)
CapId = NewType("CapId", str)
CalendarId = NewType("CalendarId", str)
IndexId = NewType("IndexId", str)
GangId = NewType("GangId", str)
InvoiceId = NewType("InvoiceId", str)
CurtailmentId = NewType("CurtailmentId", str)
CampaignId = NewType("CampaignId", str)
PoolId = NewType("PoolId", str)
DatasetId = NewType("DatasetId", str)
#: Dense index of a node in `supply.State.nodes`; never reused.
NodeIndex = NewType("NodeIndex", int)


#: How ids are spelled, for error messages.
NAME_RULE = "1 to 80 letters, digits, '.', '_' or '-', beginning with a letter or digit"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


def valid_name(name: str) -> bool:
    """Whether a string may be an id: safe in file names, URLs and environment variables."""
    return _NAME.fullmatch(name) is not None and ".." not in name


class Role(StrEnum):
    """What a principal may be. The default is no: a role missing from a permission table may not."""

    OPERATOR = "operator"
    FINANCE = "finance"
    TENANT = "tenant"
    #: An edge that reports facts (an engine).
    EDGE = "edge"
    #: A collector of readings: it brings in readings, and nothing else.
    METER = "meter"
    #: The loop itself, when a timer fell due.
    CLOCK = "clock"


class Principal(NamedTuple):
    """Who asks. `actor` is an opaque id, never a person's name; `tenant` is "" unless the role is tenant."""

    actor: str
    role: Role
    tenant: TenantId = TenantId("")


CLOCK = Principal("clock", Role.CLOCK)


@dataclass(slots=True)
class Command:
    """Something asked of us, or a fact reported to us. Imperative names; one subclass each."""


@dataclass(slots=True)
class Event:
    """Something that happened, as recorded. Past tense; immutable by convention, held by a test.

    Stored events are the public API: fields are only added (with a default), a kind never changes meaning.
    """

    #: Schema version of the body; the codec upcasts older ones.
    VERSION: ClassVar[int] = 1


@dataclass(slots=True)
class Effect:
    """Desired state for an edge. At least once; a higher generation replaces a lower one."""


@dataclass(slots=True, frozen=True)
class Refusal:
    """No, by value: a reason code, the sentence for the operator, and the one a tenant may read.

    `field` names the place in the command (dotted path), "" when it is the command as a whole.
    `tenant_detail` names nothing that belongs to somebody else; "" means `detail` is safe for everybody.
    """

    code: str
    detail: str
    field: str = ""
    tenant_detail: str = ""

    def told_to(self, principal: Principal) -> str:
        """The sentence that this principal may read."""
        if principal.role is Role.TENANT and self.tenant_detail:
            return self.tenant_detail
        return self.detail


def refuse_name(name: str, field: str) -> Refusal | None:
    """bad_id, unless the string may be an id."""
    return None if valid_name(name) else Refusal("bad_id", f"{name!r} is not an id: {NAME_RULE}", field)


@dataclass(slots=True)
class Asked:
    """A command with who asks, its idempotency key ("" for none) and the record that it follows from."""

    command: Command
    by: Principal
    key: str = ""
    #: Sequence of the record that caused this command (a report echoes its effect's), 0 for none.
    cause: int = 0


#: What a command answers when it is not refused: JSON-ready names and values.
Answer = dict[str, Any]


@dataclass(slots=True)
class Outcome:
    """What `handle` or `wake` decided: events already applied, effects to release once they are durable."""

    events: list[Event]
    effects: list[Effect]
    answer: Answer | Refusal
