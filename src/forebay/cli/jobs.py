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
    "dependency": "{need} {gangs} to be over",
    "array": "its turn in its array",
    "cap": "the cap of {level_plain}: {have} left of it, needs {need}",
    "cap_behind": "others before it, by the cap of {level_plain}",
    "budget": "the budget of {level_plain}: it is spent",
    "nodes": "needs {need} whole {nodes}, {have} free",
    "gpus": "needs {need} {gpus} on one node, {have} free",
    "power": "power{of}: needs {need_w}, {have_w} left",
    "cooling": "cooling{of}: needs {need_w}, {have_w} left",
}
TIERS = {"dedicated": "tranche", "on_demand": "on demand", "spot": "spot"}


@command.command(
    "jobs", examples="forebay jobs\nforebay jobs --phase pending\nforebay jobs --tenant acme --json"
)
@click.option("--phase", type=click.Choice(PHASES), help="Only gangs in this phase.")
@click.option("--tenant", metavar="NAME", default="", help="Only this tenant's gangs.")
@click.option("--array", metavar="NAME", default="", help="Only the gangs of this array, one by one.")
@click.option(
    "-n", "--limit", default=1000, show_default=True, type=click.IntRange(min=1), help="At most so many."
)
def jobs_command(phase: str | None, tenant: str, array: str, limit: int) -> None:
    """List gangs: waiting, running, ended.

    An array is one line, unless its gangs are asked for. Gangs that ended before the last period close are in the
    journal only.
    """
    said = session.current()
    found = client.connect(said)
    # Gangs of arrays are told in one line, but where a list is for a program, or somebody asks for them.
    asked = {"phase": phase, "tenant": tenant, "array": array, "limit": min(limit, 200)}
    if not (said.json or array):
        asked["members"] = "false"
    items = found.pages("/v1/gangs", limit, **asked)
    if said.json:
        said.emit("jobs", {"items": items})
        return
    arrays = [] if array else found.pages("/v1/arrays", limit, tenant=tenant)
    arrays = [each for each in arrays if phase is None or each["phases"][phase]]
    if not items and not arrays:
        said.say("no gangs" + (f" are {phase}" if phase else ""))
        return
    headers = ("GANG", "PHASE", "BY", "GPUS", "NODES", "SINCE", "WHY")
    rows = [*map(_array_row, arrays), *map(_row, items)]
    click.echo(paper.table(headers, rows, right="   r", color=said.colors()))


def _array_row(array: dict[str, Any]) -> list[object]:
    phases, count = array["phases"], paper.count(array["gangs"], "gang")
    now = next((each for each in ("running", "placed", "stopping", "pending") if phases[each]), "ended")
    how_far = [f"{phases[each]} {each}" for each in PHASES if phases[each]]
    if array["failed"]:
        how_far.append(f"{array['failed']} did not complete")
    at_most = "" if array["at_most"] == array["gangs"] else f", {array['at_most']} at once"
    by = TIERS.get(array["tier"], array["tier"])
    when = paper.moment(array["submitted_at"])
    return [array["id"], now, by, array["gpus"], f"{count}{at_most}", when, ", ".join(how_far)]


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
    code = "cap_behind" if binds["code"] == "cap" and have >= need else binds["code"]
    told = WAITS.get(code, str(code).replace("_", " "))
    return told.format(
        need=need, have=have, level=f"tranche {level}", level_plain=level, of=f" of {level}" if level else "",
        gangs="gang" if need == 1 else "gangs",
        nodes="node" if need == 1 else "nodes", gpus="GPU" if need == 1 else "GPUs",
        need_w=paper.power(need), have_w=paper.power(have),
    )  # fmt: skip


@command.command("cancel", examples="forebay cancel acme.train\nforebay cancel acme.train birch.sweep")
@click.argument("gangs", nargs=-1, required=True, metavar="GANG...")
def cancel_command(gangs: tuple[str, ...]) -> int:
    """Stop gangs for good, or take them out of the queue.

    The name of an array means all of its gangs. A gang that runs is asked to save its work and stop; it is killed
    when its grace is over.
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
            many = f" ({paper.count(each['gangs'], 'gang')})" if "gangs" in each else ""
            phase = "is stopping" if each["phase"] == "stopping" else "is out of the queue"
            said.say(f"{each['gang']}{many} {phase}")
    if failed is not None:
        if len(gangs) == 1:
            raise failed
        return failed.status
    return Status.OK
