"""Who borrows from a tranche, by rack and by how much work would be lost: kept up, so that nobody has to look for it.

Theory of operation. What a borrower loses when it is called back is its GPUs times the age of its last checkpoint: it
grows with time, and falls back at each checkpoint. Per GPU it is the age alone. So borrowers of one checkpoint
interval are kept in the order of their checkpoints' place within the interval: whoever has the youngest checkpoint at
some instant is found by one bisection, and the others follow in order, once around. The orders of all intervals are
merged while they are read. Of each rack the sum is kept, as a line that holds until the next checkpoint of somebody
there.

Derived, as the index is. Nothing is kept of a tranche before its owner first wants something back.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator, Mapping
from heapq import merge
from typing import NamedTuple

from forebay.core.ids import Event, GangId, TrancheId
from forebay.core.placements.checkpoints import Checkpoint, age_of
from forebay.core.placements.gang import Gang, Phase, Run
from forebay.core.timeline import INSTANT_MAX

#: Instead of an interval: has not started, and would lose nothing.
_NOT_STARTED = -1


class Borrower(NamedTuple):
    """One that runs on lent nodes, or is to."""

    gang: GangId
    gpus: int
    runs: tuple[Run, ...]
    placed_seq: int
    #: GPUs by rack, in order of racks.
    racks: tuple[tuple[int, int], ...]
    #: As `checkpoints.Age` says; -1 as the period of one that has not started.
    since: int
    period_us: int

    def age_us(self, at: int) -> int:
        """Microseconds since its last checkpoint."""
        if self.period_us > 0:
            return (at - self.since) % self.period_us
        return 0 if self.period_us else at - self.since

    def cost(self, at: int, restart_us: int) -> int:
        """What it costs to call it back: GPU-microseconds of lost work, and of starting again."""
        return self.gpus * (self.age_us(at) + restart_us)


class OnRack:
    """Borrowers of one rack."""

    __slots__ = ("gpus", "kept_rate", "kept_weight", "local", "spanning")

    def __init__(self) -> None:
        #: Those that are on this rack alone; those that are on others too.
        self.local: dict[GangId, Borrower] = {}
        self.spanning: dict[GangId, Borrower] = {}
        #: GPUs of this rack that all of them hold.
        self.gpus = 0
        #: Of those who make no checkpoints: GPUs, and the sum of GPUs times the instant each counts from. What they
        #: lose is `kept_rate * at - kept_weight`, which only grows.
        self.kept_rate = self.kept_weight = 0

    def count(self, borrower: Borrower, gpus: int) -> None:
        """So many GPUs more of somebody, or fewer."""
        self.gpus += gpus
        if not borrower.period_us:
            self.kept_rate += gpus
            self.kept_weight += gpus * borrower.since

    def cost(self, at: int, restart_us: int) -> int:
        """What it costs to call back all that are on this rack alone."""
        return sum(borrower.cost(at, restart_us) for borrower in self.local.values())


class RackShare(NamedTuple):
    """What a rack's GPUs cost that are lent, each at the age of its gang's checkpoint: a rack that shares no gang
    with others costs that much, and some racks together at least the sum. It is `rate * at - weight` until somebody
    there makes a checkpoint.
    """

    rate: int
    weight: int
    until: int


_UNKNOWN = RackShare(0, 0, -1)


class LoanBook:
    """All borrowers of one tranche."""

    __slots__ = (
        "_ages", "_changed", "_least", "_least_at", "_least_of", "_restart_us", "_shares_from", "leaving",
        "racks", "shares", "spanned", "staying",
    )  # fmt: skip

    def __init__(self) -> None:
        #: Those that run there, or are to.
        self.staying: dict[GangId, Borrower] = {}
        #: Those that are stopping, or whose nodes are still being wiped.
        self.leaving: dict[GangId, None] = {}
        self.racks: dict[int, OnRack] = {}
        #: By rack, as it was last asked for.
        self.shares: dict[int, RackShare] = {}
        self._restart_us = -1
        #: The latest instant for which one of them was worked out.
        self._shares_from = 0
        #: Racks with somebody who is on others too.
        self.spanned: set[int] = set()
        #: By interval of checkpoints: (place within it, sequence of placement, gang), sorted.
        self._ages: dict[int, list[tuple[int, int, GangId]]] = {}
        #: (the least that its share can be from some instant on, rack), sorted; the latest of these instants; and
        #: racks of which that is to be worked out anew.
        self._least: list[tuple[int, int]] = []
        self._least_at = 0
        #: By rack, what stands there.
        self._least_of: dict[int, int] = {}
        self._changed: set[int] = set()

    def enter(self, borrower: Borrower) -> None:
        """Somebody borrows from here on."""
        self.staying[borrower.gang] = borrower
        insort(self._ages.setdefault(borrower.period_us, []), _mark(borrower))
        for rack, gpus in borrower.racks:
            there = self.racks.get(rack)
            if there is None:
                there = self.racks[rack] = OnRack()
            (there.local if len(borrower.racks) == 1 else there.spanning)[borrower.gang] = borrower
            there.count(borrower, gpus)
            self.shares[rack] = _UNKNOWN
            self._changed.add(rack)
        if len(borrower.racks) > 1:
            self.spanned.update(rack for rack, _ in borrower.racks)

    def leave(self, gang: GangId) -> None:
        """Somebody does not stay, if it did."""
        borrower = self.staying.pop(gang, None)
        if borrower is None:
            return
        marks = self._ages[borrower.period_us]
        del marks[bisect_left(marks, _mark(borrower))]
        if not marks:
            del self._ages[borrower.period_us]
        for rack, gpus in borrower.racks:
            there = self.racks[rack]
            there.local.pop(gang, None)
            there.spanning.pop(gang, None)
            there.count(borrower, -gpus)
            self.shares[rack] = _UNKNOWN
            self._changed.add(rack)
            if not there.spanning:
                self.spanned.discard(rack)
            if not there.gpus:
                del self.racks[rack], self.shares[rack]

    def price(self, restart_us: int, at: int) -> None:
        """What a start takes, in all shares from here on, and the instant at which they are asked for."""
        if restart_us != self._restart_us:
            self._restart_us = restart_us
            self._forget_shares()
            self._changed.update(entry[1] for entry in self._least)
            self._changed.update(self.racks)
        elif at < self._shares_from:
            self._forget_shares()

    def _forget_shares(self) -> None:
        self.shares, self._shares_from = dict.fromkeys(self.racks, _UNKNOWN), 0

    def share(self, rack: int, at: int) -> int:
        """The share of a rack at an instant."""
        if at < self._shares_from:
            # A line holds from the instant on for which it was drawn.
            self._forget_shares()
        known = self.shares[rack]
        if at < known.until:
            return known.rate * at - known.weight
        self._shares_from = max(self._shares_from, at)
        there = self.racks[rack]
        rate, weight = there.kept_rate, there.kept_weight - there.gpus * self._restart_us
        until = INSTANT_MAX
        for _, gpus, _, _, _, since, period_us in there.local.values():
            if period_us > 0:
                since = at - (at - since) % period_us
                if since + period_us < until:
                    until = since + period_us
                rate += gpus
                weight += gpus * since
        for _, _, _, _, racks, since, period_us in there.spanning.values():
            if period_us > 0:
                gpus = next(here for other, here in racks if other == rack)
                since = at - (at - since) % period_us
                until = min(until, since + period_us)
                rate += gpus
                weight += gpus * since
        self.shares[rack] = RackShare(rate, weight, until)
        return rate * at - weight

    def least(self, rack: int, at: int) -> int:
        """What the share of a rack is at least, at this instant and at any later one: as if everybody who makes
        checkpoints had just made one.
        """
        there = self.racks[rack]
        return there.kept_rate * at - there.kept_weight + there.gpus * self._restart_us

    def by_least(self, at: int) -> list[tuple[int, int]]:
        """(what its share is at least, rack) of all racks, the least first. Not to be changed."""
        if at < self._least_at:
            self._changed.update(self.racks)
        self._least_at = at
        if self._changed:
            known, least_of = self._least, self._least_of
            gone = sorted((least_of.pop(rack), rack) for rack in self._changed if rack in least_of)
            come = []
            for rack in self._changed:
                if rack in self.racks:
                    least = least_of[rack] = self.least(rack, at)
                    come.append((least, rack))
            self._changed.clear()
            # In pieces: what is between two that are gone stays as it is.
            pieces, first = list[tuple[int, int]](), 0
            for entry in gone:
                place = bisect_left(known, entry, first)
                pieces += known[first:place]
                first = place + 1
            pieces += known[first:]
            pieces += sorted(come)
            pieces.sort()
            self._least = pieces
        return self._least

    def youngest_first(self, at: int) -> Iterator[Borrower]:
        """All who stay, in order of the age of their last checkpoint; of one age, the latest placed first."""
        staying = self.staying
        for _, _, gang in merge(*(_around(marks, period_us, at) for period_us, marks in self._ages.items())):
            yield staying[gang]


def _mark(borrower: Borrower) -> tuple[int, int, GangId]:
    period_us, since = borrower.period_us, borrower.since
    place = since % period_us if period_us > 0 else 0 if period_us else since
    return place, borrower.placed_seq, borrower.gang


def _around(
    marks: list[tuple[int, int, GangId]], period_us: int, at: int
) -> Iterator[tuple[int, int, GangId]]:
    """(age, latest placed first, gang) of all of one interval, in order: backwards from now, once around."""
    if period_us <= 0:
        for place, placed_seq, gang in reversed(marks):
            yield (0 if period_us else at - place), -placed_seq, gang
        return
    here = at % period_us
    middle = bisect_right(marks, (here, INSTANT_MAX, GangId("")))
    for first, last in ((middle - 1, 0), (len(marks) - 1, middle)):
        for number in range(first, last - 1, -1):
            place, placed_seq, gang = marks[number]
            yield (here - place) % period_us, -placed_seq, gang


class Borrowed:
    """The books of tranches whose owners wanted something back, kept up from then on."""

    __slots__ = ("_touched", "books")

    def __init__(self) -> None:
        self.books: dict[TrancheId, LoanBook] = {}
        #: Gangs that something happened to since the books were last read, in this order.
        self._touched: dict[GangId, None] = {}

    def note(self, event: Event) -> None:
        """Something happened to a gang. To be called while there are books."""
        name = getattr(event, "gang", None)
        if name is not None:
            self._touched[name] = None

    def catch_up(
        self,
        lent: Mapping[TrancheId, set[GangId]],
        gangs: Mapping[GangId, Gang],
        reported: Mapping[GangId, Checkpoint],
        rack_of_node: list[int],
    ) -> None:
        """Enter what happened since the last time."""
        touched, self._touched = self._touched, {}
        for tranche in [tranche for tranche in self.books if tranche not in lent]:
            del self.books[tranche]
        for name in touched:
            gang = gangs.get(name)
            for tranche, book in self.books.items():
                book.leave(name)
                book.leaving.pop(name, None)
                if gang is not None and gang.lender == tranche and name in lent[tranche]:
                    _enter(book, gang, reported.get(name), rack_of_node)

    def of(
        self,
        tranche: TrancheId,
        lent: Mapping[TrancheId, set[GangId]],
        gangs: Mapping[GangId, Gang],
        reported: Mapping[GangId, Checkpoint],
        rack_of_node: list[int],
    ) -> LoanBook:
        """The book of a tranche that lends, which is caught up; made when it is first asked for."""
        book = self.books.get(tranche)
        if book is None:
            book = self.books[tranche] = LoanBook()
            for name in sorted(lent[tranche], key=lambda name: gangs[name].placed_seq):
                _enter(book, gangs[name], reported.get(name), rack_of_node)
        return book


def _enter(book: LoanBook, gang: Gang, reported: Checkpoint | None, rack_of_node: list[int]) -> None:
    if gang.phase in (Phase.PLACED, Phase.RUNNING):
        book.enter(borrower_of(gang, reported, rack_of_node))
    else:
        book.leaving[gang.spec.id] = None


def borrower_of(gang: Gang, reported: Checkpoint | None, rack_of_node: list[int]) -> Borrower:
    """A gang that holds GPUs, as a borrower."""
    racks: dict[int, int] = {}
    for first, count, mask in gang.runs:
        for node in range(first, first + count):
            rack = rack_of_node[node]
            racks[rack] = racks.get(rack, 0) + mask.bit_count()
    age = age_of(gang, reported)
    since, period_us = (0, _NOT_STARTED) if age is None else age
    return Borrower(
        gang.spec.id,
        gang.spec.gpus,
        gang.runs,
        gang.placed_seq,
        tuple(sorted(racks.items())),
        since,
        period_us,
    )
