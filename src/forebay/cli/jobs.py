"""`forebay jobs` and `forebay cancel`: gangs, in the order in which they were submitted."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session
from forebay.cli.failure import Failed, Status

PHASES = ("pending", "placed", "running", "stopping", "ended")
#: What a gang waits for, in a few words.
WAITS = {
    "turnover": "its nodes are being wiped",
    "backoff": "a pause after its failure",
    "claim": "the term of {level} begins",
    "queue": "older work comes first",
    "nodes": "needs {need} whole {nodes}, {have} free",
    "gpus": "needs {need} {gpus} on one node, {have} free",
    "power": "power{of}: needs {need_w}, {have_w} left",
}
TIERS = {"dedicated": "tranche", "on_demand": "on demand", "spot": "spot"}


@command.command(
    "jobs", examples="forebay jobs\nforebay jobs --phase pending\nforebay jobs --tenant acme --json"
)
@click.option("--phase", type=click.Choice(PHASES), help="Only gangs in this phase.")
@click.option("--tenant", metavar="NAME", default="", help="Only this tenant's gangs.")
@click.option(
    "-n", "--limit", default=1000, show_default=True, type=click.IntRange(min=1), help="At most so many."
)
def jobs_command(phase: str | None, tenant: str, limit: int) -> None:
    """List gangs: waiting, running, ended.

    Gangs that ended before the last period close are in the journal only.
    """
    said = session.current()
    found = client.connect(said)
    items = found.pages("/v1/gangs", limit, phase=phase, tenant=tenant, limit=min(limit, 200))
    if said.json:
        said.emit("jobs", {"items": items})
        return
    if not items:
        said.say("no gangs" + (f" are {phase}" if phase else ""))
        return
    headers = ("GANG", "PHASE", "BY", "GPUS", "NODES", "SINCE", "WHY")
    click.echo(paper.table(headers, map(_row, items), right="   r", color=said.colors()))


def _row(gang: dict[str, Any]) -> list[object]:
    nodes = gang["nodes"] if gang["phase"] not in ("pending", "ended") else []
    where = " ".join(nodes[:3]) + (f" +{len(nodes) - 3}" if len(nodes) > 3 else "")
    since = {"pending": "submitted_at", "ended": "ended_at", "running": "started_at"}.get(
        gang["phase"], "placed_at"
    )
    by = (
        "spot, lent"
        if gang["borrowed"] and gang["phase"] != "ended"
        else TIERS.get(gang["tier"], gang["tier"])
    )
    when = paper.moment(gang[since] or gang["submitted_at"])
    return [gang["id"], gang["phase"], by, gang["gpus"], where, when, why(gang)]


def why(gang: dict[str, Any]) -> str:
    """What a gang waits for; else why it is stopping or ended."""
    binds = gang.get("waits_for")
    if binds is None:
        return str(gang["reason"]).replace("_", " ")
    need, have, level = binds["need"], binds["have"], binds["level"]
    told = WAITS.get(binds["code"], str(binds["code"]).replace("_", " "))
    return told.format(
        need=need, have=have, level=f"tranche {level}", of=f" of {level}" if level else "",
        nodes="node" if need == 1 else "nodes", gpus="GPU" if need == 1 else "GPUs",
        need_w=paper.power(need), have_w=paper.power(have),
    )  # fmt: skip


@command.command("cancel", examples="forebay cancel acme.train\nforebay cancel acme.train birch.sweep")
@click.argument("gangs", nargs=-1, required=True, metavar="GANG...")
def cancel_command(gangs: tuple[str, ...]) -> int:
    """Stop gangs for good, or take them out of the queue.

    A gang that runs is asked to save its work and stop; it is killed when its grace is over.
    """
    said = session.current()
    found = client.connect(said)
    done: list[dict[str, Any]] = []
    failed: Failed | None = None
    for gang in gangs:
        try:
            done.append(found.post(f"/v1/gangs/{client.escaped(gang)}/cancel", {}))
        except Failed as error:
            failed = error
            if len(gangs) > 1:
                said.fail(error)
    if said.json:
        said.emit("cancel", {"items": done})
    else:
        for each in done:
            said.say(
                f"{each['gang']} {'is stopping' if each['phase'] == 'stopping' else 'is out of the queue'}"
            )
    if failed is not None:
        if len(gangs) == 1:
            raise failed
        return failed.status
    return Status.OK
