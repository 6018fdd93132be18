"""Since when would a gang's work be lost, were it stopped now? From its last checkpoint on.

What is known of that, best first: the last checkpoint that was reported of this generation; else, where the gang says
how often it makes one, the last multiple of that since its start; else nothing was kept since its start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from forebay.core.ids import Command, Event, GangId
from forebay.core.placements.gang import Gang
from forebay.core.units import SECOND_US


@dataclass(slots=True)
class ReportCheckpoint(Command):
    """This generation wrote a checkpoint, whole, at `effective_at`: what it did before is not lost."""

    gang: GangId
    generation: int
    effective_at: int
    source: str


@dataclass(slots=True)
class GangCheckpointed(Event):
    """What a gang did before `effective_at` is kept."""

    gang: GangId
    generation: int
    effective_at: int
    source: str


class Checkpoint(NamedTuple):
    """The last checkpoint that was reported of a gang."""

    generation: int
    at: int


class Age(NamedTuple):
    """From when on work counts as lost, and after how long it counts from anew (0: never)."""

    since: int
    period_us: int

    def at(self, at: int) -> int:
        """Microseconds of work that would be lost."""
        return (at - self.since) % self.period_us if self.period_us else at - self.since


def age_of(gang: Gang, reported: Checkpoint | None) -> Age | None:
    """How old the last checkpoint of a gang is; None while it has not started."""
    if not gang.started_at:
        return None
    if reported is not None and reported.generation == gang.generation:
        return Age(max(reported.at, gang.started_at), 0)
    return Age(gang.started_at, gang.spec.checkpoint_s * SECOND_US)


def lost_gpu_us(gang: Gang, reported: Checkpoint | None, at: int) -> int:
    """GPU-microseconds of work that a gang would lose, were it stopped at `at`."""
    age = age_of(gang, reported)
    return 0 if age is None else gang.spec.gpus * age.at(at)
