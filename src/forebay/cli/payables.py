"""`forebay payables`: what a contract in which we are the customer comes to."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session

EXAMPLES = """
    forebay payables lake-1                          this month, as far as now
    forebay payables lake-1 --period 2026-10         what we expect to be billed for October
"""


@command.command("payables", examples=EXAMPLES)
@click.argument("contract")
@click.option("--period", default="", metavar="MONTH", help="A month like 2026-10; else the one that runs.")
def payables_command(contract: str, period: str) -> None:
    """What we are to pay for a month of a contract, by what both sides know.

    It follows from the contract, its prices, and what came and was accepted. What only the seller sees is not in it:
    nodes that were out, and how much was used of what is not take-or-pay.
    """
    said = session.current()
    body = client.connect(said).get(f"/v1/payables/{client.escaped(contract)}", period=period)
    if said.json:
        said.emit("payables", body)
    else:
        click.echo(payables_text(body, said.colors()))


def payables_text(body: dict[str, Any], color: bool) -> str:
    """Tranche by tranche, and the sum."""
    until = "" if body["over"] else ", as far as now"
    title = f"{body['contract']}, version {body['version']}: {body['seller']} to {body['tenant']}"
    told = [f"{title}, {paper.day(body['start'])} to {paper.day(body['end'])}{until}"]
    if not body["lines"]:
        return f"{told[0]}\n\nnothing of it was there, and nothing is to be paid"
    rows = [
        (
            each["tranche"], each["sku"], each["site"], paper.day(each["start"]), each["gpu_hours"],
            each["price_per_gpu_hour"]["amount"], each["take_or_pay"], each["amount"]["amount"],
        )
        for each in body["lines"]
    ]  # fmt: skip
    head = ("TRANCHE", "SKU", "SITE", "FROM", "GPU-H", "PRICE", "TAKE-OR-PAY", body["currency"])
    told += ["", paper.table(head, rows, right="    rrrr", color=color)]
    told += [f"  {each['tranche']}: {each['reason']}" for each in body["lines"] if each["reason"]]
    told += ["", f"total {paper.charge(body['total'])}"]
    return "\n".join(told)
