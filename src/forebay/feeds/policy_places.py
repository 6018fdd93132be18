"""Where do the terms of a policy stand in its document, by what the core calls them?"""

from __future__ import annotations

from forebay.feeds import reading

#: What the core calls it -> its path; others only lose the unit at the end of their name.
POLICY_PLACES: dict[str, reading.Path] = {
    "policy": (),
    "policy.among": ("among_tenants",),
    "policy.backoff_s_max": ("backoff_max",),
    "policy.interruptions_max": ("interruptions",),
    "policy.ramp_w_per_minute": ("ramp_per_minute",),
    "policy.walltime_s_default": ("walltime_default",),
    "policy.walltime_s_max": ("walltime_max",),
}
