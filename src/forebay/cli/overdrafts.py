"""How is it told that a hold or a right may take more than there will be: who, by how much, from when to when?"""

from __future__ import annotations

from typing import Any

import click

from forebay.cli import paper


def overdraft_lines(each: dict[str, Any], verb: str = "is") -> list[str]:
    """One sentence for each stretch of time."""
    told = []
    for part in each["parts"]:
        much = paper.extent(part["nodes"], part["gpus"], each["nodes_per_rack"])
        until = f"to {paper.day(part['end'])}" if part["end"] else "on"
        told.append(f"{_who(each)} {verb} overdrawn by {much} from {paper.day(part['start'])} {until}")
    return told


def _who(each: dict[str, Any]) -> str:
    return f"{each['kind']} {each['id']} ({each['tenant']}; {each['sku']} at {each['site']})"


def overdraft_changes_text(changes: list[dict[str, Any]], color: bool, would: bool = False) -> str:
    """Holds and rights that are overdrawn in another way than before; "" where none is."""
    told = []
    for change in changes:
        before, after = change["before"], change["after"]
        if after is None:
            told.append(f"{_who(before)} {'would be' if would else 'is'} overdrawn no more")
        else:
            told += overdraft_lines(after, "would be" if would else "is")
    if any(change["after"] for change in changes):
        told = [click.style(line, fg="yellow") if color else line for line in told]
    return "\n".join(told)
