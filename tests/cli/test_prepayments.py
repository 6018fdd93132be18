"""What is paid ahead, from the invoice that asks for it until it goes back, as people see it."""

from __future__ import annotations

import pytest
from jsonschema import validate

from forebay.cli import outputs
from forebay.cli.narrate import Narrator
from forebay.cli.prepaid_story import PREPAID_SENTENCES
from forebay.core.money.prepaid import AHEAD_EVENTS
from tests.cli.desk import Desk, golden
from tests.server.rig import HOUR, PRICES, SITE, contract

PAYMENTS = """\
payments:
  billing: arrears
  net: 30d
  deposit: 40.00
  deposit_due: 2026-12-01T08:00:00Z
  prepayments:
    - {at: now, amount: 200.00}
  refund: 50 %
"""


@pytest.fixture
def ahead(desk: Desk) -> Desk:
    """Cedar prepays 200.00 for a rack at 169.20 an hour, for an hour."""
    signed = contract("cedar", "cedar-t1").replace("term: 60d", "term: 1h") + PAYMENTS.replace(
        "at: now", "at: 2026-12-01T08:00:00Z"
    )
    assert desk("apply", desk.file("lab.yaml", "---\n".join((SITE, PRICES, signed)))).status == 0
    return desk


def pay(desk: Desk, invoice: str, amount: str) -> None:
    ran = desk(
        "receipt", "record", "--account", "cedar", "--currency", "USD", "--amount", amount, "--received",
        "2026-12-01T08:00:00Z", "--reference", invoice, "--allocate", f"{invoice}={amount}", by="finance",
    )  # fmt: skip
    assert ran.status == 0, ran.err


def test_from_the_request_to_the_refund(ahead: Desk) -> None:
    golden("prepayments_asked", ahead("prepayments").out)
    golden("prepayment_invoice", ahead("invoice", "INV-000002").out)
    pay(ahead, "INV-000001", "40.00")
    pay(ahead, "INV-000002", "200.00")
    ran = ahead("refund", "cedar-1", "--reference", "wire 9", by="finance")
    assert "cedar-1 is not over" in ran.err
    ahead.rig.pass_time(HOUR)
    assert ahead("invoice", "close", "--yes").status == 0
    golden("prepayment_drawn", ahead("invoice", "INV-000003").out)
    ran = ahead("refund", "cedar-1", "--reference", "wire 9", by="finance")
    assert ran.err == "15.40 USD go back to the customer of cedar-1; 15.40 USD are kept\n"
    ran = ahead("refund", "cedar-1", "--deposit", "--reference", "wire 10", "--json")
    validate(ran.json, outputs.OUTPUTS["refund"])
    golden("prepayments", ahead("prepayments", "cedar-1").out)
    validate(ahead("prepayments", "--json").json, outputs.OUTPUTS["prepayments"])
    again = ahead("refund", "cedar-1", "--deposit", "--reference", "wire 10")
    assert "nothing is left of what cedar-1 paid ahead" in again.err
    assert ahead("prepayments", "elsewhere").out == "nothing was paid ahead, and nothing is asked for\n"


def test_over_http_a_tenant_sees_its_own(ahead: Desk) -> None:
    assert ahead.rig.acme.get("/v1/prepayments").json() == {"items": []}
    body = ahead.rig.finance.post("/v1/contracts/cedar-1/refund", json={"what": "all", "reference": "x"})
    assert (body.status_code, "neither prepayment nor deposit" in body.text) == (422, True)


def test_each_event_has_its_sentence() -> None:
    assert set(PREPAID_SENTENCES) == {kind.__name__ for kind in AHEAD_EVENTS}
    told = Narrator().tell(
        "AheadRequested",
        {"tenant": "cedar", "what": "deposit", "amount_micros": 5_000_000, "currency": "USD",
         "contract": "c1", "invoice": "INV-000001"},
    )  # fmt: skip
    assert told == ["cedar is asked for a deposit of 5.00 USD (c1, INV-000001)"]
    told = Narrator().tell(
        "AheadReturned", {"returned_micros": 5_000_000, "what": "deposit", "contract": "c1", "reference": "w"}
    )
    assert told == ["5.00 of the deposit of c1 went back (w)"]
