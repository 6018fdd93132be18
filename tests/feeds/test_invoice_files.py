"""Invoices of others, read: FOCUS and canonical JSON, and what is wrong with a file, place by place."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from forebay.core.units import DAY_US
from forebay.feeds import invoice_files
from forebay.feeds.invoice_files import UnreadableInvoice, read_invoice
from tests.core.plant import T0

HEAD = (
    "BilledCost,BillingCurrency,ChargeCategory,ChargePeriodStart,ChargePeriodEnd,InvoiceId,InvoiceIssuerName,"
    "PricingQuantity,ContractedUnitPrice,PricingCategory,CapacityReservationId,ContractApplied,ChargeDescription\n"
)
TIMES = "2026-01-01T00:00:00Z,2026-02-01T00:00:00Z"


def focus(*rows: str, head: str = HEAD) -> bytes:
    return (head + "".join(f"{row}\n" for row in rows)).encode()


def refused(data: bytes) -> list[str]:
    with pytest.raises(UnreadableInvoice) as failed:
        read_invoice("theirs.csv", data)
    assert str(failed.value).splitlines() == [each.sentence() for each in failed.value.problems]
    return [each.sentence() for each in failed.value.problems]


def test_focus_of_any_provider() -> None:
    applied = '"{""Elements"":[{""ContractId"":""c1"",""ContractCommitmentId"":""t2""}]}"'
    read = read_invoice(
        "theirs.csv",
        focus(
            f'1488.00,USD,Purchase,{TIMES},I-7,Lake,744,2,Standard,t1,,"t1, reserved"',
            f"10.5,USD,Purchase,{TIMES},I-7,Lake,,,Standard,,{applied},",
            f"0,USD,Usage,{TIMES},I-7,Lake,744,2,Standard,t1,,what was bought is used",
            f"3,USD,Usage,{TIMES},I-7,Lake,1,3,Standard,,,on demand",
            f"1,USD,Usage,{TIMES},I-7,Lake,1,1,Dynamic,,,spot",
            f"-5,USD,Credit,{TIMES},I-8,Lake,,,,,,sorry",
            f"2,USD,Tax,{TIMES},I-8,Lake,,,,,,",
            f"0.01,USD,Adjustment,{TIMES},I-8,Lake,,,,,,",
            "",
        ),
    )
    assert (read.numbers, read.seller, read.currency, read.total) == (("I-7", "I-8"), "Lake", "USD", None)
    assert (read.start, read.end) == (T0, T0 + 31 * DAY_US)
    assert [(line.kind, line.tranche, line.amount) for line in read.lines] == [
        ("dedicated", "t1", Decimal("1488.00")), ("dedicated", "t2", Decimal("10.5")), ("on_demand", "", 3),
        ("spot", "", 1), ("credit", "", -5), ("tax", "", 2), ("adjustment", "", Decimal("0.01")),
    ]  # fmt: skip
    first, second = read.lines[:2]
    assert (first.place, first.hours, first.price, first.text) == (
        "theirs.csv:2", Decimal(744), Decimal(2), "t1, reserved",
    )  # fmt: skip
    assert (second.contract, second.hours, second.price) == ("c1", None, None)


def test_what_is_wrong_is_told_with_its_place() -> None:
    assert refused(
        focus(
            f'"1,5",EUROS,Gift,{TIMES},I-7,Lake,x,NaN,,,,',
            "1,USD,Purchase,yesterday,2026-02-01,I-7,Lake,1,1,,,,",
            f"1,USD,Purchase,{TIMES},I-7",
        )
    ) == [
        "theirs.csv:2: BilledCost: '1,5' is not a number",
        "theirs.csv:2: ChargeCategory: 'Gift' is not one of Purchase, Credit, Tax, Adjustment, Usage",
        "theirs.csv:2: BillingCurrency: 'EUROS' is not a currency that is known here",
        "theirs.csv:2: PricingQuantity: 'x' is not a number",
        "theirs.csv:2: ContractedUnitPrice: 'NaN' is not a number",
        "theirs.csv:3: ChargePeriodStart: 'yesterday' is not a time like 2026-11-01T00:00:00Z",
        "theirs.csv:3: ChargePeriodStart: 'yesterday' is not a time like 2026-11-01T00:00:00Z",
        "theirs.csv:4: 6 cells under 13 columns",
    ]
    # Fifty are told at the most.
    assert len(refused(focus(*[f"x,USD,Tax,{TIMES},,,,,,,," for _ in range(80)]))) == 50


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"", "theirs.csv: it is empty"),
        (b"\xff\xfe\x00", "theirs.csv: byte 0 is not UTF-8"),
        (
            b"InvoiceId,BilledCost\n",
            "theirs.csv:1: columns of FOCUS Cost and Usage are missing: BillingCurrency, ChargeCategory, Charge",
        ),
        (focus(), "theirs.csv: it has no rows"),
        (focus('1,USD,"Tax'), "theirs.csv:2: unexpected end of data"),
        (
            focus(f"1,USD,Tax,{TIMES},,,,,,,,", f"1,EUR,Tax,{TIMES},,,,,,,,"),
            "theirs.csv: BillingCurrency: one currency is meant, not EUR and USD",
        ),
        (b"{", "theirs.csv: it is no JSON of an invoice: Expecting property name enclosed in double quotes"),
        (b"{}", "theirs.csv: it is not an invoice as canonical JSON: 'currency' is missing or unknown"),
        (
            b'{"currency": "XXX"}',
            "theirs.csv: it is not an invoice as canonical JSON: 'XXX' is missing or unknown",
        ),
        (
            b'{"total": 1.5}',
            "theirs.csv: it is no JSON of an invoice: 1.5: an invoice holds whole numbers only",
        ),
        (b"[" * 100_000, "theirs.csv:1: columns of FOCUS"),
        (
            b"{" + b'"a":{' * 100_000,
            "theirs.csv: it is no JSON of an invoice: maximum recursion depth exceeded",
        ),
    ],
)
def test_files_that_are_no_invoice(data: bytes, told: str) -> None:
    (found,) = refused(data)
    assert found.startswith(told)


def test_a_file_beyond_all_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invoice_files, "BYTES_MAX", 3 << 20)
    assert refused(b" " * ((3 << 20) + 1)) == ["theirs.csv: more than 3 MiB"]


def canonical(**changed: Any) -> bytes:
    line: dict[str, Any] = {
        "kind": "dedicated", "contract": "c1", "claim": "t1", "start": T0, "end": T0 + DAY_US,
        "gpu_us": 7_200_000_000,
        "price_micros_per_gpu_hour": 2_350_001, "amount_minor": 470, "text": "two hours",
    }  # fmt: skip
    told: dict[str, Any] = {"invoice": "INV-000001", "seller": "lake", "currency": "USD", "start": T0,
            "end": T0 + DAY_US, "lines": [line], "total_minor": 470}  # fmt: skip
    told |= changed
    told["lines"] = [line | each for each in told["lines"]]
    return json.dumps(told).encode()


def test_canonical_json() -> None:
    read = read_invoice("INV-000001.json", canonical())
    assert (read.numbers, read.seller, read.total) == (("INV-000001",), "lake", Decimal("4.70"))
    (line,) = read.lines
    assert line == invoice_files.BilledLine(
        "line 1",
        "dedicated",
        "c1",
        "t1",
        T0,
        T0 + DAY_US,
        Decimal(2),
        Decimal("2.350001"),
        Decimal("4.70"),
        "two hours",
    )
    (line,) = read_invoice("x", canonical(lines=[{"gpu_us": 0}])).lines
    assert line.hours is None


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"seller": 7}, "7 is not text"),
        ({"total_minor": "4.70"}, "'4.70' is not a whole number"),
        ({"start": True}, "True is not a whole number"),
        ({"lines": [{"start": None}]}, "None is not a whole number"),
    ],
)
def test_canonical_json_that_is_none(changed: dict[str, Any], told: str) -> None:
    assert refused(canonical(**changed)) == [f"theirs.csv: it is not an invoice as canonical JSON: {told}"]
