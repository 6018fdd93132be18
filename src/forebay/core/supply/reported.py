"""What was reported of each node, in order of when it took effect: news may come in any order.

A *fact* says how a node is from an instant on, until the next fact. One that is older than the latest, or says what
was believed already, changes nothing now: it says what a node was in the past, between its neighbours. It reaches
back to the last change of anything that the node hangs on, or decision about it, as all late news does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from forebay.core.ids import Event, NodeIndex

#: Facts kept of a node, the latest; what is older than all of them comes too late.
FACTS_MAX = 64


@dataclass(slots=True)
class NodeHealthLearned(Event):
    """News of how a node was, which says nothing of how it is: in `[since_at, until_at)` it was out, or well, which
    was not known. Both are equal where only the fact is new.
    """

    node: NodeIndex
    healthy: bool
    reason: str
    effective_at: int
    since_at: int
    until_at: int


class Fact(NamedTuple):
    """From `at` on a node was well, or not."""

    at: int
    healthy: bool


def latest_fact(known: Mapping[NodeIndex, tuple[Fact, ...]], node: NodeIndex) -> int:
    """When the latest fact of a node took effect; 0 for none."""
    facts = known.get(node)
    return facts[-1].at if facts else 0


def noted(facts: tuple[Fact, ...], fact: Fact) -> tuple[Fact, ...]:
    """The facts of a node and one more, in order."""
    place = _place(facts, fact.at)
    return (*facts[:place], fact, *facts[place:])[-FACTS_MAX:]


def learn_fact(
    facts: tuple[Fact, ...], event: NodeHealthLearned, not_before: int, *, out_beside: bool
) -> NodeHealthLearned | None:
    """The fact with the stretch that it changes, not before what late news reaches back to; none where something else
    kept the node out meanwhile (`out_beside`). None for a fact that is known, or older than what is kept.
    """
    fact = Fact(event.effective_at, event.healthy)
    if fact in facts or (len(facts) == FACTS_MAX and fact.at < facts[0].at):
        return None
    place = _place(facts, fact.at)
    before = facts[place - 1].healthy if place else True
    if place == len(facts) or before is fact.healthy or out_beside:
        return event
    since_at = max(fact.at, not_before)
    until_at = facts[place].at
    if since_at < until_at:
        event.since_at, event.until_at = since_at, until_at
    return event


def _place(facts: tuple[Fact, ...], at: int) -> int:
    """Where a fact belongs: after those of the same instant, as they were told."""
    place = len(facts)
    while place and facts[place - 1].at > at:
        place -= 1
    return place
