"""`forebay notice`, `forebay delivered`, `forebay forecast`: what is told of a delivery, and what we expect of it."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, risks, session
from forebay.cli.schedule import days_later

NOTICE_EXAMPLES = """
    forebay notice big-lab-mo --delivery 2 --to 2029-01-15 --reason "the gas plant is late"
    forebay notice big-lab-fi --by 60 --received 2027-06-01
"""
FORECAST_EXAMPLES = """
    forebay forecast big-lab-fi --p50 2027-10-01 --p90 2028-01-15 --source "our own site visit"
"""
NUMBER = click.option(
    "--delivery",
    "number",
    default=1,
    show_default=True,
    type=click.IntRange(min=1),
    help="Which one, from 1 on.",
)


@command.command("notice", examples=NOTICE_EXAMPLES)
@click.argument("tranche")
@NUMBER
@click.option("--to", "to", default="", metavar="DATE", help="The date that was told.")
@click.option("--by", "by", default="", metavar="DAYS", help="So many days after the date that both know.")
@click.option("--received", default="", metavar="DATE", help="When it was received; now when left out.")
@click.option("--reason", default="", metavar="TEXT", help="Why, for the record.")
def notice_command(tranche: str, number: int, to: str, by: str, received: str, reason: str) -> None:
    """A seller told its customer another date for a delivery.

    Either side records it: the seller what it served, the customer what it received. What the customer counts on
    moves with it; what the contract owes does not. A date without a zone is meant in that of the contract, or of the
    site where that names none; the answer says so.
    """
    said = session.current()
    found = client.connect(said)
    expected_at = days_later(to, by, lambda: _date_known(found, tranche, number), f"{tranche}/{number}")
    posted = {"expected_at": expected_at, "received_at": received, "reason": reason}
    _report(said, found, tranche, number, "notice", posted)


@command.command(
    "delivered", examples='forebay delivered big-lab-fi --on 2027-09-15 --evidence "protocol 14"'
)
@click.argument("tranche")
@NUMBER
@click.option("--on", "on", default="", metavar="DATE", help="Since when; now when left out.")
@click.option("--evidence", default="", metavar="TEXT", help="What shows it, for the record.")
def delivered_command(tranche: str, number: int, on: str, evidence: str) -> None:
    """A delivery came; either side records it."""
    said = session.current()
    _report(said, client.connect(said), tranche, number, "delivered", {"at": on, "evidence": evidence})


@command.command("forecast", examples=FORECAST_EXAMPLES)
@click.argument("tranche")
@NUMBER
@click.option("--p50", required=True, metavar="DATE", help="By then in even odds.")
@click.option("--p90", default="", metavar="DATE", help="By then in nine cases of ten; P50 when left out.")
@click.option("--source", default="", metavar="TEXT", help="What it rests on, for the record.")
def forecast_command(tranche: str, number: int, p50: str, p90: str, source: str) -> None:
    """When we, the customer, expect a delivery, whatever its seller says.

    We count on it from then on, at the confidence of our promise policy, until a later notice makes it stale: then on
    the later of the two.
    """
    said = session.current()
    posted = {"p50": p50, "p90": p90, "source": source}
    _report(said, client.connect(said), tranche, number, "forecast", posted)


def _date_known(found: client.Client, tranche: str, number: int) -> str:
    """The date of a delivery that both parties know; "" where there is no such delivery."""
    for contract in found.pages("/v1/contracts"):
        body = found.get(f"/v1/contracts/{client.escaped(contract['id'])}/entitlements")
        for each in body["deliveries"]:
            if (each["tranche"], each["delivery"]) == (tranche, number):
                return str(each["comes"] or "")
    return ""


def _report(
    said: session.Session, found: client.Client, tranche: str, number: int, what: str, posted: dict[str, str]
) -> None:
    body = found.post(f"/v1/tranches/{client.escaped(tranche)}/deliveries/{number}/{what}", posted)
    if said.json:
        said.emit("delivery", body)
    else:
        click.echo("\n".join([arrival_text(body, said.colors()), *paper.zone_lines(body)]))


def arrival_text(body: dict[str, Any], color: bool) -> str:
    """What was told, what we count on, and whom it makes short."""
    name = f"{body['tranche']}, delivery {body['delivery']}"
    if not body["changed"]:
        told = [f"{name}: as is known already; nothing changes"]
    elif body["after"]:
        told = [f"{name}: {paper.day(body['before'])} -> {paper.day(body['after'])}"]
    else:
        told = [f"{name}: our own forecast is recorded"]
    if body["counted_on"]:
        sure = body["confidence"].upper()
        told.append(f"  we count on it from {paper.day(body['counted_on'])} on (promise policy: {sure})")
    if body["risks"]:
        told += ["", risks.changes_text(body["risks"], color), "", risks.totals_text(body["totals"])]
    return "\n".join(told)
