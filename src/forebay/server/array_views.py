"""How far is each array of gangs? One body for all of its gangs."""

from __future__ import annotations

from forebay.core.ids import GangId, Principal
from forebay.core.placements import chains
from forebay.core.placements.gang import Phase
from forebay.core.world import World
from forebay.server import amounts, bodies, sight


def array_bodies(world: World, principal: Principal, tenant: str) -> list[bodies.ArrayBody]:
    """Arrays that the principal may see, by name."""
    known = world.state.placements.chains.arrays.values()
    seen = [each for each in known if sight.owns(principal, each.tenant) and tenant in ("", each.tenant)]
    return [_body(world, each) for each in sorted(seen)]


def array_body(world: World, principal: Principal, name: str) -> bodies.ArrayBody | None:
    """One array."""
    array = world.state.placements.chains.arrays.get(GangId(name))
    return None if array is None or not sight.owns(principal, array.tenant) else _body(world, array)


def _body(world: World, array: chains.Array) -> bodies.ArrayBody:
    members = (world.state.placements.gangs.get(array.member(n)) for n in range(len(array.indices)))
    known = [gang for gang in members if gang is not None]
    phases = {phase.value: sum(gang.phase is phase for gang in known) for phase in Phase}
    # Those that left the live state are over.
    phases[Phase.ENDED.value] += len(array.indices) - len(known)
    spec = known[0].spec
    return {
        "id": array.id,
        "tenant": array.tenant,
        "tier": spec.tier.value,
        "sku": spec.sku,
        "gpus": spec.gpus,
        "gangs": len(array.indices),
        "at_most": array.at_most,
        "phases": phases,
        "failed": array.failed,
        "submitted_at": amounts.when(min(gang.submitted_at for gang in known)),
    }
