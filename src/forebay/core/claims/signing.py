"""Is a contract taken on? What is written is checked, then what there will be; holds and the policy of promises too.

First what is written, then what there will be: each tranche in turn, and then each call and extension that is
granted, must leave the stock at or above zero over its whole term, at the confidence of the policy in force. An
operator may sign beyond that, with a reason on the record; what is short then is a recorded shortfall like any other.
"""

from __future__ import annotations

from forebay.core import supply, timeline
from forebay.core.claims import binding, contracts, exercise, refusals, terms
from forebay.core.claims import calendar as calendars
from forebay.core.claims.calendar import Calendar, Part, Stock
from forebay.core.claims.contracts import State, Tranche
from forebay.core.claims.terms import ContractPlan, TranchePlan, Unit
from forebay.core.ids import Answer, HoldId, Refusal, TrancheId, refuse_name
from forebay.core.supply.blocks import Confidence
from forebay.core.timeline import INSTANT_MAX, Interval, Steps
from forebay.core.units import MINOR_DIGITS, SECOND_US

DURATION_S_MAX = 50 * 366 * 24 * 3600


def sign(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    command: contracts.SignContract,
    at: int,
    emit: supply.Emit,
) -> Answer | Refusal:
    """Sign and bind. Refuses, in this order: contract_differs, bad_id (contract, seller, tenant), bad_quantity
    (version), unknown_currency; for each tranche in turn bad_id, duplicate_id, unknown_site, unknown_sku,
    bad_quantity (count, deliveries), bad_term, bad_price, bad_lending, bad_late; unknown_hold; what
    `exercise.refuse_rights` refuses; first_refusal; and, unless that is overridden, for each tranche in turn and then
    each right oversold, and for each tranche in turn no_whole_racks, no_power. Signing what is already signed, word
    for word, changes nothing.
    """
    plan = command.plan
    known = state.contracts.get(plan.id)
    if known is not None and known == plan:
        return {"contract": plan.id, "signed": False, "tranches": {}}
    if known is not None:
        return Refusal(
            "contract_differs",
            f"contract {plan.id} is signed with other terms; an amendment is not this command",
        )
    no = _refuse_parties(plan) or _refuse_tranches(state, supplied, plan, at)
    if no is not None:
        return no
    hold = state.holds.get(command.hold) if command.hold else None
    if command.hold and (hold is None or hold.tenant != plan.tenant):
        return Refusal("unknown_hold", f"{plan.tenant} has no hold {command.hold}", "hold")
    no = exercise.refuse_rights(state, supplied, plan, at) or _refuse_unoffered(
        state, supplied, plan, hold, at
    )
    if no is not None:
        return no
    bound = _bind(state, supplied, calendar, plan, at)
    no = _refuse_oversold(state, supplied, calendar, plan, hold, at)
    no = no or (bound if isinstance(bound, Refusal) else None)
    if no is not None and not command.override:
        return no
    if hold is not None:
        emit(contracts.HoldReleased(hold.id, hold.site, hold.sku, f"signed: {plan.id}"))
    policy, override = state.policy, command.override if no is not None else ""
    emit(contracts.ContractSigned(plan, policy.version, policy.confidence, override))
    if no is None and not isinstance(bound, Refusal):
        # Where it does not fit, nothing is bound before it is known who goes short.
        for name, runs in bound.items():
            if runs:
                emit(contracts.TrancheBound(name, plan.id, runs))
    for tranche in plan.tranches:
        if tranche.start_at <= at:
            emit(contracts.TrancheStarted(tranche.id))
    return {"contract": plan.id, "signed": True, "tranches": {}}


def bound_runs(state: State, plan: ContractPlan) -> dict[str, list[list[int]]]:
    """What is bound to each tranche of a contract: runs of nodes (first, count)."""
    return {each.id: [list(run) for run in state.tranches[each.id].runs] for each in plan.tranches}


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
    if plan.currency not in MINOR_DIGITS:
        return Refusal(
            "unknown_currency",
            f"currency {plan.currency} is not one of {', '.join(MINOR_DIGITS)}",
            "currency",
        )
    return None


def _refuse_tranches(state: State, supplied: supply.State, plan: ContractPlan, at: int) -> Refusal | None:
    taken = set(state.tranches)
    for place, tranche in enumerate(plan.tranches):
        where = f"tranches[{place}]"
        no = refuse_name(tranche.id, f"{where}.id")
        if no is None and tranche.id in taken:
            no = Refusal("duplicate_id", f"tranche {tranche.id} exists already", f"{where}.id")
        taken.add(tranche.id)
        no = no or _refuse_tranche(supplied, tranche, at, where) or _refuse_terms(tranche, where)
        if no is not None:
            return no
    return None


def _refuse_tranche(supplied: supply.State, plan: TranchePlan, at: int, where: str) -> Refusal | None:
    if plan.site not in supplied.sites:
        known = ", ".join(sorted(supplied.sites)) or "none"
        return Refusal(
            "unknown_site",
            f"tranche {plan.id}: there is no site {plan.site} (known: {known})",
            f"{where}.site",
        )
    if plan.sku not in supplied.skus:
        return Refusal(
            "unknown_sku", f"tranche {plan.id}: SKU {plan.sku} is not in the catalogue", f"{where}.sku"
        )
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
    ):
        return Refusal("bad_late", f"tranche {plan.id}: terms for lateness out of range", f"{where}.late")
    return None


# What there will be.


def _refuse_unoffered(
    state: State, supplied: supply.State, plan: ContractPlan, hold: contracts.Hold | None, at: int
) -> Refusal | None:
    refusal = refusals.refusal_before(state, supplied, plan, hold, at)
    if refusal is None:
        return None
    return Refusal(
        "first_refusal",
        f"right {refusal.plan.id} of {refusal.tenant} comes before this sale: hold the capacity, offer it to "
        f"{refusal.tenant}, and sign with the hold, on no better terms, once the offer was let pass",
        "hold",
        "this capacity has to be offered to somebody else first",
    )


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
    confidence = state.policy.confidence
    left: dict[Stock, Steps] = {}

    def left_of(stock: Stock) -> Steps:
        if stock not in left:
            left[stock] = calendar.available(stock, confidence)
            if hold is not None and (hold.site, hold.sku) == stock:
                own = timeline.summed([(hold.start_at, -hold.nodes), (hold.end_at, hold.nodes)])
                left[stock] = left[stock].minus(own)
        return left[stock]

    for place, tranche in enumerate(plan.tranches):
        stock = calendars.stock_of(tranche)
        start_at = max(tranche.start_at, at)
        parts = calendars.parts(tranche, supplied.skus[tranche.sku].nodes_per_rack)
        wanted = [Part(max(0, tranche.start_at + part.offset - start_at), part.nodes) for part in parts]
        promised = contracts.nodes_promised(tranche, supplied)
        least = calendars.shortest(left_of(stock), wanted, start_at, tranche.end_at)
        if least < 0:
            earliest = _earliest(left[stock], parts, tranche.end_at - tranche.start_at, start_at)
            when = f"; it fits from {timeline.text(earliest)} on" if earliest is not None else ""
            return Refusal(
                "oversold",
                f"tranche {tranche.id} promises {promised} nodes of {tranche.sku} at {tranche.site}; "
                f"{max(0, promised + least)} can be promised over its term at {confidence.value.upper()}{when}",
                f"tranches[{place}].count",
            )
        made = Tranche(tranche, plan.id, plan.tenant, contracts.Standing.SIGNED)
        left[stock] = left[stock].minus(timeline.summed(contracts.commitment(made, supplied)))
    for sale in refusals.granted(supplied, plan, at):
        least = left_of(sale.stock).least(sale.window)
        if least < sale.nodes:
            return Refusal(
                "oversold",
                f"{sale.what} may take {sale.nodes} nodes of {sale.stock.sku} at {sale.stock.site}; {max(0, least)} "
                f"can be promised over its window at {confidence.value.upper()}",
                sale.where,
            )
        window = [(sale.window.start, sale.nodes), (sale.window.end, -sale.nodes)]
        left[sale.stock] = left[sale.stock].minus(timeline.summed(window))
    return None


def _earliest(left: Steps, wanted: tuple[Part, ...], term_us: int, not_before: int) -> int | None:
    """The first whole second, for that is how it is told, at which all parts fit for their whole term."""
    second = not_before
    while True:
        second = -(-second // SECOND_US) * SECOND_US
        found = calendars.earliest(left, wanted, term_us, second)
        if found is None or found + term_us > INSTANT_MAX:
            return None
        if found == second:
            return second
        second = found


# Which racks.


def _bind(
    state: State, supplied: supply.State, calendar: Calendar, plan: ContractPlan, at: int
) -> dict[TrancheId, binding.Runs] | Refusal:
    """Racks for the tranches of a contract, as far as they stand. Refuses for each in turn: no_whole_racks (there are
    nodes enough, but too few racks that are whole or to come), no_power (they stand, and have no power left).
    """
    confidence = state.policy.confidence
    bound: dict[TrancheId, binding.Runs] = {}
    siblings: list[tuple[Tranche, binding.Runs]] = []
    for place, each in enumerate(plan.tranches):
        tranche = Tranche(each, plan.id, plan.tenant, contracts.Standing.SIGNED)
        wanted = contracts.nodes_due(each, supplied, at)
        free = binding.free_racks(state, supplied, calendar, tranche, siblings)
        room = binding.spare_w(supplied, calendar, tranche, siblings)
        runs = binding.fit(free, room, supplied, each, wanted)
        found = sum(count for _, count in runs)
        if found < contracts.nodes_promised(each, supplied):
            # Perhaps there are more once those that begin later make room.
            may = binding.free_racks(state, supplied, calendar, tranche, siblings, before_later=True)
            no = _refuse_broken(supplied, calendar, each, may, confidence, at)
            may_w = binding.spare_w(supplied, calendar, tranche, siblings, before_later=True)
            no = no or _refuse_unpowered(supplied, each, may, may_w, wanted)
            if no is not None:
                return Refusal(no.code, no.detail, f"tranches[{place}].count")
        bound[each.id] = runs
        siblings.append((tranche, runs))
    return bound


def _refuse_broken(
    supplied: supply.State,
    calendar: Calendar,
    plan: TranchePlan,
    free: binding.Free,
    confidence: Confidence,
    at: int,
) -> Refusal | None:
    """Whether there are too few racks that are whole or to come, even if all that begin later made room."""
    if plan.unit is not Unit.RACK:
        return None
    whole = sum(1 for _ in free.whole(supplied.skus[plan.sku].nodes_per_rack))
    whole += _racks_to_come(supplied, calendar, plan, confidence, at)
    if whole >= plan.count:
        return None
    told = f"tranche {plan.id} promises {plan.count} whole racks; {whole} are wholly free over its term"
    return Refusal("no_whole_racks", told)


def _refuse_unpowered(
    supplied: supply.State, plan: TranchePlan, free: binding.Free, room: binding.Room, wanted: int
) -> Refusal | None:
    """Whether what stands for a tranche has no power, even if all that begin later made room."""
    short = binding.short_of_power(free, room, supplied, plan, wanted)
    if short is None:
        return None
    sku = supplied.skus[plan.sku]
    return Refusal(
        "no_power",
        f"tranche {plan.id} promises {wanted} nodes of {plan.sku}, {sku.gpus_per_node * sku.gpu_w} W each; of those "
        f"that are free over its term {short[0]} have power that nobody else is promised: {short[1].kind} "
        f"{short[1].name} has no more",
    )


def _racks_to_come(
    supplied: supply.State, calendar: Calendar, plan: TranchePlan, confidence: Confidence, at: int
) -> int:
    """Racks of a tranche's stock that do not stand yet, and will when the last of it is due."""
    stock = calendars.stock_of(plan)
    last_at = max(at, plan.start_at, *(delivery.at for delivery in plan.deliveries))
    stands = sum(rack.nodes for rack in supplied.racks.values() if (rack.site, rack.sku) == stock)
    will = calendar.supply(stock, confidence).at(last_at)
    return max(0, will - stands) // supplied.skus[plan.sku].nodes_per_rack


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
    bad_price, oversold. The same hold again changes nothing.
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
