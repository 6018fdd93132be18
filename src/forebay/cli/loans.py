"""`forebay loans` and `forebay checkpoint`: what is lent to whom, and what it would cost to call it back."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session


@command.command("loans", examples="forebay loans\nforebay loans --json")
def loans_command() -> None:
    """List loans: who lends what to whom, when it could be back, and what work that would cost.

    A tenant sees what it borrowed and what it lends; others have no name there.
    """
    said = session.current()
    body = client.connect(said).get("/v1/loans")
    if said.json:
        said.emit("loans", body)
    elif body["items"]:
        click.echo(loans_text(body["items"], said.colors()))
    else:
        said.say("nothing is lent")


def loans_text(items: list[dict[str, Any]], color: bool) -> str:
    """A table, one loan a line."""
    rows = [
        (
            each["tranche"] or "another's", each["gang"] or "other work", each["phase"], each["gpus"],
            paper.moment(each["since"]), paper.moment(each["back_at"]), _due(each), lost(each["lost_gpu_s"]),
        )
        for each in items
    ]  # fmt: skip
    headers = ("LENT BY", "TO", "PHASE", "GPUS", "SINCE", "BACK BY", "CALLED BACK", "WOULD LOSE")
    return paper.table(headers, rows, right="   r   r", color=color)


def _due(loan: dict[str, Any]) -> str:
    if loan["late"]:
        return "late"
    return f"due {paper.moment(loan['due_at'])}" if loan["due_at"] else "no"


def lost(gpu_s: int) -> str:
    """Work in GPU-hours, to two places."""
    return f"{gpu_s // 3600}.{gpu_s % 3600 * 100 // 3600:02} GPU-h"


@command.command("checkpoint", examples="forebay checkpoint acme.train")
@click.argument("gang")
@click.option(
    "--at", "at", default="", metavar="TIME", help="When it was whole (RFC 3339); now when left out."
)
def checkpoint_command(gang: str, at: str) -> None:
    """Report that a gang has written a checkpoint: what it did before is not lost when it is stopped.

    Lent capacity is called back from those who lose the least.
    """
    said = session.current()
    posted = {"effective_at": at} if at else {}
    body = client.connect(said).post(f"/v1/gangs/{client.escaped(gang)}/checkpoint", posted)
    if said.json:
        said.emit("checkpoint", body)
    else:
        said.say(f"{gang}: {'recorded' if body['changed'] else 'a newer checkpoint was known'}")


def preview_text(body: dict[str, Any], color: bool) -> str:
    """Who would go, for people."""
    if not body["victims"] and not body["leaving"]:
        return f"{body['gpus']} GPUs of {body['tranche']} are free now: nobody has to go"
    lines = []
    if body["victims"]:
        rows = [
            (each["gang"], each["tenant"], each["gpus"], lost(each["lost_gpu_s"])) for each in body["victims"]
        ]
        lines.append(paper.table(("WOULD GO", "TENANT", "GPUS", "LOSES"), rows, right="  rr", color=color))
    if body["leaving"]:
        lines.append(f"leaving anyway: {', '.join(body['leaving'])}")
    lines.append(
        f"{body['gpus']} GPUs are back by {paper.moment(body['back_at'])} (due {paper.moment(body['due_at'])});"
        f" {lost(body['lost_gpu_s'])} of work would be lost"
    )
    return "\n".join(lines)
