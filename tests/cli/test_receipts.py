"""Money that came, as people enter it; what it pays; and what is open, then and as known then."""

from __future__ import annotations

from jsonschema import validate

from forebay.cli import outputs
from forebay.cli.narrate import Narrator
from forebay.core.money.receipts import RECEIPT_EVENTS
from tests.cli.desk import Desk, golden
from tests.cli.rig import Ran
from tests.server.rig import HOUR, PRICES, SITE, contract


def billed(desk: Desk) -> None:
    """An hour of two tranches, closed at 09:00 on 1 December: 169.20 each, one in EUR."""
    documents = "---\n".join(
        (SITE, PRICES, contract("cedar", "cedar-t1"), contract("elder", "elder-t1", "EUR"))
    )
    assert desk("apply", desk.file("lab.yaml", documents)).status == 0
    desk.rig.pass_time(HOUR)
    assert desk("invoice", "close", "--yes").status == 0


def record(desk: Desk, *more: str, by: str = "finance") -> Ran:
    return desk(
        "receipt", "record", "--account", "cedar", "--currency", "USD", "--amount", "200.00", "--received",
        "2026-12-01", "--reference", "wire 4711", *more, by=by,
    )  # fmt: skip


def test_from_the_bank_to_what_is_open(desk: Desk) -> None:
    assert desk("receivables").out == "nothing is open, and nothing is on account\n"
    assert "no receipt is recorded yet" in desk("receipt", "list").err
    billed(desk)
    golden("receivables", desk("receivables").out)
    ran = record(desk, "--allocate", "INV-000001=100.00")
    assert ran.err == "receipt RCT-000001 is recorded; 100.00 USD of it on account\n"
    ran = record(desk, "--allocate", "INV-000001=100.00")
    assert "RCT-000001 was recorded already" in ran.err
    ran = desk("receipt", "allocate", "RCT-000001", "INV-000001=19.20", by="finance")
    assert ran.err == "receipt RCT-000001 is allocated; 80.80 USD of it on account\n"
    golden("receivables_late", desk("receivables", "cedar", "--at", "2027-01-05").out)
    golden("receipts", desk("receipt", "list").out)
    ran = desk("receipt", "reverse", "RCT-000001", "--reason", "of another customer")
    assert ran.err == "receipt RCT-000001 is reversed; 0.00 USD of it on account\n"
    assert "reversed: of another customer" in desk("receipt", "list").out
    # Before it was known, nothing had come.
    body = desk(
        "receivables", "cedar", "--at", "2027-01-05", "--known", "2026-12-01T08:00:00Z", "--json"
    ).json
    assert body["accounts"] == []


def test_as_json(desk: Desk) -> None:
    billed(desk)
    validate(desk("receivables", "--json").json, outputs.OUTPUTS["receivables"])
    validate(record(desk, "--json").json, outputs.OUTPUTS["receipt.record"])
    validate(desk("receipt", "list", "--json").json, outputs.OUTPUTS["receipt.list"])
    ran = desk("receipt", "allocate", "RCT-000001", "INV-000001=1", "--json")
    validate(ran.json, outputs.OUTPUTS["receipt.allocate"])
    ran = desk("receipt", "reverse", "RCT-000001", "--reason", "x", "--json")
    validate(ran.json, outputs.OUTPUTS["receipt.reverse"])


def test_what_makes_no_sense_is_refused(desk: Desk) -> None:
    billed(desk)
    ran = desk("receipt", "allocate", "RCT-000001", "INV-000001")
    assert (ran.status, "'INV-000001' is not INVOICE=AMOUNT" in ran.err) == (2, True)
    ran = record(desk, "--allocate", "INV-000001=1e3")
    assert "allocate/0/amount" in ran.err
    ran = record(desk, "--allocate", "INV-000002=1")
    assert "cedar has no invoice INV-000002" in ran.err
    ran = desk("receipt", "reverse", "RCT-000001", "--reason", "x")
    assert "there is no receipt RCT-000001" in ran.err
    ran = desk("receivables", "--at", "soon")
    assert "at: 'soon' is not a time" in ran.err


def test_every_event_of_a_receipt_makes_a_sentence() -> None:
    story = Narrator()
    body = {
        "receipt": "RCT-000001", "account": "cedar", "currency": "USD", "amount_micros": 5_000_000,
        "received_at": 0, "reference": "wire 1", "reason": "bounced",
        "allocations": [{"invoice": "INV-000001"}, {"invoice": "c1/7"}],
    }  # fmt: skip
    kinds = [kind.__name__ for kind in RECEIPT_EVENTS]
    assert [sentence for kind in kinds for sentence in story.tell(kind, body)] == [
        "cedar paid 5.00 USD on 1970-01-01 (RCT-000001, wire 1)",
        "receipt RCT-000001 pays INV-000001, c1/7",
        "receipt RCT-000001 was wrong: bounced",
    ]


def test_what_puts_an_invoice_right_makes_a_sentence() -> None:
    story = Narrator()
    body = {
        "note": "CN-000001", "tenant": "cedar", "currency": "USD", "total_minor": 1234, "invoice": "INV-000001",
        "reason": "agreed", "allocations": [{"invoice": "INV-000002"}],
    }  # fmt: skip
    kinds = ("CreditNoteIssued", "CreditNoteAllocated", "InvoiceVoided")
    assert [sentence for kind in kinds for sentence in story.tell(kind, body)] == [
        "cedar is credited 12.34 USD of INV-000001 (CN-000001): agreed",
        "credit note CN-000001 pays INV-000002",
        "invoice INV-000001 is void: agreed",
    ]
