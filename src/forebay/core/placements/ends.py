"""When does what is held come free, if everything runs to its limit of time? Kept in order of time, event by event.

Theory of operation. Whoever waits first is promised an instant, and whether somebody may go by depends on what will
be free then. `Ends` keeps the end that is expected of every gang that holds GPUs. A `Foresight` is an index as it
will be at one instant, when all that ends by then is gone and nothing else has started. It is moved from end to end,
forwards and back, and what was placed, or ended otherwise than expected, is entered into it: so that the next
promise is a few steps from the last one, and not a way through all that runs.

Derived, as the index is. Nothing is kept until somebody asks for the first time.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from typing import NamedTuple

from forebay.core.ids import Event, GangId, SkuId, TrancheId
from forebay.core.placements.gang import HOLDING, Gang, Phase, Policy, Run
from forebay.core.placements.index import Index, PoolKey
from forebay.core.placements.queue import QueueRow
from forebay.core.placements.turnover import wiped_for_s
from forebay.core.units import SECOND_US

_RUNNING, _STOPPING = Phase.RUNNING, Phase.STOPPING
#: Ends in one piece of the list: an insertion moves no more than that.
CHUNK = 512
#: So much may have happened to gangs since somebody asked: beyond it the ends are made again when somebody asks.
TOUCHED_MAX = 1 << 18
#: So many ends may have changed since somebody asked when nodes come wholly free, before that is made again.
VACANCIES_MAX = 1 << 14


class End(NamedTuple):
    """At `at` these GPUs are free at the latest."""

    at: int
    gang: GangId
    runs: tuple[Run, ...]
    gpu_w: int


class MovedEnd(NamedTuple):
    """An end that is expected otherwise now; None for one that was not there before, or is not any more."""

    was: End | None
    now: End | None


def free_at(gang: Gang, policy: Policy) -> int:
    """When a gang's GPUs are free at the latest, by its limit or its estimate, wiped where they were lent."""
    if gang.returns_at:
        return gang.returns_at
    away_s = gang.spec.grace_s + wiped_for_s(policy, gang.spec, gang.lender)
    if gang.phase is _STOPPING:
        return gang.stopping_at + away_s * SECOND_US
    spec = gang.spec
    return (gang.started_at or gang.placed_at) + ((spec.estimate_s or spec.walltime_s) + away_s) * SECOND_US


def end_of(gang: Gang, policy: Policy, gpu_w: int) -> End | None:
    """The end that is expected of a gang; None where it holds nothing."""
    phase = gang.phase
    if phase is not _RUNNING and phase not in HOLDING and not gang.returns_at:
        return None
    return End(free_at(gang, policy), gang.spec.id, gang.runs, gpu_w)


class Ends:
    """Expected ends, in order of time; which of them events have touched since they were brought up to date."""

    __slots__ = (
        "_chunks",
        "_of",
        "current",
        "moved",
        "moves",
        "outlooks",
        "pools",
        "powered",
        "touched",
        "turn_at",
        "vacancies",
        "watched",
    )

    def __init__(self) -> None:
        self._chunks: list[list[End]] = [[]]
        self._of: dict[GangId, End] = {}
        #: Whether anybody asked: only then they are kept up.
        self.watched = False
        #: Whether they are up to date in the pass that goes on.
        self.current = False
        #: Gangs that something happened to since they were brought up to date, in this order.
        self.touched: dict[GangId, None] = {}
        #: Whether nodes, power or owners changed: then an index as it will be is none any more.
        self.moved = True
        #: How often that was so when the ends were brought up to date.
        self.moves = 0
        #: By lane and shape: the pools that it may be in.
        self.pools: dict[QueueRow, list[PoolKey]] = {}
        #: Whether there is power for everything, whatever runs: then numbers tell what fits.
        self.powered = False
        #: When nodes next change hands by what is signed.
        self.turn_at = 0
        #: By capacity (a tranche, or "" for the pool) and SKU: as it will be when its first is to start.
        self.outlooks: dict[tuple[TrancheId, SkuId], Foresight] = {}
        #: What changed since somebody asked when nodes come wholly free; None where nobody did.
        self.vacancies: list[MovedEnd] | None = None

    def note(self, event: Event) -> None:
        """Something happened to a gang, or somebody new waits."""
        if self.watched and (name := getattr(event, "gang", None)) is not None:
            self.touched[name] = None
            if len(self.touched) > TOUCHED_MAX:
                self.forget()

    def forget(self) -> None:
        """Every end may be another, or nobody needs them: they are made again when somebody asks."""
        self._chunks, self._of, self.watched = [[]], {}, False
        self.touched.clear()
        self.outlooks.clear()
        self.vacancies = None

    def watch(self, ends: list[End]) -> None:
        """From here on the ends are kept up; these are all there are."""
        ordered = sorted(ends)
        self._chunks = [ordered[first : first + CHUNK] for first in range(0, len(ordered), CHUNK)] or [[]]
        self._of = {end.gang: end for end in ordered}
        self.watched = True

    def set(self, gang: GangId, now: End | None) -> MovedEnd | None:
        """This end is expected of a gang from here on; None when that is nothing new."""
        was = self._of.get(gang)
        if was == now:
            return None
        if was is not None:
            self._remove(was)
            del self._of[gang]
        if now is not None:
            self._insert(now)
            self._of[gang] = now
        moved = MovedEnd(was, now)
        if self.vacancies is not None:
            self.vacancies.append(moved)
            if len(self.vacancies) > VACANCIES_MAX:
                self.vacancies = None
        return moved

    def _place(self, end: End) -> int:
        """The chunk that an end belongs into."""
        chunks = self._chunks
        low, high = 0, len(chunks) - 1
        while low < high:
            middle = (low + high) // 2
            if chunks[middle][-1] < end:
                low = middle + 1
            else:
                high = middle
        return low

    def _insert(self, end: End) -> None:
        place = self._place(end)
        chunk = self._chunks[place]
        insort(chunk, end)
        if len(chunk) > 2 * CHUNK:
            self._chunks[place : place + 1] = [chunk[:CHUNK], chunk[CHUNK:]]

    def _remove(self, end: End) -> None:
        place = self._place(end)
        chunk = self._chunks[place]
        del chunk[bisect_left(chunk, end)]
        if not chunk and len(self._chunks) > 1:
            del self._chunks[place]

    def each(self) -> Iterator[End]:
        """All of them, in order of time. Not to be gone on with once one was set."""
        for chunk in self._chunks:
            yield from chunk

    def after(self, at: int) -> list[End]:
        """All that end together, first after an instant."""
        found: list[End] = []
        place = self._place(_just_after(at))
        while place < len(self._chunks):
            chunk = self._chunks[place]
            for end in chunk[bisect_left(chunk, _just_after(at)) :]:
                if found and end.at > found[0].at:
                    return found
                found.append(end)
            place += 1
        return found

    def until(self, at: int) -> list[End]:
        """All that end together, last by an instant."""
        found: list[End] = []
        place = self._place(_just_after(at))
        while place >= 0:
            chunk = self._chunks[place]
            for end in reversed(chunk[: bisect_right(chunk, _just_after(at))]):
                if found and end.at < found[0].at:
                    return found
                found.append(end)
            place -= 1
        return found


def _just_after(at: int) -> End:
    """Comes behind all ends at an instant, and before those a microsecond later."""
    return End(at + 1, GangId(""), (), 0)


class Foresight:
    """The index as it will be at `at`: all that ends by then is gone, and nothing else has started."""

    __slots__ = ("at", "changed", "index", "sought")

    def __init__(self, index: Index) -> None:
        self.index = index.copy()
        #: Before everything: whoever holds GPUs holds them still.
        self.at = -1
        #: For whom it was moved here: it is the first instant at which this gang fits.
        self.sought: Gang | None = None
        #: Whether since then less is free at this instant, or more just before it.
        self.changed = False

    def enter(self, changes: list[MovedEnd]) -> None:
        """Ends are expected otherwise. What is free comes first, for something else may stand there already."""
        at = self.at
        for was, now in changes:
            if was is not None and was.at > at:
                self.index.release(was.runs, was.gpu_w)
            if was is not None and was.at >= at and (now is None or now.at < at):
                self.changed = True
        for was, now in changes:
            if now is not None and now.at > at:
                self.index.take(now.runs, now.gpu_w)
                self.changed |= was is None or was.at <= at

    def add(self, end: End) -> None:
        """Something started that leaves it the first instant at which the gang fits that it was moved for."""
        if end.at > self.at:
            self.index.take(end.runs, end.gpu_w)

    def forward(self, ends: list[End]) -> None:
        """To the instant at which these end, the next ones."""
        for end in ends:
            self.index.release(end.runs, end.gpu_w)
        self.at = ends[0].at

    def back(self, ends: list[End]) -> None:
        """To just before these end, the last ones."""
        for end in ends:
            self.index.take(end.runs, end.gpu_w)
        self.at = ends[0].at - 1
