"""`forebay fragmentation`: how much of what is free can whole nodes, and whole racks, still use?"""

from __future__ import annotations

import click

from forebay.cli import client, command, paper, session


@command.command("fragmentation", examples="forebay fragmentation\nforebay fragmentation --json")
def fragmentation_command() -> None:
    """Show how free capacity lies: wholly free nodes and racks, the largest gangs, what is scattered.

    The last two columns are shares of the free GPUs: of those on nodes that are partly used, and of those in racks
    that are not wholly free. Power and cooling are not counted.
    """
    said = session.current()
    found = client.connect(said).get("/v1/fragmentation")
    if said.json:
        said.emit("fragmentation", found)
        return
    headers = (
        "SITE", "SKU", "FOR", "FREE GPUS", "WHOLE NODES", "WHOLE RACKS", "LARGEST: RACK", "BLOCK", "SITE",
        "NOT WHOLE NODES", "NOT WHOLE RACKS",
    )  # fmt: skip
    rows = [
        [
            each["site"], each["sku"], each["tranche"] or "the pool", each["free_gpus"], each["whole_nodes"],
            each["whole_racks"], each["largest"]["rack"], each["largest"]["block"], each["largest"]["site"],
            _share(each["node_ppm"]), _share(each["rack_ppm"]),
        ]
        for each in found["items"]
    ]  # fmt: skip
    if not rows:
        said.say("no racks stand yet")
        return
    click.echo(paper.table(headers, rows, right="   rrrrrrrr", color=said.colors()))


def _share(ppm: int) -> str:
    return f"{ppm // 10_000}.{ppm // 1_000 % 10} %"
