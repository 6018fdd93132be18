"""The bodies of power, cooling and curtailments, watts throughout."""

from __future__ import annotations

from typing import TypedDict

import msgspec


class LevelRoom(TypedDict):
    """A feed, or the liquid or the air of a cooling loop."""

    #: "feed", "liquid" or "air".
    carrier: str
    name: str
    #: The feed above; "" for none.
    parent: str
    limit_w: int
    #: What it may carry now.
    effective_w: int
    #: Carried when no work runs.
    base_w: int
    load_w: int
    #: Not drawn now, and kept for what claims own.
    reserved_w: int
    headroom_w: int
    usable_w: int
    #: Headroom that nobody can use, and why: no free GPUs, limits below, limits above.
    stranded_w: int
    stranded_nodes_w: int
    stranded_below_w: int
    stranded_above_w: int


class SheddingBody(TypedDict):
    """A level that carries more than it may."""

    carrier: str
    name: str
    curtailment: str
    opened: str
    #: When it was opened, and now.
    excess_w: int
    left_w: int
    deadline: str
    overdue: bool


class CurtailmentBody(TypedDict):
    """A curtailment that is announced or holds."""

    id: str
    carrier: str
    name: str
    #: So many watts at the most; None where it says how many less.
    most_w: int | None
    less_w: int
    start: str
    #: None where nobody knows yet.
    end: str | None
    respond_s: int
    reason: str
    #: Since when nothing is decided against it, and shedding begins.
    sheds: str
    begun: bool


class RestoreBody(TypedDict):
    """A gang that was shed and comes back from the restore queue."""

    gang: str
    tenant: str
    tier: str
    gpus: int
    curtailment: str


class SitePower(TypedDict):
    """The power and cooling of a site."""

    site: str
    levels: list[LevelRoom]


class PowerBody(TypedDict):
    """Power and cooling, and all that narrows them."""

    sites: list[SitePower]
    sheddings: list[SheddingBody]
    curtailments: list[CurtailmentBody]
    restore_queue: list[RestoreBody]


class CurtailmentPage(TypedDict):
    """Curtailments that are announced or hold, in order of announcement."""

    items: list[CurtailmentBody]


class CurtailmentAnswer(TypedDict):
    """A curtailment was announced."""

    curtailment: str
    start: str
    sheds: str


class CurtailmentOver(TypedDict):
    """A curtailment was lifted."""

    curtailment: str


class PostedCurtailment(msgspec.Struct, forbid_unknown_fields=True):
    """A feed or a loop is to carry less for a while; times are RFC 3339, quantities as in documents."""

    #: "" to have one made.
    id: str = ""
    #: Name the feed, or the loop.
    feed: str = ""
    loop: str = ""
    #: The air of the loop, and not its liquid.
    air: bool = False
    #: So much at the most ("3.2 MW"), or so much less.
    to: str = ""
    less: str = ""
    #: Now when left out.
    start: str = ""
    #: Until it is lifted when left out.
    end: str = ""
    #: How long shedding may take ("10m").
    respond_within: str = "5m"
    reason: str = ""


class PostedLifting(msgspec.Struct, forbid_unknown_fields=True):
    """Nothing needs to be said."""
