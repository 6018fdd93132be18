"""What is posted to ask what would come of work or of a failure, and what is answered."""

from __future__ import annotations

from typing import TypedDict

import msgspec

from forebay.server.bodies import PostedDocument


class PostedTry(msgspec.Struct, forbid_unknown_fields=True):
    """Gangs as documents; how far ahead is looked, seconds."""

    documents: list[PostedDocument]
    horizon_s: int = 604_800


class PostedFault(msgspec.Struct, forbid_unknown_fields=True):
    """What fails ("node", "rack", "switch", "loop", "feed", "hall", "site"); how far ahead is looked, seconds."""

    kind: str
    name: str
    horizon_s: int = 604_800


class TriedGang(TypedDict):
    """A gang that is only tried: when it would start, and where."""

    gang: str
    gpus: int
    #: None where it would not start before the horizon.
    starts: str | None
    site: str
    nodes: list[str]
    #: Why it would not start at once; "" where it would.
    summary: str
    #: What an hour of it costs by the prices in force; "" on a claim, that is paid for whether used or not.
    price_per_hour: str


class MovedGang(TypedDict):
    """A gang that would be stopped, or would start at another time."""

    gang: str
    gpus: int
    #: When it would be asked to stop, and why; None and "" where it would not.
    stops: str | None
    reason: str
    #: What it would do again: since its last checkpoint, GPU-seconds.
    lost_gpu_s: int
    #: When it would start (again); None where not before the horizon.
    starts: str | None
    #: When it would start otherwise; None where not, or where it runs.
    otherwise: str | None


class ShortClaim(TypedDict):
    """A tranche that would have less of what it is entitled to, right away."""

    tranche: str
    undeliverable_gpus: int
    undeliverable_gpus_before: int
    #: Healthy nodes of the tranche's own that nobody uses, afterwards.
    idle_nodes: int
    #: What an hour of what it would lack costs its seller, by its price.
    price_per_hour: str


class TriedWork(TypedDict):
    """What would come of it. Nothing is recorded."""

    what: str
    at: str
    #: How far it was run on.
    until: str
    #: Whether all that would be stopped or submitted has started by then.
    settled: bool
    gangs: list[TriedGang]
    stopped: list[MovedGang]
    delayed: list[MovedGang]
    claims: list[ShortClaim]
