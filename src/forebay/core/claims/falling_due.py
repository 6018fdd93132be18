"""What falls due under a contract, and when, as far as it is known?

Deposit and prepayments have dates. What a milestone makes due comes so long after it, and a milestone has a date in
even odds and one in nine cases of ten. Fees fall due month by month (calendar months, UTC), as they are promised:
what is late, and so is not charged, is not taken off here. They draw on what was prepaid by then, by the dates in
even odds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from forebay.core import supply, timeline
from forebay.core.claims import contracts, prices
from forebay.core.claims.contracts import Tranche
from forebay.core.claims.payments import BillingTime, MilestonePayment, PaymentTerms
from forebay.core.claims.terms import PPM, ContractPlan, TranchePlan
from forebay.core.ids import ContractId, MilestoneId, SiteId, TenantId, TrancheId
from forebay.core.timeline import INSTANT_MAX
from forebay.core.units import HOUR_US, SECOND_US, divide_half_even


class Expected(NamedTuple):
    """When a milestone is reached, in even odds and in nine cases of ten; INSTANT_MAX where nobody knows."""

    p50: int
    p90: int


class FallingDue(NamedTuple):
    """An amount, and when it is to be paid."""

    #: "deposit", "prepayment", "milestone" or "fee".
    kind: str
    #: The tranche of a fee, "SITE/MILESTONE"; "" for the contract itself.
    about: str
    #: Of a fee: the time that it is for; 0 for others.
    from_at: int
    to_at: int
    due_p50: int
    due_p90: int
    micros: int
    #: Of a fee: what is taken from what was prepaid.
    drawn_micros: int = 0


def falling_due(
    plan: ContractPlan,
    tranches: Iterable[Tranche],
    supplied: supply.State,
    expected: Callable[[SiteId, MilestoneId], Expected],
) -> list[FallingDue]:
    """What falls due under a contract, the earliest first by the dates in even odds. `tranches` are its own, with
    those that were added by rights. Without terms of payment, fees fall due at the end of their month.
    """
    terms = plan.payments or PaymentTerms(BillingTime.ARREARS, 0)
    held = list(tranches)
    signed = {each.id for each in plan.tranches}
    fees_all = fees_micros([each.plan for each in held if each.plan.id in signed], supplied)
    ahead = list(_ahead(terms, fees_all, expected))
    places = {name: place for place, name in enumerate(terms.drawdown or [each.plan.id for each in held])}
    fees = sorted(
        (fee for each in held for fee in _fees(each, terms, supplied)),
        key=lambda fee: (fee.due_p50, places.get(TrancheId(fee.about), len(places)), fee.about),
    )
    found = [*ahead, *_drawn(fees, ahead, places)]
    return sorted(found, key=lambda each: (each.due_p50, each.kind, each.about))


def fees_micros(plans: Iterable[TranchePlan], supplied: supply.State) -> int:
    """The fees of tranches for their whole terms, each rounded once."""
    alone = (Tranche(plan, ContractId(""), TenantId(""), contracts.Standing.SIGNED) for plan in plans)
    return sum(_fee(each, supplied, each.plan.start_at, each.plan.end_at) for each in alone)


def _ahead(
    terms: PaymentTerms, fees_all_micros: int, expected: Callable[[SiteId, MilestoneId], Expected]
) -> Iterator[FallingDue]:
    if terms.deposit_micros:
        yield FallingDue("deposit", "", 0, 0, terms.deposit_at, terms.deposit_at, terms.deposit_micros)
    for paid in terms.prepayments:
        yield FallingDue("prepayment", "", 0, 0, paid.due_at, paid.due_at, paid.micros)
    for each in terms.milestones:
        dates = expected(each.site, each.milestone)
        due_p50, due_p90 = (min(date + terms.net_s * SECOND_US, INSTANT_MAX) for date in dates)
        micros = milestone_micros(each, fees_all_micros)
        yield FallingDue("milestone", f"{each.site}/{each.milestone}", 0, 0, due_p50, due_p90, micros)


def milestone_micros(paid: MilestonePayment, fees_all_micros: int) -> int:
    """What a milestone makes due; a share of all fees is rounded once (half to even)."""
    return paid.micros or divide_half_even(fees_all_micros * paid.share_ppm, PPM)


def _fees(tranche: Tranche, terms: PaymentTerms, supplied: supply.State) -> Iterator[FallingDue]:
    end_at = min(tranche.plan.end_at, tranche.ended_at or tranche.plan.end_at)
    from_at = tranche.plan.start_at
    while from_at < end_at:
        month_end_at = timeline.month_end(from_at)
        to_at = min(month_end_at, end_at)
        micros = _fee(tranche, supplied, from_at, to_at)
        billed_at = from_at if terms.billing is BillingTime.ADVANCE else month_end_at
        due_at = billed_at + terms.net_s * SECOND_US
        if micros:
            yield FallingDue("fee", tranche.plan.id, from_at, to_at, due_at, due_at, micros)
        from_at = to_at


def _fee(tranche: Tranche, supplied: supply.State, from_at: int, to_at: int) -> int:
    """The fee of what is promised within a time, at the prices as stated, rounded once."""
    levels = timeline.summed(contracts.commitment(tranche, supplied))
    starts = [*levels.starts, INSTANT_MAX]
    windows = [
        (max(start, from_at), min(end, to_at), nodes)
        for start, end, nodes in zip(starts, starts[1:], levels.values, strict=False)
    ]
    exact = sum(
        nodes * prices.exact_cost(tranche.plan, start, end) for start, end, nodes in windows if start < end
    )
    return divide_half_even(exact * supplied.skus[tranche.plan.sku].gpus_per_node, HOUR_US)


def _drawn(
    fees: Iterable[FallingDue], ahead: Iterable[FallingDue], places: dict[TrancheId, int]
) -> Iterator[FallingDue]:
    """Fees, the earliest first, with what each draws on what was prepaid when it falls due."""
    prepaid = sorted(
        (paid.due_p50, paid.micros) for paid in ahead if paid.kind in ("prepayment", "milestone")
    )
    left_micros = 0
    for fee in fees:
        while prepaid and prepaid[0][0] <= fee.due_p50:
            left_micros += prepaid.pop(0)[1]
        drawn_micros = min(left_micros, fee.micros) if fee.about in places else 0
        left_micros -= drawn_micros
        yield fee._replace(drawn_micros=drawn_micros)
