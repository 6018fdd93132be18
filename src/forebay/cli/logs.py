"""`forebay logs`: what a rank of a gang wrote."""

from __future__ import annotations

import time
from typing import Any

import click

from forebay.cli import client, command, session

#: How often `-f` asks for more, seconds.
ASK_S = 0.5
PART_BYTES = 65536


@command.command("logs", examples="forebay logs acme.train\nforebay logs acme.train --rank 3 -f")
@click.argument("gang")
@click.option("--rank", default=0, show_default=True, type=click.IntRange(min=0), help="Which rank.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the gang has ended for good, or Ctrl-C.")
@click.option(
    "--start", type=click.IntRange(min=1), metavar="N", help="Of its Nth start instead of the last."
)
@click.option(
    "--tail", "last", type=click.IntRange(min=0), metavar="BYTES", help="Only the last bytes of it."
)
def logs_command(gang: str, rank: int, follow: bool, start: int | None, last: int | None) -> None:
    """Print what a rank of a gang wrote.

    Of its last start, unless --start names another.
    """
    said = session.current()
    found = client.connect(said)
    path = f"/v1/gangs/{client.escaped(gang)}"
    offset = -last if last is not None else 0
    generation = start or 0
    while True:
        part = found.get(
            f"{path}/logs", rank=rank, offset=offset, limit=PART_BYTES, generation=generation or None
        )
        generation, offset = part["generation"], part["next_offset"]
        if part["text"]:
            _print(said, gang, rank, part)
            continue
        if not follow:
            if not generation:
                said.say(f"{gang} has not been started yet")
            return
        if part["ended"] or not generation:
            now = found.get(path)
            if now["phase"] == "ended" and now["generation"] <= generation:
                return
            if now["generation"] > generation:
                if generation:
                    said.say(f"-- {gang} was started again (start {now['generation']})")
                generation, offset = now["generation"], 0
        time.sleep(ASK_S)


def _print(said: session.Session, gang: str, rank: int, part: dict[str, Any]) -> None:
    if said.json:
        body = {name: part[name] for name in ("text", "next_offset", "ended", "generation")}
        said.emit_line("logs", {"gang": gang, "rank": rank} | body)
    else:
        click.echo(part["text"], nl=False)
