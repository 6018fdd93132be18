"""How much of a month was a tranche available? From which nodes were out, and when.

A *unit* (of the service level: node, rack or tranche) is missing while fewer of its nodes are well than have to be.
It is *down* while it is missing; where the contract gives a time to replace a unit, only once that time is over since
it failed, and until it is back or another stands in for it. The time runs on where a month ends in between; each
failure has its own. Maintenance that was agreed is no downtime.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from forebay.core.claims.service_levels import Availability, ServiceLevel
from forebay.core.timeline import INSTANT_MAX, Interval, summed
from forebay.core.units import SECOND_US


def missing(out: Iterable[Interval], spare_nodes: int) -> list[Interval]:
    """When a unit is missing: more of its nodes are out than it can do without. `out` is when each of its nodes is,
    one stretch after the other, which do not overlap for one node; in order, those that touch as one.
    """
    changes = [
        change for each in out if each.start < each.end for change in ((each.start, 1), (each.end, -1))
    ]
    steps = list(summed(changes))
    ends = [start for start, _ in steps[1:]] + [INSTANT_MAX]
    found: list[Interval] = []
    for (start, nodes), end in zip(steps, ends, strict=True):
        if nodes > spare_nodes:
            if found and found[-1].end == start:
                start = found.pop().start
            found.append(Interval(start, end))
    return found


def downtime(
    level: ServiceLevel, failures: Iterable[Interval], excused: Iterable[Interval] = ()
) -> list[Interval]:
    """When a unit that was missing so is down: what is left of each failure after the time to replace it, without
    what is `excused`.
    """
    grace_us = level.replacement_s * SECOND_US
    down = [Interval(each.start + grace_us, each.end) for each in failures]
    return [left for each in down if each.start < each.end for left in stretches_without(each, excused)]


def availability(
    level: ServiceLevel,
    units: Sequence[Iterable[Interval]],
    due: Sequence[Iterable[Interval]],
    month: Interval,
    excused: Sequence[Interval] = (),
) -> Availability:
    """Of a month: `units` says when each unit was missing, with failures of earlier months that go on; `due` when
    it was to be there, one stretch after the other.
    """
    due_us = down_us = 0
    for failures, stretches in zip(units, due, strict=True):
        down = downtime(level, failures, excused)
        for each in stretches:
            inside = _meet(each, month)
            due_us += max(0, inside.end - inside.start)
            parts = (_meet(inside, part) for part in down)
            down_us += sum(max(0, part.end - part.start) for part in parts)
    return Availability(due_us - down_us, due_us)


def _meet(one: Interval, other: Interval) -> Interval:
    return Interval(max(one.start, other.start), min(one.end, other.end))


def stretches_without(whole: Interval, excused: Iterable[Interval]) -> Iterator[Interval]:
    """A stretch without what is excused of it."""
    cuts = sorted(_meet(whole, each) for each in excused if whole.overlaps(each))
    reached = itertools.accumulate((cut.end for cut in cuts), max, initial=whole.start)
    starts = [*(cut.start for cut in cuts), whole.end]
    yield from (Interval(start, end) for start, end in zip(reached, starts, strict=True) if start < end)
