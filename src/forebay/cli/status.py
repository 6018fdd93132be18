"""`forebay status`: what there is, what runs and what waits, at a glance."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session


@command.command("status", examples="forebay status\nforebay status --json")
def status_command() -> None:
    """What there is, what runs and what waits, at a glance.

    An operator sees everything, a tenant its own. Amounts of the open period are not final.
    """
    said = session.current()
    found = client.connect(said)
    body: dict[str, Any] = found.get("/v1/status")
    if said.json:
        said.emit("status", body)
        return
    color = said.colors()
    click.echo(
        f"world {body['world']} at {found.address}, {paper.moment(body['now'])}, record {body['seq']:,}"
    )
    # Only an operator is told of sites, and of what starts work there.
    engines = found.get("/v1/engines")["items"] if body.get("sites") else []
    for part in (
        _silent(engines),
        _sites(body, color),
        _tranches(body, color),
        _gangs(body, color),
        _period(body, color),
    ):
        if part:
            click.echo()
            click.echo(part)


def _silent(engines: list[dict[str, Any]]) -> str:
    return "\n".join(
        f"engine {each['engine']} is silent: it was last heard of at {paper.moment(each['heard_at'])}; "
        f"{paper.count(each['gangs'], 'gang')} held there (`forebay engines`)"
        for each in engines
        if each["state"] != "heard"
    )


def _sites(body: dict[str, Any], color: bool) -> str:
    rows = []
    for site in body.get("sites", ()):
        roots = [feed for feed in site["feeds"] if not feed["parent"]]
        load, limit = sum(feed["load_w"] for feed in roots), sum(feed["limit_w"] for feed in roots)
        used = f"{site['gpus_used']} of {site['gpus_healthy']}"
        power = f"{paper.power(load)} of {paper.power(limit)}"
        rows.append((site["id"], site["racks"], site["nodes"], site["gpus"], used, power))
    headers = ("SITE", "RACKS", "NODES", "GPUS", "GPUS USED", "POWER")
    return paper.table(headers, rows, right=" rrrrr", color=color) if rows else ""


def _tranches(body: dict[str, Any], color: bool) -> str:
    names = ("tranche", "tenant", "standing", "gpus", "used", "lent", "idle", "undeliverable")
    rows = [[each[name] for name in names] for each in body["tranches"]]
    headers = ("TRANCHE", "TENANT", "STANDING", "GPUS", "USED", "LENT", "IDLE", "UNDELIVERABLE")
    return paper.table(headers, rows, right="   rrrrr", color=color) if rows else ""


def _gangs(body: dict[str, Any], color: bool) -> str:
    if "gangs" not in body:
        return ""
    told = [f"{count} {phase}" for phase, count in body["gangs"].items() if count]
    return f"gangs: {', '.join(told) or 'none'}"


def _period(body: dict[str, Any], color: bool) -> str:
    period = body["period"]
    dedicated, use = period["tranches"], period["use"]
    names = [f"tranche {each['tranche']}" for each in dedicated] + [
        each["tier"].replace("_", " ") for each in use
    ]
    hours = paper.gpu_hours(
        [each["entitled_gpu_hours"] for each in dedicated] + [each["gpu_hours"] for each in use]
    )
    both = [*dedicated, *use]
    amounts = paper.charges(each["amount"] for each in both)
    rows = list(zip([each["tenant"] for each in both], names, hours, amounts, strict=True))
    head = f"open period since {paper.moment(period['start'])}, not final:"
    table = paper.table(("TENANT", "FOR", "GPU-H", "SO FAR"), rows, right="  rr", color=color)
    return f"{head}\n{table}" if rows else ""
