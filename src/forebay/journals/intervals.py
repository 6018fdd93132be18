"""How much did a meter count, hour by hour, between two readings?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from forebay.core.energy import HOLE_US
from forebay.core.units import HOUR_US

#: Two readings further apart are a gap: what was counted is known, when it was is not.
GAP_US = 900_000_000
#: One watt-hour: what the coarsest counters count by.
_STEP_UJ = 3_600_000_000


class Point(NamedTuple):
    """What a counter showed, microjoules."""

    at: int
    value: int


class Cell(NamedTuple):
    """What was counted within one hour, in order of time; what went wrong where an interval ends in it."""

    hour: int
    start: int
    end: int
    covered_us: int
    energy_uj: int
    resets: int = 0
    gaps: int = 0
    over: int = 0


def between(first: Point, second: Point, rating_w: int) -> Iterator[Cell]:
    """The pieces of what was counted between two readings that follow each other, a piece an hour.

    A counter that shows less than before began again at zero. More than it can draw (and a tenth, and a step of the
    counter) is not believed, nor is anything across more than a day: nothing of that time is metered.
    """
    length = second.at - first.at
    reset = second.value < first.value
    energy_uj = second.value if reset else second.value - first.value
    over = bool(rating_w) and energy_uj > rating_w * length * 11 // 10 + _STEP_UJ
    gap = length > GAP_US
    last = (second.at - 1) // HOUR_US
    if over or length > HOLE_US:
        yield Cell(last, second.at, second.at, 0, 0, int(reset), int(gap), int(over))
        return
    start, before_uj = first.at, 0
    for hour in range(first.at // HOUR_US, last + 1):
        end = min((hour + 1) * HOUR_US, second.at)
        until_uj = energy_uj * (end - first.at) // length
        here = hour == last
        yield Cell(
            hour, start, end, end - start, until_uj - before_uj, int(reset and here), int(gap and here)
        )
        start, before_uj = end, until_uj


def added(cells: dict[int, Cell], piece: Cell) -> None:
    """Put a piece to what is known of its hour; pieces that cover nothing do not stretch it."""
    was = cells.get(piece.hour)
    if was is None:
        cells[piece.hour] = piece
        return
    start, end = was.start, was.end
    if piece.covered_us:
        start, end = (min(start, piece.start), max(end, piece.end)) if was.covered_us else piece[1:3]
    sums = (a + b for a, b in zip(was[3:], piece[3:], strict=True))
    cells[piece.hour] = Cell(piece.hour, start, end, *sums)


def count_up(cells: dict[int, Cell], follow: Sequence[Point], rating_w: int) -> set[int]:
    """Put what was counted between readings that follow each other to what is known of the hours, as `between` and
    `added` would one by one; which hours those are. Readings within an hour, of which nothing is wrong, are most of
    all: they are summed before.
    """
    touched: set[int] = set()
    run_hour, start, end, covered_us, energy_uj = -1, 0, 0, 0, 0

    def put(piece: Cell) -> None:
        added(cells, piece)
        touched.add(piece.hour)

    first = follow[0]
    first_at, first_value = first
    for second in follow[1:]:
        at, value = second
        length, more, hour = at - first_at, value - first_value, first_at // HOUR_US
        believed = not rating_w or more <= rating_w * length * 11 // 10 + _STEP_UJ
        if more >= 0 and believed and length <= GAP_US and (at - 1) // HOUR_US == hour:
            if hour != run_hour:
                if covered_us:
                    put(Cell(run_hour, start, end, covered_us, energy_uj))
                run_hour, start, covered_us, energy_uj = hour, first_at, 0, 0
            end = at
            covered_us += length
            energy_uj += more
        else:
            if covered_us:
                put(Cell(run_hour, start, end, covered_us, energy_uj))
            run_hour, covered_us = -1, 0
            for piece in between(first, second, rating_w):
                put(piece)
        first, first_at, first_value = second, at, value
    if covered_us:
        put(Cell(run_hour, start, end, covered_us, energy_uj))
    return touched


def points(rows: Sequence[tuple[int, int]]) -> list[Point]:
    """Readings of one meter in order of time; of several at one instant the highest counts."""
    highest: dict[int, int] = {}
    for at, value in rows:
        if value > highest.get(at, -1):
            highest[at] = value
    return [Point(*each) for each in sorted(highest.items())]
