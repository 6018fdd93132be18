"""How many racks of a stock can each level of power carry beside what else is promised there?

The nodes of a tranche come with all the power that they may draw. Tranches of other kinds of racks hang on the same
feeds, and parts of racks that stay where they are draw as well: what they leave is a ceiling, in racks, for each
instant at which a plan asks whether there is enough. Levels that carry all that stands below them have none.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from forebay.core import claims, supply, timeline
from forebay.core.claims.calendar import Stock
from forebay.core.supply import PowerLevel
from forebay.core.timeline import Interval


class Ceiling(NamedTuple):
    """At most so many racks, at each instant, of the groups below a level."""

    #: Whether a group is below it.
    below: NDArray[np.bool_]
    racks: NDArray[np.int64]


class Ledger:
    """What is promised on each level by tranches that a plan does not touch, and by parts of racks."""

    def __init__(self, state: claims.State, supplied: supply.State, stock: Stock) -> None:
        self._supplied = supplied
        sku = supplied.skus[stock.sku]
        self.node_w = sku.gpus_per_node * sku.gpu_w
        self._room_w = supply.room_w(supplied)
        self._loads: dict[PowerLevel, list[tuple[Interval, int]]] = {}
        for tranche in state.tranches.values():
            plan = tranche.plan
            if (plan.site, plan.sku) == stock or tranche.standing is claims.Standing.ENDED:
                continue
            for level, watts in claims.power_of(plan, tranche.runs, supplied).items():
                self._loads.setdefault(level, []).append((claims.term(plan), watts))

    def add(self, rack: supply.Rack, nodes: int, when: Interval) -> None:
        """Nodes of a rack are promised for a time."""
        for level in supply.levels_of(self._supplied, rack):
            self._loads.setdefault(level, []).append((when, nodes * self.node_w))

    def left_w(self, level: PowerLevel, when: Interval) -> int:
        """Watts that a level has left throughout a time."""
        return self._room_w[level] - timeline.peak(self._loads.get(level, ()), when)

    def carries(self, rack: supply.Rack, nodes: int, when: Interval) -> bool:
        """Whether every level above a rack has power left for so many of its nodes."""
        levels = supply.levels_of(self._supplied, rack)
        return all(self.left_w(level, when) >= nodes * self.node_w for level in levels)

    def weak(self, rack: supply.Rack) -> bool:
        """Whether a rack cannot carry the work of all of its nodes."""
        return self._room_w[PowerLevel("rack", rack.id)] < rack.nodes * self.node_w

    def ceilings(
        self, groups: Sequence[Sequence[supply.Rack]], windows: Sequence[Interval], per_rack: int
    ) -> list[Ceiling]:
        """Those of the levels above these groups that carry fewer racks than stand below them."""
        below: dict[PowerLevel, list[int]] = {}
        for place, group in enumerate(groups):
            for level in supply.levels_of(self._supplied, group[0])[1:]:
                below.setdefault(level, []).append(place)
        found = []
        for level, places in below.items():
            left = [self.left_w(level, when) // (per_rack * self.node_w) for when in windows]
            racks = np.maximum(np.array(left, dtype=np.int64), 0)
            if racks.size and int(racks.min()) < sum(len(groups[place]) for place in places):
                mask = np.zeros(len(groups), dtype=np.bool_)
                mask[places] = True
                found.append(Ceiling(mask, racks))
        return found


def windows(terms: Iterable[Interval], instants: Sequence[int]) -> list[Interval]:
    """The time for which each instant speaks: who is there at any moment of it is there at the instant as well."""
    known = list(terms)
    starts = sorted({term.start for term in known})
    ends = sorted({term.end for term in known})
    found: dict[int, Interval] = {}
    before = 0
    for end in ends:
        instant = starts[bisect.bisect_left(starts, end) - 1]
        found[instant] = Interval(found[instant].start if instant in found else before, end)
        before = end
    return [found[instant] for instant in instants]
