"""`forebay nominate`: a tranche that leaves a choice is put elsewhere before its term begins."""

from __future__ import annotations

import click

from forebay.cli import client, command, session
from forebay.cli.failure import Failed, Status

EXAMPLES = """
    forebay nominate big-lab-fi --site independence
    forebay nominate big-lab-fi --sku gb300-nvl72
"""


@command.command("nominate", examples=EXAMPLES)
@click.argument("tranche")
@click.option(
    "--site", default="", metavar="SITE", help="Where it is to be; it stays where it is when left out."
)
@click.option("--sku", default="", metavar="SKU", help="Of what; it stays what it is when left out.")
def nominate_command(tranche: str, site: str, sku: str) -> None:
    """Put a tranche that leaves a choice elsewhere.

    Its contract says where it may be (sites, region, jurisdiction) and of what (substitutes). It is checked again as
    if it were signed there now, and has to be before its term begins.
    """
    said = session.current()
    if not (site or sku):
        raise Failed("say where it is to be (--site), or of what (--sku)", Status.USAGE, code="usage")
    path = f"/v1/tranches/{client.escaped(tranche)}/nomination"
    body = client.connect(said).post(path, {"site": site, "sku": sku})
    if said.json:
        said.emit("nominate", body)
        return
    now = f"{body['sku']} at {body['site']}"
    click.echo(f"{tranche}: {now}" if body["changed"] else f"{tranche}: {now} already, nothing changes")
