"""What a contract says, as an answer holds it: `(world, contract) -> body`. Who may ask is decided by the route."""

from __future__ import annotations

from forebay.core import claims, units
from forebay.core.claims import clauses, renting, service_levels
from forebay.core.claims.service_levels import Availability, ServiceLevel
from forebay.core.timeline import Interval
from forebay.core.world import World
from forebay.feeds import windows
from forebay.server import amounts, promises, term_bodies, views
from forebay.server.bodies import Money

#: Within so much time a weekly window comes at least once.
_LOOK_US = 8 * units.DAY_US


def terms_body(world: World, plan: claims.ContractPlan, at: int) -> term_bodies.TermsBody:
    """The terms of a contract, and of every tranche that it has by now."""
    held = renting.tranches_of(world.state.claims, plan.id, at)
    return {
        "contract": plan.id,
        "tenant": plan.tenant,
        "currency": plan.currency,
        "tranches": [_tranche(world, each.plan, plan.currency, at) for each in held],
        "remedies": None if plan.remedies is None else _remedies(plan.remedies, plan.currency),
    }


def _tranche(world: World, plan: claims.TranchePlan, currency: str, at: int) -> term_bodies.TrancheTerms:
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


def _some(micros: int, currency: str) -> Money | None:
    """An amount; None for 0, which is none."""
    return amounts.exact(micros, currency) if micros else None
