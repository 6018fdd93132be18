"""`forebay receivables`: who owes what, and for how long."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session

EXAMPLES = """
    forebay receivables                                   what everybody owes, by age
    forebay receivables acme                              what one customer owes
    forebay receivables --at 2027-01-01                   as it stood at the end of December
    forebay receivables --at 2027-01-01 --known 2027-01-05
"""
_LATE = ("not_due", "late_1_30", "late_31_60", "late_61_90", "late_over_90", "disputed")
_BUCKETS = {"not_due": "not due", "1_30": "1-30", "31_60": "31-60", "61_90": "61-90", "over_90": "over 90"}


@command.command("receivables", examples=EXAMPLES)
@click.argument("account", required=False, default="")
@click.option("--at", default="", metavar="DATE", help="As it stood then; ages are counted until then.")
@click.option("--known", default="", metavar="DATE", help="Only what was recorded before this.")
def receivables_command(account: str, at: str, known: str) -> None:
    """Open invoices by age, and money on account.

    Days are counted from the due date, each that has begun. A date is its beginning in UTC; a time is RFC 3339.
    """
    said = session.current()
    body = client.connect(said).get("/v1/receivables", account=account, at=at, known=known)
    if said.json:
        said.emit("receivables", body)
    else:
        click.echo(receivables_text(body, said.colors()))


def receivables_text(body: dict[str, Any], color: bool) -> str:
    """Sums by account and age, then each open invoice."""
    if not body["accounts"]:
        return "nothing is open, and nothing is on account"
    sums = [
        (
            each["account"], each["open"]["currency"], *(each[name]["amount"] for name in _LATE),
            each["open"]["amount"], each["on_account"]["amount"], each["net"]["amount"],
        )
        for each in body["accounts"]
    ]  # fmt: skip
    head = (
        "ACCOUNT",
        "CURRENCY",
        "NOT DUE",
        "1-30",
        "31-60",
        "61-90",
        "OVER 90",
        "DISPUTED",
        "OPEN",
        "ON ACCOUNT",
        "NET",
    )
    told = [paper.table(head, sums, right="  rrrrrrrrr", color=color)]
    rows = [
        (
            each["invoice"] or "(none)", each["account"], paper.day(each["due_at"]), each["days_late"],
            _BUCKETS[each["bucket"]], each["disputed"]["amount"], each["open"]["amount"],
            each["open"]["currency"],
        )
        for each in body["invoices"]
    ]  # fmt: skip
    if rows:
        headers = ("INVOICE", "ACCOUNT", "DUE", "DAYS LATE", "BUCKET", "DISPUTED", "OPEN", "CURRENCY")
        told.append(paper.table(headers, rows, right="   r rr ", color=color))
    return "\n\n".join(told)
