"""How far is each tranche handed over? `(world, principal) -> what the answer holds`; the default is no."""

from __future__ import annotations

from collections.abc import Iterable

from forebay.core import claims, units
from forebay.core.claims import lateness, renting
from forebay.core.claims.acceptance import DeliveredPart, PartLife
from forebay.core.claims.deliveries import UNKNOWN, Dates, committed
from forebay.core.ids import Principal, Role, TrancheId
from forebay.core.timeline import INSTANT_MAX
from forebay.core.world import World
from forebay.server import amounts, delivery_bodies, promise_bodies, sight


def deliveries_seen(world: World, principal: Principal) -> list[tuple[str, delivery_bodies.DeliveryBody]]:
    """Deliveries by tranche, of those that the principal may see."""
    found = {
        name: _delivery(world, tranche, claims.nodes_bound(tranche))
        for name, tranche in world.state.claims.tranches.items()
        if sight.owns(principal, tranche.tenant)
    }
    return sorted((found | _rented(world, principal)).items())


def _rented(world: World, principal: Principal) -> dict[TrancheId, delivery_bodies.DeliveryBody]:
    """Those that we rent, for ourselves only."""
    if principal.role not in (Role.OPERATOR, Role.FINANCE):
        return {}
    state, supplied = world.state.claims, world.state.supply
    held = (each for name in state.rented.contracts for each in renting.tranches_of(state, name, world.now))
    return {
        each.plan.id: _delivery(
            world, each, _come(state.deliveries, each) * claims.nodes_each(each.plan, supplied)
        )
        for each in held
    }


def _come(dates: Dates, tranche: claims.Tranche) -> int:
    """Units of a tranche that we rent that are there: its seller gave notice of them, or they were delivered."""
    if tranche.plan.acceptance is not None:
        return claims.units_accepted(tranche, PartLife.READY, PartLife.ACCEPTED)
    parts = enumerate(committed(tranche.plan), 1)
    return sum(
        part.count for number, part in parts if dates.get((tranche.plan.id, number), UNKNOWN).delivered_at
    )


def _delivery(world: World, tranche: claims.Tranche, bound: int) -> delivery_bodies.DeliveryBody:
    plan = tranche.plan
    each = claims.nodes_each(plan, world.state.supply)
    billed = sum(count for _, count in claims.billed_runs(tranche)) if tranche.started_at else 0
    return {
        "tranche": plan.id,
        "contract": tranche.contract,
        "tenant": tranche.tenant,
        "standing": tranche.standing.value,
        "unit": plan.unit.value,
        "count": plan.count,
        "bound": bound // each,
        "ready": claims.units_accepted(tranche, PartLife.READY),
        "accepted": claims.units_accepted(tranche),
        "billed": billed // each,
        "acceptance": None if plan.acceptance is None else acceptance_body(plan.acceptance),
        "dates": [
            {
                "count": date.quantity,
                "committed": amounts.when(date.at),
                "moved_to": amounts.when(date.moved_to),
            }
            for date in lateness.dates_of(tranche)
        ],
        "parts": [_part(part) for part in tranche.parts],
        "reliefs": reliefs_told(tranche),
    }


def acceptance_body(terms: claims.AcceptanceTerms) -> delivery_bodies.AcceptanceBody:
    """How a tranche is handed over, as its contract says."""
    return {
        "tests": [
            {
                "name": test.name,
                "direction": test.direction.value,
                "threshold": units.decimal_text(test.threshold_micros),
            }
            for test in terms.tests
        ],
        "deemed_s": terms.deemed_s,
        "billing_from": terms.billing_from.value,
        "billing_after_s": terms.billing_after_s,
    }


def _part(part: DeliveredPart) -> delivery_bodies.PartBody:
    return {
        "notice": part.notice,
        "count": part.quantity,
        "life": part.life.value,
        "ready": amounts.when(part.ready_at),
        "deemed_by": amounts.when_or_none(part.deemed_at),
        "accepted": amounts.when(part.answered_at) if part.life is PartLife.ACCEPTED else None,
        "deemed": part.deemed,
        "rejected": amounts.when(part.answered_at) if part.life is PartLife.REJECTED else None,
        "reason": part.reason,
        "billing": amounts.when_or_none(part.billing_at),
        "billed": part.billed,
        "results": [
            {"test": result.test, "value": units.decimal_text(result.value_micros)} for result in part.results
        ],
    }


def dates_moved(moved: Iterable[lateness.CommittedDate]) -> list[promise_bodies.MovedDate]:
    """Dates that relief moved."""
    return [
        {
            "count": date.quantity,
            "committed": amounts.when(date.at),
            "moved_to": amounts.when(min(date.moved_to, INSTANT_MAX)),
        }
        for date in moved
    ]


def reliefs_told(tranche: claims.Tranche) -> list[promise_bodies.ReliefBody]:
    """What moved the dates of a tranche."""
    return [
        {
            "kind": each.kind.value,
            "start": amounts.when(each.start_at),
            "end": amounts.when(each.end_at),
            "granted_until": amounts.when(each.granted_until_at),
            "received": amounts.when(each.received_at),
            "reason": each.reason,
        }
        for each in tranche.reliefs
    ]
