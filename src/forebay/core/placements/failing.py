"""What does the policy say of what fails? Plain records; each is off until a policy turns it on."""

from __future__ import annotations

from dataclasses import dataclass

from forebay.core.claims.terms import SpareScope
from forebay.core.ids import Refusal
from forebay.core.supply.condition import FAILURES_MAX

CHECKS_MAX = 32
#: Engines say every few seconds that they are there.
ENGINE_S_MIN = 20
_YEAR_S = 366 * 24 * 3600


@dataclass(slots=True)
class Failing:
    """What is done about nodes that failed and about gangs that stand still (docs/reference/failures.md)."""

    #: Checks that a repaired node has to pass before it may have work.
    checks: tuple[str, ...] = ()
    #: A node that failed so often within the window is quarantined; 0 for never.
    lemon_failures: int = 0
    lemon_window_s: int = 7 * 86_400
    #: How long the hosts of a gang that lost a node, and spares for what it lost, are kept for it; 0 for not at all.
    hold_s: int = 0
    #: From how far a spare may come, unless the gang's tranche says another.
    spare: SpareScope = SpareScope.SITE
    #: A gang that reported progress once and reports none for so long is flagged as stuck; 0 for never.
    stuck_s: int = 0
    #: Whether it is stopped then, and started again.
    stuck_restarts: bool = False
    #: An engine that is not heard of for so long counts as silent; 0 for never.
    engine_silent_s: int = 0
    #: Runs end by themselves, and start again elsewhere, where their engine got no answer for so long; 0 for never.
    engine_fence_s: int = 0


def refuse_failing(failing: Failing) -> Refusal | None:
    """What a policy may not say of what fails: bad_quantity."""
    if not 0 <= failing.lemon_failures <= FAILURES_MAX:
        told = f"failures is {failing.lemon_failures}; from 0 to {FAILURES_MAX} is meant"
        return Refusal("bad_quantity", told, "policy.failing")
    if not 0 <= failing.hold_s <= _YEAR_S:
        return Refusal("bad_quantity", "hosts are held for 0 seconds to a year", "policy.failing")
    if not 0 <= failing.stuck_s <= _YEAR_S:
        return Refusal("bad_quantity", "a gang is stuck after 0 seconds to a year", "policy.failing")
    if failing.engine_silent_s and not ENGINE_S_MIN <= failing.engine_silent_s <= _YEAR_S:
        told = f"an engine is silent after {ENGINE_S_MIN} seconds to a year; 0 is for never"
        return Refusal("bad_quantity", told, "policy.failing")
    if failing.engine_fence_s and not ENGINE_S_MIN <= failing.engine_fence_s <= _YEAR_S:
        told = f"runs are fenced after {ENGINE_S_MIN} seconds to a year; 0 is for never"
        return Refusal("bad_quantity", told, "policy.failing")
    if failing.engine_fence_s and not failing.engine_silent_s:
        return Refusal("bad_quantity", "who fences has to say when an engine is silent", "policy.failing")
    if not 1 <= failing.lemon_window_s <= _YEAR_S:
        return Refusal("bad_quantity", "a window is from a second to a year", "policy.failing")
    checks = failing.checks
    if len(checks) > CHECKS_MAX or len(set(checks)) < len(checks) or not all(checks):
        told = f"at most {CHECKS_MAX} checks, each with a name of its own, are meant"
        return Refusal("bad_quantity", told, "policy.failing")
    return None
