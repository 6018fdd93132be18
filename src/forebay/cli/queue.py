"""`forebay queue`: who waits, in which order, and why in this order."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, jobs, paper, session


@command.command("queue", examples="forebay queue\nforebay queue --tenant acme\nforebay queue --json")
@click.option("--tenant", metavar="NAME", default="", help="Only this tenant's gangs.")
@click.option(
    "-n", "--limit", default=1000, show_default=True, type=click.IntRange(min=1), help="At most so many."
)
def queue_command(tenant: str, limit: int) -> None:
    """Who waits, in the order in which they are tried, and why in this order.

    Dedicated work comes first, tranche by tranche, then on demand, then spot. Within each, who failed goes in front;
    the rest by the instant that they count from: their submission, later by what their class of priority stands
    behind and by what their project has used.
    """
    said = session.current()
    items = client.connect(said).pages("/v1/queue", limit, tenant=tenant, limit=min(limit, 200))
    if said.json:
        said.emit("queue", {"items": items})
        return
    if not items:
        said.say("nobody waits")
        return
    headers = ("PLACE", "GANG", "BY", "GPUS", "PROJECT", "PRIORITY", "COUNTS FROM", "ORDER", "WAITS FOR")
    click.echo(paper.table(headers, map(_row, items), right="r  r", color=said.colors()))


def _row(each: dict[str, Any]) -> list[object]:
    by = each["tranche"] or jobs.TIERS[each["tier"]]
    project = f"{each['project']}/{each['user']}" if each["user"] and each["project"] else each["project"]
    waits = jobs.why({"waits_for": each["waits_for"]})
    when = paper.moment(each["counts_from"])
    return [
        each["place"],
        each["gang"],
        by,
        each["gpus"],
        project or "-",
        each["priority"] or "-",
        when,
        order(each),
        waits,
    ]


def order(each: dict[str, Any]) -> str:
    """Why it stands where it does, in a few words."""
    if each["front"]:
        return "in front: it ran before"
    later = []
    if each["behind_s"]:
        later.append(f"{paper.span(each['behind_s'])} by priority")
    if each["step"]:
        later.append(f"step {each['step']} of use")
    return f"submitted, and {' and '.join(later)} later" if later else "submitted"
