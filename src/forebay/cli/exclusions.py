"""`forebay exclusion`, `forebay claim-credit`: loss that a tenant caused itself, and credits that come on claim."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session

EXAMPLES = """
    forebay exclusion record big-lab-t1 --from 2026-11-03T10:00:00Z --until 2026-11-03T14:00:00Z \\
        --node r01-n02 --reason "its driver update" --evidence "ticket 17"
    forebay exclusion withdraw EXC-000001 --reason "it was our update"
    forebay exclusion list
"""


@command.group("exclusion", examples=EXAMPLES)
def exclusion_group() -> None:
    """Record loss that a tenant caused itself, withdraw that, list it."""


@exclusion_group.command(
    "record",
    examples="forebay exclusion record big-lab-t1 --from 2026-11-03T10:00:00Z --until 2026-11-03T14:00:00Z "
    '--reason "its driver update" --evidence "ticket 17"',
)
@click.argument("tranche")
@click.option(
    "--from", "start", required=True, metavar="TIME", help="Since when (RFC 3339, or a date in UTC)."
)
@click.option("--until", "end", required=True, metavar="TIME", help="Until when.")
@click.option("--node", "nodes", multiple=True, metavar="NAME", help="A node or a rack; all when left out.")
@click.option("--reason", required=True, metavar="TEXT", help="What the tenant did.")
@click.option("--evidence", required=True, metavar="TEXT", help="What shows it: a ticket, a log, a letter.")
def _record(tranche: str, start: str, end: str, nodes: tuple[str, ...], reason: str, evidence: str) -> None:
    """What was missing of a tranche was caused by its tenant: it is not missed.

    Who decided stands in the record, and the tenant sees it. In a month that is closed the difference comes with the
    next invoice.
    """
    posted = {
        "tranche": tranche, "start": start, "end": end, "nodes": list(nodes), "reason": reason, "evidence": evidence,
    }  # fmt: skip
    _ask("exclusion.record", "/v1/exclusions", posted, "{exclusion} is recorded")


@exclusion_group.command(
    "withdraw", examples='forebay exclusion withdraw EXC-000001 --reason "it was our update"'
)
@click.argument("exclusion")
@click.option("--reason", required=True, metavar="TEXT", help="Why it was wrong, for the record.")
def _withdraw(exclusion: str, reason: str) -> None:
    """It was not the tenant after all: it counts as any other loss."""
    path = f"/v1/exclusions/{client.escaped(exclusion)}/withdraw"
    _ask("exclusion.withdraw", path, {"reason": reason}, "{exclusion} is withdrawn")


@exclusion_group.command("list", examples="forebay exclusion list")
def _list() -> None:
    """List loss that tenants caused themselves, and who decided."""
    said = session.current()
    items = client.connect(said).pages("/v1/exclusions")
    if said.json:
        said.emit("exclusion.list", {"items": items})
        return
    if not items:
        said.say("nothing is excluded yet")
        return
    rows = [
        (
            each["id"], each["tranche"], paper.moment(each["start"]), paper.moment(each["end"]),
            ", ".join(each["nodes"]) or "all", f"{each['reason']} ({each['evidence']})", each["decided_by"],
            f"withdrawn by {each['withdrawn_by']}: {each['withdrawn_for']}" if each["withdrawn_at"] else "",
        )
        for each in items
    ]  # fmt: skip
    headers = ("EXCLUSION", "TRANCHE", "FROM", "UNTIL", "NODES", "WHY", "DECIDED BY", "")
    click.echo(paper.table(headers, rows, color=said.colors()))


@command.command("claim-credit", examples="forebay claim-credit big-lab-t1 --month 2026-11")
@click.argument("tranche")
@click.option("--month", required=True, metavar="MONTH", help="A calendar month in UTC (2026-11).")
def claim_command(tranche: str, month: str) -> None:
    """Claim the service credit of a month, where the contract gives it on claim.

    It comes with the invoice of the month that runs. How long it can be claimed is shown by `forebay availability`.
    """
    _ask(
        "claim-credit", "/v1/availability/claim", {"tranche": tranche, "month": month}, "{tranche} is claimed"
    )


def _ask(kind: str, path: str, posted: dict[str, Any], done: str) -> None:
    said = session.current()
    answer = client.connect(said).post(path, posted)
    if said.json:
        said.emit(kind, answer)
        return
    said.say(done.format(**answer) if answer["changed"] else "that is on record already")
