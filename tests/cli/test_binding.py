"""Which racks each tranche has, and why."""

from __future__ import annotations

import re

import pytest
from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import Desk, golden

#: Two feeds, two loops, racks of two nodes.
CAPE = """\
forebay: 1
kind: Site
id: cape
title: The cape
region: south
jurisdiction: ZA
feeds: [{id: cape-a, limit: 1 MW}, {id: cape-b, limit: 1 MW}]
halls:
  - id: cape-h1
    racks:
      - {id: 'a[1-3]', sku: duo, feed: cape-a, row: r1, loop: cold-1}
      - {id: 'b[1-3]', sku: duo, feed: cape-b, row: r2, loop: cold-2}
---
forebay: 1
kind: Contract
id: acme-2
seller: us
tenant: acme
currency: USD
zone: UTC
tranches:
  - {id: acme-cape, site: cape, sku: duo, count: 2, start: 2027-03-01, term: 100d, price_per_gpu_hour: 4}
  - {id: acme-nodes, site: cape, sku: duo, unit: node, count: 3, start: 2027-03-01, term: 100d, price_per_gpu_hour: 4}
---
forebay: 1
kind: PromisePolicy
version: 2
spares: rack
"""


@pytest.fixture
def cape(desk: Desk) -> Desk:
    assert desk("apply", desk.file("cape.yaml", CAPE)).status == 0
    return desk


def timeless(text: str) -> str:
    """Without what differs from run to run."""
    return re.sub(r"in \d+\.\d s", "in N s", text)


def test_bound_first_fit(cape: Desk) -> None:
    golden("binding", cape("binding").out)
    told = cape("binding", "--json").json
    validate(told, outputs.OUTPUTS["binding"])
    assert [stock["plan"] for stock in told["stocks"]] == [None, None]
    assert cape("binding", by="finance").status == 5


def test_a_plan_is_shown_then_taken(cape: Desk) -> None:
    before = cape.seq()
    golden("binding_dry", timeless(cape("binding", "solve", "--site", "cape", "--dry-run").out))
    assert cape.seq() == before
    golden("binding_solve", timeless(cape("binding", "solve").out))
    golden("binding_after", timeless(cape("binding", "list", "--site", "cape", "--racks").out))
    again = cape("binding", "solve", "--site", "cape", "--seconds", "0", "--json").json
    validate(again, outputs.OUTPUTS["binding.solve"])
    assert [each["outcome"] for each in again["items"]] == ["kept"]


def test_where_nothing_is_promised(cape: Desk) -> None:
    for said in (("list",), ("solve",)):
        ran = cape("binding", *said, "--site", "mesa")
        assert (ran.status, ran.out) == (0, "")
        assert "no tranche is promised anything that is not over" in ran.err


def test_spares_stand_in_the_table(cape: Desk) -> None:
    told = cape("capacity", "--site", "cape", "--months", "4").out
    assert "cape, duo: 8 GPUs in 2 nodes a rack; 1 kept as spares, as the largest rack has" in told
