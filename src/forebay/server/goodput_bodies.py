"""Bodies of what became of the GPU-time that gangs held."""

from __future__ import annotations

from typing import TypedDict


class LostWorkBody(TypedDict):
    """Work that no checkpoint held."""

    #: "failure", "reclaim", "curtailment", "preemption", "operator" or "own".
    cause: str
    gpu_us: int
    gpu_hours: str


class GoodputBody(TypedDict):
    """What became of what a gang held, or all gangs of a tranche. Held is productive + starting + at risk + lost."""

    #: The gang or the tranche.
    name: str
    tenant: str
    gangs: int
    held_gpu_us: int
    productive_gpu_us: int
    starting_gpu_us: int
    at_risk_gpu_us: int
    held_gpu_hours: str
    productive_gpu_hours: str
    starting_gpu_hours: str
    at_risk_gpu_hours: str
    lost: list[LostWorkBody]
    #: Productive over held, in percent, cut after two places; null where nothing was held.
    goodput_percent: str | None
    #: Productive over the time from the first start until the end or now, likewise; null before the first start.
    ettr_percent: str | None
    running_us: int
    starts: int
    failures: int
    #: Running time over failures, in hours; null where nothing failed.
    mtbf_hours: str | None


class GoodputsBody(TypedDict):
    """Goodput of what was asked for."""

    until: str
    items: list[GoodputBody]
