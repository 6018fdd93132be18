"""Is a right used as it was granted? Notices, caps, and what each kind of right makes.

Using a right makes a tranche of the right's own contract, or lets one end. It asks no leave of the calendar: it was
promised before, and what is short because of it is a recorded shortfall. It sets off no refusal either.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

from forebay.core import supply, timeline, units
from forebay.core.claims import (
    contracts,
    lateness,
    prices,
    refusals,
    regrants,
    rights,
    shortfall,
    terms,
    unsold,
    workdays,
)
from forebay.core.claims.calendar import Calendar
from forebay.core.claims.contracts import Standing, State, Tranche
from forebay.core.claims.rights import Life, Right, RightKind, RightPlan
from forebay.core.claims.terms import TranchePlan, Unit
from forebay.core.ids import Answer, HoldId, Refusal, RightId, SiteId, SkuId, refuse_name
from forebay.core.supply import Emit
from forebay.core.timeline import INSTANT_MAX, Due, Interval
from forebay.core.units import DAY_US, HOUR_US, SECOND_US

DURATION_S_MAX = 50 * 366 * 24 * 3600
RACKS_MAX = 10**6


# What a contract may grant.


def refuse_rights(
    state: State,
    supplied: supply.State,
    plan: terms.ContractPlan,
    at: int,
    over: Container[RightId] = frozenset(),
) -> Refusal | None:
    """The first cap that cannot stand: bad_id, duplicate_id, bad_quantity; or else the first right: bad_id,
    duplicate_id, bad_quantity (racks, durations), bad_price, unknown_cap, unknown_calendar, bad_quantity (days of
    its notice), bad_term (a date out of range, it is over before it opens, or already, unless that is known: `over`);
    then by kind bad_scope (it matches nothing), and last bad_term, bad_quantity.
    """
    caps: set[str] = set()
    for place, cap in enumerate(plan.caps):
        where = f"caps[{place}]"
        no = refuse_name(cap.id, f"{where}.id")
        if no is None and cap.id in caps:
            no = Refusal("duplicate_id", f"cap {cap.id} stands twice", f"{where}.id")
        caps.add(cap.id)
        if no is None and not 0 < cap.micros <= terms.PRICE_MICROS_MAX * 1000:
            no = Refusal("bad_quantity", f"cap {cap.id}: out of range", f"{where}.micros")
        if no is not None:
            return no
    taken: set[RightId] = set(state.rented.rights)
    for place, right in enumerate(plan.rights):
        where = f"rights[{place}]"
        no = refuse_name(right.id, f"{where}.id")
        if no is None and (right.id in taken or right.id in state.rights):
            no = Refusal("duplicate_id", f"right {right.id} exists already", f"{where}.id")
        taken.add(right.id)
        no = no or _refuse_quantities(right, caps, where)
        if no is None and right.notice is not None:
            no = workdays.refuse_notice(state.calendars, right.notice, f"right {right.id}", f"{where}.notice")
        not_before = 0 if right.id in over else at
        no = no or _refuse_dates(right, not_before, where)
        no = no or _refuse_scope(state, supplied, plan, right, not_before, where)
        if no is not None:
            return no
    return None


def _refuse_quantities(right: RightPlan, caps: set[str], where: str) -> Refusal | None:
    if not (0 <= right.racks_max <= RACKS_MAX and 1 <= right.racks_min <= max(right.racks_max, RACKS_MAX)):
        return Refusal("bad_quantity", f"right {right.id}: racks out of range", f"{where}.racks_max")
    if right.racks_max and right.racks_min > right.racks_max:
        return Refusal("bad_quantity", f"right {right.id}: its least is above its most", f"{where}.racks_min")
    if right.notice is not None and right.notice_s:
        told = f"right {right.id}: its notice is counted in days of a calendar or in time, not in both"
        return Refusal("bad_quantity", told, f"{where}.notice_s")
    for value in (right.notice_s, right.term_s, right.waiver_s):
        if not 0 <= value <= DURATION_S_MAX:
            return Refusal("bad_quantity", f"right {right.id}: duration out of range", where)
    if not 0 <= right.price_micros_per_gpu_hour <= terms.PRICE_MICROS_MAX:
        return Refusal("bad_price", f"right {right.id}: price out of range", f"{where}.price")
    for name, micros in (("premium", right.premium_micros), ("exercise_fee", right.exercise_fee_micros)):
        if not 0 <= micros <= terms.PRICE_MICROS_MAX * 1000:
            return Refusal("bad_price", f"right {right.id}: {name} out of range", f"{where}.{name}")
    if right.cap and right.cap not in caps:
        told = f"right {right.id} draws on {right.cap}, which is not a cap here"
        return Refusal("unknown_cap", told, f"{where}.cap")
    return None


def _refuse_dates(right: RightPlan, at: int, where: str) -> Refusal | None:
    for value in (right.opens_at, right.expires_at, right.measure_at):
        if not 0 <= value <= INSTANT_MAX:
            return Refusal("bad_term", f"right {right.id}: a date is out of range", where)
    if right.expires_at and right.expires_at <= max(right.opens_at, right.measure_at):
        told = f"right {right.id} is over before it opens, or is measured"
        return Refusal("bad_term", told, f"{where}.expires_at")
    if right.expires_at and right.expires_at <= at:
        return Refusal("bad_term", f"right {right.id} is over already", f"{where}.expires_at")
    return None


def _refuse_scope(
    state: State, supplied: supply.State, plan: terms.ContractPlan, right: RightPlan, at: int, where: str
) -> Refusal | None:
    if right.kind in (RightKind.EXTENSION, RightKind.TERMINATION):
        return _refuse_tranche_right(state, plan, right, at, where)
    if right.site and right.site not in supplied.sites:
        known = ", ".join(sorted(supplied.sites)) or "none"
        told = f"right {right.id}: there is no site {right.site} (known: {known})"
        return Refusal("bad_scope", told, f"{where}.site")
    if right.sku and right.sku not in supplied.skus:
        known = ", ".join(sorted(supplied.skus)) or "none"
        told = f"right {right.id}: SKU {right.sku} is not in the catalogue (known: {known})"
        return Refusal("bad_scope", told, f"{where}.sku")
    if right.kind is RightKind.REFUSAL and not (right.notice_s or right.notice):
        told = f"right {right.id}: a refusal leaves no time to answer an offer"
        return Refusal("bad_term", told, f"{where}.notice_s")
    if right.kind is RightKind.REFUSAL:
        return None
    if not (right.site and right.sku):
        told = f"right {right.id}: a {right.kind.value} names one site and one SKU"
        return Refusal("bad_scope", told, f"{where}.site")
    if not right.term_s:
        return Refusal("bad_term", f"right {right.id}: what is taken lasts for nothing", f"{where}.term_s")
    if right.kind is RightKind.CALL and not (right.racks_max and right.expires_at):
        told = f"right {right.id}: a call has a number of racks and an end, or it would take all there is for ever"
        return Refusal("bad_quantity", told, f"{where}.racks_max")
    if right.kind is RightKind.BACKSTOP and not right.measure_at:
        told = f"right {right.id}: a backstop says when it is measured what stayed unsold"
        return Refusal("bad_term", told, f"{where}.measure_at")
    return None


def _refuse_tranche_right(
    state: State, plan: terms.ContractPlan, right: RightPlan, at: int, where: str
) -> Refusal | None:
    tranche = next((each for each in plan.tranches if each.id == right.tranche), None)
    if tranche is None:
        told = f"right {right.id} is about tranche {right.tranche or '(none)'}, which is not one of this contract"
        return Refusal("bad_scope", told, f"{where}.tranche")
    if right.kind is RightKind.TERMINATION:
        if tranche.late is None or not tranche.late.longstop_s:
            told = f"right {right.id}: tranche {tranche.id} has no longstop to end it by"
            return Refusal("bad_scope", told, f"{where}.tranche")
        if right.ends_order and right.first_ends_rest:
            told = f"right {right.id}: it ends the whole order, or with the first tranche what has not begun"
            return Refusal("bad_term", told, f"{where}.first_ends_rest")
        return None
    if not right.term_s:
        return Refusal("bad_term", f"right {right.id} extends by nothing", f"{where}.term_s")
    if rights.closing(right, tranche.end_at, state.calendars) <= max(at, right.opens_at):
        told = f"right {right.id}: its notice would have to be given before it opens, or has passed"
        return Refusal("bad_term", told, f"{where}.notice_s")
    return None


# Notices.


def waive(state: State, command: rights.WaiveRight, at: int, emit: Emit) -> Answer | Refusal:
    """Let an offer pass, or a right go, also before it opens. Refuses: unknown_right, future_fact, not_exercisable,
    too_early (before the offer was made), too_late.
    """
    effective_at = command.effective_at or at
    right = _noticed(state, command.right, effective_at, at)
    if isinstance(right, Refusal):
        return right
    offered = right.life is Life.OFFERED
    no = _refuse_early(right, effective_at) if offered else None
    effective_at = rights.received(right.plan, state.calendars, effective_at)
    no = no or _refuse_late(right, effective_at)
    if no is not None:
        return no
    until_at = effective_at + right.plan.waiver_s * SECOND_US if offered else 0
    emit(rights.RightWaived(right.plan.id, effective_at, right.hold if offered else HoldId(""), until_at))
    return {"right": right.plan.id, "until_at": until_at}


def _noticed(state: State, name: RightId, effective_at: int, at: int) -> Right | Refusal:
    """The right, if there is one that a notice may be about."""
    right = state.rights.get(name)
    if right is None:
        return Refusal("unknown_right", f"there is no right {name}", "right")
    if effective_at > at:
        return Refusal("future_fact", "a notice cannot be received after it is entered", "effective_at")
    if right.life not in (Life.DORMANT, Life.OFFERED):
        return Refusal("not_exercisable", f"right {name} is {right.life.value}", "right")
    if right.plan.kind is RightKind.REFUSAL and right.life is Life.DORMANT:
        return Refusal("not_exercisable", f"right {name} has no offer open", "right")
    return regrants.as_of(right, effective_at)


def _refuse_early(right: Right, effective_at: int) -> Refusal | None:
    opens_at = rights.opening(right)
    if effective_at >= opens_at:
        return None
    what = "was offered" if right.life is Life.OFFERED else "opens"
    told = f"right {right.plan.id} {what} at {timeline.text(opens_at)}"
    return Refusal("too_early", told, "effective_at")


def _refuse_late(right: Right, effective_at: int) -> Refusal | None:
    ends_at = rights.deadline(right)
    if not ends_at or effective_at < ends_at:
        return None
    told = f"right {right.plan.id} was to be used before {timeline.text(ends_at)}"
    return Refusal("too_late", told, "effective_at")


# Using it.


def exercise(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    command: rights.ExerciseRight,
    at: int,
    emit: Emit,
) -> Answer | Refusal:
    """Use a right. Refuses, in this order: unknown_right, future_fact, not_exercisable, too_early, too_late; by kind

    - a termination: not_exercisable (its tranche is over), not_late
    - a refusal: bad_term, bad_quantity (another start or number than was offered)
    - a call: beyond_calendar (of its notice), bad_term (a start before its notice is over, or too far ahead),
      bad_quantity
    - a backstop: too_early (it is not measured), beyond_calendar, bad_term, nothing_unsold, bad_quantity
    - an extension: not_exercisable (its tranche was ended early), bad_term, bad_quantity

    and, for all but a termination, bad_id, duplicate_id, cap_reached.
    """
    effective_at = command.effective_at or at
    right = _noticed(state, command.right, effective_at, at)
    if isinstance(right, Refusal):
        return right
    # What came in before an offer was made, or a right opened, does not become an answer to it after hours.
    no = _refuse_early(right, effective_at)
    effective_at = rights.received(right.plan, state.calendars, effective_at)
    no = no or _refuse_late(right, effective_at)
    if no is not None:
        return no
    if right.plan.kind is RightKind.TERMINATION:
        return _terminate(state, supplied, right, effective_at, at, emit)
    taken = _taken(state, supplied, calendar, right, command, effective_at)
    if isinstance(taken, Refusal):
        return taken
    no = refuse_name(taken.id, "tranche")
    if no is None and (taken.id in state.tranches or taken.id in state.rented.tranches):
        no = Refusal("duplicate_id", f"tranche {taken.id} exists already", "tranche")
    if no is not None:
        return no
    drawn_micros = cost_micros(taken, supplied)
    left_micros = cap_left_micros(state, right)
    if left_micros is not None and drawn_micros > left_micros:
        told = (
            f"{taken.count} {taken.unit.value}s cost {units.decimal_text(drawn_micros)} over their term; cap "
            f"{right.plan.cap} has {units.decimal_text(left_micros)} left"
        )
        return Refusal("cap_reached", told, "racks")
    racks = taken.count if taken.unit is Unit.RACK else 0
    if right.life is Life.OFFERED:
        hold = state.holds[right.hold]
        emit(contracts.HoldReleased(hold.id, hold.site, hold.sku, f"taken by right {right.plan.id}"))
    emit(rights.RightExercised(right.plan.id, effective_at, taken.id, racks, drawn_micros))
    emit(contracts.TrancheAdded(right.contract, taken))
    return {
        "right": right.plan.id, "tranche": taken.id, "count": taken.count, "start_at": taken.start_at,
        "drawn_micros": drawn_micros,
    }  # fmt: skip


def _taken(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    right: Right,
    command: rights.ExerciseRight,
    effective_at: int,
) -> TranchePlan | Refusal:
    """The tranche that a use of the right makes."""
    match right.plan.kind:
        case RightKind.REFUSAL:
            return _matched(state, supplied, right, command, effective_at)
        case RightKind.EXTENSION:
            return _extended(state, supplied, right, command)
        case RightKind.CALL:
            return _called(state, right, command, effective_at)
        case _:
            return _put(state, supplied, calendar, right, command, effective_at)


def _matched(
    state: State, supplied: supply.State, right: Right, command: rights.ExerciseRight, effective_at: int
) -> TranchePlan | Refusal:
    """The sale that was offered, whole, at its price; from now on where its term has begun meanwhile."""
    hold = state.holds[right.hold]
    taken = TranchePlan(
        command.tranche, hold.site, hold.sku, Unit.NODE, hold.nodes, max(hold.start_at, effective_at),
        hold.end_at, refusals.price_offered(right, hold),
    )  # fmt: skip
    return _refuse_part(right, supplied, command, taken) or taken


def _extended(
    state: State, supplied: supply.State, right: Right, command: rights.ExerciseRight
) -> TranchePlan | Refusal:
    """A term that follows on the tranche's own, for all of it."""
    old = state.tranches[right.plan.tranche]
    if old.standing is Standing.ENDED and old.ended_at < old.plan.end_at:
        return Refusal("not_exercisable", f"tranche {old.plan.id} was ended early", "right")
    start_at = old.plan.end_at
    last = prices.price_at(old.plan, start_at)
    own = right.plan.price_micros_per_gpu_hour
    end_at = min(start_at + right.plan.term_s * SECOND_US, INSTANT_MAX)
    # All other terms go on as they are, where they are; but it has been accepted.
    taken = replace(
        contracts.without_choice(old.plan), id=command.tranche, start_at=start_at, end_at=end_at,
        price_micros_per_gpu_hour=own or last.price_micros_per_gpu_hour, deliveries=(), acceptance=None,
        price_steps=(), index=None if own else last.index, take_or_pay_ppm=last.take_or_pay_ppm,
        superchip_gpus=0 if own else old.plan.superchip_gpus,
    )  # fmt: skip
    return _refuse_part(right, supplied, command, taken) or taken


def _refuse_part(
    right: Right, supplied: supply.State, command: rights.ExerciseRight, taken: TranchePlan
) -> Refusal | None:
    """What is offered, or goes on, is taken whole, and when it begins."""
    name = right.plan.id
    if command.start_at and command.start_at != taken.start_at:
        told = f"what right {name} takes begins at {timeline.text(taken.start_at)}"
        return Refusal("bad_term", told, "start_at")
    nodes = contracts.nodes_promised(taken, supplied)
    if command.racks and command.racks * supplied.skus[taken.sku].nodes_per_rack != nodes:
        told = f"right {name} takes all of it, which is {nodes} nodes"
        return Refusal("bad_quantity", told, "racks")
    return None


def _called(
    state: State, right: Right, command: rights.ExerciseRight, effective_at: int
) -> TranchePlan | Refusal:
    """So many racks from the wanted date on, the notice kept; the last of them also where that is under the least."""
    plan = right.plan
    first_at = rights.notice_ends(plan, state.calendars, effective_at)
    no = _refuse_start(state, right, command, first_at)
    no = no or _refuse_racks(right, command.racks, plan.racks_max - right.racks)
    return no or _new_tranche(right, command, command.racks, first_at)


def _put(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    right: Right,
    command: rights.ExerciseRight,
    effective_at: int,
) -> TranchePlan | Refusal:
    """What stayed unsold when it was measured and is unsold now, as much of it as the cap holds."""
    plan = right.plan
    if right.unsold < 0 or effective_at < plan.measure_at:
        told = f"what stays unsold is measured at {timeline.text(plan.measure_at)}"
        return Refusal("too_early", told, "effective_at")
    first_at = rights.notice_ends(plan, state.calendars, effective_at)
    no = _refuse_start(state, right, command, first_at)
    if no is not None:
        return no
    one = _new_tranche(right, command, 1, first_at)
    left = min(
        right.unsold, _racks_unsold(state, supplied, calendar, plan, Interval(one.start_at, one.end_at))
    )
    fits = _racks_for(cap_left_micros(state, right), one, supplied, left)
    if fits < plan.racks_min:
        told = f"{left} racks of {plan.sku} at {plan.site} stay unsold, {fits} fit; {plan.racks_min} is the least"
        return Refusal("nothing_unsold", told, "racks")
    no = _refuse_racks(right, command.racks, fits) if command.racks else None
    return no or _new_tranche(right, command, command.racks or fits, first_at)


def _racks_unsold(
    state: State, supplied: supply.State, calendar: Calendar, plan: RightPlan, window: Interval
) -> int:
    """Racks in a backstop's scope, no more than it takes, that are unsold at any instant of a window."""
    left = unsold.nodes_unsold(calendar, plan, state.policy.confidence)
    racks = max(0, left.least(window)) // supplied.skus[plan.sku].nodes_per_rack
    return min(racks, plan.racks_max or racks)


def _racks_measured(state: State, supplied: supply.State, calendar: Calendar, plan: RightPlan) -> int:
    """The most racks that are unsold, as far as is known on the measuring date, over a term that begins as early as
    it may, or later within the window of the right: notice may be given ahead of what is to come by then.
    """
    first_at = rights.notice_ends(plan, state.calendars, plan.measure_at)
    last_at = rights.notice_ends(plan, state.calendars, plan.expires_at) if plan.expires_at else first_at
    left = unsold.nodes_unsold(calendar, plan, state.policy.confidence)
    # The lowest value of a term rises only where a lower one is left behind.
    starts = [first_at, *(start_at for start_at in left.starts if first_at < start_at <= last_at)]
    return max(
        _racks_unsold(state, supplied, calendar, plan, Interval(start_at, start_at + plan.term_s * SECOND_US))
        for start_at in starts
    )


def _racks_for(left_micros: int | None, one: TranchePlan, supplied: supply.State, most: int) -> int:
    """The most racks that money lasts for, each like `one`: rounding is once for all of them together."""
    gpu_us = _gpu_us(one, supplied)
    price = one.price_micros_per_gpu_hour
    if left_micros is None or not price:
        return most
    fits = (2 * left_micros + 1) * HOUR_US // (2 * gpu_us * price)
    if units.gpu_time_cost_micros(fits * gpu_us, price) > left_micros:
        fits -= 1
    return min(fits, most)


def _refuse_start(state: State, right: Right, command: rights.ExerciseRight, first_at: int) -> Refusal | None:
    """Whether what is taken may begin then: after its notice, and not later than with the last possible notice."""
    plan = right.plan
    last_at = INSTANT_MAX - 1
    if plan.notice is not None:
        calendar = state.calendars[plan.notice.calendar]
        no = workdays.refuse_beyond(calendar, f"right {plan.id}", first_at, "effective_at")
        if no is not None:
            return no
    if plan.expires_at:
        last_at = min(last_at, rights.notice_ends(plan, state.calendars, plan.expires_at))
    if first_at <= (command.start_at or first_at) <= last_at:
        return None
    told = f"it may start from {timeline.text(first_at)} to {timeline.text(last_at)}"
    return Refusal("bad_term", told, "start_at")


def _refuse_racks(right: Right, racks: int, most: int) -> Refusal | None:
    least = min(right.plan.racks_min, most)
    if least <= racks <= most and racks > 0:
        return None
    told = f"right {right.plan.id} may take from {least} to {most} racks, not {racks}"
    return Refusal("bad_quantity", told, "racks")


def _new_tranche(right: Right, command: rights.ExerciseRight, racks: int, first_at: int) -> TranchePlan:
    plan = right.plan
    start_at = command.start_at or first_at
    end_at = min(start_at + plan.term_s * SECOND_US, INSTANT_MAX)
    return TranchePlan(
        command.tranche, SiteId(plan.site), SkuId(plan.sku), Unit.RACK, racks, start_at, end_at,
        plan.price_micros_per_gpu_hour,
    )  # fmt: skip


def _terminate(
    state: State, supplied: supply.State, right: Right, effective_at: int, at: int, emit: Emit
) -> Answer | Refusal:
    tranche = state.tranches[right.plan.tranche]
    name = tranche.plan.id
    if tranche.standing is Standing.ENDED:
        return Refusal("not_exercisable", f"tranche {name} is over", "right")
    late = tranche.plan.late
    assert late is not None, "a termination is granted where there is a longstop only"
    found = lateness.lateness(state, supplied, tranche, at)
    since = shortfall.missing_since(found.lasting, effective_at)
    longstop_us = late.longstop_s * SECOND_US
    if since is None or effective_at < since + longstop_us:
        told = (
            f"tranche {name} is not late beyond its longstop of {late.longstop_s * SECOND_US // DAY_US} days"
        )
        if since is not None:
            told += f"; it is from {timeline.text(since + longstop_us)} on"
        return Refusal("not_late", told, "right")
    emit(rights.RightExercised(right.plan.id, effective_at, name, 0, 0))
    ended = [tranche]
    if right.plan.ends_order:
        ended = _order_of(state, right)
    elif right.plan.first_ends_rest:
        ended += _rest_of(state, tranche)
    for each in ended:
        emit(contracts.TrancheEnded(each.plan.id))
    if right.plan.ends_order:
        for plan in state.contracts[right.contract].rights:
            other = state.rights[plan.id]
            if other.life in (Life.DORMANT, Life.OFFERED):
                emit(rights.RightLapsed(other.plan.id, HoldId(""), 0))
    return {"right": right.plan.id, "tranche": name, "ended": [each.plan.id for each in ended]}


def _order_of(state: State, right: Right) -> list[Tranche]:
    """Every tranche of the contract of a right that is not over."""
    tranches = state.tranches.values()
    return [
        each for each in tranches if each.contract == right.contract and each.standing is not Standing.ENDED
    ]


def _rest_of(state: State, tranche: Tranche) -> list[Tranche]:
    """What ends with the first tranche that its contract delivers: all others of which nothing was accepted, if they
    have not begun or are to be accepted. Nothing ends with a later one.
    """
    own = [each for each in state.tranches.values() if each.contract == tranche.contract]
    if min(own, key=lambda each: each.plan.start_at) is not tranche:
        return []
    return [
        each
        for each in own
        if each is not tranche
        and each.standing is not Standing.ENDED
        and not contracts.units_accepted(each)
        and (each.standing is Standing.SIGNED or each.plan.acceptance is not None)
    ]


def cost_micros(plan: TranchePlan, supplied: supply.State) -> int:
    """Quantity times price times committed hours, rounded once."""
    gpus = contracts.nodes_promised(plan, supplied) * supplied.skus[plan.sku].gpus_per_node
    return prices.cost_of_term(plan, gpus, plan.start_at, plan.end_at)


def _gpu_us(plan: TranchePlan, supplied: supply.State) -> int:
    gpus = contracts.nodes_promised(plan, supplied) * supplied.skus[plan.sku].gpus_per_node
    return gpus * (plan.end_at - plan.start_at)


def cap_left_micros(state: State, right: Right) -> int | None:
    """What a right may still draw on its cap, micro-units; None where it has none."""
    # A right that an amendment adds may draw on a cap that it adds, and neither is in force yet. A cap that it lowers
    # holds from its signature on, or more could be drawn than the cap has when the amendment takes effect.
    now = state.contracts[right.contract].version
    known = [each.plan for each in state.versions[right.contract] if each.plan.version >= now]
    caps = [cap.micros for plan in known for cap in plan.caps if cap.id == right.plan.cap]
    return min(caps) - state.drawn.get((right.contract, right.plan.cap), 0) if caps else None


# By time.


def fall_due(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    due: Due,
    seen_at: int,
    emit: Emit,
) -> None:
    """A backstop is measured; or the deadline of a right and its grace are over, and it lapses, unless forebay was
    down as they ended: then notices that were served meanwhile may still be entered for a grace. `seen_at` is when
    somebody looked at what fell due.
    """
    right = state.rights[RightId(due.about)]
    name, plan = right.plan.id, right.plan
    if due.what == "measure":
        emit(rights.BackstopMeasured(name, _racks_measured(state, supplied, calendar, plan)))
        return
    offered = right.life is Life.OFFERED
    if seen_at - due.at > rights.DOWN_US and (offered or plan.kind is not RightKind.REFUSAL):
        emit(rights.ClockResumed(name, seen_at + state.policy.notice_grace_s * SECOND_US))
        return
    until_at = right.deadline_at + plan.waiver_s * SECOND_US if offered else 0
    emit(rights.RightLapsed(name, right.hold if offered else HoldId(""), until_at))
