"""Which nodes are out, and why? Failures of nodes and of what they hang on, quarantine, acceptance, cordons.

A node is out while it failed by itself, while anything that it hangs on is out (its rack, its switches, its cooling
loop, a feed above it, its hall, its site), while it is quarantined, or while it has not passed its checks. One event
tells of a whole part of the plant; what follows for each node is found in the fold, and told as `NodeTurn`s to the
stages to the right.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from forebay.core.ids import (
    Answer,
    Command,
    Event,
    FeedId,
    HallId,
    LoopId,
    NodeIndex,
    RackId,
    Refusal,
    SiteId,
    SwitchId,
)
from forebay.core.supply import plant, reported
from forebay.core.supply.condition import (
    FAILURES_MAX,
    DomainKind,
    FaultDomain,
    NodeCondition,
    NodeTurn,
    PlantHealth,
    RepairTicket,
)
from forebay.core.supply.plant import Emit, Rack, State
from forebay.core.supply.reported import NodeHealthLearned
from forebay.core.units import SECOND_US, counted

# Commands


@dataclass(slots=True)
class ReportNodeHealth(Command):
    """A node failed, or is well again, since `effective_at`; 0 where it is seen to be so now."""

    node: NodeIndex
    healthy: bool
    reason: str
    effective_at: int


@dataclass(slots=True)
class ReportDomainHealth(Command):
    """A part of the plant failed with all that hangs on it, or is well again, since `effective_at`."""

    kind: DomainKind
    name: str
    healthy: bool
    reason: str
    effective_at: int


@dataclass(slots=True)
class ReportNodeDegraded(Command):
    """A node may go on with what it runs and is to have nothing new, or it is well again."""

    node: NodeIndex
    degraded: bool
    reason: str


@dataclass(slots=True)
class ReportNodeCheck(Command):
    """A repaired node passed a check that it has to pass, or did not."""

    node: NodeIndex
    check: str
    passed: bool
    #: What was seen, in a line.
    evidence: str = ""


@dataclass(slots=True)
class QuarantineNode(Command):
    """This node is to be out until somebody releases it; its work moves away."""

    node: NodeIndex
    reason: str


@dataclass(slots=True)
class ReleaseNode(Command):
    """This node is quarantined no more; what else keeps it out does so still."""

    node: NodeIndex
    reason: str


@dataclass(slots=True)
class TicketNode(Command):
    """What is being done about a node that is out."""

    node: NodeIndex
    ticket: str
    cause: str = ""
    part: str = ""
    #: When it is expected back; 0 while not known.
    expected_at: int = 0


@dataclass(slots=True)
class CordonNode(Command):
    """No new work on this node; with `drain`, running work is moved away too."""

    node: NodeIndex
    reason: str
    drain: bool = False


@dataclass(slots=True)
class UncordonNode(Command):
    """The node may have work again."""

    node: NodeIndex


# Events


@dataclass(slots=True)
class NodeHealthChanged(Event):
    """A node failed by itself or was repaired; usage and money take `effective_at`, decisions the time of record."""

    node: NodeIndex
    healthy: bool
    reason: str
    effective_at: int
    #: Checks that it has to pass before it is back.
    checks: tuple[str, ...] = ()
    #: Whether it is out for maintenance: that is no failure of the node.
    planned: bool = False


@dataclass(slots=True)
class DomainHealthChanged(Event):
    """A part of the plant failed with all that hangs on it, or is well again."""

    kind: DomainKind
    name: str
    healthy: bool
    reason: str
    effective_at: int


@dataclass(slots=True)
class NodeDegraded(Event):
    """A node takes no new work because it is degraded, or is degraded no more."""

    node: NodeIndex
    degraded: bool
    reason: str


@dataclass(slots=True)
class NodeChecked(Event):
    """A node in acceptance passed a check, or failed by it: then it is out until it is repaired again."""

    node: NodeIndex
    check: str
    passed: bool
    evidence: str
    effective_at: int


@dataclass(slots=True)
class NodeQuarantined(Event):
    """A node is out until it is released."""

    node: NodeIndex
    reason: str
    #: The failures for which it was, when it was by itself.
    failures: tuple[int, ...]
    effective_at: int


@dataclass(slots=True)
class NodeReleased(Event):
    """A node is quarantined no more; its failures are forgotten."""

    node: NodeIndex
    reason: str
    effective_at: int


@dataclass(slots=True)
class NodeTicketed(Event):
    """What is being done about a node that is out; it is forgotten when the node is back."""

    node: NodeIndex
    ticket: str
    cause: str
    part: str
    expected_at: int
    opened_at: int


@dataclass(slots=True)
class NodeCordoned(Event):
    """A node takes no new work; one that was `draining` has its running work moved away."""

    node: NodeIndex
    reason: str
    draining: bool


@dataclass(slots=True)
class NodeUncordoned(Event):
    """A node takes work again."""

    node: NodeIndex


EVENTS: tuple[type[Event], ...] = (
    NodeHealthChanged,
    NodeHealthLearned,
    DomainHealthChanged,
    NodeDegraded,
    NodeChecked,
    NodeQuarantined,
    NodeReleased,
    NodeTicketed,
    NodeCordoned,
    NodeUncordoned,
)


class Rules(NamedTuple):
    """What the policy in force says of nodes that failed."""

    #: Checks that a repaired node has to pass.
    checks: tuple[str, ...] = ()
    #: So many failures within so many seconds, and a node is quarantined; 0 for never.
    lemon_failures: int = 0
    lemon_window_s: int = 0


# What hangs on what


def usable(state: State, node: NodeIndex) -> bool:
    """Whether a node may have new work: it is not out, and not cordoned or degraded."""
    return node not in state.failed and node not in state.cordoned


def known(state: State, domain: FaultDomain) -> bool:
    """Whether the plant has such a part."""
    kind, name = domain
    match kind:
        case DomainKind.RACK:
            return RackId(name) in state.racks
        case DomainKind.SWITCH:
            return SwitchId(name) in state.health.switches
        case DomainKind.LOOP:
            return bool(name) and any(rack.loop == LoopId(name) for rack in state.racks.values())
        case DomainKind.FEED:
            return FeedId(name) in state.feeds
        case DomainKind.HALL:
            return HallId(name) in state.halls
        case _:
            return SiteId(name) in state.sites


def domains_of(state: State, rack: Rack) -> list[FaultDomain]:
    """What the nodes of a rack hang on, the nearest first."""
    found = [FaultDomain(DomainKind.RACK, rack.id)]
    found += [FaultDomain(DomainKind.SWITCH, name) for name in state.health.switches_of.get(rack.id, ())]
    if rack.loop:
        found.append(FaultDomain(DomainKind.LOOP, rack.loop))
    found += [FaultDomain(DomainKind.FEED, feed.id) for feed in plant.feed_path(state, rack.feed)]
    return [*found, FaultDomain(DomainKind.HALL, rack.hall), FaultDomain(DomainKind.SITE, rack.site)]


def racks_under(state: State, domain: FaultDomain) -> list[Rack]:
    """The racks whose nodes hang on a part of the plant, in order."""
    kind, name = domain
    if kind is DomainKind.RACK:
        return [state.racks[RackId(name)]]
    if kind is DomainKind.SWITCH:
        named = set(state.health.switches[SwitchId(name)].racks)
        return [state.racks[rack] for rack in state.rack_order if rack in named]
    feeds = {feed for feed in state.feeds if any(above.id == name for above in plant.feed_path(state, feed))}
    hangs_on: Callable[[Rack], str] = {
        DomainKind.LOOP: lambda rack: rack.loop,
        DomainKind.FEED: lambda rack: name if rack.feed in feeds else "",
        DomainKind.HALL: lambda rack: rack.hall,
        DomainKind.SITE: lambda rack: rack.site,
    }[kind]
    return [rack for rack in map(state.racks.__getitem__, state.rack_order) if hangs_on(rack) == name]


def nodes_under(state: State, domain: FaultDomain) -> Iterator[NodeIndex]:
    """The nodes that hang on a part of the plant, in order."""
    for rack in racks_under(state, domain):
        yield from map(NodeIndex, range(rack.first_node, rack.first_node + rack.nodes))


def condition_of(state: State, node: NodeIndex) -> tuple[NodeCondition, str]:
    """How a node is, and why; "" when it is healthy."""
    health = state.health
    if node in health.quarantined:
        return NodeCondition.QUARANTINED, health.quarantined[node]
    if node in state.failed and node not in health.missing:
        return NodeCondition.FAILED, state.failed[node]
    if node in health.missing:
        above = _first_out(state, plant.rack_of(state, node))
        return (
            (NodeCondition.FAILED, above)
            if above is not None
            else (NodeCondition.IN_ACCEPTANCE, state.failed[node])
        )
    if node in health.degraded:
        return NodeCondition.DEGRADED, health.degraded[node]
    return NodeCondition.HEALTHY, ""


def out_alone(state: State, node: NodeIndex) -> bool:
    """Whether a node is out by its own failure alone: once it is repaired it is back."""
    health = state.health
    # Who maintains a node cordons it for the same reason, and lets it in again with it.
    kept = state.cordoned.get(node, health.own.get(node))
    alone = node in health.own and node not in health.quarantined and kept == health.own[node]
    return alone and _first_out(state, plant.rack_of(state, node)) is None


def out_since(state: State, node: NodeIndex) -> int:
    """Since when a node that is out is so, by the reasons that there are now."""
    health = state.health
    starts = [
        health.domain_since[each]
        for each in domains_of(state, plant.rack_of(state, node))
        if each in health.out
    ]
    if node in health.own or node in health.missing:
        failed_at = health.failures.get(node, (state.health_since[node],))[-1]
        starts.append(health.planned.get(node, failed_at))
    if node in health.quarantined:
        starts.append(health.decided[node])
    return min(starts)


# Decisions


def report_health(
    state: State, command: ReportNodeHealth, rules: Rules, at: int, emit: Emit
) -> Answer | Refusal:
    """A node failed or is well again. Refuses: unknown_node, future_fact. The same news twice changes nothing; news
    that is older than what is known says how the node was, not how it is."""
    node, since = command.node, command.effective_at or at
    no = _refuse_node(state, node)
    if no is not None:
        return no
    if since > at:
        return Refusal("future_fact", "a fact cannot take effect after it is reported", "effective_at")
    same = command.healthy is (node not in state.health.own)
    if since < reported.latest_fact(state.health.reported, node) or (same and command.effective_at):
        return _learn(state, command, emit)
    if same:
        return {"node": node, "changed": False}
    checks = rules.checks if command.healthy else ()
    emit(NodeHealthChanged(node, command.healthy, command.reason, since, checks))
    if not command.healthy and rules.lemon_failures and node not in state.health.quarantined:
        window_us = rules.lemon_window_s * SECOND_US
        lately = tuple(each for each in state.health.failures[node] if since - window_us < each)
        if len(lately) >= rules.lemon_failures:
            told = f"it failed {len(lately)} times within {counted(rules.lemon_window_s, 'second')}"
            emit(NodeQuarantined(node, told, lately, at))
    return {"node": node, "changed": True}


def _learn(state: State, command: ReportNodeHealth, emit: Emit) -> Answer:
    """News of how a node was: what it changes lies behind us."""
    node, since, health = command.node, command.effective_at, state.health
    rack = plant.rack_of(state, node)
    above = domains_of(state, rack)
    not_before = max(health.decided.get(node, 0), *(health.domain_since.get(each, 0) for each in above))
    beside = node in health.quarantined or any(each in health.out for each in above)
    fact = NodeHealthLearned(node, command.healthy, command.reason, since, since, since)
    learned = reported.learn_fact(health.reported.get(node, ()), fact, not_before, out_beside=beside)
    if learned is not None:
        emit(learned)
    return {"node": node, "changed": learned is not None and learned.since_at < learned.until_at}


def report_domain(state: State, command: ReportDomainHealth, at: int, emit: Emit) -> Answer | Refusal:
    """A part of the plant failed or is well again. Refuses: unknown_domain, future_fact. The same news twice, and
    news that is older than what is known, change nothing."""
    domain = FaultDomain(command.kind, command.name)
    if not known(state, domain):
        return Refusal("unknown_domain", f"there is no {command.kind} {command.name}", "name")
    if command.effective_at > at:
        return Refusal("future_fact", "a fact cannot take effect after it is reported", "effective_at")
    unchanged = command.healthy is (domain not in state.health.out)
    if unchanged or command.effective_at < state.health.domain_since.get(domain, 0):
        return {"kind": command.kind, "name": command.name, "changed": False, "nodes": 0}
    before = len(state.failed)
    emit(DomainHealthChanged(*domain, command.healthy, command.reason, command.effective_at))
    nodes = abs(len(state.failed) - before)
    return {"kind": command.kind, "name": command.name, "changed": True, "nodes": nodes}


def report_degraded(state: State, command: ReportNodeDegraded, emit: Emit) -> Answer | Refusal:
    """A node is degraded, or no more. Refuses: unknown_node."""
    no = _refuse_node(state, command.node)
    if no is not None:
        return no
    changed = command.degraded is not (command.node in state.health.degraded)
    if changed:
        emit(NodeDegraded(command.node, command.degraded, command.reason))
    return {"node": command.node, "changed": changed}


def report_check(state: State, command: ReportNodeCheck, at: int, emit: Emit) -> Answer | Refusal:
    """A check of a repaired node. Refuses: unknown_node, not_in_acceptance (it has no such check to pass)."""
    no = _refuse_node(state, command.node)
    if no is not None:
        return no
    missing = state.health.missing.get(command.node, ())
    if command.check not in missing:
        name = plant.node_name(state, command.node)
        told = f"{name} has to pass {', '.join(missing)}" if missing else f"{name} is not in acceptance"
        return Refusal("not_in_acceptance", told, "check")
    emit(NodeChecked(command.node, command.check, command.passed, command.evidence, at))
    return {
        "node": command.node,
        "changed": True,
        "missing": list(state.health.missing.get(command.node, ())),
    }


def quarantine(state: State, command: QuarantineNode, at: int, emit: Emit) -> Answer | Refusal:
    """Take a node out until it is released. Refuses: unknown_node."""
    no = _refuse_node(state, command.node)
    if no is not None:
        return no
    changed = command.node not in state.health.quarantined
    if changed:
        emit(NodeQuarantined(command.node, command.reason, (), at))
    return {"node": command.node, "changed": changed}


def release_node(state: State, command: ReleaseNode, at: int, emit: Emit) -> Answer | Refusal:
    """A node is quarantined no more. Refuses: unknown_node."""
    no = _refuse_node(state, command.node)
    if no is not None:
        return no
    changed = command.node in state.health.quarantined
    if changed:
        emit(NodeReleased(command.node, command.reason, at))
    return {"node": command.node, "changed": changed}


def ticket(state: State, command: TicketNode, at: int, emit: Emit) -> Answer | Refusal:
    """What is done about a node. Refuses: unknown_node, node_in_service."""
    no = _refuse_node(state, command.node)
    if no is not None:
        return no
    if usable(state, command.node):
        told = f"{plant.node_name(state, command.node)} is in service: there is nothing to be done about it"
        return Refusal("node_in_service", told, "node")
    said = (command.ticket, command.cause, command.part, command.expected_at)
    changed = state.health.tickets.get(command.node, ())[:4] != said
    if changed:
        emit(NodeTicketed(command.node, *said, at))
    return {"node": command.node, "changed": changed}


def cordon(state: State, command: CordonNode, emit: Emit) -> Answer | Refusal:
    """Keep new work off a node. Refuses: unknown_node."""
    no = _refuse_node(state, command.node)
    if no is not None:
        return no
    changed = command.node not in state.health.cordoned or command.drain
    if changed:
        reason = command.reason or state.health.cordoned.get(command.node, "")
        emit(NodeCordoned(command.node, reason, command.drain))
    return {"node": command.node, "changed": changed}


def uncordon(state: State, command: UncordonNode, emit: Emit) -> Answer | Refusal:
    """Let a node have work again. Refuses: unknown_node."""
    no = _refuse_node(state, command.node)
    if no is not None:
        return no
    changed = command.node in state.health.cordoned
    if changed:
        emit(NodeUncordoned(command.node))
    return {"node": command.node, "changed": changed}


def _refuse_node(state: State, node: NodeIndex) -> Refusal | None:
    if not 0 <= node < state.nodes:
        return Refusal("unknown_node", f"there is no node {node}", "node")
    return None


# The fold


def apply_health(state: State, event: Event) -> list[NodeTurn]:
    """Apply one event about health: which nodes it took out of service, or brought back."""
    health = state.health
    match event:
        case NodeHealthChanged():
            node = event.node
            state.health_since[node] = event.effective_at
            _note_fact(health, event)
            if event.healthy:
                del health.own[node]
                health.degraded.pop(node, None)
                if event.checks:
                    health.missing[node] = event.checks
            else:
                health.own[node] = event.reason
                health.missing.pop(node, None)
                if event.planned:
                    health.planned[node] = event.effective_at
                    return _settled(state, (node,), event.effective_at)
                health.planned.pop(node, None)
                lately = (*health.failures.get(node, ()), event.effective_at)
                health.failures[node] = lately[-FAILURES_MAX:]
            return _settled(state, (node,), event.effective_at)
        case DomainHealthChanged():
            domain = FaultDomain(event.kind, event.name)
            health.domain_since[domain] = event.effective_at
            if event.healthy:
                del health.out[domain]
            else:
                health.out[domain] = event.reason
            return _settled_racks(state, racks_under(state, domain), event.effective_at)
        case NodeChecked():
            left = tuple(check for check in health.missing.pop(event.node) if check != event.check)
            if not event.passed:
                health.planned.pop(event.node, None)
                health.own[event.node] = f"{event.check} failed{': ' * bool(event.evidence)}{event.evidence}"
            elif left:
                health.missing[event.node] = left
            return _decided(state, event.node, event.effective_at)
        case NodeQuarantined():
            health.quarantined[event.node] = event.reason
            return _decided(state, event.node, event.effective_at)
        case NodeReleased():
            del health.quarantined[event.node]
            health.failures.pop(event.node, None)
            return _decided(state, event.node, event.effective_at)
        case NodeHealthLearned():
            _note_fact(health, event)
            return []
        case plant.RackAdded() if health.out:
            return _settled_racks(state, [state.racks[event.rack]], 0)
        case _:
            return _apply_rest(state, event)


def _note_fact(health: PlantHealth, event: NodeHealthChanged | NodeHealthLearned) -> None:
    fact = reported.Fact(event.effective_at, event.healthy)
    health.reported[event.node] = reported.noted(health.reported.get(event.node, ()), fact)


def _apply_rest(state: State, event: Event) -> list[NodeTurn]:
    """What is about new work only, and what is only said of a node."""
    health = state.health
    match event:
        case NodeDegraded(degraded=True):
            health.degraded[event.node] = event.reason
        case NodeDegraded():
            del health.degraded[event.node]
        case NodeCordoned():
            health.cordoned[event.node] = event.reason
        case NodeUncordoned():
            del health.cordoned[event.node]
        case NodeTicketed():
            said = RepairTicket(event.ticket, event.cause, event.part, event.expected_at, event.opened_at)
            health.tickets[event.node] = said
            return []
        case _:
            return []
    return _settled(state, (event.node,), 0)


def _decided(state: State, node: NodeIndex, at: int) -> list[NodeTurn]:
    """A decision about a node took effect."""
    state.health.decided[node] = at
    return _settled(state, (node,), at)


def _settled(state: State, nodes: Iterable[NodeIndex], since: int) -> list[NodeTurn]:
    """What follows for single nodes."""
    found: list[NodeTurn] = []
    for node in nodes:
        found += _settled_rack(state, plant.rack_of(state, node), (node,), since)
    return found


def _settled_racks(state: State, racks: Iterable[Rack], since: int) -> list[NodeTurn]:
    """The same for whole racks."""
    found: list[NodeTurn] = []
    for rack in racks:
        nodes = map(NodeIndex, range(rack.first_node, rack.first_node + rack.nodes))
        found += _settled_rack(state, rack, nodes, since)
    return found


def _settled_rack(state: State, rack: Rack, nodes: Iterable[NodeIndex], since: int) -> list[NodeTurn]:
    """What follows for nodes of one rack, which hang on the same. Late news reaches back to the last change of
    anything that they hang on, or of the node itself.
    """
    health, failed, cordoned = state.health, state.failed, state.cordoned
    above = _first_out(state, rack)
    if health.domain_since:
        since = max(since, *(health.domain_since.get(domain, 0) for domain in domains_of(state, rack)))
    found = []
    for node in nodes:
        was = (node in failed, node in cordoned)
        out, kept = _why_out(state, node, above), health.cordoned.get(node)
        if kept is None:
            kept = health.degraded.get(node)
        now = (out is not None, kept is not None)
        if out is not None:
            failed[node] = out
        elif was[0]:
            del failed[node]
        if kept is not None:
            cordoned[node] = kept
        elif was[1]:
            del cordoned[node]
        if was != now:
            last = max(since, state.health_since.get(node, 0), health.decided.get(node, 0))
            found.append(NodeTurn(node, was, now, last))
            if now == (False, False):
                health.tickets.pop(node, None)
                health.planned.pop(node, None)
    return found


def _first_out(state: State, rack: Rack) -> str | None:
    """Of what a rack hangs on, the nearest that is out, in words; None where all is well."""
    out = state.health.out
    if not out:
        return None
    named = (domain for domain in domains_of(state, rack) if domain in out)
    first = next(named, None)
    if first is None:
        return None
    reason = out[first]
    return f"{first.kind} {first.name} is out{': ' * bool(reason)}{reason}"


def _why_out(state: State, node: NodeIndex, above: str | None) -> str | None:
    health = state.health
    if node in health.quarantined:
        return f"quarantined: {health.quarantined[node]}"
    if node in health.own:
        return health.own[node]
    if above is None and node in health.missing:
        return f"in acceptance: {', '.join(health.missing[node])} to be passed"
    return above


def check_health(state: State) -> Iterator[str]:
    """A node is out exactly if something keeps it out; and only what exists is known of."""
    health = state.health
    own = {*health.own, *health.quarantined, *health.missing}
    for node in (*own, *health.degraded, *health.cordoned, *health.tickets, *state.failed, *state.cordoned):
        if not 0 <= node < state.nodes:
            yield f"health of node {node}, which does not exist"
    hangs = {node for domain in health.out for node in nodes_under(state, domain)}
    if own | hangs != set(state.failed):
        yield f"nodes {sorted((own | hangs) ^ set(state.failed))[:8]} are out without a reason, or not with one"
    if {*health.cordoned, *health.degraded} != set(state.cordoned):
        yield "nodes that take no new work differ from those that are cordoned or degraded"
