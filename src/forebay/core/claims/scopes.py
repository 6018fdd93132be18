"""Does anything match what a right is about? A right over nothing would never hinder a sale, or take a rack.

A site and a kind of rack match what stands there, what is planned to come, and what we rent there. A call over
nothing is refused too, as oversold: an operator may grant it all the same, with a reason, before there is a plan.
What was granted before is not asked again: an amendment leaves it as it is, and an opening may say that it is over.
"""

from __future__ import annotations

from collections.abc import Container, Iterator

from forebay.core import supply
from forebay.core.claims.contracts import State
from forebay.core.claims.rights import RightKind
from forebay.core.claims.terms import ContractPlan
from forebay.core.ids import Refusal, RightId, SiteId, SkuId


def refuse_empty(
    state: State, supplied: supply.State, plan: ContractPlan, but: Container[RightId] = frozenset()
) -> Refusal | None:
    """Refuses bad_scope: a refusal or a backstop over a kind of rack, or a site, of which nothing stands and nothing
    is to come. One over each site and every kind is about whatever there will be. Those in `but` are not asked.
    """
    for place, right in enumerate(plan.rights):
        if right.kind not in (RightKind.REFUSAL, RightKind.BACKSTOP) or not (right.site or right.sku):
            continue
        if right.id in but:
            continue
        if any(right.site in ("", site) and right.sku in ("", sku) for site, sku in _there(state, supplied)):
            continue
        skus = sorted({sku for site, sku in _there(state, supplied) if site == right.site})
        sites = sorted({site for site, sku in _there(state, supplied) if sku == right.sku})
        told = f"right {right.id}: no rack"
        told += f" of {right.sku}" if right.sku else ""
        told += f" stands at {right.site or 'any site'}, and none is to come"
        if skus:
            told += f"; there are {', '.join(skus)}"
        if sites and right.site:
            told += f"; {right.sku} is at {', '.join(sites)}"
        return Refusal("bad_scope", told, f"rights[{place}].{'sku' if right.sku else 'site'}")
    return None


def _there(state: State, supplied: supply.State) -> Iterator[tuple[SiteId, SkuId]]:
    """What there is, or is to come, by site and kind; the same more than once."""
    for name, schedule in supplied.schedules.items():
        yield from ((name, block.sku) for block in schedule.plan.blocks)
    yield from ((tranche.plan.site, tranche.plan.sku) for tranche in state.rented.tranches.values())
    yield from ((rack.site, rack.sku) for rack in supplied.racks.values())
