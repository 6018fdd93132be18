"""`forebay availability`: what each tranche was entitled to in a month, what it got, and what that costs."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session

EXAMPLES = """
    forebay availability                            every tranche, this month so far
    forebay availability big-lab-t1 --month 2026-11    one, with the incidents behind it
"""


@command.command("availability", examples=EXAMPLES)
@click.argument("tranche", required=False, default="")
@click.option("--month", default="", metavar="MONTH", help="A calendar month in UTC (2026-11).")
def availability_command(tranche: str, month: str) -> None:
    """What was delivered of what was entitled, and the credit due.

    Hours are those of the units that the service level counts: nodes, racks, or the tranche. Time to replace a unit,
    loss that the tenant caused, relief that
    was granted and maintenance that was agreed are excluded: they count as available. PERCENT is cut,
    never rounded. A month that is over shows the credit that was given; one that runs, what would be due now.
    """
    said = session.current()
    body = client.connect(said).get("/v1/availability", tranche=tranche, month=month)
    if said.json:
        said.emit("availability", body)
        return
    if not body["items"]:
        said.say(f"nothing was in service in {body['month']}")
        return
    headers = ("TRANCHE", "UNIT", "DUE H", "EXCLUDED H", "MISSED H", "PERCENT", "CREDIT", "CURRENCY", "")
    rows = [_row(each) for each in body["items"]]
    click.echo(paper.table(headers, rows, right="  rrrrr  ", color=said.colors()))
    if tranche:
        click.echo(_behind(body["items"][0], said.colors()))


def _row(each: dict[str, Any]) -> tuple[str, ...]:
    excluded = ", ".join(f"{part['name']} {part['unit_hours']}" for part in each["excluded"]) or "-"
    missed = ", ".join(f"{part['name']} {part['unit_hours']}" for part in each["missed"]) or "-"
    none = each["credit"]["amount"].strip("0.") == ""
    told = (
        "given" if each["credited"] else "" if none else "on claim" if each["claim_until"] else "due so far"
    )
    if each["open"]["amount"].strip("0.-"):
        told = f"given {each['given']['amount']}, open {each['open']['amount']}"
    return (
        each["tranche"], each["unit"], each["due"]["unit_hours"], excluded, missed, each["percent"],
        each["credit"]["amount"], each["credit"]["currency"], told,
    )  # fmt: skip


def _behind(each: dict[str, Any], color: bool) -> str:
    """How the credit comes about, and every incident."""
    base = paper.money(each["base"])
    told = [""]
    if each["clause"]:
        told.append(f"{each['clause']}: {each['credit_percent']} % of {base}")
    else:
        told.append(f"no step of a ladder was reached; billed so far are {base}")
    if each["claim_until"]:
        told.append(f"the credit comes on claim, until {paper.moment(each['claim_until'])}")
    if each["open"]["amount"].strip("0.-"):
        told.append(f"{paper.money(each['open'])} are open: the next close of a month brings them")
    if each["incidents"]:
        rows = [
            (
                paper.moment(loss["start"]), paper.moment(loss["end"]), loss["unit"], loss["counted"],
                loss["decided"] or loss["reason"],
            )
            for loss in each["incidents"]
        ]  # fmt: skip
        told += ["", paper.table(("FROM", "UNTIL", "UNIT", "COUNTED", "WHY"), rows, color=color)]
    return "\n".join(told)
