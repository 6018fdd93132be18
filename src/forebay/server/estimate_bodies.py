"""What shape has an answer about learned run times? As `bodies`."""

from __future__ import annotations

from typing import TypedDict


class RunTimesBody(TypedDict):
    """How long what runs alike ran: gangs of a tenant, of one size, or of one size and user."""

    #: "" for all users.
    user: str
    #: Sizes that are alike, GPUs; both 0 for all sizes.
    gpus_from: int
    gpus_to: int
    #: How many are counted; what is long ago counts less and less.
    ends: int
    #: Within how many seconds half of them, and nine of ten, had ended.
    p50_s: int
    p90_s: int
    #: Whether enough are counted to tell an estimate: `p90_s` is one then, up to the limit of time.
    tells: bool


class EstimateErrorBody(TypedDict):
    """How wrong estimates were that were given to gangs which asked for no limit of time."""

    #: Gangs that had one and have ended, and how many of them ran longer.
    judged: int
    longer: int
    #: By how many seconds in all those ran longer, and the others ended before.
    longer_s: int
    sooner_s: int


class TenantEstimates(TypedDict):
    """What was learned of one tenant's run times; all of its sizes first."""

    tenant: str
    run_times: list[RunTimesBody]
    error: EstimateErrorBody


class EstimatesBody(TypedDict):
    """What was learned of run times, by tenant."""

    #: Whether backfill goes by it, by the policy in force.
    learned: bool
    #: So many ends have to be counted before they tell an estimate.
    ends_least: int
    items: list[TenantEstimates]
