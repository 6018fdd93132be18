"""An invoice as a page: to print, or to keep as PDF from a browser. It loads nothing and runs nothing.

The head of the table is repeated on every sheet, no line is torn apart, and totals stay with each other.
"""

from __future__ import annotations

from html import escape
from typing import Any

from forebay.cli import invoice_sums, invoice_words, paper

#: How a page looks, on paper too.
PAGE_STYLE = """\
@page { size: A4; margin: 18mm 16mm 20mm; }
* { box-sizing: border-box; }
body { font: 10pt/1.4 "Helvetica Neue", Arial, sans-serif; color: #16191d; margin: 0 auto; max-width: 186mm;
  padding: 10mm 4mm; }
h1 { font-size: 20pt; margin: 0 0 6mm; }
.parties, .dates { display: flex; gap: 12mm; margin-bottom: 6mm; }
.parties > div, .dates > div { flex: 1; }
.label { font-size: 8pt; color: #5b6470; }
.name { font-size: 12pt; font-weight: 600; overflow-wrap: anywhere; }
.dates { gap: 6mm; }
.dates .name { font-size: 10pt; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
thead { display: table-header-group; }
th { text-align: left; font-size: 8pt; color: #5b6470; border-bottom: 1.5pt solid #16191d; padding: 1.5mm; }
td { vertical-align: top; padding: 1.5mm 1.5mm 0; overflow-wrap: anywhere; }
tbody, tr { break-inside: avoid; }
.right { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.text td { font-size: 8pt; color: #3f4750; border-bottom: .4pt solid #c9ced5; padding: 0 1.5mm 1.5mm; }
.totals { width: 84mm; margin: 6mm 0 0 auto; break-inside: avoid; }
.totals td { padding-bottom: 1.5mm; }
.totals .due td { border-top: 1.5pt solid #16191d; font-size: 12pt; font-weight: 600; }
.forward { margin-top: 10mm; break-inside: avoid; }
footer { break-before: avoid; margin-top: 10mm; font-size: 7.5pt; color: #5b6470; overflow-wrap: anywhere; }
@media print { body { padding: 0; max-width: none; } }
"""
#: Widths of the columns: number, what for, hours, price, amount.
_COLUMNS = ("8mm", "auto", "36mm", "24mm", "34mm")


def page(body: dict[str, Any]) -> str:
    """The whole page, UTF-8."""
    number, currency = escape(invoice_title(body)), escape(body["total"]["currency"])
    columns = "".join(f'<col style="width:{width}">' for width in _COLUMNS)
    rows = "\n".join(_row(line) for line in body["lines"])
    sums = "\n".join(_total(label, amount) for label, amount in invoice_sums.sums_of(body))
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{number}</title><style>
{PAGE_STYLE}</style></head>
<body>
<h1>{number}</h1>
<div class="parties">
{labelled("Seller", body["seller"])}
{labelled("Buyer", body["tenant"])}
</div>
<div class="dates">
{labelled("The seller's number", body["number"])}
{labelled("Service from", utc_instant(body["start"]))}
{labelled("Until, exclusive", utc_instant(body["end"]))}
{labelled("Due", utc_instant(body["due_at"]))}
</div>
<table>
<colgroup>{columns}</colgroup>
<thead><tr><th></th><th>For</th><th class="right">GPU-hours</th><th class="right">Price</th>\
<th class="right">{currency}</th></tr></thead>
{rows}
</table>
<table class="totals">
{sums}
<tr class="due"><td>Total {currency}</td><td class="right">{grouped(body["total"]["amount"])}</td></tr>
</table>
{_forward(body["brought_forward"])}<footer>Prices are per GPU-hour in {currency}. SHA-256 of the canonical invoice:
{escape(body["digest"])}</footer>
</body>
</html>
"""


def invoice_title(body: dict[str, Any]) -> str:
    """What stands above an invoice."""
    void = " (void)" if body.get("void") else ""
    instead = f", in the place of {body['replaces']}" if body.get("replaces") else ""
    return f"Invoice {body['id']}{void}{instead}"


def utc_instant(text: str) -> str:
    """An instant in UTC, for people; what is at midnight is a day."""
    day, _, clock = text.removesuffix("Z").partition("T")
    return day if clock == "00:00:00" else f"{day} {clock} UTC"


def labelled(label: str, value: object) -> str:
    """A value under its label."""
    return f'<div><div class="label">{label}</div><div class="name">{escape(str(value))}</div></div>'


def _row(line: dict[str, Any]) -> str:
    what = invoice_words.KINDS.get(line["kind"], line["kind"])
    sold = [each for each in (line["claim"], line["sku"], line["site"]) if each]
    of = "".join(f", {escape(each)}" for each in sold)
    hours, price = (line["gpu_hours"], line["price_per_gpu_hour"]["amount"]) if line["gpu_us"] else ("", "")
    return (
        f'<tbody><tr><td class="right">{line["n"]}</td><td><b>{escape(what)}</b>{of}</td>'
        f'<td class="right">{grouped(hours)}</td><td class="right">{grouped(price)}</td>'
        f'<td class="right">{grouped(line["amount"]["amount"])}</td></tr>'
        f'<tr class="text"><td></td><td colspan="4">{escape(line["text"])}<br>Contract {escape(line["contract"])}, '
        f"version {line['contract_version']}: {escape(line['clause'])}</td></tr></tbody>"
    )


def _total(label: str, amount: str) -> str:
    return f'<tr><td>{label}</td><td class="right">{grouped(amount)}</td></tr>'


def grouped(amount: str) -> str:
    """A decimal with its thousands apart by thin spaces that do not break, and a real minus."""
    sign = "\N{MINUS SIGN}" if amount.startswith("-") else ""
    whole, point, rest = amount.removeprefix("-").partition(".")
    return (
        sign + (f"{int(whole):,}".replace(",", "\N{NARROW NO-BREAK SPACE}") if whole else "") + point + rest
    )


def _forward(balances: list[dict[str, Any]]) -> str:
    """What the books of before left open, which is no part of the total."""
    if not balances:
        return ""
    rows = "\n".join(
        f"<tr><td>{escape(invoice_words.BALANCES.get(each['account'], each['account']))}</td>"
        f"<td>{escape(each['contract'])}{' ' + escape(each['number']) if each['number'] else ''}</td>"
        f"<td>{paper.day(each['at'])}</td>"
        f'<td class="right">{grouped(each["balance"]["amount"].lstrip("-"))}</td></tr>'
        for each in balances
    )
    label = '<div class="label">Brought forward, no part of the total</div>'
    return f'<div class="forward">{label}<table>\n{rows}\n</table></div>\n'
