"""The bytes of an invoice: recorded here, and the same for ever."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields, replace

from forebay.core import money
from forebay.core.ids import ContractId, InvoiceId, TenantId, TrancheId
from forebay.core.money.ledger import BroughtForward
from forebay.core.placements.gang import Tier
from forebay.exports import canonical

LINE = money.Line(
    "on_demand", ContractId("c1"), 1, "price list 1: on_demand hgx", TrancheId(""), Tier.ON_DEMAND, "hgx", "s1", 1,
    1_000, 2_000, source_line=0, gpu_us=3_600_000_000, price_micros_per_gpu_hour=2_350_000, amount_micros=2_350_000,
    amount_minor=235, text='1.00 GPU-h "à la carte"',
)  # fmt: skip
ROUNDING = money.Line(
    "rounding", ContractId("c1"), 1, "rounding", TrancheId(""), None, "", "", 0, 1_000, 2_000, amount_minor=-1
)
ISSUED = money.InvoiceIssued(
    InvoiceId("INV-000001"), "fjord", 1, TenantId("acme"), "USD", 1_000, 2_000, (LINE, ROUNDING), 235, 1, 234, 1,
    (BroughtForward(ContractId("c1"), 900, "receivable:acme", 5),),
)  # fmt: skip
#: Written by hand from the rules of `canonical`: never made again.
BYTES = (
    '{"brought_forward":[{"account":"receivable:acme","amount_micros":5,"at":900,"contract":"c1"}],'
    '"charges_minor":235,"credits_minor":1,"currency":"USD","end":2000,"invoice":"INV-000001","lines":['
    '{"amount_micros":2350000,"amount_minor":235,"claim":"","clause":"price list 1: on_demand hgx","contract":"c1",'
    '"contract_version":1,"end":2000,"gpu_us":3600000000,"kind":"on_demand","price_micros_per_gpu_hour":2350000,'
    '"price_version":1,"site":"s1","sku":"hgx","source_line":0,"start":1000,"text":"1.00 GPU-h \\"à la carte\\"",'
    '"tier":"on_demand"},'
    '{"amount_minor":-1,"claim":"","clause":"rounding","contract":"c1","contract_version":1,"end":2000,'
    '"kind":"rounding","price_version":0,"site":"","sku":"","start":1000,"tier":null}],'
    '"number":1,"rating":1,"seller":"fjord","start":1000,"tenant":"acme","total_minor":234}'
).encode()


def test_the_bytes_are_those_that_were_written_down() -> None:
    assert canonical.invoice_bytes(ISSUED) == BYTES
    assert canonical.invoice_digest(ISSUED) == hashlib.sha256(BYTES).hexdigest()
    assert "due_at" not in json.loads(BYTES)


def test_every_figure_counts() -> None:
    for other in (
        replace(ISSUED, due_at=1),
        replace(ISSUED, total_minor=235),
        replace(ISSUED, lines=(ROUNDING, LINE)),
        replace(ISSUED, lines=(replace(LINE, energy_uj=1), ROUNDING)),
    ):
        assert canonical.invoice_digest(other) != canonical.invoice_digest(ISSUED)


def test_a_field_that_comes_later_does_not_change_an_invoice_of_before() -> None:
    @dataclass(slots=True)
    class Later(money.InvoiceIssued):
        a_field_of_later: str = ""

    later = Later(*(getattr(ISSUED, known.name) for known in fields(money.InvoiceIssued)))
    assert canonical.invoice_bytes(later) == BYTES
    assert canonical.invoice_bytes(replace(later, a_field_of_later="x")) != BYTES
