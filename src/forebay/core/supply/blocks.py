"""What is to come, and when: blocks of racks, the milestones that they wait for, and the power that they will have.

A site's milestones form a graph. Three dates are told of each, and never mixed: what was *planned*, what was last
*reported*, and when it was *reached*. From these follows the date by which we reckon today:

    date = reached, or the later of (reported or else planned) and (the last date that it waits for + its duration)

so that a slip moves everything behind it at once. How sure a date is comes from outside: a simulation of the graph
enters as a recorded forecast, which names the version of the graph that it was made for. As soon as the graph has
moved on, a quantile is the later of the recorded one and today's date, and is called provisional. At no confidence
does anything come before what it waits for.

Power comes in stages (bridge power, the grid, a plant on the site), each from a milestone on and perhaps until
another. Of what has arrived as much counts as the stages feed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, TypeVar

from forebay.core import timeline, units
from forebay.core.ids import (
    BlockId,
    CauseId,
    Command,
    Event,
    FeedId,
    HallId,
    LoopId,
    MilestoneId,
    SiteId,
    SkuId,
    StageId,
)
from forebay.core.timeline import INSTANT_MAX, Steps
from forebay.core.units import SECOND_US, ConnectedPower, ContractedPower, FacilityPower, ItPower

Key = TypeVar("Key")


class Confidence(StrEnum):
    """How sure a date is to be: even odds, or nine in ten."""

    P50 = "p50"
    P90 = "p90"


class StageKind(StrEnum):
    """Where a stage of a site's power comes from."""

    BRIDGE = "bridge"
    GRID = "grid"
    ON_SITE = "on_site"


@dataclass(slots=True)
class Cause:
    """Something that delays several milestones at once: one utility, one vendor, one moratorium."""

    id: CauseId
    #: How much of the scatter of each milestone that it touches they have in common, parts per million.
    share_ppm: int = 0
    #: The chance that it strikes, parts per million, and the delay of each milestone that it touches if it does.
    strike_ppm: int = 0
    delay_s: int = 0


@dataclass(slots=True)
class MilestonePlan:
    """Something that has to be done: a permit, the grid connection, the shell, cooling, racks, acceptance."""

    id: MilestoneId
    #: Free word for people.
    kind: str = ""
    #: What has to be done before it.
    after: tuple[MilestoneId, ...] = ()
    #: Its date in the plan; 0 where it follows from what it waits for.
    planned_at: int = 0
    #: How late it is against its planned date in one case of ten, seconds.
    late_p90_s: int = 0
    #: How long it takes once all that it waits for is done: in even odds, and in nine cases of ten, seconds.
    duration_p50_s: int = 0
    duration_p90_s: int = 0
    causes: tuple[CauseId, ...] = ()
    #: Since when it is done, as the plan says; 0 where it does not say so.
    reached_at: int = 0


@dataclass(slots=True)
class PowerStage:
    """Power that a site has from one milestone on, and until another."""

    id: StageId
    kind: StageKind
    contracted_w: int
    connected_w: int
    start: MilestoneId
    #: "" for one that stays.
    end: MilestoneId = MilestoneId("")


@dataclass(slots=True)
class BlockPlan:
    """Racks that are delivered together, once all that they wait for is done."""

    id: BlockId
    sku: SkuId
    racks: int
    after: tuple[MilestoneId, ...]
    #: Where its racks are to hang, in each tree; "" where that is not known yet. A row is one of the hall.
    hall: HallId = HallId("")
    row: str = ""
    feed: FeedId = FeedId("")
    loop: LoopId = LoopId("")


@dataclass(slots=True)
class SchedulePlan:
    """What is to come at a site, as its file states it."""

    site: SiteId
    milestones: tuple[MilestonePlan, ...]
    blocks: tuple[BlockPlan, ...]
    stages: tuple[PowerStage, ...] = ()
    causes: tuple[Cause, ...] = ()
    #: Facility power over IT power, parts per million.
    pue_ppm: int = 1_000_000


class Quantile(NamedTuple):
    """Dates by which something is done: in even odds, and in nine cases of ten."""

    p50_at: int
    p90_at: int

    def at(self, confidence: Confidence) -> int:
        """The date at a confidence."""
        return self.p90_at if confidence is Confidence.P90 else self.p50_at


@dataclass(slots=True)
class MilestoneQuantile:
    """One milestone of a recorded forecast."""

    milestone: MilestoneId
    p50_at: int
    p90_at: int


@dataclass(slots=True)
class BlockQuantile:
    """One block of a recorded forecast: the last of all that it waits for."""

    block: BlockId
    p50_at: int
    p90_at: int


# Commands


@dataclass(slots=True)
class ApplySchedule(Command):
    """This is to come at the site. What was reported and reached stays."""

    plan: SchedulePlan


@dataclass(slots=True)
class ReportForecast(Command):
    """A milestone is now expected at `forecast_at`."""

    site: SiteId
    milestone: MilestoneId
    forecast_at: int
    reason: str = ""


@dataclass(slots=True)
class ReportReached(Command):
    """A milestone is done since `effective_at`."""

    site: SiteId
    milestone: MilestoneId
    effective_at: int
    evidence: str = ""


@dataclass(slots=True)
class RecordForecast(Command):
    """What a simulation of the graph gave; `graph` is the version of the graph that it was made for."""

    site: SiteId
    graph: int
    #: What made it, with its version.
    source: str
    scenarios: int
    milestones: tuple[MilestoneQuantile, ...]
    blocks: tuple[BlockQuantile, ...]


# Events


@dataclass(slots=True)
class SchedulePlanned(Event):
    """What is to come at a site, from here on."""

    plan: SchedulePlan


@dataclass(slots=True)
class MilestoneForecast(Event):
    """A milestone is expected at another date, and so is all that waits for it."""

    site: SiteId
    milestone: MilestoneId
    forecast_at: int
    reason: str


@dataclass(slots=True)
class MilestoneReached(Event):
    """A milestone is done since `effective_at`."""

    site: SiteId
    milestone: MilestoneId
    effective_at: int
    evidence: str


@dataclass(slots=True)
class ForecastRecorded(Event):
    """How sure the dates of a site are."""

    site: SiteId
    graph: int
    source: str
    scenarios: int
    milestones: tuple[MilestoneQuantile, ...]
    blocks: tuple[BlockQuantile, ...]


ScheduleEvent = SchedulePlanned | MilestoneForecast | MilestoneReached | ForecastRecorded


# State


@dataclass(slots=True)
class Forecast:
    """The newest simulation of a site's graph."""

    graph: int
    source: str
    scenarios: int
    milestones: dict[MilestoneId, Quantile]
    blocks: dict[BlockId, Quantile]


@dataclass(slots=True)
class Schedule:
    """What is to come at a site, as recorded: replaced, never changed in place."""

    plan: SchedulePlan
    #: Of the graph: grows with each change of it.
    graph: int = 1
    #: What was last reported of milestones: expected then.
    reported: dict[MilestoneId, int] = field(default_factory=dict)
    reached: dict[MilestoneId, int] = field(default_factory=dict)
    forecast: Forecast | None = None


# Dates


def ordered(milestones: Iterable[MilestonePlan]) -> list[MilestonePlan]:
    """Milestones, each behind those that it waits for; members of a circle are left out."""
    waiting = {milestone.id: len(set(milestone.after)) for milestone in milestones}
    behind: dict[MilestoneId, list[MilestonePlan]] = {}
    for milestone in milestones:
        for before in set(milestone.after):
            behind.setdefault(before, []).append(milestone)
    ready = [milestone for milestone in milestones if not milestone.after]
    for milestone in ready:
        for other in behind.get(milestone.id, ()):
            waiting[other.id] -= 1
            if not waiting[other.id]:
                ready.append(other)
    return ready


def circle(milestones: Iterable[MilestonePlan]) -> list[MilestoneId]:
    """A circle of milestones that wait for each other, in order and closed; empty when there is none."""
    done = {milestone.id for milestone in ordered(milestones)}
    after = {
        m.id: [before for before in m.after if before not in done] for m in milestones if m.id not in done
    }
    if not after:
        return []
    path = [min(after)]
    while (step := min(after[path[-1]])) not in path:
        path.append(step)
    # The path went from what waits to what it waits for: told the other way round, as things happen.
    loop = path[path.index(step) :]
    return [step, *reversed(loop)]


def dates(
    plan: SchedulePlan, reported: Mapping[MilestoneId, int], reached: Mapping[MilestoneId, int]
) -> dict[MilestoneId, int]:
    """The date of every milestone by which we reckon: the longest path (see the top of this file)."""
    found: dict[MilestoneId, int] = {}
    for milestone in ordered(plan.milestones):
        known = reached.get(milestone.id)
        if known is None:
            known = reported.get(milestone.id, milestone.planned_at)
            if milestone.after:
                done_at = max(found[before] for before in milestone.after)
                known = max(known, done_at + milestone.duration_p50_s * SECOND_US)
        found[milestone.id] = min(known, INSTANT_MAX)
    return found


class Outlook:
    """When the milestones and blocks of one site come, at every confidence: made from its schedule, and kept."""

    def __init__(self, schedule: Schedule) -> None:
        self.schedule = schedule
        self.dates = dates(schedule.plan, schedule.reported, schedule.reached)
        forecast = schedule.forecast
        #: Whether the recorded quantiles, if any, are those of an older graph.
        self.provisional = forecast is None or forecast.graph != schedule.graph
        self._quantiles: dict[MilestoneId, Quantile] = {}
        for milestone in ordered(schedule.plan.milestones):
            self._quantiles[milestone.id] = self._quantile(milestone)
        self._blocks = {block.id: self._block_quantile(block) for block in schedule.plan.blocks}
        #: What comes next: milestones that are not reached, though all that they wait for is, each with the first of
        #: its dates at any confidence, from which on it would be counted on; in order.
        self.expected = sorted(
            (first_at, milestone.id)
            for milestone in schedule.plan.milestones
            if milestone.id not in schedule.reached
            and all(before in schedule.reached for before in milestone.after)
            and (first_at := min(self.dates[milestone.id], self._quantiles[milestone.id].p50_at))
            < INSTANT_MAX
        )

    def _quantile(self, milestone: MilestonePlan) -> Quantile:
        date = self.dates[milestone.id]
        if milestone.id in self.schedule.reached:
            return Quantile(date, date)
        forecast = self.schedule.forecast
        own = self._recorded(forecast.milestones.get(milestone.id) if forecast else None, date)
        return _latest(own, *(self._quantiles[before] for before in milestone.after))

    def _block_quantile(self, block: BlockPlan) -> Quantile:
        latest = _latest(*(self._quantiles[milestone] for milestone in block.after))
        forecast = self.schedule.forecast
        recorded = forecast.blocks.get(block.id) if forecast else None
        if recorded is None or all(milestone in self.schedule.reached for milestone in block.after):
            return latest
        return _latest(latest, self._recorded(recorded, self.block_date(block)))

    def _recorded(self, recorded: Quantile | None, date: int) -> Quantile:
        if recorded is None:
            return Quantile(date, date)
        return _latest(recorded, Quantile(date, date)) if self.provisional else recorded

    def block_date(self, block: BlockPlan) -> int:
        """The date of a block by which we reckon."""
        return max(self.dates[milestone] for milestone in block.after)

    def milestone(self, milestone: MilestoneId, confidence: Confidence) -> int:
        """The date of a milestone at a confidence."""
        return self._quantiles[milestone].at(confidence)

    def block(self, block: BlockPlan, confidence: Confidence) -> int:
        """The date of a block at a confidence."""
        return self._blocks[block.id].at(confidence)

    def it_power(self, confidence: Confidence) -> Steps | None:
        """Watts for the racks over time; None where the file tells of no stage, and power is not counted here."""
        plan = self.schedule.plan
        if not plan.stages:
            return None
        watts = {stage.id: units.it_power(facility_power(stage), plan.pue_ppm).watts for stage in plan.stages}
        changes = []
        #: What follows at the milestone that ends a stage: until that has come for sure, so much of the stage stays.
        followed: dict[MilestoneId, int] = {}
        for stage in plan.stages:
            changes.append((self.milestone(stage.start, confidence), watts[stage.id]))
            followed[stage.start] = followed.get(stage.start, 0) + watts[stage.id]
        for stage in plan.stages:
            if not stage.end:
                continue
            start_at, end_at = self.milestone(stage.start, confidence), self.milestone(stage.end, confidence)
            # The end of a stage is not a delay that could be waited out: the earlier date is the careful one.
            early_at = self.milestone(stage.end, Confidence.P50)
            handed = min(watts[stage.id], followed.get(stage.end, 0))
            followed[stage.end] = followed.get(stage.end, 0) - handed
            changes.append((max(start_at, early_at), handed - watts[stage.id]))
            changes.append((max(start_at, end_at), -handed))
        return timeline.summed(changes)


def _latest(*found: Quantile) -> Quantile:
    """By when all are done that are done by then each: the later at each confidence."""
    return Quantile(max(each.p50_at for each in found), max(each.p90_at for each in found))


def contracted_power(stage: PowerStage) -> ContractedPower:
    """What is owed by contract."""
    return ContractedPower(stage.contracted_w)


def connected_power(stage: PowerStage) -> ConnectedPower:
    """What is energised."""
    return ConnectedPower(stage.connected_w)


def facility_power(stage: PowerStage) -> FacilityPower:
    """What the site may draw of a stage: what is connected, and never more than what is owed."""
    return FacilityPower(min(stage.connected_w, stage.contracted_w))


class Arrival(NamedTuple):
    """Nodes of one SKU that a site has from an instant on; whole racks of `step` nodes count, each node `node_w`."""

    at: int
    block: BlockId
    sku: SkuId
    nodes: int
    step: int
    node_w: int


def powered(arrivals: Iterable[Arrival], power: Steps | None) -> dict[SkuId, Steps]:
    """Nodes of each SKU over time that have both arrived and power: who comes first is fed first, ties by block."""
    return powered_by([(arrival, arrival.sku) for arrival in sorted(arrivals)], power)


def powered_by(queue: Iterable[tuple[Arrival, Key]], power: Steps | None) -> dict[Key, Steps]:
    """Nodes of each key over time that have both arrived and power; arrivals are fed in their order."""
    queue = list(queue)
    if power is None:
        changes: dict[Key, list[tuple[int, int]]] = {}
        for arrival, key in queue:
            changes.setdefault(key, []).append((arrival.at, arrival.nodes))
        return {key: timeline.summed(found) for key, found in changes.items()}
    instants = sorted({0, *power.starts, *(arrival.at for arrival, _ in queue)})
    levels: dict[Key, list[int]] = {key: [] for _, key in queue}
    changed = {instants[0], *power.starts}
    fed, left_w, place = dict.fromkeys(levels, 0), 0, 0
    for instant in instants:
        if instant in changed:
            # With other power everybody is fed anew; until then who comes only gets what is left.
            fed, left_w, place = dict.fromkeys(levels, 0), ItPower(power.at(instant)).watts, 0
        while place < len(queue) and queue[place][0].at <= instant:
            arrival, key = queue[place]
            nodes = min(arrival.nodes, left_w // arrival.node_w) if arrival.node_w else arrival.nodes
            nodes -= nodes % arrival.step
            left_w -= nodes * arrival.node_w
            fed[key] += nodes
            place += 1
        for key, nodes in fed.items():
            levels[key].append(nodes)
    return {key: _joined(instants, values) for key, values in levels.items()}


def _joined(instants: list[int], values: list[int]) -> Steps:
    """Steps from values at instants; neighbours that are equal are one step."""
    changes = [(instants[0], values[0])]
    changes += [(instants[place], values[place] - values[place - 1]) for place in range(1, len(instants))]
    return timeline.summed(changes)
