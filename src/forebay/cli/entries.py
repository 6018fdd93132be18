"""`forebay entry`: entries that are made by hand, by one person and approved by another."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session
from forebay.cli.failure import Failed, Status

EXAMPLES = """
    forebay entry propose --currency USD --debit expense:bad_debt=84.00 \\
        --credit receivable:acme/INV-000001=84.00 --text "written off" --effective 2026-12-20
    forebay entry approve ENT-000001
    forebay entry reject ENT-000001 --reason "it will be paid"
    forebay entry list
"""
_SIDE = "ACCOUNT[/INVOICE]=AMOUNT"


@command.group("entry", examples=EXAMPLES)
def entry_group() -> None:
    """Propose journal entries by hand; another person approves or rejects them."""


@entry_group.command(
    "propose",
    examples="forebay entry propose --currency USD --debit expense:bad_debt=84.00 "
    '--credit receivable:acme/INV-000001=84.00 --text "written off" --effective 2026-12-20',
)
@click.option("--currency", required=True, metavar="CODE", help="In which currency, such as USD.")
@click.option("--debit", multiple=True, required=True, metavar=_SIDE, help="A debit; may be given again.")
@click.option("--credit", multiple=True, required=True, metavar=_SIDE, help="A credit; may be given again.")
@click.option("--text", required=True, metavar="TEXT", help="What it is for.")
@click.option(
    "--effective",
    required=True,
    metavar="TIME",
    help="When it takes effect, in the open period: a date in UTC, or a time.",
)
def _propose(
    currency: str, debit: tuple[str, ...], credit: tuple[str, ...], text: str, effective: str
) -> None:
    """Propose an entry: it is posted once another person approves it.

    A side of a receivable account names the invoice that it is about.
    """
    sides = [*(_side(each, "debit") for each in debit), *(_side(each, "credit") for each in credit)]
    _ask(
        "propose", "/v1/entries", {"currency": currency, "sides": sides, "text": text, "effective": effective}
    )


@entry_group.command("approve", examples="forebay entry approve ENT-000001")
@click.argument("entry")
def _approve(entry: str) -> None:
    """Approve an entry that another person proposed: it is posted."""
    _ask("approve", f"/v1/entries/{client.escaped(entry)}/approve", {})


@entry_group.command("reject", examples='forebay entry reject ENT-000001 --reason "it will be paid"')
@click.argument("entry")
@click.option("--reason", required=True, metavar="TEXT", help="Why it is not posted.")
def _reject(entry: str, reason: str) -> None:
    """An entry is not posted; who proposed it may take it back."""
    _ask("reject", f"/v1/entries/{client.escaped(entry)}/reject", {"reason": reason})


@entry_group.command("list", examples="forebay entry list\nforebay entry list --json")
def _list() -> None:
    """List entries by hand, and who proposed and approved them."""
    said = session.current()
    items = client.connect(said).pages("/v1/entries")
    if said.json:
        said.emit("entry.list", {"items": items})
        return
    if not items:
        said.say("no entry was proposed yet")
        return
    rows = [
        (
            each["id"], paper.day(each["effective_at"]), ", ".join(_written(side) for side in each["sides"]),
            each["sides"][0]["amount"]["currency"], each["standing"], each["proposed_by"], each["decided_by"],
            each["text"],
        )
        for each in items
    ]  # fmt: skip
    headers = ("ENTRY", "EFFECTIVE", "SIDES", "CURRENCY", "STANDS", "PROPOSED BY", "DECIDED BY", "TEXT")
    click.echo(paper.table(headers, rows, color=said.colors()))


def _written(side: dict[str, Any]) -> str:
    item = f"/{side['item']}" if side["item"] else ""
    return f"{side['account']}{item} {side['amount']['amount']}"


def _side(text: str, kind: str) -> dict[str, str]:
    named, equals, amount = text.rpartition("=")
    account, _, item = named.partition("/")
    if not (account and equals and amount):
        raise Failed(f"{text!r} is not {_SIDE}", Status.USAGE, code="usage")
    return {"account": account, "item": item, kind: amount}


def _ask(verb: str, path: str, posted: dict[str, Any]) -> None:
    said = session.current()
    answer = client.connect(said).post(path, posted)
    if said.json:
        said.emit(f"entry.{verb}", answer)
        return
    more = ": another person is to approve it" if answer["standing"] == "proposed" else ""
    said.say(f"entry {answer['entry']} is {answer['standing']}{more}")
