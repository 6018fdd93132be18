"""What holds of a contract at an instant, and how its versions are recorded: `versions` folded into the state.

What an amendment promises is promised from its signature on: the calendar knows it at once. Its terms hold from its
date on, and what held before is kept, for what was used or late then.
"""

from __future__ import annotations

from dataclasses import replace

from forebay.core import supply
from forebay.core.claims import contracts, prices, regrants, versions
from forebay.core.claims.contracts import Standing, State, Tranche
from forebay.core.claims.rights import DatedRight, Right
from forebay.core.claims.terms import ContractPlan, Late, Lending, TranchePlan
from forebay.core.ids import ContractId, Event, TenantId
from forebay.core.timeline import Dues


def contract_of_use(state: State, tenant: TenantId, at: int, *, spot: bool) -> ContractPlan | None:
    """The contract that use without a claim at an instant falls under: the first that allowed it then; or, for what
    was taken in before that was withdrawn, the first that ever did. In the version of that instant.
    """
    own = [state.versions[name] for name in state.customers.get(tenant, ())]
    held = [versions.in_force(known, at) for known in own]
    allowed = (plan for plan in held if (plan.spot if spot else plan.on_demand))
    once = (
        plan
        for plan, known in zip(held, own, strict=True)
        if any(each.plan.spot if spot else each.plan.on_demand for each in known)
    )
    return next(allowed, None) or next(once, None)


def contract_at(state: State, contract: ContractId, at: int) -> ContractPlan:
    """The version of a contract that holds at an instant."""
    return versions.in_force(state.versions[contract], at)


def tranche_at(state: State, tranche: Tranche, at: int) -> TranchePlan | None:
    """What was agreed of a tranche for an instant, by the version that holds then, at the price of that instant; None
    where that version has no such tranche. What a right made has the terms that it was made with.
    """
    texts = [each.plan for each in state.versions.get(tranche.contract, ())]
    plan = tranche.plan
    if all(each.id != plan.id for text in texts for each in text.tranches):
        return plan
    held = contract_at(state, tranche.contract, at)
    stated = next((each for each in held.tranches if each.id == plan.id), None)
    if stated is None:
        return None
    price = prices.price_at(plan, at)
    return replace(
        contracts.nominated(stated, plan.site, plan.sku),
        price_micros_per_gpu_hour=price.price_micros_per_gpu_hour,
        index=price.index,
        take_or_pay_ppm=price.take_or_pay_ppm,
    )


def late_at(tranche: Tranche, at: int) -> Late | None:
    """Which terms a tranche had for a part that went missing at an instant."""
    return next((each.late for each in tranche.earlier if at < each.until_at), tranche.plan.late)


def lending_at(tranche: Tranche, at: int) -> Lending | None:
    """Under which terms a tranche was lent at an instant; where lending was withdrawn, those under which it was made:
    what is out on loan then stays until it is called back.
    """
    agreed = [each.lending for each in tranche.earlier if each.until_at <= at]
    now = next((each.lending for each in tranche.earlier if at < each.until_at), tranche.plan.lending)
    return now or next((each for each in reversed(agreed) if each is not None), None)


def apply(state: State, supplied: supply.State, heap: Dues, event: Event, at: int) -> None:
    """Apply one event of this stage: about versions and indices here, every other in `contracts`."""
    match event:
        case versions.ContractAmended():
            _amend(state, heap, event, at)
        case versions.AmendmentTookEffect():
            _take_effect(state, heap, event, at)
        case versions.TranchePriceChanged():
            priced = state.tranches[event.tranche]._replace(priced_at=at)
            state.tranches[event.tranche] = priced
            contracts.push_dues(heap, priced)
        case prices.IndexPublished():
            known = state.indices.get(event.index, ())
            state.indices[event.index] = prices.joined(known, event.values)
        case _:
            contracts.apply(state, supplied, heap, event, at)


def _amend(state: State, heap: Dues, event: versions.ContractAmended, at: int) -> None:
    """What a new version promises is promised from its signature on."""
    contract = event.plan.id
    state.versions[contract] = (
        *state.versions[contract], versions.Version(event.plan, event.effective_at, at),
    )  # fmt: skip
    for plan in event.tranches:
        was = state.tranches.get(plan.id) or Tranche(plan, contract, event.plan.tenant, Standing.SIGNED)
        state.tranches[plan.id] = was._replace(plan=plan)
        contracts.push_dues(heap, state.tranches[plan.id])
    for right in event.rights:
        contracts.keep_right(state, heap, Right(right, contract, event.plan.tenant))
    since = max(event.effective_at, at)
    for right in event.regranted:
        known = state.rights[right.id]
        state.rights[right.id] = known._replace(to_come=(*known.to_come, DatedRight(since, right)))
    for name in event.withdrawn:
        state.rights[name] = state.rights[name]._replace(withdrawn_at=since)
    moved = {plan.id for plan in event.tranches}
    named = {*(right.id for right in event.rights), *event.withdrawn}
    for known in list(state.rights.values()):
        if known.plan.tranche in moved or known.plan.id in named:
            end_at = contracts.term_end(state, known.plan)
            contracts.keep_right(state, heap, regrants.reclosed(known, end_at, state.calendars))
    for entry in contracts.amendments_due(state, contract):
        heap.push(entry)


def _take_effect(state: State, heap: Dues, event: versions.AmendmentTookEffect, at: int) -> None:
    """From now on a version is the contract, and its terms are those of its tranches."""
    known = next(each for each in state.versions[event.contract] if each.plan.version == event.version)
    state.contracts[event.contract] = known.plan
    for stated in known.plan.tranches:
        was = state.tranches[stated.id]
        plan, earlier = versions.with_terms(was.plan, was.earlier, stated, event.effective_at)
        state.tranches[stated.id] = was._replace(plan=plan, earlier=earlier, priced_at=event.effective_at)
        if was.standing is not Standing.ENDED:
            contracts.push_dues(heap, state.tranches[stated.id])
    for right in [each for each in state.rights.values() if each.to_come]:
        if right.contract == event.contract:
            contracts.settle_right(state, heap, right, at)
