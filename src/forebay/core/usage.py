"""What was delivered: GPU-time and energy, metered from state changes, never by polling.

Two kinds of books, both O(1) a change and both exact integers.

*Meters* say what each tenant used, by (tenant, tier, claim, lender, SKU, site, price segment, period): the number of
GPUs running is a rate, integrated when it changes. A fact that takes effect before it is recorded (a gang that ended
while nobody listened) moves the difference, into the segment and period it belongs to.

*Tranche books* say what became of every GPU-second that a tranche is entitled to:
`entitled = used + lent + idle + undeliverable`, at every instant.

Energy is GPU-time at the SKU's watts (source "profile"); readings come later and are kept beside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from forebay.core import claims, supply
from forebay.core.ids import Event, GangId, NodeIndex, SiteId, SkuId, TenantId, TrancheId
from forebay.core.placements import gang as gangs
from forebay.core.placements.gang import HOLDING, Gang, Phase, Tier
from forebay.core.placements.index import each_node, gpus_of
from forebay.core.placements.state import Derived
from forebay.core.placements.state import State as Placements

#: Spans kept for facts that arrive late; an older fact counts from the oldest.
SPANS_MAX = 64


class Key(NamedTuple):
    """What usage is told apart by. `claim` is the tenant's own tranche, `lender` the one it borrowed from."""

    tenant: TenantId
    tier: Tier
    claim: TrancheId
    lender: TrancheId
    sku: SkuId
    site: SiteId


class Span(NamedTuple):
    """From `start` on, usage falls into this price segment and this period."""

    start: int
    segment: int
    period_start: int


class Meter(NamedTuple):
    """A running integral: `gpus` at work since `since`, `gpu_us` GPU-microseconds before that."""

    gpus: int = 0
    since: int = 0
    gpu_us: int = 0
    #: Generations of gangs that started.
    starts: int = 0


UNUSED = Meter()


class TrancheBook(NamedTuple):
    """What a live tranche's GPUs do now, since `since`, and what they did before, in GPU-microseconds."""

    gpus: int
    since: int
    used: int = 0
    lent: int = 0
    undeliverable: int = 0
    entitled_us: int = 0
    used_us: int = 0
    lent_us: int = 0
    undeliverable_us: int = 0

    @property
    def idle_us(self) -> int:
        """GPU-microseconds that were deliverable and that nobody used."""
        return self.entitled_us - self.used_us - self.lent_us - self.undeliverable_us


class UsageLine(NamedTuple):
    """One meter at the close of a period. A line whose period began earlier corrects it, and may be negative."""

    key: Key
    segment: int
    period_start: int
    gpu_us: int
    #: Energy in watt-microseconds, from the SKU's profile.
    watt_us: int
    starts: int


class TrancheLine(NamedTuple):
    """One tranche's book at the close of a period, in GPU-microseconds."""

    tranche: TrancheId
    entitled_us: int
    used_us: int
    lent_us: int
    idle_us: int
    undeliverable_us: int


# Events


@dataclass(slots=True)
class PriceSegmentStarted(Event):
    """Prices change here: use from now on is metered apart."""

    segment: int


@dataclass(slots=True)
class PeriodClosed(Event):
    """The billing period `[start, end)` is over; this is what was metered in it."""

    start: int
    end: int
    lines: tuple[UsageLine, ...]
    tranches: tuple[TrancheLine, ...]


# State


@dataclass(slots=True)
class State:
    """Meters and tranche books of the open period."""

    period_start: int = 0
    spans: list[Span] = field(default_factory=lambda: [Span(0, 0, 0)])
    meters: dict[tuple[Key, Span], Meter] = field(default_factory=dict)
    books: dict[TrancheId, TrancheBook] = field(default_factory=dict)
    #: Gangs that hold nodes of a tranche beyond their right (a loan past its deadline, whoever was there when the
    #: term began): their GPUs count as undeliverable to the tranche.
    overdue: dict[GangId, tuple[TrancheId, ...]] = field(default_factory=dict)

    def fork(self) -> State:
        """A copy whose containers are its own."""
        return State(
            self.period_start, self.spans.copy(), self.meters.copy(), self.books.copy(), self.overdue.copy()
        )


def begin(state: State, at: int) -> None:
    """The first period begins with the journal."""
    state.period_start = at
    state.spans[:] = [Span(at, 0, at)]


def settled(meter: Meter, at: int) -> Meter:
    """The meter with its integral carried to `at`."""
    if at <= meter.since:
        return meter
    return meter._replace(gpu_us=meter.gpu_us + meter.gpus * (at - meter.since), since=at)


def settled_book(book: TrancheBook, at: int) -> TrancheBook:
    """The book with its integrals carried to `at`."""
    span = at - book.since
    if span <= 0:
        return book
    return TrancheBook(
        book.gpus, at, book.used, book.lent, book.undeliverable,
        book.entitled_us + book.gpus * span, book.used_us + book.used * span,
        book.lent_us + book.lent * span, book.undeliverable_us + book.undeliverable * span,
    )  # fmt: skip


def key_of(gang: Gang, site: SiteId) -> Key:
    """What a placed gang's use is told apart by."""
    spec = gang.spec
    return Key(spec.tenant, spec.tier, spec.tranche, gang.lender, spec.sku, site)


def lines(state: State, supplied: supply.State, at: int) -> tuple[UsageLine, ...]:
    """Every meter of the open period, carried to `at`, in order."""
    made = []
    for (key, span), meter in sorted(state.meters.items()):
        now = settled(meter, at)
        if now.gpu_us or now.starts:
            watt_us = now.gpu_us * supplied.skus[key.sku].gpu_w
            made.append(UsageLine(key, span.segment, span.period_start, now.gpu_us, watt_us, now.starts))
    return tuple(made)


def tranche_lines(state: State, at: int) -> tuple[TrancheLine, ...]:
    """Every tranche book of the open period, carried to `at`, in order."""
    made = []
    for tranche in sorted(state.books):
        book = settled_book(state.books[tranche], at)
        if book.entitled_us:
            made.append(
                TrancheLine(
                    tranche, book.entitled_us, book.used_us, book.lent_us, book.idle_us, book.undeliverable_us
                )
            )
    return tuple(made)


# Decisions


def close_period(state: State, supplied: supply.State, at: int, emit: supply.Emit) -> PeriodClosed:
    """Close the open period at `at` and return what was metered in it."""
    closed = PeriodClosed(state.period_start, at, lines(state, supplied, at), tranche_lines(state, at))
    emit(closed)
    return closed


# How events change the books. Called before placements apply the event, with the gang as it was.


def apply(state: State, event: Event, at: int) -> None:
    """Apply one event of this stage."""
    match event:
        case PriceSegmentStarted():
            _begin_span(state, Span(at, event.segment, state.period_start), at)
        case PeriodClosed():
            state.period_start = event.end
            _begin_span(state, Span(event.end, state.spans[-1].segment, event.end), event.end)
            current = state.spans[-1]
            state.meters = {mark: meter for mark, meter in state.meters.items() if mark[1] == current}
            state.books = {
                tranche: TrancheBook(book.gpus, event.end, book.used, book.lent, book.undeliverable)
                for tranche, book in state.books.items()
                if book.gpus
            }


def _begin_span(state: State, span: Span, at: int) -> None:
    """Meters that run go on in the new span; what they counted so far stays in the old one."""
    before = state.spans[-1]
    if before.start == span.start:
        state.spans[-1] = span
    else:
        state.spans.append(span)
        del state.spans[:-SPANS_MAX]
    for (key, old), meter in list(state.meters.items()):
        if old == before and meter.gpus:
            stopped = settled(meter, at)
            state.meters[key, old] = stopped._replace(gpus=0)
            state.meters[key, span] = Meter(meter.gpus, at)
            if not stopped.gpu_us and not stopped.starts:
                del state.meters[key, old]


def _shift(state: State, key: Key, gpus: int, since: int, at: int, starts: int = 0) -> None:
    """From `since` on (in the past), `gpus` more (or fewer) were at work than the meters believed until `at`."""
    current = state.spans[-1]
    mark = (key, current)
    was = state.meters.get(mark, UNUSED)
    gpu_us = was.gpu_us + was.gpus * (at - was.since) + gpus * (at - max(since, current.start))
    state.meters[mark] = Meter(was.gpus + gpus, at, gpu_us, was.starts + starts)
    if since >= current.start:
        return
    # The fact reaches back over a change of price or period: each piece goes where it belongs.
    end = current.start
    for span in reversed(state.spans[:-1]):
        start = max(since, span.start)
        past = state.meters.get((key, span)) or Meter(0, at)
        state.meters[key, span] = past._replace(gpu_us=past.gpu_us + gpus * (end - start))
        end = span.start
        if since >= span.start:
            return


def on_gang(
    state: State, placements: Placements, claimed: claims.State, supplied: supply.State, event: Event, at: int
) -> None:
    """What an event about a gang does to the books; `placements` is still as it was before the event."""
    match event:
        case gangs.GangPlaced():
            gang = placements.gangs[event.gang]
            tranche = event.lender or gang.spec.tranche
            if tranche:
                gpus = gpus_of(event.runs)
                _move(state, tranche, at, used=0 if event.lender else gpus, lent=gpus if event.lender else 0)
        case gangs.GangStarted():
            gang = placements.gangs[event.gang]
            key = key_of(gang, supply.rack_of(supplied, gang.runs[0].first).site)
            _shift(state, key, gang.spec.gpus, event.effective_at, at, starts=1)
        case gangs.GangEnded():
            gang = placements.gangs[event.gang]
            if gang.started_at:
                key = key_of(gang, supply.rack_of(supplied, gang.runs[0].first).site)
                _shift(state, key, -gang.spec.gpus, event.effective_at, at)
            if not event.returns_at:
                _let_go(state, claimed, supplied, gang, at)
        case gangs.NodesReturned():
            _let_go(state, claimed, supplied, placements.gangs[event.gang], at)
        case gangs.ReclaimOverdue():
            gang = placements.gangs[event.gang]
            here = _healthy_gpus(supplied, gang, claimed.tranches[event.tranche])
            _move(state, event.tranche, at, lent=-here, undeliverable=here)
            _mark_overdue(state, event.gang, event.tranche)


def _let_go(state: State, claimed: claims.State, supplied: supply.State, gang: Gang, at: int) -> None:
    """Tranches get GPUs back from a gang; those on a failed node stay undeliverable."""
    tranche = gang.lender or gang.spec.tranche
    overdue = state.overdue.pop(gang.spec.id, ())
    for name in overdue:
        _move(state, name, at, undeliverable=-_healthy_gpus(supplied, gang, claimed.tranches[name]))
    if tranche and tranche not in overdue:
        here = _healthy_gpus(supplied, gang, claimed.tranches[tranche])
        _move(state, tranche, at, used=0 if gang.lender else -here, lent=-here if gang.lender else 0)


def _mark_overdue(state: State, gang: GangId, tranche: TrancheId) -> None:
    state.overdue[gang] = (*state.overdue.get(gang, ()), tranche)


def _healthy_gpus(supplied: supply.State, gang: Gang, tranche: claims.Tranche) -> int:
    """GPUs that a gang holds on healthy nodes of a tranche."""
    return sum(
        mask.bit_count()
        for node, mask in each_node(gang.runs)
        if node not in supplied.failed and holds(tranche, node)
    )


def _move(
    state: State, tranche: TrancheId, at: int, used: int = 0, lent: int = 0, undeliverable: int = 0
) -> None:
    book = state.books.get(tranche)
    if book is None or not book.gpus:
        return
    now = settled_book(book, at)
    state.books[tranche] = now._replace(
        used=now.used + used, lent=now.lent + lent, undeliverable=now.undeliverable + undeliverable
    )


def on_tranche(
    state: State, derived: Derived, placements: Placements, claimed: claims.State, supplied: supply.State,
    event: Event, at: int,
) -> None:  # fmt: skip
    """A tranche's term begins or ends: its book opens, or stands still."""
    match event:
        case claims.TrancheStarted():
            tranche = claimed.tranches[event.tranche]
            per_node = supplied.skus[tranche.plan.sku].gpus_per_node
            missing = sum(1 for node in supplied.failed if holds(tranche, node)) * per_node
            nodes = [node for first, count in tranche.runs for node in range(first, first + count)]
            for name in sorted(
                {name for node in nodes for name in held_by(derived, placements, NodeIndex(node))}
            ):
                _mark_overdue(state, name, event.tranche)
                missing += _healthy_gpus(supplied, placements.gangs[name], tranche)
            state.books[event.tranche] = TrancheBook(tranche.gpus, at, undeliverable=missing)
        case claims.TrancheEnded():
            book = settled_book(state.books[event.tranche], at)
            state.books[event.tranche] = book._replace(gpus=0, used=0, lent=0, undeliverable=0)


def holds(tranche: claims.Tranche, node: int) -> bool:
    """Whether a node is bound to a tranche."""
    return any(first <= node < first + count for first, count in tranche.runs)


def on_health(
    state: State, derived: Derived, placements: Placements, claimed: claims.State, supplied: supply.State,
    event: supply.NodeHealthChanged, at: int,
) -> None:  # fmt: skip
    """A node of a live tranche fails or comes back: its GPUs become undeliverable, or deliverable again."""
    name = derived.index.owner[event.node]
    if not name or name not in state.books:
        return
    tranche = claimed.tranches[TrancheId(name)]
    gpus = supplied.skus[tranche.plan.sku].gpus_per_node
    book = settled_book(state.books[tranche.plan.id], at)
    # The fact took effect earlier: the time since then moves too, back to where this book was opened.
    since = max(event.effective_at, at - book.entitled_us // book.gpus)
    own = lent = own_us = lent_us = 0
    for holder in held_by(derived, placements, event.node):
        gang = placements.gangs[holder]
        here = sum(mask.bit_count() for node, mask in each_node(gang.runs) if node == event.node)
        span = at - max(since, gang.placed_at)
        if name in state.overdue.get(holder, ()):
            gpus -= here
        elif gang.lender:
            lent, lent_us = lent + here, lent_us + here * span
        else:
            own, own_us = own + here, own_us + here * span
    sign = -1 if event.healthy else 1
    state.books[tranche.plan.id] = _moved_late(
        book, own_us, lent_us, gpus * (at - since), event.healthy
    )._replace(
        used=book.used - sign * own,
        lent=book.lent - sign * lent,
        undeliverable=book.undeliverable + sign * gpus,
    )


def _moved_late(book: TrancheBook, own_us: int, lent_us: int, late_us: int, healthy: bool) -> TrancheBook:
    """Move `late_us` between delivered and undeliverable; `own_us` and `lent_us` of it were at work meanwhile. What
    others did there in between is not known any more, so that no part of the book is taken below zero.
    """
    if healthy:
        back_us = min(late_us, book.undeliverable_us)
        own_us = min(own_us, back_us)
        lent_us = min(lent_us, back_us - own_us)
        return book._replace(
            used_us=book.used_us + own_us,
            lent_us=book.lent_us + lent_us,
            undeliverable_us=book.undeliverable_us - back_us,
        )
    own_us, lent_us = min(own_us, book.used_us), min(lent_us, book.lent_us)
    idle_us = min(late_us - own_us - lent_us, book.idle_us)
    return book._replace(
        used_us=book.used_us - own_us,
        lent_us=book.lent_us - lent_us,
        undeliverable_us=book.undeliverable_us + own_us + lent_us + idle_us,
    )


def held_by(derived: Derived, placements: Placements, node: NodeIndex) -> list[GangId]:
    """Gangs that hold GPUs of a node, those included whose GPUs are still being wiped."""
    wiped = [
        name
        for name, gang in placements.gangs.items()
        if gang.returns_at and any(n == node for n, _ in each_node(gang.runs))
    ]
    return sorted({*derived.on_node.get(node, ()), *wiped})


EVENTS: tuple[type[Event], ...] = (PriceSegmentStarted, PeriodClosed)


def check(
    state: State, placements: Placements, claimed: claims.State, supplied: supply.State, at: int
) -> Iterator[str]:
    """Invariant 7: tranche books add up, and rates are what is placed and running."""
    for tranche, book in state.books.items():
        now = settled_book(book, at)
        if min(now.used, now.lent, now.undeliverable, now.gpus - now.used - now.lent - now.undeliverable) < 0:
            yield f"tranche {tranche}: {now.used} used + {now.lent} lent + {now.undeliverable} out of {now.gpus}"
        if min(now.used_us, now.lent_us, now.idle_us, now.undeliverable_us) < 0:
            yield f"tranche {tranche}: used + lent + idle + undeliverable is not entitled without one below zero"
    rates: dict[Key, int] = {}
    for gang in placements.gangs.values():
        if gang.phase in HOLDING and gang.started_at:
            key = key_of(gang, supply.rack_of(supplied, gang.runs[0].first).site)
            rates[key] = rates.get(key, 0) + gang.spec.gpus
    running = {key: meter.gpus for (key, _), meter in state.meters.items() if meter.gpus}
    if rates != running:
        yield f"meters run at {running}, gangs at {rates}"
    for tranche, book in state.books.items():
        if book.gpus:
            says = (book.used, book.lent, book.undeliverable)
            found = _placed_on(state, placements, supplied, claimed.tranches[tranche])
            if says != found:
                yield f"tranche {tranche}: (used, lent, undeliverable) is {says} by its book, {found} by placements"


def _placed_on(
    state: State, placements: Placements, supplied: supply.State, tranche: claims.Tranche
) -> tuple[int, int, int]:
    """GPUs of a live tranche that are used, lent and undeliverable by what is placed and what failed."""
    name = tranche.plan.id
    used = lent = 0
    undeliverable = sum(holds(tranche, node) for node in supplied.failed)
    undeliverable *= supplied.skus[tranche.plan.sku].gpus_per_node
    for gang in placements.gangs.values():
        if gang.phase not in HOLDING and not gang.returns_at:
            continue
        here = _healthy_gpus(supplied, gang, tranche)
        if name in state.overdue.get(gang.spec.id, ()):
            undeliverable += here
        elif gang.lender == name:
            lent += here
        elif gang.spec.tranche == name:
            used += here
    return used, lent, undeliverable


def live(placements: Placements) -> list[Gang]:
    """Gangs that have not ended, in order of submission."""
    alive = (gang for gang in placements.gangs.values() if gang.phase is not Phase.ENDED)
    return sorted(alive, key=lambda gang: gang.order)
