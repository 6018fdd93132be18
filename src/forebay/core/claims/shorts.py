"""Who goes short of what: what is asked, and what is recorded. `shortfall` works it out."""

from __future__ import annotations

from dataclasses import dataclass

from forebay.core.ids import Command, Event, SiteId, SkuId, TrancheId
from forebay.core.supply.blocks import Confidence


@dataclass(slots=True)
class Short:
    """From `start_at` to `end_at`, a tranche gets so many nodes less than it was promised."""

    tranche: TrancheId
    nodes: int
    start_at: int
    end_at: int


@dataclass(slots=True)
class Unallocated:
    """From `start_at` to `end_at`, so many nodes are missing, and nobody says who goes short of them."""

    nodes: int
    start_at: int
    end_at: int


@dataclass(slots=True)
class AllocateShortfall(Command):
    """These go short of a stock from now on, whatever the policy says, until there is more or less to share."""

    site: SiteId
    sku: SkuId
    shorts: tuple[Short, ...]
    reason: str


@dataclass(slots=True)
class ShortfallAssessed(Event):
    """Who goes short of this stock, and when: all of it, in the place of what was known. Empty when nobody does.

    What lies before the time of record is history: who went short then.
    """

    site: SiteId
    sku: SkuId
    policy: int
    confidence: Confidence
    shorts: tuple[Short, ...]
    #: Why it was shared out by hand; "" where by the policy.
    reason: str = ""
    #: What neither a clause nor the policy nor an operator shares out.
    unallocated: tuple[Unallocated, ...] = ()
