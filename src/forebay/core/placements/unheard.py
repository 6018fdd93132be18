"""Which generations ended before anybody heard that they had started? The news of their start may still come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from forebay.core.ids import Answer, Event, GangId
from forebay.core.placements.gang import Ending, Gang, GangEnded, ReportGangStarted
from forebay.core.supply import Emit


@dataclass(slots=True)
class GangStartLearned(Event):
    """A generation that is over had been up since `effective_at`, until `ended_at`: nobody had said so."""

    gang: GangId
    generation: int
    effective_at: int
    ended_at: int
    source: str


class Unheard(NamedTuple):
    """A generation that ended, and was not known to have started."""

    #: As it was.
    gang: Gang
    ended_at: int


def note_unheard(known: dict[GangId, Unheard], was: Gang, event: GangEnded) -> None:
    """A generation ended that had not started, as far as is known."""
    if event.ending is not Ending.UNSTARTABLE:
        known[event.gang] = Unheard(was, event.effective_at)


def learn_start(known: Mapping[GangId, Unheard], report: ReportGangStarted, emit: Emit) -> Answer | None:
    """Take in the news that a generation had started that is over; None where it was known, or lies too far back."""
    ended = known.get(report.gang)
    if ended is None or ended.gang.generation != report.generation:
        return None
    since = min(max(report.effective_at, ended.gang.placed_at), ended.ended_at)
    emit(GangStartLearned(report.gang, report.generation, since, ended.ended_at, report.source))
    return {"gang": report.gang, "changed": True}


def record_learned(
    state: Any, held: object, supplied: object, event: GangStartLearned, at: int, seq: int
) -> None:
    """The news has come."""
    del state.unheard[event.gang]
