"""Does what is recorded of contracts hold together? Nobody has what is another's, and nothing is over its cap."""

from __future__ import annotations

from collections.abc import Iterator

from forebay.core import supply
from forebay.core.claims.acceptance import PartLife
from forebay.core.claims.contracts import (
    Standing,
    State,
    Tranche,
    billed_runs,
    nodes_each,
    term,
    units_accepted,
)
from forebay.core.claims.noderuns import runs_less
from forebay.core.claims.promised_power import promised_w
from forebay.core.claims.rights import Life
from forebay.core.timeline import INSTANT_MAX, Interval


def check(state: State, supplied: supply.State) -> Iterator[str]:
    """Invariant 4, of nodes and their power: none is promised twice at one instant; and what rights and holds say
    agrees.
    """
    held = [tranche for tranche in state.tranches.values() if tranche.standing is not Standing.ENDED]
    yield from _bound_twice(held)
    for tranche in state.tranches.values():
        yield from _check_parts(tranche, supplied)
    room_w = supply.room_w(supplied)
    plans = [(tranche.plan, tranche.runs) for tranche in held]
    for level, watts in promised_w(plans, supplied, Interval(0, INSTANT_MAX)).items():
        if watts > room_w[level]:
            yield f"{watts} W are promised on {level.kind} {level.name}, which has room for {room_w[level]} W of work"
    for name, right in state.rights.items():
        open_ = [right.hold] if right.life is Life.OFFERED else []
        for hold in [*open_, *(passed for passed, _ in right.passed)]:
            if hold not in state.holds:
                yield f"right {name}: the sale that it is about, {hold}, is not held"
    for name, right in state.rented.rights.items():
        if (right.life is Life.OFFERED) != (name in state.rented.offers.open):
            yield f"right {name} of what we rent is {right.life.value}, and an offer by it is open or is not"
    for contract in state.contracts.values():
        for cap in contract.caps:
            if state.drawn.get((contract.id, cap.id), 0) > cap.micros:
                yield f"contract {contract.id}: more is drawn on cap {cap.id} than it has"


def _bound_twice(held: list[Tranche]) -> Iterator[str]:
    """Tranches that have a node both at one instant: by node, so that not everybody is compared with everybody."""
    runs = sorted(
        (first, first + count, place) for place, each in enumerate(held) for first, count in each.runs
    )
    found = set()
    reaching: list[tuple[int, int]] = []
    for first, end, place in runs:
        reaching = [(until, other) for until, other in reaching if until > first]
        for _, other in reaching:
            if other != place and term(held[place].plan).overlaps(term(held[other].plan)):
                found.add((min(place, other), max(place, other)))
        reaching.append((end, place))
    for one, other in sorted(found):
        yield f"tranches {held[one].plan.id} and {held[other].plan.id} are bound to the same nodes"


def _check_parts(tranche: Tranche, supplied: supply.State) -> Iterator[str]:
    """No more is ready than is promised; what is paid for is bound, and was accepted."""
    name, accepted = tranche.plan.id, units_accepted(tranche)
    if units_accepted(tranche, PartLife.READY, PartLife.ACCEPTED) > tranche.plan.count:
        yield f"tranche {name}: more is ready than it promises"
    billed = sum(count for _, count, _ in tranche.billed)
    if billed > accepted * nodes_each(tranche.plan, supplied):
        yield f"tranche {name}: {billed} nodes are paid for, and {accepted} units were accepted"
    if runs_less(billed_runs(tranche), tranche.runs):
        yield f"tranche {name} pays for nodes that it does not have"
