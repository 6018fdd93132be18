"""Which tranches have some nodes in service, or had until their term was over? Asked of many nodes at once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from forebay.core.claims.contracts import State, Tranche, billed_runs
from forebay.core.ids import NodeIndex


def in_service_of(state: State, nodes: Sequence[NodeIndex]) -> dict[NodeIndex, list[Tranche]]:
    """For each of these nodes (in order) the tranches whose term began that have it in service, those included whose
    term is over, in order of signing.
    """
    found: dict[NodeIndex, list[Tranche]] = {}
    for tranche in state.tranches.values():
        if tranche.started_at:
            for first, count in billed_runs(tranche):
                for node in nodes[bisect_left(nodes, first) : bisect_left(nodes, first + count)]:
                    found.setdefault(node, []).append(tranche)
    return found
