"""What a gang is: its specification, its life as the World records it, and what the engine is told and tells.

A gang starts together or not at all. The World picks the nodes; the engine only launches. Every placement of a gang
has a generation; a report about an older generation is stale and changes nothing.

    pending -> placed -> running -> (ended | pending again)       desired: what we want
                 \\__________\\_____ stopping __/                 observed: what the engine reported
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from forebay.core.ids import (
    Command,
    DatasetId,
    Effect,
    Event,
    GangId,
    NodeIndex,
    PoolId,
    ProjectId,
    SiteId,
    SkuId,
    TenantId,
    TrancheId,
    UserId,
)
from forebay.core.placements.among import AmongTenants
from forebay.core.placements.chains import After, ArrayMember
from forebay.core.placements.estimates import Estimates
from forebay.core.placements.failing import Failing
from forebay.core.placements.substitutes import RackChoice


class Run(NamedTuple):
    """So many neighbouring nodes from `first` on, each with the GPUs of `mask` (bit i = GPU i)."""

    first: int
    nodes: int
    mask: int


class Level(StrEnum):
    """How near to each other the GPUs of a gang must be; a rack is one NVLink domain."""

    NODE = "node"
    RACK = "rack"
    ROW = "row"
    #: Racks under one spine.
    BLOCK = "block"
    HALL = "hall"
    SITE = "site"


#: Levels, the nearest first.
LEVELS = tuple(Level)


class Tier(StrEnum):
    """By which claim a gang runs: its tenant's own tranche, on demand, or spot (may be evicted, may borrow)."""

    DEDICATED = "dedicated"
    ON_DEMAND = "on_demand"
    SPOT = "spot"


class Ending(StrEnum):
    """How one generation of a gang came to its end, as the engine saw it."""

    COMPLETED = "completed"
    #: A rank exited with an error or was killed; the others were stopped with it.
    FAILED = "failed"
    #: It was stopped: because we asked, or by its engine (a host that goes down).
    STOPPED = "stopped"
    #: It could not be started at all (no such program, no permission): not worth another try.
    UNSTARTABLE = "unstartable"
    #: The engine lost it: neither running nor with an outcome on disk (a host that restarted).
    LOST = "lost"


@dataclass(slots=True)
class Program:
    """What each rank runs: `argv` is executed as it is, never by a shell."""

    argv: tuple[str, ...]
    #: Added to the clean environment of each rank. Journaled: not for secrets.
    env: dict[str, str] = field(default_factory=dict)
    #: Absolute working folder.
    folder: str = "/"
    #: Limits for the whole gang where the system offers them; 0 for none.
    cpu_millis: int = 0
    memory_bytes: int = 0
    #: Size at which a rank's log is rotated, bytes; one older part is kept.
    log_bytes_max: int = 4_000_000


@dataclass(slots=True)
class Spec:
    """One gang as asked for. GPUs are packages as the SKU counts them."""

    id: GangId
    tenant: TenantId
    tier: Tier
    sku: SkuId
    gpus: int
    #: 0 where it asks for no limit: the World fills in the one that it gets.
    walltime_s: int
    #: Tranche whose capacity it runs on; "" unless the tier is dedicated.
    tranche: TrancheId = TrancheId("")
    #: All its GPUs lie within one of these.
    within: Level = Level.SITE
    #: Sites it may run in, in order of preference; empty for any.
    sites: tuple[SiteId, ...] = ()
    #: Seconds between checkpoints; 0 when it does not checkpoint.
    checkpoint_s: int = 0
    #: Between the request to stop (SIGTERM) and the kill.
    grace_s: int = 30
    #: Failures after which it is started again, whole, from its checkpoint. Evictions do not count.
    restarts_max: int = 3
    #: None for work that a simulated engine stands in for.
    program: Program | None = None
    #: Free words for people.
    title: str = ""
    #: All its GPUs lie within one of these where they can; a level below `within`, or `within` for no such wish.
    near: Level = Level.SITE
    #: Its GPUs come in parts of so many, each within one rack: a multiple of a node's GPUs; 0 for no parts.
    slice_gpus: int = 0
    #: Gangs of its tenant that have to be over before it may start.
    after: tuple[After, ...] = ()
    #: Which gang of an array it is; None where it stands alone.
    part: ArrayMember | None = None
    #: Kinds of rack that it may run on, in order of preference, the first of which it asks for; empty for that only.
    skus: tuple[RackChoice, ...] = ()
    #: It is withdrawn where it has not started by then; 0 for no such date.
    start_by: int = 0
    #: The same where its limit of time does not end by then any more; 0 for no such date.
    finish_by: int = 0
    #: The project of its tenant that it counts to, and who asks, by an opaque id.
    project: ProjectId = ProjectId("")
    user: UserId = UserId("")
    #: Its class among its tenant's gangs; "" for the one that the tenant's document names.
    priority: str = ""
    #: Of one that asked for no limit of time, for how long it is taken to run: the World fills it in. 0 where its
    #: limit says it.
    estimate_s: int = 0
    #: What it reads: it starts only at a site that holds a copy of each.
    datasets: tuple[DatasetId, ...] = ()
    #: The storage pool that its checkpoints go to: it runs at the site of that; "any" for one of whichever site.
    checkpoint_store: PoolId = PoolId("")


# Effects: what the engine is to make true.


@dataclass(slots=True)
class RunGang(Effect):
    """Generation `generation` of this gang is to run on these nodes, one rank a GPU."""

    gang: GangId
    generation: int
    tenant: TenantId
    runs: tuple[Run, ...]
    grace_s: int
    #: How often it has been started before (0 at first): a rank may resume from its checkpoint.
    starts_before: int
    program: Program | None
    #: Sequence of the record that decided it; reports echo it as their cause.
    cause: int
    #: Of a borrower: within how many seconds of a call its lender has its nodes back; 0 for one that does not borrow.
    reclaim_s: int = 0
    #: It is to end by itself where its engine got no answer to a heartbeat for so many seconds; 0 for never.
    lease_s: int = 0


@dataclass(slots=True)
class StopGang(Effect):
    """Generation `generation` of this gang is to stop: asked to at once, killed after its grace."""

    gang: GangId
    generation: int
    grace_s: int
    #: Why, in a word for logs ("walltime", "reclaim", "cancelled", "node_failed", "drain").
    reason: str
    cause: int


# Facts: what the engine reports. `source` is the engine's name.


@dataclass(slots=True)
class ReportGangStarted(Command):
    """All ranks of this generation are up since `effective_at`."""

    gang: GangId
    generation: int
    effective_at: int
    source: str


@dataclass(slots=True)
class ReportGangEnded(Command):
    """This generation is over since `effective_at`; no process of it is left."""

    gang: GangId
    generation: int
    effective_at: int
    source: str
    ending: Ending
    #: Rank that ended it and its exit status (negative: killed by that signal); -1 and 0 when no one did.
    rank: int = -1
    exit_status: int = 0
    #: One line of evidence for people ("rank 3: No such file or directory: 'trian.py'").
    evidence: str = ""


@dataclass(slots=True)
class ReportGangProgress(Command):
    """A gang got so far. Marks grow with its work: steps, checkpoints."""

    gang: GangId
    mark: int
    #: 0 for the one that runs.
    generation: int = 0
    #: 0 for now.
    effective_at: int = 0
    source: str = ""


# Commands people give.


@dataclass(slots=True)
class SubmitGang(Command):
    """Run this gang when there is room for it. An empty id is filled in by the World."""

    spec: Spec
    #: Whether the very same gang may be known already: then nothing changes. Else its name is taken.
    again: bool = False


@dataclass(slots=True)
class SubmitArray(Command):
    """Run a gang like this for each index, named after the array and its index, when there is room for it."""

    #: Its id is the array's.
    spec: Spec
    indices: tuple[int, ...]
    #: So many of them may wait in the queue or hold GPUs at one time; 0 for all.
    at_most: int = 0
    #: Whether the very same array may be known already: then nothing changes. Else its name is taken.
    again: bool = False


@dataclass(slots=True)
class CancelGang(Command):
    """Stop this gang for good, or take it out of the queue; or all gangs of this array."""

    gang: GangId


# Events


@dataclass(slots=True)
class GangSubmitted(Event):
    """A gang waits to be placed."""

    spec: Spec


@dataclass(slots=True)
class ArraySubmitted(Event):
    """An array of gangs was taken in, each of which follows: at most so many are at work at once (0 for all)."""

    array: GangId
    tenant: TenantId
    indices: tuple[int, ...]
    at_most: int


@dataclass(slots=True)
class GangPlaced(Event):
    """A gang holds these GPUs from now on; the engine is to start this generation."""

    gang: GangId
    generation: int
    runs: tuple[Run, ...]
    #: Tranche whose idle capacity this is; "" when the capacity is its own claim's or the pool's.
    lender: TrancheId = TrancheId("")
    #: Which of its kinds of rack it got, by place.
    choice: int = 0


@dataclass(slots=True)
class GangStarted(Event):
    """All ranks are up since `effective_at`: use is metered from there."""

    gang: GangId
    generation: int
    effective_at: int
    source: str


@dataclass(slots=True)
class GangStopping(Event):
    """The engine is to stop this generation; the GPUs are held until it reports the end."""

    gang: GangId
    generation: int
    reason: str
    #: Whether it goes back to the queue afterwards.
    again: bool


@dataclass(slots=True)
class GangEnded(Event):
    """A generation is over since `effective_at`; its GPUs are free at the time of record, or at `returns_at`."""

    gang: GangId
    generation: int
    ending: Ending
    effective_at: int
    source: str
    #: Why it is over: the reason it was stopped for, or the ending itself.
    reason: str
    #: Whether it goes back to the queue, and from when it may be placed again.
    again: bool
    not_before: int
    #: Until when its GPUs are wiped and checked before the next tenant; 0 when they are free at once.
    returns_at: int
    rank: int = -1
    exit_status: int = 0
    evidence: str = ""


@dataclass(slots=True)
class GangWithdrawn(Event):
    """A gang that held nothing left the queue for good."""

    gang: GangId
    reason: str


@dataclass(slots=True)
class LoanReclaimed(Event):
    """A tranche wants its lent capacity back: the borrower is to be gone by `deadline_at`."""

    tranche: TrancheId
    gang: GangId
    generation: int
    for_gang: GangId
    deadline_at: int
    #: GPU-microseconds of work that it loses; 0 for one that was leaving anyway.
    lost_gpu_us: int = 0


@dataclass(slots=True)
class ReclaimOverdue(Event):
    """A borrower is still there at its deadline: from here on the owner's loss counts as undeliverable."""

    tranche: TrancheId
    gang: GangId
    generation: int


@dataclass(slots=True)
class NodesReturned(Event):
    """GPUs that a borrower left are wiped and checked, and free again."""

    gang: GangId
    generation: int


@dataclass(slots=True)
class NodeWiped(Event):
    """A node that a gang left is clean and checked."""

    gang: GangId
    generation: int
    node: NodeIndex


@dataclass(slots=True)
class HostsHeld(Event):
    """Nodes are kept for a gang that lost others, until it starts again: its own hosts, and spares."""

    gang: GangId
    generation: int
    hosts: tuple[tuple[int, int], ...]
    spares: tuple[tuple[int, int], ...]
    until_at: int


@dataclass(slots=True)
class HostsReleased(Event):
    """Nothing is kept for a gang any more."""

    gang: GangId
    generation: int
    #: "placed", "over", "timeout", or what became of the nodes.
    reason: str


@dataclass(slots=True)
class GangProgressed(Event):
    """A generation got so far."""

    gang: GangId
    generation: int
    mark: int
    effective_at: int
    source: str


@dataclass(slots=True)
class GangStuck(Event):
    """A generation runs and has got nowhere since `since_at`."""

    gang: GangId
    generation: int
    mark: int
    since_at: int


@dataclass(slots=True)
class PolicyApplied(Event):
    """How gangs are ordered and handed over from here on."""

    policy: Policy


# What is recorded


class Order(StrEnum):
    """Who may go before the first of a lane that does not fit (docs/reference/policies.md)."""

    #: Whoever fits, for as long as the policy bounds.
    OVERTAKE = "overtake"
    #: Nobody.
    FIFO = "fifo"
    #: Whoever fits and does not delay it.
    EASY = "easy"
    #: The same, of the next few behind it only.
    EASY_DEPTH = "easy_depth"
    #: Whoever fits and delays nobody who comes before.
    CONSERVATIVE = "conservative"


@dataclass(slots=True)
class Policy:
    """First come, first served within a tier; who may go by meanwhile is its order (docs/reference/policies.md)."""

    version: int = 1
    #: How long a gang that does not fit may be overtaken by smaller ones that came later, seconds.
    overtake_s: int = 3600
    #: Pause before the second restart after a failure; doubles with each further one, seconds.
    backoff_s: int = 5
    backoff_s_max: int = 600
    #: To wipe and check a node between a borrower and its owner, seconds.
    turnover_s: int = 0
    #: A gang that the engine has not started by then is stopped and queued again, seconds.
    start_timeout_s: int = 600
    #: How often a gang is queued again that its engine stopped unasked, or did not start in time.
    interruptions_max: int = 10
    order: Order = Order.OVERTAKE
    #: With `easy_depth`: how many are tried behind the first of a lane that does not start.
    depth: int = 100
    #: What a start takes until the work goes on: who is called back loses that too, on all its GPUs, seconds.
    restart_s: int = 60
    #: To wipe a node between a borrower and its owner, and then to check it, on top of `turnover_s`, seconds.
    scrub_s: int = 0
    check_s: int = 0
    #: Until an owner's load has ramped up on what returned: its reclaim deadline covers that too, seconds.
    reclaim_ramp_s: int = 0
    #: Whether nodes of the pool are wiped and checked too when work leaves them.
    scrub_pool: bool = False
    #: So many watts a minute may each feed take on; 0 for as many as its limit allows.
    ramp_w_per_minute: int = 0
    #: What is done about what fails.
    failing: Failing = field(default_factory=Failing)
    #: How fast use by projects is forgotten: half of it in so many seconds; 0 for no fair share.
    half_life_s: int = 0
    #: Between two instants at which use is weighed, seconds: `half_life_s` is a multiple of it.
    weigh_s: int = 3600
    #: Seconds of waiting that make up for one step of use.
    age_s: int = 3600
    #: By what backfill takes a gang to be gone that asked for no limit of time.
    estimates: Estimates = Estimates.REQUESTED
    #: The limit of time of a gang that asks for none, seconds; 0 where it has to ask, or, with learned estimates,
    #: gets the longest.
    walltime_s_default: int = 0
    #: The longest limit that may be asked for, seconds; 0 for a year.
    walltime_s_max: int = 0
    #: With learned estimates: once whoever waits first has waited so long, nobody goes by it, seconds.
    estimates_wait_s: int = 604_800
    #: Fair share among tenants, on demand and on spot.
    among: AmongTenants = field(default_factory=AmongTenants)
    #: Whether a node of which nobody reports in time that it was wiped counts as failed.
    wipe_reported: bool = False


@dataclass(slots=True)
class ApplyPolicy(Command):
    """This policy is to be in force. Versions only grow; the same document twice changes nothing."""

    policy: Policy


class Phase(StrEnum):
    """Where a gang is in its life."""

    PENDING = "pending"
    PLACED = "placed"
    RUNNING = "running"
    STOPPING = "stopping"
    ENDED = "ended"


#: Phases in which a gang holds GPUs.
HOLDING = frozenset({Phase.PLACED, Phase.RUNNING, Phase.STOPPING})


class Gang(NamedTuple):
    """A gang as recorded: replaced, never changed in place."""

    spec: Spec
    phase: Phase
    #: Sequence of its submission: its place in the queue.
    order: int
    submitted_at: int
    #: Grows with each placement, and goes on when a name is used again.
    generation: int = 0
    #: Where it is, or was last.
    runs: tuple[Run, ...] = ()
    #: Tranche it borrows from; "" when it does not.
    lender: TrancheId = TrancheId("")
    placed_seq: int = 0
    placed_at: int = 0
    #: Since when all ranks are up; 0 while they are not.
    started_at: int = 0
    #: When this generation was asked to stop; 0 while it was not.
    stopping_at: int = 0
    #: Failures that counted against `restarts_max`.
    failures: int = 0
    #: Times its engine stopped it unasked, or did not start it in time, or it got nowhere: they count against
    #: `interruptions_max`.
    interruptions: int = 0
    #: Why it is stopping, or why it last ended.
    reason: str = ""
    #: Whether it goes back to the queue once it has stopped.
    again: bool = False
    #: Whether it stands before those that have not run yet.
    front: bool = False
    not_before: int = 0
    #: By when a borrower must be gone; 0 when nobody asked for the capacity back, -1 when it is late already.
    reclaim_at: int = 0
    #: Until when its last GPUs are wiped and checked; 0 when they are not.
    returns_at: int = 0
    ended_at: int = 0
    #: Generation before its first placement: not 0 when the name was used before.
    generation_before: int = 0
    #: Site of its nodes.
    site: SiteId = SiteId("")
    #: What the engine saw at its last end, "" when there was nothing to say.
    evidence: str = ""
