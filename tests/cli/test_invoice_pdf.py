"""An invoice as PDF: read back with another library."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import pypdf
import pytest

from forebay.cli import invoice_pdf
from tests.cli.desk import Desk
from tests.cli.test_invoice_page import body, line, money
from tests.cli.test_ledger import billed


def read(data: bytes) -> pypdf.PdfReader:
    return pypdf.PdfReader(io.BytesIO(data))


def words(data: bytes) -> str:
    """Text of all pages; spaces of all kinds are one."""
    return " ".join(" ".join(page.extract_text() for page in read(data).pages).split())


def test_a_pdf_says_what_the_invoice_says_and_carries_it(desk: Desk, tmp_path: Path) -> None:
    billed(desk)
    file = tmp_path / "invoice.pdf"
    ran = desk("invoice", "INV-000001", "--pdf", str(file))
    assert (ran.status, ran.out) == (0, "")
    told = words(file.read_bytes())
    shown = desk("invoice", "INV-000001", "--json").json
    for text in ("Invoice INV-000001", shown["seller"], shown["tenant"], shown["digest"], "2026-12-01"):
        assert text in told
    for each in shown["lines"]:
        assert f"Contract {each['contract']}, version {each['contract_version']}: {each['clause']}" in told
    (attached,) = read(file.read_bytes()).attachments["INV-000001.json"]
    assert attached == desk("invoice", "INV-000001", "--canonical").out.encode()
    assert hashlib.sha256(attached).hexdigest() == shown["digest"]


def test_it_is_for_archives_and_the_same_each_time() -> None:
    made = invoice_pdf.pdf(body(line()), b"{}")
    assert made == invoice_pdf.pdf(body(line()), b"{}")
    metadata = read(made).metadata
    assert metadata is not None
    assert (metadata.title, metadata.author) == ("Invoice INV-000007", "fjord")
    xmp = read(made).xmp_metadata
    assert xmp is not None
    assert (xmp.pdfaid_part, xmp.pdfaid_conformance) == ("3", "B")


def test_no_line_is_torn_apart_and_every_sheet_has_the_head() -> None:
    made = invoice_pdf.pdf(body(*[line(n=n, text=f"text of {n}.") for n in range(1, 101)]), b"{}")
    pages = [page.extract_text() for page in read(made).pages]
    assert len(pages) == 5
    for place, page in enumerate(pages):
        assert f"page {place + 1} of 5" in page
    for page in pages[:-1]:
        assert "For GPU-hours Price USD" in page
    for n in range(1, 101):
        (holding,) = [page for page in pages if f"text of {n}." in page]
        assert f"255.58{n}\ntext of {n}.\nContract c1" in holding


def test_many_lines_are_summed_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invoice_pdf, "LINES_MAX", 3)
    hour = {"gpu_us": 3_600_000_000, "gpu_hours": "1"}
    lines: list[dict[str, Any]] = [
        line(n=1, **hour, amount=money("2.35")),
        line(n=2, **hour, amount=money("2.35")),
        line(n=3, **hour, amount=money("1.00"), claim="t2"),
        line(n=4, **hour, amount=money("0.33"), price_per_gpu_hour=money("0.33")),
    ]
    told = words(invoice_pdf.pdf(body(*lines), b"{}"))
    assert "the sum of 3 lines, from 1 to 4 of the attached invoice" in told
    assert "3.00 5.031 the sum" in told
    assert "the sum of 1 line, from 3 to 3 of the attached invoice" in told


def test_what_is_brought_forward_and_what_is_not_there() -> None:
    each = {"contract": "c8", "at": "2026-11-01T00:00:00Z", "account": "receivable", "number": "2025-117",
            "due_at": None, "balance": money("-300.00")}  # fmt: skip
    told = words(invoice_pdf.pdf(body(line(), brought_forward=[each]), b"{}"))
    assert "Brought forward, no part of the total unpaid c8 2025-117 2026-11-01 300.00" in told
    rounding = line(kind="rounding", gpu_us=0, claim="", sku="", site="", amount=money("-0.01"))
    assert "rounding" in words(invoice_pdf.pdf(body(rounding), b"{}"))
    assert "Brought" not in words(invoice_pdf.pdf(body(rounding), b"{}"))


def test_a_name_is_text_and_never_markup() -> None:
    bad = '#panic("x") *bold* $x$ <label> @ref \\ [x] `y` // z'
    told = words(invoice_pdf.pdf(body(line(text=bad, claim=bad), seller=bad, tenant=bad), b"{}"))
    assert told.count(bad) >= 4


def test_a_letter_without_a_font_is_refused_by_name() -> None:
    # A letter of a private area: no font is expected to have it.
    with pytest.raises(invoice_pdf.UnprintableText, match="could not be displayed"):
        invoice_pdf.pdf(body(line(), seller="\U0010ffff\ue123"), b"{}")


def test_the_command_says_so(desk: Desk, tmp_path: Path) -> None:
    ran = desk("invoice", "INV-000404", "--pdf", str(tmp_path / "x.pdf"))
    assert ran.status != 0
    assert not (tmp_path / "x.pdf").exists()
    billed(desk)
    ran = desk("invoice", "INV-000001", "--pdf", str(tmp_path / "nowhere" / "x.pdf"))
    assert ran.status != 0
    assert "nowhere" in ran.err
