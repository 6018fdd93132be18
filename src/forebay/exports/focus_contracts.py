"""What is promised, in FOCUS 1.4? Rows of Contract Commitment: one for each tranche and each right."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator

from forebay.core import claims, supply, units
from forebay.core.claims import rights
from forebay.core.ids import ContractId, SkuId
from forebay.exports import focus

#: Lifecycle status of a tranche; one that ended before its end is Canceled.
TRANCHE_STATUS = {
    claims.Standing.SIGNED: "Pending",
    claims.Standing.LIVE: "Active",
    claims.Standing.ENDED: "Expired",
}
#: Lifecycle status of a right that was used, let pass or lapsed; one that was withdrawn is Canceled.
RIGHT_STATUS = {
    rights.Life.EXERCISED: "Superseded",
    rights.Life.WAIVED: "Canceled",
    rights.Life.LAPSED: "Expired",
}
#: What each kind of right is called.
RIGHT_TYPES = {
    rights.RightKind.REFUSAL: "Right of First Refusal",
    rights.RightKind.CALL: "Call Option",
    rights.RightKind.BACKSTOP: "Backstop",
    rights.RightKind.EXTENSION: "Extension Option",
    rights.RightKind.TERMINATION: "Termination Right",
}
_MONTHS = {12: "Year", 3: "Quarter", 1: "Month"}
#: The end of what has none, for FOCUS wants one: the last midnight that it can write.
OPEN_END = 253_402_214_400_000_000
_EPOCH = datetime.datetime(1970, 1, 1)  # noqa: DTZ001 - UTC throughout


def contract_commitments(
    claimed: claims.State, supplied: supply.State, names: set[ContractId]
) -> Iterator[focus.Row]:
    """Rows of these contracts in order of their names: the tranches of each, then its rights."""
    tranches: dict[ContractId, list[claims.Tranche]] = {}
    for tranche in claimed.tranches.values():
        tranches.setdefault(tranche.contract, []).append(tranche)
    granted: dict[ContractId, list[rights.Right]] = {}
    for right in claimed.rights.values():
        granted.setdefault(right.contract, []).append(right)
    for name in sorted(names):
        own, also = tranches.get(name, []), granted.get(name, [])
        versions = claimed.versions[name]
        start, end = _term(own, also, versions[0].signed_at)
        plan = claimed.contracts[name]
        fees = {tranche.plan.id: _fee(supplied, tranche.plan) for tranche in own}
        upfront, model = _upfront(plan, sum(cost for _, cost in fees.values()))
        shared = {
            "BillingCurrency": plan.currency,
            "ContractCommitmentApplicability": "",
            "ContractCommitmentBenefitCategory": "Availability",
            "ContractCommitmentCategory": "Usage",
            "ContractCommitmentCost": "",
            "ContractCommitmentCreated": focus.written_time(versions[0].signed_at),
            "ContractCommitmentDescription": "",
            "ContractCommitmentDiscountPercentage": "",
            "ContractCommitmentDurationType": "",
            "ContractCommitmentFulfillmentInterval": "",
            "ContractCommitmentId": "",
            "ContractCommitmentLastUpdated": focus.written_time(versions[-1].signed_at),
            "ContractCommitmentLifecycleStatus": "",
            "ContractCommitmentModel": "",
            "ContractCommitmentOfferCategory": "Negotiated",
            "ContractCommitmentPaymentInterval": "",
            "ContractCommitmentPaymentModel": model,
            "ContractCommitmentPaymentUpfrontPercentage": focus.micros(upfront),
            "ContractCommitmentPeriodEnd": "",
            "ContractCommitmentPeriodStart": "",
            "ContractCommitmentQuantity": "",
            "ContractCommitmentType": "",
            "ContractCommitmentUnit": "",
            "ContractId": name,
            "ContractPeriodEnd": focus.written_time(end),
            "ContractPeriodStart": focus.written_time(start),
            "InvoiceIssuerName": plan.seller,
            "ServiceProviderName": plan.seller,
            "x_BillingAccountId": plan.tenant,
            "x_BackstopRemaining": "",
            "x_ExerciseBy": "",
            "x_NoticeDays": "",
            "x_RacksMax": "",
            "x_RacksTaken": "",
            "x_RightHolder": "",
            "x_RightType": "",
            "x_StrikePrice": "",
            "x_TakeOrPayShare": "",
        }
        for tranche in own:
            yield list((shared | _tranche_row(tranche, *fees[tranche.plan.id])).values())
        for right in also:
            yield list((shared | _right_row(claimed, plan, right, start, end)).values())


def _term(own: list[claims.Tranche], also: list[rights.Right], signed_at: int) -> tuple[int, int]:
    """From the first start to the last end of what a contract promises."""
    start = min((each.plan.start_at for each in own), default=signed_at)
    ends = [each.plan.end_at for each in own] + [each.closes_at for each in also if each.closes_at]
    return start, max(ends, default=OPEN_END)


def _fee(supplied: supply.State, plan: claims.TranchePlan) -> tuple[int, int]:
    """GPU-microseconds over a tranche's term, and the least that is paid for them at stated prices, micro-units."""
    sku = supplied.skus[plan.sku]
    gpus = sku.gpus_per_node * (sku.nodes_per_rack if plan.unit is claims.Unit.RACK else 1)
    parts = plan.deliveries or (claims.Delivery(plan.start_at, plan.count),)
    first = claims.PriceStep(plan.start_at, plan.price_micros_per_gpu_hour, plan.index, plan.take_or_pay_ppm)
    steps = (first, *plan.price_steps)
    gpu_us = cost = 0
    for part in parts:
        gpu_us += part.count * gpus * (plan.end_at - part.at)
        for place, step in enumerate(steps):
            until = steps[place + 1].at if place + 1 < len(steps) else plan.end_at
            span = max(0, min(until, plan.end_at) - max(step.at, part.at))
            paid = part.count * gpus * span * step.take_or_pay_ppm
            cost += units.divide_half_even(paid * step.price_micros_per_gpu_hour, claims.PPM * units.HOUR_US)
    return gpu_us, cost


def _upfront(plan: claims.ContractPlan, fees: int) -> tuple[int, str]:
    """What of the fees is prepaid, parts per million, and what that is called."""
    prepaid = sum(each.micros for each in plan.payments.prepayments) if plan.payments is not None else 0
    if not prepaid:
        return 0, "No Upfront"
    if prepaid >= fees:
        return claims.PPM, "All Upfront"
    # Between the bounds, however little or nearly all it is.
    share = max(1, min(claims.PPM - 1, units.divide_half_even(prepaid * claims.PPM, fees)))
    return share, "Partial Upfront"


def _tranche_row(tranche: claims.Tranche, gpu_us: int, cost: int) -> dict[str, str]:
    plan = tranche.plan
    status = TRANCHE_STATUS[tranche.standing]
    if tranche.standing is claims.Standing.ENDED and tranche.ended_at < plan.end_at:
        status = "Canceled"
    return {
        "ContractCommitmentApplicability": _applies(plan.site, plan.sku),
        "ContractCommitmentCost": focus.micros(cost),
        "ContractCommitmentDescription": f"{units.counted(plan.count, plan.unit)} of {plan.sku} at {plan.site}",
        "ContractCommitmentDurationType": _duration(plan.start_at, plan.end_at),
        "ContractCommitmentFulfillmentInterval": "Monthly",
        "ContractCommitmentId": plan.id,
        "ContractCommitmentLifecycleStatus": status,
        "ContractCommitmentModel": "Continuous",
        "ContractCommitmentPaymentInterval": "Monthly",
        "ContractCommitmentPeriodEnd": focus.written_time(plan.end_at),
        "ContractCommitmentPeriodStart": focus.written_time(plan.start_at),
        "ContractCommitmentQuantity": focus.decimal(focus.billed_hours(gpu_us), 11),
        "ContractCommitmentType": "Dedicated Tranche",
        "ContractCommitmentUnit": "GPU-Hours",
        "x_TakeOrPayShare": focus.micros(plan.take_or_pay_ppm),
    }


def _right_row(
    claimed: claims.State, contract: claims.ContractPlan, right: rights.Right, start: int, end: int
) -> dict[str, str]:
    plan = right.plan
    cap = next((each.micros for each in contract.caps if each.id == plan.cap), 0)
    opens = plan.opens_at or start
    closes = max(opens, right.closes_at or end)
    status = RIGHT_STATUS.get(right.life, "Proposed" if plan.kind is rights.RightKind.REFUSAL else "Pending")
    about = claimed.tranches[plan.tranche].plan if plan.tranche else None
    row = {
        "ContractCommitmentApplicability": _applies(
            about.site if about is not None else plan.site, about.sku if about is not None else plan.sku
        ),
        "ContractCommitmentDescription": RIGHT_TYPES[plan.kind],
        "ContractCommitmentDurationType": _duration(opens, closes),
        "ContractCommitmentFulfillmentInterval": "Full Period",
        "ContractCommitmentId": plan.id,
        "ContractCommitmentLifecycleStatus": "Canceled" if right.withdrawn_at else status,
        "ContractCommitmentModel": "Discontinuous",
        "ContractCommitmentPaymentInterval": "Custom",
        "ContractCommitmentPeriodEnd": focus.written_time(closes),
        "ContractCommitmentPeriodStart": focus.written_time(opens),
        "ContractCommitmentType": RIGHT_TYPES[plan.kind],
        "x_ExerciseBy": focus.written_time(right.closes_at) if right.closes_at else "",
        "x_NoticeDays": _days(plan),
        "x_RacksMax": str(plan.racks_max or ""),
        "x_RacksTaken": str(right.racks),
        "x_RightHolder": rights.holder(right).value,
        "x_RightType": plan.kind.value,
        "x_StrikePrice": focus.micros(plan.price_micros_per_gpu_hour)
        if plan.price_micros_per_gpu_hour
        else "",
    }
    if cap:
        row |= {"ContractCommitmentCategory": "Spend", "ContractCommitmentCost": focus.micros(cap)}
    if cap and plan.kind is rights.RightKind.BACKSTOP:
        drawn = claimed.drawn.get((right.contract, plan.cap), 0)
        row["x_BackstopRemaining"] = focus.micros(cap - drawn)
    return row


def _days(plan: rights.RightPlan) -> str:
    """The notice in days; by a calendar, in days of that."""
    if plan.notice is not None:
        return str(plan.notice.days)
    return focus.decimal(units.divide_half_even(plan.notice_s * 10**6, 86_400), 6) if plan.notice_s else ""


def _applies(site: str, sku: SkuId) -> str:
    """Which charges it may cover: FOCUS' rules for a scope."""
    named = (("AvailabilityZone", site), ("SkuId", sku))
    inclusions = [
        {"Dimension": dimension, "Operator": "In", "Values": [value]} for dimension, value in named if value
    ]
    scope: dict[str, object] = {"IsGlobalScope": not inclusions, "IsComplexScope": False}
    if inclusions:
        scope |= {"InclusionOperator": "And", "Inclusions": inclusions}
    return json.dumps(scope)


def _duration(start: int, end: int) -> str:
    """The length of a term in the largest unit that fits, at least an hour."""
    begin, until = (_EPOCH + datetime.timedelta(microseconds=at) for at in (start, end))
    months = (until.year - begin.year) * 12 + until.month - begin.month
    whole = (begin.day, begin.time()) == (until.day, until.time())
    for length, unit in _MONTHS.items():
        if whole and months and months % length == 0:
            return units.counted(months // length, unit)
    days, rest = divmod(end - start, units.DAY_US)
    if days and not rest:
        return units.counted(days, "Day")
    return units.counted(max(1, -(-(end - start) // units.HOUR_US)), "Hour")
