"""A second, naive model of usage: everything again from the list of events, node by node and instant by instant.

It knows nothing of meters, books or indexes. What it finds must be what the World metered, to the microsecond.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from forebay.core import claims, supply, usage
from forebay.core.ids import Event
from forebay.core.placements import gang as gangs
from forebay.core.placements.index import each_node
from forebay.core.world import World

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
    for _, event in events:
        if isinstance(event, gangs.GangSubmitted):
            specs[event.spec.id] = event.spec
        elif isinstance(event, gangs.GangPlaced):
            here[event.gang] = Placed(specs[event.gang], event.lender, {})
        elif isinstance(event, gangs.GangStarted):
            here[event.gang].started = event.effective_at
        elif isinstance(event, gangs.GangEnded):
            yield here.pop(event.gang), event.effective_at
    for placed in here.values():
        yield placed, world.now


#: entitled, used, lent, undeliverable, in GPU-microseconds
Book = tuple[int, int, int, int]


def metered_books(world: World, events: Events) -> dict[str, Book]:
    """What became of each tranche's time by the World's own books."""
    found: defaultdict[str, Book] = defaultdict(lambda: (0, 0, 0, 0))
    closed = [line for _, event in events if isinstance(event, usage.PeriodClosed) for line in event.tranches]
    for line in (*closed, *usage.tranche_lines(world.state.usage, world.now)):
        was = found[line.tranche]
        more = (line.entitled_gpu_us, line.used_gpu_us, line.lent_gpu_us, line.undeliverable_gpu_us)
        found[line.tranche] = (was[0] + more[0], was[1] + more[1], was[2] + more[2], was[3] + more[3])
    return {name: book for name, book in found.items() if book[0]}


def naive_books(world: World, events: Events) -> dict[str, Book]:
    """The same by looking at each node between any two events. Facts about health must not have been late."""
    plant = _Floor(world)
    for (at, event), (until, _) in zip(events, [*events[1:], (world.now, events[-1][1])], strict=True):
        plant.take(event)
        plant.pass_time(until - at)
    return {name: (e, u, lent, n) for name, (e, u, lent, n) in plant.books.items() if e}


class _Floor:
    """The nodes, who holds them, and whose they are."""

    def __init__(self, world: World) -> None:
        self.supply = world.state.supply
        self.tranches = world.state.claims.tranches
        self.failed: set[int] = set()
        self.cordoned: set[int] = set()
        self.live: dict[str, set[int]] = {}
        self.specs: dict[str, gangs.Spec] = {}
        self.placed: dict[str, Placed] = {}
        self.books: dict[str, list[int]] = {}

    def take(self, event: Event) -> None:
        match event:
            case supply.NodeHealthChanged():
                (self.failed.discard if event.healthy else self.failed.add)(event.node)
            case supply.NodeCordoned():
                self.cordoned.add(event.node)
            case supply.NodeUncordoned():
                self.cordoned.discard(event.node)
            case claims.TrancheStarted():
                runs = self.tranches[event.tranche].runs
                nodes = {node for first, count in runs for node in range(first, first + count)}
                self.live[event.tranche] = nodes
                self.books[event.tranche] = [0, 0, 0, 0]
                for placed in self.placed.values():
                    if nodes & set(placed.nodes):
                        placed.overdue.add(event.tranche)
            case claims.TrancheEnded():
                del self.live[event.tranche]
            case gangs.GangSubmitted():
                self.specs[event.spec.id] = event.spec
            case gangs.GangPlaced():
                held = {node: mask.bit_count() for node, mask in each_node(event.runs)}
                self.placed[event.gang] = Placed(self.specs[event.gang], event.lender, held)
            case gangs.ReclaimOverdue():
                self.placed[event.gang].overdue.add(event.tranche)
            case gangs.GangEnded() if not event.returns_at:
                del self.placed[event.gang]
            case gangs.NodesReturned():
                del self.placed[event.gang]

    def pass_time(self, span: int) -> None:
        for name, nodes in self.live.items():
            book = self.books[name]
            for node in nodes:
                gpus = self.supply.skus[supply.rack_of(self.supply, node).sku].gpus_per_node
                book[0] += gpus * span
                if node in self.failed:
                    book[3] += gpus * span
                    continue
                idle = gpus * span
                for placed in self.placed.values():
                    here = placed.nodes.get(node, 0) * span
                    idle -= here
                    if name in placed.overdue:
                        book[3] += here
                    elif placed.lender == name:
                        book[2] += here
                    elif placed.spec.tranche == name:
                        book[1] += here
                # Kept free by the provider: nobody could have had it.
                book[3] += idle if node in self.cordoned else 0
