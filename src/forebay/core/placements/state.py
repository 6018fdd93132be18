"""What is placed and what waits, and how each event changes it. The only mutators of this stage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, get_args

from forebay.core import claims, supply
from forebay.core.ids import Event, GangId, NodeIndex, SiteId, SkuId, TrancheId
from forebay.core.placements import gang as gangs
from forebay.core.placements.ends import Ends
from forebay.core.placements.gang import HOLDING, Ending, Gang, Phase, Policy, Tier
from forebay.core.placements.index import POOL, Index, each_node
from forebay.core.placements.queue import Queue
from forebay.core.timeline import Due, Dues
from forebay.core.units import SECOND_US


@dataclass(slots=True)
class State:
    """Every gang since the last period close, and the policy in force."""

    gangs: dict[GangId, Gang] = field(default_factory=dict)
    #: Before the first is applied: the defaults, as version 0.
    policy: Policy = field(default_factory=lambda: Policy(version=0))
    #: Last generation of names that were used before, the latest `SPENT_MAX` of them: an engine that still knows such
    #: a name must not take the new gang for the old one.
    spent: dict[GangId, int] = field(default_factory=dict)

    def fork(self) -> State:
        """A copy whose containers are its own."""
        return State(self.gangs.copy(), self.policy, self.spent.copy())


NO_TRANCHE = TrancheId("")
#: By names of their own: to read a member of an enum takes ten times as long, and these are read with every event.
_PENDING, _PLACED, _RUNNING, _STOPPING, _ENDED = Phase

#: What happens to gangs.
GangEvent = (
    gangs.GangSubmitted
    | gangs.GangPlaced
    | gangs.GangStarted
    | gangs.GangStopping
    | gangs.GangEnded
    | gangs.GangWithdrawn
    | gangs.LoanReclaimed
    | gangs.ReclaimOverdue
    | gangs.NodesReturned
    | gangs.PolicyApplied
)
EVENTS: tuple[type[GangEvent], ...] = get_args(GangEvent)


class Held:
    """Who holds GPUs of each node. Derived, and kept up in a fold too: news of a node asks for it."""

    __slots__ = ("gangs", "on_node", "wiped")

    def __init__(self) -> None:
        #: Gangs that hold GPUs, in order of placement.
        self.gangs: dict[GangId, None] = {}
        #: Node -> gangs that run on it, or are to.
        self.on_node: dict[int, tuple[GangId, ...]] = {}
        #: Gangs that left nodes which are still being wiped.
        self.wiped: set[GangId] = set()


class Promised(NamedTuple):
    """By `at` a gang fits if all runs to its limit of time and nothing else starts; `then` is what it finds."""

    gang: Gang
    at: int
    then: Index
    #: Whether `then` is its own, and not an outlook that is kept up.
    apart: bool = True


class Most(NamedTuple):
    """What one node, rack, hall or site of this plant can hold at most, when nothing else runs."""

    gpus: int
    #: What has so many GPUs, in words.
    where: str
    #: Watts of work that its feeds have room for.
    watts: int


class Derived:
    """What follows from the state and is never in a snapshot: the index, the queue, the due times.

    A fold asks it nothing, so it is made at the first question and kept up from then on.
    """

    __slots__ = (
        "arrivals", "backoff", "dues", "ends", "held", "index", "lent", "most", "promised", "queue", "stirred",
    )  # fmt: skip

    def __init__(self, held: Held) -> None:
        self.index = Index()
        self.queue = Queue()
        self.dues = Dues()
        #: When what is held comes free, at the latest; kept up once backfill asked for it.
        self.ends = Ends()
        self.held = held
        #: Tranche -> gangs that hold capacity it lent, those included whose nodes are still being wiped.
        self.lent: dict[TrancheId, set[GangId]] = {}
        #: By SKU, level and sites: what could hold a gang of the pool at most. Kept until supply changes.
        self.most: dict[tuple[SkuId, gangs.Level, tuple[SiteId, ...]], Most] = {}
        #: By capacity (a tranche, or "" for the pool) and SKU: whom backfill must not delay; None where it may.
        self.promised: dict[tuple[TrancheId, SkuId], Promised | None] = {}
        #: Gangs that wait out a pause before they may be placed again.
        self.backoff: set[GangId] = set()
        #: Whether capacity was freed since the last pass, and who arrived.
        self.stirred = False
        self.arrivals: list[GangId] = []


def derive_held(state: State) -> Held:
    """Who holds GPUs of each node, in order of submission."""
    held = Held()
    for gang in sorted(state.gangs.values(), key=lambda gang: gang.order):
        if gang.phase in HOLDING:
            _enter_nodes(held, gang)
        elif gang.returns_at:
            held.wiped.add(gang.spec.id)
    return held


def derive(state: State, supplied: supply.State, claimed: claims.State, held: Held) -> Derived:
    """Make the derived state from what is recorded."""
    derived = Derived(held)
    index = derived.index
    for feed in supplied.feeds.values():
        index.add_feed(feed)
        index.add_base_load(supply.feed_path(supplied, feed.id), feed.base_w)
    for rack_id in supplied.rack_order:
        rack = supplied.racks[rack_id]
        index.add_rack(rack, supplied.skus[rack.sku], supply.feed_path(supplied, rack.feed))
    for tranche in claimed.tranches.values():
        if tranche.standing is claims.Standing.LIVE:
            index.set_owner(tranche.runs, tranche.plan.id)
    for node in sorted({*supplied.failed, *supplied.cordoned}):
        index.set_usable(node, False)
    for gang in sorted(state.gangs.values(), key=lambda gang: gang.order):
        if gang.lender and (gang.phase in HOLDING or gang.returns_at):
            derived.lent.setdefault(gang.lender, set()).add(gang.spec.id)
        if gang.phase in HOLDING or gang.returns_at:
            index.take(gang.runs, supplied.skus[gang.spec.sku].gpu_w)
        if gang.phase is _PENDING:
            _enqueue(derived, gang)
        _push_dues(derived, gang, state.policy)
    derived.stirred = True
    return derived


# What an event records.


def apply(state: State, held: Held, supplied: supply.State, event: GangEvent, at: int, seq: int) -> None:
    """Record one event of this stage."""
    if isinstance(event, gangs.GangSubmitted):
        before = state.spent.pop(event.spec.id, 0)
        state.gangs[event.spec.id] = Gang(
            event.spec, _PENDING, seq, at, before, (), NO_TRANCHE, 0, 0, 0, 0, 0, 0, "", False, False, 0, 0, 0,
            0, before,
        )  # fmt: skip
        return
    if isinstance(event, gangs.PolicyApplied):
        state.policy = event.policy
        return
    was = state.gangs[event.gang]
    match event:
        case gangs.GangPlaced():
            now = _placed(supplied, was, event, at, seq)
            _enter_nodes(held, now)
        case gangs.GangEnded():
            now = _ended(was, event, at)
            _leave_nodes(held, was)
            if event.returns_at:
                held.wiped.add(event.gang)
        case gangs.GangStarted():
            now = _started(was, event)
        case gangs.GangStopping():
            now = was._replace(
                phase=_STOPPING,
                stopping_at=was.stopping_at or at,
                reason=event.reason,
                again=event.again,
            )
        case gangs.GangWithdrawn():
            now = was._replace(phase=_ENDED, reason=event.reason, ended_at=at, again=False)
        case gangs.LoanReclaimed():
            now = was._replace(reclaim_at=event.deadline_at)
        case gangs.ReclaimOverdue():
            now = was._replace(reclaim_at=-1)
        case _:
            assert isinstance(event, gangs.NodesReturned)
            now = was._replace(returns_at=0, reclaim_at=0)
            held.wiped.discard(event.gang)
    state.gangs[event.gang] = now


# Written out: `_replace` takes longer than everything else here.


def _placed(supplied: supply.State, was: Gang, event: gangs.GangPlaced, at: int, seq: int) -> Gang:
    return Gang(
        was.spec, _PLACED, was.order, was.submitted_at, event.generation, event.runs, event.lender,
        seq, at, 0, 0, was.failures, was.interruptions, "", False, False, 0, 0, was.returns_at, was.ended_at,
        was.generation_before, supply.rack_of(supplied, event.runs[0].first).site,
    )  # fmt: skip


def _started(was: Gang, event: gangs.GangStarted) -> Gang:
    phase = _RUNNING if was.phase is _PLACED else was.phase
    return Gang._make((was.spec, phase, *was[2:9], event.effective_at, *was[10:]))


_FAILURES = frozenset({Ending.FAILED, Ending.LOST})


def _ended(was: Gang, event: gangs.GangEnded, at: int) -> Gang:
    failed = event.ending in _FAILURES and was.phase is not _STOPPING
    again, reason = event.again, event.reason
    return Gang(
        was.spec, _PENDING if again else _ENDED, was.order, was.submitted_at, was.generation,
        was.runs, was.lender, was.placed_seq, was.placed_at, 0, 0, was.failures + failed,
        was.interruptions + (reason in INTERRUPTIONS), reason, False, again and reason in IN_FRONT,
        event.not_before, was.reclaim_at if event.returns_at else 0, event.returns_at, 0 if again else at,
        was.generation_before, was.site, event.evidence,
    )  # fmt: skip


def _enter_nodes(held: Held, gang: Gang) -> None:
    held.gangs[gang.spec.id] = None
    on_node, name = held.on_node, (gang.spec.id,)
    for first, count, _ in gang.runs:
        for node in range(first, first + count):
            on_node[node] = on_node.get(node, ()) + name


def _leave_nodes(held: Held, gang: Gang) -> None:
    held.gangs.pop(gang.spec.id, None)
    on_node, name = held.on_node, gang.spec.id
    for first, count, _ in gang.runs:
        for node in range(first, first + count):
            there = on_node[node]
            if len(there) == 1:
                del on_node[node]
            else:
                on_node[node] = tuple([other for other in there if other != name])


# What follows from it.


def reindex(derived: Derived, state: State, supplied: supply.State, event: GangEvent) -> None:
    """What an event of this stage, just recorded, does to the index, the queue and the due times."""
    derived.ends.note(event)
    match event:
        case gangs.GangSubmitted():
            _enqueue(derived, state.gangs[event.spec.id])
        case gangs.GangPlaced():
            now = state.gangs[event.gang]
            derived.backoff.discard(event.gang)
            if event.lender:
                derived.lent.setdefault(event.lender, set()).add(event.gang)
            derived.index.take(now.runs, supplied.skus[now.spec.sku].gpu_w)
            _push_dues(derived, now, state.policy)
        case gangs.GangStarted() | gangs.LoanReclaimed():
            _push_dues(derived, state.gangs[event.gang], state.policy)
        case gangs.GangStopping():
            # Its owner may wait for it: then its deadline runs from now on.
            derived.stirred |= bool(state.gangs[event.gang].lender)
        case gangs.GangEnded():
            now = state.gangs[event.gang]
            if event.again or event.returns_at:
                _push_dues(derived, now, state.policy)
            # Also where its nodes are wiped first: their owner may wait for them.
            derived.stirred = True
            if not event.returns_at:
                _give_back(derived, supplied, now)
            if event.again:
                _enqueue(derived, now)
        case gangs.GangWithdrawn():
            derived.backoff.discard(event.gang)
            # Nobody waits behind it any more, and its tranche may lend again.
            derived.stirred = True
        case gangs.NodesReturned():
            now = state.gangs[event.gang]
            _give_back(derived, supplied, now)
            derived.stirred = True
            if now.phase is _PENDING:
                _enqueue(derived, now)
        case gangs.PolicyApplied():
            derived.stirred = True
            derived.ends.forget()
            for gang in state.gangs.values():
                _push_dues(derived, gang, state.policy)


def _push_dues(derived: Derived, gang: Gang, policy: Policy) -> None:
    for due in _dues(gang, policy):
        derived.dues.push(due)


#: Stops that the engine made, or that it made necessary: neither the gang's doing nor ours.
INTERRUPTIONS = frozenset({"stopped", "start_timeout"})
#: Stops that are not the gang's own doing, or failures it may recover from: it goes before those that wait.
IN_FRONT = frozenset({"failed", "lost", "node_failed", "drain", "rebound"}) | INTERRUPTIONS


def _enqueue(derived: Derived, gang: Gang) -> None:
    """Let a pending gang wait. One whose last GPUs are still being wiped waits for those first."""
    if gang.returns_at:
        return
    if gang.not_before:
        derived.backoff.add(gang.spec.id)
    else:
        derived.queue.add(gang)
        derived.arrivals.append(gang.spec.id)


def end_backoff(state: State, derived: Derived, at: int) -> None:
    """Move gangs whose pause is over to the queue. Derived state only: nothing is recorded."""
    if not derived.backoff:
        return
    over = [gang for gang in derived.backoff if state.gangs[gang].not_before <= at]
    for gang in sorted(over, key=lambda gang: state.gangs[gang].order):
        derived.backoff.discard(gang)
        derived.queue.add(state.gangs[gang])
        derived.arrivals.append(gang)


def _give_back(derived: Derived, supplied: supply.State, gang: Gang) -> None:
    """A gang's GPUs are free; what it borrowed is its owner's again."""
    derived.index.release(gang.runs, supplied.skus[gang.spec.sku].gpu_w)
    if gang.lender:
        derived.lent[gang.lender].discard(gang.spec.id)
        if not derived.lent[gang.lender]:
            del derived.lent[gang.lender]


def _start_by(gang: Gang, policy: Policy) -> int:
    return gang.placed_at + policy.start_timeout_s * SECOND_US


def _walltime_at(gang: Gang) -> int:
    return gang.started_at + gang.spec.walltime_s * SECOND_US


def _dues(gang: Gang, policy: Policy) -> list[Due]:
    """What falls due for a gang by itself: the heap holds these, and older ones that lost their meaning."""
    name, generation, found = gang.spec.id, gang.generation, []
    if gang.phase is _PLACED:
        found.append(Due(_start_by(gang, policy), "start", name, generation))
    elif gang.phase is _RUNNING:
        found.append(Due(_walltime_at(gang), "walltime", name, generation))
    elif gang.phase is _PENDING and gang.not_before:
        found.append(Due(gang.not_before, "retry", name, generation))
    # Nodes that are wiped in time are not late, though they return only then.
    if gang.reclaim_at > 0 and not (gang.returns_at and gang.returns_at <= gang.reclaim_at):
        found.append(Due(gang.reclaim_at, "reclaim", name, generation))
    if gang.returns_at:
        found.append(Due(gang.returns_at, "return", name, generation))
    return found


def meant(state: State, due: Due) -> bool:
    """Whether a due time still means something: its gang still has it."""
    gang = state.gangs.get(GangId(due.about))
    if gang is None or gang.generation != due.stamp:
        return False
    # These two are nearly all there are, and are asked about after each event.
    if due.what == "walltime":
        return gang.phase is _RUNNING and _walltime_at(gang) == due.at
    if due.what == "start":
        return gang.phase is _PLACED and _start_by(gang, state.policy) == due.at
    return due in _dues(gang, state.policy)


def first_due(derived: Derived, state: State) -> Due | None:
    """The earliest due time that its gang still has; what lost its meaning is dropped on the way."""
    dues = derived.dues
    while (due := dues.first()) is not None and not meant(state, due):
        dues.pop()
    return due


def on_supply(derived: Derived, supplied: supply.State, event: Event) -> None:
    """What a change of supply does to the index."""
    derived.ends.moved = True
    index = derived.index
    derived.most.clear()
    match event:
        case supply.FeedAdded():
            index.add_feed(supplied.feeds[event.feed])
            index.add_base_load(supply.feed_path(supplied, event.feed), event.base_w)
        case supply.RackAdded():
            rack = supplied.racks[event.rack]
            index.add_rack(rack, supplied.skus[rack.sku], supply.feed_path(supplied, rack.feed))
            derived.stirred = True
        case supply.NodeHealthChanged() | supply.NodeCordoned() | supply.NodeUncordoned():
            usable = supply.usable(supplied, event.node)
            index.set_usable(event.node, usable)
            # Also where a node goes out: who waits for lent nodes may need others now.
            derived.stirred = True


def on_claims(derived: Derived, claimed: claims.State, event: Event) -> None:
    """What a change of claims does to the index: nodes change their owner."""
    derived.ends.moved = True
    match event:
        case claims.TrancheBound() if claimed.tranches[event.tranche].standing is claims.Standing.LIVE:
            derived.index.set_owner(event.runs, event.tranche)
            derived.stirred = True
        case claims.TrancheStarted():
            derived.index.set_owner(claimed.tranches[event.tranche].runs, event.tranche)
            derived.stirred = True
        case claims.TrancheRebound() if claimed.tranches[event.tranche].standing is claims.Standing.LIVE:
            # A node that it gave up may be another tranche's already, by the same plan.
            nodes = (n for first, count in event.gave for n in range(first, first + count))
            given = [(n, 1) for n in nodes if derived.index.owner[n] == event.tranche]
            derived.index.set_owner(given, POOL)
            derived.index.set_owner(event.took, event.tranche)
            derived.stirred = True
        case claims.TrancheEnded() if claimed.tranches[event.tranche].started_at:
            derived.index.set_owner(claimed.tranches[event.tranche].runs, POOL)
            derived.stirred = True


class AtWork:
    """Nodes where gangs of these tiers are to run on, as things stand when it is asked: `node in AtWork(...)`."""

    __slots__ = ("_held", "_state", "_tiers")

    def __init__(self, state: State, held: Held, *tiers: Tier) -> None:
        self._state = state
        self._held = held
        self._tiers = tiers

    def __contains__(self, node: object) -> bool:
        assert isinstance(node, int)
        here = (self._state.gangs[name] for name in self._held.on_node.get(node, ()))
        return any(gang.spec.tier in self._tiers and gang.phase is not _STOPPING for gang in here)


#: Far more than any engine remembers.
SPENT_MAX = 100_000


def drop_ended(state: State) -> None:
    """Finished work leaves the live state (its history stays in the journal)."""
    for name in [n for n, g in state.gangs.items() if g.phase is _ENDED and not g.returns_at]:
        state.spent[name] = state.gangs.pop(name).generation
    for name in list(state.spent)[: max(0, len(state.spent) - SPENT_MAX)]:
        del state.spent[name]


def check(state: State, derived: Derived, supplied: supply.State, claimed: claims.State) -> Iterator[str]:
    """Invariants 1 and 2, and that the index is what the state says."""
    taken: dict[int, int] = {}
    for gang in state.gangs.values():
        if gang.phase in HOLDING:
            if sum(count * mask.bit_count() for _, count, mask in gang.runs) != gang.spec.gpus:
                yield f"gang {gang.spec.id} is not whole"
            for node, mask in each_node(gang.runs):
                if taken.get(node, 0) & mask:
                    yield f"node {node} is placed on twice"
                taken[node] = taken.get(node, 0) | mask
                if node in supplied.failed and gang.phase is not _STOPPING:
                    yield f"gang {gang.spec.id} is to run on node {node}, which failed"
                owner = derived.index.owner[node]
                own = gang.spec.tranche if gang.spec.tier is Tier.DEDICATED else gang.lender or POOL
                if owner != own and gang.phase is not _STOPPING:
                    yield f"gang {gang.spec.id} runs on node {node} of {owner or 'the pool'}"
    index = derived.index
    # What stops already may still draw what is reserved for others: they wait for it.
    leaving_w: dict[int, int] = {}
    for gang in state.gangs.values():
        if gang.phase is _STOPPING or gang.returns_at:
            for level, watts in index.pool_draw(gang.runs, supplied.skus[gang.spec.sku].gpu_w).items():
                leaving_w[level] = leaving_w.get(level, 0) + watts
    for level, limit_w in enumerate(index.plant.level_limit_w):
        if index.load_w[level] > limit_w:
            yield f"{index.plant.level_name[level]} carries {index.load_w[level]} W, above its limit of {limit_w} W"
        held_w = index.load_w[level] + index.reserved_w[level] - leaving_w.get(level, 0)
        if held_w > limit_w:
            name = index.plant.level_name[level]
            yield f"{name} carries and reserves {held_w} W, above its limit of {limit_w} W"
    again = derive(state, supplied, claimed, derive_held(state))
    if (index.free, index.owner, index.usable) != (again.index.free, again.index.owner, again.index.usable):
        yield "the index differs from the state"
    if index.buckets() != again.index.buckets():
        yield "the buckets of free nodes differ from the state"
    if _levels(index) != _levels(again.index):
        yield "the loads of the electrical levels differ from the state"
    if (_sorted(derived.held.on_node), derived.held.wiped) != (_sorted(again.held.on_node), again.held.wiped):
        yield "gangs by node differ from the state"
    if derived.lent != again.lent:
        yield "loans differ from the state"
    if not derived.backoff <= again.backoff:
        yield "gangs that wait out a pause differ from the state"


def _levels(index: Index) -> dict[str, tuple[int, int]]:
    return dict(zip(index.plant.level_name, zip(index.load_w, index.reserved_w, strict=True), strict=True))


def _sorted(on_node: dict[int, tuple[GangId, ...]]) -> dict[int, list[GangId]]:
    return {node: sorted(names) for node, names in on_node.items()}


def holders(derived: Derived, nodes: set[NodeIndex]) -> list[GangId]:
    """Gangs that hold GPUs of any of these nodes, sorted."""
    return sorted({name for node in nodes for name in derived.held.on_node.get(node, ())})
