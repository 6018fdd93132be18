"""An invoice as PDF/A-3: to send, to print and to keep, with its canonical JSON attached, which it is a picture of.

Typst sets it (the page is `invoice.typ` beside this file). What is said on the page comes from here, so that no name
can be taken for markup: the template gets words, and shows them.
"""

from __future__ import annotations

import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import typst

from forebay.cli import invoice_sums, invoice_words, paper
from forebay.cli.invoice_page import grouped, invoice_title, utc_instant
from forebay.core.units import HOUR_US, decimal_text, divide_half_even

#: More lines than that are summed for print: by contract and clause, tranche, SKU and site. A sheet holds some 27.
LINES_MAX = 5_000
_TEMPLATE = Path(__file__).with_name("invoice.typ")


class UnprintableText(Exception):
    """A letter that no font on this machine has: it would be an empty box. The message names it."""


def pdf(body: dict[str, Any], canonical: bytes) -> bytes:
    """The whole file; the same body gives the same bytes where the same fonts are installed.

    Raises: UnprintableText.
    """
    inputs = {"told": json.dumps(_told(body)), "canonical": canonical.decode()}
    try:
        made = typst.compile(
            _TEMPLATE, root=_TEMPLATE.parent, format="pdf", sys_inputs=inputs, pdf_standards="a-3b",
            timestamp=datetime.datetime.fromisoformat(body["end"]), pdf_tags=False,
        )  # fmt: skip
    except typst.TypstError as failure:
        if "could not be displayed" in failure.message:
            raise UnprintableText(failure.message.removeprefix("PDF/A-3b error: ")) from failure
        raise
    assert isinstance(made, bytes), "one file was asked for"
    return made


def _told(body: dict[str, Any]) -> dict[str, Any]:
    """Every word and figure of the page."""
    currency = body["total"]["currency"]
    return {
        "title": invoice_title(body),
        "seller": body["seller"],
        "buyer": body["tenant"],
        "currency": currency,
        "facts": [
            ("The seller's number", str(body["number"])),
            ("Service from", utc_instant(body["start"])),
            ("Until, exclusive", utc_instant(body["end"])),
            ("Due", utc_instant(body["due_at"])),
        ],
        "lines": [_line(line) for line in _printed(body["lines"])],
        "totals": [(label, grouped(amount)) for label, amount in invoice_sums.sums_of(body)],
        "due": (f"Total {currency}", grouped(body["total"]["amount"])),
        "forward": [_forward(each) for each in body["brought_forward"]],
        "file": f"{body['id']}.json",
        "digest": body["digest"],
    }


def _printed(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines, or sums of them where they are too many to print; the sums' amounts are exact."""
    if len(lines) <= LINES_MAX:
        return lines
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for line in lines:
        mark = tuple(line[name] for name in ("kind", "contract", "clause", "claim", "sku", "site"))
        groups.setdefault(mark, []).append(line)
    return [_sum(number, group) for number, group in enumerate(groups.values(), start=1)]


def _sum(number: int, group: list[dict[str, Any]]) -> dict[str, Any]:
    amount = sum(Decimal(line["amount"]["amount"]) for line in group)
    hours = divide_half_even(sum(line["gpu_us"] for line in group) * 1_000_000, HOUR_US)
    first, last = group[0]["n"], group[-1]["n"]
    text = f"the sum of {paper.count(len(group), 'line')}, from {first} to {last} of the attached invoice"
    prices = {line["price_per_gpu_hour"]["amount"] for line in group}
    price = group[0]["price_per_gpu_hour"] if len(prices) == 1 else {"amount": ""}
    return group[0] | {
        "n": number, "gpu_hours": decimal_text(hours), "text": text, "price_per_gpu_hour": price,
        "amount": {"amount": f"{amount:f}"},
    }  # fmt: skip


def _line(line: dict[str, Any]) -> dict[str, str]:
    sold = [each for each in (line["claim"], line["sku"], line["site"]) if each]
    metered = bool(line["gpu_us"])
    return {
        "n": str(line["n"]),
        "what": invoice_words.KINDS.get(line["kind"], line["kind"]),
        "of": "".join(f", {each}" for each in sold),
        "hours": grouped(line["gpu_hours"]) if metered else "",
        "price": grouped(line["price_per_gpu_hour"]["amount"]) if metered else "",
        "amount": grouped(line["amount"]["amount"]),
        "text": line["text"],
        "source": f"Contract {line['contract']}, version {line['contract_version']}: {line['clause']}",
    }


def _forward(each: dict[str, Any]) -> tuple[str, str, str, str]:
    return (
        invoice_words.BALANCES.get(each["account"], each["account"]),
        f"{each['contract']} {each['number']}".rstrip(),
        paper.day(each["at"]),
        grouped(each["balance"]["amount"].lstrip("-")),
    )
