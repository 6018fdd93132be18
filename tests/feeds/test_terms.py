"""The terms of a contract as they are written, as the World has them, and as a difference is told."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from forebay.core import claims, supply
from forebay.core.claims import clauses
from forebay.core.claims.commitments import Commitment
from forebay.core.claims.energy_terms import EnergyTerms
from forebay.core.claims.maintenance import Maintenance, WeeklyWindow
from forebay.core.claims.remedies import Remedies, Remedy, Settlement
from forebay.core.claims.service_levels import Chronic, Crediting, Rung, ServiceLevel, ServiceUnit
from forebay.core.claims.workdays import Weekday
from forebay.core.ids import Refusal
from forebay.core.units import MICROS
from forebay.feeds import commands, differences, reading, tree
from tests.core import plant
from tests.core.plant import utc

TEXT = """\
forebay: 1
kind: Contract
id: c1
seller: us
tenant: acme
currency: USD
zone: Europe/Helsinki
tranches:
  - id: t1
    site: north
    sku: hgx
    count: 2
    start: 2027-01-01
    term: 365d
    price_per_gpu_hour: 2.00
    operation: handed_over
    shortfall: {served: first, after: [c0]}
    late: {grace: 10d, discount_per_day: 150 %, cap: 1000}
    service:
      unit: rack
      healthy_nodes: 3
      replacement: 4h
      ladder:
        - {below: 99.9 %, credit: 10 %}
        - {below: 95 %, credit: 100 %}
      credits: on_claim
      claim: 30d
      cap_month: 50 %
      cap_total: 5000
      damages_per_gpu_day: 1.50
      chronic: {months: 2, of_months: 6, below: 98 %}
    maintenance:
      allowed: 8h
      notice: 72h
      windows:
        - {day: sunday, start: '02:00', length: 4h}
shortfall: {before: [bravo]}
remedies:
  order: [damages, credit, fee_discount]
  settlement: set_off
  cap_month: 100
  cap_total: 900
"""


def plan_of(text: str) -> claims.ContractPlan:
    (document,) = reading.documents(text, "c.yaml")
    command = commands.command_of(document, commands.Setting(0)).command
    assert isinstance(command, claims.SignContract)
    return command.plan


def test_every_term_arrives() -> None:
    plan = plan_of(TEXT)
    (tranche,) = plan.tranches
    assert tranche.operation is claims.Operation.HANDED_OVER
    assert tranche.late == claims.Late(10 * 86_400, 0, 1000 * MICROS, 0, 1_500_000)
    assert tranche.service == ServiceLevel(
        ServiceUnit.RACK, (Rung(999_000, 100_000), Rung(950_000, 1_000_000)), 3, 4 * 3600, Crediting.ON_CLAIM,
        30 * 86_400, 500_000, 5000 * MICROS, False, 1_500_000, Chronic(2, 6, 980_000),
    )  # fmt: skip
    sunday = WeeklyWindow(Weekday.SUNDAY, 7200, 4 * 3600)
    assert tranche.maintenance == Maintenance(8 * 3600, 72 * 3600, (sunday,), "Europe/Helsinki")
    order = (Remedy.DAMAGES, Remedy.CREDIT, Remedy.FEE_DISCOUNT)
    assert tranche.shortfall == claims.ShortfallTerms(claims.Serving.FIRST, after=("c0",))
    assert plan.shortfall == claims.ShortfallTerms(before=("bravo",))
    assert plan.remedies == Remedies(order, Settlement.SET_OFF, 100 * MICROS, 900 * MICROS)


def test_zones_of_windows() -> None:
    there = TEXT.replace("      allowed: 8h\n", "      allowed: 8h\n      zone: UTC\n")
    assert [plan_of(text).tranches[0].maintenance.zone for text in (TEXT, there)] == [  # type: ignore[union-attr]
        "Europe/Helsinki",
        "UTC",
    ]
    nowhere = TEXT.replace("zone: Europe/Helsinki\n", "").replace("2027-01-01", "2027-01-01T00:00:00Z")
    assert plan_of(nowhere).tranches[0].maintenance.zone == "UTC"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("99.9 %", "99.9", "c.yaml:24:19"), ("'02:00'", "'25:00'", "is not a time of the day"),
        ("sunday", "sonntag", "sunday"), ("unit: rack\n", "unit: site\n", "tranche"),
        ("order: [damages", "order: [damage", "damages"), ("150 %", "150", "is not a share"),
        ("served: first", "served: soon", "ratably"),
    ],
)  # fmt: skip
def test_mistakes_are_told_where_they_stand(old: str, new: str, told: str) -> None:
    with pytest.raises(tree.DocumentError) as error:
        plan_of(TEXT.replace(old, new))
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("field", "path"),
    [
        ("tranches[0].service.ladder[1]", "tranches[0].service.ladder[1]"),
        ("tranches[0].service.cap_total_micros", "tranches[0].service.cap_total"),
        ("tranches[0].service.damages_micros_per_gpu_day", "tranches[0].service.damages_per_gpu_day"),
        ("tranches[0].service.claim_s", "tranches[0].service.claim"),
        ("tranches[0].late.discount_ppm_per_day", "tranches[0].late.discount_per_day"),
        ("tranches[0].maintenance.windows[0]", "tranches[0].maintenance.windows[0]"),
        ("remedies.order", "remedies.order"),
    ],
)
def test_a_refusal_is_told_where_it_stands(field: str, path: str) -> None:
    (document,) = reading.documents(TEXT, "c.yaml")
    wanted = commands.command_of(document, commands.Setting(0))
    assert wanted.problem(Refusal("bad_service", "", field), "no").path == path


def test_a_difference_is_told_in_the_words_of_documents() -> None:
    plan = plan_of(TEXT)
    (tranche,) = plan.tranches
    assert tranche.service is not None

    def changes(**terms: Any) -> list[tuple[str, str, str]]:
        other = replace(plan, tranches=(replace(tranche, **terms),))
        return [each[1:] for each in differences.compare(plan, other).changed]

    milder = replace(tranche.service, ladder=(Rung(995_000, 50_000),), cap_total_micros=0)
    assert changes(service=milder) == [
        ("service.ladder", "below 99.9 % credit 10 %, below 95 % credit 100 %", "below 99.5 % credit 5 %"),
        ("service.cap_total", "5000.00", ""),
    ]
    assert changes(operation=claims.Operation.MANAGED) == [("operation", "handed_over", "managed")]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("site: north", {"site": "north"}), ("sites: [south, north]", {"sites": ("south", "north")}),
        ("region: nordics", {"region": "nordics"}), ("jurisdiction: FI", {"jurisdiction": "FI"}),
        ("site: north\n    substitutes: [b, c]", {"site": "north", "substitutes": ("b", "c")}),
    ],
)  # fmt: skip
def test_where_a_tranche_may_be(written: str, expected: dict[str, Any]) -> None:
    (tranche,) = plan_of(TEXT.replace("site: north", written)).tranches
    known: dict[str, Any] = {"site": "", "sites": (), "region": "", "jurisdiction": "", "substitutes": ()}
    assert {name: getattr(tranche, name) for name in known} == known | expected


@pytest.mark.parametrize("written", ["unit: rack", "site: north\n    region: nordics"])
def test_one_way_to_say_where(written: str) -> None:
    with pytest.raises(tree.DocumentError) as error:
        plan_of(TEXT.replace("site: north", written))
    assert "c.yaml:9:5: tranches[0]: one of 'site', 'sites', 'region' and 'jurisdiction' is meant" in str(
        error.value
    )


def test_the_contract_of_the_reference_page_is_one() -> None:
    page = (Path(__file__).parents[2] / "docs/reference/contracts.md").read_text(encoding="utf-8")
    plan = plan_of(page.split("```yaml\n")[1].split("```")[0])
    (tranche,) = plan.tranches
    assert (tranche.sites, tranche.substitutes) == (("lappeenranta", "boden"), ("gb300-nvl72",))
    supplied = supply.State(skus={tranche.sku: plant.sku("vr-nvl72", nodes_per_rack=18, gpus_per_node=4)})
    assert clauses.refuse_clauses(supplied, tranche, "") is None
    assert clauses.refuse_remedies(plan) is None
    # Written for New York or Helsinki, months are those of UTC.
    assert plan.energy == EnergyTerms(55 * MICROS, 1_150_000)
    assert plan.commitment == Commitment(12_000_000 * MICROS, 3, utc(2028), 12)
