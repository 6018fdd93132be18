"""A second, naive model of usage: everything again from the list of events, node by node and instant by instant.

It knows nothing of meters, books or indexes. What it finds must be what the World metered, to the microsecond.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from forebay.core import claims, ids, supply, usage
from forebay.core.ids import Event
from forebay.core.placements import gang as gangs
from forebay.core.placements import unheard
from forebay.core.placements.index import each_node
from forebay.core.world import World
from tests.core import reasons

Events = list[tuple[int, Event]]
#: tenant, tier, lender, price segment, start of the period
UseKey = tuple[str, str, str, int, int]


@dataclass
class Placed:
    """A generation of a gang on its nodes."""

    spec: gangs.Spec
    lender: str
    #: node -> GPUs
    nodes: dict[int, int]
    started: int = 0
    #: Tranches on whose nodes it stays without a right.
    overdue: set[str] = field(default_factory=set)


def as_placed(spec: gangs.Spec, event: gangs.GangPlaced) -> gangs.Spec:
    """A gang with as many GPUs as it got, of whatever kind."""
    return replace(spec, gpus=sum(run.nodes * run.mask.bit_count() for run in event.runs))


def metered_use(world: World, events: Events) -> dict[UseKey, int]:
    """GPU-microseconds by the World's own lines: those of every closed period, and the open one carried to now."""
    found: Counter[UseKey] = Counter()
    closed = [line for _, event in events if isinstance(event, usage.PeriodClosed) for line in event.lines]
    for line in (*closed, *usage.lines(world.state.usage, world.state.supply, world.now)):
        key = (line.tenant, line.tier.value, line.lender, line.segment, line.period_start)
        found[key] += line.gpu_us
    return {key: gpu_us for key, gpu_us in found.items() if gpu_us}


def naive_use(world: World, events: Events) -> dict[UseKey, int]:
    """The same from when each generation started and ended, cut at every change of price and period."""
    found: Counter[UseKey] = Counter()
    cuts = list(_cuts(events))
    for placed, end in _generations(world, events):
        if not placed.started:
            continue
        for (start, segment, period), (until, _, _) in zip(cuts, [*cuts[1:], (end, 0, 0)], strict=True):
            inside = min(until, end) - max(start, placed.started)
            key = (placed.spec.tenant, placed.spec.tier.value, placed.lender, segment, period)
            found[key] += placed.spec.gpus * max(0, inside)
    return {key: gpu_us for key, gpu_us in found.items() if gpu_us}


def _cuts(events: Events) -> Iterator[tuple[int, int, int]]:
    """(start, price segment, start of the period), in order; several may start at one instant."""
    segment = 0
    period = events[0][0]
    yield period, segment, period
    for at, event in events:
        if isinstance(event, usage.PriceSegmentStarted):
            segment = event.segment
            yield at, segment, period
        elif isinstance(event, usage.PeriodClosed):
            period = event.end
            yield at, segment, period


def _generations(world: World, events: Events) -> Iterator[tuple[Placed, int]]:
    """Every generation with the instant it ended in effect; now for those that have not."""
    specs: dict[str, gangs.Spec] = {}
    here: dict[str, Placed] = {}
    over: dict[str, Placed] = {}
    for _, event in events:
        if isinstance(event, gangs.GangSubmitted):
            specs[event.spec.id] = event.spec
        elif isinstance(event, gangs.GangPlaced):
            here[event.gang] = Placed(as_placed(specs[event.gang], event), event.lender, {})
        elif isinstance(event, gangs.GangStarted):
            here[event.gang].started = event.effective_at
        elif isinstance(event, gangs.GangEnded):
            over[event.gang] = here.pop(event.gang)
            yield over[event.gang], event.effective_at
        elif isinstance(event, unheard.GangStartLearned):
            yield replace(over[event.gang], started=event.effective_at), event.ended_at
    for placed in here.values():
        yield placed, world.now


#: entitled, used, lent, undeliverable, in GPU-microseconds
Book = tuple[int, int, int, int]
#: tranche, start of the period
BookKey = tuple[str, int]


def metered_books(world: World, events: Events) -> dict[BookKey, Book]:
    """What became of each tranche's time in each period, corrections included, by the World's own books."""
    found: defaultdict[BookKey, Book] = defaultdict(lambda: (0, 0, 0, 0))
    closed = [line for _, event in events if isinstance(event, usage.PeriodClosed) for line in event.tranches]
    for line in (*closed, *usage.tranche_lines(world.state.usage, world.now)):
        key = (line.tranche, line.period_start)
        was = found[key]
        more = (line.entitled_gpu_us, line.used_gpu_us, line.lent_gpu_us, line.undeliverable_gpu_us)
        assert line.idle_gpu_us == more[0] - more[1] - more[2] - more[3]
        found[key] = (was[0] + more[0], was[1] + more[1], was[2] + more[2], was[3] + more[3])
    return {key: book for key, book in found.items() if any(book)}


def naive_books(world: World, events: Events) -> tuple[dict[BookKey, Book], set[BookKey], set[BookKey]]:
    """The same by looking at each node between any two events, well or out as it is known to have been by now,
    however late the news of it came. And the books that late news changed: there only what was entitled and
    undeliverable is known, for who used the rest is not.
    """
    floor = _Floor(world, events)
    for (at, event), (until, _) in zip(events, [*events[1:], (world.now, events[-1][1])], strict=True):
        floor.take(event, at)
        floor.pass_time(at, until)
    books = {key: (e, u, lent, n) for key, (e, u, lent, n) in floor.books.items()}
    return {key: book for key, book in books.items() if any(book)}, floor.moved, floor.cut


def same_books(world: World, events: Events) -> None:
    """Assert that both models agree, to the microsecond."""
    metered = metered_books(world, events)
    naive, moved, cut = naive_books(world, events)
    assert {key: book for key, book in metered.items() if key not in moved} == {
        key: book for key, book in naive.items() if key not in moved
    }
    for key in moved:
        entitled, used, lent, undeliverable = metered.get(key, (0, 0, 0, 0))
        known = naive.get(key, (0, 0, 0, 0))
        assert entitled == known[0], key
        assert undeliverable == known[3] or key in cut, key
        assert min(used, lent, entitled - used - lent - undeliverable) >= 0, key


@dataclass
class _Term:
    """Since when each of a tranche's nodes is its own, and until when they were."""

    nodes: dict[int, int]
    start: int
    end: int = 0


class _Floor:
    """The nodes, who holds them, and whose they are."""

    def __init__(self, world: World, events: Events) -> None:
        self.world = world
        self.supply = world.state.supply
        #: Nodes that are bound to tranches so far.
        self.bound: defaultdict[str, list[int]] = defaultdict(list)
        #: Tranches whose nodes count once they were accepted, and how many of each count by now.
        self.accepting = {
            name for name, held in world.state.claims.tranches.items() if held.plan.acceptance is not None
        }
        self.billed: defaultdict[str, int] = defaultdict(int)
        self.notices: dict[tuple[str, int], int] = {}
        #: node -> (since when, well or out), in order: what was known, or older, is no event.
        self.health: defaultdict[int, list[tuple[int, bool]]] = defaultdict(list)
        known = reasons.Reasons()
        for _, event in events:
            for node, since, well in known.take(event):
                self.health[node].append((since, well))
            if isinstance(event, supply.NodeHealthLearned):
                self._rewrite(event)
        self.reasons = reasons.Reasons()
        self.cordoned: set[int] = set()
        self.terms: dict[str, _Term] = {}
        self.specs: dict[str, gangs.Spec] = {}
        self.placed: dict[str, Placed] = {}
        self.periods = [events[0][0]]
        self.books: defaultdict[BookKey, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
        self.moved: set[BookKey] = set()
        #: Work of claims that left for want of power: the tranche and how many GPUs.
        self.waiting: dict[str, tuple[str, int]] = {}
        #: Books that work waited for power in: with late news of health, how much was lost so is not known exactly.
        self.cut: set[BookKey] = set()

    def take(self, event: Event, at: int) -> None:
        for node, since, _ in self.reasons.take(event):
            self._health(node, since, at)
        match event:
            case supply.NodeHealthLearned():
                self._health(event.node, event.since_at, at)
            case supply.NodeCordoned() | supply.NodeDegraded(degraded=True):
                self.cordoned.add(event.node)
            case supply.NodeUncordoned() | supply.NodeHealthChanged() | supply.NodeDegraded():
                if not self.reasons.keeps_free(event.node):
                    self.cordoned.discard(event.node)
            case claims.TrancheStarted():
                self.terms[event.tranche] = _Term({}, at)
                if event.since_at:
                    ran_us = event.gpus * (at - event.since_at)
                    self.books[event.tranche, self.periods[-1]][0] += ran_us
                self._pass_over(event.tranche, self.bound[event.tranche], at)
            case claims.ContractOpened():
                for opened in event.opening.tranches:
                    # What was accepted before the cutover is paid for from then on.
                    self.billed[opened.tranche] += opened.delivered * self.per_unit(opened.tranche)
            case claims.acceptance.ReadyNoticeGiven():
                self.notices[event.tranche, event.notice] = event.count
            case claims.acceptance.BillingStarted():
                self.billed[event.tranche] += self.notices[event.tranche, event.notice] * self.per_unit(
                    event.tranche
                )
                self._fill(event.tranche, at)
            case claims.TrancheBound():
                nodes = [node for first, count in event.runs for node in range(first, first + count)]
                self.bound[event.tranche] += nodes
                if event.tranche in self.terms:
                    self._pass_over(event.tranche, nodes, at)
            case claims.TrancheUnbound():
                del self.bound[event.tranche]
            case claims.TrancheNominated():
                # It is somewhere else now, and bound there anew.
                self.bound.pop(event.tranche, None)
            case claims.TrancheRebound():
                self._rebound(event, at)
            case claims.TrancheEnded() if event.tranche in self.terms:
                self.terms[event.tranche].end = at
            case usage.PeriodClosed():
                self.periods.append(at)
            case gangs.GangSubmitted():
                self.specs[event.spec.id] = event.spec
            case gangs.GangWithdrawn():
                self.waiting.pop(event.gang, None)
            case gangs.GangPlaced():
                self.waiting.pop(event.gang, None)
                held = {node: mask.bit_count() for node, mask in each_node(event.runs)}
                self.placed[event.gang] = Placed(as_placed(self.specs[event.gang], event), event.lender, held)
            case gangs.ReclaimOverdue():
                self.placed[event.gang].overdue.add(event.tranche)
            case gangs.GangEnded() if not event.returns_at:
                gone = self.placed.pop(event.gang)
                if event.reason == "curtailed" and event.again and gone.spec.tranche and not gone.lender:
                    self.waiting[event.gang] = (gone.spec.tranche, gone.spec.gpus)
                    self.cut.add((gone.spec.tranche, self.periods[-1]))
                if event.effective_at < at:
                    # What it held since its end was idle.
                    self.moved.add((gone.lender or gone.spec.tranche, self.periods[-1]))
            case gangs.NodesReturned():
                del self.placed[event.gang]

    def _rewrite(self, event: supply.NodeHealthLearned) -> None:
        """A node was otherwise for a while: instant by instant, as it changed."""
        if event.since_at == event.until_at:
            return
        told = self.health[event.node]
        edges = sorted({since for since, _ in told} | {event.since_at, event.until_at})
        found = []
        for edge in edges:
            well = next((well for since, well in reversed(told) if since <= edge), True)
            found.append((edge, event.healthy if event.since_at <= edge < event.until_at else well))
        self.health[event.node] = found

    def _rebound(self, event: claims.TrancheRebound, at: int) -> None:
        gave, took = (
            [node for first, count in runs for node in range(first, first + count)]
            for runs in (event.gave, event.took)
        )
        self.bound[event.tranche] = [n for n in self.bound[event.tranche] if n not in gave] + took
        if event.tranche in self.terms:
            for node in gave:
                self.terms[event.tranche].nodes.pop(node, None)
            self._pass_over(event.tranche, took, at)

    def _pass_over(self, tranche: str, nodes: list[int], at: int) -> None:
        if tranche in self.accepting:
            self._fill(tranche, at)
        else:
            self.terms[tranche].nodes.update(dict.fromkeys(nodes, at))
        for placed in self.placed.values():
            own = tranche in (placed.lender, placed.spec.tranche)
            if set(nodes) & set(placed.nodes) and not own:
                placed.overdue.add(tranche)

    def _fill(self, tranche: str, at: int) -> None:
        """As many of the nodes count as are paid for: those that count go on, then the first of the others."""
        if tranche in self.terms:
            held = self.terms[tranche].nodes
            free = [node for node in sorted(self.bound[tranche]) if node not in held]
            held.update(dict.fromkeys(free[: max(0, self.billed[tranche] - len(held))], at))

    def per_unit(self, tranche: str) -> int:
        plan = self.world.state.claims.tranches[ids.TrancheId(tranche)].plan
        return self.supply.skus[plan.sku].nodes_per_rack if plan.unit is claims.Unit.RACK else 1

    def _health(self, node: int, turned_at: int, at: int) -> None:
        for name, term in self.terms.items():
            since, until = max(turned_at, term.nodes.get(node, at)), term.end or at
            for start, end in zip(self.periods, [*self.periods[1:], at], strict=True):
                if node in term.nodes and max(start, since) < min(end, until):
                    self.moved.add((name, start))

    def gpus(self, node: int) -> int:
        return self.supply.skus[supply.rack_of(self.supply, ids.NodeIndex(node)).sku].gpus_per_node

    def fate(self, name: str, node: int) -> tuple[int, int, int]:
        """GPUs of a node that are used, lent and undeliverable to a tranche now, if the node is well."""
        idle = self.gpus(node)
        used = lent = undeliverable = 0
        for placed in self.placed.values():
            here = placed.nodes.get(node, 0)
            idle -= here
            if name in placed.overdue:
                undeliverable += here
            elif placed.lender == name:
                lent += here
            elif placed.spec.tranche == name:
                used += here
        # Kept free by the provider: nobody could have had it.
        return used, lent, undeliverable + (idle if node in self.cordoned else 0)

    def out(self, node: int, start: int, end: int) -> int:
        """For how long of `[start, end)` a node was out."""
        changes = self.health[node]
        ends = [*(since for since, _ in changes[1:]), end]
        return sum(
            max(0, min(until, end) - max(since, start))
            for (since, healthy), until in zip(changes, ends, strict=bool(changes))
            if not healthy
        )

    def pass_time(self, start: int, end: int) -> None:
        for name, term in self.terms.items():
            if term.end or start == end:
                continue
            book = self.books[name, self.periods[-1]]
            waiting = sum(gpus for tranche, gpus in self.waiting.values() if tranche == name)
            idle = 0
            for node in term.nodes:
                out = self.out(node, start, end)
                gpus = self.gpus(node)
                used, lent, undeliverable = self.fate(name, node)
                for place, rate in enumerate((gpus, used, lent, undeliverable)):
                    book[place] += rate * (end - start - out)
                book[0] += gpus * out
                book[3] += gpus * out
                idle += (gpus - used - lent - undeliverable) * (not out)
            if waiting:
                # What is idle because its own work gave up its power is undeliverable, too.
                book[3] += min(waiting, idle) * (end - start)
                self.cut.add((name, self.periods[-1]))
