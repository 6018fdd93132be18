"""Is a new version of a contract taken on under which we rent? The file that its seller signs, by the same rules.

What its seller asks of its own calendar is not asked here: it adds supply, or takes some of it away. A version whose
date has passed is one that we record late, and is judged as of that date.
"""

from __future__ import annotations

from forebay.core import supply
from forebay.core.claims import amendments, contracts, rented, renting
from forebay.core.claims.calendar import Calendar
from forebay.core.claims.contracts import State
from forebay.core.claims.terms import ContractPlan
from forebay.core.ids import Answer, ContractId, Refusal
from forebay.core.timeline import Due


def is_rental_amendment(state: State, plan: ContractPlan) -> bool:
    """Whether this is another version of a contract under which we rent, and not one that was signed."""
    known = state.rented.versions.get(plan.id, ())
    return bool(known) and all(each.plan.version != plan.version for each in known)


def sign_rental(
    state: State, supplied: supply.State, command: contracts.SignContract, at: int, emit: supply.Emit
) -> Answer | Refusal:
    """Sign a contract as its customer, or a new version of one. Refuses what `renting.rent` or `amend_rental` do."""
    if is_rental_amendment(state, command.plan):
        return amend_rental(state, supplied, command, at, emit)
    return renting.rent(state, supplied, command, at, emit)


def amend_rental(
    state: State, supplied: supply.State, command: contracts.SignContract, at: int, emit: supply.Emit
) -> Answer | Refusal:
    """Record a new version as the customer. Refuses, in this order: contradiction (what is its seller's to say),
    own_site, other_seller, unknown_hold (a hold is the seller's), and what `amendments.decide` refuses; nothing that
    its seller asks of its calendar.
    """
    plan = command.plan
    no = renting.refuse_sellers_part(command) or renting.refuse_sites(state, supplied, plan)
    if no is None and command.hold:
        no = Refusal("unknown_hold", f"a hold is {plan.seller}'s own, and not kept here", "hold")
    if no is not None:
        return no
    strange, there = renting.with_sites(supplied, plan)
    # One whose date has passed was signed by then.
    signed_at = min(at, plan.effective_at or at)
    seen = _with_all_names(state, renting.mirror(state, there, plan.id, signed_at), signed_at)
    calendar = Calendar(there, seen)
    decided = amendments.decide(seen, there, calendar, command, None, signed_at, signed_at, theirs=True)
    if isinstance(decided, Refusal):
        return decided
    event = decided.event
    for site in strange:
        emit(supply.SiteAdded(site, "", "", "", "UTC"))
    emit(
        rented.RentalAmended(
            event.plan, event.effective_at, event.tranches, event.rights, event.regranted, event.withdrawn
        )
    )
    if event.effective_at <= at:
        emit(rented.RentalTermsChanged(plan.id, plan.version, event.effective_at))
    return {
        "contract": plan.id, "signed": True, "tranches": {}, "version": plan.version,
        "effective_at": event.effective_at,
    }  # fmt: skip


def _with_all_names(state: State, seen: State, at: int) -> State:
    """A contract as its seller holds it, among all that has a name here: no name is taken twice."""
    others = [name for name in state.rented.contracts if name not in seen.contracts]
    theirs = {each.plan.id: each for name in others for each in renting.tranches_of(state, name, at)}
    seen.tranches = state.tranches | theirs | seen.tranches
    seen.rights = state.rights | state.rented.rights | seen.rights
    seen.indices = state.indices
    seen.policy = state.policy
    return seen


def take_effect(due: Due, emit: supply.Emit) -> None:
    """A version holds from now on."""
    emit(rented.RentalTermsChanged(ContractId(due.about), due.stamp, due.at))
