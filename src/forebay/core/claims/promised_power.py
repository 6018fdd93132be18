"""How many watts do tranches promise, and on which levels of the electrical tree?"""

from __future__ import annotations

from forebay.core import supply, timeline
from forebay.core.claims.terms import TranchePlan
from forebay.core.supply import PowerLevel
from forebay.core.timeline import Interval


def power_of(
    plan: TranchePlan, runs: tuple[tuple[int, int], ...], supplied: supply.State
) -> dict[PowerLevel, int]:
    """Watts of a tranche's nodes with all GPUs at work, on each level above them."""
    sku = supplied.skus[plan.sku]
    found: dict[PowerLevel, int] = {}
    for first, count in runs:
        node, end = first, first + count
        while node < end:
            rack = supply.rack_of(supplied, node)
            nodes = min(end, rack.first_node + rack.nodes) - node
            for level in supply.levels_of(supplied, rack):
                found[level] = found.get(level, 0) + nodes * sku.gpus_per_node * sku.gpu_w
            node += nodes
    return found


def promised_w(
    held: list[tuple[TranchePlan, tuple[tuple[int, int], ...]]], supplied: supply.State, window: Interval
) -> dict[PowerLevel, int]:
    """The most watts that are promised on each level at any instant of `window`; levels without any are left out."""
    loads: dict[PowerLevel, list[tuple[Interval, int]]] = {}
    for plan, runs in held:
        if Interval(plan.start_at, plan.end_at).overlaps(window):
            for level, watts in power_of(plan, runs, supplied).items():
                loads.setdefault(level, []).append((Interval(plan.start_at, plan.end_at), watts))
    return {level: timeline.peak(entries, window) for level, entries in loads.items()}
