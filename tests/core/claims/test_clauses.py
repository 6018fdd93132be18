"""Clauses that are not as they should be, and clauses that contradict each other: rule by rule."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from forebay.core import claims
from forebay.core.claims import Late, Operation, Unit, clauses
from forebay.core.claims.maintenance import Maintenance, WeeklyWindow
from forebay.core.claims.payments import (
    BillingTime,
    Guarantee,
    MilestonePayment,
    PaymentTerms,
    Prepayment,
)
from forebay.core.claims.remedies import Remedies, Remedy, Settlement
from forebay.core.claims.service_levels import Chronic, Crediting, Rung, ServiceLevel, ServiceUnit
from forebay.core.claims.workdays import Weekday
from forebay.core.ids import Asked, MilestoneId, SiteId, TrancheId
from forebay.core.placements.gang import SubmitGang
from forebay.core.units import MICROS
from tests.core import plant
from tests.core.claims import market
from tests.core.claims.market import promise, sign
from tests.core.plant import LENT, OPERATOR, contract, spec

LADDER = (Rung(999_000, 100_000), Rung(990_000, 250_000))


def service(**terms: Any) -> ServiceLevel:
    return ServiceLevel(**({"unit": ServiceUnit.RACK, "ladder": LADDER} | terms))


def window(**terms: Any) -> WeeklyWindow:
    known: dict[str, Any] = {"day": Weekday.SUNDAY, "start_s": 7200, "length_s": 3600}
    return WeeklyWindow(**(known | terms))


def test_terms_of_a_tranche_in_their_order() -> None:
    driver = market.market(comes=0)
    level = service(
        unit=ServiceUnit.RACK, healthy_nodes_min=5, replacement_s=-1, crediting=Crediting.ON_CLAIM, claim_s=0,
        cap_month_ppm=-1, damages_micros_per_gpu_day=-1, chronic=Chronic(3, 2, 980_000), sole_remedy=True,
        ladder=(Rung(999_000, 0), Rung(999_500, 200_000), Rung(990_000, 200_000)),
    )  # fmt: skip
    agreed = Maintenance(0, -1, (window(start_s=86_400), window(length_s=0)))
    plan = promise(
        racks=4, unit=Unit.NODE, service=level, maintenance=agreed, lending=LENT, operation=Operation.HANDED_OVER,
        late=Late(0, 5, discount_ppm_per_day=5),
    )  # fmt: skip
    at = "tranches[0]"
    rules: list[tuple[str, str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
        ("bad_service", f"{at}.service.unit", {"unit": Unit.RACK, "count": 1}, {}, {}),
        ("bad_service", f"{at}.service.healthy_nodes_min", {}, {"healthy_nodes_min": 4}, {}),
        ("bad_service", f"{at}.service.replacement_s", {}, {"replacement_s": 3600}, {}),
        ("bad_service", f"{at}.service.claim_s", {}, {"claim_s": 9}, {}),
        ("bad_service", f"{at}.service.cap_total_micros", {}, {"cap_month_ppm": 500_000}, {}),
        ("bad_service", f"{at}.service.damages_micros_per_gpu_day", {}, {"damages_micros_per_gpu_day": 1}, {}),
        ("bad_service", f"{at}.service.chronic", {}, {"chronic": Chronic(2, 3, 980_000)}, {}),
        ("bad_ladder", f"{at}.service.ladder[0]", {}, {"ladder": (Rung(999_000, 1), *level.ladder[1:])}, {}),
        ("bad_ladder", f"{at}.service.ladder[1]", {}, {"ladder": (LADDER[0], Rung(990_000, 100_000))}, {}),
        ("bad_ladder", f"{at}.service.ladder[1]", {}, {"ladder": LADDER}, {}),
        ("bad_maintenance", f"{at}.maintenance.allowed_s", {}, {}, {"allowed_s": 3600}),
        ("bad_maintenance", f"{at}.maintenance.notice_s", {}, {}, {"notice_s": 3600}),
        ("bad_maintenance", f"{at}.maintenance.windows[0]", {}, {}, {"windows": (window(), window(length_s=0))}),
        ("bad_maintenance", f"{at}.maintenance.windows[1]", {}, {}, {"windows": (window(),)}),
        ("contradiction", f"{at}.lending", {"lending": None}, {}, {}),
        ("contradiction", f"{at}.late.discount_ppm_per_day", {"late": None}, {}, {}),
        ("contradiction", f"{at}.service.damages_micros_per_gpu_day", {}, {"damages_micros_per_gpu_day": 0}, {}),
        ("contradiction", f"{at}.service.claim_s", {}, {"claim_s": 0}, {}),
    ]  # fmt: skip
    for code, field, of_plan, of_level, of_work in rules:
        if field.endswith("service.claim_s") and code == "contradiction":
            # A sole remedy that nothing gives, and then one that comes by itself and has to be claimed.
            bare = replace(plan.service or level, ladder=())
            no = driver.refused(sign(contract("c1", "acme", replace(plan, service=bare))))
            assert (no.code, no.field) == ("contradiction", f"{at}.service.ladder")
            plan = replace(plan, service=replace(plan.service or level, crediting=Crediting.AUTOMATIC))
        no = driver.refused(sign(contract("c1", "acme", plan)))
        assert (no.code, no.field) == (code, field), no.detail
        assert plan.service is not None
        assert plan.maintenance is not None
        plan = replace(
            plan,
            service=replace(plan.service, **of_level),
            maintenance=replace(plan.maintenance, **of_work),
            **of_plan,
        )
    driver.ask(sign(contract("c1", "acme", plan)))


def test_nothing_follows_from_an_empty_service_level() -> None:
    driver = market.market(comes=0)
    for terms, code in (
        ({}, "bad_ladder"),
        ({"chronic": Chronic(1, 1, 980_000)}, ""),
        ({"damages_micros_per_gpu_day": 1}, ""),
    ):
        command = sign(contract("c1", "acme", promise(service=service(ladder=(), **terms))))
        outcome = driver.world.fork().handle(Asked(command, OPERATOR), driver.at)
        assert getattr(outcome.answer, "code", "") == code


def test_a_contradiction_names_both_clauses() -> None:
    driver = market.market(comes=0)
    plan = promise(service=service(sole_remedy=True, damages_micros_per_gpu_day=MICROS))
    told = driver.refused(sign(contract("c1", "acme", plan))).detail
    assert "'service.sole_remedy' and 'service.damages_per_gpu_day' contradict each other" in told
    plan = promise(operation=Operation.HANDED_OVER, lending=LENT)
    told = driver.refused(sign(contract("c1", "acme", plan))).detail
    assert "'operation: handed_over' and 'lending' contradict each other" in told


@pytest.mark.parametrize(
    ("unit", "stated", "nodes", "healthy"),
    [
        (ServiceUnit.NODE, 0, 1, 1), (ServiceUnit.RACK, 0, 4, 3), (ServiceUnit.RACK, 2, 4, 2),
        (ServiceUnit.TRANCHE, 0, 8, 8), (ServiceUnit.TRANCHE, 7, 8, 7),
    ],
)  # fmt: skip
def test_when_a_unit_is_available(unit: ServiceUnit, stated: int, nodes: int, healthy: int) -> None:
    supplied = plant.plant(skus=(plant.sku(healthy_nodes_min=3),)).world.state.supply
    level = service(unit=unit, healthy_nodes_min=stated)
    plan = promise(racks=2, service=level)
    assert clauses.service_nodes(supplied, plan, level) == nodes
    assert clauses.healthy_nodes(supplied, plan, level) == healthy


# Remedies of a contract.


def remedies(*order: Remedy, **terms: Any) -> Remedies:
    return Remedies(order, Settlement.SET_OFF, **terms)


GRANTS: list[tuple[claims.TranchePlan, list[Remedy]]] = [
    (promise(), []),
    (promise(late=Late(0, 0)), []),
    (promise(late=Late(0, 5)), [Remedy.DAMAGES]),
    (promise(late=Late(0, 0, discount_ppm_per_day=5)), [Remedy.FEE_DISCOUNT]),
    (promise(service=service()), [Remedy.CREDIT]),
    (promise(service=service(damages_micros_per_gpu_day=5)), [Remedy.DAMAGES, Remedy.CREDIT]),
    (promise(late=Late(0, 5), service=service(damages_micros_per_gpu_day=5)), [Remedy.DAMAGES, Remedy.CREDIT]),
    (promise(late=Late(0, 0, discount_ppm_per_day=5), service=service()), [Remedy.FEE_DISCOUNT, Remedy.CREDIT]),
]  # fmt: skip


@pytest.mark.parametrize(("plan", "granted"), GRANTS)
def test_what_a_contract_grants(plan: claims.TranchePlan, granted: list[Remedy]) -> None:
    signed = contract("c1", "acme", plan)
    assert list(clauses.granted_remedies(signed)) == granted
    no = clauses.refuse_remedies(signed)
    assert (no.code if no else "") == ("no_remedies" if len(granted) > 1 else "")
    assert clauses.refuse_remedies(replace(signed, remedies=remedies(*granted))) is None


def test_remedies_in_their_order() -> None:
    driver = market.market(comes=0)
    first = promise("t1", late=Late(0, 5))
    plan = contract("c1", "acme", first, promise("t2", service=service()))
    no = driver.refused(sign(plan))
    assert (no.code, no.field) == ("no_remedies", "remedies")
    assert (
        "damages (late.damages_per_gpu_day of tranche t1) and credit (service.ladder of tranche t2)"
        in no.detail
    )
    for agreed, field in (
        (remedies(Remedy.CREDIT), "remedies.order"),
        (remedies(Remedy.CREDIT, Remedy.DAMAGES, Remedy.CREDIT), "remedies.order"),
        (remedies(Remedy.CREDIT, Remedy.DAMAGES, cap_month_micros=-1), "remedies.cap_total_micros"),
    ):
        no = driver.refused(sign(replace(plan, remedies=agreed)))
        assert (no.code, no.field) == ("bad_remedies", field)
    driver.ask(sign(replace(plan, remedies=remedies(Remedy.CREDIT, Remedy.DAMAGES, Remedy.FEE_DISCOUNT))))


# What is handed over.


def test_no_gang_of_ours_runs_on_what_is_handed_over() -> None:
    driver = market.market(contract("c1", "acme", promise(operation=Operation.HANDED_OVER)), comes=0)
    no = driver.refused(SubmitGang(spec("acme.train", tranche="t1")))
    assert (no.code, no.field) == ("handed_over", "tranche")
    # Its racks are its own all the same: work on demand has the other one, and reserved hours are billed.
    driver.run("acme.more", 32)
    driver.submit("acme.waits", 8)
    assert driver.phases("acme.more", "acme.waits") == ["running", "pending"]
    driver.later(hours=10)
    lines = [line for issued in driver.close() for line in issued.lines if line.claim == "t1"]
    assert [line.gpu_us for line in lines] == [32 * 10 * 3600 * 10**6]


# Payment.


def test_terms_of_payment_in_their_order() -> None:
    driver = market.market(comes=2)
    site, ready = market.NORTH, MilestoneId("b1-ready")
    agreed = PaymentTerms(
        BillingTime.ADVANCE, -1, -1, 0, (Prepayment(0, 0),),
        (MilestonePayment(SiteId("?"), MilestoneId("?")), MilestonePayment(site, ready, 600_000)),
        (TrancheId("t1"), TrancheId("t9")), Guarantee("a bank", 0, 0), -1, -1, -1,
    )  # fmt: skip
    plan = contract("c1", "acme", promise(end=10), on_demand=False, spot=False)
    # A rack for ten days costs 15,360.00.
    first = agreed.milestones[1]
    rules: list[tuple[str, str, dict[str, Any]]] = [
        ("bad_payments", "net_s", {"net_s": 0}),
        ("bad_payments", "deposit_micros", {"deposit_micros": 0}),
        ("bad_payments", "prepayments[0]", {"prepayments": (Prepayment(0, 9_999 * MICROS),)}),
        ("bad_payments", "guarantee", {"guarantee": None}),
        ("bad_payments", "interest_ppm", {"interest_ppm": 0}),
        ("bad_payments", "withholding_ppm", {"withholding_ppm": 0}),
        ("bad_payments", "refund_ppm", {"refund_ppm": 0}),
        ("unknown_site", "milestones[0].site", {"milestones": (MilestonePayment(site, MilestoneId("?")), first)}),
        ("unknown_milestone", "milestones[0].milestone", {"milestones": (MilestonePayment(site, ready), first)}),
        ("bad_payments", "milestones[0]", {"milestones": (MilestonePayment(site, ready, 5, 5), first)}),
        ("bad_payments", "milestones[0]", {"milestones": (MilestonePayment(site, ready, 0, -1), first)}),
        ("bad_payments", "milestones[0]", {"milestones": (MilestonePayment(site, ready, 400_001), first)}),
        ("bad_payments", "milestones", {"milestones": (MilestonePayment(site, ready, 400_000), first)}),
        ("unknown_tranche", "drawdown[1]", {"drawdown": (TrancheId("t1"), TrancheId("t1"))}),
        ("bad_payments", "drawdown", {"drawdown": (TrancheId("t1"),)}),
        ("bad_payments", "prepayments", {"prepayments": ()}),
    ]  # fmt: skip
    for code, field, mended in rules:
        no = driver.refused(sign(replace(plan, payments=agreed)))
        assert (no.code, no.field) == (code, f"payments.{field}"), no.detail
        agreed = replace(agreed, **mended)
    more = MilestonePayment(site, ready, micros=MICROS)
    no = driver.refused(sign(replace(plan, payments=replace(agreed, milestones=(*agreed.milestones, more)))))
    assert (no.code, no.field) == ("bad_payments", "payments.milestones")
    assert "15361.00 are prepaid, and all fees come to 15360.00" in no.detail
    driver.ask(sign(replace(plan, payments=agreed)))
    # What is used beside the tranches may draw on more.
    agreed = replace(agreed, milestones=(*agreed.milestones, more), guarantee=Guarantee("a bank", 5, 0))
    driver.ask(sign(contract("c2", "acme", promise("t2", end=10), payments=replace(agreed, drawdown=()))))


def test_milestones_of_a_site_without_a_schedule_are_unknown() -> None:
    driver = market.market(comes=0)
    agreed = PaymentTerms(
        BillingTime.ADVANCE, 0, milestones=(MilestonePayment(market.NORTH, MilestoneId("x"), 5),)
    )
    no = driver.refused(sign(contract("c1", "acme", payments=agreed)))
    assert (no.code, no.detail) == ("unknown_milestone", "north has no milestone x (it has: none)")
    agreed = PaymentTerms(BillingTime.ADVANCE, 0, drawdown=(TrancheId("t9"),))
    no = driver.refused(sign(contract("c1", "acme", payments=agreed)))
    assert "contract c1 has no tranche t9 (it has: none)" in no.detail
