"""`forebay costs`: invoices by tenant, site or project, and what of it bought nothing."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session

EXAMPLES = """
    forebay costs                                      by tenant, all that was invoiced
    forebay costs --by project,site --period 2026-11   of a month
    forebay costs --by claim --tenant acme             what each tranche cost, and how much of it was used
"""


@command.command("costs", examples=EXAMPLES)
@click.option("--by", default="tenant", show_default=True, metavar="GROUP[,GROUP]",
              help="tenant, contract, claim, class, site, sku, project, user, month.")  # fmt: skip
@click.option(
    "--period", default="", metavar="MONTH", help="Only periods that began in this month (2026-11)."
)
@click.option("--tenant", default="", metavar="NAME", help="Only what is billed to this tenant.")
def costs_command(by: str, period: str, tenant: str) -> None:
    """What was invoiced, by tenant, site, project: used, paid unused, and per useful GPU-hour.

    A line is split over the placements behind it by their GPU-time. What was paid for a tranche and not used has no
    project and no user: it is idle committed capacity, in money. PER GPU-H is all that was paid over what was used.
    """
    said = session.current()
    body = client.connect(said).get("/v1/costs", by=by, period=period, tenant=tenant)
    if said.json:
        said.emit("costs", body)
        return
    if not body["items"]:
        said.say("nothing was invoiced" + (f" for periods that began in {period}" if period else " yet"))
        return
    headers = (*(name.upper() for name in body["by"]), "CURRENCY", "COST", "USED GPU-H", "UNUSED GPU-H", "OF IT LENT",
               "UNUSED COST", "PER GPU-H")  # fmt: skip
    rows = [(*(name or "-" for name in each["group"]), *_figures(each)) for each in body["items"]]
    rows += [("all", *[""] * (len(body["by"]) - 1), *_figures(each)) for each in body["totals"]]
    right = " " * (len(body["by"]) + 1) + "r" * 6
    click.echo(paper.table(headers, rows, right=right, color=said.colors()))


def _figures(each: dict[str, Any]) -> tuple[str, ...]:
    price = each["per_used_gpu_hour"]
    return (
        each["cost"]["currency"], each["cost"]["amount"], each["used_gpu_hours"], each["unused_gpu_hours"],
        each["lent_gpu_hours"], each["unused_cost"]["amount"], price["amount"] if price else "-",
    )  # fmt: skip
