"""What is use told apart by, and how is it counted? Shared by the books of GPU-time and those of energy."""

from __future__ import annotations

from typing import NamedTuple

from forebay.core.ids import SiteId, SkuId, TenantId, TrancheId
from forebay.core.placements.gang import Tier


class Key(NamedTuple):
    """What usage is told apart by. `claim` is the tenant's own tranche, `lender` the one it borrowed from."""

    tenant: TenantId
    tier: Tier
    claim: TrancheId
    lender: TrancheId
    sku: SkuId
    site: SiteId


class Span(NamedTuple):
    """From `start` on, usage falls into this price segment and this period."""

    start: int
    segment: int
    period_start: int


class Meter(NamedTuple):
    """A running integral: `gpus` at work since `since`, `gpu_us` GPU-microseconds before that."""

    gpus: int = 0
    since: int = 0
    gpu_us: int = 0
    #: Generations of gangs that started.
    starts: int = 0


UNUSED = Meter()


def settled(meter: Meter, at: int) -> Meter:
    """The meter with its integral carried to `at`."""
    if at <= meter.since:
        return meter
    return meter._replace(gpu_us=meter.gpu_us + meter.gpus * (at - meter.since), since=at)
