"""Was a node wiped between two tenants? Whoever does it says so: it is done, or it failed.

Nodes that a gang left are wiped and checked until its `returns_at`. One of which it is told meanwhile that this
failed is quarantined at once, so that nobody gets it. Once all of a gang's nodes are told done, they return before
their time. Where the policy asks for it (`wipe_reported`), one of which nothing was told in time counts as failed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from forebay.core import supply
from forebay.core.ids import Answer, Command, NodeIndex, Refusal
from forebay.core.placements import gang as gangs
from forebay.core.placements.gang import Gang
from forebay.core.placements.index import each_node
from forebay.core.placements.schedule import Desk
from forebay.core.supply import health

Quarantine = Callable[[Desk, health.QuarantineNode], Answer | Refusal]


@dataclass(slots=True)
class ReportWipe(Command):
    """A node that is being wiped is clean and checked, or is not."""

    node: NodeIndex
    passed: bool
    #: What was seen.
    evidence: str = ""


def report_wipe(desk: Desk, report: ReportWipe, quarantine: Quarantine) -> Answer | Refusal:
    """What became of a wipe. Refuses: not_being_wiped. The same news twice changes nothing."""
    left = [
        desk.state.gangs[name]
        for name in sorted(desk.derived.held.wiped)
        if report.node in nodes_of_gang(desk.state.gangs[name])
    ]
    if not left:
        return Refusal("not_being_wiped", "this node is not being wiped between two tenants", "node")
    if not report.passed:
        reason = f"wipe failed: {report.evidence}" if report.evidence else "wipe failed"
        return quarantine(desk, health.QuarantineNode(report.node, reason))
    changed = False
    for gang in left:
        if report.node not in desk.state.lending.wiped.get(gang.spec.id, ()):
            desk.emit(gangs.NodeWiped(gang.spec.id, gang.generation, report.node))
            changed = True
            if not unreported(desk, gang):
                desk.emit(gangs.NodesReturned(gang.spec.id, gang.generation))
    return {"node": report.node, "changed": changed}


def nodes_of_gang(gang: Gang) -> set[NodeIndex]:
    """The nodes that a gang is on, or left."""
    return {NodeIndex(node) for node, _ in each_node(gang.runs)}


def unreported(desk: Desk, gang: Gang) -> list[NodeIndex]:
    """Nodes that a gang left of which nobody said yet that they are clean, without those that are out anyway."""
    done = desk.state.lending.wiped.get(gang.spec.id, ())
    return [
        node for node in sorted(nodes_of_gang(gang)) if node not in done and not _is_out(desk.supplied, node)
    ]


def _is_out(supplied: supply.State, node: NodeIndex) -> bool:
    return node in supplied.failed or node in supplied.health.quarantined


def return_in_time(desk: Desk, gang: Gang, quarantine: Quarantine) -> None:
    """The time for wiping is over."""
    late = unreported(desk, gang) if desk.state.policy.wipe_reported else []
    desk.emit(gangs.NodesReturned(gang.spec.id, gang.generation))
    for node in late:
        quarantine(desk, health.QuarantineNode(node, "nobody reported that it was wiped"))
