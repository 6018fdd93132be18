"""How are a million waits kept in little room? Counted by length: means exact, percentiles to one in 2,000.

And how is what changes all the time kept, such as the length of a queue? As means over slices of time, which are made
twice as long whenever there are too many of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

#: Numbers below this are counted one by one; of larger ones, as many leading bits are kept.
_EXACT = 4096
_BITS = 12
PERCENTILES = {"p50": 50, "p90": 90, "p99": 99}


class Tally:
    """Whole numbers from 0 up, counted by size, in whole units of so many."""

    __slots__ = ("count", "most", "sizes", "total", "unit")

    def __init__(self, unit: int = 1) -> None:
        self.unit = unit
        self.count = 0
        self.total = 0
        self.most = 0
        #: Size, its low bits cleared, -> how many.
        self.sizes: dict[int, int] = {}

    def add(self, number: int) -> None:
        """One more."""
        self.count += 1
        self.total += number
        if number > self.most:
            self.most = number
        number //= self.unit
        if number >= _EXACT:
            spare = number.bit_length() - _BITS
            number = number >> spare << spare
        sizes = self.sizes
        sizes[number] = sizes.get(number, 0) + 1

    def merge(self, other: Tally) -> None:
        """All of another one too."""
        self.count += other.count
        self.total += other.total
        self.most = max(self.most, other.most)
        for size, count in other.sizes.items():
            self.sizes[size] = self.sizes.get(size, 0) + count

    def told(self) -> dict[str, int]:
        """Mean, nearest-rank percentiles and maximum, in whole units; nothing when there is none."""
        if not self.count:
            return {}
        found: dict[str, int] = {"mean": self.total // self.count // self.unit}
        ordered = sorted(self.sizes.items())
        for name, percent in PERCENTILES.items():
            rank, passed = -(-self.count * percent // 100), 0
            for size, count in ordered:
                passed += count
                if passed >= rank:
                    found[name] = size
                    break
        return {**found, "max": self.most // self.unit, "count": self.count}


class Series:
    """Some amounts over time: each as its mean over slices of equal length, from `start` on.

    `sampled` is asked for further amounts at the beginning of each slice.
    """

    #: Slices at the most.
    SLICES = 480

    def __init__(
        self,
        start: int,
        slice_us: int,
        amounts: int,
        sampled: Callable[[], Sequence[int]] = lambda: (),
    ) -> None:
        self.start = start
        self.slice_us = max(1, slice_us)
        #: What each amount is now: set by whoever counts, after `advance`.
        self.now = [0] * amounts
        #: Per slice: each amount times microseconds.
        self.integrals: list[list[int]] = []
        #: Per slice: what was sampled.
        self.samples: list[tuple[int, ...]] = []
        self._sampled = sampled
        #: Up to when amounts are counted.
        self.at = start
        #: End of the last slice.
        self.ends = start

    def advance(self, at: int) -> None:
        """The amounts stay as they are until `at`."""
        since = self.at
        if since >= at:
            return
        if at <= self.ends and since < self.ends:
            self._count(at - since)
        else:
            while since < at:
                if since == self.ends:
                    self._next()
                until = min(self.ends, at)
                self._count(until - since)
                since = until
        self.at = at

    def _count(self, past_us: int) -> None:
        into = self.integrals[-1]
        for place, amount in enumerate(self.now):
            if amount:
                into[place] += amount * past_us

    def _next(self) -> None:
        if len(self.integrals) == self.SLICES:
            pairs = zip(self.integrals[::2], self.integrals[1::2], strict=True)
            self.integrals = [[a + b for a, b in zip(*pair, strict=True)] for pair in pairs]
            self.samples = self.samples[::2]
            self.slice_us *= 2
        self.integrals.append([0] * len(self.now))
        self.samples.append(tuple(self._sampled()))
        self.ends = self.start + len(self.integrals) * self.slice_us

    def means(self, place: int) -> list[int]:
        """Mean of an amount over each slice, rounded down; of the last one, over what there was of it."""
        told = [into[place] // self.slice_us for into in self.integrals]
        if told and self.at < self.ends:
            left_us = self.slice_us - (self.ends - self.at)
            told[-1] = self.integrals[-1][place] // max(1, left_us)
        return told
