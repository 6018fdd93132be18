"""A credit note as a page, like an invoice's: it loads nothing and runs nothing."""

from __future__ import annotations

from html import escape
from typing import Any

from forebay.cli import invoice_page, invoice_words

_COLUMNS = ("16mm", "auto", "34mm")


def note_page(body: dict[str, Any]) -> str:
    """The whole page, UTF-8."""
    name, currency = escape(body["id"]), escape(body["total"]["currency"])
    labelled, rows = invoice_page.labelled, "\n".join(_row(each) for each in body["credited"])
    columns = "".join(f'<col style="width:{width}">' for width in _COLUMNS)
    total = invoice_page.grouped(body["total"]["amount"])
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Credit note {name}</title><style>
{invoice_page.PAGE_STYLE}</style></head>
<body>
<h1>Credit note {name}</h1>
<div class="parties">
{labelled("Seller", body["seller"])}
{labelled("Buyer", body["tenant"])}
</div>
<div class="dates">
{labelled("The seller's number", body["number"])}
{labelled("On invoice", body["invoice"])}
{labelled("Issued", invoice_page.utc_instant(body["issued"]))}
</div>
<p>{escape(body["reason"])}</p>
<table>
<colgroup>{columns}</colgroup>
<thead><tr><th class="right">Line</th><th>For</th><th class="right">{currency}</th></tr></thead>
{rows}
</table>
<table class="totals">
<tr class="due"><td>Credit {currency}</td><td class="right">{total}</td></tr>
</table>
<footer>SHA-256 of the canonical credit note:
{escape(body["digest"])}</footer>
</body>
</html>
"""


def _row(line: dict[str, Any]) -> str:
    what = invoice_words.KINDS.get(line["kind"], line["kind"])
    of = "".join(f", {escape(each)}" for each in (line["claim"], line["sku"], line["site"]) if each)
    amount = invoice_page.grouped(line["amount"]["amount"])
    return (
        f'<tbody><tr><td class="right">{line["line"]}</td><td><b>{escape(what)}</b>{of}</td>'
        f'<td class="right">{amount}</td></tr>'
        f'<tr class="text"><td></td><td colspan="2">{escape(line["text"])}<br>Contract {escape(line["contract"])}, '
        f"version {line['contract_version']}: {escape(line['clause'])}</td></tr></tbody>"
    )
