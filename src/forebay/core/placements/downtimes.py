"""When was each node out, in whose service was it, and what was told of work on it? Kept for what a month costs.

Every stretch in which a node is out stands here with why, whether or not somebody had it then, and beside it which
nodes a tranche had in service. Late news counts from when it took effect, and never before the stretch that it
follows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from forebay.core import claims, supply
from forebay.core.ids import Event, NodeIndex, TrancheId
from forebay.core.placements import campaigns
from forebay.core.supply.health import domains_of
from forebay.core.supply.plant import rack_of
from forebay.core.timeline import INSTANT_MAX, Interval
from forebay.core.units import DAY_US

#: What ended longer ago than this before the close of a period is forgotten.
KEPT_US = 400 * DAY_US

K = TypeVar("K")
V = TypeVar("V")
#: The cause that may have been agreed.
MAINTENANCE = "maintenance"
#: The cause that nothing but relief excuses.
CURTAILMENT = "curtailment"


class Outage(NamedTuple):
    """A node was out; the end is `INSTANT_MAX` as long as it is."""

    start_at: int
    end_at: int
    #: "node", "quarantine", "checks", "maintenance", or what it hangs on ("rack", "loop", "feed" ...).
    cause: str
    reason: str


class Stint(NamedTuple):
    """Nodes that a tranche had in service; the end is `INSTANT_MAX` as long as it has."""

    first: int
    nodes: int
    start_at: int
    end_at: int


class Notice(NamedTuple):
    """At `at` a tranche was told that work on these nodes begins at `start_at`."""

    at: int
    start_at: int
    nodes: campaigns.NodeRuns


@dataclass(slots=True)
class Downtimes:
    """What is known of every node that was out, and of every tranche that was served."""

    out: dict[NodeIndex, tuple[Outage, ...]] = field(default_factory=dict)
    served: dict[TrancheId, tuple[Stint, ...]] = field(default_factory=dict)
    notices: dict[TrancheId, tuple[Notice, ...]] = field(default_factory=dict)
    #: When the maintenance windows of a tranche are open, as its campaigns say.
    windows: dict[TrancheId, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    #: When nodes of a tranche stood idle, for what ran there had given up its power.
    curtailed: dict[tuple[TrancheId, NodeIndex], tuple[Outage, ...]] = field(default_factory=dict)

    def fork(self) -> Downtimes:
        """A copy whose containers are its own."""
        return Downtimes(
            self.out.copy(),
            self.served.copy(),
            self.notices.copy(),
            self.windows.copy(),
            self.curtailed.copy(),
        )


def note_nodes(
    known: Downtimes, supplied: supply.State, event: Event, turns: Iterable[supply.NodeTurn], at: int
) -> None:
    """Nodes went out or came back by an event of supply, or are out for another reason than before."""
    for turn in turns:
        if turn.now[0] and not turn.was[0]:
            _begin(known, supplied, turn.node, min(turn.since, at))
        elif turn.was[0] and not turn.now[0]:
            _end(known, turn.node, min(turn.since, at))
    if isinstance(event, supply.NodeHealthChanged | supply.NodeChecked):
        lasting = known.out.get(event.node, ())[-1:]
        if lasting and lasting[0].end_at == INSTANT_MAX:
            planned = event.node in supplied.health.planned
            if lasting[0].cause == MAINTENANCE and not planned:
                since = min(event.effective_at, at)
                _end(known, event.node, since)
                _begin(known, supplied, event.node, since)


def _begin(known: Downtimes, supplied: supply.State, node: NodeIndex, since: int) -> None:
    before = known.out.get(node, ())
    start_at = max(since, before[-1].end_at) if before else since
    known.out[node] = (*before, Outage(start_at, INSTANT_MAX, _cause(supplied, node), supplied.failed[node]))


def _end(known: Downtimes, node: NodeIndex, since: int) -> None:
    *before, last = known.out[node]
    left = (last._replace(end_at=since),) if since > last.start_at else ()
    known.out[node] = (*before, *left)
    if not known.out[node]:
        del known.out[node]


def _cause(supplied: supply.State, node: NodeIndex) -> str:
    """What keeps a node out that is out."""
    health = supplied.health
    if node in health.quarantined:
        return "quarantine"
    if node in health.planned:
        return MAINTENANCE
    if node in health.own:
        return "node"
    out = (each.kind.value for each in domains_of(supplied, rack_of(supplied, node)) if each in health.out)
    return next(out, "checks")


def learn_stretch(
    known: Downtimes, node: NodeIndex, since: int, until: int, reason: str, *, healthy: bool
) -> None:
    """A node was out, or well, in `[since, until)` after all."""
    parts: list[Outage] = []
    for each in known.out.get(node, ()):
        before = each._replace(end_at=min(each.end_at, since))
        after = each._replace(start_at=max(each.start_at, until))
        parts += [part for part in (before, after) if part.start_at < part.end_at]
    if not healthy:
        parts.append(Outage(since, until, "node", reason))
    known.out[node] = tuple(sorted(parts))
    if not parts:
        del known.out[node]


def out_us(known: Downtimes, node: NodeIndex, span: Interval) -> int:
    """For how long of a stretch of time a node was out, microseconds."""
    return sum(
        max(0, min(each.end_at, span.end) - max(each.start_at, span.start))
        for each in known.out.get(node, ())
    )


def begin_curtailed(known: Downtimes, tranche: TrancheId, node: NodeIndex, since: int, reason: str) -> None:
    """What ran on a node of a tranche has left it for want of power."""
    before = known.curtailed.get((tranche, node), ())
    if before and before[-1].end_at == INSTANT_MAX:
        return
    start_at = max(since, before[-1].end_at) if before else since
    known.curtailed[tranche, node] = (*before, Outage(start_at, INSTANT_MAX, CURTAILMENT, reason))


def end_curtailed(known: Downtimes, tranche: TrancheId, node: NodeIndex, at: int) -> None:
    """Something runs there again, or wants to no more."""
    before = known.curtailed.get((tranche, node), ())
    if before and before[-1].end_at == INSTANT_MAX:
        left = (before[-1]._replace(end_at=at),) if before[-1].start_at < at else ()
        known.curtailed[tranche, node] = (*before[:-1], *left)
        if not known.curtailed[tranche, node]:
            del known.curtailed[tranche, node]


def note_service(known: Downtimes, tranche: TrancheId, runs: Iterable[tuple[int, int]], at: int) -> None:
    """A tranche has these nodes in service from now on."""
    new = tuple(Stint(first, count, at, INSTANT_MAX) for first, count in runs)
    if new:
        known.served[tranche] = (*known.served.get(tranche, ()), *new)


def end_service(known: Downtimes, tranche: TrancheId, runs: Iterable[tuple[int, int]], at: int) -> None:
    """A tranche has these nodes in service no more."""
    gone = tuple(runs)
    kept: list[Stint] = []
    for stint in known.served.get(tranche, ()):
        left = claims.runs_less(((stint.first, stint.nodes),), gone) if stint.end_at == INSTANT_MAX else ()
        if stint.end_at != INSTANT_MAX or left == ((stint.first, stint.nodes),):
            kept.append(stint)
            continue
        kept += [stint._replace(first=first, nodes=count) for first, count in left]
        if stint.start_at < at:
            parts = claims.runs_less(((stint.first, stint.nodes),), left)
            kept += [Stint(first, count, stint.start_at, at) for first, count in parts]
    if kept:
        known.served[tranche] = tuple(sorted(kept))
    else:
        known.served.pop(tranche, None)


def note_campaign(known: Downtimes, event: Event, at: int) -> None:
    """What a campaign told its tranches, and when their windows are open."""
    if isinstance(event, campaigns.NoticeSent):
        notice = Notice(at, event.start_at, event.nodes)
        known.notices[event.tranche] = (*known.notices.get(event.tranche, ()), notice)
    elif isinstance(event, campaigns.CampaignPlanned):
        for each in event.windows:
            both = {*known.windows.get(each.tranche, ()), *each.open}
            known.windows[each.tranche] = tuple(sorted(both))


def forget(known: Downtimes, closed_at: int) -> None:
    """What no month is asked for any more that is kept: at the close of a period."""
    oldest = closed_at - KEPT_US
    known.out = _without({key: tuple(e for e in was if e.end_at > oldest) for key, was in known.out.items()})
    known.curtailed = _without(
        {key: tuple(e for e in was if e.end_at > oldest) for key, was in known.curtailed.items()}
    )
    known.served = _without(
        {key: tuple(e for e in was if e.end_at > oldest) for key, was in known.served.items()}
    )
    known.notices = _without(
        {key: tuple(e for e in was if e.start_at > oldest) for key, was in known.notices.items()}
    )
    known.windows = _without(
        {key: tuple(e for e in was if e[1] > oldest) for key, was in known.windows.items()}
    )


def _without(found: dict[K, tuple[V, ...]]) -> dict[K, tuple[V, ...]]:
    return {key: each for key, each in found.items() if each}
