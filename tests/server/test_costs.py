"""Costs by tenant, site and project: the sums are those of the invoices, however they are grouped."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.server.rig import HOUR, PRICES, SITE, Rig, contract, gang, problem, rigged
from tests.server.test_export_routes import busy

PROJECTS = """\
forebay: 1
kind: Projects
tenant: acme
version: 1
projects: [{id: lab, users: [{id: ann}, {id: bob}]}]
"""


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        yield made


def costs(client: Any, query: str = "") -> Any:
    answer = client.get(f"/v1/costs{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    "by", ["tenant", "site,sku", "project", "class,user", "month,claim,contract", "project,user,site,tenant"]
)
def test_however_they_are_grouped_the_sums_are_the_invoices(rig: Rig, by: str) -> None:
    busy(rig)
    billed: dict[str, Decimal] = {}
    for each in rig.finance.get("/v1/invoices").json()["items"]:
        total = each["total"]
        billed[total["currency"]] = billed.get(total["currency"], Decimal()) + Decimal(total["amount"])
    told = costs(rig.finance, f"?by={by}")
    for currency, total in billed.items():
        items = [each for each in told["items"] if each["cost"]["currency"] == currency]
        assert sum(Decimal(each["cost"]["amount"]) for each in items) == total
        (summed,) = (each for each in told["totals"] if each["cost"]["currency"] == currency)
        assert Decimal(summed["cost"]["amount"]) == total
        for name in ("used_gpu_hours", "unused_gpu_hours", "lent_gpu_hours"):
            apart = sum(Decimal(each[name]) for each in items)
            assert abs(apart - Decimal(summed[name])) <= Decimal("0.000001") * len(items)


def test_projects_share_what_they_used_and_the_rest_is_nobodys(rig: Rig) -> None:
    """72 GPUs for an hour at 2.35 are 169.20: ann's 8 GPUs 18.80, bob's 16 37.60; 112.80 did nothing."""
    assert rig.apply(SITE, PRICES, contract("acme", "acme-t1"), PROJECTS).status_code == 200
    own = {"tier": "dedicated", "tranche": "acme-t1", "project": "lab"}
    for name, gpus, user in (("a", 8, "ann"), ("b", 16, "bob")):
        asked = gang("acme", name, gpus=gpus, user=user, **own)
        assert rig.operator.post("/v1/gangs", json=asked).status_code == 201
    rig.pass_time(HOUR)
    assert rig.operator.post("/v1/periods/close").status_code == 200
    told = costs(rig.acme, "?by=project,user")
    got = [
        (*each["group"], each["cost"]["amount"], each["used_gpu_hours"], each["unused_cost"]["amount"])
        for each in told["items"]
    ]
    assert got == [
        ("", "", "112.80", "0.00", "112.80"), ("lab", "bob", "37.60", "16.00", "0.00"),
        ("lab", "ann", "18.80", "8.00", "0.00"),
    ]  # fmt: skip
    (total,) = told["totals"]
    assert total["per_used_gpu_hour"] == {"amount": "7.05", "currency": "USD"}
    assert (total["unused_gpu_hours"], total["unused_cost"]["amount"]) == ("48.00", "112.80")


def test_a_tenant_sees_its_own(rig: Rig) -> None:
    busy(rig)
    assert {each["group"][0] for each in costs(rig.acme)["items"]} == {"acme"}
    assert {each["group"][0] for each in costs(rig.finance)["items"]} == {"acme", "birch"}
    assert costs(rig.finance, "?tenant=acme") == costs(rig.acme)
    assert costs(rig.acme, "?tenant=birch")["items"] == []
    assert costs(rig.acme, "?period=2019-01")["items"] == []


def test_what_is_asked_wrongly(rig: Rig) -> None:
    told = problem(rig.finance.get("/v1/costs?by=tenant,colour"), 422, "bad_parameter")
    assert (
        "'colour' is not one of tenant, contract, claim, class, site, sku, project, user, month"
        in told["detail"]
    )
    problem(rig.finance.get("/v1/costs?by=site,site"), 422, "bad_parameter")
    problem(rig.finance.get("/v1/costs?period=may"), 422, "bad_parameter")
