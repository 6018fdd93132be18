"""What happens to work when nodes go out of service? Commands about the health of the plant, and what follows.

Whatever holds GPUs on a node that goes out is stopped and starts again elsewhere, whole; a node that takes no new
work keeps what runs there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from typing import Any

from forebay.core import supply
from forebay.core.ids import Answer, Command, GangId, NodeIndex, Refusal, Role
from forebay.core.placements import gang as gangs
from forebay.core.placements import hosts, schedule, stuck, wipes
from forebay.core.placements.index import each_node
from forebay.core.placements.schedule import Desk
from forebay.core.supply import health
from forebay.core.timeline import Due

_FACTS = frozenset({Role.OPERATOR, Role.EDGE})
_OWN = frozenset({Role.OPERATOR})
#: Who may ask for what.
ROLES: dict[type[Command], frozenset[Role]] = {
    health.ReportNodeHealth: _FACTS,
    health.ReportDomainHealth: _FACTS,
    health.ReportNodeDegraded: _FACTS,
    health.ReportNodeCheck: _FACTS,
    health.QuarantineNode: _OWN,
    health.ReleaseNode: _OWN,
    health.TicketNode: _OWN,
    health.CordonNode: _OWN,
    health.UncordonNode: _OWN,
    gangs.ReportGangProgress: _FACTS | {Role.TENANT},
    wipes.ReportWipe: _FACTS,
}


def rules(desk: Desk) -> health.Rules:
    """What the policy in force says of nodes that failed."""
    failing = desk.state.policy.failing
    return health.Rules(failing.checks, failing.lemon_failures, failing.lemon_window_s)


def _node_health(desk: Desk, command: health.ReportNodeHealth) -> Answer | Refusal:
    answer = health.report_health(desk.supplied, command, rules(desk), desk.at, desk.emit)
    if not command.healthy and not isinstance(answer, Refusal):
        _clear_out(desk, (command.node,), "node_failed")
    return answer


def _domain_health(desk: Desk, command: health.ReportDomainHealth) -> Answer | Refusal:
    answer = health.report_domain(desk.supplied, command, desk.at, desk.emit)
    if not command.healthy and not isinstance(answer, Refusal):
        domain = supply.FaultDomain(command.kind, command.name)
        _clear_out(desk, supply.nodes_under(desk.supplied, domain), "node_failed")
    return answer


def _quarantine(desk: Desk, command: health.QuarantineNode) -> Answer | Refusal:
    answer = health.quarantine(desk.supplied, command, desk.at, desk.emit)
    if not isinstance(answer, Refusal):
        _clear_out(desk, (command.node,), "quarantine")
    return answer


def _cordon(desk: Desk, command: health.CordonNode) -> Answer | Refusal:
    answer = health.cordon(desk.supplied, command, desk.emit)
    if command.drain and not isinstance(answer, Refusal):
        schedule.clear_nodes(desk, {command.node}, "drain")
    return answer


def _clear_out(desk: Desk, nodes: Iterable[NodeIndex], reason: str) -> None:
    """What runs on nodes that are out stops; what is left of its hosts is kept for it, with spares."""
    out = {node for node in nodes if node in desk.supplied.failed}
    again_by = {name: desk.state.holds[name].until_at for name in hosts.touching(desk.state, out)}
    stopped = schedule.clear_nodes(desk, out, reason)
    floor = schedule.floor_of(desk)
    if desk.state.policy.failing.hold_s:
        pausing = (name for name in desk.derived.backoff if _was_on(desk, name, out))
        fresh = {*stopped, *pausing} - again_by.keys() - desk.state.holds.keys()
        again_by |= dict.fromkeys(fresh, hosts.until(floor))
    for name in sorted(again_by, key=lambda name: desk.state.gangs[name].order):
        hosts.keep(floor, name, again_by[name])


def wake(desk: Desk, due: Due) -> None:
    """The time is over in which what a gang left is wiped."""
    desk.derived.dues.pop()
    wipes.return_in_time(desk, desk.state.gangs[GangId(due.about)], _quarantine)


def _was_on(desk: Desk, name: GangId, nodes: Set[NodeIndex]) -> bool:
    return any(node in nodes for node, _ in each_node(desk.state.gangs[name].runs))


#: What is decided about nodes and what they hang on, and about work that gets nowhere.
DECIDED: dict[type[Command], Callable[[Desk, Any], Answer | Refusal]] = {
    health.ReportNodeHealth: _node_health,
    health.ReportDomainHealth: _domain_health,
    health.QuarantineNode: _quarantine,
    health.CordonNode: _cordon,
    health.ReportNodeDegraded: lambda desk, ask: health.report_degraded(desk.supplied, ask, desk.emit),
    health.ReportNodeCheck: lambda desk, ask: health.report_check(desk.supplied, ask, desk.at, desk.emit),
    health.ReleaseNode: lambda desk, ask: health.release_node(desk.supplied, ask, desk.at, desk.emit),
    health.TicketNode: lambda desk, ask: health.ticket(desk.supplied, ask, desk.at, desk.emit),
    gangs.ReportGangProgress: lambda desk, ask: stuck.report_progress(desk.state, ask, desk.emit, desk.at),
    wipes.ReportWipe: lambda desk, ask: wipes.report_wipe(desk, ask, _quarantine),
    health.UncordonNode: lambda desk, ask: health.uncordon(desk.supplied, ask, desk.emit),
}
