"""Which nodes of a stock does nobody have over a term? Runs of nodes that are taken, and the racks between them.

Who has what lies in few long runs: so racks are not looked at one by one, but from run to run.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Sequence

from forebay.core import supply


class Free:
    """Nodes of a stock that are free over a term: all but those that are taken.

    `racks` are those of the stock, in order; `starts` their first nodes.
    """

    def __init__(self, racks: list[supply.Rack], starts: list[int], taken: Iterable[tuple[int, int]]) -> None:
        self.racks = racks
        self._starts = starts
        #: Runs of taken nodes as (first, end), in order, those that touch as one.
        self._taken: list[tuple[int, int]] = []
        for first, count in sorted(taken):
            if self._taken and first <= self._taken[-1][1]:
                self._taken[-1] = (self._taken[-1][0], max(self._taken[-1][1], first + count))
            else:
                self._taken.append((first, first + count))

    def nodes(self, rack: supply.Rack) -> Sequence[int]:
        """Nodes of a rack that are free."""
        first, end = rack.first_node, rack.first_node + rack.nodes
        place = max(0, bisect.bisect_right(self._taken, (first, end)) - 1)
        touched = [run for run in self._from(place, end) if run[1] > first]
        if not touched:
            return range(first, end)
        return [node for node in range(first, end) if not any(a <= node < b for a, b in touched)]

    def _from(self, place: int, end: int) -> Iterator[tuple[int, int]]:
        while place < len(self._taken) and self._taken[place][0] < end:
            yield self._taken[place]
            place += 1

    def whole(self, per_rack: int) -> Iterator[supply.Rack]:
        """Racks that are free, and there, as a whole."""
        place = 0
        for first, end in [*self._taken, (self._last, self._last)]:
            # The rack in which a run begins is not whole, unless the run begins with it.
            before = max(place, bisect.bisect_left(self._starts, first))
            if before > place and self._end(before - 1) > first:
                before -= 1
            for rack in self.racks[place:before]:
                if rack.nodes == per_rack:
                    yield rack
            place = max(place, bisect.bisect_left(self._starts, end))

    @property
    def _last(self) -> int:
        return self._end(len(self.racks) - 1) if self.racks else 0

    def _end(self, place: int) -> int:
        rack = self.racks[place]
        return rack.first_node + rack.nodes

    def begun(self, per_rack: int) -> list[supply.Rack]:
        """Racks that are not free, or not there, as a whole, and of which some nodes are free."""
        places = {place for place, rack in enumerate(self.racks) if rack.nodes < per_rack}
        for run in self._taken:
            for node in (run[0], run[1] - 1):
                places.add(bisect.bisect_right(self._starts, node) - 1)
        return [self.racks[place] for place in sorted(places) if place >= 0 and self.nodes(self.racks[place])]
