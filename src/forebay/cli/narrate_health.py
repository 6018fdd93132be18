"""What events about health and about work that fails say, in sentences."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from forebay.cli import paper
from forebay.core import timeline

Body = dict[str, Any]


class Names(Protocol):
    """Whoever knows how people call things."""

    def node(self, index: int) -> str:
        """How people call a node."""


def _why(text: str) -> str:
    return f" ({text})" if text else ""


def _health(names: Names, body: Body) -> list[str]:
    node = names.node(body["node"])
    if body.get("planned"):
        return [f"{node} is out ({body['reason']})"]
    if not body["healthy"]:
        return [f"{node} failed{_why(body['reason'])}"]
    if body["checks"]:
        return [f"{node} was repaired; it has yet to pass {', '.join(body['checks'])}"]
    return [f"{node} is well again"]


def _learned(names: Names, body: Body) -> list[str]:
    if body["since_at"] == body["until_at"]:
        return []
    how = "was well" if body["healthy"] else "had failed"
    span = f"from {timeline.text(body['since_at'])} until {timeline.text(body['until_at'])}"
    return [f"{names.node(body['node'])} {how} {span}, as is known by now{_why(body['reason'])}"]


def _started_before(names: Names, body: Body) -> list[str]:
    span = f"from {timeline.text(body['effective_at'])} until {timeline.text(body['ended_at'])}"
    return [f"{body['gang']} had run {span}, as is known by now"]


def _domain(names: Names, body: Body) -> list[str]:
    what = f"{body['kind']} {body['name']}"
    if body["healthy"]:
        return [f"{what} is well again"]
    return [f"{what} failed, with all that hangs on it{_why(body['reason'])}"]


def _degraded(names: Names, body: Body) -> list[str]:
    state = "is degraded: it takes no new work" if body["degraded"] else "is degraded no more"
    return [f"{names.node(body['node'])} {state}{_why(body['reason'])}"]


def _checked(names: Names, body: Body) -> list[str]:
    how = "passed" if body["passed"] else "failed"
    return [f"{names.node(body['node'])} {how} {body['check']}{_why(body['evidence'])}"]


def _quarantined(names: Names, body: Body) -> list[str]:
    return [f"{names.node(body['node'])} is quarantined until it is released{_why(body['reason'])}"]


def _released(names: Names, body: Body) -> list[str]:
    return [f"{names.node(body['node'])} is quarantined no more{_why(body['reason'])}"]


def _ticketed(names: Names, body: Body) -> list[str]:
    doing = ", ".join(each for each in (body["cause"], body["part"]) if each)
    return [f"{names.node(body['node'])} carries ticket {body['ticket']}{_why(doing)}"]


def _kept(names: Names, body: Body) -> list[str]:
    hosts, spares = (sum(count for _, count in body[each]) for each in ("hosts", "spares"))
    kept = f"{paper.count(hosts, 'node')} of its own and {paper.count(spares, 'spare')}"
    return [f"{body['gang']} is to start again: {kept} are kept for it"]


def _let_go(names: Names, body: Body) -> list[str]:
    if body["reason"] in ("placed", "over"):
        return []
    return [f"nothing is kept for {body['gang']} any more ({body['reason']})"]


def _stuck(names: Names, body: Body) -> list[str]:
    return [
        f"{body['gang']} is stuck: it has not got beyond mark {body['mark']} since {timeline.text(body['since_at'])}"
    ]


def _heard(names: Names, body: Body) -> list[str]:
    return [f"engine {body['engine']} is heard of again"] if body["back"] else []


def _silent(names: Names, body: Body) -> list[str]:
    told = f"engine {body['engine']} is silent: it was last heard of at {timeline.text(body['heard_at'])}"
    if not body["fence_at"]:
        return [told]
    return [f"{told}; leases there are over at {timeline.text(body['fence_at'])}"]


def _fenced(names: Names, body: Body) -> list[str]:
    why = "its leases are over" if body["by_lease"] else "by hand" + _why(body["reason"])
    return [f"engine {body['engine']} is fenced, {why}: {paper.count(len(body['generations']), 'gang')}"]


def _overran(names: Names, body: Body) -> list[str]:
    longer = paper.span(body["estimate_s"])
    return [f"{body['gang']} runs longer than it was taken to: from here on it is taken to run for {longer}"]


SENTENCES: Mapping[str, Callable[[Names, Body], list[str]]] = {
    "NodeHealthChanged": _health,
    "NodeHealthLearned": _learned,
    "DomainHealthChanged": _domain,
    "NodeDegraded": _degraded,
    "NodeChecked": _checked,
    "NodeQuarantined": _quarantined,
    "NodeReleased": _released,
    "NodeTicketed": _ticketed,
    "HostsHeld": _kept,
    "HostsReleased": _let_go,
    "GangStuck": _stuck,
    "GangStartLearned": _started_before,
    "EngineHeard": _heard,
    "EngineSilent": _silent,
    "EngineFenced": _fenced,
    "GangOverran": _overran,
}
