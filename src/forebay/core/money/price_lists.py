"""What does use without a claim cost, and from when on?"""

from __future__ import annotations

from dataclasses import dataclass

from forebay.core.ids import Command, Event, SkuId
from forebay.core.placements.gang import Tier


@dataclass(slots=True)
class Price:
    """A price for use without a claim, micro-units per GPU-hour."""

    tier: Tier
    sku: SkuId
    price_micros_per_gpu_hour: int


@dataclass(slots=True)
class PriceList:
    """What use on demand and on spot costs from `effective_at` on."""

    version: int
    currency: str
    effective_at: int
    prices: tuple[Price, ...]


@dataclass(slots=True)
class ApplyPriceList(Command):
    """These prices are to hold from their date on; a list with a date in the past holds from now on."""

    prices: PriceList


@dataclass(slots=True)
class PriceListApplied(Event):
    """A price list is known; it holds from its date on."""

    prices: PriceList
