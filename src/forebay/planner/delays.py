"""How sure is each date of a site's schedule? A simulation of its milestone graph, many times over.

In each scenario every milestone has one number Z of the standard normal distribution: partly the common draw of each
cause that touches it, partly its own,

    Z = sum over causes of sqrt(share) * F(cause) + sqrt(1 - sum of shares) * own

(shares that add up to more than 1 are taken in proportion). From it follows

    lateness = max(0, Z) / z90 * late_p90             of its planned, or last reported, date
    duration = p50 * (p90 / p50) ** (Z / z90)         once all that it waits for is done: lognormal
    date     = max(planned or reported + lateness, last date that it waits for + duration) + strikes

with z90 = 1.2816, so that each is at its P90 when Z is at its own. A cause that strikes in a scenario (one draw for
the cause) adds its delay to every milestone that it touches. What is reached stays as it is; nothing else comes
before now. One Z serves lateness and duration: who is late with the one is late with the other, which is careful.

Draws are keyed by seed and name (`draws`): those of a cause by the cause alone, so that two sites with one vendor
move together and `Dates` of several sites can be read side by side, scenario by scenario; those of a milestone by
site and milestone, so that a slip moves dates and does not shuffle them. A quantile is an order statistic, taken on
the careful side and rounded up to a whole day, and never before the date by which we reckon anyway.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from forebay.core.ids import BlockId, CauseId, MilestoneId
from forebay.core.supply import blocks
from forebay.core.supply.blocks import BlockQuantile, Cause, MilestonePlan, MilestoneQuantile, Schedule
from forebay.core.timeline import INSTANT_MAX
from forebay.core.units import DAY_US, SECOND_US
from forebay.planner import draws
from forebay.planner.draws import Floats

#: Raised whenever the same schedule comes to give other dates.
SOURCE = "delays/1"
SCENARIOS = 2000
SEED = 1

#: The 90 % quantile of the standard normal distribution.
_Z90 = 1.2815515655446004
_PPM = 1_000_000

#: One instant for each scenario.
Instants: TypeAlias = NDArray[np.int64]


class Dates(NamedTuple):
    """When milestones and blocks come, scenario by scenario; 9999 where something has no date."""

    milestones: Mapping[MilestoneId, Instants]
    blocks: Mapping[BlockId, Instants]


def forecast(
    schedule: Schedule, at: int, scenarios: int = SCENARIOS, seed: int = SEED
) -> blocks.RecordForecast:
    """How sure the dates of a site are at `at`: the command that records it."""
    simulated = simulate(schedule, at, scenarios, seed)
    reckoned = blocks.Outlook(schedule)
    reached = schedule.reached
    of_milestones = tuple(
        MilestoneQuantile(name, *_quantiles(dates, reckoned.dates[name], fixed=name in reached))
        for name, dates in simulated.milestones.items()
    )
    of_blocks = tuple(
        BlockQuantile(
            block.id,
            *_quantiles(
                simulated.blocks[block.id], reckoned.block_date(block), fixed=reached.keys() >= {*block.after}
            ),
        )
        for block in schedule.plan.blocks
    )
    source = f"{SOURCE} seed {seed}"
    return blocks.RecordForecast(
        schedule.plan.site, schedule.graph, source, scenarios, of_milestones, of_blocks
    )


def simulate(schedule: Schedule, at: int, scenarios: int = SCENARIOS, seed: int = SEED) -> Dates:
    """The dates of a site in every scenario, to the microsecond. `scenarios` is at least 1."""
    common = {cause.id: _Common(cause, scenarios, seed) for cause in schedule.plan.causes}
    found: dict[MilestoneId, Instants] = {}
    drawn = [each.id for each in schedule.plan.milestones if _has_own_draw(schedule, each, common)]
    streams = draws.normals(seed, [("milestone", schedule.plan.site, name) for name in drawn], scenarios)
    own = dict(zip(drawn, streams, strict=True))
    for milestone in blocks.ordered(schedule.plan.milestones):
        if milestone.id in schedule.reached:
            found[milestone.id] = np.full(scenarios, schedule.reached[milestone.id], dtype=np.int64)
            continue
        touching = [common[cause] for cause in sorted(set(milestone.causes))]
        z = _z(milestone, touching, own.get(milestone.id), scenarios)
        dates = _by_itself(schedule, milestone, z)
        if milestone.after:
            done = _latest([found[before] for before in milestone.after])
            dates = np.maximum(dates, done + _duration_us(milestone, z))
        for cause in touching:
            dates = dates + cause.delay_us
        now = np.full(scenarios, at, dtype=np.int64)
        found[milestone.id] = np.minimum(np.maximum(dates, now), INSTANT_MAX)
    of_blocks = {block.id: _latest([found[name] for name in block.after]) for block in schedule.plan.blocks}
    return Dates({milestone.id: found[milestone.id] for milestone in schedule.plan.milestones}, of_blocks)


class _Common:
    """What a cause has in each scenario: the same at every site."""

    def __init__(self, cause: Cause, scenarios: int, seed: int) -> None:
        self.id: CauseId = cause.id
        self.share_ppm = cause.share_ppm
        self.factor = draws.normal(seed, ("cause", cause.id), scenarios) if cause.share_ppm else None
        struck = draws.uniform(seed, ("strike", cause.id), scenarios) < cause.strike_ppm / _PPM
        self.delay_us: Instants = struck * np.int64(cause.delay_s * SECOND_US)


def _has_own_draw(schedule: Schedule, milestone: MilestonePlan, common: Mapping[CauseId, _Common]) -> bool:
    """Whether a date depends on chance, and not on that of its causes alone."""
    if milestone.id in schedule.reached or not _is_chance(milestone):
        return False
    return sum(common[cause].share_ppm for cause in set(milestone.causes)) < _PPM


def _is_chance(milestone: MilestonePlan) -> bool:
    return bool(milestone.late_p90_s) or milestone.duration_p90_s != milestone.duration_p50_s


def _z(
    milestone: MilestonePlan, touching: list[_Common], own: Floats | None, scenarios: int
) -> Floats | None:
    """The milestone's draw; None where nothing about it depends on one."""
    if not _is_chance(milestone):
        return None
    total_ppm = sum(cause.share_ppm for cause in touching)
    whole_ppm = max(total_ppm, _PPM)
    z = np.zeros(scenarios)
    if own is not None:
        z = math.sqrt((_PPM - total_ppm) / _PPM) * own
    for cause in touching:
        if cause.factor is not None:
            z = z + math.sqrt(cause.share_ppm / whole_ppm) * cause.factor
    return z


def _by_itself(schedule: Schedule, milestone: MilestonePlan, z: Floats | None) -> Instants:
    """The planned or reported date with its own lateness; 0 where there is only what it waits for."""
    told_at = schedule.reported.get(milestone.id, milestone.planned_at)
    late_us = milestone.late_p90_s * SECOND_US
    if z is None or not told_at or not late_us:
        return np.array(told_at, dtype=np.int64)
    return told_at + _whole(np.maximum(z, 0.0) / _Z90 * late_us)


def _duration_us(milestone: MilestonePlan, z: Floats | None) -> Instants:
    p50_us, p90_us = milestone.duration_p50_s * SECOND_US, milestone.duration_p90_s * SECOND_US
    if z is None or p50_us == p90_us:
        return np.array(p50_us, dtype=np.int64)
    if not p50_us:
        # No lognormal has its median at 0: as lateness then.
        return _whole(np.maximum(z, 0.0) / _Z90 * p90_us)
    return _whole(draws.exp(np.minimum(z * _growth(p90_us / p50_us), 50.0)) * p50_us)


@functools.lru_cache
def _growth(ratio: float) -> float:
    """How much a step of Z adds to the logarithm of a duration whose P90 is so many times its P50."""
    return float(draws.log(np.array([ratio]))[0]) / _Z90


def _whole(lengths: Floats) -> Instants:
    """Microseconds, rounded up; what is longer than any calendar is as long as that."""
    return np.minimum(np.ceil(lengths), float(INSTANT_MAX)).astype(np.int64)


def _latest(dates: list[Instants]) -> Instants:
    latest = dates[0]
    for other in dates[1:]:
        latest = np.maximum(latest, other)
    return latest


def _quantiles(dates: Instants, reckoned_at: int, *, fixed: bool) -> tuple[int, int]:
    """The dates not after which at least half, and nine in ten, of the scenarios lie."""
    if fixed:
        return reckoned_at, reckoned_at
    count = len(dates)
    middle, high = -(-count * 5 // 10) - 1, -(-count * 9 // 10) - 1
    ordered = np.partition(dates, (middle, high))
    p50_at, p90_at = (max(int(ordered[place]), reckoned_at) for place in (middle, high))
    return _day(p50_at), _day(p90_at)


def _day(instant: int) -> int:
    """The next midnight in UTC, or the instant itself where it is one."""
    return min(-(-instant // DAY_US) * DAY_US, INSTANT_MAX)
