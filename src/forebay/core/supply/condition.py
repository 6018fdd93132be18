"""What is known of the health of nodes, and of what they hang on? Plain records: `health` says what follows.

A node may be out for several reasons at once: it failed by itself, its rack or a feed above it failed, it was
quarantined, it has not passed its checks yet. Each is kept apart, so that what is over takes away only itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from forebay.core.ids import NodeIndex, RackId, SiteId, SwitchId
from forebay.core.supply.reported import Fact


class DomainKind(StrEnum):
    """What fails together."""

    RACK = "rack"
    #: The racks that a switch serves, by the site's file.
    SWITCH = "switch"
    #: A cooling loop.
    LOOP = "loop"
    #: A feed, with all that hangs on it.
    FEED = "feed"
    HALL = "hall"
    SITE = "site"


class FaultDomain(NamedTuple):
    """A part of the plant that fails as one."""

    kind: DomainKind
    name: str


class NodeCondition(StrEnum):
    """How a node is. Of several, the first that is so counts in the order quarantined, failed, in acceptance,
    degraded.
    """

    HEALTHY = "healthy"
    #: What runs on it goes on; nothing new is started there.
    DEGRADED = "degraded"
    FAILED = "failed"
    #: It is out until somebody releases it.
    QUARANTINED = "quarantined"
    #: It was repaired, and has yet to pass its checks.
    IN_ACCEPTANCE = "in_acceptance"


@dataclass(slots=True)
class Switch:
    """A switch as recorded: racks that lose their network with it."""

    id: SwitchId
    site: SiteId
    racks: tuple[RackId, ...]


class RepairTicket(NamedTuple):
    """What is being done about a node that is out."""

    ticket: str
    #: What was found to be wrong, and the part that is replaced, in words; "" while not known.
    cause: str
    part: str
    #: When it is expected back; 0 while not known.
    expected_at: int
    opened_at: int


class NodeTurn(NamedTuple):
    """A node went out of service, or came back: (out, no new work) before and now."""

    node: NodeIndex
    was: tuple[bool, bool]
    now: tuple[bool, bool]
    #: Since when it is out, or is not.
    since: int


#: Failures of one node that are remembered.
FAILURES_MAX = 32


@dataclass(slots=True)
class PlantHealth:
    """Why nodes are out, reason by reason. What follows for each node is `State.failed` and `State.cordoned`."""

    #: Nodes that failed by themselves, with the reason.
    own: dict[NodeIndex, str] = field(default_factory=dict)
    #: Parts of the plant that are out, with the reason; and since when those are as they are that ever changed.
    out: dict[FaultDomain, str] = field(default_factory=dict)
    domain_since: dict[FaultDomain, int] = field(default_factory=dict)
    quarantined: dict[NodeIndex, str] = field(default_factory=dict)
    #: Checks that repaired nodes have yet to pass.
    missing: dict[NodeIndex, tuple[str, ...]] = field(default_factory=dict)
    degraded: dict[NodeIndex, str] = field(default_factory=dict)
    cordoned: dict[NodeIndex, str] = field(default_factory=dict)
    #: When a node was taken out, or let in again, by a decision: older news does not reach back over it.
    decided: dict[NodeIndex, int] = field(default_factory=dict)
    #: When each node failed by itself, the latest `FAILURES_MAX` since it was last released.
    failures: dict[NodeIndex, tuple[int, ...]] = field(default_factory=dict)
    tickets: dict[NodeIndex, RepairTicket] = field(default_factory=dict)
    switches: dict[SwitchId, Switch] = field(default_factory=dict)
    switches_of: dict[RackId, tuple[SwitchId, ...]] = field(default_factory=dict)
    #: Nodes that are out for maintenance, and since when.
    planned: dict[NodeIndex, int] = field(default_factory=dict)
    #: What was reported of each node that ever failed, or was said to, by when it took effect.
    reported: dict[NodeIndex, tuple[Fact, ...]] = field(default_factory=dict)

    def fork(self) -> PlantHealth:
        """A copy whose containers are its own."""
        return PlantHealth(
            self.own.copy(), self.out.copy(), self.domain_since.copy(), self.quarantined.copy(),
            self.missing.copy(), self.degraded.copy(), self.cordoned.copy(), self.decided.copy(),
            self.failures.copy(), self.tickets.copy(), self.switches.copy(), self.switches_of.copy(),
            self.planned.copy(), self.reported.copy(),
        )  # fmt: skip
