"""`forebay datasets`: which data is there, where it lies, and what is copied."""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import client, command, paper, session
from forebay.core.units import size_text


@command.command("datasets", examples="forebay datasets\nforebay datasets --json")
def datasets_command() -> None:
    """List datasets and where they lie; for operators also pools and copies on their way.

    A gang that names datasets starts at a site that holds them, or once they were copied there.
    """
    said = session.current()
    found = client.connect(said).get("/v1/storage")
    if said.json:
        said.emit("datasets", found)
    elif not found["version"]:
        said.say("no storage is described yet: apply a document of kind Storage")
    else:
        click.echo(storage_text(found, said.colors()))


def storage_text(body: dict[str, Any], color: bool) -> str:
    """Datasets, then pools, then copies on their way; what there is none of is left out."""
    rows = [
        (
            each["id"], size_text(each["size_bytes"]), each["tenant"] or "everybody",
            ", ".join(each["residency"]) or "anywhere", ", ".join(each["pools"] or each["sites"]),
        )
        for each in body["datasets"]
    ]  # fmt: skip
    told = [
        paper.table(("DATASET", "SIZE", "FOR", "MAY LIE IN", "LIES IN"), rows, right=" r   ", color=color)
    ]
    if not rows:
        told = ["there is no dataset"]
    if body["pools"]:
        pools = [
            (
                each["id"], each["site"], each["kind"], size_text(each["capacity_bytes"]),
                size_text(each["used_bytes"]), size_text(each["capacity_bytes"] - each["used_bytes"]),
            )
            for each in body["pools"]
        ]  # fmt: skip
        headers = ("POOL", "SITE", "KIND", "HOLDS", "USED", "LEFT")
        told.append(paper.table(headers, pools, right="   rrr", color=color))
    if body["copies"]:
        copies = [
            (
                each["dataset"], f"{each['source']} to {each['target']}", size_text(each["size_bytes"]),
                paper.moment(each["start"]), paper.moment(each["end"]), paper.money(each["price"]), each["gang"],
            )
            for each in body["copies"]
        ]  # fmt: skip
        named = ("COPIED", "FROM AND TO", "SIZE", "BEGINS", "THERE AT", "COST", "FOR GANG")
        told.append(paper.table(named, copies, right="  r  r ", color=color))
    return "\n\n".join(told)
