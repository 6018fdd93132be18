"""Who is entitled to what under a contract? The same answer in the seller's World and in the customer's.

Both sides hold the contract, and both record what passed between them: dates that were notified, deliveries that
were delivered, rights that were used. What only one of them knows does not count here: not its schedule, its
policy, its forecast, its overlay, nor to whom its racks are bound. So both compute the same, and can lay it side by
side.

What neither side recorded as delivered counts as not delivered: it is late from its committed date on.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from forebay.core import supply
from forebay.core.claims import contracts, deliveries, renting, rights, shortfall
from forebay.core.claims.contracts import Standing, State, Tranche
from forebay.core.claims.deliveries import Dates
from forebay.core.claims.rented import RentedTranche
from forebay.core.claims.rights import Life, Right, RightKind, Side
from forebay.core.claims.terms import ContractPlan, TranchePlan
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
    #: Tranches that were ended before their time.
    ended: frozenset[TrancheId] = frozenset()


class Entitled(NamedTuple):
    """One delivery: so many GPUs from the committed date on, until the end."""

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


class LateTranche(NamedTuple):
    """What late deliveries of one tranche come to, those expected to be late included, overdue ones until now."""

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
        frozenset(each.plan.id for each in theirs if 0 < each.ended_at < each.plan.end_at),
    )  # fmt: skip


def entitlements(book: Book, supplied: supply.State, at: int) -> Entitlements:
    """What follows from a book at an instant: deliveries in order of the contract, then what rights made."""
    plan, found, late = book.plan, [], []
    for tranche in book.tranches:
        end_at = _end(book, tranche)
        each = contracts.nodes_each(tranche, supplied)
        per_node = supplied.skus[tranche.sku].gpus_per_node
        for number, part in enumerate(deliveries.committed(tranche), 1):
            known = book.dates.get((tranche.id, number), deliveries.UNKNOWN)
            comes_at = deliveries.told(known, part.at)
            found.append(
                Entitled(
                    tranche.id, number, tranche.site, tranche.sku, part.count * each * per_node,
                    min(part.at, end_at), end_at, comes_at, bool(known.delivered_at),
                    not known.delivered_at and comes_at < at and part.at < end_at,
                )
            )  # fmt: skip
        shorts = renting.missing_parts(tranche, book.dates, each, end_at, at)
        if shorts:
            signed = Tranche(tranche, plan.id, plan.tenant, Standing.SIGNED)
            late.append(LateTranche(tranche.id, shortfall.cost(signed, supplied, shorts)))
    return Entitlements(
        plan.id, plan.version, plan.seller, plan.tenant, plan.currency, at, tuple(found), tuple(late),
        tuple(_right(right, at) for right in book.rights),
        tuple(CapState(cap.id, cap.micros, book.drawn[cap.id]) for cap in plan.caps),
    )  # fmt: skip


def _end(book: Book, tranche: TranchePlan) -> int:
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
    # The sale that is on offer the seller alone has on record; the right itself stands.
    life = Life.DORMANT if right.life is Life.OFFERED else right.life
    return Life.LAPSED if life is Life.DORMANT and right.closes_at and at >= right.closes_at else life


def _right(right: Right, at: int) -> RightState:
    plan = right.plan
    return RightState(
        plan.id, plan.kind, rights.holder(right), life_at(right, at), right.racks, right.closes_at
    )
