"""A good plan in no time, and how good any plan could be.

`spread` goes through what is wanted in order of start and hands out rack by rack: what a running tranche has stays,
each further rack comes from the feed, there from the cooling loop, and there from the row, of which the tranche has
fewest, and only where there is power left. In that order nothing gets stuck: whoever is in the way of a term began
before it, and so is there at its start.

`bounds` asks each want by itself, as if nobody else were there: no plan costs less.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from forebay.planner import power
from forebay.planner.alike import Case, Counts


class Weights(NamedTuple):
    """What a plan pays, in racks that are lost with the worst feed of a tranche."""

    #: For each rack that is promised and not bound; half of it where several racks with room would do as well.
    short: float = 1000.0
    #: For each rack that a tranche loses with its worst feed, with its worst row, and with its worst cooling loop.
    feed: float = 1.0
    row: float = 1.0
    loop: float = 1.0
    #: For each rack that a running tranche gives up, and for each node of it with work on it.
    move: float = 4.0
    work: float = 4.0
    #: For each rack that a tranche gives up whose term has not begun: so that plans differ no more than they must.
    change: float = 0.01


class Domains(NamedTuple):
    """The feed, the cooling loop and the row of each group, numbered; -1 where it is not known."""

    feed: NDArray[np.int64]
    loop: NDArray[np.int64]
    row: NDArray[np.int64]

    def weighed(self, weights: Weights) -> list[tuple[float, NDArray[np.int64]]]:
        """Each kind of domain with its weight; those that nothing is known of are left out."""
        kinds = ((weights.feed, self.feed), (weights.loop, self.loop), (weights.row, self.row))
        return [(weight, of) for weight, of in kinds if (of >= 0).any()]


def domains(posed: Case) -> Domains:
    """The domains of each group."""
    return Domains(
        _numbered([kind.feed for kind in posed.kinds]),
        _numbered([kind.loop for kind in posed.kinds]),
        _numbered([kind.row for kind in posed.kinds]),
    )


def _numbered(names: Sequence[object]) -> NDArray[np.int64]:
    numbers = {name: number for number, name in enumerate(dict.fromkeys(name for name in names if name))}
    return np.array([numbers.get(name, -1) for name in names], dtype=np.int64)


def sum_by(of: NDArray[np.int64], values: NDArray[np.int64]) -> NDArray[np.int64]:
    """The sum of values over the groups of each domain."""
    known = of >= 0
    return np.bincount(of[known], weights=values[known]).astype(np.int64)


def elsewhere(of: NDArray[np.int64], values: NDArray[np.int64]) -> int:
    """The sum of values over the groups of which the domain is not known."""
    return int(values[of < 0].sum())


def move_costs(posed: Case, weights: Weights) -> NDArray[np.float64]:
    """What it costs a want to give up a rack of a group."""
    busy = np.array([kind.busy for kind in posed.kinds], dtype=np.float64)
    live = np.array([want.live for want in posed.wants], dtype=np.bool_)
    return np.where(live[:, None], weights.move + weights.work * busy[None, :], weights.change)


def short_costs(posed: Case, weights: Weights) -> NDArray[np.float64]:
    """What it costs a want to go without a rack."""
    return np.array([weights.short / (2 if want.parts else 1) for want in posed.wants])


def costs(posed: Case, counts: Counts, weights: Weights) -> NDArray[np.float64]:
    """What a plan costs, by want."""
    wanted = np.array([want.racks for want in posed.wants], dtype=np.int64)
    gone = np.maximum(posed.had() - counts, 0)
    found: NDArray[np.float64] = short_costs(posed, weights) * (wanted - counts.sum(axis=1))
    found += (move_costs(posed, weights) * gone).sum(axis=1)
    for weight, of in domains(posed).weighed(weights):
        found += weight * by_domain(counts, of).max(axis=1, initial=0)
    return found


def by_domain(counts: Counts, of: NDArray[np.int64]) -> Counts:
    """Racks of each want in each domain of a kind."""
    found = np.zeros((counts.shape[0], int(of.max(initial=-1)) + 1), dtype=np.int64)
    for place in np.flatnonzero(of >= 0):
        found[:, of[place]] += counts[:, place]
    return found


def spread(posed: Case) -> Counts:
    """A plan (see the top of this file); what it cannot serve is left out."""
    known = domains(posed)
    allowed, had = posed.allowed(), posed.had()
    counts = np.zeros_like(had)
    stock = _Left(posed)
    for number, want in enumerate(posed.wants):
        if want.live:
            # What runs keeps what it has, whoever else wants it.
            counts[number] = np.where(allowed[number], had[number], 0)
            stock.take(number, counts[number])
    order = sorted(
        range(len(posed.wants)), key=lambda n: (posed.wants[n].term.start, -posed.wants[n].racks, n)
    )
    for number in order:
        kept = counts[number].copy()
        room, powered = stock.left(number)
        wanted = posed.wants[number].racks - int(kept.sum())
        dealt = _dealt(np.where(allowed[number], room, 0), kept, had[number], wanted, known, powered)
        counts[number] += dealt
        stock.take(number, dealt)
    return counts


class _Left:
    """What a plan has not used yet: racks of each group, and power of each ceiling, at each instant."""

    def __init__(self, posed: Case) -> None:
        self._posed = posed
        self._used = np.zeros((len(posed.groups), len(posed.instants)), dtype=np.int64)
        self._carried = [np.zeros(len(posed.instants), dtype=np.int64) for _ in posed.ceilings]

    def take(self, number: int, racks: NDArray[np.int64]) -> None:
        """A want has these racks of each group."""
        first, last = self._posed.spans[number]
        self._used[:, first:last] += racks[:, None]
        for carried, ceiling in zip(self._carried, self._posed.ceilings, strict=True):
            carried[first:last] += int(racks[ceiling.below].sum())

    def left(self, number: int) -> tuple[NDArray[np.int64], _Powered]:
        """Racks of each group that a want may still have, and the power for them."""
        first, last = self._posed.spans[number]
        room = self._posed.sizes - self._used[:, first:last].max(axis=1, initial=0)
        powered = [
            int((ceiling.racks - carried)[first:last].min(initial=len(self._posed.groups) + int(room.sum())))
            for carried, ceiling in zip(self._carried, self._posed.ceilings, strict=True)
        ]
        return room, _Powered(self._posed.ceilings, powered)


class _Powered:
    """Racks for which there is power left, ceiling by ceiling."""

    def __init__(self, ceilings: Sequence[power.Ceiling], left: list[int]) -> None:
        self._ceilings = ceilings
        self._left = left

    def open(self, places: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which of these groups may give a rack."""
        for ceiling, left in zip(self._ceilings, self._left, strict=True):
            if left <= 0:
                places = places & ~ceiling.below
        return places

    def take(self, place: int) -> None:
        """A rack of a group is taken."""
        self._left = [
            left - int(ceiling.below[place]) for left, ceiling in zip(self._left, self._ceilings, strict=True)
        ]


def _dealt(
    room: NDArray[np.int64], kept: NDArray[np.int64], had: NDArray[np.int64], wanted: int, known: Domains,
    powered: _Powered,
) -> NDArray[np.int64]:  # fmt: skip
    """So many racks more, one by one, from where there are fewest so far; ties to what it had, then the most room."""
    dealt = np.zeros_like(room)
    has = [(of, sum_by(of, kept)) for of in known]
    for _ in range(wanted):
        (open_,) = np.nonzero(powered.open(room > dealt))
        if not open_.size:
            break
        new = had[open_] <= dealt[open_] + kept[open_]
        left = (room - dealt)[open_]
        there = [
            np.where(of[open_] >= 0, counts[of[open_]], 0) if counts.size else np.zeros_like(open_)
            for of, counts in reversed(has)
        ]
        place = open_[np.lexsort((open_, -left, new, *there))[0]]
        dealt[place] += 1
        powered.take(int(place))
        for of, counts in has:
            if of[place] >= 0:
                counts[of[place]] += 1
    return dealt


def bounds(posed: Case, weights: Weights) -> NDArray[np.float64]:
    """What each want costs at least in any plan: by itself, for each kind of domain, with power for all."""
    known = domains(posed).weighed(weights)
    allowed, had, sizes = posed.allowed(), posed.had(), posed.sizes
    moves = move_costs(posed, weights)
    found = np.zeros(len(posed.wants))
    for number, want in enumerate(posed.wants):
        held = had[number] > 0
        # A rack that is given up may help feeds, loops and rows: its part of what that costs is counted for each.
        move = float(moves[number][held].min(initial=np.inf)) / len(known) if held.any() else 0.0
        for weight, of in known:
            rooms = np.where(allowed[number], sizes, 0)
            has = sum_by(of, had[number])
            least = least_peak(sum_by(of, rooms), max(0, want.racks - elsewhere(of, rooms)))
            found[number] += min(
                weight * peak + move * float(np.maximum(has - peak, 0).sum())
                for peak in range(least, max(least, int(has.max(initial=0))) + 1)
            )
    return found


def least_peak(rooms: Sequence[int] | NDArray[np.int64], wanted: int) -> int:
    """The fewest racks in the worst of some domains when so many are wanted, and as many where there are too few."""
    low, high = 0, wanted
    while low < high:
        middle = (low + high) // 2
        if int(np.minimum(rooms, middle).sum()) >= wanted:
            high = middle
        else:
            low = middle + 1
    return low
