"""Disputes as people enter them, and what they change about what is overdue."""

from __future__ import annotations

from typing import Any

from jsonschema import validate

from forebay.cli import outputs
from forebay.cli.dispute_story import DISPUTE_SENTENCES
from forebay.cli.narrate import Narrator
from forebay.core.money.disputes import DISPUTE_EVENTS
from forebay.core.money.proposals import ENTRY_EVENTS
from tests.cli.desk import Desk, golden
from tests.server.rig import HOUR, PRICES, SITE, contract

ENTRIES = tuple(kind.__name__ for kind in ENTRY_EVENTS)
PAYMENTS = "payments: {billing: arrears, net: 10d, interest: 10 %, withholding: 50 %}\n"


def billed(desk: Desk) -> None:
    """An hour of a tranche, closed at 09:00 on 1 December: 169.20, due on the 11th."""
    documents = "---\n".join((SITE, PRICES, contract("cedar", "cedar-t1") + PAYMENTS))
    assert desk("apply", desk.file("lab.yaml", documents)).status == 0
    desk.rig.pass_time(HOUR)
    assert desk("invoice", "close", "--yes").status == 0


def test_from_the_dispute_to_its_end(desk: Desk) -> None:
    assert "nothing is contested" in desk("dispute", "list").err
    billed(desk)
    ran = desk(
        "dispute", "open", "INV-000001", "--line", "1=100.00", "--reason", "a node was out", by="finance"
    )
    assert ran.err == (
        "dispute DSP-000001 about INV-000001: 100.00 USD, open; 50.00 USD may be kept back\n"
    ), ran.err
    golden("receivables_disputed", desk("receivables", "--at", "2026-12-13").out)
    then = desk("receivables", "--at", "2026-12-13", "--json").json
    assert then["accounts"][0]["disputed"]["amount"] == "50.00"
    before = desk("receivables", "--at", "2026-12-13", "--known", "2026-12-01T08:59:00Z", "--json").json
    assert before["accounts"] == []
    again = desk("dispute", "open", "INV-000001", "--line", "1=100.00", "--reason", "x", by="finance")
    assert "of line 1 100.00 of 169.20 is contested already" in again.err
    ran = desk("dispute", "settle", "DSP-000001", "--for", "customer", "--reason", "x", by="acme")
    assert ran.status != 0
    ran = desk(
        "dispute", "settle", "DSP-000001", "--for", "customer", "--amount", "40.00", "--reason", "agreed",
        by="finance",
    )  # fmt: skip
    assert ran.err == "dispute DSP-000001 about INV-000001: 100.00 USD, for the customer\n"
    golden("disputes", desk("dispute", "list").out)
    ran = desk("dispute", "withdraw", "DSP-000001", "--reason", "x", by="finance")
    assert "is over: for_customer" in ran.err


def test_interest_stands_on_the_next_invoice(desk: Desk) -> None:
    billed(desk)
    desk.rig.pass_time(20 * 24 * HOUR)
    assert desk("invoice", "close", "--yes").status == 0
    told = desk("invoice", "INV-000002").out
    assert "late interest" in told
    assert "late interest on INV-000001 at 10.00 % a year: 169.20 from 2026-12-11T09:00:00Z until" in told


def test_as_json(desk: Desk) -> None:
    billed(desk)
    ran = desk("dispute", "open", "INV-000001", "--line", "1=1", "--reason", "x", "--json", by="finance")
    validate(ran.json, outputs.OUTPUTS["dispute.open"])
    ran = desk("dispute", "withdraw", "DSP-000001", "--reason", "x", "--json", by="finance")
    validate(ran.json, outputs.OUTPUTS["dispute.withdraw"])
    desk("dispute", "open", "INV-000001", "--line", "1=1", "--reason", "x")
    ran = desk("dispute", "settle", "DSP-000002", "--for", "seller", "--reason", "x", "--json")
    validate(ran.json, outputs.OUTPUTS["dispute.settle"])
    validate(desk("dispute", "list", "--json").json, outputs.OUTPUTS["dispute.list"])


def test_what_makes_no_sense_is_refused(desk: Desk) -> None:
    billed(desk)
    ran = desk("dispute", "open", "INV-000001", "--line", "1", "--reason", "x")
    assert (ran.status, "'1' is not N=AMOUNT" in ran.err) == (2, True)
    ran = desk("dispute", "open", "INV-000001", "--line", "1=1e9", "--reason", "x")
    assert "lines/0/amount" in ran.err
    assert desk("dispute", "open", "INV-000009", "--line", "1=1", "--reason", "x").status != 0
    answer = desk.rig.finance.post("/v1/disputes/DSP-1/settle", json={"outcome": "both", "reason": "x"})
    assert (answer.status_code, "neither customer nor seller" in answer.text) == (422, True)


def test_each_event_has_its_sentence() -> None:
    assert set(DISPUTE_SENTENCES) == {
        *(kind.__name__ for kind in DISPUTE_EVENTS),
        "LateInterestCharged",
        *ENTRIES,
    }
    for kind, word in zip(ENTRIES, ("proposes", "approves", "rejects"), strict=True):
        assert Narrator().tell(kind, {"by": "fin-1", "entry": "E"}) == [f"fin-1 {word} entry E"]
    bodies: dict[str, tuple[dict[str, Any], str]] = {
        "DisputeOpened": (
            {"disputed_micros": 1_000_000, "currency": "USD", "tenant": "acme", "invoice": "I", "dispute": "D",
             "reason": "x"}, "acme contests 1.00 USD of I (D): x",
        ),
        "DisputeSettled": (
            {"for_customer": True, "dispute": "D", "reason": "x"}, "dispute D is settled for the customer: x",
        ),
        "DisputeWithdrawn": ({"dispute": "D", "reason": "x"}, "dispute D is withdrawn: x"),
        "LateInterestCharged": (
            {"amount_micros": 1_000_000, "currency": "USD", "invoice": "I", "tenant": "acme"},
            "1.00 USD of late interest on I of acme",
        ),
    }  # fmt: skip
    for kind, (body, told) in bodies.items():
        assert Narrator().tell(kind, body) == [told]
