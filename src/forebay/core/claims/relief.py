"""May a committed date move? Force majeure, delay by the customer, a change that was ordered.

A contract says for each kind within how long of its beginning notice is to be given, and by how much all events of
the kind may move the dates of a tranche together. What is granted lasts from the beginning of the event to its end,
or to where the cap is used up. It moves every committed date of the tranche that had not passed as the event began;
what was late already stays late. A day that two events have in common moves a date once.

Dates move for lateness and its longstop. What is promised, billed and short of capacity stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from forebay.core.claims.terms import ContractPlan, ReliefKind, ReliefTerms, TranchePlan
from forebay.core.ids import Command, Event, TrancheId
from forebay.core.timeline import INSTANT_MAX


@dataclass(slots=True)
class ReportRelief(Command):
    """Something that the contract gives relief for held up a tranche. Notice of it was received at `received_at`, or,
    where that is 0, when it is entered.
    """

    tranche: TrancheId
    kind: ReliefKind
    start_at: int
    end_at: int
    reason: str
    received_at: int = 0


@dataclass(slots=True)
class ReliefGranted(Event):
    """The dates of a tranche move by what is granted."""

    tranche: TrancheId
    kind: ReliefKind
    start_at: int
    end_at: int
    #: Until when it is granted: to its end, or to where the cap is used up.
    granted_until_at: int
    received_at: int
    reason: str


class Relief(NamedTuple):
    """An event that moved the dates of a tranche."""

    kind: ReliefKind
    start_at: int
    end_at: int
    granted_until_at: int
    received_at: int
    reason: str


def as_granted(event: ReliefGranted) -> Relief:
    """What is kept of an event."""
    return Relief(
        event.kind, event.start_at, event.end_at, event.granted_until_at, event.received_at, event.reason
    )


def terms_for(contract: ContractPlan, plan: TranchePlan, kind: ReliefKind) -> ReliefTerms | None:
    """What a contract says of a kind for a tranche: the tranche's own word goes first."""
    return next((each for each in (*plan.relief, *contract.relief) if each.kind is kind), None)


def used_us(reliefs: Iterable[Relief], kind: ReliefKind) -> int:
    """How much of the cap of a kind is used up, microseconds."""
    return sum(each.granted_until_at - each.start_at for each in reliefs if each.kind is kind)


def moved(reliefs: Iterable[Relief], at: int) -> int:
    """Where a committed date is moved to."""
    covered_at = 0
    for each in sorted(reliefs, key=lambda each: each.start_at):
        if at >= each.start_at:
            at += max(0, each.granted_until_at - max(each.start_at, covered_at))
            covered_at = max(covered_at, each.granted_until_at)
    return min(at, INSTANT_MAX)
