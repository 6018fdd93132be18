"""`forebay invoice`: invoices as they were issued, and the close of a billing period."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import Any

import click

from forebay.cli import client, command, invoice_page, invoice_words, paper, session
from forebay.cli.failure import Failed

EXAMPLES = """
    forebay invoice list
    forebay invoice show INV-000001
    forebay invoice INV-000001                       the same
    forebay invoice draft acme                       what the open period would bill now
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
    """List and print invoices, draft what is to come; close the billing period.

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
        (
            each["id"], each["tenant"], paper.moment(each["start"]), paper.moment(each["end"]), each["lines"], total,
            each["state"], paper.day(each["due_at"]), left,
        )
        for each, total, left in zip(items, totals, paper.charges(each["open"] for each in items), strict=True)
    ]  # fmt: skip
    headers = ("INVOICE", "TENANT", "FROM", "UNTIL", "LINES", "TOTAL", "STATE", "DUE", "OPEN")
    click.echo(paper.table(headers, rows, right="    rr  r", color=said.colors()))


@invoice_group.command("draft", examples="forebay invoice draft\nforebay invoice draft acme --json")
@click.argument("account", required=False, default="")
def _draft(account: str) -> None:
    """Print what the open period would bill if it were closed now.

    It is closed on a copy: nothing is recorded, and no number is used.
    """
    said = session.current()
    body = client.connect(said).get("/v1/drafts", account=account)
    if said.json:
        said.emit("invoice.draft", body)
        return
    if not body["items"]:
        whom = f" to {account}" if account else ""
        said.say(f"the period from {paper.moment(body['start'])} would bill nothing{whom} yet")
        return
    drafts = [invoice_text({**each, "id": "draft"}, said.colors()) for each in body["items"]]
    click.echo("\n\n".join(drafts))
    said.say(f"a draft: the period ends by itself at {paper.moment(body['ends'])}, and is billed then")


@invoice_group.command(
    "show",
    examples="""
    forebay invoice show INV-000001
    forebay invoice INV-000001 --json
    forebay invoice INV-000001 --pdf INV-000001.pdf         to send and to print
    forebay invoice INV-000001 --html > INV-000001.html     a page for a browser
    forebay invoice INV-000001 --canonical | sha256sum      its digest
""",
)
@click.argument("invoice")
@click.option("--canonical", is_flag=True, help="The bytes that never change, to compare and to keep.")
@click.option("--html", is_flag=True, help="A page for a browser, to print.")
@click.option("--pdf", "page", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
              help="Write it as PDF/A-3, with the canonical invoice attached.")  # fmt: skip
def _show(invoice: str, canonical: bool, html: bool, page: Path | None) -> None:
    """Print an invoice with every line."""
    said = session.current()
    path = f"/v1/invoices/{client.escaped(invoice.upper())}"
    if canonical:
        found = client.connect(said)
        found.download(f"{path}/canonical", sys.stdout.buffer)
        return
    body = client.connect(said).get(path)
    if page is not None:
        _write_pdf(said, path, body, page)
    elif html:
        click.echo(invoice_page.page(body), nl=False)
    elif said.json:
        said.emit("invoice", body)
    else:
        click.echo(invoice_text(body, said.colors()))


def _write_pdf(said: session.Session, path: str, body: dict[str, Any], page: Path) -> None:
    from forebay.cli import invoice_pdf  # takes a while to load, and few commands want it

    canonical = io.BytesIO()
    client.connect(said).download(f"{path}/canonical", canonical)
    try:
        made = invoice_pdf.pdf(body, canonical.getvalue())
    except invoice_pdf.UnprintableText as failure:
        hint = "Install a font that has it (on Debian fonts-noto-core or fonts-noto-cjk), or take --html."
        raise Failed(f"it cannot be printed here: {failure}", hint=hint, code="unprintable") from None
    page.write_bytes(made)
    said.say(f"{body['id']} is written to {page}")


@invoice_group.command(
    "void", examples='forebay invoice void INV-000001 --reason "billed to the wrong party" --reissue'
)
@click.argument("invoice")
@click.option("--reason", required=True, metavar="TEXT", help="Why, for the record.")
@click.option("--reissue", is_flag=True, help="Bill its lines again at once, under another number.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask first.")
def _void(invoice: str, reason: str, reissue: bool, yes: bool) -> None:
    """Declare an invoice void that nobody has paid: nothing of it is owed.

    It keeps its number, and cannot come back: on a terminal it asks first. An invoice that is paid, or paid in part,
    is put right by a credit note.
    """
    said = session.current()
    if said.may_ask() and not yes:
        click.confirm(f"Declare invoice {invoice.upper()} void?", abort=True, err=True)
    path = f"/v1/invoices/{client.escaped(invoice.upper())}/void"
    answer = client.connect(said).post(path, {"reason": reason, "reissue": reissue})
    if said.json:
        said.emit("invoice.void", answer)
        return
    again = f"; {answer['reissued']} is in its place" if answer["reissued"] else ""
    said.say(f"invoice {answer['invoice']} is void{again}")


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
        (
            line["n"],
            invoice_words.KINDS.get(line["kind"], line["kind"]),
            sold,
            price,
            line["amount"]["amount"],
        )
        for line, sold, price in zip(lines, hours, prices, strict=True)
    ]
    currency = body["total"]["currency"]
    rows.append(("", "total", "", "", body["total"]["amount"]))
    headers = ("LINE", "FOR", "GPU-H", "PRICE", currency)
    table = paper.table(headers, rows, right="r rrr", color=color).splitlines()
    head += f", void: {body['void']}" if body.get("void") else f", due {paper.day(body['due_at'])}"
    head += f", in the place of {body['replaces']}" if body.get("replaces") else ""
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
        what = invoice_words.BALANCES.get(each["account"], each["account"])
        of = f"invoice {each['number']}, " if each["number"] else ""
        due = f", due {paper.day(each['due_at'])}" if each["due_at"] else ""
        day = paper.moment(each["at"])
        lines.append(
            f"    {each['contract']} at {day}: {of}{what} {each['balance']['amount'].lstrip('-')}{due}"
        )
    return lines
