"""What do we rent, and what becomes of it? Signing as the customer, notices of deliveries, and rights on their side.

Signing as the customer asks nothing of our own calendar: it adds supply, at a site of which the contract tells the
name. What the seller has left to sell there we do not know; what it says of its own, by a notice, is taken as said.
"""

from __future__ import annotations

from dataclasses import replace

from forebay.core import supply, timeline
from forebay.core.claims import (
    coming,
    contracts,
    deliveries,
    exercise,
    nomination,
    regrants,
    rented,
    rights,
    signing,
)
from forebay.core.claims.calendar import Calendar, Stock, stock_of
from forebay.core.claims.contracts import Standing, State, Tranche
from forebay.core.claims.deliveries import ForecastDelivery, NotifyDelivery, ReportDelivered
from forebay.core.claims.offers import OfferedSale
from forebay.core.claims.rights import Life, Right, RightKind
from forebay.core.claims.terms import ContractPlan, TranchePlan
from forebay.core.ids import Answer, ContractId, Event, HoldId, Refusal, SiteId, TenantId, TrancheId
from forebay.core.supply.blocks import Confidence
from forebay.core.timeline import INSTANT_MAX, Due, Steps


def rent(
    state: State, supplied: supply.State, command: contracts.SignContract, at: int, emit: supply.Emit
) -> Answer | Refusal:
    """Sign as the customer. Refuses: contract_differs; contradiction (an opening, or a tranche that leaves a choice:
    where it is, its seller has named by then); for each site that the contract names own_site (we have something
    there), other_seller (somebody else sells there); what `signing.refuse_written` and `exercise.refuse_rights`
    refuse; unknown_hold (a hold is the seller's). Signing what is signed, word for word, changes nothing.
    """
    plan = command.plan
    known = state.rented.versions.get(plan.id, ())
    no = refuse_sellers_part(command)
    if no is not None:
        return no
    if any(each.plan == plan for each in known):
        return {"contract": plan.id, "signed": False, "tranches": {}}
    if known:
        told = f"contract {plan.id} is signed with other terms in version {plan.version}: give them a new version"
        return Refusal("contract_differs", told)
    no = refuse_sites(state, supplied, plan)
    if no is not None:
        return no
    strange, seen = with_sites(supplied, plan)
    no = signing.refuse_written(state, seen, plan, at, theirs=True) or exercise.refuse_rights(
        state, seen, plan, at
    )
    if no is None and command.hold:
        no = Refusal("unknown_hold", f"a hold is {plan.seller}'s own, and not kept here", "hold")
    if no is not None:
        return no
    for site in strange:
        emit(supply.SiteAdded(site, "", "", "", "UTC"))
    emit(rented.CapacityRented(plan))
    return {"contract": plan.id, "signed": True, "tranches": {}}


def refuse_sellers_part(command: contracts.SignContract) -> Refusal | None:
    """contradiction: what only the seller of a contract can say of it."""
    plan = command.plan
    if command.opening is not None:
        told = (
            f"an opening is {plan.seller}'s: what came of a rented contract is reported delivery by delivery"
        )
        return Refusal("contradiction", told, "opening")
    for place, each in enumerate(plan.tranches):
        if nomination.has_choice(each):
            told = (
                f"tranche {each.id} is rented: name the one site and the one SKU that {plan.seller} nominated"
            )
            return Refusal("contradiction", told, f"tranches[{place}]")
    return None


def _site(site: SiteId) -> supply.Site:
    return supply.Site(site, "", "", "", "UTC")


def refuse_sites(state: State, supplied: supply.State, plan: ContractPlan) -> Refusal | None:
    """own_site, other_seller: of the first site that a contract names where it cannot be."""
    found = (refuse_site(state, supplied, plan, site) for site in rented.sites_named(plan))
    return next((no for no in found if no is not None), None)


def with_sites(supplied: supply.State, plan: ContractPlan) -> tuple[list[SiteId], supply.State]:
    """Sites that a contract names and nobody described, and what there is with a name for each of them."""
    strange = [site for site in rented.sites_named(plan) if site not in supplied.sites]
    return strange, replace(supplied, sites=supplied.sites | {site: _site(site) for site in strange})


def refuse_site(
    state: State, supplied: supply.State, plan: ContractPlan, site: SiteId, where: str = ""
) -> Refusal | None:
    """other_seller, own_site: whether the seller of a contract can sell to us at a site."""
    where = where or next(
        (f"tranches[{place}].site" for place, each in enumerate(plan.tranches) if each.site == site), "rights"
    )
    seller = state.rented.sites.get(site, plan.seller)
    if seller != plan.seller:
        told = f"{site} is a site of {seller}; {plan.seller} sells at another, which needs another name"
        return Refusal("other_seller", told, where)
    places = {feed.site for feed in supplied.feeds.values()} | {hall.site for hall in supplied.halls.values()}
    if site in supplied.schedules or site in places:
        told = (
            f"{site} is a site of our own: what is rented stands at {plan.seller}'s, under a name of its own"
        )
        return Refusal("own_site", told, where)
    return None


def refuse_rented_site(state: State, site: SiteId) -> Refusal | None:
    """rented_site: nothing of ours is built where somebody else sells to us."""
    seller = state.rented.sites.get(site)
    if seller is None:
        return None
    told = f"{site} is a site of {seller}: what we have there follows from its contract"
    return Refusal("rented_site", told, "site")


def refuse_building(state: State, supplied: supply.State, command: supply.ApplySite) -> Refusal | None:
    """As `refuse_rented_site`, unless it is described there as it was before, and nothing more."""
    plan = command.plan
    described = supply.Site(plan.id, plan.title, plan.region, plan.jurisdiction, plan.zone)
    builds = plan.feeds or plan.halls or command.schedule is not None
    if not builds and supplied.sites.get(plan.id) == described:
        return None
    return refuse_rented_site(state, plan.id)


# Deliveries.


def _part(state: State, tranche: TrancheId, number: int) -> tuple[TranchePlan, int] | Refusal:
    """A tranche on either side, and the date by contract of one of its deliveries. Refuses: unknown_tranche,
    unknown_delivery.
    """
    known = state.rented.tranches.get(tranche) or state.tranches.get(tranche)
    if known is None:
        return Refusal("unknown_tranche", f"there is no tranche {tranche}", "tranche")
    parts = deliveries.committed(known.plan)
    if not 1 <= number <= len(parts):
        told = f"tranche {tranche} has {len(parts)} deliveries, counted from 1, and no number {number}"
        return Refusal("unknown_delivery", told, "delivery")
    return known.plan, parts[number - 1].at


def _told(tranche: TrancheId, number: int, changed: bool) -> Answer:
    return {"tranche": tranche, "delivery": number, "changed": changed}


def notify(state: State, command: NotifyDelivery, at: int, emit: supply.Emit) -> Answer | Refusal:
    """Record that the seller told the customer another date. Refuses: unknown_tranche, unknown_delivery, bad_quantity
    (the date), future_fact, delivered_already. The same again changes nothing, nor does one that was received before
    the last that is known.
    """
    tranche, number = command.tranche, command.delivery
    part = _part(state, tranche, number)
    if isinstance(part, Refusal):
        return part
    if not 0 < command.expected_at < INSTANT_MAX:
        return Refusal("bad_quantity", "the date is out of range", "expected_at")
    effective_at = command.effective_at or at
    if effective_at > at:
        return Refusal("future_fact", "a notice cannot be received after it is entered", "effective_at")
    known = state.deliveries.get((tranche, number), deliveries.UNKNOWN)
    if known.delivered_at:
        told = f"delivery {number} of {tranche} came at {timeline.text(known.delivered_at)}"
        return Refusal("delivered_already", told, "delivery")
    before = deliveries.told(known, part[1])
    same = known.notified_at == command.expected_at and command.effective_at in (0, known.heard_at)
    if same or effective_at < known.heard_at:
        return _told(tranche, number, False) | {"from": before, "to": before}
    emit(deliveries.DeliveryNotified(tranche, number, command.expected_at, effective_at, command.reason))
    return _told(tranche, number, True) | {"from": before, "to": command.expected_at}


def report_delivered(state: State, command: ReportDelivered, at: int, emit: supply.Emit) -> Answer | Refusal:
    """Record that a delivery came. Refuses: unknown_tranche, unknown_delivery, by_acceptance (its contract has terms
    for acceptance: what is accepted came then), bad_quantity (the date), future_fact, delivered_already (on another
    date). The same again changes nothing.
    """
    tranche, number = command.tranche, command.delivery
    part = _part(state, tranche, number)
    if isinstance(part, Refusal):
        return part
    if part[0].acceptance is not None:
        told = (
            f"tranche {tranche} has terms for acceptance: what is accepted of it came then, and needs no more"
        )
        return Refusal("by_acceptance", told, "tranche")
    if command.effective_at <= 0:
        return Refusal("bad_quantity", "the date is out of range", "effective_at")
    if command.effective_at > at:
        return Refusal("future_fact", "a fact cannot take effect after it is reported", "effective_at")
    known = state.deliveries.get((tranche, number), deliveries.UNKNOWN)
    before = deliveries.told(known, part[1])
    if known.delivered_at and known.delivered_at != command.effective_at:
        told = f"delivery {number} of {tranche} came at {timeline.text(known.delivered_at)}"
        return Refusal("delivered_already", told, "delivery")
    if not known.delivered_at:
        emit(deliveries.DeliveryMade(tranche, number, command.effective_at, command.evidence))
    changed = not known.delivered_at
    return _told(tranche, number, changed) | {"from": before, "to": command.effective_at}


def forecast_delivery(state: State, command: ForecastDelivery, emit: supply.Emit) -> Answer | Refusal:
    """Record what we, the customer, expect. Refuses: unknown_tranche, not_rented (we deliver it ourselves),
    unknown_delivery, bad_quantity (a date at P90 before that at P50, or out of range), delivered_already. The same
    again changes nothing.
    """
    tranche, number = command.tranche, command.delivery
    if tranche in state.tranches:
        told = f"tranche {tranche} is ours to deliver: its dates follow from the schedule of its site"
        return Refusal("not_rented", told, "tranche")
    part = _part(state, tranche, number)
    if isinstance(part, Refusal):
        return part
    if not 0 < command.p50_at <= command.p90_at < INSTANT_MAX:
        return Refusal("bad_quantity", "P90 is before P50, or a date is out of range", "p90_at")
    known = state.deliveries.get((tranche, number), deliveries.UNKNOWN)
    if known.delivered_at:
        told = f"delivery {number} of {tranche} came at {timeline.text(known.delivered_at)}"
        return Refusal("delivered_already", told, "delivery")
    same = (known.p50_at, known.p90_at, known.stale) == (command.p50_at, command.p90_at, False)
    if not same:
        emit(deliveries.DeliveryForecast(tranche, number, command.p50_at, command.p90_at, command.source))
    return _told(tranche, number, not same)


def pass_over(state: State, due: Due, emit: supply.Emit) -> None:
    """A date passed by which we counted on a delivery: the next that is known takes its place, or none."""
    tranche, number = TrancheId(due.about), due.stamp
    plan = state.rented.tranches[tranche].plan
    known = state.deliveries.get((tranche, number), deliveries.UNKNOWN)
    date = deliveries.committed(plan)[number - 1].at
    later = [deliveries.told(known, date), *(deliveries.counted_on(known, date, each) for each in Confidence)]
    expected_at = min((each for each in later if each > due.at), default=INSTANT_MAX)
    emit(deliveries.DeliveryOverdue(tranche, number, expected_at))


# Rights.


class _SellersCalendar(Calendar):
    """What the seller has left we do not know: what it puts to us, it had."""

    def available(self, stock: Stock, confidence: Confidence) -> Steps:
        return Steps((0,), (exercise.RACKS_MAX * supply.NODES_PER_RACK_MAX,))


def tranches_of(state: State, name: ContractId, at: int) -> list[Tranche]:
    """The tranches of a contract on whichever side, also those that rights made. What is rented stands as it does at
    an instant.
    """
    rented_ones = [each for each in state.rented.tranches.values() if each.contract == name]
    if not rented_ones:
        return [each for each in state.tranches.values() if each.contract == name]
    tenant = state.rented.contracts[name].tenant
    return [_as_held(state, each, tenant, at) for each in rented_ones]


def _as_held(state: State, each: rented.RentedTranche, tenant: TenantId, at: int) -> Tranche:
    plan = each.plan
    ended_at = each.ended_at or (plan.end_at if plan.end_at <= at else 0)
    standing = Standing.LIVE if plan.start_at <= at else Standing.SIGNED
    standing = Standing.ENDED if ended_at else standing
    return Tranche(
        plan,
        each.contract,
        tenant,
        standing,
        ended_at=ended_at,
        parts=each.parts,
        reliefs=each.reliefs,
        earlier=each.earlier,
    )


def mirror(state: State, supplied: supply.State, name: ContractId, at: int) -> State:
    """A contract of ours as its seller's World holds it, as far as both sides know it."""
    plan = state.rented.contracts[name]
    seen = State(contracts={name: plan}, drawn=state.rented.drawn, calendars=state.calendars)
    seen.versions[name] = state.rented.versions[name]
    for right in state.rented.rights.values():
        if right.contract == name:
            # How much stayed unsold is the seller's to say.
            backstop = right.plan.kind is RightKind.BACKSTOP
            seen.rights[right.plan.id] = right._replace(unsold=exercise.RACKS_MAX) if backstop else right
    for known, offer in state.rented.offers.open.items():
        if known in seen.rights:
            # It is answered by the terms under which it was received.
            right = seen.rights[known]
            then = regrants.as_of(right._replace(life=Life.DORMANT), offer.received_at)
            seen.rights[known] = right._replace(plan=then.plan)
            seen.holds[right.hold] = held(right, offer.sale)
    for each in tranches_of(state, name, at):
        seen.tranches[each.plan.id] = each
        # What has not come by now is missing now.
        pieces = coming.coming(each.plan, state.deliveries, each.parts, each.reliefs, at)
        nodes = contracts.nodes_each(each.plan, supplied)
        shorts = coming.missing_parts(each.plan, pieces, nodes, each.plan.end_at, at + 1)
        stock = stock_of(each.plan)
        seen.shorts[stock] = (*seen.shorts.get(stock, ()), *shorts)
    return seen


def held(right: Right, sale: OfferedSale) -> contracts.Hold:
    """What is offered to us as its seller holds it for somebody else; for whom, we are not told."""
    return contracts.Hold(
        HoldId(right.plan.id), TenantId(""), sale.site, sale.sku, sale.nodes, sale.start_at, sale.end_at, INSTANT_MAX,
        sale.price_micros_per_gpu_hour,
    )  # fmt: skip


def use_rented(
    state: State, supplied: supply.State, command: rights.ExerciseRight, at: int, emit: supply.Emit
) -> Answer | Refusal:
    """Use a right that stands in a contract in which we are the customer: ours, or by its seller's notice the
    seller's. Refuses what `exercise.exercise` refuses, and: duplicate_id (a tranche of ours has the name),
    bad_quantity (the notice of a backstop says how many racks).
    """
    right = state.rented.rights[command.right]
    if right.plan.kind is RightKind.BACKSTOP and not command.racks:
        told = f"how many racks {right.plan.id} puts to us, the notice says"
        return Refusal("bad_quantity", told, "racks")
    seen = mirror(state, supplied, right.contract, at)
    made: list[Event] = []
    answer = exercise.exercise(seen, supplied, _SellersCalendar(supplied, seen), command, at, made.append)
    if isinstance(answer, Refusal):
        return answer
    used = next(event for event in made if isinstance(event, rights.RightExercised))
    added = next((event.plan for event in made if isinstance(event, contracts.TrancheAdded)), None)
    if added is not None and (added.id in state.tranches or added.id in state.rented.tranches):
        return Refusal("duplicate_id", f"tranche {added.id} exists already", "tranche")
    emit(
        rented.RentedRightUsed(
            used.right, used.effective_at, used.racks, used.drawn_micros, added,
            tuple(event.tranche for event in made if isinstance(event, contracts.TrancheEnded)),
            # The right itself is among them: nothing of this was applied to the mirror.
            tuple(
                event.right for event in made if isinstance(event, rights.RightLapsed) and event.right != used.right
            ),
        )
    )  # fmt: skip
    return answer


def waive_rented(
    state: State, supplied: supply.State, command: rights.WaiveRight, at: int, emit: supply.Emit
) -> Answer | Refusal:
    """Give up a right of a contract in which we are the customer, or let an offer by it pass. Refuses what
    `exercise.waive` refuses.
    """
    made: list[Event] = []
    seen = mirror(state, supplied, state.rented.rights[command.right].contract, at)
    answer = exercise.waive(seen, command, at, made.append)
    for event in made:
        assert isinstance(event, rights.RightWaived)
        emit(rented.RentedRightWaived(command.right, event.effective_at, event.until_at))
    return answer
