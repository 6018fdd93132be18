"""`forebay ledger`: what the books say, or said: balances, and what was posted to an account."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session
from forebay.cli.failure import Failed, Status

EXAMPLES = """
    forebay ledger                                        every balance
    forebay ledger --at 2026-12-01                        as it stood at the end of November
    forebay ledger --at 2026-12-01 --known 2027-03-03     the same, as it was believed on 3 March
    forebay ledger receivable:acme --from 2026-12-01      what was posted to an account since
"""


@command.command("ledger", examples=EXAMPLES)
@click.argument("account", required=False, default="")
@click.option("--at", default="", metavar="DATE", help="Only what took effect before this.")
@click.option("--known", default="", metavar="DATE", help="Only what was recorded before this.")
@click.option(
    "--from", "start", default="", metavar="DATE", help="With ACCOUNT: what came before is one balance."
)
def ledger_command(account: str, at: str, known: str, start: str) -> None:
    """Balances of all accounts, or what was posted to one.

    Debits are positive. A date is its beginning in UTC; a time is RFC 3339. When something took effect is not when it
    was recorded: a correction takes effect in its period, and is known from the day it was made. --at and --known
    together tell what was believed on one day of another.
    """
    said = session.current()
    found = client.connect(said)
    if account:
        _statement(said, found, account, {"from": start, "until": at, "known": known})
        return
    if start:
        raise Failed("--from is for the statement of an account", Status.USAGE, code="usage")
    body = found.get("/v1/ledger", at=at, known=known)
    if said.json:
        said.emit("ledger", body)
    else:
        click.echo(balances_text(body, said.colors()))


def balances_text(body: dict[str, Any], color: bool) -> str:
    """The trial balance, and whether it balances."""
    if not body["accounts"]:
        return "nothing was posted" + (" by then" if body["at"] or body["known"] else " yet")
    rows = [
        (each["account"], each["balance"]["currency"], *_sides(each["balance"]["amount"]))
        for each in body["accounts"]
    ]
    table = paper.table(("ACCOUNT", "CURRENCY", "DEBIT", "CREDIT"), rows, right="  rr", color=color)
    counted = paper.count(body["transactions"], "transaction")
    wrong = ", ".join(paper.money(each) for each in body["totals"] if each["amount"].strip("-0."))
    sums = "every currency sums to zero" if body["balanced"] else f"NOT BALANCED: {wrong}"
    return "\n".join([table, "", f"{counted}; {sums}"])


def _sides(amount: str) -> tuple[str, str]:
    return ("", amount[1:]) if amount.startswith("-") else (amount, "")


def _statement(said: session.Session, found: client.Client, account: str, bounds: dict[str, Any]) -> None:
    items = found.pages(f"/v1/ledger/accounts/{client.escaped(account)}", **bounds)
    if said.json:
        said.emit("ledger.account", {"account": account, "items": items})
        return
    if not items:
        said.say(f"nothing was posted to {account} in that time")
        return
    rows = [
        (
            paper.day(each["effective_at"]), paper.day(each["recorded_at"]), each["transaction"], each["text"],
            each["amount"]["amount"], each["balance"]["amount"], each["balance"]["currency"],
        )
        for each in items
    ]  # fmt: skip
    headers = ("EFFECTIVE", "RECORDED", "TRANSACTION", "FOR", "AMOUNT", "BALANCE", "CURRENCY")
    click.echo(paper.table(headers, rows, right="    rr ", color=said.colors()))
