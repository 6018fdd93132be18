"""Which units of a tranche come when? What was accepted serves the committed dates in order, the oldest first.

With terms for acceptance a unit comes when it is accepted, and nobody reports it as delivered beside that; one that
is ready comes, at the latest, when its customer is deemed to accept. All that is left of a delivery comes when it is
delivered, or as it was notified, or as it was committed (`deliveries`). So much both sides of a contract know.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from forebay.core.claims import deliveries, relief
from forebay.core.claims.acceptance import DeliveredPart, PartLife
from forebay.core.claims.deliveries import Dates
from forebay.core.claims.relief import Relief
from forebay.core.claims.shorts import Short
from forebay.core.claims.terms import Delivery, TranchePlan


class Served(NamedTuple):
    """A delivery: what was accepted of it, as (when, units), and what was not."""

    accepted: tuple[tuple[int, int], ...]
    rest: int


class Coming(NamedTuple):
    """Units of one delivery that come at once."""

    #: Which delivery of the tranche, from 1 on.
    delivery: int
    quantity: int
    committed_at: int
    #: Where relief moved that date to.
    moved_to: int
    #: When they came, or are expected by what both sides know.
    comes_at: int
    delivered: bool


def served(parts: Sequence[Delivery], accepted: Iterable[tuple[int, int]]) -> list[Served]:
    """What became of each delivery; `accepted` is (when, units)."""
    waiting = sorted(accepted)
    found: list[Served] = []
    for part in parts:
        own: list[tuple[int, int]] = []
        rest = part.count
        while rest and waiting:
            when, units = waiting.pop(0)
            taken = min(units, rest)
            own.append((when, taken))
            rest -= taken
            if taken < units:
                waiting.insert(0, (when, units - taken))
        found.append(Served(tuple(own), rest))
    return found


def accepted_units(parts: Iterable[DeliveredPart]) -> list[tuple[int, int]]:
    """What was accepted, as (when, units)."""
    return [(part.answered_at, part.quantity) for part in parts if part.life is PartLife.ACCEPTED]


def coming(
    plan: TranchePlan, dates: Dates, parts: Iterable[DeliveredPart], reliefs: Sequence[Relief], at: int
) -> list[Coming]:
    """When the units of a tranche come, by delivery, as both sides know it at an instant. Who was silent until its
    time was over accepted then, whether somebody looked or not.
    """
    parts = list(parts)
    taken = accepted_units(parts)
    taken += [
        (part.deemed_at, part.quantity) for part in parts if part.life is PartLife.READY and part.deemed_at
    ]
    found: list[Coming] = []
    due = deliveries.committed(plan)
    for number, (part, each) in enumerate(zip(due, served(due, taken), strict=True), 1):
        moved_to = relief.moved(reliefs, part.at)
        found += [Coming(number, units, part.at, moved_to, when, when <= at) for when, units in each.accepted]
        if each.rest:
            known = dates.get((plan.id, number), deliveries.UNKNOWN)
            comes_at = deliveries.told(known, part.at)
            found.append(Coming(number, each.rest, part.at, moved_to, comes_at, bool(known.delivered_at)))
    return found


def missing_parts(
    plan: TranchePlan, pieces: Iterable[Coming], each: int, until_at: int, at: int, *, moved: bool = False
) -> tuple[Short, ...]:
    """How long units of a tranche were, are, or are expected to be missing, in nodes (`each` in a unit), until
    `until_at` at most; what is overdue, until now at least. By the dates of the contract, or as relief moved them.
    """
    found = []
    for piece in pieces:
        due_at = piece.moved_to if moved else piece.committed_at
        comes_at = piece.comes_at if piece.delivered else max(piece.comes_at, at)
        if due_at < min(comes_at, until_at):
            found.append(Short(plan.id, piece.quantity * each, due_at, min(comes_at, until_at)))
    return tuple(found)
