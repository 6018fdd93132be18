"""What is placed and what waits, and how each event changes it. The only mutators of this stage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from forebay.core import claims, supply
from forebay.core.ids import Event, GangId, NodeIndex, TrancheId
from forebay.core.placements import gang as gangs
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


class Derived:
    """What follows from the state and is never in a snapshot: the index, the queue, the due times."""

    __slots__ = ("arrivals", "backoff", "dues", "index", "lent", "on_node", "queue", "stirred")

    def __init__(self) -> None:
        self.index = Index()
        self.queue = Queue()
        self.dues = Dues()
        #: Gangs that hold GPUs of a node.
        self.on_node: dict[int, tuple[GangId, ...]] = {}
        #: Tranche -> gangs that hold capacity it lent, those included whose nodes are still being wiped.
        self.lent: dict[TrancheId, set[GangId]] = {}
        #: Gangs that wait out a pause before they may be placed again.
        self.backoff: set[GangId] = set()
        #: Whether capacity was freed since the last pass, and who arrived.
        self.stirred = False
        self.arrivals: list[GangId] = []


def derive(state: State, supplied: supply.State, claimed: claims.State) -> Derived:
    """Make the derived state again from what is recorded."""
    derived = Derived()
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
        if gang.phase in HOLDING:
            _occupy(derived, supplied, gang)
        elif gang.returns_at:
            index.take(gang.runs, supplied.skus[gang.spec.sku].gpu_w)
        if gang.phase is Phase.PENDING:
            _enqueue(derived, gang)
        for entry in _dues(gang, state.policy):
            derived.dues.push(entry)
    derived.stirred = True
    return derived


def apply(state: State, derived: Derived, supplied: supply.State, event: Event, at: int, seq: int) -> None:
    """Apply one event of this stage."""
    match event:
        case gangs.GangSubmitted():
            before = state.spent.pop(event.spec.id, 0)
            made = Gang(event.spec, Phase.PENDING, seq, at, before, generation_before=before)
            state.gangs[event.spec.id] = made
            derived.queue.add(made)
            derived.arrivals.append(event.spec.id)
        case gangs.GangPlaced():
            _apply_placed(state, derived, supplied, event, at, seq)
        case gangs.GangStarted():
            was = state.gangs[event.gang]
            phase = Phase.RUNNING if was.phase is Phase.PLACED else was.phase
            _keep(state, derived, was._replace(phase=phase, started_at=event.effective_at))
        case gangs.GangStopping():
            was = state.gangs[event.gang]
            state.gangs[event.gang] = was._replace(
                phase=Phase.STOPPING,
                stopping_at=was.stopping_at or at,
                reason=event.reason,
                again=event.again,
            )
            # Its owner may wait for it: then its deadline runs from now on.
            derived.stirred |= bool(was.lender)
        case gangs.GangEnded():
            _apply_ended(state, derived, supplied, event, at)
        case gangs.GangWithdrawn():
            derived.backoff.discard(event.gang)
            state.gangs[event.gang] = state.gangs[event.gang]._replace(
                phase=Phase.ENDED, reason=event.reason, ended_at=at, again=False
            )
            # Nobody waits behind it any more, and its tranche may lend again.
            derived.stirred = True
        case gangs.LoanReclaimed():
            _keep(state, derived, state.gangs[event.gang]._replace(reclaim_at=event.deadline_at))
        case gangs.ReclaimOverdue():
            state.gangs[event.gang] = state.gangs[event.gang]._replace(reclaim_at=-1)
        case gangs.NodesReturned():
            left = state.gangs[event.gang]
            state.gangs[event.gang] = left._replace(returns_at=0, reclaim_at=0)
            _give_back(derived, left)
            derived.index.release(left.runs, supplied.skus[left.spec.sku].gpu_w)
            derived.stirred = True
            if left.phase is Phase.PENDING:
                _enqueue(derived, state.gangs[event.gang])
        case gangs.PolicyApplied():
            state.policy = event.policy
            derived.stirred = True
            for gang in state.gangs.values():
                _keep(state, derived, gang)


def _keep(state: State, derived: Derived, gang: Gang) -> None:
    """Record a gang, and what falls due for it."""
    state.gangs[gang.spec.id] = gang
    for due in _dues(gang, state.policy):
        derived.dues.push(due)


def _apply_placed(
    state: State, derived: Derived, supplied: supply.State, event: gangs.GangPlaced, at: int, seq: int
) -> None:
    was = state.gangs[event.gang]
    plant = derived.index.plant
    # Written out: `_replace` takes longer than everything else here.
    now = Gang(
        was.spec, Phase.PLACED, was.order, was.submitted_at, event.generation, event.runs, event.lender,
        placed_seq=seq, placed_at=at, failures=was.failures, returns_at=was.returns_at, ended_at=was.ended_at,
        generation_before=was.generation_before, site=plant.pool_key[plant.rack_of_node[event.runs[0].first]][1],
    )  # fmt: skip
    _keep(state, derived, now)
    derived.backoff.discard(event.gang)
    if event.lender:
        derived.lent.setdefault(event.lender, set()).add(event.gang)
    _occupy(derived, supplied, now)


def _apply_ended(
    state: State, derived: Derived, supplied: supply.State, event: gangs.GangEnded, at: int
) -> None:
    was = state.gangs[event.gang]
    failed = event.ending in (Ending.FAILED, Ending.LOST) and was.phase is not Phase.STOPPING
    now = Gang(
        was.spec, Phase.PENDING if event.again else Phase.ENDED, was.order, was.submitted_at, was.generation,
        was.runs, was.lender, was.placed_seq, was.placed_at, failures=was.failures + failed, reason=event.reason,
        front=event.again and event.reason in IN_FRONT, not_before=event.not_before,
        reclaim_at=was.reclaim_at if event.returns_at else 0, returns_at=event.returns_at,
        ended_at=0 if event.again else at, generation_before=was.generation_before, site=was.site,
        evidence=event.evidence,
    )  # fmt: skip
    _keep(state, derived, now)
    _leave_nodes(derived, was)
    # Also where its nodes are wiped first: their owner may wait for them.
    derived.stirred = True
    if not event.returns_at:
        _give_back(derived, was)
        derived.index.release(was.runs, supplied.skus[was.spec.sku].gpu_w)
    if event.again:
        _enqueue(derived, now)


#: Stops that are not the gang's own doing, or failures it may recover from: it goes before those that wait.
IN_FRONT = frozenset({"failed", "lost", "stopped", "node_failed", "drain", "start_timeout"})


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
    over = [gang for gang in derived.backoff if state.gangs[gang].not_before <= at]
    for gang in sorted(over, key=lambda gang: state.gangs[gang].order):
        derived.backoff.discard(gang)
        derived.queue.add(state.gangs[gang])
        derived.arrivals.append(gang)


def _occupy(derived: Derived, supplied: supply.State, gang: Gang) -> None:
    derived.index.take(gang.runs, supplied.skus[gang.spec.sku].gpu_w)
    for node, _ in each_node(gang.runs):
        derived.on_node[node] = (*derived.on_node.get(node, ()), gang.spec.id)


def _give_back(derived: Derived, gang: Gang) -> None:
    """What a gang borrowed is its owner's again."""
    if gang.lender:
        derived.lent[gang.lender].discard(gang.spec.id)
        if not derived.lent[gang.lender]:
            del derived.lent[gang.lender]


def _leave_nodes(derived: Derived, gang: Gang) -> None:
    for node, _ in each_node(gang.runs):
        rest = tuple(other for other in derived.on_node[node] if other != gang.spec.id)
        if rest:
            derived.on_node[node] = rest
        else:
            del derived.on_node[node]


def _dues(gang: Gang, policy: Policy) -> list[Due]:
    """What falls due for a gang by itself: the heap holds these, and older ones that lost their meaning."""
    name, generation, found = gang.spec.id, gang.generation, []
    if gang.phase is Phase.PLACED:
        found.append(Due(gang.placed_at + policy.start_timeout_s * SECOND_US, "start", name, generation))
    elif gang.phase is Phase.RUNNING:
        found.append(Due(gang.started_at + gang.spec.walltime_s * SECOND_US, "walltime", name, generation))
    elif gang.phase is Phase.PENDING and gang.not_before:
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
    return gang is not None and due in _dues(gang, state.policy)


def on_supply(derived: Derived, supplied: supply.State, event: Event) -> None:
    """What a change of supply does to the index."""
    index = derived.index
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
    match event:
        case claims.TrancheStarted():
            derived.index.set_owner(claimed.tranches[event.tranche].runs, event.tranche)
            derived.stirred = True
        case claims.TrancheEnded():
            derived.index.set_owner(claimed.tranches[event.tranche].runs, POOL)
            derived.stirred = True


#: Far more than any engine remembers.
SPENT_MAX = 100_000


def drop_ended(state: State) -> None:
    """Finished work leaves the live state (its history stays in the journal)."""
    for name in [n for n, g in state.gangs.items() if g.phase is Phase.ENDED and not g.returns_at]:
        state.spent[name] = state.gangs.pop(name).generation
    for name in list(state.spent)[: max(0, len(state.spent) - SPENT_MAX)]:
        del state.spent[name]


EVENTS: tuple[type[Event], ...] = (
    gangs.GangSubmitted, gangs.GangPlaced, gangs.GangStarted, gangs.GangStopping, gangs.GangEnded,
    gangs.GangWithdrawn, gangs.LoanReclaimed, gangs.ReclaimOverdue, gangs.NodesReturned, gangs.PolicyApplied,
)  # fmt: skip


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
                if node in supplied.failed and gang.phase is not Phase.STOPPING:
                    yield f"gang {gang.spec.id} is to run on node {node}, which failed"
                owner = derived.index.owner[node]
                own = gang.spec.tranche if gang.spec.tier is Tier.DEDICATED else gang.lender or POOL
                if owner != own and gang.phase is not Phase.STOPPING:
                    yield f"gang {gang.spec.id} runs on node {node} of {owner or 'the pool'}"
    index = derived.index
    for level, limit_w in enumerate(index.plant.level_limit_w):
        if index.load_w[level] > limit_w:
            yield f"{index.plant.level_name[level]} carries {index.load_w[level]} W, above its limit of {limit_w} W"
    again = derive(state, supplied, claimed)
    if (index.free, index.owner, index.usable) != (again.index.free, again.index.owner, again.index.usable):
        yield "the index differs from the state"
    if index.buckets() != again.index.buckets():
        yield "the buckets of free nodes differ from the state"
    levels = dict(zip(index.plant.level_name, index.load_w, strict=True))
    if levels != dict(zip(again.index.plant.level_name, again.index.load_w, strict=True)):
        yield "the loads of the electrical levels differ from the state"
    if _sorted(derived.on_node) != _sorted(again.on_node):
        yield "gangs by node differ from the state"
    if derived.lent != again.lent:
        yield "loans differ from the state"
    if not derived.backoff <= again.backoff:
        yield "gangs that wait out a pause differ from the state"


def _sorted(on_node: dict[int, tuple[GangId, ...]]) -> dict[int, list[GangId]]:
    return {node: sorted(names) for node, names in on_node.items()}


def holders(derived: Derived, nodes: set[NodeIndex]) -> list[GangId]:
    """Gangs that hold GPUs of any of these nodes, sorted."""
    return sorted({name for node in nodes for name in derived.on_node.get(node, ())})
