"""What has to be offered to somebody else before it is sold, and what may be sold once the offer was let pass?

Whoever signs a contract asks for *sales*: each delivery of its tranches, and what its calls and extensions may take
later. A right of first refusal stands before every sale in its scope. What is held for a customer is offered to the
holder of the right, who is not told for whom it is held; once it was let pass it may be signed for that customer, on
no better terms and for a while. Any other sale, and a better one, is to be offered anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from forebay.core import supply, timeline
from forebay.core.claims import calendar as calendars
from forebay.core.claims import contracts, rights, workdays
from forebay.core.claims.calendar import Calendar, Stock
from forebay.core.claims.contracts import Hold, State, Tranche
from forebay.core.claims.rights import DatedRight, Life, Right, RightKind
from forebay.core.claims.terms import ContractPlan
from forebay.core.ids import Answer, HoldId, Refusal, RightId, TenantId
from forebay.core.supply import Emit
from forebay.core.timeline import Interval
from forebay.core.units import SECOND_US


class Sale(NamedTuple):
    """Nodes of a stock that a contract asks for within a window."""

    stock: Stock
    window: Interval
    nodes: int
    price_micros_per_gpu_hour: int
    #: In words, and its place in the document.
    what: str
    where: str


def promised(supplied: supply.State, plan: ContractPlan) -> list[Sale]:
    """What the tranches of a contract take, delivery by delivery."""
    found = []
    for place, tranche in enumerate(plan.tranches):
        stock = calendars.stock_of(tranche)
        price = tranche.price_micros_per_gpu_hour
        for part in calendars.parts(tranche, supplied.skus[tranche.sku].nodes_per_rack):
            window = Interval(tranche.start_at + part.offset, tranche.end_at)
            found.append(
                Sale(stock, window, part.nodes, price, f"tranche {tranche.id}", f"tranches[{place}]")
            )
    return found


def granted(
    state: State,
    supplied: supply.State,
    plan: ContractPlan,
    at: int,
    held: Mapping[RightId, Right] | None = None,
) -> list[Sale]:
    """What the calls and extensions of a contract may take later: a call not before a notice given now has ended. Of
    those that are held already, what they may take more than before.
    """
    alone = State(calendars=state.calendars)
    for tranche in plan.tranches:
        alone.tranches[tranche.id] = Tranche(tranche, plan.id, plan.tenant, contracts.Standing.SIGNED)
    found = []
    for place, right in enumerate(plan.rights):
        known = held.get(right.id) if held else None
        before = len(list(calendars.taken_by_right(known, alone, supplied))) if known else 0
        new = Right(right, plan.id, plan.tenant)
        new = known._replace(to_come=(*known.to_come, DatedRight(at, right))) if known else new
        for each in list(calendars.taken_by_right(new, alone, supplied))[before:]:
            stock, window, price = Stock(right.site, right.sku), each.window, right.price_micros_per_gpu_hour
            if right.kind is RightKind.CALL:
                window = Interval(
                    max(window.start, rights.notice_ends(right, state.calendars, at)), window.end
                )
            else:
                tranche = alone.tranches[right.tranche].plan
                stock, price = calendars.stock_of(tranche), price or tranche.price_micros_per_gpu_hour
            found.append(Sale(stock, window, each.nodes, price, f"right {right.id}", f"rights[{place}]"))
    return [sale for sale in found if sale.window.start < sale.window.end]


# What stands before a sale.


def refuse_unoffered(
    state: State, calendar: Calendar, tenant: TenantId, sales: list[Sale], hold: Hold | None, at: int
) -> Refusal | None:
    """Refuses first_refusal, unless nobody else's refusal stands before these sales."""
    refusal = refusal_before(state, calendar, tenant, sales, hold, at)
    if refusal is None:
        return None
    return Refusal(
        "first_refusal",
        f"right {refusal.plan.id} of {refusal.tenant} comes before this sale: hold the capacity, offer it to "
        f"{refusal.tenant}, and sign with the hold, on no better terms, once the offer was let pass",
        "hold",
        "this capacity has to be offered to somebody else first",
    )


def refusal_before(
    state: State, calendar: Calendar, tenant: TenantId, sales: list[Sale], hold: Hold | None, at: int
) -> Right | None:
    """The first refusal of somebody else that stands before a tenant's sales; None when all let them pass."""
    stocks = dict.fromkeys(sale.stock for sale in sales)
    asked = {right.plan.id: right for stock in stocks for right in calendar.refusals(stock)}
    offered = contracts.offer_on(state, hold.id) if hold is not None else None
    if offered is not None:
        asked[offered.plan.id] = offered
    found = [
        right for right in asked.values() if right.tenant != tenant and _stands_before(right, sales, hold, at)
    ]
    return min(found, key=_rank, default=None)


def _stands_before(right: Right, sales: list[Sale], hold: Hold | None, at: int) -> bool:
    if hold is not None and right.life is Life.OFFERED and right.hold == hold.id:
        return True
    own = [sale for sale in sales if in_scope(right, sale.stock, at)]
    if not own:
        return False
    return hold is None or not _let_pass(right, hold.id, at) or not no_better(own, hold)


def _rank(right: Right) -> tuple[int, str]:
    return (right.plan.priority, right.plan.id)


def in_scope(right: Right, stock: Stock, at: int) -> bool:
    """Whether a refusal stands before a sale from this stock."""
    plan = right.plan
    return (
        plan.kind is RightKind.REFUSAL
        and right.life in (Life.DORMANT, Life.OFFERED)
        and plan.opens_at <= at
        and (not right.closes_at or at < right.closes_at)
        and plan.site in ("", stock.site)
        and plan.sku in ("", stock.sku)
    )


def _let_pass(right: Right, hold: HoldId, at: int) -> bool:
    return any(passed == hold and at < until_at for passed, until_at in right.passed)


def no_better(sales: Iterable[Sale], hold: Hold) -> bool:
    """Whether what is signed is no better for the customer than what was offered to the holder of a right: the same
    stock, no more of it at any instant, within the same term, and no cheaper.
    """
    changes = []
    for sale in sales:
        if sale.stock != (hold.site, hold.sku) or sale.window.start < hold.start_at:
            return False
        if sale.window.end > hold.end_at or sale.price_micros_per_gpu_hour < hold.price_micros_per_gpu_hour:
            return False
        changes += [(sale.window.start, sale.nodes), (sale.window.end, -sale.nodes)]
    return max(timeline.summed(changes).values) <= hold.nodes


# Offers.


def offer_sale(
    state: State, calendar: Calendar, command: rights.OfferSale, at: int, emit: Emit
) -> Answer | Refusal:
    """Offer a held sale to the holder of a refusal. Refuses: unknown_right, unknown_hold, bad_scope, own_sale,
    already_offered (the right has an offer open, or the sale is on offer), higher_priority, no_price, other_currency
    (its holder would pay the price of the hold, in the currency of its own contract), bad_term (it would be over
    before it is answered), beyond_calendar.
    """
    right = state.rights.get(command.right)
    if right is None:
        return Refusal("unknown_right", f"there is no right {command.right}", "right")
    hold = state.holds.get(command.hold)
    if hold is None:
        return Refusal("unknown_hold", f"there is no hold {command.hold}", "hold")
    stock = Stock(hold.site, hold.sku)
    name = right.plan.id
    if not in_scope(right, stock, at):
        told = f"hold {hold.id} ({hold.sku} at {hold.site}) is not in the scope of right {name}"
        return Refusal("bad_scope", told, "hold")
    if right.tenant == hold.tenant:
        return Refusal("own_sale", f"hold {hold.id} is for the holder of right {name} itself", "hold")
    busy = right if right.life is Life.OFFERED else contracts.offer_on(state, hold.id)
    if busy is not None:
        told = f"right {busy.plan.id} has an offer open until {timeline.text(busy.deadline_at)}"
        return Refusal("already_offered", told, "right" if busy is right else "hold")
    before = [
        other
        for other in calendar.refusals(stock)
        if other.tenant != hold.tenant and in_scope(other, stock, at) and not _let_pass(other, hold.id, at)
    ]
    first = min(before, key=_rank, default=right)
    if _rank(first) < _rank(right):
        return Refusal("higher_priority", f"right {first.plan.id} goes before right {name}", "right")
    if not hold.price_micros_per_gpu_hour:
        return Refusal("no_price", f"hold {hold.id} names no price, so there is nothing to compare", "hold")
    pays = state.contracts[right.contract].currency
    if not right.plan.price_micros_per_gpu_hour and hold.currency not in ("", pays):
        told = f"hold {hold.id} names its price in {hold.currency}, the contract of right {name} is in {pays}"
        return Refusal("other_currency", told, "hold")
    deadline_at = rights.notice_ends(right.plan, state.calendars, at)
    if hold.end_at <= deadline_at:
        told = f"the sale of hold {hold.id} is over before right {name} has to be answered"
        return Refusal("bad_term", told, "hold")
    if right.plan.notice is not None:
        days = state.calendars[right.plan.notice.calendar]
        no = workdays.refuse_beyond(days, f"right {name}", deadline_at, "right")
        if no is not None:
            return no
    # An open offer keeps what it is about, and so does the time in which the sale may pass afterwards.
    kept_until = deadline_at + max(state.policy.notice_grace_s, right.plan.waiver_s) * SECOND_US
    if hold.expires_at < kept_until:
        emit(contracts.CapacityHeld(contracts.held_until(hold, kept_until)))
    emit(rights.SaleOffered(name, hold.id, deadline_at, at if right.plan.notice else 0))
    return {"right": name, "hold": hold.id, "deadline_at": deadline_at}


def open_offers(state: State, tenant: TenantId) -> list[dict[str, Any]]:
    """What a customer may take at the moment by its refusals, by when it has to answer, and at which price: what is
    to be answered first stands first. For whom it is held otherwise, it is not told.
    """
    found = []
    open_ = [right for hold in state.offers if (right := contracts.offer_on(state, hold)) is not None]
    for right in sorted(open_, key=lambda right: (right.deadline_at, right.plan.id)):
        if right.tenant == tenant:
            hold = state.holds[right.hold]
            found.append(
                {
                    "right": right.plan.id, "deadline_at": right.deadline_at, "site": hold.site, "sku": hold.sku,
                    "nodes": hold.nodes, "start_at": hold.start_at, "end_at": hold.end_at,
                    "price_micros_per_gpu_hour": price_offered(right, hold),
                }
            )  # fmt: skip
    return found


def price_offered(right: Right, hold: Hold) -> int:
    """What the holder of a right pays for what is offered."""
    return right.plan.price_micros_per_gpu_hour or hold.price_micros_per_gpu_hour
