"""Costs as people read them."""

from __future__ import annotations

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import Desk, golden
from tests.cli.test_ledger import billed


def test_costs_by_tenant_and_by_claim(desk: Desk) -> None:
    ran = desk("costs")
    assert (ran.status, ran.out) == (0, "")
    assert "nothing was invoiced yet" in ran.err
    billed(desk)
    golden("costs", desk("costs").out)
    golden("costs_by_claim", desk("costs", "--by", "claim,site", "--period", "2026-12").out)
    validate(desk("costs", "--json").json, outputs.OUTPUTS["costs"])
    ran = desk("costs", "--period", "2019-01")
    assert "nothing was invoiced for periods that began in 2019-01" in ran.err
    ran = desk("costs", "--by", "colour")
    assert ran.status == 1
    assert "'colour' is not one of tenant" in ran.err
