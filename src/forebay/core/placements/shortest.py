"""Who comes first of those that are short enough? A tree of least lengths over a row that only grows at its end.

Leaf `place` says how long the one at that place is, each node above the least below it: whoever comes first with at
most a length is found from the root down, by way of the left where the left has one. No depth limit is needed where
this is asked, and nobody is looked at who is too long.
"""

from __future__ import annotations

from typing import Generic, TypeVar

#: Longer than anything.
GONE = 1 << 62

T = TypeVar("T")


class Shortest(Generic[T]):
    """Those of a row, each with its length."""

    __slots__ = ("_least", "_row", "_width")

    def __init__(self, row: list[tuple[T, int]]) -> None:
        self._row = [each for each, _ in row]
        self._width = 1 << max(4, (2 * len(row)).bit_length())
        lengths = [length for _, length in row]
        self._least = [GONE] * self._width + lengths + [GONE] * (self._width - len(lengths))
        for node in range(self._width - 1, 0, -1):
            self._least[node] = min(self._least[2 * node], self._least[2 * node + 1])

    def append(self, each: T, length: int) -> bool:
        """Somebody more at the end; False where there is no room for more."""
        if len(self._row) == self._width:
            return False
        least, node = self._least, self._width + len(self._row)
        self._row.append(each)
        while node and least[node] > length:
            least[node] = length
            node >>= 1
        return True

    def first(self, most: int) -> tuple[int, T] | None:
        """Who comes first of those not longer than `most`, and its place."""
        least = self._least
        if least[1] > most:
            return None
        node = 1
        while node < self._width:
            node *= 2
            if least[node] > most:
                node += 1
        return node - self._width, self._row[node - self._width]

    def drop(self, place: int) -> None:
        """Who stood there has left."""
        least, node = self._least, self._width + place
        least[node] = GONE
        node >>= 1
        while node:
            below = 2 * node
            least[node] = min(least[below], least[below + 1])
            node >>= 1
