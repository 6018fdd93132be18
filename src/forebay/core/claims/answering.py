"""May we take what our seller offers us first, and until when? By the rules by which it decides it itself.

The clock of an offer, what answers it in time and how long it covers the sale afterwards are the seller's own
functions, on the contract as its seller holds it. For whom it is held, and what else it sells, we cannot see.
"""

from __future__ import annotations

from forebay.core import supply, timeline
from forebay.core.claims import exercise, offers, refusals, regrants, renting, rights, terms, workdays
from forebay.core.claims.calendar import Calendar, Stock
from forebay.core.claims.contracts import State
from forebay.core.claims.offers import LetPass, OfferedSale, ReceiveOffer
from forebay.core.claims.rights import Life, Right, RightKind
from forebay.core.ids import Answer, Event, Refusal, RightId, refuse_name
from forebay.core.supply import Emit
from forebay.core.timeline import INSTANT_MAX, Due, Interval
from forebay.core.units import SECOND_US

#: Nodes of one offer.
NODES_MAX = exercise.RACKS_MAX * supply.NODES_PER_RACK_MAX


def receive_offer(
    state: State, supplied: supply.State, command: ReceiveOffer, at: int, emit: Emit
) -> Answer | Refusal:
    """Record what our seller offers us. Refuses: unknown_right, not_rented (we sell that contract: the offer is ours
    to make), bad_scope (not a refusal), unknown_sku, bad_id (of the site), own_site, other_seller, bad_quantity,
    future_fact, bad_scope (another site or SKU, or the right was not open then), already_offered (the right has
    another offer open), no_price, bad_price, bad_term (out of range, or it would be over before it is answered),
    beyond_calendar. The same again changes nothing; what a waiver covers starts no clock, unless offered anew.
    """
    found = _right(state, command.right)
    if isinstance(found, Refusal):
        return found
    sale, received_at = command.sale, command.effective_at or at
    no = _refuse_place(state, supplied, found, sale) or _refuse_received(command, at)
    if no is not None:
        return no
    right = regrants.as_of(found, received_at)
    no = _refuse_scope(right, sale, received_at)
    known = state.rented.offers.open.get(command.right)
    if no is None and known is not None:
        if known.sale == sale and command.effective_at in (0, known.received_at):
            return _told(found, "open", found.deadline_at, changed=False)
        told = f"right {right.plan.id} has an offer open until {timeline.text(found.deadline_at)}"
        no = Refusal("already_offered", told, "right")
    no = no or _refuse_terms(sale)
    if no is not None:
        return no
    over = None if command.anew else _covering(state, right, sale, received_at)
    if over is not None:
        if over.again_at != received_at:
            emit(offers.CoveredOfferReceived(right.plan.id, sale, received_at, over.until_at))
        return _told(right, "covered", over.until_at, changed=over.again_at != received_at)
    return _begin(state, supplied, right, sale, received_at, at, emit)


def _begin(
    state: State,
    supplied: supply.State,
    right: Right,
    sale: OfferedSale,
    received_at: int,
    at: int,
    emit: Emit,
) -> Answer | Refusal:
    """The clock of an offer runs; of one that is entered late, for as long again as notices may be entered."""
    name = right.plan.id
    deadline_at = rights.notice_ends(right.plan, state.calendars, received_at)
    if sale.end_at <= deadline_at:
        return Refusal("bad_term", f"the sale is over before right {name} has to be answered", "end_at")
    if right.plan.notice is not None:
        days = state.calendars[right.plan.notice.calendar]
        no = workdays.refuse_beyond(days, f"right {name}", deadline_at, "effective_at")
        if no is not None:
            return no
    if sale.site not in supplied.sites:
        emit(supply.SiteAdded(sale.site, "", "", "", "UTC"))
    grace_us = state.policy.notice_grace_s * SECOND_US
    grace_until_at = at + grace_us if deadline_at + grace_us <= at else 0
    emit(offers.OfferReceived(name, sale, received_at, deadline_at, grace_until_at))
    return _told(right, "open", deadline_at)


def _told(right: Right, standing: str, until_at: int, *, changed: bool = True) -> Answer:
    return {"right": right.plan.id, "offer": standing, "until_at": until_at, "changed": changed}


def _right(state: State, name: RightId) -> Right | Refusal:
    if name in state.rights:
        told = f"right {name} is in a contract that we sell: what is held, `forebay rights offer` offers"
        return Refusal("not_rented", told, "right")
    right = state.rented.rights.get(name)
    if right is None:
        return Refusal("unknown_right", f"there is no right {name}", "right")
    if right.plan.kind is not RightKind.REFUSAL:
        told = f"right {name} is a {right.plan.kind.value}: a sale is offered by a right of first refusal"
        return Refusal("bad_scope", told, "right")
    return right


def _refuse_place(state: State, supplied: supply.State, right: Right, sale: OfferedSale) -> Refusal | None:
    """unknown_sku, bad_id, own_site, other_seller."""
    if sale.sku not in supplied.skus:
        known = ", ".join(sorted(supplied.skus)) or "none"
        return Refusal("unknown_sku", f"SKU {sale.sku} is not in the catalogue (known: {known})", "sku")
    plan = state.rented.contracts[right.contract]
    return refuse_name(sale.site, "site") or renting.refuse_site(state, supplied, plan, sale.site, "site")


def _refuse_received(command: ReceiveOffer, at: int) -> Refusal | None:
    if not 0 < command.sale.nodes <= NODES_MAX:
        return Refusal("bad_quantity", f"an offer is of 1 to {NODES_MAX} nodes", "nodes")
    if command.effective_at > at:
        return Refusal("future_fact", "a notice cannot be received after it is entered", "effective_at")
    return None


def _refuse_scope(right: Right, sale: OfferedSale, received_at: int) -> Refusal | None:
    if refusals.in_scope(right, Stock(sale.site, sale.sku), received_at):
        return None
    what = f"{sale.sku} at {sale.site}, received {timeline.text(received_at)},"
    told = f"{what} is not in the scope of right {right.plan.id}"
    return Refusal("bad_scope", told, "right")


def _refuse_terms(sale: OfferedSale) -> Refusal | None:
    if not sale.price_micros_per_gpu_hour:
        return Refusal("no_price", "an offer names a price, or there is nothing to compare", "price")
    if not 0 < sale.price_micros_per_gpu_hour <= terms.PRICE_MICROS_MAX:
        return Refusal("bad_price", "the price is out of range", "price")
    if not 0 <= sale.start_at < sale.end_at <= INSTANT_MAX:
        return Refusal("bad_term", "the sale ends before it begins, or a date is out of range", "end_at")
    return None


def _covering(state: State, right: Right, sale: OfferedSale, received_at: int) -> LetPass | None:
    """What we let pass of which this is no better a sale."""
    window = Interval(sale.start_at, sale.end_at)
    price = sale.price_micros_per_gpu_hour
    asked = [refusals.Sale(Stock(sale.site, sale.sku), window, sale.nodes, price, "", "")]
    for each in state.rented.offers.let_pass.get(right.plan.id, ()):
        if received_at < each.until_at and refusals.no_better(asked, renting.held(right, each.sale)):
            return each
    return None


def let_lapse(state: State, supplied: supply.State, due: Due, seen_at: int, at: int, emit: Emit) -> None:
    """We did not answer in time, and the offer lapses; or forebay was down as its clock ended, and it is resumed."""
    name = RightId(due.about)
    seen = renting.mirror(state, supplied, state.rented.rights[name].contract, at)
    seen.policy = state.policy
    assert seen.rights[name].life is Life.OFFERED, "only an offer that is open falls due"
    made: list[Event] = []
    calendar = Calendar(supplied, seen)
    exercise.fall_due(seen, supplied, calendar, due._replace(what="deadline"), seen_at, made.append)
    for event in made:
        if isinstance(event, rights.ClockResumed):
            emit(offers.AnswerGraceExtended(name, event.grace_until_at))
        else:
            assert isinstance(event, rights.RightLapsed)
            emit(offers.ReceivedOfferLapsed(name, event.until_at))
