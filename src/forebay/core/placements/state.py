"""What is placed and what waits, and how each event changes it. The only mutators of this stage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple, get_args

from forebay.core import claims, supply
from forebay.core.ids import CampaignId, Event, FeedId, GangId, NodeIndex, SiteId, SkuId, TrancheId
from forebay.core.placements import (
    chains,
    commons,
    deadlines,
    estimates,
    heartbeats,
    keeping,
    lending,
    limits,
    occupancy,
    ramps,
    sheddings,
    substitutes,
)
from forebay.core.placements import gang as gangs
from forebay.core.placements import sharing as shares
from forebay.core.placements.borrowers import Borrowed
from forebay.core.placements.campaigns import MAINTENANCE, Campaign
from forebay.core.placements.checkpoints import GangCheckpointed
from forebay.core.placements.ends import Ends
from forebay.core.placements.gang import HOLDING, Ending, Gang, Phase, Policy
from forebay.core.placements.heartbeats import ENGINE_SILENT
from forebay.core.placements.index import Index
from forebay.core.placements.projects import PlaceTaken, whose_of
from forebay.core.placements.queue import Queue
from forebay.core.placements.sheddings import CURTAILED, GangShed, Shed, Shedding, SheddingEvent
from forebay.core.placements.unheard import GangStartLearned, Unheard, note_unheard, record_learned
from forebay.core.placements.vacancies import Vacancies
from forebay.core.supply import CurtailedLevel
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
    #: What is kept for gangs that lost nodes.
    holds: dict[GangId, keeping.HeldHosts] = field(default_factory=dict)
    #: How far the gangs got that report it.
    progress: dict[GangId, keeping.GangProgress] = field(default_factory=dict)
    chains: chains.Chains = field(default_factory=chains.Chains)
    #: What is kept of loans, and of who was evicted.
    lending: lending.Records = field(default_factory=lending.Records)
    #: Levels that carry more than they may, for a fact made it so.
    sheddings: dict[CurtailedLevel, Shedding] = field(default_factory=dict)
    #: Gangs that were stopped for that, and not placed since.
    shed: dict[GangId, Shed] = field(default_factory=dict)
    #: Feeds that took on load, and when all of that is paid off by their ramp.
    ramps: dict[FeedId, int] = field(default_factory=dict)

    #: Projects of tenants, and what was used of what they share.
    sharing: shares.Sharing = field(default_factory=shares.Sharing)
    #: How long gangs ran, and how far estimates were wrong.
    learned: estimates.Learned = field(default_factory=estimates.Learned)
    #: What tenants used of what they share, where they stand by that.
    commons: commons.Commons | None = None
    #: Maintenance that is not over; and what is.
    campaigns: dict[CampaignId, Campaign] = field(default_factory=dict)
    past_campaigns: dict[CampaignId, Campaign] = field(default_factory=dict)
    #: Which engines there are, and which are silent.
    engines: heartbeats.Engines = field(default_factory=heartbeats.Engines)
    #: Generations that ended in the open period before anybody heard that they had started.
    unheard: dict[GangId, Unheard] = field(default_factory=dict)

    def fork(self) -> State:
        """A copy whose containers are its own."""
        return State(
            self.gangs.copy(), self.policy, self.spent.copy(), self.holds.copy(), self.progress.copy(),
            self.chains.fork(), self.lending.copy(), self.sheddings.copy(), self.shed.copy(), self.ramps.copy(),
            self.sharing.fork(), self.learned.fork(), self.commons and self.commons.fork(),
            self.campaigns.copy(), self.past_campaigns.copy(), self.engines.copy(), self.unheard.copy(),
        )  # fmt: skip


NO_TRANCHE = TrancheId("")
NO_SITE = SiteId("")
#: By names of their own: to read a member of an enum takes ten times as long, and these are read with every event.
_PENDING, _PLACED, _RUNNING, _STOPPING, _ENDED = Phase
_LEARNED = estimates.Estimates.LEARNED

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
    | GangShed
    | PlaceTaken
    | gangs.HostsHeld
    | gangs.HostsReleased
    | gangs.GangProgressed
    | gangs.GangStuck
    | gangs.ArraySubmitted
    | GangCheckpointed
    | gangs.NodeWiped
    | estimates.GangOverran
    | GangStartLearned
)
EVENTS: tuple[type[Event], ...] = (*get_args(GangEvent), *get_args(SheddingEvent))


class Held:
    """Who holds GPUs of each node. Derived, and kept up in a fold too: news of a node asks for it."""

    __slots__ = ("divisions", "gangs", "on_node", "settled", "wiped")

    def __init__(self) -> None:
        #: How tenants divide what they may use.
        self.divisions: shares.Divisions = {}
        #: Gangs that hold GPUs, in order of placement.
        self.gangs: dict[GangId, None] = {}
        #: Gangs that run on a node, or are to.
        self.on_node = occupancy.OnNode()
        #: Gangs that left nodes which are still being wiped.
        self.wiped: set[GangId] = set()
        #: Gangs whose conditions were decided, or whose turn came, since the last pass.
        self.settled: dict[GangId, None] = {}


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
        "arrivals", "awaiting", "backoff", "barred", "borrowed", "bounds", "dues", "ends", "held", "held_back",
        "index", "kept", "lent", "most", "promised", "queue", "stirred", "vacancies",
    )  # fmt: skip

    def __init__(self, held: Held) -> None:
        self.index = Index()
        self.queue = Queue()
        self.dues = Dues()
        #: When what is held comes free, at the latest; kept up once backfill asked for it.
        self.ends = Ends()
        self.vacancies = Vacancies()
        self.held = held
        #: Tranche -> gangs that hold capacity it lent, those included whose nodes are still being wiped.
        self.lent: dict[TrancheId, set[GangId]] = {}
        #: The same with what each would lose; kept up once an owner wanted something back.
        self.borrowed = Borrowed()
        #: Whether somebody fitted in the pass that goes on, and would have taken what was called back for another.
        self.held_back = False
        #: By SKU, level and sites: what could hold a gang of the pool at most. Kept until supply changes.
        self.most: dict[tuple[SkuId, gangs.Level, tuple[SiteId, ...]], Most] = {}
        #: By capacity (a tranche, or "" for the pool) and SKU: whom backfill must not delay; None where it may.
        self.promised: dict[tuple[TrancheId, SkuId], Promised | None] = {}
        #: Gangs that wait out a pause before they may be placed again.
        self.backoff: set[GangId] = set()
        #: Node -> the gang that it is kept for.
        self.kept: dict[int, GangId] = {}
        #: Whether capacity was freed since the last pass, and who arrived.
        self.stirred = False
        self.arrivals: list[GangId] = []
        #: What narrows the limits of levels beyond what holds for everybody.
        self.bounds = limits.Bounds()
        #: Gangs that wait until their data is at a site of theirs.
        self.awaiting: set[GangId] = set()
        #: Sites where nothing is started, for their engine is silent.
        self.barred: set[SiteId] = set()


def derive_held(state: State) -> Held:
    """Who holds GPUs of each node, in order of submission."""
    held = Held()
    held.divisions = shares.divisions_of(state.sharing)
    for gang in sorted(state.gangs.values(), key=lambda gang: gang.order):
        if gang.phase in HOLDING:
            held.gangs[gang.spec.id] = None
            held.on_node.add(gang.spec.id, gang.runs)
        elif gang.returns_at:
            held.wiped.add(gang.spec.id)
    return held


def derive(state: State, supplied: supply.State, claimed: claims.State, held: Held) -> Derived:
    """Make the derived state from what is recorded."""
    derived = Derived(held)
    # Before this nobody decided: whoever was settled meanwhile is found in the state.
    held.settled.clear()
    derived.queue = _queue_of(derived, state)
    index = derived.index
    for feed in supplied.feeds.values():
        index.add_feed(feed)
        index.add_base_load(supply.feed_path(supplied, feed.id), feed.base_w)
    for loop in supplied.loops.values():
        index.add_loop(loop)
    for rack_id in supplied.rack_order:
        rack = supplied.racks[rack_id]
        index.add_rack(rack, supplied.skus[rack.sku], supply.feed_path(supplied, rack.feed))
    derived.bounds.curtailed = [each.level for each in supplied.curtailments.values()]
    limits.brought_to(index, supplied, derived.bounds.curtailed)
    for tranche in claimed.tranches.values():
        if tranche.standing is claims.Standing.LIVE:
            index.set_owner(tranche.runs, tranche.plan.id)
    derived.barred = {site for site in supplied.sites if heartbeats.silent_at_site(state.engines, site)}
    barred = heartbeats.nodes_at(supplied, derived.barred) if derived.barred else ()
    for node in sorted({*supplied.failed, *supplied.cordoned, *barred}):
        index.set_usable(node, False)
    for gang in sorted(state.gangs.values(), key=lambda gang: gang.order):
        if gang.lender and (gang.phase in HOLDING or gang.returns_at):
            derived.lent.setdefault(gang.lender, set()).add(gang.spec.id)
        if gang.phase in HOLDING or gang.returns_at:
            index.take(gang.runs, supplied.skus[gang.spec.sku].gpu_w)
        if gang.phase is _PENDING:
            _enqueue(derived, state, gang)
        _push_dues(derived, gang, state.policy)
    for name in state.progress:
        keeping.push_stuck(derived, state, state.gangs[name])
    for name in state.holds:
        keeping.keep_from_all(derived, name, state.holds[name])
    derived.stirred = True
    return derived


# What an event records, by kind. Written out, for `_replace` takes longer than everything else here.


#: A gang from its fields, all of them, in order.
_gang: Callable[[tuple[Any, ...]], Gang] = partial(tuple.__new__, Gang)


def _record_submitted(
    state: State, held: Held, supplied: supply.State, event: gangs.GangSubmitted, at: int, seq: int
) -> None:
    spec = event.spec
    before = state.spent.pop(spec.id, 0) if state.spent else 0
    state.gangs[spec.id] = _gang((
        spec, _PENDING, seq, at, before, (), NO_TRANCHE, 0, 0, 0, 0, 0, 0, "", False, False, 0, 0, 0,
        0, before, NO_SITE, "",
    ))  # fmt: skip
    if spec.project:
        shares.note_submitted(state.sharing, state.policy, at)
    if state.commons is not None:
        state.commons.note_submitted(spec, at)
    if state.chains.fates:
        state.chains.fates.pop(spec.id, None)
    if spec.after:
        chains.record_submitted(state.chains, state.gangs, spec)


def _record_array(
    state: State, held: Held, supplied: supply.State, event: gangs.ArraySubmitted, at: int, seq: int
) -> None:
    chains.record_array(state.chains, event.array, event.tenant, event.indices, event.at_most)


def _over(state: State, held: Held, spec: gangs.Spec, reason: str) -> None:
    """A gang is over for good: others may wait for it."""
    if state.commons is not None:
        state.commons.note_over(spec)
    known = state.chains
    if known.following or known.waits or spec.part is not None:
        chains.record_over(known, state.gangs, spec, reason, held.settled)


def _record_placed(
    state: State, held: Held, supplied: supply.State, event: gangs.GangPlaced, at: int, seq: int
) -> None:
    name, generation, runs, lender = event.gang, event.generation, event.runs, event.lender
    was = state.gangs[name]
    spec = was.spec if not event.choice else substitutes.as_choice(was.spec, event.choice)
    state.gangs[name] = _gang((
        spec, _PLACED, was.order, was.submitted_at, generation, runs, lender,
        seq, at, 0, 0, was.failures, was.interruptions, "", False, False, 0, 0, was.returns_at, was.ended_at,
        was.generation_before, supply.rack_of(supplied, runs[0].first).site, "",
    ))  # fmt: skip
    held.gangs[name] = None
    held.on_node.add(name, runs)
    if state.lending.called_for:
        state.lending.forget_waiting(name)
    if state.shed:
        state.shed.pop(name, None)
    rate = state.policy.ramp_w_per_minute
    if rate:
        gpu_w = supplied.skus[was.spec.sku].gpu_w
        state.ramps = ramps.taken_on(state.ramps, supplied, runs, gpu_w, rate, at)
    if state.commons is not None:
        state.commons.note_held(spec, spec.gpus, at)
    if was.spec.project:
        shares.note_placed(state.sharing, held.divisions, state.gangs[name].spec, at)


def _record_started(
    state: State, held: Held, supplied: supply.State, event: gangs.GangStarted, at: int, seq: int
) -> None:
    was = state.gangs[event.gang]
    phase = _RUNNING if was.phase is _PLACED else was.phase
    state.gangs[event.gang] = _gang((was.spec, phase, *was[2:9], event.effective_at, *was[10:]))


def _record_stopping(
    state: State, held: Held, supplied: supply.State, event: gangs.GangStopping, at: int, seq: int
) -> None:
    was = state.gangs[event.gang]
    stopping_at = was.stopping_at or at
    state.lending.record_stopping(was, event, at)
    state.gangs[event.gang] = was._replace(
        phase=_STOPPING, stopping_at=stopping_at, reason=event.reason, again=event.again
    )


_FAILURES = frozenset({Ending.FAILED, Ending.LOST})


def _record_ended(
    state: State, held: Held, supplied: supply.State, event: gangs.GangEnded, at: int, seq: int
) -> None:
    name, again, reason, returns_at = event.gang, event.again, event.reason, event.returns_at
    was = state.gangs[name]
    failed = event.ending in _FAILURES and was.phase is not _STOPPING
    # Who waits again asks as at first, once its GPUs have been given back.
    spec = was.spec if not was.spec.skus or returns_at or not again else substitutes.as_choice(was.spec, 0)
    state.gangs[name] = _gang((
        spec, _PENDING if again else _ENDED, was.order, was.submitted_at, was.generation,
        was.runs, was.lender, was.placed_seq, was.placed_at, 0, 0, was.failures + failed,
        was.interruptions + (reason in INTERRUPTIONS), reason, False, again and reason in IN_FRONT,
        event.not_before, was.reclaim_at if returns_at else 0, returns_at, 0 if again else at,
        was.generation_before, was.site, event.evidence,
    ))  # fmt: skip
    if state.policy.estimates is _LEARNED:
        estimates.learn(state.learned, was, reason, event.effective_at)
    if state.progress and not again:
        state.progress.pop(name, None)
    held.gangs.pop(name, None)
    held.on_node.drop(name, was.runs)
    if returns_at:
        held.wiped.add(name)
    if not again:
        state.learned.late.pop(name, None)
        _over(state, held, was.spec, reason)
    if not was.started_at:
        note_unheard(state.unheard, was, event)
    kept = state.lending
    if kept.checkpoints or kept.evicted:
        kept.forget_start(name, over=not again)
    if state.shed and not again:
        state.shed.pop(name, None)
    if state.commons is not None:
        state.commons.note_held(was.spec, -was.spec.gpus, at)
    if was.spec.project:
        shares.note_ended(state.sharing, held.divisions, was.spec, at, again=again)


def _record_withdrawn(
    state: State, held: Held, supplied: supply.State, event: gangs.GangWithdrawn, at: int, seq: int
) -> None:
    was = state.gangs[event.gang]
    state.shed.pop(event.gang, None)
    state.progress.pop(event.gang, None)
    state.learned.late.pop(event.gang, None)
    state.gangs[event.gang] = was._replace(phase=_ENDED, reason=event.reason, ended_at=at, again=False)
    _over(state, held, was.spec, event.reason)
    state.lending.forget_waiting(event.gang)
    state.lending.forget_start(event.gang, over=True)
    if was.spec.project:
        shares.note_over(state.sharing, was.spec.id)


def _record_reclaimed(
    state: State, held: Held, supplied: supply.State, event: gangs.LoanReclaimed, at: int, seq: int
) -> None:
    was = state.gangs[event.gang]
    state.gangs[event.gang] = was._replace(reclaim_at=event.deadline_at)
    state.lending.record_reclaimed(was, event, at)


def _record_overdue(
    state: State, held: Held, supplied: supply.State, event: gangs.ReclaimOverdue, at: int, seq: int
) -> None:
    state.gangs[event.gang] = state.gangs[event.gang]._replace(reclaim_at=-1)


def _record_returned(
    state: State, held: Held, supplied: supply.State, event: gangs.NodesReturned, at: int, seq: int
) -> None:
    was = state.gangs[event.gang]
    spec = substitutes.as_choice(was.spec, 0) if was.phase is _PENDING else was.spec
    state.gangs[event.gang] = was._replace(spec=spec, returns_at=0, reclaim_at=0)
    held.wiped.discard(event.gang)
    state.lending.wiped.pop(event.gang, None)


def _record_wiped(
    state: State, held: Held, supplied: supply.State, event: gangs.NodeWiped, at: int, seq: int
) -> None:
    state.lending.record_wiped(event)


def _record_checkpoint(
    state: State, held: Held, supplied: supply.State, event: GangCheckpointed, at: int, seq: int
) -> None:
    state.lending.record_checkpoint(event)


def _record_policy(
    state: State, held: Held, supplied: supply.State, event: gangs.PolicyApplied, at: int, seq: int
) -> None:
    if state.sharing.plans:
        shares.note_policy(state.sharing, state.policy, event.policy, at)
    state.engines.record_policy(state.policy.failing, event.policy.failing, at, seq)
    if event.policy.among != state.policy.among:
        state.commons = commons.commons_of(state.commons, event.policy.among, state.gangs.values(), at)
    state.policy = event.policy


def _record_taken(
    state: State, held: Held, supplied: supply.State, event: PlaceTaken, at: int, seq: int
) -> None:
    state.gangs[event.gang] = state.gangs[event.gang]._replace(front=True)
    for victim in event.victims:
        state.sharing.taken[victim.gang] = event.gang


def apply_share(
    state: State,
    held: Held,
    derived: Derived | None,
    event: shares.ShareEvent | commons.TenantsWeighed,
    at: int,
) -> None:
    """Record one event about shares and budgets, and what it does to the queue."""
    if isinstance(event, commons.TenantsWeighed):
        commons.record_weighed(state, event)
    else:
        shares.record_share(state.sharing, held.divisions, state.policy, event, at)
    same = isinstance(event, shares.SharesWeighed | commons.TenantsWeighed) and not event.steps
    if derived is not None and not same:
        queue_again(derived, state)


#: By kind of event, what it records: (state, held, supplied, event, at, seq).
RECORDED: dict[type[Event], Callable[[State, Held, supply.State, Any, int, int], None]] = {
    gangs.GangSubmitted: _record_submitted,
    gangs.GangPlaced: _record_placed,
    gangs.GangStarted: _record_started,
    gangs.GangStopping: _record_stopping,
    gangs.GangEnded: _record_ended,
    gangs.GangWithdrawn: _record_withdrawn,
    gangs.LoanReclaimed: _record_reclaimed,
    gangs.ReclaimOverdue: _record_overdue,
    gangs.NodesReturned: _record_returned,
    gangs.PolicyApplied: _record_policy,
    PlaceTaken: _record_taken,
    gangs.HostsHeld: keeping.record_held,
    gangs.HostsReleased: keeping.record_released,
    gangs.GangProgressed: keeping.record_progress,
    gangs.GangStuck: keeping.record_stuck,
    gangs.ArraySubmitted: _record_array,
    GangCheckpointed: _record_checkpoint,
    gangs.NodeWiped: _record_wiped,
    GangShed: sheddings.record_shed,
    estimates.GangOverran: estimates.record_overran,
    GangStartLearned: record_learned,
}


# What follows from it.

_OF_NO_GANG = (gangs.GangSubmitted, gangs.PolicyApplied, gangs.ArraySubmitted)


def _queue_of(derived: Derived, state: State) -> Queue:
    """An empty queue, in the order that projects make where there are any."""
    if not state.sharing.plans and state.commons is None:
        return Queue()
    return Queue(shares.Turns(state.sharing, derived.held.divisions, state.policy, state.commons))


def queue_again(derived: Derived, state: State) -> None:
    """The order of those who wait is another: everybody takes a place anew."""
    waiting = [state.gangs[name] for name in derived.queue.everybody(state.gangs)]
    derived.queue = _queue_of(derived, state)
    derived.ends.pools.clear()
    derived.stirred = True
    for gang in sorted(waiting, key=lambda gang: gang.order):
        derived.queue.add(gang)


def reindex(derived: Derived, state: State, supplied: supply.State, event: GangEvent) -> None:
    """What an event of this stage, just recorded, does to the index, the queue and the due times."""
    if derived.ends.watched:
        derived.ends.note(event)
    if derived.borrowed.books:
        derived.borrowed.note(event)
    if supplied.curtailments and not isinstance(event, _OF_NO_GANG):
        gang = state.gangs[event.gang]
        limits.note_gang(derived.bounds, derived.index, supplied, gang, state.policy)
        # Who stops is gone before what is to come.
        derived.stirred |= isinstance(event, gangs.GangStopping)
    if derived.queue.caps is not None and not isinstance(event, _OF_NO_GANG):
        # Who has just been submitted stirs it by waiting.
        whose = whose_of(state.gangs[event.gang].spec)
        if whose is not None:
            derived.queue.caps.stir(whose)
    follows = FOLLOWS.get(type(event))
    if follows is not None:
        follows(derived, state, supplied, event)


def _after_submitted(
    derived: Derived, state: State, supplied: supply.State, event: gangs.GangSubmitted
) -> None:
    now = state.gangs[event.spec.id]
    _enqueue(derived, state, now)
    if now.spec.start_by or now.spec.finish_by:
        _push_dues(derived, now, state.policy)


def _after_placed(derived: Derived, state: State, supplied: supply.State, event: gangs.GangPlaced) -> None:
    name = event.gang
    now = state.gangs[name]
    if derived.backoff:
        derived.backoff.discard(name)
    if event.lender:
        derived.lent.setdefault(event.lender, set()).add(name)
    derived.index.take(now.runs, supplied.skus[now.spec.sku].gpu_w)
    _push_dues(derived, now, state.policy)


def _push_again(
    derived: Derived, state: State, supplied: supply.State, event: gangs.GangStarted | gangs.LoanReclaimed
) -> None:
    gang = state.gangs[event.gang]
    _push_dues(derived, gang, state.policy)
    if state.progress:
        keeping.push_stuck(derived, state, gang)


#: Orders that go by when work that runs is expected to end.
_FORESEEING = frozenset({gangs.Order.EASY, gangs.Order.EASY_DEPTH, gangs.Order.CONSERVATIVE})


def _after_stopping(
    derived: Derived, state: State, supplied: supply.State, event: gangs.GangStopping | gangs.ReclaimOverdue
) -> None:
    # Its owner may wait for it: then its deadline runs from now on, or others leave in its place. Whoever counts on
    # its end may start sooner, and who may take the place of others needs fewer of them.
    preempts = any(division.preempts for division in derived.held.divisions.values())
    stirs = preempts or bool(state.gangs[event.gang].lender) or state.policy.order in _FORESEEING
    derived.stirred |= stirs


def _after_ended(derived: Derived, state: State, supplied: supply.State, event: gangs.GangEnded) -> None:
    now = state.gangs[event.gang]
    if event.again or event.returns_at:
        _push_dues(derived, now, state.policy)
    # Also where its nodes are wiped first: their owner may wait for them.
    derived.stirred = True
    if not event.returns_at:
        _give_back(derived, supplied, now)
    if event.again:
        _enqueue(derived, state, now)


def _after_withdrawn(
    derived: Derived, state: State, supplied: supply.State, event: gangs.GangWithdrawn
) -> None:
    derived.backoff.discard(event.gang)
    # Nobody waits behind it any more, and its tranche may lend again.
    derived.stirred = True


def _after_returned(
    derived: Derived, state: State, supplied: supply.State, event: gangs.NodesReturned
) -> None:
    now = state.gangs[event.gang]
    _give_back(derived, supplied, now)
    derived.stirred = True
    if now.phase is _PENDING:
        _enqueue(derived, state, now)


def _after_policy(derived: Derived, state: State, supplied: supply.State, event: gangs.PolicyApplied) -> None:
    derived.stirred, derived.bounds.coming = True, None
    derived.ends.forget()
    if derived.queue.turns is not None or state.commons is not None:
        queue_again(derived, state)
    for gang in state.gangs.values():
        _push_dues(derived, gang, state.policy)
        keeping.push_stuck(derived, state, gang)


def _after_taken(derived: Derived, state: State, supplied: supply.State, event: PlaceTaken) -> None:
    derived.queue.add(state.gangs[event.gang])


#: By kind of event, what follows from it: (derived, state, supplied, event).
FOLLOWS: dict[type[Event], Callable[[Derived, State, supply.State, Any], None]] = {
    gangs.GangSubmitted: _after_submitted,
    gangs.GangPlaced: _after_placed,
    gangs.GangStarted: _push_again,
    gangs.LoanReclaimed: _push_again,
    gangs.GangStopping: _after_stopping,
    gangs.ReclaimOverdue: _after_stopping,
    gangs.GangEnded: _after_ended,
    gangs.GangWithdrawn: _after_withdrawn,
    gangs.NodesReturned: _after_returned,
    gangs.PolicyApplied: _after_policy,
    PlaceTaken: _after_taken,
    estimates.GangOverran: estimates.after_overran,
    gangs.HostsHeld: keeping.after_held,
    gangs.HostsReleased: keeping.after_released,
    gangs.GangProgressed: keeping.after_progress,
}


def _push_dues(derived: Derived, gang: Gang, policy: Policy) -> None:
    # Of nearly all there is one, and of one of two kinds.
    if not (gang.reclaim_at or gang.returns_at):
        if gang.phase is _PLACED:
            derived.dues.push(Due(_start_by(gang, policy), "start", gang.spec.id, gang.generation))
            return
        if gang.phase is _RUNNING:
            derived.dues.push(Due(_walltime_at(gang), "walltime", gang.spec.id, gang.generation))
            if gang.spec.estimate_s:
                estimates.push_estimate(derived, gang)
            return
    for due in _dues(gang, policy):
        derived.dues.push(due)


#: Stops that the engine made, or that it made necessary: neither the gang's doing nor ours.
INTERRUPTIONS = frozenset({"stopped", "start_timeout", "stuck"})
#: Stops that are not the gang's own doing, or failures it may recover from: it goes before those that wait.
IN_FRONT = (
    frozenset(
        {
            "failed",
            "lost",
            "node_failed",
            "quarantine",
            "drain",
            "rebound",
            MAINTENANCE,
            CURTAILED,
            ENGINE_SILENT,
        }
    )
    | INTERRUPTIONS
)


def _enqueue(derived: Derived, state: State, gang: Gang) -> None:
    """Let a pending gang wait. One whose last GPUs are still being wiped waits for those first, and who comes after
    others for them."""
    if gang.returns_at:
        return
    spec = gang.spec
    if gang.not_before:
        derived.backoff.add(spec.id)
    elif not (spec.after or spec.part) or chains.may_queue(state.chains, spec):
        let_in(derived, gang)


def let_in(derived: Derived, gang: Gang) -> None:
    """From here on a gang waits for room, or first for its data."""
    if gang.spec.datasets and gang.spec.id not in derived.awaiting:
        derived.awaiting.add(gang.spec.id)
        derived.stirred = True
        return
    derived.queue.add(gang)
    derived.arrivals.append(gang.spec.id)


def end_backoff(state: State, derived: Derived, at: int) -> None:
    """Move gangs whose pause is over to the queue. Derived state only: nothing is recorded."""
    over = [gang for gang in derived.backoff if state.gangs[gang].not_before <= at]
    for gang in sorted(over, key=lambda gang: state.gangs[gang].order):
        derived.backoff.discard(gang)
        derived.queue.add(state.gangs[gang])
        derived.arrivals.append(gang)


def _give_back(derived: Derived, supplied: supply.State, gang: Gang) -> None:
    """A gang's GPUs are free; what it borrowed is its owner's again."""
    # It may wait for another kind of rack by now.
    sku = supply.rack_of(supplied, NodeIndex(gang.runs[0].first)).sku if gang.spec.skus else gang.spec.sku
    derived.index.release(gang.runs, supplied.skus[sku].gpu_w)
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
        if passed := estimates.overruns_at(gang):
            found.append(Due(passed, "estimate", name, generation))
    elif gang.phase is _PENDING and gang.not_before:
        found.append(Due(gang.not_before, "retry", name, generation))
    if gang.phase is _PENDING and (before := deadlines.start_before(gang)):
        found.append(Due(before, "deadline", name, generation))
    # Nodes that are wiped in time are not late, though they return only then.
    if gang.reclaim_at > 0 and not (gang.returns_at and gang.returns_at <= gang.reclaim_at):
        found.append(Due(gang.reclaim_at, "reclaim", name, generation))
    if gang.returns_at:
        found.append(Due(gang.returns_at, "return", name, generation))
    return found


def meant(state: State, due: Due) -> bool:
    """Whether a due time still means something: its gang still has it."""
    at, what, about, stamp = due
    gang = state.gangs.get(GangId(about))
    if gang is None or gang.generation != stamp:
        return False
    # These two are nearly all there are, and are asked about after each event.
    if what == "walltime":
        return gang.phase is _RUNNING and gang.started_at + gang.spec.walltime_s * SECOND_US == at
    if what == "start":
        return gang.phase is _PLACED and gang.placed_at + state.policy.start_timeout_s * SECOND_US == at
    if due.what in keeping.DUES:
        return keeping.meant_still(state, gang, due)
    return due in _dues(gang, state.policy)


def first_due(derived: Derived, state: State) -> Due | None:
    """The earliest due time that its gang still has; what lost its meaning is dropped on the way."""
    dues = derived.dues
    while (due := dues.first()) is not None and not meant(state, due):
        dues.pop()
    if state.sharing.plans:
        other = shares.first_share_due(state.sharing, derived.held.divisions, state.policy)
        due = other if due is None or (other is not None and other.at <= due.at) else due
    return due if state.commons is None else commons.sooner(state.commons, due)
