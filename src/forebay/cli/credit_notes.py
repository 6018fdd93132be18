"""`forebay credit-note`: what is taken back of an invoice."""

from __future__ import annotations

import sys
from typing import Any

import click

from forebay.cli import client, command, credit_note_page, invoice_words, paper, session
from forebay.cli.failure import Failed, Status

EXAMPLES = """
    forebay credit-note issue INV-000001 --line 2=100.00 --reason "agreed on 3 March"
    forebay credit-note issue INV-000001 --reason "billed to the wrong department"       all that is left of it
    forebay credit-note show CN-000001
    forebay credit-note allocate CN-000001 INV-000002=40.00
    forebay credit-note list
"""


@command.group("credit-note", examples=EXAMPLES)
def credit_note_group() -> None:
    """Credit lines of invoices, print and list credit notes, let them pay other invoices."""


@credit_note_group.command(
    "issue", examples='forebay credit-note issue INV-000001 --line 2=100.00 --reason "agreed on 3 March"'
)
@click.argument("invoice")
@click.option(
    "--line", "lines", multiple=True, metavar="N=AMOUNT", help="So much of a line; may be given again."
)
@click.option("--reason", required=True, metavar="TEXT", help="Why, for the record and for the customer.")
def _issue(invoice: str, lines: tuple[str, ...], reason: str) -> None:
    """Credit lines of an invoice, or all that is left of it.

    Of a line that was itself a credit an amount below 0 is taken back. What the customer has paid already is open in
    its favour, and may pay other invoices.
    """
    said = session.current()
    parts = [{"line": number, "amount": amount} for number, amount in (_part(text) for text in lines)]
    path = f"/v1/invoices/{client.escaped(invoice.upper())}/credit-notes"
    answer = client.connect(said).post(path, {"reason": reason, "lines": parts})
    if said.json:
        said.emit("credit-note.issue", answer)
        return
    told = f"credit note {answer['note']} on {answer['invoice']}: {paper.money(answer['total'])}"
    left = f"; {paper.money(answer['left'])} of it was paid already, and is open in its favour"
    said.say(told + (left if _more_than_nothing(answer["left"]) else ""))


def _part(text: str) -> tuple[int, str]:
    number, equals, amount = text.partition("=")
    if not (number.isdigit() and equals and amount):
        raise Failed(f"{text!r} is not N=AMOUNT, such as 2=100.00", Status.USAGE, code="usage")
    return int(number), amount


def _more_than_nothing(amount: dict[str, str]) -> bool:
    return bool(amount["amount"].strip("0."))


@credit_note_group.command(
    "show",
    examples="""
    forebay credit-note show CN-000001
    forebay credit-note show CN-000001 --html > CN-000001.html     to print
    forebay credit-note show CN-000001 --canonical | sha256sum     its digest
""",
)
@click.argument("note")
@click.option("--canonical", is_flag=True, help="The bytes that never change, to compare and to keep.")
@click.option("--html", is_flag=True, help="A page to print from a browser.")
def _show(note: str, canonical: bool, html: bool) -> None:
    """Print a credit note with every line.

    `forebay explain CN-000001:1` tells what its first line rests on.
    """
    said = session.current()
    path = f"/v1/credit-notes/{client.escaped(note.upper())}"
    if canonical:
        client.connect(said).download(f"{path}/canonical", sys.stdout.buffer)
        return
    body = client.connect(said).get(path)
    if html:
        click.echo(credit_note_page.note_page(body), nl=False)
    elif said.json:
        said.emit("credit-note", body)
    else:
        click.echo(credit_note_text(body, said.colors()))


@credit_note_group.command("list", examples="forebay credit-note list\nforebay credit-note list --json")
def _list() -> None:
    """List credit notes."""
    said = session.current()
    items = client.connect(said).pages("/v1/credit-notes")
    if said.json:
        said.emit("credit-note.list", {"items": items})
        return
    if not items:
        said.say("no credit note is issued yet")
        return
    rows = [
        (
            each["id"], each["tenant"], each["invoice"], paper.moment(each["issued"]), each["total"]["amount"],
            each["left"]["amount"], each["total"]["currency"], each["reason"],
        )
        for each in items
    ]  # fmt: skip
    headers = ("CREDIT NOTE", "TENANT", "INVOICE", "ISSUED", "TOTAL", "LEFT", "CURRENCY", "REASON")
    click.echo(paper.table(headers, rows, right="    rr", color=said.colors()))


@credit_note_group.command("allocate", examples="forebay credit-note allocate CN-000001 INV-000002=40.00")
@click.argument("note")
@click.argument("parts", metavar="INVOICE=AMOUNT", nargs=-1, required=True)
def _allocate(note: str, parts: tuple[str, ...]) -> None:
    """Pay other invoices from what is left of a credit note."""
    from forebay.cli.receipts import receipt_parts

    said = session.current()
    path = f"/v1/credit-notes/{client.escaped(note.upper())}/allocate"
    answer = client.connect(said).post(path, {"allocate": receipt_parts(parts)})
    if said.json:
        said.emit("credit-note.allocate", answer)
    else:
        said.say(f"credit note {answer['note']}: {paper.money(answer['left'])} of it is left")


def credit_note_text(body: dict[str, Any], color: bool) -> str:
    """Whose it is and why, line by line."""
    currency = body["total"]["currency"]
    facts = [
        ("credit note", f"{body['id']}, number {body['number']} of {body['seller']}"),
        ("to", body["tenant"]),
        ("on invoice", body["invoice"]),
        ("issued", paper.moment(body["issued"])),
        ("reason", body["reason"]),
    ]
    rows = [
        (
            each["line"], invoice_words.KINDS.get(each["kind"], each["kind"]), each["claim"] or each["sku"],
            each["clause"], each["amount"]["amount"],
        )
        for each in body["credited"]
    ]  # fmt: skip
    table = paper.table(("LINE", "FOR", "OF", "CLAUSE", currency), rows, right="r   r", color=color)
    total = [("total", paper.money(body["total"]))]
    if _more_than_nothing(body["left"]):
        total.append(("left", paper.money(body["left"])))
    return "\n".join((paper.facts(facts), "", table, "", paper.facts(total)))
