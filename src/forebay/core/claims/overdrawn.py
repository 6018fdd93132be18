"""Which holds and rights may take more than there will be, by how much, and from when to when?

A slip may leave enough for what is promised, and too little for what may still be asked for. That is no shortfall:
nobody goes short of anything before a right is used, and then it makes a tranche that goes short like any other. It
is a warning, and nothing is recorded: it follows at every instant from what there will be, at the confidence of the
policy, what is promised, and what may still be taken.

What tranches leave is counted for rights first, by priority and then in the order in which they were signed, and for
holds last, for a hold is no more than an offer. Whoever is left with less than it may take is overdrawn by the rest.
"""

from __future__ import annotations

from typing import NamedTuple

from forebay.core.claims.calendar import Calendar, Encumbrance, Stock
from forebay.core.claims.contracts import State
from forebay.core.ids import RightId
from forebay.core.timeline import INSTANT_MAX, Interval, Steps, summed


class Overdraft(NamedTuple):
    """Nodes that a hold or a right may take within a window, and that there will not be."""

    #: "hold", or the kind of the right; and its id.
    kind: str
    id: str
    nodes: int
    window: Interval


def overdrafts(state: State, calendar: Calendar, stock: Stock, since: int) -> list[Overdraft]:
    """Of one stock from `since` on, whoever is counted first first, each in order of time; neighbours that are equal
    as one.
    """
    confidence = state.policy.confidence
    available, left = calendar.available(stock, confidence), calendar.uncommitted(stock, confidence)
    always = Interval(since, INSTANT_MAX)
    if available.least(always) >= 0:
        return []
    taken = sorted(calendar.encumbrances(stock), key=lambda each: _rank(state, each))
    bounds = (at for each in taken for at in each.window)
    instants = sorted({since, *(at for at in (*left.starts, *bounds) if since < at < INSTANT_MAX)})
    found: list[list[Overdraft]] = [[] for _ in taken]
    for start_at, end_at in zip(instants, [*instants[1:], INSTANT_MAX], strict=True):
        room = max(0, left.at(start_at))
        for each, parts in zip(taken, found, strict=True):
            if each.window.start <= start_at < each.window.end:
                missing = max(0, each.nodes - room)
                room = max(0, room - each.nodes)
                if missing:
                    _append(parts, Overdraft(each.kind, each.id, missing, Interval(start_at, end_at)))
    return [part for parts in found for part in parts]


def _rank(state: State, taken: Encumbrance) -> tuple[bool, int]:
    is_hold = taken.kind == "hold"
    return is_hold, 0 if is_hold else state.rights[RightId(taken.id)].plan.priority


def _append(parts: list[Overdraft], more: Overdraft) -> None:
    last = parts[-1] if parts else None
    if last and last.nodes == more.nodes and last.window.end == more.window.start:
        parts[-1] = last._replace(window=Interval(last.window.start, more.window.end))
    else:
        parts.append(more)


def overdrawn(found: list[Overdraft]) -> Steps:
    """By how many nodes all of these are overdrawn together."""
    return summed(
        change
        for each in found
        for change in ((each.window.start, each.nodes), (each.window.end, -each.nodes))
    )
