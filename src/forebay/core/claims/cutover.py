"""Is a contract that runs already taken in as its opening states it? What is stated is checked, then what stands.

A running contract asks no leave of the calendar, and sets off nobody's refusal: it was signed before forebay knew of
it. What is short of it is a recorded shortfall like any other, since the day on which it was due. But what is said to
have been delivered must stand, and have power.

The World carries on at the instant at which the contract is taken in, which is at the cutover or a little later. From
the one to the other nothing was recorded here: what was delivered by the cutover counts as delivered until then.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from forebay.core import supply, timeline
from forebay.core.claims import (
    binding,
    contracts,
    contradicting,
    exercise,
    nomination,
    opening,
    overlays,
    refusals,
    rights,
    scopes,
    vacancy,
)
from forebay.core.claims import calendar as calendars
from forebay.core.claims.binding import Runs
from forebay.core.claims.calendar import Calendar, Stock
from forebay.core.claims.contracts import Hold, Standing, State, Tranche
from forebay.core.claims.noderuns import joined_runs, nodes_in
from forebay.core.claims.opening import OpenedOffer, OpenedTranche, Opening
from forebay.core.claims.promised_power import power_of
from forebay.core.claims.rights import Right
from forebay.core.claims.shorts import Short, ShortfallAssessed
from forebay.core.claims.terms import PRICE_MICROS_MAX, ContractPlan, TranchePlan, Unit
from forebay.core.ids import Answer, HoldId, Refusal, RightId, TrancheId, refuse_name
from forebay.core.timeline import INSTANT_MAX
from forebay.core.units import SECOND_US

AMOUNT_MICROS_MAX = PRICE_MICROS_MAX * 1000


class Taken(NamedTuple):
    """What a tranche that is taken in has: nodes, and the GPUs of those that were delivered by the cutover."""

    runs: Runs
    gpus: int


def refuse_reopening(known: ContractPlan, state: State, stated: Opening | None) -> Refusal | None:
    """Whether a contract that is signed may be signed again: refuses opened_already, signed_already."""
    before = state.openings.get(known.id)
    if stated is None or stated == before:
        return None
    if before is not None:
        told = (
            f"contract {known.id} was opened as of {timeline.text(before.at)}, and otherwise than stated here"
        )
        return Refusal("opened_already", told, "opening")
    told = (
        f"contract {known.id} is signed: an opening comes with the signature, before all else of a contract"
    )
    return Refusal("signed_already", told, "opening")


def take_in(
    state: State,
    supplied: supply.State,
    calendar: Calendar,
    plan: ContractPlan,
    stated: Opening,
    at: int,
    emit: supply.Emit,
) -> Answer | Refusal:
    """Sign a contract that runs already. Refuses, in this order: future_fact, bad_term (of the cutover),
    contradiction (a tranche that runs and leaves a choice), what `exercise.refuse_rights`, `scopes.refuse_empty` (of
    rights that are not over), `refuse_opening` and `contradicting.refuse_contradicting` refuse, and what `_place`
    does.
    """
    no = _refuse_date(stated, at) or _refuse_choice(plan)
    over = _rights_over(stated)
    no = no or exercise.refuse_rights(state, supplied, plan, stated.at, over)
    no = no or scopes.refuse_empty(state, supplied, plan, over)
    no = no or refuse_opening(state, supplied, plan, stated)
    no = no or contradicting.refuse_contradicting(state, calendar, plan, plan, at)
    if no is not None:
        return no
    found = _place(state, supplied, calendar, plan, stated)
    if isinstance(found, Refusal):
        return found
    policy = state.policy
    emit(contracts.ContractSigned(plan, policy.version, overlays.confidence_for(state, plan.id)))
    for hold in _holds(state, plan, stated):
        emit(contracts.CapacityHeld(hold))
    emit(contracts.ContractOpened(plan.id, stated))
    for stock, shorts in _missing(state, supplied, plan, stated, at).items():
        by_hand = state.by_hand.get(stock, "")
        still = state.unallocated.get(stock, ())
        emit(ShortfallAssessed(*stock, policy.version, policy.confidence, shorts, by_hand, still))
    for name, taken in found.items():
        if taken.runs:
            for other in binding.that_make_room(state, supplied, calendar, state.tranches[name], taken.runs):
                calendar.touched.add(calendars.stock_of(state.tranches[other].plan))
                emit(contracts.TrancheUnbound(other))
            emit(contracts.TrancheBound(name, plan.id, taken.runs))
    for each in plan.tranches:
        if each.start_at <= at:
            ran = each.start_at <= stated.at
            gpus = found[each.id].gpus if ran else 0
            emit(contracts.TrancheStarted(each.id, stated.at if ran else 0, gpus))
    return {"contract": plan.id, "signed": True, "tranches": {}}


def _refuse_date(stated: Opening, at: int) -> Refusal | None:
    """The cutover is an instant that lies behind us: refuses future_fact, bad_term."""
    if stated.at > at:
        return Refusal(
            "future_fact", "the cutover lies ahead: open the contract when it has come", "opening.at"
        )
    if stated.at <= 0:
        return Refusal("bad_term", "the cutover is out of range", "opening.at")
    return None


def _refuse_choice(plan: ContractPlan) -> Refusal | None:
    """What runs already is somewhere: refuses contradiction."""
    for place, each in enumerate(plan.tranches):
        if nomination.has_choice(each):
            told = (
                f"tranche {each.id} runs already: its one site and its one SKU are to be named, and no choice"
            )
            return Refusal("contradiction", told, f"tranches[{place}]")
    return None


def _rights_over(stated: Opening) -> frozenset[RightId]:
    """Rights of which nothing can come any more: their dates may lie behind us."""
    return frozenset(each.right for each in stated.rights if opening.is_over(each))


def refuse_opening(
    state: State, supplied: supply.State, plan: ContractPlan, stated: Opening
) -> Refusal | None:
    """The first thing in an opening that cannot be, in this order: currency_differs; bad_quantity (an amount that is
    negative or out of range); bad_balance (more is deferred, unpaid, drawn down or credited than was billed, more
    credit is open than was given); for each invoice in turn duplicate_id, bad_quantity, bad_term; for each tranche
    unknown_tranche, duplicate_id, bad_quantity (negative), over_delivered, bad_term; bad_quantity (a tranche that had
    begun and is not stated); for each cap unknown_cap, duplicate_id, bad_quantity, cap_reached; for each right
    unknown_right, duplicate_id, bad_right_state, for what is on offer bad_id, duplicate_id, bad_scope, bad_quantity,
    bad_term, bad_price; and bad_balance (a right took racks and nothing is drawn, or the other way round).
    """
    if stated.currency not in ("", plan.currency):
        told = f"contract {plan.id} is in {plan.currency}, its opening in {stated.currency}"
        return Refusal("currency_differs", told, "opening.currency")
    return (
        _refuse_balances(stated)
        or _refuse_invoices(stated)
        or _refuse_tranches(supplied, plan, stated)
        or _refuse_caps(plan, stated)
        or _refuse_rights(state, supplied, plan, stated)
        or _refuse_drawn(plan, stated)
    )


def _refuse_balances(stated: Opening) -> Refusal | None:
    amounts = {
        "billed": stated.billed_micros, "deferred": stated.deferred_micros, "prepaid": stated.prepaid_micros,
        "prepaid_drawn": stated.prepaid_drawn_micros, "deposit": stated.deposit_micros,
        "credited": stated.credited_micros, "credit_open": stated.credit_open_micros,
    }  # fmt: skip
    for name, micros in amounts.items():
        if not 0 <= micros <= AMOUNT_MICROS_MAX:
            return Refusal(
                "bad_quantity", f"the opening: {name} is negative or out of range", f"opening.{name}"
            )
    unpaid = sum(each.open_micros for each in stated.invoices)
    parts = (
        ("deferred", stated.deferred_micros, "deferred"), ("billed", unpaid, "unpaid"),
        ("prepaid_drawn", stated.prepaid_drawn_micros, "drawn down"),
        ("credited", stated.credited_micros, "credited"),
    )  # fmt: skip
    for name, micros, word in parts:
        if micros > stated.billed_micros:
            return Refusal("bad_balance", f"the opening: more is {word} than was billed", f"opening.{name}")
    if stated.credit_open_micros > stated.credited_micros:
        return Refusal(
            "bad_balance", "the opening: more credit is open than was given", "opening.credit_open"
        )
    return None


def _refuse_invoices(stated: Opening) -> Refusal | None:
    seen: set[str] = set()
    for place, invoice in enumerate(stated.invoices):
        where = f"opening.invoices[{place}]"
        if invoice.number in seen:
            return Refusal("duplicate_id", f"invoice {invoice.number} stands twice", f"{where}.number")
        seen.add(invoice.number)
        if not 0 < invoice.open_micros <= AMOUNT_MICROS_MAX:
            told = f"invoice {invoice.number}: what is open of it is above 0"
            return Refusal("bad_quantity", told, f"{where}.open_micros")
        if not 0 <= invoice.issued_at <= stated.at:
            told = f"invoice {invoice.number} was issued after the cutover: forebay bills what comes after"
            return Refusal("bad_term", told, f"{where}.issued_at")
    return None


def _refuse_tranches(supplied: supply.State, plan: ContractPlan, stated: Opening) -> Refusal | None:
    promised = {each.id: each for each in plan.tranches}
    seen: set[TrancheId] = set()
    for place, part in enumerate(stated.tranches):
        where = f"opening.tranches[{place}]"
        if part.tranche not in promised:
            told = f"contract {plan.id} has no tranche {part.tranche}"
            return Refusal("unknown_tranche", told, f"{where}.tranche")
        if part.tranche in seen:
            return Refusal("duplicate_id", f"tranche {part.tranche} stands twice", f"{where}.tranche")
        seen.add(part.tranche)
        if part.delivered < 0:
            return Refusal("bad_quantity", f"tranche {part.tranche}: less than nothing", f"{where}.delivered")
        due = units_due(promised[part.tranche], stated.at)
        if part.delivered > due:
            told = f"tranche {part.tranche}: {part.delivered} were delivered of {due} that were due by the cutover"
            return Refusal("over_delivered", told, f"{where}.delivered")
        if not 0 <= part.accepted_at <= stated.at:
            told = f"tranche {part.tranche} was accepted after the cutover"
            return Refusal("bad_term", told, f"{where}.accepted_at")
    for each in plan.tranches:
        if each.start_at <= stated.at and each.id not in seen:
            told = f"tranche {each.id} had begun by the cutover: the opening says what of it was delivered"
            return Refusal("bad_quantity", told, "opening.tranches")
    return None


def units_due(plan: TranchePlan, at: int) -> int:
    """Units of a tranche that were due by an instant; none before its term."""
    if plan.deliveries:
        return sum(delivery.count for delivery in plan.deliveries if delivery.at <= at)
    return plan.count if plan.start_at <= at else 0


def _refuse_caps(plan: ContractPlan, stated: Opening) -> Refusal | None:
    caps = {cap.id: cap.micros for cap in plan.caps}
    seen: set[str] = set()
    for place, part in enumerate(stated.caps):
        where = f"opening.caps[{place}]"
        if part.cap not in caps:
            return Refusal("unknown_cap", f"contract {plan.id} has no cap {part.cap}", f"{where}.cap")
        if part.cap in seen:
            return Refusal("duplicate_id", f"cap {part.cap} stands twice", f"{where}.cap")
        seen.add(part.cap)
        if part.drawn_micros < 0:
            return Refusal("bad_quantity", f"cap {part.cap}: less than nothing was drawn", f"{where}.drawn")
        if part.drawn_micros > caps[part.cap]:
            return Refusal("cap_reached", f"more is drawn on cap {part.cap} than it has", f"{where}.drawn")
    return None


def _refuse_rights(
    state: State, supplied: supply.State, plan: ContractPlan, stated: Opening
) -> Refusal | None:
    ends = {each.id: each.end_at for each in plan.tranches}
    granted = {each.id: each for each in plan.rights}
    seen: set[RightId] = set()
    held = set(state.holds)
    for place, part in enumerate(stated.rights):
        where = f"opening.rights[{place}]"
        if part.right not in granted:
            return Refusal("unknown_right", f"contract {plan.id} has no right {part.right}", f"{where}.right")
        if part.right in seen:
            return Refusal("duplicate_id", f"right {part.right} stands twice", f"{where}.right")
        seen.add(part.right)
        right = granted[part.right]
        closes_at = rights.closing(right, ends.get(right.tranche, 0), state.calendars)
        made = Right(right, plan.id, plan.tenant, closes_at=closes_at)
        wrong = opening.impossible(made, part, stated.at)
        if wrong:
            return Refusal("bad_right_state", f"right {part.right} {wrong}", f"{where}.life")
        if part.offer is not None:
            no = _refuse_offer(supplied, made, part.offer, held, stated.at, f"{where}.offer")
            held.add(part.offer.hold)
            if no is not None:
                return no
    return None


def _refuse_offer(
    supplied: supply.State, right: Right, offer: OpenedOffer, held: set[HoldId], cutover_at: int, where: str
) -> Refusal | None:
    """An offer that was open at the cutover: made before it, to be answered after it."""
    no = refuse_name(offer.hold, f"{where}.hold") or refuse_name(offer.tenant, f"{where}.tenant")
    if no is not None:
        return no
    if offer.hold in held:
        return Refusal("duplicate_id", f"hold {offer.hold} exists already", f"{where}.hold")
    known = offer.site in supplied.sites and offer.sku in supplied.skus
    stock = Stock(offer.site, offer.sku)
    if not known or offer.tenant == right.tenant or not refusals.in_scope(right, stock, cutover_at):
        told = f"hold {offer.hold} is no sale to somebody else in the scope of right {right.plan.id}"
        return Refusal("bad_scope", told, f"{where}.hold")
    if offer.nodes < 1:
        return Refusal("bad_quantity", f"hold {offer.hold}: at least 1 node is meant", f"{where}.nodes")
    # How many days of a calendar ago it was made is not asked: that it is open is.
    made_at = 0 if right.plan.notice else offer.deadline_at - right.plan.notice_s * SECOND_US
    if not made_at <= cutover_at < offer.deadline_at:
        told = f"hold {offer.hold}: an offer that is open at the cutover was made before it and ends after it"
        return Refusal("bad_term", told, f"{where}.deadline_at")
    if not max(offer.start_at, offer.deadline_at) < offer.end_at <= INSTANT_MAX:
        return Refusal("bad_term", f"hold {offer.hold} is over before it is answered", f"{where}.end_at")
    if not 0 < offer.price_micros_per_gpu_hour <= PRICE_MICROS_MAX:
        return Refusal("bad_price", f"hold {offer.hold}: price out of range", f"{where}.price")
    return None


def _refuse_drawn(plan: ContractPlan, stated: Opening) -> Refusal | None:
    """What is drawn on a cap and what rights took agree, as far as can be told: both or neither."""
    took = {each.right for each in stated.rights if each.racks}
    for cap in plan.caps:
        drawn = sum(each.drawn_micros for each in stated.caps if each.cap == cap.id)
        on_it = [right for right in plan.rights if right.cap == cap.id]
        used = [right.id for right in on_it if right.id in took and right.price_micros_per_gpu_hour]
        if used and not drawn:
            told = f"right {used[0]} took racks, and nothing is drawn on cap {cap.id}"
            return Refusal("bad_balance", told, "opening.caps")
        if drawn and not any(right.id in took or _may_draw_unseen(right.kind) for right in on_it):
            told = f"something is drawn on cap {cap.id}, and no right that draws on it took anything"
            return Refusal("bad_balance", told, "opening.caps")
    return None


def _may_draw_unseen(kind: rights.RightKind) -> bool:
    """A refusal and an extension may take nodes: of those no racks are counted."""
    return kind in (rights.RightKind.REFUSAL, rights.RightKind.EXTENSION)


# Which racks.


def _place(
    state: State, supplied: supply.State, calendar: Calendar, plan: ContractPlan, stated: Opening
) -> dict[TrancheId, Taken] | Refusal:
    """Racks for what was delivered: those that are named, and of the others first fit. Refuses for each tranche in
    turn, first those with names: bad_binding (a rack that is not of its stock, not free over its term, or named
    twice; not as many nodes as were delivered), not_standing (fewer nodes stand free than were delivered), no_power.
    """
    promised = {each.id: each for each in plan.tranches}
    parts = sorted(enumerate(stated.tranches), key=lambda part: (not part[1].racks, part[0]))
    siblings: list[tuple[Tranche, Runs]] = []
    found: dict[TrancheId, Taken] = {}
    for number, part in parts:
        each = promised[part.tranche]
        nodes = part.delivered * contracts.nodes_each(each, supplied)
        tranche = Tranche(each, plan.id, plan.tenant, Standing.LIVE)
        # Whoever begins later makes room, for that is a matter of the plan only.
        free = binding.free_racks(state, calendar, tranche, siblings, before_later=True)
        room = binding.spare_w(supplied, calendar, tranche, siblings, before_later=True)
        where = f"opening.tranches[{number}]"
        if part.racks:
            runs = _named(free, part, nodes)
            if isinstance(runs, str):
                return Refusal("bad_binding", f"tranche {part.tranche}: {runs}", f"{where}.racks")
        else:
            stands = _standing(free, each, supplied)
            if stands < nodes:
                told = (
                    f"tranche {part.tranche}: {nodes} nodes were delivered, and {stands} stand that are free"
                )
                return Refusal("not_standing", told, f"{where}.delivered")
            runs = binding.fit(free, room, supplied, each, nodes)
        if nodes_in(runs) < nodes or _beyond(room, supplied, each, runs):
            told = f"tranche {part.tranche}: what was delivered has no power that nobody else is promised"
            return Refusal("no_power", told, f"{where}.delivered")
        found[part.tranche] = Taken(runs, nodes * supplied.skus[each.sku].gpus_per_node)
        siblings.append((tranche, runs))
    return found


def _named(free: vacancy.Free, part: OpenedTranche, nodes: int) -> Runs | str:
    """The nodes of the racks that are named; in words what is wrong with them."""
    racks = {rack.id: rack for rack in free.racks}
    runs = []
    for name in part.racks:
        rack = racks.pop(name, None)
        if rack is None:
            return f"there is no rack {name} of its kind at its site, or it is named twice"
        if len(free.nodes(rack)) < rack.nodes:
            return f"rack {name} is somebody else's within its term"
        runs.append((rack.first_node, rack.nodes))
    made = joined_runs(*runs)
    if nodes_in(made) != nodes:
        return f"its racks have {nodes_in(made)} nodes, and {nodes} were delivered"
    return made


def _standing(free: vacancy.Free, plan: TranchePlan, supplied: supply.State) -> int:
    """Nodes that stand and are free for a tranche, in whole units of its shape."""
    per_rack = supplied.skus[plan.sku].nodes_per_rack
    if plan.unit is Unit.RACK:
        return sum(per_rack for _ in free.whole(per_rack))
    return sum(len(free.nodes(rack)) for rack in free.racks)


def _beyond(room: binding.Room, supplied: supply.State, plan: TranchePlan, runs: Runs) -> bool:
    power = power_of(plan, runs, supplied)
    return any(watts > room.left_w(level) for level, watts in power.items())


# What follows.


def _holds(state: State, plan: ContractPlan, stated: Opening) -> Iterator[Hold]:
    """What is on offer at the cutover, kept for as long as the offer and the leave to sell afterwards last."""
    waivers = {right.id: right.waiver_s for right in plan.rights}
    for part in stated.rights:
        if part.offer is not None:
            offer, kept_s = part.offer, max(state.policy.notice_grace_s, waivers[part.right])
            yield Hold(
                offer.hold, offer.tenant, offer.site, offer.sku, offer.nodes, offer.start_at, offer.end_at,
                offer.deadline_at + kept_s * SECOND_US, offer.price_micros_per_gpu_hour,
            )  # fmt: skip


def _missing(
    state: State, supplied: supply.State, plan: ContractPlan, stated: Opening, at: int
) -> dict[Stock, tuple[Short, ...]]:
    """Who went short of each stock until now, with what this contract missed by the cutover: since it was due, who
    waits longest served first.
    """
    delivered = {part.tranche: part.delivered for part in stated.tranches}
    found: dict[Stock, tuple[Short, ...]] = {}
    for each in plan.tranches:
        stock = calendars.stock_of(each)
        nodes = contracts.nodes_each(each, supplied)
        known = found.get(stock, state.shorts.get(stock, ()))
        more = tuple(
            Short(each.id, units * nodes, start_at, end_at)
            for start_at, end_at, units in _gaps(each, delivered.get(each.id, 0), at)
        )
        if more:
            found[stock] = tuple(sorted((*known, *more), key=lambda short: (short.tranche, short.start_at)))
    return found


def _gaps(plan: TranchePlan, delivered: int, at: int) -> Iterator[tuple[int, int, int]]:
    """From when, until when, how many units were due and not there, up to now."""
    dues = [(part.at, part.count) for part in plan.deliveries] or [(plan.start_at, plan.count)]
    dues = [(when, count) for when, count in dues if when < at]
    level = 0
    for number, (when, count) in enumerate(dues):
        level += count
        end_at = dues[number + 1][0] if number + 1 < len(dues) else at
        if level > delivered:
            yield when, end_at, level - delivered
