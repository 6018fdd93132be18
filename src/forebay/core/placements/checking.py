"""What is wrong with the books of this stage? Invariants 1 and 2, and that what is derived is what the state says."""

from __future__ import annotations

from collections.abc import Iterator

from forebay.core import claims, supply
from forebay.core.placements import chains, datasets, limits
from forebay.core.placements.gang import HOLDING, Phase, Tier
from forebay.core.placements.index import POOL, Index, each_node
from forebay.core.placements.state import Derived, State, derive, derive_held


def check(state: State, derived: Derived, supplied: supply.State, claimed: claims.State) -> Iterator[str]:
    """Invariants 1 and 2, and that the index is what the state says."""
    taken: dict[int, int] = {}
    for gang in state.gangs.values():
        if gang.phase in HOLDING:
            if sum(count * mask.bit_count() for _, count, mask in gang.runs) != gang.spec.gpus:
                yield f"gang {gang.spec.id} is not whole"
            for node, mask in each_node(gang.runs):
                if taken.get(node, 0) & mask:
                    yield f"node {node} is placed on twice"
                taken[node] = taken.get(node, 0) | mask
                if node in supplied.failed and gang.phase is not Phase.STOPPING:
                    yield f"gang {gang.spec.id} is to run on node {node}, which failed"
                owner = derived.index.owner[node]
                own = gang.spec.tranche if gang.spec.tier is Tier.DEDICATED else gang.lender or POOL
                if owner != own and gang.phase is not Phase.STOPPING:
                    yield f"gang {gang.spec.id} runs on node {node} of {owner or 'the pool'}"
    index = derived.index
    # What stops already may still draw what is reserved for others: they wait for it.
    leaving_w: dict[int, int] = {}
    for gang in state.gangs.values():
        if gang.phase is Phase.STOPPING or gang.returns_at:
            for level, watts in index.pool_draw(gang.runs, supplied.skus[gang.spec.sku].gpu_w).items():
                leaving_w[level] = leaving_w.get(level, 0) + watts
    for level, limit_w in enumerate(index.plant.level_limit_w):
        if level in index.plant.heat_levels:
            continue  # what a loop takes is known after what hangs on it: see `shedding.check_sheddings`
        if index.load_w[level] > limit_w:
            yield f"{index.plant.level_name[level]} carries {index.load_w[level]} W, above its limit of {limit_w} W"
        held_w = index.load_w[level] + index.reserved_w[level] - leaving_w.get(level, 0)
        if held_w > limit_w:
            name = index.plant.level_name[level]
            yield f"{name} carries and reserves {held_w} W, above its limit of {limit_w} W"
    again = derive(state, supplied, claimed, derive_held(state))
    if (index.free, index.owner, index.usable) != (again.index.free, again.index.owner, again.index.usable):
        yield "the index differs from the state"
    if index.buckets() != again.index.buckets():
        yield "the buckets of free nodes differ from the state"
    if _levels(index) != _levels(again.index):
        yield "the loads of the electrical levels differ from the state"
    if (derived.held.on_node.near, derived.held.wiped) != (again.held.on_node.near, again.held.wiped):
        yield "gangs by node differ from the state"
    if derived.lent != again.lent:
        yield "loans differ from the state"
    if derived.bounds.coming is not None:
        holding = [gang for gang in state.gangs.values() if gang.phase in HOLDING or gang.returns_at]
        if derived.bounds.coming != limits.limits_to_come(
            again.bounds, index, supplied, state.policy, holding
        ):
            yield "limits to come differ from the state"
    yield from datasets.check_data(state.gangs, supplied, claimed)
    yield from chains.check_chains(state.chains, state.gangs)
    if not derived.backoff <= again.backoff:
        yield "gangs that wait out a pause differ from the state"


def _levels(index: Index) -> dict[str, tuple[int, int, int]]:
    watts = zip(index.load_w, index.reserved_w, index.limit_w, strict=True)
    return dict(zip(index.plant.level_name, watts, strict=True))
