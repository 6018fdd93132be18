"""Loss that a tenant caused, and credits that were claimed: what is on record of both. `excluding` decides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from forebay.core import timeline
from forebay.core.ids import Command, Event, TrancheId

#: So many months that are closed have their credits looked at again with every further one.
REVISED_MONTHS = 3


def revised_since(within: int) -> int:
    """When the first month began whose credit is still revised, while that of `within` runs."""
    start = timeline.month_start(within)
    for _ in range(REVISED_MONTHS):
        start = timeline.month_start(start - 1)
    return start


@dataclass(slots=True)
class ExcludeLoss(Command):
    """What was missing of a tranche in `[start_at, end_at)` on these nodes (all of it where none is named) was caused
    by its tenant.
    """

    tranche: TrancheId
    start_at: int
    end_at: int
    #: Runs of nodes: (first, count).
    nodes: tuple[tuple[int, int], ...]
    reason: str
    #: What shows it: a ticket, a log, a letter.
    evidence: str


@dataclass(slots=True)
class WithdrawExclusion(Command):
    """It was not the tenant after all."""

    exclusion: str
    reason: str


@dataclass(slots=True)
class ClaimCredit(Command):
    """The tenant claims the service credit of the month that begins at `month_at`."""

    tranche: TrancheId
    month_at: int


@dataclass(slots=True)
class LossExcluded(Event):
    """Loss is the tenant's own: it does not count as missed."""

    exclusion: str
    tranche: TrancheId
    start_at: int
    end_at: int
    nodes: tuple[tuple[int, int], ...]
    reason: str
    evidence: str
    #: Who decided, by an opaque id.
    decided_by: str


@dataclass(slots=True)
class ExclusionWithdrawn(Event):
    """Loss that was called the tenant's own counts as any other."""

    exclusion: str
    reason: str
    decided_by: str


@dataclass(slots=True)
class CreditClaimed(Event):
    """The credit of a month was claimed in time."""

    tranche: TrancheId
    month_at: int
    claimed_by: str


class Exclusion(NamedTuple):
    """Loss that a tenant caused."""

    id: str
    tranche: TrancheId
    start_at: int
    end_at: int
    nodes: tuple[tuple[int, int], ...]
    reason: str
    evidence: str
    decided_by: str
    decided_at: int
    #: When it was withdrawn, why and by whom; 0 and "" while it stands.
    withdrawn_at: int = 0
    withdrawn_for: str = ""
    withdrawn_by: str = ""

    def covers(self, node: int) -> bool:
        """Whether it is about a node."""
        return not self.nodes or any(first <= node < first + count for first, count in self.nodes)


@dataclass(slots=True)
class Exclusions:
    """What is known of both."""

    known: dict[str, Exclusion] = field(default_factory=dict)
    #: (Tranche, start of a month) -> when its credit was claimed.
    claimed: dict[tuple[TrancheId, int], int] = field(default_factory=dict)

    def fork(self) -> Exclusions:
        """A copy whose containers are its own."""
        return Exclusions(self.known.copy(), self.claimed.copy())

    def of(self, tranche: TrancheId) -> list[Exclusion]:
        """Those of a tranche that stand."""
        return [each for each in self.known.values() if each.tranche == tranche and not each.withdrawn_at]


ExclusionEvent = LossExcluded | ExclusionWithdrawn | CreditClaimed
EXCLUSION_EVENTS: tuple[type[Event], ...] = (LossExcluded, ExclusionWithdrawn, CreditClaimed)


def apply_exclusion(own: Exclusions, event: ExclusionEvent, at: int) -> None:
    """Record one event."""
    match event:
        case LossExcluded():
            own.known[event.exclusion] = Exclusion(
                event.exclusion, event.tranche, event.start_at, event.end_at, event.nodes, event.reason,
                event.evidence, event.decided_by, at,
            )  # fmt: skip
        case ExclusionWithdrawn():
            own.known[event.exclusion] = own.known[event.exclusion]._replace(
                withdrawn_at=at, withdrawn_for=event.reason, withdrawn_by=event.decided_by
            )
        case _:
            own.claimed[event.tranche, event.month_at] = at


def standing_of(known: Iterable[Exclusion], node: int) -> list[Exclusion]:
    """Those that are about a node."""
    return [each for each in known if each.covers(node)]
