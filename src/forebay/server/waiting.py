"""What does a gang that is pending wait for, in one word and two numbers? For lists, where it must cost little.

The same constraint as in its explanation, without the sentences and without an expected start, which would mean to
play everything that runs to its end for every gang of a list.
"""

from __future__ import annotations

from forebay.core import claims, ids
from forebay.core.placements import chains, schedule
from forebay.core.placements import gang as gangs
from forebay.core.placements.explain_power import OF_LEVELS
from forebay.core.world import World
from forebay.server import bodies


def constraint(world: World, principal: ids.Principal, gang: gangs.Gang) -> bodies.ConstraintBody:
    """What binds a pending gang. Levels that are not a tenant's own are not named to it."""
    spec, state = gang.spec, world.state
    if gang.returns_at:
        return _binds("turnover")
    if gang.not_before > state.now:
        return _binds("backoff")
    if not chains.may_queue(state.placements.chains, spec):
        waiting = state.placements.chains.waits.get(spec.id)
        return _binds("dependency", need=len(waiting.unmet)) if waiting else _binds("array")
    if spec.id in world.placed.awaiting:
        return _binds("data", need=len(spec.datasets))
    if spec.tier is gangs.Tier.DEDICATED:
        tranche = state.claims.tranches[spec.tranche]
        if tranche.standing is claims.Standing.SIGNED:
            return _binds("claim", spec.tranche, need=spec.gpus)
    barred = world.placed.queue.barred(gang, state.placements.gangs)
    if barred is not None and barred.spent is not None:
        return _binds("budget", barred.spent.id)
    if barred is not None and barred.node is not None:
        name = f"{barred.node.project}/{barred.node.user}" if barred.node.user else barred.node.project
        return _binds("cap", name, barred.left, spec.gpus)
    desk = schedule.Desk(state.placements, world.placed, state.supply, state.claims, _nothing, state.now)
    found = schedule.find(desk, gang)
    if isinstance(found, schedule.Fit):
        return _binds("queue")
    own = spec.tier is gangs.Tier.DEDICATED and found.constraint not in OF_LEVELS
    level = found.level if own or principal.role is ids.Role.OPERATOR else ""
    return _binds(found.constraint, level, found.have, found.need)


def _binds(code: str, level: str = "", have: int = 0, need: int = 0) -> bodies.ConstraintBody:
    return {"code": code, "level": level, "have": have, "need": need}


def _nothing(event: ids.Event) -> None:
    raise AssertionError("to look for a place decides nothing")
