"""At which of many ends does a gang fit for the first time? Found in a few looks, where what ends only ever gives.

Theory of operation. Between two changes of hands, with limits that stay, an end takes nothing from anybody: a gang
that fits after one end fits after all later ones, and one that fits when some of those are gone that end by an
instant fits when all of them are. So where there is a lower bound, it is asked first whether it is met, once those
are gone that make room in the place that it comes from, and then ever more of the others. Else instants are looked at
after one end, two, four, and so on; and between the last at which it did not fit and the first at which it does, by
halves.
Nobody looks while the feed that all is under bears too little.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, groupby
from typing import NamedTuple

from forebay.core.placements import easing, schedule
from forebay.core.placements.ends import End
from forebay.core.placements.gang import Gang
from forebay.core.placements.index import Index
from forebay.core.placements.schedule import Desk, Fit

#: After so many more ends a bound is looked at for the second time, and then after four times as many each.
MORE = 64


class Bound(NamedTuple):
    """Nothing fits before `at` (an instant of an end, or 0). Those who are `over` by then make room for the gang, as
    far as is known, or at least power: whether they give it `nodes`.
    """

    at: int
    over: Sequence[End] = ()
    nodes: bool = True


def first_instant(desk: Desk, gang: Gang, ends: Iterable[End], bound: Bound, before: int) -> int | None:
    """The first instant of these `ends`, in order of time, by which a gang fits if nothing else starts; None where
    there is none `before` an instant. It does not fit now, and nothing but ends happens meanwhile.
    """
    if bound.at >= before:
        return None
    seeking, left = _Seeking(desk, gang), iter(ends)
    if bound.at:
        left = seeking.look_at(bound, left)
        if seeking.met:
            return bound.at
    #: By instant, what ended since the last look.
    steps: list[list[End]] = []
    looked = 1
    for at, together in groupby(left, key=_at):
        if at >= before:
            break
        step = list(together)
        seeking.release(step)
        if seeking.lacks_power():
            continue
        steps.append(step)
        if len(steps) == looked:
            if seeking.fits():
                return seeking.by_halves(steps)
            steps.clear()
            looked *= 2
    return seeking.by_halves(steps) if steps and seeking.fits() else None


class _Seeking:
    """An index in which ends are over, and whether a gang fits there."""

    __slots__ = ("_desk", "_gang", "_roots", "met", "scratch")

    def __init__(self, desk: Desk, gang: Gang) -> None:
        self._desk, self._gang = desk, gang
        self.scratch: Index = desk.derived.index.scratch()
        self._roots = easing.roots_of(desk, gang.spec)
        #: Whether it fits at the bound that was looked at.
        self.met = False

    def release(self, ends: Iterable[End]) -> None:
        """These are over."""
        for end in ends:
            self.scratch.release(end.runs, end.gpu_w)

    def fits(self) -> bool:
        """Whether the gang fits."""
        if self.lacks_power():
            return False
        return isinstance(schedule.find(self._desk, self._gang, index=self.scratch), Fit)

    def lacks_power(self) -> bool:
        """Whether the feed that all is under bears too little, wherever the gang may be: then it does not fit."""
        return easing.short(self.scratch, self._roots)

    def look_at(self, bound: Bound, ends: Iterator[End]) -> Iterator[End]:
        """Whether it fits at an instant, once these are gone first and then ever more of the others by then. What is
        left of the ends, if it does not.
        """
        if not bound.nodes:
            # On nodes that are free now: only power is looked at, which is less to do.
            easing.ease(self.scratch, bound.over, -1)
            self.met = self.fits()
            if self.met:
                return ends
            easing.ease(self.scratch, bound.over, 1)
        self.release(bound.over)
        gone, looks, over = {end.gang for end in bound.over}, MORE, 0
        self.met = bool(gone) and self.fits()
        while not self.met:
            end = next(ends, None)
            if end is None or end.at > bound.at:
                self.met = self.fits()
                return iter(()) if end is None else chain((end,), ends)
            if end.gang not in gone:
                self.scratch.release(end.runs, end.gpu_w)
                over += 1
                if over == looks:
                    looks *= 4
                    self.met = self.fits()
        return ends

    def by_halves(self, steps: list[list[End]]) -> int:
        """The first of these instants at which it fits: it does after the last, and did not before the first. All of
        them are over.
        """
        low, high, over = 0, len(steps) - 1, len(steps)
        while low < high:
            middle = (low + high) // 2
            for step in steps[middle + 1 : over]:
                for end in step:
                    self.scratch.take(end.runs, end.gpu_w)
            for step in steps[over : middle + 1]:
                self.release(step)
            over = middle + 1
            if self.fits():
                high = middle
            else:
                low = middle + 1
        return steps[low][0].at


def _at(end: End) -> int:
    return end.at
