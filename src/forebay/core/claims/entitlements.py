"""Who is entitled to what under a contract? The same answer in the seller's World and in the customer's.

Both sides hold the contract, and both record what passed between them: dates that were notified, deliveries that
were delivered, ready notices and answers to them, relief, offers, rights that were used. What only one of them knows
does not count here: not its schedule, its policy, its forecast, its overlay, nor to whom its racks are bound. So both
compute the same, and can lay it side by side.

What neither side recorded as delivered counts as not delivered: it is late from its committed date on. With terms for
acceptance what is accepted came then, by a word or by silence (`coming`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import NamedTuple

from forebay.core import supply
from forebay.core.claims import coming, contracts, lateness, refusals, regrants, rights, shortfall
from forebay.core.claims.acceptance import DeliveredPart
from forebay.core.claims.contracts import Standing, State, Tranche
from forebay.core.claims.deliveries import Dates
from forebay.core.claims.offers import OfferedSale
from forebay.core.claims.relief import Relief
from forebay.core.claims.rented import RentedTranche
from forebay.core.claims.rights import Life, Right, RightKind, Side
from forebay.core.claims.terms import ContractPlan, TranchePlan
from forebay.core.claims.versions import Earlier
from forebay.core.ids import CapId, ContractId, RightId, SiteId, SkuId, TrancheId


class Book(NamedTuple):
    """What both sides know of a contract."""

    plan: ContractPlan
    #: Its tranches, and those that rights made.
    tranches: tuple[TranchePlan, ...]
    rights: tuple[Right, ...]
    #: Micro-units that are drawn on each of its caps.
    drawn: dict[CapId, int]
    dates: Dates
    #: What came of ready notices, what moved dates, and terms that held before, of each tranche.
    handed: dict[TrancheId, tuple[tuple[DeliveredPart, ...], tuple[Relief, ...], tuple[Earlier, ...]]]
    #: What is on offer by its refusals, at the price that the customer would pay.
    offered: dict[RightId, OfferedSale]
    #: Tranches that were ended before their time.
    ended: frozenset[TrancheId] = frozenset()


class Entitled(NamedTuple):
    """One delivery, or as much of it as comes at once: so many GPUs from the committed date on, until the end."""

    tranche: TrancheId
    #: Which delivery of the tranche, from 1 on.
    delivery: int
    site: SiteId
    sku: SkuId
    gpus: int
    #: Entitled `[committed_at, end_at)`; both the same where the tranche was ended before.
    committed_at: int
    end_at: int
    #: When it came, or is expected by the last notice; the committed date where nobody said anything.
    comes_at: int
    delivered: bool
    #: Whether its date has passed without it.
    overdue: bool
    #: Where relief moved the committed date to: damages and the longstop count from there.
    moved_to: int


class LateTranche(NamedTuple):
    """What late deliveries of one tranche come to, those expected to be late included, overdue ones until now.
    Fees by the dates of the contract, damages and the longstop by the dates as relief moved them.
    """

    tranche: TrancheId
    cost: shortfall.Cost


class RightState(NamedTuple):
    """A right, at the instant that was asked for."""

    right: RightId
    kind: RightKind
    holder: Side
    #: Over once its deadline has passed, whether somebody looked or not.
    life: Life
    racks: int
    deadline_at: int
    #: What is on offer by it, at the price that the customer would pay, until the deadline.
    offer: OfferedSale | None = None


class CapState(NamedTuple):
    """What rights drew on a cap."""

    cap: CapId
    micros: int
    drawn_micros: int


class Entitlements(NamedTuple):
    """All that follows from a contract and what passed between its parties, at an instant."""

    contract: ContractId
    version: int
    seller: str
    tenant: str
    currency: str
    at: int
    deliveries: tuple[Entitled, ...]
    late: tuple[LateTranche, ...]
    rights: tuple[RightState, ...]
    caps: tuple[CapState, ...]


def book_of(state: State, name: ContractId) -> Book | None:
    """What is known of a contract on whichever side; None where there is none of the name."""
    plan = state.contracts.get(name)
    known: Iterable[Tranche | RentedTranche] = state.tranches.values()
    held, drawn = state.rights, state.drawn
    if plan is None:
        plan, known = state.rented.contracts.get(name), state.rented.tranches.values()
        held, drawn = state.rented.rights, state.rented.drawn
    if plan is None:
        return None
    theirs = [each for each in known if each.contract == name]
    tranches = tuple(each.plan for each in theirs)
    own = {each.id for each in tranches}
    return Book(
        plan, tranches, tuple(right for right in held.values() if right.contract == name),
        {cap.id: drawn.get((name, cap.id), 0) for cap in plan.caps},
        {part: dates for part, dates in state.deliveries.items() if part[0] in own},
        {each.plan.id: (each.parts, each.reliefs, each.earlier) for each in theirs},
        dict(_on_offer(state, name)),
        frozenset(each.plan.id for each in theirs if 0 < each.ended_at < each.plan.end_at),
    )  # fmt: skip


def _on_offer(state: State, name: ContractId) -> Iterator[tuple[RightId, OfferedSale]]:
    """What was offered by rights of a contract and is not answered: as its seller holds it, or we received it."""
    for right in state.rights.values():
        if right.contract == name and right.life is Life.OFFERED:
            hold = state.holds[right.hold]
            price = refusals.price_offered(right, hold)
            yield (
                right.plan.id,
                OfferedSale(hold.site, hold.sku, hold.nodes, hold.start_at, hold.end_at, price),
            )
    for known, offer in state.rented.offers.open.items():
        right = state.rented.rights[known]
        if right.contract == name:
            # At the terms under which it was received.
            plan = regrants.as_of(right._replace(life=Life.DORMANT), offer.received_at).plan
            price = plan.price_micros_per_gpu_hour or offer.sale.price_micros_per_gpu_hour
            yield known, replace(offer.sale, price_micros_per_gpu_hour=price)


def entitlements(book: Book, supplied: supply.State, at: int) -> Entitlements:
    """What follows from a book at an instant: deliveries in order of the contract, then what rights made."""
    plan, late = book.plan, []
    found: list[Entitled] = []
    for tranche in book.tranches:
        end_at = entitled_until(book, tranche)
        each = contracts.nodes_each(tranche, supplied)
        per_node = supplied.skus[tranche.sku].gpus_per_node
        parts, reliefs, earlier = book.handed[tranche.id]
        pieces = coming.coming(tranche, book.dates, parts, reliefs, at)
        found += [
            Entitled(
                tranche.id, piece.delivery, tranche.site, tranche.sku, piece.quantity * each * per_node,
                min(piece.committed_at, end_at), end_at, piece.comes_at, piece.delivered,
                not piece.delivered and piece.comes_at < at and piece.committed_at < end_at,
                min(piece.moved_to, end_at),
            )
            for piece in pieces
        ]  # fmt: skip
        missing = coming.missing_parts(tranche, pieces, each, end_at, at)
        if missing:
            signed = Tranche(tranche, plan.id, plan.tenant, Standing.SIGNED, earlier=earlier)
            moved = coming.missing_parts(tranche, pieces, each, end_at, at, moved=True)
            late_at = lateness.Lateness(missing, moved, moved)
            late.append(LateTranche(tranche.id, lateness.cost_of(supplied, signed, late_at)))
    return Entitlements(
        plan.id, plan.version, plan.seller, plan.tenant, plan.currency, at, tuple(found), tuple(late),
        tuple(_right(right, book.offered.get(right.plan.id), at) for right in book.rights),
        tuple(CapState(cap.id, cap.micros, book.drawn[cap.id]) for cap in plan.caps),
    )  # fmt: skip


def entitled_until(book: Book, tranche: TranchePlan) -> int:
    """When an entitlement ends: with the term, or by the notice of a termination."""
    ended = [
        right.used_at
        for right in book.rights
        if right.plan.kind is RightKind.TERMINATION
        and right.life is Life.EXERCISED
        and (right.plan.ends_order or right.plan.tranche == tranche.id or tranche.id in book.ended)
    ]
    return min([tranche.end_at, *ended])


def life_at(right: Right, at: int) -> Life:
    """Where a right is in its life, as both sides know it."""
    if right.life is Life.OFFERED and at < right.deadline_at:
        return Life.OFFERED
    # An offer that was not answered is over at its deadline, whatever grace each side keeps; the right itself stands.
    life = Life.DORMANT if right.life is Life.OFFERED else right.life
    return Life.LAPSED if life is Life.DORMANT and right.closes_at and at >= right.closes_at else life


def _right(right: Right, offer: OfferedSale | None, at: int) -> RightState:
    plan, life = right.plan, life_at(right, at)
    open_ = life is Life.OFFERED
    deadline_at = right.deadline_at if open_ else right.closes_at
    held_by = rights.holder(right)
    return RightState(plan.id, plan.kind, held_by, life, right.racks, deadline_at, offer if open_ else None)
