"""What falls due under a contract, as an answer holds it. A tenant is not told what is planned at a site: to it, a
milestone has a date once it is reached.
"""

from __future__ import annotations

from forebay.core import claims
from forebay.core.claims import falling_due, payments, renting
from forebay.core.claims.falling_due import Expected, FallingDue
from forebay.core.claims.payments import PaymentTerms
from forebay.core.ids import MilestoneId, Principal, SiteId
from forebay.core.supply.blocks import Confidence
from forebay.core.timeline import INSTANT_MAX
from forebay.core.units import SECOND_US
from forebay.core.world import World
from forebay.server import amounts, term_bodies
from forebay.server.bodies import Money
from forebay.server.promises import SELLERS, known_date


def payments_body(
    world: World, plan: claims.ContractPlan, principal: Principal, at: int
) -> term_bodies.PaymentsBody:
    """What falls due under a contract."""
    seller = principal.role in SELLERS

    def expected(site: SiteId, milestone: MilestoneId) -> Expected:
        outlook = world.calendar.outlook(site)
        if outlook is None or milestone not in outlook.dates:
            return Expected(INSTANT_MAX, INSTANT_MAX)
        reached_at = outlook.schedule.reached.get(milestone)
        if reached_at is not None:
            return Expected(reached_at, reached_at)
        if not seller:
            return Expected(INSTANT_MAX, INSTANT_MAX)
        return Expected(*(outlook.milestone(milestone, each) for each in (Confidence.P50, Confidence.P90)))

    held = renting.tranches_of(world.state.claims, plan.id, world.now)
    found = falling_due.falling_due(plan, held, world.state.supply, expected)
    fees = sum(each.micros for each in found if each.kind == "fee")
    prepaid = sum(each.micros for each in found if each.kind in ("prepayment", "milestone"))
    drawn = sum(each.drawn_micros for each in found)
    return {
        "contract": plan.id,
        "tenant": plan.tenant,
        "currency": plan.currency,
        "terms": None if plan.payments is None else _terms(plan.payments, plan.currency),
        "items": [_due(each, plan.currency) for each in found],
        "fees": amounts.exact(fees, plan.currency),
        "prepaid": amounts.exact(prepaid, plan.currency),
        "drawn": amounts.exact(drawn, plan.currency),
        "undrawn": amounts.exact(prepaid - drawn, plan.currency),
        "open_invoices": _open_invoices(world, plan, at),
        "refund": _refund(world, plan),
    }


def _open_invoices(world: World, plan: claims.ContractPlan, at: int) -> list[term_bodies.OpenInvoice]:
    opened, agreed = world.state.claims.openings.get(plan.id), plan.payments
    if opened is None or agreed is None:
        return []
    found: list[term_bodies.OpenInvoice] = []
    for each in opened.invoices:
        net_at = each.issued_at + agreed.net_s * SECOND_US if each.issued_at else 0
        due_at = each.due_at or net_at
        late_us = max(0, at - due_at) if due_at else 0
        interest = payments.interest_micros(agreed, each.open_micros, late_us)
        found.append(
            {
                "number": each.number,
                "open": amounts.exact(each.open_micros, plan.currency),
                "issued": known_date(each.issued_at),
                "due": known_date(due_at),
                "interest": amounts.exact(interest, plan.currency),
                "may_be_withheld": amounts.exact(
                    payments.withheld_micros(agreed, each.open_micros), plan.currency
                ),
            }
        )
    return found


def _refund(world: World, plan: claims.ContractPlan) -> Money | None:
    opened, agreed = world.state.claims.openings.get(plan.id), plan.payments
    if opened is None or agreed is None or not opened.prepaid_micros:
        return None
    refund = payments.refund_micros(agreed, opened.prepaid_micros, opened.prepaid_drawn_micros)
    return amounts.exact(refund, plan.currency)


def _due(each: FallingDue, currency: str) -> term_bodies.DueBody:
    return {
        "kind": each.kind,
        "about": each.about,
        "start": known_date(each.from_at),
        "end": known_date(each.to_at),
        "due_p50": known_date(each.due_p50),
        "due_p90": known_date(each.due_p90),
        "amount": amounts.exact(each.micros, currency),
        "drawn": amounts.exact(each.drawn_micros, currency),
        "to_pay": amounts.exact(each.micros - each.drawn_micros, currency),
    }


def _terms(agreed: PaymentTerms, currency: str) -> term_bodies.PaymentTermsBody:
    guarantee = agreed.guarantee
    return {
        "billing": agreed.billing.value,
        "net_s": agreed.net_s,
        "deposit": amounts.exact(agreed.deposit_micros, currency) if agreed.deposit_micros else None,
        "drawdown": list(agreed.drawdown),
        "guarantee_issuer": guarantee.issuer if guarantee else "",
        "guarantee": amounts.exact(guarantee.micros, currency) if guarantee else None,
        "guarantee_expires": known_date(guarantee.expires_at) if guarantee else None,
        "interest_ppm": agreed.interest_ppm,
        "withholding_ppm": agreed.withholding_ppm,
        "refund_ppm": agreed.refund_ppm,
    }
