"""When are nodes that are out expected back? By the tickets of those that only have to be repaired."""

from __future__ import annotations

from forebay.core import supply
from forebay.core.ids import NodeIndex


def expected_back(supplied: supply.State, at: int) -> list[tuple[int, NodeIndex]]:
    """Nodes that are expected back after `at`, and when, in order. What is late is expected no more, and a node that
    something else keeps out as well is not expected.
    """
    tickets = supplied.health.tickets
    return sorted(
        (ticket.expected_at, node)
        for node, ticket in tickets.items()
        if ticket.expected_at > at and supply.health.out_alone(supplied, node)
    )
