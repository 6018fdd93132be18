"""Who may use how much of what exists, and when: contracts, their tranches, and what binds them to racks.

A contract is a versioned document that holds what both sides signed. A tranche promises a shape (racks or nodes of a
SKU at a site) from an instant to another, at a price per GPU-hour, all at once or delivery by delivery. Signing
checks it against supply and refuses to oversell, then binds it greedily to the whole racks or nodes that stand; the
rest follows as racks come and deliveries fall due. At its start the nodes that are bound pass from the pool to the
tranche, later ones as they are bound; at its end all pass back. Before its start it may be bound anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import NamedTuple, get_args

from forebay.core import supply
from forebay.core.claims import (
    acceptance,
    deliveries,
    opening,
    prices,
    regrants,
    relief,
    rented,
    rights,
    versions,
)
from forebay.core.claims.acceptance import AcceptanceEvent, DeliveredPart, PartLife
from forebay.core.claims.deliveries import DeliveryEvent
from forebay.core.claims.noderuns import dated_less, joined_runs, runs_less
from forebay.core.claims.offers import OfferEvent
from forebay.core.claims.opening import Opening
from forebay.core.claims.parties import Estate, EstateApplied, Overlay, OverlayApplied, PartyEvent
from forebay.core.claims.relief import Relief
from forebay.core.claims.rented import Rented, RentedEvent
from forebay.core.claims.rights import Life, Right, RightEvent
from forebay.core.claims.shorts import Short, ShortfallAssessed, Unallocated
from forebay.core.claims.terms import ContractPlan, PromisePolicy, TranchePlan, Unit
from forebay.core.claims.workdays import BusinessCalendar, BusinessCalendarApplied
from forebay.core.ids import (
    CalendarId,
    CapId,
    Command,
    ContractId,
    Event,
    HoldId,
    IndexId,
    RightId,
    SiteId,
    SkuId,
    TenantId,
    TrancheId,
)
from forebay.core.supply.blocks import Confidence
from forebay.core.timeline import Due, Dues, Interval


@dataclass(slots=True)
class Hold:
    """Capacity kept for a customer for a while, so that an offer can be thought over."""

    id: HoldId
    tenant: TenantId
    site: SiteId
    sku: SkuId
    nodes: int
    start_at: int
    end_at: int
    #: Until when it is kept.
    expires_at: int
    price_micros_per_gpu_hour: int = 0
    #: ISO 4217: what the price is in; "" where there is none.
    currency: str = ""


# Commands


@dataclass(slots=True)
class SignContract(Command):
    """Both sides signed this document."""

    plan: ContractPlan
    #: Why it is signed although more is promised than there will be; "" where that is not meant.
    override: str = ""
    #: The hold that it uses up; "" for none.
    hold: HoldId = HoldId("")
    #: How it stands, for a contract that runs already; None for a new one.
    opening: Opening | None = None
    #: Version of the promise policy under which it was quoted; 0 for whichever is in force.
    policy: int = 0


@dataclass(slots=True)
class HoldCapacity(Command):
    """Keep this for a customer."""

    hold: Hold


@dataclass(slots=True)
class ReleaseHold(Command):
    """It is kept no longer."""

    hold: HoldId


@dataclass(slots=True)
class ApplyPromisePolicy(Command):
    """This policy is to be in force. Versions only grow; the same document twice changes nothing."""

    policy: PromisePolicy


@dataclass(slots=True)
class Rebinding:
    """All nodes that a tranche is to have, as runs (first, count): in order, neighbours as one."""

    tranche: TrancheId
    runs: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class ProposeBinding(Command):
    """A plan that was made elsewhere: these tranches of one stock are to have these nodes; the others stay."""

    site: SiteId
    sku: SkuId
    #: What it was made for: `rebinding.version` of the stock then.
    version: str
    bindings: tuple[Rebinding, ...]
    #: Nodes that tranches whose term runs would give up although work runs there: more than that is refused.
    moves: int = 0


@dataclass(slots=True)
class NominateTranche(Command):
    """A tranche that leaves a choice, and whose term is yet to begin, is to be at this site and of this SKU."""

    tranche: TrancheId
    site: SiteId
    sku: SkuId


@dataclass(slots=True)
class Nomination:
    """Where, and of what, a tranche is that leaves a choice."""

    tranche: TrancheId
    site: SiteId
    sku: SkuId


# Events


@dataclass(slots=True)
class ContractSigned(Event):
    """A contract binds from here on."""

    plan: ContractPlan
    #: What it was checked under: the version of the policy, and how sure supply had to be.
    policy: int = 0
    confidence: Confidence = Confidence.P90
    #: Why it was signed although it did not fit; "" where it did.
    override: str = ""
    #: Where, and of what, the tranches are that leave a choice.
    nominations: tuple[Nomination, ...] = ()


@dataclass(slots=True)
class TrancheNominated(Event):
    """A tranche is at another site, or of another SKU, than it was, and has no nodes yet."""

    tranche: TrancheId
    contract: ContractId
    site: SiteId
    sku: SkuId
    from_site: SiteId
    from_sku: SkuId


@dataclass(slots=True)
class ContractOpened(Event):
    """The contract ran before forebay knew of it: this is how it stood at the cutover."""

    contract: ContractId
    opening: Opening


@dataclass(slots=True)
class TrancheBound(Event):
    """These runs of nodes (first, count) are promised to the tranche for its term, beside those before: where its
    term runs already, they pass to it at once.
    """

    tranche: TrancheId
    contract: ContractId
    runs: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class TrancheUnbound(Event):
    """A tranche whose term is yet to begin gives up its nodes to one that begins before, and is bound anew."""

    tranche: TrancheId


@dataclass(slots=True)
class TrancheRebound(Event):
    """The tranche gave up the first runs of nodes, and has the second in their place; the rest stayed."""

    tranche: TrancheId
    contract: ContractId
    gave: tuple[tuple[int, int], ...]
    took: tuple[tuple[int, int], ...]
    #: The version of the stock that the plan was made for.
    version: str = ""


@dataclass(slots=True)
class TrancheStarted(Event):
    """The term began: the bound nodes pass from the pool to the tranche."""

    tranche: TrancheId
    #: The cutover of a tranche that ran already, and the GPUs that it had since then; 0 for one that begins now.
    since_at: int = 0
    gpus: int = 0


@dataclass(slots=True)
class TrancheEnded(Event):
    """The term is over: the nodes pass back to the pool."""

    tranche: TrancheId


@dataclass(slots=True)
class TrancheAdded(Event):
    """A contract promises one more tranche, by a right that was exercised."""

    contract: ContractId
    plan: TranchePlan


@dataclass(slots=True)
class CapacityHeld(Event):
    """Capacity is kept for a customer."""

    hold: Hold


@dataclass(slots=True)
class HoldReleased(Event):
    """A hold is over: used, given up, or expired."""

    hold: HoldId
    site: SiteId
    sku: SkuId
    reason: str


@dataclass(slots=True)
class PromisePolicyApplied(Event):
    """What may be promised, and who goes short, from here on."""

    policy: PromisePolicy


# State


class Standing(StrEnum):
    """Where a tranche is in its life."""

    SIGNED = "signed"
    LIVE = "live"
    ENDED = "ended"


class Tranche(NamedTuple):
    """A tranche as recorded."""

    plan: TranchePlan
    contract: ContractId
    tenant: TenantId
    standing: Standing
    #: Nodes that are bound to it so far, and their GPUs.
    runs: tuple[tuple[int, int], ...] = ()
    gpus: int = 0
    #: When its nodes passed to it, and back; 0 before.
    started_at: int = 0
    ended_at: int = 0
    #: Runs (first, count, when) that passed to it after its term began.
    later: tuple[tuple[int, int, int], ...] = ()
    #: The cutover of a tranche that ran already when it was taken in: it is billed from then on; 0 for any other.
    opened_at: int = 0
    #: What ready notices were about, in order of their numbers.
    parts: tuple[DeliveredPart, ...] = ()
    #: With terms for acceptance: runs (first, count, when) that are paid for, and since when.
    billed: tuple[tuple[int, int, int], ...] = ()
    #: What moved its committed dates.
    reliefs: tuple[Relief, ...] = ()
    #: Terms that held before amendments took effect, in order.
    earlier: tuple[versions.Earlier, ...] = ()
    #: Since when its present price holds; 0 for since its start.
    priced_at: int = 0


@dataclass(slots=True)
class State:
    """Every contract and tranche."""

    contracts: dict[ContractId, ContractPlan] = field(default_factory=dict)
    tranches: dict[TrancheId, Tranche] = field(default_factory=dict)
    #: Before the first is applied: the defaults, as version 0.
    policy: PromisePolicy = field(default_factory=lambda: PromisePolicy(version=0))
    holds: dict[HoldId, Hold] = field(default_factory=dict)
    rights: dict[RightId, Right] = field(default_factory=dict)
    #: Micro-units that rights drew on each cap of a contract.
    drawn: dict[tuple[ContractId, CapId], int] = field(default_factory=dict)
    #: Who goes short of which stock.
    shorts: dict[tuple[SiteId, SkuId], tuple[Short, ...]] = field(default_factory=dict)
    #: Stocks that are shared out by hand, with the reason.
    by_hand: dict[tuple[SiteId, SkuId], str] = field(default_factory=dict)
    #: Contracts of each customer, in order of signing.
    customers: dict[TenantId, tuple[ContractId, ...]] = field(default_factory=dict)
    #: Rights under which each hold was offered, the first first.
    offers: dict[HoldId, tuple[RightId, ...]] = field(default_factory=dict)
    #: Calendars of business days, each in its last version.
    calendars: dict[CalendarId, BusinessCalendar] = field(default_factory=dict)
    #: How contracts stood that ran before they were taken in.
    openings: dict[ContractId, Opening] = field(default_factory=dict)
    #: Who we are; None where nobody said, and we are the seller of every contract.
    estate: Estate | None = None
    #: What we alone know of contracts.
    overlays: dict[ContractId, Overlay] = field(default_factory=dict)
    #: What was told of deliveries, by tranche and number from 1 on, on whichever side.
    deliveries: deliveries.Dates = field(default_factory=dict)
    rented: Rented = field(default_factory=Rented)
    #: Every version of each contract that was signed, in order; `contracts` holds the one in force.
    versions: dict[ContractId, tuple[versions.Version, ...]] = field(default_factory=dict)
    #: What was published of each index.
    indices: dict[IndexId, tuple[prices.IndexValue, ...]] = field(default_factory=dict)
    #: What is missing of which stock, and nobody says who goes short of it.
    unallocated: dict[tuple[SiteId, SkuId], tuple[Unallocated, ...]] = field(default_factory=dict)

    def fork(self) -> State:
        """A copy whose containers are its own."""
        return State(
            self.contracts.copy(), self.tranches.copy(), self.policy, self.holds.copy(), self.rights.copy(),
            self.drawn.copy(), self.shorts.copy(), self.by_hand.copy(), self.customers.copy(), self.offers.copy(),
            self.calendars.copy(), self.openings.copy(), self.estate, self.overlays.copy(), self.deliveries.copy(),
            self.rented.fork(), self.versions.copy(), self.indices.copy(), self.unallocated.copy(),
        )  # fmt: skip


def nominated(plan: TranchePlan, site: SiteId, sku: SkuId) -> TranchePlan:
    """A tranche at a site and of a SKU; what else would do stays known."""
    others = dict.fromkeys(each for each in (plan.sku, *plan.substitutes) if each != sku)
    return replace(plan, site=site, sku=sku, substitutes=tuple(others))


def without_choice(plan: TranchePlan) -> TranchePlan:
    """A tranche that stays where it is, and what it is."""
    return replace(plan, sites=(), region="", jurisdiction="", substitutes=())


def term(plan: TranchePlan) -> Interval:
    """From when to when a tranche may use its capacity."""
    return Interval(plan.start_at, plan.end_at)


def nodes_each(plan: TranchePlan, supplied: supply.State) -> int:
    """Nodes of one unit of a tranche."""
    return supplied.skus[plan.sku].nodes_per_rack if plan.unit is Unit.RACK else 1


def nodes_promised(plan: TranchePlan, supplied: supply.State) -> int:
    """Nodes that a tranche promises in all."""
    return plan.count * nodes_each(plan, supplied)


def nodes_due(plan: TranchePlan, supplied: supply.State, at: int) -> int:
    """Nodes that a tranche is to have at an instant of its term; before that, those of its start."""
    if not plan.deliveries:
        return nodes_promised(plan, supplied)
    until = max(at, plan.start_at)
    count = sum(delivery.count for delivery in plan.deliveries if delivery.at <= until)
    return count * nodes_each(plan, supplied)


def nodes_bound(tranche: Tranche) -> int:
    """Nodes that are bound to a tranche so far."""
    return sum(count for _, count in tranche.runs)


def units_accepted(tranche: Tranche, *lives: PartLife) -> int:
    """Units of a tranche that were accepted, or are in these lives."""
    wanted = lives or (PartLife.ACCEPTED,)
    return sum(part.quantity for part in tranche.parts if part.life in wanted)


def billed_runs(tranche: Tranche) -> tuple[tuple[int, int], ...]:
    """The nodes of a tranche that are in service: all that are bound, or, with terms for acceptance, those whose
    billing started.
    """
    if tranche.plan.acceptance is None:
        return tranche.runs
    return joined_runs(*((first, count) for first, count, _ in tranche.billed))


def held_since(tranche: Tranche, node: int) -> int:
    """Since when a node that a tranche whose term began has in service is so."""
    for first, count, at in (*tranche.billed, *tranche.later):
        if first <= node < first + count:
            return at
    return tranche.started_at


def commitment(tranche: Tranche, supplied: supply.State) -> list[tuple[int, int]]:
    """What a tranche promises over time, as changes (when, nodes)."""
    plan = tranche.plan
    each = nodes_each(plan, supplied)
    due = [(delivery.at, delivery.count * each) for delivery in plan.deliveries]
    due = due or [(plan.start_at, plan.count * each)]
    end_at = min(plan.end_at, tranche.ended_at or plan.end_at)
    changes = [(when, nodes) for when, nodes in due if when < end_at]
    return [*changes, (end_at, -sum(nodes for _, nodes in changes))]


def owner_of(state: State, node: int) -> TrancheId:
    """The tranche whose term runs that holds a node; "" for none."""
    for name, tranche in state.tranches.items():
        if tranche.standing is Standing.LIVE and any(
            first <= node < first + count for first, count in tranche.runs
        ):
            return name
    return TrancheId("")


def contract_for(state: State, tenant: TenantId, *, spot: bool) -> ContractPlan | None:
    """The tenant's first contract that allows spot, or on demand, in order of signing: later ones change nothing."""
    for name in state.customers.get(tenant, ()):
        plan = state.contracts[name]
        if plan.spot if spot else plan.on_demand:
            return plan
    return None


def offer_on(state: State, hold: HoldId) -> Right | None:
    """The right whose holder may still take what is held; None where it is on offer to nobody."""
    asked = (state.rights[name] for name in state.offers.get(hold, ()))
    return next((right for right in asked if right.life is Life.OFFERED and right.hold == hold), None)


def held_until(hold: Hold, until_at: int) -> Hold:
    """A hold that is kept for longer."""
    return replace(hold, expires_at=max(until_at, hold.expires_at))


def wake(state: State, due: Due, emit: supply.Emit) -> None:
    """A term begins or ends, or a hold expires."""
    if due.what == "hold":
        hold = state.holds[HoldId(due.about)]
        offered = offer_on(state, hold.id)
        lapse = rights.lapse(offered, state.policy.notice_grace_s) if offered else None
        if lapse is not None:
            # The clock of the offer was stopped, or its grace grew: what is on offer is kept for as long.
            emit(CapacityHeld(held_until(hold, lapse.at)))
        else:
            emit(HoldReleased(hold.id, hold.site, hold.sku, "expired"))
        return
    if due.what == "amendment":
        emit(taking_effect(state, ContractId(due.about), due.stamp))
        return
    if due.what == "tranche_price":
        emit(versions.TranchePriceChanged(TrancheId(due.about)))
        return
    change = TrancheStarted if due.what == "tranche_start" else TrancheEnded
    emit(change(TrancheId(due.about)))


def due(tranche: Tranche) -> Due | None:
    """When a tranche next begins or ends by itself."""
    if tranche.standing is Standing.SIGNED:
        return Due(tranche.plan.start_at, "tranche_start", tranche.plan.id, 0)
    if tranche.standing is Standing.LIVE:
        return Due(tranche.plan.end_at, "tranche_end", tranche.plan.id, 0)
    return None


def taking_effect(state: State, contract: ContractId, number: int) -> versions.AmendmentTookEffect:
    """That a version that is signed takes effect."""
    known = next(each for each in state.versions[contract] if each.plan.version == number)
    apart = versions.meters_apart(state.contracts[contract], known.plan)
    return versions.AmendmentTookEffect(contract, number, known.effective_at, apart)


def price_due(tranche: Tranche) -> Due | None:
    """When the price of a tranche whose term runs next changes by itself."""
    if tranche.standing is not Standing.LIVE:
        return None
    change_at = prices.next_change(tranche.plan, max(tranche.priced_at, tranche.started_at))
    return None if change_at is None else Due(change_at, "tranche_price", tranche.plan.id, 0)


def amendments_due(state: State, contract: ContractId) -> list[Due]:
    """When versions that are signed take effect."""
    in_force = state.contracts[contract].version
    return [
        Due(each.effective_at, "amendment", contract, each.plan.version)
        for each in state.versions[contract]
        if each.plan.version > in_force
    ]


def deliveries_due(tranche: Tranche) -> list[Due]:
    """When a tranche whose term runs is to have more. It does no harm to look at one twice."""
    plan = tranche.plan
    later = plan.deliveries[1:] if tranche.standing is Standing.LIVE else ()
    return [Due(delivery.at, "tranche_delivery", plan.id, 0) for delivery in later]


def meant(state: State, entry: Due) -> bool:
    """Whether a due time still means something."""
    if entry.what == "hold":
        hold = state.holds.get(HoldId(entry.about))
        return hold is not None and hold.expires_at == entry.at
    if entry.what.startswith("rented_"):
        return rented.still_meant(state.rented, state.deliveries, state.policy.notice_grace_s, entry)
    if entry.what in ("deadline", "measure"):
        return entry in _right_dues(state, state.rights[RightId(entry.about)])
    if entry.what == "amendment":
        return state.contracts[ContractId(entry.about)].version < entry.stamp
    tranche = state.tranches[TrancheId(entry.about)]
    if entry.what in ("acceptance", "billing"):
        return entry in _part_dues(state, tranche)
    return entry in (due(tranche), price_due(tranche)) or entry in deliveries_due(tranche)


def _right_dues(state: State, right: Right) -> list[Due]:
    found = (rights.lapse(right, state.policy.notice_grace_s), rights.measuring(right))
    return [entry for entry in found if entry is not None]


def _part_dues(state: State, tranche: Tranche) -> list[Due]:
    """When a customer that stays silent is deemed to accept, and when billing starts."""
    if tranche.standing is Standing.ENDED:
        return []
    name, grace_s = tranche.plan.id, state.policy.notice_grace_s
    found = [acceptance.silence(name, part, grace_s) for part in tranche.parts]
    found += [acceptance.billing(name, part) for part in tranche.parts]
    return [entry for entry in found if entry is not None]


def dues(state: State) -> Dues:
    """The heap of due times, made again from the state."""
    found = [entry for entry in map(due, state.tranches.values()) if entry is not None]
    found += [entry for entry in map(price_due, state.tranches.values()) if entry is not None]
    found += [entry for tranche in state.tranches.values() for entry in deliveries_due(tranche)]
    found += [entry for contract in state.versions for entry in amendments_due(state, contract)]
    found += [entry for right in state.rights.values() for entry in _right_dues(state, right)]
    found += [entry for tranche in state.tranches.values() for entry in _part_dues(state, tranche)]
    found += rented.all_still_due(state.rented, state.deliveries, state.policy.notice_grace_s)
    return Dues(found + [Due(hold.expires_at, "hold", hold.id, 0) for hold in state.holds.values()])


def apply(state: State, supplied: supply.State, heap: Dues, event: Event, at: int) -> None:
    """Apply one event of this stage."""
    match event:
        case ContractSigned():
            _sign(state, heap, event, at)
        case ContractOpened():
            _open(state, heap, event)
        case TrancheBound():
            was = state.tranches[event.tranche]
            nodes = sum(count for _, count in event.runs)
            gpus = nodes * supplied.skus[was.plan.sku].gpus_per_node
            runs = joined_runs(*was.runs, *event.runs)
            later = was.later
            if was.standing is Standing.LIVE and at > was.started_at:
                later = (*later, *((first, count, at) for first, count in event.runs))
            bound = was._replace(runs=runs, gpus=was.gpus + gpus, later=later)
            state.tranches[event.tranche] = _billed(bound, supplied, at)
        case TrancheUnbound():
            was = state.tranches[event.tranche]
            state.tranches[event.tranche] = was._replace(runs=(), gpus=0)
        case TrancheNominated():
            was = state.tranches[event.tranche]
            plan = nominated(was.plan, event.site, event.sku)
            state.tranches[event.tranche] = was._replace(plan=plan, runs=(), gpus=0)
        case TrancheRebound():
            rebound = _rebound(state.tranches[event.tranche], event, supplied, at)
            state.tranches[event.tranche] = _billed(rebound, supplied, at)
        case TrancheStarted():
            was = state.tranches[event.tranche]
            live = was._replace(standing=Standing.LIVE, started_at=at, opened_at=event.since_at)
            live = _billed(live, supplied, at)
            state.tranches[event.tranche] = live
            push_dues(heap, live)
        case TrancheEnded():
            was = state.tranches[event.tranche]
            state.tranches[event.tranche] = was._replace(standing=Standing.ENDED, ended_at=at)
        case TrancheAdded():
            tranche = Tranche(
                event.plan, event.contract, state.contracts[event.contract].tenant, Standing.SIGNED
            )
            state.tranches[event.plan.id] = tranche
            push_dues(heap, tranche)
        case _:
            _apply_beside(state, supplied, heap, event, at)


def _apply_beside(state: State, supplied: supply.State, heap: Dues, event: Event, at: int) -> None:
    """What is beside the tranches: rights, holds, what was decided of shortfalls, and what we keep to ourselves."""
    match event:
        case rights.RightExercised():
            was_right = state.rights[event.right]
            settle_right(state, heap, rights.advanced(was_right, event), at)
            cap = (was_right.contract, was_right.plan.cap)
            if was_right.plan.cap:
                state.drawn[cap] = state.drawn.get(cap, 0) + event.drawn_micros
        case (
            rights.SaleOffered()
            | rights.RightWaived()
            | rights.RightLapsed()
            | rights.BackstopMeasured()
            | rights.ClockResumed()
        ):
            settle_right(state, heap, rights.advanced(state.rights[event.right], event), at)
            if isinstance(event, rights.SaleOffered):
                asked = state.offers.get(event.hold, ())
                state.offers[event.hold] = tuple(dict.fromkeys((*asked, event.right)))
        case CapacityHeld():
            state.holds[event.hold.id] = event.hold
            heap.push(Due(event.hold.expires_at, "hold", event.hold.id, 0))
        case HoldReleased():
            del state.holds[event.hold]
            for name in state.offers.pop(event.hold, ()):
                state.rights[name] = rights.forget_sale(state.rights[name], event.hold)
        case BusinessCalendarApplied():
            state.calendars[event.calendar.id] = event.calendar
        case PromisePolicyApplied():
            state.policy = event.policy
            for right in state.rights.values():
                keep_right(state, heap, right)
            for tranche in state.tranches.values():
                _push_parts(state, heap, tranche)
            for entry in rented.all_still_due(state.rented, state.deliveries, state.policy.notice_grace_s):
                heap.push(entry)
        case ShortfallAssessed():
            stock = (event.site, event.sku)
            state.shorts.pop(stock, None)
            state.by_hand.pop(stock, None)
            if event.shorts:
                state.shorts[stock] = event.shorts
            if event.reason:
                state.by_hand[stock] = event.reason
            state.unallocated.pop(stock, None)
            if event.unallocated:
                state.unallocated[stock] = event.unallocated
        case EstateApplied():
            state.estate = event.estate
        case OverlayApplied():
            state.overlays[event.overlay.contract] = event.overlay
        case _:
            grace_s = state.policy.notice_grace_s
            if not rented.record(state.rented, state.deliveries, state.calendars, grace_s, heap, event, at):
                _hand_over(state, supplied, heap, event, at)


def _sign(state: State, heap: Dues, event: ContractSigned, at: int) -> None:
    """What both sides signed binds: its rights wait, its tranches are promised where they were nominated."""
    state.contracts[event.plan.id] = event.plan
    own = state.customers.get(event.plan.tenant, ())
    state.customers[event.plan.tenant] = tuple(dict.fromkeys((*own, event.plan.id)))
    state.versions[event.plan.id] = (versions.Version(event.plan, at, at),)
    ends = {plan.id: plan.end_at for plan in event.plan.tranches}
    for stated in event.plan.rights:
        closes_at = rights.closing(stated, ends.get(stated.tranche, 0), state.calendars)
        right = Right(stated, event.plan.id, event.plan.tenant, closes_at=closes_at)
        keep_right(state, heap, right)
    chosen = {each.tranche: each for each in event.nominations}
    for plan in event.plan.tranches:
        if plan.id in chosen:
            plan = nominated(plan, chosen[plan.id].site, chosen[plan.id].sku)
        made = Tranche(plan, event.plan.id, event.plan.tenant, Standing.SIGNED)
        state.tranches[plan.id] = made
        push_dues(heap, made)


def _hand_over(state: State, supplied: supply.State, heap: Dues, event: Event, at: int) -> None:
    """A part is ready, is answered or paid for; or a date moves."""
    if isinstance(event, relief.ReliefGranted):
        was = state.tranches[event.tranche]
        state.tranches[event.tranche] = was._replace(reliefs=(*was.reliefs, relief.as_granted(event)))
    elif isinstance(event, AcceptanceEvent):
        was = state.tranches[event.tranche]
        told = was._replace(parts=acceptance.advanced_parts(was.parts, event))
        state.tranches[event.tranche] = _billed(told, supplied, at)
        _push_parts(state, heap, told)


def _billed(tranche: Tranche, supplied: supply.State, at: int) -> Tranche:
    """A tranche whose term runs pays from now on for as many of its nodes, the first ones, as their billing started
    of.
    """
    if tranche.plan.acceptance is None or tranche.standing is not Standing.LIVE:
        return tranche
    each = nodes_each(tranche.plan, supplied)
    wanted = sum(part.quantity * each for part in tranche.parts if part.billed)
    billed = list(tranche.billed)
    missing = wanted - sum(count for _, count, _ in billed)
    for first, count in runs_less(tranche.runs, billed_runs(tranche)):
        taken = min(count, missing)
        if taken > 0:
            billed.append((first, taken, at))
            missing -= taken
    return tranche._replace(billed=tuple(billed))


def _rebound(was: Tranche, event: TrancheRebound, supplied: supply.State, at: int) -> Tranche:
    """A tranche with other nodes; where its term runs, what it took is its own from now on."""
    runs = joined_runs(*runs_less(was.runs, event.gave), *event.took)
    gpus = sum(count for _, count in runs) * supplied.skus[was.plan.sku].gpus_per_node
    later, billed = dated_less(was.later, event.gave), dated_less(was.billed, event.gave)
    if was.standing is Standing.LIVE and at > was.started_at:
        later = (*later, *((first, count, at) for first, count in event.took))
    return was._replace(runs=runs, gpus=gpus, later=later, billed=billed)


def _open(state: State, heap: Dues, event: ContractOpened) -> None:
    """What was drawn, and where rights stand, is as the opening says."""
    state.openings[event.contract] = event.opening
    for opened in event.opening.tranches:
        was = state.tranches[opened.tranche]
        if was.plan.acceptance is not None and opened.delivered:
            # It was accepted before, and is billed here from the cutover on.
            since = opened.accepted_at or event.opening.at
            part = DeliveredPart(
                1, opened.delivered, since, 0, (), PartLife.ACCEPTED, since, billing_at=event.opening.at, billed=True
            )  # fmt: skip
            state.tranches[opened.tranche] = was._replace(parts=(part,))
    for cap in event.opening.caps:
        state.drawn[event.contract, cap.cap] = cap.drawn_micros
    for stated in event.opening.rights:
        right = opening.opened(state.rights[stated.right], stated)
        keep_right(state, heap, right)
        if right.hold:
            state.offers[right.hold] = (*state.offers.get(right.hold, ()), right.plan.id)


def keep_right(state: State, heap: Dues, right: Right) -> None:
    """Record a right, and when it changes by itself."""
    state.rights[right.plan.id] = right
    for entry in _right_dues(state, right):
        heap.push(entry)


def settle_right(state: State, heap: Dues, right: Right, at: int) -> None:
    """Record a right, with the terms that hold for it now."""
    keep_right(
        state, heap, regrants.on_present_terms(right, at, term_end(state, right.plan), state.calendars)
    )


def term_end(state: State, plan: rights.RightPlan) -> int:
    """When the term ends of the tranche that a right is about; 0 for a right about none."""
    return state.tranches[plan.tranche].plan.end_at if plan.tranche else 0


def _push_parts(state: State, heap: Dues, tranche: Tranche) -> None:
    for entry in _part_dues(state, tranche):
        heap.push(entry)


def push_dues(heap: Dues, tranche: Tranche) -> None:
    """Note when a tranche that is not over changes by itself."""
    entry = due(tranche)
    assert entry is not None, "what was bound or began has an end"
    heap.push(entry)
    priced = price_due(tranche)
    for entry in [priced] if priced else []:
        heap.push(entry)
    for entry in deliveries_due(tranche):
        heap.push(entry)


EVENTS: tuple[type[Event], ...] = (
    ContractSigned, ContractOpened, TrancheAdded, TrancheBound, TrancheUnbound, TrancheRebound, TrancheStarted,
    TrancheEnded, TrancheNominated, CapacityHeld, HoldReleased, PromisePolicyApplied, ShortfallAssessed,
    BusinessCalendarApplied, *get_args(RightEvent), *get_args(AcceptanceEvent), relief.ReliefGranted,
    *get_args(PartyEvent), *get_args(DeliveryEvent), *get_args(RentedEvent), *get_args(OfferEvent),
    *versions.EVENTS, prices.IndexPublished,
)  # fmt: skip
