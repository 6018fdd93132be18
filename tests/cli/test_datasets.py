"""Data as people see it: what there is, where it lies, what is copied for whom, and what a gang waits for."""

from __future__ import annotations

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import Desk, golden
from tests.server.rig import PRICES, SITE, contract

STORAGE = """\
forebay: 1
kind: Storage
version: 1
currency: EUR
pools:
  - {id: lpp-fast, site: lpp, type: nvme, capacity: 100 TB}
  - {id: fjord-store, site: fjord, type: object, capacity: 2 PB}
links:
  - {source: fjord, target: lpp, per_second: 5 GB, price_per_gb: 0.08}
datasets:
  - {id: web, size: 40 TB, copies: [fjord-store], residency: [FI, 'NO']}
  - {id: secret, size: 512 GB, copies: [lpp-fast], tenant: cedar}
  - {id: far, size: 200 TB, copies: [fjord-store]}
"""
GANG = """\
forebay: 1
kind: Gang
name: train
tenant: cedar
tier: on_demand
sku: gb300-nvl72
gpus: 4
walltime: 1h
datasets: [%s]
"""


def stocked(desk: Desk) -> None:
    documents = "---\n".join((SITE, PRICES, contract("cedar", "cedar-t1"), STORAGE))
    ran = desk("apply", desk.file("lab.yaml", documents))
    assert ran.status == 0, ran.err


def test_a_gang_waits_for_its_data(desk: Desk) -> None:
    ran = desk("datasets")
    assert (ran.out, "no storage is described yet" in ran.err) == ("", True)
    stocked(desk)
    ran = desk("submit", desk.file("gang.yaml", GANG % "web, secret"))
    assert ran.status == 0, ran.err
    golden("datasets", desk("datasets").out)
    golden("datasets_explain", desk("explain", "cedar.train").out)
    validate(desk("datasets", "--json").json, outputs.OUTPUTS["datasets"])
    desk.rig.pass_time(8000 * 1_000_000)
    assert "COPIED" not in desk("datasets").out
    golden("datasets_placed", desk("explain", "cedar.train").out)


def test_what_cannot_be_is_refused(desk: Desk) -> None:
    stocked(desk)
    ran = desk("submit", desk.file("gang.yaml", GANG % "far"))
    assert ran.status != 0
    golden("datasets_full", ran.err)
    ran = desk("submit", desk.file("gang.yaml", GANG % "nothing"))
    assert "nothing" in ran.err
    later = STORAGE.replace("version: 1", "version: 2").replace("lpp-fast]", "lpp-slow]")
    ran = desk("apply", desk.file("later.yaml", later))
    assert ran.status != 0
    golden("datasets_unknown_pool", ran.err)
