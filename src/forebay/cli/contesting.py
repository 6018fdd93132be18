"""`forebay dispute open`, `settle`, `withdraw` and `list`: lines of our invoices that a customer contests."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, paper, session
from forebay.cli.disputes import dispute_group
from forebay.cli.failure import Failed, Status

_PART = "N=AMOUNT"
_OUTCOMES = {"open": "open", "for_customer": "for the customer", "for_seller": "for the seller"}


@dispute_group.command(
    "open",
    examples='forebay dispute open INV-000001 --line 2=100.00 --reason "a node was out"',
)
@click.argument("invoice")
@click.option(
    "--line",
    "lines",
    multiple=True,
    required=True,
    metavar=_PART,
    help="So much of a line; may be given again.",
)
@click.option("--reason", required=True, metavar="TEXT", help="What is wrong with it.")
def _open(invoice: str, lines: tuple[str, ...], reason: str) -> None:
    """Contest lines of an invoice.

    What the contract lets the customer keep back of it (`withholding`) is not overdue while the dispute is open, and
    bears no interest.
    """
    parts = [_part(text) for text in lines]
    path = f"/v1/invoices/{client.escaped(invoice.upper())}/disputes"
    _ask("open", path, {"lines": parts, "reason": reason})


@dispute_group.command(
    "settle",
    examples='forebay dispute settle DSP-000001 --for customer --note CN-000001 --reason "agreed on 3 March"',
)
@click.argument("dispute")
@click.option(
    "--for", "outcome", type=click.Choice(["customer", "seller"]), required=True, help="Who was right."
)
@click.option("--note", default="", metavar="NOTE", help="For the customer: the credit note.")
@click.option(
    "--amount", default="", metavar="AMOUNT", help="For the customer: so much, where there is no note."
)
@click.option("--reason", required=True, metavar="TEXT", help="What was agreed.")
def _settle(dispute: str, outcome: str, note: str, amount: str, reason: str) -> None:
    """Both sides agree how a dispute ends.

    An amount is recorded, and credited by a credit note of its own.
    """
    posted = {"outcome": outcome, "reason": reason, "note": note, "amount": amount}
    _ask("settle", f"/v1/disputes/{client.escaped(dispute)}/settle", posted)


@dispute_group.command("withdraw", examples='forebay dispute withdraw DSP-000001 --reason "it was right"')
@click.argument("dispute")
@click.option("--reason", required=True, metavar="TEXT", help="Why it is contested no more.")
def _withdraw(dispute: str, reason: str) -> None:
    """Contest it no more."""
    _ask("withdraw", f"/v1/disputes/{client.escaped(dispute)}/withdraw", {"reason": reason})


@dispute_group.command("list", examples="forebay dispute list\nforebay dispute list --json")
def _list() -> None:
    """List disputes, open and over."""
    said = session.current()
    items = client.connect(said).pages("/v1/disputes")
    if said.json:
        said.emit("dispute.list", {"items": items})
        return
    if not items:
        said.say("nothing is contested")
        return
    rows = [
        (
            each["id"], each["invoice"], each["account"], _lines(each), each["disputed"]["amount"],
            each["withheld"]["amount"], each["disputed"]["currency"],
            _OUTCOMES.get(each["outcome"], each["outcome"]), each["answer"] or each["reason"],
        )
        for each in items
    ]  # fmt: skip
    headers = (
        "DISPUTE",
        "INVOICE",
        "ACCOUNT",
        "LINES",
        "DISPUTED",
        "MAY BE KEPT",
        "CURRENCY",
        "STANDS",
        "WHY",
    )
    click.echo(paper.table(headers, rows, right="    rr   ", color=said.colors()))


def _lines(each: dict[str, Any]) -> str:
    return ", ".join(str(line["line"]) for line in each["lines"])


def _part(text: str) -> dict[str, Any]:
    number, equals, amount = text.partition("=")
    if not (number.isdigit() and equals and amount):
        raise Failed(f"{text!r} is not {_PART}, such as 2=100.00", Status.USAGE, code="usage")
    return {"line": int(number), "amount": amount}


def _ask(verb: str, path: str, posted: dict[str, Any]) -> None:
    said = session.current()
    answer = client.connect(said).post(path, posted)
    if said.json:
        said.emit(f"dispute.{verb}", answer)
        return
    stands = _OUTCOMES.get(answer["outcome"], answer["outcome"])
    told = (
        f"dispute {answer['dispute']} about {answer['invoice']}: {paper.money(answer['disputed'])}, {stands}"
    )
    kept = f"; {paper.money(answer['withheld'])} may be kept back" if answer["outcome"] == "open" else ""
    said.say(told + kept)
