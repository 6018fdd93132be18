"""At which of many ends does a gang fit for the first time? Found in a few looks, where what ends only ever gives.

Theory of operation. Between two changes of hands, with limits that stay, an end takes nothing from anybody: a gang
that fits after one end fits after all later ones. So instants are looked at after one end, two, four, and so on; and
between the last at which it did not fit and the first at which it does, by halves.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from forebay.core.placements import schedule
from forebay.core.placements.ends import End
from forebay.core.placements.gang import Gang
from forebay.core.placements.index import Index
from forebay.core.placements.schedule import Desk, Fit


def first_instant(desk: Desk, gang: Gang, ends: Iterable[End], since: int, before: int) -> int | None:
    """The first instant of these `ends`, in order of time, by which a gang fits if nothing else starts; None where
    there is none `before` an instant. It does not fit before `since`, and nothing but ends happens meanwhile.
    """
    scratch = desk.derived.index.copy()
    #: By instant, what ended since the last look.
    steps: list[list[End]] = []
    looked = 1
    for at, together in groupby(ends, key=_at):
        if at >= before:
            break
        step = list(together)
        for end in step:
            scratch.release(end.runs, end.gpu_w)
        if at < since:
            continue
        steps.append(step)
        if len(steps) == looked:
            if _fits(desk, gang, scratch):
                return _by_halves(desk, gang, scratch, steps)
            steps.clear()
            looked *= 2
    return _by_halves(desk, gang, scratch, steps) if steps and _fits(desk, gang, scratch) else None


def _by_halves(desk: Desk, gang: Gang, scratch: Index, steps: list[list[End]]) -> int:
    """The first of these instants at which it fits: it does after the last, and did not before the first. In
    `scratch` all of them are over.
    """
    low, high, over = 0, len(steps) - 1, len(steps)
    while low < high:
        middle = (low + high) // 2
        for step in steps[middle + 1 : over]:
            for end in step:
                scratch.take(end.runs, end.gpu_w)
        for step in steps[over : middle + 1]:
            for end in step:
                scratch.release(end.runs, end.gpu_w)
        over = middle + 1
        if _fits(desk, gang, scratch):
            high = middle
        else:
            low = middle + 1
    return steps[low][0].at


def _fits(desk: Desk, gang: Gang, index: Index) -> bool:
    return isinstance(schedule.find(desk, gang, index=index), Fit)


def _at(end: End) -> int:
    return end.at
