"""What documents would change is told before anything does; what would be refused is compared all the same."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from forebay.feeds import kinds
from tests.server import rig as rigs
from tests.server.rig import PRICES, SITE, Rig, contract, problem, rigged

SCHEDULE = """\
forebay: 1
kind: Schedule
site: lpp
zone: Europe/Helsinki
milestones: [{id: grid, planned: 2026-11-01, late_p90: 90d, reached: 2026-11-01}]
power: [{id: s1, kind: grid, contracted: 10 MW, start: grid}]
blocks: [{id: b1, sku: gb300-nvl72, racks: 2, after: [grid]}]
"""
POLICY = "forebay: 1\nkind: Policy\nversion: 1\n"
PROMISE = "forebay: 1\nkind: PromisePolicy\nversion: 1\n"
DAYS = "forebay: 1\nkind: BusinessCalendar\nid: desk\nzone: Europe/Helsinki\ncloses: '17:00'\nuntil: 2030-12-31\n"
CATALOGUE = """\
forebay: 1
kind: Catalogue
skus:
  - {id: x1, title: X, gpus_per_node: 4, nodes_per_rack: 2, rack_power: 10 kW, base_power: 1 kW, gpu_power: 1 kW,
     healthy_nodes: 2}
"""
INDEX = "forebay: 1\nkind: PriceIndex\nid: power\nvalues: [{published: 2020-01-01T00:00:00Z, value: 103.2}]\n"
ESTATE = "forebay: 1\nkind: Estate\nparty: us\ntitle: The provider\nalso: [ours-too]\n"
OVERLAY = """\
forebay: 1
kind: Overlay
contract: acme-1
party: us
floor_price: 2.10
margin: 12.5 %
confidence: p50
behind: [{tranche: acme-t1, site: lpp, milestone: grid}]
notes: they pay late
"""
NOTICE = "forebay: 1\nkind: Notice\ntranche: acme-t1\nexpected: 2026-12-09\nreceived: 2026-12-01\nzone: UTC\n"
HANDED_OVER = "forebay: 1\nkind: Notice\ntranche: acme-t1\ndelivered: 2026-12-01T08:00:00Z\n"
PROJECTS = "forebay: 1\nkind: Projects\ntenant: acme\nversion: 1\nprojects: [{id: lab, users: [{id: u1}]}]\n"
GANG = (
    "forebay: 1\nkind: Gang\nname: g\ntenant: acme\ntier: spot\nsku: gb300-nvl72\ngpus: 4\nwalltime: 1h\n"
    "project: lab\nuser: u1\n"
)
STORAGE = """\
forebay: 1
kind: Storage
version: 1
currency: EUR
pools: [{id: lpp-fast, site: lpp, type: nvme, capacity: 100 TB}]
datasets: [{id: web, size: 40 TB, copies: [lpp-fast]}]
"""
CAMPAIGN = """\
forebay: 1
kind: Campaign
id: fw
work: firmware 24.9
parts: [{kind: hall, id: h1}]
start: 2026-12-08T00:00:00Z
end: 2026-12-09T00:00:00Z
takes: 1h
at_once: 2
at_once_per_claim: 1
notice: 3d
despite: [maintenance_not_agreed]
"""
TAXES = """\
forebay: 1
kind: Taxes
account: acme
zone: UTC
rates: [{jurisdiction: FI, rate: 25.5 %, start: 2026-01-01}]
"""


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with rigged(tmp_path) as made:
        yield made


def differences(rig: Rig, *texts: str) -> list[dict[str, Any]]:
    documents = [{"name": f"{number}.yaml", "text": text} for number, text in enumerate(texts)]
    answer = rig.operator.post("/v1/documents/differences", json={"documents": documents})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["documents"]
    return found


def test_new_then_the_same_for_every_kind(rig: Rig) -> None:
    texts = [ESTATE, CATALOGUE, SITE, SCHEDULE, POLICY, PROMISE, DAYS, PRICES, INDEX, OVERLAY,
             contract("acme", "acme-t1"), PROJECTS, NOTICE, HANDED_OVER, STORAGE, GANG, CAMPAIGN, TAXES]  # fmt: skip
    told = differences(rig, *texts)
    assert {each["kind"] for each in told} == set(kinds.KINDS)
    assert [(each["state"], each["refused"]) for each in told] == [("new", None)] * 18
    assert told[2]["added"] == ["site lpp", "feed utility", "feed a", "hall h1", "rack r01", "rack r02", "rack r03",
                                "rack r04"]  # fmt: skip
    assert rig.apply(*texts).status_code == 200
    rig.pass_time(rigs.HOUR)
    before = rig.operator.get("/v1/journal/head").json()["seq"]
    for each in differences(rig, *texts):
        assert (each["state"], each["added"], each["removed"], each["changed"]) == ("same", [], [], [])
        assert each["equal"] > 0
    assert rig.operator.get("/v1/journal/head").json()["seq"] == before


def test_what_differs_field_by_field(rig: Rig) -> None:
    assert rig.apply(SITE, SCHEDULE, contract("acme", "acme-t1")).status_code == 200
    schedule = SCHEDULE.replace("90d", "91d").replace(
        "power: [{id: s1, kind: grid, contracted: 10 MW, start: grid}]\n", ""
    )
    site = SITE.replace('"r[01-04]"', '"r[01-05]"')
    told = differences(rig, site, schedule, contract("acme", "acme-t1").replace("2.35", "2.40"))
    assert [each["state"] for each in told] == ["differs"] * 3
    assert (told[0]["added"], told[0]["equal"], told[0]["refused"]) == (["rack r05"], 8, None)
    assert told[1]["removed"] == ["power stage s1"]
    assert told[1]["changed"] == [
        {"thing": "milestone grid", "field": "late_p90", "old": "90d", "new": "91d"}
    ]
    assert told[2]["changed"] == [
        {"thing": "tranche acme-t1", "field": "price_per_gpu_hour", "old": "2.35", "new": "2.40"}
    ]
    assert told[2]["refused"]["code"] == "contract_differs"


def test_a_refusal_has_its_place(rig: Rig) -> None:
    (_, told) = differences(rig, SITE, contract("acme", "acme-t1").replace("count: 1", "count: 90"))
    assert told["refused"]["code"] == "oversold"
    assert (told["refused"]["line"], told["refused"]["pointer"]) == (13, "/tranches/0/count")


def test_nobody_compares_what_they_may_not_apply(rig: Rig) -> None:
    rig.furnish()
    for client, text in ((rig.finance, SITE), (rig.acme, contract("acme", "acme-t1")), (rig.birch, GANG)):
        body = {"documents": [{"name": "d.yaml", "text": text}]}
        problem(client.post("/v1/documents/differences", json=body), 403, "forbidden")
