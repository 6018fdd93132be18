"""Is a contract taken on? What is written is checked, then what there will be; holds and the policy of promises too.

First what is written, then what there will be: each tranche in turn, and then each call and extension that is
granted, must leave the stock at or above zero over its whole term, at the confidence of the policy in force. An
operator may sign beyond that, with a reason on the record; what is short then is a recorded shortfall like any other.
"""

from __future__ import annotations

from dataclasses import replace

from forebay.core import supply, timeline
from forebay.core.claims import (
    choosing,
    clauses,
    contracts,
    contradicting,
    cutover,
    energy,
    exercise,
    fitting,
    handover,
    lateness,
    nomination,
    overlays,
    prices,
    refusals,
    scopes,
    terms,
)
from forebay.core.claims.calendar import Calendar, Stock
from forebay.core.claims.contracts import State
from forebay.core.claims.terms import ContractPlan, TranchePlan
from forebay.core.ids import Answer, HoldId, Refusal, TrancheId, refuse_name
from forebay.core.timeline import INSTANT_MAX, Interval
from forebay.core.units import MINOR_DIGITS

DURATION_S_MAX = 50 * 366 * 24 * 3600


def sign(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    command: contracts.SignContract,
    at: int,
    emit: supply.Emit,
) -> Answer | Refusal:
    """Sign and bind; a contract that runs already is taken in as its opening says, and refused as `cutover.take_in`
    does. Refuses, in this order: contract_differs, opened_already, signed_already, policy_version, bad_id
    (contract, seller, tenant), bad_quantity (version), bad_effective, unknown_currency; for each tranche in turn
    bad_id, duplicate_id, and what `refuse_tranche` refuses; bad_relief (of the contract); what
    `contradicting.refuse_shortfall`, `clauses.refuse_remedies` and `clauses.refuse_payments` refuse; unknown_hold,
    other_currency (than that of the hold's price); what `exercise.refuse_rights` and `scopes.refuse_empty` refuse;
    first_refusal; what `contradicting.refuse_contradicting` and `refuse_unsettled` refuse; and, unless that is
    overridden, for each tranche and then each right below_floor (of our overlay), for each tranche in turn and then
    each right oversold, and for each tranche in turn no_whole_racks, no_power. Signing what is already signed, word
    for word, changes nothing; another version is for `amendments.amend`.
    """
    plan = command.plan
    known = state.versions.get(plan.id, ())
    if any(each.plan == plan for each in known):
        no = cutover.refuse_reopening(plan, state, command.opening)
        if no is not None:
            return no
        return {"contract": plan.id, "signed": False, "tranches": {}}
    if known:
        told = (
            f"contract {plan.id} is signed with other terms in version {plan.version}: give them a new version, "
            f"{known[-1].plan.version + 1}"
        )
        return Refusal("contract_differs", told, "version")
    no = refuse_policy(state, command) or refuse_written(state, supplied, plan, at)
    if no is not None:
        return no
    hold = state.holds.get(command.hold) if command.hold else None
    no = refuse_hold(command, hold) if command.hold else None
    if no is not None:
        return no
    if command.opening is not None:
        return cutover.take_in(state, supplied, calendar, plan, command.opening, at, emit)
    signed = plan
    confidence = overlays.confidence_for(state, plan.id)
    choice = choosing.choose(choosing.Places(state, supplied, calendar, confidence, hold, at), plan)
    plan = choice.plan
    no = exercise.refuse_rights(state, supplied, plan, at) or scopes.refuse_empty(state, supplied, plan)
    no = no or _refuse_unoffered(state, supplied, calendar, plan, hold, at)
    no = no or contradicting.refuse_contradicting(state, calendar, signed, plan, at)
    no = no or contradicting.refuse_unsettled(state, signed, [each.id for each in plan.tranches])
    if no is not None:
        return choosing.every_place(no, choice)
    cheap = overlays.refuse_below_floor(state, plan)
    bound = fitting.bind(state, supplied, calendar, plan, confidence, at)
    no = _refuse_oversold(state, supplied, calendar, plan, hold, at)
    no = no or (bound if isinstance(bound, Refusal) else None)
    objection = cheap or no
    if objection is not None and not command.override:
        return choosing.every_place(objection, choice)
    if hold is not None:
        emit(contracts.HoldReleased(hold.id, hold.site, hold.sku, f"signed: {plan.id}"))
    override = command.override if objection is not None else ""
    emit(contracts.ContractSigned(signed, state.policy.version, confidence, override, choice.nominations))
    if no is None and not isinstance(bound, Refusal):
        # Where it does not fit, nothing is bound before it is known who goes short.
        for name, runs in bound.items():
            if runs:
                emit(contracts.TrancheBound(name, plan.id, runs))
    for tranche in plan.tranches:
        if tranche.start_at <= at:
            emit(contracts.TrancheStarted(tranche.id))
    return {"contract": plan.id, "signed": True, "tranches": {}}


def refuse_policy(state: State, command: contracts.SignContract) -> Refusal | None:
    """Whether another promise policy is in force than the one under which it was quoted. Refuses: policy_version."""
    if command.policy in (0, state.policy.version):
        return None
    told = f"promise policy version {state.policy.version} is in force, not {command.policy}: ask for a quote anew"
    return Refusal("policy_version", told, "policy")


def refuse_unkept(
    state: State, supplied: supply.State, calendar: Calendar, plan: ContractPlan, at: int
) -> Refusal | None:
    """Whether a contract could not be kept if it were signed now. Refuses: first_refusal, oversold, no_whole_racks,
    no_power, each as `sign` does.
    """
    no = _refuse_unoffered(state, supplied, calendar, plan, None, at)
    no = no or _refuse_oversold(state, supplied, calendar, plan, None, at)
    sure = overlays.confidence_for(state, plan.id)
    bound = fitting.bind(state, supplied, calendar, plan, sure, at) if no is None else no
    return bound if isinstance(bound, Refusal) else None


def _refuse_unoffered(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    plan: ContractPlan,
    hold: contracts.Hold | None,
    at: int,
) -> Refusal | None:
    sales = [*refusals.promised(supplied, plan), *refusals.granted(state, supplied, plan, at)]
    return refusals.refuse_unoffered(state, calendar, plan.tenant, sales, hold, at)


def bound_runs(state: State, plan: ContractPlan) -> dict[str, list[list[int]]]:
    """What is bound to each tranche that we sold by a contract: runs of nodes (first, count)."""
    known = [state.tranches[each.id] for each in plan.tranches if each.id in state.tranches]
    return {each.plan.id: [list(run) for run in each.runs] for each in known}


def refuse_written(
    state: State, supplied: supply.State, plan: ContractPlan, at: int, *, theirs: bool = False
) -> Refusal | None:
    """What is wrong with the parties and the terms of a contract by themselves, on whichever side we are. `theirs`:
    what its seller builds is not known here.
    """
    no = _refuse_parties(plan) or _refuse_tranches(state, supplied, plan, at)
    no = no or contradicting.refuse_shortfall(state, plan, theirs=theirs)
    no = no or clauses.refuse_remedies(plan) or clauses.refuse_payments(supplied, plan, theirs=theirs)
    return no or energy.refuse_energy(plan.energy, state.indices)


def refuse_hold(command: contracts.SignContract, hold: contracts.Hold | None) -> Refusal | None:
    """Whether a contract may use up the hold that it names: refuses unknown_hold, other_currency."""
    plan = command.plan
    if hold is None or hold.tenant != plan.tenant or command.opening is not None:
        told = f"{plan.tenant} has no hold {command.hold} that this contract could use"
        return Refusal("unknown_hold", told, "hold")
    if hold.currency not in ("", plan.currency):
        told = f"hold {hold.id} names its price in {hold.currency}, contract {plan.id} is in {plan.currency}"
        return Refusal("other_currency", told, "currency")
    return None


def _refuse_parties(plan: ContractPlan) -> Refusal | None:
    no = (
        refuse_name(plan.id, "id") or refuse_name(plan.seller, "seller") or refuse_name(plan.tenant, "tenant")
    )
    if no is None and "." in plan.tenant:
        # Gangs are called TENANT.NAME: two tenants must not be able to mean the same one.
        no = Refusal("bad_id", f"tenant {plan.tenant}: the name of a tenant has no dot", "tenant")
    if no is not None:
        return no
    if plan.version != 1:
        return Refusal(
            "bad_quantity", f"contract {plan.id}: the first version is 1, not {plan.version}", "version"
        )
    if plan.effective_at:
        told = f"contract {plan.id}: the first version holds from its signature on, its tranches from their start"
        return Refusal("bad_effective", told, "effective_at")
    if plan.currency not in MINOR_DIGITS:
        return Refusal(
            "unknown_currency",
            f"currency {plan.currency} is not one of {', '.join(MINOR_DIGITS)}",
            "currency",
        )
    return None


def _refuse_tranches(state: State, supplied: supply.State, plan: ContractPlan, at: int) -> Refusal | None:
    taken: set[TrancheId] = set(state.rented.tranches)
    for place, tranche in enumerate(plan.tranches):
        where = f"tranches[{place}]"
        no = refuse_name(tranche.id, f"{where}.id")
        if no is None and (tranche.id in taken or tranche.id in state.tranches):
            no = Refusal("duplicate_id", f"tranche {tranche.id} exists already", f"{where}.id")
        taken.add(tranche.id)
        no = no or refuse_tranche(state, supplied, tranche, at, where)
        if no is not None:
            return no
    return lateness.refuse_relief(plan.relief, "relief")


def refuse_tranche(
    state: State, supplied: supply.State, plan: TranchePlan, at: int, where: str
) -> Refusal | None:
    """What a tranche states that cannot be: what `nomination.refuse_choice` refuses, bad_quantity (count,
    deliveries), bad_term, bad_price, bad_lending, bad_late, what `handover.refuse_acceptance` refuses, bad_relief;
    for each SKU that would do what `clauses.refuse_clauses` refuses, bad_unit; what `prices.refuse_prices` refuses.
    """
    no = _refuse_tranche(supplied, plan, at, where) or _refuse_terms(plan, where)
    no = no or handover.refuse_acceptance(plan, where)
    no = no or lateness.refuse_relief(plan.relief, f"{where}.relief")
    for sku in () if no else nomination.skus_of(plan):
        no = no or clauses.refuse_clauses(supplied, replace(plan, sku=sku), where)
        no = no or _refuse_unit(supplied.skus[sku], plan, where)
    return no or prices.refuse_prices(plan, state.indices, at, where)


def _refuse_tranche(supplied: supply.State, plan: TranchePlan, at: int, where: str) -> Refusal | None:
    no = nomination.refuse_choice(supplied, plan, where)
    if no is not None:
        return no
    if plan.count < 1:
        return Refusal(
            "bad_quantity", f"tranche {plan.id}: count is {plan.count}, at least 1 is meant", f"{where}.count"
        )
    no = _refuse_deliveries(plan, where)
    if no is not None:
        return no
    if not max(plan.start_at, at) < plan.end_at <= INSTANT_MAX:
        return Refusal("bad_term", f"tranche {plan.id} is over before it starts", f"{where}.end")
    return None


def _refuse_unit(sku: supply.Sku, plan: TranchePlan, where: str) -> Refusal | None:
    """A price for a superchip needs a kind of rack that says how many GPUs it has, and the same as the contract."""
    if not plan.superchip_gpus or plan.superchip_gpus == sku.gpus_per_superchip:
        return None
    has = f"has {sku.gpus_per_superchip} GPUs a superchip" if sku.gpus_per_superchip else "counts GPUs"
    told = f"tranche {plan.id}: its price is for superchips of {plan.superchip_gpus} GPUs, and SKU {sku.id} {has}"
    return Refusal("bad_unit", told, f"{where}.gpus_per_superchip")


def _refuse_deliveries(plan: TranchePlan, where: str) -> Refusal | None:
    if not plan.deliveries:
        return None
    total = sum(delivery.count for delivery in plan.deliveries)
    dates = [delivery.at for delivery in plan.deliveries]
    if min(delivery.count for delivery in plan.deliveries) < 1 or total != plan.count:
        told = f"tranche {plan.id}: its deliveries add up to {total}, not to {plan.count}"
        return Refusal("bad_quantity", told, f"{where}.deliveries")
    if dates[0] != plan.start_at or dates != sorted(set(dates)) or dates[-1] >= plan.end_at:
        told = f"tranche {plan.id}: its deliveries are due one after the other, the first at its start"
        return Refusal("bad_quantity", told, f"{where}.deliveries")
    return None


def _refuse_terms(plan: TranchePlan, where: str) -> Refusal | None:
    if not 0 <= plan.price_micros_per_gpu_hour <= terms.PRICE_MICROS_MAX:
        return Refusal("bad_price", f"tranche {plan.id}: price out of range", f"{where}.price")
    lending = plan.lending
    if lending is not None and not (
        0 < lending.reclaim_deadline_s <= terms.RECLAIM_S_MAX and 0 <= lending.owner_share_ppm <= terms.PPM
    ):
        return Refusal(
            "bad_lending", f"tranche {plan.id}: reclaim deadline or share out of range", f"{where}.lending"
        )
    late = plan.late
    if late is not None and not (
        0 <= late.grace_s <= DURATION_S_MAX
        and 0 <= late.longstop_s <= DURATION_S_MAX
        and 0 <= late.damages_micros_per_gpu_day <= terms.PRICE_MICROS_MAX
        and 0 <= late.cap_micros <= terms.PRICE_MICROS_MAX * 1000
        and 0 <= late.discount_ppm_per_day <= terms.DISCOUNT_PPM_MAX
    ):
        return Refusal("bad_late", f"tranche {plan.id}: terms for lateness out of range", f"{where}.late")
    return None


# What there will be.


def _refuse_oversold(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    plan: ContractPlan,
    hold: contracts.Hold | None,
    at: int,
) -> Refusal | None:
    """Each tranche in turn and then what rights may take, with those before taken and the customer's own hold free
    again. What would have been short before now is no matter.
    """
    confidence = overlays.confidence_for(state, plan.id)
    left = nomination.Left(calendar, confidence, hold)
    for place, tranche in enumerate(plan.tranches):
        no = fitting.refuse_oversold(left, supplied, tranche, at, confidence, f"tranches[{place}]")
        if no is not None:
            return no
        left.promise(tranche, plan, supplied)
    for sale in refusals.granted(state, supplied, plan, at):
        no = fitting.refuse_oversold_right(left, sale, confidence)
        if no is not None:
            return no
        left.take(sale.stock, [(sale.window.start, sale.nodes), (sale.window.end, -sale.nodes)])
    return None


# Holds.


def hold_capacity(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    command: contracts.HoldCapacity,
    at: int,
    emit: supply.Emit,
) -> Answer | Refusal:
    """Keep capacity for a customer. Refuses: bad_id, duplicate_id, unknown_site, unknown_sku, bad_quantity, bad_term,
    bad_price, unknown_currency (of its price), oversold. The same hold again changes nothing.
    """
    hold = command.hold
    no = refuse_name(hold.id, "id") or refuse_name(hold.tenant, "tenant")
    if no is not None:
        return no
    if hold.id in state.holds:
        if state.holds[hold.id] == hold:
            return {"hold": hold.id, "changed": False}
        return Refusal("duplicate_id", f"hold {hold.id} exists already", "id")
    if hold.site not in supplied.sites:
        return Refusal("unknown_site", f"there is no site {hold.site}", "site")
    if hold.sku not in supplied.skus:
        return Refusal("unknown_sku", f"SKU {hold.sku} is not in the catalogue", "sku")
    if hold.nodes < 1:
        return Refusal("bad_quantity", f"a hold of {hold.nodes} nodes; at least 1 is meant", "nodes")
    if not (max(hold.start_at, at) < hold.end_at <= INSTANT_MAX and at < hold.expires_at <= INSTANT_MAX):
        return Refusal("bad_term", f"hold {hold.id} is over before it starts", "end_at")
    if not 0 <= hold.price_micros_per_gpu_hour <= terms.PRICE_MICROS_MAX:
        return Refusal("bad_price", f"hold {hold.id}: price out of range", "price")
    if (hold.currency or hold.price_micros_per_gpu_hour) and hold.currency not in MINOR_DIGITS:
        told = f"hold {hold.id}: currency {hold.currency or '(none)'} is not one of {', '.join(MINOR_DIGITS)}"
        return Refusal("unknown_currency", told, "currency")
    stock = Stock(hold.site, hold.sku)
    window = Interval(max(hold.start_at, at), hold.end_at)
    least = calendar.available(stock, state.policy.confidence).least(window)
    if least < hold.nodes:
        told = (
            f"{hold.nodes} nodes of {hold.sku} at {hold.site} are to be held; {max(0, least)} can be promised"
        )
        return Refusal("oversold", told, "nodes")
    emit(contracts.CapacityHeld(hold))
    return {"hold": hold.id, "changed": True}


def release_hold(state: State, hold_id: HoldId, emit: supply.Emit) -> Answer | Refusal:
    """Keep it no longer. Refuses: unknown_hold, on_offer (what is offered stays so until it is answered)."""
    hold = state.holds.get(hold_id)
    if hold is None:
        return Refusal("unknown_hold", f"there is no hold {hold_id}", "hold")
    offered = contracts.offer_on(state, hold_id)
    if offered is not None:
        told = f"hold {hold_id} is on offer to {offered.tenant} until {timeline.text(offered.deadline_at)}"
        return Refusal("on_offer", told, "hold")
    emit(contracts.HoldReleased(hold.id, hold.site, hold.sku, "given up"))
    return {"hold": hold.id, "changed": True}


def apply_promise_policy(state: State, policy: terms.PromisePolicy, emit: supply.Emit) -> Answer | Refusal:
    """Put a policy in force. Refuses: bad_quantity (of the grace), policy_version, unknown_contract. The same again
    changes nothing.
    """
    if policy == state.policy:
        return {"version": policy.version, "changed": False}
    if not 0 <= policy.notice_grace_s <= DURATION_S_MAX:
        return Refusal("bad_quantity", "the grace for notices is out of range", "notice_grace_s")
    if policy.version <= state.policy.version:
        return Refusal(
            "policy_version", f"promise policy version {state.policy.version} is in force already", "version"
        )
    for name in policy.protected:
        if name not in state.contracts:
            return Refusal("unknown_contract", f"there is no contract {name} to be protected", "protected")
    emit(contracts.PromisePolicyApplied(policy))
    return {"version": policy.version, "changed": True}
