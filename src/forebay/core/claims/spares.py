"""How many nodes of a stock are to be left over, so that the loss of a part of the plant can be made good?

As many as the largest failure domain has that the policy names. Which of them are in use does not matter: spares that
are lost with their domain are so many nodes less of it that were in use. What is to come has no place yet: until it
stands, it counts as a rack.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from forebay.core import supply
from forebay.core.claims.terms import Spares


def domain_of(rack: supply.Rack, kind: Spares) -> Hashable | None:
    """What is lost together with a rack; None where that is not known, or nothing is named."""
    return {
        Spares.NONE: None,
        Spares.RACK: rack.id,
        Spares.ROW: (rack.hall, rack.row),
        Spares.FEED: rack.feed,
        Spares.LOOP: rack.loop or None,
    }[kind]


def nodes_needed(racks: Iterable[supply.Rack], kind: Spares, nodes_per_rack: int) -> int:
    """Nodes to be left over of a stock that has these racks; a rack at least, unless none are to be."""
    if kind is Spares.NONE:
        return 0
    sizes: dict[Hashable, int] = {}
    for rack in racks:
        domain = domain_of(rack, kind)
        if domain is not None:
            sizes[domain] = sizes.get(domain, 0) + rack.nodes
    return max(nodes_per_rack, *sizes.values(), 0)
