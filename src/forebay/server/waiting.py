"""What does a gang that is pending wait for, in one word and two numbers? For lists, where it must cost little.

The same constraint as in its explanation, without the sentences and without an expected start, which would mean to
play everything that runs to its end for every gang of a list.
"""

from __future__ import annotations

from forebay.core import claims, ids
from forebay.core.placements import gang as gangs
from forebay.core.placements import schedule
from forebay.core.world import World
from forebay.server import bodies


def constraint(world: World, principal: ids.Principal, gang: gangs.Gang) -> bodies.ConstraintBody:
    """What binds a pending gang. Levels that are not a tenant's own are not named to it."""
    spec, state = gang.spec, world.state
    if gang.returns_at:
        return _binds("turnover")
    if gang.not_before > state.now:
        return _binds("backoff")
    if spec.tier is gangs.Tier.DEDICATED:
        tranche = state.claims.tranches[spec.tranche]
        if tranche.standing is claims.Standing.SIGNED:
            return _binds("claim", spec.tranche, need=spec.gpus)
    desk = schedule.Desk(state.placements, world.placed, state.supply, state.claims, _nothing, state.now)
    found = schedule.find(desk, gang)
    if isinstance(found, schedule.Fit):
        return _binds("queue")
    own = spec.tier is gangs.Tier.DEDICATED and found.constraint != "power"
    level = found.level if own or principal.role is ids.Role.OPERATOR else ""
    return _binds(found.constraint, level, found.have, found.need)


def _binds(code: str, level: str = "", have: int = 0, need: int = 0) -> bodies.ConstraintBody:
    return {"code": code, "level": level, "have": have, "need": need}


def _nothing(event: ids.Event) -> None:
    raise AssertionError("to look for a place decides nothing")
