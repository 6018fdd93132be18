"""Availability as people read it, and the credit on the invoice that follows."""

from __future__ import annotations

from jsonschema import validate

from forebay.cli import outputs
from tests.cli.desk import Desk, golden
from tests.server.rig import HOUR, PRICES, SITE, contract

SERVICE = """\
    service:
      unit: node
      replacement: 1h
      ladder: [{below: 99.9 %, credit: 5 %}, {below: 95 %, credit: 25 %}]
"""


def test_a_month_with_an_outage(desk: Desk) -> None:
    """18 nodes of 4 GPUs from 1 December 08:00 on: 18 x 736 h = 13,248 h due. One is out for 5 h, one from the 27th,
    13:00, to the end of the month, which is 107 h; the first hour of each is to replace it, 4 + 106 = 110 h are
    missed: 13,138 / 13,248 = 99.169685 %. Not billed are 4 GPUs x 112 h: 52,544 GPU-h x 2.35 = 123,478.40, of which
    5 % are 6,173.92.
    """
    ran = desk("availability")
    assert "nothing was in service in 2026-12" in ran.err
    documents = "---\n".join(
        (SITE, PRICES, contract("cedar", "cedar-t1") + SERVICE, contract("elder", "elder-t1", "EUR"))
    )
    assert desk("apply", desk.file("lab.yaml", documents)).status == 0
    assert desk("node", "fail", "r01-n01", "--reason", "xid 79").status == 0
    desk.rig.pass_time(5 * HOUR)
    assert desk("node", "restore", "r01-n01").status == 0
    golden("availability", desk("availability").out)
    golden("availability_tranche", desk("availability", "cedar-t1", "--month", "2026-12").out)
    validate(desk("availability", "--json").json, outputs.OUTPUTS["availability"])
    ran = desk("availability", "cedar-t1", "--month", "2026-13")
    assert ran.status == 1
    assert "'2026-13' is not a month" in ran.err
    ran = desk("availability", "maple-t1")
    assert "there is no tranche maple-t1" in ran.err
    desk.rig.pass_time(26 * 24 * HOUR)
    assert desk("node", "fail", "r01-n02").status == 0
    desk.rig.pass_time(5 * 24 * HOUR)
    golden("availability_given", desk("availability", "cedar-t1", "--month", "2026-12").out)
    golden("availability_invoice", desk("invoice", "show", "INV-000001").out)
    assert "tranches[cedar-t1].service.ladder[0]" in desk("explain", "INV-000001:2").out
