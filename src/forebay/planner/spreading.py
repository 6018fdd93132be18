"""A good plan in no time, and how good any plan could be.

`spread` goes through what is wanted in order of start and hands out rack by rack: what a running tranche has stays,
each further rack comes from the feed, and there from the row, of which the tranche has fewest. In that order nothing
gets stuck: whoever is in the way of a term began before it, and so is there at its start.

`bounds` asks each want by itself, as if nobody else were there: no plan costs less.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from forebay.planner.alike import Case, Counts


class Weights(NamedTuple):
    """What a plan pays, in racks that are lost with the worst feed of a tranche."""

    #: For each rack that is promised and not bound; half of it where several racks with room would do as well.
    short: float = 1000.0
    #: For each rack that a tranche loses with its worst feed, and with its worst row.
    feed: float = 1.0
    row: float = 1.0
    #: For each rack that a running tranche gives up, and for each node of it with work on it.
    move: float = 4.0
    work: float = 4.0
    #: For each rack that a tranche gives up whose term has not begun: so that plans differ no more than they must.
    change: float = 0.01


def domains(posed: Case) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The feed and the row of each group, numbered."""
    feeds = {feed: number for number, feed in enumerate(dict.fromkeys(kind.feed for kind in posed.kinds))}
    rows = {row: number for number, row in enumerate(dict.fromkeys(kind.row for kind in posed.kinds))}
    return (
        np.array([feeds[kind.feed] for kind in posed.kinds], dtype=np.int64),
        np.array([rows[kind.row] for kind in posed.kinds], dtype=np.int64),
    )


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
    feed, row = domains(posed)
    wanted = np.array([want.racks for want in posed.wants], dtype=np.int64)
    gone = np.maximum(posed.had() - counts, 0)
    found: NDArray[np.float64] = short_costs(posed, weights) * (wanted - counts.sum(axis=1))
    found += (move_costs(posed, weights) * gone).sum(axis=1)
    for weight, of in ((weights.feed, feed), (weights.row, row)):
        found += weight * by_domain(counts, of).max(axis=1, initial=0)
    return found


def by_domain(counts: Counts, of: NDArray[np.int64]) -> Counts:
    """Racks of each want in each feed, or each row."""
    summed = np.zeros((counts.shape[0], int(of.max(initial=-1)) + 1), dtype=np.int64)
    for place in range(counts.shape[1]):
        summed[:, of[place]] += counts[:, place]
    return summed


def spread(posed: Case) -> Counts:
    """A plan (see the top of this file); what it cannot serve is left out."""
    feed, row = domains(posed)
    allowed, had, sizes = posed.allowed(), posed.had(), posed.sizes
    counts = np.zeros_like(had)
    used = np.zeros((len(posed.groups), len(posed.instants)), dtype=np.int64)
    order = sorted(
        range(len(posed.wants)), key=lambda n: (posed.wants[n].term.start, -posed.wants[n].racks, n)
    )
    for number in order:
        want = posed.wants[number]
        first, last = posed.spans[number]
        room = np.where(allowed[number], sizes - used[:, first:last].max(axis=1, initial=0), 0)
        kept = np.minimum(had[number], room) if want.live else np.zeros_like(room)
        counts[number] = kept + _dealt(
            room - kept, kept, had[number], want.racks - int(kept.sum()), feed, row
        )
        used[:, first:last] += counts[number][:, None]
    return counts


def _dealt(
    room: NDArray[np.int64], kept: NDArray[np.int64], had: NDArray[np.int64], wanted: int,
    feed: NDArray[np.int64], row: NDArray[np.int64],
) -> NDArray[np.int64]:  # fmt: skip
    """So many racks more, one by one, from where there are fewest so far; ties to what it had, then the most room."""
    dealt = np.zeros_like(room)
    in_feed, in_row = (np.bincount(of, weights=kept).astype(np.int64) for of in (feed, row))
    for _ in range(wanted):
        (open_,) = np.nonzero(room > dealt)
        if not open_.size:
            break
        new = had[open_] <= dealt[open_] + kept[open_]
        at_feed, at_row, left = in_feed[feed[open_]], in_row[row[open_]], (room - dealt)[open_]
        place = open_[np.lexsort((open_, -left, new, at_row, at_feed))[0]]
        dealt[place] += 1
        in_feed[feed[place]] += 1
        in_row[row[place]] += 1
    return dealt


def bounds(posed: Case, weights: Weights) -> NDArray[np.float64]:
    """What each want costs at least in any plan: by itself, for feeds and for rows."""
    feed, row = domains(posed)
    allowed, had, sizes = posed.allowed(), posed.had(), posed.sizes
    moves = move_costs(posed, weights)
    found = np.zeros(len(posed.wants))
    for number, want in enumerate(posed.wants):
        held = had[number] > 0
        # A rack that is given up may help feeds and rows: half of what that costs is counted for each.
        move = float(moves[number][held].min(initial=np.inf)) / 2 if held.any() else 0.0
        for weight, of in ((weights.feed, feed), (weights.row, row)):
            rooms = np.bincount(of, weights=np.where(allowed[number], sizes, 0)).astype(np.int64)
            has = np.bincount(of, weights=had[number]).astype(np.int64)
            least = least_peak(rooms, want.racks)
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
