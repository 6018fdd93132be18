"""What is posted and answered about engines? As `bodies`."""

from typing import TypedDict

import msgspec


class EngineHeardBody(TypedDict):
    """An engine. Times are null while they mean nothing."""

    engine: str
    #: Where it starts work; empty for all sites.
    sites: list[str]
    #: heard, silent, or fenced: then what had a lease there is over for sure.
    state: str
    #: When it was last written down that it was heard of.
    heard_at: str
    silent_since: str | None
    #: When what has a lease there is over for sure.
    fence_at: str | None
    #: Gangs that hold GPUs there, and how many of them have a lease.
    gangs: int
    leased: int


class EngineList(TypedDict):
    """Engines that were heard of while the policy asked for it, in order of their first heartbeat."""

    items: list[EngineHeardBody]


class FenceAnswer(TypedDict):
    """What a fence did: so many gangs are over, and go back to the queue."""

    engine: str
    changed: bool
    gangs: int


class PostedFence(msgspec.Struct, forbid_unknown_fields=True):
    """Why it is sure that nothing of the engine runs any more."""

    reason: str
