"""What may a level carry for a while less than it is built for, since when, and until when?

A *curtailment* is a schedule, not a flag: from an instant until another, a feed (or the liquid or the air of a
cooling loop) carries so many watts at the most, or so many less than its limit. It is known ahead, or holds at once.
Its *response time* says how long shedding may take: it begins so long before the curtailment does, or at once where
that is past, and is over so long after it began. From then on, `shed_at`, nothing is decided that would be over the
lower limit.

    announced  ->  begun (at `shed_at`)  ->  ended (at `end_at`, or lifted)

Several may hold at one level: what they take off adds up, and of what they leave the least counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from forebay.core.ids import Command, CurtailmentId, Event
from forebay.core.timeline import INSTANT_MAX


class Carrier(StrEnum):
    """What a curtailed level carries: electricity, or heat into the liquid or the air of a cooling loop."""

    FEED = "feed"
    LIQUID = "liquid"
    AIR = "air"


class CurtailedLevel(NamedTuple):
    """A feed, or the liquid or the air of a loop, by name."""

    carrier: Carrier
    name: str

    def told(self) -> str:
        """In words."""
        return f"feed {self.name}" if self.carrier is Carrier.FEED else f"loop {self.name} ({self.carrier})"


class Curtailment(NamedTuple):
    """A curtailment as recorded: replaced, never changed in place."""

    id: CurtailmentId
    level: CurtailedLevel
    #: So many watts at the most; -1 where it says how many less.
    most_w: int
    #: So many watts less than the limit.
    less_w: int
    start_at: int
    #: `INSTANT_MAX` where nobody knows yet.
    end_at: int
    respond_s: int
    reason: str
    announced_at: int
    #: Since when nothing more is decided against it, and shedding begins.
    shed_at: int
    begun: bool = False

    def holds(self, at: int) -> bool:
        """Whether it binds decisions about an instant, told now."""
        return (self.begun or self.shed_at <= at) and at < self.end_at


# Commands


@dataclass(slots=True)
class CurtailPower(Command):
    """A level is to carry less from `start_at` (0: at once) until `end_at` (0: until it is lifted)."""

    id: CurtailmentId
    carrier: Carrier
    name: str
    #: So many watts at the most; -1 where `less_w` says it.
    most_w: int
    less_w: int
    start_at: int
    end_at: int
    respond_s: int
    reason: str = ""


@dataclass(slots=True)
class EndCurtailment(Command):
    """A curtailment is over, or does not come."""

    id: CurtailmentId


# Events


@dataclass(slots=True)
class PowerCurtailed(Event):
    """A level is to carry less, from `shed_at` on as far as decisions go."""

    curtailment: CurtailmentId
    carrier: Carrier
    name: str
    most_w: int
    less_w: int
    start_at: int
    end_at: int
    respond_s: int
    reason: str
    shed_at: int


@dataclass(slots=True)
class CurtailmentBegan(Event):
    """From here on nothing is decided against a curtailment, and what is over it is shed."""

    curtailment: CurtailmentId


@dataclass(slots=True)
class CurtailmentEnded(Event):
    """A curtailment is over: its time is, or it was lifted before."""

    curtailment: CurtailmentId
    lifted: bool


CurtailmentEvent = PowerCurtailed | CurtailmentBegan | CurtailmentEnded


# Questions


def lowered(limit_w: int, holding: Iterable[Curtailment]) -> int:
    """What is left of a limit under these curtailments."""
    most_w, less_w = limit_w, 0
    for each in holding:
        most_w = most_w if each.most_w < 0 else min(most_w, each.most_w)
        less_w += each.less_w
    return max(0, min(most_w, limit_w - less_w))


def at_level(known: Mapping[CurtailmentId, Curtailment], level: CurtailedLevel) -> list[Curtailment]:
    """The curtailments of a level, in order of announcement."""
    return [each for each in known.values() if each.level == level]


def limit_steps(limit_w: int, curtailed: list[Curtailment], since: int) -> Iterator[tuple[int, int]]:
    """Each instant after `since` from which on another limit binds decisions, and that limit."""
    instants = {each.shed_at for each in curtailed if not each.begun} | {each.end_at for each in curtailed}
    for instant in sorted(instants):
        if since < instant < INSTANT_MAX:
            yield instant, lowered(limit_w, (each for each in curtailed if each.holds(instant)))
