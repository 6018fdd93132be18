"""What was promised about the availability of a tranche, and what follows where it was not kept?

A *ladder* says what a month costs its seller: below an availability, a share of the month's fee. The lowest rung that
the month fell below counts, and only that one. Availability is never rounded: it is two whole numbers, of time in
which units were available and of time in which they were due.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from forebay.core.units import DAY_US, SECOND_US, divide_half_even

_PPM = 1_000_000


class ServiceUnit(StrEnum):
    """What is available or not: each node, each rack, or the tranche as a whole."""

    NODE = "node"
    RACK = "rack"
    TRANCHE = "tranche"


class Crediting(StrEnum):
    """How a credit comes about."""

    AUTOMATIC = "automatic"
    ON_CLAIM = "on_claim"


@dataclass(slots=True)
class Rung:
    """A step of the ladder."""

    #: It counts for a month whose availability is below, parts per million.
    below_ppm: int
    #: The credit, as a share of the month's fee, parts per million.
    credit_ppm: int


@dataclass(slots=True)
class Chronic:
    """When failure is chronic, so that the customer may end the tranche: so many of so many months in a row."""

    months: int
    of_months: int
    #: Months count whose availability is below, parts per million.
    below_ppm: int


@dataclass(slots=True)
class ServiceLevel:
    """What is promised about the availability of a tranche."""

    unit: ServiceUnit
    #: By falling availability and rising credit.
    ladder: tuple[Rung, ...]
    #: Nodes of a unit that have to be healthy for it to be available; 0 for the SKU's number a rack, and for all.
    healthy_nodes_min: int = 0
    #: For how long a unit may be missing until another stands in for it, seconds: it is down only after that. 0 where
    #: nothing is said: it is down at once.
    replacement_s: int = 0
    crediting: Crediting = Crediting.AUTOMATIC
    #: How long after its month a credit may be claimed, seconds; 0 for one that comes by itself.
    claim_s: int = 0
    #: The most for one month, as a share of its fee, parts per million; and for all months, micro-units. 0: no cap.
    cap_month_ppm: int = 0
    cap_total_micros: int = 0
    #: Whether nothing but the credit is owed for what was not available.
    sole_remedy: bool = False
    #: For each GPU and day that it is not available, micro-units; 0 for none.
    damages_micros_per_gpu_day: int = 0
    #: None where failure, however often, gives no right to end the tranche.
    chronic: Chronic | None = None


class Availability(NamedTuple):
    """Of one month: unit-microseconds that were available, and that were due."""

    up_us: int
    due_us: int

    def is_below(self, ppm: int) -> bool:
        """Whether it is below so many parts per million; exact. Where nothing was due, nothing is below."""
        return self.up_us * _PPM < ppm * self.due_us


class Credit(NamedTuple):
    """What a month costs its seller."""

    #: By the ladder, before any cap, parts per million of the month's fee.
    share_ppm: int
    #: After the caps, micro-units.
    micros: int
    capped: bool


def credit(level: ServiceLevel, month: Availability, fee_micros: int, given_micros: int = 0) -> Credit:
    """The credit for a month with this fee, where so much was given for the months before: the share of the lowest
    rung that it fell below, then the cap of the month, each rounded once to micro-units (half to even); then what the
    cap of all months leaves.
    """
    share_ppm = max((rung.credit_ppm for rung in level.ladder if month.is_below(rung.below_ppm)), default=0)
    owed_micros = divide_half_even(fee_micros * share_ppm, _PPM)
    micros = owed_micros
    if level.cap_month_ppm:
        micros = min(micros, divide_half_even(fee_micros * level.cap_month_ppm, _PPM))
    if level.cap_total_micros:
        micros = min(micros, max(0, level.cap_total_micros - given_micros))
    return Credit(share_ppm, micros, micros < owed_micros)


def is_granted(level: ServiceLevel, month_end_at: int, claimed_at: int) -> bool:
    """Whether the credit of a month is given: by itself, or claimed in time (0 for not claimed). The end of the time
    to claim is too late.
    """
    if level.crediting is Crediting.AUTOMATIC:
        return True
    return bool(claimed_at) and claimed_at < month_end_at + level.claim_s * SECOND_US


def outage_damages_micros(level: ServiceLevel, down_gpu_us: int) -> int:
    """Damages for GPU-microseconds that were not available, rounded once (half to even)."""
    return divide_half_even(down_gpu_us * level.damages_micros_per_gpu_day, DAY_US)


def is_chronic(level: ServiceLevel, months: Sequence[Availability]) -> bool:
    """Whether failure is chronic at the end of the last of these months, which follow on each other."""
    chronic = level.chronic
    if chronic is None:
        return False
    return sum(month.is_below(chronic.below_ppm) for month in months[-chronic.of_months :]) >= chronic.months
