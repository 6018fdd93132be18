"""What is a maintenance campaign, and how far is it? Records, commands, events and the fold; `campaigning` decides.

A *campaign* is work on many nodes, done in *waves*: so many nodes or racks at once, altogether and of each claim. It
has notices and consents for each claim that it hits, and goes on by itself:

    running  <->  paused          running, paused  ->  cancelled  ->  over
    running   ->  over

A wave is over when each of its nodes is in service again; only then the next begins.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import get_args

from forebay.core.claims.noderuns import joined_runs
from forebay.core.ids import CampaignId, Command, Event, NodeIndex, SkuId, TenantId, TrancheId
from forebay.core.supply import DomainKind
from forebay.core.units import SECOND_US

#: Runs of nodes, (first, count).
NodeRuns = tuple[tuple[int, int], ...]
#: Why gangs stop for a campaign, and how tickets name the cause.
MAINTENANCE = "maintenance"


class WaveUnit(StrEnum):
    """What waves are counted in; of racks, none is taken in part."""

    NODE = "node"
    RACK = "rack"


class Overrun(StrEnum):
    """How a campaign goes beyond what a contract agrees: then its time counts as downtime."""

    LATE_NOTICE = "late_notice"
    OUTSIDE_WINDOWS = "outside_windows"
    OVER_ALLOWANCE = "over_allowance"
    #: There is a service level, and nothing is agreed of maintenance.
    NOT_AGREED = "maintenance_not_agreed"


class CampaignPhase(StrEnum):
    """Where a campaign is."""

    RUNNING = "running"
    #: No wave begins; one that runs is brought to its end.
    PAUSED = "paused"
    #: The same, and for good.
    CANCELLED = "cancelled"
    OVER = "over"


@dataclass(slots=True)
class CampaignPart:
    """A part of the plant that is worked on, with all that hangs on it."""

    kind: DomainKind
    name: str


@dataclass(slots=True)
class CampaignPlan:
    """What is done, to what, when, and how much of it at once."""

    id: CampaignId
    work: str
    parts: tuple[CampaignPart, ...]
    #: Only nodes of this kind; "" for all.
    sku: SkuId
    start_at: int
    #: No wave goes beyond.
    end_at: int
    #: So long a wave takes.
    takes_s: int
    unit: WaveUnit
    #: So many units in a wave, and so many that one claim has nodes in; 0 for as many.
    units_max: int
    claim_units_max: int
    #: How long before its first wave a claim is told, if its clause does not ask for more; 0 for at once.
    notice_s: int
    #: With more nodes that did not come back from the work it pauses by itself.
    failures_max: int
    #: Overruns that are accepted: the campaign is taken in all the same.
    despite: tuple[Overrun, ...] = ()


@dataclass(slots=True)
class TrancheWindows:
    """When the windows of a tranche are open, for the months of a campaign: zones are resolved at the edge."""

    tranche: TrancheId
    open: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class CampaignHit:
    """A claim that a campaign touches."""

    tranche: TrancheId
    tenant: TenantId
    nodes: NodeRuns
    #: The most of them in one wave.
    at_once: int
    consent: bool
    #: When it is told, and when it has to be told at the latest.
    notify_at: int
    latest_at: int
    #: When its first wave begins.
    first_at: int


# Commands


@dataclass(slots=True)
class ApplyCampaign(Command):
    """Work on many nodes, in waves."""

    plan: CampaignPlan
    windows: tuple[TrancheWindows, ...] = ()


@dataclass(slots=True)
class PauseCampaign(Command):
    """No further wave begins until it is resumed."""

    campaign: CampaignId
    reason: str = ""


@dataclass(slots=True)
class ResumeCampaign(Command):
    """It goes on; nodes that did not come back from the work are left to their repair."""

    campaign: CampaignId


@dataclass(slots=True)
class CancelCampaign(Command):
    """No further wave begins; nodes that are being worked on are brought back."""

    campaign: CampaignId
    reason: str = ""


@dataclass(slots=True)
class AnswerCampaign(Command):
    """A tenant consents to the work on its claim, or does not."""

    campaign: CampaignId
    tranche: TrancheId
    given: bool
    reason: str = ""


# Events


@dataclass(slots=True)
class CampaignPlanned(Event):
    """A campaign was taken in."""

    plan: CampaignPlan
    waves: tuple[NodeRuns, ...]
    hits: tuple[CampaignHit, ...]
    windows: tuple[TrancheWindows, ...]


@dataclass(slots=True)
class NoticeSent(Event):
    """A claim was told that work on its nodes begins at `start_at`."""

    campaign: CampaignId
    tranche: TrancheId
    tenant: TenantId
    nodes: NodeRuns
    start_at: int


@dataclass(slots=True)
class ConsentAnswered(Event):
    """A tenant consented, or did not; `waves` catch up with what was left out for want of it."""

    campaign: CampaignId
    tranche: TrancheId
    given: bool
    reason: str
    waves: tuple[NodeRuns, ...]


@dataclass(slots=True)
class WaveStarted(Event):
    """A wave begins: its nodes take no new work, and what runs there is asked to stop."""

    campaign: CampaignId
    wave: int
    nodes: NodeRuns
    #: Those that were not cordoned before.
    cordoned: NodeRuns
    #: What is not touched for want of consent.
    left: NodeRuns


@dataclass(slots=True)
class MaintenanceBegan(Event):
    """Nothing runs on a node any more, and the work begins."""

    campaign: CampaignId
    node: NodeIndex
    #: Whether it was in service until now.
    healthy: bool


@dataclass(slots=True)
class MaintenanceEnded(Event):
    """The work on a node is done, and it passed its checks."""

    campaign: CampaignId
    node: NodeIndex


@dataclass(slots=True)
class MaintenanceFailed(Event):
    """A node did not come back from the work as it should: its wave waits for it."""

    campaign: CampaignId
    node: NodeIndex
    reason: str


@dataclass(slots=True)
class WaveSlipped(Event):
    """A wave takes longer than it should; those that follow begin later."""

    campaign: CampaignId
    wave: int
    nodes: NodeRuns


@dataclass(slots=True)
class WaveEnded(Event):
    """A wave is over; `tranches` had nodes in it since `start_at`."""

    campaign: CampaignId
    wave: int
    tranches: tuple[TrancheId, ...]
    start_at: int


@dataclass(slots=True)
class CampaignPaused(Event):
    """No further wave begins until the campaign is resumed."""

    campaign: CampaignId
    reason: str


@dataclass(slots=True)
class CampaignResumed(Event):
    """Waves begin again; those nodes are left to their repair."""

    campaign: CampaignId
    dropped: NodeRuns


@dataclass(slots=True)
class CampaignCancelled(Event):
    """No further wave begins; nodes on which no work had begun are let go at once."""

    campaign: CampaignId
    reason: str
    dropped: NodeRuns


@dataclass(slots=True)
class CampaignEnded(Event):
    """Nothing more is done; `left` was not touched."""

    campaign: CampaignId
    outcome: str
    left: NodeRuns


CampaignEvent = (
    CampaignPlanned
    | NoticeSent
    | ConsentAnswered
    | WaveStarted
    | MaintenanceBegan
    | MaintenanceEnded
    | MaintenanceFailed
    | WaveSlipped
    | WaveEnded
    | CampaignPaused
    | CampaignResumed
    | CampaignCancelled
    | CampaignEnded
)
EVENTS: tuple[type[Event], ...] = get_args(CampaignEvent)


# Records


@dataclass(slots=True)
class WaveWork:
    """Work that was done on a claim's nodes."""

    tranche: TrancheId
    start_at: int
    end_at: int


@dataclass(slots=True)
class ConsentSaid:
    """What a tenant answered."""

    given: bool
    at: int
    reason: str


@dataclass(slots=True)
class Campaign:
    """A campaign as recorded: replaced, never changed in place."""

    plan: CampaignPlan
    phase: CampaignPhase
    applied_at: int
    hits: tuple[CampaignHit, ...]
    windows: tuple[TrancheWindows, ...]
    #: Waves to come, and when the next may begin.
    waves: tuple[NodeRuns, ...]
    next_at: int
    #: How many have begun.
    begun: int = 0
    #: Of the wave that runs: when it began, and what became of its nodes.
    wave_at: int = 0
    slipped: bool = False
    draining: tuple[NodeIndex, ...] = ()
    #: Work goes on there; of these `own` were in service until then.
    out: tuple[NodeIndex, ...] = ()
    own: tuple[NodeIndex, ...] = ()
    cordoned: tuple[NodeIndex, ...] = ()
    broken: tuple[NodeIndex, ...] = ()
    wave_nodes: NodeRuns = ()
    #: Whether a wave runs.
    busy: bool = False
    #: Nodes that are done, that did not come back, and that were left out for want of consent.
    done: int = 0
    failed: tuple[NodeIndex, ...] = ()
    left: tuple[NodeIndex, ...] = ()
    #: Why it is paused, or how it ended.
    reason: str = ""
    notices: dict[TrancheId, int] = field(default_factory=dict)
    consents: dict[TrancheId, ConsentSaid] = field(default_factory=dict)
    works: tuple[WaveWork, ...] = ()

    @property
    def last_at(self) -> int:
        """The latest instant at which work was planned, or done."""
        return (
            max(self.plan.end_at, *(work.end_at for work in self.works)) if self.works else self.plan.end_at
        )

    def consented(self, hit: CampaignHit) -> bool:
        """Whether a claim may be touched."""
        said = self.consents.get(hit.tranche)
        return (said is None and not hit.consent) or (said is not None and said.given)

    def starts(self) -> Iterator[tuple[int, NodeRuns]]:
        """When each wave to come begins, if none slips, and its nodes."""
        for place, nodes in enumerate(self.waves):
            yield self.next_at + place * self.plan.takes_s * SECOND_US, nodes


def runs_of(nodes: Iterable[int]) -> NodeRuns:
    """Nodes as runs."""
    return joined_runs(*((node, 1) for node in nodes))


def run_nodes(runs: NodeRuns) -> list[NodeIndex]:
    """Runs as nodes, in order."""
    return [NodeIndex(node) for first, count in runs for node in range(first, first + count)]


def _without(nodes: tuple[NodeIndex, ...], gone: Iterable[int]) -> tuple[NodeIndex, ...]:
    known = set(gone)
    return tuple(node for node in nodes if node not in known)


# The fold


def record_campaign(known: dict[CampaignId, Campaign], event: CampaignEvent, at: int) -> None:
    """Apply one event of this kind."""
    if isinstance(event, CampaignPlanned):
        plan = event.plan
        known[plan.id] = Campaign(
            plan, CampaignPhase.RUNNING, at, event.hits, event.windows, event.waves, plan.start_at
        )
        return
    known[event.campaign] = _after(known[event.campaign], event, at)


def _after(was: Campaign, event: CampaignEvent, at: int) -> Campaign:
    """A campaign after an event about its claims, or about all of it."""
    match event:
        case NoticeSent():
            return replace(was, notices={**was.notices, event.tranche: at})
        case ConsentAnswered():
            said = {**was.consents, event.tranche: ConsentSaid(event.given, at, event.reason)}
            caught_up = (node for wave in event.waves for node in run_nodes(wave))
            left = _without(was.left, caught_up)
            return replace(was, consents=said, waves=was.waves + event.waves, left=left)
        case CampaignPaused():
            return replace(was, phase=CampaignPhase.PAUSED, reason=event.reason)
        case CampaignResumed():
            gone = run_nodes(event.dropped)
            return replace(
                was, phase=CampaignPhase.RUNNING, reason="", next_at=max(was.next_at, at),
                out=_without(was.out, gone), broken=_without(was.broken, gone),
            )  # fmt: skip
        case CampaignCancelled():
            gone = run_nodes(event.dropped)
            left = tuple(node for wave in was.waves for node in run_nodes(wave))
            return replace(
                was, phase=CampaignPhase.CANCELLED, reason=event.reason, waves=(),
                draining=_without(was.draining, gone), left=(*was.left, *left, *gone),
            )  # fmt: skip
        case CampaignEnded():
            return replace(
                was,
                phase=CampaignPhase.OVER,
                reason=event.outcome,
                waves=(),
                left=tuple(run_nodes(event.left)),
            )
        case _:
            return _after_wave(was, event, at)


def _after_wave(was: Campaign, event: Event, at: int) -> Campaign:
    """A campaign after an event about its wave."""
    match event:
        case WaveStarted():
            return replace(
                was, waves=was.waves[1:], begun=was.begun + 1, wave_at=at, slipped=False, busy=True,
                draining=tuple(run_nodes(event.nodes)), wave_nodes=event.nodes,
                cordoned=tuple(run_nodes(event.cordoned)), left=(*was.left, *run_nodes(event.left)),
            )  # fmt: skip
        case MaintenanceBegan():
            own = (*was.own, event.node) if event.healthy else was.own
            draining = _without(was.draining, (event.node,))
            return replace(was, draining=draining, out=(*was.out, event.node), own=own)
        case MaintenanceEnded():
            gone = (event.node,)
            return replace(
                was, out=_without(was.out, gone), broken=_without(was.broken, gone), done=was.done + 1
            )
        case MaintenanceFailed():
            return replace(was, broken=(*was.broken, event.node), failed=(*was.failed, event.node))
        case WaveSlipped():
            return replace(was, slipped=True)
        case _:
            assert isinstance(event, WaveEnded), "it is the last kind"
            works = tuple(WaveWork(name, event.start_at, at) for name in event.tranches)
            takes_us = was.plan.takes_s * SECOND_US
            return replace(
                was, busy=False, own=(), cordoned=(), wave_nodes=(), works=was.works + works,
                next_at=max(at, was.next_at + takes_us),
            )  # fmt: skip
