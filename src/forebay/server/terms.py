"""What a contract says, as an answer holds it: `(world, contract) -> body`. Who may ask is decided by the route."""

from __future__ import annotations

from forebay.core import claims, units
from forebay.core.claims import clauses, ranking, relief, renting, service_levels, terms
from forebay.core.claims.service_levels import Availability, ServiceLevel
from forebay.core.timeline import Interval
from forebay.core.world import World
from forebay.feeds import windows
from forebay.server import amounts, deliveries, promises, term_bodies, views
from forebay.server.bodies import Money

#: Within so much time a weekly window comes at least once.
_LOOK_US = 8 * units.DAY_US


def terms_body(world: World, plan: claims.ContractPlan, at: int) -> term_bodies.TermsBody:
    """The terms of a contract, and of its tranches, by the version that holds at an instant."""
    state = world.state.claims
    if plan.id in state.versions:
        plan = claims.contract_at(state, plan.id, at)
    agreed = (claims.tranche_at(state, each, at) for each in renting.tranches_of(state, plan.id, at))
    return {
        "contract": plan.id,
        "version": plan.version,
        "at": amounts.when(at),
        "tenant": plan.tenant,
        "currency": plan.currency,
        "tranches": [_tranche(world, plan, each, at) for each in agreed if each is not None],
        "remedies": None if plan.remedies is None else _remedies(plan.remedies, plan.currency),
        "energy": None if plan.energy is None else _energy(plan.energy, plan.currency),
        "commitment": None if plan.commitment is None else _commitment(plan.commitment, plan.currency),
    }


def _tranche(
    world: World, contract: claims.ContractPlan, plan: claims.TranchePlan, at: int
) -> term_bodies.TrancheTerms:
    currency = contract.currency
    granted = [relief.terms_for(contract, plan, kind) for kind in terms.ReliefKind]
    place = ranking.says_of(contract, plan)
    return {
        "tranche": plan.id,
        "site": plan.site,
        "sku": plan.sku,
        "choices": views.choices_left(plan, world.state.supply),
        "operation": plan.operation.value,
        "lending": views.lending_body(plan.lending),
        "late": None if plan.late is None else promises.late_body(plan.late, currency),
        "service": None if plan.service is None else _service(world, plan, plan.service, currency),
        "maintenance": None if plan.maintenance is None else _maintenance(plan, plan.maintenance, at),
        "shortfall": None
        if place is None
        else {
            "served": place.served and place.served.value,
            "before": list(place.before),
            "after": list(place.after),
        },
        "price": _price(plan, currency),
        "acceptance": None if plan.acceptance is None else deliveries.acceptance_body(plan.acceptance),
        "relief": [
            {"kind": each.kind.value, "notice_s": each.notice_s, "cap_s": each.cap_s}
            for each in granted
            if each is not None
        ],
    }


def _price(plan: claims.TranchePlan, currency: str) -> term_bodies.PriceTermsBody:
    def bound(micros: int) -> Money | None:
        return amounts.exact(micros, currency) if micros else None

    index = plan.index
    return {
        "price_per_gpu_hour": amounts.exact(plan.price_micros_per_gpu_hour, currency),
        "steps": [
            {
                "at": amounts.when(step.at),
                "price_per_gpu_hour": amounts.exact(step.price_micros_per_gpu_hour, currency),
            }
            for step in plan.price_steps
        ],
        "index": None
        if index is None
        else {
            "index": index.index,
            "base": units.decimal_text(index.base_micros),
            "share_ppm": index.share_ppm,
            "floor": bound(index.price_micros_min),
            "cap": bound(index.price_micros_max),
        },
        "take_or_pay_ppm": plan.take_or_pay_ppm,
    }


def _service(
    world: World, plan: claims.TranchePlan, level: ServiceLevel, currency: str
) -> term_bodies.ServiceBody:
    supplied, chronic = world.state.supply, level.chronic
    gpus = claims.nodes_promised(plan, supplied) * supplied.skus[plan.sku].gpus_per_node
    fee_micros = units.gpu_time_cost_micros(gpus * 30 * units.DAY_US, plan.price_micros_per_gpu_hour)
    return {
        "unit": level.unit.value,
        "healthy_nodes": clauses.healthy_nodes(supplied, plan, level),
        "nodes": clauses.service_nodes(supplied, plan, level),
        "replacement_s": level.replacement_s,
        "ladder": [
            {
                "below_ppm": rung.below_ppm,
                "credit_ppm": rung.credit_ppm,
                "of_30_days": amounts.exact(_just_below(level, rung, fee_micros), currency),
            }
            for rung in level.ladder
        ],
        "credits": level.crediting.value,
        "claim_s": level.claim_s,
        "cap_month_ppm": level.cap_month_ppm,
        "cap_total": _some(level.cap_total_micros, currency),
        "sole_remedy": level.sole_remedy,
        "damages_per_gpu_day": _some(level.damages_micros_per_gpu_day, currency),
        "chronic": None
        if chronic is None
        else {"months": chronic.months, "of_months": chronic.of_months, "below_ppm": chronic.below_ppm},
    }


def _just_below(level: ServiceLevel, rung: service_levels.Rung, fee_micros: int) -> int:
    """The credit of a month that fell below a rung by as little as there is."""
    return service_levels.credit(level, Availability(rung.below_ppm - 1, claims.PPM), fee_micros).micros


def _maintenance(
    plan: claims.TranchePlan, agreed: claims.maintenance.Maintenance, at: int
) -> term_bodies.MaintenanceBody:
    look = Interval(max(at, plan.start_at), min(plan.end_at, max(at, plan.start_at) + _LOOK_US))
    return {
        "allowed_s": agreed.allowed_s,
        "notice_s": agreed.notice_s,
        "zone": agreed.zone,
        "windows": [_window(each, agreed.zone, look) for each in agreed.windows],
        "consent": agreed.consent,
    }


def _window(window: claims.maintenance.WeeklyWindow, zone: str, look: Interval) -> term_bodies.WindowBody:
    found = next(windows.occurrences(window, zone, look), None)
    minutes = window.start_s // 60
    return {
        "day": window.day.value,
        "start": f"{minutes // 60:02d}:{minutes % 60:02d}",
        "length_s": window.length_s,
        "next_start": None if found is None else amounts.when(found.start),
        "next_end": None if found is None else amounts.when(found.end),
    }


def _remedies(agreed: claims.remedies.Remedies, currency: str) -> term_bodies.RemediesBody:
    return {
        "order": [remedy.value for remedy in agreed.order],
        "settlement": agreed.settlement.value,
        "cap_month": _some(agreed.cap_month_micros, currency),
        "cap_total": _some(agreed.cap_total_micros, currency),
    }


def _energy(agreed: claims.energy_terms.EnergyTerms, currency: str) -> term_bodies.EnergyBody:
    return {
        "price_per_mwh": amounts.exact(agreed.price_micros_per_mwh, currency),
        "pue_ppm": agreed.pue_ppm,
        "index": agreed.index,
        "base": units.decimal_text(agreed.base_micros) if agreed.index else "",
    }


def _commitment(agreed: claims.commitments.Commitment, currency: str) -> term_bodies.CommitmentBody:
    return {
        "amount": amounts.exact(agreed.micros, currency),
        "months": agreed.months,
        "start": amounts.when(agreed.start_at),
        "periods": agreed.periods,
    }


def _some(micros: int, currency: str) -> Money | None:
    """An amount; None for 0, which is none."""
    return amounts.exact(micros, currency) if micros else None
