"""Where does one gang fit under what is narrower for it than for all: limits to come, promised power, and ramps?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from forebay.core.ids import GangId
from forebay.core.placements import limits, ramps, search
from forebay.core.placements.gang import Gang, Run, Spec, Tier
from forebay.core.placements.index import POOL, Index, PoolKey
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


def lacks_room(desk: Desk, gang: Gang, index: Index, at: int) -> bool:
    """Whether numbers alone tell that a gang does not fit into an index at an instant: GPUs, and what the roots of
    the electrical tree may still carry. It may not fit all the same.
    """
    spec = gang.spec
    if spec.tier is Tier.SPOT or spec.skus or spec.id in desk.state.holds:
        return False
    if spec.tier is Tier.DEDICATED:
        keys = [PoolKey(spec.tranche, spec.sku, desk.claimed.tranches[spec.tranche].plan.site)]
    else:
        keys = [PoolKey(POOL, spec.sku, site) for site in spec.sites or desk.supplied.sites]
    watts = spec.gpus * desk.supplied.skus[spec.sku].gpu_w
    return not any(
        index.most(key) >= spec.gpus and _room_w(desk, spec, index, key, at) >= watts for key in keys
    )


def _room_w(desk: Desk, spec: Spec, index: Index, key: PoolKey, at: int) -> int:
    """What a gang may draw at a site at the most, as far as the roots of the electrical tree tell."""
    bounds = limits.narrowed(index, spec, key.owner, _coming(desk), desk.supplied, at)
    room_w = 0
    for root in index.plant.extents[key.sku, key.site].roots:
        may_w = min(index.limit_w[root], bounds.get(root, index.limit_w[root])) - index.load_w[root]
        room_w += max(0, may_w - (index.reserved_w[root] if key.owner == POOL else 0))
    return room_w


def _hold(desk: Desk, index: Index, gang: GangId, misfit: Misfit, ramped: dict[int, int]) -> None:
    """The first whom a ramp holds up is not overtaken."""
    bounds = desk.derived.bounds
    bounds.held = bounds.held or {}
    for level, bound_w in ramped.items():
        if index.plant.level_name[level] == misfit.level and bound_w < index.limit_w[level]:
            bounds.held.setdefault(level, gang)


def _coming(desk: Desk) -> list[limits.LimitToCome]:
    bounds, held, known = desk.derived.bounds, desk.derived.held, desk.state.gangs
    if bounds.coming is not None:
        return bounds.coming
    gangs = (known[name] for name in (*held.gangs, *sorted(held.wiped)))
    return limits.limits_to_come(bounds, desk.derived.index, desk.supplied, desk.state.policy, gangs)


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
