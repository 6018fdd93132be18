"""On which side of a contract are we, and what do our private terms change?

Without an estate we are the seller of every contract. Who goes short first, below which price nothing is signed, and
how sure supply must be: an overlay may say so for one contract, and its other party never learns of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from forebay.core import supply
from forebay.core.claims import terms
from forebay.core.claims.contracts import State
from forebay.core.claims.parties import (
    ApplyEstate,
    ApplyOverlay,
    Estate,
    EstateApplied,
    Overlay,
    OverlayApplied,
)
from forebay.core.claims.rights import Side
from forebay.core.claims.terms import ContractPlan
from forebay.core.ids import Answer, ContractId, Refusal, refuse_name
from forebay.core.supply.blocks import Confidence
from forebay.core.units import decimal_text

PRIORITY_MAX = 10**6


def side_of(estate: Estate | None, plan: ContractPlan) -> Side | None:
    """Which side of a contract is ours; None where neither is. A team of our own is a customer: we sell to it."""
    if estate is None or plan.seller in (estate.party, *estate.also):
        return Side.SELLER
    return Side.CUSTOMER if plan.tenant in (estate.party, *estate.also) else None


def refuse_stranger(state: State, plan: ContractPlan) -> Refusal | None:
    """not_a_party, unless one side of the contract is ours."""
    if side_of(state.estate, plan) is not None:
        return None
    assert state.estate is not None, "without an estate we are the seller of everything"
    told = f"contract {plan.id} is between {plan.seller} and {plan.tenant}, and we are {state.estate.party}"
    return Refusal("not_a_party", told, "seller")


def contract_named(state: State, name: ContractId) -> ContractPlan | None:
    """A contract on whichever side; None where there is none of the name."""
    return state.contracts.get(name) or state.rented.contracts.get(name)


def apply_estate(state: State, command: ApplyEstate, emit: supply.Emit) -> Answer | Refusal:
    """Say who we are. Refuses: bad_id (of a name of ours), document_version (it does not grow), side_changes (a
    contract that is signed would be another party's, or the other side's).
    """
    estate = command.estate
    if estate == state.estate:
        return {"party": estate.party, "version": estate.version, "changed": False}
    for name in (estate.party, *estate.also):
        no = refuse_name(name, "party")
        if no is not None:
            return no
    if state.estate is not None and estate.version <= state.estate.version:
        told = f"version {state.estate.version} of the estate is in force already"
        return Refusal("document_version", told, "version")
    sides = [(plan, Side.SELLER) for plan in state.contracts.values()]
    sides += [(plan, Side.CUSTOMER) for plan in state.rented.contracts.values()]
    for plan, side in sides:
        if side_of(estate, plan) is not side:
            told = (
                f"contract {plan.id} is recorded with us as its {side.value}, and {estate.party} is not that"
            )
            return Refusal("side_changes", told, "party")
    emit(EstateApplied(estate))
    return {"party": estate.party, "version": estate.version, "changed": True}


def apply_overlay(
    state: State, supplied: supply.State, command: ApplyOverlay, emit: supply.Emit
) -> Answer | Refusal:
    """Keep private terms. Refuses: no_estate, foreign_overlay (another party's), bad_id (contract), bad_price
    (floor), bad_quantity (margin, priority), document_version (it does not grow), and for each milestone behind a
    date unknown_milestone.
    """
    overlay = command.overlay
    name = overlay.contract
    known = state.overlays.get(name)
    if overlay == known:
        return {"contract": name, "version": overlay.version, "changed": False}
    if state.estate is None:
        return Refusal(
            "no_estate", "private terms are somebody's: apply an Estate that says who we are first"
        )
    if overlay.party != state.estate.party:
        told = f"the overlay is of {overlay.party}, and we are {state.estate.party}: it belongs in their World alone"
        return Refusal("foreign_overlay", told, "party")
    no = refuse_name(name, "contract")
    if no is not None:
        return no
    if not 0 <= overlay.floor_micros_per_gpu_hour <= terms.PRICE_MICROS_MAX:
        return Refusal("bad_price", f"the floor of {name} is out of range", "floor_micros_per_gpu_hour")
    if not 0 <= overlay.margin_ppm <= terms.PPM:
        return Refusal("bad_quantity", f"the margin of {name} is out of range", "margin_ppm")
    if not 0 <= overlay.priority <= PRIORITY_MAX:
        return Refusal("bad_quantity", f"the priority of {name} is out of range", "priority")
    if known is not None and overlay.version <= known.version:
        told = f"version {known.version} of the overlay on {name} is in force already"
        return Refusal("document_version", told, "version")
    for place, each in enumerate(overlay.behind):
        schedule = supplied.schedules.get(each.site)
        if schedule is None or all(m.id != each.milestone for m in schedule.plan.milestones):
            told = f"no milestone {each.milestone} is planned at {each.site}"
            return Refusal("unknown_milestone", told, f"behind[{place}].milestone")
    emit(OverlayApplied(overlay))
    return {"contract": name, "version": overlay.version, "changed": True}


# What they decide.


def refuse_below_floor(state: State, plan: ContractPlan) -> Refusal | None:
    """below_floor for the first price, of a tranche or of a right, that is under the floor of our overlay."""
    overlay = state.overlays.get(plan.id)
    floor = overlay.floor_micros_per_gpu_hour if overlay else 0
    prices = [
        (f"tranche {each.id}", each.price_micros_per_gpu_hour, f"tranches[{place}].price")
        for place, each in enumerate(plan.tranches)
    ]
    prices += [
        (
            f"tranche {each.id}",
            step.price_micros_per_gpu_hour,
            f"tranches[{place}].price_steps[{number}].price",
        )
        for place, each in enumerate(plan.tranches)
        for number, step in enumerate(each.price_steps)
    ]
    prices += [
        (f"right {each.id}", each.price_micros_per_gpu_hour, f"rights[{place}].price")
        for place, each in enumerate(plan.rights)
        if each.price_micros_per_gpu_hour
    ]
    for what, price, where in prices:
        if price < floor:
            told = f"{what} costs {decimal_text(price)} a GPU-hour; our floor for contract {plan.id} is "
            return Refusal("below_floor", told + decimal_text(floor), where)
    return None


def confidence_for(state: State, contract: ContractId) -> Confidence:
    """How sure supply must be for a contract to be signed."""
    overlay = state.overlays.get(contract)
    return (overlay.confidence if overlay else None) or state.policy.confidence


def priorities(
    private: Mapping[ContractId, Overlay], names: Iterable[ContractId]
) -> list[frozenset[ContractId]]:
    """Contracts by priority, those that go short first at first."""
    ranks: dict[int, set[ContractId]] = {}
    for name in names:
        overlay = private.get(name)
        ranks.setdefault(overlay.priority if overlay else 0, set()).add(name)
    return [frozenset(ranks[rank]) for rank in sorted(ranks)]
