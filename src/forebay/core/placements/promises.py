"""By when does whoever waits first fit, if everything runs to its limit of time? Asked after every end, so kept up.

The answer is that of `schedule.promise`, which goes through all that runs. Here an outlook, an index as it will be,
is moved from the last answer to the next one: forwards while the gang does not fit, and back while it fits before. It
is not moved at all where nothing that it depends on changed.

An outlook knows ends only. So it answers up to the first instant at which something else changes, nodes that pass to
another owner or a limit of power, and for who is gone before a lower limit that is announced; beyond that, and where
feeds ramp, all is gone through.
"""

from __future__ import annotations

from forebay.core.ids import GangId
from forebay.core.placements.ends import Ends, Foresight, MovedEnd, end_of
from forebay.core.placements.gang import Gang, Level, Spec, Tier
from forebay.core.placements.index import POOL, Index, Plant, PoolKey
from forebay.core.placements.limits import limit_changes
from forebay.core.placements.queue import away_s
from forebay.core.placements.schedule import Desk, Fit, find, holding, promise, sites_for, turns_of
from forebay.core.placements.state import Promised
from forebay.core.timeline import INSTANT_MAX
from forebay.core.units import SECOND_US


def bring_up_to_date(desk: Desk) -> None:
    """Enter what happened since the last time into the ends, and into the outlooks."""
    ends = desk.derived.ends
    ends.current = True
    if ends.moved:
        ends.outlooks.clear()
        ends.pools.clear()
        ends.moved = False
        ends.moves += 1
        ends.powered = _all_powered(desk.derived.index.plant) and not desk.supplied.curtailments
        index, ahead = desk.derived.index, [turn.at for turn in turns_of(desk)[:1]]
        ahead += [step.at for step in limit_changes(index, desk.supplied.curtailments, desk.at)[:1]]
        ends.turn_at = min(ahead, default=INSTANT_MAX)
    if not ends.watched:
        found = [end_of(gang, desk.state.policy, _gpu_w(desk, gang)) for gang in holding(desk)]
        ends.watch([end for end in found if end is not None])
        return
    if not ends.touched:
        return
    changes = [change for name in ends.touched if (change := _change(desk, ends, name)) is not None]
    ends.touched.clear()
    if changes:
        for outlook in ends.outlooks.values():
            outlook.enter(changes)


def _change(desk: Desk, ends: Ends, name: GangId) -> MovedEnd | None:
    gang = desk.state.gangs.get(name)
    return ends.set(name, gang and end_of(gang, desk.state.policy, _gpu_w(desk, gang)))


def any_moved(desk: Desk) -> bool:
    """Whether something moved by itself that somebody was promised an instant by: an end that is expected later."""
    promised, outlooks = desk.derived.promised, desk.derived.ends.outlooks
    return any(outlook.changed and promised.get(capacity) for capacity, outlook in outlooks.items())


def started(desk: Desk, gang: Gang) -> None:
    """A gang started, beside or before whoever is promised an instant."""
    ends = desk.derived.ends
    if not ends.current:
        return
    end = end_of(gang, desk.state.policy, _gpu_w(desk, gang))
    assert end is not None, "what was placed holds GPUs"
    ends.set(gang.spec.id, end)
    promised = desk.derived.promised
    for capacity, outlook in ends.outlooks.items():
        outlook.add(end)
        # Whoever it was moved for has no promise yet in this pass: nobody asked whether this one leaves it its place.
        outlook.changed |= capacity not in promised and end.at > outlook.at
    for first in promised.values():
        # One of its own, beyond an instant at which nodes change hands.
        if first is not None and first.apart and end.at > first.at:
            first.then.take(end.runs, end.gpu_w)


def promise_kept(desk: Desk, gang: Gang) -> Promised | None:
    """As `schedule.promise` says for the first that does not fit."""
    spec, curtailments, ends = gang.spec, desk.supplied.curtailments, desk.derived.ends
    if not ends.current:
        # Also where all is gone through: from here on whoever starts takes its place in what is promised.
        bring_up_to_date(desk)
    beyond = desk.state.ramps or desk.state.campaigns
    if beyond or (curtailments and not _sees_limits_as_they_are(desk, spec)):
        return promise(desk, gang)
    capacity = (spec.tranche, spec.sku)
    outlook = ends.outlooks.get(capacity)
    if outlook is None:
        outlook = ends.outlooks[capacity] = Foresight(desk.derived.index)
    if outlook.changed or (outlook.sought is not gang and outlook.sought != gang):
        outlook.sought, outlook.changed = None, False
        if _seek(desk, gang, ends, outlook):
            outlook.sought = gang
    if outlook.sought is None or ends.turn_at <= outlook.at:
        # By then nodes change hands, or they have to before it fits.
        return promise(desk, gang) if ends.turn_at < INSTANT_MAX else None
    if curtailments and _under_limits_to_come(desk, spec, outlook.at):
        return promise(desk, gang)
    return Promised(gang, max(outlook.at, desk.at), outlook.index, apart=False)


def _sees_limits_as_they_are(desk: Desk, spec: Spec) -> bool:
    """Whether, were it to start now, no curtailment would narrow the limits of levels for a gang."""
    return spec.tier is not _SPOT and not spec.skus and not _under_limits_to_come(desk, spec, desk.at)


def _under_limits_to_come(desk: Desk, spec: Spec, at: int) -> bool:
    """Whether a gang that starts at an instant may still be there when a limit falls that is announced."""
    gone_at = max(at, desk.at) + away_s(spec) * SECOND_US
    return any(not each.begun and each.start_at < gone_at for each in desk.supplied.curtailments.values())


def _seek(desk: Desk, gang: Gang, ends: Ends, outlook: Foresight) -> bool:
    """Move an outlook to the first instant at which a gang fits; False where it never does."""
    pools = pools_of(desk, gang.spec)
    if not fits(desk, gang, outlook.index, pools):
        while following := ends.after(outlook.at):
            outlook.forward(following)
            if fits(desk, gang, outlook.index, pools):
                return True
        return False
    while last := ends.until(outlook.at):
        outlook.back(last)
        if not fits(desk, gang, outlook.index, pools):
            outlook.forward(last)
            return True
    raise AssertionError("a gang that fits as things are needs no promise")


def fits(desk: Desk, gang: Gang, index: Index, pools: list[PoolKey] | None = None) -> bool:
    """Whether a gang fits, by numbers where they tell. `pools` are those that it may be in by its own right."""
    spec = gang.spec
    if spec.tier is not _SPOT and not spec.skus:
        for pool in pools or pools_of(desk, spec):
            if spec.gpus <= index.most(pool):
                break
        else:
            return False
        near = spec.within is _SITE or spec.gpus <= desk.supplied.skus[spec.sku].gpus_per_node
        if near and not spec.slice_gpus and desk.derived.ends.powered:
            return True
    return isinstance(find(desk, gang, index=index), Fit)


#: By names of their own: to read a member of an enum takes ten times as long.
_SPOT, _SITE = Tier.SPOT, Level.SITE


def pools_of(desk: Desk, spec: Spec) -> list[PoolKey]:
    """Where a gang may be by its own right: what its tranche owns, or the pool of each site."""
    if spec.tier is Tier.DEDICATED:
        return [PoolKey(spec.tranche, spec.sku, desk.claimed.tranches[spec.tranche].plan.site)]
    return [PoolKey(POOL, spec.sku, site) for site in sites_for(desk, spec)]


def _all_powered(plant: Plant) -> bool:
    """Whether no level can run out of power, whatever runs; not judged where there is heat to carry off as well."""
    if plant.rack_heat:
        return False
    need_w = plant.level_base_w.copy()
    for rack, path in enumerate(plant.rack_path):
        gpus = plant.rack_nodes[rack] * plant.full_mask[plant.rack_first[rack]].bit_count()
        for level in path:
            need_w[level] += gpus * plant.rack_gpu_w[rack]
    return all(need <= limit for need, limit in zip(need_w, plant.level_limit_w, strict=True))


def _gpu_w(desk: Desk, gang: Gang) -> int:
    return desk.supplied.skus[gang.spec.sku].gpu_w
