"""What is on record while a level carries more than it may, and about who was stopped for it.

A *shedding* is open from the first second at which a level carries more than its limit under curtailments, until it
does not: with the excess, and the instant by which it is to be gone. Nothing else is ever above a limit.

A gang that was asked to stop for it is *shed* until it is placed again or is over: it comes back from the restore
queue, before work that has not run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from forebay.core.ids import CurtailmentId, Event, GangId
from forebay.core.supply import Carrier, CurtailedLevel
from forebay.core.units import SECOND_US

#: The reason of a gang that stops for it.
CURTAILED = "curtailed"


@dataclass(slots=True)
class SheddingOpened(Event):
    """A level carries more than it may: so many watts more, to be gone by `deadline_at`."""

    carrier: Carrier
    name: str
    #: The curtailment that began last; "" where a cooling loop turned out to be smaller than what it carries.
    curtailment: CurtailmentId
    excess_w: int
    deadline_at: int


@dataclass(slots=True)
class SheddingOverdue(Event):
    """At its deadline a level still carries so many watts more than it may."""

    carrier: Carrier
    name: str
    excess_w: int


@dataclass(slots=True)
class SheddingClosed(Event):
    """A level carries no more than it may."""

    carrier: Carrier
    name: str


@dataclass(slots=True)
class GangShed(Event):
    """A gang gives up its power because of a curtailment: it is to be gone by `deadline_at`."""

    gang: GangId
    generation: int
    curtailment: CurtailmentId
    carrier: Carrier
    name: str
    deadline_at: int
    #: Between the request to stop and the kill: what it asked for, or what there is time for.
    grace_s: int
    #: The claim's own gang that the power goes to; "" where the level carried too much.
    for_gang: GangId = GangId("")


class Shedding(NamedTuple):
    """An open shedding."""

    level: CurtailedLevel
    curtailment: CurtailmentId
    opened_at: int
    #: When it was opened; what it is now follows from loads.
    excess_w: int
    deadline_at: int
    overdue: bool = False


class Shed(NamedTuple):
    """A gang that was shed, and has not been placed since."""

    generation: int
    curtailment: CurtailmentId
    level: CurtailedLevel
    shed_at: int
    deadline_at: int
    grace_s: int
    for_gang: GangId


SheddingEvent = SheddingOpened | SheddingOverdue | SheddingClosed


def applied(known: dict[CurtailedLevel, Shedding], event: SheddingEvent, at: int) -> None:
    """Record one event about sheddings."""
    match event:
        case SheddingOpened():
            level = CurtailedLevel(event.carrier, event.name)
            made = Shedding(level, event.curtailment, at, event.excess_w, event.deadline_at)
            known[level] = made
        case SheddingOverdue():
            level = CurtailedLevel(event.carrier, event.name)
            known[level] = known[level]._replace(overdue=True)
        case _:
            del known[CurtailedLevel(event.carrier, event.name)]


def record_shed(state: Any, held: object, supplied: object, event: GangShed, at: int, seq: int) -> None:
    """Write down that a gang was shed, in the state of this stage."""
    level = CurtailedLevel(event.carrier, event.name)
    state.shed[event.gang] = Shed(
        event.generation, event.curtailment, level, at, event.deadline_at, event.grace_s, event.for_gang
    )


def grace_s(known: Mapping[GangId, Shed], gang: GangId, asked_s: int) -> int:
    """What a gang has between the request to stop and the kill: less than it asked for where it is shed."""
    shed = known.get(gang) if known else None
    return asked_s if shed is None else min(asked_s, shed.grace_s)


def next_deadline(known: Mapping[CurtailedLevel, Shedding]) -> int | None:
    """The first deadline that is still to be kept."""
    return min((each.deadline_at for each in known.values() if not each.overdue), default=None)


#: A gang is killed so long before a deadline that its end is reported by then: a tenth of the time there is, and no
#: more than this.
MARGIN_S_MAX = 30


def time_for_grace_s(at: int, deadline_at: int) -> int:
    """The longest grace after which a gang is gone by a deadline, whole seconds."""
    left_s = max(0, deadline_at - at) // SECOND_US
    return left_s - min(MARGIN_S_MAX, -(-left_s // 10))
