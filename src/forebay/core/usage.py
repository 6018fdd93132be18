"""What was delivered: GPU-time and energy, metered from state changes, never by polling.

Two kinds of books, both O(1) a change and both exact integers.

*Meters* say what each tenant used, by (tenant, tier, claim, lender, SKU, site, price segment, period): the number of
GPUs running is a rate, integrated when it changes. A fact that takes effect before it is recorded (a gang that ended
while nobody listened) moves the difference, into the segment and period it belongs to.

*Tranche books* say what became of every GPU-second that a tranche is entitled to:
`entitled = used + lent + idle + undeliverable`, at every instant. Late news of a node moves GPU-time between
undeliverable and the rest, less what was undeliverable of it anyway: that is kept for as long as news may reach.

Energy is what meters counted, and GPU-time at the SKU's watts where none did: see `energy`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import NamedTuple

from forebay.core import claims, energy, supply
from forebay.core.books import (
    NOTHING_KEPT,
    Kept,
    Split,
    Stay,
    TrancheBook,
    WaitingForPower,
    begun_again,
    moved_late,
    node_split,
    settled_book,
)
from forebay.core.claims.binding import Runs
from forebay.core.energy import EnergyBooks, EnergySource
from forebay.core.ids import Event, GangId, NodeIndex, SiteId, SkuId, TenantId, TrancheId
from forebay.core.meters import UNUSED, Key, Meter, Span, settled
from forebay.core.placements import downtimes
from forebay.core.placements import gang as gangs
from forebay.core.placements.downtimes import Downtimes
from forebay.core.placements.gang import HOLDING, Gang, Run, Tier
from forebay.core.placements.index import each_node, gpus_of
from forebay.core.placements.occupants import held_by_node
from forebay.core.placements.state import Held
from forebay.core.placements.state import State as Placements

#: Spans kept for facts that arrive late; an older fact counts from the oldest. As many changes are kept of what was
#: kept back of one node.
SPANS_MAX = 64


#: From their fields, in order: what is made with every start and end.
_key: Callable[[tuple[str, ...]], Key] = partial(tuple.__new__, Key)
_meter: Callable[[tuple[int, ...]], Meter] = partial(tuple.__new__, Meter)


@dataclass(slots=True)
class UsageLine:
    """One meter at the close of a period. A line whose period began earlier corrects it, and may be negative."""

    tenant: TenantId
    tier: Tier
    #: The tenant's own tranche; "" for none.
    claim: TrancheId
    #: The tranche it borrowed from; "" for none.
    lender: TrancheId
    sku: SkuId
    site: SiteId
    segment: int
    period_start: int
    #: GPU-microseconds from the moment when all ranks were up.
    gpu_us: int
    #: Energy in microjoules, and where it is known from.
    energy_uj: int
    starts: int
    #: Since when terms held that it is billed under, within the period; 0 for its start.
    since: int = 0
    energy_source: EnergySource = EnergySource.PROFILE


@dataclass(slots=True)
class TrancheLine:
    """One tranche's book at the close of a period, in GPU-microseconds: GPUs are used, or lent, from placement on.

    A line whose period began earlier corrects it, and may be negative.
    """

    tranche: TrancheId
    period_start: int
    entitled_gpu_us: int
    used_gpu_us: int
    lent_gpu_us: int
    idle_gpu_us: int
    undeliverable_gpu_us: int
    #: Since when its price held, within the period; 0 for its start.
    since: int = 0
    #: Of what was undeliverable, what its own work had given up because of a curtailment.
    curtailed_gpu_us: int = 0


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
    #: Why it was closed; "" at its end by the calendar.
    reason: str = ""


# State


@dataclass(slots=True)
class State:
    """Meters and tranche books of the open period."""

    period_start: int = 0
    spans: list[Span] = field(default_factory=lambda: [Span(0, 0, 0)])
    meters: dict[tuple[Key, Span], Meter] = field(default_factory=dict)
    books: dict[TrancheId, TrancheBook] = field(default_factory=dict)
    #: (Tranche, start of a closed period) -> what its lines have said so far, for periods that news may still reach.
    closed: dict[tuple[TrancheId, int], TrancheBook] = field(default_factory=dict)
    #: The same as it is known to be by now, where that differs: the next close says the difference.
    corrections: dict[tuple[TrancheId, int], TrancheBook] = field(default_factory=dict)
    #: What was kept back of each node of a tranche, in order of time, as far as news may still reach.
    kept: dict[NodeIndex, tuple[Kept, ...]] = field(default_factory=dict)
    #: Gangs that hold nodes of a tranche beyond their right (a loan past its deadline, whoever was there when the
    #: term began): their GPUs count as undeliverable to the tranche.
    overdue: dict[GangId, tuple[TrancheId, ...]] = field(default_factory=dict)
    #: When prices of a tranche changed within periods that news may still reach: its books are cut there.
    cuts: dict[TrancheId, tuple[int, ...]] = field(default_factory=dict)
    #: (Tranche, start) -> what was before a cut, in the open period.
    pieces: dict[tuple[TrancheId, int], TrancheBook] = field(default_factory=dict)
    #: When nodes were out, and in whose service they were.
    downtimes: Downtimes = field(default_factory=Downtimes)
    #: Work of claims that gave up its power and waits for it.
    waiting: dict[GangId, WaitingForPower] = field(default_factory=dict)
    energy: EnergyBooks = field(default_factory=EnergyBooks)

    def fork(self) -> State:
        """A copy whose containers are its own."""
        return State(
            self.period_start, self.spans.copy(), self.meters.copy(), self.books.copy(), self.closed.copy(),
            self.corrections.copy(), self.kept.copy(), self.overdue.copy(), self.cuts.copy(), self.pieces.copy(),
            self.downtimes.fork(), self.waiting.copy(), self.energy.fork(),
        )  # fmt: skip


def begin(state: State, at: int) -> None:
    """The first period begins with the journal."""
    state.period_start = at
    state.spans[:] = [Span(at, 0, at)]


def key_of(gang: Gang) -> Key:
    """What a placed gang's use is told apart by."""
    spec = gang.spec
    return _key((spec.tenant, spec.tier, spec.tranche, gang.lender, spec.sku, gang.site))


def key_of_line(line: UsageLine) -> Key:
    """What a line's use was told apart by."""
    return Key(line.tenant, line.tier, line.claim, line.lender, line.sku, line.site)


def lines(state: State, supplied: supply.State, at: int) -> tuple[UsageLine, ...]:
    """Every meter of the open period, carried to `at`, in order."""
    made = []
    for key, span in sorted(state.meters.keys() | state.energy.tallies.keys()):
        now = settled(state.meters.get((key, span), UNUSED), at)
        gpu_w = supplied.skus[key.sku].gpu_w
        energy_uj, source = energy.drawn(state.energy, (key, span), now.gpu_us, gpu_w)
        if now.gpu_us or now.starts or energy_uj:
            since = span.start if span.start > span.period_start else 0
            counted = (span.segment, span.period_start, now.gpu_us, energy_uj, now.starts)
            made.append(UsageLine(*key, *counted, since, source))
    return tuple(made)


def tranche_lines(state: State, at: int) -> tuple[TrancheLine, ...]:
    """Every tranche book of the open period, carried to `at`, in order, price by price; and then the corrections of
    earlier ones.
    """
    open_ = {
        (name, starts_known(state, name)[-1]): settled_book(book, at) for name, book in state.books.items()
    }
    made = []
    for (tranche, start), book in sorted({**state.pieces, **open_}.items()):
        if book.entitled_gpu_us:
            shares = (book.used_gpu_us, book.lent_gpu_us, book.idle_gpu_us, book.lost_gpu_us)
            since = start if start > state.period_start else 0
            told = (book.entitled_gpu_us, *shares, since, book.curtailed_gpu_us)
            made.append(TrancheLine(tranche, state.period_start, *told))
    # Who used it is not money: only what was deliverable, or was not, is worth a line. What is paid of the rest
    # depends on the whole period: all its pieces are told.
    moved = {
        (tranche, _period_of(state, start))
        for (tranche, start), book in state.corrections.items()
        if book.lost_gpu_us != state.closed[tranche, start].lost_gpu_us
    }
    for tranche, period_start in sorted(moved):
        starts = (start for start in starts_known(state, tranche) if _period_of(state, start) == period_start)
        known = ((start, state.closed.get((tranche, start))) for start in starts)
        made += [_correction(state, tranche, start, was) for start, was in known if was is not None]
    return tuple(made)


def _correction(state: State, tranche: TrancheId, start: int, was: TrancheBook) -> TrancheLine:
    book, period_start = state.corrections.get((tranche, start), was), _period_of(state, start)
    return TrancheLine(
        tranche, period_start, 0, book.used_gpu_us - was.used_gpu_us, book.lent_gpu_us - was.lent_gpu_us,
        book.idle_gpu_us - was.idle_gpu_us, book.lost_gpu_us - was.lost_gpu_us,
        start if start > period_start else 0, book.curtailed_gpu_us - was.curtailed_gpu_us,
    )  # fmt: skip


def starts_known(state: State, tranche: TrancheId) -> list[int]:
    """When the periods that news may reach began, and when prices of a tranche changed in them."""
    return sorted({span.period_start for span in state.spans} | set(state.cuts.get(tranche, ())))


def _period_of(state: State, start: int) -> int:
    """The period that a price began to hold in."""
    return max((span.period_start for span in state.spans if span.period_start <= start), default=start)


def closed_periods(state: State) -> list[int]:
    """When the closed periods that news may still reach began."""
    return sorted({span.period_start for span in state.spans} - {state.period_start})


# Decisions


def close_period(
    state: State, supplied: supply.State, reason: str, at: int, emit: supply.Emit
) -> PeriodClosed:
    """Close the open period at `at` and return what was metered in it."""
    closed = PeriodClosed(
        state.period_start, at, lines(state, supplied, at), tranche_lines(state, at), reason
    )
    emit(closed)
    return closed


# How events change the books. Called before placements apply the event, with the gang as it was.


def record_use(state: State, placements: Placements, supplied: supply.State, event: Event, at: int) -> None:
    """Apply one event of this stage. Whoever is at work on nodes that get a meter is found among placements."""
    if isinstance(event, energy.ReadingsAccepted):
        energy.apply_accepted(state.energy, state.spans, placements, supplied, event, at)
    else:
        apply(state, event, at)


def apply(state: State, event: Event, at: int) -> None:
    """Apply one event about periods and prices."""
    match event:
        case PriceSegmentStarted():
            _begin_span(state, Span(at, event.segment, state.period_start), at)
        case PeriodClosed():
            state.period_start = event.end
            _begin_span(state, Span(event.end, state.spans[-1].segment, event.end), event.end)
            current = state.spans[-1]
            state.meters = {mark: meter for mark, meter in state.meters.items() if mark[1] == current}
            _file(state, event.tranches)
            state.energy.tallies = {}
            downtimes.forget(state.downtimes, event.end)
            state.pieces = {}
            state.books = {
                tranche: begun_again(book, event.end) for tranche, book in state.books.items() if book.gpus
            }


def _file(state: State, told: tuple[TrancheLine, ...]) -> None:
    """Add what a close said to the closed books; forget what no news can reach any more."""
    for line in told:
        mark = (line.tranche, line.since or line.period_start)
        was = state.closed.get(mark, TrancheBook(0, 0))
        state.closed[mark] = was._replace(
            entitled_gpu_us=was.entitled_gpu_us + line.entitled_gpu_us,
            used_gpu_us=was.used_gpu_us + line.used_gpu_us,
            lent_gpu_us=was.lent_gpu_us + line.lent_gpu_us,
            undeliverable_gpu_us=was.undeliverable_gpu_us + line.undeliverable_gpu_us - line.curtailed_gpu_us,
            curtailed_gpu_us=was.curtailed_gpu_us + line.curtailed_gpu_us,
        )
    state.corrections = {}
    oldest = state.spans[0].period_start
    state.closed = {mark: book for mark, book in state.closed.items() if mark[1] >= oldest}
    cuts = {name: tuple(cut for cut in known if cut >= oldest) for name, known in state.cuts.items()}
    state.cuts = {name: known for name, known in cuts.items() if known}
    for node, steps in list(state.kept.items()):
        past = sum(1 for step in steps[1:] if step.at <= oldest)
        state.kept[node] = steps[past:]
        if past == len(steps) - 1 and not steps[-1].gpus:
            del state.kept[node]


def _cut(state: State, tranche: TrancheId, at: int) -> None:
    """Another price holds from `at` on: what was before stays apart."""
    book = state.books.get(tranche)
    start = starts_known(state, tranche)[-1]
    if book is None or start >= at:
        return
    now = settled_book(book, at)
    state.pieces[tranche, start] = now._replace(gpus=0, used=0, lent=0, undeliverable=0, waiting=0)
    state.books[tranche] = begun_again(now, at)
    state.cuts[tranche] = (*state.cuts.get(tranche, ()), at)


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


def shift_use(state: State, key: Key, gpus: int, since: int, at: int, starts: int = 0) -> None:
    """From `since` on (in the past), `gpus` more (or fewer) were at work than the meters believed until `at`."""
    current = state.spans[-1]
    mark = (key, current)
    running, counted_at, gpu_us, started = state.meters.get(mark, UNUSED)
    start = current.start
    gpu_us += running * (at - counted_at) + gpus * (at - max(since, start))
    state.meters[mark] = _meter((running + gpus, at, gpu_us, started + starts))
    if since >= start:
        return
    # The fact reaches back over a change of price or period: each piece goes where it belongs.
    end = start
    for span in reversed(state.spans[:-1]):
        start = max(since, span.start)
        past = state.meters.get((key, span)) or Meter(0, at)
        state.meters[key, span] = past._replace(gpu_us=past.gpu_us + gpus * (end - start))
        end = span.start
        if since >= span.start:
            return


def meter_gang(
    state: State, placements: Placements, claimed: claims.State, supplied: supply.State, event: Event, at: int
) -> None:
    """What an event about a gang does to the books; `placements` is still as it was before the event."""
    if isinstance(event, gangs.GangStarted):
        gang = placements.gangs[event.gang]
        shift_use(state, key_of(gang), gang.spec.gpus, event.effective_at, at, starts=1)
        if state.energy.nodes:
            energy.work_began(state.energy, state.spans, gang, key_of(gang), event.effective_at)
    elif isinstance(event, gangs.GangEnded):
        gang = placements.gangs[event.gang]
        if gang.started_at:
            shift_use(state, key_of(gang), -gang.spec.gpus, event.effective_at, at)
            if state.energy.nodes:
                energy.work_ended(state.energy, state.spans, gang, event.effective_at)
        if not event.returns_at and (gang.lender or gang.spec.tranche or state.overdue):
            _let_go(state, claimed, supplied, gang, at)
    elif isinstance(event, gangs.GangPlaced):
        tranche = event.lender or placements.gangs[event.gang].spec.tranche
        if tranche:
            gpus = gpus_in_service(claimed.tranches[tranche], event.runs)
            _move(state, tranche, at, used=0 if event.lender else gpus, lent=gpus if event.lender else 0)
    elif isinstance(event, gangs.NodesReturned):
        _let_go(state, claimed, supplied, placements.gangs[event.gang], at)
    elif isinstance(event, gangs.ReclaimOverdue):
        gang = placements.gangs[event.gang]
        here, _ = _gpus_on(supplied, gang, claimed.tranches[event.tranche])
        _move(state, event.tranche, at, lent=-here, undeliverable=here)
        _mark_overdue(state, event.gang, event.tranche)
        _keep_back_more(state, supplied, claimed.tranches[event.tranche], gang, at, (1, 1))


def _let_go(state: State, claimed: claims.State, supplied: supply.State, gang: Gang, at: int) -> None:
    """Tranches get GPUs back from a gang; those on a node that is out stay, or become, undeliverable."""
    tranche = gang.lender or gang.spec.tranche
    overdue = state.overdue.pop(gang.spec.id, ()) if state.overdue else ()
    if not tranche and not overdue:
        return
    for name in {*overdue, tranche} - {""}:
        here, out = _gpus_on(supplied, gang, claimed.tranches[name])
        # What it leaves idle on a cordoned node is kept back, what it held without a right is not any more.
        less = int(name in overdue)
        _keep_back_more(state, supplied, claimed.tranches[name], gang, at, (-less, 1 - less))
        if name in overdue:
            _move(state, name, at, undeliverable=out - here)
        elif gang.lender:
            _move(state, name, at, lent=-here, undeliverable=out)
        else:
            _move(state, name, at, used=-here, undeliverable=out)


def _mark_overdue(state: State, gang: GangId, tranche: TrancheId) -> None:
    state.overdue[gang] = (*state.overdue.get(gang, ()), tranche)


def gpus_in_service(tranche: claims.Tranche, runs: tuple[Run, ...]) -> int:
    """GPUs of these runs on nodes that a tranche has in service."""
    if tranche.plan.acceptance is None:
        return gpus_of(runs)
    return sum(mask.bit_count() for node, mask in each_node(runs) if holds(tranche, node))


def _gpus_on(supplied: supply.State, gang: Gang, tranche: claims.Tranche) -> tuple[int, int]:
    """GPUs that a gang holds on nodes of a tranche that have not failed, and how many of them are cordoned."""
    here = out = 0
    for node, mask in each_node(gang.runs):
        if node not in supplied.failed and holds(tranche, node):
            here += mask.bit_count()
            out += mask.bit_count() if node in supplied.cordoned else 0
    return here, out


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
    state: State, held: Held, placements: Placements, claimed: claims.State, supplied: supply.State,
    before: Runs, event: Event, at: int,
) -> None:  # fmt: skip
    """A tranche's term begins or ends: its book opens, or stands still. Within it, nodes come and go, or their
    billing starts; `before` are those that were in service.
    """
    match event:
        case claims.TrancheStarted():
            tranche = claimed.tranches[event.tranche]
            state.books[event.tranche] = TrancheBook(0, at)
            _pass_over(state, held, placements, tranche, tranche.runs)
            _serve(state, held, placements, supplied, tranche, claims.billed_runs(tranche), at)
            if event.since_at:
                _ran_before(state, tranche.plan, event, at)
        case claims.TrancheBound() | claims.TrancheRebound() | claims.acceptance.BillingStarted():
            tranche = claimed.tranches[event.tranche]
            if tranche.standing is not claims.Standing.LIVE:
                return
            state.books.setdefault(event.tranche, TrancheBook(0, at))
            now = claims.billed_runs(tranche)
            gone, new = claims.runs_less(before, now), claims.runs_less(now, before)
            _count(state, held, placements, supplied, tranche, gone, at, -1)
            for node in _each(gone):
                # What is in nobody's service now is not kept back; what is in another's, by the same plan, may be.
                if node in state.kept and not _served(claimed, node):
                    _keep_back(state, node, at, 0)
            if isinstance(event, claims.TrancheBound):
                _pass_over(state, held, placements, tranche, event.runs)
            elif isinstance(event, claims.TrancheRebound):
                _pass_over(state, held, placements, tranche, event.took)
            _serve(state, held, placements, supplied, tranche, new, at)
        case claims.TranchePriceChanged():
            _cut(state, event.tranche, at)
        case claims.AmendmentTookEffect() if event.effective_at > state.period_start:
            for name in list(state.books):
                if claimed.tranches[name].contract == event.contract:
                    _cut(state, name, at)
            if event.apart:
                _begin_span(state, state.spans[-1]._replace(start=at), at)
        case claims.TrancheEnded() if event.tranche in state.books:
            book = settled_book(state.books[event.tranche], at)
            state.books[event.tranche] = book._replace(gpus=0, used=0, lent=0, undeliverable=0, waiting=0)
            ran = claimed.tranches[event.tranche]
            downtimes.end_service(state.downtimes, event.tranche, claims.billed_runs(ran), at)
            for node in _each(claimed.tranches[event.tranche].runs):
                _keep_back(state, node, at, 0)


def _ran_before(state: State, plan: claims.TranchePlan, event: claims.TrancheStarted, at: int) -> None:
    """What a tranche that ran already had from its cutover until now, price by price: what ran on it is known to
    whoever ran it.
    """
    name, since = event.tranche, event.since_at
    for step in plan.price_steps:
        if max(since, state.period_start) < step.at <= at:
            ran_us = event.gpus * (step.at - since)
            state.pieces[name, starts_known(state, name)[-1]] = TrancheBook(
                0, step.at, entitled_gpu_us=ran_us
            )
            state.cuts[name] = (*state.cuts.get(name, ()), step.at)
            since = step.at
    state.books[name] = state.books[name]._replace(entitled_gpu_us=event.gpus * (at - since))


def in_service(claimed: claims.State, event: Event) -> Runs:
    """The nodes that a tranche which an event is about has in service."""
    name = getattr(event, "tranche", "")
    about = claimed.tranches.get(TrancheId(name)) if isinstance(name, str) else None
    return () if about is None else claims.billed_runs(about)


def _served(claimed: claims.State, node: NodeIndex) -> TrancheId:
    """The tranche whose term runs that has a node in service; "" for none."""
    owner = claims.owner_of(claimed, node)
    return owner if owner and holds(claimed.tranches[owner], node) else TrancheId("")


def _pass_over(state: State, held: Held, placements: Placements, tranche: claims.Tranche, runs: Runs) -> None:
    """These nodes pass to a tranche whose term runs. Whoever is there now has no right to be, until it has left."""
    name = tranche.plan.id
    for node in _each(runs):
        for other, _ in held_on(held, placements, node):
            gang = placements.gangs[other]
            own = name in (gang.lender, gang.spec.tranche)
            if not own and name not in state.overdue.get(other, ()):
                _mark_overdue(state, other, name)


def _serve(
    state: State, held: Held, placements: Placements, supplied: supply.State, tranche: claims.Tranche,
    runs: Runs, at: int,
) -> None:  # fmt: skip
    """From `at` on a tranche has these nodes in service."""
    for node, kept in _count(state, held, placements, supplied, tranche, runs, at, +1):
        _keep_back(state, node, at, kept)


def _count(
    state: State, held: Held, placements: Placements, supplied: supply.State, tranche: claims.Tranche,
    runs: Iterable[tuple[int, int]], at: int, sign: int,
) -> list[tuple[NodeIndex, int]]:  # fmt: skip
    """From `at` on, a tranche's book counts these nodes and what they do (1), or counts them no more (-1). Tells how
    many GPUs of each are kept back from it.
    """
    name = tranche.plan.id
    note = downtimes.note_service if sign > 0 else downtimes.end_service
    note(state.downtimes, name, runs, at)
    gpus = supplied.skus[tranche.plan.sku].gpus_per_node
    entitled = used = lent = missing = 0
    kept = []
    for node in _each(runs):
        shares = _shares(state, name, ((placements.gangs[o], n) for o, n in held_on(held, placements, node)))
        out = (node in supplied.failed, node in supplied.cordoned)
        split = node_split(gpus, *shares, *out)
        entitled += gpus
        used, lent, missing = used + split.used, lent + split.lent, missing + split.undeliverable
        kept.append((node, node_split(gpus, *shares, False, out[1]).undeliverable))
    book = settled_book(state.books[name], at)
    state.books[name] = book._replace(
        gpus=book.gpus + sign * entitled, used=book.used + sign * used, lent=book.lent + sign * lent,
        undeliverable=book.undeliverable + sign * missing,
    )  # fmt: skip
    return kept


def _shares(state: State, name: TrancheId, here: Iterable[tuple[Gang, int]]) -> tuple[int, int, int]:
    """Of the GPUs that gangs hold on a node of a tranche: its own, those it lent, and those without a right."""
    own = lent = overdue = 0
    for gang, gpus in here:
        if name in state.overdue.get(gang.spec.id, ()):
            overdue += gpus
        elif gang.lender == name:
            lent += gpus
        elif gang.spec.tranche == name:
            own += gpus
    return own, lent, overdue


def _each(runs: Iterable[tuple[int, int]]) -> Iterator[NodeIndex]:
    return (NodeIndex(node) for first, count in runs for node in range(first, first + count))


def holds(tranche: claims.Tranche, node: int) -> bool:
    """Whether a tranche has a node in service."""
    if tranche.plan.acceptance is None:
        return any(first <= node < first + count for first, count in tranche.runs)
    return any(first <= node < first + count for first, count, _ in tranche.billed)


def on_nodes(
    state: State, held: Held, placements: Placements, claimed: claims.State, supplied: supply.State,
    turns: Sequence[supply.NodeTurn], at: int,
) -> None:  # fmt: skip
    """Nodes went out of service or came back: all of them at once, for a whole site may."""
    nodes = sorted(turn.node for turn in turns)
    tranches = claims.in_service_of(claimed, nodes)
    here = held_by_node(held, placements, set(nodes)) if tranches else {}
    for turn in turns:
        for tranche in tranches.get(turn.node, ()):
            now = tranche.standing is claims.Standing.LIVE
            gpus = supplied.skus[tranche.plan.sku].gpus_per_node
            stays = _turn(state, placements, tranche, here.get(turn.node, ()), turn, gpus, at) if now else []
            if turn.was[0] is turn.now[0] or turn.since == at:
                continue
            since = max(turn.since, claims.held_since(tranche, turn.node))
            until = tranche.ended_at or at
            if since < until:
                name = tranche.plan.id
                move_late(state, LateNews(name, turn.node, gpus, since, until, not turn.now[0]), stays)


def _turn(
    state: State, placements: Placements, tranche: claims.Tranche, here: Iterable[tuple[GangId, int]],
    turn: supply.NodeTurn, gpus: int, at: int,
) -> list[Stay]:  # fmt: skip
    """A node of a live tranche counts otherwise from `at` on; who is there by right."""
    owner, stays = tranche.plan.id, []
    own = lent = overdue = 0
    for name, some in here:
        gang = placements.gangs[name]
        if owner in state.overdue.get(name, ()):
            overdue += some
            continue
        stays.append(Stay(some, gang.placed_at, bool(gang.lender)))
        own, lent = own + (0 if gang.lender else some), lent + (some if gang.lender else 0)
    before = node_split(gpus, own, lent, overdue, *turn.was)
    after = node_split(gpus, own, lent, overdue, *turn.now)
    _move(state, owner, at, *Split(*(new - old for old, new in zip(before, after, strict=True))))
    kept = node_split(gpus, own, lent, overdue, False, turn.now[1]).undeliverable
    _keep_back(state, turn.node, at, kept)
    return stays


def _keep_back(state: State, node: NodeIndex, at: int, gpus: int) -> None:
    """From `at` on, so many GPUs of a node are kept back."""
    steps = state.kept.get(node, NOTHING_KEPT)
    if steps[-1].gpus == gpus:
        return
    if steps[-1].at == at:
        steps = steps[:-1]
    if not steps or steps[-1].gpus != gpus:
        steps = (*steps, Kept(at, gpus))
    state.kept[node] = steps[-SPANS_MAX:]


def _keep_back_more(
    state: State, supplied: supply.State, tranche: claims.Tranche, gang: Gang, at: int, signs: tuple[int, int]
) -> None:
    """From `at` on, a gang's GPUs on nodes of a live tranche are kept back too (1), no more (-1), or as before (0):
    first of the signs for nodes that are not cordoned, then for those that are.
    """
    if tranche.standing is not claims.Standing.LIVE:
        return
    for number, mask in each_node(gang.runs):
        node = NodeIndex(number)
        change = signs[node in supplied.cordoned] * mask.bit_count()
        if change and holds(tranche, node):
            _keep_back(state, node, at, state.kept.get(node, NOTHING_KEPT)[-1].gpus + change)


class LateNews(NamedTuple):
    """For this tranche the node was out, or `healthy`, in `[since, until)`: not what was believed."""

    tranche: TrancheId
    node: NodeIndex
    gpus: int
    since: int
    until: int
    healthy: bool


def move_late(state: State, late: LateNews, stays: list[Stay]) -> None:
    """Move what a node was in the past between undeliverable and the rest, each piece in the period it belongs to.

    What was kept back of the node was undeliverable either way. `stays` are of who is there now.
    """
    steps = state.kept.get(late.node, NOTHING_KEPT)
    starts = starts_known(state, late.tranche)
    for start, end in zip(starts, [*starts[1:], late.until], strict=True):
        # Older than what is kept: it counts from there.
        from_, to = max(start, late.since, steps[0].at), min(end, late.until)
        if from_ >= to:
            continue
        ends = [*(step.at for step in steps[1:]), to]
        kept_us = sum(
            step.gpus * max(0, min(after, to) - max(step.at, from_))
            for step, after in zip(steps, ends, strict=True)
        )
        late_us = late.gpus * (to - from_) - kept_us
        own_us, lent_us = (
            sum(stay.gpus * max(0, to - max(stay.since, from_)) for stay in stays if stay.lent is lent)
            for lent in (False, True)
        )
        moved = (-late_us if late.healthy else late_us, own_us, lent_us)
        if start == starts[-1]:
            book = settled_book(state.books[late.tranche], late.until)
            state.books[late.tranche] = moved_late(book, *moved)
        elif start >= state.period_start:
            mark = (late.tranche, start)
            state.pieces[mark] = moved_late(state.pieces[mark], *moved)
        else:
            mark = (late.tranche, start)
            state.corrections[mark] = moved_late(state.corrections.get(mark, state.closed[mark]), *moved)


def held_on(held: Held, placements: Placements, node: NodeIndex) -> list[tuple[GangId, int]]:
    """Gangs that hold GPUs of a node and how many, those included whose GPUs are still being wiped."""
    return held_by_node(held, placements, {node}).get(node, [])


EVENTS: tuple[type[Event], ...] = (PriceSegmentStarted, PeriodClosed, energy.ReadingsAccepted)


def check(
    state: State, placements: Placements, claimed: claims.State, supplied: supply.State, at: int
) -> Iterator[str]:
    """Invariant 7: tranche books add up, and rates are what is placed and running."""
    for tranche, book in state.books.items():
        now = settled_book(book, at)
        if min(now.used, now.lent, now.undeliverable, now.gpus - now.used - now.lent - now.undeliverable) < 0:
            yield f"tranche {tranche}: {now.used} used + {now.lent} lent + {now.undeliverable} out of {now.gpus}"
        if min(now.used_gpu_us, now.lent_gpu_us, now.idle_gpu_us, now.undeliverable_gpu_us, now.waiting) < 0:
            yield f"tranche {tranche}: used + lent + idle + undeliverable is not entitled without one below zero"
    yield from energy.check_stays(state.energy, placements)
    rates: dict[Key, int] = {}
    for gang in placements.gangs.values():
        if gang.phase in HOLDING and gang.started_at:
            key = key_of(gang)
            rates[key] = rates.get(key, 0) + gang.spec.gpus
    running = {key: meter.gpus for (key, _), meter in state.meters.items() if meter.gpus}
    if rates != running:
        yield f"meters run at {running}, gangs at {rates}"
    for tranche, book in state.books.items():
        if book.gpus:
            says = (book.used, book.lent, book.undeliverable)
            used = lent = undeliverable = 0
            for node, split, kept in _fates(state, placements, supplied, claimed.tranches[tranche]):
                used, lent, undeliverable = (
                    used + split.used, lent + split.lent, undeliverable + split.undeliverable,
                )  # fmt: skip
                known = state.kept.get(node, NOTHING_KEPT)[-1].gpus
                if known != kept:
                    yield f"node {node}: {known} GPUs are kept back by what is recorded, {kept} by placements"
            if says != (found := (used, lent, undeliverable)):
                yield f"tranche {tranche}: (used, lent, undeliverable) is {says} by its book, {found} by placements"
    for (tranche, start), book in {**state.closed, **state.corrections, **state.pieces}.items():
        if min(book.used_gpu_us, book.lent_gpu_us, book.idle_gpu_us, book.undeliverable_gpu_us) < 0:
            yield f"tranche {tranche}: in the period from {start} a part of what was entitled is below zero"


def _fates(
    state: State, placements: Placements, supplied: supply.State, tranche: claims.Tranche
) -> Iterator[tuple[NodeIndex, Split, int]]:
    """Each node of a live tranche, what its GPUs are by what is placed and failed, and how many are kept back."""
    name = tranche.plan.id
    gpus = supplied.skus[tranche.plan.sku].gpus_per_node
    for node in _each(claims.billed_runs(tranche)):
        here = (
            (gang, sum(mask.bit_count() for n, mask in each_node(gang.runs) if n == node))
            for gang in placements.gangs.values()
            if gang.phase in HOLDING or gang.returns_at
        )
        shares = _shares(state, name, here)
        failed, cordoned = node in supplied.failed, node in supplied.cordoned
        kept = node_split(gpus, *shares, False, cordoned).undeliverable
        yield node, node_split(gpus, *shares, failed, cordoned), kept
