"""What may each level carry: now, for a gang that stays for so long, and from which instants on?

A level may carry its limit, less what curtailments that have begun take off: that is `Index.limit_w`, and every
search keeps to it. Three things narrow it further for one gang, and are looked at only where there are such:

- **What is to come.** A curtailment that is announced counts for a gang that may still be there when it begins: with
  all others that may be, and the base load, it must be under the coming limit.
- **The promise.** While a level is curtailed so far that what runs and what is reserved for claims do not both fit,
  no idle capacity below it is lent.
- **Ramps.** A feed that took on much just now takes on more only as fast as the policy says (`ramps`).

`free_at` says until when a gang may be there at the latest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from forebay.core import supply
from forebay.core.ids import CurtailmentId, Event, FeedId, GangId
from forebay.core.placements import gang as gangs
from forebay.core.placements import ramps
from forebay.core.placements.ends import free_at
from forebay.core.placements.gang import Gang, Policy, Spec, Tier
from forebay.core.placements.index import POOL, Index
from forebay.core.placements.queue import away_s
from forebay.core.supply import CurtailedLevel, Curtailment, curtailments
from forebay.core.units import SECOND_US


class LimitToCome(NamedTuple):
    """A lower limit of a level that does not bind yet: `limit_w` from `start_at` on."""

    level: int
    start_at: int
    limit_w: int
    #: When it begins to bind every decision.
    shed_at: int
    #: What those draw who may still be there then; and what those of claims draw who are gone by then.
    stay_w: int
    leave_w: int


class LimitStep(NamedTuple):
    """From `at` on a level may carry so much, as far as is announced; -1 where only its ramp lets on more."""

    at: int
    level: int
    limit_w: int


class Bounds:
    """What narrows the limits of levels beyond what holds for everybody. Derived, and kept up."""

    __slots__ = ("coming", "counted", "curtailed", "held", "looked_at", "suspect")

    def __init__(self) -> None:
        #: None where they have to be made anew.
        self.coming: list[LimitToCome] | None = None
        #: What each gang that holds GPUs counts for in each of these.
        self.counted: dict[GangId, list[DrawnThen]] = {}
        #: Levels that limits were last brought up to date for.
        self.curtailed: list[CurtailedLevel] = []
        #: Feeds whose ramp holds somebody up, by level, and the first whom it does; None before the first pass.
        self.held: dict[int, GangId] | None = None
        #: When it was last looked at who is held up.
        self.looked_at = 0
        #: Whether some level may carry more than it may: a loop is known now, or limits fell.
        self.suspect = True


def brought_to(index: Index, supplied: supply.State, levels: Iterable[CurtailedLevel]) -> None:
    """Bring these levels' limits up to date with the curtailments that have begun."""
    for level in levels:
        number = index.level_of(level)
        begun = (each for each in curtailments.at_level(supplied.curtailments, level) if each.begun)
        index.set_limit(number, curtailments.lowered(index.plant.level_limit_w[number], begun))


def follow_supply(bounds: Bounds, index: Index, supplied: supply.State, event: Event) -> bool:
    """What is known of cooling, or of curtailments, changed: enter it. Whether somebody who waits may fit now."""
    match event:
        case supply.LoopAdded() | supply.RackHung() | supply.SkuCatalogued():
            if isinstance(event, supply.LoopAdded):
                index.add_loop(supplied.loops[event.loop])
            for rack in supplied.racks.values():
                if rack.loop in supplied.loops and _cooled_by(event, rack):
                    index.hang(rack, supplied.skus[rack.sku])
        case supply.PowerCurtailed() | supply.CurtailmentBegan() | supply.CurtailmentEnded():
            levels = [each.level for each in supplied.curtailments.values()]
            brought_to(index, supplied, [*levels, *bounds.curtailed])
            bounds.curtailed = levels
        case _:
            return False
    return True


def _cooled_by(event: supply.LoopAdded | supply.RackHung | supply.SkuCatalogued, rack: supply.Rack) -> bool:
    """Whether an event of cooling is about a rack."""
    if isinstance(event, supply.SkuCatalogued):
        return rack.sku == event.sku.id
    return rack.id == event.rack if isinstance(event, supply.RackHung) else rack.loop == event.loop


def limits_to_come(
    bounds: Bounds, index: Index, supplied: supply.State, policy: Policy, holding: Iterable[Gang]
) -> list[LimitToCome]:
    """The lower limits that are announced and do not bind yet, made anew; `holding` are gangs that hold GPUs. From
    here on they are kept up.
    """
    found: list[LimitToCome] = []
    for each in supplied.curtailments.values():
        if not each.begun:
            level = index.level_of(each.level)
            there = curtailments.at_level(supplied.curtailments, each.level)
            then = (other for other in there if other.start_at <= each.start_at < other.end_at)
            limit_w = curtailments.lowered(index.plant.level_limit_w[level], then)
            found.append(LimitToCome(level, each.start_at, limit_w, each.shed_at, 0, 0))
    bounds.coming, bounds.counted = found, {}
    for gang in holding if found else ():
        _count(bounds, gang.spec.id, _shares(found, index, supplied, gang, policy))
    return bounds.coming


class DrawnThen(NamedTuple):
    """What a gang counts for in a limit to come: as one who stays, or as a claim's that is gone by then."""

    stay_w: int
    leave_w: int


def _shares(
    coming: list[LimitToCome], index: Index, supplied: supply.State, gang: Gang, policy: Policy
) -> list[DrawnThen]:
    """What a gang counts for in each limit to come; none where it holds no GPUs."""
    if gang.phase not in gangs.HOLDING and not gang.returns_at:
        return []
    drawn = index.draw(gang.runs, supplied.skus[gang.spec.sku].gpu_w)
    gone_at, owned = free_at(gang, policy), bool(gang.lender) or gang.spec.tier is Tier.DEDICATED
    found = []
    for each in coming:
        watts, stays = drawn.get(each.level, 0), gone_at > each.start_at
        found.append(DrawnThen(watts if stays else 0, watts if owned and not stays else 0))
    return found


def _count(bounds: Bounds, name: GangId, shares: list[DrawnThen]) -> None:
    """From here on a gang counts for these, and no more for what it counted for before."""
    before = bounds.counted.pop(name, [])
    if shares:
        bounds.counted[name] = shares
    if shares == before or bounds.coming is None:
        return
    made = bounds.coming
    for sign, each_of in ((-1, before), (1, shares)):
        if each_of:
            made = [
                each._replace(
                    stay_w=each.stay_w + sign * share.stay_w, leave_w=each.leave_w + sign * share.leave_w
                )
                for each, share in zip(made, each_of, strict=True)
            ]
    bounds.coming = made


def note_gang(bounds: Bounds, index: Index, supplied: supply.State, gang: Gang, policy: Policy) -> None:
    """Something happened to a gang while a curtailment is to come."""
    if bounds.coming:
        _count(bounds, gang.spec.id, _shares(bounds.coming, index, supplied, gang, policy))


def narrowed(
    index: Index, spec: Spec, owner: str, made: Iterable[LimitToCome], supplied: supply.State, at: int
) -> dict[int, int]:
    """By level, what a gang on nodes of an owner must keep it under if it starts at `at`."""
    found: dict[int, int] = {}
    until = at + away_s(spec) * SECOND_US
    for each in made:
        if at < each.shed_at and each.start_at < until:
            # Of what it carries now only who stays counts then; for the pool, what claims take back as well.
            gone_w = index.load_w[each.level] - index.plant.level_base_w[each.level] - each.stay_w
            room_w = each.limit_w + gone_w - (each.leave_w if owner == POOL else 0)
            found[each.level] = min(found.get(each.level, room_w), room_w)
    if owner != POOL and spec.tier is not Tier.DEDICATED:
        for curtailed in supplied.curtailments.values():
            level = index.level_of(curtailed.level)
            if index.load_w[level] + index.reserved_w[level] > index.limit_w[level]:
                found[level] = min(found.get(level, index.load_w[level]), index.load_w[level])
    return found


def ramped(
    index: Index,
    paid: Mapping[FeedId, int],
    rate: int,
    owner: str,
    held: Mapping[int, GangId],
    gang: GangId,
    at: int,
) -> dict[int, int]:
    """The same by ramps: nobody goes before who is held up first."""
    found = {}
    for level, room_w in ramps.ramp_rooms(paid, index, rate, at):
        room_w = room_w if held.get(level, gang) == gang else 0
        found[level] = index.load_w[level] + room_w + (index.reserved_w[level] if owner == POOL else 0)
    return found


def limit_changes(index: Index, known: Mapping[CurtailmentId, Curtailment], since: int) -> list[LimitStep]:
    """Every change of what levels may carry that is announced for after an instant, in order."""
    found = []
    for level in sorted({each.level for each in known.values()}):
        number = index.level_of(level)
        there = [each for each in known.values() if each.level == level]
        limit_w = index.plant.level_limit_w[number]
        found += [LimitStep(at, number, w) for at, w in curtailments.limit_steps(limit_w, there, since)]
    return sorted(found)


def limits_at(limit_w: list[int], changes: Iterable[LimitStep], at: int) -> list[int]:
    """What each level may carry at an instant, after those changes of it that come by then."""
    found = limit_w.copy()
    for step in changes:
        if step.at <= at:
            found[step.level] = step.limit_w
    return found
