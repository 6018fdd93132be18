"""`forebay engines` and `forebay engine`: what starts work, when it was last heard of, and what is fenced."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session


@command.command("engines", examples="forebay engines\nforebay engines --json")
def engines_command() -> None:
    """List engines: when they were last heard of, and which are silent.

    There are none before a policy says after which time one is silent (`failing: {engine_silent: 2m}`).
    """
    said = session.current()
    items: list[dict[str, Any]] = client.connect(said).get("/v1/engines")["items"]
    if said.json:
        said.emit("engines", {"items": items})
        return
    if not items:
        said.say("no engine is watched: a policy says after which time one is silent (engine_silent)")
        return
    rows = [
        (
            each["engine"],
            ", ".join(each["sites"]) or "all",
            each["state"],
            each["heard_at"],
            each["fence_at"] or "",
            str(each["gangs"]),
            str(each["leased"]),
        )
        for each in items
    ]
    headers = ("ENGINE", "SITES", "STATE", "LAST HEARD OF", "LEASES OVER", "GANGS", "LEASED")
    click.echo(paper.table(headers, rows, right="     rr", color=said.colors()))


@command.group("engine", examples='forebay engine fence local --reason "its host is switched off"')
def engine_group() -> None:
    """What is done about an engine."""


@engine_group.command("fence", examples='forebay engine fence local --reason "its host is switched off"')
@click.argument("engine")
@click.option("--reason", required=True, metavar="TEXT", help="Why it is sure that nothing of it runs.")
def _fence(engine: str, reason: str) -> None:
    """Say that nothing of a silent engine runs any more: its hosts are off, or cut off.

    What it had goes back to the queue at once. Say it only when it is so: what still runs would run twice.
    """
    said = session.current()
    answer = client.connect(said).post(f"/v1/engines/{client.escaped(engine)}/fence", {"reason": reason})
    if said.json:
        said.emit("engine.fence", answer)
    elif answer["changed"]:
        said.say(f"{engine} is fenced: {paper.count(answer['gangs'], 'gang')} of it counted as running")
    else:
        said.say(f"{engine} has nothing that counts as running")
