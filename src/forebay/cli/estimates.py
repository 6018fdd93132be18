"""`forebay estimates`: how long a tenant's work runs, as far as that was learned, and how wrong estimates were."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session


@command.command("estimates", examples="forebay estimates\nforebay estimates acme --json")
@click.argument("tenant", default="", metavar="[TENANT]")
def estimates_command(tenant: str) -> None:
    """Show learned run times, by tenant, and how wrong estimates were.

    Of gangs alike (by tenant, by size, by size and user): how many have ended, and within how long half of them and
    nine of ten did. Where a row tells, its P90 is the estimate of a gang that asks for no limit of time.
    """
    said = session.current()
    found = client.connect(said).get("/v1/estimates", tenant=tenant)
    if said.json:
        said.emit("estimates", found)
        return
    if not found["learned"]:
        said.say("the policy in force goes by limits of time: estimates is not `learned`")
    if not found["items"]:
        said.say("nothing was learned yet")
        return
    click.echo("\n\n".join(_told(each, found["ends_least"], said.colors()) for each in found["items"]))


def _told(item: dict[str, Any], least: int, color: bool) -> str:
    headers = ("GPUS", "USER", "ENDS", "P50", "P90", "TELLS")
    rows = [
        [
            _size(each["gpus_from"], each["gpus_to"]),
            each["user"] or "all",
            each["ends"],
            paper.span(each["p50_s"]),
            paper.span(each["p90_s"]),
            "yes" if each["tells"] else f"from {least} on",
        ]
        for each in item["run_times"]
    ]
    table = paper.table(headers, rows, right="  rrr ", color=color)
    return f"{item['tenant']}: {_error(item['error'])}\n{table}"


def _size(first: int, last: int) -> str:
    if not first:
        return "all"
    return str(first) if first == last else f"{first}-{last}"


def _error(error: dict[str, int]) -> str:
    judged, longer = error["judged"], error["longer"]
    if not judged:
        return "no gang with an estimate has ended yet"
    told = f"of {paper.count(judged, 'gang')} with an estimate {longer} ran longer"
    if longer:
        told += f", by {paper.span(error['longer_s'] // longer)} on average"
    sooner = judged - longer
    return told + (
        f"; {sooner} ended sooner, by {paper.span(error['sooner_s'] // sooner)} on average" if sooner else ""
    )
