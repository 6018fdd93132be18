"""Do the clauses of a contract hold together? What each says, and whether two of them contradict each other.

A contradiction is refused with both clauses named: nobody has to guess which one was meant.
"""

from __future__ import annotations

from forebay.core import supply
from forebay.core.claims import commitments, contracts, falling_due, terms
from forebay.core.claims.maintenance import Maintenance
from forebay.core.claims.payments import MilestonePayment, PaymentTerms
from forebay.core.claims.remedies import Remedy
from forebay.core.claims.service_levels import Crediting, ServiceLevel, ServiceUnit
from forebay.core.claims.terms import ContractPlan, Operation, TranchePlan, Unit
from forebay.core.ids import Refusal
from forebay.core.units import decimal_text

_MONTH_S = 31 * 24 * 3600
_WEEK_S = 7 * 24 * 3600
_YEAR_S = 366 * 24 * 3600
_MONEY_MICROS_MAX = terms.PRICE_MICROS_MAX * 1000
_MONTHS_MAX = 120


def refuse_clauses(supplied: supply.State, plan: TranchePlan, where: str) -> Refusal | None:
    """What is wrong with the further terms of a tranche whose site, SKU and number are as they should be. Refuses, in
    this order: bad_service, bad_ladder, bad_maintenance, contradiction.
    """
    no = None
    if plan.service is not None:
        no = _refuse_service(supplied, plan, plan.service, f"{where}.service")
    if no is None and plan.maintenance is not None:
        no = _refuse_maintenance(plan, plan.maintenance, f"{where}.maintenance")
    return no or _refuse_contradiction(plan, where)


def _refuse_service(
    supplied: supply.State, plan: TranchePlan, level: ServiceLevel, where: str
) -> Refusal | None:
    def bad(field: str, told: str) -> Refusal:
        return Refusal("bad_service", f"tranche {plan.id}, service level: {told}", f"{where}.{field}")

    if level.unit is ServiceUnit.RACK and plan.unit is not Unit.RACK:
        return bad("unit", f"racks are counted, and the tranche promises {plan.unit.value}s")
    nodes = service_nodes(supplied, plan, level)
    if not 0 <= level.healthy_nodes_min <= nodes:
        told = (
            f"a {level.unit.value} has {nodes} nodes, not {level.healthy_nodes_min} that have to be healthy"
        )
        return bad("healthy_nodes_min", told)
    if not 0 <= level.replacement_s <= _YEAR_S:
        return bad("replacement_s", "the time to replace a unit is out of range")
    if level.crediting is Crediting.ON_CLAIM and not 0 < level.claim_s <= _YEAR_S:
        return bad("claim_s", "a credit on claim says within how long it has to be claimed")
    if not (0 <= level.cap_month_ppm <= terms.PPM and 0 <= level.cap_total_micros <= _MONEY_MICROS_MAX):
        return bad("cap_total_micros", "caps out of range")
    if not 0 <= level.damages_micros_per_gpu_day <= terms.PRICE_MICROS_MAX:
        return bad("damages_micros_per_gpu_day", "damages out of range")
    chronic = level.chronic
    if chronic is not None and not (
        1 <= chronic.months <= chronic.of_months <= _MONTHS_MAX and 0 < chronic.below_ppm <= terms.PPM
    ):
        return bad(
            "chronic", f"failure is chronic in n of m months, with n from 1 to m, m up to {_MONTHS_MAX}"
        )
    return _refuse_ladder(plan, level, f"{where}.ladder")


def service_nodes(supplied: supply.State, plan: TranchePlan, level: ServiceLevel) -> int:
    """Nodes of a unit whose availability is measured."""
    if level.unit is ServiceUnit.TRANCHE:
        return contracts.nodes_promised(plan, supplied)
    return supplied.skus[plan.sku].nodes_per_rack if level.unit is ServiceUnit.RACK else 1


def healthy_nodes(supplied: supply.State, plan: TranchePlan, level: ServiceLevel) -> int:
    """Of the nodes of a unit, those that have to be healthy for it to be available: as agreed, else as the SKU says
    of its racks, else all.
    """
    nodes = service_nodes(supplied, plan, level)
    usual = supplied.skus[plan.sku].healthy_nodes_min if level.unit is ServiceUnit.RACK else 0
    return level.healthy_nodes_min or usual or nodes


def _refuse_ladder(plan: TranchePlan, level: ServiceLevel, where: str) -> Refusal | None:
    def bad(field: str, told: str) -> Refusal:
        return Refusal("bad_ladder", f"tranche {plan.id}, ladder: {told}", f"{where}{field}")

    if not level.ladder and level.chronic is None and not level.damages_micros_per_gpu_day:
        return bad("", "nothing follows from a service level without a ladder, damages and chronic failure")
    for place, rung in enumerate(level.ladder):
        if not (0 < rung.below_ppm <= terms.PPM and 0 < rung.credit_ppm <= terms.PPM):
            return bad(f"[{place}]", "an availability and a credit lie above 0 % and are at most 100 %")
        before = level.ladder[place - 1] if place else None
        if before and not (rung.below_ppm < before.below_ppm and rung.credit_ppm > before.credit_ppm):
            told = (
                f"{_share(rung.credit_ppm)} below {_share(rung.below_ppm)} stands after "
                f"{_share(before.credit_ppm)} below {_share(before.below_ppm)}: each step is for less availability, "
                "and gives more"
            )
            return bad(f"[{place}]", told)
    return None


def _share(ppm: int) -> str:
    return f"{decimal_text(ppm * 100).rstrip('0').rstrip('.')} %"


def _refuse_maintenance(plan: TranchePlan, agreed: Maintenance, where: str) -> Refusal | None:
    def bad(field: str, told: str) -> Refusal:
        return Refusal("bad_maintenance", f"tranche {plan.id}, maintenance: {told}", f"{where}.{field}")

    if not 0 < agreed.allowed_s <= _MONTH_S:
        return bad("allowed_s", "what is allowed a month is more than nothing, and at most 31 days")
    if not 0 <= agreed.notice_s <= _YEAR_S:
        return bad("notice_s", "the notice is out of range")
    for place, window in enumerate(agreed.windows):
        if not (0 <= window.start_s < 24 * 3600 and 0 < window.length_s <= _WEEK_S):
            return bad(f"windows[{place}]", "a window begins within its day and lasts for at most a week")
    return None


def _refuse_contradiction(plan: TranchePlan, where: str) -> Refusal | None:
    level, late = plan.service, plan.late

    def no(field: str, told: str) -> Refusal:
        return Refusal("contradiction", f"tranche {plan.id}: {told}", f"{where}.{field}")

    if plan.operation is Operation.HANDED_OVER and plan.lending is not None:
        why = "what is handed over is its customer's to schedule, and is not lent"
        return no("lending", f"'operation: handed_over' and 'lending' contradict each other: {why}")
    if late is not None and late.damages_micros_per_gpu_day and late.discount_ppm_per_day:
        why = "what is late has one remedy"
        told = f"'late.damages_per_gpu_day' and 'late.discount_per_day' contradict each other: {why}"
        return no("late.discount_ppm_per_day", told)
    if level is not None and level.sole_remedy and level.damages_micros_per_gpu_day:
        why = "a sole remedy leaves no damages for the same event"
        told = f"'service.sole_remedy' and 'service.damages_per_gpu_day' contradict each other: {why}"
        return no("service.damages_micros_per_gpu_day", told)
    if level is not None and level.sole_remedy and not level.ladder:
        why = "the sole remedy is a credit, and no step gives one"
        return no(
            "service.ladder", f"'service.sole_remedy' and 'service.ladder' contradict each other: {why}"
        )
    if level is not None and level.crediting is Crediting.AUTOMATIC and level.claim_s:
        why = "what comes by itself is not claimed"
        return no("service.claim_s", f"'service.credits' and 'service.claim' contradict each other: {why}")
    return None


# Remedies.


def granted_remedies(plan: ContractPlan) -> dict[Remedy, str]:
    """Each kind of remedy that a contract grants, with the first clause that does."""
    found: dict[Remedy, str] = {}
    for tranche in plan.tranches:
        late, level = tranche.late, tranche.service
        if late is not None and late.discount_ppm_per_day:
            found.setdefault(Remedy.FEE_DISCOUNT, f"late.discount_per_day of tranche {tranche.id}")
        if late is not None and late.damages_micros_per_gpu_day:
            found.setdefault(Remedy.DAMAGES, f"late.damages_per_gpu_day of tranche {tranche.id}")
        if level is not None and level.damages_micros_per_gpu_day:
            found.setdefault(Remedy.DAMAGES, f"service.damages_per_gpu_day of tranche {tranche.id}")
        if level is not None and level.ladder:
            found.setdefault(Remedy.CREDIT, f"service.ladder of tranche {tranche.id}")
    return found


def refuse_remedies(plan: ContractPlan) -> Refusal | None:
    """Whether it is said how several remedies stand to each other. Refuses: no_remedies, bad_remedies."""
    granted = granted_remedies(plan)
    agreed = plan.remedies
    if agreed is None:
        if len(granted) < 2:
            return None
        (one, here), (other, there), *_ = granted.items()
        told = (
            f"contract {plan.id} grants {one.value} ({here}) and {other.value} ({there}): 'remedies' has to say "
            "which comes first, up to what, and how it is settled"
        )
        return Refusal("no_remedies", told, "remedies")
    missing = [remedy.value for remedy in granted if remedy not in agreed.order]
    if missing or len(set(agreed.order)) < len(agreed.order):
        told = f"its order names each remedy that contract {plan.id} grants once"
        told += f"; {', '.join(missing)} is missing" if missing else ""
        return Refusal("bad_remedies", f"remedies: {told}", "remedies.order")
    if not (
        0 <= agreed.cap_month_micros <= _MONEY_MICROS_MAX
        and 0 <= agreed.cap_total_micros <= _MONEY_MICROS_MAX
    ):
        return Refusal("bad_remedies", "remedies: caps out of range", "remedies.cap_total_micros")
    return None


# Payment.


def refuse_payments(supplied: supply.State, plan: ContractPlan, *, theirs: bool = False) -> Refusal | None:
    """What is wrong with the terms of payment. Refuses, in this order: bad_commitment (`commitments`); bad_payments
    (a term out of range); for each milestone payment unknown_site, unknown_milestone, bad_payments (a share and an
    amount, or neither); bad_payments (shares over 100 %); unknown_tranche and bad_payments (the order of drawdown);
    bad_payments (more is prepaid than all fees come to). `theirs`: milestones are those of the seller, and not known
    here.
    """
    agreed = plan.payments
    no = commitments.refuse_commitment(plan.commitment)
    if no is not None or agreed is None:
        return no
    no = _refuse_amounts(agreed)
    for place, paid in enumerate(agreed.milestones):
        no = no or _refuse_milestone(None if theirs else supplied, paid, f"payments.milestones[{place}]")
    if no is None and sum(paid.share_ppm for paid in agreed.milestones) > terms.PPM:
        told = _share(sum(paid.share_ppm for paid in agreed.milestones))
        no = _bad_payments("milestones", f"milestone payments come to {told} of all fees")
    names = [tranche.id for tranche in plan.tranches]
    for place, name in enumerate(agreed.drawdown):
        if no is None and name not in names:
            told = (
                f"payments: contract {plan.id} has no tranche {name} (it has: {', '.join(names) or 'none'})"
            )
            no = Refusal("unknown_tranche", told, f"payments.drawdown[{place}]")
    if no is None and len(set(agreed.drawdown)) < len(agreed.drawdown):
        no = _bad_payments("drawdown", "the order of drawdown names a tranche twice")
    return no or _refuse_prepaid(supplied, plan, agreed)


def _bad_payments(field: str, told: str) -> Refusal:
    return Refusal("bad_payments", f"payments: {told}", f"payments.{field}")


def _refuse_amounts(agreed: PaymentTerms) -> Refusal | None:
    if not 0 <= agreed.net_s <= _YEAR_S:
        return _bad_payments("net_s", "the time to pay is out of range")
    if not 0 <= agreed.deposit_micros <= _MONEY_MICROS_MAX:
        return _bad_payments("deposit_micros", "the deposit is out of range")
    for place, prepaid in enumerate(agreed.prepayments):
        if not 0 < prepaid.micros <= _MONEY_MICROS_MAX:
            return _bad_payments(f"prepayments[{place}]", "a prepayment is more than nothing")
    guarantee = agreed.guarantee
    if guarantee is not None and not 0 < guarantee.micros <= _MONEY_MICROS_MAX:
        return _bad_payments("guarantee", "a guarantee is for more than nothing")
    if not 0 <= agreed.interest_ppm <= terms.PPM:
        return _bad_payments("interest_ppm", "late interest lies from 0 % to 100 % a year")
    if not 0 <= agreed.withholding_ppm <= terms.PPM:
        return _bad_payments("withholding_ppm", "what may be kept back lies from 0 % to 100 %")
    if not 0 <= agreed.refund_ppm <= terms.PPM:
        return _bad_payments("refund_ppm", "what is paid back lies from 0 % to 100 %")
    return None


def _refuse_milestone(supplied: supply.State | None, paid: MilestonePayment, where: str) -> Refusal | None:
    no = _refuse_unknown_milestone(supplied, paid, where) if supplied is not None else None
    if no is not None:
        return no
    in_range = 0 <= paid.share_ppm <= terms.PPM and 0 <= paid.micros <= _MONEY_MICROS_MAX
    if not in_range or bool(paid.share_ppm) is bool(paid.micros):
        told = f"payments: milestone {paid.milestone} makes due either a share of all fees or an amount"
        return Refusal("bad_payments", told, where)
    return None


def _refuse_unknown_milestone(supplied: supply.State, paid: MilestonePayment, where: str) -> Refusal | None:
    if paid.site not in supplied.sites:
        known = ", ".join(sorted(supplied.sites)) or "none"
        return Refusal("unknown_site", f"there is no site {paid.site} (known: {known})", f"{where}.site")
    schedule = supplied.schedules.get(paid.site)
    planned = [each.id for each in schedule.plan.milestones] if schedule else []
    if paid.milestone not in planned:
        told = f"{paid.site} has no milestone {paid.milestone} (it has: {', '.join(planned) or 'none'})"
        return Refusal("unknown_milestone", told, f"{where}.milestone")
    return None


def _refuse_prepaid(supplied: supply.State, plan: ContractPlan, agreed: PaymentTerms) -> Refusal | None:
    prepaid = sum(each.micros for each in agreed.prepayments)
    fees = falling_due.fees_micros(plan.tranches, supplied)
    prepaid += sum(falling_due.milestone_micros(each, fees) for each in agreed.milestones)
    if prepaid <= fees or plan.on_demand or plan.spot:
        # What is used beside the tranches may draw on it too.
        return None
    told = f"{decimal_text(prepaid)} are prepaid, and all fees come to {decimal_text(fees)}"
    return _bad_payments("prepayments" if agreed.prepayments else "milestones", told)
