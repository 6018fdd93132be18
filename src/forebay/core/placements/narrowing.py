"""Where does one gang fit under what is narrower for it than for all: limits to come, promised power, and ramps?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from forebay.core.ids import GangId
from forebay.core.placements import limits, ramps, search
from forebay.core.placements.ends import free_at
from forebay.core.placements.gang import Gang, Run
from forebay.core.placements.index import Index
from forebay.core.placements.search import Misfit, Want

if TYPE_CHECKING:
    from forebay.core.placements.schedule import Desk

Place = tuple[Run, ...] | Misfit
Locate = Callable[[Index, Want, Iterable[Run]], Place]


def locator(desk: Desk, gang: Gang, at: int) -> Locate:
    """A search for a place for one gang that is to start at an instant."""

    def locate(index: Index, want: Want, prefer: Iterable[Run]) -> Place:
        found = limits.narrowed(index, gang.spec, want.owner, _coming(desk), desk.supplied, at)
        bounds, ramped = desk.derived.bounds, dict[int, int]()
        if desk.state.ramps:
            rate, held = desk.state.policy.ramp_w_per_minute, bounds.held or {}
            ramped = limits.ramped(index, desk.state.ramps, rate, want.owner, held, gang.spec.id, at)
        if not found and not ramped:
            return search.locate(index, want, prefer)
        limit_w = index.limit_w.copy()
        for level, bound_w in (*found.items(), *ramped.items()):
            limit_w[level] = min(limit_w[level], bound_w)
        place = search.locate(index, want, prefer, limit_w)
        if ramped and isinstance(place, Misfit) and at == desk.at:
            _hold(desk, index, gang.spec.id, place, ramped)
        return place

    return locate


def _hold(desk: Desk, index: Index, gang: GangId, misfit: Misfit, ramped: dict[int, int]) -> None:
    """The first whom a ramp holds up is not overtaken."""
    bounds = desk.derived.bounds
    bounds.held = bounds.held or {}
    for level, bound_w in ramped.items():
        if index.plant.level_name[level] == misfit.level and bound_w < index.limit_w[level]:
            bounds.held.setdefault(level, gang)


def _coming(desk: Desk) -> list[limits.LimitToCome]:
    bounds = desk.derived.bounds
    if bounds.coming is None:
        policy, known = desk.state.policy, desk.state.gangs
        held = desk.derived.held
        gangs = [known[name] for name in (*held.gangs, *sorted(held.wiped))]
        bounds.coming = limits.limits_to_come(
            desk.derived.index, desk.supplied, [(gang, free_at(gang, policy)) for gang in gangs]
        )
    return bounds.coming


def changes_ahead(desk: Desk, gang: Gang) -> list[limits.LimitStep]:
    """Instants at which levels may carry something else, or a ramp lets a gang by."""
    if not desk.supplied.curtailments and not desk.state.ramps:
        return []
    index, rate = desk.derived.index, desk.state.policy.ramp_w_per_minute
    found = limits.limit_changes(index, desk.supplied.curtailments, desk.at)
    for feed, paid_at in desk.state.ramps.items() if rate else ():
        watts = gang.spec.gpus * desk.supplied.skus[gang.spec.sku].gpu_w
        may_at = ramps.may_start_at(paid_at, watts, rate)
        if may_at > desk.at:
            found.append(limits.LimitStep(may_at, index.plant.level_of_feed[feed], -1))
    return sorted(found)
