"""`forebay taxes`: which taxes stand on whose invoices."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session

EXAMPLES = """
    forebay apply taxes.yaml               all taxes of an account, from their dates on
    forebay taxes                          what is recorded, and what holds now
"""


@command.command("taxes", examples=EXAMPLES)
def taxes_command() -> None:
    """Taxes by account: rates, from when on they hold, and what they rest on."""
    said = session.current()
    body = client.connect(said).get("/v1/taxes")
    if said.json:
        said.emit("taxes", body)
    else:
        click.echo(taxes_text(body, said.colors()))


def taxes_text(body: dict[str, Any], color: bool) -> str:
    """A row for each rate."""
    rows = [
        (
            each["account"], rate["jurisdiction"], paper.share(rate["rate_ppm"]), paper.day(rate["start"]),
            "holds" if rate["in_force"] else "", "reverse charge" if rate["reverse_charge"] else "", rate["number"],
            rate["evidence"],
        )
        for each in body["items"]
        for rate in each["rates"]
    ]  # fmt: skip
    if not rows:
        return "no account has taxes on its invoices"
    head = ("ACCOUNT", "JURISDICTION", "RATE", "FROM", "NOW", "", "NUMBER", "EVIDENCE")
    return paper.table(head, rows, right="  r", color=color)
