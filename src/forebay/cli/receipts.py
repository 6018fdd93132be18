"""`forebay receipt`: money that came, and what it pays."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session
from forebay.cli.failure import Failed, Status

EXAMPLES = """
    forebay receipt record --account acme --currency USD --amount 1000.00 --received 2026-12-20 \\
        --reference "wire 4711" --allocate INV-000001=800.00
    forebay receipt allocate RCT-000001 INV-000002=200.00
    forebay receipt reverse RCT-000001 --reason "of another customer"
    forebay receipt list
"""
_PART = "INVOICE=AMOUNT"


@command.group("receipt", examples=EXAMPLES)
def receipt_group() -> None:
    """Record money that came, allocate it to invoices, reverse what was wrong."""


@receipt_group.command(
    "record",
    examples="forebay receipt record --account acme --currency USD --amount 1000.00 --received 2026-12-20 "
    '--reference "wire 4711"',
)
@click.option("--account", required=True, metavar="TENANT", help="Who paid.")
@click.option("--currency", required=True, metavar="CODE", help="In which currency, such as USD.")
@click.option("--amount", required=True, metavar="AMOUNT", help="How much, such as 1000.00.")
@click.option(
    "--received", required=True, metavar="TIME", help="When it came: a date in UTC, or a time (RFC 3339)."
)
@click.option(
    "--reference", required=True, metavar="TEXT", help="What the bank calls it; once for each customer."
)
@click.option("--allocate", multiple=True, metavar=_PART, help="What it pays; may be given again.")
def _record(
    account: str, currency: str, amount: str, received: str, reference: str, allocate: tuple[str, ...]
) -> None:
    """Record money that came; what is not allocated lies on account.

    The same receipt once more changes nothing; another one under the same reference is refused.
    """
    posted = {
        "account": account, "currency": currency, "amount": amount, "received": received,
        "reference": reference, "allocate": receipt_parts(allocate),
    }  # fmt: skip
    _ask("record", "/v1/receipts", posted, "is recorded")


@receipt_group.command("allocate", examples="forebay receipt allocate RCT-000001 INV-000002=200.00")
@click.argument("receipt")
@click.argument("parts", metavar=_PART, nargs=-1, required=True)
def _allocate(receipt: str, parts: tuple[str, ...]) -> None:
    """Pay invoices from what lies on account of a receipt."""
    path = f"/v1/receipts/{client.escaped(receipt)}/allocate"
    _ask("allocate", path, {"allocate": receipt_parts(parts)}, "is allocated")


@receipt_group.command(
    "reverse", examples='forebay receipt reverse RCT-000001 --reason "of another customer"'
)
@click.argument("receipt")
@click.option("--reason", required=True, metavar="TEXT", help="Why it was wrong, for the record.")
def _reverse(receipt: str, reason: str) -> None:
    """A receipt was wrong: what it paid is open again."""
    path = f"/v1/receipts/{client.escaped(receipt)}/reverse"
    _ask("reverse", path, {"reason": reason}, "is reversed")


@receipt_group.command("list", examples="forebay receipt list\nforebay receipt list --json")
def _list() -> None:
    """List receipts, and what they pay."""
    said = session.current()
    items = client.connect(said).pages("/v1/receipts")
    if said.json:
        said.emit("receipt.list", {"items": items})
        return
    if not items:
        said.say("no receipt is recorded yet")
        return
    rows = [
        (
            each["id"], each["account"], paper.day(each["received_at"]), each["reference"],
            each["amount"]["amount"], each["on_account"]["amount"], each["amount"]["currency"], _state(each),
        )
        for each in items
    ]  # fmt: skip
    headers = ("RECEIPT", "ACCOUNT", "RECEIVED", "REFERENCE", "AMOUNT", "ON ACCOUNT", "CURRENCY", "PAYS")
    click.echo(paper.table(headers, rows, right="    rr  ", color=said.colors()))


def _state(receipt: dict[str, Any]) -> str:
    if receipt["reversed_at"]:
        return f"reversed: {receipt['reason']}"
    return ", ".join(f"{part['invoice']} {part['amount']['amount']}" for part in receipt["allocations"])


def receipt_parts(texts: tuple[str, ...]) -> list[dict[str, str]]:
    """Invoices and amounts, as they are posted."""
    parts = []
    for text in texts:
        invoice, equals, amount = text.rpartition("=")
        if not (invoice and equals and amount):
            raise Failed(f"{text!r} is not {_PART}", Status.USAGE, code="usage")
        parts.append({"invoice": invoice, "amount": amount})
    return parts


def _ask(verb: str, path: str, posted: dict[str, Any], done: str) -> None:
    said = session.current()
    answer = client.connect(said).post(path, posted)
    if said.json:
        said.emit(f"receipt.{verb}", answer)
        return
    done = done if answer["changed"] else "was recorded already"
    said.say(f"receipt {answer['receipt']} {done}; {paper.money(answer['on_account'])} of it on account")
