"""`forebay invoice`: invoices as they were issued, and the close of a billing period."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session
from forebay.cli.failure import Failed

EXAMPLES = """
    forebay invoice list
    forebay invoice show INV-000001
    forebay invoice INV-000001                       the same
    forebay invoice close --reason "end of the trial"
"""


class _Invoices(command.CommandGroup):
    """`forebay invoice INV-000001` means `forebay invoice show INV-000001`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0].upper().startswith("INV-"):
            args = ["show", *args]
        return super().resolve_command(ctx, args)


@click.group("invoice", cls=_Invoices, examples=EXAMPLES, invoke_without_command=True)
@click.pass_context
def invoice_group(context: click.Context) -> None:
    """List and print invoices; close the billing period.

    `forebay explain INV-000001:2` tells what line 2 rests on.
    """
    if context.invoked_subcommand is None:
        context.invoke(_list)


@invoice_group.command("list", examples="forebay invoice list\nforebay invoice list --json")
def _list() -> None:
    """List invoices."""
    said = session.current()
    found = client.connect(said)
    items = found.pages("/v1/invoices")
    if said.json:
        said.emit("invoice.list", {"items": items})
        return
    if not items:
        end = paper.moment(found.get("/v1/status")["period"]["end"])
        said.say(f"no invoice is issued yet: the open period ends by itself at {end}")
        said.say("`forebay status` tells what it holds so far")
        if found.own:
            said.say("`forebay invoice close` closes it now")
        return
    totals = paper.charges(each["total"] for each in items)
    rows = [
        (each["id"], each["tenant"], paper.moment(each["start"]), paper.moment(each["end"]), each["lines"], total)
        for each, total in zip(items, totals, strict=True)
    ]  # fmt: skip
    headers = ("INVOICE", "TENANT", "FROM", "UNTIL", "LINES", "TOTAL")
    click.echo(paper.table(headers, rows, right="    rr", color=said.colors()))


@invoice_group.command("show", examples="forebay invoice show INV-000001\nforebay invoice INV-000001 --json")
@click.argument("invoice")
def _show(invoice: str) -> None:
    """Print an invoice with every line."""
    said = session.current()
    body = client.connect(said).get(f"/v1/invoices/{client.escaped(invoice.upper())}")
    if said.json:
        said.emit("invoice", body)
    else:
        click.echo(invoice_text(body, said.colors()))


@invoice_group.command("close", examples='forebay invoice close --reason "end of the trial"')
@click.option(
    "--reason", default="closed by hand", show_default=True, metavar="TEXT", help="Why, for the record."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask first.")
def _close(reason: str, yes: bool) -> None:
    """Close the billing period now and issue its invoices.

    It cannot be undone: on a terminal it asks first. Periods close by themselves at the end of each calendar month
    (UTC).
    """
    said = session.current()
    if said.may_ask() and not yes:
        click.confirm("Close the billing period and issue its invoices?", abort=True, err=True)
    found = client.connect(said)
    try:
        body = found.post("/v1/periods/close", {"reason": reason})
    except Failed as failure:
        if failure.code == "forbidden":
            failure.hint = (
                "Periods close by themselves at the end of each calendar month (UTC); `forebay status` tells what "
                "the open one holds so far."
            )
        raise
    if said.json:
        said.emit("invoice.close", body)
        return
    numbers = ", ".join(body["invoices"]) or "none"
    said.say(f"the period from {paper.moment(body['start'])} to {paper.moment(body['end'])} is closed")
    said.say(f"invoices: {numbers}")


def invoice_text(body: dict[str, Any], color: bool) -> str:
    """An invoice for people: its head, its lines as a table, each with the sum it comes from, its total."""
    head = f"{body['id']} to {body['tenant']}, {paper.moment(body['start'])} to {paper.moment(body['end'])}"
    lines = body["lines"]
    hours = paper.gpu_hours(line["gpu_hours"] if line["gpu_us"] else "" for line in lines)
    prices = paper.prices(line["price_per_gpu_hour"]["amount"] if line["gpu_us"] else "" for line in lines)
    rows = [
        (line["n"], KINDS.get(line["kind"], line["kind"]), sold, price, line["amount"]["amount"])
        for line, sold, price in zip(lines, hours, prices, strict=True)
    ]
    currency = body["total"]["currency"]
    rows.append(("", "total", "", "", body["total"]["amount"]))
    headers = ("LINE", "FOR", "GPU-H", "PRICE", currency)
    table = paper.table(headers, rows, right="r rrr", color=color).splitlines()
    told = [click.style(head, bold=True) if color else head, *(f"  {line}" for line in table)]
    notes = [part for line in body["lines"] for part in paper.wrapped(f"{line['n']}: {line['text']}")]
    return "\n".join(
        [*told, "", *(f"  {note}" for note in notes), *_forward(body.get("brought_forward", []))]
    )


def _forward(balances: list[dict[str, Any]]) -> list[str]:
    """What is brought forward from the books of before, which is no part of the total."""
    if not balances:
        return []
    lines = ["", "  Brought forward, no part of the total:"]
    for each in balances:
        what = BALANCES.get(each["account"], each["account"])
        of = f"invoice {each['number']}, " if each["number"] else ""
        due = f", due {paper.day(each['due_at'])}" if each["due_at"] else ""
        day = paper.moment(each["at"])
        lines.append(
            f"    {each['contract']} at {day}: {of}{what} {each['balance']['amount'].lstrip('-')}{due}"
        )
    return lines


#: Balances that are brought forward, in words: which side owes it is part of the word.
BALANCES = {
    "receivable": "unpaid",
    "deferred_revenue": "billed ahead",
    "prepayments": "prepaid",
    "deposits": "deposit",
    "credits": "credit",
}


#: What lines are for, in words.
KINDS = {
    "dedicated": "own tranche, used or not",
    "on_demand": "on demand",
    "spot": "spot",
    "lending_share": "share of lending",
    "correction": "correction",
    "rounding": "rounding",
}
