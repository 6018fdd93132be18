"""May this policy be in force from here on?"""

from __future__ import annotations

from forebay.core import supply
from forebay.core.ids import Answer, Refusal
from forebay.core.placements import gang as gangs
from forebay.core.placements.among import refuse_among
from forebay.core.placements.estimates import refuse_terms
from forebay.core.placements.failing import refuse_failing
from forebay.core.placements.schedule import GRACE_S_MAX, WALLTIME_S_MAX, Desk
from forebay.core.placements.sharing import HALVES_MAX


def apply_policy(desk: Desk, policy: gangs.Policy) -> Answer | Refusal:
    """Put a policy in force. Refuses: bad_quantity, policy_version."""
    if policy == desk.state.policy:
        return {"version": policy.version, "changed": False}
    for name, value, least in (
        ("overtake_s", policy.overtake_s, 0),
        ("backoff_s", policy.backoff_s, 0),
        ("backoff_s_max", policy.backoff_s_max, 0),
        ("turnover_s", policy.turnover_s, 0),
        ("scrub_s", policy.scrub_s, 0),
        ("check_s", policy.check_s, 0),
        ("reclaim_ramp_s", policy.reclaim_ramp_s, 0),
        ("start_timeout_s", policy.start_timeout_s, 1),
    ):
        if not least <= value <= WALLTIME_S_MAX:
            text = f"{name} is {value}; from {least} to {WALLTIME_S_MAX} is meant"
            return Refusal("bad_quantity", text, f"policy.{name}")
    if not 0 <= policy.interruptions_max <= 10**6:
        text = f"interruptions_max is {policy.interruptions_max}; from 0 to {10**6} is meant"
        return Refusal("bad_quantity", text, "policy.interruptions_max")
    if not 0 <= policy.restart_s <= GRACE_S_MAX:
        text = f"restart_s is {policy.restart_s}; from 0 to {GRACE_S_MAX} is meant"
        return Refusal("bad_quantity", text, "policy.restart_s")
    if not 1 <= policy.depth <= 10**6:
        text = f"depth is {policy.depth}; from 1 to {10**6} is meant"
        return Refusal("bad_quantity", text, "policy.depth")
    if not 0 <= policy.ramp_w_per_minute <= supply.WATTS_MAX:
        text = f"ramp_w_per_minute is {policy.ramp_w_per_minute}; from 0 to {supply.WATTS_MAX} is meant"
        return Refusal("bad_quantity", text, "policy.ramp_w_per_minute")
    no = (
        refuse_failing(policy.failing)
        or _refuse_share_terms(policy)
        or refuse_terms(policy)
        or refuse_among(policy.among)
    )
    if no is not None:
        return no
    if policy.version <= desk.state.policy.version:
        return Refusal(
            "policy_version", f"policy version {desk.state.policy.version} is in force already", "version"
        )
    desk.emit(gangs.PolicyApplied(policy))
    return {"version": policy.version, "changed": True}


def _refuse_share_terms(policy: gangs.Policy) -> Refusal | None:
    for name, value, least in (("weigh_s", policy.weigh_s, 60), ("age_s", policy.age_s, 0)):
        if not least <= value <= WALLTIME_S_MAX:
            told = f"{name} is {value}; from {least} to {WALLTIME_S_MAX} is meant"
            return Refusal("bad_quantity", told, f"policy.{name}")
    if policy.half_life_s % policy.weigh_s or not 0 <= policy.half_life_s <= HALVES_MAX * policy.weigh_s:
        told = (
            f"half_life_s is {policy.half_life_s}; 0, or up to {HALVES_MAX} times weigh_s ({policy.weigh_s}) and a"
            " multiple of it, is meant"
        )
        return Refusal("bad_quantity", told, "policy.half_life_s")
    return None
