"""Which placements are behind each metered sum? The journal told again, placement by placement.

The core meters sums, in O(1) a change, and forgets whose they were. This counts the same GPU-time a second time from
the events alone, by placement and by another way: a placement's time in a span is the overlap of two intervals, and
what a late fact changes is the difference to what was counted before. That both come to the same is asserted for
every line that is explained.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from forebay.core import claims, money, supply, usage
from forebay.core.ids import Event, NodeIndex, SiteId, TrancheId
from forebay.core.meters import Key, Span
from forebay.core.placements import gang as gangs
from forebay.core.placements import unheard
from forebay.core.placements.gang import Run, Spec
from forebay.core.placements.index import each_node
from forebay.core.placements.substitutes import as_choice
from forebay.core.timeline import Dues
from forebay.core.world import WorldOpened

#: Kinds of events that the telling is made of; it is deaf to all others.
HEARD = frozenset(
    kind.__name__
    for kind in (
        *supply.EVENTS, *claims.EVENTS, money.PriceListApplied, WorldOpened, usage.PriceSegmentStarted,
        usage.PeriodClosed, gangs.GangSubmitted, gangs.GangPlaced, gangs.GangStarted, gangs.GangEnded,
        gangs.NodesReturned, gangs.ReclaimOverdue, unheard.GangStartLearned,
    )
)  # fmt: skip


class Piece(NamedTuple):
    """GPU-time of one placement within one line. `end` is 0 while it went on at the close."""

    gang: str
    generation: int
    tenant: str
    runs: tuple[Run, ...]
    gpus: int
    lent: bool
    start: int
    end: int
    gpu_us: int


@dataclass(slots=True)
class Closing:
    """A period's close, with the placements behind its sums."""

    seq: int
    event: usage.PeriodClosed
    #: (key, segment, period, since when apart) -> placements metered there.
    meters: dict[tuple[Key, int, int, int], list[Piece]] = field(default_factory=dict)
    #: (tranche, since when its price held; 0 for the start of the period) -> placements on it, the tenant's own and
    #: borrowers'.
    books: dict[tuple[TrancheId, int], list[Piece]] = field(default_factory=dict)


@dataclass(slots=True)
class _Placement:
    """One generation of a gang, from its placement until its nodes are free again."""

    spec: Spec
    generation: int
    runs: tuple[Run, ...]
    lender: TrancheId
    site: SiteId
    placed_at: int
    freed_at: int = 0
    #: At work `[since, until)`; 0 while that has not begun, or ended.
    since: int = 0
    until: int = 0
    #: What earlier closes counted of it, by span.
    counted: dict[Span, int] = field(default_factory=dict)
    #: GPUs that its tranche's book counts as used or lent now, since when, and what they made before that.
    rate: int = 0
    rate_since: int = 0
    rate_us: int = 0

    @property
    def tranche(self) -> TrancheId:
        """Whose book it is in: the lender's, its own, or none's ("")."""
        return self.lender or self.spec.tranche

    def set_rate(self, rate: int, at: int) -> None:
        self.rate_us += self.rate * (at - self.rate_since)
        self.rate, self.rate_since = rate, at

    def gpus_on(self, node: int) -> int:
        return sum(mask.bit_count() for each, mask in each_node(self.runs) if each == node)

    def piece(self, gpu_us: int, lent: bool, start: int, end: int) -> Piece:
        spec = self.spec
        return Piece(spec.id, self.generation, spec.tenant, self.runs, spec.gpus, lent, start, end, gpu_us)


class Retelling:
    """Give it every event in order; `closing` is the last close of a period."""

    closing: Closing
    #: Its record; 0 before the first.
    closed_seq: int

    def __init__(self) -> None:
        self.closed_seq = 0
        self.supply = supply.State()
        self.claims = claims.State()
        #: Price lists only, and since when each held.
        self.money = money.State()
        self._spans: list[Span] = []
        self._specs: dict[str, Spec] = {}
        #: Placements that may still change a sum; the latest generation of each gang, and ones that ended lately.
        self._placements: list[_Placement] = []
        self._latest: dict[str, _Placement] = {}
        #: Placements that were over before anybody said that they had started.
        self._unheard: dict[str, _Placement] = {}
        #: (gang, tranche) where it holds nodes beyond its right: in that book they are neither used nor lent.
        self._overdue: set[tuple[str, TrancheId]] = set()
        #: Since when the book of a live tranche counts what it counts now.
        self._opened: dict[TrancheId, int] = {}
        #: Since when the price of a tranche holds within the open period, and placements at prices before.
        self._priced: dict[TrancheId, int] = {}
        self._cut: dict[tuple[TrancheId, int], list[Piece]] = {}

    @property
    def segment(self) -> int:
        """Version of the price list in force."""
        return self._spans[-1].segment

    def spec_of(self, gang: str) -> Spec:
        """What a gang asked for."""
        return self._specs[gang]

    def apply(self, event: Event, at: int, seq: int) -> None:
        """The next event, with the time and sequence of its record."""
        if isinstance(event, supply.EVENTS):
            turns = [turn for turn in supply.apply(self.supply, event) if turn.was[0] is not turn.now[0]]
            if turns:
                self._health(turns, at)
        elif isinstance(event, claims.EVENTS):
            claims.apply(self.claims, self.supply, Dues(), event, at)
            self._term(event, at)
        elif isinstance(event, money.PriceListApplied):
            self.money.price_lists[event.prices.version] = event.prices
        elif isinstance(event, WorldOpened):
            self._spans = [Span(at, 0, at)]
        elif isinstance(event, usage.PriceSegmentStarted):
            self.money.held_since[event.segment] = at
            self._span(Span(at, event.segment, self._spans[-1].period_start))
        elif isinstance(event, usage.PeriodClosed):
            self._close(event, seq)
        else:
            self._gang(event, at)

    def _gang(self, event: Event, at: int) -> None:
        match event:
            case gangs.GangSubmitted():
                self._specs[event.spec.id] = event.spec
            case gangs.GangPlaced():
                self._placed(event, at)
            case gangs.GangStarted():
                self._latest[event.gang].since = max(event.effective_at, self._spans[0].start)
            case gangs.GangEnded():
                now = self._latest[event.gang]
                if now.since:
                    now.until = max(event.effective_at, self._spans[0].start)
                elif event.ending is not gangs.Ending.UNSTARTABLE:
                    self._unheard[event.gang] = now
                if not event.returns_at:
                    self._held_idle(now, event.effective_at, at)
                    self._free(now, at)
            case unheard.GangStartLearned():
                now = self._unheard.pop(event.gang)
                now.since = max(event.effective_at, self._spans[0].start)
                now.until = max(event.ended_at, self._spans[0].start)
                if all(each is not now for each in self._placements):
                    self._placements.append(now)
            case gangs.NodesReturned():
                self._free(self._latest[event.gang], at)
            case gangs.ReclaimOverdue():
                self._latest[event.gang].set_rate(0, at)
                self._overdue.add((event.gang, event.tranche))

    def _placed(self, event: gangs.GangPlaced, at: int) -> None:
        site = supply.rack_of(self.supply, event.runs[0].first).site
        made = _Placement(
            as_choice(self._specs[event.gang], event.choice),
            event.generation,
            event.runs,
            event.lender,
            site,
            at,
            rate_since=at,
        )
        if self._live(made.tranche):
            made.rate = usage.gpus_in_service(self.claims.tranches[made.tranche], event.runs)
        self._latest[event.gang] = made
        self._placements.append(made)

    def _held_idle(self, placement: _Placement, ended_at: int, at: int) -> None:
        """What it held since its end is idle, and no longer its own, as far as the period is open."""
        if placement.rate:
            since = max(ended_at, placement.rate_since, self._spans[-1].period_start)
            placement.set_rate(placement.rate, at)
            placement.rate_us -= placement.rate * max(0, at - since)

    def _free(self, placement: _Placement, at: int) -> None:
        placement.set_rate(0, at)
        placement.freed_at = at
        self._overdue = {mark for mark in self._overdue if mark[0] != placement.spec.id}

    def _live(self, tranche: TrancheId) -> bool:
        held = self.claims.tranches.get(tranche)
        return held is not None and held.standing is claims.Standing.LIVE

    def _term(self, event: Event, at: int) -> None:
        if isinstance(event, claims.TrancheStarted):
            self._opened[event.tranche] = at
            steps = (step.at for step in self.claims.tranches[event.tranche].plan.price_steps)
            since = max(event.since_at, self._spans[-1].period_start)
            for step_at in steps if event.since_at else ():
                if since < step_at <= at:
                    self._priced[event.tranche] = step_at
            self._pass_over(event.tranche, self.claims.tranches[event.tranche].runs)
        elif isinstance(event, claims.TrancheBound) and self._live(event.tranche):
            self._pass_over(event.tranche, event.runs)
        elif isinstance(event, claims.acceptance.BillingStarted) and self._live(event.tranche):
            owner = self.claims.tranches[event.tranche]
            for placement in self._placements:
                beyond = (placement.spec.id, event.tranche) in self._overdue
                if placement.tranche == event.tranche and not placement.freed_at and not beyond:
                    placement.set_rate(self._gpus_well(owner, placement), at)
        elif isinstance(event, claims.TranchePriceChanged):
            self._reprice(event.tranche, at)
        elif isinstance(event, claims.AmendmentTookEffect):
            if event.effective_at <= self._spans[-1].period_start:
                return
            for name, held in self.claims.tranches.items():
                if held.contract == event.contract:
                    self._reprice(name, at)
            if event.apart:
                self._span(self._spans[-1]._replace(start=at))
        elif isinstance(event, claims.TrancheEnded):
            for placement in self._placements:
                if placement.tranche == event.tranche:
                    placement.set_rate(0, at)

    def _gpus_well(self, owner: claims.Tranche, placement: _Placement) -> int:
        """GPUs of a placement on nodes that its tranche has in service, and that are not out."""
        return sum(
            mask.bit_count()
            for node, mask in each_node(placement.runs)
            if node not in self.supply.failed and usage.holds(owner, NodeIndex(node))
        )

    def _reprice(self, tranche: TrancheId, at: int) -> None:
        """What a tranche's book counts from now on stays apart, as the World keeps it."""
        start = self._priced.get(tranche, 0)
        if tranche not in self._opened or at <= max(start, self._spans[-1].period_start):
            return
        for placement in self._placements:
            if placement.tranche == tranche:
                self._book(placement, at, self._cut.setdefault((tranche, start), []))
        self._priced[tranche] = self._opened[tranche] = at

    @staticmethod
    def _book(placement: _Placement, at: int, pieces: list[Piece]) -> None:
        """What a placement made of its tranche's time until now."""
        placement.set_rate(placement.rate, at)
        if placement.rate_us:
            lent, start, end = bool(placement.lender), placement.placed_at, placement.freed_at
            pieces.append(placement.piece(placement.rate_us, lent, start, end))
            placement.rate_us = 0

    def _pass_over(self, tranche: TrancheId, runs: tuple[tuple[int, int], ...]) -> None:
        """Whoever is on these nodes now holds them beyond its right."""
        nodes = {node for first, count in runs for node in range(first, first + count)}
        for placement in self._placements:
            if not placement.freed_at and any(node in nodes for node, _ in each_node(placement.runs)):
                self._overdue.add((placement.spec.id, tranche))

    def _health(self, turns: list[supply.NodeTurn], at: int) -> None:
        """The GPUs of nodes that are out leave the sums of their tranches, since when the fact took effect."""
        owners = claims.in_service_of(self.claims, sorted(turn.node for turn in turns))
        wanted = {
            node: held
            for node, tranches in owners.items()
            for held in tranches
            if held.standing is claims.Standing.LIVE
        }
        by_node: dict[int, list[tuple[_Placement, int]]] = {}
        for placement in () if not wanted else self._placements:
            name = placement.tranche
            if placement.freed_at or (placement.spec.id, name) in self._overdue:
                continue
            for node, mask in each_node(placement.runs):
                held = wanted.get(NodeIndex(node))
                if held is not None and held.plan.id == name:
                    by_node.setdefault(node, []).append((placement, mask.bit_count()))
        for turn in turns:
            for placement, here in by_node.get(turn.node, ()):
                owner, sign = wanted[turn.node], -1 if turn.now[0] else 1
                since = max(turn.since, self._opened[owner.plan.id], claims.held_since(owner, turn.node))
                placement.set_rate(placement.rate + sign * here, at)
                placement.rate_us += sign * here * (at - max(since, placement.placed_at))

    def _span(self, span: Span) -> None:
        if self._spans[-1].start == span.start:
            self._spans[-1] = span
        else:
            self._spans.append(span)
            del self._spans[: -usage.SPANS_MAX]

    def _close(self, event: usage.PeriodClosed, seq: int) -> None:
        self.closing, self.closed_seq = Closing(seq, event, books=self._cut), seq
        for placement in self._placements:
            self._count(placement, event.end)
        self._placements = [each for each in self._placements if not each.freed_at]
        self._opened = dict.fromkeys(self._opened, event.end)
        self._priced, self._cut = {}, {}
        self._span(Span(event.end, self.segment, event.end))

    def _count(self, placement: _Placement, end: int) -> None:
        """Add a placement's GPU-time since the last close to the sums it belongs to."""
        spec = placement.spec
        key = Key(spec.tenant, spec.tier, spec.tranche, placement.lender, spec.sku, placement.site)
        for place, span in enumerate(self._spans):
            after = self._spans[place + 1].start if place + 1 < len(self._spans) else end
            until = min(placement.until or end, after)
            overlap = max(0, until - max(placement.since, span.start)) if placement.since else 0
            fresh = spec.gpus * overlap - placement.counted.get(span, 0)
            if fresh:
                placement.counted[span] = spec.gpus * overlap
                since = span.start if span.start > span.period_start else 0
                line = self.closing.meters.setdefault((key, span.segment, span.period_start, since), [])
                line.append(placement.piece(fresh, bool(placement.lender), placement.since, placement.until))
        name = placement.tranche
        self._book(placement, end, self.closing.books.setdefault((name, self._priced.get(name, 0)), []))
