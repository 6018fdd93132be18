"""What became of every GPU-second that a tranche is entitled to: `entitled = used + lent + idle + undeliverable`.

Undeliverable is what nodes do not deliver, and what is idle because its own work gave up its power (a curtailment).
"""

from __future__ import annotations

from typing import NamedTuple

from forebay.core.ids import NodeIndex, TrancheId


class TrancheBook(NamedTuple):
    """What a live tranche's GPUs do now, since `since`, and what they did before, in GPU-microseconds."""

    gpus: int
    since: int
    used: int = 0
    lent: int = 0
    undeliverable: int = 0
    entitled_gpu_us: int = 0
    used_gpu_us: int = 0
    lent_gpu_us: int = 0
    #: For nodes: out, kept free, or held without a right.
    undeliverable_gpu_us: int = 0
    #: GPUs of its own work that gave up its power and waits for it; as far as so many are idle, that is why.
    waiting: int = 0
    #: What was idle so, and is undeliverable too.
    curtailed_gpu_us: int = 0

    @property
    def lost_gpu_us(self) -> int:
        """GPU-microseconds that were undeliverable, for nodes or for power."""
        return self.undeliverable_gpu_us + self.curtailed_gpu_us

    @property
    def idle_gpu_us(self) -> int:
        """GPU-microseconds that were deliverable and that nobody used."""
        return self.entitled_gpu_us - self.used_gpu_us - self.lent_gpu_us - self.lost_gpu_us


def settled_book(book: TrancheBook, at: int) -> TrancheBook:
    """The book with its integrals carried to `at`."""
    span = at - book.since
    if span <= 0:
        return book
    return TrancheBook(
        book.gpus, at, book.used, book.lent, book.undeliverable,
        book.entitled_gpu_us + book.gpus * span, book.used_gpu_us + book.used * span,
        book.lent_gpu_us + book.lent * span, book.undeliverable_gpu_us + book.undeliverable * span, book.waiting,
        book.curtailed_gpu_us + min(book.waiting, book.gpus - book.used - book.lent - book.undeliverable) * span,
    )  # fmt: skip


def begun_again(book: TrancheBook, at: int) -> TrancheBook:
    """What goes on from `at` in a new stretch of the books."""
    return TrancheBook(book.gpus, at, book.used, book.lent, book.undeliverable, waiting=book.waiting)


def moved_late(book: TrancheBook, late_us: int, own_us: int, lent_us: int) -> TrancheBook:
    """Move GPU-time between delivered and undeliverable: first that of who is there, then what was idle, then what
    others used in between, which is not known node by node any more. What lacked power counts as idle here. No part
    is taken below zero: never is more undeliverable than was entitled, nor more given back than was undeliverable.
    """
    if late_us < 0:
        back_us = min(-late_us, book.undeliverable_gpu_us)
        used_us = min(own_us, back_us)
        return book._replace(
            used_gpu_us=book.used_gpu_us + used_us,
            lent_gpu_us=book.lent_gpu_us + min(lent_us, back_us - used_us),
            undeliverable_gpu_us=book.undeliverable_gpu_us - back_us,
        )
    used_us, lent_us = min(own_us, book.used_gpu_us), min(lent_us, book.lent_gpu_us)
    idle_us = min(late_us - used_us - lent_us, book.idle_gpu_us)
    cut_us = min(late_us - used_us - lent_us - idle_us, book.curtailed_gpu_us)
    idle_us += cut_us
    used_us += min(late_us - used_us - lent_us - idle_us, book.used_gpu_us - used_us)
    lent_us += min(late_us - used_us - lent_us - idle_us, book.lent_gpu_us - lent_us)
    return book._replace(
        used_gpu_us=book.used_gpu_us - used_us,
        lent_gpu_us=book.lent_gpu_us - lent_us,
        undeliverable_gpu_us=book.undeliverable_gpu_us + used_us + lent_us + idle_us,
        curtailed_gpu_us=book.curtailed_gpu_us - cut_us,
    )


class Kept(NamedTuple):
    """From `at` on, so many GPUs of a node are undeliverable to its tranche though the node is well: those that are
    idle on a cordoned node, and those of who has no right to be there."""

    at: int
    gpus: int


#: Before anything was kept back.
NOTHING_KEPT = (Kept(0, 0),)


class WaitingForPower(NamedTuple):
    """Work of a claim that gave up its power: how many GPUs, on which nodes."""

    tranche: TrancheId
    gpus: int
    nodes: tuple[NodeIndex, ...]


class Stay(NamedTuple):
    """GPUs of a node that a gang holds by its right, on loan or as its own, since when."""

    gpus: int
    since: int
    lent: bool


class Split(NamedTuple):
    """What the GPUs of one node are to the tranche that holds it; the rest is idle."""

    used: int
    lent: int
    undeliverable: int


def node_split(gpus: int, own: int, lent: int, overdue: int, failed: bool, cordoned: bool) -> Split:
    """A failed node is undeliverable whole; a cordoned one as far as nothing runs there: the provider chose that."""
    if failed:
        return Split(0, 0, gpus)
    return Split(own, lent, overdue + (gpus - own - lent - overdue if cordoned else 0))
