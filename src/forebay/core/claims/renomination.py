"""May a tranche that leaves a choice be elsewhere, or of something else, before its term begins?

It is checked as if the tranche were signed there now, and were not promised where it is. Who has a right of first
refusal there comes first, as with any sale.
"""

from __future__ import annotations

from dataclasses import replace

from forebay.core import supply, timeline
from forebay.core.claims import calendar as calendars
from forebay.core.claims import contracts, contradicting, nomination, ranking, signing
from forebay.core.claims.calendar import Calendar, Stock
from forebay.core.claims.contracts import Standing, State, Tranche
from forebay.core.claims.rights import Life, RightKind
from forebay.core.claims.terms import ContractPlan
from forebay.core.ids import Answer, Refusal


def nominate_tranche(
    state: State,
    supplied: supply.State,
    command: contracts.NominateTranche,
    at: int,
    emit: supply.Emit,
) -> Answer | Refusal:
    """Put a tranche elsewhere. Refuses: unknown_tranche, tranche_over, too_late (its term has begun), outside_scope,
    first_refusal, oversold (the tranche, then the right to go on with it), no_whole_racks, no_power,
    clauses_contradict. Where it is already, nothing changes.
    """
    tranche = state.tranches.get(command.tranche)
    if tranche is None:
        return Refusal("unknown_tranche", f"there is no tranche {command.tranche}", "tranche")
    plan = tranche.plan
    if tranche.standing is Standing.ENDED:
        return Refusal("tranche_over", f"tranche {plan.id} is over", "tranche")
    if tranche.standing is Standing.LIVE:
        told = f"the term of tranche {plan.id} began at {timeline.text(tranche.started_at)}: it stays where it is"
        return Refusal("too_late", told, "tranche")
    wanted = Stock(command.site, command.sku)
    known = list(nomination.choices(plan, supplied))
    if wanted not in known:
        there = ", ".join(f"{stock.sku} at {stock.site}" for stock in known)
        told = f"{wanted.sku} at {wanted.site} is not what tranche {plan.id} leaves a choice of ({there})"
        return Refusal("outside_scope", told, "site")
    was = calendars.stock_of(plan)
    if wanted == was:
        return {"tranche": plan.id, "site": was.site, "sku": was.sku, "changed": False}
    no = _refuse_there(state, supplied, tranche, wanted, at)
    if no is not None:
        return no
    emit(contracts.TrancheNominated(plan.id, tranche.contract, *wanted, *was))
    return {"tranche": plan.id, "site": wanted.site, "sku": wanted.sku, "changed": True}


def _refuse_there(
    state: State, supplied: supply.State, tranche: Tranche, wanted: Stock, at: int
) -> Refusal | None:
    """Whether the tranche could not be signed there, alone, with the rights to go on with it."""
    going = [
        right
        for right in state.rights.values()
        if right.plan.kind is RightKind.EXTENSION
        and right.plan.tranche == tranche.plan.id
        and right.life is Life.DORMANT
    ]
    without = state.fork()
    del without.tranches[tranche.plan.id]
    for name in [name for name, right in without.rights.items() if right.plan.tranche == tranche.plan.id]:
        del without.rights[name]
    moved = contracts.without_choice(contracts.nominated(tranche.plan, *wanted))
    contract = state.contracts[tranche.contract]
    alone = ContractPlan(
        contract.id, contract.version, contract.seller, contract.tenant, contract.currency, (moved,),
        rights=tuple(right.plan for right in going),
    )  # fmt: skip
    calendar = Calendar(supplied, without)
    no = signing.refuse_unkept(without, supplied, calendar, alone, at)
    clause = ranking.says_of(contract, tranche.plan)
    no = no or contradicting.refuse_contradicting(
        without, calendar, replace(alone, shortfall=clause), alone, at
    )
    # What is asked for here has no tranches and no rights to point to.
    return None if no is None else replace(no, field="site")
