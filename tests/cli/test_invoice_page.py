"""The page of an invoice: all that a finance department looks for, and nothing that a name could smuggle in."""

from __future__ import annotations

from typing import Any

from forebay.cli import invoice_page
from tests.cli.desk import Desk, golden
from tests.cli.test_ledger import billed


def money(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "USD"}


def line(**changed: Any) -> dict[str, Any]:
    return {
        "n": 1, "kind": "dedicated", "contract": "c1", "contract_version": 2,
        "clause": "tranches[t1].price_per_gpu_hour",
        "claim": "t1", "sku": "hgx", "site": "s1", "gpu_us": 1, "gpu_hours": "6856704.5",
        "price_per_gpu_hour": money("2.35"), "amount": money("16113255.58"), "text": "32 GPUs dedicated",
    } | changed  # fmt: skip


def body(*lines: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {
        "id": "INV-000007", "number": 7, "seller": "fjord", "tenant": "acme", "start": "2026-11-01T00:00:00Z",
        "end": "2026-12-01T00:00:00Z", "due_at": "2026-12-31T00:00:00Z", "charges": money("16113255.58"),
        "credits": money("0.01"), "total": money("16113255.57"), "lines": list(lines), "digest": "d" * 64,
        "brought_forward": [],
    } | changed  # fmt: skip


def test_the_page_of_an_invoice_as_it_is_printed(desk: Desk) -> None:
    billed(desk)
    ran = desk("invoice", "INV-000001", "--html")
    assert (ran.status, ran.err) == (0, "")
    golden("invoice_page", ran.out)


def test_figures_are_grouped_and_credits_are_less() -> None:
    rounding = line(kind="rounding", gpu_us=0, claim="", sku="", site="", amount=money("-0.01"))
    told = invoice_page.page(body(line(), rounding))
    for figure in (
        "6\u202f856\u202f704.5",
        "16\u202f113\u202f255.58",
        "\u22120.01",
        "16\u202f113\u202f255.57",
    ):
        assert f'<td class="right">{figure}</td>' in told
    for text in (
        "INV-000007",
        "fjord",
        "acme",
        "2026-12-31",
        "Contract c1, version 2",
        "<b>rounding</b></td>",
    ):
        assert text in told
    assert "\u22120.00" not in invoice_page.page(body(credits=money("0.00")))
    assert "Brought forward" not in told


def test_what_is_brought_forward_stands_apart() -> None:
    each = {"contract": "c8", "at": "2026-11-01T00:00:00Z", "account": "receivable", "number": "2025-117",
            "due_at": None, "balance": money("300.00")}  # fmt: skip
    told = invoice_page.page(
        body(line(), brought_forward=[each, each | {"account": "credits", "number": ""}])
    )
    assert "Brought forward, no part of the total" in told
    assert "<td>unpaid</td><td>c8 2025-117</td><td>2026-11-01</td>" in told
    assert "<td>credit</td><td>c8</td>" in told


def test_a_name_is_text_and_never_markup() -> None:
    bad = '<script>alert("x")</script>&'
    told = invoice_page.page(
        body(
            line(text=bad, claim=bad, clause=bad, contract=bad, sku=bad, site=bad, kind=bad),
            seller=bad,
            tenant=bad,
        )
    )
    assert "<script" not in told
    assert told.count("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;") == 9
